"""`danebot init` and `danebot deinit`: lineages put under care, and given back to certbot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from danebot.errors import DanebotError
from danebot.verbs.common import ATTENTION, FINE, record_run

if TYPE_CHECKING:
    from danebot.adapters.tree import Tree
    from danebot.console import Console
    from danebot.jobs.context import Context
    from danebot.jobs.init import StagedKeys


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
    status = FINE
    with console.locked():
        new = [name for name in selected if not tree.paths(name).staging.is_dir()]
        console.detail("looking for TLSA records that are published already")
        owners = published_owners(context, [tree.read(name) for name in new])
        for name in selected:
            try:
                done = initialise(context, name, owners.get(name, ()))
            except DanebotError as exc:
                console.warn(f"{name}: {exc}")
                status = ATTENTION
                continue
            if not done.changed:
                console.say(f"{name}: managed by danebot already; nothing to do")
                continue
            console.say(f"{name}: managed by danebot now; serve {tree.paths(name).live}/combo.pem")
            if done.diff:
                console.say(done.diff.rstrip("\n"))
            _say_owners(console, tree, name, done.owners, done.record)
        status = record_run(
            console,
            context,
            "init",
            started,
            status,
            superseded=lambda old: old.lineage in new,
        )
    if status == FINE:
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
    from danebot.jobs.init import published_owners, stageable

    tree = context.tree
    new = [name for name in names if not tree.paths(name).staging.is_dir()]
    owners = published_owners(context, [tree.read(name) for name in new])
    status = FINE
    for name in names:
        if name not in new:
            console.say(f"{name}: managed by danebot already")
            continue
        try:
            stageable(context, name)
        except DanebotError as exc:
            console.warn(f"{name}: {exc}")
            status = ATTENTION
            continue
        console.say(f"{name}: would lead certbot to {tree.paths(name).staging}, with the key kept")
        for owner in owners[name]:
            console.say(f"{name}: would watch {owner}")
    console.say("nothing was changed")
    return status


def deinit(console: Console, names: tuple[str, ...], *, drop_keys: bool, dry_run: bool) -> int:
    """Give lineages back to certbot."""
    from danebot.jobs.init import StagedKeys, deinitialise, remove_remains

    tree = console.tree()
    staged = tuple(n for n in tree.select(names) if tree.paths(n).staging.is_dir())
    for name in names:
        if name not in staged:
            console.say(f"{name}: not managed by danebot; nothing to do")
    context = console.context(tree)
    keys = StagedKeys.DROP if drop_keys else StagedKeys.REFUSE
    if dry_run:
        return _deinit_dry(console, context, staged, keys)
    remains = tree.root / "staging"
    if not staged and not remains.is_dir():
        return FINE
    started = context.clock()
    status = FINE
    with console.locked():
        remove_remains(remains)
        for name in staged:
            try:
                diff = deinitialise(context, name, keys)
            except DanebotError as exc:
                console.warn(f"{name}: {exc}")
                status = ATTENTION
                continue
            live = tree.paths(name).live
            console.say(f"{name}: certbot's again; reuse_key stays set")
            console.say(f"{name}: {live}/combo.pem is no longer kept up to date: serve")
            console.say(f"  {live}/fullchain.pem and {live}/privkey.pem")
            if diff:
                console.say(diff.rstrip("\n"))
        return record_run(
            console,
            context,
            "deinit",
            started,
            status,
            superseded=lambda old: old.lineage in staged,
        )


def _deinit_dry(console: Console, context: Context, names: Sequence[str], keys: StagedKeys) -> int:
    from danebot.jobs.init import refuse_deinit

    status = FINE
    for name in names:
        try:
            refuse_deinit(context, name, keys)
        except DanebotError as exc:
            console.warn(f"{name}: {exc}")
            status = ATTENTION
            continue
        console.say(f"{name}: would be given back to certbot")
    console.say("nothing was changed")
    return status
