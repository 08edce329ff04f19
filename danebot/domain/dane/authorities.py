"""Which certificate authority a DANE-TA record names, by facts that danebot carries along.

The facts are those of one CA on one day, which all that is said of them must bear.  Of a CA that
isn't among them nothing is said.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from danebot.domain.dns.tlsa import (
    MatchingType,
    Selector,
    TlsaRecord,
    Usage,
    association,
    unusable_reason,
)
from danebot.domain.lineage.keys import Algorithm
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dane.certificate import Certificate

OWNER = "Let's Encrypt"
"""Whose authorities the table has."""
_DATE = re.compile(r"^#.*\(state of (\d{4}-\d\d-\d\d)\)", re.MULTILINE)
_KEYS = {"RSA 2048": Algorithm.RSA, "RSA 4096": Algorithm.RSA, "P-384": Algorithm.ECDSA}


class Use(enum.Enum):
    """What an authority does; the value is the table's word for it."""

    ACTIVE = "active"  # issues now
    BACKUP = "backup"  # may begin at any time
    RETIRED = "retired"  # issues no more
    ROOT = ""  # issues to intermediates alone


class Authority(NamedTuple):
    """One row: ``expires`` is the last day of its certificates, in UTC.

    ``spki`` is the SHA2-256 of its key, ``certificates`` are those of each of its certificates.
    """

    name: str
    key: Algorithm
    use: Use
    expires: date
    spki: bytes
    certificates: tuple[bytes, ...]

    @property
    def record(self) -> TlsaRecord:
        """The ``2 1 1`` record that names it."""
        return TlsaRecord(Usage.DANE_TA, Selector.SPKI, MatchingType.SHA2_256, self.spki)

    def state(self, now: datetime) -> str:
        """What it does at ``now``, in words; "" for a root that is valid."""
        if self.use is not Use.RETIRED and self.expires < now.date():
            return f"expired {self.expires}, issues no more"
        return _STATES[self.use]

    def may_issue(self, now: datetime, algorithm: Algorithm | None) -> bool:
        """Whether the certificate of a key of that type may come from it; None is any type."""
        fits = algorithm in (None, self.key)
        return fits and self.use in (Use.ACTIVE, Use.BACKUP) and self.expires >= now.date()


_STATES = {
    Use.ACTIVE: "issues now",
    Use.BACKUP: "backup, may issue at any time",
    Use.RETIRED: "retired, issues no more",
    Use.ROOT: "",
}


class Authorities(NamedTuple):
    """The table: ``as_of`` is the day of its facts."""

    as_of: date
    rows: tuple[Authority, ...]

    def named(self, record: TlsaRecord, chain: Sequence[Certificate] = ()) -> tuple[Authority, ...]:
        """The authorities that a DANE-TA record names: several if they share a key, () if none.

        The table has SHA2-256 digests; a SHA2-512 one is known by the certificate of ``chain`` that
        it matches.
        """
        if record.usage != Usage.DANE_TA or unusable_reason(record) is not None:
            return ()
        digest = _sha2_256(record, chain)
        of_key = record.selector == Selector.SPKI
        return tuple(
            row for row in self.rows if digest in ((row.spki,) if of_key else row.certificates)
        )

    def issuers(self, now: datetime, *types: Algorithm | None) -> tuple[Authority, ...]:
        """Those from which the next certificate of a key of these types may come; None is any."""
        return tuple(
            row for row in self.rows if any(row.may_issue(now, one) for one in types or (None,))
        )


def _sha2_256(record: TlsaRecord, chain: Iterable[Certificate]) -> bytes | None:
    if record.mtype == MatchingType.SHA2_256:
        return record.data
    if record.mtype == MatchingType.FULL:
        return association(record.data, MatchingType.SHA2_256)
    parts = (one.spki if record.selector == Selector.SPKI else one.der for one in chain)
    found = (part for part in parts if association(part, MatchingType.SHA2_512) == record.data)
    part = next(found, None)
    return association(part, MatchingType.SHA2_256) if part is not None else None


def in_words(rows: Iterable[Authority], now: datetime) -> str:
    """Return authorities with what they do: ``Let's Encrypt R10: retired, issues no more``."""
    alike: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        whose = "the root" if row.use is Use.ROOT else OWNER
        alike.setdefault((whose, row.state(now)), []).append(row.name)
    return "; ".join(
        f"{whose} {', '.join(names)}{f': {state}' if state else ''}"
        for (whose, state), names in alike.items()
    )


def parse_authorities(text: str) -> Authorities:
    """Read the table; its first comment has the day and names the columns.

    Raises `ValueError` for a table that isn't one, which no table that danebot carries is.
    """
    found = _DATE.search(text)
    if found is None:
        raise ValueError("the table has no date")
    return Authorities(date.fromisoformat(found[1]), tuple(_rows(text)))


def _rows(text: str) -> Iterator[Authority]:
    for line in text.splitlines():
        if not line.startswith("#"):
            _, name, key, use, expires, spki, certificates = line.split("\t")
            yield Authority(
                name,
                _KEYS[key],
                Use(use),
                date.fromisoformat(expires),
                bytes.fromhex(spki),
                tuple(map(bytes.fromhex, certificates.split())),
            )
