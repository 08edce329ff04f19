"""What a DANE sender makes of one endpoint right now, a word for each address."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.domain.dane.certificate import read
from danebot.domain.dane.profiles import profile_of
from danebot.domain.dane.verdicts import Outcome, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.delivery.address_findings import first_to_end
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.routes import Dane
from danebot.domain.dns.answers import Cause, Presence, Security
from danebot.domain.finding import Finding, Severity
from danebot.domain.text import quoted
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.delivery.routes import HostRoute
    from danebot.domain.names import Endpoint


class Judgement(enum.Enum):
    """What a DANE sender makes of one address.  Frozen: the values are public labels."""

    AUTHENTICATED = "authenticated"
    MISMATCH = "mismatch"  # senders refuse to deliver
    DEFERRED = "deferred"  # a lookup fails for everybody, so senders wait
    NO_TLS = "no-tls"  # though records demand it: senders wait
    UNAUTHENTICATED = "unauthenticated"  # all records are unusable: TLS without authentication
    NO_DANE = "no-dane"  # no secure records bind the sender
    UNREACHABLE = "unreachable"
    CUT_SHORT = "cut-short"  # by our own limit: senders may wait longer
    NOT_JUDGED = "not-judged"  # PKIX usages, but between mail servers
    COULD_NOT_LOOK = "could-not-look"  # this host's resolver or descriptors: says nothing of it
    NO_ROUTE = "no-route"  # this host lacks the address family: says nothing of the service


_OUTCOMES = {
    Outcome.AUTHENTICATED: Judgement.AUTHENTICATED,
    Outcome.FAILED: Judgement.MISMATCH,
    Outcome.UNAUTHENTICATED_TLS: Judgement.UNAUTHENTICATED,
    Outcome.NOT_JUDGED: Judgement.NOT_JUDGED,
    Outcome.NOT_APPLICABLE: Judgement.NO_DANE,
}
_SILENT = {
    ProbeOutcome.NO_ADDRESS: Judgement.UNREACHABLE,
    ProbeOutcome.UNREACHABLE: Judgement.UNREACHABLE,
    ProbeOutcome.TIMEOUT: Judgement.UNREACHABLE,
    ProbeOutcome.CUT_SHORT: Judgement.CUT_SHORT,
    ProbeOutcome.REFUSED: Judgement.UNREACHABLE,  # in words, before TLS was spoken of
    ProbeOutcome.NO_ROUTE: Judgement.NO_ROUTE,
    ProbeOutcome.SHORTAGE: Judgement.COULD_NOT_LOOK,
}


class Grade(NamedTuple):
    """What a judgement comes to: ``text`` after the endpoint's name."""

    code: DeliveryCode
    severity: Severity
    text: str
    remedy: str | None = None


GRADES = {
    Judgement.MISMATCH: Grade(
        DeliveryCode.MISMATCH,
        Severity.CRITICAL,
        "presents a certificate that no TLSA record matches",
        "reload that service, or publish the record of what it serves",
    ),
    Judgement.DEFERRED: Grade(
        DeliveryCode.LOOKUP_FAILED, Severity.CRITICAL, "can't be looked up, so senders defer"
    ),
    Judgement.NO_TLS: Grade(
        DeliveryCode.TLS_FAILED,
        Severity.CRITICAL,
        "gives no TLS, though TLSA records demand it: senders defer",
    ),
    Judgement.UNAUTHENTICATED: Grade(
        DeliveryCode.ALL_UNUSABLE, Severity.WARNING, "has no TLSA record that can be used"
    ),
    Judgement.NO_DANE: Grade(
        DeliveryCode.NO_DANE, Severity.WARNING, "has no secure TLSA record that binds senders"
    ),
    Judgement.UNREACHABLE: Grade(DeliveryCode.UNREACHABLE, Severity.WARNING, "gives no answer"),
    Judgement.CUT_SHORT: Grade(
        DeliveryCode.UNREACHABLE, Severity.UNJUDGED, "is so slow that it was not waited for"
    ),
    Judgement.NOT_JUDGED: Grade(
        DeliveryCode.NOT_JUDGED, Severity.UNJUDGED, "has records that can't be judged from here"
    ),
    Judgement.COULD_NOT_LOOK: Grade(
        DeliveryCode.RESOLVER_FAILED, Severity.UNJUDGED, "could not be looked at from here"
    ),
    Judgement.NO_ROUTE: Grade(
        DeliveryCode.NOT_ASKED, Severity.UNJUDGED, "can't be reached from here"
    ),
}
"""All but what is fine, the most serious first."""


class Served(NamedTuple):
    """One address's answer; ``key`` is the leaf's, None where unreadable.

    ``not_after`` is when the first certificate ends of those that the judgement rests on: the leaf,
    and with an anchor the path to it.
    """

    address: str
    judgement: Judgement
    detail: str
    key: bytes | None = None
    not_after: datetime | None = None


def judgement(result: ProbeResult, verdict: Verdict | None) -> Judgement:
    """One word for a probe; ``verdict`` is None where no chain was judged."""
    if result.outcome is not ProbeOutcome.SERVED:
        return _SILENT.get(result.outcome, Judgement.NO_TLS)
    return Judgement.NO_DANE if verdict is None else _OUTCOMES[verdict.outcome]


def unbound(route: HostRoute) -> Judgement | None:
    """Return why DANE binds no client of a host, or None if it does.

    A failed lookup is not "no records": senders defer, or this host alone can't tell.
    """
    if route.dane is Dane.APPLIES:
        return None
    if route.dane is Dane.NO_ADDRESS:
        return Judgement.UNREACHABLE
    if any(one.cause is Cause.UNTRUSTED for one in route.answers):
        return Judgement.COULD_NOT_LOOK
    if route.dane not in (Dane.DEFERRED, Dane.ADDRESS_FAILED):
        return Judgement.NO_DANE
    deciding = [route.tried[-1].answer] if route.dane is Dane.DEFERRED else route.answers
    failed = [one for one in deciding if one.presence is Presence.UNKNOWN]
    theirs = [o for o in failed if o.security is Security.BOGUS or o.cause is not Cause.RESOLVER]
    return Judgement.DEFERRED if theirs else Judgement.COULD_NOT_LOOK


def unseen_addresses(route: HostRoute) -> tuple[Served, ...]:
    """The addresses of one family, whose lookup failed though the other family's came."""
    families = (("A", route.ipv4), ("AAAA", route.ipv6)) if route.addresses else ()
    return tuple(
        Served(
            "",
            Judgement.COULD_NOT_LOOK if one.cause is Cause.RESOLVER else Judgement.UNREACHABLE,
            f"{kind} records can't be looked up: {one.detail}",
        )
        for kind, one in families
        if one.presence is Presence.UNKNOWN
    )


def judge_address(result: ProbeResult, route: HostRoute, now: datetime) -> Served:
    """What a sender that knows ``route`` makes of one address."""
    free = unbound(route)
    if result.outcome is not ProbeOutcome.SERVED:
        found = judgement(result, None)
        if free is Judgement.DEFERRED or (free is not None and found is Judgement.NO_TLS):
            found = free  # senders look up before they connect: RFC 7672 section 2.2
        detail = f": {result.detail}" if result.detail else ""
        return Served(result.address, found, result.outcome.value + detail)
    leaf = read(result.chain[0]) if result.chain else None
    key = hashlib.sha256(leaf.spki).digest() if leaf is not None else None
    not_after = leaf.facts.not_after if leaf is not None and leaf.facts is not None else None
    if free is not None or route.references is None:
        found, detail = free or Judgement.NO_DANE, route.dane.value
    else:
        profile = profile_of(result.endpoint.port, result.endpoint.protocol)
        verdict = verify_chain(route.records, result.chain, route.references, now, profile)
        found, detail = judgement(result, verdict), verdict.words
        end = first_to_end(verdict)
        not_after = end[0] if end is not None else not_after
    return Served(result.address, found, detail, key=key, not_after=not_after)


def authenticated(served: Sequence[Served]) -> bool:
    """Whether a sender authenticates an endpoint whichever of its addresses it takes.

    Addresses that this host has no way to don't count, unless there are no others.
    """
    judged = {one.judgement for one in served} - {Judgement.NO_ROUTE}
    return judged == {Judgement.AUTHENTICATED}


def endpoint_findings(
    lineage: str, endpoint: Endpoint, served: Sequence[Served], live: bytes | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with an endpoint of ``lineage``, the addresses' details aside.

    ``live`` is the SHA-256 of the live key's SPKI, None where it isn't known.
    """
    if authenticated(served):
        return ()
    judged = {one.judgement for one in served}
    grade = next((GRADES[one] for one in GRADES if one in judged), GRADES[Judgement.COULD_NOT_LOOK])
    severity = grade.severity
    if judged <= {Judgement.UNREACHABLE, Judgement.NO_ROUTE} and grade.severity is Severity.WARNING:
        severity = Severity.CRITICAL  # at no address
    remedy = grade.remedy
    refused = {one.key for one in served if one.judgement is Judgement.MISMATCH}
    if live is not None and refused == {live}:  # as it ought to be: a reload brings nothing
        remedy = f"add the live key's record, which this prints: danebot tlsa {quoted(lineage)}"
    return (Finding(grade.code, severity, lineage, f"{endpoint} {grade.text}", remedy),)
