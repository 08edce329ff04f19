"""How danebot sees a world: its own resolver with a cache, and every address of every server."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from danebot.domain.dns.answers import (
    Alias,
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    TlsaAnswer,
    Unresolved,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from domain.builders import T0
from sim.judge import GONE, Looks
from sim.world import DAY, HOUR, AliasSpan, Content, RRset, Source, World, at

OWNERS = tuple(DnsName(f"_25._tcp.mx{n}.example.org") for n in range(4))
_TARGETS = tuple(DnsName(f"tlsa{n}.example.org") for n in range(8))
_HOSTS = tuple(Hostname(f"ns{n}.example.org") for n in range(16))
_ADDRESSES = tuple(f"192.0.2.{n}" for n in range(40))
_ZONE = DnsName("example.org")

Records = Mapping[Content, tuple[TlsaRecord, ...]]


@dataclass(frozen=True, slots=True)
class Cached:
    """An RRset in the resolver's cache until then, with the time when it was ``signed``."""

    rrset: RRset
    until: int
    signed: int


@dataclass(slots=True)
class Resolver:
    """danebot's own validating resolver: it caches aliases and RRsets for their whole TTL.

    Signatures are made for each change, an hour antedated, and anew when they are ``resign`` old.
    """

    world: World
    rng: Random
    resign: int = 5 * DAY
    aliases: dict[int, AliasSpan] = field(default_factory=dict)
    rrsets: dict[int, Cached] = field(default_factory=dict)
    fetched: dict[int, int] = field(default_factory=dict)

    def alias(self, owner: int, now: int) -> AliasSpan:
        """Where the owner leads, from the cache while the TTL lasts."""
        cached = self.aliases.get(owner)
        if cached is None or self.fetched[owner] + cached.ttl <= now:
            self.aliases[owner] = cached = at(self.world.aliases[owner], now)
            self.fetched[owner] = now
        return cached

    def rrset(self, target: int, now: int) -> Cached | None:
        """An answer of any of the servers, from the cache while the TTL lasts; None if all fail."""
        cached = self.rrsets.get(target)
        if cached is None or cached.until <= now:
            there = [a for _, a in named(self.world, now) if not self.world.silent(a, now)]
            if not there:
                return None
            found = at(self.world.rrsets[target, self.rng.choice(there)], now)
            signed = self.signed(found, now)
            self.rrsets[target] = cached = Cached(found, now + found.ttl, signed)
        return cached

    def signed(self, rrset: RRset, now: int) -> int:
        """Since when the signature is valid that a server shows of an RRset now."""
        return now - (now - rrset.start) % self.resign - HOUR


def named(world: World, now: int, unresolved: Collection[int] = ()) -> list[tuple[int, int]]:
    """Every server that parent or zone names, at each address that either gives.

    Of those ``unresolved`` only the parent's glue tells.
    """
    servers = sorted({s for spans in world.delegations.values() for s in at(spans, now).servers})
    found = [
        (server, at(world.addresses[source, server], now).address)
        for server in servers
        for source in Source
        if source is Source.PARENT or server not in unresolved
    ]
    return list(dict.fromkeys(found))


@dataclass(slots=True)
class Eyes:
    """What danebot is shown at a time, and, in ``looks``, which spans that were.

    ``blind`` means that no server answers it, ``silence`` how often one doesn't, ``flaky`` the one
    that often doesn't.
    """

    world: World
    rng: Random
    resolver: Resolver
    records: Records
    blind: bool
    silence: float
    flaky: int | None
    insecure: float = 0.005
    looks: Looks = field(default_factory=Looks)

    def observe(self, owner: int, now: int) -> OwnerObservation:
        """One owner."""
        world, rng = self.world, self.rng
        security = Security.SECURE
        if rng.random() < max(self.silence, 0.03):
            security = rng.choice((Security.INDETERMINATE, Security.BOGUS))
        elif rng.random() < self.insecure:
            security = Security.INSECURE
        alias = at(world.aliases[owner], now)
        answer: TlsaAnswer = Answer(OWNERS[owner], security, Presence.UNKNOWN, OWNERS[owner])
        if security in (Security.SECURE, Security.INSECURE):
            alias = self.resolver.alias(owner, now)
            found = self.resolver.rrset(alias.target, now)
            if found is None:
                answer = answer._replace(security=Security.INDETERMINATE)
            else:
                answer = self._answer(owner, alias, found, security)
                self.looks.note(("alias", owner), now, alias)
        places = named(world, now)
        self._note_gone(alias.target, {address for _, address in places}, now)
        unresolved = [server for server, _ in places if rng.random() < 0.02]
        if unresolved:  # nobody says where it is but the parent
            places = named(world, now, unresolved[:1])
        return OwnerObservation(
            OWNERS[owner],
            answer,
            _ZONE,
            frozenset(_HOSTS[server] for server, _ in places),
            timedelta(seconds=max(self._delegations(now))),
            tuple(self._ask(server, address, alias.target, now) for server, address in places),
            address_ttl=timedelta(seconds=max(self._addresses(places, now))),
            unresolved=frozenset(
                Unresolved(_HOSTS[server].dns_name, "A") for server in unresolved[:1]
            ),
        )

    def _answer(
        self, owner: int, alias: AliasSpan, found: Cached, security: Security
    ) -> TlsaAnswer:
        canonical = OWNERS[owner]
        aliases: tuple[Alias, ...] = ()
        if len(self.world.aliases[owner]) > 1 or alias.ttl:
            canonical = _TARGETS[alias.target]
            aliases = (Alias(OWNERS[owner], canonical, timedelta(seconds=alias.ttl)),)
        there = found.rrset.content is not Content.NOTHING
        return Answer(
            OWNERS[owner],
            security,
            Presence.PRESENT if there else Presence.NODATA,
            canonical,
            aliases,
            self.records[found.rrset.content],
            timedelta(seconds=found.rrset.ttl) if there else None,
            signed_since=T0 + timedelta(seconds=found.signed) if there else None,
        )

    def _delegations(self, now: int) -> Iterator[int]:
        """The TTLs of the NS RRsets, each of which is noted."""
        for source, spans in self.world.delegations.items():
            span = at(spans, now)
            self.looks.note(source, now, span)
            yield span.ttl

    def _addresses(self, places: list[tuple[int, int]], now: int) -> Iterator[int]:
        """The TTLs of glue and addresses, each of which is noted."""
        for key in {(source, server) for source in Source for server, _ in places}:
            where = at(self.world.addresses[key], now)
            if (key[1], where.address) in places:
                self.looks.note(key, now, where)
                yield where.ttl

    def _note_gone(self, target: int, named: set[int], now: int) -> None:
        """That no server is there any more is a look, too."""
        for target_, address in self.world.rrsets:
            if target_ == target and address not in named:
                self.looks.note((target, address), now, GONE)

    def _ask(self, server: int, address: int, target: int, now: int) -> ServerAnswer:
        where = Server(_HOSTS[server], _ADDRESSES[address])
        silence = 0.5 if server == self.flaky else self.silence
        dead = self.blind or self.world.silent(address, now)
        if dead or self.rng.random() < silence:
            return ServerAnswer(where, ServerOutcome.UNREACHABLE)
        found = at(self.world.rrsets[target, address], now)
        self.looks.note((target, address), now, found)
        there = found.content is not Content.NOTHING
        ttl = timedelta(seconds=found.ttl)
        denial = timedelta(seconds=found.denial) if found.denial else None
        return ServerAnswer(
            where,
            ServerOutcome.ANSWERED,
            self.records[found.content],
            ttl if there else None,
            denial if there else ttl,
            wildcard=denial is not None,
            signed_since=T0 + timedelta(seconds=self.resolver.signed(found, now)),
        )
