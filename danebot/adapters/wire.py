"""DNS messages, made and read by dnspython (RFC 1035, RFC 6891, RFC 8914).  No I/O.

`danebot.adapters.exchange` does the sending: dnspython's own drivers don't read on past a record
that they can't read, and one TLSA record of a wrong length must not sink the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.wire
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from danebot.adapters.rcodes import EXTENDED_WORDS
from danebot.adapters.response import Response
from danebot.adapters.rrset import MalformedError, RRset, RRsetKey, Section, text_of
from danebot.adapters.steps import Failure, Trouble
from danebot.domain.names import printable

if TYPE_CHECKING:
    from danebot.adapters.steps import Query

UDP_PAYLOAD = 1232  # what passes unfragmented everywhere (DNS flag day 2020)
_MAX_TTL = 0x7FFFFFFF
_SECTIONS = range(1, 4)  # answer, authority, additional: as dnspython numbers them


class _Record(NamedTuple):
    """One record of class IN, and the section that it stands in."""

    section: int
    name: dns.name.Name
    ttl: int
    rdata: dns.rdata.Rdata


def ask(query: Query, ident: int) -> dns.message.Message:
    """The query with message id ``ident`` (0 to 65535), EDNS and DO set."""
    return dns.message.make_query(
        dns.name.from_text(query.name),
        RdataType.make(query.rdtype),
        want_dnssec=True,
        payload=UDP_PAYLOAD,
        id=ident,
        flags=query.ask,
    )


def read(asked: dns.message.Message, received: bytes) -> Response | Failure | None:
    """What ``received`` says; None if it doesn't answer ``asked`` (RFC 5452 section 9.1)."""
    try:
        message = _message(received)
        if not asked.is_response(message):
            return None
    except dns.exception.DNSException:
        return None
    try:
        return _response(message, received)
    except dns.exception.DNSException as exc:
        return Failure(Trouble.MALFORMED, printable(str(exc)))


def decode(received: bytes) -> Response:
    """The response in ``received``, whatever it answers; raise `MalformedError` if it is none.

    No signature of the message (TSIG) is looked at.
    """
    try:
        return _response(_message(received), received)
    except dns.exception.DNSException as exc:
        raise MalformedError(str(exc)) from exc


def frame(message: bytes) -> bytes:
    """With its length in front, as TCP wants it (RFC 1035 section 4.2.2)."""
    return len(message).to_bytes(2, "big") + message


def unframe(stream: bytes | bytearray) -> bytes | None:
    """The first message in what came over TCP; None as long as it is incomplete."""
    end = 2 + int.from_bytes(stream[:2], "big")
    return bytes(stream[2:end]) if 2 < end <= len(stream) else None  # noqa: PLR2004 - as above


def _message(received: bytes) -> dns.message.Message:
    return dns.message.from_wire(
        received,
        keyring=False,
        one_rr_per_rrset=True,
        ignore_trailing=True,
        continue_on_error=True,
    )


def _response(message: dns.message.Message, received: bytes) -> Response:
    """A truncated response is read no further than its header: ask again over TCP (RFC 7766)."""
    rcode, flags, options = message.rcode(), message.flags, message.options
    if flags & dns.flags.TC:
        return Response(rcode, flags, {}, {}, {})
    records: Iterable[_Record] = _records(message)
    if message.errors:
        records, edns, options = _salvage(received)
        rcode = dns.rcode.from_flags(flags, edns)
    sections: dict[int, Section] = defaultdict(dict)
    for record in records:
        _gather(sections[record.section], record)
    extended = tuple(_words(o) for o in options if isinstance(o, dns.edns.EDEOption))
    answer, authority, additional = (sections[number] for number in _SECTIONS)
    return Response(rcode, flags, answer, authority, additional, extended)


def _records(message: dns.message.Message) -> Iterator[_Record]:
    for number in _SECTIONS:
        for rrset in message.sections[number]:
            if rrset.rdclass == RdataClass.IN:
                yield from (_Record(number, rrset.name, rrset.ttl, rdata) for rdata in rrset)


def _gather(section: Section, record: _Record) -> None:
    rdata = record.rdata
    key = RRsetKey(text_of(record.name), rdata.rdtype, rdata.covers())
    rrset = section.get(key)
    if rrset is None:
        section[key] = RRset(record.ttl, [rdata])
    else:
        rrset.ttl = max(rrset.ttl, record.ttl)
        rrset.rdatas.append(rdata)


def _salvage(received: bytes) -> tuple[list[_Record], int, tuple[dns.edns.Option, ...]]:
    """The records, the flags of EDNS and its options, of a message that dnspython can't read whole.

    What it leaves out is kept as octets; raise `dns.exception.DNSException` if the frame is broken.
    """
    found: list[_Record] = []
    edns, options = 0, ()
    parser = dns.wire.Parser(received)
    _, _, questions, *counts = parser.get_struct("!6H")
    for _ in range(questions):
        _name(parser)
        parser.get_struct("!HH")
    for number, count in zip(_SECTIONS, counts, strict=True):
        for _ in range(count):
            name = _name(parser)
            rdtype, rdclass, ttl, length = parser.get_struct("!HHIH")
            rdata = _rdata(RdataClass.make(rdclass), RdataType.make(rdtype), parser, length)
            if rdtype == RdataType.OPT:
                edns, options = ttl, getattr(rdata, "options", ())
            elif rdclass == RdataClass.IN:
                found.append(_Record(number, name, ttl if ttl <= _MAX_TTL else 0, rdata))
    return found, edns, options


def _name(parser: dns.wire.Parser) -> dns.name.Name:
    """Compressed or not: the parser's own way of saying so changed between releases."""
    name, length = dns.name.from_wire(parser.wire, parser.current)
    parser.seek(parser.current + length)
    return name


def _rdata(
    rdclass: RdataClass, rdtype: RdataType, parser: dns.wire.Parser, length: int
) -> dns.rdata.Rdata:
    """An alias must be readable, for all that comes after hangs on it; else octets will do."""
    start = parser.current
    octets = parser.get_bytes(length)
    try:
        return dns.rdata.from_wire(rdclass, rdtype, parser.wire, start, length)
    except dns.exception.DNSException:
        if rdtype == RdataType.CNAME:
            raise
        return dns.rdata.GenericRdata(rdclass, rdtype, octets)


def _words(option: dns.edns.EDEOption) -> str:
    """``EDE 7 (signature expired): text`` (RFC 8914 section 2)."""
    words = f"EDE {int(option.code)}"
    if option.code in EXTENDED_WORDS:
        words += f" ({EXTENDED_WORDS[option.code]})"
    return printable(f"{words}: {option.text}" if option.text else words)
