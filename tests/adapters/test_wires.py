"""Whatever octets come, danebot says so in words of its own; a sample of `prove.fuzzing`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dns.message
import pytest

from adapters.nameserver import build
from amounts import amount
from danebot.adapters.dns.denial import negative_ttl
from danebot.adapters.dns.message import decode_message
from danebot.errors import TreeError
from prove import dns_wire, fuzzing
from prove.difference import Difference, same
from prove.file_wires import FILES
from prove.fuzzing import Guard, by_chance, can_be_guided, wire_of
from prove.hunting import hunter
from prove.wire import Wire
from prove.wires import WIRES


@pytest.mark.parametrize("name", [*WIRES, *FILES])
def test_odd_octets_are_told_in_danebots_own_words(name: str) -> None:
    """The whole is `make prove PART=parsers`."""
    wire = wire_of(name)
    guard = Guard(name, wire)
    by_chance(wire, guard, amount(80, 20_000), first=4_000_000_000)
    assert [str(one) for one in guard.found.values()] == []


@pytest.mark.parametrize("name", [*WIRES, *FILES])
def test_sound_octets_are_taken(name: str) -> None:
    """Else all that is made of them would be refused at the door."""
    wire = wire_of(name)
    wire.read(wire.seeds[0])


def _other(data: bytes) -> None:
    same("what is read", data, b"else")


def _loops(data: bytes) -> None:
    while data:
        pass


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda data: data[9], "IndexError"),
        (_other, "Difference: what is read: b'x' here"),
        (_loops, "EndlessError"),
    ],
)
def test_a_fault_is_told_with_its_octets(
    read: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzing, "_KEPT", tmp_path)
    monkeypatch.setattr(fuzzing, "_ENDLESS", 0.2)
    assert callable(read)
    guard = Guard("a test", Wire((), read))
    guard(b"x")
    guard(b"x")
    (found,) = guard.found.values()
    assert words in found.what
    assert Path(found.file).read_bytes() == b"x"


def test_a_slow_reader_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "_KEPT", tmp_path)
    guard = Guard("a test", Wire((), bytes.hex, bound=-1.0))
    guard(b"x")
    assert [found.what for found in guard.found.values()] == ["takes too long"]


def test_of_several_soa_records_a_second_reader_keeps_the_last() -> None:
    """Ours has all, and takes the longest; another than these would be a difference."""
    query = dns.message.make_query("example.test", "SOA", id=0)
    rows = [f"example.test 60 SOA ns{n}.example.test. h.example.test. 1 2 3 4 {n}" for n in (9, 7)]
    first, second = (build(query, authority=(row,)) for row in rows)
    apart = build(query)
    apart.authority = [*first.authority, *second.authority]
    both = decode_message(apart.to_wire())
    assert negative_ttl(both) == timedelta(seconds=9)
    for one in (apart, first, second):
        dns_wire.compare(one.to_wire(), both)
    with pytest.raises(Difference, match="SOA records"):
        dns_wire.compare(second.to_wire(), decode_message(first.to_wire()))


def test_danebots_own_errors_are_answers() -> None:
    def refuse(data: bytes) -> None:
        raise TreeError(data.hex())

    guard = Guard("a test", Wire((), refuse))
    guard(b"x")
    assert guard.found == {}


@pytest.mark.once
@pytest.mark.no_cover
@pytest.mark.skipif(not can_be_guided(), reason="atheris isn't installed: pip install '.[prove]'")
def test_a_hunt_is_guided_by_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    places = ("tests", ".", "checks", "exporters")
    monkeypatch.setenv("PYTHONPATH", ":".join(str(root / place) for place in places))
    with hunter() as ready:
        done = [ready.hunt(name, 300, 20) for name in ("dialogues: pop3", "dane-ee")]
    assert [one._replace(seconds=0) for one in done] == [(300, 0, True, ())] * 2
