"""The way of a rollover: all of its steps, those to come without a mark of being done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.status.document import LineageStatus
from danebot.domain.status.way import rolling, share, way
from danebot.render.lineage import timeline
from exporter import sample
from exporter.sample import DAY, HOUR, NOW

NAME = "mail.example.com"


def unseen() -> LineageStatus:
    return sample.staged(NAME)


def ready() -> LineageStatus:
    return sample.cooling(NAME)._replace(safe_at=NOW - HOUR, phase="standby")


def issued() -> LineageStatus:
    base = ready()
    return base._replace(
        phase="issued", staged=sample.certificate(NAME, HOUR, f"ready{NAME}"), safe_at=NOW - HOUR
    )


def leaving() -> LineageStatus:
    return sample.deployed(NAME)


def confirmed() -> LineageStatus:
    return leaving()._replace(confirmed_at=NOW - HOUR, retire_at=NOW + DAY)


SITUATIONS = [
    (unseen(), 1),
    (sample.cooling(NAME), 2),
    (ready(), 3),
    (issued(), 4),
    (leaving(), 5),
    (confirmed(), 6),
]


@pytest.mark.parametrize(("status", "reached"), SITUATIONS)
def test_all_steps_are_there(status: LineageStatus, reached: int) -> None:
    found = way(status, NOW)
    assert len(found) == 7
    assert [one.reached for one in found] == [True] * reached + [False] * (7 - reached)
    for one in found:
        assert one.at is None or (one.at <= NOW) == one.reached


@pytest.mark.parametrize("status", [sample.lineage(NAME), sample.passed(NAME), sample.broken(NAME)])
def test_without_a_rollover_there_is_none(status: LineageStatus) -> None:
    assert way(status, NOW) == ()


def test_a_renewal_with_the_same_key_is_no_rollover() -> None:
    base = sample.lineage(NAME)._replace(confirmed_at=None, deployed_at=NOW, phase="deployed")
    assert way(base._replace(key_since=NOW - 200 * DAY), NOW) == ()
    assert base.live is not None
    again = base._replace(
        key_since=base.live.not_before
    )  # `danebot deploy`, of a first key perhaps
    assert (way(again, NOW), rolling(again)) == ((), False)
    replaced = again._replace(old_keys=(b"old",))
    assert (way(replaced, NOW)[4].at, rolling(replaced)) == (NOW, True)


@pytest.mark.parametrize(("status", "reached"), SITUATIONS)
def test_whoever_counts_rollovers_counts_those_that_are_drawn(
    status: LineageStatus, reached: int
) -> None:
    del reached
    assert rolling(status) == (status.phase != "standby")


def test_a_step_counts_only_after_those_before_it() -> None:
    """A record that went away again takes the safe time with it, whatever the document says."""
    lost = sample.cooling(NAME)._replace(seen_since=None, safe_at=NOW - HOUR)
    assert [one.reached for one in way(lost, NOW)] == [True] + [False] * 6


@pytest.mark.parametrize(("status", "reached"), SITUATIONS)
def test_a_terminal_shows_how_far_it_is(status: LineageStatus, reached: int) -> None:
    """`[1=====>]` read as 100 %."""
    first, *lines = timeline(status, NOW)
    bar = first.split()[-1]
    assert [char for char in bar if char.isdigit()] == list("1234567")
    done, arrow, rest = bar.partition(">")
    assert arrow
    assert sum(char.isdigit() for char in done) == reached
    assert set(done) <= set("=1234567")
    assert set(rest) <= set(".1234567")
    said = "\n".join(lines)
    for number, stage in enumerate(way(status, NOW), 1):
        words = f"{number} {stage.title}"
        if not stage.reached or stage.at is not None:
            assert said.count(words) == 1
    assert "7 old records gone" in lines[-1]


def test_the_arrow_goes_with_the_time() -> None:
    status = sample.cooling(NAME)
    places = []
    for hours in (-29, 0, 17):
        bar = next(iter(timeline(status, NOW + timedelta(hours=hours)))).split()[-1]
        places.append(bar.index(">") - bar.index("2"))
    assert places == sorted(places)
    assert len(set(places)) == 3


@pytest.mark.parametrize("ahead", [-2 * HOUR, timedelta(0), HOUR])
def test_a_clock_that_was_set_back_leaves_a_picture(ahead: timedelta) -> None:
    """A step is reached, and its time is to come: even after the next one's, or at the same."""
    status = confirmed()._replace(confirmed_at=NOW + 3 * HOUR, retire_at=NOW + 3 * HOUR + ahead)
    assert 0 <= share(way(status, NOW), NOW) <= 1
    usual = len(next(timeline(confirmed(), NOW)))
    assert len(next(timeline(status, NOW))) == usual


def test_a_step_to_come_has_no_time_that_is_past() -> None:
    """What the document expected, and what didn't come by then, is expected by nobody."""
    lost = sample.cooling(NAME)._replace(seen_since=None)
    for safe, told in ((NOW - HOUR, None), (NOW, None), (NOW + HOUR, NOW + HOUR)):
        stages = way(lost._replace(safe_at=safe), NOW)
        assert [one.at for one in stages] == [lost.awaiting_since, None, told, *[None] * 4]
    assert way(confirmed()._replace(retire_at=NOW - HOUR), NOW)[6].at is None


def test_a_key_is_safe_from_the_moment_on_that_was_told() -> None:
    cooling = sample.cooling(NAME)
    for safe, reached in ((NOW, True), (NOW + timedelta(seconds=1), False)):
        assert way(cooling._replace(safe_at=safe), NOW)[2].reached is reached


def test_old_keys_of_a_deployment_that_nobody_remembers_make_no_rollover() -> None:
    """That memory may be lost."""
    base = sample.lineage(NAME)._replace(old_keys=(b"old",))
    assert way(base._replace(deployed_at=None), NOW) == ()
    assert len(way(base, NOW)) == 7


def test_how_far_it_is_goes_with_the_time_from_step_to_step() -> None:
    status = confirmed()._replace(deployed_at=NOW - 9 * HOUR)
    stages = way(status, NOW)  # confirmed an hour ago; old records may go in a day
    assert share(stages, NOW) == 1 / 25
    assert share(stages, NOW + 2 * DAY) == 1
    assert share(stages, NOW - DAY) == 0
    assert share(way(unseen(), NOW), NOW) == 0.25  # nobody knows when records will be seen
    unknown = tuple(one._replace(at=None) if one.reached else one for one in stages)
    assert share(unknown, NOW) == 0.25
