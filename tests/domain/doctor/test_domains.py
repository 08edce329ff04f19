"""Which domains and hosts `danebot setup` speaks of, and which are nobody's here."""

from __future__ import annotations

import pytest

from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute
from danebot.domain.doctor.senders import Lack, MailWays, first_hosts
from danebot.domain.names import DnsName, Hostname
from domain.mail_world import (
    MX,
    NET,
    ORG,
    OTHER,
    OWN,
    answer,
    failed,
    host,
    implicit,
    route,
    told,
    ways,
)

VERIFY = ("danebot", "verify")
THEIRS = {"theirs": frozenset({DnsName(OTHER)})}
UNTOLD = "is unknown: MX records: no answer"


# ---- without MX records ---------------------------------------------------------------------


def test_a_domain_without_mx_records_leads_nowhere() -> None:
    """Senders try its own address, but nobody has said that mail for it comes here."""
    assert not ways(implicit(MX)).leads_to(OWN["mail"])
    assert told(ways(route(MX)._replace(hosts=(host(MX, Dane.ABSENT),)))) == []
    found = first_hosts(ways(implicit(MX), own=Hostname("srv")))
    assert found == ((), "for HOST, this host's name, as no MX record leads here")


def test_a_declared_name_that_no_mx_record_names_is_not_this_host_s() -> None:
    assert told(ways(implicit(OTHER), declared=(Hostname(OTHER),))) == []


def test_a_declared_domain_that_gave_no_answer_is_unknown() -> None:
    unheard = MailRoute(Hostname(NET), Discovery.FAILED, answer())
    why = f"whether senders to {NET} are protected {UNTOLD}"
    assert told(ways(unheard, declared=(Hostname(NET),))) == [Lack(why, (*VERIFY, NET))]


def test_a_declared_domain_that_takes_no_mail_has_no_senders() -> None:
    """A null MX record (RFC 7505), of a domain that isn't signed."""
    null = MailRoute(Hostname(NET), Discovery.NOT_OFFERED, answer(secure=False))
    assert told(ways(null, declared=(Hostname(NET),))) == []


def test_a_declared_domain_whose_mx_has_no_address() -> None:
    lost = route(NET, host(OTHER, Dane.NO_ADDRESS))
    (lack,) = told(ways(lost, declared=(Hostname(NET),)))
    assert lack.why.startswith(f"senders to {NET} aren't protected: {OTHER}: host has no address")


# ---- whose a host is ------------------------------------------------------------------------


def test_one_host_of_several_is_enough_to_lead_to_a_certificate() -> None:
    assert ways(route(ORG, host(OTHER), host(MX))).leads_to(OWN["mail"])


def test_what_has_the_address_of_this_host_is_this_host() -> None:
    third = "mx3.other.test"
    found = told(ways(route(ORG, host(OTHER), host(third)), called=Hostname(OTHER)))
    assert found == [
        Lack(
            f"nobody keeps senders to {ORG} protected: {name}: secure TLSA records, and no "
            "certificate here has that name",
            ("danebot", "names", "mail", "--add", name),
        )
        for name in (OTHER, third)
    ]


def test_this_host_is_known_by_its_name_where_it_has_no_address() -> None:
    bare = HostRoute(Hostname(OTHER), 25, Dane.NO_ADDRESS, answer(), answer())
    (lack,) = told(ways(route(ORG, bare), called=Hostname(OTHER)))
    assert lack == Lack(
        f"senders to {ORG} aren't protected: {OTHER}: host has no address, and no certificate "
        "here has that name",
        ("danebot", "names", "mail", "--add", OTHER),
    )


def test_another_host_that_is_protected_is_its_own_affair() -> None:
    assert told(ways(route(ORG, host(OTHER)))) == []
    assert told(ways(route(ORG, host(OTHER)), local=("192.0.2.1",)), OWN, THEIRS) == []


@pytest.mark.parametrize("chosen", [{}, {**OWN, "more": frozenset({DnsName(f"imap.{ORG}")})}])
def test_nobody_knows_which_of_several_certificates_is_to_have_a_name(
    chosen: dict[str, frozenset[DnsName]],
) -> None:
    seen = ways(route(ORG, host(OTHER, Dane.ABSENT)), declared=(Hostname(ORG),))
    assert told(seen, chosen) == [
        Lack(
            f"senders to {ORG} aren't protected: {OTHER}: no TLSA records, and no certificate "
            "here has that name; if it is this host, add it; if not, tell whoever runs it",
            (*VERIFY, ORG),
        )
    ]


# ---- what is said ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "others", "more", "command"),
    [
        (OWN, OWN, "", ("danebot", "verify", ORG)),
        ({}, OWN, ", and danebot doesn't care for mail", ("danebot", "setup", "mail")),
    ],
)
def test_a_lineage_that_is_cared_for_is_told_first(
    chosen: dict[str, frozenset[DnsName]],
    others: dict[str, frozenset[DnsName]],
    more: str,
    command: tuple[str, ...],
) -> None:
    seen = ways(route(ORG, host(MX, Dane.INSECURE_TLSA)))
    why = f"{MX}: TLSA answer is not secured by DNSSEC{more}"
    assert told(seen, chosen, others) == [
        Lack(f"senders to {ORG} aren't protected: {why}", command)
    ]


def test_a_host_whose_address_cannot_be_looked_up_is_unknown() -> None:
    (lack,) = told(ways(route(ORG, host(MX, Dane.ADDRESS_FAILED))))
    assert lack.why == (
        f"whether senders to {ORG} are protected is unknown: {MX}: address lookup fails, so "
        "senders pass over the host"
    )


def test_a_mail_server_that_does_not_say_its_domains() -> None:
    assert told(MailWays(undeclared="postconf isn't there")) == [
        Lack(
            "which domains are this host's is unknown: postconf isn't there",
            ("postconf", "-n"),
        )
    ]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, "a.test"),
        (3, "a.test, b.test, c.test"),
        (4, "a.test, b.test, c.test and 1 more"),
    ],
)
def test_three_domains_are_named(count: int, shown: str) -> None:
    domains = [f"{letter}.test" for letter in "abcd"[:count]]
    seen = ways(*map(failed, domains), declared=tuple(map(Hostname, domains)))
    assert [one.why for one in told(seen)] == [
        f"whether senders to {shown} are protected is unknown: MX records: timeout {{}}"
    ]
