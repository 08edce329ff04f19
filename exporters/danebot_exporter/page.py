"""The page for people: no script, nothing from elsewhere, made on the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from danebot.adapters.status_file import StatusError
from danebot.domain.finding import Finding, Severity
from danebot.domain.kinds import Concern
from danebot.domain.rollover.steps.phases import Phase
from danebot.domain.status.document import Snapshot, finding_of
from danebot.domain.status.overdue import absent, all_left, fresh, renewals_stopped
from danebot.domain.text import distance, when
from danebot_exporter.card import brief, card, item
from danebot_exporter.frame import document
from danebot_exporter.html import Html, fragment, tag
from danebot_exporter.runbook import runbook_anchor
from danebot_exporter.shelf import PackedLineage, Shelf, Shelved

if TYPE_CHECKING:
    from danebot.domain.status.document import RunStatus
    from danebot_exporter.endpoints import EndpointReport

PER_PAGE = 50
FEW = 5  # lineages, of which all is shown at once
_LONGEST = 200
_DIGITS = 6
_CHANGES = 10
_AGAIN = "300"  # seconds
_RESTING = {
    phase.value for phase in (Phase.STABLE, Phase.STANDBY, Phase.PASS_THROUGH, Phase.BROKEN)
}
_VIEWS = {
    "all": ("all", "all"),
    "attention": ("needs attention", "need attention"),
    "waiting": ("waits for you", "wait for you"),
    "rolling": ("in a rollover", "in a rollover"),
}
_OVERDUE = timedelta(hours=36)  # as the alert DanebotNotRunning has it
_UNSEEN = timedelta(hours=1)  # as DanebotEndpointUnseen has it
_MATTER = (Severity.CRITICAL, Severity.WARNING)


@dataclass(frozen=True, slots=True)
class PageWish:
    """What the reader wants to see.

    ``number`` counts pages from 1; ``again`` is after how many seconds the page is to come again
    by itself, "" for never: that is for the reader to say (WCAG 2.2, 2.2.1 and 3.2.5).
    """

    view: str = "all"
    search: str = ""
    number: int = 1
    again: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> PageWish:
        """Read a query string; what makes no sense is passed over."""
        view = query.get("show", "all")
        digits = query.get("page", "")
        number = (
            int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else 1
        )
        search = query.get("q", "").encode(errors="replace").decode().strip()
        again = _AGAIN if query.get("again") == _AGAIN else ""
        return cls(view if view in _VIEWS else "all", search[:_LONGEST], max(number, 1), again)

    def link(
        self, view: str | None = None, number: int | None = 1, again: str | None = None
    ) -> str:
        """The address of another page."""
        again = self.again if again is None else again
        wanted = {
            "show": view or self.view,
            "q": self.search,
            "page": str(number or self.number),
            "again": again,
        }
        usual = {"show": "all", "q": "", "page": "1", "again": ""}
        query = urlencode({key: value for key, value in wanted.items() if value != usual[key]})
        return f"?{query}" if query else "./"

    def matches(self, status: PackedLineage, urgent: Severity | None) -> bool:
        """Whether a lineage is to be shown."""
        return self.search.lower() in status.name.lower() and _in_view(self.view, status, urgent)


def _in_view(view: str, status: PackedLineage, urgent: Severity | None) -> bool:
    match view:
        case "attention":
            return urgent is not None and urgent >= Severity.WARNING
        case "waiting":
            return status.waits
        case "rolling":
            return status.rolling
        case _:
            return True


@dataclass
class _Survey:
    """What is known of all lineages: how many in which view, and the order of those wanted."""

    wish: PageWish
    reports: Mapping[str, tuple[EndpointReport, ...]]
    now: datetime
    counts: Counter[str] = field(default_factory=Counter)
    found: Counter[Severity] = field(default_factory=Counter)
    worst: Severity | None = None
    order: list[tuple[int, bool, str]] = field(default_factory=list)

    def take(self, status: PackedLineage) -> None:
        reports = self.reports.get(status.name, ())
        seen = (finding.severity for report in reports for finding in report.findings)
        found = [*status.severities(self.now), *seen]
        self.found.update(found)
        urgent = max(found, default=None)
        self.worst = max((one for one in (urgent, self.worst) if one is not None), default=None)
        for view in _VIEWS:
            self.counts[view] += _in_view(view, status, urgent)
        if self.wish.matches(status, urgent):
            rank = -1 if urgent is None else urgent
            self.order.append((-rank, status.phase in _RESTING, status.name))


def page(
    path: Path,
    wish: PageWish,
    reports: Mapping[str, tuple[EndpointReport, ...]],
    now: datetime,
    *,
    shelf: Shelf | None = None,
    host: str = "localhost",
) -> bytes:
    """The page for the status document at ``path``, whatever state that is in.

    A ``shelf`` that is handed over again saves reading a document that hasn't changed.  ``host`` is
    the name of this one.
    """
    survey = _Survey(wish, reports, now)
    try:
        shelved = (shelf or Shelf()).get(path)
    except StatusError as fault:
        return _document(f"No status on {host}", _broken(fault, host), wish, now)
    for one in shelved.entries.values():
        survey.take(one)
    survey.order.sort()
    first = (wish.number - 1) * PER_PAGE
    names = [name for _, _, name in survey.order[first : first + PER_PAGE]]
    snapshot = shelved.snapshot
    own = [*_own(snapshot, now), *_unwatched(shelved)]
    survey.found.update(finding.severity for finding in own)
    looks = (report.at for found in reports.values() for report in found)
    survey.found[Severity.UNJUDGED] += sum(now - at > _UNSEEN for at in looks)
    show = brief if survey.counts["all"] > FEW else card
    cards = [show(shelved.entries[name].status(), reports.get(name, ()), now) for name in names]
    body = fragment(
        _top(snapshot, survey, own, now, host),
        tag(
            "main",
            _search(wish) if survey.counts["all"] > 1 or wish.search else "",
            cards or tag("p", _nothing(survey), class_="blank"),
            _turn(wish, len(survey.order)),
            _changes(snapshot, wish),
        ),
    )
    matters = sum(survey.found[severity] for severity in _MATTER)
    many = f"{matters} matter{'s' if matters > 1 else ''} on " if matters else ""
    return _document(many + host, body, wish, now)


def _document(title: str, body: Html, wish: PageWish, now: datetime) -> bytes:
    links = fragment(tag("a", "Metrics", href="metrics"), ", ", tag("a", "runbook", href="runbook"))
    words = "Stop reloading" if wish.again else "Reload every 5 minutes"
    here = wish.link(number=None, again="" if wish.again else _AGAIN)
    again = tag("a", words, href=here, class_="again")
    foot = tag("footer", f"Made {when(now)}. ", links, ". All times are UTC. ", again)
    return document(title, body, foot, refresh=wish.again)


def _own(snapshot: Snapshot, now: datetime) -> list[Finding]:
    """What is wrong with the runs, or with the document as a whole by now."""
    found = map(finding_of, snapshot.findings)
    old = [*fresh(snapshot, Concern.RENEWAL, _OVERDUE, now)]
    old = old or [*renewals_stopped(snapshot, _OVERDUE, now)]
    return [one for one in (*old, *found) if one.severity >= Severity.UNJUDGED]


def _unwatched(shelved: Shelved) -> Iterator[Finding]:
    """That there is nothing under danebot's care: then nothing found is nothing seen."""
    phases = [one.phase for one in shelved.entries.values()]
    if not phases:
        yield from absent((), ())
    elif set(phases) == {Phase.PASS_THROUGH.value}:
        yield all_left(len(phases))


def _verdict(run: RunStatus, found: Counter[Severity]) -> Html:
    """What all of it comes to, in a word for each severity, in the colour of the worst."""
    words = [f"{found[one]} {_plural(one, found[one])}" for one in _MATTER if found[one]]
    if words:
        worst = next(one for one in _MATTER if found[one])
        return tag("span", ", ".join(words), class_=f"chip {worst.word}")
    if found[Severity.UNJUDGED]:
        return tag("span", "Not everything can be judged", class_="chip unjudged")
    if run.exit_status:
        words = [f"The last run failed: exit status {run.exit_status}"]
        return tag("span", *words, class_="chip warning")
    return tag("span", "Nothing needs attention", class_="chip fine")


def _plural(severity: Severity, count: int) -> str:
    return severity.word + ("s" if severity is Severity.WARNING and count > 1 else "")


def _top(snapshot: Snapshot, survey: _Survey, own: list[Finding], now: datetime, host: str) -> Html:
    run = snapshot.last_renew or snapshot.run
    ended = f"{when(run.ended)} ({distance(run.ended, now)}), exit status {run.exit_status}"
    ended = f" Last danebot {run.verb} {ended}"
    wish = survey.wish
    views = (
        tag(
            "li",
            tag(
                "a",
                f"{survey.counts[view]} {one if survey.counts[view] == 1 else many}",
                href=wish.link(view=view),
                class_=f"chip {_shade(view, survey)}" + (" on" if view == wish.view else ""),
                **({"aria_current": "page"} if view == wish.view else {}),
            ),
        )
        for view, (one, many) in _VIEWS.items()
    )
    findings = (item(f.severity, f.sentence, f.remedy, leads=runbook_anchor(f)) for f in own)
    return tag(
        "header",
        tag(
            "div",
            _heading(host),
            tag("p", _verdict(run, survey.found), ended, class_="run"),
            tag("ul", findings, class_="next") if own else "",
            tag("ul", views, class_="tally"),
        ),
        class_="top",
    )


def _heading(host: str) -> Html:
    return tag("h1", "danebot ", tag("span", f"on {host}", class_="soft"))


def _shade(view: str, survey: _Survey) -> str:
    count = survey.counts[view]
    if view == "attention":
        if count and survey.worst is not None:
            return survey.worst.word
        return "quiet" if survey.found[Severity.UNJUDGED] else "fine"
    return "notice" if view in {"waiting", "rolling"} and count else "quiet"


def _search(wish: PageWish) -> Html:
    kept = {"show": wish.view.replace("all", ""), "again": wish.again}
    hidden = (tag("input", type="hidden", name=k, value=v) for k, v in kept.items() if v)
    named = {"placeholder": "Name", "aria_label": "Name"}
    words = tag("input", type="search", name="q", value=wish.search, **named)
    return tag(
        "form",
        hidden,
        words,
        tag("button", "Find", type="submit"),
        method="get",
    )


def _nothing(survey: _Survey) -> str:
    if not survey.counts["all"]:
        return "There are no lineages yet. certbot makes them; danebot init takes them over."
    if survey.wish.view == "attention" and not survey.wish.search:
        return "Nothing needs attention."
    return "No lineage matches."


def _turn(wish: PageWish, count: int) -> Html:
    last = -(-count // PER_PAGE)
    if last <= 1:
        return Html("")
    links: list[Html] = []
    if wish.number > 1:
        links.append(tag("a", "Before", href=wish.link(number=wish.number - 1), rel="prev"))
    links.append(tag("span", f"Page {wish.number} of {last}", class_="soft"))
    if wish.number < last:
        links.append(tag("a", "Next", href=wish.link(number=wish.number + 1), rel="next"))
    return tag("nav", links)


def _changes(snapshot: Snapshot, wish: PageWish) -> Html:
    """The last changes to the lineages that are looked for, the newest first."""
    wanted = [e for e in reversed(snapshot.events) if wish.search.lower() in e.lineage.lower()]
    lines = (
        tag("li", tag("span", when(e.at), class_="soft"), f" {e.lineage}: {e.text}")
        for e in wanted[:_CHANGES]
    )
    return tag("div", tag("h2", "Last changes"), tag("ul", lines)) if wanted else Html("")


def _broken(fault: StatusError, host: str) -> Html:
    said = tag("li", tag("p", tag("b", "No status"), f" {fault}"), class_="critical")
    return fragment(
        tag("header", tag("div", _heading(host)), class_="top"),
        tag("main", tag("ul", said, class_="next")),
    )
