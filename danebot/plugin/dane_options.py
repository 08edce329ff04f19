"""The options of ``check_dane``, from words to values."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot import __version__
from danebot.adapters.wiring import own_name, resolver_of
from danebot.domain.delivery.report import (
    Criteria,
    Expectation,
    MailSubject,
    Subject,
    Trust,
    parse_subject,
)
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Hostname, Protocol
from danebot.domain.thresholds import Range, Thresholds
from danebot.jobs.verify import Family, Inquiry, parse_places
from danebot.plugin.command_line import Parser, UsageError, add_resolver_options, named_resolvers
from danebot.plugin.numbers import parse_remaining
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from danebot.adapters.dns.resolvconf import ResolverConfig
    from danebot.domain.dns.forms import RecordForm

_DESCRIPTION = """\
Checks that DANE works for a mail domain (all addresses of all its mail exchangers) or for one
service: DNSSEC, TLSA records, and what the service presents.
"""
_EPILOG = """\
CRITICAL: a sender that obeys DANE would fail now. WARNING: it will fail, or fails for a few.
UNKNOWN: can't be judged from here. A number raises the alarm below it; ranges are Nagios'.
"""
NAME = "DANE"
"""What its line begins with."""
_LONGEST = 3600.0


class Options(NamedTuple):
    """What to check, how to look, and how to tell; ``days`` and ``hours`` are for charts."""

    subject: Subject
    inquiry: Inquiry
    timeout: timedelta
    verbosity: int
    days: tuple[Range | None, Range | None]
    hours: tuple[Range | None, Range | None]
    trace: bool = False
    max_age: timedelta = timedelta(0)


def parse_options(arguments: Sequence[str] | None) -> Options:
    """Read the command line; `DanebotError` says in a line what is wrong with it."""
    return options_of(dane_parser().parse_args(arguments))


def options_of(words: argparse.Namespace, resolver: ResolverConfig | None = None) -> Options:
    """What the parser's words mean; ``resolver`` is asked unless they name one."""
    if not 1 <= words.timeout <= _LONGEST:
        raise UsageError(f"--timeout goes from 1 to {_LONGEST:g} seconds")
    if not 0 <= words.max_age <= _LONGEST:
        raise UsageError(f"--max-age goes from 0 to {_LONGEST:g} seconds")
    return Options(
        _subject(words),
        _inquiry(words, resolver),
        timedelta(seconds=words.timeout),
        words.verbose,
        (words.warning, words.critical),
        (words.rrsig_warning, words.rrsig_critical),
        words.trace,
        timedelta(seconds=words.max_age),
    )


def dane_parser() -> Parser:
    """The command line."""
    parser = Parser("check_dane", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("-V", "--version", action="version", version=f"check_dane {__version__}\n")
    _add_subject(parser)
    _add_judgement(parser)
    _add_ways(parser)
    _add_via(parser)
    return parser


def _add_subject(parser: Parser) -> None:
    what = parser.add_argument_group("what to check (one of the first two)")
    what.add_argument("-d", "--domain", metavar="NAME", help="a mail domain")
    what.add_argument("-H", "--host", metavar="NAME", help="a host, by name")
    what.add_argument("-p", "--port", type=int, metavar="N", help="its port (25)")
    what.add_argument(
        "--starttls",
        choices=[protocol.value for protocol in Protocol],
        metavar="PROTOCOL",
        help=f"{', '.join(one.value for one in Protocol)} (tls: at once); default: as usual there",
    )
    what.add_argument("--only", metavar="HOST", help="of a domain's hosts, this one alone")
    what.add_argument(
        "--down",
        action="append",
        default=[],
        metavar="HOST",
        help="one that is known to be down: its silence is no problem, a mismatch is",
    )


def _add_judgement(parser: Parser) -> None:
    judged = parser.add_argument_group("how it is judged")
    judged.add_argument(
        "-w",
        "--warning",
        type=parse_remaining,
        metavar="DAYS",
        help="fewer days until a certificate expires; default: a fifth of its lifetime",
    )
    judged.add_argument(
        "-c", "--critical", type=parse_remaining, metavar="DAYS", help="likewise; default: none"
    )
    judged.add_argument(
        "--rrsig-warning",
        type=parse_remaining,
        default="12",
        metavar="HOURS",
        help="fewer hours until a DNSSEC signature expires (12)",
    )
    judged.add_argument(
        "--rrsig-critical", type=parse_remaining, default="2", metavar="HOURS", help="(2)"
    )
    judged.add_argument("--optional", action="store_true", help="having no DANE is fine")
    judged.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="KIND",
        help="a record of that kind ('3 1 1', or 311) must match; of several options, any",
    )
    judged.add_argument(
        "--pkix", action="store_true", help="those without DANE must accept the certificate, too"
    )
    judged.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help="trust store (PEM) for that, and for PKIX usages; default: OpenSSL's",
    )
    judged.add_argument(
        "--warn-unmatched",
        action="store_true",
        help="warn of TLSA records that match nothing served",
    )
    judged.add_argument(
        "--aka", action="append", default=[], metavar="NAME", help="also right in certificates"
    )


def _add_ways(parser: Parser) -> None:
    ways = parser.add_argument_group("how to look")
    add = ways.add_argument
    add("-t", "--timeout", type=float, default=30.0, metavar="SECONDS", help="for all of it (30)")
    add("-4", dest="ipv4", action="store_true", help="IPv4 addresses only")
    add("-6", dest="ipv6", action="store_true", help="IPv6 addresses only")
    add(
        "--both-algorithms",
        action="store_true",
        help="ask for RSA and ECDSA certificates, too (TLS 1.2)",
    )
    add(
        "--address",
        action="append",
        default=[],
        metavar="NAME=ADDR",
        help="connect there instead of to the host's own addresses",
    )
    add("--helo", metavar="NAME", help="our name in EHLO; default: this host's")
    add_resolver_options(ways)
    add("-v", "--verbose", action="count", default=0, help="findings; twice: every record")
    add("--trace", action="store_true", help="at the end, what was said with DNS and the peers")


def _add_via(parser: Parser) -> None:
    """Options that the plugin acts upon before it knows of others: see ``danebot_checks.via``."""
    add = parser.add_argument_group("who looks").add_argument
    add(
        "--via",
        metavar="SOCKET|URL",
        help="have a danebot-exporter look, in a twentieth of the time: the path of its socket for "
        "checks, or http(s)://HOST:PORT",
    )
    add("--or-local", action="store_true", help="look here, where that can't answer")
    add(
        "--max-age",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="it may use again what it saw so long ago (0); a TTL ends that sooner",
    )
    add("--via-login", metavar="FILE", help="for that URL: a line NAME:PASSWORD")
    add("--via-ca", metavar="FILE", help="for https: trust store (PEM); default: OpenSSL's")


def _subject(options: argparse.Namespace) -> Subject:
    if (options.domain is None) == (options.host is None):
        raise UsageError("give either --domain or --host")
    if options.domain is None and (options.only is not None or options.down):
        raise UsageError("--only and --down go with --domain")
    if options.domain is not None:
        if options.port is not None or options.starttls is not None:
            raise UsageError("--port and --starttls go with --host")
        return MailSubject(Hostname.parse(options.domain))
    protocol = Protocol(options.starttls) if options.starttls else None
    port = 25 if options.port is None else options.port
    return parse_subject(f"{options.host}:{port}", protocol)


def _inquiry(options: argparse.Namespace, resolver: ResolverConfig | None) -> Inquiry:
    days = None
    if options.warning is not None or options.critical is not None:
        days = Thresholds(options.warning, options.critical)
    criteria = Criteria(
        expectation=Expectation.OPTIONAL if options.optional else Expectation.REQUIRED,
        days=days,
        hours=Thresholds(options.rrsig_warning, options.rrsig_critical),
        unmatched=Severity.WARNING if options.warn_unmatched else Severity.NOTICE,
        aka=tuple(Hostname.parse(name) for name in options.aka),
        trust=Trust.PKIX_TOO if options.pkix else Trust.DANE,
        require=_kinds(options),
        only=Hostname.parse(options.only) if options.only is not None else None,
        down=tuple(Hostname.parse(name) for name in options.down),
    )
    ca_file = options.ca_file
    if ca_file is not None and not _readable(ca_file):
        raise UsageError(f"--ca-file {options.ca_file}: no file that can be read")
    family = Family.ANY
    if options.ipv4 != options.ipv6:
        family = Family.IPV4 if options.ipv4 else Family.IPV6
    named = named_resolvers(options.resolver)
    if resolver is None or named is not None or options.trust_resolver:
        resolver = resolver_of(named, trusted=options.trust_resolver)
    return Inquiry(
        resolver=resolver,
        helo=Hostname.parse(options.helo) if options.helo else own_name(),
        criteria=criteria,
        family=family,
        algorithms=tuple(Algorithm) if options.both_algorithms else (Algorithm.ANY,),
        places=parse_places(options.address),
        ca_file=options.ca_file,
    )


def _readable(path: Path) -> bool:
    """Whether it is a file that can be read; not where its folder can't be searched, either."""
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False


def _kinds(options: argparse.Namespace) -> tuple[RecordForm, ...]:
    if not options.require:
        return ()
    from danebot.domain.dns.forms import RecordForm

    if options.optional:
        raise UsageError("--require and --optional contradict each other: leave one out")
    return tuple(RecordForm.parse(word) for word in options.require)
