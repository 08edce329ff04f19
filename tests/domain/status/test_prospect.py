"""What the status document and `status` say of an emergency: known, unknown, or under way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Memory, Request, Urgency
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.status.document import LineageStatus, Prospect, RunStatus
from danebot.domain.status.summary import carry, lineage_status
from danebot.render.lineage import status_lines
from domain.builders import DAY, HOUR, T0, Wait, key, key_file, look, seen, silent, state

NOBODY = Publication((), (), (), ())


def said(wait: Wait, one: OwnerObservation, at: timedelta = timedelta(0)) -> LineageStatus:
    """The document's entry after a look at that time after T0."""
    now = T0 + at
    plan = wait.look(now, one)
    observation = Observation(wait.state, seen(one), distrust="")
    policy = Policy()
    return lineage_status(observation, wait.memory, plan, NOBODY, (), policy=policy, at=now)


def words(status: LineageStatus) -> str:
    lines = [line for line in status_lines(status, T0) if line.startswith("  emergency")]
    return lines[0].removeprefix("  emergency").strip() if lines else ""


def test_it_is_known_once_the_owners_were_seen() -> None:
    status = said(Wait(state=state(), policy=Policy()), look("old", ttl=6 * HOUR))
    assert (status.emergency, status.emergency_wait) == (Prospect.KNOWN.value, 6 * HOUR)
    assert words(status).startswith("a compromised key would be served for 6 h;")


def test_soon_after_the_first_look_it_is_the_unseen_ttl() -> None:
    status = said(Wait(state=state(), policy=Policy(), past=Memory()), look("old"))
    assert status.emergency_wait == 7 * DAY + HOUR
    assert "would be served for 7 d 1 h" in words(status)


def test_what_was_never_seen_is_unknown() -> None:
    status = said(Wait(state=state(), policy=Policy(), past=Memory()), silent())
    assert (status.emergency, status.emergency_wait) == (Prospect.UNKNOWN.value, None)
    assert words(status).startswith("nobody knows how long")


def test_one_under_way_is_not_said_in_the_conditional() -> None:
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    wait = Wait(
        state=state(next_key=key_file("new")), policy=Policy(), memory=Memory(request=request)
    )
    status = said(wait, look("old", ttl=6 * HOUR))
    assert status.emergency == Prospect.UNDER_WAY.value
    assert words(status).startswith("under way: 6 h once every authoritative server has")
    status = said(wait, look("old", "new", ttl=6 * HOUR), HOUR)
    assert words(status) == "under way: its successor is safe from 2026-06-01 19:00 UTC on"
    assert "would" not in words(status)


@pytest.mark.parametrize("urgency", Urgency)
def test_whoever_is_in_a_hurry_is_under_way(urgency: Urgency) -> None:
    request = Request(key("new").digest, T0, urgency)
    wait = Wait(
        state=state(next_key=key_file("new")), policy=Policy(), memory=Memory(request=request)
    )
    under_way = said(wait, look("old")).emergency == Prospect.UNDER_WAY.value
    assert under_way is (urgency is not Urgency.ORDINARY)
    gone = Wait(state=state(), policy=Policy(), memory=Memory(request=request))
    assert said(gone, look("old")).emergency == Prospect.KNOWN.value


def test_nothing_is_said_where_nothing_is_watched() -> None:
    wait = Wait(state=state()._replace(required=()), policy=Policy())
    status = said(wait, look("old"))
    assert (status.emergency, status.emergency_wait) == (Prospect.UNSAID.value, None)
    assert words(status) == ""


# ---- what only a comparison with the document before tells ------------------------------------


def entry(key_name: str = "old") -> LineageStatus:
    return said(Wait(state=state(current=key_name), policy=Policy()), look(key_name))


def run(hours: int, verb: str = "renew") -> RunStatus:
    return RunStatus(verb, "1", T0 + hours * HOUR, T0 + hours * HOUR, 0)


def test_a_key_keeps_its_age_through_renewals() -> None:
    first = carry(entry(), None, run(0), ())
    begins = T0 - 10 * DAY
    assert first.key_since == begins
    assert first.live is not None
    renewed = first._replace(live=first.live._replace(not_before=T0), key_since=None)
    assert carry(renewed, first, run(1), ()).key_since == begins
    other = renewed._replace(current=entry("new").current)
    assert carry(other, first, run(1), ()).key_since == T0
    assert carry(renewed, first._replace(key_since=None), run(1), ()).key_since == T0


def test_a_failure_of_the_call_for_all_is_nobodys_success() -> None:
    first = carry(entry(), None, run(0), ())
    assert (first.last_success, first.last_failure) == (T0, None)
    of_all = Finding(Code.RENEWAL_FAILED, Severity.CRITICAL, "", "certbot fell over", "")
    assert carry(entry(), first, run(1), [of_all]).last_success == T0
    others = of_all._replace(where="elsewhere.example.org")
    assert carry(entry(), first, run(1), [others]).last_success == T0 + HOUR
    own = of_all._replace(where=first.name)
    failed = carry(entry(), first, run(1), [own])
    assert failed.last_success == T0
    assert failed.last_failure is not None
    assert failed.last_failure.at == T0 + HOUR
    assert carry(entry(), first, run(1, "status"), ()).last_success == T0
