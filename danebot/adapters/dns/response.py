"""One response, and what can be read out of it without knowing who sent it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from danebot.adapters.dns.rcodes import RCODE_WORDS
from danebot.adapters.dns.rrsets import (
    RRSIG,
    RecordSignature,
    RRset,
    RRsetKey,
    Section,
    original_ttl,
    signatures,
)
from danebot.adapters.dns.wire_names import is_below

CNAME, DNAME = 5, 39
_AA, _RA, _AD = 0x0400, 0x0080, 0x0020
_MAX_ALIASES = 16


class Link(NamedTuple):
    """One CNAME in an answer; names in normal form, ``ttl`` in seconds."""

    name: str
    target: str
    ttl: int


class AliasChain(NamedTuple):
    """The way from the name asked for to the name that answers; ``loop`` if there is no end."""

    links: tuple[Link, ...]
    canonical: str
    loop: bool = False


class Response(NamedTuple):
    """One response.  ``flags`` is the header's second word; ``extended`` is printable.

    ``signed_at`` is the offset of the TSIG record in the message, which is the last of all (RFC
    8945 section 5.1); None without one.
    """

    rcode: int
    flags: int
    answer: Section
    authority: Section
    additional: Section
    extended: tuple[str, ...] = ()
    signed_at: int | None = None

    @property
    def authoritative(self) -> bool:
        """AA (RFC 1035 section 4.1.1)."""
        return bool(self.flags & _AA)

    @property
    def authentic(self) -> bool:
        """AD (RFC 4035 section 3.2.3)."""
        return bool(self.flags & _AD)

    @property
    def recursive(self) -> bool:
        """RA (RFC 1035 section 4.1.1)."""
        return bool(self.flags & _RA)

    @property
    def words(self) -> str:
        """The response code and extended errors (RFC 8914), printable."""
        rcode = RCODE_WORDS.get(self.rcode, f"response code {self.rcode}")
        return "; ".join([rcode, *self.extended])

    def ttl(self, name: str, rdtype: int) -> int | None:
        """Original TTL in seconds by the RRSIG in the answer, or else as served; None if absent."""
        rrset = self.answer.get(RRsetKey(name, rdtype))
        if rrset is None:
            return None
        original = original_ttl(self.answer, name, rdtype)
        return rrset.ttl if original is None else original

    def chain(self, name: str, rdtype: int) -> AliasChain:
        """Follow CNAMEs in the answer from ``name`` (RFC 1034 section 3.6.2)."""
        links: list[Link] = []
        seen = {name}
        while rdtype != CNAME and (rrset := self.answer.get(RRsetKey(name, CNAME))):
            target = rrset.rdatas[0].name()
            links.append(Link(name, target, self._alias_ttl(name, rrset)))
            if target in seen or len(links) >= _MAX_ALIASES:
                return AliasChain(tuple(links), target, loop=True)
            seen.add(target)
            name = target
        return AliasChain(tuple(links), name)

    def _alias_ttl(self, name: str, rrset: RRset) -> int:
        """A synthesised CNAME isn't signed: its DNAME is (RFC 6672 section 5.3.1)."""
        original = original_ttl(self.answer, name, CNAME)
        if original is not None:
            return original
        dnames = [
            self.ttl(key.name, DNAME) or 0
            for key in self.answer
            if key.rdtype == DNAME and is_below(name, key.name)
        ]
        return max([rrset.ttl, *dnames])

    def _signatures(self) -> Iterator[RecordSignature]:
        """The RRSIGs in answer and authority sections."""
        for section in (self.answer, self.authority):
            for key in section:
                if key.rdtype == RRSIG:
                    yield from signatures(section, key.name, key.covers)

    def signed_until(self) -> datetime | None:
        """The earliest RRSIG expiration in answer and authority sections (RFC 4034 3.1.5)."""
        expirations = [signature.expiration for signature in self._signatures()]
        return datetime.fromtimestamp(min(expirations), UTC) if expirations else None

    def latest_inception(self) -> datetime | None:
        """The latest RRSIG inception in answer and authority sections (RFC 4034 3.1.5)."""
        inceptions = [signature.inception for signature in self._signatures()]
        return datetime.fromtimestamp(max(inceptions), UTC) if inceptions else None

    def signed_since(self, name: str, rdtype: int) -> datetime | None:
        """The latest inception of the RRSIGs beside an RRset in the answer (RFC 4034 3.1.5)."""
        inceptions = [s.inception for s in signatures(self.answer, name, rdtype)]
        return datetime.fromtimestamp(max(inceptions), UTC) if inceptions else None


def seconds(ttl: int | None) -> timedelta | None:
    """A TTL as a duration."""
    return None if ttl is None else timedelta(seconds=ttl)
