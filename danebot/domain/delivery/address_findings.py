"""One address of one host: the presented chain against the TLSA records, and what will become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.certificate import read
from danebot.domain.dane.path import self_signed
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome, Reason, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.delivery.additions import own_record
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import (
    AddressReport,
    Criteria,
    Expectation,
    HostObservation,
    HostReport,
    Leaf,
    PathEnd,
)
from danebot.domain.dns.tlsa import TlsaRecord, Usage
from danebot.domain.finding import Finding, Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import printable

_LATER: dict[CautionCode, Severity] = {
    CautionCode.NO_AUTHORITY_KEY_ID: Severity.NOTICE,
    CautionCode.COMMON_NAME_ONLY: Severity.WARNING,
    CautionCode.WEAK_KEY: Severity.WARNING,
    CautionCode.WEAK_SIGNATURE: Severity.WARNING,
    CautionCode.ANCHOR_NOT_CURRENT: Severity.WARNING,
    CautionCode.ANCHOR_NOT_PRESENTED: Severity.NOTICE,
    CautionCode.MATCH_BEHIND_STRONGER_DIGEST: Severity.NOTICE,
    CautionCode.RELAYS_REFUSE: Severity.WARNING,
    CautionCode.PATH_NEEDS_SEARCH: Severity.NOTICE,
    CautionCode.UNREADABLE_CERTIFICATE: Severity.WARNING,
    CautionCode.LONG_CHAIN: Severity.NOTICE,
}
"""Cautions without a finding of their own."""
_HIDDEN = frozenset(
    {
        CautionCode.MATCH_BEHIND_STRONGER_DIGEST,
        CautionCode.ONLY_AS_RAW_KEY,
        CautionCode.PATH_NEEDS_SEARCH,
    }
)
"""Cautions that say why a match doesn't count, and for whom it does."""
_PATH_AMISS = (Reason.INVALID_PATH, Reason.NO_PATH, Reason.NO_PKIX_PATH, Reason.SHADOWED)
"""A record names what is served; what is wrong is the way there."""


def report_address(
    host: HostObservation, result: ProbeResult, criteria: Criteria, now: datetime
) -> AddressReport:
    """Judge the chain that one address presented, if DANE binds clients there."""
    if result.outcome is not ProbeOutcome.SERVED or host.route.references is None:
        return AddressReport(result)
    verdict = verdict_of(host, host.route.records, result.chain, criteria, now)
    return AddressReport(result, verdict, _leaf(result.chain, verdict))


def verdict_of(
    host: HostObservation | HostReport,
    records: Sequence[TlsaRecord],
    chain: Sequence[bytes],
    criteria: Criteria,
    now: datetime,
) -> Verdict:
    """Judge a chain by some of the records that bind clients of ``host``, and name these."""
    references = host.route.references or References(host.route.host)
    verdict = verify_chain(
        records,
        chain,
        References(references.base, (*references.others, *criteria.aka)),
        now,
        host.profile,
        trust_anchors=criteria.trust_anchors,
    )
    matched = all(one.reason is Reason.MATCHED for one in verdict.records)
    if matched and criteria.authorities is None:
        return verdict
    from danebot.domain.dane.naming import named

    return named(verdict, chain, criteria.authorities, now)


def first_to_end(verdict: Verdict) -> tuple[datetime, int] | None:
    """When the first certificate ends of those that a verdict rests on, and its depth."""
    return min(
        (
            (one.facts.not_after, depth)
            for depth, one in enumerate(verdict.path)
            if one.facts is not None
        ),
        default=None,
    )


def _leaf(chain: Sequence[bytes], verdict: Verdict) -> Leaf | None:
    """The leaf, and the end of what the verdict rests on: with an anchor, the path to it."""
    leaf = read(chain[0]) if chain else None
    if leaf is None or leaf.facts is None:
        return None
    expires, depth = first_to_end(verdict) or (leaf.facts.not_after, 0)
    names = leaf.facts.dns_names or leaf.facts.common_names
    shown = tuple(printable(name, 80) for name in names[:8])
    return Leaf(leaf.spki, shown, leaf.facts.not_before, expires, depth, _ending(verdict, depth))


def _ending(verdict: Verdict, depth: int) -> PathEnd:
    if not depth or verdict.matched is None:
        return PathEnd.LEAF
    if verdict.matched.record.usage != Usage.DANE_TA or verdict.matched.certificate is None:
        return PathEnd.ISSUER
    top = verdict.path[-1]
    if depth < len(verdict.path) - 1:
        return PathEnd.ISSUER
    return PathEnd.ROOT if self_signed(top) else PathEnd.ANCHOR


def unmatched(addresses: Sequence[AddressReport]) -> tuple[TlsaRecord, ...]:
    """The records that match at none of the addresses that were judged."""
    verdicts = [one.verdict for one in addresses if one.verdict is not None]
    useless: dict[TlsaRecord, None] = {}
    used = set()
    for verdict in verdicts:
        for record in verdict.records:
            if record.reason in (Reason.NO_MATCH, Reason.NO_CHAIN):
                useless[record.record] = None
            else:
                used.add(record.record)
    return tuple(record for record in useless if record not in used)


def judge_addresses(host: HostReport, criteria: Criteria) -> Iterator[Finding]:
    """Findings about each address of one host."""
    for address in host.addresses:
        where = place(host, address.result)
        if address.verdict is None:
            yield from _no_chain(where, address.result)
        else:
            yield from _verdict(where, host, address, address.verdict, criteria)


def place(host: HostReport, result: ProbeResult) -> str:
    """An address in words."""
    asked = "" if result.algorithm is Algorithm.ANY else f" {result.algorithm.value.upper()}"
    return f"{host.endpoint} [{result.address}]{asked}"


_FATAL: dict[ProbeOutcome, tuple[DeliveryCode, str, str | None]] = {
    ProbeOutcome.NO_STARTTLS: (
        DeliveryCode.NO_STARTTLS,
        "STARTTLS is not offered, though TLSA records demand it: senders defer",
        None,
    ),
    ProbeOutcome.TLS_FAILED: (DeliveryCode.TLS_FAILED, "the TLS handshake fails", None),
    ProbeOutcome.PROTOCOL_ERROR: (
        DeliveryCode.PROTOCOL_BROKEN,
        "the service breaks its protocol",
        None,
    ),
    ProbeOutcome.INJECTED: (
        DeliveryCode.PROTOCOL_BROKEN,
        "plain text follows the answer to STARTTLS: a broken service, or somebody in between",
        "update the service, and look for what sits on the way",
    ),
}
"""Code and text, and the remedy where it isn't the code's."""


_UNASKED = {ProbeOutcome.NO_ROUTE: Severity.NOTICE, ProbeOutcome.SHORTAGE: Severity.UNJUDGED}
_ASK_LONGER = "allow more time (--timeout), and see why the service is so slow"


def _no_chain(where: str, result: ProbeResult) -> Iterator[Finding]:
    detail = f": {result.detail}" if result.detail else ""
    if result.algorithm is not Algorithm.ANY:  # the server may well have no such certificate
        text = f"{result.outcome.value}{detail}"
        yield Finding(DeliveryCode.NOT_ASKED, Severity.NOTICE, where, text, "")
    elif result.outcome in _FATAL:
        code, text, own = _FATAL[result.outcome]
        yield Finding(code, Severity.CRITICAL, where, f"{text}{detail}", own)
    elif result.outcome in _UNASKED:
        text = f"not asked: {result.outcome.value}{detail}"
        yield Finding(DeliveryCode.NOT_ASKED, _UNASKED[result.outcome], where, text, "")
    elif result.outcome is ProbeOutcome.CUT_SHORT:
        text = f"{result.outcome.value}{detail}"
        yield Finding(DeliveryCode.UNREACHABLE, Severity.UNJUDGED, where, text, _ASK_LONGER)
    elif result.outcome is not ProbeOutcome.SERVED:
        yield Finding(
            DeliveryCode.UNREACHABLE,
            Severity.WARNING,
            where,
            f"{result.outcome.value}{detail}",
        )


def _verdict(
    where: str, host: HostReport, address: AddressReport, verdict: Verdict, criteria: Criteria
) -> Iterator[Finding]:
    match verdict.outcome:
        case Outcome.FAILED:
            yield _mismatch(where, host, address, verdict)
        case Outcome.UNAUTHENTICATED_TLS | Outcome.NOT_APPLICABLE:
            required = criteria.expectation is Expectation.REQUIRED
            yield Finding(
                DeliveryCode.ALL_UNUSABLE,
                Severity.CRITICAL if required else Severity.WARNING,
                where,
                "no TLSA record can be used, so senders don't authenticate the server, or defer: "
                + (_reasons(verdict) or "; ".join(host.route.tried[-1].answer.rejects)),
                _remedy(host, address, verdict),
            )
        case Outcome.NOT_JUDGED:
            yield Finding(
                DeliveryCode.NOT_JUDGED,
                Severity.UNJUDGED,
                where,
                "only PKIX usages may match, and there is no trust store here to judge them by",
                "",
            )
        case _:
            yield from _cautions(where, host, verdict)


def _mismatch(where: str, host: HostReport, address: AddressReport, verdict: Verdict) -> Finding:
    hidden = "".join(f"; {caution}" for caution in verdict.cautions if caution.code in _HIDDEN)
    served = f" (served: {address.leaf.record})" if address.leaf is not None else ""
    return Finding(
        DeliveryCode.MISMATCH,
        Severity.CRITICAL,
        where,
        f"{verdict.words}{served}: {_reasons(verdict)}{hidden}",
        _remedy(host, address, verdict),
    )


def _reasons(verdict: Verdict) -> str:
    """What became of the records, each thing said once."""
    return ", ".join(
        dict.fromkeys(
            f"{one.record.usage} {one.record.selector} {one.record.mtype} {one}"
            for one in verdict.records
        )
    )


def _remedy(host: HostReport, address: AddressReport, verdict: Verdict) -> str:
    record = own_record(host, address)
    if not record:
        return "serve a certificate that the TLSA records name"
    named = any(one.reason in _PATH_AMISS for one in verdict.records)
    what = "mend the chain that is served" if named else "serve the key that the records name"
    return f"{what}, or add the record of this {'key' if named else 'one'}: {record}"


def _cautions(where: str, host: HostReport, verdict: Verdict) -> Iterator[Finding]:
    """Authenticated, but not for everybody."""
    unusable = [str(one.reason.value) for one in verdict.records if not (one.usable or one.mismade)]
    if unusable:
        text = f"{len(unusable)} unusable TLSA records: {'; '.join(dict.fromkeys(unusable))}"
        yield Finding(DeliveryCode.UNUSABLE_RECORDS, Severity.NOTICE, str(host.endpoint), text)
    for caution in verdict.cautions:
        if caution.code in _LATER:
            severity = _LATER[caution.code]
            yield Finding(DeliveryCode.SOME_SENDERS_FAIL, severity, where, str(caution), "")
