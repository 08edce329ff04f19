"""When certbot renews a certificate by itself: its own rule, from its own configuration.

Measured on certbot 2.1 and 5.8 and read in its source (``should_autorenew``): with a third of the
lifetime left, or a half where the whole is shorter than ten days; before version 4.0 with 30 days
left; ``renew_before_expiry`` of the lineage's configuration replaces that.  A CA may ask for an
earlier time (ARI, RFC 9773), which no file says beforehand.
"""

from __future__ import annotations

import enum
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import Chain

OLD_DEFAULT = timedelta(days=30)
"""How long before the end certbot before 4.0 renews, whatever the lifetime."""

SHORT_LIVED = timedelta(days=10)
_INTERVAL = r"([0-9]{1,8})\s*([a-z]+)"  # compiled by `re` where a lineage has one
_DAYS = r"[0-9]{1,8}\Z"
_LONGEST = timedelta(days=36525)  # with more, no date can be reckoned
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}


class Autorenew(enum.Enum):
    """Whether ``certbot renew`` renews a lineage at all; the value is certbot's word."""

    ON = "True"
    OFF = "False"


class RenewalRule(NamedTuple):
    """``before`` is ``renew_before_expiry``, None where certbot's default counts."""

    before: timedelta | None = None
    autorenew: Autorenew = Autorenew.ON


CERTBOTS_OWN = RenewalRule()
"""The rule of a lineage whose configuration says nothing of it."""


def interval(text: str) -> timedelta | None:
    """The length of ``30 days``, ``3 weeks 2 days`` or ``30``; None if it isn't understood.

    Nor is more than a century.  certbot takes a number alone for days.
    """
    words = text.strip().lower()
    if not words:  # nearly always
        return None
    if re.match(_DAYS, words):
        return _bounded(timedelta(days=int(words)))
    found = re.findall(_INTERVAL, words)
    if not found or re.sub(_INTERVAL, "", words).strip(" ,"):
        return None
    total = timedelta(0)
    for count, unit in found:
        size = next((size for name, size in _UNITS.items() if unit.startswith(name)), None)
        if size is None:
            return None
        if int(count) > _LONGEST / size:
            return None
        total += int(count) * size
    return _bounded(total)


def beyond_reckoning(text: str) -> bool:
    """Whether ``text`` is a length of time in form, but not in size; certbot fails there."""
    if not text or interval(text) is not None:
        return False
    return not text.isascii() or interval(re.sub("[0-9]+", "1", text)) is not None


def _bounded(length: timedelta) -> timedelta | None:
    return length if length <= _LONGEST else None


def renews_at(chain: Chain, rule: RenewalRule) -> datetime | None:
    """Return from when ``certbot renew`` renews ``chain``, at the latest; None if it never does."""
    if rule.autorenew is Autorenew.OFF:
        return None
    if rule.before is not None:
        return chain.not_after - rule.before
    return chain.not_after - chain.lifetime / (2 if chain.lifetime < SHORT_LIVED else 3)
