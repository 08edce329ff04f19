"""What works today and will fail: records, anchors and certificates of one host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.verdicts import Named, Reason, Verdict
from danebot.domain.delivery.additions import own_record
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.report import AddressReport, Criteria, HostReport, Leaf
from danebot.domain.dns.tlsa import TlsaRecord, Usage, counts_beside
from danebot.domain.finding import Finding, Severity

if TYPE_CHECKING:
    from danebot.domain.dane.certificate import Certificate

SHORT_LIFE = timedelta(days=200)
"""Lifetimes up to this are renewed by machines (CA/Browser Forum ballot SC-081: 200 days)."""
_SHOWN = 6  # records that match nothing
_ORGANISATION = "2.5.4.10"
_CHOOSERS = frozenset({"let's encrypt", "google trust services", "google trust services llc"})
"""Organisations that pick one of several intermediates at each issuance, folded."""
_Good: TypeAlias = tuple[AddressReport, Verdict]


def forecast(host: HostReport, criteria: Criteria, now: datetime) -> Iterator[Finding]:
    """Findings about what is to come."""
    yield from _records(host, criteria, now)
    yield from _expiry(host, criteria, now)


def _records(host: HostReport, criteria: Criteria, now: datetime) -> Iterator[Finding]:
    """The RRset as a whole, where it works today."""
    good = [
        (one, one.verdict)
        for one in host.addresses
        if one.verdict is not None and one.authenticated
    ]
    if not good:
        return
    address, verdict = good[0]
    where = str(host.route.tried[-1].answer.name)
    codes = {caution.code for _, each in good for caution in each.cautions}
    if CautionCode.MANY_RECORDS in codes:
        text = f"{len(verdict.records)} TLSA records: {CautionCode.MANY_RECORDS.value}"
        yield Finding(DeliveryCode.MANY_RECORDS, Severity.WARNING, where, text)
    if CautionCode.ONLY_CERTIFICATE_SELECTOR in codes:
        short = any(_short_lived(one) for one, _ in good)
        yield Finding(
            DeliveryCode.ONLY_CERTIFICATE_RECORDS,
            Severity.WARNING if short else Severity.NOTICE,
            where,
            CautionCode.ONLY_CERTIFICATE_SELECTOR.value,
            "publish 3 1 1 records, which stay right as long as the key does"
            + _own_record(host, address),
        )
    yield from _anchors(where, host, good, criteria, now)
    yield from _mismade(where, good, criteria)
    yield from _unmatched(where, host, good, criteria, now)


def _own_record(host: HostReport, address: AddressReport) -> str:
    """The record to publish, where the certificate could be read."""
    record = own_record(host, address)
    return record and f": {record}"


def _short_lived(address: AddressReport) -> bool:
    leaf = address.leaf
    return leaf is not None and leaf.expires - leaf.not_before <= SHORT_LIFE


def _anchors(
    where: str, host: HostReport, good: Sequence[_Good], criteria: Criteria, now: datetime
) -> Iterator[Finding]:
    """Whether anchors that authenticate today will do so the next time; each thing said once."""
    if criteria.authorities is None:
        yield from _single_anchor(where, host, *good[0])
        return
    from danebot.domain.dane.naming import AnchorRisk, outlook

    codes = {
        AnchorRisk.RETIRED: DeliveryCode.RETIRED_ANCHOR,
        AnchorRisk.UNLISTED: DeliveryCode.UNLISTED_ISSUERS,
    }
    told: dict[str, Finding] = {}
    for address, verdict in good:
        found = outlook(verdict, address.result.chain, criteria.authorities, now)
        if found is not None:
            code = codes[found.risk]
            remedy = f"add a record of the server's own key{_own_record(host, address)}"
            if counts_beside((2, 1, 1), host.route.records):
                remedy += "; or records of all that may issue: danebot tlsa --anchors"
            told.setdefault(found.text, Finding(code, found.severity, where, found.text, remedy))
    yield from told.values() or _single_anchor(where, host, *good[0])


def _mismade(where: str, good: Sequence[_Good], criteria: Criteria) -> Iterator[Finding]:
    """Records that were made of no certificate or key, which so are nobody's next ones."""
    severity = max(criteria.unmatched, Severity.WARNING)
    for record, name in _names(good).items():
        if name.is_mistake:
            text = f"{_brief(record)} {name.words}"
            yield Finding(DeliveryCode.MISMADE_RECORD, severity, where, text)


def _names(good: Sequence[_Good]) -> dict[TlsaRecord, Named]:
    return {
        one.record: one.name
        for _, verdict in good
        for one in verdict.records
        if one.name is not None
    }


def _single_anchor(
    where: str, host: HostReport, address: AddressReport, verdict: Verdict
) -> Iterator[Finding]:
    """One intermediate alone, by DANE-TA (RFC 7671 section 5.2 has the alternatives)."""
    passed_over = Reason.WEAKER_DIGEST
    counted = [one for one in verdict.records if one.usable and one.reason is not passed_over]
    matched = verdict.matched
    if matched is None or matched.record.usage != Usage.DANE_TA:
        return
    named, path = matched.certificate, matched.path
    if {(one.reason, one.certificate) for one in counted} != {(Reason.MATCHED, named)}:
        return
    if named is None and len(path) > 1:
        return  # a bare key above intermediates: it may well be a root's
    if named is not None and named.facts is not None and named.facts.self_issued:
        return
    chooses = _issued_by_chooser(path[0])
    yield Finding(
        DeliveryCode.SINGLE_ANCHOR,
        Severity.WARNING if chooses else Severity.NOTICE,
        where,
        (
            "a single DANE-TA record names an intermediate"
            if len(counted) == 1
            else "the DANE-TA records name a single intermediate"
        )
        + ", and the CA "
        + ("issues from several in turn" if chooses else "may issue from another next time"),
        f"add a 3 1 1 record of the server's own key{_own_record(host, address)}",
    )


def _issued_by_chooser(leaf: Certificate) -> bool:
    if leaf.facts is None:
        return False
    return any(
        oid == _ORGANISATION and value in _CHOOSERS
        for attributes in leaf.facts.issuer
        for oid, value in attributes
    )


def _unmatched(
    where: str, host: HostReport, good: Sequence[_Good], criteria: Criteria, now: datetime
) -> Iterator[Finding]:
    names = _names(good)
    mismade = {one for one, name in names.items() if name.is_mistake}
    left = [one for one in host.unmatched if one not in mismade]
    if not left:
        return
    since = host.route.tried[-1].answer.signed_since
    age = ""
    if since is not None and since < now:
        age = f"; the signature over the record set is dated {since:%Y-%m-%d %H:%M UTC}"
    shown = ", ".join(
        _brief(one) + (f" ({names[one].words})" if one in names else "") for one in left[:_SHOWN]
    )
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    yield Finding(
        DeliveryCode.UNMATCHED_RECORDS,
        criteria.unmatched,
        where,
        f"{len(left)} TLSA records match nothing that is served: {shown}{more}{age}",
    )


def _brief(record: TlsaRecord) -> str:
    return f"{record.usage} {record.selector} {record.mtype} {record.hex[:16]}..."


def _expiry(host: HostReport, criteria: Criteria, now: datetime) -> Iterator[Finding]:
    """Certificates that end soon, each once however many addresses serve it."""
    seen: dict[Leaf, list[str]] = {}
    for address in host.addresses:
        if address.leaf is not None:
            seen.setdefault(address.leaf, []).append(address.result.address)
    for leaf, addresses in seen.items():
        where = f"{host.endpoint} [{' '.join(dict.fromkeys(addresses))}]"
        severity = expiry_severity(leaf, criteria, now)
        when = f"{leaf.expires:%Y-%m-%d %H:%M UTC}"
        which, consequence = f"the {leaf.ending.noun}", leaf.ending.consequence
        if leaf.ends:
            which += f", at depth {leaf.ends} of the path,"
        if leaf.expires <= now:
            senders = host.profile is Profile.SMTP
            least = Severity.WARNING if senders else Severity.CRITICAL  # clients without DANE
            yield Finding(
                DeliveryCode.CERTIFICATE_EXPIRED,
                max(severity, least),
                where,
                f"{which} expired {when}: "
                + (consequence or "senders and clients without DANE refuse it"),
            )
        elif severity is not Severity.NOTICE:
            yield Finding(
                DeliveryCode.CERTIFICATE_EXPIRES,
                severity,
                where,
                f"{which} expires {when}" + (f": {consequence}" if consequence else ""),
            )


def expiry_severity(leaf: Leaf, criteria: Criteria, now: datetime) -> Severity:
    """How bad it is how little is left; without thresholds, under a fifth of the lifetime is."""
    left = leaf.expires - now
    if criteria.days is not None:
        return criteria.days.severity(left / timedelta(days=1))
    return Severity.WARNING if left < (leaf.expires - leaf.not_before) / 5 else Severity.NOTICE
