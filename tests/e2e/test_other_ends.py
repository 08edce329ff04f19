"""A secondary that is dead, and a stolen key, with NSD and BIND."""

from __future__ import annotations

from datetime import timedelta

import pytest

from e2e.far import Far
from e2e.site import MAIL, OWNER
from e2e.steps import aged, cools

pytestmark = pytest.mark.lab


def test_a_dead_secondary_is_named_after_a_day(far: Far) -> None:
    """At first it may be a reboot; then it holds the rollover, with its record long published."""
    far.staged()
    far.quiet("renew")
    new = far.next_record()
    far.lab.tlsa_add(OWNER, new)
    far.lab.stop("secondary")
    far.danebot("renew")
    aged(far, timedelta(days=1, hours=1))
    run = far.danebot("renew")
    assert run.returncode == 1
    (line,) = [one for one in run.stderr.splitlines() if "ns2.example.test" in one]
    assert far.lab.ns2 in line
    assert "WARNING" in line
    far.lab.start("secondary")
    cools(far)


def test_a_dead_secondary_is_named_at_once_in_an_emergency(far: Far) -> None:
    far.staged()
    far.quiet("renew")
    far.danebot("newkey", "--emergency", MAIL)
    (line,) = far.status()["publication"]["add"]
    far.lab.tlsa_add(OWNER, line.split(" TLSA ", 1)[1])
    far.lab.stop("secondary")
    run = far.danebot("renew")
    assert run.returncode == 1
    assert "ns2.example.test" in run.stderr
    assert far.lab.ns2 in run.stderr
    assert "once it is published" not in run.stderr
