"""The record types that danebot asks for, each with the way from rdata to a value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, TypeVar

from dns.rdata import GenericRdata, Rdata

from danebot.adapters.rrset import MalformedError, text_of
from danebot.domain.names import DnsName, Hostname
from danebot.domain.records import MxRecord, SoaRecord, SrvRecord
from danebot.domain.tlsa import TlsaRecord

if TYPE_CHECKING:
    import dns.name
    import dns.rdtypes.ANY.CNAME
    import dns.rdtypes.ANY.MX
    import dns.rdtypes.ANY.NS
    import dns.rdtypes.ANY.SOA
    import dns.rdtypes.ANY.TLSA
    import dns.rdtypes.IN.A
    import dns.rdtypes.IN.AAAA
    import dns.rdtypes.IN.SRV

RecordT = TypeVar("RecordT")
_TLSA_HEAD = 3  # usage, selector, matching type (RFC 6698 section 2.1)


def _refuse(octets: bytes) -> NoReturn:
    raise MalformedError(f"rdata of {len(octets)} octets")


class Kind(NamedTuple, Generic[RecordT]):
    """A record type: what becomes of rdata, and of octets that dnspython didn't take for it."""

    rdtype: int
    word: str
    decode: Callable[[Any], RecordT]
    salvage: Callable[[bytes], RecordT] = _refuse

    def read(self, rdata: Rdata) -> RecordT:
        """Raise `MalformedError`, or `NameSyntaxError` where a host name must stand."""
        if isinstance(rdata, GenericRdata):
            return self.salvage(rdata.data)
        return self.decode(rdata)


def _address(rdata: dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA) -> str:
    address: str = rdata.address
    return address


def _ns(rdata: dns.rdtypes.ANY.NS.NS) -> Hostname:
    """The target as it is, even if no host name: a name server that can't be asked counts too."""
    return Hostname(text_of(rdata.target))


def _cname(rdata: dns.rdtypes.ANY.CNAME.CNAME) -> DnsName:
    return DnsName(text_of(rdata.target))


def _soa(rdata: dns.rdtypes.ANY.SOA.SOA) -> SoaRecord:
    minimum = timedelta(seconds=rdata.minimum)
    return SoaRecord(DnsName(text_of(rdata.mname)), rdata.serial, minimum)


def _mx(rdata: dns.rdtypes.ANY.MX.MX) -> MxRecord:
    return MxRecord(rdata.preference, _host(rdata.exchange))


def _srv(rdata: dns.rdtypes.IN.SRV.SRV) -> SrvRecord:
    return SrvRecord(rdata.priority, rdata.weight, rdata.port, _host(rdata.target))


def _host(name: dns.name.Name) -> Hostname | None:
    """None for the root: "none here" (RFC 7505, RFC 2782)."""
    text = text_of(name)
    return Hostname.parse(text) if text else None


def _tlsa(rdata: dns.rdtypes.ANY.TLSA.TLSA) -> TlsaRecord:
    return TlsaRecord(rdata.usage, rdata.selector, rdata.mtype, rdata.cert)


def _any_tlsa(octets: bytes) -> TlsaRecord:
    """Any length of data will do: whoever verifies says why a record is unusable."""
    if len(octets) < _TLSA_HEAD:
        _refuse(octets)
    usage, selector, mtype = octets[:_TLSA_HEAD]
    return TlsaRecord(usage, selector, mtype, octets[_TLSA_HEAD:])


A = Kind(1, "A", _address)
NS = Kind(2, "NS", _ns)
CNAME = Kind(5, "CNAME", _cname)
SOA = Kind(6, "SOA", _soa)
MX = Kind(15, "MX", _mx)
AAAA = Kind(28, "AAAA", _address)
SRV = Kind(33, "SRV", _srv)
TLSA = Kind(52, "TLSA", _tlsa, _any_tlsa)
