"""Certificates of a compromised key: revoked once it is out of use, each remembered as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.domain.finding import Code
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Deployment,
    Memory,
    PendingRevocation,
)
from danebot.jobs.authority import CaAccess
from danebot.jobs.progress import Done
from danebot.jobs.revoke import revoke_pending
from domain.builders import HOUR
from jobs.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The key two is live, and two certificates of the key one are left."""
    world = World(tmp_path)
    world.grown.version(2)
    world.grown.version(3, "two")
    for directory in (world.paths.staging, world.paths.live):
        world.grown.link(directory, 3)
    world.grown.combo("two", 3)
    return world


@pytest.fixture
def authority(world: World) -> Iterator[CaAccess]:
    with TreeLock(world.grown.root) as lock:
        yield CaAccess(world.certbot, lock)


def wanted(world: World, key: str = "one", *, confirmed: bool = True) -> Memory:
    deployment = Deployment(b"chain", b"two", world.now - HOUR)
    if confirmed:
        deployment = deployment._replace(confirmed_at=world.now)
    return Memory(deployment=deployment, revocations=(PendingRevocation(trees.public(key).spki),))


def revoking(world: World, authority: CaAccess, memory: Memory) -> list[Done]:
    return list(revoke_pending(world.context, authority, NAME, memory))


def test_each_certificate_that_is_left_is_revoked(world: World, authority: CaAccess) -> None:
    acts = revoking(world, authority, wanted(world))
    assert world.issuer.calls == ["revoke privkey1.pem", "revoke privkey2.pem"]
    assert [event.code for done in acts for event in done.events] == [Code.REVOKED]
    last = acts[-1].memory
    assert last is not None
    assert last.revocations == ()
    assert [one.result for one in last.contacts] == [CallResult.DONE, CallResult.DONE]


def test_each_is_given_to_remember_before_the_ca_is_asked(
    world: World, authority: CaAccess
) -> None:
    doing = revoke_pending(world.context, authority, NAME, wanted(world))
    begun = next(doing).memory
    assert begun is not None
    assert [(one.call, one.result) for one in begun.contacts] == [
        (Call.REVOCATION, CallResult.BEGUN)
    ]
    assert world.issuer.calls == []


def test_what_fails_stays_pending_with_the_reason(world: World, authority: CaAccess) -> None:
    world.issuer.refusal = "no"
    last = revoking(world, authority, wanted(world))[-1].memory
    assert world.issuer.calls == ["revoke privkey1.pem"]
    assert last is not None
    ((spki, attempts, error),) = last.revocations
    assert (spki, attempts, error) == (trees.public("one").spki, 1, "no")
    assert last.contacts[-1].result is CallResult.FAILED


def test_a_key_that_is_in_use_is_not_revoked(world: World, authority: CaAccess) -> None:
    last = revoking(world, authority, wanted(world, "two"))[-1].memory
    assert world.issuer.calls == []
    assert last is not None
    assert "still uses the key" in last.revocations[0].error


def test_nothing_is_revoked_before_the_service_was_seen_with_the_new_key(
    world: World, authority: CaAccess
) -> None:
    assert revoking(world, authority, wanted(world, confirmed=False)) == []
