"""Heals what a crash of danebot, certbot or the shell program left in a staged lineage.

The rules, in the order in which they run; each is harmless when repeated, and a crash between two
of them is healed by the next run:

1. danebot's own temporary files go.
2. Live: without a sound set of links, they are set to the version that ``combo.pem`` holds, which
   is written back to the archive where certbot has truncated that; combo is the truth, since it
   is replaced as a whole and before the links.
3. Staging: the four links go to the newest complete version, as certbot itself would do.
4. Strays go: certbot's ``previous_*`` links and unfinished configuration, incomplete versions,
   surplus copies of keys.  A private key that is nowhere else is never removed but set aside.
5. certbot's configuration, where a power cut left only some of it, is what it was before (this
   comes first).  It leads to staging, keeps the key, names the staged key's type, and has no
   deploy hook that certbot would run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.files import read_bytes, remove, remove_leftovers, rewrite_file, rewritten
from danebot.adapters.presence import is_directory, is_file, is_plain_file, is_there, permissions
from danebot.adapters.replacing import PRIVATE, NewFile, NewLink, replace, sync_directory
from danebot.adapters.tree.keeping import give_way, listed
from danebot.adapters.tree.kept_conf import put_conf_back
from danebot.adapters.tree.paths import (
    COMBO,
    KINDS,
    UNKNOWN_PREFIX,
    LineagePaths,
    archive_versions,
    link_target,
    link_version,
    sound_links,
)
from danebot.adapters.tree.soundness import is_sound, staged_conf
from danebot.domain.lineage.state import Held
from danebot.domain.text import quoted
from danebot.errors import TreeError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.tree.tree import Tree

_KEPT = "a key that nobody knows lay in the place of a link or of combo.pem; it is kept as {}"
_ARCHIVE_MODE = 0o755  # certbot's; archive itself is 0700
_SHELL_COPY = r"(combo|nextkey)\.pem\.\w{6}\Z"
_COPY_MODE = 0o644  # certificates are public
_KEY_BITS = 0o074


class TreeRepair(NamedTuple):
    """What was done, in words; ``kept`` is the file of a key that had lain in its place."""

    text: str
    kept: Path | None = None

    def __str__(self) -> str:
        return self.text


def recover(tree: Tree, name: str) -> tuple[TreeRepair, ...]:
    """Heal one staged lineage and say what was done; () if it was sound.

    The caller holds the locks.  Raises `TreeError` when something can't be healed.
    """
    paths = tree.paths(name)
    back = put_conf_back(paths)
    if back is not None:
        paths = tree.paths(name)
    elif is_sound(tree, paths):
        return ()
    directories = (paths.staging, paths.live, paths.archive, paths.conf.parent)
    for directory in (*directories, paths.staging.parent):
        remove_leftovers(directory)
    remove(Path(paths.unfinished))
    aside = set(listed(paths.staging))
    done = [*filter(None, [back]), *_heal_live(tree, paths), *_heal_staging(tree, paths)]
    kept = sorted(n for n in set(listed(paths.staging)) - aside if n.startswith(UNKNOWN_PREFIX))
    repairs = [
        *map(TreeRepair, done),
        *(TreeRepair(_KEPT.format(name), paths.staging / name) for name in kept),
        *_remove_strays(tree, paths),
        *map(TreeRepair, _heal_conf(tree, paths)),
    ]
    return tuple(repairs)


def set_links(paths: LineagePaths, directory: Path, version: int) -> None:
    """Point the four links of ``directory`` at one version, all of them or none.

    A key that somebody put in place of one is kept.
    """
    if links := new_links(paths, directory, version):
        replace(*links)


def new_links(
    paths: LineagePaths, directory: Path, version: int, kinds: Iterable[str] = KINDS
) -> list[NewLink]:
    """The changes that lead links to a version; a key that lies in place of one is kept."""
    links = []
    for kind in kinds:
        target = paths.link_target(directory, kind, version)
        link = NewLink(directory / f"{kind}.pem", target, paths.archived(kind, version))
        if link_target(link.path) != target:
            give_way(paths, link.path)
            links.append(link)
    return links


def _complete(tree: Tree, paths: LineagePaths) -> dict[int, Held]:
    """All complete versions of the archive, by number."""
    full = [v for v, kinds in archive_versions(paths).items() if len(kinds) == len(KINDS)]
    held = {version: tree.reader.version(paths, version) for version in sorted(full)}
    return {version: found for version, found in held.items() if found is not None}


def _heal_live(tree: Tree, paths: LineagePaths) -> list[str]:
    combo = tree.reader.combo(paths.live / COMBO)
    if combo is None:  # absent, or no service can load it: it is written anew
        give_way(paths, paths.live / COMBO)
    sound = sound_links(paths, paths.live)
    held = tree.reader.version(paths, sound) if sound is not None else None
    if held is not None and (combo is None or held.key == combo.key):
        return []
    if combo is None:
        return _heal_live_without_combo(tree, paths)
    versions = [v for v, h in _complete(tree, paths).items() if h.same_content(combo)]
    if versions:
        version = max(versions)
        done = f"{paths.live}: links set to version {version}, which combo.pem holds"
        set_links(paths, paths.live, version)
    else:
        version = _write_back(paths, combo)
        done = f"{paths.live}: version {version} written back to the archive from combo.pem"
    return [done]


def _heal_live_without_combo(tree: Tree, paths: LineagePaths) -> list[str]:
    """Nothing tells what was served but the links: take the newest complete version they name."""
    named = {link_version(paths.live / f"{kind}.pem") for kind in KINDS}
    named |= {link_version(paths.live / f"previous_{kind}.pem") for kind in KINDS}
    complete = _complete(tree, paths)
    candidates = [version for version in complete if version in named]
    if not candidates:
        raise TreeError(
            f"{paths.live} leads to no complete version and there is no usable combo.pem: "
            f"run certbot for {paths.name} by hand, after: danebot deinit {quoted(paths.name)}"
        )
    version = max(candidates)
    set_links(paths, paths.live, version)
    return [f"{paths.live}: links set to version {version}"]


def _write_back(paths: LineagePaths, combo: Held) -> int:
    """Write combo's content into the archive, and lead live's links there: the number.

    That is the one that the links name, if it is free.
    """
    _make_archive(paths)
    present = archive_versions(paths)
    named = link_version(paths.live / "privkey.pem")
    taken = named is None or len(present.get(named, ())) == len(KINDS)
    version = min(present, default=1) - 1 if taken else named
    if version is None or version < 1:
        version = max(present, default=0) + 1
    files = new_version(paths, version, read_bytes(paths.live / COMBO), combo)
    replace(*files, *new_links(paths, paths.live, version))
    return version


def _make_archive(paths: LineagePaths) -> None:
    """``certbot delete`` takes the archive away, too.

    One that lies elsewhere by certbot's configuration is on a disk that isn't there.
    """
    if paths.archive != paths.root / "archive" / paths.name and not is_directory(paths.archive):
        raise TreeError(
            f"{paths.archive}, the archive_dir of {paths.conf}, is not there; mount or restore it, "
            "or correct that line, and run: danebot renew"
        )
    try:
        paths.archive.mkdir(mode=_ARCHIVE_MODE, exist_ok=True)
        sync_directory(paths.archive.parent)
    except OSError as exc:
        raise TreeError(f"cannot create {paths.archive}: {exc.strerror}") from exc


def new_version(
    paths: LineagePaths, version: int, key_pem: bytes, held: Held
) -> tuple[NewFile, ...]:
    """The changes that write a version's four files; the key is that of ``key_pem``, as PKCS#8."""
    from danebot.domain.lineage.pem import canonical_private_key, to_pem

    ders = held.chain.ders
    give_way(paths, paths.archived("privkey", version))
    return (
        archived_file(paths, "privkey", version, canonical_private_key(key_pem)),
        archived_file(paths, "cert", version, to_pem(ders[:1])),
        archived_file(paths, "chain", version, to_pem(ders[1:])),
        archived_file(paths, "fullchain", version, to_pem(ders)),
    )


def archived_file(paths: LineagePaths, kind: str, version: int, data: bytes) -> NewFile:
    """The change that writes one file of a version, for those who may read the newest one.

    Of a key's bits all but the owner's are taken over, as certbot does.
    """
    file = paths.archived(kind, version)
    others = (v for v, kinds in archive_versions(paths).items() if kind in kinds and v != version)
    newest = max(others, default=version)
    model = Path(os.path.realpath(paths.archived(kind, newest)))  # certbot made links of some
    if kind != "privkey":
        return rewritten(file, data, _COPY_MODE, model)
    new = rewritten(file, data, PRIVATE, model)
    return new._replace(access=new.access._replace(mode=PRIVATE | new.access.mode & _KEY_BITS))


def _heal_staging(tree: Tree, paths: LineagePaths) -> list[str]:
    newest = max(_complete(tree, paths))  # live's, at least: it has been healed
    if sound_links(paths, paths.staging) == newest:
        return []
    set_links(paths, paths.staging, newest)
    return [f"{paths.staging}: links set to version {newest}"]


def _remove_strays(tree: Tree, paths: LineagePaths) -> list[TreeRepair]:
    done = []
    for directory in (paths.staging, paths.live):
        for kind in KINDS:
            previous = directory / f"previous_{kind}.pem"
            if is_plain_file(previous):
                done += _remove_key_copy(paths, previous)
            remove(previous)
    for name in listed(paths.staging):
        if name == COMBO or re.match(_SHELL_COPY, name):
            done += _remove_key_copy(paths, paths.staging / name)
    complete = _complete(tree, paths)
    in_use = {
        link_version(directory / f"{kind}.pem")
        for directory in (paths.staging, paths.live)
        for kind in KINDS
    }
    for version, kinds in sorted(archive_versions(paths).items()):
        if version in complete or version in in_use:
            continue
        if kinds == {"privkey"} or version > max(complete, default=0):
            done += _remove_version(paths, version, kinds)
    return done


def _remove_version(paths: LineagePaths, version: int, kinds: frozenset[str]) -> list[TreeRepair]:
    done = []
    if "privkey" in kinds:
        done += _remove_key_copy(paths, paths.archived("privkey", version))
    for kind in kinds - {"privkey"}:
        remove(paths.archived(kind, version))
    return done or [TreeRepair(f"{paths.archive}: incomplete version {version} removed")]


def _remove_key_copy(paths: LineagePaths, file: Path) -> list[TreeRepair]:
    """Remove a stray file or link; a key in it that is nowhere else is kept."""
    kept = give_way(paths, file)
    if kept is None and not is_plain_file(file) and is_there(file) and not _dangles(file):
        return [TreeRepair(f"left as it is: {file} leads elsewhere")]
    remove(file)
    if kept is not None:
        return [TreeRepair(f"{file}: unknown key kept as {kept}", kept)]
    return [TreeRepair(f"{file}: stray copy removed")]


def _dangles(file: Path) -> bool:
    return link_target(file) != "" and not is_file(file)


def _heal_conf(tree: Tree, paths: LineagePaths) -> list[str]:
    conf = tree.conf(paths.name)
    staged = tree.linked(paths, paths.staging)
    healed = staged_conf(conf, paths, staged.key if staged is not None else None)
    if healed.text == conf.text:
        return []
    rewrite_file(conf.path, healed.text.encode(), permissions(conf.path))
    if healed.text == conf.with_hook_held().text:
        return [f"{conf.path}: its deploy hook waits until a certificate is live"]
    return [f"{conf.path}: leads to the staging/ directory again, with the key kept"]
