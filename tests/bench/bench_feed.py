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
from monitoring.feeding import certificate

SERVICES, INTERVAL = 1_000, 30
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
            while sum(looks(running).values()) < SERVICES:
                time.sleep(0.5)
            before, counted = running.cpu(), looks(running)
            time.sleep(INTERVAL)
            spent, now = running.cpu() - before, looks(running)
    count = sum(now.values()) - sum(counted.values())
    assert now["ok"] == sum(now.values())
    assert count > SERVICES * 0.9
    name = f"1,000 services at {hosts:,} hosts, looked at and handed on"
    bench.limit(name, spent / count * 1000, GOAL, "s CPU")
