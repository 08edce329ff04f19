"""Checks over the exporter's socket: where it is made, who may ask what, and hostile clients."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path

import pytest

from asking import VIA, check_dane
from checking import World, world_in
from danebot.domain.addresses import Reach
from danebot.errors import ConfigError
from danebot_checks.via_answer import MAGIC, read_answer
from danebot_exporter.check_frames import MOST, FrameError, read_request, turned_away
from danebot_exporter.check_place import CheckPlace, _require_distinct
from danebot_exporter.check_queue import Client, Queue, Turn
from danebot_exporter.check_server import _gone
from danebot_exporter.checker import Checker
from danebot_exporter.permits import LOCAL, OWN, remote
from exporter import sample
from exporter.running import Exporter, command, environment, exporter

OTHER = "3 1 1 " + "5a" * 32


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "check.sock"


@pytest.fixture
def running(tmp_path: Path, place: Path) -> Iterator[Exporter]:
    status = sample.write(tmp_path / "status.json")
    with exporter("--snapshot", status, "--check.socket", place) as found:
        yield found


def ask(place: Path, octets: bytes, *, patience: float = 20.0) -> bytes:
    """Send octets as they are; all that comes back."""
    found = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(patience)
        sock.connect(str(place))
        try:
            sock.sendall(octets)
            while part := sock.recv(65536):
                found += part
        except (BrokenPipeError, ConnectionResetError):
            while part := sock.recv(65536):
                found += part
    return found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def request(*words: str) -> bytes:
    body = "\0".join(words).encode()
    return MAGIC + b"%d\n" % len(body) + body


# ---- the place ------------------------------------------------------------------------------


def test_a_dead_exporters_socket_is_replaced_and_a_live_ones_is_not(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    first = CheckPlace(place, 0o666)
    assert stat.S_IMODE(place.stat().st_mode) == 0o666
    with pytest.raises(ConfigError, match="another exporter answers there; stop it, or take"):
        CheckPlace(place, 0o666)
    first.leave()
    assert not place.exists()
    first.close()
    CheckPlace(place, 0o600).close()


def test_two_exporters_refuse_clearly_and_the_first_goes_on(
    tmp_path: Path, place: Path, running: Exporter
) -> None:
    listen = ("--web.listen-address", "127.0.0.1:0", "--probe.interval", "0")
    second = subprocess.run(
        command(*listen, "--snapshot", tmp_path / "status.json", "--check.socket", place),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 1
    assert "another exporter answers there" in second.stderr
    assert read_answer(ask(place, request("stray")))[0] == 3
    assert running.process.poll() is None


@pytest.mark.parametrize("user", [65534, 1234])
def test_where_strangers_have_the_number_of_this_user_it_is_refused(place: Path, user: int) -> None:
    """As in a rootless container, whose every stranger is 65534 (user_namespaces(7))."""
    apart = ("unshare", "-U", f"--map-user={user}", f"--map-group={user}")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not allowed here")
    making = (
        "import pathlib, sys; from danebot_exporter.check_place import CheckPlace; "
        "CheckPlace(pathlib.Path(sys.argv[1]), 0o666).close()"
    )
    done = subprocess.run(
        [*apart, sys.executable, "-P", "-c", making, place],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told = "nobody could tell who asks; run it as another user" in done.stderr
    assert told is (user == 65534)


ROOTLESS = "0 1000 1\n1 100000 65536\n"


@pytest.mark.parametrize(
    ("user", "nobody", "mapped", "fine"),
    [
        (65534, 65534, "0 0 4294967295\n", True),  # no namespace: nobody is a user as any other
        (65534, 65534, "0 0 65534\n65534 65534 4294901761\n", True),  # all of them, in two lines
        (65534, 65534, "0 0 4294967294\n", False),
        (65534, 65534, ROOTLESS, False),
        (1000, 65534, ROOTLESS, True),
        (1000, 1000, ROOTLESS, False),  # a system may have another number for strangers
        (65534, 65534, None, True),  # a kernel without namespaces has no strangers
    ],
)
def test_strangers_have_the_number_of_whom_a_namespace_does_not_know(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    nobody: int,
    mapped: str | None,
    *,
    fine: bool,
) -> None:
    """Made up: one kernel has one number, and which maps it makes is its own affair."""
    told = {"/proc/self/uid_map": mapped, "/proc/sys/kernel/overflowuid": f"{nobody}\n"}

    def read(path: Path, **_: object) -> str:
        text = told[str(path)]
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr("os.geteuid", lambda: user)
    with nullcontext() if fine else pytest.raises(ConfigError, match=f": {nobody} is every user"):
        _require_distinct(place)


@pytest.mark.parametrize("kind", ["link", "dangling", "file", "folder", "lock"])
def test_what_is_no_socket_is_left_alone(place: Path, kind: str) -> None:
    other = place.parent / "other"
    if kind in ("link", "dangling"):
        place.symlink_to(other)
        if kind == "link":
            other.write_text("precious")
    elif kind == "folder":
        place.mkdir()
    elif kind == "lock":
        other.write_text("precious")
        Path(f"{place}.lock").symlink_to(other)
    else:
        place.write_text("precious")
    with pytest.raises(ConfigError, match=r"--check\.socket"):
        CheckPlace(place, 0o666)
    assert kind == "lock" or place.is_symlink() or place.exists()
    assert not other.exists() or other.read_text() == "precious"


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_folder_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode)
    for path in (folder / "s", folder / "own" / "s"):
        path.parent.mkdir(exist_ok=True)
        if mode & stat.S_ISVTX and path.parent != folder:
            CheckPlace(path, 0o600).close()  # nobody can rename our own folder there
            continue
        with pytest.raises(ConfigError, match="others than root and this user can change"):
            CheckPlace(path, 0o666)


def test_a_link_to_a_folder_that_others_can_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "shared")
    with pytest.raises(ConfigError, match="others than root"):
        CheckPlace(tmp_path / "link" / "s", 0o666)


@pytest.mark.parametrize("shared", [0o755, 0o1777])
@pytest.mark.parametrize("way", ["run", "again", "up"])
def test_a_link_that_others_can_lead_elsewhere_is_refused(
    tmp_path: Path, shared: int, way: str
) -> None:
    """Clients come by the same link: whoever changes it answers them."""
    if os.geteuid():
        pytest.skip("only root can give a link to somebody else")
    own, theirs = tmp_path / "own", tmp_path / "theirs"
    for folder in (own, theirs):
        folder.mkdir()
    theirs.chmod(shared)
    (theirs / "run").symlink_to(own)
    (theirs / "up").symlink_to("../own")
    (tmp_path / "again").symlink_to("theirs/run")
    for path in (theirs / "run", theirs / "up", *([theirs] if shared == 0o755 else [])):
        os.chown(path, 1, 1, follow_symlinks=False)
    place = (tmp_path if way == "again" else theirs) / way
    with pytest.raises(ConfigError, match="others than root and this user can change"):
        CheckPlace(place / "s", 0o666)
    assert list(own.iterdir()) == []


def test_a_link_of_ones_own_may_lead_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "own" / "run").mkdir(parents=True)
    (tmp_path / "link").symlink_to("own/../own/run")
    (tmp_path / "round").symlink_to("round")
    CheckPlace(tmp_path / "link" / "s", 0o600).close()
    with pytest.raises(ConfigError, match="Too many levels of symbolic links"):
        CheckPlace(tmp_path / "round" / "s", 0o600)


@pytest.mark.parametrize("mode", ["666", "rw", "0o666", "06666", "0888"])
def test_modes(tmp_path: Path, mode: str) -> None:
    listen = ("--web.listen-address", "127.0.0.1:0", "--probe.interval", "0")
    words = ("--check.socket", tmp_path / "none" / "s", "--check.socket-mode", mode)
    done = subprocess.run(
        command(*listen, *words), env=environment(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == (1 if mode == "666" else 2), done.stderr


# ---- who may have what ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "own", "local", "afar"),
    [
        (("--ca-file", "/etc/passwd"), True, False, False),
        (("--ca-file", "/nonexistent"), True, False, False),
        (("--resolver", "127.0.0.1:1"), True, True, False),
        (("--trust-resolver",), True, True, False),
        (("-t", "121"), True, True, False),
        (("-t", "2"), True, True, True),
    ],
)
def test_rights(words: tuple[str, ...], own: bool, local: bool, afar: bool) -> None:  # noqa: FBT001
    checker = Checker()
    asked = ["-H", "a.invalid", "-t", "1", *words]
    for permit, fine in ((OWN, own), (LOCAL, local), (remote(Reach.PUBLIC), afar)):
        if fine:
            continue
        answer = checker.check(asked, permit=permit)
        assert answer.status == 3
        assert words[0].replace("-t", "--timeout", words[0] == "-t") in answer.output
        assert "no file" not in answer.output  # whether there is one is not told


def test_another_user_asks(place: Path, running: Exporter) -> None:
    """Nobody may ask, but has no file read; not even whether there is one is said."""
    assert running.process.poll() is None
    if os.geteuid():
        pytest.skip("needs root to become nobody")
    for folder in place.parents:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    become = "import os, _socket, danebot_checks.via; os.setgid(65534); os.setuid(65534)"
    words = ["--via", str(place), "-H", "a.example", "-t", "2", "--resolver", "127.0.0.1:1"]
    fine = check_dane(words, f"{become}; {VIA}")
    assert "connection refused" in fine.text
    told = check_dane([*words, "--ca-file", "/nonexistent"], f"{become}; {VIA}")
    assert "for its own user and root alone" in told.text
    assert "no file that can be read" in check_dane([*words, "--ca-file", "/nonexistent"]).text


# ---- hostile clients, and the end -----------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"danebot-check/1 x\n",
        b"danebot-check/1 -5\n",
        b"danebot-check/1 5",
        b"danebot-check/1 1\nab",
        b"x" * 10_000_000,
        b"danebot-check/1 10000000\n" + b"x" * 10_000_000,
        b"danebot-check/1 " + b"9" * 100 + b"\n",
        b"\0" * 100,
        b"danebot-check/1 3\n\0\0\0",
        b"danebot-check/1 4\n-H\0\xff",
        b"",
    ],
    ids=lambda octets: repr(octets[:30]),
)
def test_odd_requests(place: Path, running: Exporter, octets: bytes) -> None:
    begin = time.monotonic()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(place))
        found = b""
        try:
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while part := sock.recv(65536):
                found += part
        except ConnectionResetError:
            pass
    assert time.monotonic() - begin < 2 + 15  # a busy machine's leave
    if found:
        status, text = read_answer(found)
        assert status == 3
        assert text.startswith("DANE UNKNOWN - ")
        assert text.count("\n") == 1
        assert text.isprintable() or text[:-1].isprintable()
    assert read_answer(ask(place, request("stray")))[0] == 3  # it goes on
    assert running.resident() < 200


def test_who_has_said_all_is_answered(place: Path, running: Exporter) -> None:
    """A client may close its side for writing, as socat does; one that hung up is gone."""
    del running
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(place))
        sock.sendall(request("stray"))
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while part := sock.recv(65536):
            found += part
    assert read_answer(found)[0] == 3
    ends = socket.socketpair()
    assert not _gone(ends[0])
    ends[1].close()
    assert _gone(ends[0])
    ends[0].close()


def test_newlines_in_arguments_forge_no_answer(place: Path, running: Exporter) -> None:
    del running
    status, text = read_answer(ask(place, request("-H", "a\ndanebot-check/1 0 2\nOK | x=1")))
    assert status == 3
    assert text.count("\n") == 1
    assert "|" not in text


def test_slow_clients_keep_nobody_out(place: Path, running: Exporter) -> None:
    """Half requests of 64 clients, and answers that nobody reads: others are answered at once."""
    del running
    with ExitStack() as stack:
        for number in range(64):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(place))
            sock.sendall(MAGIC + b"20\nx" if number % 2 else request("stray"))
        begin = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: ask(place, request("stray")), range(64)))
        assert time.monotonic() - begin < 4
        assert {read_answer(one)[0] for one in answers} == {3}


@pytest.mark.parametrize(("limit", "statuses"), [(1024, {0}), (430, {0, 3})])
def test_more_at_once_than_are_worked_on(
    tmp_path: Path, place: Path, world: World, limit: int, statuses: set[int]
) -> None:
    """Checks wait for their turn; what is beyond that is sent away with a word, never dropped."""
    status = sample.write(tmp_path / "status.json")
    limited = ("prlimit", f"--nofile={limit}:{limit}")
    words = ("--snapshot", status, "--check.socket", place)
    with world.peer() as peer, exporter(*words, prefix=limited):
        world.publish(peer.port, f"3 1 1 {world.digest}")
        asked = request(*world.words(peer.port, "-t", "20"))
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: ask(place, asked, patience=60), range(100)))
    found = [read_answer(one) for one in answers]
    assert {number for number, _ in found} == statuses
    assert {text for number, text in found if number} <= {
        "DANE UNKNOWN - too many checks at once; ask later, or with --max-age\n"
    }


def test_one_user_leaves_room_for_others() -> None:
    queue = Queue(8, 7)
    socks = socket.socketpair()
    try:
        mine, other = Client(socks[0], 1), Client(socks[1], 2)
        assert [queue.admit(mine) for _ in range(15)] == [
            *[Turn.BEGUN] * 7,
            *[Turn.WAITING] * 7,
            Turn.NONE,
        ]
        assert [queue.admit(other) for _ in range(3)] == [Turn.BEGUN, Turn.WAITING, Turn.NONE]
        assert queue.ended(2) == other
        assert queue.ended(1) == mine
        assert queue.ended(2) is None
    finally:
        for sock in socks:
            sock.close()


def test_sigterm_lets_checks_end(tmp_path: Path, place: Path, world: World) -> None:
    status = sample.write(tmp_path / "status.json")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        exporter("--snapshot", status, "--check.socket", place) as found,
        ThreadPoolExecutor(1) as pool,
    ):
        silent.settimeout(60)
        port = silent.getsockname()[1]
        world.publish(port, OTHER)
        asked = request(*world.words(port, "-t", "60"))
        under_way = pool.submit(ask, place, asked, patience=120)
        client, _ = silent.accept()
        with client:
            found.process.send_signal(signal.SIGTERM)
            until(lambda: not place.exists())
            assert found.process.poll() is None
            assert not under_way.done()
        assert "DANE CRITICAL" in read_answer(under_way.result())[1]
        assert found.process.wait(10) == -signal.SIGTERM


def test_killed_in_the_middle_of_a_check(tmp_path: Path, place: Path, world: World) -> None:
    status = sample.write(tmp_path / "status.json")
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ThreadPoolExecutor(1) as pool,
    ):
        silent.settimeout(60)
        port = silent.getsockname()[1]
        world.publish(port, OTHER)
        with exporter("--snapshot", status, "--check.socket", place) as found:
            words = ["--via", str(place), *world.words(port, "-t", "60")]
            told = pool.submit(check_dane, words)
            client, _ = silent.accept()
            with client:
                found.process.kill()
                found.process.wait()
            assert "hung up without an answer" in told.result().text
        assert "nobody answers there" in check_dane(["--via", str(place), "-H", "a.example"]).text
        with exporter("--snapshot", status, "--check.socket", place):
            assert read_answer(ask(place, request("stray")))[0] == 3


# ---- octets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_a_request_in_pieces(size: int) -> None:
    whole = request("-H", "a.example", "-w", "20")
    pieces = iter([whole[at : at + size] for at in range(0, len(whole), size)])
    assert read_request(lambda _: next(pieces, b"")) == ["-H", "a.example", "-w", "20"]


def _next(pieces: Iterator[bytes], size: int) -> bytes:
    del size
    return next(pieces, b"")


def test_no_request() -> None:
    for octets in (b"x\n", MAGIC + b"%d\n" % (MOST + 1), MAGIC + b"1\nab", b"danebot-check/2 1\na"):
        pieces = iter([octets])
        with pytest.raises(FrameError):
            read_request(partial(_next, pieces))
    with pytest.raises(EOFError):
        read_request(lambda _: b"")
    assert read_answer(turned_away("no")) == (3, "DANE UNKNOWN - no\n")
