"""Owners that come under watch: their services are asked, whatever was confirmed before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import save_memory
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.dns.tlsa import MatchingType
from danebot.domain.finding import Code, Finding
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.domain.rollover.records.adoption import Found, Standing
from danebot.jobs import confirm as module
from danebot.jobs.deploy import deploy_again
from danebot.jobs.init import initialise
from danebot.jobs.overview import look_over
from danebot.jobs.watch import unwatch_owners, watch_owners
from domain import builders
from domain.builders import DAY
from jobs.world import OWNER, World

LINE = builders.line(OWNER)
BARE = DnsName.parse("alias.example.test")  # it names no service
Take = Callable[[World], tuple[Finding, ...]]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A lineage that watches nobody, and whose hooks have run; the service has another key."""
    monkeypatch.setattr(module, "_PAUSES", (0.0,))
    world = World(tmp_path)
    world.settings = world.settings._replace(common=world.settings.common._replace(probe=True))
    (world.paths.staging / "dane-ee").write_text("")
    world.service.key = "two"
    with TreeLock(world.grown.root):
        assert deploy_again(world.context, (NAME,))[1] == ()
    assert world.service.asked == 0
    return world


def watch(world: World) -> tuple[Finding, ...]:
    return watch_owners(world.context, NAME, [Found(OWNER, Standing.OURS, OWNER, (LINE,))])


def init(world: World) -> tuple[Finding, ...]:
    return initialise(world.context, NAME, (LINE,)).behind


def codes(found: tuple[Finding, ...]) -> list[object]:
    return [one.code for one in found if one.code in (Code.NOT_SERVED, Code.NOT_CONFIRMED)]


@pytest.mark.parametrize("take", [watch, init])
def test_a_service_with_another_key_is_told_until_it_has_the_live_one(
    world: World, take: Take
) -> None:
    (found,) = take(world)
    assert found.code is Code.NOT_SERVED
    assert f"3 1 1 {trees.public('two').digest.hex()}" in found.text
    assert codes(world.renew().findings) == [Code.NOT_SERVED]
    world.service.key = "one"
    assert codes(world.renew().findings) == []
    asked = world.service.asked
    assert codes(world.renew().findings) == []
    assert world.service.asked == asked  # each run asks nobody that is at rest


@pytest.mark.parametrize("take", [watch, init])
def test_one_that_cannot_be_asked_is_told_by_each_run(world: World, take: Take) -> None:
    world.service.outcome = ProbeOutcome.REFUSED
    assert codes(take(world)) == [Code.NOT_CONFIRMED]
    assert codes(world.renew().findings) == [Code.NOT_CONFIRMED]


def test_one_that_has_it_leaves_nothing_to_be_asked(world: World) -> None:
    """What was live before was not deployed: it proves no reload."""
    world.service.key = "one"
    assert watch(world) == ()
    assert world.memory.deployment is None


def test_what_is_watched_already_is_not_asked_again(world: World) -> None:
    world.service.key = "one"
    watch(world)
    asked = world.service.asked
    assert watch(world) == ()
    assert world.service.asked == asked


def by_hand(world: World) -> None:
    (world.paths.staging / "dane-ee").write_text(f"1 {OWNER}\n")


def switched_on(world: World) -> None:
    """Probing is off while a chain is deployed, and on afterwards."""
    off = world.settings.common._replace(probe=False)
    on, world.settings = world.settings, world.settings._replace(common=off)
    by_hand(world)
    with TreeLock(world.grown.root):
        deploy_again(world.context, (NAME,))
    world.settings = on


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize("begin", [by_hand, switched_on])
def test_who_was_never_asked_is_asked_by_the_next_run(
    world: World, begin: Callable[[World], None], *, deployed: bool
) -> None:
    """However it came under watch; until then nobody says that it was confirmed."""
    begin(world)
    if deployed:
        confirmed(world)
    (seen,) = look_over(world.context, [NAME]).views
    assert seen.memory.deployment is not None
    assert seen.memory.deployment.confirmed_at is None
    assert world.service.asked == 0
    assert codes(world.renew().findings) == [Code.NOT_SERVED]
    world.service.key = "one"
    assert codes(world.renew().findings) == []
    assert world.memory.asked == (OWNER,)
    after = world.memory.deployment
    assert after is None if not deployed else after is not None and after.confirmed_at is not None
    asked = world.service.asked
    assert codes(world.renew().findings) == []
    assert world.service.asked == asked


def test_who_was_let_go_and_comes_again_is_asked_again(world: World) -> None:
    world.service.key = "one"
    watch(world)
    unwatch_owners(world.context, NAME, [OWNER])
    world.renew()
    world.service.key = "two"
    by_hand(world)
    assert codes(world.renew().findings) == [Code.NOT_SERVED]


@pytest.mark.parametrize("former", [False, True])
@pytest.mark.parametrize("take", [watch, init])
def test_no_hook_shows_a_live_key_that_the_new_owner_s_records_refuse(
    world: World, take: Take, *, former: bool
) -> None:
    """The service serves what its records name, and mail flows: it stays so (RFC 7671 8.1)."""
    ran = world.grown.root / "ran"
    hooks = (f"echo >> {ran}",)
    world.settings = world.settings._replace(
        common=world.settings.common._replace(hooks=hooks, probe=True)
    )
    world.zone.keys = ["two"]
    if former:  # danebot deployed a chain once, and certbot renewed on its own since
        last = Deployment(b"another", b"", world.now, confirmed_at=world.now)
        save_memory(world.paths, world.memory, world.memory._replace(deployment=last))
    (found,) = take(world)
    assert found.code is Code.NOT_SERVED
    assert f"then have it reloaded: danebot deploy {NAME}" in found.remedy
    for _ in range(2):
        world.renew()
    assert not ran.exists()
    world.zone.keys = ["two", "one"]
    world.pass_time(3 * DAY)
    world.renew()
    assert ran.exists()


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize("take", [by_hand, watch, init])
def test_a_newcomer_keeps_its_key_while_a_server_is_silent_that_may_have_its_record_alone(
    world: World, take: Callable[[World], object], *, deployed: bool
) -> None:
    """Nor is anybody told to reload it; whoever deployed what is live (RFC 7671 8.1)."""
    ran = hooked(world)
    world.zone.keys, world.zone.silent = ["two", "one"], "ns2.example.org"
    if deployed:
        confirmed(world)
    take(world)
    for _ in range(LONGEST_GAP.days + 2):
        world.now += DAY
        (found,) = (one for one in world.renew().findings if one.code is Code.NOT_SERVED)
        assert "leave it as it is: " in found.remedy
        assert "ns2.example.org, which gives no usable answer" in found.remedy
    (refused,) = again(world)
    assert "see that they answer, or take those servers out of the NS set" in refused.text
    assert not ran.exists()
    world.zone.silent = ""
    world.pass_time(2 * DAY)
    world.renew()
    assert ran.exists()


@pytest.mark.parametrize("deployed", [False, True])
@pytest.mark.parametrize("take", [by_hand, watch, init])
def test_a_newcomer_whose_chain_nears_its_end_does_not_wait_for_a_silent_server(
    world: World, take: Callable[[World], object], *, deployed: bool
) -> None:
    ran = hooked(world)
    world.zone.keys, world.zone.silent = ["two", "one"], "ns2.example.org"
    world.service.days = 12  # a fifth of its lifetime is left when the silence has lasted for long
    if deployed:
        confirmed(world)
    take(world)
    for _ in range(LONGEST_GAP.days + 2):
        world.now += DAY
        (found,) = (one for one in world.renew().findings if one.code is Code.NOT_SERVED)
        assert "leave it as it is" in found.remedy
    world.now += 3 * DAY
    for _ in range(2):
        (found,) = (one for one in world.renew().findings if one.code is Code.NOT_SERVED)
        assert found.remedy.startswith("reload that service")
    assert ran.exists()


@pytest.mark.parametrize("take", [watch, init])
def test_who_takes_it_under_watch_is_told_at_once_which_server_is_silent(
    world: World, take: Take
) -> None:
    world.zone.keys, world.zone.silent = ["two", "one"], "ns2.example.org"
    (found,) = take(world)
    assert found.code is Code.NOT_SERVED
    assert "from ns2.example.org, which gives no usable answer" in found.remedy


@pytest.mark.parametrize("silent", [False, True])
def test_what_danebot_deployed_stays_confirmed_where_a_silent_server_may_refuse_it(
    world: World, *, silent: bool
) -> None:
    """Watched for long, while nobody was to be asked; then a line comes, and services are asked."""
    on, off = world.settings, world.settings.common._replace(probe=False)
    world.settings = world.settings._replace(common=off)
    world.zone.others = (BARE,)
    (world.paths.staging / "dane-ee").write_text(f"1 {OWNER}\n1 {BARE}\n")
    world.zone.keys, world.zone.silent = ["two", "one"], "ns2.example.org" if silent else ""
    world.pass_time(LONGEST_GAP + 2 * DAY)
    confirmed(world)
    save_memory(world.paths, world.memory, world.memory._replace(asked=(BARE,)))
    world.settings = on
    other = LINE._replace(mtype=MatchingType.SHA2_512)
    watch_owners(world.context, NAME, [Found(OWNER, Standing.OURS, OWNER, (other,))])
    assert world.memory.deployment is not None
    assert (world.memory.deployment.confirmed_at is not None) is silent


@pytest.mark.parametrize("take", [by_hand, watch, init])
def test_a_newcomer_keeps_its_key_until_what_was_there_before_is_known(
    world: World, take: Callable[[World], object]
) -> None:
    """Danebot deployed what is live when it watched nobody: this service was shown nothing."""
    ran = hooked(world)
    world.zone.keys = ["two", "one"]
    confirmed(world)
    take(world)
    (found,) = (one for one in world.renew().findings if one.code is Code.NOT_SERVED)
    assert found.remedy.startswith("leave it as it is until ")
    assert not ran.exists()
    world.pass_time(2 * DAY)
    world.renew()
    assert ran.exists()


def hooked(world: World) -> Path:
    """What a hook leaves that has run."""
    ran = world.grown.root / "ran"
    common = world.settings.common._replace(hooks=(f"echo >> {ran}",), probe=True)
    world.settings = world.settings._replace(common=common)
    return ran


def again(world: World) -> tuple[Finding, ...]:
    with TreeLock(world.grown.root):
        return deploy_again(world.context, (NAME,))[1]


def test_what_danebot_deployed_is_not_shown_where_a_new_owner_refuses_it(world: World) -> None:
    world.zone.keys = ["two"]
    deployed = confirmed(world)
    assert watch(world) == ()
    assert world.memory.deployment == deployed
    world.renew()
    assert world.memory.deployment == deployed


@pytest.mark.parametrize("take", [watch, init])
def test_no_renewal_shows_it_either(world: World, take: Take) -> None:
    """An ordinary renewal of the live key is refused as the live chain is, which nobody serves."""
    ran = world.grown.root / "ran"
    hooks = (f"echo >> {ran}",)
    world.settings = world.settings._replace(
        common=world.settings.common._replace(hooks=hooks, probe=True)
    )
    world.zone.keys = ["two"]
    take(world)
    world.issuer.due = True
    assert Code.DEPLOYMENT_HELD in [one.code for one in world.renew().findings]
    assert not ran.exists()
    world.service.key = "one"  # all the same, mail fails: nothing is to be spared any more
    world.renew()
    world.renew()
    assert ran.exists()


def confirmed(world: World) -> Deployment:
    """Have it remembered that danebot deployed what is live, and that this was confirmed."""
    live = world.grown.tree.read(NAME).live
    assert live is not None
    done = Deployment(live.chain.fingerprint, live.key.digest, world.now, confirmed_at=world.now)
    save_memory(world.paths, world.memory, world.memory._replace(deployment=done))
    return done


def test_where_nobody_is_to_be_asked_any_more_no_renewal_waits_for_that(world: World) -> None:
    """Another owner's service was asked once; then probing is turned off, for good."""
    off = world.settings.common._replace(probe=False)
    world.settings = world.settings._replace(common=off)
    save_memory(world.paths, world.memory, world.memory._replace(asked=(builders.MX2,)))
    by_hand(world)
    world.zone.keys = ["two"]
    world.issuer.due = True
    assert Code.DEPLOYMENT_HELD not in [one.code for one in world.renew().findings]
    assert world.memory.asked == ()
