"""TLSA owners seen from everywhere: the validating resolver and every authoritative server.

Logic without I/O (see `danebot.adapters.steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from danebot.adapters.kinds import SOA, TLSA
from danebot.adapters.rcodes import Rcode
from danebot.adapters.resolver import Look, Resolver, records
from danebot.adapters.response import Link, Response, seconds
from danebot.adapters.rrset import original_ttl
from danebot.adapters.steps import Failure, Reply, Steps, Trouble, each
from danebot.adapters.zones import Direct, Zones, ZoneServers
from danebot.domain.dns import OwnerObservation, Server, ServerAnswer, ServerOutcome
from danebot.domain.names import DnsName
from danebot.domain.tlsa import TlsaRecord

_NSEC, _NSEC3 = 47, 50


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks at TLSA owners; what several have in common is asked once."""

    zones: Zones

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
            {owner: self.zones.zone_of(look, TLSA.rdtype) for owner, look in looks.items()}
        )
        distinct = {zone for zone in zones.values() if zone is not None}
        serving = yield from each({z: self.zones.servers_of(z) for z in sorted(distinct)})
        return (
            yield from each(
                {
                    owner: self._at_servers(owner, look, _served(zones[owner], serving))
                    for owner, look in looks.items()
                }
            )
        )

    def _at_servers(
        self, owner: DnsName, look: Look[TlsaRecord], serving: ZoneServers | None
    ) -> Steps[OwnerObservation]:
        """Ask every address of the zone's servers for the canonical name."""
        if serving is None:
            return OwnerObservation(owner, look.answer)
        name = look.answer.canonical
        addresses = {server.address for server in serving.servers} - serving.silent.keys()
        replies = yield from each(
            {a: self.zones.direct.ask(a, TLSA.rdtype, name) for a in sorted(addresses)}
        )
        return OwnerObservation(
            owner=owner,
            answer=look.answer,
            zone=serving.zone,
            name_servers=serving.names,
            ns_ttl=serving.ttl,
            servers=tuple(_answers(serving, replies, name)),
        )


def _served(zone: DnsName | None, serving: dict[DnsName, ZoneServers]) -> ZoneServers | None:
    return None if zone is None else serving[zone]


def _answers(
    serving: ZoneServers, replies: dict[str, Reply], name: DnsName
) -> Sequence[ServerAnswer]:
    known: dict[str, Reply] = {**serving.silent, **replies}
    asked = [server_answer(server, known[server.address], name) for server in serving.servers]
    return asked + [
        ServerAnswer(Server(host, ""), ServerOutcome.UNREACHABLE, detail=f"no address: {why}")
        for host, why in serving.unaddressed
    ]


def server_answer(server: Server, reply: Reply, name: DnsName) -> ServerAnswer:
    """What one server's reply to the question for TLSA at ``name`` says."""
    if isinstance(reply, Failure):
        lacks_route = reply.trouble is Trouble.NO_ROUTE
        outcome = ServerOutcome.NO_ROUTE if lacks_route else ServerOutcome.UNREACHABLE
        return ServerAnswer(server, outcome, detail=str(reply))
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) or not reply.authoritative:
        words = reply.words if reply.rcode else "answer without AA"
        return ServerAnswer(server, ServerOutcome.LAME, detail=words)
    chain = reply.chain(name.text, TLSA.rdtype)
    found, rejects = records(TLSA, reply.answer, chain.canonical)
    alias = [f"alias of {chain.canonical}"] if chain.links else []
    ttl = reply.ttl(chain.canonical, TLSA.rdtype)
    return ServerAnswer(
        server=server,
        outcome=ServerOutcome.ANSWERED,
        records=found,
        ttl=seconds(ttl),
        negative_ttl=negative_ttl(reply, chain.links) if ttl is None else None,
        detail="; ".join([*alias, *rejects]),
    )


def negative_ttl(response: Response, aliases: Sequence[Link] = ()) -> timedelta | None:
    """How long the absence in a negative response may be cached.

    SOA MINIMUM (RFC 2308 section 5), or the TTL of the NSEC and NSEC3 records served where that is
    larger (RFC 8198 section 5.4, RFC 9077), or of an alias on the way.  None if the response has
    none of these.
    """
    ttls = [link.ttl for link in aliases]
    for key, rrset in response.authority.items():
        if key.rdtype == SOA.rdtype:
            found, _ = records(SOA, response.authority, key.name)
            ttls += [int(soa.minimum.total_seconds()) for soa in found]
        elif key.rdtype in (_NSEC, _NSEC3):
            ttls += [rrset.ttl, original_ttl(response.authority, key.name, key.rdtype) or 0]
    return seconds(max(ttls, default=None))
