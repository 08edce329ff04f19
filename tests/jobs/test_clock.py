"""A clock that was put right, in the runs that remember: each begins with what it moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.tree.memory_file import recall, write_memory
from danebot.config import Settings
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Contact,
    Deployment,
    Exposure,
    Memory,
    OwnerMemory,
    PastKey,
    Reading,
)
from danebot.jobs.context import Context
from danebot.jobs.emergency import insist_on
from danebot.jobs.lineage_run import LineageRun
from danebot.jobs.observing import read_lineage
from danebot.jobs.unmanaged import Known
from domain.builders import DAY, HOUR

OWNER = DnsName.parse(f"_25._tcp.{NAME}")
NOW = trees.now()
BEFORE = NOW - 5 * DAY  # when it was NOW - HOUR in truth
NOBODY = cast("Any", None)


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    found = trees.staged(tmp_path)
    known = OwnerMemory(watched_since=BEFORE)
    exposed = PastKey(b"spki", BEFORE, Exposure.COMPROMISED)
    clock = Reading("boot", HOUR, BEFORE)
    deployed = Deployment(b"", b"", BEFORE)
    memory = Memory({OWNER: known}, deployment=deployed, past_keys=(exposed,), clock=clock)
    write_memory(found.paths, memory)
    return found


def context(grown: Grown) -> Context:
    reading = Reading("boot", 2 * HOUR, NOW)
    return Context(
        grown.tree, Settings(), NOBODY, NOBODY, clock=lambda: NOW, reading=lambda: reading
    )


def in_a_run(context: Context, _: Grown) -> Memory:
    run = LineageRun(context, NAME)
    run.recall()
    return run.memory


def by_a_verb_that_looks(context: Context, _: Grown) -> Memory:
    return read_lineage(context, NAME)[1]


def by_one_that_writes(context: Context, grown: Grown) -> Memory:
    insist_on(context, NAME)
    return recall(grown.paths)[0]


@pytest.mark.parametrize("read", [in_a_run, by_a_verb_that_looks, by_one_that_writes])
def test_what_is_remembered_is_moved(
    grown: Grown, read: Callable[[Context, Grown], Memory]
) -> None:
    found = read(context(grown), grown)
    assert found.owners[OWNER].watched_since == NOW - HOUR
    assert found.past_keys[0].until == NOW - HOUR
    assert found.clock == Reading("boot", 2 * HOUR, NOW)
    if read is by_one_that_writes:
        assert found.deployment == Deployment(b"", b"", NOW - HOUR, insisted_at=NOW)


def test_the_ca_s_budget_of_a_lineage_that_is_passed_through_is_moved_too(tmp_path: Path) -> None:
    issued = trees.issued(tmp_path)
    asked = Contact(BEFORE, Call.RENEWAL, CallResult.FAILED)
    known = Known(NAME, contacts=(asked,), clock=Reading("boot", HOUR, BEFORE))
    run = LineageRun(context(issued), NAME)
    run.recall(known.memory)
    assert run.memory.contacts == (asked._replace(at=NOW - HOUR),)
