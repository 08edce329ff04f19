"""`danebot init` and `danebot deinit`: lineages put under care, and given back to certbot."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from danebot.domain.dns.tlsa import Declared
from danebot.domain.finding import Finding, Severity
from danebot.domain.rollover.findings.unprotected import unprotected
from danebot.domain.rollover.records.adoption import Standing
from danebot.domain.text import quoted, when
from danebot.errors import DanebotError, RolloverError, UnansweredError
from danebot.tuples import NamedTuple
from danebot.verbs.common import ATTENTION, FINE, OF_SERVICES, record_run, status_of

if TYPE_CHECKING:
    from pathlib import Path

    from danebot.console import Console
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.names import DnsName
    from danebot.domain.rollover.records.adoption import Intake
    from danebot.jobs.adopt import Search
    from danebot.jobs.context import Context
    from danebot.jobs.init import Initialised, StagedKeys

_NAMED = 4  # owners in a command that is proposed


class Told(enum.Enum):
    """What the operator says of TLSA records that can't be seen."""

    NOTHING = "nothing"
    UNANSWERED = "unanswered"  # go on without those who gave no answer
    NO_DANE = "no-dane"  # there are none


def init(console: Console, names: tuple[str, ...], *, told: Told, dry_run: bool) -> int:
    """Put lineages under danebot's care."""
    from danebot.domain.rollover.records.adoption import first_found
    from danebot.jobs.competing import competing
    from danebot.jobs.doctor import at_hand

    tree = console.tree()
    selected = tree.select(names)
    context = console.context(tree)
    if not selected:
        return _say_none(console, context)
    if dry_run:
        looked = _looked(context, selected)
        if any(isinstance(found, _Looked) for found in looked.values()):
            console.see_certbot()  # else that comes first: it is root's to read
        status, bare = FINE, []
        for name, found in looked.items():
            status = max(status, _init_dry(console, context, name, found, told))
            if isinstance(found, _Looked) and _goes_bare(found, told):
                bare.append(unprotected(name, first_found(found.state, found.search.found)))
        if console.report(bare) >= Severity.WARNING:
            status = ATTENTION
        console.say("nothing was changed")
        return status
    started = context.clock()
    status = FINE
    with console.locked():
        console.certbot()
        new = [name for name in selected if not tree.paths(name).staged]
        console.progress("looking for TLSA records that are published already")
        done, behind = [], list[Finding]()
        for name, found in _looked(context, selected).items():
            try:
                code, wrong = _init_one(console, context, name, found, told)
                status = max(status, code)
                behind += wrong
                done.append(name)
            except DanebotError as exc:
                console.warn(f"{name}: {exc}")
                status = ATTENTION
        beside = (*competing(context), *at_hand(context)) if status == FINE else ()
        return record_run(
            console,
            context,
            "init",
            started,
            status,
            findings=behind,
            superseded=lambda old: (
                old.lineage in new
                or (old.code in OF_SERVICES and any(one.where == old.lineage for one in behind))
            ),
            report=done,
            remarks=_remarks(beside),
        )


def _say_none(console: Console, context: Context) -> int:
    """Say that there is nothing to take on, and what is left of what was there."""
    from danebot.jobs.orphans import orphans
    from danebot.jobs.unknown import no_lineages

    console.report((*orphans(context), *no_lineages(context)))
    return ATTENTION


def _remarks(found: Sequence[Finding]) -> Iterator[str]:
    """What this host lacks, the first few in full; () where nothing was found."""
    yield from map(str, found[:_NAMED])
    if found:
        yield "whether this host has all that danebot needs, is told by: danebot doctor"


def _looked(context: Context, names: Sequence[str]) -> dict[str, _Looked | DanebotError]:
    """What the files and DNS say of each lineage, or why it can't be taken on."""
    from danebot.jobs.adopt import search_owners
    from danebot.jobs.watch import readable

    found: dict[str, _Looked | DanebotError] = {}
    states = []
    for name in names:
        try:
            states.append(readable(context, name))
        except DanebotError as exc:
            found[name] = exc
    searches = search_owners(context, states)
    for state in states:
        found[state.name] = _Looked(state, searches[state.name])
    return {name: found[name] for name in names}


class _Looked(NamedTuple):
    """A lineage's files, and what was found of owners that may be its own."""

    state: LineageState
    search: Search

    @property
    def in_doubt(self) -> bool:
        """Whether somebody gave no answer, and the operator didn't say that there is nothing."""
        silent = self.intake.unanswered or self.search.leads.unanswered
        return bool(silent) and self.state.declared is not Declared.NO_RECORDS

    @property
    def watches_nothing(self) -> bool:
        """Whether it will watch no record, and the operator didn't say that it has none."""
        watched = self.state.owners or self.intake.add
        return not watched and self.state.declared is not Declared.NO_RECORDS

    @property
    def intake(self) -> Intake:
        """What that comes to."""
        from danebot.domain.rollover.records.adoption import intake

        return intake(self.state, self.search.found)


def _init_one(
    console: Console, context: Context, name: str, found: _Looked | DanebotError, told: Told
) -> tuple[int, tuple[Finding, ...]]:
    """Put one lineage under care; return the exit status, and what is wrong with its services."""
    from danebot.domain.rollover.records.adoption import lead_on
    from danebot.jobs.adopt import where_looked
    from danebot.jobs.init import initialise
    from danebot.jobs.reloading import not_held, reload_notices
    from danebot.jobs.watch import declare_none, refused_now

    looked = _admitted(name, found, told)
    declares = told is Told.NO_DANE and looked.state.declared is Declared.NOTHING
    done = initialise(context, name, looked.intake.add)
    if declares:
        declare_none(context.tree.paths(name))
    paths = context.tree.paths(name)
    if done.changed:
        console.say(f"{name}: managed by danebot now; serve {paths.live}/combo.pem")
        if done.diff:
            console.say(done.diff.rstrip("\n"))
    elif not done.added and not declares:
        console.say(f"{name}: managed by danebot already; nothing to do")
    if declares:
        console.say(f"{name}: {paths.staging}/dane-ee says now that it has no TLSA records")
    elif done.changed or done.added:
        _say_owners(console, paths.staging, done)
        if done.owners and lead_on(looked.search.names):
            console.say(f"{name}: looked at {where_looked(looked.search)}")
    refusal = refused_now(context, name) if done.changed or done.added else None
    if refusal is not None and not refusal.unknown:
        until = f"before {when(refusal.until)}" if refusal.until is not None else "yet"
        console.say(
            f"{name}: but not {until}, since a service may have a former key, and senders may "
            f"refuse this one at {refusal.owner}"
        )
    for notice in (*not_held(context), *reload_notices(context, name)) if done.changed else ():
        console.say(str(notice))
    console.report(done.behind)
    return max(status_of(done.behind), _say_others(console, looked, told)), done.behind


def _admitted(name: str, found: _Looked | DanebotError, told: Told) -> _Looked:
    """What was found, if it allows the lineage to be taken on; else an error that says why not."""
    if isinstance(found, DanebotError):
        raise found
    intake = found.intake
    if told is Told.NO_DANE:
        watched = dict.fromkeys(line.owner for line in (*intake.add, *found.state.lines))
        present = dict.fromkeys((*watched, *intake.let_go))
        if present:
            first = f", and run first: danebot watch --remove {quoted(name, *watched)}"
            raise RolloverError(
                f"it has TLSA records that rely on its key, or that it watches: "
                f"{', '.join(map(str, present))}; remove them from DNS{first if watched else ''}"
            )
    elif told is Told.NOTHING and found.in_doubt:
        raise UnansweredError(
            f"no answer, so nobody knows whether it has TLSA records: {found.search.unanswered}; "
            "nothing was changed. See that the resolver answers and run this again, or go on "
            f"without: danebot init --although-unanswered {quoted(name)}"
        )
    return found


def _say_owners(console: Console, staging: Path, done: Initialised) -> None:
    name = done.name
    if done.owners:
        console.say(f"{name}: TLSA records are watched as {staging}/dane-ee says:")
        for owner in done.owners:
            console.say(f"  {owner}")
    console.say(f"{name}: the live key's record is: {done.record}")


def _say_others(console: Console, looked: _Looked, told: Told) -> int:
    """Where no owner was found, where it was looked; and owners that aren't watched, and why."""
    from danebot.domain.rollover.records.adoption import by_host
    from danebot.jobs.adopt import where_looked

    name, intake = looked.state.name, looked.intake
    watched = bool(looked.state.owners or intake.add)
    if not watched and told is not Told.NO_DANE:
        if looked.state.declared is Declared.NO_RECORDS and not intake.denied:
            return FINE
        console.say(
            f"{name}: looked for TLSA records at {where_looked(looked.search)}: "
            f"{_outcome(looked)}; those of other owners are watched by: "
            f"danebot watch {quoted(name)} _PORT._tcp.HOST"
        )
    for words, owners in (
        ("another host's, by their records and the service there", intake.foreign),
        ("let go in dane-ee", intake.let_go),
    ):
        if owners:
            mine = f"; to watch them again: danebot watch {quoted(name, *_first(owners))}"
            again = mine if owners is intake.let_go else ""
            console.say(f"{name}: not watched, being {words}: {by_host(owners)}{again}")
    if intake.idle and watched:
        words = "as a wildcard gives them records and no service of it answers there"
        console.say(f"{name}: not watched, {words}: {by_host(intake.idle)}")
    doubts = [
        ("are of another key, and no service there tells whose they are", intake.untold),
        ("gave no answer", intake.unanswered if told is Told.UNANSWERED else ()),
        ("are published, though dane-ee says that there are none", intake.denied),
    ]
    if intake.idle and not watched:
        doubts.append(("come from a wildcard, and no service answers there", intake.idle))
    status = FINE
    for words, owners in doubts:
        if owners:
            known = owners is intake.denied or owners is intake.unanswered
            let_go = f"; if not: danebot watch --remove {quoted(name, *_first(owners))}"
            console.warn(
                f"{name}: not watched, since TLSA records of {by_host(owners)} {words}; "
                f"if they are to be: danebot watch {quoted(name, *_first(owners))}"
                + ("" if known else let_go)
            )
            status = ATTENTION
    return status


def _goes_bare(found: _Looked, told: Told) -> bool:
    """Whether a lineage is taken on that then watches nothing."""
    refused = told is Told.NOTHING and found.in_doubt
    return found.watches_nothing and told is not Told.NO_DANE and not refused


def _outcome(looked: _Looked) -> str:
    """What a search came to that found nothing to watch."""
    found = looked.search.standing(*(set(Standing) - {Standing.ABSENT, Standing.UNANSWERED}))
    if found:
        return "found none to watch"
    return "found none where an answer came" if looked.in_doubt else "found none"


def _first(owners: Sequence[DnsName]) -> Sequence[object]:
    """Owners to name in a command: all, unless these are too many."""
    return owners if len(owners) <= _NAMED else (owners[0], "...")


def _init_dry(
    console: Console, context: Context, name: str, found: _Looked | DanebotError, told: Told
) -> int:
    from danebot.jobs.init import stageable

    paths = context.tree.paths(name)
    try:
        managed = paths.staged
        looked = _admitted(name, found, told)
        if not managed:
            stageable(context, name)
    except DanebotError as exc:
        console.warn(f"{name}: {exc}")
        return ATTENTION
    if managed:
        console.say(f"{name}: managed by danebot already")
    else:
        console.say(f"{name}: would lead certbot to {paths.staging}, with the key kept")
    intake = looked.intake
    for line in intake.add:
        console.say(f"{name}: would watch {line}")
    if told is Told.NO_DANE:
        console.say(f"{name}: would write to dane-ee that it has no TLSA records")
    status = _say_others(console, looked, told)
    key = looked.state.current_key
    for owner in intake.mismatched if key is not None else ():
        console.warn(
            f"{name}: CRITICAL: no TLSA record at {owner} matches the live key "
            f"(3 1 1 {key.digest.hex() if key is not None else ''})"
        )
        status = ATTENTION
    return status


def _refused(console: Console, question: str) -> bool:
    """Ask on a terminal; return whether nothing is to be done."""
    if not console.asks() or click.confirm(question, err=True):
        return False
    console.say("nothing was changed")
    return True


def deinit(console: Console, names: tuple[str, ...], *, drop_keys: bool, dry_run: bool) -> int:
    """Give lineages back to certbot."""
    from danebot.jobs.init import StagedKeys, finish, unfinished

    tree = console.tree()
    selected = tree.select(names)
    staged = tuple(n for n in selected if tree.paths(n).staged)
    others = tuple(n for n in selected if n not in staged)
    begun = unfinished(tree, others)
    for name in names:
        if name in others:
            todo = "an earlier deinit is to be finished" if begun else "nothing to do"
            console.say(f"{name}: not managed by danebot; {todo}")
    context = console.context(tree)
    keys = StagedKeys.DROP if drop_keys else StagedKeys.REFUSE
    read = _say_readers(console, context, staged)
    if dry_run:
        return _deinit_dry(console, context, staged, keys)
    if read and _refused(console, "give them back all the same?"):
        return ATTENTION
    if not staged and not begun:
        return FINE
    started = context.clock()
    status = ATTENTION if read else FINE
    with console.locked():
        for hook in finish(tree, others):
            console.warn(hook)
            status = ATTENTION
        for name in staged:
            status = max(status, _give_back(console, context, name, keys))
        return record_run(
            console,
            context,
            "deinit",
            started,
            status,
            superseded=lambda old: old.lineage in staged,
        )


def _give_back(console: Console, context: Context, name: str, keys: StagedKeys) -> int:
    """Give one lineage back, and say what that leaves; return the exit status."""
    from danebot.jobs.init import deinitialise

    try:
        diff, kept, hooks = deinitialise(context, name, keys)
    except DanebotError as exc:
        console.warn(f"{name}: {exc}")
        return ATTENTION
    live = context.tree.paths(name).live
    console.say(f"{name}: certbot's again; reuse_key stays set")
    status = _say_other_key(console, context, name)
    console.say(f"{name}: {live}/combo.pem is no longer kept up to date: serve")
    console.say(f"  {live}/fullchain.pem and {live}/privkey.pem")
    for file in kept:
        console.say(f"{name}: what lay in staging/ and may be a key is kept as {file}")
    for hook in hooks:
        console.warn(f"{name}: {hook}")
        status = ATTENTION
    if diff:
        console.say(diff.rstrip("\n"))
    return status


def _say_other_key(console: Console, context: Context, name: str) -> int:
    """Name what in ``cli.ini`` stops certbot, which renews no kept key by settings for another."""
    import os

    from danebot.adapters.certbot.cli_ini import settings

    key = context.tree.read(name).current_key
    if key is None or key.key_type is None:
        return FINE
    said = settings(context.tree.root, {**os.environ, **context.settings.environment})
    kept = {n.replace("_", "-"): value for n, value in key.key_type.conf_settings.items()}
    asked = [f"{n} {said[n]}" for n, value in kept.items() if said.get(n, value) != value]
    if not asked:
        return FINE
    console.warn(
        f"{name}: certbot's next renewal fails, since cli.ini asks for {' and '.join(asked)}, "
        "and reuse_key keeps another key: take that out of cli.ini"
    )
    return ATTENTION


def _say_readers(console: Console, context: Context, names: Sequence[str]) -> bool:
    """Name the services that read a ``combo.pem`` which nobody will keep; whether there are any."""
    from danebot.adapters.services import readers_of_each

    combos = {name: context.tree.paths(name).live / "combo.pem" for name in names}
    found, whole = readers_of_each(combos.values())
    for name, combo in combos.items():
        for reader in found.get(combo, ()):
            console.warn(
                f"{name}: {reader} reads {combo}, which nobody keeps up to date then: "
                f"have it read {combo.parent}/fullchain.pem and {combo.parent}/privkey.pem"
            )
        if not whole:
            console.warn(f"{name}: /etc has too many files; others may read {combo}, too")
    return any(found.values())


def _deinit_dry(console: Console, context: Context, names: Sequence[str], keys: StagedKeys) -> int:
    from danebot.jobs.init import refuse_deinit

    status = FINE
    for name in names:
        try:
            kept = refuse_deinit(context, name, keys)
        except DanebotError as exc:
            console.warn(f"{name}: {exc}")
            status = ATTENTION
            continue
        console.say(f"{name}: would be given back to certbot")
        status = max(status, _say_other_key(console, context, name))
        for file in kept:
            console.say(f"{name}: would keep what lies in staging/ and may be a key as {file}")
    console.say("nothing was changed")
    return status
