"""What an attempt to publish comes to: failures kept and spaced out, lags told when they last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from danebot.adapters.tree.memory_file import write_memory
from danebot.adapters.tree.tree import Tree
from danebot.config import Settings
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.delivery.routes import MailRoute
from danebot.domain.dns.answers import OwnerObservation, TlsaAnswer
from danebot.domain.finding import Code, Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.lineage.state import Management
from danebot.domain.names import DnsName, Endpoint, Hostname
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome, Part
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Exposure,
    Failure,
    Memory,
    PastKey,
    Publishing,
    Request,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Propagation, propagations_of
from danebot.domain.rollover.records.adoption import Leads
from danebot.domain.rollover.records.changes import Change, ChangeResult
from danebot.domain.rollover.records.in_use import KeysInUse
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from danebot.domain.rollover.steps.phases import Observation, Phase, Plan
from danebot.jobs.context import Context
from danebot.jobs.observing import view
from danebot.jobs.publish import Attempt, Timing, attempt, changes_of, conclude
from danebot.jobs.view import LineageView, Observed
from domain import builders
from domain.builders import HOUR, MINUTE, MX, T0

NEW, OLD, LIVE = (builders.record(name) for name in ("new", "past", "old"))
FAILED = Publishing(None, Failure("no", 2, T0, T0, T0 + HOUR), ChangeOutcome.REFUSED, "allow it")


class Nobody:
    """Neither observes nor probes: these tests bring what was seen."""

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        raise AssertionError(owners)

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        raise AssertionError(owners)

    def lookup_leads(self, domains: Sequence[Hostname]) -> Leads:
        raise AssertionError(domains)

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        raise AssertionError(domains)

    def probe(
        self, lineage: str, endpoints: Sequence[Endpoint], algorithm: Algorithm | None = None
    ) -> Sequence[ProbeResult]:
        raise AssertionError(lineage, endpoints, algorithm)


class Publisher:
    """Says what it is told to, and keeps what it was asked for."""

    def __init__(self, outcome: ChangeOutcome) -> None:
        self.outcome = outcome
        self.asked: list[Change] = []

    def publish(self, change: Change) -> ChangeResult:
        self.asked.append(change)
        return ChangeResult(change, self.outcome)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    root = tmp_path_factory.mktemp("tree")
    (root / "renewal").mkdir()
    return Tree(root)


@pytest.fixture
def context(tree: Tree) -> Callable[..., Context]:
    nobody = Nobody()

    def made(publisher: Publisher, now: datetime = T0) -> Context:
        return Context(tree, Settings(), nobody, nobody, lambda _: publisher, lambda: now)

    return made


def seen(
    *keys: str,
    add: Sequence[OwnedRecord] = (),
    remove: Sequence[OwnedRecord] = (),
    memory: Memory | None = None,
) -> LineageView:
    observation = Observation(builders.state(), {MX: builders.look(*keys)})
    publication = Publication((), tuple(add), tuple(remove), ())
    plan = Plan(Phase.STABLE)
    return LineageView(observation, memory or Memory(), plan, (), publication, Policy(), T0)


ADD = (OwnedRecord(MX, NEW),)
REMOVE = (OwnedRecord(MX, OLD),)


def test_a_failure_counts_and_waits_longer_each_time(context: Callable[..., Context]) -> None:
    publisher = Publisher(ChangeOutcome.REFUSED)
    world = context(publisher)
    tried = attempt(world, seen("old", add=ADD), Part.ADD, Timing.WHEN_DUE)
    first = conclude(world, tried, {}).memory
    failure = first.publishing.failure
    assert failure is not None
    assert (failure.count, failure.retry_at) == (1, T0 + HOUR)
    assert first.publishing.outcome is ChangeOutcome.REFUSED
    again = attempt(world, seen("old", add=ADD, memory=first), Part.ADD, Timing.WHEN_DUE)
    assert again.results == ()
    assert len(publisher.asked) == 1
    later = context(publisher, T0 + HOUR)
    tried = attempt(later, seen("old", add=ADD, memory=first), Part.ADD, Timing.WHEN_DUE)
    second = conclude(later, tried, {}).memory.publishing.failure
    assert second is not None
    assert (second.count, second.first, second.retry_at) == (2, T0, T0 + 3 * HOUR)


PAST = PastKey(builders.key("past").spki, T0)
DEPLOYED = Deployment(b"chain", b"old", T0)


@pytest.mark.parametrize(
    ("past", "deployment", "in_use", "again"),
    [
        (PAST, DEPLOYED, (), True),  # a service that wasn't reloaded may still have it
        (PAST, DEPLOYED._replace(clear_since=T0), (), True),
        (PAST, DEPLOYED._replace(cleared_at=T0), (), False),
        (PAST, DEPLOYED._replace(cleared_at=T0), (PAST.spki,), True),  # another lineage has it
        (PAST._replace(exposure=Exposure.COMPROMISED), DEPLOYED, (), True),
        (
            PAST._replace(exposure=Exposure.COMPROMISED),
            DEPLOYED._replace(clear_since=T0),
            (),
            False,
        ),
        (PAST._replace(exposure=Exposure.COMPROMISED, retired_at=T0), DEPLOYED, (), False),
        (PAST._replace(retired_at=T0), DEPLOYED, (PAST.spki,), True),
    ],
)
def test_a_program_that_replaces_says_again_what_a_service_may_still_need(
    past: PastKey,
    deployment: Deployment,
    in_use: Sequence[bytes],
    again: bool,  # noqa: FBT001 - a column
) -> None:
    """One server lost the past key's record; the program's word replaces what the others have."""
    memory = Memory(deployment=deployment, past_keys=(past,))
    at = {"ns1": ["old", "past"], "ns2": ["old"]}
    one = seen("old", add=ADD, memory=memory)
    one = one._replace(
        observation=Observation(builders.state(), {MX: builders.look("old", at=at)}),
        in_use=KeysInUse(frozenset(in_use)),
    )
    (change,) = changes_of(one, Part.ADD)
    assert (OLD in change.result(change.base)) is again


@pytest.mark.parametrize("left", [False, True])
def test_so_does_one_while_another_lineage_is_still_leaving_that_key(
    tmp_path: Path,
    left: bool,  # noqa: FBT001 - a column
) -> None:
    """Its services may serve it on, though the key is in no file any more."""
    for name in ("mx.example.org", "other.example.org"):
        (tmp_path / "renewal").mkdir(exist_ok=True)
        (tmp_path / f"renewal/{name}.conf").touch()
    other = Tree(tmp_path).paths("other.example.org")
    other.staging.mkdir(parents=True)
    unconfirmed = DEPLOYED._replace(cleared_at=T0 if left else None)
    write_memory(other, Memory(deployment=unconfirmed, past_keys=(PAST,)))
    nobody = Nobody()
    context = Context(Tree(tmp_path), Settings(), nobody, nobody, clock=lambda: T0)
    state = builders.state(next_key=builders.key_file("new"))
    cleared = DEPLOYED._replace(chain=builders.chain("old").fingerprint, cleared_at=T0)
    memory = Memory(deployment=cleared, past_keys=(PAST,), asked=(MX,))
    look = builders.look("old", at={"ns1": ["old", "past"], "ns2": ["old"]})
    found = view(context, Observed(state, memory, {MX: look}, KeysInUse(), T0))
    (change,) = changes_of(found, Part.ADD)
    assert change.add == (NEW,)
    assert (OLD in change.result(change.base)) is not left


@pytest.mark.parametrize("urgency", list(Urgency))
def test_an_emergency_waits_for_minutes_only(
    context: Callable[..., Context], urgency: Urgency
) -> None:
    """After the second failure in a row, two."""
    request = Request(b"digest", T0, urgency, Revocation.LEFT)
    memory = Memory(publishing=FAILED, request=request)
    publisher = Publisher(ChangeOutcome.REFUSED)
    for after in (MINUTE, 2 * MINUTE):
        world = context(publisher, T0 + after)
        attempt(world, seen("old", add=ADD, memory=memory), Part.ADD, Timing.WHEN_DUE)
        asked = urgency is not Urgency.ORDINARY and after > MINUTE
        assert len(publisher.asked) == asked


def test_a_clock_that_went_back_is_no_reason_to_wait(context: Callable[..., Context]) -> None:
    publisher = Publisher(ChangeOutcome.DONE)
    early = context(publisher, T0 - HOUR)
    memory = Memory(publishing=FAILED)
    attempt(early, seen("old", add=ADD, memory=memory), Part.ADD, Timing.WHEN_DUE)
    assert len(publisher.asked) == 1


def test_what_was_not_seen_neither_fails_nor_mends(context: Callable[..., Context]) -> None:
    """Nothing was tried, so nothing is known of the failure before."""
    publisher = Publisher(ChangeOutcome.DONE)
    blind = seen(add=ADD, memory=Memory(publishing=FAILED))._replace()
    blind = blind._replace(observation=Observation(builders.state(), {}))
    world = context(publisher)
    tried = attempt(world, blind, Part.ADD, Timing.NOW)
    done = conclude(world, tried, {})
    assert publisher.asked == []
    assert done.memory.publishing == FAILED
    assert [f.code for f in done.findings] == [Code.PUBLISH_FAILED]


def test_a_failure_of_one_part_is_not_mended_by_the_other(context: Callable[..., Context]) -> None:
    world = context(Publisher(ChangeOutcome.DONE))
    both = seen("old", "past", add=ADD, remove=REMOVE, memory=Memory(publishing=FAILED))
    tried = attempt(world, both, Part.REMOVE, Timing.NOW)
    after = {MX: builders.look("old")}
    assert conclude(world, tried, after).memory.publishing == FAILED
    alone = seen("old", "past", remove=REMOVE, memory=Memory(publishing=FAILED))
    tried = attempt(world, alone, Part.REMOVE, Timing.NOW)
    assert conclude(world, tried, after).memory.publishing == Publishing()


def test_a_failure_is_forgotten_when_nothing_is_wanted_any_more(
    context: Callable[..., Context],
) -> None:
    """Somebody did it by hand."""
    world = context(Publisher(ChangeOutcome.REFUSED))
    quiet = seen("old", memory=Memory(publishing=FAILED))
    tried = attempt(world, quiet, Part.ADD, Timing.WHEN_DUE)
    assert conclude(world, tried, {}).memory.publishing == Publishing()


def test_a_removal_where_a_server_lacks_the_served_key_is_not_tried(
    context: Callable[..., Context],
) -> None:
    publisher = Publisher(ChangeOutcome.DONE)
    view = seen("past", remove=REMOVE)
    tried = attempt(context(publisher), view, Part.REMOVE, Timing.NOW)
    assert [r.outcome for r in tried.results] == [ChangeOutcome.UNSAFE]
    assert publisher.asked == []


def test_a_lineage_that_danebot_only_watches_is_left_alone(context: Callable[..., Context]) -> None:
    publisher = Publisher(ChangeOutcome.DONE)
    state = builders.state()._replace(management=Management.PASS_THROUGH)
    view = seen("old", add=ADD)._replace(observation=Observation(state, {MX: builders.look("old")}))
    assert attempt(context(publisher), view, Part.ADD, Timing.NOW).results == ()
    assert publisher.asked == []


@pytest.mark.parametrize(
    ("timing", "age", "severity"),
    [
        (Timing.WHEN_DUE, timedelta(0), Severity.NOTICE),
        (Timing.WHEN_DUE, HOUR, Severity.NOTICE),
        (Timing.WHEN_DUE, 2 * HOUR, Severity.WARNING),
        (Timing.NOW, timedelta(0), Severity.WARNING),
    ],
)
def test_a_lag_is_told_when_it_lasts(
    context: Callable[..., Context], timing: Timing, age: timedelta, severity: Severity
) -> None:
    world = context(Publisher(ChangeOutcome.DONE))
    memory = Memory(publishing=Publishing(T0 - age))
    tried = attempt(world, seen("old", add=ADD, memory=memory), Part.ADD, timing)
    partly = {MX: builders.look("old", "new", at={"ns1": None, "ns2": ["old"]})}
    done = conclude(world, tried, partly)
    (lag,) = [f for f in done.findings if f.code is Code.PUBLISH_LAGS]
    assert lag.severity is severity
    assert "ns2" in lag.text
    assert done.memory.publishing.changed_at == T0 - age


def test_by_hand_nothing_is_remembered(context: Callable[..., Context]) -> None:
    world = context(Publisher(ChangeOutcome.DONE))._replace(publisher=lambda _: None)
    view = seen("old", add=ADD, memory=Memory(publishing=FAILED))
    tried = attempt(world, view, Part.ADD, Timing.NOW)
    assert tried == Attempt(view, Part.ADD, Timing.NOW)
    assert conclude(world, tried, {}).memory == view.memory


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        (["old"], "another view than is updated"),
        (["old", "new"], "see that they transfer the zone"),
    ],
)
def test_what_a_witness_lacks_is_no_lagging_transfer(
    context: Callable[..., Context], outside: list[str], words: str
) -> None:
    """The world may see another view; and a resolver may have the former records in its cache."""
    at = {"ns1": None, "ns2": ["old"] if "new" in outside else None}
    one = builders.witnessed(builders.look("old", "new", at=at), outside)
    sights = propagations_of([builders.line()], builders.key("new"), {MX: one})
    memory = Memory(publishing=Publishing(T0 - 2 * HOUR))
    view = replace_plan(seen("old", "new", memory=memory), sights)
    done = conclude(
        context(Publisher(ChangeOutcome.DONE)), Attempt(view, Part.ADD, Timing.WHEN_DUE), {}
    )
    (lag,) = [f for f in done.findings if f.code is Code.PUBLISH_LAGS]
    assert words in lag.remedy


def replace_plan(view: LineageView, awaited: tuple[Propagation, ...]) -> LineageView:
    return view._replace(plan=view.plan._replace(awaited=awaited))
