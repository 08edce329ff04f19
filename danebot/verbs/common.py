"""What several verbs share: output, and the record that every run leaves behind."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity
from danebot.errors import ConfigError, DanebotError
from danebot.waiting import LINE

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.console import Console
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.names import DnsName
    from danebot.domain.status.document import FindingStatus, RunStatus, Snapshot
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

FINE, ATTENTION = 0, 1
_OF_RECORDS = {
    Code.COMPROMISED_PUBLISHED,
    Code.TLSA_ANCHOR_RETIRED,
    Code.TLSA_ISSUERS_UNLISTED,
    Code.TLSA_MISMADE,
}
"""What is wrong with records that are there, whatever lacks."""
OF_SERVICES = {Code.NOT_SERVED.value, Code.NOT_CONFIRMED.value}
"""What only a run that asks the services can tell anew."""


def read_stdin(limit: int) -> bytes:
    """Return all of standard input; `ConfigError` for more than ``limit`` octets, or without it."""
    if sys.stdin is None:
        raise ConfigError("standard input is closed")
    return size_checked(sys.stdin.buffer.read(limit + 1), limit, "standard input")


def size_checked(data: bytes, limit: int, name: str) -> bytes:
    """Return ``data``; `ConfigError` for more than ``limit`` octets."""
    if len(data) > limit:
        raise ConfigError(f"{name}: larger than {limit} octets")
    return data


def dump(value: object) -> str:
    """A value as JSON that people can read, too."""
    from danebot.adapters.codec import encode

    return json.dumps(encode(value), indent=1)


def print_json(name: str, **parts: object) -> None:
    """Print the document ``danebot-NAME`` (docs/json.md), whose schema's version is 1."""
    click_echo(dump({"document": f"danebot-{name}", "schema": 1, **parts}))


def record_objects(
    record: TlsaRecord, owners: Collection[DnsName], **about: object
) -> Iterator[dict[str, object]]:
    """Yield a record as JSON has it, for each owner that it is for, and what else is to be said."""
    from danebot.domain.status.document import record_document

    said = {**record_document(str(record)), **about}
    yield from ({"owner": owner.text, **said} for owner in owners) if owners else (said,)


def last_report(console: Console) -> Snapshot | None:
    """The status document; None if there is none that can be read."""
    from danebot.adapters.status_file import load_status

    try:
        return load_status(console.settings.snapshot)
    except DanebotError:
        return None


def status_document(
    console: Console, run: RunStatus, views: Sequence[LineageView], findings: Sequence[Finding]
) -> Snapshot:
    """What programs are told, in the form of the status document: what the run saw and did."""
    from danebot.jobs.snapshot import News, Scope, presented

    settings = console.settings
    return presented(
        last_report(console),
        run,
        News(
            Scope.SOME,
            views,
            findings,
            lambda _: True,
            settings.witnesses,
            settings.tree,
            console.journal.events,
        ),
    )


def click_echo(line: str) -> None:
    """Print a line that was asked for, -q or not."""
    import click

    LINE.clear()
    click.echo(line)


def status_of(findings: Iterable[Finding]) -> int:
    """The exit status of a run that found these."""
    worst = max((finding.severity for finding in findings), default=Severity.INFO)
    return ATTENTION if worst >= Severity.WARNING else FINE


def record_run(
    console: Console,
    context: Context,
    verb: str,
    started: datetime,
    status: int,
    *,
    findings: Sequence[Finding] = (),
    superseded: Callable[[FindingStatus], bool] = lambda _: False,
    report: Collection[str] = (),
    remarks: Iterable[str] = (),
) -> int:
    """Write the public snapshot after a run; failing to is a problem of its own.

    What the last renewal found stays, but for lineages that are gone and what is ``superseded``.
    What needs attention of the lineages to ``report`` on is said, and counts.  ``remarks`` are said
    in the end, unless something went wrong that is to be mended first.
    """
    from danebot.jobs.orphans import orphans
    from danebot.jobs.overview import look_over
    from danebot.jobs.snapshot import News, Scope, this_run, write_snapshot

    try:
        known = context.tree.names()
        found = look_over(context, known)
        views = [view for view in found.views if view.state.name in report]
        said = [one for view in views for one in view.findings if one.severity >= Severity.WARNING]
        if console.report(said) >= Severity.WARNING:
            status = ATTENTION
        write_snapshot(
            context.settings.snapshot,
            this_run(verb, started, context.clock(), status),
            News(
                Scope.EVERYTHING,
                found.views,
                (*findings, *found.unreadable, *orphans(context)),
                lambda old: superseded(old) or old.lineage not in ("", *known),
                context.settings.witnesses,
                context.tree.root,
                console.journal.events,
            ),
        )
    except DanebotError as exc:
        say_unwritten(console, exc, status)
        return ATTENTION
    for remark in remarks if status == FINE else ():
        console.warn(remark)
    return status


def say_unwritten(console: Console, exc: DanebotError, status: int) -> None:
    """The status document couldn't be written: news only if that is all that is wrong.

    Whatever keeps a run from writing there has usually stopped it before, and was said then.
    """
    say = console.warn if status == FINE else console.detail
    say(f"the status document could not be written: {exc}")


def write_metrics(console: Console, status: int) -> int:
    """The metrics of a run, where they are wanted."""
    if console.settings.textfile is None:
        return status
    from danebot.jobs.textfile import replace_textfile

    reason = replace_textfile(console.settings)
    if reason:
        console.warn(reason)
    return ATTENTION if reason else status


def say_pressing(console: Console, view: LineageView) -> bool:
    """What can't wait in DNS: lines that nobody can fulfil, a compromised key's record, anchors.

    Returns whether anything can't: what lacks, or can't be told, as well.
    """
    for objection in view.publication.objections:
        console.warn(f"{view.state.name}: {objection}")
    exposed = [one for one in view.findings if one.code in _OF_RECORDS]
    worst = console.report(exposed)
    return view.publication.unsettled or worst >= Severity.WARNING


def planned_changes(console: Console, view: LineageView) -> list[str]:
    """What would be published for a lineage, in lines, and what a real run would refuse to."""
    from danebot.domain.rollover.evidence.change_outcomes import Part
    from danebot.domain.rollover.records.changes import stopped
    from danebot.jobs.publish import changes_of

    name, owners = view.state.name, view.observation.owners
    method = console.settings.publish(name).method.value
    lines = []
    for part in Part:
        for change in changes_of(view, part):
            refused = stopped(change, owners)
            records = change.add if part is Part.ADD else change.remove
            if refused is not None:
                why = f"{refused.text}; {refused.remedy}"
                lines.append(f"{name}: would {part.value} nothing: {why}")
                continue
            ttl = change.seen_ttl
            shown = f" {int(ttl.total_seconds())}" if ttl is not None else ""
            would = f"{name}: would {part.value} ({method}): {change.target}.{shown}"
            lines += [f"{would} IN TLSA {record}" for record in records]
    return lines
