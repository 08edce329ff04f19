"""Rules of what is advised, one by one: which records count, and what is said of the others."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation, Presence
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.rollover.records.advice import (
    Advice,
    Objection,
    Obstruction,
    advise,
    effective,
)
from domain.builders import MX, key, line, look, record

OLD, NEW, OTHER = (record(name) for name in ("old", "new", "other"))
OLD2, NEW2, OTHER2 = (record(name, 2) for name in ("old", "new", "other"))
STRANGER, STRANGER2 = record("stranger"), record("stranger", 2)
CUT = TlsaRecord(3, 1, 2, b"cut off")
ANCHOR = TlsaRecord(2, 1, 1, b"a" * 32)
KNOWN = [key(name).spki for name in ("old", "new", "other")]


def rrset(*records: TlsaRecord) -> OwnerObservation:
    """A look at which everybody shows these records."""
    one = look("old")
    return one._replace(
        servers=tuple(server._replace(records=records) for server in one.servers),
        answer=one.answer._replace(records=records),
    )


def advised(one: OwnerObservation | None, mtype: int, *names: str) -> Advice:
    pairs = [(line(mtype=mtype), key(name).spki) for name in names or ("new",)]
    return advise(MX, one, pairs, KNOWN)


@pytest.mark.parametrize(
    ("there", "mtype", "add"),
    [
        ((OLD, CUT), 1, (NEW,)),  # no sender can use a digest of another length
        ((STRANGER, STRANGER2), 2, (NEW2,)),  # the stranger's 3 1 1 has no effect that it may lose
        ((OLD, ANCHOR), 2, (NEW2, OLD2)),  # digests are compared among records of one usage
        ((STRANGER2,), 0, (record("new", 0),)),  # a whole key counts beside any digest
        ((OLD, STRANGER), 1, (NEW,)),
        ((OTHER, OTHER2), 2, (NEW2,)),
    ],
)
def test_what_is_added_counts_and_is_no_more_than_needed(
    there: tuple[TlsaRecord, ...], mtype: int, add: tuple[TlsaRecord, ...]
) -> None:
    advice = advised(rrset(*there), mtype)
    assert (advice.add, advice.objections) == (add, ())


@pytest.mark.parametrize(
    ("there", "names", "restated"),
    [
        ((OLD,), ("old", "new"), ()),  # a line wants it anyway
        ((OLD,), ("new",), (OLD2,)),
        ((OTHER, OTHER2), ("new",), ()),  # it is there
    ],
)
def test_what_is_there_for_the_sake_of_others_is_told(
    there: tuple[TlsaRecord, ...], names: tuple[str, ...], restated: tuple[TlsaRecord, ...]
) -> None:
    advice = advised(rrset(*there), 2, *names)
    assert advice.restated == restated
    assert len(advice.add) == len(set(advice.add))


def test_a_record_that_senders_can_t_use_takes_no_effect_away() -> None:
    assert effective([OLD, CUT]) == {OLD}


def test_a_wildcard_at_one_server_is_enough_for_its_records_to_be_copied() -> None:
    one = rrset(OLD, STRANGER)
    first, *others = one.servers
    half = one._replace(servers=(first._replace(wildcard=True), *others))
    assert set(advised(half, 1).add) == {OLD, NEW, STRANGER}


def test_whom_a_stronger_digest_would_harm_is_told_with_what_to_write() -> None:
    assert advised(rrset(STRANGER), 2).objections == (
        Objection(
            Obstruction.OVERRULES,
            MX,
            f"dane-ee wants 3 1 2 records at {MX}, beside which senders would pass over somebody "
            f"else's there ({str(STRANGER)[:22]}...)",
            f"write '1 {MX}' in dane-ee instead of '2 {MX}'",
        ),
    )


@pytest.mark.parametrize(("detail", "why"), [(None, ""), ("", ""), ("timeout", " (timeout)")])
def test_what_could_not_be_seen_is_told_with_the_reason(detail: str | None, why: str) -> None:
    one = look()
    one = one._replace(answer=one.answer._replace(presence=Presence.UNKNOWN, detail=detail or ""))
    assert advised(None if detail is None else one, 1).objections == (
        Objection(
            Obstruction.UNSEEN,
            MX,
            f"what is at {MX} could not be seen{why}, so nothing can be advised there",
            "try again when the resolver answers",
        ),
    )
