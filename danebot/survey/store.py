"""What was observed, as JSON between the stages, and back: read by what wrote it, for one run."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, TypeVar

from danebot.adapters.codec import decode, encode
from danebot.domain.dane.references import References
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.delivery.routes import BaseAnswer, Dane, HostRoute
from danebot.domain.dns.answers import Alias, Answer, Cause, Presence, Security
from danebot.domain.dns.records import MxRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple

RecordT = TypeVar("RecordT")


class _Said(NamedTuple):
    """An `Answer` without its records, whose type says what they are."""

    name: DnsName
    security: Security
    presence: Presence
    canonical: DnsName
    aliases: tuple[Alias, ...] = ()
    ttl: timedelta | None = None
    signed_until: datetime | None = None
    signed_since: datetime | None = None
    rejects: tuple[str, ...] = ()
    detail: str = ""
    cause: Cause | None = None
    wildcard: bool = False


class _Mx(NamedTuple):
    records: tuple[MxRecord, ...] = ()


class _Addresses(NamedTuple):
    records: tuple[str, ...] = ()


class _Tlsa(NamedTuple):
    records: tuple[TlsaRecord, ...] = ()


class _Names(NamedTuple):
    records: tuple[DnsName, ...] = ()


class _Host(NamedTuple):
    """A `HostRoute` without its answers."""

    host: Hostname
    port: int
    dane: Dane
    references: References | None = None


def _said(answer: Answer[Any]) -> dict[str, Any]:
    """What isn't the default; a million of them are kept."""
    said = {name: encode(value) for name, value in answer._asdict().items()}
    return {name: value for name, value in said.items() if value not in (None, [], "", False)}


def _answer(kind: type[_Mx | _Addresses | _Tlsa | _Names], document: dict[str, Any]) -> Answer[Any]:
    return Answer(**decode(_Said, document)._asdict(), records=decode(kind, document).records)


def mx_text(answer: Answer[MxRecord]) -> str:
    """The MX records of a domain."""
    return json.dumps(_said(answer), separators=(",", ":"))


def mx_answer(text: str) -> Answer[MxRecord]:
    """The same, read back."""
    return _answer(_Mx, json.loads(text))


def route_text(route: HostRoute) -> str:
    """A host with its addresses and TLSA records."""
    document = encode(_Host(route.host, route.port, route.dane, route.references))
    document["ipv4"], document["ipv6"] = _said(route.ipv4), _said(route.ipv6)
    document["tried"] = [[one.base.text, _said(one.answer)] for one in route.tried]
    if route.alias is not None:
        document["alias"] = _said(route.alias)
    return json.dumps(document, separators=(",", ":"))


def host_route(text: str) -> HostRoute:
    """The same, read back."""
    document = json.loads(text)
    host = decode(_Host, document)
    alias = document.get("alias")
    return HostRoute(
        host.host,
        host.port,
        host.dane,
        _answer(_Addresses, document["ipv4"]),
        _answer(_Addresses, document["ipv6"]),
        tried=tuple(
            BaseAnswer(Hostname.known(base), _answer(_Tlsa, said))
            for base, said in document["tried"]
        ),
        alias=None if alias is None else _answer(_Names, alias),
        references=host.references,
    )


def result_text(result: ProbeResult) -> str:
    """What one address of a host presented."""
    return json.dumps(encode(result), separators=(",", ":"))


def probe_result(text: str) -> ProbeResult:
    """The same, read back."""
    return decode(ProbeResult, json.loads(text))
