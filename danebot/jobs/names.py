"""`danebot names`: other names in a lineage's certificate, with the same key.

The order in which things are done leaves, after a crash at any instant, what the next `renew`
completes: what ``dnsnames`` demands is lowered before the CA is asked and raised after it, so that
a certificate with the new names is never held back, and ``dane-ee`` follows what is live.  The
same command, given again, completes the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.files import edit_text, read_bytes, rewrite_file
from danebot.adapters.presence import is_there, permissions
from danebot.adapters.tree.changes import make_durable
from danebot.adapters.tree.kept_conf import keep_conf
from danebot.adapters.tree.paths import DANE_EE, DNSNAMES
from danebot.adapters.tree.recovery import recover
from danebot.domain.dns.answers import Presence
from danebot.domain.dns.tlsa import Required, edit_dane_ee, parse_dnsnames
from danebot.domain.event import Event, EventKind
from danebot.domain.lineage.renaming import Renaming, Wish, renaming
from danebot.domain.names import DnsName, TlsaOwner
from danebot.domain.rollover.evidence.memory import Call, CallResult
from danebot.domain.rollover.evidence.propagation import matches_chain
from danebot.domain.rollover.records.adoption import Intake, intake, usual_owners
from danebot.domain.rollover.steps.patience import Asking, begun
from danebot.domain.text import quoted, when
from danebot.errors import CertbotError, DanebotError, RolloverError, UnansweredError
from danebot.jobs.adopt import Search, search_names
from danebot.jobs.authority import CaAccess, ca_wait, remember_call
from danebot.jobs.confirm import confirm, run_pending_hooks
from danebot.jobs.lineage_run import LineageRun
from danebot.jobs.next_key import managed
from danebot.jobs.observing import keys_of_tree, observe_dns, read_lineage
from danebot.jobs.post_hooks import run_post_hooks
from danebot.jobs.progress import Done

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import Certbot
    from danebot.adapters.tree.locks import TreeLock
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.records.in_use import KeysInUse
    from danebot.jobs.context import Context

_PUBLIC = 0o644


@dataclass(frozen=True, slots=True)
class Intent:
    """All that a change of names comes to.

    ``unwatched`` and ``watched`` are lines that leave and enter ``dane-ee``, ``dropped`` and
    ``demanded`` names that leave and enter ``dnsnames``.  ``published`` are the owners below names
    that the certificate lacks from then on, where its TLSA records still are, ``unsure`` those of
    which there is no answer; owners that another lineage watches are not among them.  ``search`` is
    what was found below the new names.
    """

    change: Renaming
    unwatched: tuple[Required, ...]
    watched: tuple[Required, ...]
    dropped: tuple[DnsName, ...]
    demanded: tuple[DnsName, ...]
    published: tuple[DnsName, ...]
    unsure: tuple[DnsName, ...]
    search: Search
    found: Intake

    @property
    def issues(self) -> bool:
        """Whether the CA is asked for a certificate."""
        return self.change.before != self.change.after


def certificate_to_change(context: Context, name: str) -> tuple[Held, LineageState]:
    """What certbot renews, whose names are to change; raises where that can't be told."""
    from danebot.domain.lineage.pem import other_names

    managed(context, name)
    state, _ = read_lineage(context, name)
    if state.required is None or state.names is None:
        raise RolloverError(f"{'; '.join(state.faults)}; correct that first")
    if state.staged is not None and other_names(state.staged.chain.ders[0]):
        raise RolloverError(
            f"the certificate of {name} has other names than DNS names, IP addresses for instance, "
            "which would be lost; change it with certbot certonly by hand"
        )
    if state.staged is None:
        raise RolloverError(
            f"{name} has no complete waiting certificate; run first: danebot renew {quoted(name)}"
        )
    return state.staged, state


def intend(context: Context, name: str, wish: Wish, *, unanswered: bool) -> Intent:
    """Work out a change, asking DNS but changing nothing.

    Raises `UnansweredError`, unless ``unanswered`` is allowed, where nobody knows whether a new
    name has TLSA records.
    """
    staged, state = certificate_to_change(context, name)
    required, demanded = state.required or (), state.names or ()
    change = renaming(staged.chain.names, wish)
    unwatched = change.dropped_owners(required)
    kept = {line.owner for line in required} - {line.owner for line in unwatched}
    found = search_names(context, {name: frozenset(change.added)}, {name: state.live})[name]
    taken = intake(state, found.found)
    watched = kept | _watched_by_others(context, name)
    wants_names = is_there(context.tree.paths(name).own / DNSNAMES)
    published, unsure = _still_published(context, staged, change, unwatched, watched)
    if not unanswered and (taken.unanswered or found.leads.unanswered):
        raise UnansweredError(
            f"{name}: no answer, so nobody knows whether the new names have TLSA records: "
            f"{found.unanswered}; nothing was changed. See that the resolver answers and "
            "run this again, or go on without, with --although-unanswered"
        )
    return Intent(
        change,
        unwatched,
        taken.add,
        change.dropped_names(demanded),
        change.new_names(demanded) if wants_names else (),
        published,
        unsure,
        found,
        taken,
    )


def _still_published(
    context: Context,
    staged: Held,
    change: Renaming,
    unwatched: Iterable[Required],
    watched: set[DnsName],
) -> tuple[tuple[DnsName, ...], tuple[DnsName, ...]]:
    """Where a record by which senders know this chain is left, and nobody looks after it.

    The second are owners of which there is no answer.
    """
    owners = dict.fromkeys(line.owner for line in unwatched)
    owners |= dict.fromkeys(usual_owners(change.removed))
    asked = tuple(owner for owner in owners if owner not in watched and _gone(change, owner))
    answers = context.observer.lookup_owners(asked) if asked else {}
    left = tuple(
        owner
        for owner in asked
        if any(matches_chain(record, staged) for record in answers[owner].records)
    )
    return left, tuple(one for one in asked if answers[one].presence is Presence.UNKNOWN)


def _watched_by_others(context: Context, name: str) -> set[DnsName]:
    """The owners in the other lineages' ``dane-ee``: RSA beside ECDSA, for instance."""
    found: set[DnsName] = set()
    for other in context.tree.names():
        if other != name:
            with suppress(DanebotError, OSError):  # a run of that lineage reports it
                found.update(read_lineage(context, other)[0].owners)
    return found


def _gone(change: Renaming, owner: DnsName) -> bool:
    parsed = TlsaOwner.from_name(owner)
    return parsed is not None and change.gone(parsed.base.dns_name)


def change_names(
    context: Context,
    certbot: Certbot,
    lock: TreeLock,
    name: str,
    wish: Wish,
    *,
    unanswered: bool = False,
) -> tuple[LineageRun, Intent]:
    """Do it; the caller holds ``lock``.  Raises `CertbotError` if nothing was issued.

    What is pending for the lineage is done first, as a `renew` would: the new certificate is made
    with the key that is staged, which must be a safe one.  ``unanswered``: owners below the new
    names that give no answer don't matter.
    """
    run, authority = LineageRun(context, name), CaAccess(certbot, lock, Asking.NAMED)
    managed(context, name)
    run.heal()
    run.recall()
    run.finish_cancel()
    _take_stock(context, run)
    run.keep_from_hooks()
    run.advance(authority)
    intent = intend(context, name, wish, unanswered=unanswered)
    if intent.issues:
        _issue(context, authority, run, intent)
    else:
        rewrite(run.paths.own / DNSNAMES, parse_dnsnames, intent.dropped, intent.demanded)
    run.heal()
    _take_stock(context, run)
    run.advance(authority)
    live = run.read().live
    if live is not None and live.chain.names == intent.change.after:
        run.let_go(line.owner for line in intent.unwatched)
        edit = partial(edit_dane_ee, add=intent.watched, drop=intent.unwatched)
        if intent.unwatched or intent.watched:
            edit_text(run.paths.own / DANE_EE, edit)
    run.do(run_pending_hooks(context, run.read(), run.memory))
    run_post_hooks(context, [run])
    run.do(confirm(context, run.read(), run.memory, run.progress.sources.seen))
    run.review(_take_stock(context, run))
    return run, intent


def _take_stock(context: Context, run: LineageRun) -> KeysInUse:
    """Look at the tree and at DNS; the keys that any lineage uses."""
    state = run.read()
    seen = observe_dns(context, [state])
    in_use = keys_of_tree(context, {run.name: state})
    run.take(state, seen, in_use)
    return in_use


def _issue(context: Context, authority: CaAccess, run: LineageRun, intent: Intent) -> None:
    """Have the CA issue; meanwhile ``dnsnames`` demands only what both certificates have."""
    staged = run.read().staged
    if staged is None or not run.certbot_may_renew:
        raise RolloverError(
            f"{run.name} can't be renewed safely now, so its names stay; "
            f"see: danebot status {quoted(run.name)}"
        )
    until = ca_wait(context, run.name, run.memory, Call.NAMES, authority.asking)
    if until is not None:
        raise RolloverError(
            f"{run.name}: several attempts failed within the last hour, and the CA allows few; "
            f"see why in certbot's log, and try again after {when(until)}"
        )
    file = run.paths.own / DNSNAMES
    former = read_bytes(file) if intent.dropped else b""
    if intent.dropped:
        rewrite(file, parse_dnsnames, intent.dropped, ())
    conf = context.tree.conf(run.name)
    first = [n for n in intent.change.after if n.text == run.name]  # the CA may name the first
    names = [str(n) for n in (*first, *sorted(intent.change.after - {*first}))]
    context.progress(f"{run.name}: certbot certonly for {' '.join(names)}")
    run.do((Done(begun(run.memory, Call.NAMES, context.clock())),))
    keep_conf(run.paths)
    with authority.lock.certbot_may_run():
        result = authority.certbot.change_names(conf, run.name, names, staged.key.key_type)
    recover(context.tree, run.name)
    keep_conf(run.paths)
    issued = run.read().staged
    if issued is not None and issued.version is not None:
        make_durable(run.paths, issued.version)  # before dnsnames demands what it has
    done = issued is not None and issued.chain.names == intent.change.after
    outcome = CallResult.DONE if done else CallResult.FAILED
    run.do((Done(remember_call(run.memory, Call.NAMES, result, outcome, context.clock())),))
    if issued is None or issued.chain.names != intent.change.after:
        if intent.dropped:
            rewrite_file(file, former, _PUBLIC)
        reason = result.reason or "certbot says that it succeeded, but it issued for other names"
        raise CertbotError(f"{run.name}: the names stay as they are: {reason}")
    text = f"version {issued.version} is issued: {' '.join(sorted(map(str, issued.chain.names)))}"
    context.record(Event(context.clock(), EventKind.RENAMED, run.name, text))
    new = context.tree.conf(run.name)
    whole = new.with_parameters_of(conf)
    if whole is not new:
        rewrite_file(new.path, whole.text.encode(), permissions(new.path))
    rewrite(file, parse_dnsnames, (), intent.demanded)


def rewrite(
    path: Path,
    parse: Callable[[str], tuple[object, ...]],
    drop: Iterable[object],
    add: Iterable[object],
) -> None:
    """Take lines out of one of danebot's own files and add others; all the rest stays as it is."""
    unwanted, wanted = {*drop}, [*add]

    def edit(old: str) -> str:
        kept = [line for line in old.splitlines() if not unwanted & {*parse(line)}]
        return "".join(f"{line}\n" for line in (*kept, *wanted))

    if unwanted or wanted:
        edit_text(path, edit)
