"""The shipped definitions: as the daemons read them, and as the programs' options are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from danebot.plugin import dane_options
from danebot.plugin.command_line import HelpShown
from danebot_checks import lineages_options
from monitoring import icinga, nagios

CHECKS = Path(__file__).parents[2] / "checks"
COMMANDS = (CHECKS / "icinga2/danebot-commands.conf").read_text(encoding="utf-8")
PARSERS: dict[str, Callable[[list[str]], object]] = {
    "check_dane": dane_options.parse_options,
    "check_danebot": lineages_options.parse_options,
}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def accepted(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that nobody may enter; pytest's own may be entered by its user only."""
    where = Path(tempfile.mkdtemp(prefix="danebot-definitions-"))
    where.chmod(0o755)
    yield where
    shutil.rmtree(where)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_nagios_accepts_its_definitions(public: Path) -> None:
    site = nagios.Site(public / "nagios", Path("/usr/bin"), Path("/nowhere"), "127.0.0.1")
    nagios.configure(site)
    (site.directory / "danebot.cfg").write_bytes(nagios.DEFINITIONS.read_bytes())  # as shipped
    accepted(nagios.PROGRAM, "-v", str(site.directory / "nagios.cfg"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_icinga_accepts_its_definitions(public: Path) -> None:
    programs, status = Path("/usr/bin"), Path("/nowhere")
    site = icinga.Site(public / "icinga", programs, "127.0.0.1", status, "127.0.0.1")
    program, verb, *words = icinga.configure(site)
    for name in ("danebot-commands.conf", "danebot-services.conf"):
        (site.directory / name).write_bytes((icinga.DEFINITIONS / name).read_bytes())  # as shipped
    accepted(program, verb, "-C", *words)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_icinga_refuses_domains_that_are_no_list(public: Path) -> None:
    site = icinga.Site(public / "icinga", Path("/usr/bin"), "127.0.0.1", Path("/x"), "127.0.0.1")
    program, verb, *words = icinga.configure(site)
    conf = site.directory / "icinga2.conf"
    conf.write_text(conf.read_text().replace('[ "example.test" ]', '"example.test"'))
    done = subprocess.run(
        [program, verb, "-C", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert 'vars.dane_domains must be an array: [ "example.org" ]' in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_icinga_refuses_a_threshold_that_would_do_nothing(public: Path) -> None:
    site = icinga.Site(public / "icinga", Path("/usr/bin"), "127.0.0.1", Path("/x"), "127.0.0.1")
    program, verb, *words = icinga.configure(site)
    conf = site.directory / "icinga2.conf"
    first = "  vars.danebot = true\n"
    conf.write_text(conf.read_text().replace(first, f'{first}  vars.danebot_warning = "20"\n'))
    done = subprocess.run(
        [program, verb, "-C", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "write vars.danebot_expiry_warning" in done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_a_threshold_of_icinga_is_for_one_concern(public: Path) -> None:
    """A real Icinga calls a double of check_danebot that writes down what it was given."""
    told = public / "told"
    told.mkdir(mode=0o777)
    told.chmod(0o777)
    double = public / "check_danebot"
    double.write_text(f'#!/bin/sh\necho "$*" > {told}/$1.new && mv {told}/$1.new {told}/$1\n')
    double.chmod(0o755)
    site = icinga.Site(public / "icinga", public, "127.0.0.1", Path("/x"), "127.0.0.1", interval=1)
    command = icinga.configure(site)
    conf = site.directory / "icinga2.conf"
    text = re.sub(r"(?s)object ApiListener.*?\n}\n", "", conf.read_text())
    thresholds = {
        "danebot_renewal_warning": "~:3",
        "danebot_renewal_critical": "~:8",
        "danebot_expiry_warning": "20",
        "danebot_expiry_critical": "10",
    }
    lines = [f'  vars.{name} = "{value}"\n' for name, value in thresholds.items()]
    conf.write_text(
        text.replace("  vars.danebot = true\n", f"  vars.danebot = true\n{''.join(lines)}")
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT) as daemon:
        try:
            given = {one: patiently(told / one) for one in lineages_options.CONCERNS}
        finally:
            daemon.terminate()
    found = {one: re.findall(r"--(?:warning|critical) \S+", line) for one, line in given.items()}
    assert found == {
        "renewal": ["--critical ~:8", "--warning ~:3"],
        "tlsa": [],
        "expiry": ["--critical 10", "--warning 20"],
        "rollover": [],
    }


def patiently(path: Path) -> str:
    """The text of a file that is about to be there."""
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.05)
    return path.read_text()


def help_of(program: str) -> set[str]:
    with pytest.raises(HelpShown) as shown:
        PARSERS[program](["--help"])
    found = set(OPTION.findall(shown.value.text))
    return found - {"--help", "--version"}


@pytest.mark.parametrize(
    ("command", "program"), [("dane", "check_dane"), ("danebot", "check_danebot")]
)
def test_icinga_has_every_option(command: str, program: str) -> None:
    _, _, text = COMMANDS.partition(f'object CheckCommand "{command}"')
    body = text.split("object CheckCommand", maxsplit=1)[0]
    offered = set(re.findall(r'(?m)^ +(?:key = )?"(--[a-z-]+)"', body))
    assert offered == help_of(program)


def shipped_lines() -> list[list[str]]:
    """Every command line of the Nagios and NRPE files, macros filled in as the services do."""
    text = (CHECKS / "nagios/danebot.cfg").read_text(encoding="utf-8")
    pattern = r"command_name +(\w+)\n +command_line +(.+)"
    lines = dict(re.findall(pattern, text))
    found = []
    for call in re.findall(r"(?m)^ +check_command +(.+)$", text):
        name, *arguments = call.split("!")
        line = lines[name]
        for number in range(1, 4):
            given = arguments[number - 1] if number <= len(arguments) else ""
            line = line.replace(f"$ARG{number}$", given)
        found.append(shlex.split(line))
    nrpe = (CHECKS / "nagios/nrpe.cfg").read_text(encoding="utf-8")
    lines_there = re.findall(r"(?m)^command\[\w+\]=(.+)$", nrpe)
    return found + [shlex.split(line) for line in lines_there]


@pytest.mark.parametrize("line", shipped_lines(), ids=" ".join)
def test_nagios_gives_only_options_that_there_are(line: list[str]) -> None:
    PARSERS[Path(line[0]).name](line[1:])


def test_nrpe_has_each_command_that_nagios_would_ask_for() -> None:
    nrpe = (CHECKS / "nagios/nrpe.cfg").read_text(encoding="utf-8")
    for concern in lineages_options.CONCERNS:
        assert f"command[check_danebot_{concern}]=/usr/local/bin/check_danebot {concern}" in nrpe


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
def test_nagios_accepts_the_definitions_of_what_is_fed(public: Path) -> None:
    site = nagios.Site(public / "nagios", Path("/usr/bin"), Path("/nowhere"), "127.0.0.1")
    nagios.configure(site)
    for name in ("danebot.cfg", "danebot-feed.cfg"):  # as shipped
        text = (nagios.DEFINITIONS.parent / name).read_text(encoding="utf-8")
        (site.directory / name).write_text(text, encoding="utf-8")
    conf = site.directory / "nagios.cfg"
    conf.write_text(f"{conf.read_text()}cfg_file={site.directory}/danebot-feed.cfg\n")
    accepted(nagios.PROGRAM, "-v", str(conf))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody")
@pytest.mark.parametrize("domains", ['[ "example.net" ]', '"example.net"'])
def test_icinga_accepts_the_definitions_of_what_is_fed(public: Path, domains: str) -> None:
    site = icinga.Site(public / "icinga", Path("/usr/bin"), "127.0.0.1", Path("/x"), "127.0.0.1")
    program, verb, *words = icinga.configure(site)
    for name in ("danebot-commands.conf", "danebot-services.conf", "danebot-feed.conf"):
        (site.directory / name).write_bytes((icinga.DEFINITIONS / name).read_bytes())  # as shipped
    conf = site.directory / "icinga2.conf"
    host, first = "object Host", '  vars.dane_domains = [ "example.test" ]\n'
    text = conf.read_text().replace(host, f'include "{site.directory}/danebot-feed.conf"\n{host}')
    conf.write_text(text.replace(first, f"{first}  vars.dane_passive_domains = {domains}\n"))
    done = subprocess.run(
        [program, verb, "-C", *words], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Instantiated 6 Services" in said
