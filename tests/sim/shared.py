"""What the operator publishes at an owner: the keys' records, then what danebot advises.

Another lineage may have its key there, or another host of which danebot knows nothing; and the
lines of ``dane-ee`` may ask for another digest than the one that is published.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random

from danebot.domain.dns.answers import (
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import Hostname
from domain.builders import Rules, key, line, record
from sim.eyes import OWNERS, Records
from sim.senders import accepts
from sim.world import Content

_KEPT = ("old", "other")


@dataclass(frozen=True)
class Zone:
    """What an owner's RRset holds when: ``mtype`` is the one that ``dane-ee`` asks for."""

    mtype: int
    records: Records
    spoiled: str = ""

    @functools.cached_property
    def lacking(self) -> frozenset[Content]:
        """By what the awaited key can't be verified."""
        return frozenset(one for one in Content if not accepts(self.records[one], "new"))


@functools.lru_cache(maxsize=16)
def plain(rules: Rules, *, wildcard: bool) -> Zone:
    """One key, one digest."""
    return _zone(rules, 1, (record("old"),), _KEPT, wildcard=wildcard)


def shared(rules: Rules, rng: Random, *, wildcard: bool) -> Zone:
    """Two keys at one owner, or another digest in ``dane-ee`` than in the zone."""
    digests = rng.choice(((1,), (1,), (2,), (1, 2)))
    keys = rng.choice((("old",), ("old", "other"), ("old", "other")))
    before = tuple(record(name, mtype) for name in keys for mtype in digests)
    known = rng.choice((_KEPT, ("old",)))
    return _zone(rules, rng.choice((1, 2)), before, known, wildcard=wildcard)


def _zone(
    rules: Rules,
    mtype: int,
    before: tuple[TlsaRecord, ...],
    known: tuple[str, ...],
    *,
    wildcard: bool,
) -> Zone:
    """What there will be, where danebot's advice is followed knowing of those keys."""
    shown = _look(before, wildcard=wildcard)
    wanted = [(line(OWNERS[0], mtype), key("new").spki)]
    advice = rules.advise(OWNERS[0], shown, wanted, [key(name).spki for name in known])
    left = before if not wildcard or not advice.add else ()  # any record hides the wildcard's
    both = tuple(dict.fromkeys((*left, *advice.add)))
    records = {
        Content.NOTHING: (),
        Content.OLD: before,
        Content.BOTH: both,
        Content.FOREIGN: (*both, record("somebody", 2)),
        Content.ALTERED: (*before, record("altered", mtype)),
    }
    kept = [name for name in _KEPT if accepts(before, name)]
    spoiled = [name for name in kept if not accepts(both, name)]
    return Zone(mtype, records, " ".join(spoiled))


def _look(records: tuple[TlsaRecord, ...], *, wildcard: bool) -> OwnerObservation:
    there = Answer(OWNERS[0], Security.SECURE, Presence.PRESENT, OWNERS[0], records=records)
    where = Server(Hostname("ns0.example.org"), "192.0.2.1")
    server = ServerAnswer(where, ServerOutcome.ANSWERED, records, wildcard=wildcard)
    return OwnerObservation(OWNERS[0], there, servers=(server,))
