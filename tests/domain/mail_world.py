"""Where mail goes, made up: routes of domains, and what `danebot setup` says of them."""

from __future__ import annotations

from typing import Any

from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute
from danebot.domain.dns.answers import Answer, Presence, Security
from danebot.domain.dns.records import MxRecord
from danebot.domain.doctor.senders import Lack, MailWays, lacks
from danebot.domain.names import DnsName, Hostname

ORG, NET = "example.org", "example.net"
MX, OTHER = f"mx.{ORG}", "mx.other.test"
OWN = {"mail": frozenset({DnsName(MX)})}


def answer(*records: object, secure: bool = True) -> Answer[Any]:
    name = DnsName("any.test")
    security = Security.SECURE if secure else Security.INSECURE
    presence = Presence.PRESENT if records else Presence.NODATA
    return Answer(name, security, presence, name, records=records)


def host(name: str, dane: Dane = Dane.APPLIES, address: str = "192.0.2.1") -> HostRoute:
    return HostRoute(Hostname(name), 25, dane, answer(address), answer())


def route(domain: str, *hosts: HostRoute, secure: bool = True) -> MailRoute:
    way = Discovery.LISTED if hosts else Discovery.IMPLICIT
    said = answer(*(MxRecord(10, one.host) for one in hosts), secure=secure)
    return MailRoute(Hostname(domain), way, said, hosts)


def implicit(domain: str) -> MailRoute:
    return route(domain)._replace(hosts=(host(domain),))


def failed(domain: str) -> MailRoute:
    name = DnsName(domain)
    unknown: Answer[Any] = Answer(
        name, Security.INDETERMINATE, Presence.UNKNOWN, name, detail="timeout {}"
    )
    return MailRoute(Hostname(domain), Discovery.FAILED, unknown)


def ways(
    *routes: MailRoute,
    declared: tuple[Hostname, ...] = (),
    own: Hostname | None = None,
    local: tuple[str, ...] = (),
    called: Hostname | None = None,
    translated: tuple[str, ...] = (),
) -> MailWays:
    return MailWays(routes, declared, own, local, called=called, translated=translated)


def told(
    seen: MailWays | None,
    chosen: dict[str, frozenset[DnsName]] = OWN,
    others: dict[str, frozenset[DnsName]] | None = None,
    *shown: str,
) -> list[Lack]:
    return list(lacks(seen, chosen, others or {}, shown))
