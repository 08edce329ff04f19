"""What other people's servers do to danebot's view: BIND's views, opt-out zones, stale glue."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.asking import DnsClient
from danebot.adapters.dns.resolvconf import load_resolv_conf
from danebot.adapters.dns.zones import Direct
from danebot.adapters.publish.rfc2136 import Updater
from danebot.config.settings import ServerAddress
from danebot.domain.addresses import SocketAddress
from danebot.domain.dns.answers import Cause, OwnerObservation, Presence, Security
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.propagation import Seen, propagation_of
from danebot.domain.rollover.records.changes import Change, blind
from lab.resolvers import Resolver
from lab.second import SecondLab

pytestmark = pytest.mark.lab

SPLIT = "_25._tcp.mail.split.test"
OLD = TlsaRecord(3, 1, 1, b"\1" * 32)
KEY = b"any key"


def observe(
    second: SecondLab, owner: str, witnesses: tuple[SocketAddress, ...] = ()
) -> OwnerObservation:
    config = load_resolv_conf(second.resolv_conf)
    client = DnsClient(config, Direct(timeout=3.0, attempts=2), witnesses)
    name = DnsName(owner)
    return client.observe_owners([name])[name]


def required(owner: str) -> Required:
    return Required(MatchingType.SHA2_256, DnsName(owner))


def judged(owner: str, seen: OwnerObservation) -> Seen:
    return propagation_of(required(owner), KEY, {seen.owner: seen}).seen


# ---- views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("witness", [Resolver.KRESD.address, "fd53::8"])
def test_a_witness_sees_what_the_world_sees(second: SecondLab, witness: str) -> None:
    """This host is inside: what it is shown says nothing of what is outside."""
    new = required(SPLIT).record(KEY)
    second.tlsa_set(f"{SPLIT}.", str(new), zone="split.test.")
    second.tlsa_outside(f"{SPLIT}.", str(OLD))
    assert judged(SPLIT, observe(second, SPLIT)) is Seen.EVERYWHERE
    at = SocketAddress(witness)
    if witness != Resolver.KRESD.address:  # a server that doesn't know the zone
        assert judged(SPLIT, observe(second, SPLIT, (at,))) is Seen.UNKNOWN
        return
    seen = observe(second, SPLIT, (at,))
    assert [one.records for one in seen.witnesses] == [(OLD,)]
    assert judged(SPLIT, seen) is Seen.MISSING
    second.tlsa_outside(f"{SPLIT}.", str(OLD), str(new))
    second.flush()
    assert judged(SPLIT, observe(second, SPLIT, (at,))) is Seen.EVERYWHERE


def updater(second: SecondLab, tmp_path: Path, name: str, secret: str) -> Updater:
    path = tmp_path / f"{name}key"
    path.touch(0o600)
    path.write_text(f'key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};')
    config = load_resolv_conf(second.resolv_conf)
    return Updater(config, path, timedelta(seconds=30), ServerAddress(second.ns1))


def test_a_key_that_leads_to_another_view_is_told(second: SecondLab, tmp_path: Path) -> None:
    new = required(SPLIT).record(KEY)
    second.tlsa_set(f"{SPLIT}.", str(OLD), zone="split.test.")
    second.tlsa_outside(f"{SPLIT}.", str(OLD))
    change = Change("mail", (DnsName(SPLIT),), DnsName(SPLIT), DnsName("split.test"), add=(new,))
    outer = second.outer_key_file.read_text().strip().rpartition(":")[2]
    result = updater(second, tmp_path, "outer.", outer).publish(change)
    assert result.outcome is ChangeOutcome.VIEWS
    assert second.tlsa_at(second.ns1, f"{SPLIT}.") == {str(OLD)}
    result = updater(second, tmp_path, "lab.", second.tsig_secret).publish(change)
    assert result.outcome is ChangeOutcome.DONE
    assert second.tlsa_at(second.ns1, f"{SPLIT}.") == {str(OLD), str(new)}


# ---- opt-out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("resolver", [Resolver.BIND, Resolver.KRESD])
def test_the_first_record_behind_an_alias_into_an_opt_out_zone(
    second: SecondLab, resolver: Resolver
) -> None:
    second.use(resolver)
    owner = "_25._tcp.alias.optout.test"
    target = "_25._tcp.mail.optout.test"
    seen = observe(second, owner)
    assert (seen.answer.security, seen.answer.presence) == (Security.INSECURE, Presence.NXDOMAIN)
    assert (seen.answer.cause, seen.surely_led) == (Cause.OPT_OUT, True)
    assert seen.answer.canonical == DnsName(target)
    change = Change("mail", (DnsName(owner),), DnsName(target), add=(OLD,))
    assert blind(change, {seen.owner: seen}) == ""
    new = required(owner).record(KEY)
    second.tlsa_set(f"{target}.", str(new), zone="optout.test.")
    seen = observe(second, owner)
    assert seen.answer.secure
    assert judged(owner, seen) is Seen.EVERYWHERE


def test_an_unsigned_zone_is_no_opt_out(second: SecondLab) -> None:
    seen = observe(second, "_25._tcp.alias.insecure.test")
    assert (seen.answer.security, seen.answer.presence) == (Security.INSECURE, Presence.NXDOMAIN)
    assert (seen.answer.cause, seen.surely_led) == (None, False)


# ---- addresses --------------------------------------------------------------------------------


def test_glue_that_is_stale_is_asked_in_both_families(second: SecondLab) -> None:
    owner = "_25._tcp.mail.example.test"
    second.tlsa_set(f"{owner}.", str(OLD))
    moved = ["update delete ns1.example.test. A", "update add ns1.example.test. 5 A 10.53.0.10"]
    back = ["update delete ns1.example.test. A", "update add ns1.example.test. 5 A 10.53.0.1"]
    with second.altered(moved, back, "example.test."):
        second.flush()
        seen = observe(second, owner)
        where = {(one.server.name.text, one.server.address) for one in seen.servers}
        assert where == {
            ("ns1.example.test", "10.53.0.1"),
            ("ns1.example.test", "10.53.0.10"),
            ("ns1.example.test", "fd53::1"),
            ("ns2.example.test", "10.53.0.2"),
            ("ns2.example.test", "fd53::2"),
        }
        assert {one.records for one in seen.servers} == {(OLD,)}
        with second.altered(moved, back, "test."):
            second.flush()
            seen = observe(second, owner)
            assert "10.53.0.1" not in {one.server.address for one in seen.servers}
