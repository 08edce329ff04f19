"""The checker says what ``check_dane`` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checking import Plugin, World, plugin_here, world_in
from danebot_exporter.checker import Answer, Checker
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
