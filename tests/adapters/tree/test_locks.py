"""danebot's locks against other processes, certbot's own code among them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters.tree.locks import CERTBOT, OWN, TreeLock
from danebot.errors import LockedError, TreeError
from lab.acme import Flavour
from lab.lab import Lab

LONG, NONE = timedelta(seconds=60), timedelta(0)
HOLD = """
import sys
from datetime import timedelta
from pathlib import Path
from danebot.adapters.tree.locks import TreeLock
with TreeLock(Path(sys.argv[1]), timedelta(0)):
    print("held", flush=True)
    sys.stdin.read()
"""
AS_CERTBOT = """
import fcntl, os, sys
fd = os.open(sys.argv[1] + "/.certbot.lock", os.O_CREAT | os.O_WRONLY, 0o600)
fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
os.remove(sys.argv[1] + "/.certbot.lock")
os.close(fd)
"""


@contextmanager
def holder(tree: Path, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds a lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tree)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:  # Popen itself gives up on the child soon after a KeyboardInterrupt
            process.kill()
            process.wait()


def is_locked(path: Path) -> bool:
    """Whether another process finds ``path`` locked."""
    script = (
        "import fcntl, os, sys; fcntl.lockf(os.open(sys.argv[1], os.O_WRONLY), fcntl.LOCK_EX | "
        "fcntl.LOCK_NB)"
    )
    return (
        b"BlockingIOError"
        in subprocess.run(
            [sys.executable, "-c", script, str(path)], check=False, capture_output=True
        ).stderr
    )


def test_it_is_told_once_for_whom_it_waits(tmp_path: Path) -> None:
    told: list[str] = []
    with holder(tmp_path, HOLD) as other:
        with pytest.raises(LockedError), TreeLock(tmp_path, timedelta(seconds=0.3), told.append):
            pass
        (line,) = told
        assert line.startswith(f"waiting for another danebot (process {other.pid}: ")
    with TreeLock(tmp_path, NONE, told.append):
        assert told == [line]


def test_both_locks_are_held_inside_and_leave_no_trace(tmp_path: Path) -> None:
    with TreeLock(tmp_path, NONE):
        assert is_locked(tmp_path / OWN)
        assert is_locked(tmp_path / CERTBOT)
        assert {(tmp_path / name).stat().st_mode & 0o777 for name in (OWN, CERTBOT)} == {0o600}

    assert list(tmp_path.iterdir()) == []


def test_files_left_by_a_crash_are_no_obstacle(tmp_path: Path) -> None:
    for name in (OWN, CERTBOT):
        (tmp_path / name).touch()

    with TreeLock(tmp_path, NONE):
        assert is_locked(tmp_path / OWN)


@pytest.mark.parametrize(
    ("script", "who"), [(HOLD, "another danebot"), (AS_CERTBOT, "another certbot")]
)
def test_another_holder_is_named_with_its_process(tmp_path: Path, script: str, who: str) -> None:
    with holder(tmp_path, script) as other:
        with pytest.raises(LockedError) as caught, TreeLock(tmp_path, NONE):
            pass

        words = str(caught.value)
        assert words.startswith(f"{who} (process {other.pid}: {sys.executable}")
        assert f"is at work in {tmp_path}, still after 0 s; run the command again" in words
        assert words.isprintable()
        # what was had already is given up again
        assert not (tmp_path / OWN).exists() or script is HOLD


def test_the_end_of_another_holder_is_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path, AS_CERTBOT) as other:
        assert other.stdin is not None
        timer = threading.Timer(0.3, other.stdin.close)
        timer.start()

        with TreeLock(tmp_path, LONG):
            assert is_locked(tmp_path / CERTBOT)
        timer.join()


def test_a_killed_holder_is_no_obstacle(tmp_path: Path) -> None:
    with holder(tmp_path, HOLD) as other:
        other.kill()
        other.wait()

        with TreeLock(tmp_path, NONE):
            assert is_locked(tmp_path / OWN)


def test_certbots_lock_is_given_up_for_a_while_and_danebots_is_not(tmp_path: Path) -> None:
    with TreeLock(tmp_path, NONE) as lock:
        with lock.certbot_may_run():
            assert not (tmp_path / CERTBOT).exists()
            assert is_locked(tmp_path / OWN)
            with holder(tmp_path, AS_CERTBOT):
                pass
        assert is_locked(tmp_path / CERTBOT)


def test_afterwards_a_foreign_certbot_is_waited_for(tmp_path: Path) -> None:
    with TreeLock(tmp_path, LONG) as lock:
        with lock.certbot_may_run(), holder(tmp_path, AS_CERTBOT):
            pass
        assert is_locked(tmp_path / CERTBOT)


def test_certbots_lock_is_taken_back_after_an_error_too(tmp_path: Path) -> None:
    with TreeLock(tmp_path, NONE) as lock:
        with pytest.raises(ZeroDivisionError), lock.certbot_may_run():
            raise ZeroDivisionError
        assert is_locked(tmp_path / CERTBOT)


def test_told_to_end_danebot_does_not_wait_for_a_foreign_certbot(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        pytest.raises(KeyboardInterrupt),
        TreeLock(tmp_path, LONG) as lock,
        lock.certbot_may_run(),
        holder(tmp_path, AS_CERTBOT),
    ):
        raise KeyboardInterrupt
    assert time.monotonic() - began < LONG.total_seconds()


def test_a_lock_on_a_file_that_is_gone_does_not_count(tmp_path: Path) -> None:
    """certbot removes the file before it lets go: who waited for that lock has to look again."""
    stale = os.open(tmp_path / CERTBOT, os.O_CREAT | os.O_WRONLY, 0o600)
    (tmp_path / CERTBOT).unlink()

    with TreeLock(tmp_path, NONE):
        assert is_locked(tmp_path / CERTBOT)
        fcntl.lockf(stale, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(stale)


RACE = """
import sys
from datetime import timedelta
from pathlib import Path
from danebot.adapters.tree.locks import TreeLock
tree = Path(sys.argv[1])
for _ in range(40):
    with TreeLock(tree, timedelta(minutes=1)) as lock:
        value = int((tree / "count").read_text())
        (tree / "count").write_text(str(value + 1))
        with lock.certbot_may_run():
            pass
"""


def test_two_runs_never_overlap(tmp_path: Path) -> None:
    """Each adds to a counter without any care but the lock's; no addition is lost."""
    (tmp_path / "count").write_text("0")

    racing = [subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path)]) for _ in range(2)]

    assert [process.wait(100) for process in racing] == [0, 0]
    assert (tmp_path / "count").read_text() == "80"


def test_a_tree_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(TreeError, match="name certbot's tree with --config-dir"),
        TreeLock(tmp_path / "no", NONE),
    ):
        pass


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / OWN).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(TreeError, match="cannot open"), TreeLock(tmp_path, NONE):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("lock", [OWN, CERTBOT])
def test_a_pipe_in_place_of_the_lock_is_told(tmp_path: Path, lock: str) -> None:
    """Somebody reads from it, so that it opens: record locks on it would hold nobody off."""
    os.mkfifo(tmp_path / lock)
    reader = os.open(tmp_path / lock, os.O_RDONLY | os.O_NONBLOCK)
    before = os.listdir("/proc/self/fd")
    try:
        with pytest.raises(TreeError) as raised, TreeLock(tmp_path, NONE):
            pass
    finally:
        os.close(reader)
    assert str(raised.value) == (
        f"cannot open {tmp_path / lock}: not a regular file; mend that and run the command again"
    )
    assert len(os.listdir("/proc/self/fd")) == len(before) - 1  # nothing was left open
    assert os.listdir(tmp_path) == [lock]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes nobody, which only root can")
def test_who_is_not_root_is_told_to_be(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        try:
            os.setuid(65534)
            with TreeLock(tmp_path, NONE):
                pass
        except TreeError as exc:
            os._exit(0 if "run danebot as root" in str(exc) else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.lab
@pytest.mark.parametrize("flavour", list(Flavour))
def test_certbot_itself_respects_the_lock_and_is_respected(
    lab: Lab, fresh_tree: Path, flavour: Flavour
) -> None:
    with TreeLock(fresh_tree, NONE) as lock:
        refused = lab.certbot("renew", flavour=flavour, check=False)
        assert refused.returncode == 1
        assert "Another instance of Certbot is already running" in refused.stderr

        with lock.certbot_may_run():
            assert lab.certbot("renew", flavour=flavour, check=False).returncode == 0
        assert is_locked(fresh_tree / CERTBOT)
