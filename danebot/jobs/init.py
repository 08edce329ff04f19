"""`danebot init` and `deinit`: put a lineage under danebot's care, and give it back.

Both are made of steps that may be repeated, in an order in which a crash leaves a tree that the
same command, or a renew, completes: staging is filled beside and renamed into place before
certbot's configuration leads there; the configuration leads back before staging goes.
"""

from __future__ import annotations

import difflib
import enum
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot.held_hooks import any_kept, any_staged, give_back, hold
from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS
from danebot.adapters.files import (
    copy_file,
    leftovers,
    move,
    read_bytes,
    remove_leftovers,
    rewrite_file,
    rewritten,
    sync,
)
from danebot.adapters.presence import ABSENT, is_there, permissions, unreadable
from danebot.adapters.replacing import replace, sync_directory, temporary
from danebot.adapters.tree import changes
from danebot.adapters.tree.kept_conf import keep_conf
from danebot.adapters.tree.memory_file import recall
from danebot.adapters.tree.paths import COMBO, DANE_EE, DNSNAMES, NEXT, READY, LineagePaths
from danebot.adapters.tree.recovery import new_links, recover
from danebot.adapters.tree.soundness import staged_conf
from danebot.adapters.tree.tree import refuse_link
from danebot.domain.dns.tlsa import edit_dane_ee
from danebot.domain.event import Event, EventKind
from danebot.domain.rollover.steps.phases import Keep, Observation, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.text import quoted
from danebot.errors import DanebotError, RolloverError, TreeError
from danebot.jobs.observing import chain_distrust, observe_dns, read_lineage, remembered
from danebot.jobs.watch import ask_services, edit_watched, remember_look
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from danebot.adapters.tree.tree import Tree
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.finding import Finding
    from danebot.domain.lineage.state import LineageState
    from danebot.domain.rollover.evidence.memory import Memory
    from danebot.jobs.context import Context


class StagedKeys(enum.Enum):
    """What `deinit` does with keys on their way."""

    REFUSE = "refuse"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `initialise` did: the conf's diff ("" if unchanged), and the lines that it ``added``.

    ``owners`` are all lines that are watched, ``record`` is the ``3 1 1`` record data of the
    current key.  ``behind`` tells of services that don't serve what is live.
    """

    name: str
    changed: bool
    diff: str
    added: tuple[Required, ...]
    owners: tuple[Required, ...]
    record: str
    behind: tuple[Finding, ...] = ()


def initialise(context: Context, name: str, lines: tuple[Required, ...]) -> Initialised:
    """Put one lineage under danebot's care, and watch ``lines``; the caller holds the locks.

    Idempotent: what is there already stays, and only what lacks is done.
    """
    tree = context.tree
    paths = tree.paths(name)
    _remove_leftovers(paths)
    changed = False
    if paths.staged:
        remembered(context, name)  # what is wrong with it is said before anything is changed
    if not paths.staged:
        _create_staging(paths, stageable(context, name), lines)
        changed = True
    elif lines:
        edit_watched(paths, add=lines)
    hold(tree.root)
    diff = _redirect_conf(context, paths)
    recover(tree, name)
    keep_conf(paths)
    if changed or not is_there(paths.live / COMBO):
        state = tree.read(name)
        held = state.staged
        if held is not None and held.same_content(state.live) and held.version is not None:
            changes.make_live(paths, held.version, context.settings.combo_access)
    seen = remember_look(context, name) if changed or diff or lines else {}
    behind = ask_services(context, name, seen) if changed or lines else ()
    state = tree.read(name)
    key = state.current_key
    if changed or diff:
        text = "danebot decides from now on what it serves"
        context.record(Event(context.clock(), EventKind.INITIALISED, name, text))
    return Initialised(
        name,
        changed or bool(diff),
        diff,
        lines,
        state.required or (),
        f"3 1 1 {key.digest.hex()}" if key is not None else "",
        behind,
    )


def _remove_leftovers(paths: LineagePaths) -> None:
    """What a crash left wherever `initialise` and `deinitialise` write."""
    for directory in (paths.staging.parent, *_written(paths)):
        remove_leftovers(directory)


def _written(paths: LineagePaths) -> tuple[Path, ...]:
    """Where both write, but for staging."""
    return paths.live, paths.archive, paths.conf.parent


def stageable(context: Context, name: str) -> int:
    """The live version that staging can begin with, or an error that says why it can't."""
    tree = context.tree
    paths = tree.paths(name)
    live = tree.linked(paths, paths.live)
    if live is None or live.version is None:
        raise TreeError(
            f"{paths.live} doesn't lead to one complete version; let certbot mend it first: "
            f"certbot renew --cert-name {quoted(name)}"
        )
    combo = tree.reader.combo(paths.live / COMBO)
    if combo is not None and combo.key != live.key:
        raise RolloverError(
            f"{paths.live / COMBO} is left from earlier and holds another key than the links "
            "beside it; have the services use fullchain.pem and privkey.pem there, remove "
            "combo.pem, and run this again"
        )
    return live.version


def _create_staging(paths: LineagePaths, version: int, lines: tuple[Required, ...]) -> None:
    """A copy of live with its own links, renamed into place when it is whole."""
    staging = paths.staging
    new = temporary(staging.parent)
    try:
        staging.parent.mkdir(mode=0o700, exist_ok=True)
        sync_directory(staging.parent.parent)
        new.mkdir(mode=0o700)
        replace(*new_links(paths, new, version))
        for file in ("README", DANE_EE, DNSNAMES):
            if is_there(paths.live / file):
                refuse_link(paths.live / file)
                copy_file(paths.live / file, new / file, 0o644)
        if lines:
            old = read_bytes(new / DANE_EE).decode() if (new / DANE_EE).exists() else ""
            rewrite_file(new / DANE_EE, edit_dane_ee(old, add=lines).encode(), 0o644)
        new.chmod(paths.live.stat().st_mode & 0o777)
        sync_directory(new)
    except OSError as exc:
        shutil.rmtree(new, ignore_errors=True)
        raise TreeError(f"cannot create {staging}: {exc.strerror}; nothing was changed") from exc
    except DanebotError:
        shutil.rmtree(new, ignore_errors=True)
        raise
    move(new, staging)


def _redirect_conf(context: Context, paths: LineagePaths) -> str:
    """Lead certbot's configuration to staging; the diff, "" if it leads there already."""
    conf = context.tree.conf(paths.name)
    held = context.tree.linked(paths, paths.staging)
    new = staged_conf(conf, paths, held.key if held is not None else None)
    if new.text == conf.text:
        return ""
    return _replace_conf(paths, conf.text, new.text)


def _replace_conf(paths: LineagePaths, old: str, new: str) -> str:
    mode = permissions(paths.conf)
    original = paths.conf.with_name(paths.conf.name + ".orig")
    replace(
        rewritten(original, old.encode(), mode, paths.conf),
        rewritten(paths.conf, new.encode(), mode),
    )
    return "".join(
        difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            str(original),
            str(paths.conf),
            n=0,
        )
    )


# ---- the way back ---------------------------------------------------------------------------


class GivenBack(NamedTuple):
    """What `deinitialise` did: certbot's configuration as a diff, and where staged keys are now.

    ``hooks`` are sentences on deploy hooks that stay where they were kept.
    """

    diff: str
    kept: tuple[Path, ...]
    hooks: tuple[str, ...] = ()


def deinitialise(context: Context, name: str, keys: StagedKeys) -> GivenBack:
    """Give one lineage back to certbot.  The caller holds the locks.

    Raises `RolloverError` while a key is on its way, unless ``keys`` says to drop it.
    """
    tree = context.tree
    paths = tree.paths(name)
    if tree.points_at_staging(name):
        _settle(context, paths, keys)
    elif paths.staged:  # a crash of deinit, or a configuration out of a backup
        _refuse_keys(paths, tree.read(name), keys)
    conf = tree.conf(name)
    new = conf.edited(
        top={
            setting: str(paths.live / f"{setting}.pem")
            for setting in PATH_SETTINGS
            if conf.top(setting) != str(paths.live / f"{setting}.pem")
        }
    ).with_hook_given_back()
    _remove_leftovers(paths)
    files = changes.key_files(paths)  # what can't be told stops it while nothing is changed
    diff = _replace_conf(paths, conf.text, new.text) if new.text != conf.text else ""
    kept = changes.keep_given_up(paths, files)
    hooks = () if any_staged(tree.root, but=name) else give_back(tree.root)
    # nobody looks there any more for what a power cut brings back of what was removed
    sync(paths.conf.parent, paths.live, paths.archive)
    _remove_staging(paths)
    text = "it is certbot's again"
    context.record(Event(context.clock(), EventKind.GIVEN_BACK, name, text))
    return GivenBack(diff, kept, hooks)


def refuse_deinit(context: Context, name: str, keys: StagedKeys) -> tuple[Path, ...]:
    """Return what `deinitialise` would keep, and where.

    Raises what it would, as far as that can be told without changing anything.
    """
    context.tree.conf(name)
    paths = context.tree.paths(name)
    _refuse_keys(paths, context.tree.read(name), keys)
    return tuple(changes.kept_as(paths, file) for file in changes.key_files(paths))


def _settle(context: Context, paths: LineagePaths, keys: StagedKeys) -> None:
    """Bring live to a version that certbot can go on from, with its own key beside it."""
    tree = context.tree
    recover(tree, paths.name)
    state, _ = read_lineage(context, paths.name)
    _refuse_keys(paths, state, keys)
    serving, staged = state.serving, state.staged
    if serving is None or staged is None or staged.version is None:
        raise TreeError(f"{paths.name}: {'; '.join(state.faults) or 'nothing usable is live'}")
    version = staged.version
    if not staged.same_content(serving) and not _deployable(context, state):
        version = changes.put_back(paths, serving, staged, Keep.NOWHERE)
    changes.make_live(paths, version, context.settings.combo_access)
    for file in (DANE_EE, DNSNAMES):
        source = paths.staging / file
        if is_there(source):
            refuse_link(source)
            copy_file(source, paths.live / file, 0o644)
    if state.remembered and state.required is not None:  # lost, but never let go
        live = paths.live / DANE_EE
        text = read_bytes(live).decode("utf-8") if live.is_file() else ""
        rewrite_file(live, edit_dane_ee(text, add=state.remembered).encode(), 0o644)


def _refuse_keys(paths: LineagePaths, state: LineageState, keys: StagedKeys) -> None:
    if keys is StagedKeys.DROP:
        return
    memory, damage = recall(paths)
    if damage:
        raise RolloverError(
            f"{damage}, so nobody knows which keys and revocations are on their way; begin anew "
            "with danebot renew, or give them up with --drop-keys"
        )
    on_their_way = _keys_on_their_way(paths, state, memory)
    if on_their_way:
        raise RolloverError(
            f"there are keys that may be published: {', '.join(on_their_way)}; "
            f"finish the rollover (danebot status {quoted(paths.name)}), or give them up with "
            "--drop-keys"
        )
    if memory.revocations:
        raise RolloverError(
            "certificates of a compromised key are still to be revoked; run danebot renew until "
            "that is done, or give it up with --drop-keys"
        )


def _keys_on_their_way(paths: LineagePaths, state: LineageState, memory: Memory) -> list[str]:
    files = [f for f, found in ((NEXT, state.next), (READY, state.ready)) if found is not None]
    files += [unknown.file for unknown in state.unknown]
    files += [f"the cancelled key {key.digest.hex()[:16]}" for key in memory.cancelled]
    staged = state.staged
    safe = staged is None or staged.key == state.current_key
    if not safe and staged is not None and not files:
        files.append(str(paths.archived("privkey", staged.version or 0)))
    return files


def _deployable(context: Context, state: LineageState) -> bool:
    """Whether the plan would deploy what is staged; without DNS only the live key may be."""
    seen = observe_dns(context, [state])
    now = context.clock()
    policy = context.settings.policy(state.name)
    memory = remember(remembered(context, state.name), state, seen, now)
    observation = Observation(state, seen, chain_distrust(context, state))
    planned = plan(observation, memory, policy, now)
    return planned.step is Step.DEPLOY and not planned.relies


def _remove_staging(paths: LineagePaths) -> None:
    """Take staging away in one rename, then empty it."""
    if paths.staged:
        move(paths.staging, temporary(paths.staging.parent))
    _remove_remains(paths.staging.parent)


def unfinished(tree: Tree, names: Collection[str]) -> bool:
    """Whether an earlier `deinitialise` left something of ``names``, which aren't staged, to do.

    It may have been interrupted, or the system refused it.  Raises where that can't be told.
    """
    staging = tree.root / "staging"
    if leftovers(staging):
        return True
    if not any_staged(tree.root) and (any_kept(tree.root) or _is_empty(staging)):
        return True
    return any(leftovers(directory) for name in names for directory in _written(tree.paths(name)))


def _is_empty(directory: Path) -> bool:
    try:
        return not os.listdir(directory)
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(directory, exc) from exc


def finish(tree: Tree, names: Collection[str]) -> tuple[str, ...]:
    """Do what `unfinished` found; a sentence on each deploy hook that stays where it is kept.

    The caller holds the locks.
    """
    _remove_remains(tree.root / "staging")
    for name in names:
        for directory in _written(tree.paths(name)):
            remove_leftovers(directory)
    return () if any_staged(tree.root) else give_back(tree.root)


def _remove_remains(staging: Path) -> None:
    """Empty what `deinitialise` has taken away, and remove ``staging`` itself after the last."""
    remove_leftovers(staging)
    try:
        staging.rmdir()
    except OSError:
        return  # other lineages are staged
