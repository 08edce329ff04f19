"""Values to JSON and back: nothing is lost, and no document gets through that doesn't fit."""

from __future__ import annotations

import enum
import json
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amounts import amount
from danebot.adapters.codec import decode, encode, field_names
from danebot.domain.dns.answers import Server
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.memory import (
    Awaiting,
    Memory,
    OwnerMemory,
    OwnerRoute,
    RRsetSighting,
    TtlSighting,
    Witness,
)
from danebot.domain.status.document import Snapshot

Json: typing.TypeAlias = Any
Kind: typing.TypeAlias = Any
T0 = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
offsets = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bytes: st.binary(max_size=40),
    datetime: st.builds(
        lambda span, offset: (T0 + span).astimezone(offset),
        st.timedeltas(timedelta(days=-18000), timedelta(days=350000)),
        offsets,
    ),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=36500)),
    DnsName: names.map(DnsName.parse),
    Hostname: names.filter(lambda name: not name[-1].isdigit()).map(Hostname.parse),
}


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """Any value that the annotation allows."""
    if kind in SCALARS:
        return SCALARS[kind]
    origin: Kind = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if type(None) in arguments:
        (inner,) = (one for one in arguments if one is not type(None))
        return st.none() | values(inner)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values(hints[name]) for name in field_names(kind)})


BUSY = [HealthCheck.too_slow]  # large documents, on a machine with other things to do
memories, snapshots = values(Memory), values(Snapshot)
garbage = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2026-06-01", "2026-06-01T12", "9999-12-31T23:59:59-23:59", "zz", "*."])
    | st.sampled_from([1e300, 10**400, -1, "a" * 300, "0" * 63, "\u202e", "ü.example", "1.2.3.4"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def through_json(document: Json) -> Json:
    return json.loads(json.dumps(document))


@given(memories)
@settings(max_examples=amount(30, 600), suppress_health_check=BUSY, deadline=None)
def test_a_memory_comes_back_as_it_was(memory: Memory) -> None:
    assert decode(Memory, through_json(encode(memory))) == memory


@given(snapshots)
@settings(max_examples=amount(20, 400), suppress_health_check=BUSY, deadline=None)
def test_a_snapshot_comes_back_as_it_was(snapshot: Snapshot) -> None:
    document = through_json(encode(snapshot))
    assert decode(Snapshot, document) == snapshot
    assert encode(decode(Snapshot, document)) == document


def places(document: Json) -> list[tuple[Json, Json]]:
    """Every container with each of its keys or indexes."""
    keys: list[Json] = []
    if isinstance(document, dict):
        keys = list(document)
    elif isinstance(document, list):
        keys = list(range(len(document)))
    here = [(document, key) for key in keys]
    return here + [place for one, key in here for place in places(one[key])]


@given(st.data(), st.sampled_from([(Memory, memories), (Snapshot, snapshots)]))
@settings(max_examples=amount(60, 1500), suppress_health_check=BUSY, deadline=None)
def test_a_damaged_document_is_a_value_or_a_value_error(data: st.DataObject, what: Kind) -> None:
    kind, some = what
    document = through_json(encode(data.draw(some)))
    for _ in range(data.draw(st.integers(1, 2))):
        found = places(document)
        if not found:
            break
        container, where = data.draw(st.sampled_from(found))
        if data.draw(st.booleans()) and isinstance(container, dict):
            del container[where]
        else:
            container[where] = data.draw(garbage)
    try:
        decoded = decode(kind, document)
    except ValueError:
        return
    assert isinstance(decoded, kind)
    assert decode(kind, through_json(encode(decoded))) == decoded


@given(garbage, st.sampled_from([Memory, Snapshot, Awaiting, OwnerMemory]))
def test_garbage_is_a_value_or_a_value_error(document: Json, kind: type) -> None:
    try:
        decoded: object = decode(kind, document)
    except ValueError:
        return
    assert isinstance(decoded, kind)


def test_the_forms_are_those_that_are_promised() -> None:
    summer = timezone(timedelta(hours=2))
    awaiting = Awaiting(
        b"\x0a\xff",
        datetime(2026, 6, 1, 14, 0, 0, 5, tzinfo=summer),
        lines=(Required(MatchingType.SHA2_256, DnsName("_25._tcp.mx.test")),),
        witness=Witness.SERVERS,
    )
    ns1, ns2 = Hostname("ns1.test"), Hostname("ns2.test")
    route = OwnerRoute(DnsName("b.test"), frozenset({ns2, ns1}), (Server(ns1, "192.0.2.1"),))
    rrset = RRsetSighting((TlsaRecord(2, 1, 1, b"\x01"),), timedelta(hours=1), T0)
    heard = {"ns1.test [192.0.2.1]": T0}
    ttl = TtlSighting(timedelta(seconds=300), T0)
    owner = OwnerMemory((ttl,), route, rrsets=(rrset,), heard=heard)
    document = encode(Memory({DnsName("a.test"): owner}, awaiting))
    assert document["awaiting"] == {
        "digest": "0aff",
        "since": "2026-06-01T12:00:00.000005+00:00",
        "unseen_at": None,
        "served_since": None,
        "lagged_at": None,
        "seen_since": None,
        "lines": [{"mtype": 1, "owner": "_25._tcp.mx.test"}],
        "witness": "authoritative servers",
        "forgotten_at": None,
        "belied_at": None,
        "stood_by_at": None,
        "begun_anew": 0,
        "interruption": None,
        "spki": "",
    }
    assert document["owners"] == {
        "a.test": {
            "sightings": [{"ttl": 300.0, "first": "2026-06-01T12:00:00+00:00", "until": None}],
            "route": {
                "canonical": "b.test",
                "name_servers": ["ns1.test", "ns2.test"],
                "addresses": [{"name": "ns1.test", "address": "192.0.2.1"}],
                "parents": None,
            },
            "route_ttl": None,
            "old_route_until": None,
            "rrsets": [
                {
                    "records": [{"usage": 2, "selector": 1, "mtype": 1, "data": "01"}],
                    "ttl": 3600.0,
                    "first": "2026-06-01T12:00:00+00:00",
                    "until": None,
                    "witness": "resolver alone",
                    "left_at": None,
                    "lagged_at": None,
                }
            ],
            "watched_since": None,
            "heard": {"ns1.test [192.0.2.1]": "2026-06-01T12:00:00+00:00"},
            "answered_at": None,
            "strayed": None,
            "astray_until": None,
            "witness": "resolver alone",
            "ends": [],
        }
    }


def test_an_older_and_a_newer_document_stay_readable() -> None:
    older = {"digest": "00", "since": "2026-06-01T12:00:00Z"}
    assert decode(Awaiting, older) == Awaiting(b"\0", T0)
    assert decode(Awaiting, {**older, "of_tomorrow": [1, {"a": 2}]}) == Awaiting(b"\0", T0)
    assert decode(Memory, {}) == Memory()
    route = {"canonical": "b.test", "name_servers": ["ns1.test"]}
    assert decode(OwnerRoute, route) == OwnerRoute(
        DnsName("b.test"), frozenset({Hostname("ns1.test")})
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"since": "2026-06-01T12:00:00Z"},
        {"digest": "0", "since": "2026-06-01T12:00:00Z"},
        {"digest": "00", "since": "2026-06-01T12:00:00"},
        {"digest": "00", "since": 1780315200},
        {"digest": "00", "since": "2026-06-01T12:00:00Z", "witness": "nobody"},
        {"digest": "00", "since": "2026-06-01T12:00:00Z", "lines": {}},
        {"digest": "00", "since": "2026-06-01T12:00:00Z", "lines": [{"mtype": 3, "owner": "a"}]},
        {"digest": "00", "since": "2026-06-01T12:00:00Z", "lines": [{"mtype": 1, "owner": "a b"}]},
        {"digest": "00", "since": "2026-06-01T12:00:00Z", "lines": [{"mtype": 1, "owner": 5}]},
        {"digest": None, "since": "2026-06-01T12:00:00Z"},
        [],
        None,
        "text",
    ],
)
def test_what_does_not_fit_is_a_value_error(wrong: Json) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(Awaiting, wrong)


def test_what_has_no_form_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no JSON form for complex"):
        encode(1j)


@pytest.mark.parametrize("seconds", [8.6399e13, -8.6399e13, float("inf"), float("nan")])
def test_a_duration_with_which_no_time_can_be_reckoned_is_damage(seconds: float) -> None:
    with pytest.raises(ValueError, match="no duration"):
        decode(TtlSighting, {"ttl": seconds, "first": "2026-06-01T12:00:00+00:00"})
