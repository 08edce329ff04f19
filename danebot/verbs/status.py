"""`danebot status` and `tlsa`: they only look."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding
from danebot.domain.names import printable
from danebot.domain.rollover.records.adoption import Proposal, by_host
from danebot.domain.text import LONGEST_LINE, quoted, when
from danebot.errors import DanebotError, RolloverError, TreeError, UnreadableError
from danebot.verbs.common import (
    ATTENTION,
    FINE,
    OF_SERVICES,
    click_echo,
    dump,
    last_report,
    say_pressing,
    status_document,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from danebot.console import Console
    from danebot.domain.status.document import (
        EventStatus,
        FindingStatus,
        LineageStatus,
        Snapshot,
    )
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView


def status(console: Console, names: tuple[str, ...], *, as_json: bool) -> int:
    """Where each lineage stands."""
    from danebot.domain.finding import Severity
    from danebot.domain.status.document import finding_of
    from danebot.jobs.context import system_clock
    from danebot.jobs.orphans import way_back
    from danebot.jobs.overview import look_over
    from danebot.jobs.snapshot import this_run
    from danebot.render.lineage import run_lines

    now = system_clock()
    tree = console.tree()
    context = console.context(tree)
    lost = _lost(context, names)
    left = tuple(name for name in names if name not in {finding.where for finding in lost})
    selected = tree.select(left) if left or not names else ()
    if any(map(tree.forbidden, selected)):
        saved = _last_report(console)
        report: Snapshot | None = saved
        unreadable = lost
        shown = _saved(console, saved, selected, lost)
    else:
        found = look_over(context, selected)
        report = last_report(console)
        unreadable = (*found.unreadable, *lost)
        run = this_run("status", now, context.clock(), FINE)
        shown = status_document(console, run, found.views, unreadable)
    shown = shown._replace(lineages=_with_services(report, shown.lineages))
    others = _of_the_run(report, unreadable, names, selected)
    events = tuple(e for e in report.events if e.lineage in selected) if report else ()
    statuses, last_renew = shown.lineages, shown.last_renew
    troubled = any(
        finding_of(one).severity >= Severity.WARNING
        for one in (*others, *(one for s in statuses for one in s.findings))
    )
    over = any(one.expired(now) for one in statuses)
    code = ATTENTION if troubled or unreadable or over else FINE
    if as_json:
        ended = shown.run._replace(exit_status=code) if shown.run.verb == "status" else shown.run
        told = (*shown.findings, *others)
        click_echo(dump(shown._replace(run=ended, findings=told, events=events)))
    else:
        for line in _lines(console, statuses, names, now):
            _show(line)
        if not console.quiet or last_renew is None:
            for line in run_lines(last_renew, now):
                _show(line)
        for line in (*_others(console, others), *_event_lines(console, events)):
            _show(line)
    for finding in unreadable:
        console.warn(str(finding))
        if finding.code is Code.NOT_RENEWED and not as_json:
            for line in way_back(tree.paths(finding.where)):
                console.say(f"{finding.where}: {line}")
    return code


def _lines(
    console: Console, statuses: Iterable[LineageStatus], names: Sequence[str], now: datetime
) -> Iterator[str]:
    """All of a single lineage, of those with ``names`` and of each with -v; else a line of each.

    With -q problems only.
    """
    from danebot.render.lineage import overview, problem_lines, status_lines, worst_first

    ordered = worst_first(statuses)
    if console.quiet:
        yield from problem_lines(ordered)
    elif names or console.verbosity or len(ordered) == 1:
        for one in ordered:
            yield from status_lines(one, now)
    elif ordered:
        yield from overview(ordered, now)


_COLOURS = {"critical": "red", "warning": "yellow", "notice": "blue", "ok": "green"}


def _show(line: str) -> None:
    """Print a line; on a terminal what is wrong is in colour, and what is to come is faint."""
    import click

    shown = printable(line, LONGEST_LINE)
    if sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        word = shown.strip().partition(" ")[0]
        bar, arrow, ahead = shown.partition(">")
        if word in _COLOURS:
            shown = shown.replace(word, click.style(word, fg=_COLOURS[word], bold=True), 1)
        elif word == "rollover" and arrow:
            shown = bar + arrow + click.style(ahead, dim=True)
        elif shown.strip().startswith("to come:"):
            shown = click.style(shown, dim=True)
    click_echo(shown)


def _with_services(
    report: Snapshot | None, statuses: Sequence[LineageStatus]
) -> tuple[LineageStatus, ...]:
    """The lineages with what the last run that asked their services found wrong there."""
    found = [one for one in report.findings if one.code in OF_SERVICES] if report else []
    return tuple(
        one._replace(findings=(*one.findings, *(f for f in found if f.lineage == one.name)))
        if one.deployed_at is not None and (one.confirmed_at is None or one.old_keys)
        else one
        for one in statuses
    )


def _of_the_run(
    report: Snapshot | None, told: Sequence[Finding], names: Sequence[str], there: Sequence[str]
) -> tuple[FindingStatus, ...]:
    """What the last run found that belongs to no lineage, and isn't ``told``; () for ``names``.

    That there is no lineage is refuted by those that are ``there``.
    """
    codes = {finding.code.value for finding in told}
    codes |= {Code.NOTHING_TO_RENEW.value} if there else set()
    found = report.findings if report is not None and not names else ()
    return tuple(one for one in found if not one.lineage and one.code not in codes)


def _others(console: Console, found: Iterable[FindingStatus]) -> Iterator[str]:
    from danebot.domain.finding import Severity
    from danebot.domain.status.document import finding_of

    for one in map(finding_of, found):
        if not console.quiet or one.severity >= Severity.WARNING:
            yield f"{one.severity.word:<8}  {one}"


def _event_lines(console: Console, events: Iterable[EventStatus]) -> Iterator[str]:
    """The last changes, for who asks for details."""
    for event in events if console.verbosity and not console.quiet else ():
        yield f"{when(event.at)}  {event.lineage}: {event.text}"


def _lost(context: Context, names: tuple[str, ...]) -> tuple[Finding, ...]:
    """What is left, or wanted, of lineages that there aren't; () where one may not look."""
    from danebot.jobs.orphans import orphans
    from danebot.jobs.unknown import no_lineages, unknown_lineages

    try:
        context.tree.orphans()
    except UnreadableError:
        return ()
    found = (*orphans(context), *unknown_lineages(context), *no_lineages(context))
    return tuple(one for one in found if not names or one.where in names)


def _saved(
    console: Console, report: Snapshot, selected: Sequence[str], lost: Iterable[Finding]
) -> Snapshot:
    """What the last run saw of the lineages that may not be read."""
    from danebot.domain.status.document import finding_status

    console.warn(
        "the tree may not be read; this is what danebot saw at "
        f"{when(report.run.ended)}; to look now, run it as root"
    )
    seen = tuple(s for s in report.lineages if s.name in selected)
    return report._replace(lineages=seen, findings=tuple(map(finding_status, lost)))


def _last_report(console: Console) -> Snapshot:
    from danebot.adapters.status_file import load_status

    try:
        return load_status(console.settings.snapshot)
    except DanebotError as exc:
        raise TreeError(f"the tree may not be read, and {exc}; run danebot as root") from exc


def tlsa(console: Console, name: str, form: str, *, as_json: bool) -> int:
    """What ought to be published for one lineage."""
    from danebot.domain.status.advised import advised
    from danebot.jobs.overview import look_over
    from danebot.render.lineage import nsupdate_lines, publication_lines

    tree = console.tree()
    tree.select((name,))
    found = look_over(console.context(tree), tree.names())
    views = [view for view in found.views if view.state.name == name]
    if not views:
        raise RolloverError("; ".join(str(finding) for finding in found.unreadable))
    view = views[0]
    publication, keys = view.publication, (view.state.current_key, view.state.awaited_key)
    proposal = None if view.state.owners else _proposal(console, view)
    if as_json:
        click_echo(dump(advised(name, publication, proposal)))
    elif not view.state.owners:
        _print_first(console, view, proposal, form)
    elif form == "nsupdate":
        add = (*publication.add, *publication.repair)
        for line in nsupdate_lines(add, publication.remove):
            click_echo(line)
    else:
        for line in publication_lines(publication, view.names, *keys):
            click_echo(line)
    pressing = say_pressing(console, view)
    if proposal is not None:
        _say_unanswered(console, view, proposal)
    return ATTENTION if pressing or proposal is not None else FINE


def _say_unanswered(console: Console, view: LineageView, proposal: Proposal) -> None:
    """What may be published though nobody answered, and whether the next renewal breaks it."""
    name = view.state.name
    if proposal.unanswered:
        console.warn(
            f"{name}: no answer for TLSA records of {by_host(proposal.unanswered)}; they may be "
            "published already: see that the resolver answers, then run: "
            f"danebot tlsa {quoted(name)}"
        )
    console.report(one for one in view.findings if one.code is Code.BREAKS_AT_RENEWAL)


def _print_first(console: Console, view: LineageView, proposal: Proposal | None, form: str) -> None:
    """What a lineage that watches no record publishes first, and the steps to protection."""
    from danebot.render.proposal import proposal_lines

    state = view.state
    if proposal is None:
        console.say(f"; {state.name} has no TLSA records, as its dane-ee says")
        return
    for line in proposal_lines(state.name, proposal, form, state.management):
        click_echo(line)


def _proposal(console: Console, view: LineageView) -> Proposal | None:
    """What might be published first; None where the operator said that there is nothing."""
    from danebot.domain.dns.tlsa import Declared
    from danebot.jobs.adopt import first_records

    state = view.state
    if state.declared is Declared.NO_RECORDS:
        return None
    proposal = first_records(console.context(console.tree()), state)
    if proposal is None:
        raise RolloverError(f"nothing usable is live of {state.name}")
    return proposal
