"""`danebot watch`: owners that enter ``dane-ee``, and that leave it on the operator's word.

An owner that is to be watched is looked at first.  One that is let go is marked so in the file
before it is forgotten, so that a crash in between leaves what a renewal understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from danebot.adapters.files import write_file
from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.tree import DANE_EE, read_bytes
from danebot.domain.dns.tlsa import NO_RECORDS, edit_dane_ee
from danebot.domain.rollover.adoption import Found, Standing, by_host
from danebot.domain.rollover.propagation import matches_chain
from danebot.domain.rollover.remember import remember
from danebot.domain.rollover.watched import let_go
from danebot.errors import RolloverError, UnansweredError
from danebot.jobs.adopt import observe_owners
from danebot.jobs.newkey import managed
from danebot.jobs.survey import observe_dns, read_lineage

if TYPE_CHECKING:
    from danebot.adapters.tree.tree import LineagePaths
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.jobs.context import Context

_PUBLIC = 0o644


def edit_watched(
    paths: LineagePaths, *, add: Iterable[Required] = (), gone: Iterable[DnsName] = ()
) -> None:
    """Edit the ``dane-ee`` of a managed lineage; all other lines stay as they are."""
    file = paths.staging / DANE_EE
    old = read_bytes(file).decode("utf-8") if file.exists() else ""
    text = edit_dane_ee(old, add=add, let_go=gone)
    if text != old:
        write_file(file, text.encode(), _PUBLIC)


def remember_look(context: Context, name: str) -> None:
    """Look at all owners that a lineage watches, and remember what was seen of them."""
    state, memory = read_lineage(context, name)
    if state.owners:
        seen = observe_dns(context, [state])
        after = remember(memory, state, seen, context.clock())
        save_memory(context.tree.paths(name), memory, after)


def watch(
    context: Context, name: str, owners: Sequence[DnsName], *, unanswered: bool
) -> tuple[Found, ...]:
    """Watch ``owners``, and say what was seen of each; the caller holds the locks.

    Raises `UnansweredError`, with nothing changed, where one gave no answer, unless the operator
    has said that this doesn't matter: ``unanswered``.
    """
    paths, state = managed(context, name), readable(context, name)
    if state.serving is None:
        raise RolloverError(f"nothing usable is live of {name}; see: danebot status {name}")
    found = observe_owners(context, {name: owners}, {name: state.serving})[name]
    silent = [one for one in found if one.standing is Standing.UNANSWERED]
    if silent and not unanswered:
        raise UnansweredError(
            f"{name}: no answer for TLSA records of {by_host(one.owner for one in silent)} "
            f"({silent[0].detail})"
        )
    listed = frozenset(state.owners)
    lost = read_lineage(context, name)[0].remembered
    lines = [_lines(one, lost) for one in found if one.owner not in listed]
    edit_watched(paths, add=[line for some in lines for line in some])
    remember_look(context, name)
    return found


def _lines(found: Found, lost: Iterable[Required]) -> tuple[Required, ...]:
    """The lines for an owner: those that the file has lost, or else by what is published."""
    return tuple(line for line in lost if line.owner == found.owner) or found.lines


def unwatch(context: Context, name: str, owners: Sequence[DnsName]) -> tuple[DnsName, ...]:
    """Let ``owners`` go on the operator's word; the caller holds the locks.

    Returns those where a record is still published by which senders know the live chain, as far as
    the resolver tells.
    """
    paths, own = managed(context, name), readable(context, name)
    state, memory = read_lineage(context, name)
    unknown = [owner for owner in owners if owner not in {*state.owners, *own.let_go}]
    if unknown:
        watched = ", ".join(map(str, state.owners)) or "none"
        raise RolloverError(
            f"{name} doesn't watch {', '.join(map(str, unknown))}; watched are: {watched}"
        )
    edit_watched(paths, gone=owners)
    save_memory(paths, memory, let_go(memory, owners))
    live = state.serving
    if live is None:
        return ()
    answers = context.observer.lookup_owners(owners)
    return tuple(
        owner
        for owner in owners
        if any(matches_chain(record, live) for record in answers[owner].records)
    )


def declare_none(paths: LineagePaths) -> None:
    """Write that a managed lineage has no TLSA records; its file must list none."""
    file = paths.staging / DANE_EE
    old = read_bytes(file).decode("utf-8") if file.exists() else ""
    kept = "".join(f"{line}\n" for line in old.splitlines())  # the last one may lack its newline
    write_file(file, f"{kept}{NO_RECORDS}\n".encode(), _PUBLIC)


def readable(context: Context, name: str) -> LineageState:
    """The files of a lineage; raises `RolloverError` where its ``dane-ee`` can't be read."""
    state = context.tree.read(name)
    if state.required is None:
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    return state
