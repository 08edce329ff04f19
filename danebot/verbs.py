"""The verbs: each takes a console and options, runs its job, prints, and returns an exit status."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.findings import Code, Finding, Severity
from danebot.errors import DanebotError, RolloverError

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.adapters.locks import TreeLock
    from danebot.adapters.tree import Tree
    from danebot.console import Console
    from danebot.domain.keytype import KeyType
    from danebot.jobs.context import Context
    from danebot.jobs.renew import Outcome
    from danebot.jobs.snapshot import Scope
    from danebot.jobs.survey import LineageView

_FINE, _ATTENTION = 0, 1


def dump(value: object) -> str:
    """A value as JSON that people can read, too."""
    from danebot.adapters.codec import encode

    return json.dumps(encode(value), indent=1)


def record_run(
    console: Console,
    context: Context,
    verb: str,
    started: datetime,
    status: int,
) -> int:
    """Write the public snapshot after a run; failing to is a problem of its own."""
    from danebot.jobs.snapshot import Scope, write_snapshot
    from danebot.jobs.survey import survey

    try:
        views = survey(context, context.tree.names()).views
        write_snapshot(
            context.settings.snapshot,
            verb=verb,
            scope=Scope.EVERYTHING,
            started=started,
            ended=context.clock(),
            exit_status=status,
            views=views,
            findings=(),
        )
    except DanebotError as exc:
        _say_unwritten(console, exc, status)
        return _ATTENTION
    return status


def _say_unwritten(console: Console, exc: DanebotError, status: int) -> None:
    """The status document couldn't be written: news only if that is all that is wrong.

    Whatever keeps a run from writing there has usually stopped it before, and was said then.
    """
    say = console.warn if status == _FINE else console.detail
    say(f"the status document could not be written: {exc}")


def _write_textfile(console: Console, status: int) -> int:
    """The metrics of a run, where they are wanted."""
    from danebot.jobs.textfile import write_textfile

    reason = write_textfile(console.settings)
    if reason:
        console.warn(reason)
    return _ATTENTION if reason else status


# ---- renew ----------------------------------------------------------------------------------


def renew(console: Console, names: tuple[str, ...], *, dry_run: bool, as_json: bool) -> int:
    """The daily job."""
    tree = console.tree()
    selected = tree.select(names)
    context = console.context(tree)
    if dry_run:
        return _renew_dry(console, context, selected)
    from danebot.jobs.snapshot import Scope, lineage_statuses

    scope = Scope.SOME if names else Scope.EVERYTHING
    started = context.clock()
    with console.locked() as lock:
        outcome, status = run_renewal(
            console, context, lock, selected, scope=scope, started=started
        )
    status = _write_textfile(console, status)
    console.report(outcome.findings)
    if as_json:
        console.say(dump({"lineages": lineage_statuses(outcome.views)}))
    else:
        say_removals(console, outcome.findings, outcome.views)
    return status


def run_renewal(
    console: Console,
    context: Context,
    lock: TreeLock,
    names: Sequence[str],
    *,
    scope: Scope,
    started: datetime,
    verb: str = "renew",
) -> tuple[Outcome, int]:
    """Do the daily job for ``names`` and publish what came of it; the exit status with it."""
    from danebot.jobs.renew import renew as job
    from danebot.jobs.snapshot import write_snapshot

    outcome = job(context, console.certbot(), lock, names, scope)
    worst = max((f.severity for f in outcome.findings), default=Severity.INFO)
    status = _ATTENTION if worst >= Severity.WARNING else _FINE
    context.tree.reader.keep()
    try:
        write_snapshot(
            console.settings.snapshot,
            verb=verb,
            scope=scope,
            started=started,
            ended=context.clock(),
            exit_status=status,
            views=outcome.views,
            findings=outcome.findings,
        )
    except DanebotError as exc:
        stopped = any(f.code is Code.FILES_BROKEN for f in outcome.findings)
        _say_unwritten(console, exc, _ATTENTION if stopped else _FINE)
        status = _ATTENTION
    return outcome, status


def say_removals(
    console: Console, findings: Iterable[Finding], views: Sequence[LineageView]
) -> None:
    """On the run that found an old key out of use, the records that may go now."""
    retired = {f.lineage for f in findings if f.code is Code.RETIRED}
    for view in views:
        if view.state.name in retired and not console.settings.publish(view.state.name).in_renew:
            for record in view.publication.remove:
                console.say(f"danebot: {view.state.name}: remove: {record}")


def _renew_dry(console: Console, context: Context, names: Sequence[str]) -> int:
    """What a run would do, with nothing changed."""
    from danebot.jobs.survey import survey

    found = survey(context, names)
    for finding in found.unreadable:
        console.warn(str(finding))
    for view in found.views:
        console.say(f"{view.state.name}: {planned_words(view)}")
        if context.settings.publish(view.state.name).in_renew:
            for line in planned_changes(console, view):
                console.say(line)
        for finding in view.findings:
            if finding.severity >= Severity.WARNING:
                console.warn(str(finding))
    console.say("nothing was changed")
    return _ATTENTION if found.unreadable else _FINE


def planned_changes(console: Console, view: LineageView) -> list[str]:
    """What would be published for a lineage, in lines."""
    name = view.state.name
    method = console.settings.publish(name).method.value
    return [
        f"{name}: would {word} ({method}): {record}"
        for word, records in (("add", view.publication.add), ("remove", view.publication.remove))
        for record in records
    ]


def planned_words(view: LineageView) -> str:
    """What a run would do with a lineage, in words."""
    from danebot.domain.rollover import Phase

    plan = view.plan
    if plan.phase is Phase.BROKEN:
        return "would first heal what an interrupted run left, then go on"
    if plan.step is not None:
        return f"would {plan.step.value}"
    waiting = f", waiting: {plan.hold.value}" if plan.hold is not None else ""
    return f"{plan.phase.value}{waiting}; certbot would renew it when due"


# ---- init and deinit ------------------------------------------------------------------------


def init(console: Console, names: tuple[str, ...], *, dry_run: bool) -> int:
    """Put lineages under danebot's care."""
    from danebot.adapters.timers import competing_jobs
    from danebot.jobs.init import initialise, published_owners

    tree = console.tree()
    selected = tree.select(names)
    context = console.context(tree)
    if dry_run:
        return _init_dry(console, context, selected)
    console.certbot()
    started = context.clock()
    status = _FINE
    with console.locked():
        new = [name for name in selected if not tree.paths(name).staging.is_dir()]
        console.detail("looking for TLSA records that are published already")
        owners = published_owners(context, [tree.read(name) for name in new])
        for name in selected:
            try:
                done = initialise(context, name, owners.get(name, ()))
            except DanebotError as exc:
                console.warn(f"{name}: {exc}")
                status = _ATTENTION
                continue
            if not done.changed:
                console.say(f"{name}: managed by danebot already; nothing to do")
                continue
            console.say(f"{name}: managed by danebot now; serve {tree.paths(name).live}/combo.pem")
            if done.diff:
                console.say(done.diff.rstrip("\n"))
            _say_owners(console, tree, name, done.owners, done.record)
        status = record_run(console, context, "init", started, status)
    if status == _FINE:
        for job in competing_jobs():
            console.warn(f"certbot is still run beside danebot: {job}")
    return status


def _say_owners(
    console: Console, tree: Tree, name: str, owners: Sequence[object], record: str
) -> None:
    path = tree.paths(name).staging / "dane-ee"
    if owners:
        console.say(f"{name}: TLSA records are watched as {path} says:")
        for owner in owners:
            console.say(f"  {owner}")
        console.say(f"{name}: the live key's record is: {record}")
        return
    console.warn(
        f"{name}: no TLSA records were found, so nothing protects a rollover yet; "
        f"publish {record} and list its owners in {path}, a line each: 1 _25._tcp.HOST"
    )


def _init_dry(console: Console, context: Context, names: Sequence[str]) -> int:
    from danebot.jobs.init import published_owners

    tree = context.tree
    new = [name for name in names if not tree.paths(name).staging.is_dir()]
    owners = published_owners(context, [tree.read(name) for name in new])
    for name in names:
        if name not in new:
            console.say(f"{name}: managed by danebot already")
            continue
        console.say(f"{name}: would lead certbot to {tree.paths(name).staging}, with the key kept")
        for owner in owners[name]:
            console.say(f"{name}: would watch {owner}")
    console.say("nothing was changed")
    return _FINE


def deinit(console: Console, names: tuple[str, ...], *, drop_keys: bool, dry_run: bool) -> int:
    """Give lineages back to certbot."""
    from danebot.jobs.init import StagedKeys, deinitialise, remove_remains

    tree = console.tree()
    staged = tuple(n for n in tree.select(names) if tree.paths(n).staging.is_dir())
    for name in names:
        if name not in staged:
            console.say(f"{name}: not managed by danebot; nothing to do")
    if dry_run:
        for name in staged:
            console.say(f"{name}: would be given back to certbot")
        console.say("nothing was changed")
        return _FINE
    remains = tree.root / "staging"
    if not staged and not remains.is_dir():
        return _FINE
    context = console.context(tree)
    started = context.clock()
    status = _FINE
    with console.locked():
        remove_remains(remains)
        for name in staged:
            try:
                diff = deinitialise(
                    context, name, StagedKeys.DROP if drop_keys else StagedKeys.REFUSE
                )
            except DanebotError as exc:
                console.warn(f"{name}: {exc}")
                status = _ATTENTION
                continue
            live = tree.paths(name).live
            console.say(f"{name}: certbot's again; reuse_key stays set")
            console.say(f"{name}: {live}/combo.pem is no longer kept up to date: serve")
            console.say(f"  {live}/fullchain.pem and {live}/privkey.pem")
            if diff:
                console.say(diff.rstrip("\n"))
        return record_run(console, context, "deinit", started, status)


# ---- newkey ---------------------------------------------------------------------------------


def newkey(
    console: Console,
    name: str,
    *,
    key_type: str | None,
    form: str,
    adopt: Path | None,
    cancel: bool,
    unprotected: bool,
) -> int:
    """Stage, adopt or cancel a next key."""
    from danebot.jobs.newkey import Protection, Source, stage
    from danebot.jobs.newkey import cancel as drop

    tree = console.tree()
    context = console.context(tree)
    wanted = _key_type(key_type) if key_type else None
    started = context.clock()
    with console.locked():
        if cancel:
            digest = drop(context, name)
            console.say(f"{name}: the next key is dropped: {digest}")
            return record_run(console, context, "newkey", started, _FINE)
        protection = Protection.WAIVED if unprotected else Protection.REQUIRED
        current = tree.read(name).current_key
        staged = stage(context, name, wanted, adopt, protection)
        status = record_run(console, context, "newkey", started, _FINE)
    from danebot.render import nsupdate_lines, zone_lines

    if wanted is None and adopt is None and current is not None:
        notice = console.settings.key_type_notice(name, current.key_type)
        if notice:
            console.warn(notice)
    digest = staged.key.digest.hex()
    if staged.source is Source.STANDING:
        console.say(f"{name}: the key {digest}, which stands by, is used by the next danebot renew")
        return status
    if not staged.records:
        console.say(f"{name}: the next key is staged; its record data: 3 1 1 {digest}")
        return status
    if form == "zone":
        if console.settings.publish(name).in_renew:
            console.say(
                f"; {name}: danebot renew adds these records, and keeps those that are there"
            )
        else:
            console.say(f"; {name}: ADD these records, and keep those that are there")
        lines = zone_lines(staged.records)
    else:
        lines = nsupdate_lines(staged.records)
    for line in lines:
        click_echo(line)
    return status


def click_echo(line: str) -> None:
    """Print a line that was asked for, -q or not."""
    import click

    click.echo(line)


def _key_type(text: str) -> KeyType:
    from danebot.domain.keytype import KeyType

    try:
        return KeyType(text.lower().replace("-", ""))
    except ValueError:
        known = ", ".join(kind.value for kind in KeyType)
        raise RolloverError(f"there is no key type {text!r}; known are: {known}") from None
