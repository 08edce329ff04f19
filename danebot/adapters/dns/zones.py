"""Zones and who serves them: zone cuts, NS sets of apex and delegation, addresses.

Logic without I/O (see `danebot.adapters.dns.queries`).  What comes straight from authoritative
servers is not validated: it may add servers to ask and TTLs to wait for, never take one away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from danebot.adapters.dns.queries import (
    Ask,
    Query,
    QueryFailure,
    Reply,
    Steps,
    Trouble,
    each,
    together,
)
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import AAAA, NS, SOA, A, RecordKind
from danebot.adapters.dns.resolver import Resolution, Resolver, records
from danebot.adapters.dns.response import (
    CNAME,
    Response,
    RRsetKey,
    Section,
    original_ttl,
    seconds,
    signatures,
)
from danebot.adapters.dns.wire_names import is_below
from danebot.domain.dns.answers import Answer, Presence, Server, Unresolved
from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple

ROOT = DnsName("")
_ROUNDS = 3  # a zone's servers may name further servers, which may name further ones
_WAVE = 4  # for a TTL one address that answers is enough; ask few at a time
_WAVES = 4


class Direct(NamedTuple):
    """How authoritative servers are asked: port, seconds to wait for one try, number of tries."""

    port: int = 53
    timeout: float = 3.0
    attempts: int = 3

    def ask(
        self, address: str, rdtype: int, name: DnsName, how: Ask = Ask.ITERATIVE
    ) -> Steps[Reply]:
        """Ask one address, without recursion unless told, again while it is silent."""
        reply: Reply = QueryFailure(Trouble.TIMEOUT)
        for attempt in range(self.attempts):
            query = Query(address, self.port, name.text, rdtype, how, self.timeout, attempt)
            (reply,) = yield (query,)
            if not isinstance(reply, QueryFailure) or reply.trouble is not Trouble.TIMEOUT:
                break
        return reply


_DIRECT = Direct()


class ZoneServers(NamedTuple):
    """The authoritative servers of a zone.

    ``names`` is the union of delegation and apex; ``ttl`` the largest of the NS RRsets,
    ``address_ttl`` of the addresses' and the glue's.  ``servers`` has each name with each address
    that the parent's glue, the resolver or the servers themselves give for it.  ``unaddressed``
    says of names without any address why.  ``silent`` holds what went wrong at addresses that gave
    no response to the NS question, ``unresolved`` what could not be found out.  ``parents`` are the
    parent zone's servers, sorted; None where they could not all be found.
    """

    zone: DnsName
    names: frozenset[Hostname] = frozenset()
    ttl: timedelta | None = None
    servers: tuple[Server, ...] = ()
    unaddressed: tuple[tuple[Hostname, str], ...] = ()
    silent: Mapping[str, QueryFailure] = MappingProxyType({})
    address_ttl: timedelta | None = None
    unresolved: frozenset[Unresolved] = frozenset()
    parents: tuple[Server, ...] | None = None


class _Host(NamedTuple):
    """What the resolver says of a name server: addresses, their TTLs, what it gave no answer to.

    ``words`` say why there is no address.
    """

    addresses: frozenset[str]
    ttls: tuple[timedelta, ...]
    unresolved: tuple[Unresolved, ...]
    words: str


class _Found:
    """What is known of a zone's name servers so far."""

    def __init__(self) -> None:
        self.names: set[Hostname] = set()
        self.ttls: list[int] = []
        self.addresses: dict[Hostname, set[str]] = {}
        self.address_ttls: list[timedelta] = []
        self.unresolved: set[Unresolved] = set()
        self.words: dict[Hostname, str] = {}
        self.parents: tuple[Server, ...] | None = None

    def add(self, response: Response, zone: DnsName) -> None:
        """Take in the NS RRset of ``zone`` from either section, with the addresses beside it."""
        for section in (response.answer, response.authority):
            rrset = section.get(RRsetKey(zone.text, NS.rdtype))
            if rrset is None:
                continue
            self.ttls.append(original_ttl(section, zone.text, NS.rdtype) or rrset.ttl)
            names, _ = records(NS, section, zone.text)
            self.names.update(names)
            for name in names:
                self._add_addresses(response.additional, name)

    def _add_addresses(self, section: Section, name: Hostname) -> None:
        for kind in (A, AAAA):
            rrset = section.get(RRsetKey(name.text, kind.rdtype))
            if rrset is not None:
                found, _ = records(kind, section, name.text)
                self.addresses.setdefault(name, set()).update(found)
                ttl = original_ttl(section, name.text, kind.rdtype) or rrset.ttl
                self.address_ttls.append(timedelta(seconds=ttl))

    def take(self, name: Hostname, host: _Host) -> None:
        """Take in what the resolver says of one of the names."""
        self.addresses.setdefault(name, set()).update(host.addresses)
        self.address_ttls.extend(host.ttls)
        self.unresolved.update(host.unresolved)
        self.words[name] = host.words

    def at(self, names: Iterable[Hostname]) -> set[str]:
        """All addresses of some of the names."""
        return {address for name in names for address in self.addresses.get(name, ())}


def parent_of(name: DnsName) -> DnsName:
    """The name without its first label; the root's is the root."""
    return DnsName(name.text.partition(".")[2])


def zone_in(response: Response, name: str, rdtype: int) -> DnsName | None:
    """The zone of ``name``, as far as a response of the resolver shows it.

    By the signer of the RRset (RFC 4035 section 2.2: the zone's apex), or the SOA that comes with
    a negative answer (RFC 2308 section 3).
    """
    signers = [signature.signer for signature in signatures(response.answer, name, rdtype)]
    owners = [key.name for key in response.authority if key.rdtype == SOA.rdtype]
    apexes = [apex for apex in signers or owners if is_below(name, apex)]
    return DnsName(apexes[0]) if apexes else None


class Zones:
    """Finds zones through a validating resolver, and their servers by asking these too."""

    def __init__(self, resolver: Resolver, direct: Direct = _DIRECT) -> None:
        self.resolver = resolver
        self.direct = direct

    def zone_of(self, resolution: Resolution[Any], rdtype: int) -> Steps[DnsName | None]:
        """The zone that holds the canonical name of an answer; None if it can't be found."""
        canonical = resolution.answer.canonical
        if resolution.response is None:
            return None
        zone = zone_in(resolution.response, canonical.text, rdtype)
        return zone or (yield from self.apex_above(canonical))

    def zones_of(
        self, resolution: Resolution[Any], rdtype: int
    ) -> Steps[tuple[DnsName | None, ...]]:
        """The zones that hold the aliases of an answer in turn, and last its canonical name's."""
        return tuple(
            (
                yield from together(
                    [
                        self._zone_of_alias(resolution, alias.name)
                        for alias in resolution.answer.aliases
                    ]
                    + [self.zone_of(resolution, rdtype)]
                )
            )
        )

    def _zone_of_alias(self, resolution: Resolution[Any], name: DnsName) -> Steps[DnsName | None]:
        """By the signer of the alias; one that a DNAME made is unsigned (RFC 6672 section 5.3.1).

        The SOA of a negative answer is that of the canonical name's zone.
        """
        signed = (
            signatures(resolution.response.answer, name.text, CNAME) if resolution.response else ()
        )
        apexes = [one.signer for one in signed if is_below(name.text, one.signer)]
        return DnsName(apexes[0]) if apexes else (yield from self.apex_above(name))

    def apex_above(self, name: DnsName) -> Steps[DnsName | None]:
        """The apex of the zone that ``name`` is in, by asking for SOA there and upwards."""
        while True:
            resolution = yield from self.resolver.resolve(SOA, name)
            if resolution.response is None or resolution.answer.presence is Presence.UNKNOWN:
                return None
            if resolution.answer.canonical == name:
                if resolution.answer.presence is Presence.PRESENT:
                    return name
                zone = zone_in(resolution.response, name.text, SOA.rdtype)
                if zone is not None:
                    return zone
            if name == ROOT:
                return None
            name = parent_of(name)

    def servers_of(self, zone: DnsName) -> Steps[ZoneServers]:
        """Every authoritative server, by the delegation and by the apex together.

        Resolvers start from glue, stale or not; so its addresses are asked beside those that the
        resolver knows, and so are those that the servers give of each other.
        """
        found = _Found()
        told, _ = yield from together([self._apex(zone, found), self._delegation(zone, found)])
        replies: dict[str, Reply] = {}
        for _ in range(_ROUNDS):
            new = found.names - found.words.keys()
            resolved = yield from each({name: self._host(name) for name in sorted(new)})
            for name, host in resolved.items():
                found.take(name, host)
            todo = found.at(found.names) - replies.keys()
            if not todo:
                break
            fresh = yield from each(
                {address: self.direct.ask(address, NS.rdtype, zone) for address in sorted(todo)}
            )
            replies |= fresh
            for reply in fresh.values():
                if isinstance(reply, Response) and reply.authoritative:
                    found.add(reply, zone)
                    told = True
        if not told:
            found.unresolved.add(Unresolved(zone, NS.word))
        return _zone_servers(zone, found, replies)

    def _apex(self, zone: DnsName, found: _Found) -> Steps[bool]:
        """The NS set that the zone itself has, through the resolver; whether that was told."""
        resolution = yield from self.resolver.resolve(NS, zone)
        if resolution.response is not None and resolution.answer.canonical == zone:
            found.add(resolution.response, zone)
        return resolution.answer.presence is not Presence.UNKNOWN

    def _delegation(self, zone: DnsName, found: _Found) -> Steps[bool]:
        """The NS set that the parent zone has for the child; whether that was told.

        RFC 1034 section 4.2.1.  A server that holds both zones answers from the child, which is as
        good.  Every address of the parent's servers is asked: one that lags leads resolvers to
        where the zone was.  If none can be asked, the apex alone counts, and what was known of the
        delegation stays.
        """
        if zone == ROOT:
            found.parents = ()
            return True
        parent = yield from self.apex_above(parent_of(zone))
        servers = yield from self._servers_by_resolver(parent)
        replies = yield from self._referrals(servers or (), zone)
        for reply in replies:
            found.add(reply, zone)
        if not replies:
            found.unresolved.add(Unresolved(zone, NS.word))
        complete = servers is not None and all(server.address for server in servers)
        found.parents = servers if complete else None
        return bool(replies)

    def _servers_by_resolver(self, zone: DnsName | None) -> Steps[tuple[Server, ...] | None]:
        """A zone's servers as the resolver knows them, sorted; None where it can't tell of any.

        A name of which it doesn't say all has an entry with the address "".
        """
        if zone is None:
            return None
        hosts = yield from self.resolver.lookup(NS, zone)
        if hosts.presence is Presence.UNKNOWN:
            return None
        resolved = yield from together([self._addresses(host.dns_name) for host in hosts.records])
        found = set()
        for host, answers in zip(hosts.records, resolved, strict=True):
            found |= {Server(host, a) for answer in answers for a in answer.records}
            if any(answer.presence is Presence.UNKNOWN for answer in answers):
                found.add(Server(host, ""))
        return tuple(sorted(found))

    def _referrals(self, servers: Sequence[Server], zone: DnsName) -> Steps[list[Response]]:
        """What each address says of the delegation; again those of names that said nothing."""
        key = RRsetKey(zone.text, NS.rdtype)
        found: dict[str, Response] = {}
        heard: set[Hostname] = set()
        for direct in (self.direct._replace(attempts=1), self.direct):
            todo = {s.address for s in servers if s.address and s.name not in heard}
            replies = yield from each({a: direct.ask(a, NS.rdtype, zone) for a in sorted(todo)})
            found |= {
                address: reply
                for address, reply in replies.items()
                if isinstance(reply, Response) and _refers(reply, key)
            }
            heard = {server.name for server in servers if server.address in found}
        return list(found.values())

    def _ask_some(self, zone: DnsName, rdtype: int, name: DnsName) -> Steps[list[Response]]:
        """Ask a few of a zone's servers at a time, until some have the RRset itself."""
        servers = yield from self._servers_by_resolver(zone)
        todo = sorted({server.address for server in servers or () if server.address})
        key = RRsetKey(name.text, rdtype)
        for wave in range(_WAVES):
            part = todo[wave * _WAVE : (wave + 1) * _WAVE]
            replies = yield from together([self.direct.ask(a, rdtype, name) for a in part])
            known = [reply for reply in replies if isinstance(reply, Response)]
            found = [reply for reply in known if reply.authoritative and key in reply.answer]
            if found:
                return found
        return []

    def _addresses(self, name: DnsName) -> Steps[tuple[Answer[str], Answer[str]]]:
        a, aaaa = yield from together(
            [self.resolver.lookup(A, name), self.resolver.lookup(AAAA, name)]
        )
        return a, aaaa

    def _host(self, name: Hostname) -> Steps[_Host]:
        """A and AAAA of a name server."""
        own = name.dns_name
        kinds = (A, AAAA)
        resolutions = yield from together([self.resolver.resolve(kind, own) for kind in kinds])
        ttls = yield from together(
            [
                self._ttl(kind, resolution)
                for kind, resolution in zip(kinds, resolutions, strict=True)
            ]
        )
        answers = [resolution.answer for resolution in resolutions]
        both = list(zip(kinds, answers, strict=True))
        return _Host(
            addresses=frozenset(address for answer in answers for address in answer.records),
            ttls=tuple(ttl for ttl in ttls if ttl is not None),
            unresolved=tuple(
                Unresolved(own, kind.word)
                for kind, answer in both
                if answer.presence is Presence.UNKNOWN
            ),
            words="; ".join(
                f"{kind.word}: {answer.detail or answer.presence.value}" for kind, answer in both
            ),
        )

    def _ttl(self, kind: RecordKind[str], resolution: Resolution[str]) -> Steps[timedelta | None]:
        """The TTL of a name server's addresses, as the servers of its zone give it.

        The resolver's is what is left in its cache, unless a signature has the original one.
        """
        name, ttl = resolution.answer.canonical, resolution.answer.ttl
        if ttl is None or resolution.response is None:
            return ttl
        if original_ttl(resolution.response.answer, name.text, kind.rdtype) is not None:
            return ttl
        zone = yield from self.apex_above(name)
        if zone is None:
            return ttl
        replies = yield from self._ask_some(zone, kind.rdtype, name)
        served = [reply.ttl(name.text, kind.rdtype) or 0 for reply in replies]
        return max([ttl, *(timedelta(seconds=one) for one in served)])


def _refers(reply: Response, key: RRsetKey) -> bool:
    """Whether a reply has the NS set of a zone, as a referral or otherwise."""
    return reply.rcode == Rcode.NOERROR and (key in reply.answer or key in reply.authority)


def _zone_servers(zone: DnsName, found: _Found, replies: Mapping[str, Reply]) -> ZoneServers:
    pairs = ((name, found.addresses.get(name, ())) for name in sorted(found.names))
    return ZoneServers(
        zone=zone,
        names=frozenset(found.names),
        ttl=seconds(max(found.ttls, default=None)),
        servers=tuple(sorted(Server(name, a) for name, addresses in pairs for a in addresses)),
        unaddressed=tuple(
            (name, found.words.get(name, "not looked up"))
            for name in sorted(found.names)
            if not found.addresses.get(name)
        ),
        silent={a: reply for a, reply in replies.items() if isinstance(reply, QueryFailure)},
        address_ttl=max(found.address_ttls, default=None),
        unresolved=frozenset(found.unresolved),
        parents=found.parents,
    )
