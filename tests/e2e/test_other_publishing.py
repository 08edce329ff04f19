"""Publishing at other people's servers: views, clocks, and what is taken back."""

from __future__ import annotations

import time
from unittest import mock

import pytest

from e2e.far import Far
from e2e.publishing import later, published
from e2e.site import MAIL

pytestmark = pytest.mark.lab


def test_a_key_that_writes_to_the_view_of_the_world_is_told(far: Far) -> None:
    """The server has done what it was asked, and shows this host something else: no lag."""
    owner, old = far.issued_for("mail.split.test")
    far.lab.tlsa_set(owner, old, zone="split.test.")
    far.world.tlsa_outside(owner, old)
    far.updates('wait = "1s"', key_file=far.world.outer_key_file)
    far.ok("init", MAIL)
    far.next_record()
    far.danebot("renew")
    run = far.danebot("publish", MAIL)
    assert run.returncode == 1
    assert "the server has the records in another view than it shows this host" in run.stderr
    assert "transfer" not in run.stderr
    assert far.status()["phase"] == "staged"


def test_cancel_takes_back_what_was_published(far: Far) -> None:
    """And the next run doesn't publish it again."""
    old = far.staged()
    far.updates()
    new = far.next_record()
    far.ok("renew")
    assert published(far) == {old, new}
    far.ok("newkey", "--cancel", MAIL)
    assert published(far) == {old}
    far.quiet("renew")
    assert published(far) == {old}
    assert far.status()["phase"] == "stable"


@pytest.mark.parametrize("host", ["mail.example.test", "mail.power.test"])
def test_a_clock_that_is_wrong_is_told_as_that(far: Far, host: str) -> None:
    """BIND says BADTIME, signed; PowerDNS says NOTAUTH without a signature."""
    owner, old = far.staged_for(host)
    new = far.next_record()
    far.updates()
    with mock.patch("time.time", return_value=time.time() - 3600):
        run = far.danebot("renew")
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "clock" in line
    later(far)
    far.ok("renew")
    server = far.world.power if "power" in host else far.lab.ns1
    assert far.lab.tlsa_at(server, owner) == {old, new}


def test_a_frozen_zone_is_read_and_its_update_refused(far: Far) -> None:
    """`rndc freeze`: the refusal is that of the update, whatever the key may."""
    old = far.staged()
    new = far.next_record()
    far.updates()
    far.lab.control("primary", "freeze", "example.test", "IN", "inner")
    try:
        run = far.danebot("renew")
    finally:
        far.lab.control("primary", "thaw", "example.test", "IN", "inner")
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "frozen" in line
    later(far)
    far.ok("renew")
    assert published(far) == {old, new}


def test_another_zone_s_server_is_told_as_that(far: Far) -> None:
    """It refuses to be read: no key is at fault."""
    far.staged()
    far.next_record()
    far.updates(f'server = "{far.world.power}"', 'zone = "example.test"')
    run = far.danebot("renew")
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "allow the key to update" not in line
    assert "name server and zone under [publish]" in line


@pytest.mark.parametrize("resolver", ["127.0.0.3", "127.0.0.12"])
def test_a_resolver_named_as_the_server_is_told_as_that(far: Far, resolver: str) -> None:
    far.staged()
    far.next_record()
    far.updates(f'server = "{resolver}"')
    run = far.danebot("renew")
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "resolver" in line
    assert "allow the key to update" not in line
