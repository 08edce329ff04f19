"""What the documentation prints for Nagios and Icinga, typed as printed on a host with both.

It happens on a copy of /etc, which no other process sees in its place.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from monitoring.test_definitions import PARSERS

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
KINDS = ("nagios", "icinga2", "nrpe")
OBJECTS = re.compile(
    r"^\s*(define \w+ *\{|(object|template) \w+ \"|apply \w+ |command\[)", re.MULTILINE
)
_HEADING = re.compile(r"^#+ ")
_FILE = re.compile(r"`(/etc/[^`]+)`")


class Block(NamedTuple):
    """Something fenced: its kind, the file that the words before it name, and the section."""

    kind: str
    file: str
    section: str
    text: str


def blocks(page: str) -> list[Block]:
    found: list[Block] = []
    section, words = "", ""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith("```"):
            text = "".join(f"{one}\n" for one in iter(lines.__next__, "```"))
            files = _FILE.findall(words)
            found.append(Block(line[3:], files[-1] if files else "", section, text))
            words = ""
        elif _HEADING.match(line):
            section, words = line.lstrip("# "), ""
        else:
            words += f"{line}\n"
    return found


def printed(section: str) -> list[Block]:
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    return [one for one in blocks(page) if one.section == section]


@pytest.fixture
def etc() -> Iterator[Path]:
    where = Path(tempfile.mkdtemp(prefix="danebot-printed-"))
    where.chmod(0o755)
    subprocess.run(["cp", "-a", "/etc", where / "etc"], check=True)  # with owners
    programs = where / "bin"
    programs.mkdir()
    # a double: there is nothing running that could be reloaded
    (programs / "systemctl").write_text("#!/bin/sh\nexit 0\n")
    (programs / "systemctl").chmod(0o755)
    yield where
    shutil.rmtree(where)


def typed(etc: Path, *steps: Block) -> subprocess.CompletedProcess[str]:
    """Put each snippet where it is said to go, and run the commands, in the project's directory."""
    lines = ["set -e", f"mount --bind {etc}/etc /etc", f"PATH={etc}/bin:$PATH"]
    for one in steps:
        if one.kind == "sh":
            lines.append(one.text)
        else:
            assert one.file, one.text
            lines.append(f"cat > {shlex.quote(one.file)} <<'THE END'\n{one.text}THE END")
    script = etc / "typed"
    script.write_text("\n".join([*lines, ""]))
    command = ["unshare", "--mount", "sh", str(script)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a /etc of its own")


@root
@pytest.mark.parametrize("more", ["", "NRPE: the Nagios host"], ids=["here", "NRPE"])
def test_nagios_takes_what_is_printed(etc: Path, more: str) -> None:
    steps = [*printed("Nagios 4"), *printed(more)]
    assert [one.kind for one in steps][:2] == ["nagios", "sh"]
    done = typed(etc, *steps)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Total Warnings: 0" in done.stdout
    services = (etc / "etc/nagios4/conf.d/danebot.cfg").read_text()
    assert services.count("mx1.your.domain") == 5
    assert ("check_danebot_nrpe!tlsa\n" in services) == bool(more)
    assert not re.search(r"example\.org", services.partition("change from here on")[2])


@root
def test_nagios_lacks_the_host_without_its_snippet(etc: Path) -> None:
    done = typed(etc, *(one for one in printed("Nagios 4") if one.kind == "sh"))
    assert done.returncode != 0
    assert "Could not find any host matching 'mx1.your.domain'" in done.stdout


@root
def test_icinga_takes_each_snippet_that_is_printed(etc: Path) -> None:
    steps = printed("Icinga 2")
    hosts = [one for one in steps if one.kind == "icinga2"]
    assert len(hosts) == 2
    for host in hosts:
        done = typed(etc, host, *(one for one in steps if one.kind == "sh"))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Instantiated 2 Hosts" in done.stdout
        assert "warning" not in done.stdout


@root
def test_icinga_lacks_an_endpoint_that_no_snippet_has(etc: Path) -> None:
    steps = printed("Icinga 2")
    (agent,) = (one for one in steps if one.kind == "icinga2" and "client_endpoint" in one.text)
    lacking = agent._replace(text=agent.text.partition("object Host")[2])
    lacking = lacking._replace(text=f"object Host{lacking.text}")
    done = typed(etc, lacking, *(one for one in steps if one.kind == "sh"))
    assert done.returncode != 0
    assert "of type 'Endpoint' does not exist" in done.stdout + done.stderr


@root
def test_nrpe_gets_its_file(etc: Path) -> None:
    (etc / "etc/nagios/nrpe.d").mkdir(parents=True)  # a double of what its package brings
    done = typed(etc, *printed("NRPE: the mail server"))
    assert done.returncode == 0, done.stderr
    assert (etc / "etc/nagios/nrpe.d/danebot.cfg").read_bytes()


def test_lines_for_nrpe_are_commands_that_the_plugins_take() -> None:
    lines = [
        line
        for page in PAGES
        for one in blocks(page.read_text(encoding="utf-8"))
        if one.kind == "nrpe"
        for line in one.text.splitlines()
    ]
    assert lines
    for line in lines:
        found = re.fullmatch(r"command\[\w+\]=(/.+)", line)
        assert found, line
        program, *words = shlex.split(found[1])
        PARSERS[Path(program).name](words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_for_them_is_printed_that_is_not_tried(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for one in blocks(text):
        if one.kind in KINDS:
            text = text.replace(one.text, "")
            assert one.kind == "nrpe" or page.name == "monitoring.md"
    assert OBJECTS.search(text) is None
