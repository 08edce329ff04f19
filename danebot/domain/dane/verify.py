"""DANE: whether a presented chain matches a secure TLSA RRset, as senders in the field decide it.

What each usage verifies (RFC 6698 section 2.1.1, RFC 7671 section 5, RFC 7672 section 3.1):

- DANE-EE(3): the leaf, or its key, is the one in the record.  Nothing else counts: no names, no
  dates, no issuer.
- DANE-TA(2): the leaf chains up to the certificate or key in the record, every certificate on
  the way is valid, and the leaf names a reference identifier.  The anchor must be presented, unless
  the record holds all of it (Full), and it is never the leaf itself.
- PKIX-EE(1), PKIX-TA(0): as above, and the chain ends in the sender's own trust store.  SMTP
  between servers has no use for them (see `profiles`).

Senders that agree are Postfix and Exim, because both verify with OpenSSL: its order of decisions is
followed here.  Where others are known to judge differently, the verdict carries a caution.

Some senders are given no certificate but the bare key (RFC 7250): Postfix from 3.9 with OpenSSL
from 3.2 asks for that where every record that it can use is ``3 1 x``, and a server of that kind
sends it.  Then each of these records is tried, whatever its digest.  Nobody knows who will come, so
the verdict is on both kinds.
Whether the RRset is secure was settled before (RFC 4033 section 5); this room takes it as given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from danebot.domain.dane import path as pkix
from danebot.domain.dane.cautions import Caution, CautionCode, certificate_cautions
from danebot.domain.dane.certificate import (
    Certificate,
    SignatureCheck,
    check_signature,
    read,
    read_public_key,
)
from danebot.domain.dane.path import Anchor, CertificationPath
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References, Via, matching_names
from danebot.domain.dane.verdicts import Outcome, Reason, RecordVerdict, Verdict
from danebot.domain.dns.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Unusable,
    Usage,
    association,
    raw_key_suffices,
    unusable_reason,
)
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.names import Hostname


MAX_PRESENTED = 16
"""Presented certificates that are considered; TLS servers send two to four."""
_PKIX = frozenset({Usage.PKIX_TA, Usage.PKIX_EE})
MAX_RECORDS = 12
"""More records than this in one RRset deserve a caution: they no longer fit one UDP answer."""


class _Found(NamedTuple):
    """A record's verdict, and the path it rests on."""

    verdict: RecordVerdict
    path: CertificationPath | None = None
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that records are judged against."""

    leaf: Certificate
    presented: tuple[Certificate, ...]
    references: References
    now: datetime
    profile: Profile
    store: tuple[Certificate, ...] | None = field(repr=False)

    @property
    def above(self) -> tuple[Certificate, ...]:
        """What was presented beside the leaf, which may come twice."""
        return tuple(one for one in self.presented if one != self.leaf)


def verify_chain(
    records: Sequence[TlsaRecord],
    chain: Sequence[bytes],
    references: References,
    now: datetime,
    profile: Profile = Profile.SMTP,
    *,
    trust_anchors: Sequence[bytes] | None = None,
) -> Verdict:
    """Judge a presented chain by a secure TLSA RRset.

    ``chain`` is DER, leaf first, as the server sent it; ``now`` is aware UTC.  ``trust_anchors``
    (DER) are what PKIX usages are validated against, where they count; None leaves them
    unjudged.  Never raises on foreign data: what can't be read is a reason or a caution.
    """
    if not records:
        return Verdict(Outcome.NOT_APPLICABLE)
    presented = [read(der) for der in chain[:MAX_PRESENTED]]
    leaf = presented[0] if presented else None
    scene = None
    if leaf is not None:
        readable = tuple(one for one in presented if one is not None)
        store = (
            tuple(one for one in map(read, trust_anchors) if one is not None)
            if trust_anchors is not None
            else None
        )
        scene = _Scene(leaf, readable, references, now, profile, store)
    found = _judge_all(records, profile, scene)
    cautions = [*_chain_cautions(chain, presented), *_rrset_cautions(records)]
    return _conclude(found, scene, cautions, profile)


def _judge_all(
    records: Sequence[TlsaRecord], profile: Profile, scene: _Scene | None
) -> list[_Found]:
    """One finding per record, in their order."""
    unusable = {record: _unusable(record, profile, scene) for record in records}
    strongest = _strongest([record for record in records if unusable[record] is None])
    found = []
    for record in records:
        reason = unusable[record]
        if reason is None and record.mtype and record.mtype != strongest[_group(record)]:
            reason = Reason.WEAKER_DIGEST
        elif reason is None and scene is None:
            reason = Reason.NO_CHAIN
        if reason is not None:
            found.append(_Found(RecordVerdict(record, reason)))
        elif scene is not None:
            found.append(_judge(record, scene))
    return _unshadow(found, scene) if scene is not None else found


def _unusable(
    record: TlsaRecord, profile: Profile, scene: _Scene | None
) -> Reason | Unusable | None:
    """RFC 6698 section 4.1, RFC 7671 section 9; RFC 7672 section 3.1.3 for PKIX usages."""
    reason = unusable_reason(record)
    if reason is None and record.mtype == MatchingType.FULL:
        reason = _malformed(record)
    if reason is not None:
        return reason
    if not profile.pkix_counts and record.usage in _PKIX:
        candidates: tuple[Certificate, ...] = ()
        if scene is not None:
            candidates = (scene.leaf,) if record.usage == Usage.PKIX_EE else scene.above
        if any(_associated(record, candidate) for candidate in candidates):
            return Reason.MATCHED_UNUSABLE
        return Reason.PKIX_IN_SMTP
    return None


def _malformed(record: TlsaRecord) -> Unusable | None:
    """A Full record must hold a certificate or key that senders can decode."""
    if record.selector == Selector.SPKI:
        sound = read_public_key(record.data) is not None
    else:
        certificate = read(record.data)
        sound = certificate is not None and certificate.public_key is not None
    return None if sound else Unusable.MALFORMED_DATA


def _group(record: TlsaRecord) -> tuple[int, int]:
    return record.usage, record.selector


def _strongest(usable: Sequence[TlsaRecord]) -> dict[tuple[int, int], int]:
    """Digest agility: the strongest digest of each usage and selector (RFC 7671 section 9).

    Numbers happen to grow with strength: SHA2-512(2) before SHA2-256(1); Full(0) stands apart.
    """
    strongest: dict[tuple[int, int], int] = {}
    for record in usable:
        group = _group(record)
        strongest[group] = max(strongest.get(group, 0), record.mtype)
    return strongest


def _associated(record: TlsaRecord, certificate: Certificate) -> bool:
    """Whether the association data is the certificate's (RFC 6698 section 2.1.4)."""
    der = certificate.spki if record.selector == Selector.SPKI else certificate.der
    return association(der, MatchingType(record.mtype)) == record.data


def _judge(record: TlsaRecord, scene: _Scene) -> _Found:
    match Usage(record.usage):
        case Usage.DANE_EE:
            return _judge_leaf(record, scene)
        case Usage.DANE_TA:
            return _judge_anchor(record, scene)
        case Usage.PKIX_EE | Usage.PKIX_TA:
            return _judge_pkix(record, scene)


def _judge_leaf(record: TlsaRecord, scene: _Scene) -> _Found:
    """DANE-EE(3): the leaf alone, no names, no dates (RFC 7671 section 5.1)."""
    if _associated(record, scene.leaf):
        return _Found(RecordVerdict(record, Reason.MATCHED, 0, path=(scene.leaf,)))
    return _Found(RecordVerdict(record, Reason.NO_MATCH))


def _judge_anchor(record: TlsaRecord, scene: _Scene) -> _Found:
    """DANE-TA(2): climb to the anchor (RFC 7671 section 5.2, RFC 7672 section 3.1.2)."""
    path = _climb([record], scene)
    if path.anchored:
        flaws = pkix.judge_path(path, scene.references, scene.now)
        reason = Reason.INVALID_PATH if flaws else Reason.MATCHED
        absent = path.anchor is Anchor.BARE_KEY or path.certificates[-1] not in scene.presented
        cautions = (Caution(CautionCode.ANCHOR_NOT_PRESENTED),) if absent and not flaws else ()
        found = RecordVerdict(record, reason, path.depth, flaws, path.certificates)
        return _Found(found, path, cautions)
    if not any(_associated(record, certificate) for certificate in scene.presented):
        return _Found(RecordVerdict(record, Reason.NO_MATCH))
    if not any(_associated(record, certificate) for certificate in scene.above):
        return _Found(RecordVerdict(record, Reason.ANCHOR_IS_LEAF, 0, path=(scene.leaf,)))
    other = pkix.shortest_path(scene.leaf, scene.presented, partial(_associated, record))
    found = RecordVerdict(record, Reason.NO_PATH)
    if other is not None and not pkix.judge_path(other, scene.references, scene.now):
        return _Found(found, None, (Caution(CautionCode.PATH_NEEDS_SEARCH),))
    return _Found(found)


def _climb(records: Sequence[TlsaRecord], scene: _Scene) -> CertificationPath:
    """The path to the first anchor that any of these DANE-TA records names."""
    pool = [
        certificate
        for record in records
        if (record.selector, record.mtype) == (Selector.CERT, MatchingType.FULL)
        and (certificate := read(record.data)) is not None
    ]
    pool += scene.presented
    path = pkix.build(
        scene.leaf,
        pool,
        lambda certificate: any(_associated(record, certificate) for record in records),
        scene.now,
    )
    if not path.anchored and any(_signed_by_bare_key(record, path) for record in records):
        return CertificationPath(path.certificates, Anchor.BARE_KEY)
    return path


def _signed_by_bare_key(record: TlsaRecord, path: CertificationPath) -> bool:
    """Whether a ``2 1 0`` record's key has signed the path's last certificate.

    So a chain without its anchor verifies (RFC 7671 section 5.2.3); OpenSSL asks the last one only.
    """
    if (record.selector, record.mtype) != (Selector.SPKI, MatchingType.FULL):
        return False
    key = read_public_key(record.data)
    return check_signature(path.certificates[-1], key) is SignatureCheck.VALID


def _unshadow(found: list[_Found], scene: _Scene) -> list[_Found]:
    """Judge the DANE-TA records together where one brings certificates along.

    Senders climb once, with all records: a Full certificate may lead them astray.
    """
    anchors = _anchors(found)
    reasons = {one.verdict.reason for one in anchors.values()}
    if {Reason.MATCHED, Reason.INVALID_PATH} - reasons:
        return found
    together = _climb(sorted(anchors), scene)
    if together.anchored and not pkix.judge_path(together, scene.references, scene.now):
        return found
    return [
        _Found(one.verdict._replace(reason=Reason.SHADOWED))
        if one.verdict.record in anchors and one.verdict.reason is Reason.MATCHED
        else one
        for one in found
    ]


def _judge_pkix(record: TlsaRecord, scene: _Scene) -> _Found:
    """PKIX-EE(1) and PKIX-TA(0): constraints on a chain to the trust store (RFC 6698 2.1.1)."""
    of_leaf = record.usage == Usage.PKIX_EE
    if scene.store is None:
        # An authority may be one that the sender has and the server doesn't present.
        other_leaf = of_leaf and not _associated(record, scene.leaf)
        return _Found(
            RecordVerdict(record, Reason.NO_MATCH if other_leaf else Reason.NO_TRUST_STORE)
        )
    named = read(record.data)  # neither a digest nor a key reads as a certificate
    pool = [named, *scene.presented] if named is not None else scene.presented
    path = pkix.build_trusted(scene.leaf, pool, scene.store, scene.now)
    candidates = path.certificates[:1] if of_leaf else path.certificates[1:]
    depth = next(
        (path.certificates.index(one) for one in candidates if _associated(record, one)), None
    )
    if depth is None:
        return _Found(RecordVerdict(record, Reason.NO_MATCH))
    if not path.anchored:
        verdict = RecordVerdict(record, Reason.NO_PKIX_PATH, depth, path=path.certificates)
        return _Found(verdict)
    flaws = pkix.judge_path(path, scene.references, scene.now)
    reason = Reason.INVALID_PATH if flaws else Reason.MATCHED
    return _Found(RecordVerdict(record, reason, depth, flaws, path.certificates), path)


def _conclude(
    found: Sequence[_Found], scene: _Scene | None, cautions: Sequence[Caution], profile: Profile
) -> Verdict:
    """The outcome over all records (RFC 7672 section 2.2)."""
    best = _best(found, scene)
    usable = [one.verdict.record for one in found if one.verdict.usable]
    if best is not None:
        outcome = Outcome.AUTHENTICATED
    elif not usable:
        outcome = Outcome.UNAUTHENTICATED_TLS
    elif any(one.verdict.reason is Reason.NO_TRUST_STORE for one in found):
        outcome = Outcome.NOT_JUDGED
    else:
        outcome = Outcome.FAILED
    extra = [caution for one in found for caution in one.cautions]
    extra += _relay_cautions(found, profile)
    names: tuple[Hostname, ...] = ()
    if scene is not None:
        if scene.leaf.facts is not None:
            names, via = matching_names(scene.leaf.facts, scene.references)
            if best is not None and best.path is not None and via is Via.COMMON_NAME:
                extra.append(Caution(CautionCode.COMMON_NAME_ONLY, 0))
        path = best.path if best is not None else None
        extra += certificate_cautions(scene.leaf, path, scene.now)
    hidden = scene is not None and _hidden_match(found, scene)
    raw_key = None
    if profile.raw_keys and usable and _no_certificate_needed(usable):
        raw_key = Outcome.AUTHENTICATED if hidden else outcome
    if outcome is Outcome.FAILED and hidden:
        code = CautionCode.MATCH_BEHIND_STRONGER_DIGEST
        extra.append(Caution(CautionCode.ONLY_AS_RAW_KEY if raw_key is not None else code))
    if outcome is Outcome.UNAUTHENTICATED_TLS:
        extra.append(Caution(CautionCode.ALL_UNUSABLE))
    return Verdict(
        outcome=outcome,
        records=tuple(one.verdict for one in found),
        matched=best.verdict if best is not None else None,
        names=names,
        cautions=tuple(dict.fromkeys([*cautions, *extra])),
        raw_key=raw_key,
    )


def _no_certificate_needed(usable: Sequence[TlsaRecord]) -> bool:
    return raw_key_suffices(usable) and all(record.usage not in _PKIX for record in usable)


def _relay_cautions(found: Sequence[_Found], profile: Profile) -> Iterator[Caution]:
    """Whether mail servers, which pass PKIX usages over, are left with records that don't match."""
    usable = {one.verdict.record.usage for one in found if one.verdict.usable}
    matched = {one.verdict.record.usage for one in found if one.verdict.reason is Reason.MATCHED}
    if profile is Profile.SUBMISSION and matched and matched <= _PKIX and usable - _PKIX:
        yield Caution(CautionCode.RELAYS_REFUSE)


def _best(found: Sequence[_Found], scene: _Scene | None) -> _Found | None:
    """The record that authenticates the server, with the path as all anchors lead to it."""
    matched = [one for one in found if one.verdict.reason is Reason.MATCHED]
    best = min(matched, key=_preference) if matched else None
    if best is None or scene is None or best.verdict.record.usage != Usage.DANE_TA:
        return best
    path = _climb(sorted(_anchors(found)), scene)
    return _Found(best.verdict._replace(path=path.certificates), path, best.cautions)


def _anchors(found: Iterable[_Found]) -> dict[TlsaRecord, _Found]:
    """The DANE-TA records that senders climb by."""
    return {
        one.verdict.record: one
        for one in found
        if one.verdict.record.usage == Usage.DANE_TA
        and one.verdict.usable
        and one.verdict.reason is not Reason.WEAKER_DIGEST
    }


def _preference(found: _Found) -> tuple[bool, bool, int, int, int, int, bytes]:
    """The order in which OpenSSL tries records.

    DANE-EE, then anchors from the leaf upwards, at last bare keys.
    """
    verdict, record = found.verdict, found.verdict.record
    depth = verdict.depth if verdict.depth is not None else MAX_PRESENTED
    bare = found.path is not None and found.path.anchor is Anchor.BARE_KEY
    ordinals = (-record.usage, -record.selector, -record.mtype)
    return record.usage != Usage.DANE_EE, bare, depth, *ordinals, record.data


def _hidden_match(found: Sequence[_Found], scene: _Scene) -> bool:
    return any(
        one.verdict.reason is Reason.WEAKER_DIGEST
        and _judge(one.verdict.record, scene).verdict.reason is Reason.MATCHED
        for one in found
    )


def _chain_cautions(
    chain: Sequence[bytes], presented: Sequence[Certificate | None]
) -> list[Caution]:
    cautions = [
        Caution(CautionCode.UNREADABLE_CERTIFICATE, depth)
        for depth, certificate in enumerate(presented)
        if certificate is None or certificate.facts is None
    ]
    if len(chain) > MAX_PRESENTED:
        cautions.append(Caution(CautionCode.LONG_CHAIN))
    return cautions


def _rrset_cautions(records: Sequence[TlsaRecord]) -> list[Caution]:
    cautions = []
    if len(records) > MAX_RECORDS:
        cautions.append(Caution(CautionCode.MANY_RECORDS))
    if all((one.usage, one.selector) == (Usage.DANE_EE, Selector.CERT) for one in records):
        cautions.append(Caution(CautionCode.ONLY_CERTIFICATE_SELECTOR))
    return cautions
