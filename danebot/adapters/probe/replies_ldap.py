"""Reads the one answer of LDAP that matters here, in BER of definite length (RFC 4511).  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from danebot.adapters.probe.replies import MAX_UNIT, Go, ReplyFailure, violation
from danebot.domain.delivery.probes import ProbeOutcome

_SEQUENCE = 0x30
_PROTOCOL_ERROR = 2  # section 4.14.2: what a server without TLS answers
_LONG_FORM = 0x80
_LENGTH_OCTETS = range(1, 5)  # none: of indefinite length; more: beyond any limit


def _ber_header(buffer: bytes | bytearray, start: int = 0) -> tuple[int, int] | None:
    """Start and end of the contents of a BER value; None while its header is incomplete."""
    if len(buffer) < start + 2:
        return None
    length = buffer[start + 1]
    begin = start + 2
    if length & _LONG_FORM:
        octets = length & ~_LONG_FORM
        if octets not in _LENGTH_OCTETS:
            return begin, MAX_UNIT + 1
        if len(buffer) < begin + octets:
            return None
        length = int.from_bytes(buffer[begin : begin + octets], "big")
        begin += octets
    return begin, begin + length


def cut_ber(buffer: bytearray, _searched: int) -> int:
    """Cut after an LDAPMessage, a BER SEQUENCE of definite length (section 5.1)."""
    if buffer and buffer[0] != _SEQUENCE:
        return 1  # for the reader to refuse
    header = _ber_header(buffer)
    if header is None:
        return 0
    end = header[1]
    return end if end <= len(buffer) or end > MAX_UNIT else 0


def _ber_values(data: bytes) -> list[tuple[int, bytes]] | None:
    """The tags and contents of the values that ``data`` consists of; None if it doesn't."""
    values = []
    at = 0
    while at < len(data):
        header = _ber_header(data, at)
        if header is None or header[1] > len(data):
            return None
        values.append((data[at], data[header[0] : header[1]]))
        at = header[1]
    return values


def ldap_extended(units: Sequence[bytes]) -> Go | ReplyFailure:
    """Read an ExtendedResponse (section 4.12); message 0 is a farewell (section 4.4.1)."""
    message = units[0]
    header = _ber_header(message)
    match _ber_values(message[header[0] :]) if header and message[0] == _SEQUENCE else None:
        case [(0x02, number), (0x78, response), *_]:
            return _judge_ldap_result(message, number, response)
        case _:
            return violation(message, "not an LDAP extended response")


def _judge_ldap_result(message: bytes, number: bytes, response: bytes) -> Go | ReplyFailure:
    match _ber_values(response):
        case [(0x0A, code), (0x04, _), (0x04, words), *_] if number in (b"\0", b"\1"):
            pass
        case _:
            return violation(message, "not an answer to the LDAP request")
    result = int.from_bytes(code, "big")
    if number == b"\0":
        return ReplyFailure.quoting(
            ProbeOutcome.REFUSED, words, f"notice of disconnection {result}"
        )
    if result == 0:
        return Go.NEXT
    absent = result == _PROTOCOL_ERROR
    outcome = ProbeOutcome.NO_STARTTLS if absent else ProbeOutcome.REFUSED
    return ReplyFailure.quoting(outcome, words, f"LDAP result {result}")
