"""One lineage's part of a `renew` run: heal, look, plan, execute, and look again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from danebot.adapters.files import remove
from danebot.adapters.tree import changes
from danebot.adapters.tree.memory_file import begin_anew, recall, save_memory
from danebot.adapters.tree.recovery import recover
from danebot.adapters.tree.tree import KINDS, NEXT, READY, LineagePaths, link_target
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.clock import put_right
from danebot.domain.rollover.in_use import KeysInUse
from danebot.domain.rollover.memory import (
    Call,
    Deployment,
    Exposure,
    Memory,
    PastKey,
    PendingHook,
    PendingRevocation,
    Result,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.patience import (
    URGENT_PAUSE,
    Asking,
    begun,
    ended,
    failure,
    unmade,
    urgent,
    wait_until,
)
from danebot.domain.rollover.plan import Keep, Plan, Step, gave_way
from danebot.domain.rollover.policy import backoff
from danebot.domain.rollover.schedule import requested, scheduled, standing
from danebot.domain.rollover.watched import let_go, protecting
from danebot.domain.text import when
from danebot.errors import TreeError
from danebot.jobs.survey import LineageView, observe_dns, remembered, view

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from danebot.adapters.certbot.command import Certbot, CertbotRun
    from danebot.adapters.tree.locks import TreeLock
    from danebot.domain.dns.tlsa import TlsaRecord
    from danebot.domain.lineage.state import Held
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.propagation import Observations
    from danebot.domain.rollover.publication import Publication
    from danebot.domain.status.document import ProbeStatus
    from danebot.jobs.context import Context
    from danebot.jobs.publish import Published
    from danebot.jobs.unmanaged import Known

_MOST_STEPS = 12  # the longest way through the plan takes six; more would be a loop


class LineageRun:
    """The mutable middle of a run: what is known of one lineage, and what happened to it."""

    def __init__(
        self,
        context: Context,
        certbot: Certbot,
        lock: TreeLock,
        name: str,
        *,
        asking: Asking = Asking.TIMER,
        known: Known | None = None,
    ) -> None:
        """Nothing is read yet; ``asking`` is who wants the CA asked.

        ``known`` is what is remembered of a lineage that is passed through.
        """
        self._known = known
        self.asking = asking
        self.context = context
        self.certbot = certbot
        self.lock = lock
        self.name = name
        self.paths: LineagePaths = context.tree.paths(name)
        self.events: list[Finding] = []
        self.view: LineageView | None = None
        self.probes: tuple[ProbeStatus, ...] = ()
        self.failed = False
        self.issued = False
        self._settled: tuple[object, ...] | None = None
        self._state: LineageState | None = None
        self._seen: Observations = {}
        self._fresh = False
        self._asked: frozenset[tuple[DnsName, TlsaRecord]] | None = None
        self._in_use = KeysInUse()
        self._recalled = False
        self.memory = self._stored = Memory()

    @property
    def staged(self) -> bool:
        """Whether danebot decides what this lineage's live serves."""
        return self.paths.staged

    @property
    def passed_through(self) -> bool:
        """Whether it was seen that danebot doesn't manage this lineage."""
        state = self.view.state if self.view is not None else None
        return state is not None and state.management is Management.PASS_THROUGH

    def say(self, code: Code, severity: Severity, text: str, remedy: str = "") -> None:
        """Record what happened in this run."""
        self.events.append(Finding(code, severity, self.name, text, remedy))

    # ---- looking ----------------------------------------------------------------------------

    def heal(self) -> None:
        """Mend what a crash left, then read what is remembered."""
        if not self.staged:
            if self._known is not None and not self._recalled:
                self._stored = self._known.memory
                self.memory = put_right(self._stored, self.context.reading())
                self._recalled = True
            return
        for line in recover(self.context.tree, self.name):
            self.say(Code.HEALED, Severity.NOTICE, line)
        damage = self._recall()
        if damage:
            self._begin_anew(damage)
        self._finish_cancel()

    def _finish_cancel(self) -> None:
        """Keep a key aside that was cancelled by a command that was interrupted."""
        if not self.memory.cancelled:
            return
        state = self.read()
        for key in self.memory.cancelled:
            if state.awaited_key is not None and state.awaited_key.digest == key.digest:
                from danebot.jobs.newkey import finish_cancel

                finish_cancel(self.paths, state, key)

    def _recall(self) -> str:
        """Read what is remembered, unless it was; what is damaged of the file, "" if nothing."""
        if self._recalled:
            return ""
        self._stored, damage = recall(self.paths)
        self.memory = put_right(self._stored, self.context.reading())
        self._recalled = True
        return damage

    def _begin_anew(self, damage: str) -> None:
        """Replace a ``rollover.json`` that can't be used, and say what went with it."""
        kept = begin_anew(self.paths, self.memory)
        self.say(
            Code.FILES_BROKEN,
            Severity.WARNING,
            f"{damage}; it begins anew, without pending hooks, past keys and what was observed",
            f"reload the services that use {self.paths.live}; a key on its way waits longer; "
            f"what was there is in {kept}",
        )

    def read(self) -> LineageState:
        """The lineage's files as they are now, with all lines that protect it."""
        return protecting(self.context.tree.read(self.name), self.memory)

    def take(self, state: LineageState, seen: Observations, in_use: KeysInUse) -> None:
        """Take in what the run's common observation of the tree and of DNS saw."""
        self._state = state
        self._seen, self._in_use = seen, in_use
        self._fresh = False
        self._settled = None

    def let_go(self, owners: Iterable[DnsName]) -> None:
        """Forget owners: the operator's word."""
        self.memory = let_go(self.memory, owners)
        self.save()

    @property
    def settled(self) -> bool:
        """Whether nothing moved since the plan last came to its end, so that it still holds."""
        return self._settled is not None and self._settled == self._position()

    def _position(self) -> tuple[object, ...]:
        """What certbot, a hook or a step would have changed."""
        return (self.memory, *self.links())

    def links(self) -> tuple[str, ...]:
        """Where the links lead that certbot moves."""
        directory = str(self.paths.own)
        return tuple(link_target(f"{directory}/{kind}.pem") for kind in KINDS)

    def review(self, in_use: KeysInUse) -> None:
        """Plan and assess once more on what was seen last, for the report.

        ``in_use`` are the keys that any lineage uses now.
        """
        if not self.settled:
            self._in_use = in_use
            self._plan(self.read())
            self.save()

    @property
    def certbot_may_renew(self) -> bool:
        """Whether certbot would find a safe key staged; never so for what couldn't be read."""
        return not self.failed and self.view is not None and self.view.plan.certbot_may_renew

    def _plan(self, state: LineageState) -> LineageView:
        self.view = view(self.context, state, self.memory, self._seen, self._in_use)
        for key in {*self.memory.cancelled} - {*self.view.memory.cancelled}:
            text = f"no server has a record of the cancelled key {key.digest.hex()} any more"
            self.say(Code.CANCELLED, Severity.NOTICE, text)
        self.memory = self.view.memory
        return self.view

    def save(self) -> None:
        """Write ``rollover.json`` if anything changed."""
        if self.staged:
            save_memory(self.paths, self._stored, self.memory)
            self._stored = self.memory

    def preview(self) -> LineageView:
        """Plan on what was seen last; no step is taken."""
        return self._plan(self._state or self.read())

    def lacks_more(self, publication: Publication) -> bool:
        """Whether there is something to add that was not asked for in this run."""
        lacking = frozenset((item.owner, item.record) for item in publication.add)
        more = self._asked is None or not lacking <= self._asked
        self._asked = lacking | (self._asked or frozenset())
        return more

    def published(self, done: Published) -> None:
        """Take in what publishing came to, and the observation that followed it."""
        self.events += done.findings
        if done.memory != self.memory or done.seen is not None:
            self._settled = None
        self.memory = done.memory
        if done.seen is not None:
            self._seen = {**self._seen, **done.seen}
            self._fresh = False
        self.save()

    # ---- executing --------------------------------------------------------------------------

    def make_next_key(self) -> None:
        """Make a next key if one is wanted, so that its records are published in this run."""
        policy = self.context.settings.policy(self.name)
        if not standing(policy) and not scheduled(policy):
            return
        current = self.preview()
        if current.plan.step is Step.MAKE_NEXT:
            self._execute(Step.MAKE_NEXT, current)
            self._state = self.view = None

    def advance(self) -> None:
        """Execute the plan's steps until none is left."""
        for _ in range(_MOST_STEPS):
            current = self._plan(self._state or self.read())
            self._state = None
            step = current.plan.step
            if step is None:
                break
            if self._changes_key(current) and not self._fresh:
                self.context.progress(f"{self.name}: looking again before: {step.value}")
                self._seen = observe_dns(self.context, [current.state])
                self._fresh = True
                continue
            self._execute(step, current)
        else:
            raise TreeError(f"{self.name}: the plan doesn't come to an end; please report this")
        self.save()
        self._settled = self._position()

    @staticmethod
    def _changes_key(current: LineageView) -> bool:
        """Whether the next step may change the key that is served."""
        state, step = current.state, current.plan.step
        staged = state.staged
        return step is Step.PROMOTE or (
            step in (Step.DEPLOY, Step.PUT_BACK)
            and staged is not None
            and staged.key != state.current_key
        )

    def _execute(self, step: Step, current: LineageView) -> None:
        self.context.progress(f"{self.name}: {step.value}")
        self.save()
        state = current.state
        match step:
            case Step.MAKE_NEXT:
                self._make_next(state)
            case Step.MARK_READY:
                awaiting = self.memory.awaiting
                since = awaiting.seen_since if awaiting is not None else None
                changes.mark_ready(self.paths, since or current.at)
            case Step.BACK_TO_NEXT:
                changes.back_to_next(self.paths)
                self._say_withdrawn(current.plan)
            case Step.PUT_BACK:
                self._put_back(state, current.plan)
            case Step.PROMOTE:
                self._promote(state)
            case Step.DEPLOY:
                self._deploy(state)
            case Step.FINISH:
                self._finish(state)

    def _make_next(self, state: LineageState) -> None:
        from danebot.jobs.newkey import add_key

        key = add_key(self.context, state, self._seen)
        self.memory = self._stored = remembered(self.context, self.name)
        self.say(
            Code.NEXT_KEY_MADE,
            Severity.NOTICE,
            f"the next key {key.digest.hex()} is made",
            ""
            if self.context.settings.publish(self.name).in_renew
            else f"publish what this prints: danebot tlsa {self.name}",
        )

    def _say_withdrawn(self, current: Plan) -> None:
        where = sorted({str(s.required.owner) for s in current.awaited if s.gaps})
        self.say(
            Code.NEXT_KEY_WITHDRAWN,
            Severity.WARNING,
            f"the ready key's TLSA record is no longer seen at {', '.join(where)}: "
            "the rollover is back at its start, live stays as it is",
            f"publish what this prints: danebot tlsa {self.name}",
        )

    def _put_back(self, state: LineageState, current: Plan) -> None:
        serving, staged, keep = state.serving, state.staged, current.keep
        if serving is None or staged is None or keep is None:
            raise TreeError(f"{self.name}: nothing to put staging back on")
        changes.put_back(self.paths, serving, staged, keep)
        recover(self.context.tree, self.name)
        reason = current.hold.value if current.hold is not None else ""
        before = self.memory
        self.memory = gave_way(before, current, serving, self.context.clock())
        if self.memory != before:
            detail = f" ({current.detail})" if current.detail else ""
            self.say(
                Code.DEPLOYMENT_HELD,
                Severity.WARNING,
                f"version {staged.version} was not deployed: {reason}{detail}; the live "
                "certificate nears its renewal, so staging is back on the live key",
                "the live certificate is renewed with its own key; mend what stands in the way, "
                f"and the rollover goes on: danebot status {self.name}",
            )
            return
        text = (
            f"version {staged.version} was not deployed: {reason}; "
            "live stays as it is and staging is back on the live key"
        )
        remedies = {
            Keep.ASIDE: "to use that key: danebot newkey --adopt "
            f"unknown-{staged.key.digest.hex()[:16]}.pem {self.name}",
            Keep.AS_NEXT: "its records are published, so it is now the next key",
            Keep.NOWHERE: "",
        }
        self.say(Code.KEY_UNKNOWN, Severity.WARNING, text, remedies[keep])

    def _promote(self, state: LineageState) -> None:
        ready = state.awaited_key
        if ready is None:
            raise TreeError(f"{self.paths.staging}: the ready key is gone; nothing was changed")
        changes.stage_key(self.paths, READY if state.ready is not None else NEXT)
        self.ca_asked(Call.PROMOTION)
        with self.lock.certbot_may_run():
            run = self.certbot.promote(self.name, ready.key_type)
        self._fresh = False
        recover(self.context.tree, self.name)
        staged = self.read().staged
        issued = staged is not None and staged.key == ready
        self.ca_answered(Call.PROMOTION, run, Result.DONE if issued else Result.FAILED)
        if issued:
            self.issued = True
            self.memory = replace(self.memory, promotion_failure=None, renewal_failure=None)
            return
        self._promotion_failed(run.reason)

    def _promotion_failed(self, reason: str) -> None:
        now, old = self.context.clock(), self.memory.promotion_failure
        policy = self.context.settings.policy(self.name)
        pause = backoff(policy, old.count + 1 if old is not None else 1)
        if urgent(self.memory):
            pause = min(pause, URGENT_PAUSE)
        failed = failure(old, reason, now, pause=pause)
        self.memory = replace(self.memory, promotion_failure=failed)

    # ---- the CA -----------------------------------------------------------------------------

    def ca_asked(self, call: Call) -> None:
        """Remember that the CA is about to be asked, whatever becomes of this run."""
        self.memory = begun(self.memory, call, self.context.clock())
        self.save()

    def ca_answered(self, call: Call, run: CertbotRun, result: Result) -> None:
        """Remember what came of it; nothing if certbot didn't come so far."""
        if result is Result.FAILED and not run.reached_renewals:
            self.memory = unmade(self.memory, call)
        else:
            self.memory = ended(self.memory, call, result, self.context.clock())
        self.save()

    def ca_wait(self, call: Call, asking: Asking | None = None) -> datetime | None:
        """The time before which the CA isn't asked for this lineage; None if it may be."""
        policy = self.context.settings.policy(self.name)
        return wait_until(self.memory, call, asking or self.asking, policy, self.context.clock())

    # ---- deployment -------------------------------------------------------------------------

    def _deploy(self, state: LineageState) -> None:
        staged, serving = state.staged, state.serving
        if staged is None or staged.version is None or serving is None:
            raise TreeError(f"{self.name}: nothing to deploy")
        if not staged.same_content(serving):
            self._remember_deployment(staged, serving)
            self.save()
        changes.deploy(self.paths, staged.version, self.context.settings.combo_access)
        if staged.key != serving.key:
            self.say(
                Code.PROMOTED,
                Severity.NOTICE,
                f"the new key {staged.key.digest.hex()} is live since {when(self.context.clock())}",
            )

    def _remember_deployment(self, staged: Held, serving: Held) -> None:
        from danebot.adapters.certbot.hooks import deploy_hooks

        now = self.context.clock()
        hooks = deploy_hooks(self.context.tree.root, self.name, self.context.settings)
        past = self.memory.past_keys
        if staged.key != serving.key:
            past = tuple(p for p in past if p.spki != serving.key.spki)
            past += (PastKey(serving.key.spki, now, self._exposure(staged)),)
        self.memory = replace(
            self.memory,
            deployment=Deployment(
                chain=staged.chain.fingerprint,
                digest=staged.key.digest,
                at=now,
                pending=tuple(PendingHook(hook.id) for hook in hooks),
            ),
            past_keys=past,
            revocations=(*self.memory.revocations, *self._to_revoke(staged, serving)),
        )

    def _exposure(self, staged: Held) -> Exposure:
        """What is known of the key that ``staged`` replaces."""
        request = requested(self.memory, staged.key)
        urgent = request is not None and request.urgency is not Urgency.ORDINARY
        return Exposure.COMPROMISED if urgent else Exposure.NONE

    def _to_revoke(self, staged: Held, serving: Held) -> tuple[PendingRevocation, ...]:
        request = requested(self.memory, staged.key)
        if request is None or request.revocation is Revocation.LEFT:
            return ()
        known = {pending.spki for pending in self.memory.revocations}
        return () if serving.key.spki in known else (PendingRevocation(serving.key.spki),)

    def _finish(self, state: LineageState) -> None:
        """The key is live: its file goes, and so does the stray copy that staging it left."""
        key = state.current_key
        if key is None or state.management is not Management.STAGED:
            return
        for file in changes.key_files_of(self.paths, key):
            remove(self.paths.staging / file)
        recover(self.context.tree, self.name)
        self.memory = replace(self.memory, awaiting=None, promotion_failure=None, request=None)
