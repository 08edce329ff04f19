"""Routes and probes -> report: what DANE senders will make of a domain or a service.

Pure; the order of things is that of RFC 7672 section 2.2: MX, addresses, TLSA, then each address.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from danebot.domain.delivery.address_findings import judge_addresses, report_address, unmatched
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.coming_findings import forecast
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import (
    Criteria,
    Expectation,
    HostObservation,
    HostReport,
    Report,
    Route,
    Subject,
    Trust,
)
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute, SrvRoute
from danebot.domain.dns.answers import Answer, Cause, Presence, Security
from danebot.domain.finding import Finding, Severity, most_serious_first

SILENT = frozenset(
    {
        ProbeOutcome.UNREACHABLE,
        ProbeOutcome.TIMEOUT,
        ProbeOutcome.REFUSED,
        ProbeOutcome.CUT_SHORT,
    }
)
"""Outcomes after which senders go on to the next address."""


def assess_delivery(
    subject: Subject,
    route: Route,
    observed: Sequence[HostObservation],
    criteria: Criteria,
    now: datetime,
) -> Report:
    """Judge one subject; ``observed`` has each host of the route once, ``now`` is aware UTC."""
    hosts = tuple(_host(host, criteria, now) for host in observed)
    findings = [
        *_discovery(subject, route, criteria),
        *_chosen(subject, route, criteria),
        *_reached(subject, hosts, criteria),
        *_without_dane(subject, hosts, criteria),
        *(finding for host in hosts for finding in _lookups(host, hosts)),
        *(finding for host in hosts for finding in _judged(host, criteria)),
        *(finding for host in hosts for finding in forecast(host, criteria, now)),
    ]
    if criteria.require or criteria.trust is Trust.PKIX_TOO:
        from danebot.domain.delivery.demands import demand_findings

        findings += (f for host in hosts for f in demand_findings(subject, host, criteria, now))
    signed_until, fading = _signatures(route, hosts, criteria, now)
    findings += fading
    if all(finding.severity < Severity.UNJUDGED for finding in findings):
        findings += _without_evidence(subject, hosts, criteria)
    ordered = most_serious_first(dict.fromkeys(findings))
    return Report(subject, route, hosts, ordered, signed_until)


def _host(host: HostObservation, criteria: Criteria, now: datetime) -> HostReport:
    addresses = tuple(report_address(host, result, criteria, now) for result in host.results)
    return HostReport(
        host.route,
        host.protocol,
        addresses,
        unmatched(addresses),
        host.left_out,
        host.service,
    )


# ---- how the hosts were found ---------------------------------------------------------------


def _discovery(subject: Subject, route: Route, criteria: Criteria) -> Iterator[Finding]:
    if isinstance(route, HostRoute):
        return
    answer, records = route.answer, route.kind
    where = str(subject)
    absence = _absence(criteria)
    match route.discovery:
        case Discovery.FAILED if answer.presence is Presence.UNKNOWN:
            yield failed_lookup(where, f"{records} records", answer)
        case Discovery.FAILED:
            yield Finding(
                DeliveryCode.LOOKUP_FAILED,
                Severity.CRITICAL,
                where,
                f"no {records} record can be read: {'; '.join(answer.rejects)}",
                f"correct the {records} records",
            )
        case Discovery.ABSENT:
            severity = Severity.CRITICAL if isinstance(route, MailRoute) else absence
            text = f"no {records} records" if isinstance(route, SrvRoute) else "no such domain"
            yield Finding(DeliveryCode.NO_SERVICE, severity, where, text, "")
        case Discovery.NOT_OFFERED:
            text = f'not offered here: the {records} record is "."'
            yield Finding(DeliveryCode.NO_SERVICE, absence, where, text, "")
        case Discovery.LISTED:
            yield from _beside_hosts(where, route)
            if not answer.secure:
                yield _insecure_way(where, records, answer, absence)


def _beside_hosts(where: str, route: MailRoute | SrvRoute) -> Iterator[Finding]:
    """Records that lead nowhere, beside those that name hosts."""
    answer, records = route.answer, route.kind
    if any(one[-1] is None for one in answer.records):  # the exchange or target
        mail = isinstance(route, MailRoute)
        effect = "Postfix takes it for no mail at all, and bounces" if mail else "clients differ"
        yield Finding(
            DeliveryCode.NO_SERVICE,
            Severity.CRITICAL if mail else Severity.WARNING,
            where,
            f'"." stands among the {records} records, though it must be alone: {effect}',
            f'remove the {records} record with ".", or all others',
        )
    if answer.rejects:
        yield Finding(
            DeliveryCode.LOOKUP_FAILED,
            Severity.WARNING,
            where,
            f"not every {records} record names a host: {'; '.join(answer.rejects)}; senders pass "
            "over it, or use it without DANE",
            f"correct the {records} records",
        )


def _insecure_way(where: str, records: str, answer: Answer[Any], absence: Severity) -> Finding:
    if answer.cause is Cause.UNTRUSTED:
        return _untrusted(where, answer)
    return Finding(
        DeliveryCode.INSECURE_MX,
        absence,
        where,
        f"{records} records are not secured by DNSSEC, so they can be forged{_signed(answer)}",
    )


def _absence(criteria: Criteria) -> Severity:
    required = criteria.expectation is Expectation.REQUIRED
    return Severity.CRITICAL if required else Severity.NOTICE


def failed_lookup(
    where: str, what: str, answer: Answer[Any], effect: str = "senders defer"
) -> Finding:
    """A lookup without a result: bogus, beyond the resolver's reach, or the resolver's own.

    ``effect`` says what senders do then.
    """
    detail = f": {answer.detail}" if answer.detail else ""
    if answer.security is Security.BOGUS:
        return Finding(
            DeliveryCode.BOGUS,
            Severity.CRITICAL,
            where,
            f"{what} are bogus: DNSSEC validation fails, so {effect}{detail}",
        )
    if answer.cause is Cause.RESOLVER:
        return Finding(
            DeliveryCode.RESOLVER_FAILED,
            Severity.UNJUDGED,
            where,
            f"{what} could not be asked for{detail}",
        )
    return Finding(
        DeliveryCode.LOOKUP_FAILED,
        Severity.CRITICAL,
        where,
        f"{what} can't be looked up, so {effect}{detail}",
    )


def _untrusted(where: str, answer: Answer[Any]) -> Finding:
    return Finding(DeliveryCode.RESOLVER_UNTRUSTED, Severity.UNJUDGED, where, answer.detail)


def _signed(answer: Answer[Any]) -> str:
    """A hint where signatures came, but nobody validated them."""
    if answer.signed_until is None:
        return ""
    return " (signed, but not validated: the parent has no DS record, or the resolver is none)"


# ---- hosts that DANE doesn't bind -----------------------------------------------------------

_WITHOUT = {
    Dane.ABSENT: ("no TLSA records at {owner}", "publish a TLSA record for the key served there"),
    Dane.INSECURE_TLSA: (
        "TLSA answer for {owner} is not secured by DNSSEC, so senders ignore it",
        "sign the zone that holds the TLSA records",
    ),
    Dane.INSECURE_ADDRESS: (
        "address records are not secured by DNSSEC, so senders look for no TLSA records",
        "sign the host's zone and have its DS record published",
    ),
    Dane.INSECURE_SERVICE: (
        "SRV records are not secured by DNSSEC, so clients look for no TLSA records",
        "sign the domain's zone and have its DS record published",
    ),
}


def _without_dane(
    subject: Subject, hosts: Sequence[HostReport], criteria: Criteria
) -> Iterator[Finding]:
    """All hosts without DANE are one thing, some of several another."""
    without = [host for host in hosts if host.route.dane in _WITHOUT]
    some = any(host.route.dane is Dane.APPLIES for host in hosts)
    for host in without:
        route = host.route
        doubted = [one for one in route.answers if one.cause is Cause.UNTRUSTED]
        if doubted:
            yield _untrusted(str(subject), doubted[0])
            continue
        text, remedy = _WITHOUT[route.dane]
        owner = f"_{route.port}._tcp.{route.host}"
        words = text.format(owner=owner)
        if some:
            yield Finding(
                DeliveryCode.HOST_WITHOUT_DANE,
                Severity.CRITICAL if criteria.require else Severity.WARNING,
                str(host.endpoint),
                f"{words}: an attacker need only block the other hosts",
                remedy,
            )
        else:
            severity = Severity.CRITICAL if criteria.require else _absence(criteria)
            yield Finding(DeliveryCode.NO_DANE, severity, str(host.endpoint), words, remedy)


def _lookups(host: HostReport, hosts: Sequence[HostReport]) -> Iterator[Finding]:
    """Lookups for one host that failed, or led nowhere.

    Senders defer mail where they can't look up a host, but not before they tried the other ones
    (RFC 7672 sections 2.1.3 and 2.2), of which one at least has to be known to work.
    """
    route, where = host.route, str(host.route.host)
    others = (one for other in hosts if other is not host for one in other.addresses)
    spared = any(one.authenticated for one in others)
    effect = "senders pass over this host, and use the others" if spared else "senders defer"
    most = Severity.WARNING if spared else Severity.CRITICAL

    def failed(what: str, answer: Answer[Any], effect: str, most: Severity) -> Finding:
        finding = failed_lookup(where, what, answer, effect)
        return finding._replace(severity=min(finding.severity, most))

    if route.dane is Dane.NO_ADDRESS:
        text = "has no address: senders pass over it"
        yield Finding(DeliveryCode.NO_ADDRESS, Severity.WARNING, where, text)
    for family, answer in (("A", route.ipv4), ("AAAA", route.ipv6)):
        if answer.presence is Presence.UNKNOWN:
            fails = route.dane is Dane.ADDRESS_FAILED
            left = "senders use its addresses of the other family", Severity.WARNING
            yield failed(f"{family} records", answer, *((effect, most) if fails else left))
    if route.alias is not None and route.alias.presence is Presence.UNKNOWN:
        yield failed("CNAME record", route.alias, effect, most)
    if route.dane is Dane.DEFERRED:
        last = route.tried[-1].answer
        yield failed(f"TLSA records at {last.name}", last, effect, most)


# ---- the whole ------------------------------------------------------------------------------


def _chosen(subject: Subject, route: Route, criteria: Criteria) -> Iterator[Finding]:
    """Whether hosts that are meant by name are the subject's."""
    every = (route,) if isinstance(route, HostRoute) else route.hosts
    listed = list(dict.fromkeys(one.host for one in every))
    alone = () if criteria.only is None else (criteria.only,)
    for name in dict.fromkeys((*alone, *criteria.placed)):
        if listed and name not in listed:
            text = f"{name} is none of its hosts: {', '.join(map(str, listed))}"
            yield Finding(DeliveryCode.NO_SUCH_HOST, Severity.UNJUDGED, str(subject), text)


def _judged(host: HostReport, criteria: Criteria) -> Iterator[Finding]:
    """Findings about a host's addresses; the silence of one that is known to be down is none."""
    findings = judge_addresses(host, criteria)
    if host.route.host not in criteria.down:
        yield from findings
        return
    yield from (one for one in findings if one.code is not DeliveryCode.UNREACHABLE)
    if not host.asked:
        text, remedy = "is known to be down, and was not asked", ""
    elif any(one.result.outcome not in SILENT for one in host.asked):
        text, remedy = "answers, though it is said to be down", None
    else:
        text, remedy = "gives no answer, and is known to be down", ""
    yield Finding(DeliveryCode.KNOWN_DOWN, Severity.NOTICE, str(host.endpoint), text, remedy)


def _reached(
    subject: Subject, hosts: Sequence[HostReport], criteria: Criteria
) -> Iterator[Finding]:
    """Senders try every address, so only silence of all of them stops mail."""
    for host in hosts:
        if host.other_family:
            text = f"not asked: it has {host.other_family} addresses only"
            yield Finding(DeliveryCode.NOT_ASKED, Severity.NOTICE, str(host.endpoint), text, "")
    if hosts and all(host.route.dane is Dane.NO_ADDRESS for host in hosts):
        text = "no host has an address"
        yield Finding(DeliveryCode.NO_SERVICE, Severity.CRITICAL, str(subject), text, "")
    left_out = sum(host.left_out for host in hosts)
    if left_out:
        every = left_out + sum(len(host.addresses) for host in hosts)
        text = f"{left_out} of {every} addresses were not asked: too many"
        yield Finding(DeliveryCode.NOT_ASKED, Severity.WARNING, str(subject), text, "")
    hosts = [host for host in hosts if host.route.host not in criteria.down]
    results = [one.result for host in hosts for one in host.addresses]
    asked = [one.result for host in hosts for one in host.asked]
    if results and not asked:
        text = "no address can be reached from this host"
        yield Finding(DeliveryCode.NOT_ASKED, Severity.UNJUDGED, str(subject), text, "")
    elif asked and all(result.outcome in SILENT for result in asked):
        cut_short = [one for one in asked if one.outcome is ProbeOutcome.CUT_SHORT]
        first = (cut_short or asked)[0]
        unseen = any(host.addresses and not host.asked for host in hosts)
        others = any(host.route.dane in _WITHOUT for host in hosts)  # nobody asked these
        least = Severity.CRITICAL if not others else max(Severity.WARNING, _absence(criteria))
        severity = Severity.UNJUDGED if cut_short or unseen else least
        which = "no address with DANE" if others else "no address"
        detail = f": {first.detail}" if first.detail else ""
        text = f"{which} gives an answer: {first.address} {first.outcome.value}{detail}"
        yield Finding(DeliveryCode.UNREACHABLE, severity, str(subject), text, "")


def _without_evidence(
    subject: Subject, hosts: Sequence[HostReport], criteria: Criteria
) -> Iterator[Finding]:
    """Where DANE is due, nothing is fine that nobody authenticated."""
    bound = any(host.route.dane is Dane.APPLIES for host in hosts)
    due = bound or criteria.expectation is Expectation.REQUIRED
    if due and not any(one.authenticated for host in hosts for one in host.addresses):
        others = (
            f": {host.route.host} has {host.other_family} addresses only"
            for host in hosts
            if host.other_family
        )
        text = f"no address was authenticated{next(others, '')}"
        yield Finding(DeliveryCode.NOT_ASKED, Severity.UNJUDGED, str(subject), text, "")


def _signatures(
    route: Route, hosts: Sequence[HostReport], criteria: Criteria, now: datetime
) -> tuple[datetime | None, list[Finding]]:
    """The earliest end of a signature that senders rely on, and whether it is near."""
    answers: list[Answer[Any]] = [] if isinstance(route, HostRoute) else [route.answer]
    for host in hosts:
        answers += host.route.answers
    ends = [
        (answer.signed_until, str(answer.name))
        for answer in answers
        if answer.secure and answer.signed_until is not None
    ]
    if not ends:
        return None, []
    until, name = min(ends)
    severity = criteria.hours.severity((until - now).total_seconds() / 3600)
    if severity is Severity.NOTICE:
        return until, []
    finding = Finding(
        DeliveryCode.SIGNATURE_EXPIRES,
        severity,
        name,
        f"a DNSSEC signature expires {until:%Y-%m-%d %H:%M UTC}; the zone is bogus from then on",
    )
    return until, [finding]
