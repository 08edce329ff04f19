"""A report of the outside view as one plugin result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.delivery.report import Expectation, Report
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import Severity
from danebot.plugin.numbers import performance
from danebot.plugin.output import STATES, PluginResult, State, counted, finding_line, told

if TYPE_CHECKING:
    from danebot.domain.names import Hostname
    from danebot.plugin.dane_options import Options

_FINDINGS, _EVERYTHING = 1, 2  # verbosity


def report_result(report: Report, now: datetime, seconds: float, options: Options) -> PluginResult:
    """The worst finding in the summary; more with verbosity."""
    state = STATES[report.severity]
    if state is State.OK and options.inquiry.criteria.expectation is Expectation.REQUIRED:
        state = State.OK if _authenticated(report) else State.UNKNOWN  # OK needs evidence
    return PluginResult(
        state,
        _summary(report, now) + _known_down(report, options.inquiry.criteria.down),
        tuple(_details(report, now, options.verbosity)),
        tuple(_performance(report, now, seconds, options)),
    )


def _summary(report: Report, now: datetime) -> str:
    if report.severity is Severity.NOTICE:
        return f"{report.subject}: {_good(report, now)}"
    wrong = [finding for finding in report.findings if finding.severity is not Severity.NOTICE]
    subject = "" if wrong[0].where.startswith(str(report.subject)) else f"{report.subject}: "
    return subject + told(wrong)


def _known_down(report: Report, down: Sequence[Hostname]) -> str:
    """The hosts that are said to be down, whatever else there is to tell."""
    hosts = [host.route.host for host in report.hosts]
    named = (f"{one}{'' if one in hosts else ' (none of its hosts)'}" for one in down)
    return f"; known to be down: {', '.join(named)}" if down else ""


def _good(report: Report, now: datetime) -> str:
    verified = _authenticated(report)
    if not verified:
        return "no DANE" + "".join(f"; {finding.text}" for finding in report.findings[:1])
    hosts = [host for host in report.hosts if host.route.dane is Dane.APPLIES]
    where = f" of {counted(len(hosts), 'host')}" if len(hosts) > 1 else ""
    found = f"{counted(verified, 'address', 'addresses')}{where} authenticated by TLSA records"
    first = report.first_to_end
    if first is not None:
        days = (first.expires - now) / timedelta(days=1)
        found += f", {first.ending.noun} expires in {days:.0f} days"
    return found


def _authenticated(report: Report) -> int:
    return len(
        {(one.result.endpoint, one.result.address) for one in report.addresses if one.authenticated}
    )


def _details(report: Report, now: datetime, verbosity: int) -> Iterator[str]:
    if verbosity >= _FINDINGS:
        for finding in report.findings:
            yield finding_line(finding)
    if verbosity >= _EVERYTHING:
        from danebot.render.report import host_lines

        yield from host_lines(report, now)


def _performance(report: Report, now: datetime, seconds: float, options: Options) -> Iterator[str]:
    """What isn't known is left out; labels never change."""
    if report.expires is not None:
        days = (report.expires - now) / timedelta(days=1)
        warning, critical = options.days
        yield performance("certificate_days", days, warning=warning, critical=critical)
    if report.signed_until is not None:
        hours = (report.signed_until - now) / timedelta(hours=1)
        warning, critical = options.hours
        yield performance("rrsig_hours", hours, warning=warning, critical=critical)
    addresses = len({(one.result.endpoint, one.result.address) for one in report.addresses})
    yield performance("addresses", addresses, least=0)
    yield performance("authenticated", _authenticated(report), least=0)
    most = options.timeout.total_seconds()
    yield performance("time", seconds, "s", least=0, most=f"{most:g}")
