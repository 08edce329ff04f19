"""What a DANE sender makes of one endpoint right now, a word for each address."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from danebot.domain.dane.certificate import read
from danebot.domain.dane.verify import Outcome, Profile, Verdict, verify
from danebot.domain.delivery.address_findings import MAIL_PROTOCOLS
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.finding import Finding, Severity

if TYPE_CHECKING:
    from danebot.domain.delivery.routes import HostRoute
    from danebot.domain.names import Endpoint


class Judgement(enum.Enum):
    """What a DANE sender makes of one address.  Frozen: the values are public labels."""

    AUTHENTICATED = "authenticated"
    MISMATCH = "mismatch"  # senders refuse to deliver
    UNAUTHENTICATED = "unauthenticated"  # all records are unusable: TLS without authentication
    NOT_JUDGED = "not-judged"  # PKIX usages, outside SMTP
    NO_DANE = "no-dane"  # served, but no secure records bind the sender
    NO_TLS = "no-tls"
    UNREACHABLE = "unreachable"
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
    ProbeOutcome.REFUSED: Judgement.UNREACHABLE,  # in words, before TLS was spoken of
    ProbeOutcome.CUT_SHORT: Judgement.UNREACHABLE,
    ProbeOutcome.NO_ROUTE: Judgement.NO_ROUTE,
    ProbeOutcome.SHORTAGE: Judgement.NO_ROUTE,
}
_CODES = {
    Judgement.UNAUTHENTICATED: DeliveryCode.ALL_UNUSABLE,
    Judgement.NOT_JUDGED: DeliveryCode.NOT_JUDGED,
    Judgement.NO_DANE: DeliveryCode.NO_DANE,
    Judgement.NO_TLS: DeliveryCode.TLS_FAILED,
}


class Served(NamedTuple):
    """One address's answer; ``key`` and ``not_after`` are the leaf's, None where unreadable."""

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


def judge_address(result: ProbeResult, route: HostRoute, now: datetime) -> Served:
    """What a sender that knows ``route`` makes of one address."""
    if result.outcome is not ProbeOutcome.SERVED:
        detail = f": {result.detail}" if result.detail else ""
        return Served(result.address, judgement(result, None), result.outcome.value + detail)
    leaf = read(result.chain[0]) if result.chain else None
    key = hashlib.sha256(leaf.spki).digest() if leaf is not None else None
    not_after = leaf.facts.not_after if leaf is not None and leaf.facts is not None else None
    if route.references is None:
        return Served(
            result.address, Judgement.NO_DANE, route.dane.value, key=key, not_after=not_after
        )
    profile = Profile.SMTP if result.endpoint.protocol in MAIL_PROTOCOLS else Profile.GENERIC
    verdict = verify(route.records, result.chain, route.references, now, profile)
    return Served(
        result.address,
        judgement(result, verdict),
        verdict.outcome.value,
        key=key,
        not_after=not_after,
    )


def authenticated(served: Sequence[Served]) -> bool:
    """Whether a sender authenticates an endpoint whichever of its addresses it takes.

    Addresses that this host has no way to don't count, unless there are no others.
    """
    judged = {one.judgement for one in served} - {Judgement.NO_ROUTE}
    return judged == {Judgement.AUTHENTICATED}


def endpoint_findings(
    lineage: str, endpoint: Endpoint, served: Sequence[Served]
) -> tuple[Finding, ...]:
    """Return what is wrong with an endpoint of ``lineage``, the addresses' details aside."""
    judged = [one.judgement for one in served]
    if Judgement.MISMATCH in judged:
        text = f"{endpoint} presents a certificate that no TLSA record matches"
        remedy = "reload that service, or publish the record of what it serves"
        return (Finding(DeliveryCode.MISMATCH, Severity.CRITICAL, lineage, text, remedy),)
    if authenticated(served):
        return ()
    code = next((_CODES[one] for one in judged if one in _CODES), DeliveryCode.UNREACHABLE)
    text = f"{endpoint} can't be authenticated by DANE (see below)"
    return (Finding(code, Severity.WARNING, lineage, text, ""),)
