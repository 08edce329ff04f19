"""The verb ``verify``: many domains or services seen from outside, in one run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from danebot.domain.names import Hostname, Protocol, printable
from danebot.errors import ConfigError, NameSyntaxError, RecordSyntaxError
from danebot.verbs.common import ATTENTION, FINE, read_stdin, size_checked
from danebot.waiting import LINE

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.domain.delivery.report import Report, Subject
    from danebot.jobs.verify import Inquiry

_SHOWN = 8  # hosts
_LIMIT = 16 * 1024 * 1024  # octets of a list: a million names


def verify(console: Console, targets: Sequence[str], options: Mapping[str, Any]) -> int:
    """Look at all targets; 0 if every one is fine, 1 if anything needs attention."""
    words = [*targets, *_lines(options["files"])]
    if not words:
        raise click.UsageError("nothing to verify: name a domain or HOST:PORT, or a file with -f")
    if options["trace"] and options["as_json"]:
        raise click.UsageError("--trace is for people: leave --json out")
    try:
        inquiry = _inquiry(console, options)
    except (NameSyntaxError, RecordSyntaxError) as exc:
        raise click.UsageError(str(exc)) from exc
    subjects, refused = _subjects(words, options)
    for line in refused:
        console.warn(line)
    bad = _run(console, subjects, inquiry, options)
    return ATTENTION if bad or refused else FINE


def _run(
    console: Console, subjects: Sequence[Subject], inquiry: Inquiry, options: Mapping[str, Any]
) -> int:
    """Print a report for each; how many need attention."""
    from danebot.domain.delivery.report import SrvSubject
    from danebot.domain.delivery.routes import Discovery, SrvRoute
    from danebot.domain.finding import Severity
    from danebot.jobs.context import system_clock
    from danebot.jobs.verify import verify_many

    trace = None
    if options["trace"]:
        from danebot.adapters.trace import Trace

        trace = Trace()
    meter = _Meter(len(subjects), console)
    bad = 0
    strangers = _Strangers(inquiry)
    services: dict[Hostname, int] = {}
    reports = verify_many(
        subjects, inquiry, system_clock, jobs=options["jobs"], progress=meter.step, trace=trace
    )
    for report in reports:
        bad += report.severity is not Severity.NOTICE
        strangers.seen(report)
        LINE.clear()
        if isinstance(report.subject, SrvSubject):
            domain = report.subject.domain
            absent = (
                isinstance(report.route, SrvRoute) and report.route.discovery is Discovery.ABSENT
            )
            services[domain] = services.get(domain, 0) + (not absent)
            if absent:
                continue  # of all known services few are offered
        for line in _rendered(report, as_json=options["as_json"]):
            _print(console, report, line, as_json=options["as_json"])
    LINE.clear()
    for line in () if trace is None else trace.lines():
        sys.stdout.write(f"{line}\n")
    for domain in [domain for domain, count in services.items() if not count]:
        console.warn(f"{domain}: no SRV records of any known service")
    strangers.refuse()
    return bad


class _Strangers:
    """Hosts that options name; each has to be one of what is judged."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._named = dict.fromkeys(inquiry.places, "--address")
        self._named |= dict.fromkeys(inquiry.criteria.down, "--down")
        self._hosts: dict[Hostname, None] = {}
        self._all_known = True

    def seen(self, report: Report) -> None:
        from danebot.domain.delivery.routes import Discovery, HostRoute

        route = report.route
        hosts = (route,) if isinstance(route, HostRoute) else route.hosts
        failed = not isinstance(route, HostRoute) and route.discovery is Discovery.FAILED
        self._all_known &= not failed
        if self._named:
            self._hosts |= {one.host: None for one in hosts}

    def refuse(self) -> None:
        """Raise `click.UsageError` for the first that is none, where all hosts are known."""
        for name, option in self._named.items() if self._all_known else ():
            if name not in self._hosts:
                shown = ", ".join(map(str, list(self._hosts)[:_SHOWN])) or "none"
                raise click.UsageError(
                    f"{option} {name}: no host of what is judged, which are {shown}"
                )


def _rendered(report: Report, *, as_json: bool) -> Iterator[str]:
    from danebot.jobs.context import system_clock
    from danebot.render.report import report_document, tree

    if as_json:
        yield json.dumps(report_document(report))
    else:
        yield from tree(report, system_clock())


def _print(console: Console, report: Report, line: str, *, as_json: bool) -> None:
    """Print one report; with -q only if it needs attention, but programs get all."""
    from danebot.domain.finding import Severity

    if as_json or not console.quiet or report.severity is not Severity.NOTICE:
        sys.stdout.write(f"{line}\n")  # click.echo would flush each of thousands


class _Meter:
    """Progress, on a terminal that somebody watches."""

    def __init__(self, total: int, console: Console) -> None:
        self._total = total
        self._done = 0
        self._shown = total > 1 and not console.quiet and console.watched()

    def step(self) -> None:
        self._done += 1
        if self._shown:
            LINE.show(f"{self._done} of {self._total}")


# ---- from words to values -------------------------------------------------------------------


def _lines(files: Iterable[str]) -> Iterator[str]:
    """The targets in files, "-" being standard input: one a line, ``#`` begins a comment."""
    for name in files:
        try:
            if name == "-":
                text = read_stdin(_LIMIT)
            else:
                with Path(name).open("rb") as file:
                    text = size_checked(file.read(_LIMIT + 1), _LIMIT, printable(name))
        except OSError as exc:
            raise ConfigError(f"{printable(name)}: {exc.strerror}; nothing was verified") from exc
        for line in text.decode("utf-8", "replace").splitlines():
            word = line.split("#", 1)[0].strip()
            if word:
                yield word


def _subjects(words: Iterable[str], options: Mapping[str, Any]) -> tuple[list[Subject], list[str]]:
    """Each subject once, and a line for each word that names no subject."""
    from danebot.domain.delivery.report import MailSubject, SrvSubject, parse_subject
    from danebot.domain.delivery.routes import SERVICE_PROTOCOLS

    protocol = Protocol(options["starttls"]) if options["starttls"] else None
    found: dict[Subject, None] = {}
    refused = []
    for word in words:
        try:
            subject = parse_subject(word, protocol)
        except NameSyntaxError as exc:
            refused.append(printable(str(exc)))
            continue
        if options["srv"] and isinstance(subject, MailSubject):
            found |= {SrvSubject(subject.domain, service): None for service in SERVICE_PROTOCOLS}
        else:
            found[subject] = None
    return list(found), refused


def _inquiry(console: Console, options: Mapping[str, Any]) -> Inquiry:
    from danebot.adapters.wiring import own_name, resolver_config
    from danebot.domain.delivery.report import Criteria, Expectation, Trust
    from danebot.domain.dns.forms import RecordForm
    from danebot.domain.lineage.keys import Algorithm
    from danebot.jobs.verify import Family, Inquiry, parse_places

    if options["optional"] and options["require"]:
        raise click.UsageError("--require and --optional contradict each other: leave one out")
    family = Family.ANY
    if options["ipv4"] != options["ipv6"]:
        family = Family.IPV4 if options["ipv4"] else Family.IPV6
    optional = options["optional"] or options["srv"]  # few domains offer every service
    inquiry = Inquiry(
        resolver=resolver_config(console.settings),
        helo=Hostname.parse(options["helo"]) if options["helo"] else own_name(),
        criteria=Criteria(
            expectation=Expectation.OPTIONAL if optional else Expectation.REQUIRED,
            aka=tuple(Hostname.parse(name) for name in options["aka"]),
            trust=Trust.PKIX_TOO if options["pkix"] else Trust.DANE,
            require=tuple(map(RecordForm.parse, options["require"])),
            only=Hostname.parse(options["only"]) if options["only"] else None,
            down=tuple(Hostname.parse(name) for name in options["down"]),
        ),
        family=family,
        places=parse_places(options["addresses"]),
        ca_file=console.settings.ca_file,
    )
    if options["both_algorithms"]:
        inquiry = inquiry._replace(algorithms=tuple(Algorithm))
    if inquiry.ca_file is not None:
        from danebot.adapters.probe.trust import store_trouble

        trouble = store_trouble(inquiry.ca_file)
        if trouble:
            raise ConfigError(f"{trouble}; correct ca_file in danebot.toml")
    return inquiry
