"""The gate: a chain goes live only when no sender, with whatever its cache holds, minds."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import (
    WITNESS,
    Alias,
    AliasObservation,
    Cause,
    OwnerObservation,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import Anchored, Held
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.caches import (
    astray_known_at,
    astray_until,
    watched_since,
)
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    Occurrence,
    OwnerMemory,
    PastKey,
)
from danebot.domain.rollover.evidence.policy import LONGEST_GAP, LONGEST_WAIT, Policy
from danebot.domain.rollover.evidence.unbroken import RESOLVER
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Hold, Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.refusals import LED_ASTRAY
from danebot.domain.rollover.steps.reload import live_refusals, refused_live
from danebot.domain.rollover.steps.served import loses_nothing
from danebot.domain.rollover.steps.unasked import disproved
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, OTHER, T0, UNREACHABLE, line, seen
from domain.gate_world import EVERYWHERE, HOST, There, Watch, chain, renewal, shown, tlsa, watch

A, B = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B")
SAME = chain(version=2)
SWITCHED = chain(by="B", version=2)


def held_back(found: Plan, hold: Hold = Hold.GATE) -> bool:
    assert (found.phase, found.certbot_may_renew) == (Phase.ISSUED, True)
    assert (found.step is None) == (found.hold is not None)
    return found.hold is hold


def deployed(found: Plan) -> bool:
    return found.step is Step.DEPLOY


def finding(site: Watch, at: datetime, one: OwnerObservation) -> Finding:
    found = site.look(at, one)
    observation = Observation(anchored(site.state, site.memory, seen(one), at), seen(one), "")
    findings = assess(observation, found, site.memory, site.policy, at)
    return next(f for f in findings if f.code is Code.DEPLOYMENT_HELD)


# ---- whatever usages the RRset carries -------------------------------------------------------


def test_of_an_anchored_owner_a_chain_from_the_same_authority_goes_live() -> None:
    assert deployed(watch(SAME, A).look(T0, shown(A)))


@pytest.mark.parametrize("numbers", ["2 1 1", "2 0 1", "2 1 2", "2 0 2", "2 1 0", "2 0 0"])
def test_another_intermediate_waits_for_its_record_and_says_which(numbers: str) -> None:
    old, new = tlsa(numbers, by="A"), tlsa(numbers, by="B")
    site = watch(SWITCHED, old)
    assert held_back(site.look(T0, shown(old)))
    said = finding(site, T0, shown(old))
    assert said.severity is Severity.WARNING
    assert f"{MX}. IN TLSA {new}" in said.remedy


def test_an_anchor_above_both_intermediates_lets_either_pass() -> None:
    root = tlsa("2 1 1", by="root")
    live, new = chain(root=True), chain(by="B", version=2, root=True)
    assert deployed(watch(new, root, live=live).look(T0, shown(root)))
    bare = chain(by="B", version=2)
    assert held_back(watch(bare, root, live=live).look(T0, shown(root)))


def test_a_record_of_the_key_beside_it_is_enough() -> None:
    both = (A, tlsa("3 1 1"))
    assert deployed(watch(SWITCHED, *both).look(T0, shown(*both)))


def test_records_of_whole_certificates_hold_every_renewal() -> None:
    old, new = tlsa("3 0 1"), tlsa("3 0 1", version=2)
    site = watch(SAME, old)
    assert held_back(site.look(T0, shown(old)))
    assert f"IN TLSA {new}" in finding(site, T0, shown(old)).remedy


def test_a_chain_that_lost_the_base_domain_is_past_mending_by_records() -> None:
    other = chain(by="A", version=2, names=("else.example.net",))
    site = watch(other, A)
    assert held_back(site.look(T0, shown(A)))
    assert "names none of the reference identifiers" in finding(site, T0, shown(A)).text
    assert "TLSA 2" not in finding(site, T0, shown(A)).remedy


def test_a_live_chain_that_never_named_the_base_domain_is_known_by_another_name() -> None:
    names = ("example.org",)
    live, new = chain(names=names), chain(version=2, names=names)
    assert deployed(watch(new, A, live=live).look(T0, shown(A)))
    lost = chain(version=2, names=("else.example.net",))
    assert held_back(watch(lost, A, live=live).look(T0, shown(A)))


@pytest.mark.parametrize("port", [443, 465, 587, 993])
def test_what_mail_servers_pass_over_counts_elsewhere(port: int) -> None:
    """RFC 7672 is for mail between servers; submission is none of it."""
    old, owner = tlsa("1 0 1"), DnsName(f"_{port}._tcp.{HOST}")
    assert deployed(watch(SAME, old).look(T0, shown(old)))
    assert held_back(watch(SAME, old, owner=owner).look(T0, shown(old, owner=owner)))


# ---- what caches may hold --------------------------------------------------------------------


def test_a_new_record_lets_it_pass_once_no_cache_lacks_it() -> None:
    site = watch(SWITCHED, A)
    assert held_back(site.look(T0, shown(A)))
    assert held_back(site.look(T0 + HOUR, shown(A, B)), Hold.CACHES)
    said = finding(site, T0 + HOUR, shown(A, B))
    assert said.severity is Severity.INFO
    assert "until 2026-06-01 15:00 UTC" in said.text
    assert held_back(site.look(T0 + 3 * HOUR - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 3 * HOUR, shown(A, B)))


@pytest.mark.parametrize("lacking", [MX, MX2])
def test_what_must_be_published_is_said_before_what_only_takes_time(lacking: DnsName) -> None:
    passed_by = MX2 if lacking == MX else MX
    site = Watch(renewal(SWITCHED)._replace(required=(line(), line(MX2))))
    site.look(T0 - 30 * DAY, shown(A), shown(A, owner=MX2))
    plan = site.look(T0, shown(A, owner=lacking), shown(A, B, owner=passed_by))
    assert plan.refusal is not None
    assert (plan.refusal.owner, plan.refusal.until) == (lacking, None)
    assert held_back(plan)


def test_the_resolver_s_cache_makes_nobody_wait_longer() -> None:
    site = watch(SWITCHED, A)
    assert held_back(site.look(T0, shown(A)))
    assert held_back(site.look(T0 + HOUR, shown(A, B, resolver=(A,))))
    assert held_back(site.look(T0 + 2 * HOUR, shown(A, B, resolver=(A,))))
    assert held_back(site.look(T0 + 3 * HOUR - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 3 * HOUR, shown(A, B)))


def test_a_resolver_that_lags_longer_than_the_ttl_asked_somebody_unseen() -> None:
    site = watch(SWITCHED, A)
    for minutes in (60, 90, 121, 122):
        assert held_back(site.look(T0 + minutes * MINUTE, shown(A, B, resolver=(A,))))
    assert held_back(site.look(T0 + 3 * HOUR, shown(A, B)), Hold.CACHES)
    assert held_back(site.look(T0 + 5 * HOUR - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 5 * HOUR, shown(A, B)))


def test_such_a_lag_is_noticed_though_a_server_is_silent_meanwhile() -> None:
    site = watch(SWITCHED, A)
    assert held_back(site.look(T0 + HOUR, shown(A, B, resolver=(A,))))
    silent = shown(A, B, at={"ns1": None, "ns2": UNREACHABLE}, resolver=(A,))
    assert held_back(site.look(T0 + 3 * HOUR, silent))
    assert held_back(site.look(T0 + 4 * HOUR, shown(A, B)), Hold.CACHES)
    assert held_back(site.look(T0 + 6 * HOUR - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 6 * HOUR, shown(A, B)))


def test_a_server_that_has_the_old_rrset_again_ends_the_excuse() -> None:
    site = watch(SWITCHED, A)
    assert held_back(site.look(T0 + HOUR, shown(A, B, resolver=(A,))))
    assert held_back(site.look(T0 + HOUR + MINUTE, shown(A, B, at={"ns1": None, "ns2": (A,)})))
    assert held_back(site.look(T0 + 2 * HOUR, shown(A, B)), Hold.CACHES)
    assert held_back(site.look(T0 + 4 * HOUR - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 4 * HOUR, shown(A, B)))


@pytest.mark.parametrize("days", [2, 30])
def test_the_minimum_wait_counts_as_for_a_key(days: int) -> None:
    """However long it is, and however often danebot looks meanwhile."""
    site = watch(SWITCHED, A)
    site.policy = Policy(min_wait=days * DAY)
    site.look(T0, shown(A, B))
    for day in range(1, days):
        assert held_back(site.look(T0 + day * DAY, shown(A, B)), Hold.CACHES)
    assert held_back(site.look(T0 + days * DAY - MINUTE, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + days * DAY, shown(A, B)))


def test_a_ttl_lowered_with_the_change_fools_nobody() -> None:
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, ttl=DAY))
    site.look(T0, shown(A, B, ttl=MINUTE))
    assert held_back(site.look(T0 + DAY, shown(A, B, ttl=MINUTE)), Hold.CACHES)
    assert deployed(site.look(T0 + DAY + HOUR, shown(A, B, ttl=MINUTE)))


def test_a_server_that_lags_or_is_silent_keeps_the_gate_shut() -> None:
    lagging = shown(A, B, at={"ns1": None, "ns2": [A]})
    mute = shown(A, B, at={"ns1": None, "ns2": UNREACHABLE})
    for look, hold in ((lagging, Hold.GATE), (mute, Hold.CANNOT_SEE)):
        site = watch(SWITCHED, A)
        site.look(T0, look)
        assert held_back(site.look(T0 + 9 * DAY, look), hold)


def test_what_a_server_had_while_it_was_long_silent_is_unknown() -> None:
    """It had no records when it was last heard; it may have had the old authority's alone since."""
    site = watch(SWITCHED)
    mute = shown(A, B, at={"ns1": None, "ns2": UNREACHABLE})
    for days in range(-26, 1, 2):
        site.look(T0 + days * DAY, shown())
    for days in range(1, LONGEST_GAP.days):
        site.look(T0 + days * DAY, mute)
    assert deployed(site.look(T0 + LONGEST_GAP, mute))
    plan = site.look(T0 + LONGEST_GAP + HOUR, mute)
    assert held_back(plan, Hold.CANNOT_SEE)
    assert plan.refusal is not None
    assert "no usable answer for 5 d and more, or ever, from ns2.example.org" in plan.refusal.reason
    again = T0 + LONGEST_GAP + DAY
    assert held_back(site.look(again, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(again + Policy().unseen_ttl + HOUR, shown(A, B)))
    assert deployed(watch(SAME).look(T0, mute))


def test_what_a_server_has_that_was_never_heard_is_as_unknown() -> None:
    """Nobody may rest on a wait there that silence made: it may have the old authority's alone."""
    mute = shown(A, B, at={"ns1": None, "ns2": UNREACHABLE})
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, mute)
    plan = site.look(T0, mute)
    assert held_back(plan, Hold.CANNOT_SEE)
    assert plan.refusal is not None
    assert plan.refusal.silent == ("ns2.example.org",)
    newcomer = watch(SWITCHED, A, B)
    gained = shown(A, B, at={**EVERYWHERE, "ns3": UNREACHABLE})
    assert held_back(newcomer.look(T0, gained), Hold.CANNOT_SEE)
    heard = shown(A, B, at={**EVERYWHERE, "ns3": None})
    assert held_back(newcomer.look(T0 + DAY, heard), Hold.CACHES)
    assert deployed(newcomer.look(T0 + DAY + Policy().unseen_ttl + HOUR, heard))


def test_what_a_server_had_that_was_never_heard_outlasts_it() -> None:
    """Taken out at last, it has left in caches what it had: they may ask it for its NS TTL yet."""
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, B, at={"ns1": None, "ns2": UNREACHABLE}))
    replaced = shown(A, B, at={"ns1": None, "ns3": None})
    assert held_back(site.look(T0, replaced), Hold.CACHES)
    assert held_back(site.look(T0 + Policy().unseen_ttl, replaced), Hold.CACHES)
    assert deployed(site.look(T0 + Policy().unseen_ttl + HOUR, replaced))


def test_what_an_alias_led_to_before_is_unknown_where_it_leads_to_nothing() -> None:
    """One of its servers may lead to other records yet, which caches keep for their TTL."""
    bare, empty = shown(), by_alias()
    site = Watch(renewal(SWITCHED))
    assert held_back(site.look(T0, empty), Hold.CACHES)
    assert deployed(site.look(T0 + Policy().unseen_ttl + HOUR, empty))
    assert deployed(Watch(renewal(SAME)).look(T0, empty))
    assert deployed(Watch(renewal(SWITCHED)).look(T0, bare))
    live = chain().chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    assert deployed(Watch(renewal(SWITCHED)).look(latest, empty))
    unknown = Memory(deployment=found_live(chain()))  # services may have another than is live
    assert held_back(Watch(renewal(SAME), memory=unknown).look(T0, empty), Hold.CACHES)


def test_where_an_alias_leads_to_records_these_tell_what_it_led_to() -> None:
    assert deployed(Watch(renewal(SWITCHED)).look(T0, by_alias(tlsa("3 1 1"))))


def by_alias(*records: TlsaRecord) -> OwnerObservation:
    """A look at an owner that is an alias, and at what that leads to."""
    there = shown(*records)
    way = (Alias(MX, OTHER, HOUR),)
    return there._replace(answer=there.answer._replace(aliases=way, canonical=OTHER))


def test_who_is_silent_for_good_holds_no_certificate_until_its_end() -> None:
    """Of what nobody ever saw there: at the end the live chain is refused by all in any case."""
    both = (A, tlsa("3 1 1"))
    mute = shown(*both, at={"ns1": None, "ns2": UNREACHABLE})
    site = watch(SWITCHED, *both)
    site.look(T0, mute)
    live = chain().chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    assert held_back(site.look(latest - MINUTE, mute), Hold.CANNOT_SEE)
    assert deployed(site.look(latest, mute))
    had = watch(SWITCHED, A)
    had.look(T0, mute)
    assert held_back(had.look(latest, mute), Hold.CANNOT_SEE)


def test_with_no_server_to_ask_the_resolver_is_believed() -> None:
    nobody = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, at=nobody))
    assert held_back(site.look(T0, shown(A, B, at=nobody)), Hold.CACHES)
    assert deployed(site.look(T0 + 2 * HOUR, shown(A, B, at=nobody)))
    heard_before = watch(SWITCHED, A)
    assert held_back(heard_before.look(T0, shown(A, B, at=nobody)), Hold.CANNOT_SEE)


def test_with_no_server_to_ask_a_resolver_that_is_silent_for_long_is_not() -> None:
    """Its last word was that all is well; the old authority's record may be alone since then."""
    nobody = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
    dark = shown(at=nobody, security=Security.INDETERMINATE)
    live = chain().chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, B, at=nobody))
    site.look(T0, shown(A, B, at=nobody))
    for days in range(1, LONGEST_GAP.days + 1):
        assert deployed(site.look(T0 + days * DAY, dark))
    plan = site.look(T0 + LONGEST_GAP + MINUTE, dark)
    assert held_back(plan, Hold.CANNOT_SEE)
    assert plan.refusal is not None
    assert plan.refusal.silent == (RESOLVER,)
    assert held_back(site.look(latest - MINUTE, dark), Hold.CANNOT_SEE)
    assert deployed(site.look(latest, dark))


def test_silence_opens_nothing() -> None:
    site = watch(SWITCHED, A)
    quiet = shown(security=Security.INDETERMINATE, at={"ns1": UNREACHABLE})
    assert held_back(site.look(T0 + 30 * DAY, quiet), Hold.CANNOT_SEE)


def test_of_an_owner_never_seen_only_the_same_authorities_pass() -> None:
    quiet = shown(security=Security.INDETERMINATE, at={"ns1": UNREACHABLE})
    bundled = chain(by="B", version=2, beside="A")
    for other in (SWITCHED, bundled):
        assert held_back(Watch(renewal(other)).look(T0, quiet), Hold.CANNOT_SEE)
    for same in (SAME, chain(version=2, beside="B")):
        assert deployed(Watch(renewal(same)).look(T0, quiet))


@pytest.mark.parametrize("beside", [None, "A"])
def test_an_issuer_that_is_presented_and_signed_nothing_keeps_no_name(beside: str | None) -> None:
    """Its record was alone until just before the first look, close to the live chain's end.

    The same where the live chain had both already.
    """
    new, known_at = chain(by="B", version=2, beside="A"), T0 + 7 * DAY + HOUR
    site = Watch(renewal(new, chain(age=80, days=10, beside="B" if beside else None)))
    there = shown(A, tlsa("3 1 1"))
    assert held_back(site.look(T0, there), Hold.CACHES)
    assert held_back(site.look(known_at - MINUTE, there), Hold.CACHES)
    assert deployed(site.look(known_at, there))


def test_what_was_there_before_the_first_look_may_be_in_caches() -> None:
    site = Watch(renewal(SWITCHED))
    assert held_back(site.look(T0, shown(A, B)), Hold.CACHES)
    assert held_back(site.look(T0 + 7 * DAY, shown(A, B)), Hold.CACHES)
    assert deployed(site.look(T0 + 7 * DAY + HOUR, shown(A, B)))
    assert deployed(Watch(renewal(SAME)).look(T0, shown(A, B)))
    assert deployed(Watch(renewal(SWITCHED)).look(T0, shown(tlsa("3 1 1"))))


def test_an_unreadable_dane_ee_lets_nothing_slip_through() -> None:
    site = watch(SWITCHED, A)
    site.state = site.state._replace(required=None)
    assert held_back(site.look(T0), Hold.CANNOT_SEE)


# ---- never a reason to wait ------------------------------------------------------------------


def test_where_no_sender_uses_records_nothing_is_held() -> None:
    insecure = shown(A, security=Security.INSECURE)
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, insecure)
    assert deployed(site.look(T0, insecure))
    absent = watch(SWITCHED)
    assert deployed(absent.look(T0, shown()))


DEAF: dict[str, There] = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}


def test_a_zone_that_servers_sign_counts_from_the_first_look() -> None:
    """Other resolvers may validate it, whatever this host's own does."""
    lost = shown(A, security=Security.INSECURE, signed_since=T0 - DAY)
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, lost)
    assert held_back(site.look(T0, lost))
    assert "though the zone's servers sign it" in insecure_words(site, T0, lost)
    assert "though" not in insecure_words(site, T0, shown(A, security=Security.INSECURE))


@pytest.mark.parametrize("said", [A, B])
def test_a_resolver_that_no_longer_validates_opens_nothing(said: TlsaRecord) -> None:
    """Where nobody else answers, what isn't validated proves neither absence nor a change.

    What was there meanwhile is as unknown as what was before the first look.
    """
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, at=DEAF))
    for day in range(0, 20, 5):
        lost = shown(said, security=Security.INSECURE, at=DEAF)
        assert held_back(site.look(T0 + day * DAY, lost), Hold.CANNOT_SEE)
    assert held_back(site.look(T0 + 20 * DAY, shown(A, at=DEAF)))
    assert held_back(site.look(T0 + 21 * DAY, shown(A, B, at=DEAF)), Hold.CACHES)
    assert held_back(site.look(T0 + 27 * DAY, shown(A, B, at=DEAF)), Hold.CACHES)
    assert deployed(site.look(T0 + 28 * DAY, shown(A, B, at=DEAF)))


def test_a_resolver_that_never_validated_opens_nothing() -> None:
    """Where no server was ever heard, nobody has shown that the zone isn't signed."""
    site = Watch(renewal(SWITCHED))
    lost = shown(A, security=Security.INSECURE, at=DEAF)
    site.look(T0 - 30 * DAY, lost)
    assert held_back(site.look(T0, lost), Hold.CANNOT_SEE)
    assert "unless it is the resolver that doesn't validate" in insecure_words(site, T0, lost)
    none = shown(security=Security.INSECURE, at=DEAF)  # no proof of absence either
    assert held_back(site.look(T0 + DAY, none), Hold.CANNOT_SEE)
    unsigned = shown(A, security=Security.INSECURE)
    assert held_back(site.look(T0 + 2 * DAY, unsigned), Hold.CACHES)
    assert [deployed(site.look(T0 + day * DAY, unsigned)) for day in (4, 6, 8, 10)][-1]


def proven(*records: TlsaRecord, at: dict[str, There] = DEAF) -> OwnerObservation:
    """What a resolver that validates says of a zone that isn't signed."""
    one = shown(*records, security=Security.INSECURE, at=at)
    return one._replace(answer=one.answer._replace(cause=Cause.UNSIGNED))


@pytest.mark.parametrize("numbers", ["2 1 1", "3 0 1"])
def test_in_a_zone_that_a_validating_resolver_calls_unsigned_nothing_is_held(numbers: str) -> None:
    """No server of it need be heard: insecure says that no sender uses its records."""
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, proven(tlsa(numbers)))
    assert deployed(site.look(T0, proven(tlsa(numbers))))


def test_what_was_signed_until_lately_is_waited_for_whoever_is_silent() -> None:
    site = watch(SWITCHED, A)
    half: dict[str, There] = {"ns1": None, "ns2": UNREACHABLE}
    assert held_back(site.look(T0, proven(A, at=half)), Hold.CACHES)
    assert deployed(site.look(T0 + 3 * DAY, proven(A, at=half)))


def test_servers_that_sign_belie_a_resolver_that_calls_the_zone_unsigned() -> None:
    site = watch(SWITCHED, A)
    half: dict[str, There] = {"ns1": None, "ns2": UNREACHABLE}
    lost = shown(A, security=Security.INSECURE, at=half, signed_since=T0 - DAY)
    lost = lost._replace(answer=lost.answer._replace(cause=Cause.UNSIGNED))
    assert held_back(site.look(T0, lost))
    assert held_back(site.look(T0 + 9 * DAY, lost))


def test_one_server_without_signatures_does_not_speak_for_a_silent_one() -> None:
    half = shown(A, security=Security.INSECURE, at={"ns1": None, "ns2": UNREACHABLE})
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, half)
    assert held_back(site.look(T0, half), Hold.CANNOT_SEE)


def test_where_nobody_shows_whether_the_zone_is_signed_the_hold_ends_with_the_certificate() -> None:
    """By DANE-TA(2) senders refuse it then anyway; by DANE-EE(3) they don't look at its dates."""
    for one, last in ((A, True), (tlsa("3 0 1"), False)):
        lost = shown(one, security=Security.INSECURE, at=DEAF)
        site = Watch(renewal(SWITCHED))
        site.look(T0 - 30 * DAY, lost)
        assert held_back(site.look(T0 + 60 * DAY - HOUR, lost), Hold.CANNOT_SEE)
        assert deployed(site.look(T0 + 60 * DAY, lost)) is last


def test_such_a_hold_says_what_ends_it() -> None:
    lost = shown(A, security=Security.INSECURE, at=DEAF)
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, lost)
    said = finding(site, T0, lost)
    assert "the validating resolver (nothing shows that it validates)" in said.text
    assert "dig +dnssec SOA . has the flag ad" in said.remedy
    assert f"danebot watch --remove {site.state.name} {MX}" in said.remedy
    assert "take it out of the NS set" not in said.remedy
    observation = Observation(anchored(site.state, site.memory, seen(lost), T0), seen(lost), "")
    at = T0 + 50 * DAY
    found = assess(observation, site.look(at, lost), site.memory, site.policy, at)
    expiry = next(f for f in found if f.code is Code.EXPIRES_SOON)
    assert expiry.remedy == f"see why version 2 isn't deployed: danebot status {site.state.name}"


def test_what_it_shows_anew_where_nobody_else_answers_holds_up() -> None:
    """Validating senders may see it, and it takes the live certificate's place."""
    of_the_live_one = tlsa("3 0 1", version=1)
    site = Watch(renewal(SAME))
    site.look(T0 - 30 * DAY, shown(A, at=DEAF))
    lost = shown(of_the_live_one, security=Security.INSECURE, at=DEAF)
    for day in range(0, 20, 5):
        assert not deployed(site.look(T0 + day * DAY, lost))


@pytest.mark.parametrize("here", [(), (A,)])
def test_what_a_witness_shows_holds_up_where_this_host_sees_an_unsigned_copy(
    here: tuple[TlsaRecord, ...],
) -> None:
    outside = ServerAnswer(Server(WITNESS, "192.0.2.53"), ServerOutcome.ANSWERED, (A,), HOUR)
    copy = shown(*here, security=Security.INSECURE)._replace(witnesses=(outside,))
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, copy)
    assert held_back(site.look(T0, copy))


def test_records_left_in_a_zone_that_is_signed_no_longer_hold_nothing_for_long() -> None:
    """No sender uses them, once what was signed has left all caches."""
    site = watch(SWITCHED, A)
    left = shown(A, security=Security.INSECURE)
    assert held_back(site.look(T0, left), Hold.CACHES)
    assert deployed(site.look(T0 + 3 * DAY, left))


def test_what_it_is_that_validates_no_longer_is_named() -> None:
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, shown(A, at={}))
    found = site.look(T0, shown(A, security=Security.INSECURE, at={}))
    assert held_back(found, Hold.CANNOT_SEE)
    assert "the validating resolver" in found.detail


def insecure_words(site: Watch, at: datetime, one: OwnerObservation) -> str:
    observation = Observation(anchored(site.state, site.memory, seen(one), at), seen(one), "")
    live = observation.state._replace(required=(line(),))
    found = plan(observation._replace(state=live), site.memory, site.policy, at)
    findings = assess(observation._replace(state=live), found, site.memory, site.policy, at)
    return next(f for f in findings if f.code is Code.TLSA_INSECURE).text


def test_a_zone_that_only_danebot_does_not_trust_counts() -> None:
    one = shown(A, security=Security.INSECURE)
    doubted = one._replace(answer=one.answer._replace(cause=Cause.UNTRUSTED))
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, doubted)
    assert held_back(site.look(T0, doubted))


def test_unusable_records_hold_nothing() -> None:
    odd = (TlsaRecord(9, 1, 1, b"x" * 32), TlsaRecord(3, 1, 1, b"short"))
    assert deployed(watch(SWITCHED, *odd).look(T0, shown(*odd)))


def test_what_fails_the_live_chain_too_is_no_reason_to_wait() -> None:
    other = tlsa("3 1 1", key="somebody")
    assert deployed(watch(SWITCHED, other).look(T0, shown(other)))


def test_an_expired_live_chain_has_nothing_to_lose() -> None:
    live = chain(days=1)
    site = watch(SWITCHED, A, live=live)
    assert held_back(site.look(T0, shown(A)))
    assert deployed(site.look(T0 + 2 * DAY, shown(A)))


def test_records_replaced_at_once_are_mended_at_once() -> None:
    site = watch(SWITCHED, A)
    assert held_back(site.look(T0, shown(A)))
    assert deployed(site.look(T0 + HOUR, shown(B)))


def test_it_is_no_repair_while_anyone_may_still_show_the_old_record() -> None:
    places: list[tuple[dict[str, There], Hold]] = [
        ({"ns1": None, "ns2": [A]}, Hold.GATE),
        ({"ns1": None, "ns2": UNREACHABLE}, Hold.CANNOT_SEE),
    ]
    for at, hold in places:
        site = watch(SWITCHED, A)
        assert held_back(site.look(T0 + HOUR, shown(B, at=at)), hold)


def test_each_owner_is_asked_for_itself() -> None:
    site = Watch(renewal(SWITCHED)._replace(required=(line(), line(MX2))))
    other = shown(A, owner=MX2)
    site.look(T0 - 30 * DAY, shown(A, B), other)
    found = site.look(T0, shown(A, B), other)
    assert found.refusal is not None
    assert found.refusal.owner == MX2


def test_a_key_repair_is_not_held_up() -> None:
    new = chain(key="new", version=2)
    key_only = (tlsa("3 1 1", key="new"),)
    site = watch(new, tlsa("3 1 1"))
    found = site.look(T0, shown(*key_only))
    assert (found.step, found.repair) == (Step.DEPLOY, Repair.AT_ONCE)


# ---- owners that rely on DANE-TA -------------------------------------------------------------


def relies(one: OwnerObservation, live: Held | None = None) -> bool:
    return anchored(renewal(SAME, live), Memory(), seen(one), T0).required == ()


def test_an_owner_with_anchors_alone_demands_no_record_of_the_key() -> None:
    assert relies(shown(A))
    assert relies(shown(A, B))
    assert relies(shown(A, tlsa("3 1 1", key="next")))
    state = anchored(renewal(SAME), Memory(), seen(shown(A)), T0)
    assert (state.anchored, state.owners) == ((Anchored(line(), A),), (MX,))
    assert anchored(state, Memory(), seen(shown(A)), T0) == state
    assert anchored(state, Memory(), seen(shown()), T0).required == (line(),)


@pytest.mark.parametrize(
    "one",
    [
        shown(),
        shown(B),
        shown(tlsa("3 1 1")),
        shown(A, tlsa("3 1 1")),
        shown(A, tlsa("3 1 2")),
        shown(A, tlsa("3 0 1")),
        shown(A, security=Security.INSECURE),
        shown(A, security=Security.INDETERMINATE),
        shown(A, at={"ns1": None, "ns2": []}),
        shown(A, at={"ns1": None, "ns2": [tlsa("3 1 1")]}),
        shown(A, resolver=[B]),
    ],
)
def test_every_other_owner_does(one: OwnerObservation) -> None:
    assert not relies(one)


def test_an_anchor_that_does_not_carry_the_live_chain_is_none() -> None:
    assert not relies(shown(A), chain(days=0))
    assert not relies(shown(A), chain(names=("else.example.net",), version=3, days=-1))


def test_no_record_of_the_key_is_said_to_be_missing() -> None:
    site = watch(chain(), A)
    found = site.look(T0, shown(A))
    observation = Observation(
        anchored(site.state, site.memory, seen(shown(A)), T0), seen(shown(A)), ""
    )
    assert (found.phase, found.current) == (Phase.STABLE, ())
    assert assess(observation, found, site.memory, site.policy, T0) == ()


def test_another_key_of_the_same_authority_needs_no_record_there() -> None:
    new = chain(key="new", version=2)
    assert deployed(watch(new, A).look(T0, shown(A)))
    unwatched = Watch(renewal(new))
    assert held_back(unwatched.look(T0, shown(A)), Hold.CACHES)
    assert deployed(unwatched.look(T0 + timedelta(days=7, hours=1), shown(A)))


# ---- an alias that leads elsewhere ------------------------------------------------------------


def test_what_an_old_alias_leads_to_counts_from_that_alias_end() -> None:
    """The alias is followed for 5 days, and what was there at its end held for as long again."""

    def led_to(target: str, one: OwnerObservation) -> OwnerObservation:
        alias = Alias(MX, DnsName(target), 5 * DAY)
        return one._replace(answer=one.answer._replace(aliases=(alias,), canonical=alias.target))

    site = Watch(renewal(SWITCHED), policy=Policy())
    site.look(T0 - 60 * DAY, led_to("a.example.net", shown(A, ttl=5 * DAY)))
    site.look(T0 - DAY, led_to("a.example.net", shown(A, ttl=5 * DAY)))
    moved = led_to("b.example.net", shown(A, B, ttl=5 * DAY))
    assert not deployed(site.look(T0, moved))
    assert not deployed(site.look(T0 + 10 * DAY, moved))
    assert deployed(site.look(T0 + 10 * DAY + HOUR, moved))


ROOT = tlsa("2 1 1", by="root")
ROOTED = chain(root=True)
ROOTED_SWITCHED = chain(by="B", version=2, root=True)
ELSEWHERE = DnsName("_25._tcp.before.example.net")


def leading(to: DnsName | None, *records: TlsaRecord, ttl: timedelta = HOUR) -> OwnerObservation:
    """The alias leads to OTHER, which has those records; at ``ns4`` to what nobody looks at."""
    alias, one = Alias(MX, OTHER, ttl), shown(*records)
    leads = Server(Hostname("ns3.example.org"), "192.0.2.3"), ServerOutcome.LEADS_ON
    where, led_on = Server(Hostname("ns4.example.org"), "192.0.2.4"), ServerOutcome.LEADS_ON
    lags = ServerAnswer(where, ServerOutcome.ANSWERED if to else led_on, elsewhere=to)
    names = frozenset({leads[0].name, where.name})
    zone = DnsName("example.org")
    seen_there = AliasObservation(alias, zone, names, HOUR, (ServerAnswer(*leads), lags))
    answer = one.answer._replace(aliases=(alias,), canonical=OTHER)
    return one._replace(answer=answer, aliases=(seen_there,))


def aliased(new: Held = ROOTED_SWITCHED, live: Held = ROOTED) -> Watch:
    """One that has seen for a month that all lead to records that any chain of ours satisfies."""
    site = Watch(renewal(new, live))
    site.look(T0 - 30 * DAY, leading(None, ROOT))
    return site


def test_what_one_server_s_alias_leads_to_is_as_unknown() -> None:
    """It may have the old authority's alone; caches are led there for that alias's TTL."""
    assert deployed(aliased().look(T0, leading(None, ROOT)))
    site = aliased()
    found = site.look(T0, leading(ELSEWHERE, ROOT, ttl=DAY))
    assert held_back(found, Hold.CANNOT_SEE)
    assert f"ns4.example.org [192.0.2.4] leads to {ELSEWHERE}, where nobody looked" in found.detail
    over = T0 + DAY + Policy().unseen_ttl + HOUR
    assert held_back(site.look(T0 + HOUR, leading(None, ROOT)), Hold.CACHES)
    found = site.look(over - MINUTE, leading(None, ROOT))
    assert held_back(found, Hold.CACHES)
    assert found.refusal is not None
    assert found.refusal.until == over
    assert deployed(site.look(over, leading(None, ROOT)))


def leading_to(end: DnsName, *records: TlsaRecord, ttl: timedelta = HOUR) -> OwnerObservation:
    """At ``ns4`` the alias leads to ``end``, which that server has itself, with those records."""
    one = leading(None, ROOT)
    (alias,) = one.aliases
    first, last = alias.servers
    found = {"records": records, "ttl": ttl, "end": end}
    there = last._replace(outcome=ServerOutcome.ANSWERED, **found)  # type: ignore[arg-type]
    return one._replace(aliases=(alias._replace(servers=(first, there)),))


def test_what_others_have_where_one_server_s_alias_leads_to_is_as_unknown() -> None:
    """It has records there that do; of others that have the name, caches may get other ones."""
    site, both = aliased(), leading_to(ELSEWHERE, ROOT, ttl=DAY)
    last = T0 + 20 * DAY
    for now in (T0, last):
        found = site.look(now, both)
        assert held_back(found, Hold.CANNOT_SEE)
        assert f"ns4.example.org [192.0.2.4] leads to {ELSEWHERE}" in found.detail
    over = last + DAY + Policy().unseen_ttl + HOUR
    for now in (last + HOUR, over - MINUTE):
        found = site.look(now, leading(None, ROOT))
        assert held_back(found, Hold.CACHES)
        assert found.refusal is not None
        assert found.refusal.until == over
    assert deployed(site.look(over, leading(None, ROOT)))


def test_they_do_not_hold_the_certificate() -> None:
    site, both = aliased(), leading_to(ELSEWHERE, ROOT, ttl=DAY)
    live = ROOTED.chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    assert held_back(site.look(latest - MINUTE, both), Hold.CANNOT_SEE)
    assert deployed(site.look(latest, both))


def test_a_server_that_has_no_alias_for_good_holds_a_renewal_once() -> None:
    """All are asked at the name itself since then; a name that is on no way is another matter."""
    site, both = aliased(), leading_to(MX, ROOT, ttl=DAY)
    over = T0 + DAY + Policy().unseen_ttl + HOUR
    found = site.look(T0, both)
    assert held_back(found, Hold.CACHES)
    assert found.refusal is not None
    assert found.refusal.until == over
    (alias,) = both.aliases
    mute = alias._replace(
        servers=(alias.servers[0], ServerAnswer(alias.servers[1].server, UNREACHABLE))
    )
    assert held_back(site.look(over - HOUR, both._replace(aliases=(mute,))), Hold.CACHES)
    assert deployed(site.look(over, both))
    assert held_back(site.look(over, leading_to(ELSEWHERE, ROOT)), Hold.CANNOT_SEE)
    again = aliased()
    again.look(T0, both)
    assert deployed(again.look(over, leading(None, ROOT)))
    assert held_back(again.look(over + HOUR, both), Hold.CACHES)


def test_the_wait_for_a_key_begins_anew_where_one_server_leads_elsewhere_and_has_that() -> None:
    site, begun = aliased(), T0 - 30 * DAY
    site.look(begun + HOUR, leading(None, ROOT))
    memory, later = site.memory.owners[MX], begun + DAY
    assert watched_since(memory, leading_to(OTHER, ROOT), later) == begun  # as the resolver
    for end, once in ((MX, begun), (ELSEWHERE, later)):
        found = leading_to(end, ROOT)
        assert watched_since(memory, found, later) == later
        assert watched_since(memory._replace(ends=frozenset({end})), found, later) == once


def test_under_a_clock_that_is_behind_such_a_way_is_one_that_strayed() -> None:
    site, found = aliased(), leading_to(ELSEWHERE, ROOT, ttl=DAY)
    signed = T0 + 5 * DAY
    site.look(T0, found._replace(answer=found.answer._replace(signed_since=signed)))
    owner = site.memory.owners[MX]
    assert (owner.strayed, owner.astray_until) == (HOUR, signed + DAY)


def test_where_an_alias_leads_astray_names_that_stay_suffice() -> None:
    assert deployed(aliased(chain(version=2, root=True)).look(T0, leading(ELSEWHERE, ROOT)))


def test_what_an_alias_leads_to_astray_holds_no_certificate() -> None:
    live = ROOTED.chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    site = aliased()
    assert held_back(site.look(latest - MINUTE, leading(ELSEWHERE, ROOT)), Hold.CANNOT_SEE)
    assert deployed(site.look(latest, leading(ELSEWHERE, ROOT)))


def test_mail_that_fails_but_perhaps_not_where_an_alias_leads_astray_needs_no_repair_yet() -> None:
    site = Watch(renewal(SWITCHED))
    site.look(T0 - 30 * DAY, leading(None, B))
    assert held_back(site.look(T0, leading(ELSEWHERE, B)), Hold.CANNOT_SEE)
    assert deployed(site.look(T0 + HOUR, leading(None, B)))
    live = chain().chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    late = Watch(renewal(SWITCHED))  # it repairs, whatever caches have
    late.look(latest - HOUR, leading(None, A))
    assert deployed(late.look(latest, leading(ELSEWHERE, B)))


def test_a_service_may_lose_by_what_an_alias_leads_to_astray() -> None:
    presented = chain(key="former", version=3, root=True).chain.ders
    for where, nothing in ((None, True), (ELSEWHERE, False)):
        site, one = aliased(), leading(where, ROOT)
        site.look(T0, one)
        loses = functools.partial(loses_nothing, memory=site.memory, policy=site.policy, now=T0)
        assert loses(MX, presented, ROOTED_SWITCHED, site.state, seen(one)) is nothing
        same = chain(key="former", version=2, root=True)
        assert loses(MX, presented, same, site.state, seen(one))
        switched = chain(key="former", by="B", version=2, root=True)  # its issuers' names may be
        assert loses(MX, presented, switched, site.state, seen(one)) is nothing
        other = chain(version=2, root=True)  # and so may its key
        assert loses(MX, presented, other, site.state, seen(one)) is nothing


def test_it_loses_nothing_more_than_mail_once_the_certificate_nears_its_end() -> None:
    """What nobody looked at holds it no longer then, as in the gate."""
    live = ROOTED.chain
    latest = live.not_after - live.lifetime * Policy().expiry_warning
    presented = chain(key="former", version=3, root=True).chain.ders
    site, one = aliased(), leading(ELSEWHERE, ROOT)
    site.memory = site.memory._replace(deployment=found_live(ROOTED))
    site.look(latest - HOUR, one)
    for now, early in ((latest - MINUTE, True), (latest, False)):
        known = {"memory": site.memory, "policy": site.policy, "now": now}
        lost = not loses_nothing(MX, presented, ROOTED_SWITCHED, site.state, seen(one), **known)  # type: ignore[arg-type]
        refused = refused_live(site.state, seen(one), site.memory, policy=site.policy, now=now)
        assert (lost, refused is not None) == (early, early)


def test_services_are_given_nothing_new_where_an_alias_leads_astray() -> None:
    """None was seen to have what is live: what nobody looked at may fit what they have."""
    site = aliased()
    site.memory = site.memory._replace(deployment=found_live(ROOTED))
    for where, held in ((ELSEWHERE, True), (None, True)):
        site.look(T0, leading(where, ROOT))
        there = seen(leading(where, ROOT))
        refusal = refused_live(site.state, there, site.memory, policy=site.policy, now=T0)
        assert (refusal is not None) is held
    fine = aliased()
    fine.memory = fine.memory._replace(deployment=found_live(ROOTED))
    there = seen(leading(None, ROOT))
    assert refused_live(fine.state, there, fine.memory, policy=fine.policy, now=T0) is None


def test_services_that_have_what_danebot_deployed_lose_nothing_by_it() -> None:
    """Unless one is seen to have another chain all the same."""
    site, one = aliased(), leading(ELSEWHERE, ROOT)
    live = ROOTED.chain
    own = Deployment(live.fingerprint, ROOTED.key.digest, T0 - DAY)
    site.memory = site.memory._replace(deployment=own)
    site.look(T0, one)
    refusals = functools.partial(
        live_refusals, site.state, seen(one), site.memory, policy=site.policy, now=T0
    )
    assert list(refusals()) == []
    assert list(refusals(doubted=(MX2,))) == []
    assert [refusal.owner for refusal in refusals(doubted=(MX,))] == [MX]


def test_what_an_alias_led_to_counts_though_the_owner_was_not_looked_at_now() -> None:
    site = aliased()
    site.memory = site.memory._replace(deployment=found_live(ROOTED))
    site.look(T0, leading(ELSEWHERE, ROOT, ttl=DAY))
    until = T0 + DAY + Policy().unseen_ttl + HOUR
    refusal = refused_live(site.state, {}, site.memory, policy=site.policy, now=T0)
    assert refusal is not None
    assert (refusal.reason, refusal.until) == (LED_ASTRAY, until)


def test_an_alias_that_leads_astray_counts_under_a_clock_that_is_behind_too() -> None:
    one = leading(ELSEWHERE, ROOT, ttl=DAY)
    assert astray_until(OwnerMemory(), one, T0) == T0 + DAY
    later = OwnerMemory(astray_until=T0 + 2 * DAY)
    assert astray_until(later, one, T0) == T0 + 2 * DAY
    assert astray_until(later, leading(None, ROOT), T0) == T0 + 2 * DAY
    assert astray_until(later, leading(None, ROOT), T0 - 365 * DAY) == T0 - 365 * DAY + LONGEST_WAIT
    assert astray_until(OwnerMemory(), leading(None, ROOT), T0) is None
    strayed = later._replace(strayed=3 * DAY)
    assert astray_until(strayed, leading(None, ROOT), T0) == T0 + 3 * DAY
    assert astray_until(OwnerMemory(strayed=HOUR), leading(None, ROOT), T0) is None
    unsigned = one._replace(answer=one.answer._replace(security=Security.INSECURE))
    assert astray_until(OwnerMemory(), unsigned, T0) is None
    assert astray_known_at(OwnerMemory(), Policy()) is None


@pytest.mark.parametrize(("ttl", "negative"), [(3 * DAY, None), (HOUR, 3 * DAY)])
def test_who_leads_astray_does_so_for_its_own_ttls(
    ttl: timedelta, negative: timedelta | None
) -> None:
    """Its alias's, that is, which the resolver never saw; what others hold doesn't count."""
    one = leading(ELSEWHERE, ROOT)
    assert astray_until(OwnerMemory(), one, T0) == T0 + HOUR
    (alias,) = one.aliases
    for number, until in ((1, T0 + 3 * DAY), (0, T0 + HOUR)):
        servers = list(alias.servers)
        servers[number] = servers[number]._replace(ttl=ttl, negative_ttl=negative)
        longer = one._replace(aliases=(alias._replace(servers=tuple(servers)),))
        assert astray_until(OwnerMemory(), longer, T0) == until


def test_the_aliases_of_a_way_that_leads_astray_end_one_after_another() -> None:
    one = leading(ELSEWHERE, ROOT, ttl=DAY)
    two = (*one.answer.aliases, Alias(OTHER, DnsName("a.example.net"), 2 * DAY))
    longer = one._replace(answer=one.answer._replace(aliases=two))
    assert astray_until(OwnerMemory(), longer, T0) == T0 + 3 * DAY


def test_what_led_astray_under_a_clock_that_is_behind_did_so_at_the_true_time() -> None:
    """That is at least when the answer was signed."""
    site, signed = aliased(), T0 + 5 * DAY
    site.look(T0, leading(None, ROOT))
    one = leading(ELSEWHERE, ROOT, ttl=DAY)
    site.look(T0 + HOUR, one._replace(answer=one.answer._replace(signed_since=signed)))
    assert site.memory.owners[MX].astray_until == signed + DAY


# ---- what is live need not be what services serve ----------------------------------------------


def found_live(live: Held, *, confirmed: datetime | None = None) -> Deployment:
    origin = Occurrence.FOUND
    return Deployment(
        live.chain.fingerprint, live.key.digest, T0, confirmed_at=confirmed, origin=origin
    )


FORMER = tlsa("3 1 1", key="former")


@pytest.mark.parametrize("new", [SAME, SWITCHED])
def test_that_live_is_refused_excuses_nothing_where_no_service_was_seen_to_serve_it(
    new: Held,
) -> None:
    """A service may have the former key, which the records name: hooks would end that."""
    site = watch(new, FORMER)
    site.memory = site.memory._replace(deployment=found_live(chain()))
    assert held_back(site.look(T0, shown(FORMER)))
    said = finding(site, T0, shown(FORMER))
    assert "a service may have a former chain yet" in said.text
    assert f"IN TLSA {tlsa('3 1 1')}; it is deployed once" in said.remedy
    site.memory = site.memory._replace(deployment=found_live(chain(), confirmed=T0))
    assert deployed(site.look(T0 + HOUR, shown(FORMER)))


def test_another_chain_s_deployment_tells_nothing_of_what_is_live() -> None:
    site = watch(SAME, FORMER)
    other = Deployment(b"another", b"", T0, confirmed_at=T0)
    site.memory = site.memory._replace(deployment=other)
    assert held_back(site.look(T0, shown(FORMER)))


def test_what_danebot_deployed_is_what_services_serve() -> None:
    site, live = watch(SAME, FORMER), chain()
    last = Deployment(live.chain.fingerprint, live.key.digest, T0)
    site.memory = site.memory._replace(deployment=last)
    assert deployed(site.look(T0, shown(FORMER)))


def test_it_is_held_until_no_cache_has_the_former_key_s_records_alone() -> None:
    own = tlsa("3 1 1")
    site = watch(SAME, FORMER)
    site.memory = site.memory._replace(deployment=found_live(chain()))
    assert held_back(site.look(T0, shown(FORMER, own)), Hold.CACHES)
    assert deployed(site.look(T0 + 3 * HOUR, shown(FORMER, own)))


def test_what_was_there_before_the_first_look_may_be_alone_in_a_cache_where_another_is_served() -> (
    None
):
    """The operator published beside the former key's record just before danebot looked."""
    both, known_at = (FORMER, tlsa("3 1 1")), T0 + 7 * DAY + HOUR
    site = Watch(renewal(SAME))
    site.memory = Memory(deployment=found_live(chain()))
    assert held_back(site.look(T0, shown(*both)), Hold.CACHES)
    assert reload_refused(site, T0) == known_at
    assert held_back(site.look(known_at - MINUTE, shown(*both)), Hold.CACHES)
    assert deployed(site.look(known_at, shown(*both)))
    assert reload_refused(site, known_at) is None


@pytest.mark.parametrize(("days", "severity"), [(60, Severity.INFO), (6, Severity.WARNING)])
def test_a_wait_that_a_short_certificate_can_not_outlast_is_no_quiet_one(
    days: int, severity: Severity
) -> None:
    """The live certificate of six days ends before the week after the first look does."""
    both = (FORMER, tlsa("3 1 1"))
    live = chain(days=days)
    site = Watch(renewal(SAME, live))
    site.memory = Memory(deployment=found_live(live))
    said = finding(site, T0, shown(*both))
    assert said.severity is severity
    warned = severity is Severity.WARNING
    assert ("the live certificate ends 2026-06-07 12:00 UTC" in said.text) is warned
    assert ('unseen_ttl = "1d"' in said.remedy) is warned


@pytest.mark.parametrize("days", [21, 90])
def test_a_wait_for_caches_that_lasts_is_told_with_its_beginning(days: int) -> None:
    """After a third of a short certificate's life, or two weeks."""
    live = chain(days=days)
    patience = min(live.chain.lifetime / 3, 14 * DAY)
    site = watch(chain(by="B", version=2), A, live=live)
    site.look(T0, shown(A, ttl=30 * DAY))
    site.look(T0 + HOUR, shown(A, B))
    for past, lasts in ((0 * DAY, False), (MINUTE, True)):
        said = finding(site, T0 + HOUR + patience + past, shown(A, B))
        assert ("waits since 2026-06-01 13:00 UTC" in said.text) is lasts
        assert ("keep the name servers" in said.remedy) is lasts


@pytest.mark.parametrize(("days", "severity"), [(12, Severity.WARNING), (60, Severity.INFO)])
def test_a_wait_that_reaches_into_the_last_days_is_told_before_them(
    days: int, severity: Severity
) -> None:
    site = watch(chain(by="B", version=2), A, live=chain(days=days))
    site.look(T0, shown(A, ttl=8 * DAY))
    assert finding(site, T0 + HOUR, shown(A, B)).severity is severity


def test_whatever_a_certificate_near_its_end_waits_for_is_said() -> None:
    new = chain(by="B", version=2)
    said = {}
    for days in (6, 60):
        site = watch(new, A, live=chain(days=days))
        said[days] = finding(site, T0 + HOUR, shown(A, B))
    assert (said[60].severity, said[60].remedy) == (Severity.INFO, "")
    assert said[6].severity is Severity.WARNING
    assert "let the records be" in said[6].remedy


def test_services_that_have_what_is_live_need_not_wait_for_what_was_there_before() -> None:
    both = (FORMER, tlsa("3 1 1"))
    site = Watch(renewal(SAME))
    site.memory = Memory(deployment=found_live(chain(), confirmed=T0))
    assert deployed(site.look(T0, shown(*both)))
    assert reload_refused(site, T0) is None


def test_a_server_that_is_long_silent_may_have_the_former_key_s_record_alone() -> None:
    """Neither do services change to what is live then, nor from what they are seen to serve."""
    both = (FORMER, tlsa("3 1 1"))
    site = watch(SAME, *both)
    site.memory = site.memory._replace(deployment=found_live(chain()))
    site.look(T0, shown(*both))
    mute = shown(*both, at={"ns1": None, "ns2": UNREACHABLE})
    site.look(T0 + MINUTE, mute)
    former = chain("former").chain.ders
    for past, safe in ((timedelta(0), True), (HOUR, False)):
        now = T0 + LONGEST_GAP + past
        site.look(now, mute)
        found = refused_live(site.state, seen(mute), site.memory, policy=site.policy, now=now)
        assert (found is None) is safe
        assert safe is loses_nothing(
            MX,
            former,
            SAME,
            site.state,
            seen(mute),
            memory=site.memory,
            policy=site.policy,
            now=now,
        )
        assert reload_refused(site, now) is None  # nobody was asked
    assert found is not None
    assert found.silent == ("ns2.example.org [192.0.2.1]",)


def reload_refused(site: Watch, at: datetime) -> datetime | None:
    """Until when services must not begin to serve what is live."""
    found = refused_live(site.state, {}, site.memory, policy=site.policy, now=at)
    return found.until if found is not None else None


def test_a_live_chain_that_nobody_may_serve_needs_no_repair() -> None:
    """All refuse the live chain and none the new one; caches may have the served one's records."""
    site = watch(SWITCHED, FORMER)
    new = tlsa("2 1 1", by="B")
    site.memory = site.memory._replace(deployment=found_live(chain()))
    assert held_back(site.look(T0, shown(new)), Hold.CACHES)
    site.memory = site.memory._replace(deployment=found_live(chain(), confirmed=T0))
    assert deployed(site.look(T0 + MINUTE, shown(new)))


def test_records_that_were_never_seen_hold_even_the_same_key_where_another_may_be_served() -> None:
    silent = shown(
        at=dict.fromkeys(EVERYWHERE, ServerOutcome.UNREACHABLE), security=Security.INDETERMINATE
    )
    site = Watch(renewal(SAME))
    site.memory = Memory(deployment=found_live(chain()))
    assert held_back(site.look(T0, silent), Hold.CANNOT_SEE)


def test_a_deployment_that_went_no_further_than_the_memory_changed_nothing() -> None:
    """The full disk that stopped it is no reason to let mail fail longer."""
    new = tlsa("2 1 1", by="B")
    site = watch(SWITCHED, A)
    site.look(T0 - HOUR, shown(A))
    begun = Deployment(SWITCHED.chain.fingerprint, SWITCHED.key.digest, T0)
    site.memory = site.memory._replace(deployment=begun, asked=(MX,))
    assert deployed(site.look(T0, shown(new)))


def test_a_service_that_came_since_the_others_were_asked_may_have_another_chain() -> None:
    live = chain()
    own = Deployment(live.chain.fingerprint, live.key.digest, T0, confirmed_at=T0)
    for asked, held in (((MX,), False), ((MX2,), True)):
        site = watch(SAME, FORMER)
        site.memory = site.memory._replace(deployment=own, asked=asked)
        assert (
            held_back(site.look(T0, shown(FORMER)))
            if held
            else deployed(site.look(T0, shown(FORMER)))
        )


# ---- what rests on services serving what is live ------------------------------------------------


def own(live: Held) -> Deployment:
    return Deployment(live.chain.fingerprint, live.key.digest, T0, confirmed_at=T0)


def restored(*shown_records: TlsaRecord, new: Held = SAME) -> tuple[Watch, Plan]:
    """A lineage whose live chain danebot deployed, and confirmed, by a backup's memory."""
    site = watch(new, *shown_records)
    site.memory = site.memory._replace(deployment=own(chain()), asked=(MX,))
    return site, site.look(T0, shown(*shown_records))


def test_an_excuse_rests_on_services_that_are_to_be_asked() -> None:
    _, found = restored(FORMER)
    assert (found.step, found.relies) == (Step.DEPLOY, (MX,))
    assert restored(FORMER, tlsa("3 1 1"))[1].relies == ()
    assert restored()[1].relies == ()
    held = restored(A, new=SWITCHED)[1]  # which no service excuses
    assert (held.step, held.relies) == (None, ())


def test_what_a_service_was_not_seen_to_serve_excuses_nothing_until_it_is_seen() -> None:
    site, found = restored(FORMER)
    site.memory = disproved(site.memory, chain(), T0)
    held = site.look(T0, shown(FORMER))
    assert held_back(held)
    assert held.relies == (MX,)
    one = seen(shown(FORMER))
    asked = Observation(site.state, one, distrust="", unharmed=frozenset({MX}))
    found = plan(asked, site.memory, site.policy, T0)
    assert (found.step, found.relies) == (Step.DEPLOY, ())


def test_each_service_that_excuses_is_to_be_asked() -> None:
    site = Watch(renewal(SAME)._replace(required=(line(), line(MX2))))
    site.look(T0 - 30 * DAY, shown(FORMER), shown(FORMER, owner=MX2))
    found = site.look(T0, shown(FORMER), shown(FORMER, owner=MX2))
    assert (found.step, found.relies) == (Step.DEPLOY, (MX, MX2))
    one = seen(shown(FORMER), shown(FORMER, owner=MX2))
    site.memory = disproved(site.memory, chain(), T0)
    half = Observation(site.state, one, distrust="", unharmed=frozenset({MX}))
    found = plan(half, site.memory, site.policy, T0)
    assert held_back(found)
    assert found.relies == (MX2,)


def test_a_repair_rests_on_them_too() -> None:
    new = chain(key="new", version=2)
    site = watch(new, tlsa("3 1 1"))
    found = site.look(T0, shown(tlsa("3 1 1", key="new")))
    assert (found.repair, found.relies) == (Repair.AT_ONCE, (MX,))
    site.memory = disproved(site.memory, chain(), T0)
    found = site.look(T0, shown(tlsa("3 1 1", key="new")))
    assert (found.repair, found.step, found.relies) == (Repair.NOT_NEEDED, Step.PUT_BACK, (MX,))


@pytest.mark.parametrize(
    ("presented", "there", "safe"),
    [
        ("old", FORMER, True),  # what is live: the gate judges it
        ("third", FORMER, True),  # fails as well
        ("former", FORMER, False),
        ("former", tlsa("3 1 1"), True),  # the new chain mends it
        ("former", tlsa("2 1 1", by="A"), True),  # both are known by the authority
        ("former", tlsa("9 1 1"), True),  # unusable for all
    ],
)
def test_whom_a_renewal_takes_nothing_from(presented: str, there: TlsaRecord, safe: bool) -> None:  # noqa: FBT001 - a column
    site = watch(SAME, there)
    site.look(T0, shown(there))
    served = chain(presented).chain.ders
    assert safe is loses_nothing(
        MX, served, SAME, site.state, {}, memory=site.memory, policy=site.policy, now=T0
    )


def test_what_caches_know_a_service_by_counts_as_long_as_they_have_it() -> None:
    site = watch(SAME, FORMER)
    third = tlsa("3 1 1", key="third")
    served = chain("former").chain.ders
    for minutes, safe in ((1, False), (120, False), (121, True)):
        now = T0 + minutes * MINUTE
        site.look(now, shown(third))
        assert safe is loses_nothing(
            MX, served, SAME, site.state, {}, memory=site.memory, policy=site.policy, now=now
        )


def test_a_compromised_key_is_spared_nothing() -> None:
    site = watch(SAME, FORMER)
    gone = PastKey(chain("former").key.spki, T0, Exposure.COMPROMISED)
    memory = site.memory._replace(past_keys=(gone,))
    served = chain("former").chain.ders
    assert loses_nothing(
        MX, served, SAME, site.state, {}, memory=memory, policy=site.policy, now=T0
    )


def test_a_key_that_is_served_already_harms_nobody() -> None:
    site = watch(SAME, FORMER)
    for key, safe in (("former", True), ("new", False)):
        assert safe is loses_nothing(
            MX,
            chain("former").chain.ders,
            chain(key).key,
            site.state,
            {},
            memory=site.memory,
            policy=site.policy,
            now=T0,
        )
