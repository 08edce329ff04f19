"""TLSA owners seen from everywhere: the validating resolver and every authoritative server.

Logic without I/O (see `danebot.adapters.dns.queries`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from danebot.adapters.dns.denial import denial_ttl, denies, negative_ttl
from danebot.adapters.dns.queries import QueryFailure, Reply, Steps, Trouble, each, together
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import CNAME, SOA, TLSA
from danebot.adapters.dns.resolver import Resolution, records
from danebot.adapters.dns.response import synthesised
from danebot.adapters.dns.zones import Zones, ZoneServers
from danebot.domain.addresses import SocketAddress
from danebot.domain.dns.answers import (
    Alias,
    AliasObservation,
    Cause,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    TlsaAnswer,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName


class Observer:
    """Looks at TLSA owners; what several have in common is asked once.

    ``witnesses`` see what the world sees.
    """

    def __init__(self, zones: Zones, witnesses: Sequence[SocketAddress] = ()) -> None:
        self.zones = zones
        self.witnesses = witnesses

    def observe(self, owners: Iterable[DnsName]) -> Steps[dict[DnsName, OwnerObservation]]:
        """Look at each owner; trouble is in the values."""
        resolutions = yield from each(
            {owner: self.zones.resolver.resolve(TLSA, owner) for owner in dict.fromkeys(owners)}
        )
        zones = yield from each(
            {
                owner: self.zones.zones_of(resolution, TLSA.rdtype)
                for owner, resolution in resolutions.items()
            }
        )
        distinct = {zone for way in zones.values() for zone in way if zone is not None}
        serving = yield from each({z: self.zones.servers_of(z) for z in sorted(distinct)})
        seen = yield from each(
            {
                owner: self._at_servers(
                    resolution, [serving[zone] for zone in zones[owner] if zone is not None]
                )
                for owner, resolution in resolutions.items()
            }
        )
        if not self.witnesses:
            return seen
        from danebot.adapters.dns.witnesses import ask_witnesses

        said = yield from each(
            {
                owner: ask_witnesses(self.witnesses, self.zones.direct, resolution.answer)
                for owner, resolution in resolutions.items()
            }
        )
        return {owner: one._replace(witnesses=said[owner]) for owner, one in seen.items()}

    def _at_servers(
        self, resolution: Resolution[TlsaRecord], way: Sequence[ZoneServers]
    ) -> Steps[OwnerObservation]:
        """Ask every address of the zones' servers for the aliases and for the canonical name.

        ``way`` is incomplete where a zone couldn't be found: then no server's word would be enough.
        """
        answer = resolution.answer
        if len(way) != len(answer.aliases) + 1:
            return OwnerObservation(answer.name, answer)
        last = way[-1]
        answer, trust = yield from self._judged(answer, last.zone)
        servers, *aliases = yield from together(
            [self._ask_all(last, answer.canonical)]
            + [
                self._ask_all(zone, alias.name, alias)
                for alias, zone in zip(answer.aliases, way, strict=False)
            ]
        )
        seen = OwnerObservation(
            owner=answer.name,
            answer=answer,
            zone=last.zone,
            name_servers=last.names,
            ns_ttl=last.ttl,
            servers=servers,
            aliases=tuple(
                AliasObservation(
                    alias,
                    zone.zone,
                    zone.names,
                    zone.ttl,
                    said,
                    zone.address_ttl,
                    zone.unresolved,
                    trust.get(alias.name),
                    zone.parents,
                )
                for alias, zone, said in zip(answer.aliases, way, aliases, strict=False)
            ),
            address_ttl=last.address_ttl,
            unresolved=last.unresolved,
            parents=last.parents,
        )
        if not seen.unproven or resolution.nameserver is None:
            return seen
        unsigned = yield from self.zones.resolver.knows_unsigned(
            resolution.nameserver, dict.fromkeys(zone.zone for zone in way)
        )
        cause = Cause.UNSIGNED if unsigned else None
        return seen._replace(answer=answer._replace(cause=cause))

    def _judged(
        self, answer: TlsaAnswer, zone: DnsName
    ) -> Steps[tuple[TlsaAnswer, dict[DnsName, Security]]]:
        """The answer with words for an insecure denial, and aliases by their own answers.

        Under opt-out a resolver must not call the denial authentic (RFC 5155 section 9.2), nor then
        the answer as a whole, however secure the aliases before it are.
        """
        if answer.security is not Security.INSECURE or answer.cause is not None:
            return answer, {}
        if answer.presence is Presence.PRESENT:
            return answer, {}
        resolver = self.zones.resolver
        apex = yield from resolver.lookup(SOA, zone)
        own = yield from each(
            {alias.name: resolver.lookup(CNAME, alias.name) for alias in answer.aliases}
        )
        if apex.secure and apex.canonical == zone:
            words = f"absence can't be proven under NSEC3 opt-out in {zone}"
            detail = "; ".join(filter(None, [answer.detail, words]))
            answer = answer._replace(detail=detail, cause=Cause.OPT_OUT)
        return answer, {name: said.security for name, said in own.items()}

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
    if isinstance(reply, QueryFailure):
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
    ttl = reply.ttl(chain.canonical, TLSA.rdtype)
    unseen = bool(chain.links) and ttl is None and not denies(reply, chain.canonical)
    way = sum(link.ttl for link in chain.links)  # one after another: at its end it is asked anew
    return ServerAnswer(
        server=server,
        outcome=ServerOutcome.ANSWERED,
        records=found,
        ttl=None if ttl is None else timedelta(seconds=way + ttl),
        negative_ttl=negative_ttl(reply, chain.links) if ttl is None else denial_ttl(reply),
        detail="; ".join([*alias, *rejects]),
        wildcard=synthesised(reply.answer, chain.canonical, TLSA.rdtype),
        signed_since=reply.latest_inception(),
        elsewhere=DnsName(chain.canonical) if unseen else None,
        end=DnsName(chain.canonical) if chain.links or expected is not None else None,
    )
