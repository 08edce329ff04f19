"""The driver: one lineage's part of a run, observed, planned and executed until no step is left."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from danebot.adapters.tree.kept_conf import cut_off
from danebot.adapters.tree.memory_file import begin_anew, recall, save_memory
from danebot.adapters.tree.paths import COMBO, KINDS, UNREADABLE_PREFIX, LineagePaths, link_target
from danebot.adapters.tree.soundness import found_sound, grant_combo
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.clock import put_right
from danebot.domain.rollover.evidence.schedule import scheduled, standing
from danebot.domain.rollover.evidence.watched import let_go, protecting
from danebot.domain.rollover.steps.phases import Step
from danebot.domain.text import quoted
from danebot.errors import LockedError, TreeError
from danebot.jobs.observing import (
    damaged,
    keys_of_tree,
    observe_dns,
    unreadable_finding,
    view,
)
from danebot.jobs.progress import Done, Freshness, Progress, Sources
from danebot.jobs.view import LineageView, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from danebot.adapters.tree.recovery import TreeRepair
    from danebot.adapters.tree.tree import Sound
    from danebot.domain.event import Event
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.domain.rollover.records.in_use import KeysInUse
    from danebot.jobs.authority import CaAccess
    from danebot.jobs.context import Context

_MOST_STEPS = 12  # the longest way through the plan takes seven; more would be a loop


class LineageRun:
    """One lineage in a run: what changes is its `progress`, one frozen value after another."""

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.name = name
        self.paths: LineagePaths = context.tree.paths(name)
        self.progress = Progress()
        self._sound: Sound | None = None  # as long as nothing was done since

    @property
    def memory(self) -> Memory:
        """What is remembered now."""
        return self.progress.memory

    @property
    def view(self) -> LineageView | None:
        """The last plan, with the latest probes; None where none could be made."""
        last = self.progress.view
        return last._replace(probes=self.progress.probes) if last is not None else None

    @property
    def staged(self) -> bool:
        """Whether danebot decides what this lineage's live serves."""
        return self.paths.staged

    @property
    def refused(self) -> bool:
        """Whether certbot refuses the configuration: no step can be taken then, but all is seen."""
        return self.context.tree.refused(self.name) and self.staged

    @property
    def passed_through(self) -> bool:
        """Whether it was seen that danebot doesn't manage this lineage."""
        last = self.progress.view
        return last is not None and last.state.management is Management.PASS_THROUGH

    @property
    def settled(self) -> bool:
        """Whether nothing moved since the plan last came to its end, so that it still holds."""
        return self.progress.rest == (self.memory, self.links())

    @property
    def certbot_may_renew(self) -> bool:
        """Whether certbot would find a safe key staged; never so for what couldn't be read."""
        last = self.progress.view
        if self.progress.failed or last is None or self.refused:
            return False
        return last.plan.certbot_may_renew

    def links(self) -> tuple[str, ...]:
        """Where the links lead that certbot moves."""
        directory = str(self.paths.own)
        return tuple(link_target(f"{directory}/{kind}.pem") for kind in KINDS)

    def guard(self, action: Callable[[], object]) -> None:
        """Keep the lineage's failure to itself; it is left alone for the rest of the run."""
        if self.progress.failed:
            return
        try:
            action()
        except LockedError:  # without the locks nothing may be touched, of any lineage
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is, the other lineages must go on
            self.progress = self.progress.ended(unreadable_finding(self.name, exc))

    # ---- what is remembered -----------------------------------------------------------------

    def do(self, acts: Iterable[Done]) -> None:
        """Take in what is done, one thing after another, each on disk before the next is begun."""
        for done in acts:
            self.progress = self.progress.did(done)
            self.save()
            self._record(done)

    def _record(self, done: Done) -> None:
        """Have a record kept of what was done."""
        for event in (*done.changes, *self._told(done.events)):
            if event is not None:
                self.context.record(event)

    def _told(self, findings: Sequence[Finding]) -> list[Event | None]:
        """The changes that findings tell of."""
        if not findings:
            return []
        from danebot.domain.event import event_of

        return [event_of(finding, self.context.clock()) for finding in findings]

    def save(self) -> None:
        """Write ``rollover.json`` if anything changed."""
        if self.memory is not self.progress.stored and self.staged:
            save_memory(self.paths, self.progress.stored, self.memory)
            self.progress = self.progress.saved()

    def heal(self) -> None:
        """Mend what a crash left of a staged lineage, and have its key readable as configured."""
        if not self.staged:
            return
        if self.refused and cut_off(self.paths):
            self._recover()
            self.paths = self.context.tree.paths(self.name)
        if not self.refused:
            self._sound = found_sound(self.context.tree, self.paths)
            if self._sound is None:
                self._recover()
        if grant_combo(self.paths, self.context.settings.combo_access):
            text = f"{self.paths.live / COMBO}: mode and group set as configured"
            self.tell((self._mended(text),))

    def _recover(self) -> None:
        from danebot.adapters.tree.recovery import recover

        self.tell(map(self._healed, recover(self.context.tree, self.name)))

    def _mended(self, text: str) -> Finding:
        return Finding(Code.HEALED, Severity.NOTICE, self.name, text, "")

    def _healed(self, repair: TreeRepair) -> Finding:
        if repair.kept is None:
            return self._mended(repair.text)
        shut = repair.kept.name.startswith(UNREADABLE_PREFIX)
        then = ", decrypt it, then: " if shut else ": "
        remedy = (
            f"if it was meant to be used{then}danebot newkey --adopt {quoted(repair.kept.name)} "
            f"{quoted(self.name)}; danebot alone decides what is live"
        )
        return Finding(Code.KEY_SET_ASIDE, Severity.WARNING, self.name, repair.text, remedy)

    def recall(self, known: Memory | None = None) -> None:
        """Read what is remembered; ``known`` is that of a lineage that is passed through.

        A ``rollover.json`` that can't be used is replaced, and what went with it said.
        """
        if not self.staged:
            if known is not None:
                self._recalled(known)
            return
        stored, damage = recall(self.paths)
        self._recalled(stored)
        if damage:
            kept = begin_anew(self.paths, stored)
            self.tell((self._damaged(damage, str(kept)),))

    def _recalled(self, stored: Memory) -> None:
        memory = put_right(stored, self.context.reading())
        self.progress = self.progress.did(Done(memory, written=stored))

    def _damaged(self, damage: str, kept: str) -> Finding:
        return Finding(
            Code.FILES_BROKEN,
            Severity.WARNING,
            self.name,
            damaged(damage),
            f"reload the services that use {self.paths.live}; a key on its way waits longer; "
            f"what was there is in {kept}",
        )

    def tell(self, findings: Iterable[Finding]) -> None:
        """Report findings, whatever can or can't be written."""
        self.progress = self.progress.did(Done(events=tuple(findings)))

    def finish_cancel(self) -> None:
        """Keep a key aside that was cancelled by a command that was interrupted."""
        if not self.memory.cancelled:
            return
        self._sound = None  # a file moves
        state = self.read()
        for key in self.memory.cancelled:
            if state.awaited_key is not None and state.awaited_key.digest == key.digest:
                from danebot.jobs.next_key import finish_cancel

                finish_cancel(self.paths, state, key)

    def let_go(self, owners: Iterable[DnsName]) -> None:
        """Forget owners: the operator's word."""
        self.do((Done(let_go(self.memory, owners)),))

    # ---- observe, plan, execute -------------------------------------------------------------

    def read(self) -> LineageState:
        """The lineage's files as they are now, with all lines that protect it."""
        return protecting(self.context.tree.read(self.name), self.memory)

    def read_healed(self) -> LineageState:
        """`read` right after `heal`: what was just found to be sound isn't looked at again.

        The caller holds the locks ever since.
        """
        sound, self._sound = self._sound, None
        return protecting(self.context.tree.read(self.name, sound), self.memory)

    def take(self, state: LineageState, seen: Observations, in_use: KeysInUse) -> None:
        """Take in what the run's common observation of the tree and of DNS saw."""
        self.progress = self.progress.observed(Sources(state, seen, in_use))

    def take_published(self, memory: Memory, events: Sequence[Finding], seen: Observations) -> None:
        """Take in what publishing came to, and what was ``seen`` of its owners afterwards."""
        done = Done(memory, tuple(events))
        self.progress = self.progress.did(done)
        self._record(done)
        if seen:
            sources = self.progress.sources
            known = {**sources.seen, **seen}
            sources = sources._replace(seen=known, freshness=Freshness.COMMON)
            self.progress = self.progress.observed(sources)
        self.save()

    def preview(self) -> LineageView:
        """Plan on what was seen last; no step is taken."""
        sources, context = self.progress.sources, self.context
        state = sources.state or self.read()
        memory, now = self.memory, context.clock()
        observed = Observed(state, memory, sources.seen, sources.in_use, now, sources.unharmed)
        planned = view(context, observed)
        before = len(self.progress.events)
        self.progress = self.progress.planned(planned)
        self._record(Done(events=self.progress.events[before:]))
        return planned

    def make_next_key(self) -> None:
        """Make a next key if one is wanted, so that its records are published in this run."""
        policy = self.context.settings.policy(self.name)
        if not (standing(policy) or scheduled(policy)) or self.refused:
            return
        current = self.preview()
        if current.plan.step is Step.MAKE_NEXT:
            from danebot.jobs.execute import make_next

            self._execute(current, make_next(self.context, current.state, self._seen))

    def advance(self, authority: CaAccess) -> None:
        """Execute the plan's steps until none is left."""
        for _ in range(_MOST_STEPS):
            current = self._next()
            if current.plan.step is None or self.refused:
                break
            from danebot.jobs.execute import execute

            self._execute(current, execute(self.context, authority, current, self._seen))
        else:
            raise TreeError(f"{self.name}: the plan doesn't come to an end; please report this")
        self.save()
        self.progress = self.progress.rested(self.links())

    def _next(self) -> LineageView:
        """Plan the next step, on a look and on answers of services where it rests on these."""
        current = self.preview()
        while current.plan.step is not None or current.plan.relies:
            if self.refused:
                break
            if _changes_key(current) and self.progress.sources.freshness is not Freshness.OWN:
                self._look_again(current)
            elif not self._asked(current):
                break
            current = self.preview()
        return current

    @property
    def _seen(self) -> Observations:
        return self.progress.sources.seen

    def _asked(self, current: LineageView) -> bool:
        """Ask services that the plan relies on, once; whether any were asked.

        One that may lose something is remembered not to serve what is live.
        """
        sources, state = self.progress.sources, current.state
        owners = frozenset(current.plan.relies) - sources.asked
        if not owners or not self.context.settings.probe(self.name):
            return False
        staged = state.staged
        new = staged if not staged or not staged.same_content(state.serving) else state.awaited_key
        if new is None:
            return False
        from danebot.jobs.confirm import no_longer_sure
        from danebot.jobs.served_now import unharmed

        found = unharmed(self.context, state, self.memory, sources.seen, sorted(owners), new=new)
        if not owners <= found:
            self.do((Done(no_longer_sure(self.context, state, self.memory)),))
        asked, well = sources.asked | owners, sources.unharmed | found
        self.progress = self.progress.observed(sources._replace(asked=asked, unharmed=well))
        return True

    def keep_from_hooks(self) -> None:
        """Let hooks wait no more where they would have a service serve what its records refuse.

        Not where nobody is to be asked: then they would count as run, and old records might go.
        """
        last, state = self.memory.deployment, self.progress.sources.state
        if last is None or not last.pending or state is None or self.refused:
            return
        from danebot.jobs.confirm import endpoints_of, no_longer_sure
        from danebot.jobs.served_now import kept_from

        state = self.preview().state
        if not self.context.settings.probe(self.name) or not endpoints_of(state):
            return
        if kept_from(self.context, state, self.memory, self.progress.sources.seen) is not None:
            self.do((Done(no_longer_sure(self.context, state, self.memory)),))

    def _look_again(self, current: LineageView) -> None:
        step = current.plan.step
        self.context.progress(f"{self.name}: looking again before: {step.value if step else ''}")
        seen = observe_dns(self.context, [current.state])
        own = Sources(None, seen, self.progress.sources.in_use, Freshness.OWN)
        self.progress = self.progress.observed(own)

    def _execute(self, current: LineageView, acts: Iterable[Done]) -> None:
        step = current.plan.step
        self.context.progress(f"{self.name}: {step.value if step else ''}")
        self.save()
        self.progress = self.progress.moved()
        self.do(acts)

    def review(self, in_use: KeysInUse) -> None:
        """Plan and assess once more on what was seen last, for the report.

        ``in_use`` are the keys that any lineage uses now.
        """
        if not self.settled:
            sources = self.progress.sources._replace(state=None, in_use=in_use)
            self.progress = self.progress.observed(sources)
            self.preview()
            self.save()


def _changes_key(current: LineageView) -> bool:
    """Whether the next step may change the key that is served."""
    state, step = current.state, current.plan.step
    staged = state.staged
    return step is Step.PROMOTE or (
        step in (Step.DEPLOY, Step.PUT_BACK)
        and staged is not None
        and staged.key != state.current_key
    )


# ---- many together --------------------------------------------------------------------------


def observe(context: Context, runs: Sequence[LineageRun]) -> None:
    """Observe the tree and DNS once for all lineages together."""
    states: dict[str, LineageState] = {}

    def read(run: LineageRun) -> None:
        states[run.name] = run.read_healed()

    for run in runs:
        run.guard(partial(read, run))
    context.progress("looking at DNS")
    seen = observe_dns(context, states.values())
    in_use = keys_of_tree(context, states)
    for run in runs:
        if run.name in states:
            run.take(states[run.name], seen, in_use)


def review(context: Context, runs: Sequence[LineageRun]) -> None:
    """Plan anew where something moved: the key that was replaced isn't in use any more."""
    if not all(run.settled for run in runs):
        in_use = keys_of_tree(context, {})
        for run in runs:
            run.guard(partial(run.review, in_use))
