"""``--recheck``: another look at DNS for the current keys' records, with today's eyes.

The severities are those of `danebot.domain.rollover.findings`.  What that knows of the files is
not known here, save for the keys' digests: where other records than ``3 1 1`` stand that the
document doesn't name, whether they fit the live chain, or overrule the live key's record, can't be
told.  Nothing is called a mismatch then, and what the last run found of the lineage stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from danebot.adapters.dns.exchange import run
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.queries import within
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.zones import Direct
from danebot.adapters.wiring import resolver_config
from danebot.config.settings import Settings
from danebot.domain.addresses import parse_socket_address
from danebot.domain.dns.answers import Cause, Presence, Security, ServerOutcome
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage, unusable_reason
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot_checks.plugin import UsageError

if TYPE_CHECKING:
    import argparse

    from danebot.domain.addresses import SocketAddress
    from danebot.domain.dns.answers import OwnerObservation, TlsaAnswer
    from danebot.domain.status.document import LineageStatus

_SHARE = 0.85  # of the time for all of it; the rest is to print
_TRIES = 8  # one silent server's part of that
_RESOLVER_TRIES = 4  # a resolver has to wait for silent servers itself
_LEAST_TRY = 0.5  # seconds
_TRIES_AT_ONE = 2
_PLAIN = (Usage.DANE_EE, Selector.SPKI, MatchingType.SHA2_256)


class Rechecked(NamedTuple):
    """What DNS says now; ``settled`` are the lineages of which the document has no more to say.

    ``seen`` is how many of ``records`` are seen everywhere.
    """

    findings: list[Finding]
    settled: frozenset[str]
    records: int
    seen: int


@dataclass
class _Wanted:
    """What has to be at an owner: each of ``current``, and one of ``anchors`` or the live key's.

    ``live`` is the key's ``3 1 1`` record, None if there is no key.
    """

    live: TlsaRecord | None
    current: list[TlsaRecord] = field(default_factory=list)
    anchors: list[TlsaRecord] = field(default_factory=list)

    def lacking(self, records: Sequence[TlsaRecord]) -> list[TlsaRecord]:
        """What is to be added to ``records``."""
        lacking = [one for one in self.current if one not in records]
        if self.anchors and not any(one in records for one in (*self.anchors, self.live)):
            lacking.append(self.live or self.anchors[0])
        return lacking

    @property
    def count(self) -> int:
        """How many things have to be there."""
        return len(self.current) + bool(self.anchors)

    @property
    def known(self) -> set[TlsaRecord | None]:
        """The records that the document tells of."""
        return {*self.current, *self.anchors, self.live}


def recheck(lineages: Sequence[LineageStatus], options: argparse.Namespace) -> Rechecked:
    """Look at every owner of a live key's record; `DanebotError` for what can't be asked."""
    wanted: dict[tuple[str, DnsName], _Wanted] = {}
    for status in lineages:
        for record in status.live_records:
            at = (status.name, DnsName.parse(record.owner))
            here = wanted.setdefault(at, _Wanted(_live(status)))
            to = here.current if record.role == "current" else here.anchors
            to.append(TlsaRecord.parse(record.record))
    seen = _observe(tuple(dict.fromkeys(owner for _, owner in wanted)), options)
    findings: list[Finding] = []
    doubtful: set[str] = set()
    count = 0
    for (name, owner), here in wanted.items():
        found = list(_judged(name, here, seen[owner]))
        findings += found
        count += here.count - min(len(found), here.count)
        if _doubtful(here, seen[owner].answer):
            doubtful.add(name)
    settled = frozenset(name for name, _ in wanted) - doubtful
    return Rechecked(findings, settled, sum(one.count for one in wanted.values()), count)


def _live(status: LineageStatus) -> TlsaRecord | None:
    key = status.current
    return TlsaRecord.parse(f"3 1 1 {key.digest.hex()}") if key is not None else None


def _observe(
    owners: Sequence[DnsName], options: argparse.Namespace
) -> Mapping[DnsName, OwnerObservation]:
    """Within the plugin's time, which no silent server may use up alone."""
    named = tuple(_address(words) for words in options.resolver) if options.resolver else None
    if not owners:
        return {}
    config = resolver_config(Settings(resolvers=named, trust_resolver=options.trust_resolver))
    budget = options.timeout * _SHARE
    share = timedelta(seconds=budget / _RESOLVER_TRIES / len(config.nameservers))
    timeout = min(config.timeout, share)
    patience = max(budget / _TRIES, _LEAST_TRY)
    direct = Direct(timeout=min(patience, Direct().timeout), attempts=_TRIES_AT_ONE)
    observer = Observer.of(Resolver(config._replace(timeout=timeout)), direct)
    return run(within(observer.observe(owners), time.monotonic() + budget))


def _address(words: str) -> SocketAddress:
    found = parse_socket_address(words)
    if found is None:
        raise UsageError(f"--resolver {words!r}: want an IP address, and perhaps a port")
    return found


def _doubtful(wanted: _Wanted, answer: TlsaAnswer) -> bool:
    """Whether the last run knew better: by its own look, or by the files."""
    if answer.presence is Presence.UNKNOWN:
        return answer.security is not Security.BOGUS
    return answer.cause is Cause.UNTRUSTED or _strangers(wanted, answer)


def _strangers(wanted: _Wanted, answer: TlsaAnswer) -> bool:
    """Whether there are usable records that may fit the live chain, or overrule others."""
    return any(
        (one.usage, one.selector, one.mtype) != _PLAIN and unusable_reason(one) is None
        for one in set(answer.records) - wanted.known
    )


def _judged(name: str, wanted: _Wanted, seen: OwnerObservation) -> Iterator[Finding]:
    answer = seen.answer
    lacking = wanted.lacking(answer.records)
    if answer.security is not Security.SECURE:
        yield _unsecured(name, answer)
    elif answer.records and lacking and not wanted.known & set(answer.records):
        remedy = f"add now: {seen.owner}. IN TLSA {lacking[0]}"
        words = f"no TLSA record at {seen.owner} matches the live key: DANE senders defer mail"
        if _strangers(wanted, answer):
            words = f"no TLSA record at {seen.owner} is the live key's own"
            yield Finding(Code.TLSA_MISSING, Severity.WARNING, name, words, remedy)
        else:
            yield Finding(Code.TLSA_MISMATCH, Severity.CRITICAL, name, words, remedy)
    else:
        for record in lacking:
            words = f"the live key's TLSA record is missing ({answer.presence.value})"
            remedy = f"add: {seen.owner}. IN TLSA {record}"
            yield Finding(
                Code.TLSA_MISSING, Severity.WARNING, name, f"{words} at {seen.owner}", remedy
            )
    behind = [str(one.server) for one in seen.all_answering if wanted.lacking(one.records)]
    if behind:
        words = f"the live key's record at {seen.owner} is missing at {', '.join(behind)}"
        yield Finding(
            Code.SERVER_LACKS_RECORD,
            Severity.WARNING,
            name,
            words,
            "publish it, or see why that server lags",
        )
    if seen.unheard and not _cut_off(seen):
        names = ", ".join(sorted(map(str, seen.unheard)))
        words = f"authoritative servers of {seen.owner} give no usable answer: {names}"
        yield Finding(
            Code.SERVERS_UNREACHABLE,
            Severity.UNJUDGED,
            name,
            words,
            "mend them, or take them out of the NS set",
        )


def _cut_off(seen: OwnerObservation) -> bool:
    """Whether this host reaches no authoritative server: then the resolver's word has to do."""
    out_of_reach = (ServerOutcome.UNREACHABLE, ServerOutcome.NO_ROUTE)
    return all(one.outcome in out_of_reach for one in seen.all_servers)


def _unsecured(name: str, answer: TlsaAnswer) -> Finding:
    detail = f" ({answer.detail})" if answer.detail else ""
    if answer.security is Security.BOGUS:
        words = f"DNSSEC validation of {answer.name} fails{detail}: DANE senders defer mail"
        return Finding(
            Code.TLSA_BOGUS,
            Severity.CRITICAL,
            name,
            words,
            "mend the zone's signatures or its DS record",
        )
    if answer.security is Security.INSECURE and answer.cause is not Cause.UNTRUSTED:
        words = f"the answer for {answer.name} is not secured by DNSSEC{detail}"
        return Finding(
            Code.TLSA_INSECURE,
            Severity.WARNING,
            name,
            words,
            "sign the zone, so that senders use the record",
        )
    words = f"the validating resolver gives no answer for {answer.name} to rely on{detail}"
    return Finding(
        Code.DNS_UNREACHABLE,
        Severity.UNJUDGED,
        name,
        words,
        "see that it runs, or name another with --resolver",
    )
