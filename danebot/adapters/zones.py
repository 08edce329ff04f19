"""Zones and who serves them: zone cuts, NS sets of apex and delegation, addresses.

Logic without I/O (see `danebot.adapters.steps`).  What comes straight from authoritative servers
is not validated: it may add servers to ask and TTLs to wait for, never take one away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from danebot.adapters.kinds import AAAA, NS, SOA, A
from danebot.adapters.rcodes import Rcode
from danebot.adapters.resolver import Look, Resolver, records
from danebot.adapters.response import CNAME, Response, seconds
from danebot.adapters.rrset import RRsetKey, original_ttl, signatures
from danebot.adapters.steps import Ask, Failure, Query, Reply, Steps, Trouble, ask, each, together
from danebot.adapters.wirename import is_below
from danebot.domain.dns import Presence, Server
from danebot.domain.names import DnsName, Hostname

ROOT = DnsName("")
_ROUNDS = 3  # a zone's servers may name further servers, which may name further ones
_PARENT_WAVE = 4  # one address that answers is enough; ask few at a time
_PARENT_WAVES = 4


class Direct(NamedTuple):
    """How authoritative servers are asked: port, seconds to wait for one try, number of tries."""

    port: int = 53
    timeout: float = 3.0
    attempts: int = 3

    def ask(self, address: str, rdtype: int, name: DnsName) -> Steps[Reply]:
        """Ask one address without recursion, again while it is silent."""
        reply: Reply = Failure(Trouble.TIMEOUT)
        for attempt in range(self.attempts):
            query = Query(
                address, self.port, name.text, rdtype, Ask.ITERATIVE, self.timeout, attempt
            )
            reply = yield from ask(query)
            if not isinstance(reply, Failure) or reply.trouble is not Trouble.TIMEOUT:
                break
        return reply


_DIRECT = Direct()


class ZoneServers(NamedTuple):
    """The authoritative servers of a zone.

    ``names`` is the union of delegation and apex; ``ttl`` the largest of the NS RRsets.
    ``unaddressed`` says of names without any address why.  ``silent`` holds what went wrong at
    addresses that gave no response to the NS question.
    """

    zone: DnsName
    names: frozenset[Hostname] = frozenset()
    ttl: timedelta | None = None
    servers: tuple[Server, ...] = ()
    unaddressed: tuple[tuple[Hostname, str], ...] = ()
    silent: Mapping[str, Failure] = MappingProxyType({})


class _Found:
    """What is known of a zone's name servers so far."""

    def __init__(self) -> None:
        self.names: set[Hostname] = set()
        self.ttls: list[int] = []
        self.glue: dict[Hostname, set[str]] = {}

    def add(self, response: Response, zone: DnsName) -> None:
        """Take in the NS RRset of ``zone`` from either section, with its glue."""
        for section in (response.answer, response.authority):
            rrset = section.get(RRsetKey(zone.text, NS.rdtype))
            if rrset is None:
                continue
            self.ttls.append(original_ttl(section, zone.text, NS.rdtype) or rrset.ttl)
            names, _ = records(NS, section, zone.text)
            self.names.update(names)
            for name in names:
                for kind in (A, AAAA):
                    glue, _ = records(kind, response.additional, name.text)
                    self.glue.setdefault(name, set()).update(glue)


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
        """Nothing is asked yet."""
        self.resolver = resolver
        self.direct = direct

    def zone_of(self, look: Look[Any], rdtype: int) -> Steps[DnsName | None]:
        """The zone that holds the canonical name of an answer; None if it can't be found."""
        canonical = look.answer.canonical
        if look.response is None:
            return None
        zone = zone_in(look.response, canonical.text, rdtype)
        return zone or (yield from self.apex_above(canonical))

    def zones_of(self, look: Look[Any], rdtype: int) -> Steps[tuple[DnsName | None, ...]]:
        """The zones that hold the aliases of an answer in turn, and last its canonical name's."""
        return tuple(
            (
                yield from together(
                    [self._zone_of_alias(look, alias.name) for alias in look.answer.aliases]
                    + [self.zone_of(look, rdtype)]
                )
            )
        )

    def _zone_of_alias(self, look: Look[Any], name: DnsName) -> Steps[DnsName | None]:
        """By the signer of the alias; one that a DNAME made is unsigned (RFC 6672 section 5.3.1).

        The SOA of a negative answer is that of the canonical name's zone.
        """
        signed = signatures(look.response.answer, name.text, CNAME) if look.response else ()
        apexes = [one.signer for one in signed if is_below(name.text, one.signer)]
        return DnsName(apexes[0]) if apexes else (yield from self.apex_above(name))

    def apex_above(self, name: DnsName) -> Steps[DnsName | None]:
        """The apex of the zone that ``name`` is in, by asking for SOA there and upwards."""
        while True:
            look = yield from self.resolver.look(SOA, name)
            if look.response is None or look.answer.presence is Presence.UNKNOWN:
                return None
            if look.answer.canonical == name:
                if look.answer.presence is Presence.PRESENT:
                    return name
                zone = zone_in(look.response, name.text, SOA.rdtype)
                if zone is not None:
                    return zone
            if name == ROOT:
                return None
            name = parent_of(name)

    def servers_of(self, zone: DnsName) -> Steps[ZoneServers]:
        """Every authoritative server, by the delegation and by the apex together."""
        found = _Found()
        yield from together([self._apex(zone, found), self._delegation(zone, found)])
        addresses: dict[Hostname, set[str]] = {}
        words: dict[Hostname, str] = {}
        silent: dict[str, Failure] = {}
        for _ in range(_ROUNDS):
            new = found.names - addresses.keys()
            if not new:
                break
            resolved = yield from each({name: self._addresses(name) for name in new})
            for name, (own, why) in resolved.items():
                addresses[name] = own or found.glue.get(name, set())
                words[name] = why
            todo = {address for name in new for address in addresses[name]}
            replies = yield from each(
                {address: self.direct.ask(address, NS.rdtype, zone) for address in sorted(todo)}
            )
            for address, reply in replies.items():
                if isinstance(reply, Failure):
                    silent[address] = reply
                elif reply.authoritative:
                    found.add(reply, zone)
        return ZoneServers(
            zone=zone,
            names=frozenset(found.names),
            ttl=seconds(max(found.ttls, default=None)),
            servers=tuple(sorted(Server(n, a) for n, own in addresses.items() for a in own)),
            unaddressed=tuple(
                (name, words.get(name, "not looked up"))
                for name in sorted(found.names)
                if not addresses.get(name)
            ),
            silent=silent,
        )

    def _apex(self, zone: DnsName, found: _Found) -> Steps[None]:
        """The NS set that the zone itself has, through the resolver."""
        look = yield from self.resolver.look(NS, zone)
        if look.response is not None and look.answer.canonical == zone:
            found.add(look.response, zone)

    def _delegation(self, zone: DnsName, found: _Found) -> Steps[None]:
        """The NS set that the parent zone has for the child (RFC 1034 section 4.2.1).

        A server that holds both zones answers from the child, which is as good.  If the parent
        can't be asked, the apex alone counts.
        """
        if zone == ROOT:
            return
        parent = yield from self.apex_above(parent_of(zone))
        if parent is None:
            return
        names = (yield from self.resolver.lookup(NS, parent)).records
        resolved = yield from together([self._addresses(name) for name in names])
        todo = sorted({address for own, _ in resolved for address in own})
        for wave in range(_PARENT_WAVES):
            part = todo[wave * _PARENT_WAVE : (wave + 1) * _PARENT_WAVE]
            replies = yield from together(
                [self.direct.ask(address, NS.rdtype, zone) for address in part]
            )
            useful = [
                reply
                for reply in replies
                if isinstance(reply, Response)
                and reply.rcode == Rcode.NOERROR
                and any(
                    RRsetKey(zone.text, NS.rdtype) in s for s in (reply.answer, reply.authority)
                )
            ]
            for reply in useful:
                found.add(reply, zone)
            if useful or not part:
                return

    def _addresses(self, name: Hostname) -> Steps[tuple[set[str], str]]:
        """A and AAAA of a name server, and words for why there is none."""
        own = name.dns_name
        a, aaaa = yield from together(
            [self.resolver.lookup(A, own), self.resolver.lookup(AAAA, own)]
        )
        words = "; ".join(
            f"{kind.word}: {answer.detail or answer.presence.value}"
            for kind, answer in ((A, a), (AAAA, aaaa))
        )
        return {*a.records, *aaaa.records}, words
