"""Rules of what goes and what stays, one by one: each test fails where its clause is taken out."""

from __future__ import annotations

from datetime import datetime

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.state import Anchored, LineageState
from danebot.domain.rollover.evidence.memory import (
    CancelledKey,
    Deployment,
    Exposure,
    Memory,
    Occurrence,
    PastKey,
    PendingHook,
    PendingRevocation,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.advice import Objection, Obstruction
from danebot.domain.rollover.records.cancel import cancelled
from danebot.domain.rollover.records.in_use import KeysInUse, keys_in_use
from danebot.domain.rollover.records.publication import (
    OwnedRecord,
    Publication,
    conflicts,
    lingering,
    publication,
)
from danebot.domain.rollover.records.retirement import (
    deployment_of,
    found_instead,
    probed,
    proved,
    put_away,
    retire,
    retire_at,
    shown_at,
)
from danebot.domain.rollover.steps.remember import remember
from domain.builders import (
    DAY,
    HOUR,
    MX,
    MX2,
    T0,
    UNREACHABLE,
    blind,
    held,
    key,
    line,
    look,
    record,
    seen,
    silent,
    state,
    witnessed,
)

PAST = PastKey(key("old").spki, T0)
STOLEN = PastKey(key("stolen").spki, T0, Exposure.COMPROMISED)
PROBED = Deployment(b"chain", b"digest", T0, confirmed_at=T0, clear_since=T0)
CLEARED = PROBED._replace(cleared_at=T0 + HOUR)
INSISTED = Deployment(b"chain", b"digest", T0, insisted_at=T0)
AFTER = Memory(deployment=CLEARED, past_keys=(PAST,))
NEW = state(current="new")
BOTH = look("old", "new")
HALF = {"ns1": None, "ns2": UNREACHABLE}


def removed(memory: Memory, *looks: OwnerObservation, lineage: LineageState = NEW) -> bool:
    return bool(publication(lineage, memory, seen(*looks), keys_in_use((lineage,))).remove)


# ---- which records may go --------------------------------------------------------------------


def test_what_relies_on_an_anchor_loses_nothing_on_an_answer_that_proves_nothing() -> None:
    relies = NEW._replace(required=(), anchored=(Anchored(line(), record("anchor")),))
    assert removed(AFTER, BOTH, lineage=relies)
    assert not removed(AFTER, look("old", "new", security=Security.INSECURE), lineage=relies)
    assert not removed(AFTER, look("old", "new", at=HALF), lineage=relies)


def test_where_nothing_is_live_nothing_goes() -> None:
    bare = NEW._replace(live=None, combo=None)
    assert publication(bare, AFTER, seen(BOTH), KeysInUse()).remove == ()


def test_of_an_owner_that_was_not_looked_at_nobody_shows_anything() -> None:
    assert shown_at(MX, {}) == frozenset()
    assert shown_at(MX, seen(look("old"))) == {record("old")}


def test_to_insist_passes_over_some_that_are_silent_and_not_over_all() -> None:
    memory = Memory(deployment=INSISTED, past_keys=(STOLEN,))
    both = look("stolen", "new")
    memory = remember(memory, NEW, seen(both), T0)
    assert removed(memory, look("stolen", "new", at=HALF))
    assert not removed(memory, blind("stolen", "new"))


def test_a_silent_witness_holds_what_the_resolver_alone_shows() -> None:
    assert removed(AFTER, blind("old", "new"))
    assert not removed(AFTER, witnessed(blind("old", "new"), UNREACHABLE))


def test_lines_that_cannot_be_read_ask_for_nothing() -> None:
    unread = NEW._replace(required=None, remembered=(line(),))
    found = publication(unread, AFTER, seen(BOTH), keys_in_use((unread,)))
    assert (found.add, found.unseen, found.remove) == ((), (), ())


def test_what_is_wanted_where_nobody_answers_is_told_apart() -> None:
    found = publication(NEW, Memory(), seen(silent()), keys_in_use((NEW,)))
    assert [one.record for one in found.unseen] == [record("new")]
    assert found.add == ()


# ---- what is said ----------------------------------------------------------------------------


def test_a_line_that_would_harm_others_is_a_warning() -> None:
    objections = tuple(Objection(why, MX, "text", "remedy") for why in Obstruction)
    said, *others = conflicts(NEW, Publication((), (), (), (), objections=objections))
    assert len(others) == len(Obstruction) - 2  # all but what could not be seen
    assert (said.code, said.severity) == (Code.DIGEST_CONFLICT, Severity.WARNING)
    assert (said.where, said.text, said.remedy) == (NEW.name, "text", "remedy")


def test_records_of_a_cancelled_key_are_not_told_as_those_of_an_old_one() -> None:
    """They have words of their own, which say why they are there."""
    entry = CancelledKey(key("next").digest, T0, key("next").spki)
    memory = cancelled(AFTER, entry)
    one = look("old", "new", "next")
    found = publication(NEW, memory, seen(one), keys_in_use((NEW,)))
    assert {item.record for item in found.remove} == {record("old"), record("next")}
    (said,) = lingering(NEW, memory, found, KeysInUse())
    assert said.text.startswith("an old key's record may be removed")
    assert str(record("old")) in said.text


def test_several_records_are_counted() -> None:
    found = publication(NEW, AFTER, seen(look("old", "new", mtypes=[1, 2])), keys_in_use((NEW,)))
    (said,) = lingering(NEW, AFTER, found, KeysInUse())
    assert said.text.startswith("2 records of old keys may be removed")


# ---- keys that nobody needs --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory", "used", "done"),
    [
        (AFTER, "new", True),
        (AFTER, "old", False),
        (AFTER._replace(deployment=PROBED), "new", False),
        (Memory(past_keys=(PAST._replace(retired_at=T0),)), "new", True),
        (Memory(past_keys=(PAST,)), "new", False),
    ],
)
def test_what_is_put_away(memory: Memory, used: str, *, done: bool) -> None:
    in_use = KeysInUse(frozenset({key(used).spki}))
    assert list(put_away(memory, in_use)) == [key("old").spki] * done


def test_each_past_key_is_retired_for_itself() -> None:
    """One probe is enough for a compromised key; the other still waits for the second."""
    memory = Memory(deployment=PROBED, past_keys=(PAST, STOLEN))
    left = retire(memory, NEW, seen(look("new")), T0 + DAY)
    assert left.past_keys == (PAST, STOLEN._replace(retired_at=T0 + DAY))
    assert retire(left, NEW, seen(look("new")), T0 + 2 * DAY) == left


def test_every_owner_must_have_been_looked_at() -> None:
    two = state(line(), line(MX2), current="new")
    memory = Memory(deployment=CLEARED, past_keys=(PAST,))
    assert retire(memory, two, seen(look("new")), T0) == memory
    assert retire(memory, two, seen(look("new"), look("new", owner=MX2, at=HALF)), T0) == memory
    gone = retire(memory, two, seen(look("new"), look("new", owner=MX2)), T0)
    assert gone.past_keys == ()
    assert MX in two.owners


# ---- probes ----------------------------------------------------------------------------------


def test_a_probe_dated_in_the_future_counts_from_now_on() -> None:
    ahead = PROBED._replace(clear_since=T0 + DAY)
    assert probed(ahead, clean=True, policy=Policy(), now=T0).clear_since == T0
    assert probed(ahead, clean=True, policy=Policy(), now=T0 + DAY).clear_since == T0 + DAY


def test_when_it_was_cleared_is_not_dated_anew() -> None:
    later: datetime = T0 + 5 * DAY
    assert probed(CLEARED, clean=True, policy=Policy(), now=later).cleared_at == T0 + HOUR


def test_without_a_deployment_no_record_has_a_date_to_go() -> None:
    assert retire_at(Memory(past_keys=(PAST,)), Policy()) is None


# ---- what came there by another way ----------------------------------------------------------


def test_what_is_live_counts_as_found_where_nothing_was_deployed() -> None:
    live = held("new")
    found = Deployment(live.chain.fingerprint, key("new").digest, T0, origin=Occurrence.FOUND)
    assert deployment_of(Memory(), live, T0) == found
    assert deployment_of(AFTER, live, T0) == CLEARED


def test_a_chain_that_came_there_by_another_way_is_to_be_confirmed() -> None:
    live = held("new", 2)
    found = found_instead(CLEARED, live)
    assert found == CLEARED._replace(
        chain=live.chain.fingerprint,
        digest=key("new").digest,
        confirmed_at=None,
        origin=Occurrence.FOUND,
    )
    same = CLEARED._replace(chain=live.chain.fingerprint)
    assert found_instead(same, live) == same


FOUND = PROBED._replace(origin=Occurrence.FOUND)


@pytest.mark.parametrize(
    ("memory", "ended"),
    [
        (Memory(deployment=FOUND), True),
        (Memory(), False),
        (Memory(deployment=PROBED), False),
        (Memory(deployment=FOUND._replace(pending=(PendingHook("reload", 1, "x"),))), False),
        (Memory(deployment=FOUND._replace(confirmed_at=None)), False),
        (Memory(deployment=FOUND, past_keys=(PAST,)), False),
        (Memory(deployment=FOUND, revocations=(PendingRevocation(b"spki"),)), False),
    ],
)
def test_a_deployment_that_was_none_ends_once_all_serve_it(memory: Memory, *, ended: bool) -> None:
    assert proved(memory) == (memory._replace(deployment=None) if ended else memory)


def test_a_past_key_is_retired_also_where_nothing_is_served() -> None:
    nothing = NEW._replace(live=None, combo=None)
    assert retire(AFTER, nothing, seen(look("new")), T0).past_keys == ()


# ---- what is unsettled ------------------------------------------------------------------------


def test_whatever_lacks_or_is_unknown_leaves_it_unsettled() -> None:
    settled = Publication((), (), (), ())
    one = (OwnedRecord(MX, record("new")),)
    said = (Objection(Obstruction.UNSEEN, MX, "text", "remedy"),)
    assert not settled._replace(keep=one, remove=one, foreign=one).unsettled
    assert settled._replace(add=one).unsettled
    assert settled._replace(repair=one).unsettled
    assert settled._replace(unseen=one).unsettled
    assert settled._replace(objections=said).unsettled


def test_a_stolen_key_s_records_are_not_told_as_those_of_an_old_one() -> None:
    """A warning tells of them."""
    memory = Memory(deployment=PROBED, past_keys=(STOLEN,))
    found = publication(NEW, memory, seen(look("stolen", "new")), keys_in_use((NEW,)))
    assert [one.record for one in found.remove] == [record("stolen")]
    assert lingering(NEW, memory, found, KeysInUse()) == ()
