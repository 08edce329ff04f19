"""The gate, asked directly: which of several reasons is named, and what is no reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage.state import Held, LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import (
    Memory,
    OwnerMemory,
    RRsetSighting,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.gate import gate, relied_upon
from danebot.domain.rollover.steps.phases import Hold, Step
from danebot.domain.rollover.steps.refusals import Refusal
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, OTHER, T0, UNREACHABLE, line, seen
from domain.gate_world import (
    LONG,
    There,
    Watch,
    authority,
    chain,
    found_live,
    renewal,
    shown,
    tlsa,
    watch,
)

A, B = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")
ODD = TlsaRecord(9, 1, 1, b"x" * 32)
SAME, SWITCHED = chain(version=2), chain(by="B", version=2)
POLICY = Policy(min_wait=timedelta(0), margin=HOUR)
MUTE: dict[str, There] = {"ns1": None, "ns2": UNREACHABLE}
LIVE, NEW = chain(), chain(key="new", version=2)
STATE = renewal(SAME)
NONE_LIVE = STATE._replace(live=None, combo=None)
FOUND = found_live()
HAD_A = LONG._replace(rrsets=(RRsetSighting((A,), HOUR, T0 - 30 * DAY),))


def refused(
    state: LineageState,
    *looks: OwnerObservation,
    memory: dict[DnsName, OwnerMemory] | None = None,
    new: Held = SWITCHED,
    now: datetime = T0,
) -> Refusal | None:
    remembered = Memory(owners=memory if memory is not None else {MX: LONG})
    return gate(state, new, seen(*looks), remembered, policy=POLICY, now=now)


def both() -> Watch:
    """A lineage with two owners, whose anchors were seen for a month."""
    site = Watch(renewal(SWITCHED)._replace(required=(line(), line(MX2))))
    site.look(T0 - 30 * DAY, shown(A), shown(A, owner=MX2))
    return site


# ---- which reason is named -------------------------------------------------------------------


@pytest.mark.parametrize(("mute", "lacking"), [(MX, MX2), (MX2, MX)])
def test_what_can_be_published_comes_before_who_must_be_heard(
    mute: DnsName, lacking: DnsName
) -> None:
    planned = both().look(T0, shown(A, B, owner=mute, at=MUTE), shown(A, owner=lacking))
    assert planned.refusal is not None
    assert (planned.refusal.owner, planned.refusal.publish) == (lacking, B)


@pytest.mark.parametrize(("early", "late"), [(MX, MX2), (MX2, MX)])
def test_of_two_waits_the_longer_is_named(early: DnsName, late: DnsName) -> None:
    site = both()
    site.look(T0, shown(A, B, owner=early), shown(A, owner=late))
    planned = site.look(T0 + HOUR, shown(A, B, owner=early), shown(A, B, owner=late))
    assert planned.refusal is not None
    assert (planned.refusal.owner, planned.refusal.until) == (late, T0 + 3 * HOUR)


@pytest.mark.parametrize(("never", "late"), [(MX, MX2), (MX2, MX)])
def test_what_was_never_seen_comes_before_what_ends_by_itself(
    never: DnsName, late: DnsName
) -> None:
    state = renewal(SWITCHED)._replace(required=(line(), line(MX2)))
    gone = LONG._replace(rrsets=(RRsetSighting((A,), HOUR, T0 - 30 * DAY, until=T0),))
    found = refused(state, shown(B, A, owner=late), memory={late: gone})
    assert found is not None
    assert (found.owner, found.unknown) == (never, True)


def test_records_that_no_sender_uses_are_not_named() -> None:
    planned = watch(SWITCHED, A, ODD).look(T0, shown(A, ODD))
    assert planned.refusal is not None
    assert str(A) in planned.refusal.reason
    assert str(ODD) not in planned.refusal.reason


def test_while_caches_run_out_there_is_nothing_to_publish() -> None:
    site = watch(SWITCHED, A)
    planned = site.look(T0 + HOUR, shown(A, B))
    assert planned.hold is Hold.CACHES
    assert planned.refusal is not None
    assert planned.refusal.publish is None


def test_no_record_is_advised_for_a_chain_that_cannot_be_read() -> None:
    leaf = SWITCHED.chain.ders[0]
    for ders in ((leaf, b"no certificate"), (b"no certificate",)):
        broken = SWITCHED.chain._replace(ders=ders)
        found = refused(renewal(SWITCHED), shown(A), new=SWITCHED._replace(chain=broken))
        assert found is not None
        assert found.publish is None


def test_a_silent_server_is_named_once_with_its_address() -> None:
    quiet = shown(security=Security.INDETERMINATE, at={"ns1": (A, B), "ns2": UNREACHABLE})
    planned = watch(SWITCHED, A).look(T0, quiet)
    assert planned.refusal is not None
    assert planned.refusal.silent == ("ns2.example.org [192.0.2.1]",)


def test_where_all_were_heard_nobody_is_called_silent() -> None:
    """Under a clock that is behind nothing is remembered: the old RRset stays open in memory."""
    found = refused(renewal(SWITCHED), shown(A, B), memory={MX: HAD_A})
    assert found is not None
    assert (found.silent, found.publish) == ((), B)


# ---- what is no reason -----------------------------------------------------------------------


def test_where_nothing_is_live_nobody_is_worse_off() -> None:
    assert refused(renewal(SWITCHED)._replace(live=None, combo=None), shown(A)) is None


def test_an_owner_that_is_watched_no_longer_holds_nothing() -> None:
    assert refused(renewal(SWITCHED), shown(B), memory={MX: LONG, MX2: HAD_A}) is None


def test_an_rrset_that_is_not_remembered_must_be_harmful_to_count() -> None:
    assert refused(renewal(SWITCHED), shown(A, B)) is None
    assert refused(renewal(SWITCHED), shown(A)) is not None


def test_a_live_chain_that_has_expired_loses_nothing_by_what_was_never_seen() -> None:
    state, end = renewal(SWITCHED), T0 + 60 * DAY
    assert refused(state, memory={}, now=end - HOUR) is not None
    assert refused(state, memory={}, now=end) is None


def test_an_anchor_above_both_authorities_has_no_past_to_wait_for() -> None:
    root = tlsa("2 1 1", by="root")
    site = Watch(renewal(chain(by="B", version=2, root=True), chain(root=True)))
    assert site.look(T0, shown(root)).step is Step.DEPLOY


def test_the_past_of_a_keys_own_record_is_left_to_the_wait_for_the_new_ones() -> None:
    other = chain(key="new", version=2)
    fresh = OwnerMemory(watched_since=T0, rrsets=(RRsetSighting((A, tlsa("3 1 1")), HOUR, T0),))
    one = shown(A, tlsa("3 1 1"))
    assert refused(renewal(other), one, memory={MX: fresh}, new=other) is None
    switched = chain(key="new", by="B", version=2)
    assert refused(renewal(switched), one, memory={MX: fresh}, new=switched) is not None


@pytest.mark.parametrize("by", ["A", "B"])
def test_a_record_of_the_certificate_alone_in_a_cache_fails_every_renewal(by: str) -> None:
    """The same key and issuer don't help: selector 0 names the certificate (RFC 6698 2.1.2).

    Its record stood alone until an hour before the first look; now the key's stands beside it.
    """
    renewed = chain(by=by, version=2)
    shown_now = shown(tlsa("3 1 1"), tlsa("3 0 1"))
    planned = Watch(renewal(renewed), policy=Policy()).look(T0, shown_now)
    assert (planned.step, planned.hold) == (None, Hold.CACHES)
    assert planned.refusal is not None
    assert planned.refusal.until is not None
    key_alone = Watch(renewal(SAME), policy=Policy()).look(T0, shown(tlsa("3 1 1")))
    assert key_alone.step is Step.DEPLOY


@pytest.mark.parametrize(
    "between",
    [
        pytest.param([], id="control"),
        pytest.param([shown(A, ttl=2 * HOUR)], id="a longer TTL"),
        pytest.param([shown(tlsa("3 1 1")), shown(A)], id="gone and back"),
    ],
)
def test_what_was_there_at_the_first_look_is_in_caches_whatever_became_of_it(
    between: list[OwnerObservation],
) -> None:
    """Its TTL was six days until just before that; what is seen later makes it no shorter."""
    known_at, now = T0 + 7 * DAY + HOUR, T0
    site = Watch(renewal(chain(), chain()))
    for one in (shown(A), *between, shown(tlsa("3 1 1"))):
        site.look(now, one)
        now += HOUR
    site.state = renewal(SWITCHED)
    held = site.look(known_at - MINUTE, shown(tlsa("3 1 1")))
    assert (held.step, held.hold) == (None, Hold.CACHES)
    assert site.look(known_at, shown(tlsa("3 1 1"))).step is Step.DEPLOY


@pytest.mark.parametrize("left", [tlsa("3 1 1"), None])
def test_a_record_that_went_after_the_first_look_may_have_been_alone_before_it(
    left: TlsaRecord | None,
) -> None:
    """It went a day later; the other had come an hour before that look."""
    known_at = T0 + 7 * DAY + HOUR
    site = Watch(renewal(SWITCHED))
    site.look(T0, shown(A, tlsa("3 1 1")))
    after = shown(*([left] if left else []))
    site.look(T0 + DAY, after)
    held = site.look(known_at - MINUTE, after)
    assert (held.step, held.hold) == (None, Hold.CACHES)
    assert site.look(known_at, after).step is Step.DEPLOY


def test_a_record_that_came_and_went_after_the_first_look_was_not_there_before_it() -> None:
    site = Watch(renewal(SWITCHED))
    for at, one in ((0, shown(tlsa("3 1 1"))), (1, shown(A, tlsa("3 1 1")))):
        site.look(T0 + at * HOUR, one)
    assert site.look(T0 + 2 * HOUR, shown(tlsa("3 1 1"))).step is Step.DEPLOY


# ---- what is no repair -----------------------------------------------------------------------


def test_an_insecure_answer_shows_no_repair() -> None:
    """The old RRset is in caches of resolvers that have it validated."""
    planned = watch(SWITCHED, A).look(T0 + HOUR, shown(B, security=Security.INSECURE))
    assert planned.step is None


def test_records_of_neither_chain_make_the_new_one_no_repair() -> None:
    """Who has A in a cache accepts what is live, and would refuse the new chain."""
    planned = watch(SWITCHED, A).look(T0 + HOUR, shown(tlsa("3 1 1", key="somebody")))
    assert (planned.step, planned.hold) == (None, Hold.CACHES)


@pytest.mark.parametrize(
    ("live", "new"),
    [
        (("A",), ("root", "B")),
        (("A",), ("stranger", "B", "root")),
        (("root", "stranger", "A"), ("B",)),
    ],
)
def test_the_anchor_to_publish_is_climbed_to_wherever_it_is_presented(
    live: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """A stranger in the chain, or the root in front, is no authority to publish."""
    serving = presenting(chain(), *live)
    site = watch(presenting(chain(by="B", version=2), *new), A, live=serving)
    planned = site.look(T0, shown(A))
    assert planned.refusal is not None
    assert planned.refusal.publish == B


def test_a_bare_key_to_publish_is_that_of_the_new_issuer() -> None:
    """The live chain leaves its issuer out; the new one presents its own."""
    site = watch(SWITCHED, tlsa("2 1 0", by="A"), live=presenting(chain()))
    planned = site.look(T0, shown(tlsa("2 1 0", by="A")))
    assert planned.refusal is not None
    assert planned.refusal.publish == tlsa("2 1 0", by="B")


def presenting(held: Held, *above: str) -> Held:
    """That leaf with these authorities in this order."""
    ders = (held.chain.ders[0], *(authority(name).der for name in above))
    return held._replace(chain=held.chain._replace(ders=ders))


# ---- what services have ------------------------------------------------------------------------


def test_only_services_of_watched_owners_are_relied_upon() -> None:
    names = (MX, MX2, OTHER)
    looks = seen(*(shown(tlsa("3 1 1", key="former"), owner=owner) for owner in names))
    memory = Memory(owners=dict.fromkeys(names, LONG))

    def found(state: LineageState) -> object:
        return relied_upon(state, SAME, looks, memory, policy=POLICY, now=T0)

    assert found(STATE._replace(required=(line(), line(MX2), line(OTHER)))) == (MX, MX2)
    assert found(STATE._replace(fading=(line(MX2),))) == (MX,)
    assert found(NONE_LIVE) == ()


def test_without_a_live_chain_nothing_is_refused() -> None:
    memory = Memory(owners={MX: OwnerMemory()})
    assert gate(NONE_LIVE, SAME, {}, memory, policy=POLICY, now=T0) is None


def test_a_former_chain_is_named_where_a_service_may_have_it_alone() -> None:
    for deployment, named in ((FOUND, True), (None, False)):
        memory = Memory(owners={MX: LONG}, deployment=deployment)
        found = gate(STATE, NEW, seen(shown(tlsa("3 1 1"))), memory, policy=POLICY, now=T0)
        assert found is not None
        assert ("former chain" in found.reason) is named


@pytest.mark.parametrize(("there", "publish"), [("3 1 1", "3 1 1"), ("3 1 2", "3 1 2")])
def test_the_record_to_publish_counts_beside_what_is_there(there: str, publish: str) -> None:
    memory = Memory(owners={MX: LONG}, deployment=FOUND)
    one = seen(shown(tlsa(there, key="former")))
    found = gate(STATE, NEW, one, memory, policy=POLICY, now=T0)
    assert found is not None
    assert found.publish == tlsa(publish, key="new")
