"""`danebot newkey`: stage a next key, adopt one, or cancel it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.paths import NEXT, READY, LineagePaths
from danebot.adapters.tree.recovery import recover
from danebot.domain.dns.tlsa import Declared, Required
from danebot.domain.event import Event, EventKind
from danebot.domain.finding import Code, Finding
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.change_outcomes import Part
from danebot.domain.rollover.evidence.memory import Exposure, Memory, Protection, Request
from danebot.domain.rollover.evidence.schedule import requested, scheduled, standing
from danebot.domain.rollover.evidence.watched import fade
from danebot.domain.rollover.records.cancel import cancelled, cancelling
from danebot.domain.rollover.records.changes import ChangeResult, stopped
from danebot.domain.rollover.records.changes import changes as record_changes
from danebot.domain.rollover.records.lost import missed
from danebot.domain.rollover.records.publication import OwnedRecord, Publication, additions
from danebot.domain.rollover.steps.safe_time import earliest
from danebot.domain.text import quoted
from danebot.errors import RolloverError
from danebot.jobs.next_key import _adopted, add_key, finish_cancel, managed
from danebot.jobs.observing import keys_of_tree, observe_dns, read_lineage, remembered
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.advice import Objection
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView


class Source(enum.Enum):
    """Where the key on its way comes from."""

    NEW = "made or adopted"
    STANDING = "was standing by"


@dataclass(frozen=True, slots=True)
class Staged:
    """What `stage` did: the key, and the records to add to those that are published.

    ``demanded`` are the lines of ``dane-ee`` that want a record of it.  ``objections`` say where
    none can be advised, and why; ``refused`` are additions that a publisher would not be asked for.
    ``missing`` are further ones, which the live key lacks and which come first; in ``records`` are
    those that must be added together with the new ones.  ``earliest`` is when the key may be used
    if its records are at every server at once; None where nobody knows.
    """

    key: PublicKey
    records: tuple[OwnedRecord, ...]
    source: Source = Source.NEW
    objections: tuple[Objection, ...] = ()
    refused: tuple[ChangeResult, ...] = ()
    demanded: tuple[Required, ...] = ()
    missing: tuple[OwnedRecord, ...] = ()
    earliest: datetime | None = None


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
    memory = remembered(context, name)
    waived = protection is Protection.WAIVED and not state.lines
    request = Request(
        awaited.digest,
        context.clock(),
        protection=Protection.WAIVED if waived else Protection.REQUIRED,
    )
    save_memory(paths, memory, memory._replace(request=request))
    if standby:
        text = f"the next key {awaited.digest.hex()}, which stood by, is to be used"
        context.record(Event(context.clock(), EventKind.KEY_WANTED, name, text))
    source = Source.STANDING if standby else Source.NEW
    records, objections = records_to_publish(context, state, awaited, seen)
    live = state.current_key
    lacking = records_to_publish(context, state, live, seen)[0] if live is not None else ()
    missing = tuple(record for record in lacking if record not in records)
    now = context.clock()
    return Staged(
        awaited,
        records,
        source,
        objections,
        refused=_refused(state, (*missing, *records), seen),
        demanded=anchored(fade(state, seen), memory, seen, now).required or (),
        missing=missing,
        earliest=earliest(state, memory, context.settings.policy(name), now),
    )


def _refused(
    state: LineageState, records: tuple[OwnedRecord, ...], seen: Observations
) -> tuple[ChangeResult, ...]:
    """The additions that no publisher would be asked for, each with the reason."""
    wanted = Publication((), records, (), ())
    found = (stopped(one, seen) for one in record_changes(state, wanted, seen, Part.ADD, None))
    return tuple(result for result in found if result is not None)


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
            f"make another one: danebot newkey {quoted(paths.name)}"
        )


def records_to_publish(
    context: Context, state: LineageState, key: PublicKey, seen: Observations
) -> tuple[tuple[OwnedRecord, ...], tuple[Objection, ...]]:
    """What a key needs published, judged by what is there, and where nothing can be advised."""
    memory = remembered(context, state.name)
    state = anchored(fade(state, seen), memory, seen, context.clock())
    known = keys_of_tree(context, {state.name: state}).keys
    return additions(state, key, seen, known)


def _refuse(state: LineageState, protection: Protection) -> None:
    name = state.name
    for file, found in ((NEXT, state.next), (READY, state.ready)):
        if found is not None:
            raise RolloverError(
                f"{name} already has a key on its way ({file}); "
                f"see: danebot status {quoted(name)}, "
                f"or drop it with: danebot newkey --cancel {quoted(name)}"
            )
    if state.required is None:
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    if state.required or state.exempt:
        return
    if protection is Protection.REQUIRED and state.declared is not Declared.NO_RECORDS:
        raise RolloverError(
            f"{name} watches no TLSA owner, so nothing would keep the new key from being used "
            "before its TLSA record is published; this prints what to do: "
            f"danebot tlsa {quoted(name)}; or insist with --unprotected"
        )


# ---- cancel ---------------------------------------------------------------------------------


class Cancelled(NamedTuple):
    """What `cancel` did: ``view`` is the lineage afterwards.

    ``digest`` is the SPKI digest of the key that is cancelled, None if nobody knows it; ``kept``
    the file in which it is kept, None if it was cancelled before.
    """

    digest: bytes | None
    kept: Path | None
    view: LineageView
    findings: tuple[Finding, ...] = ()


def cancel(context: Context, name: str) -> Cancelled:
    """End the rollover: the key on its way is kept aside, and its records go.

    They are removed at once where danebot publishes; what is left of them is remembered, and the
    next runs go on with it.  Cancelled again, that is done once more.  Raises `RolloverError` when
    nothing is on its way, nor left of what was.
    """
    paths = managed(context, name)
    recover(context.tree, name)
    state, old = read_lineage(context, name)
    lost = missed(old, state, context.clock())
    if state.awaited is None and not old.cancelled and not lost:
        raise RolloverError(f"{name} has no next key; nothing to cancel")
    entry, kept = None, None
    if state.awaited is not None:
        entry = cancelling(old, state, context.clock())
        save_memory(paths, old, cancelled(old._replace(lost=lost), entry))
        kept = finish_cancel(paths, state, entry)
    elif lost:
        save_memory(paths, old, cancelled(old._replace(lost=lost), None))
    digest = entry.digest if entry is not None else None
    which = f" {digest.hex()}" if digest is not None else ""
    text = f"the next key{which} is cancelled"
    context.record(Event(context.clock(), EventKind.KEY_CANCELLED, name, text))
    view, findings = _remove_records(context, name)
    return Cancelled(digest, kept, view, findings)


def _remove_records(context: Context, name: str) -> tuple[LineageView, tuple[Finding, ...]]:
    """Have records that are to go removed, where danebot publishes; what there is afterwards."""
    from danebot.jobs.lineage_run import LineageRun, observe, review
    from danebot.jobs.publish import Timing
    from danebot.jobs.publish_all import publish_all

    run = LineageRun(context, name)
    run.recall()
    observe(context, [run])
    publish_all(context, [run], Part.REMOVE, Timing.NOW)
    review(context, [run])
    view = run.view or run.preview()
    failed = (f for f in view.findings if f.code in (Code.PUBLISH_FAILED, Code.PUBLISH_ALTERED))
    return view, (*run.progress.events, *failed)
