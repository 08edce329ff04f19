"""The gate, for senders that are given the raw public key beside those that get a certificate.

The facts are those of tests/domain/dane/test_raw_keys.py: of ``3 1 x`` records alone, the former
take any that matches, the latter those of the strongest digest.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, RRsetSighting
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.gate import gate
from danebot.domain.rollover.steps.refusals import Refusal
from domain.builders import DAY, HOUR, MX, T0, seen
from domain.gate_world import LONG, chain, renewal, shown, tlsa

OLD, NEW = tlsa("3 1 1"), tlsa("3 1 1", key="new")
OLD_512, NEW_512 = tlsa("3 1 2"), tlsa("3 1 2", key="new")
OTHER_512 = tlsa("3 1 2", key="somebody")
ANCHOR = tlsa("2 1 1", by="B")
NEXT = chain(key="new", version=2)
POLICY = Policy(min_wait=timedelta(0), margin=HOUR)


def asked(
    *looks: OwnerObservation, memory: OwnerMemory = LONG, now: datetime = T0
) -> Refusal | None:
    return gate(renewal(NEXT), NEXT, seen(*looks), Memory({MX: memory}), policy=POLICY, now=now)


def had(*records: TlsaRecord, until: datetime | None = None) -> OwnerMemory:
    """An RRset that was seen for a month, until then."""
    sighting = RRsetSighting(tuple(sorted(records)), HOUR, T0 - 30 * DAY, until)
    return LONG._replace(rrsets=(sighting,))


def look(*records: TlsaRecord) -> OwnerObservation:
    return shown(*records, owner=MX)


@pytest.mark.parametrize(
    ("records", "passes"),
    [
        # Who is given the key knows the live one, and would not know the new one.
        ((OLD, OTHER_512), False),
        ((OLD, NEW, OTHER_512), True),  # nor is anybody worse off
        ((OLD, NEW_512), True),
        # Who is given a certificate knows the live one, who is given the key both.
        ((NEW, OLD_512), False),
        ((NEW, OLD_512, NEW_512), True),
        # Nobody asks for the key, and nobody knows the live one by its certificate.
        ((OLD, OTHER_512, ANCHOR), True),
    ],
)
def test_neither_kind_of_sender_may_be_worse_off(
    records: tuple[TlsaRecord, ...], *, passes: bool
) -> None:
    assert (asked(look(*records), memory=had(*records)) is None) == passes


def test_who_would_refuse_is_said_with_a_record_that_satisfies_both() -> None:
    found = asked(look(OLD, OTHER_512), memory=had(OLD, OTHER_512))
    assert found is not None
    assert "senders that are given the raw public key" in found.reason
    assert found.publish == NEW_512
    other = asked(look(NEW, OLD_512), memory=had(NEW, OLD_512))
    assert other is not None
    assert "senders that are given a certificate" in other.reason
    assert other.publish == NEW_512
    neither = asked(look(OLD), memory=had(OLD))
    assert neither is not None
    assert "given" not in neither.reason


def test_it_is_a_repair_only_if_mail_fails_for_both_kinds() -> None:
    """What caches may have counts: who is given the key is served well enough by what is there."""
    for there, until in (((OLD, NEW_512), T0 + 2 * HOUR), ((NEW_512,), None)):
        found = asked(look(*there), memory=had(OLD, until=T0))
        assert (found and found.until) == until
    both = had(OLD, until=T0)
    assert asked(look(OLD, NEW_512), memory=both, now=T0 + 2 * HOUR) is None
    # With a record that takes a certificate nobody asks for the key.
    assert asked(look(OLD, NEW_512, ANCHOR), memory=both) is None
