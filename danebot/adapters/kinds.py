"""The record types that danebot asks for, each with the way from rdata to a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, NoReturn, TypeVar

from danebot.adapters.wire import name_text
from danebot.domain.names import DnsName, Hostname
from danebot.domain.records import MxRecord, SoaRecord, SrvRecord
from danebot.domain.tlsa import TlsaRecord

RecordT = TypeVar("RecordT")
_TLSA_NUMBERS = 3  # octets before the association data (RFC 6698 section 2.1)


def _refuse(_rdata: bytes, reason: str) -> NoReturn:
    raise ValueError(reason)


@dataclass(frozen=True, slots=True)
class Kind(Generic[RecordT]):
    """A record type.

    ``decode`` takes dnspython's rdata; ``salvage`` takes the octets of rdata that dnspython
    refuses, and its reason.  Both raise `ValueError` or `DanebotError` when there is no value.
    """

    rdtype: int
    word: str
    decode: Callable[[Any], RecordT]
    salvage: Callable[[bytes, str], RecordT] = _refuse


def _host(name: Any) -> Hostname | None:  # noqa: ANN401 - dnspython's rdata is untyped here
    text = name_text(name)
    return Hostname.parse(text) if text else None


def _salvage_tlsa(rdata: bytes, reason: str) -> TlsaRecord:
    """A digest of the wrong length is data: whoever verifies says why it is unusable."""
    if len(rdata) < _TLSA_NUMBERS:
        raise ValueError(f"only {len(rdata)} octets ({reason})")
    return TlsaRecord(rdata[0], rdata[1], rdata[2], rdata[_TLSA_NUMBERS:])


A: Kind[str] = Kind(1, "A", lambda rd: str(rd.address))
NS: Kind[Hostname] = Kind(2, "NS", lambda rd: Hostname(name_text(rd.target)))
"""Targets as they are, even where no host name: a name server that can't be asked still counts."""
CNAME: Kind[DnsName] = Kind(5, "CNAME", lambda rd: DnsName(name_text(rd.target)))
SOA: Kind[SoaRecord] = Kind(
    6,
    "SOA",
    lambda rd: SoaRecord(DnsName(name_text(rd.mname)), rd.serial, timedelta(seconds=rd.minimum)),
)
MX: Kind[MxRecord] = Kind(15, "MX", lambda rd: MxRecord(rd.preference, _host(rd.exchange)))
AAAA: Kind[str] = Kind(28, "AAAA", lambda rd: str(rd.address))
SRV: Kind[SrvRecord] = Kind(
    33, "SRV", lambda rd: SrvRecord(rd.priority, rd.weight, rd.port, _host(rd.target))
)
TLSA: Kind[TlsaRecord] = Kind(
    52,
    "TLSA",
    lambda rd: TlsaRecord(int(rd.usage), int(rd.selector), int(rd.mtype), bytes(rd.cert)),
    _salvage_tlsa,
)
