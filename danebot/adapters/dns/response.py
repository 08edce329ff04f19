"""One response: records as octets, and what can be read out of it without knowing who sent it.

Rdata stays as octets until somebody asks for it, so that one bad record doesn't sink the answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from danebot.adapters.dns.rcodes import RCODE_WORDS
from danebot.adapters.dns.wire_names import MalformedError, is_below, read_name
from danebot.tuples import NamedTuple

CNAME, DNAME = 5, 39
_AA, _RA, _AD = 0x0400, 0x0080, 0x0020
_MAX_ALIASES = 16
RRSIG = 46
_RRSIG = struct.Struct("!HBBIIIH")  # RFC 4034 section 3.1, without signer and signature
_LARGEST_TTL = 0x7FFFFFFF
_CAP = 604800  # seconds


def held_for(ttl: int) -> int:
    """How long a cache may keep what came with ``ttl``, both in seconds.

    A number with the high-order bit set counts as 0 by RFC 2181 section 8.  RFC 8767 section 4
    takes it for what it is, a number beyond all others, and advises a cap of 7 days for whatever
    TTL: who holds such an answer at all drops it then.  A smaller one counts in full: a cache that
    goes by RFC 2181 alone needs no cap.
    """
    return ttl if ttl <= _LARGEST_TTL else _CAP


class Rdata(NamedTuple):
    """Rdata as octets ``start`` to ``end`` of the message, which compressed names refer to."""

    message: bytes
    start: int
    end: int

    @property
    def octets(self) -> bytes:
        """The rdata alone."""
        return self.message[self.start : self.end]

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """Numbers at the front; raise `MalformedError` if it is shorter."""
        if self.end - self.start < layout.size:
            raise MalformedError(f"rdata of {self.end - self.start} octets")
        return layout.unpack_from(self.message, self.start)

    def name(self, skip: int = 0) -> str:
        """The name after ``skip`` octets."""
        return self.names(1, skip)[0][0]

    def names(self, count: int, skip: int = 0) -> tuple[list[str], int]:
        """Names one after another, and the offset after them; within the rdata or malformed."""
        at, found = self.start + skip, []
        for _ in range(count):
            name, at = read_name(self.message, at)
            found.append(name)
        if at > self.end:
            raise MalformedError("a name that goes beyond the rdata")
        return found, at


class RRset:
    """Records of one owner and type; of TTLs that differ (RFC 2181 5.2) the largest, in seconds.

    ``fresh`` is for how many seconds they may be used again: the smallest, as it arrived, and none
    where the high-order bit is set (RFC 2181 section 8).  ``signatures`` are those that were read
    out of RRSIG records, once somebody has asked.
    """

    def __init__(self, ttl: int, rdata: Rdata) -> None:
        self.ttl = held_for(ttl)
        self.fresh = ttl if ttl <= _LARGEST_TTL else 0
        self.rdatas = [rdata]
        self.signatures: tuple[RecordSignature, ...] | None = None

    def add(self, ttl: int, rdata: Rdata) -> None:
        """Take in one more record."""
        self.ttl = max(self.ttl, held_for(ttl))
        self.fresh = min(self.fresh, ttl if ttl <= _LARGEST_TTL else 0)
        self.rdatas.append(rdata)


class RRsetKey(NamedTuple):
    """Owner in normal form and type; for RRSIG also the type that it covers, or else 0."""

    name: str
    rdtype: int
    covers: int = 0


Section = dict[RRsetKey, RRset]


class RecordSignature(NamedTuple):
    """What matters of an RRSIG (RFC 4034 section 3.1): seconds, Unix time, a name, a number."""

    original_ttl: int
    expiration: int
    inception: int
    signer: str
    labels: int


def signatures(section: Section, name: str, rdtype: int) -> tuple[RecordSignature, ...]:
    """The RRSIGs beside an RRset, those that can be read."""
    rrset = section.get(RRsetKey(name, RRSIG, rdtype))
    if rrset is None:
        return ()
    if rrset.signatures is None:
        rrset.signatures = tuple(_signatures(rrset.rdatas))
    return rrset.signatures


def _signatures(rdatas: Iterable[Rdata]) -> Iterator[RecordSignature]:
    for rdata in rdatas:
        try:
            _, _, labels, ttl, expiration, inception, _ = rdata.unpack(_RRSIG)
            signer, end = read_name(rdata.message, rdata.start + _RRSIG.size)
            if end <= rdata.end:
                yield RecordSignature(held_for(ttl), expiration, inception, signer, labels)
        except MalformedError:
            continue


def synthesised(section: Section, name: str, rdtype: int) -> bool:
    """Whether an RRset was synthesised, by the labels that its RRSIGs cover (RFC 4035 5.3.4)."""
    own = len(name.removeprefix("*.").split("."))
    return any(s.labels < own for s in signatures(section, name, rdtype))


def original_ttl(section: Section, name: str, rdtype: int) -> int | None:
    """The original TTL by the RRSIGs beside an RRset (RFC 4034 section 3.1.4), in seconds."""
    return max((s.original_ttl for s in signatures(section, name, rdtype)), default=None)


# ---- the response ---------------------------------------------------------------------------


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
        return _moment(min((s.expiration for s in self._signatures()), default=None))

    def latest_inception(self) -> datetime | None:
        """The latest RRSIG inception in answer and authority sections (RFC 4034 3.1.5)."""
        return _moment(max((s.inception for s in self._signatures()), default=None))

    def signed_since(self, name: str, rdtype: int) -> datetime | None:
        """The latest inception of the RRSIGs beside an RRset in the answer (RFC 4034 3.1.5)."""
        beside = signatures(self.answer, name, rdtype)
        return _moment(max((s.inception for s in beside), default=None))


def seconds(ttl: int | None) -> timedelta | None:
    """A TTL as a duration."""
    return None if ttl is None else timedelta(seconds=ttl)


def _moment(stamp: int | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
