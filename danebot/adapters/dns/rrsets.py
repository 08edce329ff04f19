"""Records as a message holds them: octets, gathered by owner and type.

Rdata stays as octets until somebody asks for it, so that one bad record doesn't sink the answer.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from danebot.adapters.dns.wire_names import MalformedError, read_name

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

    ``signatures`` are those that were read out of RRSIG records, once somebody has asked.
    """

    def __init__(self, ttl: int, rdatas: list[Rdata]) -> None:
        """``rdatas`` may still grow while the message is read."""
        self.ttl = ttl
        self.rdatas = rdatas
        self.signatures: tuple[RecordSignature, ...] | None = None


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
            yield RecordSignature(
                held_for(ttl), expiration, inception, rdata.name(skip=_RRSIG.size), labels
            )
        except MalformedError:
            continue


def synthesised(section: Section, name: str, rdtype: int) -> bool:
    """Whether an RRset was synthesised, by the labels that its RRSIGs cover (RFC 4035 5.3.4)."""
    own = len(name.removeprefix("*.").split("."))
    return any(s.labels < own for s in signatures(section, name, rdtype))


def original_ttl(section: Section, name: str, rdtype: int) -> int | None:
    """The original TTL by the RRSIGs beside an RRset (RFC 4034 section 3.1.4), in seconds."""
    return max((s.original_ttl for s in signatures(section, name, rdtype)), default=None)
