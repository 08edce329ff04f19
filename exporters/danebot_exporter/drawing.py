"""Drawings in inline SVG: the rollover's way through time, and a certificate's life.

Positions are percentages of the drawing's width, sizes are pixels, so that a drawing fits a phone
and its strokes stay as they are.  Colours come from the page's style sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot_exporter.html import Html, tag

if TYPE_CHECKING:
    from danebot.domain.status.document import CertificateStatus, LineageStatus

_LEFT, _RIGHT = 2.0, 98.0  # room for half a mark at each end
_EDGE = 0.05
_LATE = 0.8  # certbot renews at two thirds


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the way; ``number`` refers to the list below the drawing."""

    number: int
    title: str
    at: datetime


def marks(status: LineageStatus) -> tuple[Mark, ...]:
    """The known moments of a rollover in their order; () when there is none."""
    known = (
        ("key staged", status.awaiting_since),
        ("records seen everywhere", status.seen_since),
        ("safe to use", status.safe_at),
    )
    if status.awaiting_since is None:
        return ()
    return tuple(
        Mark(number, title, at) for number, (title, at) in enumerate(known, 1) if at is not None
    )


def _percent(share: float) -> str:
    return f"{_LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0):.2f}%"


def draw_timeline(status: LineageStatus, now: datetime) -> Html:
    """A rollover from staging to the safe time, or to now while that is unknown."""
    moments = marks(status)
    start = min(mark.at for mark in moments)
    end = max(now, *(mark.at for mark in moments))
    span = max((end - start).total_seconds(), 1.0)

    def place(moment: datetime) -> str:
        return _percent((moment - start).total_seconds() / span)

    spots = []
    for mark in moments:
        kind = "reached" if mark.at <= now else "ahead"
        x = place(mark.at)
        spots += [
            tag("circle", cx=x, cy="30", r="9", class_=f"mark {kind}"),
            tag("text", str(mark.number), x=x, y="34", class_=f"number {kind}"),
        ]
    here = place(now)
    words = "; ".join(f"{mark.title} {mark.at:%Y-%m-%d %H:%M} UTC" for mark in moments)
    return tag(
        "svg",
        tag("title", f"Rollover: {words}"),
        tag("rect", x=_percent(0), y="28", width=_width(1.0), height="4", rx="2", class_="track"),
        tag(
            "rect",
            x=_percent(0),
            y="28",
            width=_width((now - start).total_seconds() / span),
            height="4",
            rx="2",
            class_="done",
        ),
        tag("line", x1=here, x2=here, y1="14", y2="46", class_="now"),
        tag("text", "now", x=here, y="10", class_=f"word {_side(now, start, end)}"),
        spots,
        class_="timeline",
        width="100%",
        height="52",
        role="img",
    )


def _side(moment: datetime, start: datetime, end: datetime) -> str:
    """Where a word at ``moment`` begins, so that it stays within the drawing."""
    share = (moment - start) / max(end - start, timedelta(seconds=1))
    return "first" if share < _EDGE else "last" if share > 1 - _EDGE else "middle"


def _width(share: float) -> str:
    return f"{(_RIGHT - _LEFT) * min(max(share, 0.0), 1.0):.2f}%"


def validity(certificate: CertificateStatus, now: datetime) -> Html:
    """How much of a certificate's life is over."""
    life = max(certificate.lifetime.total_seconds(), 1.0)
    share = min(max((now - certificate.not_before).total_seconds() / life, 0.0), 1.0)
    kind = "life" if share < _LATE else "life late" if share < 1 else "life over"
    return tag(
        "svg",
        tag("title", f"{share:.0%} of the certificate's lifetime is over"),
        tag("rect", x="0", y="0", width="100%", height="6", rx="3", class_="track"),
        tag("rect", x="0", y="0", width=f"{share:.2%}", height="6", rx="3", class_=kind),
        class_="validity",
        width="100%",
        height="6",
        role="img",
    )
