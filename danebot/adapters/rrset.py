"""Records as a message holds them: dnspython's rdata, gathered by owner and type.

Rdata that dnspython rejects is here too, as `dns.rdata.GenericRdata`, so that one bad record
doesn't sink the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import dns.name
import dns.rdata
import dns.rdatatype
from dns.rdtypes.ANY.RRSIG import RRSIG

_HOST_OCTETS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_*."


class MalformedError(ValueError):
    """Octets that are no rdata of their type; the text says why."""


@dataclass(slots=True)
class RRset:
    """Records of one owner and type; of TTLs that differ (RFC 2181 5.2) the largest, in seconds."""

    ttl: int
    rdatas: list[dns.rdata.Rdata]


class RRsetKey(NamedTuple):
    """Owner in normal form and type; for RRSIG also the type that it covers, or else 0."""

    name: str
    rdtype: int
    covers: int = 0


Section = dict[RRsetKey, RRset]


def text_of(name: dns.name.Name) -> str:
    """Normal form, "" for the root; octets that no host name has are escaped (RFC 1035 5.1)."""
    labels = name.labels[:-1]
    text = b".".join(labels)
    if text.count(b".") < max(len(labels), 1) and not text.translate(None, _HOST_OCTETS):
        return text.lower().decode("ascii")  # a tenth of the time that to_text() takes
    return name.to_text(omit_final_dot=True).lower()


def is_below(name: str, ancestor: str) -> bool:
    """Whether ``name`` is ``ancestor`` or a name below it; both in normal form."""
    return not ancestor or name == ancestor or name.endswith("." + ancestor)


class Signature(NamedTuple):
    """What matters of an RRSIG (RFC 4034 section 3.1): seconds, Unix time, a name."""

    original_ttl: int
    expiration: int
    inception: int
    signer: str


def signatures(section: Section, name: str, rdtype: int) -> Iterator[Signature]:
    """The RRSIGs beside an RRset, those that can be read."""
    rrset = section.get(RRsetKey(name, dns.rdatatype.RRSIG, rdtype))
    for rdata in rrset.rdatas if rrset is not None else ():
        if isinstance(rdata, RRSIG):
            signer = text_of(rdata.signer)
            yield Signature(rdata.original_ttl, rdata.expiration, rdata.inception, signer)


def original_ttl(section: Section, name: str, rdtype: int) -> int | None:
    """The original TTL by the RRSIGs beside an RRset (RFC 4034 section 3.1.4), in seconds."""
    return max((s.original_ttl for s in signatures(section, name, rdtype)), default=None)
