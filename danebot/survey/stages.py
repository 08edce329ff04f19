"""What workers do: each function makes one partition of one stage from finished ones.

The same input makes the same partition, whoever makes it how often: Dask may run a task again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from danebot.adapters.dns.exchange import query_lane
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.routes import Routing, mail_hosts, mail_route
from danebot.adapters.loop import Pause, Program, Recent, drive, pause_lane
from danebot.adapters.probe.prober import Probe, probe_lane
from danebot.adapters.probe.target import Target
from danebot.domain.addresses import translated
from danebot.domain.delivery.probes import ProbeResult
from danebot.domain.delivery.report import Criteria, Expectation, MailSubject, ServiceSubject
from danebot.domain.delivery.routes import HostRoute
from danebot.domain.dns.answers import Answer, Cause
from danebot.domain.dns.records import MxRecord
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.jobs.verify import Inquiry, host_targets, report_on
from danebot.survey import rows, store
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.plan import SurveyPlan
from danebot.survey.soundness import require_sound, require_sound_now
from danebot.tuples import NamedTuple

_SMTP = 25
_FEW = 20  # names without an answer that may be their own servers' fault, whatever their share
_SHARE = 0.1
_RECENT = 2000  # replies kept: within a partition no name comes twice


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _service(host: Hostname) -> ServiceSubject:
    return ServiceSubject(Endpoint(host, _SMTP, Protocol.SMTP))


def _inquiry(plan: SurveyPlan) -> Inquiry:
    """A survey looks at who has DANE, and most have none."""
    criteria = Criteria(expectation=Expectation.OPTIONAL)
    return Inquiry(plan.resolver, plan.helo, criteria)


# ---- DNS ------------------------------------------------------------------------------------


def look_up_mx(plan: SurveyPlan, number: int) -> int:
    """MX records of the domains of a partition; how many these are."""
    require_sound(plan)
    data, routing = DataSet(plan.directory), Routing(Resolver(plan.resolver))
    domains = [
        Hostname.known(row["domain"])
        for row in data.read(Folder.INPUT, number)
        if not plan.opt_out.has_name(row["domain"])  # the list may be longer than at the input
    ]

    def one(domain: Hostname) -> Program[_Told]:
        answer: Answer[MxRecord] = yield from routing.exchangers(domain)
        row = {
            "domain": domain.text,
            "answer": store.mx_text(answer),
            "hosts": [host.text for _, host in mail_hosts(domain, answer)],
            "looked": _now(),
        }
        return _Told(row, _is_heard((answer,)))

    found = _asked(plan, one, domains)
    return data.write(Folder.MX, number, found, rows.mx_schema())


def look_up_hosts(plan: SurveyPlan, number: int) -> int:
    """Addresses and TLSA records of the hosts of a partition; how many these are."""
    require_sound(plan)
    data, routing = DataSet(plan.directory), Routing(Resolver(plan.resolver))
    inquiry = _inquiry(plan)
    hosts = [Hostname.known(row["host"]) for row in data.read(Folder.WANTED_HOSTS, number)]

    def one(host: Hostname) -> Program[_Told]:
        route: HostRoute = yield from routing.service(host, _SMTP)
        (asked,) = host_targets(_service(host), route, inquiry)
        names = _names(route)
        addresses = [one.address for one in asked.targets if plan.may_look(one.address, *names)]
        row = {
            "host": host.text,
            "route": store.route_text(route),
            "sni": route.sni.text,
            "names": names,
            "addresses": addresses,
            "places": list(map(translated, addresses)),
            "looked": _now(),
        }
        return _Told(row, _is_heard(route.answers))

    found = _asked(plan, one, hosts)
    return data.write(Folder.ROUTES, number, found, rows.route_schema())


def _names(route: HostRoute) -> list[str]:
    """All names of a host: its own, that in SNI, and every alias on the way to its addresses."""
    names = {route.host.text, route.sni.text}
    answers: list[Answer[Any]] = [route.ipv4, route.ipv6]
    if route.alias is not None:
        answers.append(route.alias)
        names |= {one.text for one in route.alias.records}
    for answer in answers:
        for alias in answer.aliases:
            names |= {alias.name.text, alias.target.text}
    return sorted(names)


class _Told(NamedTuple):
    """What DNS says of a name, and whether the resolver was heard at all."""

    row: dict[str, Any]
    heard: bool


def _is_heard(answers: Iterable[Answer[Any]]) -> bool:
    return all(one.cause is not Cause.RESOLVER for one in answers)


def _asked(
    plan: SurveyPlan, one: Callable[[Hostname], Program[_Told]], names: Sequence[Hostname]
) -> Iterator[dict[str, Any]]:
    """What DNS says; the resolver has to be sound before and after, or none of it counts.

    Names for which it wasn't heard are asked for once more; where many stay so, none counts either.
    """
    silent = []
    for name, told in zip(names, _driven(plan, map(one, names)), strict=True):
        if told.heard:
            yield told.row
        else:
            silent.append(name)
    require_sound_now(plan)
    if not silent:
        return
    unheard = 0
    for told in _driven(plan, map(one, silent)):
        unheard += not told.heard
        yield told.row
    require_sound_now(plan)
    if unheard > max(_FEW, len(names) * _SHARE):
        raise SurveyError(
            f"the resolver of {socket.gethostname()} didn't answer for {unheard} of {len(names)} "
            "names, asked twice; ask it for less at once, or give it more, and run it again"
        )


def _driven(plan: SurveyPlan, programs: Iterable[Program[_Told]]) -> Iterator[_Told]:
    lanes = query_lane(plan.queries)
    return drive(programs, lanes, at_once=plan.queries, cache=Recent(_RECENT))


# ---- services -------------------------------------------------------------------------------


def look_at_services(plan: SurveyPlan, number: int) -> int:
    """Ask the services of a partition, which has all looks at each of its addresses.

    Who may be asked is asked again: the opt-out list may be longer than it was.
    """
    data = DataSet(plan.directory)
    wanted: dict[str, list[Target]] = {}
    for row in data.read(Folder.WANTED_LOOKS, number):
        if not plan.may_look(row["address"], *row["names"]):
            continue
        host, sni = Hostname.known(row["host"]), Hostname.known(row["sni"])
        target = Target(
            Endpoint(host, _SMTP, Protocol.SMTP), row["address"], sni=sni if sni != host else None
        )
        wanted.setdefault(row["place"], []).append(target)
    lanes = probe_lane(plan.connections) | pause_lane(plan.connections)
    programs = (_one_address(plan, targets) for targets in wanted.values())
    found = drive(programs, lanes, at_once=plan.connections, cache=Recent(_RECENT))
    each = (row for looks in found for row in looks)
    return data.write(Folder.LOOKS, number, each, rows.look_schema())


def _one_address(plan: SurveyPlan, targets: Sequence[Target]) -> Program[list[dict[str, Any]]]:
    """One connection at a time, with a pause between them."""
    found = []
    for count, target in enumerate(targets):
        if count:
            yield (Pause(plan.interval.total_seconds(), (target.address, count)),)
        (result,) = yield (Probe(target, plan.helo),)
        found.append(
            {
                "host": target.endpoint.host.text,
                "result": store.result_text(result),
                "looked": _now(),
            }
        )
    return found


# ---- verdicts -------------------------------------------------------------------------------


class _Seen:
    """A host as the stages before saw it."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.route = store.host_route(row["route"])
        self.results: dict[Target, ProbeResult] = {}
        for text in row["results"]:
            result = store.probe_result(text)
            sni = self.route.sni if self.route.sni != self.route.host else None
            self.results[Target(result.endpoint, result.address, sni=sni)] = result
        self.looked: datetime = row["looked"]
        self.routed: datetime = row["routed"]


def judge_hosts(plan: SurveyPlan, number: int) -> int:
    """Judge the hosts of a partition, each as one that is named directly."""
    data, inquiry = DataSet(plan.directory), _inquiry(plan)

    def found() -> Iterator[dict[str, Any]]:
        for row in data.read(Folder.OBSERVED, number):
            seen = _Seen(row)
            subject = _service(seen.route.host)
            report = report_on(subject, seen.route, seen.results, inquiry, seen.looked)
            yield rows.host_row(report, seen.looked, seen.routed)

    return data.write(Folder.HOSTS, number, found(), rows.host_schema())


def judge_domains(plan: SurveyPlan, number: int) -> int:
    """Judge the domains of a partition, which is sorted by their hosts."""
    from danebot.survey.exchange import observed_hosts

    data, inquiry = DataSet(plan.directory), _inquiry(plan)

    def found() -> Iterator[dict[str, Any]]:
        known: dict[str, _Seen] = {}
        batch: list[dict[str, Any]] = []
        for row in data.read(Folder.SORTED, number):
            if plan.opt_out.has_name(row["domain"]):
                continue
            batch.append(row)
            if len(batch) == _TOGETHER:
                yield from judged_batch(batch, known)
                batch = []
        yield from judged_batch(batch, known)

    def judged_batch(
        batch: list[dict[str, Any]], known: dict[str, _Seen]
    ) -> Iterator[dict[str, Any]]:
        wanted = {host for row in batch for host in row["hosts"]}
        for name in known.keys() - wanted:
            del known[name]
        for seen in observed_hosts(data, sorted(wanted - known.keys())):
            known[seen["host"]] = _Seen(seen)
        for row in batch:
            yield _judged_domain(row, [known[host] for host in row["hosts"]], inquiry)

    return data.write(Folder.DOMAINS, number, found(), rows.domain_schema())


_TOGETHER = 1000  # domains whose hosts are in memory at once


def _judged_domain(row: dict[str, Any], hosts: Sequence[_Seen], inquiry: Inquiry) -> dict[str, Any]:
    domain = Hostname.known(row["domain"])
    route = mail_route(domain, store.mx_answer(row["answer"]), [one.route for one in hosts])
    results = {target: result for one in hosts for target, result in one.results.items()}
    looked = max([row["looked"], *(one.looked for one in hosts)])
    report = report_on(MailSubject(domain), route, results, inquiry, looked)
    return rows.domain_row(report, looked)
