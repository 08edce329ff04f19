"""Paths from a leaf to an anchor, built and judged as OpenSSL does (RFC 5280 section 6).

OpenSSL takes, at each step, the first fitting issuer that is valid now, never goes back, and
stops at the first certificate that is an anchor.  A verifier that searches further finds paths
that Postfix and Exim don't: so the path is built their way, and `shortest_path` says what the
others would find.  Revocation, certificate policies, and name constraints on forms other than DNS
names, addresses and directory names are not judged.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from danebot.domain.dane.certificate import (
    Certificate,
    Facts,
    IssuingRight,
    SignatureCheck,
    canonical,
    check_signature,
    may_have_signed,
    read,
)
from danebot.domain.dane.references import References, matching_names
from danebot.tuples import NamedTuple

IsAnchor = Callable[[Certificate], bool]


class Fault(enum.Enum):
    """What is wrong with a path; the value is in words."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not valid yet"
    NAME_MISMATCH = "names none of the reference identifiers"
    NOT_A_CA = "issued a certificate, but is not a CA"
    PATH_LENGTH = "path length constraint exceeded"
    KEY_USAGE = "key usage forbids it"
    PURPOSE = "extended key usage lacks TLS server authentication"
    NAME_CONSTRAINTS = "violates a name constraint of its issuer"
    CRITICAL_EXTENSION = "unknown critical extension"
    BAD_SIGNATURE = "signature does not verify"
    UNSUPPORTED_SIGNATURE = "signature of an algorithm that cannot be checked"
    UNREADABLE = "names or extensions cannot be read"


class Flaw(NamedTuple):
    """One fault, at a depth of the path (0 is the leaf)."""

    fault: Fault
    depth: int

    def __str__(self) -> str:
        where = "leaf" if self.depth == 0 else f"certificate at depth {self.depth}"
        return f"{where}: {self.fault.value}"


class Anchor(enum.Enum):
    """What a path ends in."""

    NONE = "no anchor"
    CERTIFICATE = "an anchor"
    BARE_KEY = "a certificate that an anchor's bare key has signed"


class CertificationPath(NamedTuple):
    """Certificates from the leaf up; ``anchor`` says what the last of them is."""

    certificates: tuple[Certificate, ...]
    anchor: Anchor

    @property
    def anchored(self) -> bool:
        """Whether the path leads anywhere."""
        return self.anchor is not Anchor.NONE

    @property
    def depth(self) -> int:
        """The last certificate's depth."""
        return len(self.certificates) - 1


def issued(subject: Certificate, issuer: Certificate) -> bool:
    """Whether names, key identifiers and algorithms let ``issuer`` be the issuer of ``subject``.

    The signature is not checked here (RFC 5280 sections 6.1.3 and 4.2.1.1).
    """
    child, parent = subject.facts, issuer.facts
    if child is None or parent is None or child.issuer != parent.subject:
        return False
    wanted = child.identifiers
    if wanted.authority is not None and parent.identifiers.subject not in {None, wanted.authority}:
        return False
    if wanted.authority_serial is not None and wanted.authority_serial != parent.serial:
        return False
    if wanted.authority_issuer is not None and wanted.authority_issuer != parent.issuer:
        return False
    return may_have_signed(issuer.public_key, subject)


def self_signed(certificate: Certificate) -> bool:
    """Whether the certificate presents itself as its own issuer."""
    return issued(certificate, certificate)


def build(
    leaf: Certificate, pool: Sequence[Certificate], is_anchor: IsAnchor, now: datetime
) -> CertificationPath:
    """Climb from ``leaf`` through ``pool`` to the first anchor above it, or as far as it goes."""
    path = [leaf]
    while not self_signed(path[-1]):
        issuer = _best_issuer(path, pool, now)
        if issuer is None:
            break
        path.append(issuer)
        if is_anchor(issuer):
            return CertificationPath(tuple(path), Anchor.CERTIFICATE)
    return CertificationPath(tuple(path), Anchor.NONE)


def climbed(chain: Sequence[bytes], now: datetime) -> tuple[Certificate, ...]:
    """A presented chain (DER) from its leaf up, as far as it leads; () if the leaf is unreadable.

    What else was presented, in whatever order, is left out.
    """
    found = [read(der) for der in chain]
    if not found or found[0] is None:
        return ()
    pool = [one for one in found if one is not None]
    return build(found[0], pool, lambda _: False, now).certificates


def keeps_issuers(before: Sequence[bytes], after: Sequence[bytes], now: datetime) -> bool:
    """Whether a chain (DER, leaf first) has all issuers of one ``before``, and leads to them.

    One that is presented but didn't sign is no issuer: senders find none of its records.
    """
    if not set(before[1:]) <= set(after[1:]):
        return False
    above = {one.der for one in climbed(before, now)[1:]}
    return above <= {one.der for one in climbed(after, now)[1:]}


def _best_issuer(
    path: Sequence[Certificate], pool: Sequence[Certificate], now: datetime
) -> Certificate | None:
    """The first possible issuer that is valid now, else the one that expires last."""
    best: Certificate | None = None
    for candidate in pool:
        if candidate in path or candidate.facts is None or not issued(path[-1], candidate):
            continue
        if candidate.facts.valid_at(now):
            return candidate
        if best is None or best.facts is None or candidate.facts.not_after > best.facts.not_after:
            best = candidate
    return best


def build_trusted(
    leaf: Certificate,
    pool: Sequence[Certificate],
    store: Sequence[Certificate],
    now: datetime,
) -> CertificationPath:
    """Climb to a self-signed certificate of the trust store, looking there first at each step.

    An anchor that isn't self-signed is climbed past, as OpenSSL does unless told otherwise.
    """
    path = [leaf]
    left: list[Certificate] | None = list(pool)  # None: only the store from here on
    while not self_signed(path[-1]):
        issuer = _best_issuer(path, store, now)
        if issuer is not None:
            left = None
        elif left is not None:
            issuer = _best_issuer(path, left, now)
        if issuer is None:
            return CertificationPath(tuple(path), Anchor.NONE)
        path.append(issuer)
    return CertificationPath(tuple(path), Anchor.CERTIFICATE if path[-1] in store else Anchor.NONE)


def shortest_path(
    leaf: Certificate, pool: Sequence[Certificate], is_anchor: IsAnchor
) -> CertificationPath | None:
    """The shortest path to an anchor that any verifier could find, or None."""
    queue: list[tuple[Certificate, ...]] = [(leaf,)]
    seen = {leaf}
    for path in queue:  # grows as it goes
        for candidate in pool:
            if candidate in seen or not issued(path[-1], candidate):
                continue
            seen.add(candidate)
            longer = (*path, candidate)
            if is_anchor(candidate):
                return CertificationPath(longer, Anchor.CERTIFICATE)
            queue.append(longer)
    return None


def judge_path(path: CertificationPath, references: References, now: datetime) -> tuple[Flaw, ...]:
    """All that is wrong with a path that ends at its anchor, the leaf's flaws first.

    OpenSSL asks nobody for the signature of an anchor, and its validity period only if it is
    self-signed.
    """
    exempt = path.anchor is Anchor.CERTIFICATE and not self_signed(path.certificates[-1])
    facts = [certificate.facts for certificate in path.certificates]
    flaws: list[Flaw] = []
    for depth, fact in enumerate(facts):
        if fact is None:
            flaws.append(Flaw(Fault.UNREADABLE, depth))
            continue
        above = [one for one in facts[depth + 1 :] if one is not None]
        below = [one for one in facts[:depth] if one is not None]
        found = [
            *([] if exempt and depth == path.depth else _times(fact, now)),
            *_purpose(fact, depth),
            *_authority(fact, below, at_top=depth == path.depth),
            *_names(fact, above, references, depth),
        ]
        if depth < path.depth:
            found += _signature(path.certificates[depth], path.certificates[depth + 1])
        flaws += [Flaw(fault, depth) for fault in found]
    return tuple(flaws)


def _times(fact: Facts, now: datetime) -> list[Fault]:
    """RFC 5280 section 4.1.2.5, with OpenSSL's exclusive end."""
    if now < fact.not_before:
        return [Fault.NOT_YET_VALID]
    return [] if fact.valid_at(now) else [Fault.EXPIRED]


def _purpose(fact: Facts, depth: int) -> list[Fault]:
    """RFC 5280 sections 4.2.1.3 and 4.2.1.12, as for OpenSSL's purpose "sslserver"."""
    faults = []
    if fact.server_auth is False:
        faults.append(Fault.PURPOSE)
    if (fact.signs_tls if depth == 0 else fact.signs_certificates) is False:
        faults.append(Fault.KEY_USAGE)
    if fact.unhandled_critical:
        faults.append(Fault.CRITICAL_EXTENSION)
    return faults


def _authority(fact: Facts, below: Sequence[Facts], *, at_top: bool) -> list[Fault]:
    """RFC 5280 section 4.2.1.9, for whatever stands above a leaf."""
    if not below:
        return []
    faults = []
    if fact.authority is IssuingRight.NONE and fact.signs_certificates is not False:
        faults.append(Fault.NOT_A_CA)
    if fact.authority is IssuingRight.LEGACY and not at_top:
        faults.append(Fault.NOT_A_CA)
    length = sum(not between.self_issued for between in below[1:])
    if fact.path_length is not None and length > fact.path_length:
        faults.append(Fault.PATH_LENGTH)
    return faults


def _signature(certificate: Certificate, issuer: Certificate) -> list[Fault]:
    match check_signature(certificate, issuer.public_key):
        case SignatureCheck.VALID:
            return []
        case SignatureCheck.INVALID:
            return [Fault.BAD_SIGNATURE]
        case SignatureCheck.UNSUPPORTED:
            return [Fault.UNSUPPORTED_SIGNATURE]


def _names(fact: Facts, above: Sequence[Facts], references: References, depth: int) -> list[Fault]:
    """Reference identifiers (leaf), and name constraints (RFC 5280 section 4.2.1.10)."""
    faults = []
    if depth == 0 and not matching_names(fact, references)[0]:
        faults.append(Fault.NAME_MISMATCH)
    if depth == 0 or not fact.self_issued:
        constraints = [one.constraints for one in above if one.constraints is not None]
        if any(_violates(fact, one, is_leaf=depth == 0) for one in constraints):
            faults.append(Fault.NAME_CONSTRAINTS)
    return faults


def _violates(fact: Facts, constraints: x509.NameConstraints, *, is_leaf: bool) -> bool:
    names: list[object] = [x509.DNSName(name) for name in fact.dns_names if name.isascii()]
    names += fact.other_names
    if is_leaf and not fact.dns_names:
        # A common name that will be taken for a host name is bound like one.
        names += [x509.DNSName(name) for name in fact.common_names if _like_a_host(name)]
    if fact.subject:
        names.append(fact.subject)
    permitted, excluded = constraints.permitted_subtrees, constraints.excluded_subtrees
    for name in names:
        same_form = [one for one in permitted or () if _within(name, one) is not None]
        if same_form and not any(_within(name, one) for one in same_form):
            return True
        if any(_within(name, one) for one in excluded or ()):
            return True
    return False


def _like_a_host(name: str) -> bool:
    return name.isascii() and "." in name and " " not in name


def _within(name: object, subtree: x509.GeneralName) -> bool | None:
    """Whether ``name`` lies within ``subtree``; None if they are of different forms."""
    if isinstance(name, x509.DirectoryName):
        name = canonical(name.value)
    match subtree:
        case x509.DNSName(value=base) if isinstance(name, x509.DNSName):
            text, base = name.value.lower(), base.lower()
            exact = text == base or not base
            return exact or text.endswith(base if base.startswith(".") else "." + base)
        case x509.DirectoryName(value=base_name) if isinstance(name, tuple):
            prefix = canonical(base_name)
            return name[: len(prefix)] == prefix
        case x509.IPAddress(value=network) if isinstance(name, x509.IPAddress):
            return name.value in network  # type: ignore[operator]  # a network in a constraint
    return None
