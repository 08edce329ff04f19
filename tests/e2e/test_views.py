"""Name servers with views: what this host is told isn't what the world is told."""

from __future__ import annotations

import pytest

from e2e.far import Far
from e2e.site import MAIL
from e2e.steps import cools
from lab.resolvers import Resolver

pytestmark = pytest.mark.lab

HOST, ZONE = "mail.split.test", "split.test."
OUTSIDE = f'witnesses = ["{Resolver.KRESD.address}"]'


def split(far: Far) -> tuple[str, str, str]:
    """A next key whose record is published inside alone; the owner, the old and the new record."""
    owner, old = far.issued_for(HOST)
    far.lab.tlsa_set(owner, old, zone=ZONE)
    far.world.tlsa_outside(owner, old)
    far.ok("init", MAIL)
    new = far.next_record()
    far.lab.tlsa_add(owner, new, zone=ZONE)
    return owner, old, new


def test_a_record_that_the_world_does_not_see_holds_the_key(far: Far) -> None:
    far.extra = OUTSIDE
    owner, old, new = split(far)

    far.quiet("renew")

    assert far.status()["phase"] == "staged"
    shown = far.danebot("status", MAIL).stdout
    assert f"missing at witness [{Resolver.KRESD.address}] (server doesn't have it)" in shown
    assert "missing at ns1.split.test" not in shown
    far.world.tlsa_outside(owner, old, new)
    cools(far)


def test_a_witness_may_be_a_server_that_does_not_recurse(far: Far) -> None:
    """Asked from here it is in the same view: no better than the server itself, and no worse."""
    far.extra = f'witnesses = ["{far.lab.ns1}"]'
    split(far)
    cools(far)


def test_a_witness_that_is_down_holds_the_key(far: Far) -> None:
    far.extra = OUTSIDE
    owner, old, new = split(far)
    far.world.tlsa_outside(owner, old, new)
    far.lab.stop("kresd")
    far.danebot("renew")
    assert far.status()["phase"] == "staged"
    far.lab.start("kresd")
    cools(far)


def test_without_a_witness_nobody_sees_the_other_view(far: Far) -> None:
    """Why the setting is there: in what this host is told nothing differs."""
    split(far)
    cools(far)


def test_a_record_of_the_current_key_that_the_world_lacks_is_told(far: Far) -> None:
    far.extra = OUTSIDE
    owner, old = far.issued_for(HOST)
    far.lab.tlsa_set(owner, old, zone=ZONE)
    far.world.tlsa_outside(owner, f"3 1 1 {'f0' * 32}")
    far.danebot("init", MAIL)
    run = far.danebot("renew")
    assert run.returncode == 1
    assert f"witness [{Resolver.KRESD.address}]" in run.stderr


def test_a_key_that_changes_the_other_view_is_no_lagging_transfer(far: Far) -> None:
    """It writes to what the world sees; this host is shown something else, for good."""
    owner, old = far.issued_for(HOST)
    far.lab.tlsa_set(owner, old, zone=ZONE)
    far.world.tlsa_outside(owner, old)
    far.ok("init", MAIL)
    far.updates(key_file=far.world.outer_key_file)
    new = far.next_record()

    run = far.danebot("renew")

    assert run.returncode == 1
    assert "the server has the records in another view than it shows this host" in run.stderr
    assert "docs/configuration.md#views" in run.stderr
    assert "transfer" not in run.stderr
    assert far.lab.tlsa_at(far.lab.ns1, owner) == {old}
    assert far.lab.tlsa_at(Resolver.KRESD.address, owner) == {old, new}
    assert far.status()["phase"] == "staged"
