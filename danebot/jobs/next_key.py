"""A next key: made or adopted, remembered before its records are there, and put aside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.files import read_bytes
from danebot.adapters.presence import written_by_others
from danebot.adapters.tree import changes
from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.paths import CANCELLED_PREFIX, NEXT, READY, UNKNOWN_PREFIX, LineagePaths
from danebot.domain.event import Event, EventKind
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.records.cancel import taken_back
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.text import quoted
from danebot.errors import CertificateError, RolloverError, TreeError
from danebot.jobs.observing import read_lineage, remembered

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.rollover.evidence.memory import CancelledKey
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.jobs.context import Context


def add_key(
    context: Context,
    state: LineageState,
    seen: Observations,
    *,
    key_type: KeyType | None = None,
    adopt: Path | None = None,
) -> PublicKey:
    """Make or adopt a next key, and remember what was ``seen`` before its records are there.

    That nobody uses it before they are wanted is not decided here: see `schedule`.
    """
    from danebot.domain.lineage.pem import generate_key, read_private_key

    paths = context.tree.paths(state.name)
    if adopt is None:
        pem = generate_key(_wanted_type(context, state, key_type))
        key = read_private_key(pem)
    else:
        pem, key = _adopted(paths, state, adopt)
    if key == state.current_key:
        raise RolloverError(f"that key is the current key of {state.name}; nothing was changed")
    now = context.clock()
    old = remembered(context, state.name)
    wanted = taken_back(old._replace(promotion_failure=None), key.digest)
    save_memory(paths, old, remember(wanted, state, seen, now))
    changes.add_next_key(paths, pem)
    _forget_set_aside(paths, state, key)
    fresh, before = read_lineage(context, state.name)
    save_memory(paths, before, remember(before, fresh, seen, now))
    text = f"the next key {key.digest.hex()} is {'made' if adopt is None else 'adopted'}"
    context.record(Event(now, EventKind.KEY_MADE, state.name, text))
    return key


def managed(context: Context, name: str) -> LineagePaths:
    """The paths of a staged lineage, or an error that says how to stage it."""
    context.tree.select((name,))
    paths = context.tree.paths(name)
    if not paths.staged:
        raise TreeError(f"{name} is not managed by danebot; run first: danebot init {quoted(name)}")
    return paths


def _wanted_type(context: Context, state: LineageState, key_type: KeyType | None) -> KeyType:
    current = state.current_key
    wanted = key_type or context.settings.policy(state.name).key_type
    wanted = wanted or (current.key_type if current is not None else None)
    if wanted is None:
        raise RolloverError(
            f"the current key of {state.name} is of a type that certbot doesn't issue with; "
            "say which one you want with --key-type"
        )
    return wanted


def _adopted(paths: LineagePaths, state: LineageState, adopt: Path) -> tuple[bytes, PublicKey]:
    """The key in a file, as PKCS#8, and its public half; an error if certbot can't use it."""
    from danebot.domain.lineage.pem import canonical_private_key, read_private_key

    path = _adopted_path(paths, adopt)
    try:
        pem = canonical_private_key(read_bytes(path))
        key = read_private_key(pem)
    except CertificateError as exc:
        raise RolloverError(f"{path}: {exc}; nothing was changed") from exc
    current = state.current_key
    if key.key_type is None and (current is None or current.key_type is not None):
        known = ", ".join(kind.value for kind in KeyType)
        raise RolloverError(
            f"{path} holds a key that certbot doesn't issue with; adopt one of these types: {known}"
        )
    return pem, key


def _adopted_path(paths: LineagePaths, adopt: Path) -> Path:
    """A bare ``unknown-*.pem`` or ``cancelled-*.pem`` is looked for where danebot keeps those.

    Raises `RolloverError` for a file that anybody but root, or this user, may have written.
    """
    aside = adopt.name.startswith((UNKNOWN_PREFIX, CANCELLED_PREFIX))
    if aside and adopt.name == str(adopt):  # not what somebody laid in the working directory
        return paths.staging / adopt.name
    if written_by_others(adopt):
        raise RolloverError(
            f"{adopt} may have been written by others than root, who would know the key; "
            "nothing was changed; see whose it is, or make a new key: danebot newkey"
        )
    return adopt


def _forget_set_aside(paths: LineagePaths, state: LineageState, key: PublicKey) -> None:
    """The adopted key lies in ``nextkey.pem`` now; its copy set aside has served."""
    for unknown in state.unknown:
        if unknown.key == key:
            changes.remove_key_copy(paths, unknown.file)
    for kept in paths.staging.glob(f"{CANCELLED_PREFIX}{key.digest.hex()[:16]}*.pem"):
        changes.remove_key_copy(paths, kept.name)


def finish_cancel(paths: LineagePaths, state: LineageState, entry: CancelledKey | None) -> Path:
    """Move the file of the key on its way aside."""
    file = READY if state.ready is not None else NEXT
    return changes.keep_cancelled(paths, file, entry.digest if entry is not None else None)
