"""What a kind of finding is: a row of a table, with who tells of it, its meaning, what helps.

Metrics, the schema of the status document, the checks' concerns and the list in docs/monitoring.md
follow from the tables; tests fail where one of them doesn't.

check_danebot imports this room every minute, so it costs next to nothing to enter.
"""

from __future__ import annotations

import enum
from typing import Self


class Concern(enum.Enum):
    """Whose business a finding is; the value is the word for it."""

    RENEWAL = "renewal"
    TLSA = "tlsa"
    EXPIRY = "expiry"
    ROLLOVER = "rollover"
    STATUS = "status"  # the status document itself, whatever it is asked for
    DELIVERY = "delivery"  # the view from outside
    HOST = "host"  # what danebot rests on: `danebot doctor`


class Basis(enum.Enum):
    """What a finding rests on, and so what it is judged anew by."""

    RUN = "what a run saw and did"
    DNS = "what DNS said"
    CLOCK = "the time that went by"


class FindingKind(enum.Enum):
    """A row: value, concern, meaning, what helps in general, and what the finding rests on.

    What helps is "" where nothing has to be done; LINEAGE stands for a name.  The values are public
    labels, so they are frozen.
    """

    _value_: str
    concern: Concern
    meaning: str
    remedy: str
    basis: Basis

    def __new__(
        cls, value: str, concern: Concern, meaning: str, remedy: str, basis: Basis = Basis.RUN
    ) -> Self:
        """Make the member of a row."""
        made = object.__new__(cls)
        made._value_ = value
        made.concern, made.meaning, made.remedy, made.basis = concern, meaning, remedy, basis
        return made

    @enum.property
    def value(self) -> str:
        """The public label."""
        return self._value_
