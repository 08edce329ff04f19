"""The TLSA record and its registries (RFC 6698 section 2, RFC 7218).

Unknown numbers are data, not errors: a record that can't be used is kept, with the reason.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from danebot.domain.names import DnsName, TlsaOwner
from danebot.errors import NameSyntaxError, RecordSyntaxError
from danebot.tuples import NamedTuple


class Usage(enum.IntEnum):
    """Certificate usages with their acronyms (RFC 7218 section 2.1)."""

    PKIX_TA = 0
    PKIX_EE = 1
    DANE_TA = 2
    DANE_EE = 3


class Selector(enum.IntEnum):
    """Selectors (RFC 7218 section 2.2)."""

    CERT = 0
    SPKI = 1


class MatchingType(enum.IntEnum):
    """Matching types (RFC 7218 section 2.3)."""

    FULL = 0
    SHA2_256 = 1
    SHA2_512 = 2


_USAGES, _SELECTORS, _MATCHING_TYPES = map(frozenset[int], (Usage, Selector, MatchingType))
_ACRONYMS: dict[MatchingType, str] = {
    MatchingType.FULL: "Full",
    MatchingType.SHA2_256: "SHA2-256",
    MatchingType.SHA2_512: "SHA2-512",
}
_MATCHING_WORDS = {word.lower(): mtype for mtype, word in _ACRONYMS.items()} | {
    f"{mtype:d}": mtype for mtype in MatchingType
}
DIGEST_LENGTH: dict[int, int] = {MatchingType.SHA2_256: 32, MatchingType.SHA2_512: 64}
"""Octets of association data, by matching type (RFC 6698 section 2.1.3)."""


def association(der: bytes, mtype: MatchingType) -> bytes:
    """Association data for a DER certificate or DER SubjectPublicKeyInfo (RFC 6698 2.1.4)."""
    match mtype:
        case MatchingType.FULL:
            return der
        case MatchingType.SHA2_256:
            return hashlib.sha256(der).digest()
        case MatchingType.SHA2_512:
            return hashlib.sha512(der).digest()


class TlsaRecord(NamedTuple):
    """One TLSA record as found in DNS, or as it ought to be there.

    ``usage``, ``selector`` and ``mtype`` are the numbers of the wire (0 to 255); ``data`` is the
    association data.
    """

    usage: int
    selector: int
    mtype: int
    data: bytes

    @classmethod
    def parse(cls, text: str) -> TlsaRecord:
        """Read presentation format, ``3 1 1 HEX`` (white space inside HEX allowed)."""
        fields = text.split()
        try:
            usage, selector, mtype = (int(field) for field in fields[:3])
            data = bytes.fromhex("".join(fields[3:]))
        except ValueError as exc:
            raise RecordSyntaxError(
                f"{text[:60]!r} is not a TLSA record: want USAGE SELECTOR MATCHING-TYPE HEX"
            ) from exc
        if not {usage, selector, mtype} <= _OCTETS:
            raise RecordSyntaxError(f"{text[:60]!r} is not a TLSA record: numbers go up to 255")
        return cls(usage, selector, mtype, data)

    @property
    def hex(self) -> str:
        """Association data in lower-case hex."""
        return self.data.hex()

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.mtype} {self.hex}"


@lru_cache(maxsize=4096)  # every lineage of a tree wants those of all keys in use
def key_record(spki: bytes, mtype: MatchingType) -> TlsaRecord:
    """The ``3 1 x`` record of the key whose DER SubjectPublicKeyInfo is ``spki``."""
    return TlsaRecord(Usage.DANE_EE, Selector.SPKI, mtype, association(spki, mtype))


class Unusable(enum.Enum):
    """Why a record can't be used (RFC 6698 section 4.1, RFC 7671 section 9); value is in words."""

    UNKNOWN_USAGE = "unknown certificate usage"
    UNKNOWN_SELECTOR = "unknown selector"
    UNKNOWN_MATCHING_TYPE = "unknown matching type"
    WRONG_LENGTH = "association data of the wrong length for its matching type"
    EMPTY_DATA = "no association data"
    MALFORMED_DATA = "association data is not the DER object that the selector names"


def unusable_reason(record: TlsaRecord) -> Unusable | None:
    """Why the record can't be used, judged from its numbers and length alone; None if it can be.

    Verification finds out whether the data of a ``Full`` record parses.
    """
    if record.usage not in _USAGES:
        return Unusable.UNKNOWN_USAGE
    if record.selector not in _SELECTORS:
        return Unusable.UNKNOWN_SELECTOR
    if record.mtype not in _MATCHING_TYPES:
        return Unusable.UNKNOWN_MATCHING_TYPE
    if not record.data:
        return Unusable.EMPTY_DATA
    wanted = DIGEST_LENGTH.get(record.mtype)
    if wanted is not None and len(record.data) != wanted:
        return Unusable.WRONG_LENGTH
    return None


class Required(NamedTuple):
    """One line of ``dane-ee``: a ``3 1 x`` record that must be at an owner name."""

    mtype: MatchingType
    owner: DnsName

    def record(self, spki: bytes) -> TlsaRecord:
        """The record for the key whose DER SubjectPublicKeyInfo is ``spki``."""
        return key_record(spki, self.mtype)

    def __str__(self) -> str:
        return f"{int(self.mtype)} {self.owner.text}"


class Declared(enum.Enum):
    """The operator's word on whether a lineage has TLSA records at all."""

    NOTHING = "nothing"  # a file without lines says nothing: they may have been lost
    NO_RECORDS = "no records"
    WAIVED = "waived"  # for the key on its way alone


class Doubt(NamedTuple):
    """A line of ``dane-ee`` that can be read, and watched, but hardly meant.

    ``text`` is ``LINE: WORDS``.
    """

    owner: DnsName
    text: str


class DaneEe(NamedTuple):
    """A ``dane-ee`` file: ``lines`` that are required, and the operator's word on others.

    ``let_go`` are owners that need not be watched any more.  ``problems`` are the lines that can't
    be read, each as ``LINE: WORDS``: what the others say holds all the same.
    """

    lines: tuple[Required, ...] = ()
    let_go: frozenset[DnsName] = frozenset()
    declared: Declared = Declared.NOTHING
    doubts: tuple[Doubt, ...] = ()
    problems: tuple[str, ...] = ()


_OCTETS = frozenset(range(256))
_EXAMPLE = "_25._tcp.mail.example.org"
_LET_GO, _ALL = "-", "*"
NO_RECORDS = f"{_LET_GO} {_ALL}"
"""The line by which ``dane-ee`` says that a lineage has no TLSA records."""


def parse_dane_ee(text: str) -> DaneEe:
    """Read a ``dane-ee`` file: lines of ``MATCHING-TYPE OWNER``, ``#`` comments, any line ends.

    A matching type is 0 to 2 or its RFC 7218 acronym, as the shell program takes it.  ``- OWNER``
    lets an owner go, ``- *`` says that there are no TLSA records.  A line that can't be read, or
    that contradicts another one, is never passed over: a lost line is a lost safety net.

    Raises nothing: `DaneEe.problems` has them all.
    """
    found: dict[Required, int] = {}
    let_go: set[DnsName] = set()
    declared = Declared.NOTHING
    doubts, problems = [], []
    for number, line in _lines(text):
        try:
            word, name = _dane_ee_line(line)
        except (RecordSyntaxError, NameSyntaxError) as exc:
            problems.append(f"{number}: {exc}")
            continue
        if name is None:
            declared = Declared.NO_RECORDS
        elif word is None:
            let_go.add(name)
        else:
            found.setdefault(Required(word, name), number)
            doubts += [Doubt(name, f"{number}: {why}") for why in _no_owner(name)]
    problems += _contradictions(found, let_go, declared)
    return DaneEe(tuple(found), frozenset(let_go), declared, tuple(doubts), tuple(problems))


def _dane_ee_line(line: str) -> tuple[MatchingType | None, DnsName | None]:
    """A matching type and its owner; no type for one that is let go, no owner for all of them."""
    fields = line.split()
    try:
        word, owner = fields
    except ValueError:
        owner = fields[0] if len(fields) == 1 and _is_owner(fields[0]) else _EXAMPLE
        raise RecordSyntaxError(
            f"want MATCHING-TYPE OWNER, found {line[:60]!r}; write it as: 1 {owner}"
        ) from None
    if (word, owner) == (_LET_GO, _ALL):
        return None, None
    mtype = _MATCHING_WORDS.get(word.lower())
    if mtype is None and word != _LET_GO:
        raise RecordSyntaxError(f"matching type {word[:20]!r} is not one of 0, 1, 2; mostly 1")
    return mtype, DnsName.parse(owner)


def _is_owner(word: str) -> bool:
    try:
        return TlsaOwner.from_name(DnsName.parse(word)) is not None
    except NameSyntaxError:
        return False


def _no_owner(name: DnsName) -> Iterator[str]:
    """Why no sender asks for TLSA records at a name, unless an alias leads there; none if one may.

    RFC 6698 section 3: a port, a transport, and a host.
    """
    if TlsaOwner.from_name(name) is None:
        yield f"{name.text[:80]} is no TLSA owner, such as {_EXAMPLE}"


def _contradictions(
    lines: Mapping[Required, int], let_go: set[DnsName], declared: Declared
) -> Iterator[str]:
    for line, number in lines.items():
        if declared is Declared.NO_RECORDS:
            yield f"{number}: '{line}' and '- *' contradict each other; remove one of them"
        if line.owner in let_go:
            other = f"- {line.owner}"
            yield f"{number}: '{line}' and '{other}' contradict each other; remove one of them"


def edit_dane_ee(
    text: str,
    *,
    add: Iterable[Required] = (),
    drop: Iterable[Required] = (),
    let_go: Iterable[DnsName] = (),
) -> str:
    """Edit a ``dane-ee`` file without problems; all other lines stay as they are.

    ``add`` are lines to list (what let their owners go is taken out), ``drop`` lines to take out,
    ``let_go`` owners whose lines go and that ``- OWNER`` lets go.
    """
    wanted, gone = dict.fromkeys(add), dict.fromkeys(let_go)
    unwanted, listed = {*drop}, {line.owner for line in wanted}
    kept = []
    for line in text.splitlines():
        said = parse_dane_ee(line)
        stale = unwanted.union(wanted).intersection(said.lines)
        stale |= {one for one in said.lines if one.owner in gone}
        contradicted = said.let_go & listed or (wanted and said.declared is Declared.NO_RECORDS)
        if not stale and not contradicted and not said.let_go & {*gone}:
            kept.append(line)
    kept += [*map(str, wanted), *(f"{_LET_GO} {owner}" for owner in gone)]
    return "".join(f"{line}\n" for line in kept)


def parse_dnsnames(text: str) -> tuple[DnsName, ...]:
    """Read a ``dnsnames`` file: one required name a line, ``#`` comments, any line ends.

    Raises `RecordSyntaxError` with a line ``LINE: WORDS`` for every one that is none.
    """
    found: dict[DnsName, None] = {}
    problems = []
    for number, line in _lines(text):
        try:
            found[DnsName.parse(line)] = None
        except NameSyntaxError as exc:
            problems.append(f"{number}: {exc}")
    if problems:
        raise RecordSyntaxError("\n".join(problems))
    return tuple(found)


def _lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines (from 1) without comments, blanks and a byte-order mark."""
    stripped = (
        (number, line.partition("#")[0].strip())
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)
    )
    return [(number, line) for number, line in stripped if line]


def counts_beside(form: tuple[int, int, int], records: Iterable[TlsaRecord]) -> bool:
    """Return whether a record of these three numbers would count beside others.

    It wouldn't beside a usable one with a stronger digest (RFC 7671 section 9).
    """
    return not any(
        one[:2] == form[:2] and one.mtype > form[2] > 0 and unusable_reason(one) is None
        for one in records
    )


def raw_key_suffices(records: Iterable[TlsaRecord]) -> bool:
    """Return whether no record that mail can use needs more than the server's raw public key.

    Then Postfix from 3.9 with OpenSSL from 3.2 asks for that instead of a certificate (RFC 7250;
    ``tls_dane_enable`` in its source): DANE-EE(3) SPKI(1) needs no more (RFC 7671 section 5.1).
    """
    return all(
        (one.usage, one.selector) == (Usage.DANE_EE, Selector.SPKI)
        for one in records
        if one.usage in (Usage.DANE_TA, Usage.DANE_EE) and unusable_reason(one) is None
    )
