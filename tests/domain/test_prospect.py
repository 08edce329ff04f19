"""What the status document and `status` say of an emergency: known, unknown, or under way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from danebot.domain.dns import OwnerObservation
from danebot.domain.memory import Memory, Request, Urgency
from danebot.domain.policy import Policy
from danebot.domain.retire import Publication
from danebot.domain.rollover import Observation
from danebot.domain.snapshot import LineageStatus, Prospect, lineage_status
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


def test_nothing_is_said_where_nothing_is_watched() -> None:
    wait = Wait(state=replace(state(), required=()), policy=Policy())
    status = said(wait, look("old"))
    assert (status.emergency, status.emergency_wait) == (Prospect.UNSAID.value, None)
    assert words(status) == ""
