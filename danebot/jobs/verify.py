"""Observe a domain or a service from outside: routes, then probes, then the report.

How to look at one is a program without I/O (see `danebot.adapters.loop`): a check drives one of
them, a run over thousands of subjects drives many side by side.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.adapters.dns.queries import Steps, within
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import Routing
from danebot.adapters.loop import Lane, Program, Recent, drive
from danebot.adapters.probe.target import DEFAULT_LIMITS, Limits, Target
from danebot.domain.addresses import Reach
from danebot.domain.delivery.assess import assess_delivery
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import (
    Criteria,
    HostObservation,
    MailSubject,
    Report,
    Route,
    ServiceSubject,
    SrvSubject,
    Subject,
    Trust,
)
from danebot.domain.delivery.routes import SERVICE_PROTOCOLS, Dane, HostRoute
from danebot.domain.dns.tlsa import Usage
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.text import printable
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.ports import Clock
    from danebot.adapters.trace import Trace

MAX_ADDRESSES = 64
"""Addresses asked for one subject: as many as the prober talks to at once."""
_DNS_SHARE = 0.5  # of the time for all of it
_QUERIES = 200  # under way at once
_TRIES = 6  # what silent servers may take of the time for all of it, in one round: a sixth
_ROUNDS = 4  # MX, addresses, and TLSA records at up to two names
_LEAST_TRY = 1.0  # but a second where there is time: a resolver may have a long way to go
_KEPT = 20_000  # replies: some 40 MiB, and half an hour of a run
_RESERVE = 0.05  # of the time, to judge and to print


class Family(enum.Enum):
    """Which addresses are asked."""

    ANY = "any"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Place(NamedTuple):
    """Where to connect instead: an IPv4 or IPv6 literal; ``port`` None is the service's own."""

    address: str
    port: int | None = None


def parse_places(words: Iterable[str]) -> dict[Hostname, tuple[Place, ...]]:
    """Read ``NAME=ADDRESS``, several for one name allowed; `NameSyntaxError` for anything else."""
    found: dict[Hostname, tuple[Place, ...]] = {}
    for word in words:
        name, _, address = word.partition("=")
        try:
            host, literal = Hostname.parse(name), str(ip_address(address))
        except (NameSyntaxError, ValueError) as exc:
            shown = printable(word, 80)
            raise NameSyntaxError(f"{shown!r}: want NAME=ADDRESS with an IP address") from exc
        found[host] = (*found.get(host, ()), Place(literal))
    return found


class Inquiry(NamedTuple):
    """How to look: ``places`` stand in for the addresses of a host, ``helo`` is our own name.

    Every one of ``algorithms`` is asked for at every address that ``reach`` includes.
    """

    resolver: ResolverConfig
    helo: Hostname
    criteria: Criteria = Criteria()
    family: Family = Family.ANY
    algorithms: tuple[Algorithm, ...] = (Algorithm.ANY,)
    places: Mapping[Hostname, tuple[Place, ...]] = MappingProxyType({})
    limits: Limits = DEFAULT_LIMITS
    ca_file: Path | None = None
    reach: Reach = Reach.ANY

    def may_ask(self, target: Target) -> bool:
        """Whether that is within reach."""
        return self.reach is Reach.ANY or self.reach.includes(target.address)


def route_steps(subject: Subject, routing: Routing) -> Steps[Route]:
    """Find the hosts of ``subject``; `NameSyntaxError` for a service that is no label."""
    match subject:
        case MailSubject():
            return routing.mail(subject.domain)
        case ServiceSubject():
            endpoint = subject.endpoint
            return routing.service(endpoint.host, endpoint.port)
        case SrvSubject():
            return routing.srv(subject.domain, subject.service)


def protocol_of(subject: Subject) -> Protocol:
    """How TLS begins at the hosts of ``subject``."""
    match subject:
        case MailSubject():
            return Protocol.SMTP
        case ServiceSubject():
            return subject.endpoint.protocol
        case SrvSubject():
            return SERVICE_PROTOCOLS.get(subject.service, Protocol.TLS)


class HostTargets(NamedTuple):
    """A host of the route, and whom to ask there."""

    route: HostRoute
    protocol: Protocol
    targets: tuple[Target, ...]
    left_out: int
    service: str

    def observed(self, results: Sequence[ProbeResult]) -> HostObservation:
        """What was observed there, by the results of its targets in turn."""
        return HostObservation(
            self.route, self.protocol, tuple(results), self.left_out, self.service
        )


def host_targets(subject: Subject, route: Route, inquiry: Inquiry) -> tuple[HostTargets, ...]:
    """Each host once, with the addresses to ask: those to which DANE binds clients."""
    only = inquiry.criteria.only
    hosts = (route,) if isinstance(route, HostRoute) else route.hosts
    if only is not None:
        hosts = tuple(host for host in hosts if host.host == only)
    protocol = protocol_of(subject)
    serves, service = None, ""
    if isinstance(subject, SrvSubject):
        serves, service = subject.domain, subject.service
    hosts_asked: dict[tuple[Hostname, int], HostTargets] = {}
    budget = MAX_ADDRESSES
    for host in hosts:
        if (host.host, host.port) in hosts_asked:
            continue
        wanted = _targets(host, protocol, serves, inquiry)
        taken = wanted[:budget]
        budget -= len(taken)
        left_out = len(wanted) - len(taken)
        hosts_asked[host.host, host.port] = HostTargets(
            host, protocol, tuple(taken), left_out, service
        )
    return tuple(hosts_asked.values())


def _targets(
    host: HostRoute, protocol: Protocol, serves: Hostname | None, inquiry: Inquiry
) -> list[Target]:
    if host.dane is not Dane.APPLIES:
        return []
    endpoint = Endpoint(host.host, host.port, protocol)
    sni = host.sni if host.sni != host.host else None  # equal targets are asked once in a run
    domain = serves if protocol in (Protocol.XMPP_CLIENT, Protocol.XMPP_SERVER) else None
    return [
        Target(endpoint, place.address, place.port, algorithm, sni, domain)
        for place in _places(host, inquiry)
        for algorithm in inquiry.algorithms
    ]


def _places(host: HostRoute, inquiry: Inquiry) -> tuple[Place, ...]:
    if host.host in inquiry.places:
        return inquiry.places[host.host]
    families = {
        Family.ANY: host.addresses,
        Family.IPV4: host.ipv4.records,
        Family.IPV6: host.ipv6.records,
    }
    return tuple(Place(address) for address in families[inquiry.family])


def _criteria(inquiry: Inquiry, hosts_asked: Iterable[HostTargets]) -> Criteria:
    """Load the trust store, which takes 40 ms, and the authorities where they are asked for."""
    hosts_asked = tuple(hosts_asked)
    criteria = inquiry.criteria
    if any(one.usage == Usage.DANE_TA for host in hosts_asked for one in host.route.records):
        from danebot.adapters.authorities import authorities

        criteria = criteria._replace(authorities=authorities())
    pkix = (Usage.PKIX_TA, Usage.PKIX_EE)
    asked = inquiry.criteria.trust is Trust.PKIX_TOO or any(
        record.usage in pkix
        for host in hosts_asked
        if host.observed(()).profile.pkix_counts
        for record in host.route.records
    )
    if not asked or criteria.trust_anchors is not None:
        return criteria
    from danebot.adapters.probe.trust import trust_anchors

    return criteria._replace(trust_anchors=trust_anchors(inquiry.ca_file))


# ---- one subject, or many -------------------------------------------------------------------


def look(
    subject: Subject, inquiry: Inquiry, clock: Clock, allowed: timedelta | None = None
) -> Program[Report]:
    """Look at one subject, without I/O: questions to name servers, then probes, then the report.

    With ``allowed`` it is over by then, whatever peers do: half of that time is for DNS.
    """
    from danebot.adapters.probe.prober import Probe

    begin = time.monotonic()
    resolver, limits = inquiry.resolver, inquiry.limits
    if allowed is None:
        route = yield from route_steps(subject, Routing(Resolver(resolver)))
    else:
        budget = allowed.total_seconds()
        patience = _patience(budget, len(resolver.nameservers))
        resolver = resolver._replace(timeout=min(resolver.timeout, patience))
        steps = route_steps(subject, Routing(Resolver(resolver)))
        route = yield from within(steps, begin + budget * _DNS_SHARE)
        left = begin + budget * (1 - _RESERVE) - time.monotonic()
        limits = _stretched(limits, timedelta(seconds=max(round(left, 1), 0.1)))
    hosts_asked = host_targets(subject, route, inquiry)
    targets = [target for host in hosts_asked for target in host.targets]
    asked = [target for target in targets if inquiry.may_ask(target)]
    results = yield tuple(Probe(target, inquiry.helo, limits) for target in asked)
    found = dict(zip(asked, results, strict=True))
    return report_on(subject, route, found, inquiry, clock())


def report_on(
    subject: Subject,
    route: Route,
    results: Mapping[Target, ProbeResult],
    inquiry: Inquiry,
    now: datetime,
) -> Report:
    """The report on what was found; a target without a result was not to be asked."""
    hosts_asked = host_targets(subject, route, inquiry)
    observed = [
        host.observed([results.get(target) or _out_of_reach(target) for target in host.targets])
        for host in hosts_asked
    ]
    return assess_delivery(subject, route, observed, _criteria(inquiry, hosts_asked), now)


def _out_of_reach(target: Target) -> ProbeResult:
    return ProbeResult(
        target.endpoint,
        target.address,
        ProbeOutcome.SHORTAGE,
        target.algorithm,
        detail="no address that names may lead to",
    )


def verify_one(
    subject: Subject,
    inquiry: Inquiry,
    clock: Clock,
    allowed: timedelta | None = None,
    *,
    width: int = MAX_ADDRESSES,
    trace: Trace | None = None,
) -> Report:
    """Look at one subject now, within the time ``allowed``.  Trouble is in the report.

    It has at most ``width`` queries and ``width`` connections open.  What is said goes to
    ``trace``.  A place for what is none of the subject's hosts is a finding.
    """
    program = look_at_one(subject, inquiry, clock, allowed)
    (report,) = drive([program], _lanes(width, width, trace))
    return report


def look_at_one(
    subject: Subject, inquiry: Inquiry, clock: Clock, allowed: timedelta | None
) -> Program[Report]:
    """`look`, where a place for what is none of the subject's hosts is a finding."""
    placed = inquiry.criteria._replace(placed=tuple(inquiry.places))
    return look(subject, inquiry._replace(criteria=placed), clock, allowed)


def verify_many(
    subjects: Iterable[Subject],
    inquiry: Inquiry,
    clock: Clock,
    *,
    jobs: int = 50,
    progress: Callable[[], None] = lambda: None,
    trace: Trace | None = None,
) -> Iterator[Report]:
    """Look at ``subjects``, ``jobs`` of them at a time; reports come in the order given.

    No name is looked up twice, no target probed twice, unless that was long ago: the last
    `_KEPT` replies are kept.  ``progress`` is called whenever a subject is done.  What is said goes
    to ``trace``.
    """
    inquiry = inquiry._replace(criteria=_criteria(inquiry, ()))  # once for all of them

    def one(subject: Subject) -> Program[Report]:
        report = yield from look(subject, inquiry, clock)
        progress()
        return report

    lanes = _lanes(jobs, _QUERIES, trace)
    return drive(map(one, subjects), lanes, at_once=jobs, cache=Recent(_KEPT))


def _lanes(connections: int, queries: int, trace: Trace | None) -> dict[type, Lane]:
    from danebot.adapters.dns import exchange
    from danebot.adapters.probe import prober

    asking = exchange.query_lane(queries)
    if trace is None:
        return asking | prober.probe_lane(connections)
    from danebot.adapters.dns.traced import traced_queries
    from danebot.adapters.probe.traced import TracedSession

    traced = {kind: traced_queries(trace, lane) for kind, lane in asking.items()}
    return traced | prober.probe_lane(connections, partial(TracedSession, trace))


def shared_lanes(width: int, each: int) -> dict[type, Lane]:
    """For checks that come and go: ``width`` of each kind in all, ``each`` to one address."""
    from danebot.adapters.dns import exchange
    from danebot.adapters.probe import prober

    probing = {
        kind: lane._replace(group=lambda probe: probe.target.address, each=each)
        for kind, lane in prober.probe_lane(width).items()
    }
    return exchange.query_lane(width) | probing


def _patience(budget: float, nameservers: int) -> timedelta:
    """What one try at one of them may take: lookups that wait for each other are three or four."""
    least = min(_LEAST_TRY, budget * _DNS_SHARE / _ROUNDS / nameservers)
    return timedelta(seconds=max(least, budget / _TRIES / nameservers))


def _stretched(limits: Limits, total: timedelta) -> Limits:
    """All of ``total`` for a slow peer: senders wait minutes for a greeting."""
    return limits._replace(connect=min(limits.connect, total), step=total, total=total)
