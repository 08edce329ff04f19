"""Where a required record is seen: one observation of DNS, held against one key.

Seen everywhere means: in a secure answer of the validating resolver, at every authoritative server
of the zone that holds the RRset, and at every witness.  Silence proves nothing: what could not be
asked is unknown, never absent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import (
    Cause,
    OwnerObservation,
    Presence,
    Security,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import (
    MatchingType,
    Required,
    Selector,
    TlsaRecord,
    Usage,
    association,
    unusable_reason,
)
from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import Held

Observations = Mapping[DnsName, OwnerObservation]


class Seen(enum.Enum):
    """Whether a record is there; the value is in words."""

    EVERYWHERE = "seen everywhere"
    MISSING = "missing"
    UNKNOWN = "not known"


class Obstacle(enum.Enum):
    """Why a record doesn't count as seen everywhere; the value is in words."""

    NOT_OBSERVED = "not looked up"
    INSECURE = "answer is not secured by DNSSEC"
    BOGUS = "answer is bogus"
    RESOLVER_SILENT = "validating resolver gives no answer"
    RESOLVER_LACKS = "validating resolver doesn't have it"
    SERVER_LACKS = "server doesn't have it"
    OVERRULED = (
        "senders that are given a certificate ignore it beside a stronger digest that isn't this "
        "key's"
    )
    SERVER_SILENT = "server gives no usable answer"


PROVES_ABSENCE = {
    Obstacle.RESOLVER_LACKS,
    Obstacle.SERVER_LACKS,
    Obstacle.OVERRULED,
}


class Gap(NamedTuple):
    """One place where the record is not seen; ``where`` names the server, "" for the resolver."""

    obstacle: Obstacle
    where: str = ""
    detail: str = ""


class Propagation(NamedTuple):
    """One required record of one key.  ``servers_asked`` is 0 when no server could be reached."""

    required: Required
    record: TlsaRecord
    seen: Seen
    gaps: tuple[Gap, ...] = ()
    present_at: tuple[str, ...] = ()
    servers_asked: int = 0


def propagation_of(required: Required, spki: bytes, observations: Observations) -> Propagation:
    """Judge one line of ``dane-ee`` for the key with DER SPKI ``spki``."""
    strongest = required._replace(mtype=MatchingType.SHA2_512).record(spki)
    return propagation_of_record(required, required.record(spki), strongest, observations)


def propagation_of_record(
    required: Required,
    record: TlsaRecord,
    strongest: TlsaRecord | None,
    observations: Observations,
) -> Propagation:
    """Judge one record; ``strongest`` is the same key's with the strongest digest.

    Where that is None, it isn't known, and the result leaves out what overrules the record.
    """
    observation = observations.get(required.owner)
    if observation is None:
        return Propagation(required, record, Seen.UNKNOWN, (Gap(Obstacle.NOT_OBSERVED),))
    gaps = list(_resolver_gaps(record, strongest, observation))
    answered = observation.answering
    if answered:
        gaps += _server_gaps(record, strongest, observation.name_servers, observation.servers)
    for alias in observation.aliases:
        if answered or any(one.heard for one in alias.servers):
            gaps += _server_gaps(record, strongest, alias.name_servers, alias.servers)
    gaps += _server_gaps(record, strongest, (), observation.witnesses)
    gaps += _astray_gaps(observation, gaps)
    gaps = list(dict.fromkeys(gaps))
    if any(gap.obstacle in PROVES_ABSENCE for gap in gaps):
        seen = Seen.MISSING
    else:
        seen = Seen.UNKNOWN if gaps else Seen.EVERYWHERE
    lacking = {gap.where for gap in gaps}
    servers = [str(s.server) for s in answered if record in s.records]
    present = tuple(server for server in servers if server not in lacking)
    return Propagation(required, record, seen, tuple(gaps), present, len(answered))


def propagations_of(
    required: Iterable[Required], key: PublicKey, observations: Observations
) -> tuple[Propagation, ...]:
    """Judge every line of ``dane-ee`` for one key."""
    return tuple([propagation_of(line, key.spki, observations) for line in required])


def taken_together(propagations: Iterable[Propagation]) -> Seen:
    """All records taken together: one that is missing, or else unknown, decides.

    Nothing taken together is unknown: what nobody looked for was seen nowhere.
    """
    outcomes = [propagation.seen for propagation in propagations]
    for worst in (Seen.MISSING, Seen.UNKNOWN):
        if worst in outcomes:
            return worst
    return Seen.EVERYWHERE if outcomes else Seen.UNKNOWN


def _overruled(
    record: TlsaRecord, strongest: TlsaRecord | None, records: tuple[TlsaRecord, ...]
) -> bool:
    """Whether senders pass over ``record`` in an RRset, by digest agility (RFC 7671 section 9).

    Those that are given a certificate do, and that is enough: nobody knows who will come.
    Of one usage and selector they take the strongest digest alone; ``strongest`` is the same
    key's record with that.
    """
    if record.mtype != MatchingType.SHA2_256 or strongest is None or strongest in records:
        return False
    return any(
        (other.usage, other.selector, other.mtype)
        == (strongest.usage, strongest.selector, strongest.mtype)
        and unusable_reason(other) is None
        for other in records
    )


def _resolver_gaps(
    record: TlsaRecord, strongest: TlsaRecord | None, observation: OwnerObservation
) -> Iterable[Gap]:
    answer = observation.answer
    match answer.security:
        case Security.BOGUS:
            yield Gap(Obstacle.BOGUS, detail=answer.detail)
        case Security.INDETERMINATE:
            yield Gap(Obstacle.RESOLVER_SILENT, detail=answer.detail)
        case Security.INSECURE if answer.cause is Cause.OPT_OUT:
            yield Gap(Obstacle.RESOLVER_LACKS, detail=answer.detail)
        case Security.INSECURE:
            yield Gap(Obstacle.INSECURE, detail=answer.detail)
        case Security.SECURE if record not in answer.records:
            absent = answer.presence is not Presence.PRESENT
            yield Gap(Obstacle.RESOLVER_LACKS, detail=answer.presence.value if absent else "")
        case Security.SECURE if _overruled(record, strongest, answer.records):
            yield Gap(Obstacle.OVERRULED)


def _server_gaps(
    record: TlsaRecord,
    strongest: TlsaRecord | None,
    name_servers: Iterable[Hostname],
    servers: Iterable[ServerAnswer],
) -> Iterable[Gap]:
    """Every address that answers must have it, and of every server one address must answer.

    So must each that owes its word: one that merely wasn't looked up, or that answered before.
    An address that leads on as the resolver was led need not: others are asked what is there.
    """
    by_name: dict[str, list[ServerAnswer]] = {name.text: [] for name in sorted(name_servers)}
    for answer in servers:
        by_name.setdefault(answer.server.name.text, []).append(answer)
    for name, answers in by_name.items():
        heard = [answer for answer in answers if answer.heard]
        for answer in heard:
            if answer.outcome is ServerOutcome.LEADS_ON:
                continue
            if record not in answer.records:
                yield Gap(Obstacle.SERVER_LACKS, str(answer.server), answer.detail)
            elif _overruled(record, strongest, answer.records):
                yield Gap(Obstacle.OVERRULED, str(answer.server))
        for answer in answers if heard else ():
            if answer.owed:
                words = answer.detail or answer.outcome.value
                yield Gap(Obstacle.SERVER_SILENT, str(answer.server), words)
        if not heard:
            words = "; ".join(
                f"{a.server.address or 'no address'}: {a.detail or a.outcome.value}"
                for a in answers
            )
            yield Gap(Obstacle.SERVER_SILENT, name, words)


def _astray_gaps(observation: OwnerObservation, gaps: Iterable[Gap]) -> Iterable[Gap]:
    """Of those that lead where not all were asked, and have the record there themselves."""
    lacking = {gap.where for gap in gaps}
    for where, end in observation.astray.items():
        if where not in lacking:
            words = f"leads to {end}, where not every server was asked"
            yield Gap(Obstacle.SERVER_SILENT, where, words)


def matches_chain(record: TlsaRecord, held: Held) -> bool:
    """Whether a usable record's data is that of the leaf or, for trust anchors, of any issuer.

    Only the comparison of RFC 6698 section 2.1; no path is verified, so this may only be used
    where a match means caution.  An anchor that can't be told from the chain is taken for a match:
    one named by its key, one that the record holds itself, or one that a PKIX path may end in.
    """
    if unusable_reason(record) is not None:
        return False
    leaf_only = record.usage in (Usage.DANE_EE, Usage.PKIX_EE)
    mtype = MatchingType(record.mtype)
    if leaf_only:
        named = held.key.spki if record.selector == Selector.SPKI else held.chain.ders[0]
        return association(named, mtype) == record.data
    if record.selector == Selector.SPKI or record.usage == Usage.PKIX_TA:
        return True
    return mtype is MatchingType.FULL or any(
        association(der, mtype) == record.data for der in held.chain.ders
    )


def live_is_gone(held: Held, owners: Iterable[DnsName], observations: Observations) -> bool:
    """Whether mail is failing already: no record that the served chain satisfies is left anywhere.

    True only on positive evidence for every owner: a secure answer with records, an answer of at
    least one address of every authoritative server, and no match in any of them.
    """
    names = tuple(owners)
    return bool(names) and all(
        name in observations and _gone(held, observations[name]) for name in names
    )


def _gone(held: Held, observation: OwnerObservation) -> bool:
    answer = observation.answer
    if not answer.secure or answer.presence is not Presence.PRESENT:
        return False
    heard = observation.all_answering
    if not heard or observation.unheard or observation.unseen_ends:
        return False
    records = set(answer.records).union(*(s.records for s in heard))
    return not any(matches_chain(record, held) for record in records)
