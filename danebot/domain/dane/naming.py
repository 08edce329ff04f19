"""What TLSA records name, in words: a certificate authority, or a mistake in the making."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from danebot.domain.dane.authorities import OWNER, Authorities, Authority, Use, in_words
from danebot.domain.dane.certificate import Certificate, read
from danebot.domain.dane.mistakes import mistake
from danebot.domain.dane.verdicts import Named, Naming, Outcome, Reason, RecordVerdict, Verdict
from danebot.domain.dns.tlsa import (
    Selector,
    TlsaRecord,
    Usage,
)
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.tuples import NamedTuple

_OF_LEAF = (Usage.DANE_EE, Usage.PKIX_EE)


def named(
    verdict: Verdict, chain: Sequence[bytes], table: Authorities | None, now: datetime
) -> Verdict:
    """The verdict with a name for each record that has one; ``chain`` is DER, as presented."""
    presented = _readable(chain)
    parts = tuple(one.der for one in presented), tuple(one.spki for one in presented)

    def name(one: RecordVerdict) -> RecordVerdict:
        authority = authority_of(one.record, chain, table, now) if table is not None else None
        if authority is not None:
            return one._replace(name=authority)
        words = mistake(one.record, *parts)
        return one._replace(name=Named(Naming.MISTAKE, words)) if words else one

    return verdict._replace(records=tuple(map(name, verdict.records)))


def authority_of(
    record: TlsaRecord, chain: Sequence[bytes], table: Authorities, now: datetime
) -> Named | None:
    """Whom a DANE-TA record names; None if the table doesn't know.  ``chain`` is DER."""
    rows = table.named(record, _readable(chain))
    return Named(Naming.AUTHORITY, in_words(rows, now)) if rows else None


def _readable(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    return tuple(one for one in map(read, chain) if one is not None)


# ---- anchors --------------------------------------------------------------------------------


class AnchorRisk(enum.Enum):
    """Why records that match today may not match the next certificate."""

    RETIRED = "retired"  # whom they name issues no more
    UNLISTED = "unlisted"  # they name some of those that may issue


class Outlook(NamedTuple):
    """What is to come of records that name authorities; ``text`` has the day of the facts."""

    risk: AnchorRisk
    severity: Severity
    text: str


def outlook(
    verdict: Verdict,
    chain: Sequence[bytes],
    table: Authorities,
    now: datetime,
    awaited: Algorithm | None = None,
) -> Outlook | None:
    """Whether the records that authenticate ``chain`` (DER) today will match the next one.

    ``verdict`` has names; ``awaited`` is the type of the next key, None where none is known or on
    its way.  None where they will, or where nobody knows: where a record of the key
    or a root matches, and where an anchor is of a CA that the table lacks.
    """
    if verdict.outcome is not Outcome.AUTHENTICATED:
        return None
    presented = _readable(chain)
    listed = _listed(verdict, presented, table)
    served = _algorithm(presented[0])
    types = {served} if awaited is None else {served, awaited}
    rows = [row for named in listed.values() for row in named if row.use is not Use.ROOT]
    issuing = table.issuers(now, *types)
    left = [row for row in issuing if row not in rows]
    names, as_of = _either([row.name for row in left]), f" (as of {table.as_of})"
    gone = [row for row in rows if not row.may_issue(now, None)]
    if gone and all(listed.values()) and not any(row in issuing for row in rows):
        text = f"{in_words(gone, now)}; no other record is known to match the next certificate"
        source = f", which may come from {names}" if names else ""
        return Outlook(AnchorRisk.RETIRED, Severity.WARNING, f"{text}{source}{as_of}")
    chosen = any(one.reason is Reason.MATCHED for one in listed)
    if not chosen or not left:
        return None
    active = any(row.use is Use.ACTIVE for row in left)
    return Outlook(
        AnchorRisk.UNLISTED,
        Severity.WARNING if active else Severity.NOTICE,
        f"the next certificate may come from {OWNER} {names}, which no record names{as_of}",
    )


def _listed(
    verdict: Verdict, presented: Sequence[Certificate], table: Authorities
) -> dict[RecordVerdict, tuple[Authority, ...]]:
    """The anchors that count with whom they name; {} if another record matches the next one too."""
    listed: dict[RecordVerdict, tuple[Authority, ...]] = {}
    for one in verdict.records:
        if not one.usable or one.reason is Reason.WEAKER_DIGEST or one.mismade:
            continue
        matched, of_leaf = one.reason is Reason.MATCHED, one.record.usage in _OF_LEAF
        rows = table.named(one.record, presented)
        lasts = one.record.selector == Selector.SPKI if of_leaf else all(map(_is_root, rows))
        if matched and lasts:
            return {}
        if not of_leaf:
            listed[one] = rows
    return listed


def _is_root(row: Authority) -> bool:
    return row.use is Use.ROOT


def _either(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _algorithm(certificate: Certificate) -> Algorithm | None:
    match certificate.public_key:
        case rsa.RSAPublicKey():
            return Algorithm.RSA
        case ec.EllipticCurvePublicKey():
            return Algorithm.ECDSA
    return None
