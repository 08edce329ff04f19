"""A cancelled key: nothing waits for it, its records go, and then it is forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Severity
from danebot.domain.lineage.state import KeyFile, LineageState, UnknownKey
from danebot.domain.rollover.evidence.memory import (
    CancelledKey,
    Failure,
    Memory,
    PastKey,
    Publishing,
    Request,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.cancel import (
    cancelled,
    cancelling,
    forget_cancelled,
    taken_back,
    to_be_gone,
)
from danebot.domain.rollover.records.in_use import KeysInUse, keys_in_use
from danebot.domain.rollover.records.publication import publication
from danebot.domain.rollover.steps.phases import Keep, Observation, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MX,
    T0,
    UNREACHABLE,
    held,
    key,
    key_file,
    line,
    look,
    record,
    state,
)

STAGED = state(next_key=key_file("new"))
BOTH = look("old", "new")
WAITING = remember(Memory(request=Request(key("new").digest, T0)), STAGED, {MX: BOTH}, T0)
ENTRY = CancelledKey(key("new").digest, T0, key("new").spki)
STABLE = state()
AFTER = cancelled(WAITING, ENTRY)


def removed(
    memory: Memory, *looks: OwnerObservation, lineage: LineageState = STABLE
) -> list[TlsaRecord]:
    found = publication(lineage, memory, {one.owner: one for one in looks}, keys_in_use([lineage]))
    return [one.record for one in found.remove]


def test_the_wait_and_the_request_end_and_its_records_go() -> None:
    assert cancelling(WAITING, STAGED, T0) == ENTRY
    assert (AFTER.awaiting, AFTER.request, AFTER.cancelled) == (None, None, (ENTRY,))
    found = publication(STABLE, AFTER, {MX: BOTH}, KeysInUse())
    assert [one.record for one in found.remove] == [record("new")]
    assert (found.add, found.foreign) == ((), ())
    assert removed(AFTER, look("old", "new", mtypes=[1, 2])) == [record("new"), record("new", 2)]


def test_it_goes_wherever_the_live_key_isn_t() -> None:
    """It matches nothing that is served: no sender is worse off without."""
    assert removed(AFTER, look("new")) == [record("new")]
    assert removed(AFTER, look("old", "new", at={"ns1": None, "ns2": UNREACHABLE})) == [
        record("new")
    ]


@pytest.mark.parametrize(
    "lineage",
    [
        STABLE._replace(staged=held("new", 2)),
        STABLE._replace(ready=key_file("new")),
        STABLE._replace(live=None),
    ],
)
def test_not_while_the_key_is_or_may_be_in_use(lineage: LineageState) -> None:
    assert removed(AFTER, BOTH, lineage=lineage) == []


def test_a_past_key_that_was_taken_up_again_goes_as_past_keys_do() -> None:
    past = AFTER._replace(past_keys=(PastKey(key("new").spki, T0),))
    assert removed(past, BOTH) == []


def test_an_unreadable_file_leaves_what_was_remembered() -> None:
    """Every form of the record, where the key itself is known; else the digest's."""
    unreadable = state(next_key=KeyFile(None, T0))
    later = remember(WAITING, unreadable, {MX: BOTH}, T0 + DAY)
    assert later.awaiting == WAITING.awaiting
    assert cancelling(later, unreadable, T0) == ENTRY
    assert WAITING.awaiting is not None
    old = WAITING._replace(awaiting=WAITING.awaiting._replace(spki=b""))
    entry = cancelling(old, unreadable, T0)
    assert entry == ENTRY._replace(spki=b"")
    assert removed(cancelled(old, entry), BOTH) == [record("new")]
    assert cancelling(Memory(), unreadable, T0) is None
    assert cancelling(WAITING, STABLE, T0) is None
    refreshed = remember(old, STAGED, {MX: BOTH}, T0 + DAY)
    assert refreshed.awaiting is not None
    assert refreshed.awaiting.spki == key("new").spki


@pytest.mark.parametrize(
    "one",
    [
        BOTH,
        look("old", resolver=("old", "new")),
        look("old", at={"ns1": None, "ns2": ("old", "new")}),
        look("old", at={"ns1": None, "ns2": UNREACHABLE}),
    ],
)
def test_it_is_forgotten_when_everybody_is_seen_without(one: OwnerObservation) -> None:
    assert forget_cancelled(AFTER, STABLE, {MX: look("old")}, T0).cancelled == ()
    assert forget_cancelled(AFTER, STABLE, {MX: one}, T0) == AFTER
    assert forget_cancelled(AFTER, STABLE, {}, T0) == AFTER
    assert forget_cancelled(AFTER, STABLE._replace(required=None), {MX: one}, T0) == AFTER


def test_what_was_sent_a_moment_ago_may_still_arrive() -> None:
    sent = WAITING._replace(publishing=Publishing(changed_at=T0))
    memory = cancelled(sent, cancelling(sent, STAGED, T0))
    gone = {MX: look("old")}
    assert forget_cancelled(memory, STABLE, gone, T0) == memory
    assert forget_cancelled(memory, STABLE, gone, T0 + HOUR).cancelled == ()


def test_a_lineage_that_never_had_owners_has_nothing_to_wait_for() -> None:
    assert forget_cancelled(AFTER, STABLE._replace(required=()), {}, T0).cancelled == ()


def test_it_is_said_quietly_until_it_lasts() -> None:
    found = publication(STABLE, AFTER, {MX: BOTH}, KeysInUse())
    for after, severity in ((DAY, Severity.NOTICE), (15 * DAY, Severity.WARNING)):
        now = T0 + after
        (said,) = to_be_gone(STABLE, AFTER, {MX: BOTH}, found, policy=Policy(), now=now)
        assert said.severity is severity
        assert f"{MX}. IN TLSA {record('new')}" in said.text
        assert said.remedy == "remove what this prints: danebot tlsa mx.example.org"
    gone = publication(STABLE, AFTER, {MX: look("old")}, KeysInUse())
    (said,) = to_be_gone(STABLE, AFTER, {MX: look("old")}, gone, policy=Policy(), now=T0 + 15 * DAY)
    assert said.severity is Severity.NOTICE, "a server that is silent is said by others"


def test_cancelled_twice_is_cancelled_once_and_can_be_taken_back() -> None:
    assert cancelled(AFTER, ENTRY).cancelled == (ENTRY,)
    assert cancelled(AFTER, None).cancelled == (ENTRY,)
    assert taken_back(AFTER, ENTRY.digest).cancelled == ()
    assert taken_back(AFTER, b"other") == AFTER


def test_a_chain_with_a_cancelled_key_is_put_back_and_its_key_is_no_next_key() -> None:
    """Published everywhere, a stranger's key would become the next key."""
    issued = state(line(), staged=held("new", 2))
    kept = issued._replace(cancelled=(UnknownKey(key("new"), "cancelled-00.pem"),))
    for lineage, keep in ((issued, Keep.AS_NEXT), (kept, Keep.NOWHERE)):
        memory = remember(AFTER, lineage, {MX: BOTH}, T0 + DAY)
        found = plan(Observation(lineage, {MX: BOTH}, ""), memory, Policy(), T0 + DAY)
        assert (found.step, found.keep) == (Step.PUT_BACK, keep)


# ---- clause by clause: each fails where its own is taken out ----------------------------------


def test_all_that_waited_for_it_ends() -> None:
    failed = Failure("refused", 1, T0, T0, T0 + DAY)
    after = cancelled(WAITING._replace(promotion_failure=failed), ENTRY)
    assert (after.awaiting, after.request, after.promotion_failure) == (None, None, None)


def test_other_cancelled_keys_stay_and_one_that_comes_again_is_there_once() -> None:
    other = CancelledKey(key("other").digest, T0, key("other").spki)
    memory = cancelled(cancelled(WAITING, other), ENTRY)
    assert memory.cancelled == (other, ENTRY)
    again = ENTRY._replace(at=T0 + DAY)
    assert cancelled(memory, again).cancelled == (other, again)
    assert cancelled(memory, None).cancelled == (other, ENTRY)


def test_a_key_whose_wait_is_forgotten_is_known_by_its_file() -> None:
    assert cancelling(Memory(), STAGED, T0) == ENTRY


def test_what_is_said_of_it_tells_where_it_is_seen_and_what_to_do() -> None:
    late = Policy().staged_warning

    def said(one: OwnerObservation, at: timedelta = DAY) -> tuple[Severity, str, str]:
        found = publication(STABLE, AFTER, {MX: one}, KeysInUse())
        (told,) = to_be_gone(STABLE, AFTER, {MX: one}, found, policy=Policy(), now=T0 + at)
        return told.severity, told.text, told.remedy

    severity, text, remedy = said(BOTH)
    assert severity is Severity.NOTICE
    assert text == f"a cancelled key's record is still published: {MX}. IN TLSA {record('new')}"
    assert remedy == "remove what this prints: danebot tlsa mx.example.org"
    assert said(BOTH, late)[0] is Severity.NOTICE
    assert said(BOTH, late + HOUR)[0] is Severity.WARNING
    severity, text, remedy = said(look("old", at={"ns1": None, "ns2": UNREACHABLE}), late + HOUR)
    assert severity is Severity.NOTICE, "nobody shows it"
    assert text.startswith("a cancelled key's records may be published, as not all servers answer")
    assert remedy.startswith("it is forgotten")


def test_several_records_of_a_cancelled_key_are_told_together() -> None:
    both = look("old", "new", mtypes=[1, 2])
    found = publication(STABLE, AFTER, {MX: both}, KeysInUse())
    (told,) = to_be_gone(STABLE, AFTER, {MX: both}, found, policy=Policy(), now=T0)
    assert told.text.startswith("a cancelled key's records are still published: ")


def test_lost_keys_are_cancelled_too() -> None:
    """Dated as the key that was cancelled, else as before."""
    lost = CancelledKey(key("lost").digest, T0, key("lost").spki)
    later = ENTRY._replace(at=T0 + DAY)
    after = cancelled(Memory(lost=(lost,)), later)
    assert (after.lost, after.cancelled) == ((), (lost._replace(at=T0 + DAY), later))
    assert cancelled(Memory(lost=(lost,)), None) == Memory(cancelled=(lost,))
