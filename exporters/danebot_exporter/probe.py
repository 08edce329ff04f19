"""``/probe?target=DOMAIN&module=smtp``: any target, in the manner of blackbox_exporter."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.addresses import Reach
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.judgements import Judgement, judgement
from danebot.domain.delivery.report import MailSubject, Report, Subject, parse_subject
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import DELIVERY_SEVERITIES, Severity
from danebot.domain.names import Protocol, printable
from danebot.errors import ConfigError, NameSyntaxError
from danebot_exporter import metrics as m
from danebot_exporter.budget import USUAL
from danebot_exporter.exposition import Exposition

if TYPE_CHECKING:
    from danebot.config import Settings

_PATIENCE = timedelta(seconds=30)
_LEAST, _MOST = timedelta(seconds=1), timedelta(seconds=120)
_OFFSET = timedelta(seconds=0.5)  # to be answered before Prometheus gives up

MODULES: dict[str, Protocol] = {protocol.value: protocol for protocol in Protocol}
"""``smtp`` takes a mail domain or HOST:PORT, the others HOST:PORT."""


def subject_of(target: str, module: str) -> Subject:
    """What to look at, or `ConfigError` with what is wrong with the request."""
    if module not in MODULES:
        known = ", ".join(MODULES)
        raise ConfigError(f"unknown module {printable(module, 80)!r}; there are {known}")
    if not target:
        raise ConfigError("target is missing")
    try:
        subject = parse_subject(target, MODULES[module])
    except NameSyntaxError as exc:
        raise ConfigError(str(exc)) from exc
    if module != Protocol.SMTP.value and isinstance(subject, MailSubject):
        raise ConfigError(f"module {module} takes HOST:PORT")
    return subject


def allowed(header: str | None) -> timedelta:
    """How long the probe may take: what Prometheus says it will wait for, less half a second."""
    try:
        span = timedelta(seconds=float(header or "")) - _OFFSET
    except (ValueError, OverflowError):
        return _PATIENCE
    return min(max(span, _LEAST), _MOST)


def probe(
    subject: Subject,
    settings: Settings,
    limit: timedelta,
    *,
    width: int = USUAL,
    reach: Reach = Reach.ANY,
) -> bytes:
    """Look at the subject now, and render what was found; trouble is in the metrics.

    ``width`` bounds the queries that are open at once, and the connections; ``reach`` is how far
    these go, the rest counts as not looked at.
    """
    from danebot.adapters.wiring import own_name, resolver_config
    from danebot.jobs.verify import Inquiry, verify_one

    began = time.monotonic()
    resolver, store = resolver_config(settings), settings.ca_file
    inquiry = Inquiry(resolver, own_name(), reach=reach, ca_file=store)
    report = verify_one(subject, inquiry, lambda: datetime.now(UTC), limit, width=width)
    return report_metrics(report, time.monotonic() - began)


def report_metrics(report: Report, took: float) -> bytes:
    """A report as metrics; ``took`` in seconds."""
    out = Exposition()
    failed = {Severity.CRITICAL, Severity.UNJUDGED}
    out.add(m.PROBE_SUCCESS, int(report.severity not in failed))
    out.add(m.PROBE_DURATION, took)
    out.states(m.PROBE_GRADE, report.severity.word, (one.word for one in DELIVERY_SEVERITIES))
    codes = Counter(finding.code for finding in report.findings)
    for code in DeliveryCode:
        out.add(m.PROBE_FINDINGS, codes[code], code.value)
    hosts = Counter(host.route.dane for host in report.hosts)
    for dane in Dane:
        out.add(m.PROBE_HOSTS, hosts[dane], dane.name.lower().replace("_", "-"))
    results = Counter(judgement(one.result, one.verdict) for one in report.addresses)
    for result in Judgement:
        out.add(m.PROBE_ADDRESSES, results[result], result.value)
    out.at(m.PROBE_NOT_AFTER, report.expires)
    out.at(m.PROBE_SIGNED, report.signed_until)
    return out.text()
