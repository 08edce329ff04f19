"""Where mail goes, and what `danebot setup` says of it."""

from __future__ import annotations

import pytest

from danebot.domain.delivery.routes import Dane
from danebot.domain.doctor.senders import MailWays, climb, first_hosts, unled
from danebot.domain.names import DnsName, Hostname
from domain.mail_world import (
    MX,
    NET,
    ORG,
    OTHER,
    OWN,
    failed,
    host,
    implicit,
    route,
    told,
    ways,
)

OPEN = f"senders to {ORG} aren't protected: "
UNKNOWN = f"whether senders to {ORG} are protected is unknown: "
STRANGER = f"{OTHER}: no TLSA records, and no certificate here has that name"
THEIRS = f"{OTHER}: secure TLSA records, and no certificate here has that name"
UNWATCHED = f"nobody keeps senders to {ORG} protected: {THEIRS}"
MAYBE = f"; if it is this host, add it: danebot names mail --add {OTHER}; if not, tell whoever"
THERE, PUBLIC = "192.0.2.2", ("192.0.2.1", "192.0.2.2")
GIVEN = "for the names that MX records give this host"
UNNAMED = "for HOST, this host's name, as no MX record leads here"


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("mx.a.example.org", ["mx.a.example.org", "a.example.org", "example.org"]),
        ("*.example.org", ["example.org"]),
        ("org", []),
        ("_x.example.org", ["example.org"]),
    ],
)
def test_domains_above_a_name(name: str, domains: list[str]) -> None:
    assert [str(one) for one in climb(DnsName(name))][-len(domains) or 9 :] == domains


@pytest.mark.parametrize("secure", [True, False])
def test_an_mx_leads_to_a_certificate_where_dns_is_signed(*, secure: bool) -> None:
    seen = ways(route(ORG, host(MX), secure=secure))
    assert seen.leads_to(OWN["mail"]) is secure
    assert not seen.leads_to({DnsName("www.example.org")})
    assert not ways(failed(ORG)).leads_to(OWN["mail"])
    assert not ways(route(MX)).leads_to(OWN["mail"])


@pytest.mark.parametrize(
    ("seen", "why", "command"),
    [
        (ways(route(ORG, host(MX))), "", ""),
        (ways(route(ORG, host(MX), host(OTHER, address=THERE))), "", ""),  # another's, protected
        (ways(route(ORG, host(MX), host(OTHER, address=THERE)), translated=PUBLIC), "", ""),
        (
            ways(route(ORG, host(MX, Dane.ABSENT))),
            f"{OPEN}no TLSA records at _25._tcp.{MX}",
            f"setup --owner _25._tcp.{MX} mail",
        ),
        (
            ways(route(ORG, host(MX, Dane.INSECURE_ADDRESS))),
            f"{OPEN}{MX}: address records are not secured by DNSSEC",
            f"verify {ORG}",
        ),
        (
            ways(route(ORG, host(MX), secure=False)),
            f"{OPEN}the MX records are not secured by DNSSEC",
            f"verify {ORG}",
        ),
        (
            ways(route(ORG, host(MX, Dane.DEFERRED))),
            f"{UNKNOWN}{MX}: TLSA lookup fails, so senders defer",
            f"verify {ORG}",
        ),
        (
            ways(failed(ORG)),
            f"{UNKNOWN}MX records: timeout {{}}",
            f"verify {ORG}",
        ),
        (
            ways(route(ORG, host(OTHER, Dane.ABSENT))),
            f"{OPEN}{STRANGER}{MAYBE} runs it",
            f"verify {ORG}",
        ),
        (
            ways(route(ORG, host(OTHER, Dane.ABSENT)), local=("192.0.2.1",)),
            f"{OPEN}{STRANGER}",
            f"names mail --add {OTHER}",
        ),
        (
            ways(route(ORG, host(OTHER, Dane.ABSENT)), own=Hostname(OTHER)),
            f"{OPEN}{STRANGER}",
            f"names mail --add {OTHER}",
        ),
        (
            ways(route(ORG, host(MX), host(OTHER)), own=Hostname(OTHER)),
            UNWATCHED,
            f"names mail --add {OTHER}",
        ),
        *(
            (seen, UNWATCHED, f"names mail --add {OTHER}")
            for seen in (  # behind address translation names tell, and what shares an address
                ways(route(ORG, host(OTHER)), called=Hostname(OTHER)),
                ways(route(ORG, host(MX), host(OTHER))),
            )
        ),
        (
            ways(route(ORG, host(OTHER, address=THERE)), translated=PUBLIC),
            f"{UNKNOWN}{THEIRS}{MAYBE} runs it",
            f"verify {ORG}",
        ),
        (None, "whether senders are protected is unknown: MX records could not be looked at", ""),
    ],
)
def test_where_senders_are_not_protected_that_is_said_in_a_line(
    seen: MailWays | None, why: str, command: str
) -> None:
    found = told(seen)
    assert [one.why for one in found] == [why] * bool(why)
    if command:
        assert found[0].command == ("danebot", *command.split())


def test_a_name_that_postfix_takes_mail_for_is_its_own_where_mx_records_lead_to_it() -> None:
    declared = (Hostname(OTHER),)
    (lack,) = told(ways(route(ORG, host(OTHER)), implicit(OTHER), declared=declared))
    assert lack.why == f"nobody keeps senders to {ORG}, {OTHER} protected: {THEIRS}"


def test_the_first_record_of_a_lineage_is_told_elsewhere() -> None:
    seen = ways(route(ORG, host(MX, Dane.ABSENT)))
    assert told(seen, OWN, None, "mail") == []
    assert told(seen, OWN, None, "other") != []


def test_another_lineage_has_the_name() -> None:
    seen = ways(route(ORG, host(OTHER, Dane.ABSENT), host(MX)))
    (lack,) = told(seen, OWN, {"theirs": frozenset({DnsName(OTHER)})})
    assert lack.command == ("danebot", "setup", "theirs")
    assert "danebot doesn't care for theirs" in lack.why


def test_domains_with_mail_elsewhere_are_others_affair() -> None:
    """A certificate has names of several domains, and mail of one of them comes here."""
    names = {"mail": frozenset({DnsName(MX), DnsName(f"www.{NET}")})}
    elsewhere = route(NET, host(OTHER, Dane.ABSENT))
    assert told(ways(route(ORG, host(MX)), elsewhere), names) == []
    assert told(ways(route(ORG, host(MX)), failed(NET)), names) != []  # nobody knows
    assert told(ways(route(ORG), elsewhere), names) != []
    assert told(ways(route(ORG, host(MX)), elsewhere, declared=(Hostname(NET),)), names) != []


def test_domains_with_one_fault_share_a_line() -> None:
    domains = [f"{letter}.test" for letter in "abcde"]
    routes = [route(one, host(OTHER, Dane.ABSENT)) for one in domains]
    (lack,) = told(ways(*routes, declared=tuple(map(Hostname, domains))))
    assert lack.why.startswith("senders to a.test, b.test, c.test and 2 more aren't protected: ")
    assert lack.command == ("danebot", "verify", "a.test", "b.test", "c.test")


@pytest.mark.parametrize("dane", [Dane.ABSENT, Dane.DEFERRED, Dane.NO_ADDRESS, Dane.APPLIES])
def test_a_domain_of_the_mail_server_without_mx_records_is_its_own_host(dane: Dane) -> None:
    """RFC 5321 section 5.1."""
    shop = f"shop.{ORG}"
    bare = route(shop)._replace(hosts=(host(shop, dane, "192.0.2.7"),))
    found = told(ways(route(ORG, host(MX)), bare, declared=(Hostname(shop),), local=("192.0.2.7",)))
    words = {
        Dane.ABSENT: f"senders to {shop} aren't protected: {shop}: no TLSA records, and no",
        Dane.DEFERRED: f"whether senders to {shop} are protected is unknown: {shop}: TLSA",
        Dane.APPLIES: f"nobody keeps senders to {shop} protected: {shop}: secure TLSA",
    }
    assert [one.why[: len(words[dane])] for one in found] == [
        words[one] for one in words if one is dane
    ]
    assert told(ways(route(ORG, host(MX)), bare)) == []  # nobody said that mail for it comes here


def test_the_nearest_domain_with_mx_records_counts() -> None:
    """What is above it is somebody else's: a registry's, or a provider's."""
    names = {"mail": frozenset({DnsName(f"mx.a.{ORG}")})}
    near = route(f"a.{ORG}", host(f"mx.a.{ORG}"))
    assert told(ways(near, failed(ORG)), names) == []


def test_a_domain_that_gave_no_answer_hides_none_above_it() -> None:
    found = told(ways(failed(MX), route(ORG, host(OTHER, Dane.ABSENT))))
    assert [one.why[:40] for one in found] == [
        f"whether senders to {MX} are protected"[:40],
        f"{OPEN}{OTHER}"[:40],
    ]


def test_where_no_mx_leads_to_a_name_for_certain() -> None:
    bare = ways(route(MX), route(ORG))
    assert [str(one) for one in unled(bare, OWN["mail"])] == [MX, ORG]
    assert unled(ways(route(MX), route(ORG, host(OTHER))), OWN["mail"]) != ()
    for seen in (None, ways(), ways(route(MX)), ways(route(MX), failed(ORG))):
        assert unled(seen, OWN["mail"]) == ()
    assert unled(ways(route(MX), route(ORG, host(MX))), OWN["mail"]) == ()
    assert unled(bare, frozenset()) == ()


@pytest.mark.parametrize(
    ("seen", "hosts", "said"),
    [
        (ways(route(ORG, host(MX), host(OTHER)), own=Hostname(MX)), [MX], GIVEN),
        (
            ways(route(ORG, host(MX), host(OTHER, address="::1")), local=("::1",)),
            [OTHER],
            GIVEN,
        ),
        (ways(route(ORG, host(MX), host(OTHER)), called=Hostname(MX)), [MX], GIVEN),
        (ways(route(ORG, host(MX), host(OTHER)), declared=(Hostname(MX),)), [MX], GIVEN),
        (
            ways(route(ORG, host(MX), host(OTHER)), own=Hostname("srv")),
            [MX, OTHER],
            "for the names that MX records give; leave out what isn't this host",
        ),
        (
            ways(route(ORG), own=Hostname(MX)),
            [MX],
            "for this host's own name, as no MX record leads here",
        ),
        (
            ways(failed(ORG), own=Hostname(MX)),
            [MX],
            "for this host's own name, as MX records are unknown: timeout {}",
        ),
        (ways(own=Hostname("srv")), [], UNNAMED),
        (ways(own=Hostname("localhost.localdomain")), [], UNNAMED),
        (ways(), [], UNNAMED),
        (None, [], "for HOST, this host's name, as MX records could not be looked at"),
    ],
)
def test_the_first_certificate_is_for_what_mx_records_name(
    seen: MailWays | None, hosts: list[str], said: str
) -> None:
    found, words = first_hosts(seen)
    assert ([str(one) for one in found], words) == (hosts, said)
