"""Observe and plan one lineage, changing nothing: what every job begins with."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from danebot.adapters.tree.memory_file import recall
from danebot.domain.dns.answers import OwnerObservation
from danebot.domain.finding import Code, Finding, Severity, most_serious_first
from danebot.domain.lineage.state import LineageState
from danebot.domain.names import printable
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.clock import put_right
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.servers import completed
from danebot.domain.rollover.evidence.watched import fade, let_go_of_gone, protecting
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.findings.named_records import (
    has_anchors,
    named_records,
    names_in_records,
)
from danebot.domain.rollover.records.adoption import bare_owners, judged_beside
from danebot.domain.rollover.records.cancel import forget_cancelled, to_be_gone
from danebot.domain.rollover.records.compromise import at_large
from danebot.domain.rollover.records.in_use import KeysInUse, keys_in_use
from danebot.domain.rollover.records.lost import forget_lost, told_lost
from danebot.domain.rollover.records.publication import conflicts, lingering, publication
from danebot.domain.rollover.records.retirement import leaving, out_of_use, retire
from danebot.domain.rollover.steps.patience import after_plan
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import to_be_asked
from danebot.domain.text import internal_error, quoted
from danebot.errors import DanebotError, TreeError
from danebot.jobs.context import Context
from danebot.jobs.view import LineageView, Observed

if TYPE_CHECKING:
    from danebot.domain.dane.authorities import Authorities
    from danebot.domain.rollover.evidence.propagation import Observations

ArgsT = ParamSpec("ArgsT")
FoundT = TypeVar("FoundT")


def read_lineage(context: Context, name: str) -> tuple[LineageState, Memory]:
    """One lineage's files with all lines that protect it, and what is remembered of it.

    Raises `TreeError` where either can't be read: then nobody knows what protects it.
    """
    memory = remembered(context, name)
    return protecting(context.tree.read(name), memory), memory


def remembered(context: Context, name: str) -> Memory:
    """Return what is remembered of a lineage, with its times put right, or raise `TreeError`.

    What writes it back begins with this: times of two clocks side by side can't be put right.
    """
    memory, damage = recall(context.tree.paths(name))
    if damage:
        context.tell(f"{name}: {damaged(damage)}; what was there is kept beside it")
    return put_right(memory, context.reading())


def damaged(damage: str) -> str:
    """What a ``rollover.json`` that can't be used costs, in words."""
    return f"{damage}; it begins anew, without pending hooks, past keys and what was observed"


def keys_of_tree(context: Context, states: Mapping[str, LineageState]) -> KeysInUse:
    """The keys that any lineage of the tree uses; ``states`` were read already."""
    others, unread = _others(context, states)
    return keys_in_use([*states.values(), *others], unread)


def keys_of_others(context: Context, name: str) -> KeysInUse:
    """The keys that any lineage of the tree but one uses."""
    return keys_in_use(*_others(context, {name}))


def _others(context: Context, known: Container[str]) -> tuple[list[LineageState], list[str]]:
    """The other lineages of the tree, and the names of those that can't be read."""
    others, unread = [], []
    for name in context.tree.names():
        if name not in known:
            try:
                others.append(context.tree.read(name))
            except Exception:  # noqa: BLE001 - a run of that lineage reports why
                unread.append(name)
    return others, unread


def damage_finding(name: str, damage: str) -> Finding:
    """What is remembered of a lineage can't be used."""
    remedy = f"a key on its way waits longer; to begin anew: danebot renew {quoted(name)}"
    return Finding(Code.FILES_BROKEN, Severity.WARNING, name, damaged(damage), remedy)


def unreadable_finding(name: str, exc: Exception) -> Finding:
    """A lineage that can't be read, or planned, at all; the others must go on, whatever it is."""
    if isinstance(exc, DanebotError | OSError):
        return Finding(Code.FILES_BROKEN, Severity.CRITICAL, name, printable(str(exc), 400), "")
    text = internal_error(exc)
    remedy = "please report this, with the output of: danebot -v renew"
    return Finding(Code.INTERNAL, Severity.CRITICAL, name, text, remedy)


def attempted(
    name: str, action: Callable[ArgsT, FoundT], *args: ArgsT.args, **more: ArgsT.kwargs
) -> FoundT | Finding:
    """What ``action`` returns; where it raises, a finding of the lineage ``name``, "" for none."""
    try:
        return action(*args, **more)
    except Exception as exc:  # noqa: BLE001 - see `unreadable_finding`
        return unreadable_finding(name, exc)


def told_by(
    context: Context, looks: Iterable[Callable[[Context], Iterable[Finding]]]
) -> Iterator[Finding]:
    """What looks beside the lineages find; of one that fails, that it did."""
    for look in looks:
        found = attempted("", look, context)
        yield from (found,) if isinstance(found, Finding) else found


def observe_dns(context: Context, states: Iterable[LineageState]) -> Observations:
    """One observation of DNS for all owners of all ``states``.

    Of a lineage that watches none the resolver alone is asked, where its first would be.
    """
    every = tuple(states)
    owners = tuple(dict.fromkeys(owner for state in every for owner in state.owners))
    seen = dict(context.observer.observe_owners(owners)) if owners else {}
    beside = {owner for state in every for owner in bare_owners(state)} - seen.keys()
    if beside:
        answers = context.observer.lookup_owners(sorted(beside))
        seen |= {owner: OwnerObservation(owner, answer) for owner, answer in answers.items()}
    return seen


def view(context: Context, observed: Observed) -> LineageView:
    """Plan and assess one lineage on what was observed."""
    state, old, seen, in_use, now, unharmed = observed
    mine = completed({owner: seen[owner] for owner in state.owners if owner in seen}, old)
    state = anchored(fade(state, mine), old, mine, now)
    policy = context.settings.policy(state.name)
    memory = retire(remember(old, state, mine, now), state, mine, now)
    memory, state = let_go_of_gone(memory, state, policy, now)
    memory = forget_lost(forget_cancelled(memory, state, mine, now), state, mine)
    if context.settings.probe(state.name):
        memory = to_be_asked(memory, state, mine, policy=policy, now=now)
    elif memory.asked:  # nobody will be: nothing is to wait for that
        memory = memory._replace(asked=())
    beside = judged_beside(state, seen, now)
    observation = Observation(state, mine, chain_distrust(context, state), beside, unharmed)
    planned = plan(observation, memory, policy, now)
    memory = after_plan(memory, planned, now)
    wanted = publication(state, memory, mine, in_use)
    if wanted.remove or (memory.past_keys and (wanted.add or wanted.repair or wanted.unseen)):
        in_use = in_use.with_keys(_keys_leaving(context, state.name, memory))
        wanted = publication(state, memory, mine, in_use)
    table = _authorities(mine)
    needed = (one.record for one in (*planned.current, *planned.awaited))
    names = names_in_records(state, mine, needed, table, now)
    found = (
        *assess(observation, planned, memory, policy, now, in_use=in_use),
        *lingering(state, memory, wanted, in_use),
        *at_large(state, memory, mine, wanted),
        *conflicts(state, wanted),
        *to_be_gone(state, memory, mine, wanted, policy=policy, now=now),
        *told_lost(state, memory, mine),
        *named_records(state, mine, names, table, in_use=in_use, now=now),
    )
    return LineageView(
        observation,
        memory,
        planned,
        most_serious_first(found),
        wanted,
        policy,
        now,
        in_use=in_use,
        names=names,
    )


def _authorities(seen: Observations) -> Authorities | None:
    """The table, where a record may name one of them."""
    if not has_anchors(seen):
        return None
    from danebot.adapters.authorities import authorities

    return authorities()


def _keys_leaving(context: Context, name: str, own: Memory) -> frozenset[bytes]:
    """DER SPKIs of past keys of other lineages whose services may still serve them.

    Where that can't be told of one, any past key of this lineage, by its ``own`` memory, may be.
    """
    keys: set[bytes] = set()
    for other in context.tree.names():
        try:
            memory, damage = recall(context.tree.paths(other)) if other != name else (Memory(), "")
        except TreeError:
            memory, damage = Memory(), "unreadable"
        if damage:
            return frozenset(past.spki for past in own.past_keys)
        keys.update(past.spki for past in leaving(memory) if not out_of_use(memory, past))
    return frozenset(keys)


def chain_distrust(context: Context, state: LineageState) -> str | None:
    """Verify a staged chain that isn't live; None where there is nothing to verify."""
    staged = state.staged
    if staged is None or staged.version is None or staged.same_content(state.serving):
        return None
    from danebot.adapters.probe.trust import distrust

    paths = context.tree.paths(state.name)
    return distrust(
        paths.archived("privkey", staged.version),
        paths.archived("fullchain", staged.version),
        context.settings.ca_file,
    )
