"""A tree from a backup: what is live there need not be what services serve now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import save_memory
from danebot.config.settings import Method, PublishSettings
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.dns.answers import Presence
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.renaming import Wish
from danebot.domain.names import DnsName, Protocol
from danebot.domain.rollover.evidence.memory import (
    CancelledKey,
    Deployment,
    Exposure,
    PastKey,
    PendingHook,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import LONGEST_GAP
from danebot.jobs import confirm as module
from danebot.jobs.deploy import deploy_again
from danebot.jobs.emergency import request_successor
from danebot.jobs.init import StagedKeys, deinitialise
from danebot.jobs.names import change_names
from danebot.jobs.overview import look_over
from danebot.jobs.publish_all import publish_now
from domain.builders import DAY, HOUR
from jobs.world import OWNER, World

Happens = Callable[[World], None]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The backup has the key one, deployed and confirmed; DNS and the service have gone on to two.

    Another renewal is due.
    """
    monkeypatch.setattr(module, "_PAUSES", (0.0,))
    world = World(tmp_path)
    common = world.settings.common._replace(hooks=(f"echo ran >>{tmp_path / 'log'}",), probe=True)
    world.settings = world.settings._replace(common=common)
    world.renew()
    remember(world, confirmed_at=world.now)
    world.renew()
    assert world.memory.asked == (OWNER,)
    world.now += 9 * DAY
    world.zone.keys = ["two"]
    world.service.key = "two"
    world.issuer.due = True
    return world


def remember(world: World, **more: object) -> None:
    """Have it remembered that danebot deployed what is live."""
    live = world.grown.tree.read(NAME).live
    assert live is not None
    last = Deployment(live.chain.fingerprint, live.key.digest, world.now)._replace(**more)  # type: ignore[arg-type]
    save_memory(world.paths, world.memory, world.memory._replace(deployment=last))


def ran(world: World) -> int:
    log = world.grown.root.parent / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def version(world: World) -> int | None:
    live = world.grown.tree.read(NAME).live
    return live.version if live is not None else None


def codes(found: tuple[Finding, ...]) -> list[str]:
    wanted = (Code.DEPLOYMENT_HELD, Code.NOT_SERVED, Code.NOT_CONFIRMED)
    return sorted({one.code.value for one in found if one.code in wanted})


HELD, OTHER, SILENT = (
    code.value for code in (Code.DEPLOYMENT_HELD, Code.NOT_SERVED, Code.NOT_CONFIRMED)
)


def untouched(world: World) -> bool:
    """Whether nothing had the service read the older key."""
    return (ran(world), version(world)) == (0, 1)


# ---- a renewal --------------------------------------------------------------------------------


def test_the_restored_key_is_not_deployed_over_one_that_the_records_name(world: World) -> None:
    found = world.renew().findings
    assert untouched(world)
    assert codes(found) == [HELD, OTHER]
    held = next(one for one in found if one.code is Code.DEPLOYMENT_HELD)
    assert f"add, and keep what is there: {OWNER}. IN TLSA 3 1 1" in held.remedy
    served = next(one for one in found if one.code is Code.NOT_SERVED)
    assert f"3 1 1 {trees.public('two').digest.hex()}" in served.text


def test_each_run_says_the_same_and_so_does_the_status(world: World) -> None:
    for _ in range(3):
        assert codes(world.renew().findings) == [HELD, OTHER]
        (seen,) = look_over(world.context, [NAME]).views
        assert codes(seen.findings) == [HELD]
        world.now += DAY
    assert untouched(world)


def test_it_is_deployed_once_the_records_of_both_are_in_every_cache(world: World) -> None:
    world.renew()
    world.zone.keys = ["two", "one"]
    world.renew()
    assert untouched(world)
    world.pass_time(3 * DAY)
    assert (ran(world) > 0, version(world)) == (True, 2)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("lingering", [False, True])
def test_hooks_show_the_restored_key_to_none_who_may_know_the_other_alone(
    world: World, *, lingering: bool, waits: bool
) -> None:
    """The backup was taken before a rollover had settled, and DNS has the records of both keys."""
    world.issuer.due = False
    world.zone.keys = ["two", "one"]
    pending = (PendingHook(world.settings.common.hooks[0]),) if waits else ()
    confirmed_at = world.now - 9 * DAY if lingering else None
    remember(world, confirmed_at=confirmed_at, pending=pending)
    if lingering:
        past = PastKey(trees.public("three").spki, world.now - 9 * DAY)
        save_memory(world.paths, world.memory, world.memory._replace(past_keys=(past,)))
    for _ in range(2):
        assert codes(world.renew().findings) == [OTHER]
    assert ran(world) == 0
    world.pass_time(2 * DAY)
    world.renew()
    assert ran(world) > 0


@pytest.mark.parametrize("key", ["one", "three"])
def test_where_the_service_is_seen_to_fail_it_is_deployed_at_once(world: World, key: str) -> None:
    """It serves what is live, or a third key: no record names either."""
    world.service.key = key
    assert HELD not in codes(world.renew().findings)
    assert (ran(world), version(world)) == (1, 2)


@pytest.mark.parametrize("key", ["one", "three"])
def test_one_that_fails_later_ends_the_wait_in_the_same_run(world: World, key: str) -> None:
    world.renew()
    world.service.key = key
    assert HELD not in codes(world.renew().findings)
    assert (ran(world) > 0, version(world)) == (True, 2)


def test_silence_excuses_nothing(world: World) -> None:
    world.service.outcome = ProbeOutcome.TIMEOUT
    for _ in range(2):
        assert codes(world.renew().findings) == [HELD, SILENT]
        (seen,) = look_over(world.context, [NAME]).views
        assert codes(seen.findings) == [HELD]
    assert untouched(world)
    world.zone.keys = ["two", "one"]  # the way that is always there
    world.renew()
    world.pass_time(3 * DAY)
    assert version(world) == 2


def test_where_nobody_is_to_be_asked_the_memory_is_believed(world: World) -> None:
    """A documented limit."""
    common = world.settings.common._replace(probe=False)
    world.settings = world.settings._replace(common=common)
    world.renew()
    assert (world.service.asked, version(world)) == (1, 2)


def test_a_healthy_renewal_asks_nobody_beforehand(world: World) -> None:
    world.zone.keys, world.service.key = ["one"], "one"
    world.service.asked, world.service.number = 0, 2
    world.renew()
    assert (ran(world), version(world), world.service.asked) == (1, 2, 1)


def old_memory(world: World) -> None:
    """Another key's, while the tree is as it should be."""
    newer(world)
    last = Deployment(b"former", b"former", world.now, confirmed_at=world.now)
    save_memory(world.paths, world.memory, world.memory._replace(deployment=last))


def newer(world: World) -> None:
    """The tree as it was before the backup was put in its place: the key two is live."""
    world.grown.version(2, "two")
    for directory in (world.paths.staging, world.paths.live):
        world.grown.link(directory, 2)
    world.grown.combo("two", 2)
    remember(world, confirmed_at=world.now)


def combo_alone(world: World) -> None:
    newer(world)
    world.grown.combo("one", 1)


def live_alone(world: World) -> None:
    newer(world)
    world.grown.link(world.paths.live, 1)
    world.grown.combo("one", 1)


def live_key(world: World) -> PublicKey | None:
    return world.grown.tree.read(NAME).current_key


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("happens", [old_memory, combo_alone, live_alone])
def test_a_part_of_a_backup_brings_no_older_key(
    world: World, happens: Happens, *, remembered: bool
) -> None:
    happens(world)
    if not remembered:
        save_memory(world.paths, world.memory, world.memory._replace(deployment=None))
    for _ in range(3):
        world.renew()
        assert live_key(world) == trees.public("two") or ran(world) == 0
        world.now += DAY
    assert live_key(world) == trees.public("two")


def test_a_deployment_that_was_cut_short_before_the_backup_is_not_completed(world: World) -> None:
    """It went no further than the memory."""
    world.issuer.due = False
    world.grown.version(2, "one")
    world.grown.link(world.paths.staging, 2)
    staged = world.grown.tree.read(NAME).staged
    assert staged is not None
    hooks = (PendingHook(world.settings.common.hooks[0]),)
    remember(world, chain=staged.chain.fingerprint, pending=hooks)
    for _ in range(2):
        assert codes(world.renew().findings) == [HELD, OTHER]
    assert untouched(world)


# ---- hooks of a deployment that the backup remembers -------------------------------------------


@pytest.mark.parametrize("outcome", [ProbeOutcome.SERVED, ProbeOutcome.TIMEOUT])
def test_hooks_that_wait_since_the_backup_are_not_run(world: World, outcome: ProbeOutcome) -> None:
    """A run was cut short between live and its hooks."""
    world.issuer.due = False
    world.service.outcome = outcome
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    for _ in range(2):
        found = world.renew().findings
        assert codes(found) == [OTHER if outcome is ProbeOutcome.SERVED else SILENT]
        assert untouched(world)
    world.service.outcome, world.service.key = ProbeOutcome.SERVED, "one"
    world.renew()
    assert world.memory.deployment is None


@pytest.mark.parametrize("outcome", [ProbeOutcome.TIMEOUT, ProbeOutcome.SERVED])
def test_hooks_that_wait_are_run_for_a_service_that_is_not_seen_to_lose_mail(
    world: World, outcome: ProbeOutcome
) -> None:
    """DNS has its record; what another's may have been alone is no more than a doubt."""
    world.issuer.due = False
    world.zone.keys = ["two", "one"]
    world.service.outcome, world.service.key = outcome, "one"
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    world.renew()
    assert ran(world) == 1


def test_a_service_that_gives_no_answer_is_told_as_such_and_no_more(world: World) -> None:
    """Nobody has seen it to have another chain, so nothing is doubted that danebot showed it."""
    world.issuer.due = False
    world.zone.keys = ["two", "one"]
    world.service.outcome = ProbeOutcome.TIMEOUT
    remember(world)
    found = world.renew().findings
    assert [one.code.value for one in found if one.severity is not Severity.NOTICE] == [SILENT]


def test_no_hook_is_run_again_while_a_silent_server_may_have_the_other_record_alone(
    world: World,
) -> None:
    """One look after the other sees both; who asks the silent one may know the key two alone."""
    quiet_for_long(world)
    remember(world)
    world.service.key, world.service.days = "two", 60
    for _ in range(2):
        (found,) = (one for one in world.renew().findings if one.code is Code.NOT_SERVED)
        assert "ns2.example.org [192.0.2.1], which gives no usable answer" in found.remedy
        assert untouched(world)
        world.now += DAY
    world.zone.silent = ""
    world.pass_time(2 * DAY)
    world.renew()
    assert ran(world) > 0


def quiet_for_long(world: World) -> None:
    """The records of both keys are published, and ns2 hasn't answered for longer than will do."""
    world.issuer.due = False
    world.zone.keys, world.zone.silent, world.service.key = ["two", "one"], "ns2.example.org", "one"
    world.pass_time(LONGEST_GAP + 2 * DAY)


@pytest.mark.parametrize("days", [20, 16, 60])
def test_a_hook_that_fails_once_leaves_no_service_on_a_chain_that_nears_its_end(
    world: World, days: int
) -> None:
    """The renewal went live beside a long-silent server, since the live chain neared its end.

    So it is for the chain that the service presents, or which is over; a younger one stays.
    """
    broken = failing_hook(world)
    quiet_for_long(world)
    world.issuer.due, world.service.key, world.service.days = True, "two", days
    found = world.renew().findings
    assert (version(world), ran(world)) == (2, 0)
    broken.unlink()
    for _ in range(3):
        found = world.renew().findings
        world.now += HOUR
    assert OTHER in codes(found)
    held = [one for one in found if "leave it as it is: " in one.remedy]
    assert (ran(world) > 0, len(held)) == ((True, 0) if days < 60 else (False, 1))


@pytest.mark.parametrize("days", [8, 60])
def test_deploy_goes_by_the_chain_that_the_service_presents(world: World, days: int) -> None:
    quiet_for_long(world)
    remember(world)
    world.service.key, world.service.days = "two", days
    found = deploy(world)
    assert (ran(world) > 0) is (days == 8)
    assert any("no usable answer" in f.text + f.remedy for f in found) is (days == 60)


@pytest.mark.parametrize("days", [8, 60])
def test_hooks_that_wait_go_by_it_too(world: World, days: int) -> None:
    quiet_for_long(world)
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    world.service.key, world.service.days = "two", days
    world.renew()
    assert (ran(world) > 0) is (days == 8)


@pytest.mark.parametrize("days", [8, 60])
def test_so_do_those_that_wait_when_names_change(
    world: World, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    quiet_for_long(world)
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    world.service.key, world.service.days = "two", days
    change(world, monkeypatch)
    assert (ran(world) > 0) is (days == 8)


@pytest.mark.parametrize("heard", [False, True])
def test_what_was_heard_keeps_a_service_on_a_chain_that_is_over(
    world: World, *, heard: bool
) -> None:
    """Senders who may have the key two alone don't mind that: silence is a guess, this isn't."""
    quiet_for_long(world)
    remember(world)
    world.service.key, world.service.days = "two", 8
    world.zone.keys = ["two"] if heard else ["two", "one"]
    for _ in range(2):
        world.renew()
    assert (ran(world) == 0) is heard


def failing_hook(world: World) -> Path:
    """A hook that fails as long as the file is there that is returned."""
    root = world.grown.root.parent
    broken = root / "broken"
    broken.touch()
    hook = f"test ! -e {broken} && echo ran >>{root / 'log'}"
    world.settings = world.settings._replace(common=world.settings.common._replace(hooks=(hook,)))
    return broken


def test_hooks_of_a_deployment_that_mends_are_run(world: World) -> None:
    """The service has the key three, which no record names any more."""
    world.issuer.due = False
    world.service.key = "three"
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    world.renew()
    assert ran(world) == 1


@pytest.mark.parametrize("confirmed", [True, False])
def test_no_hook_is_run_again_for_a_service_that_went_on(world: World, *, confirmed: bool) -> None:
    """It was to be asked, when the backup was made, for a deployment or an old key's records."""
    world.issuer.due = False
    past = PastKey(trees.public("three").spki, world.now)
    remember(world, confirmed_at=world.now if confirmed else None)
    save_memory(world.paths, world.memory, world.memory._replace(past_keys=(past,)))
    for _ in range(3):
        assert codes(world.renew().findings) == [OTHER]
        world.now += DAY
    assert untouched(world)


def test_a_service_is_not_spared_for_the_sake_of_a_compromised_key(world: World) -> None:
    """The operator accepted the mismatch; a crash came between live and the hooks."""
    world.issuer.due = False
    past = PastKey(trees.public("two").spki, world.now, Exposure.COMPROMISED)
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    save_memory(world.paths, world.memory, world.memory._replace(past_keys=(past,)))
    world.renew()
    assert ran(world) == 1


@pytest.mark.parametrize("probed", [False, True])
@pytest.mark.parametrize("urgency", [Urgency.EMERGENCY, Urgency.MISMATCH_ACCEPTED])
def test_hooks_that_fail_in_an_emergency_are_run_until_they_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urgency: Urgency, *, probed: bool
) -> None:
    """Nobody is to be asked, or whoever is never answered; what caches have is accepted."""
    monkeypatch.setattr(module, "_PAUSES", (0.0,))
    world = World(tmp_path)
    hook = f"test ! -e {tmp_path / 'broken'} && echo ran >>{tmp_path / 'log'}"
    publishes = PublishSettings(Method.RFC2136, wait=timedelta(0))
    common = world.settings.common._replace(hooks=(hook,), probe=probed, publish=publishes)
    world.settings = world.settings._replace(common=common)
    world.service.outcome = ProbeOutcome.TIMEOUT
    world.pass_time(9 * DAY)
    (tmp_path / "broken").touch()
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    with TreeLock(world.grown.root):
        request_successor(world.context, NAME, urgency, Revocation.LEFT)
    for _ in range(4):
        found = world.renew().findings
        world.now += HOUR
    assert Code.HOOK_FAILED in {one.code for one in found}
    assert (live_key(world), world.zone.keys) == (trees.public("two"), ["one", "two"])
    (tmp_path / "broken").unlink()
    world.renew()
    assert ran(world) == 1


def deploy(world: World) -> tuple[Finding, ...]:
    with TreeLock(world.grown.root):
        return deploy_again(world.context, (NAME,))[1]


@pytest.mark.parametrize("outcome", [ProbeOutcome.SERVED, ProbeOutcome.TIMEOUT])
def test_deploy_shows_no_service_the_restored_key(world: World, outcome: ProbeOutcome) -> None:
    world.service.outcome = outcome
    (found,) = deploy(world)
    assert f"senders may refuse the live chain at {OWNER}" in found.text
    assert f"danebot tlsa {NAME}" in found.text
    assert untouched(world)


def test_deploy_shows_it_to_none_who_may_know_the_other_key_alone(world: World) -> None:
    world.issuer.due = False
    world.zone.keys = ["two", "one"]
    (found,) = deploy(world)
    assert "let the former records leave caches" in found.text
    assert untouched(world)
    world.pass_time(2 * DAY)
    deploy(world)
    assert ran(world) > 0


def test_names_show_it_to_no_service(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook waits since the backup; the name is gone already."""
    remember(world, pending=(PendingHook(world.settings.common.hooks[0]),))
    world.issuer.due = False
    assert OTHER in codes(change(world, monkeypatch))
    assert untouched(world)


def change(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Finding, ...]:
    none = world.zone.observe_owners([OWNER])[OWNER].answer
    none = none._replace(presence=Presence.NODATA, records=())
    monkeypatch.setattr(world.zone, "lookup_owners", lambda owners: dict.fromkeys(owners, none))
    wish = Wish(remove=(DnsName.parse("former.example.test"),))
    with TreeLock(world.grown.root) as lock:
        run, _ = change_names(world.context, world.certbot, lock, NAME, wish)
    return tuple(run.progress.events)


@pytest.mark.parametrize("key", ["one", "three"])
def test_deploy_goes_on_where_there_is_nothing_to_lose(world: World, key: str) -> None:
    world.service.key = key
    deploy(world)
    assert ran(world) == 1


# ---- a service whose protocol is configured ------------------------------------------------------


@pytest.mark.parametrize("key", ["one", "three"])
def test_whatever_it_speaks_a_service_that_is_seen_to_fail_is_mended(
    world: World, key: str
) -> None:
    world.service.protocol = Protocol.TLS
    world.service.key = key
    assert HELD not in codes(world.renew().findings)
    assert (ran(world), version(world)) == (1, 2)


def test_whatever_it_speaks_a_service_that_went_on_is_spared(world: World) -> None:
    world.service.protocol = Protocol.TLS
    world.issuer.due = False
    remember(world, confirmed_at=None)
    for _ in range(3):
        found = world.renew().findings
        assert codes(found) == [OTHER]
        served = next(one for one in found if one.code is Code.NOT_SERVED)
        assert served.remedy.startswith("leave it as it is")
        world.now += DAY
    assert untouched(world)


# ---- what is urgent, and what is removed -------------------------------------------------------


def test_a_key_on_its_way_is_no_repair_while_the_service_has_another_one(world: World) -> None:
    """Caches may have the RRset without it, by which the service is known."""
    world.issuer.due = False
    world.grown.staging_file("nextkey.pem", trees.key_pem("three"))
    world.zone.keys = ["two", "three"]
    world.renew()
    assert "promote" not in world.issuer.calls
    world.service.key = "one"
    world.renew()
    assert "promote" in world.issuer.calls


def test_a_repair_takes_one_run_though_services_are_asked_at_each_step(world: World) -> None:
    """The longest way: a stranger's key is staged, and a next key is to stand by at all times."""
    common = world.settings.common
    policy = common.policy._replace(prepublish=True)
    world.settings = world.settings._replace(common=common._replace(policy=policy))
    world.grown.version(2, "three")
    world.grown.link(world.paths.staging, 2)
    world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
    world.service.key = "one"
    found = world.renew().findings
    assert Code.FILES_BROKEN not in {one.code for one in found}
    assert (ran(world), live_key(world)) == (1, trees.public("two"))


def test_publish_removes_no_record_of_what_is_served(world: World) -> None:
    """By the backup, the key two was replaced, and its records may go: it came back since."""
    world.issuer.due = False
    world.zone.keys = ["one", "two"]
    past = PastKey(trees.public("two").spki, world.now)
    remember(world, confirmed_at=world.now, clear_since=world.now, cleared_at=world.now)
    save_memory(world.paths, world.memory, world.memory._replace(past_keys=(past,)))
    publishes = PublishSettings(Method.RFC2136, wait=timedelta(0))
    common = world.settings.common._replace(publish=publishes)
    world.settings = world.settings._replace(common=common)
    with TreeLock(world.grown.root):
        publish_now(world.context, [NAME])
    assert world.zone.keys == ["one", "two"]
    world.service.key = "one"
    for _ in range(2):
        world.now += 2 * DAY + HOUR
        world.renew()
    with TreeLock(world.grown.root):
        publish_now(world.context, [NAME])
    assert world.zone.keys == ["one"]


def test_publish_advises_no_reload_while_a_silent_server_may_have_the_other_record_alone(
    world: World,
) -> None:
    """It asks services, for a key's records may go that was cancelled; one went on to two."""
    quiet_for_long(world)
    world.zone.keys = ["two", "one", "three"]
    gone = CancelledKey(trees.public("three").digest, world.now, trees.public("three").spki)
    remember(world)
    save_memory(world.paths, world.memory, world.memory._replace(cancelled=(gone,)))
    world.service.key, world.service.days = "two", 60
    with TreeLock(world.grown.root):
        _, found = publish_now(world.context, [NAME])
    (told,) = (one for one in found if one.code is Code.NOT_SERVED)
    assert "ns2.example.org [192.0.2.1], which gives no usable answer" in told.remedy
    assert world.memory.deployment is not None
    assert world.memory.deployment.pending == ()


def test_deinit_leaves_live_as_it_is(world: World) -> None:
    """It asks nobody, so a renewal that rests on what services have stays behind."""
    world.grown.version(2, "one")
    world.grown.link(world.paths.staging, 2)
    before = world.grown.tree.read(NAME).serving
    with TreeLock(world.grown.root):
        deinitialise(world.context, NAME, StagedKeys.REFUSE)
    after = world.grown.tree.read(NAME).serving
    assert before is not None
    assert after is not None
    assert after.same_content(before)
