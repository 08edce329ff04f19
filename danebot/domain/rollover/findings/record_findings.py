"""Findings about the live key's records, of a run or of a plugin that looks again."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import Cause, Presence, TlsaAnswer
from danebot.domain.dns.tlsa import raw_key_suffices
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory
from danebot.domain.rollover.evidence.propagation import Gap, Observations, Obstacle, Propagation
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.names import DnsName


VALIDATES = (
    "see that the resolver validates (dig +dnssec SOA . has the flag ad), then that the parent "
    "zone has the DS record"
)


class Fit(enum.Enum):
    """Whether a published record is one that the live chain satisfies."""

    YES = "yes"
    NO = "no"
    UNTOLD = "can't be told from here"


class Scene(NamedTuple):
    """What the live key's records are judged by.

    ``fit`` says what a record of an owner is to the live chain, ``addition`` what to add in place
    of a record that is missing: how soon it is urgent is the second argument, "" or " now".
    """

    lineage: str
    owners: Observations
    fit: Callable[[DnsName, TlsaRecord], Fit]
    addition: Callable[[Propagation, str], str]
    now: datetime
    memory: Memory = Memory()

    def fits(self, owner: DnsName, records: Iterable[TlsaRecord]) -> Fit:
        """Return YES if one of the owner's records fits, NO if it is sure that none does."""
        found = {self.fit(owner, record) for record in records}
        if Fit.YES in found:
            return Fit.YES
        return Fit.UNTOLD if Fit.UNTOLD in found else Fit.NO


def record_findings(scene: Scene, propagations: Iterable[Propagation]) -> Iterator[Finding]:
    """Yield what is wrong with the records of the live key, and with the answers for them."""
    for propagation in propagations:
        yield from _of_one(scene, propagation)


def _of_one(scene: Scene, propagation: Propagation) -> Iterator[Finding]:
    owner = propagation.required.owner
    lacking = []
    for gap in propagation.gaps:
        match gap.obstacle:
            case Obstacle.RESOLVER_LACKS:
                yield _lacking(scene, propagation)
            case Obstacle.SERVER_LACKS:
                lacking.append(gap.where)
            case Obstacle.NOT_OBSERVED | Obstacle.SERVER_SILENT | Obstacle.OVERRULED:
                pass
            case _:
                yield _unsecured(scene, owner, gap)
    if any(gap.obstacle is Obstacle.OVERRULED for gap in propagation.gaps):
        yield _overruled(scene, propagation)
    wrong = _mismatching_witnesses(scene, owner)
    if wrong:
        yield Finding(
            Code.TLSA_MISMATCH,
            Severity.CRITICAL,
            scene.lineage,
            f"no TLSA record at {owner} that the world sees, by {', '.join(wrong)}, matches the "
            "live key: DANE senders defer or bounce mail",
            f"add it to the view that the world sees: {owner}. IN TLSA {propagation.record}",
        )
    lacking = [where for where in lacking if where not in wrong]
    if lacking and not _nowhere(propagation):
        yield Finding(
            Code.SERVER_LACKS_RECORD,
            Severity.WARNING,
            scene.lineage,
            f"the live key's record is missing at {', '.join(lacking)}: "
            f"{owner} TLSA {propagation.record}",
            ("see why that server lags, or " if propagation.present_at else "")
            + scene.addition(propagation, ""),
        )


def _nowhere(propagation: Propagation) -> bool:
    """Whether nobody has the record, the resolver included: which servers lack it is no news."""
    lacks = {gap.obstacle for gap in propagation.gaps}
    return Obstacle.RESOLVER_LACKS in lacks and not propagation.present_at


def _mismatching_witnesses(scene: Scene, owner: DnsName) -> tuple[str, ...]:
    """The witnesses that show records, none of which the live chain satisfies."""
    observed = scene.owners.get(owner)
    witnesses = observed.witnesses if observed is not None else ()
    return tuple(
        str(one.server)
        for one in witnesses
        if one.records and scene.fits(owner, one.records) is Fit.NO
    )


def _lacking(scene: Scene, propagation: Propagation) -> Finding:
    owner = propagation.required.owner
    answer = scene.owners[owner].answer
    fits = scene.fits(owner, answer.records)
    if answer.presence is Presence.PRESENT and fits is Fit.NO:
        return Finding(
            Code.TLSA_MISMATCH,
            Severity.CRITICAL,
            scene.lineage,
            f"no TLSA record at {owner} matches the live key: DANE senders defer or bounce mail",
            scene.addition(propagation, " now"),
        )
    if answer.presence is Presence.PRESENT and fits is Fit.UNTOLD:
        return Finding(
            Code.TLSA_MISSING,
            Severity.WARNING,
            scene.lineage,
            f"no TLSA record at {owner} is the live key's own",
            scene.addition(propagation, " now"),
        )
    if _remembers_absence(scene, propagation):
        return Finding(
            Code.TLSA_MISSING,
            Severity.NOTICE,
            scene.lineage,
            f"every authoritative server has the live key's TLSA record at {owner}; the resolver "
            "still remembers that there was none",
            "that ends with the TTL of its answer",
        )
    return Finding(
        Code.TLSA_MISSING,
        Severity.WARNING,
        scene.lineage,
        f"the live key's TLSA record is missing ({_absence(answer)}) at {owner}",
        scene.addition(propagation, ""),
    )


def _remembers_absence(scene: Scene, propagation: Propagation) -> bool:
    """Whether the resolver lacks a record for no longer than its cache explains.

    That is, as long as the longest TTL that was seen for the owner, after the first observation at
    which all servers had the RRset (RFC 2308 section 5).
    """
    lacks = {gap.obstacle for gap in propagation.gaps}
    if lacks != {Obstacle.RESOLVER_LACKS} or not propagation.servers_asked:
        return False
    observed = scene.owners[propagation.required.owner]
    known = scene.memory.owners.get(propagation.required.owner, OwnerMemory())
    there = {tuple(sorted(set(s.records))) for s in observed.servers if s.records}
    first = [one.first for one in known.rrsets if one.records in there]
    longest = max((one.ttl for one in known.sightings), default=timedelta(0))
    return bool(first) and scene.now < min(first) + longest


def _absence(answer: TlsaAnswer) -> str:
    """How the resolver says that it has no record."""
    present = answer.presence is Presence.PRESENT
    words = "only others are there" if present else answer.presence.value
    return f"{words}; {answer.detail}" if answer.cause is Cause.OPT_OUT else words


def _overruled(scene: Scene, propagation: Propagation) -> Finding:
    """The remedy of digest agility (RFC 7671 section 9): the stronger digest of the live key."""
    owner = propagation.required.owner
    deliver = ""
    if raw_key_suffices(scene.owners[owner].answer.records):
        deliver = (
            "; those that are given the raw public key, Postfix from 3.9 by a server like itself, "
            "deliver"
        )
    return Finding(
        Code.TLSA_MISMATCH,
        Severity.CRITICAL,
        scene.lineage,
        f"the live key's TLSA record at {owner} stands beside SHA2-512 records of other keys, so "
        f"senders that are given a certificate ignore it and defer or bounce mail{deliver}",
        scene.addition(propagation, " now"),
    )


def _unsecured(scene: Scene, owner: DnsName, gap: Gap) -> Finding:
    name = scene.lineage
    detail = f" ({gap.detail})" if gap.detail else ""
    match gap.obstacle:
        case Obstacle.BOGUS:
            return Finding(
                Code.TLSA_BOGUS,
                Severity.CRITICAL,
                name,
                f"DNSSEC validation of {owner} fails{detail}: DANE senders defer mail",
            )
        case Obstacle.INSECURE if scene.owners[owner].signed:
            return Finding(
                Code.TLSA_INSECURE,
                Severity.WARNING,
                name,
                f"the answer for {owner} is not secured by DNSSEC{detail}, though the zone's "
                "servers sign it: the resolver doesn't validate, or the zone's DS record is gone",
                VALIDATES,
            )
        case Obstacle.INSECURE if scene.owners[owner].unproven:
            heard = "not every" if scene.owners[owner].heard_any else "no"
            return Finding(
                Code.TLSA_INSECURE,
                Severity.WARNING,
                name,
                f"the answer for {owner} is not secured by DNSSEC{detail}, and {heard} server of "
                "the zone can be asked: no sender uses it, unless it is the resolver that doesn't "
                "validate",
                VALIDATES,
            )
        case Obstacle.INSECURE:
            return Finding(
                Code.TLSA_INSECURE,
                Severity.WARNING,
                name,
                f"the answer for {owner} is not secured by DNSSEC{detail}, so no sender uses it",
            )
        case _:
            return Finding(
                Code.DNS_UNREACHABLE,
                Severity.WARNING,
                name,
                f"the validating resolver gives no answer for {owner}{detail}",
            )


def silent_gaps(propagations: Iterable[Propagation]) -> tuple[Gap, ...]:
    """Return the servers that were asked for records and gave no answer, each once."""
    gaps = (gap for propagation in propagations for gap in propagation.gaps)
    return tuple(dict.fromkeys(gap for gap in gaps if gap.obstacle is Obstacle.SERVER_SILENT))


def silent_servers(lineage: str, gaps: Iterable[Gap], severity: Severity) -> Finding:
    """Return the finding that servers are silent."""
    where = "; ".join(f"{gap.where} ({gap.detail})" if gap.detail else gap.where for gap in gaps)
    text = f"authoritative servers give no usable answer: {where}"
    return Finding(Code.SERVERS_UNREACHABLE, severity, lineage, text)
