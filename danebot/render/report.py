"""Reports of the outside view as text for people and as JSON for programs; nothing is decided here.

Foreign text was made printable where it came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from danebot.domain.dane.verdicts import Outcome
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import (
    AddressReport,
    HostReport,
    MailSubject,
    Report,
    ServiceSubject,
    SrvSubject,
)
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute, SrvRoute
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Finding, Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import printable
from danebot.domain.status.document import record_document

WORDS = {
    Severity.NOTICE: "ok",
    Severity.UNJUDGED: "unknown",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}
"""The severity of a whole report.  Frozen: public in ``--json``."""
DOCUMENT, SCHEMA = "danebot-verify", 1
"""The name and version of the schema of `report_document`."""
_SHOWN = 32  # hex digits of association data: half a SHA2-256, enough to find it by


def tree(report: Report, now: datetime) -> Iterator[str]:
    """One subject: hosts, addresses, records with their verdicts; then what to do."""
    yield f"{report.subject}: {WORDS[report.severity].upper()}{_discovery(report)}"
    yield from host_lines(report, now)
    for finding in report.findings:
        yield from _finding_lines(finding)


def host_lines(report: Report, now: datetime) -> Iterator[str]:
    """The hosts of one subject, their addresses and their records."""
    for host in report.hosts:
        yield from _host_lines(host, report, now)


def _discovery(report: Report) -> str:
    route = report.route
    if isinstance(route, HostRoute):
        return ""
    failed = route.discovery is Discovery.FAILED
    security = "" if failed else f", {route.answer.security.value}"
    return f" ({route.kind}: {route.discovery.value}{security})"


def _host_lines(host: HostReport, report: Report, now: datetime) -> Iterator[str]:
    route = host.route
    title = f"{host.endpoint}"
    if isinstance(report.route, MailRoute) and report.route.discovery is Discovery.LISTED:
        title = f"MX {route.preference} {route.host}"
    elif isinstance(report.route, SrvRoute):
        title = f"SRV {route.preference} {host.endpoint}"
    judged = ""
    if route.dane is Dane.APPLIES:
        judged = f" at {route.tried[-1].answer.name}, by {host.profile.words}"
    yield f"  {title}: {route.dane.value}{judged}"
    for address in host.addresses:
        yield from _address_lines(address, now)


def _address_lines(address: AddressReport, now: datetime) -> Iterator[str]:
    result = address.result
    asked = "" if result.algorithm is Algorithm.ANY else f" {result.algorithm.value.upper()}"
    title = f"    {result.address}{asked}: "
    if address.verdict is None:
        detail = f": {result.detail}" if result.detail else ""
        yield f"{title}{result.outcome.value}{detail}"
        return
    verdict = address.verdict
    leaf = address.leaf
    expiry = f", {leaf.ending.noun} {_left(leaf.expires, now)}" if leaf is not None else ""
    yield f"{title}{verdict.words} ({result.tls_version}{expiry})"
    for one in verdict.records:
        yield f"      {short(one.record)} {one}"


def _left(moment: datetime, now: datetime) -> str:
    days = (moment - now) / timedelta(days=1)
    return f"expires in {days:.0f} d" if days >= 0 else f"expired {-days:.0f} d ago"


def short(record: TlsaRecord) -> str:
    """A record on part of a line."""
    data = record.hex if len(record.hex) <= _SHOWN else f"{record.hex[:_SHOWN]}..."
    return f"{record.usage} {record.selector} {record.mtype} {data}"


def _finding_lines(finding: Finding) -> Iterator[str]:
    word = "note" if finding.severity is Severity.NOTICE else WORDS[finding.severity].upper()
    yield f"  {word}: {finding.where}: {finding.text}"
    if finding.remedy:
        yield f"    -> {finding.remedy}"


# ---- JSON -----------------------------------------------------------------------------------


def report_document(report: Report) -> dict[str, Any]:
    """A JSON object; keys and enumerated values are stable, absent values are left out."""
    subject = report.subject
    kind = {MailSubject: "mail", ServiceSubject: "service", SrvSubject: "srv"}[type(subject)]
    found: dict[str, Any] = {
        "document": DOCUMENT,
        "schema": SCHEMA,
        "target": str(subject),
        "kind": kind,
        "status": WORDS[report.severity],
    }
    route = report.route
    if not isinstance(route, HostRoute):
        security = route.answer.security.value
        found["way"] = {"hosts": route.discovery.name.lower(), "security": security}
    if report.signed_until is not None:
        found["signed_until"] = report.signed_until.isoformat()
    found["hosts"] = [_host_document(host) for host in report.hosts]
    found["findings"] = [
        {
            "code": finding.code.value,
            "severity": "notice"
            if finding.severity is Severity.NOTICE
            else WORDS[finding.severity],
            "where": finding.where,
            "text": finding.text,
            "remedy": finding.remedy,
        }
        for finding in report.findings
    ]
    return found


def _host_document(host: HostReport) -> dict[str, Any]:
    route = host.route
    found: dict[str, Any] = {
        "host": route.host.text,
        "port": route.port,
        "protocol": host.protocol.value,
        "profile": host.profile.value,
        "preference": route.preference,
        "dane": route.dane.name.lower(),
    }
    if route.dane is Dane.APPLIES:
        answer = route.tried[-1].answer
        found["tlsa"] = {
            "owner": answer.name.text,
            "records": [record_document(str(record)) for record in route.records],
        }
        if answer.ttl is not None:
            found["tlsa"]["ttl"] = answer.ttl.total_seconds()
    if route.references is not None:
        found["references"] = [name.text for name in route.references.all]
    found["addresses"] = [_address_document(address) for address in host.addresses]
    return found


def _address_document(address: AddressReport) -> dict[str, Any]:
    result = address.result
    found: dict[str, Any] = {"address": result.address, "outcome": result.outcome.name.lower()}
    if result.algorithm is not Algorithm.ANY:
        found["algorithm"] = result.algorithm.value
    if result.detail:
        found["detail"] = printable(result.detail, 1000)
    if result.outcome is ProbeOutcome.SERVED:
        found["tls"] = result.tls_version
    if address.leaf is not None:
        leaf = address.leaf
        found["certificate"] = {
            "names": list(leaf.names),
            "not_before": leaf.not_before.isoformat(),
            "expires": leaf.expires.isoformat(),
            "ends": leaf.ending.name.lower(),
        }
    if address.verdict is not None:
        verdict = address.verdict
        found["verdict"] = verdict.outcome.name.lower()
        found["authenticated"] = verdict.outcome is Outcome.AUTHENTICATED
        if verdict.raw_key is not None:
            found["raw_public_key"] = verdict.raw_key.name.lower()
        found["records"] = [
            {
                **record_document(str(one.record)),
                "reason": one.reason.name.lower(),
                "text": str(one),
                **({"name": one.name.words} if one.name is not None else {}),
            }
            for one in verdict.records
        ]
        found["cautions"] = [one.code.name.lower() for one in verdict.cautions]
    return found
