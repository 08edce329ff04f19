"""Drawings in inline SVG: the rollover's way through time, and a certificate's life.

Positions are percentages of the drawing's width, sizes are pixels, so that a drawing fits a phone
and its strokes stay as they are.  Colours come from the page's style sheet.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.status.way import share
from danebot_exporter.html import Html, tag

if TYPE_CHECKING:
    from danebot.domain.status.document import CertificateStatus
    from danebot.domain.status.way import Stage

_LATE = 0.8  # certbot renews at two thirds


def _percent(part: float) -> str:
    return f"{100 * min(max(part, 0.0), 1.0):.2f}%"


def draw_way(stages: tuple[Stage, ...], now: datetime) -> Html:
    """A rollover's steps side by side, those to come in grey, and where it is between them."""
    count = len(stages)
    first, step = 0.5 / count, 1 / count
    reached = sum(stage.reached for stage in stages)
    here = first + step * (reached - 1 + share(stages, now))
    spots = []
    for number, stage in enumerate(stages):
        kind, x = ("reached" if stage.reached else "ahead"), _percent(first + step * number)
        spots += [
            tag("circle", cx=x, cy="20", r="9", class_=f"mark {kind}"),
            tag("text", str(number + 1), x=x, y="24", class_=f"number {kind}"),
        ]
    bar = {"x": _percent(first), "y": "18", "height": "4"}
    return tag(
        "svg",
        tag("title", f"Rollover: {reached} of {count} steps are done"),
        tag("rect", width=_percent(step * (count - 1)), class_="track", **bar),
        tag("rect", width=_percent(here - first), class_="done", **bar),
        tag("line", x1=_percent(here), x2=_percent(here), y1="6", y2="34", class_="now"),
        spots,
        class_="timeline",
        width="100%",
        height="38",
        role="img",
    )


def validity_bar(certificate: CertificateStatus, now: datetime) -> Html:
    """How much of a certificate's life is over."""
    life = max(certificate.lifetime.total_seconds(), 1.0)
    over = min(max((now - certificate.not_before).total_seconds() / life, 0.0), 1.0)
    kind = "life" if over < _LATE else "life late" if over < 1 else "life over"
    return tag(
        "svg",
        tag("title", f"{over:.0%} of the certificate's lifetime is over"),
        tag("rect", x="0", y="0", width="100%", height="6", rx="3", class_="track"),
        tag("rect", x="0", y="0", width=f"{over:.2%}", height="6", rx="3", class_=kind),
        class_="validity",
        width="100%",
        height="6",
        role="img",
    )
