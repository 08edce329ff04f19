"""What a history contained, and how it ended."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sim.judge import Stale


class Feature(enum.Enum):
    """What a history contains; counted, so that nobody takes an idle simulation for a proof."""

    PROMOTED = "promoted"
    WATCHED = "looked at before the key was made"
    ALIASES = "aliases"
    NEW_SERVERS = "servers changed"
    BLIND = "no server reachable"
    ASSUMED = "TTL assumed"
    WITHDRAWN = "back to next"
    MEMORY_LOST = "memory lost"
    CRASHED = "crashed"
    LINE_ADDED = "line added to dane-ee"
    PUT_BACK = "staging put back"
    NO_MIN_WAIT = "no minimum wait"
    EMERGENCY = "emergency"
    MOVED = "an address moved, promoted all the same"
    STALE_GLUE = "stale glue"
    LOWERED = "TTL lowered before the first look, promoted all the same"
    GAP = "no runs for weeks"
    RESTORED = "tree restored from a backup"
    CLOCK = "the clock was behind"
    LINES_LOST = "dane-ee emptied, lost or shortened"
    CAME_BACK = "a server came back with what it had"
    SHARED = "two lineages at one owner, or two digests"
    BOGUS = "the zone was bogus for days"
    OUTAGE = "the CA failed for days"
    WILDCARD = "a wildcard's RRset"
    ALIAS_ZONE = "an alias's name servers lag, each by itself"
    EXPIRED = "a server's copy of a zone expired for days"
    NEVER_HEARD = "a server was never heard"
    PUBLISHER = "the publisher said what it hadn't done"
    REPLACED_UNHEARD = "a server was replaced that was long not heard"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a history ended: what any cache may still hold though the key is served.

    ``branch`` is 0 where its world was played first.  ``spoiled`` are the keys in use that senders
    refuse once danebot's advice is followed.  ``kept_back`` tells that a renewal missed the end of
    the certificate though nothing that was seen was in its way.
    """

    seed: int
    deployed: int | None
    stale: tuple[Stale, ...]
    features: frozenset[Feature]
    looks: int
    spoiled: str = ""
    branch: int = 0
    kept_back: bool = False

    @property
    def broken(self) -> bool:
        """Whether a promise was."""
        return bool(self.stale or self.spoiled) or self.kept_back
