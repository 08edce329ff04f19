"""Time limits, signals and output, tried with small programs of the shell and of Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters import cores
from danebot.adapters.process import Ended, Ending, run_program, search_path

LONG = timedelta(seconds=60)
SHORT = timedelta(seconds=3)  # in which a shell has begun, also on a busy machine


def shell(line: str, timeout: timedelta = LONG, grace: timedelta = LONG) -> Ended:
    return run_program(["/bin/sh", "-c", line], timeout=timeout, grace=grace, environment={})


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # before, or while it is read
        return False
    return state != "Z"


def pid_in(file: Path) -> int:
    wait_for(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_status_and_both_outputs_are_reported() -> None:
    ended = shell("echo out; echo err >&2; exit 3")

    assert (ended.ending, ended.exit_status) == (Ending.EXITED, 3)
    assert sorted(ended.lines) == ["err", "out"]
    assert not ended.succeeded
    assert shell("true").succeeded


def test_a_signal_is_a_negative_status() -> None:
    assert shell("kill -9 $$").exit_status == -signal.SIGKILL


def test_the_program_has_no_input_no_stray_descriptors_and_stands_in_the_root() -> None:
    with Path("/etc/passwd").open("rb") as open_file:
        os.set_inheritable(open_file.fileno(), True)  # noqa: FBT003 - positional only
        ended = shell("cat; pwd; ls /proc/self/fd")

    root, *descriptors = ended.lines
    assert root == "/"
    assert descriptors == ["0", "1", "2", "3"]  # ls has the directory itself open


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM])
def test_the_program_ignores_no_signal_that_danebot_does(number: signal.Signals) -> None:
    """Python ignores SIGPIPE and SIGXFSZ for itself: inherited, `yes | head` would never end."""
    assert shell(f"kill -{number.name[3:]} $$; echo alive").exit_status == -number


def test_the_program_has_danebots_umask_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "xx")
    former = os.umask(0o027)
    try:
        ended = run_program(
            ["/bin/sh", "-c", "umask; env"], timeout=LONG, grace=LONG, environment={"A": "b"}
        )
    finally:
        os.umask(former)
    assert ended.lines[0] == "0027"
    assert {"A=b", "LANG=xx"} <= set(ended.lines)


_STARTS = """
from datetime import timedelta
from danebot.adapters import cores
from danebot.adapters.process import run_program

cores.forbid()
day, words = timedelta(days=1), "sleep 0.5; ulimit -Sc; ulimit -Hc; grep core /proc/$PPID/limits"
argv = ["/bin/sh", "-c", words]
print(run_program(argv, timeout=day, grace=day, environment={}).output)
"""


def test_danebot_leaves_no_core_dump_and_its_programs_may() -> None:
    """The programs have the limit that danebot was started with: a hook may start a service."""
    limits = ["/bin/sh", "-c", 'ulimit -Sc 7; ulimit -Hc 9; exec "$@"', "sh"]
    argv = [*limits, sys.executable, "-c", _STARTS]
    soft, hard, own = subprocess.check_output(argv, text=True, timeout=60).splitlines()[:3]
    assert (soft, hard) == ("7", "9")
    assert own.split()[:5] == ["Max", "core", "file", "size", "0"]


def test_a_program_that_has_ended_needs_no_limit() -> None:
    most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    cores.allow_as_before(most + 1)


def test_the_end_of_much_output_is_kept() -> None:
    ended = shell("yes | head -c 1000000; echo; echo the end")

    assert ended.lines[-1] == "the end"
    assert 60_000 < len(ended.output) <= 65_536


def test_output_is_made_printable() -> None:
    assert shell(r"printf '\033[31m\377\n\n  \t\n x \n'").lines == ("\\x1b[31m�", "x")


@pytest.mark.parametrize(
    ("argv", "words"),
    [(["/nonexistent"], "No such file"), (["/bin/sh", "-c", "a\0b"], "null")],
)
def test_what_cannot_be_started_is_an_outcome(argv: list[str], words: str) -> None:
    ended = run_program(argv, timeout=LONG, grace=LONG, environment={})

    assert (ended.ending, ended.exit_status) == (Ending.NOT_STARTED, None)
    assert words in ended.output


def test_a_process_left_in_the_background_is_neither_waited_for_nor_killed(tmp_path: Path) -> None:
    ended = shell(f"sleep 60 & echo $! > {tmp_path}/pid; echo done")

    pid = pid_in(tmp_path / "pid")
    try:
        assert ended.lines == ("done",)
        assert ended.duration < timedelta(seconds=50)
        assert is_running(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_one_that_writes_for_ever_in_the_background_holds_nothing_up() -> None:
    ended = shell("(exec timeout 30 yes) & sleep 0.1; exit 4")

    assert ended.exit_status == 4
    assert ended.duration < timedelta(seconds=25)


def test_a_program_that_closes_its_output_is_waited_for() -> None:
    assert shell("exec >&- 2>&-; sleep 0.3; exit 5").exit_status == 5


def test_out_of_time_it_may_clean_up_and_says_its_last_words() -> None:
    ended = shell(
        "trap 'echo cleaned up; exit 0' TERM; echo began; while :; do sleep 0.05; done", SHORT
    )

    assert ended.ending is Ending.TIMED_OUT
    assert not ended.succeeded
    assert ended.lines == ("began", "cleaned up")


def test_one_that_will_not_end_is_killed_with_all_its_children(tmp_path: Path) -> None:
    line = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/pid; while :; do sleep 0.05; done"

    ended = shell(line, SHORT, SHORT)

    assert (ended.ending, ended.exit_status) == (Ending.TIMED_OUT, -signal.SIGKILL)
    pid = pid_in(tmp_path / "pid")
    wait_for(lambda: not is_running(pid))


def test_children_of_one_that_ends_politely_are_killed_too(tmp_path: Path) -> None:
    line = f"(trap '' TERM; exec sleep 60) & echo $! > {tmp_path}/pid; exec sleep 50"

    ended = shell(line, SHORT)

    assert (ended.ending, ended.exit_status) == (Ending.TIMED_OUT, -signal.SIGTERM)
    pid = pid_in(tmp_path / "pid")
    wait_for(lambda: not is_running(pid))


USUAL = """
import signal  # whoever runs the tests may have signals ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
DRIVER = """
import sys
from datetime import timedelta
from danebot.adapters.process import run_program
minute = timedelta(minutes=1)
ended = run_program(["/bin/sh", "-c", sys.argv[1]], timeout=minute, grace=minute, environment={})
print("went on", ended.ending.name, flush=True)
"""
TRAPPING = "trap 'sleep 0.3; echo > {0}/ok; exit' TERM; echo > {0}/up; while :; do sleep 0.05; done"


def test_no_zombie_is_left() -> None:
    """In a process of its own, whose children are these alone."""
    check = "import os\ntry: os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError: exit(7)"

    for line in ("exit 0", "kill -9 $$"):
        done = subprocess.run([sys.executable, "-c", DRIVER + check, line], check=False)
        assert done.returncode == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_danebot_ends_the_program_first(tmp_path: Path, number: signal.Signals) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", USUAL + DRIVER, TRAPPING.format(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with driver:
        wait_for((tmp_path / "up").exists)
        driver.send_signal(number)
        said = driver.communicate()[0]

    assert (tmp_path / "ok").exists()
    assert said == b""
    assert driver.returncode == -number


def test_a_hangup_that_is_ignored_stays_so(tmp_path: Path) -> None:
    with subprocess.Popen(
        ["/usr/bin/nohup", sys.executable, "-c", DRIVER, f"echo > {tmp_path}/up; sleep 1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as driver:
        wait_for((tmp_path / "up").exists)
        driver.send_signal(signal.SIGHUP)
        said = driver.communicate()[0]

    assert said == b"went on EXITED\n"


def test_handlers_are_put_back() -> None:
    former = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    shell("true")

    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == former


def test_another_thread_can_run_programs() -> None:
    found: list[Ended] = []
    thread = threading.Thread(target=lambda: found.append(shell("echo thread")))
    thread.start()
    thread.join()

    assert found[0].lines == ("thread",)


def test_system_programs_are_found_under_cron(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    assert search_path(["/snap/bin"]).split(":") == [
        *("/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/sbin"),
        "/snap/bin",
    ]
    assert "/usr/sbin" in shell("echo $PATH").lines[0].split(":")
