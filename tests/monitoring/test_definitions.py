"""The shipped definitions: as the daemons read them, and as the programs' options are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from danebot_checks import dane_options, lineages_options
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


def help_of(program: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit):
        PARSERS[program](["--help"])
    found = set(OPTION.findall(capsys.readouterr().out))
    return found - {"--help", "--version"}


@pytest.mark.parametrize(
    ("command", "program"), [("dane", "check_dane"), ("danebot", "check_danebot")]
)
def test_icinga_has_every_option(
    command: str, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, text = COMMANDS.partition(f'object CheckCommand "{command}"')
    body = text.split("object CheckCommand", maxsplit=1)[0]
    offered = set(re.findall(r'(?m)^    "(--[a-z-]+)"', body))
    assert offered == help_of(program, capsys)


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
