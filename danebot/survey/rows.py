"""The columns of each stage, and the results' rows.  Those of `domains` and `hosts` are public."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from danebot.domain.delivery.report import AddressReport, HostReport, Report
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute
from danebot.domain.dns.answers import Answer
from danebot.domain.finding import Severity
from danebot.domain.text import printable
from danebot.render.report import WORDS

if TYPE_CHECKING:
    import pyarrow as pa


def _schema(**columns: pa.DataType) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(list(columns.items()))


def _time() -> pa.DataType:
    import pyarrow as pa

    return pa.timestamp("s", tz="UTC")


def input_schema() -> pa.Schema:
    """The domains."""
    import pyarrow as pa

    return _schema(domain=pa.string())


def mx_schema() -> pa.Schema:
    """What MX said of each, and the hosts it leads to."""
    import pyarrow as pa

    return _schema(
        domain=pa.string(), answer=pa.string(), hosts=pa.list_(pa.string()), looked=_time()
    )


def route_schema() -> pa.Schema:
    """What DNS said of each host; ``addresses`` are those to ask, ``places`` where they lead.

    ``names`` are all that it has, aliases among them.
    """
    import pyarrow as pa

    return _schema(
        host=pa.string(),
        route=pa.string(),
        sni=pa.string(),
        names=pa.list_(pa.string()),
        addresses=pa.list_(pa.string()),
        places=pa.list_(pa.string()),
        looked=_time(),
    )


def look_schema() -> pa.Schema:
    """What each address of a host presented."""
    import pyarrow as pa

    return _schema(host=pa.string(), result=pa.string(), looked=_time())


def _findings() -> pa.DataType:
    import pyarrow as pa

    text = pa.string()
    parts = [("code", text), ("severity", text), ("where", text), ("text", text)]
    return pa.list_(pa.struct(parts))


def domain_schema() -> pa.Schema:
    """The results for domains (docs/survey.md)."""
    import pyarrow as pa

    text = pa.string()
    return _schema(
        domain=text,
        status=text,
        dane=text,
        discovery=text,
        mx_security=text,
        mx=pa.list_(pa.struct([("preference", pa.int32()), ("host", text)])),
        responsible=text,
        hosts=pa.list_(pa.struct([("host", text), ("dane", text)])),
        codes=pa.list_(text),
        findings=_findings(),
        signed_until=_time(),
        expires=_time(),
        looked=_time(),
    )


def host_schema() -> pa.Schema:
    """The results for hosts (docs/survey.md)."""
    import pyarrow as pa

    text, number = pa.string(), pa.int16()
    record = pa.struct([("usage", number), ("selector", number), ("mtype", number), ("data", text)])
    look = pa.struct(
        [
            ("address", text),
            ("outcome", text),
            ("detail", text),
            ("tls", text),
            ("verdict", text),
            ("key", text),
            ("chain", pa.list_(text)),
            ("issuer", text),
            ("not_before", _time()),
            ("expires", _time()),
        ]
    )
    return _schema(
        host=text,
        status=text,
        dane=text,
        ipv4_security=text,
        ipv6_security=text,
        tlsa_security=text,
        tlsa_owner=text,
        tlsa_ttl=pa.int64(),
        tlsa=pa.list_(record),
        looks=pa.list_(look),
        codes=pa.list_(text),
        findings=_findings(),
        signed_until=_time(),
        looked=_time(),
        routed=_time(),
    )


# ---- the results ----------------------------------------------------------------------------


def domain_row(report: Report, looked: datetime) -> dict[str, Any]:
    """The public row of a domain; ``report`` is a mail domain's."""
    route = report.route
    if not isinstance(route, MailRoute):
        raise TypeError("no mail domain")
    mx = [
        {"preference": one.preference, "host": "" if one.exchange is None else one.exchange.text}
        for one in route.mx.records
    ]
    return {
        "domain": route.domain.text,
        "status": WORDS[report.severity],
        "dane": "unknown" if route.discovery is Discovery.FAILED else _share(route.hosts),
        "discovery": route.discovery.name.lower(),
        "mx_security": _security(route.mx),
        "mx": sorted(mx, key=lambda one: (one["preference"], one["host"])),
        "responsible": route.hosts[0].host.text if route.hosts else "",
        "hosts": [{"host": one.host.text, "dane": one.dane.name.lower()} for one in route.hosts],
        **_found(report),
        "expires": report.expires,
        "looked": looked,
    }


def _share(hosts: tuple[HostRoute, ...]) -> str:
    """How many hosts DANE binds senders to: "all", "some" or "none"."""
    bound = sum(one.dane is Dane.APPLIES for one in hosts)
    if not bound:
        return "none"
    return "all" if bound == len(hosts) else "some"


def _security(answer: Answer[Any]) -> str:
    return answer.security.value


def _found(report: Report) -> dict[str, Any]:
    return {
        "codes": list(dict.fromkeys(one.code.value for one in report.findings)),
        "findings": [
            {
                "code": one.code.value,
                "severity": "notice" if one.severity is Severity.NOTICE else WORDS[one.severity],
                "where": one.where,
                "text": printable(one.text, 1000),
            }
            for one in report.findings
        ],
        "signed_until": report.signed_until,
    }


def host_row(report: Report, looked: datetime, routed: datetime) -> dict[str, Any]:
    """The public row of a host, judged as one that is named directly."""
    route = report.route
    if not isinstance(route, HostRoute):
        raise TypeError("no host")
    last = route.tried[-1].answer if route.tried else None
    return {
        "host": route.host.text,
        "status": WORDS[report.severity],
        "dane": route.dane.name.lower(),
        "ipv4_security": _security(route.ipv4),
        "ipv6_security": _security(route.ipv6),
        "tlsa_security": None if last is None else _security(last),
        "tlsa_owner": None if last is None else last.name.text,
        "tlsa_ttl": None if last is None or last.ttl is None else int(last.ttl.total_seconds()),
        "tlsa": [
            {"usage": one.usage, "selector": one.selector, "mtype": one.mtype, "data": one.hex}
            for one in (() if last is None else last.records)
        ],
        "looks": [look for host in report.hosts for look in _looks(host)],
        **_found(report),
        "looked": looked,
        "routed": routed,
    }


def _looks(host: HostReport) -> Iterator[dict[str, Any]]:
    for one in host.addresses:
        result, leaf = one.result, one.leaf
        yield {
            "address": result.address,
            "outcome": result.outcome.name.lower(),
            "detail": printable(result.detail, 1000),
            "tls": result.tls_version,
            "verdict": None if one.verdict is None else one.verdict.outcome.name.lower(),
            "key": None if leaf is None else hashlib.sha256(leaf.spki).hexdigest(),
            "chain": [hashlib.sha256(der).hexdigest() for der in result.chain],
            "issuer": _issuer(one),
            "not_before": None if leaf is None else leaf.not_before,
            "expires": None if leaf is None else leaf.expires,
        }


def _issuer(one: AddressReport) -> str | None:
    """The organisation that signed the leaf, or what else its issuer is called."""
    if not one.result.chain:
        return None
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    from danebot.errors import CertificateError, foreign

    try:
        with foreign(CertificateError, "unreadable"):
            issuer = x509.load_der_x509_certificate(one.result.chain[0]).issuer
            for kind in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
                for found in issuer.get_attributes_for_oid(kind):
                    return printable(str(found.value))
    except CertificateError:
        pass
    return None
