"""What the operator publishes at an owner: the keys' records, then what danebot advises.

Another lineage may have its key there, or another host of which danebot knows nothing; and the
lines of ``dane-ee`` may ask for another digest than the one that is published.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from danebot.domain.tlsa import TlsaRecord
from domain.builders import record
from sim.eyes import Records
from sim.senders import accepts
from sim.world import Content

_KEPT = ("old", "other")


@dataclass(frozen=True, slots=True)
class Zone:
    """What an owner's RRset holds when: ``mtype`` is the one that ``dane-ee`` asks for."""

    mtype: int
    records: Records
    spoiled: str = ""


def plain() -> Zone:
    """One key, one digest."""
    return _zone(1, (record("old"),))


def shared(rng: Random) -> Zone:
    """Two keys at one owner, or another digest in ``dane-ee`` than in the zone."""
    digests = rng.choice(((1,), (1,), (2,), (1, 2)))
    keys = rng.choice((("old",), ("old", "other"), ("old", "other")))
    before = tuple(record(name, mtype) for name in keys for mtype in digests)
    return _zone(rng.choice((1, 2)), before)


def _zone(mtype: int, before: tuple[TlsaRecord, ...]) -> Zone:
    both = _advised(mtype, before)
    foreign = (*both, record("somebody", 2))
    records = {
        Content.NOTHING: (),
        Content.OLD: before,
        Content.BOTH: both,
        Content.FOREIGN: foreign,
    }
    kept = [name for name in _KEPT if accepts(before, name)]
    spoiled = [name for name in kept if not accepts(both, name)]
    return Zone(mtype, records, " ".join(spoiled))


def _advised(mtype: int, before: tuple[TlsaRecord, ...]) -> tuple[TlsaRecord, ...]:
    """What is there when danebot's advice was followed."""
    digests = {mtype, max((one.mtype for one in before), default=mtype)}
    keys = [name for name in _KEPT if accepts(before, name)]
    added = [record(name, digest) for digest in digests for name in (*keys, "new")]
    return tuple(dict.fromkeys((*before, *added)))
