"""The servers that resolvers may ask for an owner's RRset, and what it means when they change.

A resolver starts from the parent's glue and goes on with what the servers tell it: names and
addresses, each as long as its TTL says (RFC 1034 section 5.3.3, RFC 2181 section 5.4.1).  So a
server is lost when its name goes, and likewise when an address of it does.  Silence is no absence:
what could not be looked up this time is where it was.  The same goes for the servers that delegate
to the zone: who still asks one that is none any more may be led to where the zone was.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import (
    OwnerObservation,
    Presence,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.rollover.evidence.memory import Interruption, Memory, OwnerMemory, OwnerRoute
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.propagation import Observations

_NOTHING = timedelta(0)


class Move(enum.Enum):
    """What became of a route from one observation to the next."""

    NONE = "none"
    GAINED = "more servers or addresses"
    LOST = "a server or an address gone"
    ELSEWHERE = "led to another name"


class RouteMemory(NamedTuple):
    """The route after an observation, with the fields of `OwnerMemory`."""

    route: OwnerRoute | None
    route_ttl: timedelta | None
    old_route_until: datetime | None
    strayed: timedelta | None = None


def moved_to(old: OwnerRoute | None, new: OwnerRoute | None) -> Move:
    """What lies between two routes; NONE where one isn't known."""
    if old is None or new is None or old == new:
        return Move.NONE
    if old.canonical != new.canonical:
        return Move.ELSEWHERE
    before, after = set(old.addresses), set(new.addresses)
    above, now_above = set(old.parents or ()), set(new.parents or ())
    if old.parents is None or new.parents is None:  # then nobody knows what changed there
        above = now_above = set()
    if not old.name_servers <= new.name_servers or not (before <= after and above <= now_above):
        return Move.LOST
    more = before < after or above < now_above or old.name_servers < new.name_servers
    return Move.GAINED if more else Move.NONE


def interruption(
    owner: DnsName, old: OwnerRoute | None, new: OwnerRoute | None, now: datetime
) -> Interruption:
    """Return what lies between two routes in names, as the cause of a wait that begins anew."""
    if old is None or new is None:
        return Interruption(now, owner)
    if old.canonical != new.canonical:
        return Interruption(now, owner, (str(old.canonical),), (str(new.canonical),))
    if old.parents is None or new.parents is None:  # then nobody knows what changed there
        old, new = old._replace(parents=None), new._replace(parents=None)
    before, after = _all(old), _all(new)
    return Interruption(now, owner, tuple(sorted(before - after)), tuple(sorted(after - before)))


def _all(route: OwnerRoute) -> set[str]:
    """The servers of a route and of those above it, and names without an address."""
    servers = (*route.addresses, *(route.parents or ()))
    known = {server.name for server in servers}
    return {*map(str, servers), *(name.text for name in route.name_servers - known)}


def remember_route(old: OwnerMemory, observation: OwnerObservation, now: datetime) -> RouteMemory:
    """Fold one observation, as `completed`, into what is known of the route.

    Who still has what is lost in the cache asks there for the largest of the old TTLs.  Another
    route that was there meanwhile, at a time that nobody can tell, is lost once the route is seen.
    """
    route, until = route_now(old, observation), old.old_route_until
    ttls = _route_ttls(old, observation)
    if old.strayed is not None:
        until = max(now + max(ttls, default=_NOTHING), until or now)
    match moved_to(old.route, route):
        case Move.LOST | Move.ELSEWHERE:
            until = max(now + max(ttls, default=_NOTHING), until or now)
            return RouteMemory(route, observation.route_ttl, until)
        case Move.NONE | Move.GAINED:
            strayed = None if _knows_route(observation) else old.strayed
            return RouteMemory(route, max(ttls, default=None), until, strayed)


def route_now(old: OwnerMemory, observation: OwnerObservation) -> OwnerRoute | None:
    """The route as observed; the old one, where that isn't known."""
    if not _knows_route(observation):
        return old.route
    route = _route(observation)
    if route.parents is None and old.route is not None:
        route = route._replace(parents=old.route.parents)
    return route


def _knows_route(observation: OwnerObservation) -> bool:
    return bool(observation.name_servers) and observation.answer.presence is not Presence.UNKNOWN


def undated_route(old: OwnerMemory, observation: OwnerObservation) -> RouteMemory:
    """What is known of the route after an observation that can't be dated: no other one, yet.

    Where it shows one, the first that is known too, or a server that leads to what nobody looks at,
    what resolvers have of that is lost at the next look at the latest.
    """
    route = route_now(old, observation)
    first = old.route is None and route is not None
    moved = first or moved_to(old.route, route) is not Move.NONE
    ttl, strayed = max(_route_ttls(old, observation), default=None), old.strayed
    if moved or observation.unseen_ends or observation.other_ends - old.ends:
        strayed = ttl or _NOTHING
    return RouteMemory(old.route, ttl, old.old_route_until, strayed)


def _route_ttls(old: OwnerMemory, observation: OwnerObservation) -> list[timedelta]:
    known = (old.route_ttl, observation.route_ttl)
    return [ttl for ttl in known if ttl is not None]


def _route(observation: OwnerObservation) -> OwnerRoute:
    servers = {answer.server for answer in observation.authoritative if answer.server.address}
    return OwnerRoute(
        observation.answer.canonical,
        observation.all_name_servers,
        tuple(sorted(servers)),
        observation.all_parents,
    )


def remember_heard(
    old: OwnerMemory, observation: OwnerObservation, now: datetime
) -> Mapping[str, datetime]:
    """When each server and witness was last heard, those that are none any more left out.

    Without an answer nobody knows the way: then all stay.
    """
    if not observation.authoritative:
        return old.heard
    lost = observation.answer.presence is Presence.UNKNOWN
    known = {str(answer.server) for answer in observation.all_servers}
    kept = {name: min(at, now) for name, at in old.heard.items() if lost or name in known}
    return kept | {str(server): now for server in observation.speaking}


def completed(observations: Observations, memory: Memory) -> Observations:
    """One observation with what is remembered of each owner's servers.

    Those that it had to leave out are there, and owe their word.  So do those that were heard
    before: what they hold, others may still get, whatever their name's other addresses say.  An
    address that never answered serves nobody.
    """
    return {
        name: _completed(one, memory.owners.get(name, OwnerMemory()))
        for name, one in observations.items()
    }


def _completed(observation: OwnerObservation, old: OwnerMemory) -> OwnerObservation:
    if not all(one.heard for one in observation.authoritative):
        observation = observation._replace(
            servers=_fallen_silent(observation.servers, old),
            aliases=tuple(
                alias._replace(servers=_fallen_silent(alias.servers, old))
                for alias in observation.aliases
            ),
        )
    route = old.route
    if route is None or observation.answer.presence is Presence.UNKNOWN:
        return observation
    if route.canonical != observation.answer.canonical:
        return observation
    left_out = tuple(_left_out(observation, route))
    if not left_out:
        return observation
    return observation._replace(
        name_servers=observation.name_servers | {one.server.name for one in left_out},
        servers=observation.servers + left_out,
    )


def _fallen_silent(servers: tuple[ServerAnswer, ...], old: OwnerMemory) -> tuple[ServerAnswer, ...]:
    return tuple(
        answer._replace(outcome=ServerOutcome.FELL_SILENT, detail=_why(answer))
        if not answer.heard and not answer.owed and str(answer.server) in old.heard
        else answer
        for answer in servers
    )


def _why(answer: ServerAnswer) -> str:
    """What came of asking, where that isn't silence."""
    silent = answer.outcome is ServerOutcome.UNREACHABLE
    return answer.detail or ("" if silent else answer.outcome.value)


def _left_out(observation: OwnerObservation, route: OwnerRoute) -> Iterator[ServerAnswer]:
    """Servers of the former route that may still be servers: nobody said that they aren't."""
    failed = observation.all_unresolved
    if not failed:
        return
    zones = sorted(str(one.name) for one in failed if one.rdtype == "NS")
    undelegated = f"the delegation of {', '.join(zones)} could not be read" if zones else ""
    addresses = {(one.name, one.rdtype) for one in failed}
    known = {answer.server for answer in observation.authoritative}
    for server in route.addresses:
        family = "AAAA" if ":" in server.address else "A"
        unresolved = (server.name.dns_name, family) in addresses
        why = f"its {family} records could not be looked up" if unresolved else undelegated
        if why and server not in known:
            yield ServerAnswer(server, ServerOutcome.UNRESOLVED, detail=why)
    for name in route.name_servers - observation.all_name_servers if undelegated else ():
        if all(server.name != name for server in route.addresses):
            yield ServerAnswer(Server(name, ""), ServerOutcome.UNRESOLVED, detail=undelegated)
