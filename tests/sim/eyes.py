"""How danebot sees a world: its own resolver with a cache, and every address of every server."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import NamedTuple

from danebot.domain.dns.answers import (
    Alias,
    AliasObservation,
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
from sim.judge import GONE, Looks, Notes
from sim.world import (
    DAY,
    FOREVER,
    HOUR,
    AddressSpan,
    AliasSpan,
    Content,
    Delegation,
    RRset,
    Source,
    Span,
    World,
    Zone,
    at,
    copied,
)

OWNERS = tuple(DnsName(f"_25._tcp.mx{n}.example.org") for n in range(4))
_TARGETS = tuple(DnsName(f"tlsa{n}.example.org") for n in range(8))
_HOSTS = tuple(Hostname(f"ns{n}.example.org") for n in range(16))
_ADDRESSES = tuple(f"192.0.2.{n}" for n in range(40))
_ZONE = DnsName("example.org")
_OWNERS_ZONE = DnsName("mx.example.org")

Records = Mapping[Content, tuple[TlsaRecord, ...]]


@dataclass(frozen=True, slots=True)
class Cached:
    """An RRset in the resolver's cache until then, with the time when it was ``signed``."""

    rrset: RRset
    until: int
    signed: int


Place = tuple[int, int]
"""A server and its address."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The servers that parent or zone name for a time, at each address that either gives.

    ``notes`` are the spans of the NS RRsets, of addresses and of glue.
    """

    places: tuple[Place, ...]
    name_servers: frozenset[Hostname]
    ns_ttl: timedelta
    address_ttl: timedelta
    notes: Notes


@dataclass(slots=True)
class Routes:
    """The routes of a world: from one change to the next they stay as they are."""

    world: World
    changes: list[int]
    known: dict[tuple[int, int | None], Route] = field(default_factory=dict)

    def at(self, now: int, unresolved: int | None = None) -> Route:
        """The route at a time; only the parent's glue tells of the ``unresolved`` server."""
        key = bisect_right(self.changes, now), unresolved
        route = self.known.get(key)
        if route is None:
            self.known[key] = route = self._made(now, unresolved)
        return route

    def _made(self, now: int, unresolved: int | None) -> Route:
        world = self.world
        named: dict[Hashable, Delegation] = {
            source: at(spans, now) for source, spans in world.delegations.items()
        }
        servers = sorted({server for span in named.values() for server in span.servers})
        found = {
            (source, server): at(world.addresses[source, server], now)
            for server in servers
            for source in Source
        }
        places = dict.fromkeys(
            (server, span.address)
            for (source, server), span in found.items()
            if source is Source.PARENT or server != unresolved
        )
        shown: dict[Hashable, AddressSpan] = {
            key: span for key, span in found.items() if (key[1], span.address) in places
        }
        return Route(
            tuple(places),
            frozenset(_HOSTS[server] for server, _ in places),
            timedelta(seconds=max(span.ttl for span in named.values())),
            timedelta(seconds=max(span.ttl for span in shown.values())),
            {**named, **shown},
        )


def alias_places(world: World, route: Route) -> tuple[Place, ...]:
    """The servers of the owners' zone, where the target's are found by that route."""
    return world.alias_places + (route.places if world.alias_shared else ())


def routes(world: World) -> Routes:
    """Those of a world."""
    spans: list[Span] = [span for row in world.delegations.values() for span in row]
    spans += [span for row in world.addresses.values() for span in row]
    return Routes(world, sorted({span.start for span in spans}))


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

    def fork(self, rng: Random) -> Resolver:
        """One that has the same in its cache."""
        caches = self.aliases.copy(), self.rrsets.copy(), self.fetched.copy()
        return Resolver(self.world, rng, self.resign, *caches)

    def alias(self, owner: int, route: Route, now: int) -> AliasSpan | None:
        """Where the owner leads, from the cache while the TTL lasts; None if all servers fail."""
        cached = self.aliases.get(owner)
        if cached is None or self.fetched[owner] + cached.ttl <= now:
            row = self.world.aliases[owner]
            if self.world.alias_rows:
                places = alias_places(self.world, route)
                there = [a for _, a in places if self.world.hears(a, now, Zone.ALIAS)]
                if not there:
                    return None
                row = self.world.alias_rows[owner, self.rng.choice(there)]
            self.aliases[owner] = cached = at(row, now)
            self.fetched[owner] = now
        return cached

    def rrset(self, target: int, route: Route, now: int) -> Cached | None:
        """An answer of any of the servers, from the cache while the TTL lasts; None if all fail."""
        cached = self.rrsets.get(target)
        if cached is None or cached.until <= now:
            there = [a for _, a in route.places if self.world.hears(a, now)]
            if not there:
                return None
            found = at(self.world.rrsets[target, self.rng.choice(there)], now)
            signed = self.signed(found, now)
            self.rrsets[target] = cached = Cached(found, now + found.ttl, signed)
        return cached

    def signed(self, rrset: RRset, now: int) -> int:
        """Since when the signature is valid that a server shows of an RRset now."""
        return now - (now - rrset.start) % self.resign - HOUR


Said = tuple[RRset, int]
"""What a server has, and since when its signature is valid."""


Lead = tuple[AliasSpan, Said | None]
"""An alias as a server has it, and, where that isn't the resolver's, what it has at its end."""


class Sight(NamedTuple):
    """What makes an observation: looks that are alike in it show the same.

    The servers that are ``named`` are asked where the ``route`` leads, which lacks addresses of the
    ``unresolved`` one.
    """

    owner: int
    security: Security
    alias: AliasSpan
    answer: Said | None
    named: Route
    route: Route
    said: tuple[Said | None, ...]
    unresolved: int | None
    leads: tuple[Lead | None, ...] | None = None


@dataclass(slots=True)
class Eyes:
    """What danebot is shown at a time, and, in ``looks``, which spans that were.

    While the zone is ``bogus``, by a DS record or signatures that don't fit, no resolver proves
    anything; what caches have stays there.

    ``blind`` means that no server answers it, ``silence`` how often one doesn't, ``flaky`` the one
    that often doesn't.  What looks the same is the same: made once, and kept in ``shown``.
    """

    world: World
    rng: Random
    resolver: Resolver
    routes: Routes
    records: Records
    blind: bool
    silence: float
    flaky: int | None
    insecure: float = 0.005
    bogus: tuple[int, int] = (0, 0)
    form: type[OwnerObservation] = OwnerObservation
    looks: Looks = field(default_factory=Looks)
    changes: list[int] = field(default_factory=list)
    shown: dict[Sight, tuple[OwnerObservation, Notes]] = field(default_factory=dict)
    answers: dict[tuple[Place, Said | None], ServerAnswer] = field(default_factory=dict)

    def fork(self, rng: Random) -> Eyes:
        """The same that saw the same, with those dice from here on."""
        other = copied(self)
        other.rng, other.resolver, other.looks = rng, self.resolver.fork(rng), self.looks.copy()
        return other

    def something_new(self, now: int) -> int:
        """When a look may next show anything new, if silence doesn't hide it; `FOREVER`: never."""
        if not self.changes:
            self.changes = self.world.changes()
        index = bisect_right(self.changes, now)
        following = self.changes[index] if index < len(self.changes) else FOREVER
        cached = self.resolver.rrsets.values()
        return min([following, *(one.until for one in cached if one.rrset.end <= now < one.until)])

    def observe(self, owner: int, now: int) -> OwnerObservation:
        """One owner."""
        rng, security = self.rng, self._security(now)
        route = named = self.routes.at(now)
        found = None
        if security is Security.SECURE or security is Security.INSECURE:
            led = self.resolver.alias(owner, route, now)
            alias = led or at(self.world.aliases[owner], now)
            found = self.resolver.rrset(alias.target, route, now) if led is not None else None
            if found is None:
                security = Security.INDETERMINATE
        else:
            alias = at(self.world.aliases[owner], now)
        unresolved = None
        for server, _ in named.places:  # the dice for each
            if rng.random() < 0.02 and unresolved is None:
                unresolved = server
        if unresolved is not None:  # nobody says where it is but the parent
            route = self.routes.at(now, unresolved)
        said = [self._ask(server, address, alias.target, now) for server, address in route.places]
        answer = (found.rrset, found.signed) if found is not None else None
        leads = None
        if answer is not None and self.world.alias_rows:
            leads = self._leads(owner, alias, dict(zip(route.places, said, strict=True)), now)
        sight = Sight(owner, security, alias, answer, named, route, tuple(said), unresolved, leads)
        known = self.shown.get(sight)
        if known is None:
            self.shown[sight] = known = self._observation(sight), self._notes(sight)
        self.looks.note(now, known[1])
        return known[0]

    def _security(self, now: int) -> Security:
        """What the resolver makes of the answer, if it has one."""
        rng, security = self.rng, Security.SECURE
        if rng.random() < max(self.silence, 0.03):
            security = rng.choice((Security.INDETERMINATE, Security.BOGUS))
        elif rng.random() < self.insecure:
            security = Security.INSECURE
        return Security.BOGUS if self.bogus[0] <= now < self.bogus[1] else security

    def _observation(self, sight: Sight) -> OwnerObservation:
        route, unresolved = sight.route, sight.unresolved
        return self.form(
            OWNERS[sight.owner],
            self._answer(sight.owner, sight.alias, sight.answer, sight.security),
            _ZONE,
            route.name_servers,
            route.ns_ttl,
            tuple(map(self._said, route.places, sight.said)),
            self._aliases(sight),
            address_ttl=route.address_ttl,
            unresolved=frozenset(
                {Unresolved(_HOSTS[unresolved].dns_name, "A")} if unresolved is not None else ()
            ),
        )

    def _notes(self, sight: Sight) -> Notes:
        """Which spans it shows; that no server is there any more is a look, too."""
        target = sight.alias.target
        there = {address for _, address in sight.named.places}
        places = [place for place in self.world.rrsets if place[0] == target]
        notes: dict[Hashable, Span] = {
            **sight.route.notes,
            **{place: GONE for place in places if place[1] not in there},
        }
        if sight.leads is not None:
            for (_, address), lead in zip(
                alias_places(self.world, sight.route), sight.leads, strict=True
            ):
                if lead is not None:
                    notes["alias", sight.owner, address] = lead[0]
        elif sight.answer is not None:
            notes["alias", sight.owner] = sight.alias
        for (_, address), one in zip(sight.route.places, sight.said, strict=True):
            if one is not None:
                notes[target, address] = one[0]
        return notes

    def _leads(
        self, owner: int, alias: AliasSpan, said: dict[Place, Said | None], now: int
    ) -> tuple[Lead | None, ...]:
        """The alias as each server of its zone has it that answers."""
        world, found = self.world, list[Lead | None]()
        shared = tuple(said) if world.alias_shared else ()
        for place in world.alias_places + shared:
            address = place[1]
            again = 0.5 if place in said and said[place] is None else 0.0  # asked in vain just now
            fails = self.rng.random() < max(self.silence / 2, again)
            if fails or not world.hears(address, now, Zone.ALIAS):
                found.append(None)
                continue
            lead = at(world.alias_rows[owner, address], now)
            there: Said | None = None
            if lead.target != alias.target and said.get(place) is not None:
                rrset = at(world.rrsets[lead.target, address], now)
                there = rrset, self.resolver.signed(rrset, now)
            found.append((lead, there))
        return tuple(found)

    def _aliases(self, sight: Sight) -> tuple[AliasObservation, ...]:
        """The servers of the owners' zone; those that lead elsewhere say what they have there."""
        if sight.leads is None:
            return ()
        places = alias_places(self.world, sight.route)
        alias = sight.alias
        leads = tuple(self._led(*one, alias) for one in zip(places, sight.leads, strict=True))
        link = Alias(OWNERS[sight.owner], _TARGETS[alias.target], timedelta(seconds=alias.ttl))
        names = frozenset(_HOSTS[server] for server, _ in places)
        shared = self.world.alias_shared
        ns_ttl = max(timedelta(hours=1), sight.route.ns_ttl if shared else timedelta(0))
        address_ttl = max(timedelta(hours=1), sight.route.address_ttl if shared else timedelta(0))
        return (AliasObservation(link, _OWNERS_ZONE, names, ns_ttl, leads, address_ttl),)

    def _led(self, place: Place, lead: Lead | None, alias: AliasSpan) -> ServerAnswer:
        where = Server(_HOSTS[place[0]], _ADDRESSES[place[1]])
        if lead is None:
            return ServerAnswer(where, ServerOutcome.UNREACHABLE)
        span, there = lead
        if span.target == alias.target:
            return ServerAnswer(where, ServerOutcome.LEADS_ON)
        if there is None:
            end = _TARGETS[span.target]
            return ServerAnswer(where, ServerOutcome.ANSWERED, elsewhere=end, end=end)
        found, way = self._said(place, there), timedelta(seconds=span.ttl)
        negative = found.negative_ttl
        if found.ttl is None and negative is not None:
            negative += way
        ttl = found.ttl + way if found.ttl is not None else None
        return found._replace(ttl=ttl, negative_ttl=negative, end=_TARGETS[span.target])

    def _answer(
        self, owner: int, alias: AliasSpan, said: Said | None, security: Security
    ) -> TlsaAnswer:
        canonical = OWNERS[owner]
        if said is None:
            return Answer(canonical, security, Presence.UNKNOWN, canonical)
        found, signed = said
        aliases: tuple[Alias, ...] = ()
        if len(self.world.aliases[owner]) > 1 or alias.ttl:
            canonical = _TARGETS[alias.target]
            aliases = (Alias(OWNERS[owner], canonical, timedelta(seconds=alias.ttl)),)
        there = found.content is not Content.NOTHING
        return Answer(
            OWNERS[owner],
            security,
            Presence.PRESENT if there else Presence.NODATA,
            canonical,
            aliases,
            self.records[found.content],
            timedelta(seconds=found.ttl) if there else None,
            signed_since=T0 + timedelta(seconds=signed) if there else None,
        )

    def _ask(self, server: int, address: int, target: int, now: int) -> Said | None:
        """What a server says, if it does."""
        silence = 0.5 if server == self.flaky else self.silence
        dead = self.blind or not self.world.hears(address, now)
        if dead or self.rng.random() < silence:
            return None
        found = at(self.world.rrsets[target, address], now)
        return found, self.resolver.signed(found, now)

    def _said(self, place: Place, said: Said | None) -> ServerAnswer:
        known = self.answers.get((place, said))
        if known is None:
            self.answers[place, said] = known = self._answered(place, said)
        return known

    def _answered(self, place: Place, said: Said | None) -> ServerAnswer:
        where = Server(_HOSTS[place[0]], _ADDRESSES[place[1]])
        if said is None:
            return ServerAnswer(where, ServerOutcome.UNREACHABLE)
        found, signed = said
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
            signed_since=T0 + timedelta(seconds=signed),
        )
