"""DNS messages: bytes to values and back (RFC 1035, RFC 6891, RFC 8914).  No I/O.

Importing this costs what dnspython costs (80 ms of CPU): import it where it is used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

from danebot.domain.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dns.rrset import RRset

    from danebot.adapters.steps import Query

UDP_PAYLOAD = 1232  # what passes unfragmented everywhere (DNS flag day 2020)
_HEADER = struct.Struct("!HHHHHH")
_OPT = struct.pack("!BHHIH", 0, 41, UDP_PAYLOAD, 0x8000, 0)  # DO (RFC 3225)
_QR, _OPCODE, _TC, _RCODE = 0x8000, 0x7800, 0x0200, 0x000F
_MAX_ALIASES = 16
RRSIG = 46


class MalformedError(ValueError):
    """A response that can't be read; the text says why."""


def encode(query: Query, ident: int) -> bytes:
    """The query with message id ``ident`` (0 to 65535), EDNS and DO set."""
    return (
        _HEADER.pack(ident, query.ask, 1, 0, 0, 1)
        + _encode_name(query.name)
        + struct.pack("!HH", query.rdtype, 1)
        + _OPT
    )


def _encode_name(text: str) -> bytes:
    if not text:
        return b"\0"
    if "\\" in text:  # octets that no host name has, as dnspython spells them
        return dns.name.from_text(text).to_wire() or b"\0"
    labels = text.encode("ascii").split(b".")
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def is_reply(sent: bytes, received: bytes) -> bool:
    """Whether ``received`` answers ``sent``: id, QR, opcode and question (RFC 5452 section 9.1).

    An error may come without the question; nothing else may.
    """
    if len(received) < _HEADER.size:
        return False
    _, flags, questions, *_ = _HEADER.unpack_from(received)
    if received[:2] != sent[:2] or not flags & _QR or flags & _OPCODE:
        return False
    if questions == 0:
        return bool(flags & _RCODE)
    question = sent[_HEADER.size : -len(_OPT)]
    echoed = received[_HEADER.size : _HEADER.size + len(question)]
    return questions == 1 and echoed.lower() == question.lower()


def is_truncated(received: bytes) -> bool:
    """Whether TC is set: ask again over TCP (RFC 7766)."""
    return bool(_HEADER.unpack_from(received)[1] & _TC)


def frame(message: bytes) -> bytes:
    """With its length in front, as TCP wants it (RFC 1035 section 4.2.2)."""
    return len(message).to_bytes(2, "big") + message


def unframe(stream: bytes | bytearray) -> bytes | None:
    """The first message in what came over TCP; None as long as it is incomplete."""
    end = 2 + int.from_bytes(stream[:2], "big")
    return bytes(stream[2:end]) if 2 < end <= len(stream) else None  # noqa: PLR2004 - as above


def name_text(name: dns.name.Name) -> str:
    """Normal form: lower case, no final dot, "" for the root; odd octets escaped, so printable."""
    text = name.to_text(omit_final_dot=True).lower()
    return "" if text == "." else text


@dataclass(frozen=True, slots=True)
class OddRecord:
    """A record that dnspython refuses, as octets, with its words for why."""

    name: str
    rdtype: int
    ttl: int
    rdata: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Link:
    """One CNAME in an answer; names in normal form, ``ttl`` in seconds."""

    name: str
    target: str
    ttl: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The way from the name asked for to the name that answers; ``loop`` if there is no end."""

    links: tuple[Link, ...]
    canonical: str
    loop: bool = False


RRsetKey = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Response:
    """One response.  RRsets are keyed by owner in normal form, type, and for RRSIG type covered."""

    rcode: int
    flags: int
    answer: dict[RRsetKey, RRset]
    authority: dict[RRsetKey, RRset]
    additional: dict[RRsetKey, RRset]
    odd: tuple[OddRecord, ...]
    extended: tuple[str, ...]

    @property
    def authoritative(self) -> bool:
        """AA (RFC 1035 section 4.1.1)."""
        return bool(self.flags & dns.flags.AA)

    @property
    def authentic(self) -> bool:
        """AD (RFC 4035 section 3.2.3)."""
        return bool(self.flags & dns.flags.AD)

    @property
    def recursive(self) -> bool:
        """RA (RFC 1035 section 4.1.1)."""
        return bool(self.flags & dns.flags.RA)

    @property
    def words(self) -> str:
        """The response code and extended errors (RFC 8914), printable."""
        return "; ".join([rcode_words(self.rcode), *self.extended])

    def ttl(self, name: str, rdtype: int) -> int | None:
        """Original TTL in seconds by the RRSIG in the answer, or else as served; None if absent."""
        rrset = self.answer.get((name, rdtype, 0))
        served = [odd.ttl for odd in self.odd if (odd.name, odd.rdtype) == (name, rdtype)]
        if rrset is not None:
            served.append(rrset.ttl)
        if not served:
            return None
        return signed_ttl(self.answer, (name, rdtype)) or max(served)

    def chain(self, name: str, rdtype: int) -> Chain:
        """Follow CNAMEs in the answer from ``name`` (RFC 1034 section 3.6.2)."""
        links: list[Link] = []
        seen = {name}
        here = name
        while rdtype != dns.rdatatype.CNAME:
            rrset = self.answer.get((here, dns.rdatatype.CNAME, 0))
            if rrset is None:
                break
            target = name_text(cast("Any", rrset[0]).target)
            links.append(Link(here, target, self._alias_ttl(here, rrset)))
            here = target
            if here in seen or len(links) > _MAX_ALIASES:
                return Chain(tuple(links), here, loop=True)
            seen.add(here)
        return Chain(tuple(links), here)

    def _alias_ttl(self, name: str, rrset: RRset) -> int:
        """A synthesised CNAME isn't signed: its DNAME is (RFC 6672 section 5.3.1)."""
        if (name, RRSIG, dns.rdatatype.CNAME) not in self.answer:
            for owner, rdtype, _ in self.answer:
                if rdtype == dns.rdatatype.DNAME and is_below(name, owner):
                    return self.ttl(owner, rdtype) or rrset.ttl
        return self.ttl(name, dns.rdatatype.CNAME) or 0

    def signed_until(self) -> datetime | None:
        """The earliest RRSIG expiration in answer and authority sections (RFC 4034 3.1.5)."""
        sections: tuple[Iterable[tuple[RRsetKey, RRset]], ...] = (
            self.answer.items(),
            self.authority.items(),
        )
        expirations = [
            cast("Any", rdata).expiration
            for section in sections
            for (_, rdtype, _), rrset in section
            if rdtype == RRSIG
            for rdata in rrset
        ]
        return datetime.fromtimestamp(min(expirations), UTC) if expirations else None


def signed_ttl(section: dict[RRsetKey, RRset], rrset: tuple[str, int]) -> int | None:
    """The original TTL by the RRSIGs beside an RRset (RFC 4034 section 3.1.4), in seconds."""
    name, rdtype = rrset
    signatures = section.get((name, RRSIG, rdtype), ())
    return max((int(cast("Any", rd).original_ttl) for rd in signatures), default=None)


def is_below(name: str, ancestor: str) -> bool:
    """Whether ``name`` is ``ancestor`` or a name below it; both in normal form."""
    return not ancestor or name == ancestor or name.endswith("." + ancestor)


def seconds(ttl: int | None) -> timedelta | None:
    """A TTL as a duration."""
    return None if ttl is None else timedelta(seconds=ttl)


def decode(received: bytes) -> Response:
    """Read a response; raise `MalformedError` if not even its frame can be read.

    One bad record doesn't sink the others: it is kept in ``odd``.
    """
    try:
        message = dns.message.from_wire(received, continue_on_error=True)
        odd = _odd_records(received) if getattr(message, "errors", ()) else ()
        options = message.options
        rcode = int(message.rcode())
    except Exception as exc:  # foreign octets: whatever the parser trips over
        raise MalformedError(printable(str(exc) or type(exc).__name__)) from exc
    return Response(
        rcode=rcode,
        flags=int(message.flags),
        answer=_by_key(message.answer),
        authority=_by_key(message.authority),
        additional=_by_key(message.additional),
        odd=odd,
        extended=tuple(_extended_words(option) for option in options if option.otype == _EDE),
    )


def _by_key(section: Sequence[RRset]) -> dict[RRsetKey, RRset]:
    return {
        (name_text(rrset.name), int(rrset.rdtype), int(rrset.covers)): rrset
        for rrset in section
        if rrset.rdclass == dns.rdataclass.IN
    }


def _odd_records(received: bytes) -> tuple[OddRecord, ...]:
    """Walk the answer section once more for the records that don't parse."""
    parser = dns.wire.Parser(received)
    _, _, questions, answers, _, _ = parser.get_struct("!HHHHHH")
    for _ in range(questions):
        parser.get_name()
        parser.get_struct("!HH")
    found = []
    for _ in range(answers):
        name = parser.get_name()
        rdtype, rdclass, ttl, length = parser.get_struct("!HHIH")
        start = parser.current
        rdata = parser.get_bytes(length)
        try:
            dns.rdata.from_wire(rdclass, rdtype, received, start, length)
        except Exception as exc:  # noqa: BLE001 - foreign octets, as above
            reason = printable(str(exc) or type(exc).__name__)
            found.append(OddRecord(name_text(name), rdtype, ttl, rdata, reason))
    return tuple(found)


_EDE = 15  # RFC 8914 section 2
_EDE_NAMES = {int(code): code.name for code in dns.edns.EDECode}
_KEPT = {"DNSSEC", "DNSKEY", "NSEC", "DS", "RRSIGS", "NXDOMAIN", "NSEC3"}


def _extended_words(option: dns.edns.Option) -> str:
    """``EDE 7 (signature expired): text``."""
    code = int(cast("Any", option).code)
    text = cast("Any", option).text
    words = f"EDE {code}"
    if code in _EDE_NAMES:
        name = _EDE_NAMES[code].split("_")
        words += f" ({' '.join(w if w in _KEPT else w.lower() for w in name)})"
    return printable(f"{words}: {text}") if text else words


def rcode_words(rcode: int) -> str:
    """The registry's mnemonic."""
    return dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
