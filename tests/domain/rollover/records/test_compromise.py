"""A stolen key that is published or valid still is a warning by itself, with what it waits for."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Memory,
    PastKey,
    PendingHook,
    PendingRevocation,
)
from danebot.domain.rollover.records.compromise import ACCEPTED, at_large, insist
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.records.publication import Publication, publication
from domain.builders import HOUR, MX2, T0, UNREACHABLE, key, line, look, record, seen, state

OLD, NEW = key("old"), key("new")
LINEAGE = state(line(), current="new")
BOTH = look("old", "new")
DEAD = "mx.example.org:993 [192.0.2.9] could not be asked (no answer)"
STOLEN = PastKey(OLD.spki, T0, Exposure.COMPROMISED)


def memory(
    *,
    past: PastKey = STOLEN,
    clear: bool = False,
    behind: tuple[str, ...] = (),
    pending: tuple[PendingHook, ...] = (),
    revocations: tuple[PendingRevocation, ...] = (),
) -> Memory:
    deployment = Deployment(
        b"chain",
        NEW.digest,
        T0,
        pending=pending,
        confirmed_at=T0 if clear else None,
        clear_since=T0 if clear else None,
        behind=behind,
    )
    return Memory(deployment=deployment, past_keys=(past,), revocations=revocations)


def published(known: Memory, one: OwnerObservation) -> Publication:
    return publication(LINEAGE, known, seen(one), KeysInUse(frozenset({NEW.spki})))


def said(known: Memory, one: OwnerObservation = BOTH) -> dict[FindingKind, Finding]:
    found = {f.code: f for f in at_large(LINEAGE, known, seen(one), published(known, one))}
    assert all(
        finding.severity is Severity.WARNING and finding.remedy for finding in found.values()
    )
    return found


def test_one_dead_port_leaves_it_published_and_that_is_said_with_the_port() -> None:
    finding = said(memory(behind=(DEAD,)))[Code.COMPROMISED_PUBLISHED]
    assert str(record("old")) in finding.text
    assert DEAD in finding.text
    assert f'--although-unconfirmed "{ACCEPTED}" {LINEAGE.name}' in finding.remedy


def test_a_hook_that_fails_is_named() -> None:
    finding = said(memory(pending=(PendingHook("reload.sh", 2, "x"),)))[Code.COMPROMISED_PUBLISHED]
    assert "reload.sh" in finding.text


def test_before_anybody_was_asked_that_is_said() -> None:
    assert "not asked yet" in said(memory())[Code.COMPROMISED_PUBLISHED].text


def test_once_the_services_are_clear_the_record_is_to_be_removed() -> None:
    known = memory(clear=True)
    assert published(known, BOTH).remove
    assert "danebot tlsa" in said(known)[Code.COMPROMISED_PUBLISHED].remedy


def test_a_resolver_s_cache_or_one_server_is_enough_to_be_published() -> None:
    for one in (
        look("new", resolver=["old", "new"]),
        look("new", at={"ns1": None, "ns2": ["old", "new"]}),
    ):
        assert Code.COMPROMISED_PUBLISHED in said(memory(behind=(DEAD,)), one)


def test_what_caches_alone_have_needs_time_and_no_change() -> None:
    cached = look("new", resolver=["old", "new"])
    found = said(memory(clear=True), cached)[Code.COMPROMISED_PUBLISHED]
    assert "gone from every server, and caches have it" in found.text
    assert "wait for its TTL" in found.remedy
    for at in ({"ns1": None, "ns2": UNREACHABLE}, {"ns1": None, "ns2": ["old", "new"]}):
        one = look("new", at=at, resolver=["old", "new"])
        assert "gone" not in said(memory(clear=True), one)[Code.COMPROMISED_PUBLISHED].text


@pytest.mark.parametrize(
    "past", [STOLEN._replace(exposure=Exposure.NONE), STOLEN._replace(retired_at=T0)]
)
def test_of_an_ordinary_or_a_retired_key_nothing_is_said(past: PastKey) -> None:
    assert said(memory(past=past, behind=(DEAD,))) == {}


def test_where_nobody_shows_it_nothing_is_said() -> None:
    assert said(memory(behind=(DEAD,)), look("new")) == {}


def test_certificates_that_are_not_revoked_yet_are_said() -> None:
    known = memory(behind=(DEAD,), revocations=(PendingRevocation(OLD.spki),))
    finding = said(known, look("new"))[Code.REVOCATION_WAITS]
    assert DEAD in finding.text
    assert "--although-unconfirmed" in finding.remedy
    tried = memory(revocations=(PendingRevocation(OLD.spki, 1, "refused"),))
    assert said(tried, look("new")) == {}  # REVOCATION_FAILED says it


def test_certificates_that_nothing_keeps_are_revoked_by_the_next_run() -> None:
    known = memory(clear=True, revocations=(PendingRevocation(OLD.spki),))
    finding = said(known, look("new"))[Code.REVOCATION_WAITS]
    assert "next danebot renew" in finding.text
    assert finding.remedy == f"run: danebot renew {LINEAGE.name}"


# ---- the operator's word --------------------------------------------------------------------


def test_the_operator_s_word_lets_the_record_go() -> None:
    known = memory(behind=(DEAD,))
    assert not published(known, BOTH).remove
    insisted = insist(known, T0 + HOUR)
    assert [item.record for item in published(insisted, BOTH).remove] == [record("old")]
    assert "danebot tlsa" in said(insisted)[Code.COMPROMISED_PUBLISHED].remedy


def test_it_lets_no_record_go_where_the_live_key_s_is_missing() -> None:
    insisted = insist(memory(behind=(DEAD,)), T0 + HOUR)
    for one in (look("old"), look("old", "new", at={"ns1": None, "ns2": ["old"]})):
        assert not published(insisted, one).remove
        assert "missing" in said(insisted, one)[Code.COMPROMISED_PUBLISHED].remedy


def test_a_silent_secondary_stands_in_the_way_of_nobody_who_insists() -> None:
    quiet = look("old", "new", at={"ns1": None, "ns2": UNREACHABLE})
    known = memory(clear=True)
    assert not published(known, quiet).remove
    assert published(insist(known, T0 + HOUR), quiet).remove
    nobody = look("old", "new", at={"ns1": UNREACHABLE, "ns2": UNREACHABLE})
    assert not published(insist(known._replace(owners={}), T0), nobody).add


def test_without_a_compromised_key_there_is_nothing_to_insist_on() -> None:
    ordinary = memory(past=STOLEN._replace(exposure=Exposure.NONE))
    assert insist(ordinary, T0) == ordinary
    assert insist(Memory(), T0) == Memory()
    assert insist(memory(past=STOLEN._replace(retired_at=T0)), T0).deployment == memory().deployment


def test_an_ordinary_key_s_record_stays_though_the_operator_insists() -> None:
    mixed = memory(behind=(DEAD,))._replace(
        past_keys=(STOLEN, PastKey(key("older").spki, T0)),
    )
    three = look("old", "new", "older")
    removed = {item.record for item in published(insist(mixed, T0), three).remove}
    assert removed == {record("old")}


# ---- clause by clause: each fails where its own is taken out ----------------------------------

WANTED = (PendingRevocation(OLD.spki),)


def test_to_insist_counts_for_revocations_alone_and_needs_a_deployment() -> None:
    """The key's records may be gone while its certificates are valid."""
    only = memory(revocations=WANTED)._replace(past_keys=())
    insisted = insist(only, T0).deployment
    assert insisted is not None
    assert insisted.insisted_at == T0
    nothing = Memory(past_keys=(STOLEN,), revocations=WANTED)
    assert insist(nothing, T0) == nothing


def test_before_any_deployment_there_is_nothing_to_wait_for() -> None:
    found = said(Memory(past_keys=(STOLEN,), revocations=WANTED))
    assert list(found) == [Code.COMPROMISED_PUBLISHED]
    assert "it stays until the live key's record is seen" in found[Code.COMPROMISED_PUBLISHED].text


def test_an_owner_that_was_not_looked_at_shows_nothing() -> None:
    two = state(line(), line(MX2), current="new")
    known = memory()
    found = publication(two, known, seen(BOTH), KeysInUse(frozenset({NEW.spki})))
    (told,) = at_large(two, known, seen(BOTH), found)
    assert f"{record('old')}: " in told.text, "nothing more"
    both = seen(BOTH, look("old", "new", owner=MX2))
    (told,) = at_large(two, known, both, found)
    assert f"{record('old')} and 1 more: " in told.text


def test_what_the_services_did_says_nothing_where_the_live_record_lacks() -> None:
    """One probe was clean, so that is no reason any more; the record of the live key is."""
    known = memory(clear=True, behind=(DEAD,))
    half = look("old", "new", at={"ns1": None, "ns2": ["old"]})
    told = said(known, half)[Code.COMPROMISED_PUBLISHED]
    assert "it stays until the live key's record is seen" in told.text
    assert DEAD not in told.text


def test_after_the_operator_insisted_nothing_is_asked_of_him_again() -> None:
    known = insist(memory(behind=(DEAD,), revocations=WANTED), T0)
    told = said(known)[Code.REVOCATION_WAITS]
    assert told.text == (
        "the compromised key's certificates are not revoked yet: that is tried at the next "
        "danebot renew"
    )
    assert told.remedy == "run: danebot renew mx.example.org"


def test_without_a_clean_probe_the_services_were_not_asked() -> None:
    known = memory(clear=True, revocations=WANTED)
    clear = known.deployment
    assert clear is not None
    assert "not asked yet" not in said(known)[Code.REVOCATION_WAITS].text
    for half in (clear._replace(confirmed_at=None), clear._replace(clear_since=None)):
        told = said(known._replace(deployment=half))[Code.REVOCATION_WAITS]
        assert "not asked yet" in told.text
