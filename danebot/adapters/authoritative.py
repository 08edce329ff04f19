"""TLSA owners seen from everywhere: the validating resolver and every authoritative server.

Logic without I/O (see `danebot.adapters.steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from danebot.adapters.kinds import SOA, TLSA
from danebot.adapters.rcodes import Rcode
from danebot.adapters.resolver import Look, Resolver, records
from danebot.adapters.response import Link, Response, seconds
from danebot.adapters.rrset import from_wildcard, original_ttl
from danebot.adapters.steps import Failure, Reply, Steps, Trouble, each, together
from danebot.adapters.zones import Direct, Zones, ZoneServers
from danebot.domain.dns import (
    Alias,
    AliasObservation,
    OwnerObservation,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.names import DnsName
from danebot.domain.tlsa import TlsaRecord

_NSEC, _NSEC3 = 47, 50


class Observer:
    """Looks at TLSA owners; what several have in common is asked once."""

    def __init__(self, zones: Zones) -> None:
        """Nothing is asked yet."""
        self.zones = zones

    @classmethod
    def of(cls, resolver: Resolver, direct: Direct | None = None) -> Observer:
        """An observer that finds zones through ``resolver``."""
        return cls(Zones(resolver, direct or Direct()))

    def observe(self, owners: Iterable[DnsName]) -> Steps[dict[DnsName, OwnerObservation]]:
        """Look at each owner; trouble is in the values."""
        looks = yield from each(
            {owner: self.zones.resolver.look(TLSA, owner) for owner in dict.fromkeys(owners)}
        )
        zones = yield from each(
            {owner: self.zones.zones_of(look, TLSA.rdtype) for owner, look in looks.items()}
        )
        distinct = {zone for way in zones.values() for zone in way if zone is not None}
        serving = yield from each({z: self.zones.servers_of(z) for z in sorted(distinct)})
        return (
            yield from each(
                {
                    owner: self._at_servers(
                        look, [serving[zone] for zone in zones[owner] if zone is not None]
                    )
                    for owner, look in looks.items()
                }
            )
        )

    def _at_servers(
        self, look: Look[TlsaRecord], way: Sequence[ZoneServers]
    ) -> Steps[OwnerObservation]:
        """Ask every address of the zones' servers for the aliases and for the canonical name.

        ``way`` is incomplete where a zone couldn't be found: then no server's word would be enough.
        """
        answer = look.answer
        if len(way) != len(answer.aliases) + 1:
            return OwnerObservation(answer.name, answer)
        last = way[-1]
        servers, *aliases = yield from together(
            [self._ask_all(last, answer.canonical)]
            + [
                self._ask_all(zone, alias.name, alias)
                for alias, zone in zip(answer.aliases, way, strict=False)
            ]
        )
        return OwnerObservation(
            owner=answer.name,
            answer=answer,
            zone=last.zone,
            name_servers=last.names,
            ns_ttl=last.ttl,
            servers=servers,
            aliases=tuple(
                AliasObservation(
                    alias, zone.zone, zone.names, zone.ttl, said, zone.address_ttl, zone.unresolved
                )
                for alias, zone, said in zip(answer.aliases, way, aliases, strict=False)
            ),
            address_ttl=last.address_ttl,
            unresolved=last.unresolved,
        )

    def _ask_all(
        self, serving: ZoneServers, name: DnsName, alias: Alias | None = None
    ) -> Steps[tuple[ServerAnswer, ...]]:
        """What every address of a zone's servers has at ``name``."""
        addresses = {server.address for server in serving.servers} - serving.silent.keys()
        replies = yield from each(
            {a: self.zones.direct.ask(a, TLSA.rdtype, name) for a in sorted(addresses)}
        )
        known: dict[str, Reply] = {**serving.silent, **replies}
        asked = [server_answer(one, known[one.address], name, alias) for one in serving.servers]
        unaddressed = [
            ServerAnswer(Server(host, ""), ServerOutcome.UNREACHABLE, detail=f"no address: {why}")
            for host, why in serving.unaddressed
        ]
        return (*asked, *unaddressed)


def server_answer(
    server: Server, reply: Reply, name: DnsName, expected: Alias | None = None
) -> ServerAnswer:
    """What one server's reply to the question for TLSA at ``name`` says.

    Where ``name`` is an alias, ``expected`` is what the resolver knows it as.
    """
    if isinstance(reply, Failure):
        lacks_route = reply.trouble is Trouble.NO_ROUTE
        outcome = ServerOutcome.NO_ROUTE if lacks_route else ServerOutcome.UNREACHABLE
        return ServerAnswer(server, outcome, detail=str(reply))
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) or not reply.authoritative:
        words = reply.words if reply.rcode else "answer without AA"
        return ServerAnswer(server, ServerOutcome.LAME, detail=words)
    chain = reply.chain(name.text, TLSA.rdtype)
    if expected is not None and chain.links and chain.links[0].target == expected.target.text:
        return ServerAnswer(server, ServerOutcome.LEADS_ON, negative_ttl=denial_ttl(reply))
    found, rejects = records(TLSA, reply.answer, chain.canonical)
    alias = [f"alias of {chain.canonical}"] if chain.links else []
    if expected is not None and not alias:
        alias = [f"no alias of {expected.target}"]
    ttls = [ttl] if (ttl := reply.ttl(chain.canonical, TLSA.rdtype)) is not None else []
    if ttls and expected is not None:
        ttls += [link.ttl for link in chain.links]
    return ServerAnswer(
        server=server,
        outcome=ServerOutcome.ANSWERED,
        records=found,
        ttl=seconds(max(ttls, default=None)),
        negative_ttl=denial_ttl(reply) if ttls else negative_ttl(reply, chain.links),
        detail="; ".join([*alias, *rejects]),
        wildcard=from_wildcard(reply.answer, chain.canonical, TLSA.rdtype),
    )


def negative_ttl(response: Response, aliases: Sequence[Link] = ()) -> timedelta | None:
    """How long the absence in a negative response may be cached.

    SOA MINIMUM (RFC 2308 section 5), or the TTL of the NSEC and NSEC3 records served where that is
    larger (RFC 8198 section 5.4, RFC 9077), or of an alias on the way.  None if the response has
    none of these.
    """
    minima = [
        soa.minimum
        for key in response.authority
        for soa in records(SOA, response.authority, key.name)[0]
    ]
    ways = [timedelta(seconds=link.ttl) for link in aliases]
    denial = denial_ttl(response)
    return max([*minima, *ways, *([] if denial is None else [denial])], default=None)


def denial_ttl(response: Response) -> timedelta | None:
    """The largest TTL of the NSEC and NSEC3 records in a response; None if there are none.

    In a positive one they say that the name itself isn't there, and a wildcard stands in for it: as
    long as that is cached, so may the answer be made anew (RFC 8198 section 5.3).
    """
    ttls = [
        max(rrset.ttl, original_ttl(response.authority, key.name, key.rdtype) or 0)
        for key, rrset in response.authority.items()
        if key.rdtype in (_NSEC, _NSEC3)
    ]
    return seconds(max(ttls, default=None))
