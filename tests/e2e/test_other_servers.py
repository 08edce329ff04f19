"""What other people's servers do otherwise: opt-out zones, live signing, addresses that move."""

from __future__ import annotations

import time

import pytest

from e2e.far import Far
from e2e.site import MAIL, OWNER
from e2e.steps import combo, cools
from lab.resolvers import Resolver

pytestmark = pytest.mark.lab


# ---- opt-out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("resolver", Resolver)
def test_a_first_publication_in_an_opt_out_zone(far: Far, resolver: Resolver) -> None:
    """The alias is secure, the denial of its target can't be (RFC 5155 section 9.2)."""
    far.world.use(resolver)
    alias, target = "_25._tcp.mail.optout.test.", "_25._tcp.tlsa.optout.test."
    made = [f"update add {alias} 5 CNAME {target}"]
    with far.world.altered(made, [f"update delete {alias}"], "optout.test."):
        _, record = far.issued_for("mail.optout.test")
        far.danebot("init", MAIL)
        far.watching(alias)

        run = far.danebot("renew")

        assert run.returncode == 1
        assert "the live key's TLSA record is missing (no such name" in run.stderr
        assert "see that the resolver answers" not in run.stderr
        assert "isn't signed" not in run.stderr
        if resolver is not Resolver.DNSMASQ:  # which calls such a denial secure
            assert "can't be proven under NSEC3 opt-out in optout.test" in run.stderr
        far.lab.tlsa_set(target, record, zone="optout.test.")
        far.quiet("renew")
        new = far.next_record()
        far.quiet("renew")
        assert far.status()["phase"] == "staged"
        far.lab.tlsa_add(target, new, zone="optout.test.")
        cools(far)


@pytest.mark.parametrize("resolver", [Resolver.BIND, Resolver.KRESD])
def test_danebot_publishes_the_first_record_in_an_opt_out_zone(
    far: Far, resolver: Resolver
) -> None:
    far.world.use(resolver)
    alias, target = "_25._tcp.mail.optout.test.", "_25._tcp.tlsa.optout.test."
    made = [f"update add {alias} 5 CNAME {target}"]
    with far.world.altered(made, [f"update delete {alias}"], "optout.test."):
        _, record = far.issued_for("mail.optout.test")
        far.danebot("init", MAIL)
        far.watching(alias)
        far.updates()

        said = far.danebot("renew").stderr

        assert far.lab.tlsa_at(far.lab.ns1, target) == {record}, said
        far.lab.tlsa_set(target, zone="optout.test.")


# ---- PowerDNS ---------------------------------------------------------------------------------


@pytest.mark.parametrize("resolver", Resolver)
def test_a_rollover_without_hands_at_a_live_signer(far: Far, resolver: Resolver) -> None:
    """One server, whose denials are made up at each answer, and updates by DNS UPDATE."""
    far.world.use(resolver)
    owner, old = far.issued_for("mail.power.test")
    far.lab.tlsa_set(owner, old, ttl=1, zone="power.test.")
    far.updates()
    far.ok("init", MAIL)
    new = far.next_record()
    said = far.ok("renew")
    assert f"added at ns1.power.test: {owner} IN TLSA {new}" in said
    assert far.lab.tlsa_at(far.world.power, owner) == {old, new}
    end = time.monotonic() + 120
    while f"3 1 1 {combo(far)}" != new or old in far.lab.tlsa_at(far.world.power, owner):
        assert time.monotonic() < end
        time.sleep(1)
        said += far.ok("renew")
    assert f"removed at ns1.power.test: {owner} IN TLSA {old}" in said


# ---- addresses that move ------------------------------------------------------------------------


def test_glue_that_is_stale_counts(far: Far) -> None:
    """The zone says that ns2 has moved; resolvers begin with the parent, which doesn't know."""
    old = far.staged()
    new = far.next_record()
    name = "ns2.example.test."
    moved = [f"update delete {name}", f"update add {name} 5 A 10.53.0.10"]
    back = [
        f"update delete {name}",
        f"update add {name} 5 A {far.lab.ns2}",
        f"update add {name} 5 AAAA fd53::2",
    ]
    with far.world.altered(moved, back, "example.test."):
        with far.lab.lag_secondary():
            far.lab.tlsa_add(OWNER, new, wait=False)
            far.lab.flush()
            assert far.lab.tlsa_at("10.53.0.10", OWNER) == {old, new}
            far.quiet("renew")
            assert far.status()["phase"] == "staged"
            assert f"ns2.example.test [{far.lab.ns2}]" in far.danebot("status", MAIL).stdout
        cools(far)


def test_an_address_that_no_longer_answers_owes_its_word(far: Far) -> None:
    """The same server answers at its other address: caches may have asked at this one."""
    far.staged()
    far.quiet("renew")
    new = far.next_record()
    far.lab.tlsa_add(OWNER, new)
    with far.world.namespace.without("fd53::2"):
        shown = far.danebot("status", MAIL).stdout
        assert shown.startswith(f"{MAIL}: staged")
        assert "ns2.example.test [fd53::2]" in shown
    cools(far)
