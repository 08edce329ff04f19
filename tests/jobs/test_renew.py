"""The daily job in one process: what is done, remembered and said for a lineage, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.domain.finding import Code, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.rollover.evidence.memory import Call, CallResult, Protection
from danebot.jobs.newkey import stage
from danebot.jobs.overview import look_over
from danebot.jobs.renew import RenewalOutcome
from domain.builders import DAY, HOUR
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def waiting(world: World) -> None:
    """A next key whose record everybody has seen for an hour; it cools for two days."""
    world.renew()
    world.now += DAY
    next_key = world.grown.root.parent / "two.pem"
    next_key.write_bytes(trees.key_pem("two"))
    stage(world.context, NAME, None, next_key, Protection.REQUIRED)
    world.zone.keys.append("two")
    world.now += HOUR
    world.renew()
    assert (world.paths.staging / "ready.pem").exists()


def codes(outcome: RenewalOutcome) -> list[FindingKind]:
    return [f.code for f in outcome.findings if f.severity >= Severity.NOTICE]


def served(world: World) -> bytes:
    state = world.context.tree.read(NAME)
    assert state.serving is not None
    return state.serving.key.spki


def test_a_quiet_run_says_nothing_and_writes_nothing_twice(world: World) -> None:
    assert codes(world.renew()) == []
    file = world.paths.staging / "rollover.json"
    before = file.stat()
    assert codes(world.renew()) == []
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_rollover_goes_all_the_way_in_one_run_once_the_record_has_cooled(world: World) -> None:
    waiting(world)
    assert codes(world.pass_time(2 * DAY - HOUR)) == []
    assert world.issuer.calls.count("promote") == 0
    outcome = world.pass_time(2 * HOUR)
    assert world.issuer.calls[-2:] == ["promote", "renew"]
    assert codes(outcome) == [Code.PROMOTED, Code.CONFIRMED]
    assert served(world) == trees.public("two").spki
    assert not (world.paths.staging / "ready.pem").exists()
    memory = world.memory
    assert memory.awaiting is None
    assert [past.spki for past in memory.past_keys] == [trees.public("one").spki]
    assert world.last_call == (Call.PROMOTION, CallResult.DONE)
    assert outcome.views[0].plan.step is None
    assert trees.public("one").spki not in outcome.views[0].in_use.keys


def test_that_the_ca_is_asked_is_on_disk_before_it_is(world: World) -> None:
    waiting(world)
    world.pass_time(3 * DAY)
    remembered = world.issuer.remembered[world.issuer.calls.index("promote")]
    assert remembered.contacts[-1].result is CallResult.BEGUN
    assert remembered.awaiting is not None


def test_a_refusal_is_remembered_and_the_next_run_waits(world: World) -> None:
    waiting(world)
    world.issuer.refusal = "the CA says no"
    outcome = world.pass_time(2 * DAY)
    assert Code.PROMOTION_FAILED in codes(outcome)
    failure = world.memory.promotion_failure
    assert failure is not None
    assert (failure.count, failure.message) == (1, "the CA says no")
    assert served(world) == trees.public("one").spki
    world.renew()
    assert world.issuer.calls.count("promote") == 1


def test_the_servers_are_looked_at_again_before_each_step_that_changes_the_key(
    world: World,
) -> None:
    """Issuance takes time: the look before it doesn't count for the deployment."""
    waiting(world)
    world.pass_time(2 * DAY - HOUR)
    world.zone.looks = 0
    world.pass_time(2 * HOUR)
    assert world.zone.looks == 3  # in common, before promotion, before deployment


def test_a_record_that_goes_while_the_ca_issues_stops_the_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(world)
    issue = world.issuer.promote

    def promote(*args: object) -> object:
        world.zone.keys.remove("two")
        return issue(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(world.issuer, "promote", promote)
    world.pass_time(3 * DAY)
    assert served(world) == trees.public("one").spki


def test_a_run_that_issued_with_the_new_key_does_not_renew_that_certificate(world: World) -> None:
    """By its rule what was just issued may be due again, as here, where dates are the former's."""
    world.now += 13 * DAY
    waiting(world)
    world.pass_time(2 * DAY)
    assert world.issuer.calls[-1] == "promote"
    world.renew()
    assert world.issuer.calls[-1] == "renew"


def test_a_clock_that_was_put_right_between_runs_ends_no_wait(world: World) -> None:
    """It was days behind when the record was first seen; no time has passed since then."""
    waiting(world)
    world.now += 5 * DAY
    world.jump = 5 * DAY
    world.renew()
    assert world.issuer.calls.count("promote") == 0
    assert served(world) == trees.public("one").spki
    world.pass_time(2 * DAY + 2 * HOUR)
    assert served(world) == trees.public("two").spki


def test_what_was_done_is_said_though_the_lineage_fails_afterwards(world: World) -> None:
    (world.paths.live / "cert.pem").unlink()
    (world.paths.staging / "rollover.json").mkdir()
    assert codes(world.renew()) == [Code.HEALED, Code.FILES_BROKEN]


def test_a_failure_is_said_and_nothing_more_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(world)

    def broken(*_: object) -> object:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(world.issuer, "promote", broken)
    outcome = world.pass_time(3 * DAY)
    assert Code.INTERNAL in codes(outcome)
    assert world.last_call == (Call.PROMOTION, CallResult.BEGUN)
    assert served(world) == trees.public("one").spki


@pytest.mark.parametrize("text", ["reuse_key = True\nreuse_key = True\n", "\ud800[", ""])
def test_a_refused_configuration_is_one_judgement_and_stops_all_steps(
    tmp_path: Path, text: str
) -> None:
    """What is live serves on; `renew` says what `status` says, and looks at DNS all the same."""
    world = World(tmp_path)
    world.grown.version(2)
    world.grown.link(world.paths.staging, 2)
    world.paths.conf.write_bytes(text.encode(errors="surrogatepass"))
    before = (world.paths.live / "combo.pem").read_bytes()
    told = [f for f in world.renew().findings if f.code is Code.FILES_BROKEN]
    found = look_over(world.context, (NAME,))
    assert found.unreadable == ()
    assert told == [f for view in found.views for f in view.findings if f.code is told[0].code]
    assert [(f.where, f.severity) for f in told] == [(NAME, Severity.WARNING)]
    assert f"certbot delete --cert-name {NAME}" in str(told[0])
    assert world.issuer.calls == []
    assert world.zone.looks > 0
    assert world.paths.conf.read_bytes() == text.encode(errors="surrogatepass")
    assert (world.paths.live / "combo.pem").read_bytes() == before


@pytest.mark.parametrize("left", [b"", bytes(700)], ids=["nothing", "zeros"])
def test_a_configuration_that_a_power_cut_left_empty_is_put_back(world: World, left: bytes) -> None:
    """certbot syncs nothing; the run goes on as if nothing had been."""
    world.renew()
    whole = world.paths.conf.read_bytes()
    assert (world.paths.staging / "renewal.conf.kept").read_bytes() == whole
    new = world.paths.conf.with_name("new")
    new.write_bytes(left)
    new.rename(world.paths.conf)
    (told,) = (f for f in world.renew().findings if f.severity >= Severity.NOTICE)
    assert told.code is Code.HEALED
    assert "cut off" in str(told)
    assert world.paths.conf.read_bytes() == whole
    assert codes(world.renew()) == []


@pytest.mark.parametrize(
    "look", ["competing.competing", "orphans.orphans", "unknown.unknown_lineages"]
)
def test_what_is_found_is_told_though_a_look_beside_lineages_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """A double fails: no file of the tree does so at this moment on demand."""

    def fails(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(f"danebot.jobs.{look}", fails)
    found = world.renew()
    assert [one.state.name for one in found.views] == [NAME]
    assert "Input/output error" in "".join(map(str, found.findings))
