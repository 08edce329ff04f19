"""Completion in bash, zsh and fish, by the files that are installed and the shells themselves."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from danebot.commands.group import danebot

ROOT = Path(__file__).parents[2]
FILES = ROOT / "completions"
NAMES = ("mail.example.org", "mx.example.org", "www.example.org")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with ``bin/danebot`` and a certbot tree that is called ``tree``."""
    renewal = tmp_path / "tree/renewal"
    renewal.mkdir(parents=True)
    for name in NAMES:
        (renewal / f"{name}.conf").touch()
    (tmp_path / "key.pem").touch()
    program = tmp_path / "bin/danebot"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m danebot "$@"\n')
    program.chmod(0o755)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    path = f"{home}/bin:{os.environ['PATH']}"
    paths = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}
    return {**os.environ, **paths, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def in_bash(line: str, home: Path) -> list[str]:
    """Typed at a terminal; readline inserts all completions (M-*) and the line is printed."""
    (home / "rc").write_text(f"PS1='ready> '\n. {FILES}/danebot.bash\n")
    keys = (
        f"{line}\x1b*\x01printf '%s\\n' \x05 >words\nexit\n"  # from its start (^A) to its end (^E)
    )
    typed(("bash", "--rcfile", "rc", "-i"), keys, home)
    *complete, begun = line.split(" ")
    words = (home / "words").read_text().splitlines()
    return [word for word in words[len(complete) :] if word != begun]


def in_fish(line: str, home: Path) -> list[str]:
    return [one.partition("\t")[0] for one in described_in_fish(line, home)]


def described_in_fish(line: str, home: Path) -> list[str]:
    """Where fish finds the file by itself; each word, a tab and its description."""
    place = home / "share/fish/vendor_completions.d"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILES / "danebot.fish", place)
    script = f"set -p fish_complete_path {place}; complete --do-complete {line!r}"
    done = subprocess.run(
        ("fish", "--no-config", "-c", script),
        capture_output=True,
        text=True,
        check=True,
        env=environment(home),
        cwd=home,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_zsh(line: str, home: Path) -> list[str]:
    """Typed at a terminal, and the file found by its name and first line (compinit)."""
    place = home / "share/zsh/site-functions"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILES / "danebot.zsh", place / "_danebot")
    (home / ".zshrc").write_text(
        f"PROMPT='ready> '\nfpath=({place} $fpath)\nautoload -U compinit; compinit -u -D\n"
        "compadd() {\n"
        "  local -a offered; builtin compadd -O offered $@\n"
        "  print -rl -- $offered >>offered; builtin compadd $@\n"
        "}\n"
    )
    (home / "offered").touch()
    typed(("zsh", "-d", "-i"), f"{line}\t\x15exit\n", home)  # ^U: the line is forgotten
    return sorted({one for one in (home / "offered").read_text().split("\n") if one})


def typed(shell: tuple[str, ...], keys: str, home: Path) -> None:
    """Type ``keys`` at a shell on a terminal, which they end, once its line editor is at work."""
    outside, terminal = pty.openpty()
    process = subprocess.Popen(
        shell,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment(home), "ZDOTDIR": str(home)},
        cwd=home,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    for part in output(outside):
        if b"ready>" not in shown and b"ready>" in shown + part:
            os.write(outside, keys.encode())
        shown += part
    os.close(outside)
    assert process.wait(60) == 0, shown


def output(terminal: int) -> Iterator[bytes]:
    """All that is shown at a terminal until its programs have ended."""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # EIO: nobody has it open any more
            return
        if not part:
            return
        yield part


SHELLS = {"bash": in_bash, "fish": in_fish, "zsh": in_zsh}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("danebot reh", ["rehearse"]),
        ("danebot --config-dir tree status m", list(NAMES[:2])),
        ("danebot --config-dir tree status mx.example.org w", [NAMES[2]]),
        ("danebot --config-dir tree newkey ", list(NAMES)),
        ("danebot newkey --key-type p", ["p256", "p384"]),
        ("danebot newkey --emer", ["--emergency"]),
        ("danebot newkey --adopt ke", ["key.pem"]),
        ("danebot help rehe", ["rehearse"]),
        ("danebot --config-dir none status m", []),
    ],
)
def test_verbs_options_lineages_and_values_complete(
    shell: str, line: str, offered: list[str], home: Path
) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed: make deps")
    assert SHELLS[shell](line, home) == offered


def test_descriptions_are_whole_in_fish(home: Path) -> None:
    """Of verbs and options; many have a comma."""
    if not shutil.which("fish"):
        pytest.skip("fish is not installed: make deps")
    context = click.Context(danebot, info_name="danebot")
    verbs = {name: danebot.get_command(context, name) for name in danebot.list_commands(context)}
    told = [f"{name}\t{verb.get_short_help_str()}" for name, verb in verbs.items() if verb]
    assert any("," in one for one in told)
    assert sorted(described_in_fish("danebot ", home)) == sorted(told)
    assert verbs["newkey"] is not None
    offered = "\n".join(described_in_fish("danebot newkey --", home))
    for option in verbs["newkey"].params:
        if isinstance(option, click.Option) and option.help:
            assert f"{option.opts[-1]}\t{option.help}" in offered


def test_a_lineage_completes_wherever_one_is_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    completing, asking = set(), set()
    for name in danebot.commands:
        with danebot.make_context("danebot", ["--config-dir", "tree", name]) as context:
            verb = danebot.get_command(context, name)
            assert verb is not None
            inner = click.Context(verb, parent=context)
            for argument in verb.params:
                if "LINEAGE" in (argument.metavar or argument.name or "").upper():
                    asking.add(name)
                    if [one.value for one in argument.shell_complete(inner, "mx")] == [NAMES[1]]:
                        completing.add(name)
    assert len(asking) > 10
    assert completing == asking
