"""Whether observations follow each other closely enough to say that nothing changed in between.

That something is there unbroken is established by observations, never assumed.  A record that goes
and comes back between two of them stays unseen, so the time between them has a bound, for each
server: what a server had while it said nothing for longer than that is as unknown as what was there
before the first observation.  That holds for one that speaks again, and for one that is asked no
longer, even if it was never heard: who took its place can't speak for it.
"""

from __future__ import annotations

from datetime import datetime

from danebot.domain.dns.answers import WITNESS, OwnerObservation, Presence, Server
from danebot.domain.rollover.evidence.memory import OwnerMemory, Witness
from danebot.domain.rollover.evidence.policy import LONGEST_GAP

RESOLVER = "the validating resolver"
"""Who is named where it gave no answer."""


def last_answered(
    old: OwnerMemory, observation: OwnerObservation, now: datetime
) -> datetime | None:
    """When the resolver last said what is there, by a secure answer: others prove nothing."""
    if observation.answer.secure:
        return now
    return old.answered_at and min(old.answered_at, now)  # the clock may have gone back


def broken(old: OwnerMemory, observation: OwnerObservation, now: datetime) -> bool:
    """Whether this observation ends too long a gap, of any server, or of the resolver alone.

    The first observation at an owner ends none: nothing was seen before that could have been
    broken.  Whoever speaks ends a gap in which nobody did: the resolver, where no server does, and
    servers that nobody asked before.
    """
    if old.watched_since is None:
        return False
    if any(_too_long(last, now) for last in _replaced(old, observation)):
        return True
    if any(_broken(old, server, now) for server in observation.speaking):
        return True
    heard = [at for name, at in old.heard.items() if not _is_witness(name)]
    words = [at for at in (old.answered_at, *heard) if at is not None]
    spoken = any(server.name != WITNESS for server in observation.speaking) and bool(words)
    return (spoken or observation.answer.secure) and _too_long(max(words, default=None), now)


def long_unheard(
    owner: OwnerMemory, observation: OwnerObservation | None, now: datetime
) -> tuple[str, ...]:
    """The servers that were not heard for too long, or never yet: what they have is unknown.

    ``owner`` holds the observation, which is of ``now``.  Without one nobody was asked, and nobody
    was silent; and where no server was ever heard, the resolver's word is all there is: then it is
    the resolver that may be silent.  Those of the remembered route count, too, where this look
    proves no other.
    """
    if observation is None:
        return ()
    if not _any_heard(owner):
        proves = observation.answer.presence is not Presence.UNKNOWN and not observation.unproven
        last = owner.answered_at
        return (RESOLVER,) if not proves and last is not None and _too_long(last, now) else ()
    silent = {name for name, at in owner.heard.items() if _too_long(at, now)}
    known = {name.split(" ")[0] for name in owner.heard}
    led = owner.route.name_servers - observation.all_name_servers if owner.route else frozenset()
    never = {name.text for name in observation.unheard | led if name != WITNESS} - known
    return tuple(sorted({name for name in silent if not _is_witness(name)} | never))


def _replaced(old: OwnerMemory, observation: OwnerObservation) -> list[datetime | None]:
    """When servers that are none any more were last heard; not known without an answer.

    None is for a name server that never was, where others were: caches may still be led there.
    """
    if observation.answer.presence is Presence.UNKNOWN or not observation.authoritative:
        return []
    there = {str(answer.server) for answer in observation.all_servers}
    lost = {name for name in old.heard if name not in there and not _is_witness(name)}
    found: list[datetime | None] = [old.heard[name] for name in lost]
    if _any_heard(old) and old.route is not None:
        known = {name.split(" ")[0] for name in old.heard}
        gone = old.route.name_servers - observation.all_name_servers
        found += [None for name in gone if name.text not in known]
    return found


def _broken(old: OwnerMemory, server: Server, now: datetime) -> bool:
    """The same for one server; another address of it may have spoken for one that never did."""
    last = old.heard.get(str(server))
    if last is None:
        others = [at for said, at in old.heard.items() if said.split(" ")[0] == server.name.text]
        last = max(others, default=None)
        known = old.route is None or server.name in old.route.name_servers
        if last is None and (server.name == WITNESS or not known):
            return False  # nobody asked it before
    return _too_long(last, now)


def _is_witness(server: str) -> bool:
    """Whether "NAME [ADDRESS]" is that of a witness."""
    return server.startswith(f"{WITNESS.text} [")


def _any_heard(owner: OwnerMemory) -> bool:
    """Whether a server ever was, on whatever route: then silence isn't what all do."""
    return bool(owner.heard) or owner.witness is Witness.SERVERS


def _too_long(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last > LONGEST_GAP
