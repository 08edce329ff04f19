"""The feed goes on: whatever one service, one list or one thread does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from checking import NAME, world_in
from danebot.plugin import dane_options
from danebot_exporter.feed import feeder as feeder_module
from danebot_exporter.feed import looks as looks_module
from danebot_exporter.feed.counts import FeedCounts
from danebot_exporter.feed.feeder import Feeder
from danebot_exporter.feed.looks import Looks
from danebot_exporter.feed.schedule import Schedule
from danebot_exporter.feed.services import Fed, FedResult, Pace
from exporter.test_feed_schedule import fed
from monitoring.feeding import until

WORDS = ("--domain", "a.example", "--resolver", "127.0.0.1:1", "--helo", "me.example", "-t", "1")


def looked(*services: Fed) -> dict[str, FedResult]:
    """What one round of looks finds."""
    left, found = list(services), dict[str, FedResult]()

    def done(one: FedResult) -> None:
        found[one.service.name] = one
        if len(found) == len(services):
            looks.stop()

    looks = Looks(lambda: left.pop(0) if left else None, done, timedelta(0))
    looks.run()
    return found


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "/x\0y"])
def test_a_file_that_can_not_be_asked_about_is_unknown(path: str) -> None:
    found = looked(Fed("h", "bad", (*WORDS, f"--ca-file={path}")), Fed("h", "good", WORDS))
    assert found["bad"].output.startswith("DANE UNKNOWN - --ca-file /x")
    assert found["good"].status == 3


def test_a_file_in_a_folder_that_is_closed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A double: root, as whom tests may run, may search every folder."""

    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", closed)
    found = looked(Fed("h", "bad", (*WORDS, "--ca-file", "/closed/ca.pem")))
    assert "--ca-file /closed/ca.pem: no file that can be read" in found["bad"].output


def test_options_that_raise_what_nobody_foresaw_are_of_one_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A double: nothing is known that still raises."""

    def parsed(words: tuple[str, ...]) -> dane_options.Options:
        if "raise" in words:
            raise OSError(36, "File name too long")
        return dane_options.parse_options(words)

    monkeypatch.setattr(looks_module, "parse_options", parsed)
    found = looked(Fed("h", "bad", ("raise",)), Fed("h", "good", WORDS))
    assert "internal error: OSError" in found["bad"].output
    assert "internal error" not in found["good"].output


def test_what_was_under_way_is_due_again_after_a_failure() -> None:
    schedule = Schedule()
    schedule.replace(fed(3), 0)
    assert [schedule.take(5) for _ in range(4)].count(None) == 1
    assert schedule.take(3600) is None
    schedule.recover(3600)
    assert [schedule.take(3600) for _ in range(4)].count(None) == 1


def test_the_service_that_waits_longest_shows() -> None:
    schedule = Schedule()
    assert schedule.overdue(99) == 0
    schedule.replace(fed(2), 0)
    assert schedule.overdue(1) == 0
    first = schedule.take(1)
    assert first is not None
    schedule.done(first, 0, 100)
    assert schedule.overdue(120) == 0  # twice its interval of a minute
    assert schedule.overdue(150) == 30
    schedule.recover(150)
    assert schedule.overdue(150) == 30


def feeding(directory: Path, give_up: Callable[[], None], lines: list[str]) -> Feeder:
    file = directory / "feed.toml"
    file.write_text(
        f'interval = "1s"\nretry = "1s"\nmax_age = "0s"\n[nagios]\nspool = "{directory}"\n'
        f'[[service]]\nhost = "h"\nname = "s"\noptions = {json.dumps(WORDS)}\n'
    )
    return Feeder(file, FeedCounts(), lines.append, give_up)


def gauge(feeder: Feeder, name: str) -> float:
    families = {one.name: one for one in feeder._counts.collect()}
    return float(families[f"danebot_exporter_feed_{name}"].samples[0].value)


def test_a_thread_that_fails_again_and_again_is_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double of looks: nothing is known that makes them fail."""
    lines: list[str] = []
    ends: list[float] = []
    monkeypatch.setattr(feeder_module, "_PATIENCE", 0.01)
    feeder = feeding(tmp_path, lambda: ends.append(time.monotonic()), lines)
    monkeypatch.setattr(feeder._looks, "run", lambda: 1 / 0)
    feeder.start()
    until(lambda: bool(ends), "the end")
    until(lambda: gauge(feeder, "threads") == 2, "one thread fewer")
    feeder.stop()
    assert gauge(feeder, "failures") == 10
    assert lines[-1] == "feed-looks can't go on: the exporter ends"
    assert lines[0].startswith("feed-looks: internal error: ZeroDivisionError")


def test_threads_are_counted_while_they_run(tmp_path: Path) -> None:
    feeder = feeding(tmp_path, lambda: None, [])
    feeder.start()
    until(lambda: gauge(feeder, "threads") == 3, "all threads")
    feeder.stop()
    assert gauge(feeder, "failures") == 0


def test_looks_that_are_to_agree_are_of_several_observations() -> None:
    longest = looks_module._longest
    assert longest(Pace()) == timedelta(seconds=30)
    assert longest(Pace(timedelta(seconds=4), timedelta(seconds=1))) == timedelta(seconds=0.5)
    assert longest(Pace(timedelta(seconds=4), timedelta(seconds=4))) == timedelta(seconds=1)


def test_trouble_is_not_used_again(tmp_path: Path) -> None:
    with world_in(tmp_path) as world, world.peer() as peer:
        owner = f"_{peer.port}._tcp.{NAME}"

        def away() -> None:
            world.dns.say(owner, "TLSA", rcode="SERVFAIL", flags="QR RD RA")

        def there() -> None:
            world.publish(peer.port, f"3 1 1 {world.digest}")

        there()
        steps, found = [away, there], list[FedResult]()

        def take() -> Fed | None:
            if len(found) == 2:
                looks.stop()
            if not steps or len(steps) + len(found) != 2:
                return None
            steps.pop(0)()
            return Fed("h", "s", tuple(world.words(peer.port, "-t", "5")))

        looks = Looks(take, found.append, timedelta(seconds=10))
        looks.run()
        assert "SERVFAIL" in found[0].output
        assert found[1].status == 0, found[1].output


def test_what_was_just_seen_is_used_again(tmp_path: Path) -> None:
    with world_in(tmp_path) as world, world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        asked, found = list[int](), list[FedResult]()

        def take() -> Fed | None:
            if len(found) == 2:
                looks.stop()
            if len(asked) == 2 or len(asked) != len(found):
                return None
            asked.append(len(world.dns.asked))
            return Fed("h", "s", tuple(world.words(peer.port, "-t", "5")))

        looks = Looks(take, found.append, timedelta(seconds=10))
        looks.run()
        assert [one.status for one in found] == [0, 0]
        assert asked[1] == len(world.dns.asked) > 0
