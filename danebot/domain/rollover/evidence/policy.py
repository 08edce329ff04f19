"""What the operator decides about rollovers and warnings, and how failures space out attempts."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.key_types import KeyType

LONGEST_WAIT = timedelta(days=90)
"""The longest minimum wait and margin: what was seen that long before is remembered."""

LONGEST_GAP = timedelta(days=5)
"""The longest time without a word that doesn't break what is seen: a daily run, with up to an hour
of random delay, that misses a weekend and the Monday comes after 4 days and an hour."""


class Occasion(enum.Enum):
    """What brings a rollover about, where it isn't a period; the value is the setting's word."""

    REQUEST = "never"
    RENEWAL = "renewal"


class Policy(NamedTuple):
    """The decisions for one lineage; settings are per lineage, so there is one policy for each.

    ``min_wait`` counts from the first observation at which every authoritative server had the new
    record; it covers what nobody can see from outside.  ``margin`` is added to the TTL, for clocks
    and for caches with a TTL floor.  ``unseen_ttl`` is assumed of caches when nothing was observed
    before the record was there; its default is the cap that RFC 8767 section 4 advises for any TTL.
    ``key_type`` None means the type of the current key.  ``staged_warning`` is how long a next key
    may wait for its records, ``retire_after`` how far apart the two probes are, at least, that find
    the old key gone before its records go.  ``expiry_warning`` and ``expiry_critical`` are
    fractions of a certificate's own lifetime left, since lifetimes differ and shrink.
    ``prepublish`` keeps a next key published at all times; ``rollover_every`` is the period of
    scheduled rollovers, or what else brings them about.  ``certificates_per_week`` is how many for
    the same names the CA issues in seven days; 0 if it doesn't count.
    """

    min_wait: timedelta = timedelta(days=2)
    margin: timedelta = timedelta(hours=1)
    unseen_ttl: timedelta = timedelta(days=7)
    key_type: KeyType | None = None
    backoff_first: timedelta = timedelta(hours=1)
    backoff_max: timedelta = timedelta(days=1)
    staged_warning: timedelta = timedelta(days=14)
    retire_after: timedelta = timedelta(hours=1)
    expiry_warning: float = 0.2
    expiry_critical: float = 0.1
    prepublish: bool = False
    rollover_every: timedelta | Occasion = Occasion.REQUEST
    certificates_per_week: int = 5


def backoff(policy: Policy, failures: int) -> timedelta:
    """How long to wait after ``failures`` (1 or more) in a row: doubling, up to a cap."""
    wait = policy.backoff_first
    for _ in range(failures - 1):
        if wait >= policy.backoff_max:
            break
        wait *= 2
    return min(wait, policy.backoff_max)
