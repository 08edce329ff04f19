"""One lineage on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.delivery.judgements import GRADES, Judgement
from danebot.domain.finding import Severity
from danebot.domain.lineage.state import Management
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.way import way
from danebot.domain.text import LONGEST_LINE, distance, duration, printable, quoted, times, when
from danebot_exporter.course import course, findings_of, urgency, waits
from danebot_exporter.drawing import draw_way, validity_bar
from danebot_exporter.html import Html, fragment, tag
from danebot_exporter.runbook import runbook_anchor

if TYPE_CHECKING:
    from danebot.domain.status.document import CertificateStatus, LineageStatus, RecordStatus
    from danebot.domain.status.way import Stage
    from danebot_exporter.endpoints import EndpointReport

_RECENT = timedelta(minutes=15)  # two rounds by default, and more
_SHADES = {
    Phase.STABLE.value: "quiet",
    Phase.STANDBY.value: "quiet",
    Phase.PASS_THROUGH.value: "quiet",
    Phase.BROKEN.value: "critical",
}


def card(status: LineageStatus, reports: tuple[EndpointReport, ...], now: datetime) -> Html:
    """All about one lineage: where it stands, what to do, its rollover, its details."""
    urgent = urgency(status, reports)
    if status.expired(now):
        urgent = Severity.CRITICAL
    elif waits(status):
        urgent = max(urgent or Severity.NOTICE, Severity.NOTICE)
    level = urgent.word if urgent is not None else _calm(status)
    since = status.phase_since
    return tag(
        "article",
        tag(
            "header",
            *_name(status),
            tag("span", f"since {when(since)}", class_="since") if since is not None else "",
        ),
        _body(status, reports, now),
        class_=f"card {level}",
    )


def brief(status: LineageStatus, reports: tuple[EndpointReport, ...], now: datetime) -> Html:
    """The same in a line that can be opened, where nothing is to be done or waited for."""
    rests = urgency(status, reports) is None and not waits(status) and not status.expired(now)
    if not rests or way(status, now):
        return card(status, reports, now)
    end = status.live.not_after if status.live is not None else None
    expiry = f"expires {when(end)}, {distance(end, now)}" if end is not None else "nothing is live"
    name, phase = _name(status)
    # a line is broken at these spaces alone, whatever the margins
    line = tag("summary", name, " ", phase, " ", tag("span", expiry, class_="since"))
    folded = tag("details", line, _body(status, reports, now), class_="fold")
    return tag("article", folded, class_=f"card {_calm(status)}")


def _calm(status: LineageStatus) -> str:
    """The shade of a lineage without a finding: what is left to certbot is in nobody's care."""
    return "info" if status.management == Management.PASS_THROUGH.value else "fine"


def _name(status: LineageStatus) -> tuple[Html, Html]:
    shade = _SHADES.get(status.phase, "notice")
    return tag("h2", status.name), tag("span", status.phase, class_=f"chip {shade}")


def _body(status: LineageStatus, reports: tuple[EndpointReport, ...], now: datetime) -> Html:
    stages = way(status, now)
    return fragment(
        tag("ul", _next(status, reports, now), class_="next"),
        _way(stages, now) if stages else "",
        tag("dl", _facts(status, reports, now)),
        tag("details", tag("summary", "Keys, records and names"), tag("dl", _details(status))),
    )


def _next(
    status: LineageStatus, reports: tuple[EndpointReport, ...], now: datetime
) -> Iterator[Html]:
    """What to do next, in the order of urgency: findings, then records, then waiting.

    A record is shown once, by the finding that tells of it, if one does.
    """
    found = findings_of(status, reports)
    left = dict.fromkeys((*status.publication.add, *status.publication.remove))
    for finding in found:
        said = f"{finding.text} {finding.remedy}"
        told = [line for line in left if _told(line, said, status)]
        for line in told:
            del left[line]
        shown = tuple(line for line in told if not _named(line, said))
        yield item(finding.severity, finding.text, finding.remedy, shown, runbook_anchor(finding))
    add = tuple(line for line in status.publication.add if line in left)
    remove = tuple(line for line in status.publication.remove if line in left)
    if add:
        yield item(Severity.NOTICE, "Add to DNS, and keep the records that are there", lines=add)
    if remove:
        text = "May be removed from DNS: no key in use needs these"
        yield item(Severity.NOTICE, text, lines=remove)
    if not found:
        yield tag("li", tag("p", course(status, now)), class_="quiet")


def _told(line: str, said: str, status: LineageStatus) -> bool:
    """Whether a finding that says ``said`` tells of the record in ``line``, or where to find it."""
    verbs = ("publish", "add") if line in status.publication.add else ("remove",)
    told = (f"{verb} what this prints: danebot tlsa {quoted(status.name)}" for verb in verbs)
    return _named(line, said) or any(words in said for words in told)


def _named(line: str, said: str) -> bool:
    data = line.partition(" IN ")[2]
    return bool(data) and data in said


def item(
    severity: Severity,
    text: str,
    remedy: str = "",
    lines: tuple[str, ...] = (),
    leads: str = "",
) -> Html:
    """A finding, or a thing to do; ``lines`` are to be taken over literally.

    ``leads`` is its entry of the runbook, if it has one.
    """
    word = severity.word.capitalize()
    if severity is Severity.INFO:
        word = "Waiting"
    elif severity is Severity.NOTICE and (remedy or lines):
        word = "To do"
    link = tag("a", "Runbook", href=f"runbook#{leads}", class_="leads") if leads else ""
    return tag(
        "li",
        tag("p", tag("b", word), " ", *_whole(text), " ", link),
        tag("p", *_whole(remedy), class_="remedy") if remedy else "",
        tag("pre", *_lines(lines)) if lines else "",
        class_=severity.word,
    )


def _whole(text: str) -> Iterator[Html | str]:
    """A text whose options of commands no line breaks in two."""
    for part in re.split(r"(?<!\S)(--?\w[\w-]*)", printable(text, LONGEST_LINE)):
        yield tag("span", part, class_="word") if re.match(r"--?\w", part) else part


def _lines(lines: tuple[str, ...]) -> Iterator[Html]:
    """Lines one below the other; newlines within a foreign line are made visible."""
    for line in lines:
        yield fragment(line)
        yield Html("\n")


def _way(stages: tuple[Stage, ...], now: datetime) -> Html:
    moments = (
        tag(
            "li",
            tag("b", str(number)),
            f" {stage.title} ",
            tag("span", _moment(stage, now), class_="key"),
            class_="reached" if stage.reached else "ahead",
        )
        for number, stage in enumerate(stages, 1)
    )
    return tag("div", draw_way(stages, now), tag("ol", moments, class_="moments"), class_="way")


def _moment(stage: Stage, now: datetime) -> Html | str:
    if stage.at is None:
        return "done" if stage.reached else "to come"
    return fragment(f"{when(stage.at)}, ", tag("span", distance(stage.at, now), class_="word"))


def _facts(
    status: LineageStatus, reports: tuple[EndpointReport, ...], now: datetime
) -> Iterator[Html]:
    yield from _certificate("Live certificate", status.live, now)
    if status.live is None:
        yield _fact("Live certificate", "nothing usable")
    if status.staged is not None and (
        status.live is None or status.staged.fingerprint != status.live.fingerprint
    ):
        yield from _certificate("Issued, not live", status.staged, now)
    if status.deployed_at is not None and status.confirmed_at is None:
        since = f"since {when(status.deployed_at)}"
        yield _fact("Not confirmed", f"{since}: not every service was seen to serve what is live")
    for hook in status.pending_hooks:
        failed = f" (failed {times(hook.attempts)}: {hook.error})" if hook.attempts else ""
        yield _fact("Pending hook", tag("code", hook.hook), failed)
    for report in reports:
        recent = now - report.at < _RECENT
        title = "Served now" if recent else f"Served {distance(report.at, now)}"
        yield _fact(title, _answers(report))
    if not reports and status.confirmed_at is None:
        for probe in status.probes:
            where = f" [{probe.address}]" if probe.address else ""
            words = {"deployed": "the deployed certificate", "other": "another certificate"}
            served = words.get(probe.serves, probe.outcome)
            yield _fact("Served", f"{probe.endpoint}{where}: {served}, {when(probe.at)}")


_KINDS = {one: grade.severity.word for one, grade in GRADES.items()} | {
    Judgement.AUTHENTICATED: "fine",
    Judgement.NO_ROUTE: "quiet",
}


def _answers(report: EndpointReport) -> Html:
    parts = []
    for one in report.served:
        kind = _KINDS[one.judgement]
        where = f" [{one.address}]" if one.address else ""
        detail = "" if kind == "fine" else f", {one.detail}"
        chip = tag("span", one.judgement.value, class_=f"chip {kind}")
        parts.append(tag("div", chip, f" {report.watched.endpoint}{where}{detail}"))
    return fragment(parts)


def _certificate(
    title: str, certificate: CertificateStatus | None, now: datetime
) -> Iterator[Html]:
    if certificate is None:
        return
    end = certificate.not_after
    yield tag("dt", title)
    word = "expires" if end > now else "expired"
    yield tag(
        "dd",
        f"{word} {when(end)}, {distance(end, now)}",
        validity_bar(certificate, now),
        class_="expiry",
    )


def _fact(title: str, *words: Html | str) -> Html:
    return fragment(tag("dt", title), tag("dd", *words))


def _details(status: LineageStatus) -> Iterator[Html]:
    for title, key in (
        ("Current key", status.current),
        ("Next key", status.next),
        ("Ready key", status.ready),
    ):
        if key is not None:
            yield _fact(title, tag("code", key.digest.hex()), f" {key.type}" if key.type else "")
    for record in status.records:
        yield _record(record)
    if status.live is not None:
        version = status.live.version
        yield _fact("Names", " ".join(status.live.names))
        if version is not None:
            yield _fact("Archive version", str(version))
    yield _fact("Managed by", "danebot" if status.management == "staged" else "certbot alone")
    if status.last_success is not None:
        yield _fact("Last success", when(status.last_success))
    if status.last_failure is not None:
        failure = status.last_failure
        yield _fact("Last failure", f"{when(failure.at)}: {failure.message}")


def _record(record: RecordStatus) -> Html:
    ttl = f", TTL {duration(record.ttl)}" if record.ttl is not None else ""
    answer = f", answer {record.security}" if record.security else ""
    lines = [
        tag("div", tag("code", f"{record.owner} TLSA {record.record}")),
        tag("div", f"{record.seen}{answer}{ttl}"),
    ]
    if record.name:
        lines.append(tag("div", record.name))
    if record.present_at:
        lines.append(tag("div", f"at {', '.join(record.present_at)}", class_="soft"))
    lines += [tag("div", f"missing at {where}") for where in record.missing_at]
    lines += [tag("div", f"not heard: {where}") for where in record.unheard_at]
    whose = "trust anchor" if record.role == "anchor" else f"{record.role} key"
    return _fact(f"Record, {whose}", *lines)
