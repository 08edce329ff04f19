"""1,000 services a minute by the feed, in CPU; as plugins they take about 180 s."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.hostile import Peer, server_context, service_of
from adapters.nameserver import SECURE, nameservers
from bench.measure import Bench
from danebot.domain.names import Protocol
from exporter.running import Exporter, exporter
from jobs.test_verify import World
from monitoring import icinga
from monitoring.feeding import HOST, certificate, daemon, feed_file, icinga_command, public

SERVICES, INTERVAL = 1_000, 30
IN_ICINGA, SPREAD = 300, 20
GOAL = 6.0  # seconds of CPU for so many


@contextlib.contextmanager
def world(directory: Path, hosts: int) -> Iterator[tuple[int, int]]:
    """A name server and a TLS service in a process of their own; their ports.

    ``mx0.example`` and so on are the hosts.
    """
    file, digest = certificate(directory)
    here, there = multiprocessing.Pipe()

    def serve() -> None:
        with (
            nameservers("127.0.0.1") as (told,),
            Peer(service_of(Protocol.TLS, server_context(file))) as peer,
        ):
            found = World(told, peer._behaviour, peer.port)  # type: ignore[arg-type]
            for number in range(hosts):
                name = f"mx{number}.example"
                found.host(name, "127.0.0.1")
                owner = f"_{peer.port}._tcp.{name}"
                told.say(owner, "TLSA", f"{owner} 300 TLSA 3 1 1 {digest}", flags=SECURE)
            there.send((told.port, peer.port))
            there.recv()

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def looks(running: Exporter) -> dict[str, float]:
    """How many looks found what."""
    body = running.get("/metrics")[1]
    pattern = r'(?m)^danebot_exporter_feed_looks_total\{status="(\w+)"\} (\S+)'
    return {status: float(count) for status, count in re.findall(pattern, body)}


def drain(pipe: Path) -> None:
    """Read what Nagios would."""
    descriptor = os.open(pipe, os.O_RDWR)
    while os.read(descriptor, 1 << 16):
        pass


def spent(running: Exporter, services: int, interval: int) -> float:
    """CPU seconds of 1,000 looks, once each service was looked at."""
    while sum(looks(running).values()) < services:
        time.sleep(0.5)
    before, counted = running.cpu(), sum(looks(running).values())
    time.sleep(interval)
    cpu, now = running.cpu() - before, looks(running)
    assert now["ok"] == sum(now.values())
    count = now["ok"] - counted
    assert count > services * 0.9
    return cpu / count * 1000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("hosts", [1000, 50])
def test_a_thousand_services(hosts: int, tmp_path: Path, bench: Bench) -> None:
    pipe = tmp_path / "nagios.cmd"
    os.mkfifo(pipe)
    threading.Thread(target=drain, args=(pipe,), daemon=True).start()
    with world(tmp_path, hosts) as (resolver, port):
        lines = [f'interval = "{INTERVAL}s"\nretry = "20s"\n[nagios]\ncommand_file = "{pipe}"\n']
        for number in range(SERVICES):
            options = ["--host", f"mx{number % hosts}.example", "--port", str(port), "--starttls"]
            options += ["tls", "--resolver", f"127.0.0.1:{resolver}", "--verbose"]
            lines.append(
                f'[[service]]\nhost = "h"\nname = "s{number}"\noptions = {json.dumps(options)}\n'
            )
        file = tmp_path / "feed.toml"
        file.write_text("".join(lines))
        with exporter("--feed", file) as running:
            found = spent(running, SERVICES, INTERVAL)
    name = f"1,000 services at {hosts:,} hosts, looked at and handed on"
    bench.limit(name, found, GOAL, "s CPU")


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_a_thousand_services_of_icinga(tmp_path: Path, bench: Bench) -> None:
    """300 of them; Icinga's own CPU is not counted, its list is read every 20 seconds."""
    with public() as where, world(tmp_path, IN_ICINGA) as (resolver, port):
        unused = Path("/nowhere")
        site = icinga.Site(where / "icinga", unused, "127.0.0.79", unused, "127.0.0.1", SPREAD)
        objects = [f'object Host "{HOST}" {{ check_command = "dummy" }}\n']
        objects += [
            (
                f'object Service "s{number}" {{\n import "danebot-passive-service"\n'
                f' host_name = "{HOST}"\n vars.dane_host = "mx{number}.example"\n'
                f' vars.dane_port = {port}\n vars.dane_starttls = "tls"\n'
                f' vars.dane_resolver = "127.0.0.1:{resolver}"\n}}\n'
            )
            for number in range(IN_ICINGA)
        ]
        command = icinga_command(site, "".join(objects))
        file = where / "feed.toml"
        file.write_text(feed_file(site).replace('refresh = "1s"', 'refresh = "20s"'))
        with daemon(command), exporter("--feed", file) as running:
            found = spent(running, IN_ICINGA, SPREAD)
    bench.limit("1,000 services of Icinga, looked at and handed on", found, GOAL, "s CPU")
