"""Another set of names for a certificate, and what follows from it for danebot's own two files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from danebot.domain.dns.tlsa import Required
from danebot.domain.names import DnsName, Hostname, TlsaOwner, covers
from danebot.errors import NameChangeError, NameSyntaxError


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for; ``exactly`` are all names at once, () for changes."""

    add: tuple[DnsName, ...] = ()
    remove: tuple[DnsName, ...] = ()
    exactly: tuple[DnsName, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.add or self.remove or self.exactly)


@dataclass(frozen=True, slots=True)
class Renaming:
    """The step from one set of names to another; ``named`` are all that the operator gave."""

    before: frozenset[DnsName]
    after: frozenset[DnsName]
    named: frozenset[DnsName]

    @property
    def added(self) -> tuple[DnsName, ...]:
        """The names that the operator wants and that the certificate has from now on."""
        return tuple(sorted(self.named & self.after))

    @property
    def removed(self) -> tuple[DnsName, ...]:
        """The names that the certificate has no more."""
        return tuple(sorted((self.before | self.named) - self.after))

    def gone(self, name: DnsName) -> bool:
        """Whether the certificate covers ``name`` no more, because of this change."""
        was = covers(self.before | self.named, name)
        return was and not covers(self.after, name)

    def dropped_owners(self, required: Iterable[Required]) -> tuple[Required, ...]:
        """The lines of ``dane-ee`` whose host the certificate covers no more."""
        found = []
        for line in required:
            owner = TlsaOwner.from_name(line.owner)
            if owner is not None and self.gone(owner.base.dns_name):
                found.append(line)
        return tuple(found)

    def dropped_names(self, required: Iterable[DnsName]) -> tuple[DnsName, ...]:
        """The lines of ``dnsnames`` that can't be demanded any more."""
        return tuple(name for name in required if self.gone(name))

    def new_names(self, required: Iterable[DnsName]) -> tuple[DnsName, ...]:
        """The added names that ``dnsnames`` doesn't demand yet."""
        known = frozenset(required)
        return tuple(name for name in self.added if name not in known)


def parse_name(text: str) -> DnsName:
    """A name for a certificate, a wildcard included, or `NameSyntaxError`."""
    name = DnsName.parse(text)
    host = Hostname.parse(name.text.removeprefix("*."))
    if "_" in host.text or "." not in host.text:
        raise NameSyntaxError(f"{text[:80]!r} is no name that a CA puts into a certificate")
    return name


def renaming(current: frozenset[DnsName], wish: Wish) -> Renaming:
    """What ``wish`` makes of ``current``, or `NameChangeError`.

    A name that is there already, or gone already, is as wished: the same may be asked for twice.
    """
    both = sorted({*wish.add} & {*wish.remove})
    if both:
        raise NameChangeError(f"{both[0]} is to be added and removed")
    after = frozenset(wish.exactly or current | {*wish.add}) - {*wish.remove}
    if not after:
        raise NameChangeError("a certificate needs a name: the last one can't be removed")
    return Renaming(current, after, frozenset((*wish.add, *wish.remove, *wish.exactly)))
