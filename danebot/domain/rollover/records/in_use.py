"""The keys that the lineages of a tree use: no record of one may go, danebot's or not."""

from __future__ import annotations

from collections.abc import Iterable

from danebot.domain.lineage.state import LineageState, Management
from danebot.tuples import NamedTuple


class KeysInUse(NamedTuple):
    """DER SPKIs of the keys that are known to be in use.

    ``unread`` are lineages of which a key couldn't be read: any key may be theirs.
    """

    keys: frozenset[bytes] = frozenset()
    unread: tuple[str, ...] = ()

    def may_hold(self, spki: bytes) -> bool:
        """Whether a key may be in use, as far as is known."""
        return bool(self.unread) or spki in self.keys

    def with_keys(self, keys: Iterable[bytes]) -> KeysInUse:
        """These, and others that may be in use."""
        return KeysInUse(self.keys.union(keys), self.unread)


def keys_in_use(states: Iterable[LineageState], unread: Iterable[str] = ()) -> KeysInUse:
    """All keys that any lineage serves, has staged, or awaits.

    ``unread`` are lineages that couldn't be read at all.
    """
    keys: set[bytes] = set()
    doubtful = [*unread]
    for state in states:
        held = (state.live, state.combo, state.staged)
        keys.update(h.key.spki for h in held if h is not None)
        files = (state.next, state.ready)
        keys.update(f.key.spki for f in files if f is not None and f.key is not None)
        if _hides_a_key(state):
            doubtful.append(state.name)
    return KeysInUse(frozenset(keys), tuple(doubtful))


def _hides_a_key(state: LineageState) -> bool:
    """Whether the lineage has, or must have, a key that couldn't be read."""
    files = (state.next, state.ready)
    if any(file is not None and file.key is None for file in files) or state.live is None:
        return True
    staged = state.management is Management.STAGED
    return staged and (state.staged is None or state.combo is None)
