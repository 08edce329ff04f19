"""The command as a process: exit status, streams that nobody reads, and no traceback ever."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import command_line
import danebot
from danebot import __version__, cli
from danebot.console import Console

PROGRAMS = {
    "installed": [str(Path(sys.executable).with_name("danebot"))],
    "module": [sys.executable, "-m", "danebot"],
}
programs = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


def run(
    program: list[str], words: str, redirection: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command with one of the shell's redirections."""
    script = f'exec "$@" {words} {redirection}'
    argv = ["sh", "-c", script, "sh", *program]
    env = {**os.environ, **environment}
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)


@programs
@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("--version", 0, f"danebot {__version__}\n"),
        ("help renew", 0, "Usage: danebot renew "),
        ("--nonsense", 2, "No such option"),
        ("nonsense", 2, "No such command"),
        ("verify example.test -v", 2, "it goes before the verb: danebot -v verify ..."),
        ("status --quiet", 2, "it goes before the verb: danebot --quiet status ..."),
        ("renew --config x", 2, "it goes before the verb: danebot --config renew ..."),
        ("--config-dir /nonexistent tlsa", 1, "danebot: /nonexistent is no certbot tree"),
        ("newkey --cancel --unprotected x", 2, "--cancel goes with no other option"),
        ("--config-dir /nonexistent status", 1, "danebot: /nonexistent is no certbot tree"),
        ("--config /nonexistent status", 1, "danebot: /nonexistent: no such file"),
    ],
)
def test_exit_status(program: list[str], words: str, status: int, said: str) -> None:
    done = run(program, words)
    assert done.returncode == status, done
    assert said in (done.stderr if status else done.stdout)
    assert (done.stdout if status else done.stderr) == ""


@programs
def test_output_that_finds_no_space_is_no_success(program: list[str]) -> None:
    done = run(program, "--version", ">/dev/full")
    told = "No space left on device; free some space and run the command again"
    assert (done.returncode, done.stderr) == (1, f"danebot: input/output: {told}\n")


@programs
@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-"])
def test_closed_streams_are_nobody_who_reads(program: list[str], redirection: str) -> None:
    done = run(program, "--version", redirection)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@programs
def test_a_reader_that_goes_away_makes_no_noise(program: list[str]) -> None:
    done = run(program, "help", "| true")
    assert done.stderr == ""
    done = run(program, "--config-dir /nonexistent status", "2>&-")
    assert done.returncode == 1


@programs
def test_a_report_that_nobody_reads(program: list[str], tmp_path: Path) -> None:
    config = tmp_path / "danebot.toml"
    config.write_text('resolver = ["127.0.0.1:1"]\n')
    done = run(program, f"--config {config} verify example.test", ">&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@programs
@pytest.mark.parametrize("words", ["record -", "verify -f -"])
def test_a_closed_standard_input_is_named(program: list[str], words: str) -> None:
    done = run(program, words, "<&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "danebot: standard input is closed\n"


@programs
def test_a_terminal_that_lacks_a_character_gets_the_rest(
    program: list[str], tmp_path: Path
) -> None:
    """Cron's locale need not be UTF-8's, and a CA may have any name."""
    pem = tmp_path / "ca.pem"
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    make += ["-utf8", "-subj", "/CN=Ověřovatel", "-keyout", str(tmp_path / "key.pem")]
    make += ["-out", str(pem)]
    subprocess.run(["openssl", *make], check=True, capture_output=True)
    done = run(program, f"record {pem} --kind 201", "", PYTHONIOENCODING="latin-1:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("; Ov\\u011b\\u0159ovatel\n")


_LIMIT = """
import resource
from danebot import cli

cli._run = lambda _: print(*resource.getrlimit(resource.RLIMIT_CORE)) or 0
cli.command()
"""


def test_no_core_dump_holds_a_key() -> None:
    line = 'ulimit -Sc 7; ulimit -Hc 9; exec "$@"'
    argv = ["/bin/sh", "-c", line, "sh", sys.executable, "-c", _LIMIT]
    told = subprocess.check_output(argv, text=True, timeout=60).split()
    assert told[0] == "0"
    assert int(told[1]) in (9 * 512, 9 * 1024)  # a shell counts in blocks


def test_a_parent_that_ignores_the_end_of_children_is_no_obstacle() -> None:
    """Some cron wrappers do: then the system keeps no exit status for anybody."""
    script = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "inner = 'from datetime import timedelta as t; from danebot import cli; '"
        "'from danebot.adapters.process import run_program as run; '"
        "'raise SystemExit(cli.guarded(lambda: '"
        '\'run(["/bin/sh", "-c", "exit 3"], timeout=t(0, 60), grace=t(0), environment={})\''
        "'.exit_status))'\n"
        "os.execv(sys.executable, [sys.executable, '-c', inner])"
    )
    run = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert (run.returncode, run.stderr) == (3, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_with_a_word(number: signal.Signals) -> None:
    """A terminal that is closed, too: 130, and a line that says how to go on."""
    program = (
        "import os, signal, time; from danebot import cli\n"
        # whoever runs the tests may have it ignored, as a shell does in the background
        f"signal.signal({int(number)}, signal.default_int_handler)\n"
        f"def wait(): os.kill(os.getpid(), {int(number)}); time.sleep(60)\n"
        "raise SystemExit(cli.guarded(wait))"
    )
    _assert_interrupted(program)


def test_a_signal_in_a_verb_is_one_line() -> None:
    """Click has an empty one before it, which ends the line of a terminal's ^C."""
    program = (
        "import os, signal, time, click; from danebot import cli\n"
        "def wait(): os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)\n"
        "from danebot.commands.group import danebot\n"
        "danebot.add_command(click.Command('wait', callback=wait))\n"
        "cli.main(['wait'])"
    )
    _assert_interrupted(program)


def _assert_interrupted(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 130
    assert ended.stderr == "danebot: interrupted; run danebot renew to go on\n"


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        ("KeyboardInterrupt", 130),
        ("click.Abort", 130),
        ("click.UsageError('x')", 2),
        ("UnknownLineageError('x')", 2),
        ("DanebotError('x')", 1),
        ("OSError(5, 'x')", 1),
        ("BrokenPipeError", 1),
        ("RuntimeError", 1),
    ],
)
@pytest.mark.parametrize("stdout", ["", "sys.stdout = None"], ids=["out", "no-out"])
def test_the_exit_status_needs_nobody_who_listens(raised: str, status: int, stdout: str) -> None:
    """As on a terminal that has gone: standard error takes nothing."""
    program = (
        "import click, sys; from danebot import cli\n"
        f"from danebot.errors import *; {stdout}\n"
        f"def fail(*_, **__): raise {raised}\n"
        "from danebot.commands.group import danebot\n"
        "danebot.main = fail; cli.command()"
    )
    with open("/dev/full", "w") as full:  # noqa: PTH123 - no path of a file
        ended = subprocess.run([sys.executable, "-c", program], stderr=full, check=False)
    assert ended.returncode == status


def test_what_nobody_foresaw_is_told_without_what_it_holds() -> None:
    """A `UnicodeError` has the whole text that it failed at: settings, and a secret in them."""
    program = (
        "from danebot import cli\nraise SystemExit(cli.guarded(lambda: 'secret\\udcff'.encode()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (
        1,
        "danebot: internal error: UnicodeEncodeError at <string>:2; please report this\n",
    )


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """An installation's modules, to be damaged."""
    copy = tmp_path / "danebot"
    shutil.copytree(Path(danebot.__file__).parent, copy)
    return copy


@pytest.mark.parametrize("content", [None, b"", b"import", b"\0", b"import danebot.nothing"])
@pytest.mark.parametrize("words", ["--help", "deploy"])
def test_a_damaged_installation_is_named(damaged: Path, content: bytes | None, words: str) -> None:
    module = damaged / "commands" / "deploy.py"
    module.unlink()
    if content is not None:
        module.write_bytes(content)
    program = [sys.executable, "-m", "danebot", words]
    ended = subprocess.run(program, cwd=damaged.parent, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert re.fullmatch(
        r"danebot: the installation is damaged: .*(deploy|nothing).*; install danebot again\n",
        ended.stderr,
    )


def test_nohup_is_respected() -> None:
    program = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from danebot import cli\n"
        "raise SystemExit(cli.guarded(lambda: os.kill(os.getpid(), signal.SIGHUP) or 0))"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("words", "verbs"), [("--version", set()), ("renew --help", {"renew"}), ("help tlsa", {"tlsa"})]
)
def test_the_command_line_of_a_verb_is_imported_when_it_is_called(
    words: str, verbs: set[str]
) -> None:
    code = (
        "import sys; from danebot import cli\n"
        f"status = cli._run({words.split()!r})\n"
        "names = {name.rpartition('.')[2] for name in sys.modules if 'danebot.commands.' in name}\n"
        "print(*sorted(names - {'shared', 'group'}), file=sys.stderr); sys.exit(status)"
    )
    done = run([sys.executable, "-c", code], "")
    assert (done.returncode, set(done.stderr.split())) == (0, verbs)


def test_help_lists_each_verb_in_order_with_what_it_does() -> None:
    _, _, listed = run(PROGRAMS["installed"], "--help").stdout.partition("Commands:\n")
    rows = [line.split(maxsplit=1) for line in listed.partition("\n\n")[0].splitlines()]
    assert [name for name, _ in rows] == list(command_line.VERBS)
    for (_, said), verb in zip(rows, command_line.VERBS.values(), strict=True):
        assert (verb.help or "").replace("\n", " ").startswith(said.removesuffix("...")), said


TIMERS = [
    "renew",
    "--config {toml} renew",
    "--config-dir {tree} renew",
    "--config-dir {tree} --config {toml} renew",
]
OTHERS = [
    "",
    "--config",
    "--config {toml}",
    "status",
    "renew renew",
    "renew --help",
    "renew --json",
    "-q renew",
    "--config={toml} renew",
    "--config renew",
    "--config -q renew",
    "--config {tree}/none renew",
    "--config {toml} --config {toml} renew",
    "--configuration {toml} renew",
]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A file of settings and a tree, to be named on command lines."""
    (tmp_path / "danebot.toml").touch()
    return {"toml": tmp_path / "danebot.toml", "tree": tmp_path}


@pytest.mark.parametrize("line", TIMERS)
def test_the_short_way_of_a_timer_does_what_the_parsed_command_line_does(
    monkeypatch: pytest.MonkeyPatch, places: dict[str, Path], line: str
) -> None:
    calls: list[object] = []

    def renew(console: Console, names: tuple[str, ...], **options: bool) -> int:
        calls.append((vars(console) | {"journal": None}, names, {"insists": False} | options))
        return 7

    monkeypatch.setattr("danebot.verbs.renew.renew", renew)
    words = line.format(**places).split()
    options = cli._of_a_timer(words)
    assert options is not None
    assert (cli._renewed(options), cli._parsed(words)) == (7, 7)
    assert len(calls) == 2
    assert calls[0] == calls[1]


@pytest.mark.parametrize("line", OTHERS)
def test_any_other_command_line_is_parsed(places: dict[str, Path], line: str) -> None:
    assert cli._of_a_timer(line.format(**places).split()) is None


def test_a_shell_that_asks_for_completions_gets_them() -> None:
    asked = {"_DANEBOT_COMPLETE": "bash_complete", "COMP_WORDS": "danebot renew", "COMP_CWORD": "1"}
    done = run(PROGRAMS["installed"], "renew", **asked)
    assert (done.returncode, done.stdout) == (0, "plain,renew\n")


@pytest.mark.parametrize("way", ["_renewed({})", "_parsed(['renew'])"])
def test_a_terminals_interrupt_ends_its_line(way: str) -> None:
    program = (
        "import danebot.verbs.renew as verb; from danebot import cli\n"
        "def renew(*_, **__): raise KeyboardInterrupt\n"
        f"verb.renew = renew; raise SystemExit(cli.guarded(lambda: cli.{way}))"
    )
    terminal, line = os.openpty()
    ended = subprocess.run([sys.executable, "-c", program], stderr=line, check=False, timeout=60)
    said = os.read(terminal, 1000)
    os.close(terminal)
    os.close(line)
    assert (ended.returncode, said) == (
        130,
        b"\r\ndanebot: interrupted; run danebot renew to go on\r\n",
    )
