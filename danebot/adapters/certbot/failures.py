"""What certbot says when it fails, for people.

Its command line is stable, its output is not: nothing depends on these words but what is shown.
"""

from __future__ import annotations

import enum
import re
from datetime import timedelta

from danebot.adapters.process import Ended, Ending
from danebot.domain.names import printable


class FailureCause(enum.Enum):
    """Why certbot failed, as far as its words tell; the value is in words."""

    RATE_LIMITED = "rate limited by the CA"
    REFUSED = "refused by the CA"
    UNREACHABLE = "the CA can't be reached"
    LOCKED = "another certbot is at work"
    OTHER_KEY = "certbot's settings ask for another key"
    TIMEOUT = "out of time"
    OTHER = "other"


_OTHER_KEY = re.compile(
    r"unable to change the --(key-type|rsa-key-size|elliptic-curve)|--no-reuse-key|--new-key"
    r"|trying to change the key type",
    re.IGNORECASE,
)
OTHER_KEY = (
    "cli.ini asks for another key than the one that is kept: take key-type, rsa-key-size and "
    "elliptic-curve out of it, since with danebot the type of a new key is key_type in "
    "danebot.toml"
)
"""What is said instead of certbot's advice, by which a key that nobody has published would come."""

_SIGNS: tuple[tuple[FailureCause, re.Pattern[str]], ...] = (
    (FailureCause.LOCKED, re.compile(r"another instance of certbot is already running")),
    (
        FailureCause.RATE_LIMITED,
        re.compile(r"ratelimited|rate ?limit|too many (certificates|requests|f)"),
    ),
    (
        FailureCause.REFUSED,
        re.compile(r"urn:ietf:params:acme:error|challenges? (have )?failed|problems:|unauthorized"),
    ),
    (
        FailureCause.UNREACHABLE,
        re.compile(
            r"connection refused|connection reset|connectionerror|timed? ?out|max retries exceeded"
            r"|name or service not known|temporary failure in name|unreachable|no route to host"
        ),
    ),
    (FailureCause.OTHER_KEY, _OTHER_KEY),
)
_TELLING = (
    re.compile(r"another instance of certbot is already running.*", re.IGNORECASE),
    re.compile(r"urn:ietf:params:acme:error:.*"),
    re.compile(r"^detail: *(.*)", re.IGNORECASE),
    re.compile(r"\bwith error: *(.*)", re.IGNORECASE),
)
_FAILED = re.compile(r"Failed to renew certificate (\S+) with error: *(.*)")
_LISTED = re.compile(
    r"^ *(?:/.*/([^/]+)/fullchain\.pem|/.*/renewal/([^/]+)\.conf) \((failure|parsefail)\)"
)
_LISTED_AS = {
    "failure": "it was not renewed",
    "parsefail": "its renewal configuration, or what that leads to, is invalid",
}
_DOMAIN = re.compile(r"^(?:domain|identifier): *(\S+)", re.IGNORECASE)
_BOILERPLATE = re.compile(
    r"saving debug log|ask for help|see the logfile|or re-run certbot|- - -|hint:|\(failure\)"
    r"|renew failure\(s\)|all renewals failed|the following (certificates|renewals)|processing /"
    r"|an unexpected error occurred|-{5}|={5}",
    re.IGNORECASE,
)


def cause_of(ended: Ended) -> FailureCause | None:
    """Why certbot failed; None if it reports success."""
    if ended.succeeded:
        return None
    if ended.ending is Ending.TIMED_OUT:
        return FailureCause.TIMEOUT
    words = ended.output.lower()
    return next((cause for cause, sign in _SIGNS if sign.search(words)), FailureCause.OTHER)


def reason_of(ended: Ended, timeout: timedelta) -> str:
    """One printable line that says most of why certbot failed; "" if it reports success."""
    cause = cause_of(ended)
    if cause is None:
        return ""
    reason = _reason(ended, timeout)
    if cause is FailureCause.OTHER_KEY:
        return OTHER_KEY
    plain = cause in (FailureCause.OTHER, FailureCause.TIMEOUT)
    return reason if plain else printable(f"{cause.value}: {reason}", 300)


def _reason(ended: Ended, timeout: timedelta) -> str:
    said = _telling_line(ended.lines)
    match ended.ending:
        case Ending.TIMED_OUT:
            words = f"it did not end within {int(timeout.total_seconds())} s"
            return printable(f"{words}; it had said: {said}" if said else words)
        case Ending.NOT_STARTED | Ending.INTERRUPTED:
            return printable(f"it {ended.ending.value}" + (f": {said}" if said else ""))
        case Ending.EXITED:
            return printable(said or f"exit status {ended.exit_status}, without a word")


def _telling_line(lines: tuple[str, ...]) -> str:
    for pattern in _TELLING:
        domain = ""
        for line in lines:
            named = _DOMAIN.search(line)
            domain = f"{named[1]}: " if named is not None else domain
            match = pattern.search(line)
            if match is not None and match[match.lastindex or 0]:
                return domain + match[match.lastindex or 0]
    rest = [line for line in lines if not _BOILERPLATE.search(line)]
    if rest and _OTHER_KEY.search(rest[-1]):
        return OTHER_KEY
    return rest[-1] if rest else ""


def failures_of(ended: Ended) -> dict[str, str]:
    """The lineages that certbot says it didn't renew, each with one printable line of why."""
    found = {}
    for line in ended.lines:
        said = _FAILED.search(line)
        if said is not None:
            advises = _OTHER_KEY.search(line)
            found[said[1]] = OTHER_KEY if advises else printable(said[2] or line, 300)
        listed = _LISTED.search(line)
        if listed is not None:
            found.setdefault(listed[1] or listed[2], _LISTED_AS.get(listed[3], line))
    return found


def other_key_of(ended: Ended) -> frozenset[str]:
    """The lineages that certbot didn't renew since its settings ask for another key."""
    return frozenset(name for name, why in failures_of(ended).items() if why is OTHER_KEY)
