"""When services are due, and what is kept until somebody takes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from danebot_exporter.feed.outbox import Outbox, Patience
from danebot_exporter.feed.schedule import Schedule
from danebot_exporter.feed.services import Fed, FedResult, Pace

PACE = Pace(timedelta(seconds=60), timedelta(seconds=10))
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def fed(count: int, pace: Pace = PACE) -> list[Fed]:
    return [Fed("h", f"s{number}", pace=pace) for number in range(count)]


def found(service: Fed, status: int = 0) -> FedResult:
    return FedResult(service, status, f"DANE {status}\n", NOW, NOW, timedelta(minutes=3))


def played(schedule: Schedule, seconds: int, status: int = 0) -> dict[str, list[int]]:
    """When each service was looked at, second by second."""
    times: dict[str, list[int]] = {}
    for now in range(seconds):
        while (service := schedule.take(now)) is not None:
            times.setdefault(service.name, []).append(now)
            schedule.done(service, status, now)
    return times


def test_each_is_looked_at_soon_and_then_at_its_interval_spread_evenly() -> None:
    schedule = Schedule()
    schedule.replace(fed(30), 0)
    times = played(schedule, 600)
    assert sorted(one[0] for one in times.values()) == list(range(30))
    late = sorted(when % 60 for one in times.values() for when in one if 540 <= when < 600)
    assert late == list(range(0, 60, 2))
    gaps = {b - a for one in times.values() for a, b in pairwise(one[1:])}
    assert gaps == {60}
    assert all(30 <= one[1] - one[0] <= 90 for one in times.values())


def test_after_a_change_it_is_looked_at_sooner_until_looks_agree() -> None:
    schedule = Schedule()
    schedule.replace(fed(1), 0)
    assert played(schedule, 100, status=2)["s0"] == [0, 10, 20, 60]
    (service,) = fed(1)
    assert schedule.take(120) == service
    schedule.done(service, 0, 121)
    assert schedule.take(130) is None
    assert schedule.take(131) == service


def test_a_list_that_changed_keeps_the_times_of_others() -> None:
    schedule = Schedule()
    schedule.replace(fed(2), 0)
    played(schedule, 5)
    schedule.replace(fed(3), 5)
    taken = schedule.take(5)
    assert taken is not None
    assert taken.name == "s2"
    assert schedule.take(5) is None
    schedule.replace(fed(1), 6)
    assert not schedule.done(taken, 0, 7)  # it is gone: nobody wants its result
    assert set(played(schedule, 200)) == {"s0"}


def test_one_that_changed_while_it_was_looked_at_is_looked_at_again() -> None:
    schedule = Schedule()
    schedule.replace(fed(1), 0)
    old = schedule.take(0)
    assert old is not None
    new = old._replace(options=("--domain", "x"))
    schedule.replace([new], 1)
    assert not schedule.done(old, 0, 2)
    assert schedule.take(2) == new
    assert schedule.take(2) is None


def test_a_look_is_not_made_twice_at_once() -> None:
    schedule = Schedule()
    schedule.replace(fed(1), 0)
    assert schedule.take(0) is not None
    assert schedule.take(1000) is None


def test_the_newest_of_each_service_is_kept() -> None:
    outbox = Outbox()
    one, other = fed(2)
    assert not outbox.put(found(one))
    assert not outbox.put(found(other))
    assert outbox.put(found(one, 2))
    assert len(outbox) == 2
    taken = outbox.take(1, 0)
    assert [result.status for result in taken] == [2]
    outbox.put(found(one, 1))
    outbox.give_back(taken)  # something newer came meanwhile
    assert sorted(result.status for result in outbox.take(9, 0)) == [0, 1]


def test_what_is_no_longer_fed_is_forgotten() -> None:
    outbox = Outbox()
    one, other = fed(2)
    outbox.put(found(one))
    outbox.put(found(other))
    outbox.retain({one.key})
    assert [result.service for result in outbox.take(9, 0)] == [one]


def test_failures_in_a_row_are_waited_for_longer() -> None:
    patience = Patience()
    assert [patience.failed() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    patience.worked()
    assert patience.failed() == 1
