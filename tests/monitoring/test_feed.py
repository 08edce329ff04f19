"""The feed, into real Icinga 2 and real Nagios 4 on loopback, with the shipped definitions."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from danebot_exporter.feed.nagios import CommandPipe, ResultSpool
from danebot_exporter.feed.services import Fed, FedResult
from monitoring import icinga, nagios
from monitoring.feeding import (
    HOST,
    Domains,
    daemon,
    domains,
    feed,
    feed_file,
    icinga_command,
    nagios_command,
    public,
    until,
)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody"),
    pytest.mark.once,
]
INTERVAL = 3
BUSY = 7  # seconds more: other tests run beside, and Nagios writes its status once a second
SERVICE = """\
define service {{
    use                  danebot-passive-service
    host_name            mail.example.org
    service_description  {}
}}
"""


HOSTILE = (
    "DANE CRITICAL - a\\\\nb; [1] X;y 100% $USER1$ ü | certificate_days=9;;20: time=0.1s\n"
    "[CRITICAL] one\\\\x7c; two\n[NOTE] three\n"
)


def told(site: icinga.Site | nagios.Site) -> dict[str, tuple[int, str]]:
    """State and output of each service."""
    found = icinga.states(site) if isinstance(site, icinga.Site) else nagios.states(site)
    return {name: (state, output) for name, (state, output, _) in found.items()}


def states(site: icinga.Site | nagios.Site) -> dict[str, int]:
    """State of each service."""
    return {name: state for name, (state, _) in told(site).items()}


def hosts(world: Domains, *names: str) -> str:
    """Icinga's host with a passive service for each name."""
    common = {
        "check_command": "dummy",
        "vars.dane_port": world.world.port,
        "vars.dane_starttls": "tls",
        "vars.dane_timeout": 2,
        "vars.dane_resolver": f"127.0.0.1:{world.world.dns.port}",
    }
    lines = "".join(f"  {name} = {json.dumps(value)}\n" for name, value in common.items())
    services = "".join(
        f'object Service "dane-{name}" {{\n  import "danebot-passive-service"\n'
        f'  host_name = "{HOST}"\n  vars.dane_host = "{name}"\n}}\n'
        for name in names
    )
    return f'object Host "{HOST}" {{\n{lines}}}\n{services}'


def test_icinga_is_told_of_a_mismatch_and_of_a_dead_feed() -> None:
    with public() as where, domains() as world:
        world.right("a.example")
        world.right("b.example")
        unused = Path("/nowhere")
        site = icinga.Site(where / "icinga", unused, "127.0.0.77", unused, "127.0.0.1", INTERVAL)
        command = icinga_command(site, hosts(world, "a.example", "b.example"))
        with daemon(command) as process:
            with feed(where / "feed.toml", feed_file(site)):
                fine = {"dane-a.example": 0, "dane-b.example": 0}
                until(lambda: states(site) == fine, "all is fine")
                output = told(site)["dane-a.example"][1]
                assert "1 address authenticated by TLSA records" in output
                assert "authenticated=" not in output  # performance data is apart
                world.wrong("b.example")
                took = until(lambda: states(site)["dane-b.example"] == 2, "a mismatch")
                assert took < INTERVAL + BUSY
                assert "no usable TLSA record matches" in told(site)["dane-b.example"][1]
                world.right("b.example")
                until(lambda: states(site)["dane-b.example"] == 0, "it is mended")
                world.right("c.example")
                conf = site.directory / "icinga2.conf"
                head = conf.read_text().partition("object Host")[0]
                conf.write_text(head + hosts(world, "a.example", "b.example", "c.example"))
                process.send_signal(signal.SIGHUP)  # nobody takes results for a moment
                until(lambda: states(site).get("dane-c.example") == 0, "the list is longer")
            fresh = 2 * INTERVAL + 2 + 10
            until(lambda: set(states(site).values()) == {2}, "the feed is dead", fresh + 15)
            assert "no result came in time" in told(site)["dane-a.example"][1]


@pytest.mark.parametrize("door", ["command_file", "spool"])
def test_nagios_is_told_of_a_mismatch_and_of_a_dead_feed(door: str) -> None:
    with public() as where, domains() as world:
        names = ("a.example", "b.example")
        for name in names:
            world.right(name)
        unused = Path("/nowhere")
        site = nagios.Site(where / "nagios", unused, unused, "127.0.0.1")
        services = "".join(SERVICE.format(f"DANE {name}") for name in names)
        command = nagios_command(site, services, 2 * INTERVAL + 2)
        place = site.directory / ("nagios.cmd" if door == "command_file" else "results")
        text = (
            f'interval = "{INTERVAL}s"\nretry = "1s"\nmax_age = "0s"\n'
            f'[nagios]\n{door} = "{place}"\n'
        ) + "".join(
            f'[[service]]\nhost = "{HOST}"\nname = "DANE {name}"\n'
            f"options = {json.dumps(world.options(name))}\n"
            for name in names
        )
        with feed(where / "feed.toml", text) as running, daemon(command):
            fine = {f"DANE {name}": 0 for name in names}
            until(lambda: states(site) == fine, "all is fine")
            if door == "command_file":  # nobody read it at first, and no file was made
                assert stat.S_ISFIFO(place.stat().st_mode)
            world.wrong("b.example")
            took = until(lambda: states(site)["DANE b.example"] == 2, "a mismatch")
            assert took < INTERVAL + BUSY
            metrics = running.get("/metrics")[1]
            assert "danebot_exporter_feed_services 2.0" in metrics
            assert 'danebot_exporter_feed_looks_total{status="critical"}' in metrics
            running.process.terminate()
            running.process.wait()
            until(lambda: set(states(site).values()) == {2}, "the feed is dead", 30)
            assert "no result came in time" in told(site)["DANE a.example"][1]


@pytest.mark.parametrize("door", ["command_file", "spool"])
def test_nagios_reads_output_as_that_of_a_plugin(door: str) -> None:
    """Beside it, Nagios runs a program that prints the same."""
    with public() as where:
        printed = where / "printed"
        printed.write_text(HOSTILE)
        unused = Path("/nowhere")
        site = nagios.Site(where / "nagios", unused, unused, "127.0.0.1")
        active = (
            f"define command {{\n command_name printed\n command_line /bin/cat {printed}\n}}\n"
            "define service {\n use danebot-passive-service\n host_name mail.example.org\n"
            " service_description active\n check_command printed\n"
            " active_checks_enabled 1\n check_freshness 0\n}\n"
        )
        command = nagios_command(site, SERVICE.format("passive") + active, 600)
        receiver: CommandPipe | ResultSpool = (
            CommandPipe(site.directory / "nagios.cmd")
            if door == "command_file"
            else ResultSpool(site.directory / "results")
        )
        now = datetime.now(UTC)
        service = Fed(HOST, "passive")
        found = FedResult(service, 0, HOSTILE, now, now, timedelta(minutes=1))
        with daemon(command):
            until(lambda: "active" in states(site), "Nagios runs")
            assert [one.refused for one in receiver.submit([found])] == [""]
            until(lambda: "passive" in states(site), "the result is taken")
            blocks = re.findall(
                r"(?s)servicestatus \{(.*?)\n\t\}", (site.directory / "status.dat").read_text()
            )
        names = ("plugin_output", "long_plugin_output", "performance_data")
        both = [[re.findall(rf"(?m)^\t{name}=(.*)$", one) for name in names] for one in blocks]
        assert both[0] == both[1]
        assert both[0][2] == ["certificate_days=9;;20: time=0.1s"]
