"""`danebot init` and `deinit`: put a lineage under danebot's care, and give it back.

Both are made of steps that may be repeated, in an order in which a crash leaves a tree that the
same command, or a renew, completes: staging is filled beside and renamed into place before
certbot's configuration leads there; the configuration leads back before staging goes.
"""

from __future__ import annotations

import difflib
import enum
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters import changes
from danebot.adapters.atomic import (
    move,
    remove_leftovers,
    sync_directory,
    temporary,
    write_file,
    write_link,
)
from danebot.adapters.memory_file import load_memory, save_memory
from danebot.adapters.recovery import recover, staged_conf
from danebot.adapters.renewal_conf import PATH_SETTINGS
from danebot.adapters.tree import (
    COMBO,
    DANE_EE,
    DNSNAMES,
    KINDS,
    NEXT,
    READY,
    LineagePaths,
    read_bytes,
)
from danebot.domain.dns import Presence, TlsaAnswer
from danebot.domain.gate import matched_anchor, senders_to
from danebot.domain.looks import remember
from danebot.domain.names import DnsName
from danebot.domain.rollover import Keep, Observation, Step, plan
from danebot.domain.tlsa import MatchingType, Required, Selector, Usage, unusable_reason
from danebot.errors import DanebotError, RolloverError, TreeError
from danebot.jobs.survey import chain_distrust, observe_dns, read_lineage

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage import Held, LineageState
    from danebot.jobs.context import Context

TLSA_PORTS = (25, 465, 587, 143, 993, 110, 995, 443, 5222, 5223, 5269, 5270, 4190, 21, 990, 853)
"""Where TLSA records are looked for: mail, web, XMPP, ManageSieve, FTP, DNS over TLS."""


_LONGEST_HOST = 240  # with a port and transport in front, a name has 253 octets


class StagedKeys(enum.Enum):
    """What `deinit` does with keys on their way."""

    REFUSE = "refuse"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `initialise` did: the conf's diff ("" if unchanged), the owners found, and not found.

    ``record`` is the suggested ``3 1 1`` record data of the current key.
    """

    name: str
    changed: bool
    diff: str
    owners: tuple[Required, ...]
    record: str


def published_owners(
    context: Context, states: Sequence[LineageState]
) -> dict[str, tuple[Required, ...]]:
    """For each lineage, the owners below its certificate's names that rely on its key or authority.

    Those are the ones with DANE-EE SPKI records, and those without, where a DANE-TA record
    authenticates the live chain.  Asked of the validating resolver at the usual ports.
    """
    return owners_below(
        context,
        {s.name: s.live.chain.names if s.live is not None else frozenset() for s in states},
        {s.name: s.live for s in states},
    )


def usual_owners(names: Iterable[DnsName]) -> tuple[DnsName, ...]:
    """Where TLSA records of a certificate's names may be: each at the usual ports."""
    return tuple(
        DnsName.parse(f"_{port}._tcp.{name.text.removeprefix('*.')}")
        for name in sorted(names)
        for port in TLSA_PORTS
        if len(name.text) < _LONGEST_HOST
    )


def owners_below(
    context: Context,
    names: Mapping[str, Iterable[DnsName]],
    lives: Mapping[str, Held | None],
) -> dict[str, tuple[Required, ...]]:
    """The same as `published_owners` for ``names`` of lineages, and what is live of each."""
    wanted = {lineage: usual_owners(found) for lineage, found in names.items()}
    every = tuple(dict.fromkeys(owner for owners in wanted.values() for owner in owners))
    answers = context.observer.lookup_owners(every) if every else {}
    now = context.clock()
    result = {}
    for lineage, owners in wanted.items():
        found = [_line_forms(answers[owner], lives[lineage], now) for owner in owners]
        lines = [
            Required(mtype, owner)
            for owner, mtypes in zip(owners, found, strict=True)
            for mtype in mtypes
        ]
        result[lineage] = tuple(dict.fromkeys(lines))
    return result


def _line_forms(answer: TlsaAnswer, live: Held | None, now: datetime) -> list[MatchingType]:
    """The matching types with which an owner is to be listed."""
    if answer.presence is not Presence.PRESENT:
        return []
    of_key = [
        record
        for record in answer.records
        if (record.usage, record.selector) == (Usage.DANE_EE, Selector.SPKI)
        and unusable_reason(record) is None
    ]
    anchor = None
    if live is not None:
        anchor = matched_anchor(senders_to(answer.name, live, now), answer.records, live)
    relying = [anchor] if anchor is not None and not of_key else []
    return [MatchingType(record.mtype) for record in (*of_key, *relying)]


def initialise(context: Context, name: str, owners: tuple[Required, ...]) -> Initialised:
    """Put one lineage under danebot's care; the caller holds the locks.

    Idempotent: what is there already stays, and only what lacks is done.
    """
    tree = context.tree
    paths = tree.paths(name)
    for directory in (paths.staging.parent, paths.live, paths.archive, paths.conf.parent):
        remove_leftovers(directory)
    changed = False
    if not paths.staging.is_dir():
        _create_staging(paths, stageable(context, name), owners)
        changed = True
    diff = _redirect_conf(context, paths)
    recover(tree, name)
    if changed or not (paths.live / COMBO).exists():
        state = tree.read(name)
        held = state.staged
        if held is not None and held.same_content(state.live) and held.version is not None:
            changes.deploy(paths, held.version, context.settings.combo_access)
    return _initialised(context, name, changed=changed or bool(diff), diff=diff)


def stageable(context: Context, name: str) -> int:
    """The live version that staging can begin with, or an error that says why it can't."""
    tree = context.tree
    paths = tree.paths(name)
    live = tree.linked(paths, paths.live)
    if live is None or live.version is None:
        raise TreeError(
            f"{paths.live} doesn't lead to one complete version; let certbot mend it first: "
            f"certbot renew --cert-name {name}"
        )
    combo = tree.reader.combo(paths.live / COMBO)
    if combo is not None and combo.key != live.key:
        raise RolloverError(
            f"{paths.live / COMBO} is left from earlier and holds another key than the links "
            "beside it; have the services use fullchain.pem and privkey.pem there, remove "
            "combo.pem, and run this again"
        )
    return live.version


def _initialised(context: Context, name: str, *, changed: bool, diff: str) -> Initialised:
    state, old = read_lineage(context, name)
    key = state.current_key
    paths = context.tree.paths(name)
    if state.required:
        seen = observe_dns(context, [state])
        save_memory(paths, old, remember(old, state, seen, context.clock()))
    return Initialised(
        name,
        changed,
        diff,
        state.required or (),
        f"3 1 1 {key.digest.hex()}" if key is not None else "",
    )


def _create_staging(paths: LineagePaths, version: int, owners: tuple[Required, ...]) -> None:
    """A copy of live with its own links, renamed into place when it is whole."""
    staging = paths.staging
    new = temporary(staging.parent)
    try:
        staging.parent.mkdir(mode=0o700, exist_ok=True)
        sync_directory(staging.parent.parent)
        new.mkdir(mode=0o700)
        for kind in KINDS:
            write_link(new / f"{kind}.pem", paths.link_target(staging, kind, version))
        for file in ("README", DANE_EE, DNSNAMES):
            if (paths.live / file).is_file():
                write_file(new / file, read_bytes(paths.live / file), 0o644)
        if owners and not (new / DANE_EE).exists():
            text = "".join(f"{line}\n" for line in owners)
            write_file(new / DANE_EE, text.encode(), 0o644)
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
    mode = paths.conf.stat().st_mode & 0o777
    original = paths.conf.with_name(paths.conf.name + ".orig")
    write_file(original, old.encode(), mode)
    write_file(paths.conf, new.encode(), mode)
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


def deinitialise(context: Context, name: str, keys: StagedKeys) -> str:
    """Give one lineage back to certbot; the conf's diff.  The caller holds the locks.

    Raises `RolloverError` while a key is on its way, unless ``keys`` says to drop it.
    """
    tree = context.tree
    paths = tree.paths(name)
    if tree.points_at_staging(name):
        _settle(context, paths, keys)
    elif paths.staging.is_dir():  # a crash of deinit, or a configuration out of a backup
        _refuse_keys(paths, tree.read(name), keys)
    conf = tree.conf(name)
    new = conf.edited(
        top={
            setting: str(paths.live / f"{setting}.pem")
            for setting in PATH_SETTINGS
            if conf.top(setting) != str(paths.live / f"{setting}.pem")
        }
    )
    diff = _replace_conf(paths, conf.text, new.text) if new.text != conf.text else ""
    _remove_staging(paths)
    return diff


def refuse_deinit(context: Context, name: str, keys: StagedKeys) -> None:
    """Raise what `deinitialise` would, as far as that can be told without changing anything."""
    _refuse_keys(context.tree.paths(name), context.tree.read(name), keys)


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
    changes.deploy(paths, version, context.settings.combo_access)
    for file in (DANE_EE, DNSNAMES):
        source = paths.staging / file
        if source.is_file():
            write_file(paths.live / file, read_bytes(source), 0o644)


def _refuse_keys(paths: LineagePaths, state: LineageState, keys: StagedKeys) -> None:
    on_their_way = _keys_on_their_way(paths, state)
    if on_their_way and keys is StagedKeys.REFUSE:
        raise RolloverError(
            f"{paths.name} has keys that may be published: {', '.join(on_their_way)}; "
            f"finish the rollover (danebot status {paths.name}), or give them up with --drop-keys"
        )
    if keys is StagedKeys.REFUSE and load_memory(paths).revocations:
        raise RolloverError(
            "certificates of a compromised key are still to be revoked; run danebot renew until "
            "that is done, or give it up with --drop-keys"
        )


def _keys_on_their_way(paths: LineagePaths, state: LineageState) -> list[str]:
    files = [f for f, found in ((NEXT, state.next), (READY, state.ready)) if found is not None]
    files += [unknown.file for unknown in state.unknown]
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
    memory = remember(load_memory(context.tree.paths(state.name)), state, seen, now)
    observation = Observation(state, seen, chain_distrust(context, state))
    return plan(observation, memory, policy, now).step is Step.DEPLOY


def _remove_staging(paths: LineagePaths) -> None:
    """Take staging away in one rename, then empty it."""
    if paths.staging.is_dir():
        move(paths.staging, temporary(paths.staging.parent))
    remove_remains(paths.staging.parent)


def remove_remains(staging: Path) -> None:
    """Empty what `deinitialise` has taken away, and remove ``staging`` itself after the last.

    Completes an interrupted run.  The caller holds the locks.
    """
    remove_leftovers(staging)
    try:
        staging.rmdir()
    except OSError:
        return  # other lineages are staged
