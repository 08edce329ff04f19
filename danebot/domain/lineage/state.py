"""The values that describe one certbot lineage as it lies on disk.

Nothing private is in here: of each private key only its public half is known.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import Declared, Doubt, Required, TlsaRecord
from danebot.domain.lineage.renewal import CERTBOTS_OWN, RenewalRule
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import Chain, PublicKey
    from danebot.domain.names import DnsName


UNLINKED = "the four links don't lead to one complete version"
"""A fault that an interrupted run leaves, and a renewal heals."""


STAGING_GONE = "it is gone, though certbot's configuration leads there, so nothing is renewed"
"""A fault that `danebot init` mends, from what is live."""


class Management(enum.Enum):
    """Who decides what live serves."""

    STAGED = "staged"
    PASS_THROUGH = "pass-through"  # noqa: S105 - a word, no password


class Held(NamedTuple):
    """A key and a chain that lie together: a version of the archive, or ``combo.pem``.

    ``version`` is the archive's number, None for content that is in no version.
    """

    version: int | None
    key: PublicKey
    chain: Chain

    @property
    def matches(self) -> bool:
        """Whether the private key is the leaf's."""
        return self.key == self.chain.key

    def same_content(self, other: Held | None) -> bool:
        """Whether both hold the same key and the same chain."""
        return other is not None and self.key == other.key and self.chain.ders == other.chain.ders


class KeyFile(NamedTuple):
    """``nextkey.pem`` or ``ready.pem``: ``key`` is None when the file holds no usable key.

    ``modified`` is the file's mtime (aware UTC), which for ``ready.pem`` says when cooling began.
    """

    key: PublicKey | None
    modified: datetime


class UnknownKey(NamedTuple):
    """A private key that turned up in the tree and was set aside under ``file``.

    ``key`` is None where it can't be read: encrypted, or damaged.
    """

    key: PublicKey | None
    file: str


class Anchored(NamedTuple):
    """A line of ``dane-ee`` that demands no record now, since its owner relies on ``record``.

    That is a DANE-TA(2) one, which authenticates the live chain (see `gate.anchored`).
    """

    line: Required
    record: TlsaRecord


class LineageState(NamedTuple):
    """One lineage as found: ``live`` and ``staged`` are what the links lead to.

    ``required`` and ``names`` are None when a line of ``dane-ee`` or ``dnsnames`` can't be read,
    and empty when the file is absent or empty; ``doubts`` are lines that can hardly be meant;
    ``faults`` says in words what is wrong with the files; ``rule`` is when certbot renews it.
    ``let_go`` and ``declared`` are the operator's word in ``dane-ee``; ``remembered`` are lines
    that protect though the file lacks them, and are in ``required`` too (where that is None, the
    lines that can be read are among them); ``fading`` those of owners where nobody finds a record
    any more, but a cache may (see `watched`).  ``cancelled`` are keys that were on
    their way and are kept for their records' sake.
    """

    name: str
    management: Management
    live: Held | None
    combo: Held | None
    staged: Held | None = None
    next: KeyFile | None = None
    ready: KeyFile | None = None
    unknown: tuple[UnknownKey, ...] = ()
    required: tuple[Required, ...] | None = ()
    names: tuple[DnsName, ...] | None = ()
    faults: tuple[str, ...] = ()
    anchored: tuple[Anchored, ...] = ()
    rule: RenewalRule = CERTBOTS_OWN
    let_go: frozenset[DnsName] = frozenset()
    declared: Declared = Declared.NOTHING
    remembered: tuple[Required, ...] = ()
    fading: tuple[Required, ...] = ()
    cancelled: tuple[UnknownKey, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def serving(self) -> Held | None:
        """What services that read ``combo.pem`` serve; without one, what live's links hold.

        Nobody keeps a ``combo.pem`` of a passed-through lineage up to date: there, the links count.
        """
        if self.management is Management.PASS_THROUGH:
            return self.live
        return self.combo or self.live

    @property
    def current_key(self) -> PublicKey | None:
        """The key that the services serve."""
        return self.serving.key if self.serving is not None else None

    @property
    def awaited(self) -> KeyFile | None:
        """The key on its way to become current: the ready key, else the next key."""
        return self.ready or self.next

    @property
    def awaited_key(self) -> PublicKey | None:
        """The usable key on its way, if any."""
        return self.awaited.key if self.awaited is not None else None

    @property
    def owners(self) -> tuple[DnsName, ...]:
        """The TLSA owner names that are watched, each once."""
        lines = self.lines
        if len(lines) == 1:
            return (lines[0].owner,)
        return tuple(dict.fromkeys([line.owner for line in lines]))

    @property
    def lines(self) -> tuple[Required, ...]:
        """The lines that are watched: ``dane-ee``'s and those remembered, anchored or not."""
        if not self.anchored:  # hundreds of times in a run
            return self.demanded
        return (*self.demanded, *(one.line for one in self.anchored))

    @property
    def demanded(self) -> tuple[Required, ...]:
        """The lines that demand a record of the live key, as far as they are known."""
        return self.required if self.required is not None else self.remembered

    @property
    def bare(self) -> bool:
        """Whether it is under care, watches no record, and nobody said that it has none."""
        staged = self.management is Management.STAGED and self.required is not None
        return staged and not self.owners and self.declared is not Declared.NO_RECORDS

    @property
    def exempt(self) -> bool:
        """Whether it is known that a new key needs no record of its own.

        That is so where every owner relies on an anchor, or where the operator said that there is
        none.  An empty file is no evidence.
        """
        word = self.declared is not Declared.NOTHING
        return self.required == () and (bool(self.anchored) or word)
