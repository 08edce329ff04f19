"""Parts of the exporter by themselves: compressed answers, refusals, a lineage's course."""

from __future__ import annotations

import errno
import gzip
import socket
import struct
import time
import zlib
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from danebot.domain.finding import Severity
from danebot.domain.rollover.steps.phases import Phase
from danebot_exporter import check_server
from danebot_exporter.check_queue import Client
from danebot_exporter.check_server import CheckServer
from danebot_exporter.course import course, findings_of, urgency, waits
from danebot_exporter.packing import Piece, accepts_gzip, gzipped
from danebot_exporter.refusals import RefusalReason, Refusals
from exporter import sample

if TYPE_CHECKING:
    from danebot_exporter.check_place import CheckPlace
    from danebot_exporter.checker import Checker

# ---- compressed -----------------------------------------------------------------------------


def test_pieces_are_one_member_in_any_company() -> None:
    """A piece is compressed once, and stands in many answers."""
    same = Piece(b"danebot_up 1\n" * 500, b"", b"danebot_lineages 3\n")
    for others in ((), (Piece(b"x"),), (Piece(), Piece(b"\n" * 9999), Piece(b"a", b"b"))):
        pieces = (same, *others)
        body = b"".join(gzipped(pieces))
        plain = b"".join(part for piece in pieces for part in piece.parts)
        assert gzip.decompress(body) == plain
        member = zlib.decompressobj(wbits=31)
        assert member.decompress(body) == plain
        assert (member.eof, member.unused_data) == (True, b"")  # one, and nothing behind it
        assert struct.unpack("<II", body[-8:]) == (zlib.crc32(plain), len(plain))
    assert same.packed() is same.packed()
    assert len(same) == 13 * 500 + 19


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("GZIP ; q=0.001", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0", False),
        ("gzip;q=much", False),
        ("identity, deflate", False),
    ],
)
def test_who_takes_gzip(header: str, wanted: bool) -> None:  # noqa: FBT001 - a table
    assert accepts_gzip(header) is wanted


# ---- refused --------------------------------------------------------------------------------


def test_each_refusal_counts_and_its_kind_is_told_once_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted, told = list[RefusalReason](), list[str]()
    refuse = Refusals(counted.append, told.append)
    for reason in RefusalReason:
        refuse(reason, "192.0.2.1")
        refuse(reason, "192.0.2.2")
    assert counted == [reason for reason in RefusalReason for _ in range(2)]
    assert len(told) == len(RefusalReason)
    assert all("192.0.2.1" in one and "danebot_exporter_refused_total" in one for one in told)
    now = time.monotonic()
    monkeypatch.setattr("danebot_exporter.refusals.time.monotonic", lambda: now + 3602)
    refuse(RefusalReason.PROBE_LIMIT, "")
    assert "too many requests for /probe at once, one of a peer waited in vain" in told[-1]
    assert len(told) == len(RefusalReason) + 1


# ---- a check that can't be taken ------------------------------------------------------------


class _Place:
    """A double: no real socket runs out of descriptors, or is reset, to the word."""

    def __init__(self, *failures: OSError) -> None:
        self.sock = self
        self._failures = list(failures)
        self.left = 0

    def accept(self) -> tuple[socket.socket, None]:
        if not self._failures:
            raise OSError(errno.EBADF, "closed")
        raise self._failures.pop(0)

    def leave(self) -> None:
        self.left += 1


def test_a_shortage_is_told_once_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told, slept = list[str](), list[float]()
    shortage = OSError(errno.EMFILE, "Too many open files")
    place = _Place(shortage, shortage, OSError(errno.ECONNABORTED, "gone"))
    server = CheckServer(cast("CheckPlace", place), cast("Checker", None), told.append)

    def pause(seconds: float) -> None:
        slept.append(seconds)
        server._stopped = len(slept) == 2

    monkeypatch.setattr("danebot_exporter.check_server.time.sleep", pause)
    server._accept()
    assert slept == [check_server._PAUSE] * 2
    (words,) = told
    assert words.startswith("can't take a check: [Errno 24] Too many open files; see LimitNOFILE=")


def test_where_no_thread_is_to_be_had_its_turn_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = list[str]()

    class Busy:
        def busy(self) -> Any:  # noqa: ANN401 - a context
            return nullcontext()

    class NoThread:
        def __init__(self, **_: object) -> None:
            pass

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    server = CheckServer(
        cast("CheckPlace", _Place()), cast("Checker", Busy()), ended.append, clients=1
    )
    monkeypatch.setattr("danebot_exporter.check_server.threading.Thread", NoThread)
    for _ in range(3):  # had the turn been kept, the second client would wait for it
        one, other = socket.socketpair()
        with one, other, pytest.raises(RuntimeError, match="can't start new thread"):
            server._admit(other)


def test_a_fault_of_ours_is_one_line_and_no_silence() -> None:
    told = list[str]()
    one, other = socket.socketpair()

    class Faulty:
        def check(self, *_: object, **__: object) -> object:
            raise LookupError("a fault")

    server = CheckServer(cast("CheckPlace", _Place()), cast("Checker", Faulty()), told.append)
    with one:
        from danebot_checks.via_answer import MAGIC

        body = b"mx.example.test"
        one.sendall(MAGIC + b"%d\n" % len(body) + body)
        one.shutdown(socket.SHUT_WR)
        server._serve(Client(other, 0), nullcontext())
        one.settimeout(10)
        assert one.recv(100) == b""
    assert len(told) == 1
    assert "LookupError" in told[0]
    assert told[0].endswith("please report this")


# ---- the course -----------------------------------------------------------------------------

NAME = "mail.example.test"


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.STABLE, "Nothing to do."),
        (
            Phase.PASS_THROUGH,
            "Left to certbot. To have danebot keep its TLSA records and keys in agreement: "  # noqa: ISC004
            f"danebot init {NAME}",
        ),
        (
            Phase.STANDBY,
            f"Nothing to do: a next key stands by. To roll over: danebot newkey {NAME}",
        ),
        (Phase.DEPLOYED, "Deployed; the next danebot renew confirms that the services serve it."),
        (Phase.STAGED, "The next danebot renew goes on with it."),
    ],
)
def test_where_a_lineage_stands_is_a_sentence(phase: Phase, words: str) -> None:
    status = sample.lineage(NAME)._replace(phase=phase.value, doing="", safe_at=None)
    assert course(status, sample.NOW) == words


def test_one_that_cools_says_when_and_how_long() -> None:
    status = sample.cooling(NAME)
    assert status.safe_at is not None
    said = course(status, status.safe_at - timedelta(hours=2))
    assert said.startswith("Nothing to do: the ready key may be used after ")
    assert said.endswith(" (2 h).")
    assert course(status, status.safe_at + timedelta(hours=2)).endswith(" (0 s).")


def test_what_danebot_is_at_is_said_in_its_words() -> None:
    status = sample.lineage(NAME)._replace(phase=Phase.STAGED.value, doing="It waits for DNS")
    assert course(status, sample.NOW) == "It waits for DNS."


def test_the_worst_finding_comes_first_and_is_its_urgency() -> None:
    told = [
        sample.finding(NAME, "x", severity.word, f"{severity.word} words")
        for severity in (Severity.WARNING, Severity.CRITICAL)
    ]
    status = sample.lineage(NAME)._replace(findings=tuple(told))
    assert [one.severity for one in findings_of(status, ())] == [
        Severity.CRITICAL,
        Severity.WARNING,
    ]
    assert urgency(status, ()) is Severity.CRITICAL
    assert urgency(sample.lineage(NAME), ()) is None


def test_records_that_wait_for_the_operator() -> None:
    assert not waits(sample.lineage(NAME))
    assert any(map(waits, sample.every_situation()))
