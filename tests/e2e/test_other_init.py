"""What init takes over where a zone has wildcards, or records of somebody else's."""

from __future__ import annotations

import pytest

from e2e.far import Far
from e2e.site import MAIL, OWNER
from lab.resolvers import Resolver

pytestmark = pytest.mark.lab

FOREIGN = f"3 1 1 {'f0' * 32}"


@pytest.mark.parametrize(
    ("resolver", "zone"),
    [
        (Resolver.BIND, "example.test."),
        (Resolver.KRESD, "example.test."),
        (Resolver.DNSMASQ, "power.test."),
    ],
)
def test_a_wildcard_gives_the_ports_that_answer(far: Far, resolver: Resolver, zone: str) -> None:
    """`*._tcp.HOST` makes an RRset of every port; postfix serves three of them."""
    far.world.use(resolver)
    _, record = far.issued_for(f"mail.{zone.rstrip('.')}")
    far.lab.tlsa_set(f"*._tcp.mail.{zone}", record, zone=zone)
    far.ok("init", MAIL)
    lines = (far.staging / "dane-ee").read_text().splitlines()
    watched = {line.split()[1].rstrip(".") for line in lines if not line.startswith("#")}
    host = zone.rstrip(".")
    assert watched == {f"_{port}._tcp.mail.{host}" for port in (25, 465, 587)}


def test_a_record_that_is_only_somebody_else_s_is_not_taken(far: Far) -> None:
    _, record = far.issued_for("mail.example.test")
    far.lab.tlsa_set(OWNER, record)
    far.lab.tlsa_set("_443._tcp.mail.example.test.", FOREIGN)
    run = far.danebot("init", MAIL)
    assert "_443._tcp.mail.example.test" in run.stdout + run.stderr
    text = (far.staging / "dane-ee").read_text()
    assert "1 _25._tcp.mail.example.test" in text
    assert "1 _443._tcp.mail.example.test" not in text
    far.quiet("renew")
