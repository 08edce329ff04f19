"""The checker says what ``check_dane`` says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.hostile import Peer
from checking import Plugin, World, plugin_here, world_in
from danebot_exporter.checker import PER_ADDRESS, Answer, Checker
from plugin_words import FINE_WORDS, WRONG_WORDS, steady

OTHER = "3 1 1 " + "5a" * 32


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_in(tmp_path) as found:
        yield found


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str]) -> Plugin:
    return plugin_here(capsys)


@pytest.fixture
def checker() -> Checker:
    return Checker()


def same(plugin: Plugin, checker: Checker, words: list[str]) -> Answer:
    """Have both look; their words are one."""
    told, answer = plugin(*words), checker.check(words)
    assert (answer.status, steady(answer.output)) == (told.status, steady(told.text))
    return answer


@pytest.mark.parametrize("words", FINE_WORDS, ids=" ".join)
def test_same_words(world: World, plugin: Plugin, checker: Checker, words: tuple[str, ...]) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}", OTHER)
        same(plugin, checker, world.words(peer.port, *words))
        world.publish(peer.port, OTHER)
        assert same(plugin, checker, world.words(peer.port, *words)).status in (2, 3)


@pytest.mark.parametrize("words", WRONG_WORDS, ids=repr)
def test_same_refusals(plugin: Plugin, checker: Checker, words: tuple[str, ...]) -> None:
    assert same(plugin, checker, list(words)).status == 3


def test_so_many_arguments_that_parsing_takes_seconds_are_refused(checker: Checker) -> None:
    """As many as fit into a request: any user of the host may send them, again and again."""
    begin = time.process_time()
    answer = checker.check(["-H", "a.invalid", *["-4"] * 20_000])
    assert time.process_time() - begin < 1
    assert "20002 arguments are too many; give at most 2000" in answer.output
    assert answer.status == 3


# ---- what checks share ----------------------------------------------------------------------


def counted(world: World) -> tuple[Peer, list[float]]:
    """A service, and when each session with it began."""
    behaviour, began = world.service(), list[float]()

    def counting(connection: socket.socket) -> None:
        began.append(time.monotonic())
        behaviour(connection)

    return Peer(counting), began


def test_what_was_seen_a_moment_ago_is_used_again_if_that_is_allowed(
    world: World, checker: Checker
) -> None:
    peer, began = counted(world)
    with peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        words = world.words(peer.port)
        first = checker.check(words)
        asked = len(world.dns.asked)
        again = checker.check([*words, "--max-age", "60", "-w", "95"])  # judged by its own bounds
        assert (first.status, again.status) == (0, 1)
        assert (len(began), len(world.dns.asked)) == (1, asked)
        assert checker.check(words, max_age=timedelta(seconds=60)).status == 0
        assert len(began) == 1
        checker.check(words)
        assert len(began) == 2
        assert len(world.dns.asked) > asked


def test_failures_are_never_used_again(world: World, checker: Checker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    world.publish(port, f"3 1 1 {world.digest}")
    words = [*world.words(port), "--max-age", "60", "-v"]
    assert "connection refused" in checker.check(words).output
    with socket.create_server(("127.0.0.1", port)) as there:
        there.settimeout(10)
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(checker.check, [*words, "-t", "3"])
            there.accept()[0].close()
            assert "closed instead of the greeting" in looking.result().output


def test_equal_questions_at_once_are_asked_once(world: World, checker: Checker) -> None:
    peer, began = counted(world)
    with peer, ThreadPoolExecutor(16) as pool:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        words = world.words(peer.port)
        answers = list(pool.map(lambda _: checker.check(words), range(16)))
    assert {one.status for one in answers} == {0}
    assert len(began) < 8


def test_connections_to_one_address_are_bounded(world: World, checker: Checker) -> None:
    now, most, every, lock = [0], [0], [0], threading.Lock()

    def slow(connection: socket.socket) -> None:
        with lock:
            now[0] += 1
            every[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.3)
        with lock:
            now[0] -= 1
        connection.close()

    with Peer(slow) as peer, ThreadPoolExecutor(48) as pool:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        asked = [[*world.words(peer.port), "--helo", f"c{number}.example"] for number in range(48)]
        answers = list(pool.map(checker.check, asked))
    assert all(one.status for one in answers)
    assert 1 < most[0] <= PER_ADDRESS
    assert every[0] == 48


def test_a_check_ends_in_its_time_whatever_is_under_way(world: World, checker: Checker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(4) as pool:
        port = silent.getsockname()[1]
        world.publish(port, OTHER)
        slow = pool.submit(checker.check, world.words(port, "-t", "9"))
        time.sleep(0.2)
        begin = time.monotonic()
        assert checker.check(world.words(port, "-t", "2")).status == 3
        assert time.monotonic() - begin < 8
        assert not slow.done()
        assert slow.result().status == 3


def test_traces_at_once_are_few(world: World, checker: Checker) -> None:
    """Each has connections of its own, beyond what all others share."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(8) as pool:
        port = silent.getsockname()[1]
        world.publish(port, OTHER)
        words = world.words(port, "-t", "3", "--trace")
        told = [one.output for one in pool.map(lambda _: checker.check(words), range(8))]
        refused = [one for one in told if "too many checks with --trace at once" in one]
        assert len(refused) == 6
        assert all(one.startswith("DANE UNKNOWN - ") for one in refused)
        assert "too many" not in checker.check(words).output  # there is room again
