"""The words of a plan: the phases of a lineage, the steps, and why one is not taken."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.propagation import Observations, Propagation
    from danebot.domain.rollover.records.adoption import Found
    from danebot.domain.rollover.steps.refusals import Refusal
    from danebot.domain.rollover.steps.safe_time import SafeTime


class Phase(enum.Enum):
    """Where a lineage stands; the value is the word shown and exported."""

    PASS_THROUGH = "pass-through"  # noqa: S105 - a word, no password
    STABLE = "stable"
    STAGED = "staged"
    COOLING = "cooling"
    STANDBY = "standby"
    DUE = "due"
    ISSUED = "issued"
    DEPLOYED = "deployed"
    BROKEN = "broken"


class Step(enum.Enum):
    """What to do next; the value is in words, for ``--dry-run``."""

    MAKE_NEXT = "make the next key"
    MARK_READY = "make the next key the ready key: its records are seen everywhere"
    BACK_TO_NEXT = "make the ready key the next key again: its records are no longer there"
    PUT_BACK = "put the waiting certificate back on the key that live serves"
    PROMOTE = "have certbot issue with the ready key"
    DEPLOY = "make the waiting certificate live"
    FINISH = "remove the key file of a key that is live now"


class Hold(enum.Enum):
    """Why a step that is otherwise next is not taken; the value is in words."""

    NOT_EVERYWHERE = "its TLSA records are not seen everywhere"
    NOT_COOLED = "its TLSA records are not in every cache yet"
    CANNOT_SEE = "DNS could not be observed"
    STANDS_BY = "it stands by until a rollover is due"
    UNKNOWN_KEY = "its key is unknown"
    KEY_MISMATCH = "its private key is not the certificate's"
    CHAIN_UNVERIFIED = "its chain does not verify"
    NAME_MISSING = "it lacks a required name"
    GATE = "senders would refuse it"
    CACHES = "caches may hold TLSA records by which senders would refuse it"
    NAMES_UNREADABLE = "the required names can't be read"
    RECORDS_UNREADABLE = "the required records can't be read"
    BACKING_OFF = "the last attempt failed"
    CLOCK_BEHIND = "the clock is behind"
    NOTHING_SERVED = "nothing usable is live"
    NOTHING_WATCHED = "no TLSA owner is known, and nobody said that there is none"


class Repair(enum.Enum):
    """Whether mail is failing already, so that waiting protects nobody."""

    NOT_NEEDED = "not needed"
    AT_ONCE = "no record of the live key is left"


class Keep(enum.Enum):
    """What becomes of a staged key that must not be deployed."""

    NOWHERE = "it is kept in its own file already"
    AS_NEXT = "its records are published: it becomes the next key"
    ASIDE = "it is set aside"


class Observation(NamedTuple):
    """One observation of a lineage: its files and, for each owner of ``dane-ee``, the DNS.

    ``distrust`` says why the staged chain doesn't verify to the trust store; "" if it does, None
    if that was not examined (which counts as not verified).  ``beside`` are owners of a lineage
    that watches none, judged without asking a service.  At ``unharmed`` owners it was seen just now
    that the service can't lose by what is next (see `served.loses_nothing`).
    """

    state: LineageState
    owners: Observations = MappingProxyType({})
    distrust: str | None = None
    beside: tuple[Found, ...] = ()
    unharmed: frozenset[DnsName] = frozenset()


class Plan(NamedTuple):
    """What `plan` found: the phase, the next step or why there is none, and what it rests on.

    ``current`` and ``awaited`` are the propagation of the current and the awaited key's records.
    ``certbot_may_renew`` is False while an unsafe key is staged that can't be put back.
    ``keep`` says, for PUT_BACK, where the staged key goes; ``refusal``, for GATE and CACHES, why.
    ``relies`` are the owners whose services may lose by what is, or would be, next, if they serve
    another chain than live: whoever takes that step asks them first.
    """

    phase: Phase
    step: Step | None = None
    hold: Hold | None = None
    detail: str = ""
    current: tuple[Propagation, ...] = ()
    awaited: tuple[Propagation, ...] = ()
    safe: SafeTime | None = None
    repair: Repair = Repair.NOT_NEEDED
    certbot_may_renew: bool = True
    keep: Keep | None = None
    refusal: Refusal | None = None
    relies: tuple[DnsName, ...] = ()
