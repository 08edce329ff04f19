"""Reads the answers of STARTTLS dialogues: bytes to units, units to a verdict.  Pure.

A *cutter* finds the end of the first unit (a line, an XML tag, a BER message) in a buffer.  A
*reader* is shown the units of one answer so far, and says that more is to come, that the dialogue
goes on, or how it failed.  What a reader sees is foreign text of bounded length; whatever it quotes
in a failure is made printable here.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Sequence

from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import printable
from danebot.tuples import NamedTuple

MAX_UNIT = 8192  # octets of a line or tag: what RFC 2683 section 3.2.1.5 asks of IMAP, rounded up


class Go(enum.Enum):
    """What follows the last unit of an answer that isn't a failure."""

    MORE = enum.auto()
    NEXT = enum.auto()


class ReplyFailure(NamedTuple):
    """How a dialogue failed; ``detail`` is printable."""

    outcome: ProbeOutcome
    detail: str

    @classmethod
    def quoting(cls, outcome: ProbeOutcome, data: bytes, why: str = "") -> ReplyFailure:
        """A failure whose detail is ``why`` and the foreign ``data``."""
        text = data.decode("utf-8", "backslashreplace").strip()
        return cls(outcome, printable(f"{why}: {text}" if why else text))


Cutter = Callable[[bytearray, int], int]
"""Buffer, and how much of it was searched in vain -> end of the first unit; 0: not yet complete.

A unit that can only be longer than `MAX_UNIT` gets an end beyond it.
"""
ReplyReader = Callable[[Sequence[bytes]], "Go | ReplyFailure"]
"""The units of one answer so far -> what they mean."""


def refused(data: bytes) -> ReplyFailure:
    """Report a session that the service refused with ``data``."""
    return ReplyFailure.quoting(ProbeOutcome.REFUSED, data)


def violation(data: bytes, why: str) -> ReplyFailure:
    """Report ``data`` that breaks the protocol."""
    return ReplyFailure.quoting(ProbeOutcome.PROTOCOL_ERROR, data, why)


def look_for(keyword: bytes, capabilities: Iterable[bytes]) -> Go | ReplyFailure:
    """Go on if ``keyword`` is offered; else say what is, as a middlebox may have masked it."""
    offered = [word.upper() for word in capabilities]
    if keyword in offered:
        return Go.NEXT
    return ReplyFailure.quoting(
        ProbeOutcome.NO_STARTTLS, b" ".join(offered) or b"nothing", f"no {keyword.decode()}; offers"
    )


def cut_line(buffer: bytearray, searched: int) -> int:
    """Cut after a line feed; a missing carriage return is forgiven."""
    return buffer.find(b"\n", searched) + 1


_CODE = re.compile(rb"[1-5][0-9][0-9](?:[ -]|\Z)")


def _judge_reply(
    lines: Sequence[bytes], offers: bytes, absent: Collection[int]
) -> Go | ReplyFailure:
    code = int(lines[-1][:3])
    if lines[-1].startswith(b"2"):  # positive completion
        keywords = (line[4:].split() for line in lines[1:])
        return look_for(offers, (word[0] for word in keywords if word)) if offers else Go.NEXT
    if code in absent:
        return ReplyFailure.quoting(ProbeOutcome.NO_STARTTLS, lines[-1])
    return refused(lines[-1])


def smtp_reply(offers: bytes = b"", absent: Collection[int] = ()) -> ReplyReader:
    """Read an SMTP or LMTP reply of one or more lines (RFC 5321 section 4.2).

    ``offers``: the EHLO keyword wanted, in upper case.  ``absent``: codes that mean that the
    command isn't known, so that there is no STARTTLS.
    """

    def read(lines: Sequence[bytes]) -> Go | ReplyFailure:
        if not _CODE.match(lines[-1]):
            return violation(lines[-1], "not an SMTP reply")
        if lines[-1][3:4] == b"-":
            return Go.MORE
        return _judge_reply(lines, offers, absent)

    return read


def ftp_reply(absent: Collection[int] = ()) -> ReplyReader:
    """Read an FTP reply; between its first and last line anything may stand (RFC 959, 4.2)."""

    def read(lines: Sequence[bytes]) -> Go | ReplyFailure:
        first = lines[0]
        if not _CODE.match(first):
            return violation(first, "not an FTP reply")
        if first[3:4] == b"-" and not lines[-1].startswith(first[:3] + b" "):
            return Go.MORE
        return _judge_reply(lines, b"", absent)

    return read


def pop3_status(lines: Sequence[bytes]) -> Go | ReplyFailure:
    """Read a one-line POP3 response (RFC 1939 section 3)."""
    word = lines[0].split(b" ", 1)[0].upper()
    if word == b"+OK":
        return Go.NEXT
    if word == b"-ERR":
        return refused(lines[0])
    return violation(lines[0], "not a POP3 response")


def pop3_capabilities(lines: Sequence[bytes]) -> Go | ReplyFailure:
    """Read the list that answers CAPA (RFC 2449 section 5); a server without CAPA has no STLS."""
    status = pop3_status(lines[:1])
    if isinstance(status, ReplyFailure):
        if status.outcome is ProbeOutcome.REFUSED:
            return ReplyFailure(ProbeOutcome.NO_STARTTLS, status.detail)
        return status
    if lines[-1] != b".":
        return Go.MORE
    return look_for(b"STLS", (line.split()[0] for line in lines[1:-1] if line.split()))


def imap_greeting(lines: Sequence[bytes]) -> Go | ReplyFailure:
    """Read the greeting (RFC 9051 section 7.1); PREAUTH rules STARTTLS out (section 6.2.1)."""
    words = lines[0].upper().split(None, 2)
    match words[:2]:
        case [b"*", b"OK"]:
            return Go.NEXT
        case [b"*", b"BYE"]:
            return refused(lines[0])
        case [b"*", b"PREAUTH"]:
            return ReplyFailure.quoting(ProbeOutcome.NO_STARTTLS, lines[0])
        case _:
            return violation(lines[0], "not an IMAP greeting")


_CAPABILITY = re.compile(rb"\bCAPABILITY ([^\]]*)", re.IGNORECASE)


def imap_answer(tag: bytes, offers: bytes = b"") -> ReplyReader:
    """Read up to the tagged response; untagged ones may come at any time (RFC 9051 section 7)."""

    def read(lines: Sequence[bytes]) -> Go | ReplyFailure:
        words = lines[-1].upper().split(None, 2)
        if words[:2] == [b"*", b"BYE"]:
            return refused(lines[-1])
        if words[:1] == [b"*"]:
            return Go.MORE
        if words[:2] == [tag.upper(), b"OK"]:
            found = [word for line in lines for word in _CAPABILITY.findall(line)]
            return look_for(offers, b" ".join(found).split()) if offers else Go.NEXT
        if words[:1] == [tag.upper()] and words[1:2] in ([b"NO"], [b"BAD"]):
            return refused(lines[-1])
        return violation(lines[-1], "not an IMAP response")

    return read


_LITERAL = re.compile(rb"\{([0-9]{1,9})\+?\}\r?\n\Z")
_FIRST_STRING = re.compile(rb'"([^"\\]*)"|\{[0-9]+\+?\}\r?\n(\S*)')


def cut_sieve(buffer: bytearray, _searched: int) -> int:
    """Cut after a line together with the literals in it (RFC 5804 section 1.2)."""
    start = 0  # literals may hold line feeds, so the search begins anew each time
    while end := buffer.find(b"\n", start) + 1:
        literal = _LITERAL.search(buffer, max(start, end - 14), end)
        if literal is None:
            return end
        start = end + int(literal[1])
        if start > MAX_UNIT:
            return start
    return 0


def sieve_answer(offers: bytes = b"") -> ReplyReader:
    """Read capabilities, if any, up to OK, NO or BYE (RFC 5804 section 1.2)."""

    def read(lines: Sequence[bytes]) -> Go | ReplyFailure:
        line = lines[-1]
        match re.split(rb"[ (]", line.upper().rstrip(), maxsplit=1)[0]:
            case b"OK":
                found = (_FIRST_STRING.match(line) for line in lines[:-1])
                names = (match[1] or match[2] or b"" for match in found if match)
                return look_for(offers, names) if offers else Go.NEXT
            case b"NO" | b"BYE":
                return refused(line)
        if _FIRST_STRING.match(line):
            return Go.MORE
        return violation(line, "not a ManageSieve response")

    return read
