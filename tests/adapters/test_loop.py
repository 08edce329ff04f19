"""The loop, over socket pairs whose other end the test holds."""

from __future__ import annotations

import gc
import os
import selectors
import socket
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from danebot.adapters.loop import Lane, Loop, Program, Recent, drive


class Want(NamedTuple):
    """What a `Pipe` reads: so many octets, within so many seconds."""

    name: str
    octets: int = 1
    patience: float = 30.0


class Pipe:
    """A work that reads from one end of a pair; the peers are in ``others``."""

    others: dict[str, socket.socket] = {}  # noqa: RUF012 - the test empties it
    most = 0

    def __init__(self, want: Want) -> None:
        self.sock, self.others[want.name] = socket.socketpair()
        self.sock.settimeout(0)
        self.events = selectors.EVENT_READ
        self.deadline = time.monotonic() + want.patience
        self.reply: str | None = None
        self._want, self._read = want, b""
        type(self).most = max(self.most, len(self.others))

    def ready(self, sock: socket.socket, events: int) -> None:
        assert events == selectors.EVENT_READ
        data = sock.recv(100)
        if data == b"?":
            sock.recv(100)  # there is no more
        if data == b"!":
            raise OSError(5, "as told")
        self._read += data
        if len(self._read) >= self._want.octets:
            self._end(self._read.decode())

    def failed(self, error: OSError) -> None:
        self._end(f"failed {error.strerror}")

    def expired(self) -> None:
        self._end("expired")

    def _end(self, reply: str) -> None:
        self.reply = reply
        self.others.pop(self._want.name).close()


@pytest.fixture(autouse=True)
def others() -> Iterator[dict[str, socket.socket]]:
    before = sockets()
    Pipe.others, Pipe.most = {}, 0
    yield Pipe.others
    for sock in Pipe.others.values():
        sock.close()
    assert sockets() <= before  # one that an earlier test left may have gone since


def sockets() -> int:
    """How many sockets this process has open."""
    return sum(Path(f"/proc/self/fd/{fd}").is_socket() for fd in os.listdir("/proc/self/fd"))


def lanes(width: int = 8) -> dict[type, Lane]:
    return {Want: Lane(Pipe, width)}


def wants(*batch: Want) -> Program[tuple[str, ...]]:
    replies: tuple[str, ...] = yield batch
    return replies


def gate(seconds: float = 0.05, name: str = "gate") -> tuple[Want]:
    """A batch that ends when its time is over: the other programs' pipes are open by then."""
    return (Want(name, patience=seconds),)


def test_replies_come_in_the_order_of_the_wants() -> None:
    def answers() -> Program[tuple[str, ...]]:
        yield gate()
        for name in "ba":
            Pipe.others[name].sendall(name.encode())
        return ()

    programs = [wants(Want("a"), Want("b"), Want("a")), answers()]
    assert list(drive(programs, lanes(), at_once=2)) == [("a", "b", "a"), ()]


def test_results_come_in_the_order_given_though_the_first_is_the_slowest() -> None:
    programs = [wants(Want(str(n), patience=0.2 if n == 0 else 0.01)) for n in range(30)]
    results = drive(programs, lanes(), at_once=4)
    assert list(results) == [("expired",)] * 30


def test_no_more_are_under_way_than_the_lane_is_wide() -> None:
    batch = tuple(Want(str(n), patience=0.01) for n in range(20))
    assert list(drive([wants(*batch)], lanes(3))) == [("expired",) * 20]
    assert Pipe.most == 3


def grouped(each: int) -> Lane:
    """So many at once of those whose names begin alike."""
    return Lane(Pipe, 8, lambda want: want.name[0], each)


def test_no_more_of_a_group_are_under_way_and_the_others_have_their_turn() -> None:
    batch = tuple(Want(f"{first}{n}", patience=0.01) for n in range(5) for first in "ab")
    assert list(drive([wants(*batch)], {Want: grouped(2)})) == [("expired",) * 10]
    assert Pipe.most == 4


def test_what_nobody_waits_for_any_more_is_not_begun_and_holds_nothing_up() -> None:
    begun: list[str] = []
    ended: list[str] = []
    lane = grouped(1)

    def begin(want: Want) -> Pipe:
        begun.append(want.name)
        return Pipe(want)

    def given_up() -> Program[None]:
        try:
            yield (Want("a2", patience=0.01),)
        finally:
            ended.append("a2")

    still = [True]
    with selectors.DefaultSelector() as selector:
        loop: Loop[Any] = Loop(selector, {Want: lane._replace(begin=begin)}, {})
        first = loop.start(wants(Want("a1", patience=0.05)))
        gone = loop.start(given_up(), lambda: bool(still))
        last = loop.start(wants(Want("a3", patience=0.01)))
        loop.turn()
        still.clear()
        for _ in range(20):
            loop.turn()
        assert (first.done, gone.done, last.done) == (True, False, True)
        assert not loop._groups
    assert (begun, ended) == (["a1", "a3"], ["a2"])


def test_no_more_programs_are_begun_than_the_slowest_lets_wait() -> None:
    begun = 0

    def count() -> Iterator[Program[tuple[str, ...]]]:
        nonlocal begun
        yield wants(Want("slow", patience=0.3))
        for _ in range(100):
            begun += 1
            yield wants()

    results = drive(count(), lanes(), at_once=2)
    assert next(results) == ("expired",)
    assert begun < 45
    assert len(list(results)) == 100


def test_the_same_want_is_met_once() -> None:
    cache: dict[object, object] = {}
    want = Want("a", patience=0.01)
    programs = [wants(want) for _ in range(5)]
    assert list(drive(programs, lanes(), at_once=5, cache=cache)) == [("expired",)] * 5
    assert list(drive([wants(want)], {}, cache=cache)) == [("expired",)]


def test_only_the_last_replies_are_kept_and_every_program_has_all_of_its_own() -> None:
    kept = Recent(3)
    many = tuple(Want(str(n), patience=0.01) for n in range(8))
    programs = [wants(Want("first", patience=0.01)), wants(*many), wants(*many[:2], many[0])]
    results = drive(programs, lanes(), cache=kept)
    assert list(results) == [("expired",), ("expired",) * 8, ("expired",) * 3]
    assert len(kept) == 3
    assert Want("first", patience=0.01) not in kept


def test_what_is_asked_for_again_and_again_is_kept() -> None:
    kept = Recent(3)
    hot = Want("hot", patience=0.01)
    programs = (wants(hot, Want(str(n), patience=0.01)) for n in range(10))
    assert len(list(drive(programs, lanes(), cache=kept))) == 10
    assert hot in kept
    assert Want("8", patience=0.01) in kept
    assert len(kept) == 3


def test_a_socket_that_fails_is_told_to_its_work() -> None:
    def two() -> Program[tuple[str, ...]]:
        yield gate()
        Pipe.others["a"].sendall(b"!")
        return ()

    assert list(drive([wants(Want("a")), two()], lanes(), at_once=2)) == [("failed as told",), ()]


def test_a_work_that_finds_nothing_goes_on_waiting() -> None:
    """A socket may be reported ready and give nothing: EAGAIN is no failure."""

    def two() -> Program[tuple[str, ...]]:
        for number, octets in enumerate((b"?", b"x")):
            yield gate(name=f"gate {number}")
            Pipe.others["a"].sendall(octets)
        return ()

    assert list(drive([wants(Want("a")), two()], lanes(), at_once=2)) == [("x",), ()]


def test_what_arrives_does_not_stretch_a_deadline() -> None:
    def drip() -> Program[tuple[str, ...]]:
        yield gate()
        said = 0
        while "a" in Pipe.others and said < 1000:
            Pipe.others["a"].sendall(b"x")
            said += 1
            yield gate(0.1, f"pause {said}")
        return (str(said),)

    first = drive([wants(Want("a", 10_000, 2)), drip()], lanes(), at_once=2)
    assert next(first) == ("expired",)
    assert 1 < int(next(first)[0]) < 1000, "stretched, it would last as long as drops come"


def test_given_up_it_closes_its_sockets(others: dict[str, socket.socket]) -> None:
    results = drive([wants(Want("now", patience=0.01)), wants(Want("never"))], lanes(), at_once=2)
    assert next(results) == ("expired",)
    assert "never" in others
    results.close()
    assert others["never"].recv(1) == b""


def test_what_a_program_raises_ends_all_and_closes_the_sockets(
    others: dict[str, socket.socket],
) -> None:
    def fails() -> Program[tuple[str, ...]]:
        yield gate()
        raise ValueError("as told")

    with pytest.raises(ValueError, match="as told"):
        list(drive([wants(Want("never")), fails()], lanes(), at_once=2))
    assert others["never"].recv(1) == b""


def test_of_what_has_ended_nothing_is_kept(others: dict[str, socket.socket]) -> None:
    """Though its deadline is hours away: thousands of TLS sessions would pile up."""
    begun: list[weakref.ref[Pipe]] = []

    def begin(want: Want) -> Pipe:
        pipe = Pipe(want)
        begun.append(weakref.ref(pipe))
        return pipe

    def answers() -> Program[int]:
        yield gate()
        others["long"].sendall(b"x")
        yield gate(name="another")
        gc.collect()
        return sum(ref() is not None for ref in begun)

    programs: list[Program[Any]] = [wants(Want("long", patience=9999)), answers()]
    alive = list(drive(programs, {Want: Lane(begin, 8)}, at_once=2))[1]
    assert alive <= 1  # the last one's reply is being handed on just now


def test_no_programs() -> None:
    nothing: list[Program[None]] = []
    assert list(drive(nothing, lanes())) == []
