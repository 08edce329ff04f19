"""One address of one host: the presented chain against the TLSA records, and what will become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from danebot.domain.dane import (
    Caution,
    CautionCode,
    Outcome,
    Profile,
    Reason,
    References,
    Verdict,
    verify,
)
from danebot.domain.delivery import (
    AddressReport,
    Criteria,
    DeliveryCode,
    DeliveryFinding,
    Expectation,
    Grade,
    HostReport,
    Leaf,
    Visit,
)
from danebot.domain.names import Protocol, TlsaOwner, printable
from danebot.domain.presented import Certificate, read
from danebot.domain.served import Algorithm, ProbeOutcome, ProbeResult
from danebot.domain.tlsa import (
    MatchingType,
    TlsaRecord,
    Usage,
    association,
)

SHORT_LIFE = timedelta(days=200)
"""Lifetimes up to this are renewed by machines (CA/Browser Forum ballot SC-081: 200 days)."""
_ORGANISATION = "2.5.4.10"
_CHOOSERS = frozenset({"let's encrypt", "google trust services", "google trust services llc"})
"""Organisations that pick one of several intermediates at each issuance, folded."""
_MAIL = (Protocol.SMTP, Protocol.LMTP)
_LATER: dict[CautionCode, Grade] = {
    CautionCode.NO_AUTHORITY_KEY_ID: Grade.NOTICE,
    CautionCode.COMMON_NAME_ONLY: Grade.WARNING,
    CautionCode.WEAK_KEY: Grade.WARNING,
    CautionCode.WEAK_SIGNATURE: Grade.WARNING,
    CautionCode.ANCHOR_NOT_CURRENT: Grade.WARNING,
    CautionCode.ANCHOR_NOT_PRESENTED: Grade.NOTICE,
    CautionCode.MATCH_BEHIND_STRONGER_DIGEST: Grade.NOTICE,
    CautionCode.PATH_NEEDS_SEARCH: Grade.NOTICE,
    CautionCode.UNREADABLE_CERTIFICATE: Grade.WARNING,
    CautionCode.LONG_CHAIN: Grade.NOTICE,
}
"""Cautions without a finding of their own."""


def look_at(visit: Visit, result: ProbeResult, criteria: Criteria, now: datetime) -> AddressReport:
    """Judge the chain that one address presented, if DANE binds clients there."""
    references = visit.route.references
    if result.outcome is not ProbeOutcome.SERVED or references is None:
        return AddressReport(result)
    verdict = verify(
        visit.route.records,
        result.chain,
        References(references.base, (*references.others, *criteria.aka)),
        now,
        Profile.SMTP if visit.protocol in _MAIL else Profile.GENERIC,
        trust_anchors=criteria.trust_anchors,
    )
    return AddressReport(result, verdict, _leaf(result.chain, verdict))


def _leaf(chain: Sequence[bytes], verdict: Verdict) -> Leaf | None:
    """The leaf, and the end of what the verdict rests on: with an anchor, the path to it."""
    leaf = read(chain[0]) if chain else None
    if leaf is None or leaf.facts is None:
        return None
    matched = verdict.matched
    depth = 0 if matched is None or matched.record.usage == Usage.DANE_EE else matched.depth or 0
    path = [one for one in map(read, chain[: depth + 1]) if one is not None]
    expires = min(one.facts.not_after for one in path if one.facts is not None)
    names = leaf.facts.dns_names or leaf.facts.common_names
    shown = tuple(printable(name, 80) for name in names[:8])
    return Leaf(leaf.spki, shown, leaf.facts.not_before, expires)


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


def judge_addresses(
    host: HostReport, criteria: Criteria, now: datetime
) -> Iterator[DeliveryFinding]:
    """Findings about the addresses of one host, and about its records."""
    for address in host.addresses:
        where = place(host, address.result)
        if address.verdict is None:
            yield from _no_chain(where, address.result)
        else:
            yield from _verdict(where, host, address, address.verdict, criteria)
    yield from _records(host, criteria, now)
    yield from _expiry(host, criteria, now)


def place(host: HostReport, result: ProbeResult) -> str:
    """An address in words."""
    asked = "" if result.algorithm is Algorithm.ANY else f" {result.algorithm.value.upper()}"
    return f"{host.endpoint} [{result.address}]{asked}"


_FATAL = {
    ProbeOutcome.NO_STARTTLS: (
        DeliveryCode.NO_STARTTLS,
        "STARTTLS is not offered, though TLSA records demand it: senders defer",
        "turn TLS on, or look for what strips STARTTLS on the way",
    ),
    ProbeOutcome.TLS_FAILED: (
        DeliveryCode.TLS_FAILED,
        "the TLS handshake fails",
        "see the service's own log",
    ),
    ProbeOutcome.PROTOCOL_ERROR: (
        DeliveryCode.PROTOCOL_BROKEN,
        "the service breaks its protocol",
        "see that the right service listens there, and its log",
    ),
    ProbeOutcome.INJECTED: (
        DeliveryCode.PROTOCOL_BROKEN,
        "plain text follows the answer to STARTTLS: a broken service, or somebody in between",
        "update the service, and look for what sits on the way",
    ),
}


def _no_chain(where: str, result: ProbeResult) -> Iterator[DeliveryFinding]:
    detail = f": {result.detail}" if result.detail else ""
    if result.algorithm is not Algorithm.ANY:  # the server may well have no such certificate
        text = f"{result.outcome.value}{detail}"
        yield DeliveryFinding(DeliveryCode.NOT_ASKED, Grade.NOTICE, where, text)
    elif result.outcome in _FATAL:
        code, text, remedy = _FATAL[result.outcome]
        yield DeliveryFinding(code, Grade.CRITICAL, where, f"{text}{detail}", remedy)
    elif result.outcome is ProbeOutcome.NO_ROUTE:
        text = f"not asked: {result.outcome.value}{detail}"
        yield DeliveryFinding(DeliveryCode.NOT_ASKED, Grade.NOTICE, where, text)
    elif result.outcome is not ProbeOutcome.SERVED:
        yield DeliveryFinding(
            DeliveryCode.UNREACHABLE,
            Grade.WARNING,
            where,
            f"{result.outcome.value}{detail}",
            "see that the service runs and that nothing filters the way to it",
        )


def _verdict(
    where: str, host: HostReport, address: AddressReport, verdict: Verdict, criteria: Criteria
) -> Iterator[DeliveryFinding]:
    match verdict.outcome:
        case Outcome.FAILED:
            yield _mismatch(where, host, address, verdict)
        case Outcome.UNAUTHENTICATED_TLS:
            required = criteria.expectation is Expectation.REQUIRED
            yield DeliveryFinding(
                DeliveryCode.ALL_UNUSABLE,
                Grade.CRITICAL if required else Grade.WARNING,
                where,
                "no TLSA record can be used, so senders don't authenticate the server, or defer: "
                + _reasons(verdict),
                _remedy(host, address),
            )
        case Outcome.NOT_JUDGED:
            yield DeliveryFinding(
                DeliveryCode.NOT_JUDGED,
                Grade.UNJUDGED,
                where,
                "only PKIX usages, and there is no trust store here to judge them by",
            )
        case _:
            yield from _cautions(where, host, verdict)


def _mismatch(
    where: str, host: HostReport, address: AddressReport, verdict: Verdict
) -> DeliveryFinding:
    hidden = "".join(
        f"; {caution}"
        for caution in verdict.cautions
        if caution.code in (CautionCode.MATCH_BEHIND_STRONGER_DIGEST, CautionCode.PATH_NEEDS_SEARCH)
    )
    served = f" (served: 3 1 1 {_digest(address)})" if address.leaf is not None else ""
    return DeliveryFinding(
        DeliveryCode.MISMATCH,
        Grade.CRITICAL,
        where,
        f"{Outcome.FAILED.value}{served}: {_reasons(verdict)}{hidden}",
        _remedy(host, address),
    )


def _reasons(verdict: Verdict) -> str:
    """What became of the records, each thing said once."""
    return ", ".join(
        dict.fromkeys(
            f"{one.record.usage} {one.record.selector} {one.record.mtype} {one}"
            for one in verdict.records
        )
    )


def _digest(address: AddressReport) -> str:
    return (
        association(address.leaf.spki, MatchingType.SHA2_256).hex()
        if address.leaf is not None
        else ""
    )


def _remedy(host: HostReport, address: AddressReport) -> str:
    references = host.route.references
    if address.leaf is None or references is None:
        return "serve a certificate that the TLSA records name"
    owner = TlsaOwner(references.base, host.route.port)
    return (
        "serve the key that the records name, or add the record of this one: "
        f"{owner}. IN TLSA 3 1 1 {_digest(address)}"
    )


def _cautions(where: str, host: HostReport, verdict: Verdict) -> Iterator[DeliveryFinding]:
    """Authenticated, but not for everybody."""
    unusable = [str(one.reason.value) for one in verdict.records if not one.usable]
    if unusable:
        text = f"{len(unusable)} unusable TLSA records: {'; '.join(dict.fromkeys(unusable))}"
        yield DeliveryFinding(
            DeliveryCode.UNUSABLE_RECORDS, Grade.NOTICE, str(host.endpoint), text, "remove them"
        )
    for caution in verdict.cautions:
        if caution.code in _LATER:
            yield _caution(where, caution)


def _caution(where: str, caution: Caution) -> DeliveryFinding:
    grade = _LATER[caution.code]
    return DeliveryFinding(DeliveryCode.SOME_SENDERS_FAIL, grade, where, str(caution))


# ---- what will fail -------------------------------------------------------------------------


def _records(host: HostReport, criteria: Criteria, now: datetime) -> Iterator[DeliveryFinding]:
    """The RRset as a whole, where it works today."""
    good = [
        (one, one.verdict)
        for one in host.addresses
        if one.verdict is not None and one.verdict.outcome is Outcome.AUTHENTICATED
    ]
    if not good:
        return
    address, verdict = good[0]
    where = str(host.route.tried[-1].answer.name)
    codes = {caution.code for _, each in good for caution in each.cautions}
    if CautionCode.MANY_RECORDS in codes:
        text = f"{len(verdict.records)} TLSA records: {CautionCode.MANY_RECORDS.value}"
        remedy = "remove records of keys that are no longer used"
        yield DeliveryFinding(DeliveryCode.MANY_RECORDS, Grade.WARNING, where, text, remedy)
    if CautionCode.ONLY_CERTIFICATE_SELECTOR in codes:
        short = any(_short_lived(one) for one, _ in good)
        yield DeliveryFinding(
            DeliveryCode.ONLY_CERTIFICATE_RECORDS,
            Grade.WARNING if short else Grade.NOTICE,
            where,
            CautionCode.ONLY_CERTIFICATE_SELECTOR.value,
            "publish 3 1 1 records, which stay right as long as the key does: "
            f"{where}. IN TLSA 3 1 1 {_digest(address)}",
        )
    yield from _single_anchor(where, address, verdict)
    if host.unmatched:
        yield _unmatched(where, host, criteria, now)


def _short_lived(address: AddressReport) -> bool:
    leaf = address.leaf
    return leaf is not None and leaf.expires - leaf.not_before <= SHORT_LIFE


def _single_anchor(
    where: str, address: AddressReport, verdict: Verdict
) -> Iterator[DeliveryFinding]:
    """One DANE-TA record alone, for an intermediate (RFC 7671 section 5.2 has the alternatives)."""
    usable = [one for one in verdict.records if one.usable]
    matched = verdict.matched
    if len(usable) != 1 or matched is None or matched.record.usage != Usage.DANE_TA:
        return
    chain = [one for one in map(read, address.result.chain) if one is not None]
    if not chain or _is_root(chain, matched.depth or 0):
        return
    chooses = _issued_by_chooser(chain[0])
    yield DeliveryFinding(
        DeliveryCode.SINGLE_ANCHOR,
        Grade.WARNING if chooses else Grade.NOTICE,
        where,
        "a single DANE-TA record names an intermediate, and the CA "
        + ("issues from several in turn" if chooses else "may issue from another next time"),
        f"add a 3 1 1 record of the server's own key: {where}. IN TLSA 3 1 1 {_digest(address)}",
    )


def _is_root(chain: Sequence[Certificate], depth: int) -> bool:
    facts = chain[depth].facts if depth < len(chain) else None
    return facts is None or facts.self_issued


def _issued_by_chooser(leaf: Certificate) -> bool:
    if leaf.facts is None:
        return False
    return any(
        oid == _ORGANISATION and value in _CHOOSERS
        for attributes in leaf.facts.issuer
        for oid, value in attributes
    )


def _unmatched(where: str, host: HostReport, criteria: Criteria, now: datetime) -> DeliveryFinding:
    since = host.route.tried[-1].answer.signed_since
    age = ""
    if since is not None and since < now:
        age = f"; the signature over the record set is dated {since:%Y-%m-%d %H:%M UTC}"
    shown = ", ".join(
        f"{one.usage} {one.selector} {one.mtype} {one.hex[:16]}..." for one in host.unmatched[:6]
    )
    more = f" and {len(host.unmatched) - 6} more" if len(host.unmatched) > 6 else ""  # noqa: PLR2004
    return DeliveryFinding(
        DeliveryCode.UNMATCHED_RECORDS,
        criteria.unmatched,
        where,
        f"{len(host.unmatched)} TLSA records match nothing that is served: {shown}{more}{age}",
        "keep them if they are of the next key, or of a host that wasn't asked",
    )


def _expiry(host: HostReport, criteria: Criteria, now: datetime) -> Iterator[DeliveryFinding]:
    """Certificates that end soon, each once however many addresses serve it."""
    seen: dict[Leaf, list[str]] = {}
    for address in host.addresses:
        if address.leaf is not None:
            seen.setdefault(address.leaf, []).append(address.result.address)
    for leaf, addresses in seen.items():
        where = f"{host.endpoint} [{' '.join(dict.fromkeys(addresses))}]"
        grade = expiry_grade(leaf, criteria, now)
        when = f"{leaf.expires:%Y-%m-%d %H:%M UTC}"
        if leaf.expires <= now:
            mail = host.protocol in _MAIL
            least = Grade.WARNING if mail else Grade.CRITICAL  # clients without DANE
            yield DeliveryFinding(
                DeliveryCode.CERTIFICATE_EXPIRED,
                max(grade, least),
                where,
                f"the certificate expired {when}: senders and clients without DANE refuse it",
                "renew the certificate, and see why that did not happen by itself",
            )
        elif grade is not Grade.NOTICE:
            yield DeliveryFinding(
                DeliveryCode.CERTIFICATE_EXPIRES,
                grade,
                where,
                f"the certificate expires {when}",
                "renew the certificate, and see why that did not happen by itself",
            )


def expiry_grade(leaf: Leaf, criteria: Criteria, now: datetime) -> Grade:
    """How bad it is how little is left; without thresholds, under a fifth of the lifetime is."""
    left = leaf.expires - now
    if criteria.days is not None:
        return criteria.days.grade(left / timedelta(days=1))
    return Grade.WARNING if left < (leaf.expires - leaf.not_before) / 5 else Grade.NOTICE
