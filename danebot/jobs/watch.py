"""`danebot watch`: owners that enter ``dane-ee``, and that leave it on the operator's word.

An owner that is to be watched is looked at first.  One that is let go is marked so in the file
before it is forgotten, so that a crash in between leaves what a renewal understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from danebot.adapters.files import edit_text
from danebot.adapters.tree.memory_file import save_memory
from danebot.adapters.tree.paths import DANE_EE, LineagePaths
from danebot.domain.dns.tlsa import NO_RECORDS, Declared, Required, edit_dane_ee
from danebot.domain.rollover.evidence.propagation import matches_chain
from danebot.domain.rollover.evidence.watched import let_go
from danebot.domain.rollover.records.adoption import Found, Standing, by_host
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import refused_reload, to_be_asked
from danebot.domain.text import quoted
from danebot.errors import RolloverError, UnansweredError
from danebot.jobs.adopt import observe_owners
from danebot.jobs.next_key import managed
from danebot.jobs.observing import keys_of_tree, observe_dns, read_lineage, view
from danebot.jobs.progress import Done
from danebot.jobs.view import Observed
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.finding import Finding
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.steps.refusals import Refusal
    from danebot.jobs.context import Context


def edit_watched(
    paths: LineagePaths, *, add: Iterable[Required] = (), gone: Iterable[DnsName] = ()
) -> None:
    """Edit the ``dane-ee`` of a managed lineage; all other lines stay as they are."""
    edit_text(paths.staging / DANE_EE, partial(edit_dane_ee, add=add, let_go=gone))


def remember_look(context: Context, name: str) -> Observations:
    """Look at all owners that a lineage watches, and remember and return what was seen of them."""
    state, memory = read_lineage(context, name)
    if not state.owners:
        return {}
    seen = observe_dns(context, [state])
    after = remember(memory, state, seen, context.clock())
    save_memory(context.tree.paths(name), memory, after)
    return seen


def ask_services(context: Context, name: str, seen: Observations) -> tuple[Finding, ...]:
    """Ask the services of a lineage whose owners weren't all watched before what they serve.

    What was ``seen`` of these is remembered.

    Those that don't serve what is live are told, and asked again by each run until they do.
    """
    from danebot.jobs.confirm import confirm
    from danebot.jobs.lineage_run import LineageRun

    run = LineageRun(context, name)
    if not context.settings.probe(name):
        return ()
    run.recall()
    state, policy, now = run.read(), context.settings.policy(name), context.clock()
    memory = to_be_asked(run.memory, state, seen, policy=policy, now=now)
    if memory is run.memory:
        return ()
    run.do((Done(memory),))
    run.do(confirm(context, state, run.memory, seen))
    return run.progress.events


def refused_now(context: Context, name: str) -> Refusal | None:
    """Why services must not begin to serve what is live yet, by what is remembered."""
    state, memory = read_lineage(context, name)
    policy, now = context.settings.policy(name), context.clock()
    return refused_reload(state, {}, memory, policy=policy, now=now)


def inspect(
    context: Context, name: str, owners: Sequence[DnsName], *, unanswered: bool
) -> tuple[Found, ...]:
    """Look at ``owners`` that are to be watched; nothing is changed.

    Raises `UnansweredError` where one gave no answer, unless the operator has said that this
    doesn't matter: ``unanswered``.  Those that aren't watched yet have the lines to watch them by.
    """
    managed(context, name)
    state = readable(context, name)
    if state.serving is None:
        raise RolloverError(f"nothing usable is live of {name}; see: danebot status {quoted(name)}")
    found = observe_owners(context, {name: owners}, {name: state.serving})[name]
    silent = [one for one in found if one.standing is Standing.UNANSWERED]
    if silent and not unanswered:
        raise UnansweredError(
            f"{name}: no answer for TLSA records of {by_host(one.owner for one in silent)} "
            f"({silent[0].detail})"
        )
    lost = read_lineage(context, name)[0].remembered
    return tuple(_as_watched(one, state.lines, lost) for one in found)


def _as_watched(found: Found, listed: Sequence[Required], lost: Iterable[Required]) -> Found:
    """The owner with the lines that the file has, or has lost, or else by what is published."""
    for lines in (listed, lost):
        kept = tuple(line for line in lines if line.owner == found.owner)
        if kept:
            return found._replace(lines=kept)
    return found


def watch_owners(context: Context, name: str, found: Sequence[Found]) -> tuple[Finding, ...]:
    """Watch the owners that `inspect` has ``found``; the caller holds the locks.

    Returns what is wrong with their services, if any was not watched before.
    """
    listed = frozenset(readable(context, name).lines)
    lines = [line for one in found for line in one.lines if line not in listed]
    edit_watched(context.tree.paths(name), add=lines)
    seen = remember_look(context, name)
    return ask_services(context, name, seen) if lines else ()


class Release(NamedTuple):
    """Owners to be let go.

    ``unwatched`` weren't watched: it is said that they needn't be.  At ``relied`` a record is
    still published by which senders know the live chain, as far as the resolver tells.
    """

    owners: tuple[DnsName, ...]
    unwatched: tuple[DnsName, ...]
    relied: tuple[DnsName, ...]


def release(context: Context, name: str, owners: Sequence[DnsName]) -> Release:
    """Look at ``owners`` that are to be let go; nothing is changed.

    Raises `RolloverError` for one that is neither watched nor published: that is a slip.
    """
    paths, own = managed(context, name), readable(context, name)
    state, _ = read_lineage(context, name)
    answers = context.observer.lookup_owners(owners)
    known = frozenset((*state.owners, *own.let_go))
    unwatched = tuple(owner for owner in owners if owner not in known)
    unknown = [owner for owner in unwatched if not answers[owner].records]
    if unknown:
        watched = ", ".join(map(str, state.owners)) or "none"
        raise RolloverError(
            f"{name} doesn't watch {', '.join(map(str, unknown))}; watched are: {watched}; no TLSA "
            "record is seen there either, so if it is to be let go all the same, write a line "
            f"'- {unknown[0]}' into {paths.staging / DANE_EE}"
        )
    live = state.serving
    relied = (
        owner
        for owner in owners
        if live is not None and any(matches_chain(one, live) for one in answers[owner].records)
    )
    return Release(tuple(owners), unwatched, tuple(relied))


def unwatch_owners(context: Context, name: str, owners: Sequence[DnsName]) -> None:
    """Let ``owners`` go on the operator's word; the caller holds the locks."""
    paths = managed(context, name)
    _, memory = read_lineage(context, name)
    edit_watched(paths, gone=owners)
    save_memory(paths, memory, let_go(memory, owners))


def foreseen_findings(
    context: Context, name: str, *, add: Sequence[Required] = (), gone: Sequence[DnsName] = ()
) -> tuple[Finding, ...]:
    """What will be found of a lineage that watches some owners more, or fewer."""
    state, memory = read_lineage(context, name)
    lines = [line for line in state.required or () if line.owner not in gone]
    declared = Declared.NOTHING if add else state.declared
    after = state._replace(
        required=tuple(dict.fromkeys((*lines, *add))), remembered=(), declared=declared
    )
    seen, in_use = observe_dns(context, [after]), keys_of_tree(context, {name: after})
    observed = Observed(after, let_go(memory, gone), seen, in_use, context.clock())
    return view(context, observed).findings


def declare_none(paths: LineagePaths) -> None:
    """Write that a managed lineage has no TLSA records; its file must list none."""
    file = paths.staging / DANE_EE
    edit_text(file, lambda old: "".join(f"{line}\n" for line in (*old.splitlines(), NO_RECORDS)))


def readable(context: Context, name: str) -> LineageState:
    """The files of a lineage; raises `RolloverError` where its ``dane-ee`` can't be read."""
    state = context.tree.read(name)
    if state.required is None:
        raise RolloverError("\n".join((*state.faults, "correct that first")))
    return state
