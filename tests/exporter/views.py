"""The page in every state and every look, in a browser: what tests and people judge it by."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from danebot.domain.delivery.judgements import Judgement, Served
from danebot.domain.delivery.routes import Dane
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot_exporter.endpoints import EndpointReport, Watched
from danebot_exporter.page import PageWish, page
from danebot_exporter.runbook import runbook
from exporter import sample
from exporter.sample import HOUR, NOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from danebot.domain.status.document import LineageStatus, Snapshot

_NAME = "mail.example.org"


def _due() -> LineageStatus:
    cooling = sample.cooling(_NAME)
    said = sample.finding(_NAME, "promotion-due", "info", "the ready key is due for promotion")
    return cooling._replace(phase="due", doing="", safe_at=NOW - HOUR, findings=(said,))


def _emergency() -> LineageStatus:
    text = (
        "the live key is compromised, and served until its successor is safe: once its record is "
        "published, at every server"
    )
    found = sample.finding(_NAME, "key-compromised", "warning", text)
    staged = sample.staged(_NAME)
    return staged._replace(findings=(found, *staged.findings))


def _standby() -> LineageStatus:
    text = "a ready key stands by; its turn comes 2026-11-01 12:00 UTC"
    found = sample.finding(_NAME, "standing-by", "info", text)
    return sample.cooling(_NAME)._replace(phase="standby", findings=(found,))


def _alone(status: LineageStatus) -> Snapshot:
    """One lineage, and the run's exit status as it has to be."""
    found = sample.snapshot([status])
    bad = any(one.severity in {"critical", "warning"} for one in status.findings)
    run = found.run._replace(exit_status=int(bad))
    return found._replace(run=run, last_renew=run)


STATES: dict[str, Snapshot | None] = {
    "healthy": _alone(sample.lineage(_NAME)),
    "waiting": _alone(sample.staged(_NAME)),
    "cooling": _alone(sample.cooling(_NAME)),
    "due": _alone(_due()),
    "standby": _alone(_standby()),
    "deployed": _alone(sample.deployed(_NAME)),
    "mismatch": _alone(sample.mismatch(_NAME)),
    "emergency": _alone(_emergency()),
    "expiring": _alone(sample.expiring(_NAME)),
    "certbots": _alone(sample.passed(_NAME)),
    "mixed": sample.snapshot(sample.every_situation())._replace(
        events=(sample.event(_NAME, "deployed version 4"),)
    ),
    "thousand": sample.snapshot(
        [*sample.every_situation(), *(sample.lineage(f"m{n:04}.example.org") for n in range(992))]
    ),
    "none": sample.snapshot(),
    "unreadable": None,
}


class Look(NamedTuple):
    """How a browser shows a page; ``width`` in pixels."""

    width: int = 1100
    scheme: Literal["light", "dark"] = "light"
    media: Literal["screen", "print"] = "screen"
    contrast: Literal["forced", "none"] = "none"
    grey: Literal["grey", "colour"] = "colour"


LOOKS = {
    "light": Look(),
    "dark": Look(scheme="dark"),
    "phone": Look(width=390),
    "phone-dark": Look(width=390, scheme="dark"),
    "print": Look(width=720, media="print"),
    "forced": Look(contrast="forced"),
    "grey": Look(grey="grey"),
}


def shown(state: str, at: Path, **query: str) -> bytes:
    """The page in a state, with what services serve; ``at`` is a directory for its document."""
    wish = PageWish.of(query)
    path = at / "status.json"
    path.unlink(missing_ok=True)
    if state == "runbook":
        return runbook()
    document = STATES[state]
    if document is None:
        return page(path, wish, {}, NOW)
    sample.write(path, document)
    return page(path, wish, _reports(document), NOW, host="mx1.example.org")


def _reports(document: Snapshot) -> dict[str, tuple[EndpointReport, ...]]:
    """What was seen at port 25 of the first lineages, in accord with their findings."""
    found: dict[str, tuple[EndpointReport, ...]] = {}
    for status in document.lineages[:8]:
        wrong = any(one.code == "tlsa-mismatch" for one in status.findings)
        judged = Judgement.MISMATCH if wrong else Judgement.AUTHENTICATED
        served = (
            Served("192.0.2.25", judged, judged.value),
            Served("2001:db8::25", Judgement.NO_ROUTE, "no route to this address"),
        )
        watched = Watched(status.name, Endpoint(Hostname(status.name), 25, Protocol.SMTP), None)
        at = NOW - timedelta(minutes=2)
        found[status.name] = (EndpointReport(watched, at, 1.0, Dane.APPLIES, served),)
    return found


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@contextlib.contextmanager
def opened(browser: Browser, look: Look) -> Iterator[Page]:
    """An empty page of that look."""
    context = browser.new_context(
        viewport={"width": look.width, "height": 800},
        color_scheme=look.scheme,
        forced_colors="active" if look.contrast == "forced" else "none",
    )
    window = context.new_page()
    window.emulate_media(media=look.media)
    yield window
    context.close()
