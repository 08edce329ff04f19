"""`danebot newkey`: stage a next key, adopt one, or cancel it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters import changes
from danebot.adapters.memory_file import load_memory, save_memory
from danebot.adapters.recovery import recover
from danebot.adapters.tree import NEXT, READY, UNKNOWN_PREFIX, LineagePaths, read_bytes
from danebot.domain.dns import Presence, ServerOutcome
from danebot.domain.gate import anchored
from danebot.domain.keytype import KeyType
from danebot.domain.lineage import LineageState, Management
from danebot.domain.looks import remember
from danebot.domain.memory import Exposure, Memory, Protection, Request
from danebot.domain.retire import OwnedRecord
from danebot.domain.schedule import requested, scheduled, standing
from danebot.domain.tlsa import Declared
from danebot.domain.watched import fade
from danebot.errors import CertificateError, RolloverError, UnknownLineageError
from danebot.jobs.survey import observe_dns, read_lineage

if TYPE_CHECKING:
    from danebot.domain.keys import PublicKey
    from danebot.domain.sight import Observations
    from danebot.jobs.context import Context


class Source(enum.Enum):
    """Where the key on its way comes from."""

    NEW = "made or adopted"
    STANDING = "was standing by"


@dataclass(frozen=True, slots=True)
class Staged:
    """What `stage` did: the key, and the records to add to those that are published."""

    key: PublicKey
    records: tuple[OwnedRecord, ...]
    source: Source = Source.NEW


def stage(
    context: Context,
    name: str,
    key_type: KeyType | None,
    adopt: Path | None,
    protection: Protection,
) -> Staged:
    """Have a next key used as soon as that is safe: the one that stands by, else a new one.

    ``key_type`` None takes the configured one, else the current key's; ``adopt`` is a key file to
    use instead.  The TTLs in force before the new key's records are published are observed.  The
    caller holds the locks.  Raises `RolloverError` when there is a key on its way already, or no
    ``dane-ee``.
    """
    paths = managed(context, name)
    recover(context.tree, name)
    state, memory = read_lineage(context, name)
    given = key_type is not None or adopt is not None
    awaited = state.awaited_key
    standby = awaited is not None and not given and _stands_by(context, state, memory)
    if not standby:
        _refuse(state, protection)
    seen = observe_dns(context, [state])
    if awaited is None or not standby:
        _refuse_exposed(paths, state, memory, adopt)
        awaited = add_key(context, state, seen, key_type=key_type, adopt=adopt)
    memory = load_memory(paths)
    waived = protection is Protection.WAIVED and not state.lines
    request = Request(
        awaited.digest,
        context.clock(),
        protection=Protection.WAIVED if waived else Protection.REQUIRED,
    )
    save_memory(paths, memory, replace(memory, request=request))
    source = Source.STANDING if standby else Source.NEW
    return Staged(awaited, records_of(context, state, awaited, seen), source)


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
    from danebot.domain.certs import generate_key, read_private_key

    paths = context.tree.paths(state.name)
    if adopt is None:
        pem = generate_key(_wanted_type(context, state, key_type))
        key = read_private_key(pem)
    else:
        pem, key = _adopted(paths, state, adopt)
    if key == state.current_key:
        raise RolloverError(f"that key is the current key of {state.name}; nothing was changed")
    now = context.clock()
    old = load_memory(paths)
    save_memory(paths, old, remember(replace(old, promotion_failure=None), state, seen, now))
    changes.add_next_key(paths, pem)
    _forget_set_aside(paths, state, key)
    fresh, before = read_lineage(context, state.name)
    save_memory(paths, before, remember(before, fresh, seen, now))
    return key


def _stands_by(context: Context, state: LineageState, memory: Memory) -> bool:
    """Whether the key on its way is there for good, and nobody has asked for it yet."""
    key, policy = state.awaited_key, context.settings.policy(state.name)
    return (
        key is not None
        and (standing(policy) or scheduled(policy))
        and requested(memory, key) is None
    )


def _refuse_exposed(
    paths: LineagePaths, state: LineageState, memory: Memory, adopt: Path | None
) -> None:
    """A compromised key never comes back."""
    if adopt is None:
        return
    _, key = _adopted(paths, state, adopt)
    if any(p.spki == key.spki and p.exposure is not Exposure.NONE for p in memory.past_keys):
        raise RolloverError(
            f"{adopt} holds a key that was replaced because it is compromised; "
            f"make another one: danebot newkey {paths.name}"
        )


def records_of(
    context: Context, state: LineageState, key: PublicKey, seen: Observations
) -> tuple[OwnedRecord, ...]:
    """The records that a key needs, with the TTL that each owner's RRset has now."""
    state = anchored(fade(state, seen), seen, context.clock())
    found = []
    for required in state.required or ():
        observation = seen.get(required.owner)
        ttl = observation.answer.ttl if observation is not None else None
        found.append(OwnedRecord(required.owner, required.record(key.spki), ttl))
    return tuple(found)


def managed(context: Context, name: str) -> LineagePaths:
    """The paths of a staged lineage, or an error that says how to stage it."""
    context.tree.select((name,))
    paths = context.tree.paths(name)
    if not paths.staging.is_dir():
        raise UnknownLineageError(
            f"{name} is not managed by danebot; run first: danebot init {name}"
        )
    return paths


def _refuse(state: LineageState, protection: Protection) -> None:
    name = state.name
    for file, found in ((NEXT, state.next), (READY, state.ready)):
        if found is not None:
            raise RolloverError(
                f"{name} already has a key on its way ({file}); see: danebot status {name}, "
                f"or drop it with: danebot newkey --cancel {name}"
            )
    if state.required is None:
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    if state.required or state.exempt:
        return
    if protection is Protection.REQUIRED and state.declared is not Declared.NO_RECORDS:
        raise RolloverError(
            f"{name} watches no TLSA owner, so nothing would keep the new key from being used "
            "before its TLSA record is published; list the owners in dane-ee (1 _25._tcp.HOST), "
            "or insist with --unprotected"
        )


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
    from danebot.domain.certs import canonical_private_key, read_private_key

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
    """A bare ``unknown-*.pem`` is looked for in staging, where danebot keeps those."""
    if adopt.name.startswith(UNKNOWN_PREFIX) and adopt.name == str(adopt) and not adopt.exists():
        return paths.staging / adopt.name
    return adopt


def _forget_set_aside(paths: LineagePaths, state: LineageState, key: PublicKey) -> None:
    """The adopted key lies in ``nextkey.pem`` now; its copy set aside has served."""
    for unknown in state.unknown:
        if unknown.key == key:
            changes.remove_key_file(paths, unknown.file)


# ---- cancel ---------------------------------------------------------------------------------


def cancel(context: Context, name: str) -> str:
    """Drop the key on its way if no DNS server shows a record of it; its digest or file name.

    Raises `RolloverError` when a record is published, or when that can't be ruled out: a key
    whose record may have been published is never destroyed before it is retired.
    """
    paths = managed(context, name)
    recover(context.tree, name)
    state, _ = read_lineage(context, name)
    if state.management is not Management.STAGED or state.awaited is None:
        raise RolloverError(f"{name} has no next key; nothing to cancel")
    key = state.awaited_key
    if key is not None:
        _refuse_published(context, state, key)
    file = READY if state.ready is not None else NEXT
    old = load_memory(paths)
    save_memory(paths, old, _forgotten(old))
    changes.remove_key_file(paths, file)
    return key.digest.hex() if key is not None else file


def _forgotten(memory: Memory) -> Memory:
    return replace(memory, awaiting=None, promotion_failure=None, request=None)


def _refuse_published(context: Context, state: LineageState, key: PublicKey) -> None:
    if state.required is None:
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    seen = observe_dns(context, [state])
    for required in state.required:
        observation = seen[required.owner]
        record = required.record(key.spki)
        heard = [s for s in observation.all_servers if s.outcome is ServerOutcome.ANSWERED]
        where = [str(s.server) for s in heard if record in s.records]
        if record in observation.answer.records:
            where.append("the resolver")
        if where:
            raise RolloverError(
                f"{required.owner} TLSA {record} is published at {', '.join(where)}; "
                "remove it there first, then cancel again"
            )
        silent = sorted(map(str, observation.unheard))
        if silent or (not heard and observation.answer.presence is Presence.UNKNOWN):
            said = observation.answer.detail or observation.answer.security.value
            detail = f"no answer from {', '.join(silent)}" if silent else said
            raise RolloverError(
                f"whether {required.owner} TLSA {record} is published can't be found out now "
                f"({detail}); try again when DNS answers"
            )
