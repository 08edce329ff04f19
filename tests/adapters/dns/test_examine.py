"""What a name server was asked for is told where it refuses."""

from __future__ import annotations

import pytest

from adapters.nameserver import nameservers
from danebot.adapters.dns.examine import examine
from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.domain.names import DnsName

OWNER = DnsName.parse("_25._tcp.mail.example.test")


@pytest.mark.parametrize(
    ("owners", "what"), [((), "the root's SOA record"), ((OWNER,), f"TLSA records of {OWNER}")]
)
def test_a_server_that_refuses_is_told_with_what_it_was_asked(
    owners: tuple[DnsName, ...], what: str
) -> None:
    with nameservers("127.0.0.1") as (told,):
        told.say(".", "SOA", rcode="REFUSED")
        told.say(OWNER.text, "TLSA", rcode="REFUSED")
        (asked,) = examine(ResolverConfig((Nameserver("127.0.0.1", told.port),)), owners)
    assert asked.trouble == f"answers with an error (REFUSED, asked for {what})"
