"""DNS messages: octets to values and back (RFC 1035, RFC 6891, RFC 8914).  No I/O.

Read by hand, against the rule that a well-kept library is better than code of our own: dnspython
costs 55 ms of CPU to import where the rest is there, and 0.35 ms more for each DNSSEC response.
Tried in full, it took `check_dane --host` from 0.25 to 0.31-0.34 of check_ssl_cert (the goal is a
third), an idle `danebot renew` of 50 lineages from 1.35 to 1.6 times certbot (1.25), and 2,000
endpoints from 0.7 to 1.2 of the floor (1.5).  The tests hold every result against dnspython's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from danebot.adapters.dns.queries import Query, QueryFailure, Reply, Trouble
from danebot.adapters.dns.rcodes import EXTENDED_WORDS
from danebot.adapters.dns.response import CNAME, RRSIG, Rdata, Response, RRset, RRsetKey, Section
from danebot.adapters.dns.wire_names import MalformedError, encode_name, read_name
from danebot.domain.names import printable
from danebot.tuples import NamedTuple

UDP_PAYLOAD = 1232  # what passes unfragmented everywhere (DNS flag day 2020)
_IN, _ANY = 1, 255
_TYPE_OPT, _TYPE_TSIG = 41, 250
_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")  # type, class, TTL, RDLENGTH
_OPTION = struct.Struct("!HH")
_OPT = struct.pack("!BHHIH", 0, _TYPE_OPT, UDP_PAYLOAD, 0x8000, 0)  # DO (RFC 3225)
_QR, _OPCODE, _TC, _RCODE = 0x8000, 0x7800, 0x0200, 0x000F
_EDE = 15
_PREFIX = 2  # octets that tell a message's length over TCP


def encode_query(query: Query, ident: int) -> bytes:
    """The query with message id ``ident`` (0 to 65535), EDNS and DO set."""
    return (
        _HEADER.pack(ident, query.ask, 1, 0, 0, 1)
        + encode_name(query.name)
        + _QUESTION.pack(query.rdtype, _IN)
        + _OPT
    )


TRUNCATED = QueryFailure(Trouble.MALFORMED, "answers another question, or in part")
"""In place of a response with TC: ask again over TCP (RFC 7766 section 5)."""


def reply_to(sent: bytes, received: bytes) -> Reply | None:
    """The reply in these octets; None if they answer something else than ``sent``."""
    if not _is_reply(sent, received):
        return None
    if _HEADER.unpack_from(received)[1] & _TC:
        return TRUNCATED
    try:
        return decode_message(received)
    except MalformedError as exc:
        return QueryFailure(Trouble.MALFORMED, str(exc))


def _is_reply(sent: bytes, received: bytes) -> bool:
    """Compare id, QR, opcode and question (RFC 5452 section 9.1).

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


def frame(message: bytes) -> bytes:
    """Put the length in front, as TCP wants it (RFC 1035 section 4.2.2)."""
    return len(message).to_bytes(_PREFIX, "big") + message


def unframe(stream: bytes | bytearray) -> bytes | None:
    """The first message in what came over TCP; None as long as it is incomplete."""
    end = _PREFIX + int.from_bytes(stream[:_PREFIX], "big")
    return bytes(stream[_PREFIX:end]) if _PREFIX < end <= len(stream) else None


def decode_message(received: bytes) -> Response:
    """Read a response; raise `MalformedError` if its frame can't be read.

    What stands in the rdata isn't looked at, save for the alias targets and the extended errors.
    """
    if len(received) < _HEADER.size:
        raise MalformedError(f"{len(received)} octets")
    _, flags, questions, *counts = _HEADER.unpack_from(received)
    at = _HEADER.size
    for _ in range(questions):
        at = read_name(received, at)[1] + _QUESTION.size
    sections: list[Section] = []
    pseudo: list[_PseudoRecord] = []
    names: dict[bytes, str] = {}
    for count in counts:
        section, at = _read_section(received, at, count, pseudo, names)
        sections.append(section)
    answer, authority, additional = sections
    options = [one for one in pseudo if one.rdtype == _TYPE_OPT]
    rcode = flags & _RCODE | (options[0].ttl >> 24 << 4 if options else 0)  # RFC 6891 6.1.3
    extended = tuple(words for one in options for words in _extended_errors(one.rdata))
    last = pseudo[-1] if pseudo and pseudo[-1].rdata.end == at else None
    signed_at = last.at if last is not None and last.rdtype == _TYPE_TSIG else None
    for key, rrset in answer.items():
        if key.rdtype == CNAME:
            rrset.rdatas[0].name()
    return Response(rcode, flags, answer, authority, additional, extended, signed_at)


class _PseudoRecord(NamedTuple):
    """An OPT or TSIG record, which says something of the message; ``at`` is its offset there."""

    rdtype: int
    ttl: int
    at: int
    rdata: Rdata


def _read_section(
    message: bytes, at: int, count: int, pseudo: list[_PseudoRecord], names: dict[bytes, str]
) -> tuple[Section, int]:
    """RRsets of class IN, and the offset after the section; OPT and TSIG go to ``pseudo``.

    ``names`` are those that stood as a pointer alone, of two octets: mostly all the same.
    """
    section: Section = {}
    for _ in range(count):
        begin, first = at, message[at : at + 2]
        if first in names:
            name, at = names[first], at + 2
        else:
            name, at = read_name(message, at)
            if at == begin + len(first):
                names[first] = name
        if at + _RECORD.size > len(message):
            raise MalformedError("a record that goes beyond the end")
        rdtype, rdclass, ttl, length = _RECORD.unpack_from(message, at)
        start = at + _RECORD.size
        at = start + length
        if at > len(message):
            raise MalformedError("a record that goes beyond the end")
        rdata = Rdata(message, start, at)
        if rdtype == _TYPE_OPT or (rdclass == _ANY and rdtype == _TYPE_TSIG):
            pseudo.append(_PseudoRecord(rdtype, ttl, begin, rdata))
        elif rdclass == _IN:
            covers = int.from_bytes(message[start : start + 2], "big") if rdtype == RRSIG else 0
            key = RRsetKey(name, rdtype, covers)
            rrset = section.get(key)
            if rrset is None:
                section[key] = RRset(ttl, rdata)
            else:
                rrset.add(ttl, rdata)
    return section, at


def _extended_errors(rdata: Rdata) -> Iterator[str]:
    """``EDE 7 (signature expired): text`` for each (RFC 8914 section 2)."""
    octets = rdata.octets
    at = 0
    while at + _OPTION.size <= len(octets):
        code, length = _OPTION.unpack_from(octets, at)
        at += _OPTION.size
        value = octets[at : at + length]
        at += length
        if code == _EDE and len(value) == length > 1:  # INFO-CODE, two octets
            info = int.from_bytes(value[:2], "big")
            text = value[2:].decode("utf-8", "replace").rstrip("\0")
            words = f"EDE {info}" + (f" ({EXTENDED_WORDS[info]})" if info in EXTENDED_WORDS else "")
            yield printable(f"{words}: {text}" if text else words)
