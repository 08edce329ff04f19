"""Text for people: foreign text made safe to print, times and durations in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

LONGEST_LINE = 3000
"""Characters that a line for people may have: a record with a whole RSA key of 8192 bits fits."""


def printable(text: str, limit: int = 200) -> str:
    r"""Foreign text made safe for one line of a terminal, a log or plugin output.

    Control characters, including C1 and bidirectional overrides, become ``\xNN`` or ``\uNNNN``.
    """
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    if shown.isprintable():
        return shown
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )


def quoted(*words: object) -> str:
    """Return paths and names as words of a shell, in a command that people are to paste."""
    from shlex import join

    return join(map(str, words))


def internal_error(exc: BaseException) -> str:
    """Return what nobody foresaw in words: its kind and where it was raised.

    Never its own words: they may hold what was worked on, a file with a secret in it.
    """
    trace, where = exc.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        where = f" at {'/'.join(file.split('/')[-3:])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"internal error: {type(exc).__name__}{where}"


def program_of(command: str) -> str:
    """The program that a command line runs, without what it is given: a secret may be in that."""
    words = [word for word in command.split() if "=" not in word]
    name = words[0] if words else "a command"
    return name if name == command.strip() else f"{name} ..."


_CERTBOTS_CAUSES = (
    "rate limited by the CA",
    "refused by the CA",
    "the CA can't be reached",
    "another certbot is at work",
)
_DANEBOTS_OWN = (  # sentences that hold no word of certbot's
    "it was not renewed",
    "its renewal configuration, or what that leads to, is invalid",
    "cli.ini asks for another key",
    "a lineage of this tree still uses the key",
    "the keys of ",
    "it did not end within ",
)
_ACME_ERROR = r"urn:ietf:params:acme:error:([A-Za-z]{1,40})\b"  # RFC 8555 section 6.7


def set_apart(reason: str) -> tuple[str, str]:
    """Return why certbot failed without its words, "" if only they tell, and its words.

    What a challenge's program says is among them, and a secret may be in that.  ``reason`` is as
    `danebot.adapters.certbot.failures` gives it.
    """
    own, _, said = reason.partition("; it had said: ")
    if said or reason.startswith(_DANEBOTS_OWN):
        return own, said
    cause, _, said = reason.partition(": ")
    if cause not in _CERTBOTS_CAUSES:
        cause, said = "", reason
    error = re.search(_ACME_ERROR, said)
    named = f"the CA's error is {error[1]}" if error is not None else ""
    return ", ".join(filter(None, (cause, named))), said


def because(outcome: str) -> str:
    """Return an outcome as the end of a sentence; "" for none."""
    return f": {outcome}" if outcome else ""


def times(count: int) -> str:
    """How often: ``once``, ``2 times``."""
    return "once" if count == 1 else f"{count} times"


def duration(span: timedelta) -> str:
    """A duration for people: the two largest units, ``2 d 3 h``."""
    seconds = int(span.total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def distance(moment: datetime, now: datetime) -> str:
    """How far a moment is from now: ``in 2 d``, ``3 h ago`` or ``now``."""
    left = moment - now
    if abs(left) < timedelta(seconds=1):
        return "now"
    return f"in {duration(left)}" if left > timedelta(0) else f"{duration(-left)} ago"


def when(moment: datetime) -> str:
    """A UTC time for people, to the minute."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")
