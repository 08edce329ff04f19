"""Probes of the lineages' own endpoints: what a sender would make of each, right now.

An endpoint is a TLSA owner of the status document, taken apart (RFC 6698 section 3).  Its records
and addresses are looked up afresh, every address is asked, and each chain is judged as senders do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from danebot.domain.delivery.judgements import (
    GRADES,
    Judgement,
    Served,
    authenticated,
    endpoint_findings,
    judge_address,
    unbound,
    unseen_addresses,
)
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import DELIVERY_SEVERITIES, Severity
from danebot.domain.lineage.key_types import RSA_BITS, KeyType
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Endpoint, Hostname, service_at
from danebot.errors import NameSyntaxError
from danebot_exporter import metrics as m
from danebot_exporter.collector import Totals
from danebot_exporter.exposition import Exposition

if TYPE_CHECKING:
    from danebot.adapters.dns.routes import Routing
    from danebot.adapters.loop import Program
    from danebot.config.settings import Settings
    from danebot.domain.finding import Finding
    from danebot.domain.status.document import LineageStatus

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Watched:
    """An endpoint of a lineage, and the SPKI digest of the key that it should serve.

    ``algorithm`` is what to ask a server for that shows another lineage's certificate.
    """

    lineage: str
    endpoint: Endpoint
    key: bytes | None
    algorithm: Algorithm = Algorithm.ANY


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """One endpoint, looked at; ``took`` in seconds.

    ``signed_until`` is the earliest end of a DNSSEC signature that senders to it rely on.
    """

    watched: Watched
    at: datetime
    took: float
    dane: Dane
    served: tuple[Served, ...]
    signed_until: datetime | None = None

    @property
    def success(self) -> bool:
        """Whether a sender authenticates the endpoint whichever address it takes."""
        return authenticated(self.served)

    @property
    def blind(self) -> bool:
        """Whether this host could not look, by a fault of its own, and saw nothing wrong."""
        return bool(self.unseen) and self.severity <= Severity.UNJUDGED

    @property
    def unseen(self) -> tuple[Served, ...]:
        """The addresses that it could not look at."""
        return tuple(one for one in self.served if one.judgement is Judgement.COULD_NOT_LOOK)

    @property
    def severity(self) -> Severity:
        """How serious that is."""
        return max((one.severity for one in self.findings), default=Severity.NOTICE)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it, under the lineage's name."""
        watched = self.watched
        return endpoint_findings(watched.lineage, watched.endpoint, self.served, watched.key)


def watched_endpoints(status: LineageStatus, settings: Settings) -> tuple[Watched, ...]:
    """The endpoints of one lineage, each once; () where the operator wants no probes."""
    if not settings.probe(status.name):
        return ()
    key = status.current.digest if status.current is not None else None
    found: dict[Endpoint, None] = {}
    for record in status.records:
        try:
            usual = service_at(DnsName.parse(record.owner))
        except NameSyntaxError:
            continue
        if usual is not None:
            setting = settings.endpoint(status.name, usual.host, usual.port)
            protocol = setting.protocol if setting is not None else None
            found[usual._replace(protocol=protocol or usual.protocol)] = None
    algorithm = algorithm_of(status.current.type if status.current is not None else "")
    return tuple(Watched(status.name, endpoint, key, algorithm) for endpoint in found)


def algorithm_of(key_type: str) -> Algorithm:
    """What a server is asked for to get a certificate with a key of this type."""
    try:
        return Algorithm.RSA if KeyType(key_type) in RSA_BITS else Algorithm.ECDSA
    except ValueError:
        return Algorithm.ANY


def look_at(
    watched: Watched, settings: Settings, routing: Routing, helo: Hostname
) -> Program[EndpointReport]:
    """Look up and ask one endpoint, without I/O; trouble is in the report."""
    from danebot.adapters.probe.prober import Probe
    from danebot.adapters.probe.target import Target

    began = time.monotonic()
    endpoint = watched.endpoint
    route = yield from routing.service(endpoint.host, endpoint.port)
    setting = settings.endpoint(watched.lineage, endpoint.host, endpoint.port)
    base = Target(endpoint, "", sni=route.sni)
    if setting is not None and setting.connect:
        targets = [base._replace(address=to.address, port=to.port) for to in setting.connect]
    else:
        targets = [base._replace(address=address) for address in route.addresses]
    results = yield tuple(Probe(target, helo) for target in targets)
    now = datetime.now(UTC)
    found = {
        target: judge_address(result, route, now)
        for target, result in zip(targets, results, strict=True)
    }
    others = [target for target, one in found.items() if _of_another(one, watched)]
    again = [target._replace(algorithm=watched.algorithm) for target in others]
    results = yield tuple(Probe(target, helo) for target in again)
    now = datetime.now(UTC)
    for target, result in zip(others, results, strict=True):
        if result.outcome is ProbeOutcome.SERVED:
            found[target] = judge_address(result, route, now)
    detail = route.dane.value + (f": {route.detail}" if route.detail else "")
    nowhere = unbound(route) or Judgement.UNREACHABLE
    served = tuple(found.values()) or (Served("", nowhere, detail),)
    if setting is None or not setting.connect:
        served += unseen_addresses(route)
    took = time.monotonic() - began
    return EndpointReport(watched, now, took, route.dane, served, route.signed_until)


def _of_another(found: Served, watched: Watched) -> bool:
    """Whether this certificate may be another lineage's: a server may have two."""
    other = found.judgement is Judgement.AUTHENTICATED and found.key != watched.key
    return other and watched.algorithm is not Algorithm.ANY


def look_at_all(all_watched: Sequence[Watched], settings: Settings) -> list[EndpointReport]:
    """One round over all endpoints, `AT_ONCE` at a time, in the order given."""
    from danebot.adapters.dns import exchange
    from danebot.adapters.dns.resolver import Resolver
    from danebot.adapters.dns.routes import Routing
    from danebot.adapters.loop import drive
    from danebot.adapters.probe import prober
    from danebot.adapters.wiring import own_name, resolver_config

    routing = Routing(Resolver(resolver_config(settings)))
    helo = own_name()
    programs = (look_at(one, settings, routing, helo) for one in all_watched)
    lanes = exchange.query_lane(AT_ONCE) | prober.probe_lane(AT_ONCE)
    return list(drive(programs, lanes, at_once=AT_ONCE))


def round_metrics(reports: Sequence[EndpointReport], ended: datetime, took: float) -> bytes:
    """A finished round as metrics."""
    out = Exposition()
    for report in reports:
        out.subject()
        _report(out, report)
    out.subject()
    out.at(m.ROUND_TIMESTAMP, ended)
    out.add(m.ROUND_DURATION, took)
    return out.text()


def totals_of(reports: Sequence[EndpointReport]) -> Totals:
    """How many findings a round made; every code is there, unless nothing was asked."""
    codes = dict.fromkeys(grade.code.value for grade in GRADES.values()) if reports else ()
    words = [severity.word for severity in DELIVERY_SEVERITIES]
    totals: Totals = Counter({(code, word): 0 for code in codes for word in words})
    totals.update((f.code.value, f.severity.word) for one in reports for f in one.findings)
    return totals


def _report(out: Exposition, report: EndpointReport) -> None:
    labels = (report.watched.lineage, str(report.watched.endpoint))
    out.add(m.ENDPOINT_SUCCESS, int(report.success), *labels)
    grades = (one.word for one in DELIVERY_SEVERITIES)
    out.states(m.ENDPOINT_GRADE, report.severity.word, grades, *labels)
    out.add(m.ENDPOINT_DANE, int(report.dane is Dane.APPLIES), *labels)
    for judgement in Judgement:
        count = sum(one.judgement is judgement for one in report.served)
        out.add(m.ENDPOINT_ADDRESSES, count, *labels, judgement.value)
    keys = {one.key for one in report.served if one.not_after is not None or one.key is not None}
    if keys and report.watched.key is not None:
        out.add(m.ENDPOINT_KEY, int(keys == {report.watched.key}), *labels)
    expiries = [one.not_after for one in report.served if one.not_after is not None]
    out.at(m.ENDPOINT_NOT_AFTER, min(expiries, default=None), *labels)
    out.at(m.ENDPOINT_SIGNED, report.signed_until, *labels)
    out.at(m.ENDPOINT_TIMESTAMP, report.at, *labels)
    out.add(m.ENDPOINT_DURATION, report.took, *labels)
