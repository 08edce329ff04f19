"""The record types that danebot asks for, each with the way from rdata to a value."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Generic

from danebot.adapters.dns.response import Rdata, held_for
from danebot.adapters.dns.wire_names import MalformedError
from danebot.domain.dns.answers import RecordT
from danebot.domain.dns.records import MxRecord, SoaRecord, SrvRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple

_MX, _SRV, _SOA, _TLSA = (struct.Struct(f"!{form}") for form in ("H", "HHH", "IIIII", "BBB"))


class RecordKind(NamedTuple, Generic[RecordT]):
    """A record type.

    ``decode`` raises `MalformedError`, or `NameSyntaxError` where a host name must stand.
    """

    rdtype: int
    word: str
    decode: Callable[[Rdata], RecordT]


def _address(family: socket.AddressFamily, size: int, rdata: Rdata) -> str:
    if rdata.end - rdata.start != size:
        raise MalformedError(f"address of {rdata.end - rdata.start} octets")
    return socket.inet_ntop(family, rdata.octets)


def _ns(rdata: Rdata) -> Hostname:
    """The target as it is, even if no host name: a name server that can't be asked counts too."""
    return Hostname(rdata.name())


def _cname(rdata: Rdata) -> DnsName:
    return DnsName(rdata.name())


def _soa(rdata: Rdata) -> SoaRecord:
    (primary, _), at = rdata.names(2)
    serial, _, _, _, minimum = rdata._replace(start=at).unpack(_SOA)
    return SoaRecord(DnsName(primary), serial, timedelta(seconds=held_for(minimum)))


def _mx(rdata: Rdata) -> MxRecord:
    (preference,) = rdata.unpack(_MX)
    return MxRecord(preference, _host(rdata, _MX.size))


def _srv(rdata: Rdata) -> SrvRecord:
    priority, weight, port = rdata.unpack(_SRV)
    return SrvRecord(priority, weight, port, _host(rdata, _SRV.size))


def _host(rdata: Rdata, skip: int) -> Hostname | None:
    """None for the root: "none here" (RFC 7505, RFC 2782)."""
    text = rdata.name(skip)
    return Hostname.parse(text) if text else None


def _tlsa(rdata: Rdata) -> TlsaRecord:
    """Take data of any length: verification says why a record is unusable."""
    usage, selector, mtype = rdata.unpack(_TLSA)
    return TlsaRecord(usage, selector, mtype, rdata.octets[_TLSA.size :])


A = RecordKind(1, "A", partial(_address, socket.AF_INET, 4))
NS = RecordKind(2, "NS", _ns)
CNAME = RecordKind(5, "CNAME", _cname)
SOA = RecordKind(6, "SOA", _soa)
MX = RecordKind(15, "MX", _mx)
AAAA = RecordKind(28, "AAAA", partial(_address, socket.AF_INET6, 16))
SRV = RecordKind(33, "SRV", _srv)
TLSA = RecordKind(52, "TLSA", _tlsa)
