"""What follows from an observation alone, worked out once: half of the looks show nothing new.

The rules that are played are the domain's own.  While `kept` is in force, functions of it leave
their results with what they depend on, which never changes, and return them when they are asked
for the same again.  A test plays the same histories without.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from danebot.domain.dane.certificate import read
from danebot.domain.dane.verdicts import Verdict
from danebot.domain.dns import tlsa
from danebot.domain.dns.answers import OwnerObservation, ServerAnswer
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord, Usage
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.state import Held, LineageState
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence import anchors, caches, propagation, servers
from danebot.domain.rollover.evidence.caches import Records
from danebot.domain.rollover.evidence.memory import (
    Memory,
    OwnerMemory,
    RRsetSighting,
    TtlSighting,
)
from danebot.domain.rollover.evidence.policy import LONGEST_WAIT
from danebot.domain.rollover.evidence.propagation import Observations, Propagation
from danebot.domain.rollover.evidence.senders import Senders
from danebot.domain.rollover.records import lost
from danebot.domain.rollover.steps import gate, reload, remember, served

if TYPE_CHECKING:
    from sim.eyes import Eyes

T = TypeVar("T")


class Keep(enum.Enum):
    """What is kept from one look to the next."""

    RESULTS = "what follows from an observation alone"
    NOTHING = "nothing"


class Seen(OwnerObservation):
    """An observation that keeps, in its ``__dict__``, what follows from it."""


class _Kept:
    """A property that is worked out once for each observation."""

    def __init__(self, name: str) -> None:
        self.name, self.of = name, getattr(OwnerObservation, name).fget

    def __get__(self, seen: Seen, owner: type) -> object:
        found = seen.__dict__[self.name] = self.of(seen)
        return found


for _name, _value in vars(OwnerObservation).items():
    if isinstance(_value, property):
        setattr(Seen, _name, _Kept(_name))


def _by_observation(function: Callable[[Seen], T]) -> Callable[[Seen], T]:
    """Keep what a function makes of an observation."""
    name = function.__name__

    def kept(seen: Seen) -> T:
        found = seen.__dict__
        if name not in found:
            found[name] = function(seen)
        result: T = found[name]
        return result

    return kept


def _completed(seen: Seen, old: OwnerMemory) -> OwnerObservation:
    """It depends on the memory by the route, and by who was heard, whenever that was."""
    rows = seen.__dict__.setdefault("completed", [])
    heard = old.heard.keys()
    for names, route, found in rows:
        if route == old.route and names == heard:
            return found or seen
    result: OwnerObservation = _REAL["_completed"](seen, old)
    rows.append((frozenset(heard), old.route, result if result is not seen else None))
    return result


def _propagation_of(required: Required, spki: bytes, observations: Observations) -> Propagation:
    """It depends on what is there and who said so, not on TTLs and dates: few looks differ."""
    seen = observations.get(required.owner)
    work_out: Callable[..., Propagation] = _REAL["propagation_of"]
    if seen is None or seen.witnesses:
        return work_out(required, spki, observations)
    lines = seen.__dict__.setdefault("lines", {})
    line = required.mtype, required.owner.text, spki
    found: Propagation | None = lines.get(line)
    if found is not None:
        return found
    shape = seen.__dict__.get("shape")
    if shape is None:
        answer, parts = seen.answer, [(seen.name_servers, seen.servers)]
        parts += [(alias.name_servers, alias.servers) for alias in seen.aliases]
        own = id(answer.security), id(answer.cause), id(answer.presence), answer.detail
        said = [(names, *_said(servers)) for names, servers in parts]
        shape = seen.__dict__["shape"] = own, answer.records, tuple(said)
    key = line, shape
    found = _PROPAGATIONS.get(key)
    if found is None:
        if len(_PROPAGATIONS) >= _MOST:
            _PROPAGATIONS.clear()
        found = _PROPAGATIONS[key] = work_out(required, spki, observations)
    lines[line] = found
    return found


def _said(servers: tuple[ServerAnswer, ...]) -> tuple[Hashable, Hashable]:
    """What servers say is there, and who they are."""
    said = [(s.server.address, id(s.outcome), s.records, s.detail) for s in servers]
    return tuple(said), tuple([s.server.name.text for s in servers])


_MOST = 20_000
_PROPAGATIONS: dict[Hashable, Propagation] = {}
_VERDICTS: dict[Hashable, Verdict] = {}


def _verdict(senders: Senders, records: Records, held: Held) -> Verdict:
    """Of the time only that counts within whose dates it lies: see `Facts.valid_at`."""
    ders, now = held.chain.ders, senders.now
    facts = [one.facts for one in map(read, ders) if one is not None]
    dates: Hashable = tuple([(f.not_before <= now, now < f.not_after) for f in facts if f])
    if any(record.mtype == MatchingType.FULL for record in records):  # holds what may have dates
        dates = now
    key = records, ders, senders.references, id(senders.profile), dates
    found = _VERDICTS.get(key)
    if found is None:
        if len(_VERDICTS) >= _MOST:
            _VERDICTS.clear()
        found = _VERDICTS[key] = _REAL["verdict"](senders, records, held)
    return found


def _senders_to(owner: DnsName, live: Held, now: datetime) -> Senders:
    """They differ by the time alone."""
    key = owner.text, live.chain.names
    if key not in _SENDERS:
        _SENDERS[key] = _REAL["senders_to"](owner, live, now)
    return _SENDERS[key]._replace(now=now)


_SENDERS: dict[Hashable, Senders] = {}


def _digests(memory: Memory, state: LineageState) -> Iterable[bytes]:
    """It is asked at every look, and what it depends on seldom changes."""
    parts = state, memory.cancelled, memory.current, memory.deployment
    if any(one is not two for one, two in zip(_LAST[0], parts, strict=True)):
        _LAST[:] = [parts, frozenset(_REAL["_digests"](memory, state))]
    found: frozenset[bytes] = _LAST[1]
    return found


_LAST: list[Any] = [(None, None, None, None), frozenset()]


def _gone(held: Held, seen: Seen) -> bool:
    rows = seen.__dict__.setdefault("gone", {})
    if held.key.spki not in rows or rows[held.key.spki][0] is not held:
        rows[held.key.spki] = held, _REAL["_gone"](held, seen)
    found: bool = rows[held.key.spki][1]
    return found


def _broken(old: OwnerMemory, seen: Seen, now: datetime) -> bool:
    """It is asked twice in a row."""
    last = seen.__dict__.get("broken")
    if last is None or last[0] is not old or last[1] is not now:
        last = seen.__dict__["broken"] = old, now, _REAL["broken"](old, seen, now)
    found: bool = last[2]
    return found


class _Settled(NamedTuple):
    """Sightings that an observation left as they were: so does any like it that comes later.

    It closed none, and dated none, since none has its time.  None is later than it, which would
    count as now.  What it added was as good as one of theirs, and is no better when it is later.
    What ended is forgotten with age, but not before ``until``.
    """

    sightings: tuple[object, ...]
    since: datetime
    until: datetime


_SETTLED: dict[Hashable, _Settled] = {}


def _folded(
    sightings: tuple[Any, ...],
    alike: Hashable,
    now: datetime,
    age: timedelta,
    fold: Callable[[], tuple[Any, ...]],
) -> tuple[Any, ...]:
    """The sightings after an observation, of which ``alike`` is all that counts for them.

    What ended is forgotten no sooner than ``age`` after it has left all caches.
    """
    key = id(sightings), alike
    known = _SETTLED.get(key)
    if known is not None and known.sightings is sightings and known.since <= now <= known.until:
        return sightings
    after = fold()
    if after != sightings:
        return after
    if not any(now in one for one in sightings):
        if len(_SETTLED) >= _MOST:
            _SETTLED.clear()
        ended = [one.until + one.ttl + age for one in sightings if one.until is not None]
        _SETTLED[key] = _Settled(sightings, now, min(ended, default=_NEVER))
    return sightings


def _remember_ttls(
    old: OwnerMemory, seen: Seen, now: datetime, *, keep_all: bool
) -> tuple[TtlSighting, ...]:
    alike = remember._cacheable(seen), seen.heard_all, keep_all, old.old_route_until
    real = functools.partial(_REAL["_remember_ttls"], old, seen, now, keep_all=keep_all)
    return _folded(old.sightings, alike, now, timedelta(0), real)


def _remember_rrsets(old: OwnerMemory, seen: Seen, now: datetime) -> tuple[RRsetSighting, ...]:
    answer = seen.answer
    said = id(answer.security), id(answer.cause), seen.heard_any, seen.heard_all, seen.signed
    times = old.old_route_until, old.watched_since
    alike = caches._found(seen), caches._served(seen), said, times
    real = functools.partial(_REAL["remember_rrsets"], old, seen, now)
    return _folded(old.rrsets, alike, now, LONGEST_WAIT, real)


def _anchor(
    owner: DnsName, live: Held, seen: Seen | None, known: TlsaRecord | None, now: datetime
) -> TlsaRecord | None:
    """Where the answer that decides has no anchor, nobody relies on one."""
    if seen is not None and seen.answer.secure:
        if all(record.usage != Usage.DANE_TA for record in seen.answer.records):
            return None
    elif known is None:
        return None
    found: TlsaRecord | None = _REAL["_anchor"](owner, live, seen, known, now)
    return found


_NEVER = datetime.max.replace(tzinfo=UTC)
_PATCHES: tuple[tuple[object, str, object], ...] = (
    (remember, "_cacheable", _by_observation(remember._cacheable)),
    (remember, "_remember_ttls", _remember_ttls),
    (remember, "remember_rrsets", _remember_rrsets),
    (anchors, "_anchor", _anchor),
    (remember, "broken", _broken),
    (caches, "_resolved", _by_observation(caches._resolved)),
    (caches, "_served", _by_observation(caches._served)),
    (caches, "_found", _by_observation(caches._found)),
    (caches, "in_force", _by_observation(caches.in_force)),
    (caches, "broken", _broken),
    *((room, "in_force", _by_observation(caches.in_force)) for room in (gate, reload, served)),
    (servers, "_route", _by_observation(servers._route)),
    (servers, "_completed", _completed),
    (propagation, "propagation_of", _propagation_of),
    (propagation, "_gone", _gone),
    (Senders, "verdict", _verdict),
    *((room, "senders_to", _senders_to) for room in (gate, reload, served, anchors)),
    (lost, "_digests", _digests),
    (PublicKey, "digest", property(lambda key: _digest(key.spki))),
)
_REAL = {name: getattr(where, name) for where, name, _ in _PATCHES}


@contextmanager
def kept(keep: Keep, eyes: Eyes | None = None) -> Iterator[None]:
    """While it is in force, results are kept with what those eyes see, or not."""
    if eyes is not None:
        eyes.form = Seen if keep is Keep.RESULTS else OwnerObservation
    patches = _PATCHES if keep is Keep.RESULTS else ()
    for where, name, other in patches:
        setattr(where, name, other)
    try:
        yield
    finally:
        for where, name, _ in patches:
            setattr(where, name, _REAL[name])


def _digest(spki: bytes) -> bytes:
    return tlsa.key_record(spki, MatchingType.SHA2_256).data
