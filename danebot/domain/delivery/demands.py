"""What an operator may demand beyond DANE: records of some kind, and a chain for the others.

Senders and clients without DANE judge by names, dates and a trust store of theirs (RFC 9525, RFC
5280).  Of the names, only the one counts that they were told: the MX host (RFC 8461 section 4.1) or
the service's own, not what an alias leads to.  Revocation is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from danebot.domain.dane import path as pkix
from danebot.domain.dane.cautions import Caution, CautionCode, certificate_cautions
from danebot.domain.dane.certificate import read
from danebot.domain.dane.references import References, Via, matching_names
from danebot.domain.dane.verdicts import Outcome, Reason
from danebot.domain.dane.verify import MAX_PRESENTED
from danebot.domain.delivery.additions import record_of_kind
from danebot.domain.delivery.address_findings import place, verdict_of
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import (
    AddressReport,
    Criteria,
    HostReport,
    SrvSubject,
    Subject,
    Trust,
)
from danebot.domain.delivery.routes import Dane
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import MatchingType, Selector, Usage
from danebot.domain.finding import Finding, Severity
from danebot.domain.names import Hostname, Protocol
from danebot.tuples import NamedTuple

_MINDED = (CautionCode.WEAK_KEY, CautionCode.WEAK_SIGNATURE)
_XMPP = (Protocol.XMPP_CLIENT, Protocol.XMPP_SERVER)


def demand_findings(
    subject: Subject, host: HostReport, criteria: Criteria, now: datetime
) -> Iterator[Finding]:
    """Findings about what ``criteria`` demands of one host besides; ``now`` is aware UTC."""
    if criteria.trust is Trust.PKIX_TOO and host.route.dane is not Dane.APPLIES:
        text = "whether those without DANE accept its certificate was not asked"
        yield Finding(DeliveryCode.NOT_ASKED, Severity.UNJUDGED, str(host.endpoint), text, "")
    for address in host.addresses:
        if address.result.outcome is ProbeOutcome.SERVED:
            yield from _kinds(host, address, criteria, now)
            if criteria.trust is Trust.PKIX_TOO:
                yield from _trust(subject, host, address, criteria, now)


# ---- kinds of records -----------------------------------------------------------------------


def _kinds(
    host: HostReport, address: AddressReport, criteria: Criteria, now: datetime
) -> Iterator[Finding]:
    """A record of a kind has to match by itself, and to count beside those with other digests."""
    verdict = address.verdict
    if not criteria.require or verdict is None or verdict.outcome is Outcome.FAILED:
        return  # a mismatch is told already
    records = host.route.records
    of_kind = {form: [one for one in records if form.includes(one)] for form in criteria.require}
    verdicts = []
    for form, alone in of_kind.items():
        judged = verdict_of(host, alone, address.result.chain, criteria, now)
        if judged.outcome is Outcome.AUTHENTICATED:
            alike = [one for one in records if one[:2] == form[:2]]
            judged = verdict_of(host, alike, address.result.chain, criteria, now)
        verdicts.append(judged)
    outcomes = {one.outcome for one in verdicts}
    if Outcome.AUTHENTICATED in outcomes:
        return
    where, why = str(host.route.tried[-1].answer.name), "none is published"
    if any(of_kind.values()):
        reasons = (f"{RecordForm(*one.record[:3])} {one}" for v in verdicts for one in v.records)
        where = place(host, address.result)
        why = f"none that is published matches: {', '.join(dict.fromkeys(reasons))}"
    yield Finding(
        DeliveryCode.REQUIRED_RECORD,
        Severity.UNJUDGED if Outcome.NOT_JUDGED in outcomes else Severity.CRITICAL,
        where,
        f"a {' or '.join(map(str, of_kind))} record is required, and {why}",
        _to_publish(host, address, criteria.require[0]),
    )


def _to_publish(host: HostReport, address: AddressReport, form: RecordForm) -> str:
    if form.usage in (Usage.PKIX_TA, Usage.PKIX_EE) and not host.profile.pkix_counts:
        return f"require another kind: {Reason.PKIX_IN_SMTP.value}"
    leaf = read(address.result.chain[0]) if address.result.chain else None
    if leaf is None or form.usage != Usage.DANE_EE or form.mtype == MatchingType.FULL:
        return "publish a record of that kind for what is served"
    der = leaf.spki if form.selector == Selector.SPKI else leaf.der
    return f"publish: {record_of_kind(host, form, der)}"


# ---- those without DANE ---------------------------------------------------------------------


def _trust(
    subject: Subject, host: HostReport, address: AddressReport, criteria: Criteria, now: datetime
) -> Iterator[Finding]:
    where = place(host, address.result)
    if criteria.trust_anchors is None:
        text = "no trust store here to judge by whether those without DANE accept the certificate"
        yield Finding(DeliveryCode.NOT_JUDGED, Severity.UNJUDGED, where, text)
        return
    names = (*_names(subject, host), *criteria.aka)
    references = References(names[0], names[1:])
    judged = judge_without_dane(address.result.chain, references, criteria.trust_anchors, now)
    if judged.faults:
        text = f"{DeliveryCode.NOT_TRUSTED.meaning}: {', '.join(judged.faults)}"
        yield Finding(DeliveryCode.NOT_TRUSTED, Severity.CRITICAL, where, text)
    for caution in judged.cautions:
        text = str(caution)
        yield Finding(DeliveryCode.SOME_SENDERS_FAIL, Severity.WARNING, where, text, "")


def _names(subject: Subject, host: HostReport) -> tuple[Hostname, ...]:
    """By RFC 6186 section 6, and RFC 6120 section 13.7.2.1, where SRV records led to the host."""
    if not isinstance(subject, SrvSubject):
        return (host.route.host,)
    return (subject.domain,) if host.protocol in _XMPP else (host.route.host, subject.domain)


class WithoutDane(NamedTuple):
    """What those without DANE mind: ``faults`` all of them, ``cautions`` some; none if all take it.

    The faults are in words.
    """

    faults: tuple[str, ...]
    cautions: tuple[Caution, ...] = ()


def judge_without_dane(
    chain: Sequence[bytes], references: References, anchors: Sequence[bytes], now: datetime
) -> WithoutDane:
    """Judge a chain as presented (DER, leaf first) by names, dates and a trust store (DER)."""
    presented = [read(der) for der in chain[:MAX_PRESENTED]]
    leaf = presented[0] if presented else None
    if leaf is None or leaf.facts is None:
        return WithoutDane(("it can't be read",))
    pool = [one for one in presented[1:] if one is not None]
    store = [one for one in map(read, anchors) if one is not None]
    path = pkix.build_trusted(leaf, pool, store, now)
    faults = [] if path.anchored else ["the chain does not end in the trust store"]
    for flaw in pkix.judge_path(path, references, now):
        named = f"; it must name {' or '.join(name.text for name in references.all)}"
        faults.append(f"{flaw}{named if flaw.fault is pkix.Fault.NAME_MISMATCH else ''}")
    cautions = [one for one in certificate_cautions(leaf, path, now) if one.code in _MINDED]
    if matching_names(leaf.facts, references)[1] is Via.COMMON_NAME:
        cautions.append(Caution(CautionCode.COMMON_NAME_ONLY, 0))
    return WithoutDane(tuple(faults), tuple(cautions))
