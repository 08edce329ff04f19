"""The executor: takes one step of a plan, and gives what it did as values.

Each function is a generator of `Done`.  What is to be remembered is given before whatever relies on
it: the driver has it on disk when it asks for more, so that a crash at any instant finds it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from danebot.adapters.files import remove
from danebot.adapters.tree import changes
from danebot.adapters.tree.kept_conf import keep_conf
from danebot.adapters.tree.paths import NEXT, READY
from danebot.adapters.tree.recovery import recover
from danebot.domain.event import Event, EventKind
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import Held, LineageState, Management
from danebot.domain.rollover.evidence.memory import (
    Call,
    CallResult,
    Deployment,
    Exposure,
    Memory,
    PastKey,
    PendingHook,
    PendingRevocation,
    Revocation,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import backoff
from danebot.domain.rollover.evidence.schedule import requested
from danebot.domain.rollover.steps.patience import (
    GAVE_WAY,
    URGENT_PAUSE,
    begun,
    gave_way,
    one_more_failure,
    urgent,
)
from danebot.domain.rollover.steps.phases import Keep, Plan, Step
from danebot.domain.text import quoted, when
from danebot.errors import TreeError
from danebot.jobs.authority import CaAccess, remember_call
from danebot.jobs.observing import remembered
from danebot.jobs.progress import Done

if TYPE_CHECKING:
    from danebot.domain.rollover.evidence.propagation import Observations
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView


def execute(
    context: Context, authority: CaAccess, view: LineageView, seen: Observations
) -> Iterator[Done]:
    """Take the step that ``view`` plans on what was ``seen`` in DNS; nothing where there is none.

    What the view remembers must be on disk.  Raises `DanebotError` where the step can't be taken.
    """
    paths, memory = context.tree.paths(view.state.name), view.memory
    match view.plan.step:
        case Step.MAKE_NEXT:
            yield from make_next(context, view.state, seen)
        case Step.MARK_READY:
            since = memory.awaiting.seen_since if memory.awaiting is not None else None
            changes.mark_ready(paths, since or view.at)
        case Step.BACK_TO_NEXT:
            changes.back_to_next(paths)
            yield Done(events=(_withdrawn(view.state.name, view.plan),))
        case Step.PUT_BACK:
            yield from _put_back(context, view)
        case Step.PROMOTE:
            yield from _promote(context, authority, view.state, memory)
        case Step.DEPLOY:
            yield from _deploy(context, view.state, memory)
        case Step.FINISH:
            yield from _finish(context, view.state, memory)


def make_next(context: Context, state: LineageState, seen: Observations) -> Iterator[Done]:
    """Make the next key; what was ``seen`` before its records are there is remembered with it."""
    from danebot.jobs.next_key import add_key

    key = add_key(context, state, seen)
    memory = remembered(context, state.name)
    published = context.settings.publish(state.name).in_renew
    remedy = "" if published else f"publish what this prints: danebot tlsa {quoted(state.name)}"
    text = f"the next key {key.digest.hex()} is made"
    made = Finding(Code.NEXT_KEY_MADE, Severity.NOTICE, state.name, text, remedy)
    yield Done(memory, (made,), written=memory)


def _withdrawn(name: str, current: Plan) -> Finding:
    where = sorted({str(s.required.owner) for s in current.awaited if s.gaps})
    return Finding(
        Code.NEXT_KEY_WITHDRAWN,
        Severity.WARNING,
        name,
        f"the ready key's TLSA record is no longer seen at {', '.join(where)}: "
        "the rollover is back at its start, live stays as it is",
        f"publish what this prints: danebot tlsa {quoted(name)}",
    )


def _put_back(context: Context, view: LineageView) -> Iterator[Done]:
    """Put the waiting certificate back on the key that is served."""
    state, current, before = view.state, view.plan, view.memory
    serving, staged, keep = state.serving, state.staged, current.keep
    if serving is None or staged is None or keep is None:
        raise TreeError(f"{state.name}: no live key to put the waiting certificate back on")
    changes.put_back(context.tree.paths(state.name), serving, staged, keep)
    recover(context.tree, state.name)
    memory = gave_way(before, current, serving, context.clock())
    reason = current.hold.value if current.hold is not None else ""
    if current.hold in GAVE_WAY:
        finding = _gave_way(state.name, staged, reason, current.detail)
    else:
        finding = _not_deployed(state.name, staged, reason, keep)
    yield Done(memory if memory != before else None, (finding,))


def _gave_way(name: str, staged: Held, reason: str, more: str) -> Finding:
    detail = f" ({more})" if more else ""
    return Finding(
        Code.DEPLOYMENT_HELD,
        Severity.WARNING,
        name,
        f"version {staged.version} was not deployed: {reason}{detail}; the live "
        "certificate nears its renewal, so the waiting certificate is back on the live key",
        "the live certificate is renewed with its own key; mend what stands in the way, "
        f"and the rollover goes on: danebot status {quoted(name)}",
    )


def _not_deployed(name: str, staged: Held, reason: str, keep: Keep) -> Finding:
    text = (
        f"version {staged.version} was not deployed: {reason}; "
        "live stays as it is and the waiting certificate is back on the live key"
    )
    remedies = {
        Keep.ASIDE: "to use that key: danebot newkey --adopt "
        + quoted(f"unknown-{staged.key.digest.hex()[:16]}.pem", name),
        Keep.AS_NEXT: "its records are published, so it is now the next key",
        Keep.NOWHERE: "",
    }
    return Finding(Code.KEY_UNKNOWN, Severity.WARNING, name, text, remedies[keep])


# ---- promotion ------------------------------------------------------------------------------


def _promote(
    context: Context, authority: CaAccess, state: LineageState, memory: Memory
) -> Iterator[Done]:
    """Have certbot issue with the ready key."""
    name, ready = state.name, state.awaited_key
    paths = context.tree.paths(name)
    if ready is None:
        raise TreeError(f"{paths.staging}: the ready key is gone; nothing was changed")
    changes.stage_key(paths, READY if state.ready is not None else NEXT)
    memory = begun(memory, Call.PROMOTION, context.clock())
    yield Done(memory)
    keep_conf(paths)
    with authority.lock.certbot_may_run():
        run = authority.certbot.promote(name, ready.key_type)
    recover(context.tree, name)
    keep_conf(paths)
    staged = context.tree.read(name).staged
    issued = staged if staged is not None and staged.key == ready else None
    result = CallResult.DONE if issued is not None else CallResult.FAILED
    memory = remember_call(memory, Call.PROMOTION, run, result, context.clock())
    if issued is not None:
        memory = memory._replace(promotion_failure=None, renewal_failure=None)
        text = f"version {issued.version} is issued with the new key {ready.digest.hex()}"
        issuance = Event(context.clock(), EventKind.PROMOTED, name, text)
        yield Done(memory, issued=True, changes=(issuance,))
    else:
        yield Done(_promotion_failed(context, name, memory, run.reason))


def _promotion_failed(context: Context, name: str, memory: Memory, reason: str) -> Memory:
    now, old = context.clock(), memory.promotion_failure
    policy = context.settings.policy(name)
    pause = backoff(policy, old.count + 1 if old is not None else 1)
    if urgent(memory):
        pause = min(pause, URGENT_PAUSE)
    return memory._replace(promotion_failure=one_more_failure(old, reason, now, pause=pause))


# ---- deployment -----------------------------------------------------------------------------


def _deploy(context: Context, state: LineageState, memory: Memory) -> Iterator[Done]:
    """Make the staged chain live."""
    staged, serving = state.staged, state.serving
    if staged is None or staged.version is None or serving is None:
        raise TreeError(f"{state.name}: nothing to deploy")
    new = not staged.same_content(serving)
    if new:
        yield Done(_deploying(context, state.name, memory, staged, serving))
    from danebot.jobs.reloading import reloaded_early

    paths = context.tree.paths(state.name)
    changes.make_live(paths, staged.version, context.settings.combo_access)
    if new:
        told = reloaded_early(context, state.name)
        if staged.key != serving.key:
            text = f"the new key {staged.key.digest.hex()} is live since {when(context.clock())}"
            told += (Finding(Code.PROMOTED, Severity.NOTICE, state.name, text, ""),)
        yield Done(events=told, changes=(_deployed(context, state.name, staged, serving),))


def _deployed(context: Context, name: str, staged: Held, serving: Held) -> Event:
    key = "" if staged.key == serving.key else f" with the new key {staged.key.digest.hex()}"
    ends = when(staged.chain.not_after)
    text = f"version {staged.version} is live{key}, valid until {ends}"
    return Event(context.clock(), EventKind.DEPLOYED, name, text)


def _deploying(context: Context, name: str, memory: Memory, staged: Held, serving: Held) -> Memory:
    """What is to be remembered before ``staged`` replaces what is ``serving``."""
    from danebot.adapters.certbot.hooks import deploy_hooks

    now = context.clock()
    hooks = deploy_hooks(context.tree.root, name, context.settings)
    past = memory.past_keys
    if staged.key != serving.key:
        past = tuple(p for p in past if p.spki != serving.key.spki)
        past += (PastKey(serving.key.spki, now, _exposure(memory, staged)),)
    return memory._replace(
        deployment=Deployment(
            chain=staged.chain.fingerprint,
            digest=staged.key.digest,
            at=now,
            pending=tuple(PendingHook(hook.id) for hook in hooks),
        ),
        past_keys=past,
        revocations=(*memory.revocations, *_to_revoke(memory, staged, serving)),
    )


def _exposure(memory: Memory, staged: Held) -> Exposure:
    """What is known of the key that ``staged`` replaces."""
    request = requested(memory, staged.key)
    hurried = request is not None and request.urgency is not Urgency.ORDINARY
    return Exposure.COMPROMISED if hurried else Exposure.NONE


def _to_revoke(memory: Memory, staged: Held, serving: Held) -> tuple[PendingRevocation, ...]:
    """What is to be revoked once ``staged`` is served: nothing of a key that stays."""
    if staged.key == serving.key:
        return ()
    request = requested(memory, staged.key)
    if request is None or request.revocation is Revocation.LEFT:
        return ()
    known = {pending.spki for pending in memory.revocations}
    return () if serving.key.spki in known else (PendingRevocation(serving.key.spki),)


def _finish(context: Context, state: LineageState, memory: Memory) -> Iterator[Done]:
    """The key is live: its file goes, and so does the stray copy that staging it left."""
    key = state.current_key
    if key is None or state.management is not Management.STAGED:
        return
    paths = context.tree.paths(state.name)
    for file in changes.key_files_of(paths, key):
        remove(paths.staging / file)
    recover(context.tree, state.name)
    yield Done(memory._replace(awaiting=None, promotion_failure=None, request=None))
