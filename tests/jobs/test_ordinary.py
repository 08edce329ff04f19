"""What a call of certbot came to for a lineage: by the links first, then by certbot's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.certbot.command import CertbotRun
from danebot.adapters.process import Ending
from danebot.domain.event import EventKind
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.rollover.evidence.memory import Call, CallResult
from domain.builders import DAY, HOUR
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A certificate that is due: it lives for three weeks, and two of them are over."""
    world = World(tmp_path)
    world.now += 14 * DAY
    world.issuer.due = True
    return world


def test_a_renewal_is_deployed_and_remembered(world: World) -> None:
    outcome = world.renew()
    state = world.context.tree.read(NAME)
    assert state.live is not None
    assert state.live.version == 2
    assert state.serving is not None
    assert state.serving.chain == state.live.chain
    assert state.serving.key == trees.public("one")
    assert world.last_call == (Call.RENEWAL, CallResult.DONE)
    assert world.memory.deployment is not None
    made = [EventKind.RENEWED, EventKind.DEPLOYED, EventKind.CONFIRMED]
    assert [one.kind for one in world.events] == made
    assert [finding for finding in outcome.findings if finding.severity >= Severity.WARNING] == []


def test_that_the_ca_may_be_asked_is_on_disk_before_certbot_runs(world: World) -> None:
    world.renew()
    (remembered,) = world.issuer.remembered
    assert [(one.call, one.result) for one in remembered.contacts] == [
        (Call.RENEWAL, CallResult.BEGUN)
    ]


@pytest.mark.parametrize("named", [True, False])
def test_a_failure_is_remembered_told_once_and_spaced_out(
    world: World,
    named: bool,  # noqa: FBT001 - a column
) -> None:
    """What was due and has nothing new has failed, also where certbot's words name nobody."""
    world.issuer.refusal, world.issuer.named = "the CA says no", named
    outcome = world.renew()
    told = [finding for finding in outcome.findings if finding.severity >= Severity.WARNING]
    assert [finding.where for finding in told] == [NAME]
    assert world.last_call == (Call.RENEWAL, CallResult.FAILED)
    failure = world.memory.renewal_failure
    assert failure is not None
    assert (failure.count, failure.message) == (1, "the CA says no")
    calls = len(world.issuer.calls)
    world.renew()
    assert len(world.issuer.calls) == calls
    world.issuer.refusal = ""
    world.now += HOUR
    world.renew()
    assert len(world.issuer.calls) == calls + 1
    assert world.memory.renewal_failure is None


def test_a_certbot_that_did_not_start_has_not_asked_the_ca(world: World) -> None:
    world.issuer.refusal, world.issuer.ending = "there is none", Ending.NOT_STARTED
    outcome = world.renew()
    assert world.memory.contacts == ()
    assert world.memory.renewal_failure is None
    told = [(f.code, f.where) for f in outcome.findings if f.severity >= Severity.WARNING]
    assert told == [(Code.RENEWAL_FAILED, "")]


def test_what_is_not_due_neither_asks_nor_fails(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.issuer.refusal, world.issuer.named = "another program's mistake", False
    outcome = world.renew()
    assert world.issuer.calls == ["renew"]
    assert world.memory.contacts == ()
    assert world.memory.renewal_failure is None
    told = [(f.code, f.where) for f in outcome.findings if f.severity >= Severity.WARNING]
    assert told == [(Code.RENEWAL_FAILED, "")]


def test_where_certbot_wants_another_key_a_call_says_the_one_to_keep(world: World) -> None:
    """The first call hasn't come to the CA, so it counts for nothing."""
    world.issuer.other_key = True
    outcome = world.renew()
    assert world.issuer.calls == ["renew", "renew"]
    assert [f for f in outcome.findings if f.severity >= Severity.WARNING] == []
    assert [(one.call, one.result) for one in world.memory.contacts] == [
        (Call.RENEWAL, CallResult.DONE)
    ]
    assert world.memory.renewal_failure is None


def test_another_lineages_failure_of_the_same_call_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is called for again, with its key; the other isn't in this run, but isn't silent."""
    other, call = "www.example.test", world.issuer.renew

    def renew(lineage: str | None = None, key_type: KeyType | None = None) -> CertbotRun:
        result = call(lineage, key_type)
        if key_type is not None:
            return result
        failures = {NAME: "not this key", other: "the CA says no"}
        return result._replace(failures=failures)

    world.issuer.other_key = True
    monkeypatch.setattr(world.issuer, "renew", renew)
    told = [f for f in world.renew().findings if f.severity >= Severity.WARNING]
    assert [(f.code, f.where) for f in told] == [(Code.RENEWAL_FAILED, "")]
    assert world.issuer.calls == ["renew", "renew"]


def test_a_call_for_one_says_its_key_at_once(world: World) -> None:
    world.issuer.other_key = world.issuer.one_by_one = True
    world.renew()
    assert world.issuer.calls == ["renew"]
    assert world.last_call == (Call.RENEWAL, CallResult.DONE)
