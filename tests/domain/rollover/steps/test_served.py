"""What services have, and whether they lose anything by going on from what they present."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation, ServerOutcome
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.state import Held, LineageState
from danebot.domain.rollover.evidence.caches import past_known_at
from danebot.domain.rollover.evidence.memory import (
    Exposure,
    Memory,
    Occurrence,
    OwnerMemory,
    PastKey,
    RRsetSighting,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.served import loses_nothing, passed_gate, served_at
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, OTHER, T0, seen
from domain.gate_world import LONG, cached, chain, found_live, renewal, shown, tlsa

POLICY = Policy(min_wait=timedelta(0), margin=HOUR)
LIVE, SAME, NEW = chain(), chain(version=2), chain(key="new", version=2)
STATE = renewal(SAME)
NONE_LIVE = STATE._replace(live=None, combo=None)
A, OURS = tlsa("2 1 1", by="A"), tlsa("3 1 1")
FORMER, THIRD = tlsa("3 1 1", key="former"), tlsa("3 1 1", key="third")
FRESH = OwnerMemory(watched_since=T0)
FOUND = found_live()


# ---- services that go on from what they present -----------------------------------------------


def safe(
    *looks: OwnerObservation,
    known: OwnerMemory = LONG,
    presented: Sequence[bytes] = chain("former").chain.ders,
    new: Held | PublicKey = SAME,
    past: tuple[PastKey, ...] = (),
    now: datetime = T0,
    state: LineageState = STATE,
) -> bool:
    memory = Memory(owners={MX: known}, past_keys=past)
    observations = seen(*looks)
    return loses_nothing(
        MX, presented, new, state, observations, memory=memory, policy=POLICY, now=now
    )


def test_what_is_live_is_told_by_its_leaf() -> None:
    leaf = LIVE.chain.ders[:1]
    assert safe(shown(OURS), presented=leaf, new=NEW)
    assert safe(shown(OURS), presented=LIVE.chain.ders, new=NEW)
    assert not safe(shown(OURS), presented=leaf, new=NEW, state=NONE_LIVE)
    assert not safe(shown(OURS), presented=chain(version=3).chain.ders, new=NEW)


def test_a_past_key_counts_only_if_it_is_compromised() -> None:
    spki = chain("former").key.spki
    assert not safe(shown(FORMER), past=(PastKey(spki, T0),))
    assert safe(shown(FORMER), past=(PastKey(spki, T0, Exposure.COMPROMISED),))


def test_another_chain_of_the_same_key_may_harm() -> None:
    switched = chain("former", by="B", version=2)
    assert not safe(shown(A), new=switched)
    assert safe(shown(A), new=switched.key)


def test_where_nothing_is_known_nothing_is_safe() -> None:
    assert not safe()
    assert safe(shown(OURS))  # which the new chain mends


def test_what_is_there_decides_if_all_of_it_fails_what_is_presented() -> None:
    assert safe(shown(OURS), known=cached(FORMER))
    assert not safe(shown(OURS, at={"ns1": None, "ns2": [FORMER]}))


def test_one_of_several_records_may_be_alone_in_a_cache_until_the_past_is_known() -> None:
    both, known_at = shown(FORMER, OURS), past_known_at(FRESH, POLICY)
    assert known_at is not None
    assert safe(both)
    assert not safe(both, known=OwnerMemory())
    assert not safe(both, known=FRESH, now=known_at - MINUTE)
    assert safe(both, known=FRESH, now=known_at)


@pytest.mark.parametrize("later", [False, True])
def test_an_rrset_that_was_there_under_two_ttls_is_in_caches_for_the_later_end(
    *, later: bool
) -> None:
    """Whichever of the two is remembered first."""
    long = RRsetSighting((FORMER,), 5 * DAY, T0 - 30 * DAY, T0)
    short = long._replace(ttl=HOUR, first=T0, until=T0 + HOUR)
    known, end = LONG._replace(rrsets=(long, short)[:: 1 if later else -1]), T0 + 5 * DAY + HOUR
    assert not safe(shown(FORMER, OURS), known=known, now=end - MINUTE)
    assert safe(shown(FORMER, OURS), known=known, now=end)


def test_nor_does_one_whose_issuer_is_only_presented_by_the_new_one_keep_its_name() -> None:
    """Near its end, and shortly after the first look."""
    near, presented = T0 + 50 * DAY, chain(version=3).chain.ders
    known = OwnerMemory(watched_since=near)
    for new, certain in ((chain(by="B", beside="A"), False), (chain(beside="B"), True)):
        found = renewal(new, new)
        assert certain is safe(
            shown(A, OURS), known=known, presented=presented, new=new, state=found, now=near
        )


QUIET = LONG._replace(heard={"ns1.example.org [192.0.2.1]": T0})  # ns2 never was
MUTE = {"ns1": None, "ns2": ServerOutcome.UNREACHABLE}
BOTH = (A, tlsa("2 1 1", by="B"))
END = timedelta(days=18)  # a fifth of what is valid for 90 days


@pytest.mark.parametrize(
    ("left", "certain"), [(END + HOUR, False), (END, True), (HOUR, True), (-HOUR, True)]
)
@pytest.mark.parametrize(
    ("presented", "there"),
    [("old", BOTH), ("former", (FORMER, OURS))],  # by issuers, and by the leaf's key
)
def test_silence_counts_until_what_is_presented_nears_its_end(
    presented: str,
    there: tuple[TlsaRecord, ...],
    left: timedelta,
    *,
    certain: bool,
) -> None:
    """As for the renewal itself; what is live is young, and says nothing of that."""
    switched = renewal(chain(by="B", version=3), chain(by="B", version=2, days=365))
    known = QUIET._replace(heard={"ns1.example.org [192.0.2.1]": T0 + 60 * DAY - left})
    former = chain(presented).chain.ders
    assert certain is safe(
        shown(*there, at=MUTE),
        known=known,
        presented=former,
        new=switched.serving or SAME,
        state=switched,
        now=T0 + 60 * DAY - left,
    )


def test_what_is_live_may_end_soon_while_what_is_presented_does_not() -> None:
    """By a tree from a backup: silence spares the service, and so does an alias led astray."""
    ending = renewal(chain(days=1, version=2), chain(days=1))
    young = chain("former", days=365).chain.ders
    for presented, certain in ((young, False), (chain("former", days=1).chain.ders, True)):
        look = shown(FORMER, OURS, at=MUTE)
        assert safe(look, known=QUIET, presented=presented, state=ending) is certain
        led = LONG._replace(astray_until=T0 + DAY)
        assert safe(shown(FORMER, OURS), known=led, presented=presented, state=ending) is certain


def test_what_was_heard_counts_however_old_the_chain_is_that_is_presented() -> None:
    """A cache may hold the other key alone, or a server that is silent now was seen to have it."""
    over = chain("former", days=-1).chain.ders
    assert not safe(shown(FORMER, OURS), known=cached(FORMER), presented=over)
    lag = cached(FORMER, until=None)
    assert not safe(shown(FORMER, OURS, at=MUTE), known=lag, presented=over)
    assert not safe(shown(OURS, at={"ns1": None, "ns2": [FORMER]}), presented=over)


def test_what_was_there_before_the_first_look_counts_for_another_key_however_old_it_is() -> None:
    both, known_at = shown(FORMER, OURS), past_known_at(FRESH, POLICY)
    assert known_at is not None
    over = chain("former", days=-1).chain.ders
    assert not safe(both, known=FRESH, presented=over, now=known_at - MINUTE)
    assert safe(both, known=FRESH, presented=over, now=known_at)


def test_what_is_no_certificate_has_nothing_to_lose() -> None:
    assert safe(shown(FORMER, OURS, at=MUTE), known=QUIET, presented=(b"none",))


def test_what_cannot_be_read_of_a_chain_is_not_known_to_near_its_end() -> None:
    """Its extensions are damaged: senders who go by the leaf's key don't mind."""
    whole, above = chain("former", days=1).chain.ders
    damaged = whole.replace(b"\x55\x1d\x11", b"\x55\x1d\x0f")  # its names as key usage
    assert damaged != whole
    look = shown(FORMER, OURS, at=MUTE)
    assert safe(look, known=QUIET, presented=(whole, above))
    assert not safe(look, known=QUIET, presented=(damaged, above))


# ---- what services have -----------------------------------------------------------------------


def test_what_danebot_deployed_passed_the_gate_and_is_served() -> None:
    deployed = FOUND._replace(origin=Occurrence.DEPLOYED)
    assert not passed_gate(Memory(), LIVE)
    assert not passed_gate(Memory(deployment=FOUND), LIVE)
    assert passed_gate(Memory(deployment=deployed), LIVE)
    assert served_at(MX, STATE, Memory(deployment=deployed), None) == LIVE._replace(version=None)
    other = Memory(deployment=deployed._replace(chain=NEW.chain.fingerprint))
    assert served_at(MX, STATE, other, None) is None
    assert served_at(MX, STATE, other, NEW) == LIVE._replace(version=None)
    assert served_at(MX, NONE_LIVE, Memory(deployment=deployed), None) is None


@pytest.mark.parametrize(("owner", "known"), [(MX, True), (MX2, False), (OTHER, True)])
def test_only_a_service_can_have_come_since_others_were_asked(
    owner: object, *, known: bool
) -> None:
    found = served_at(owner, STATE, Memory(asked=(MX,)), None)  # type: ignore[arg-type]
    assert (found is not None) is known
