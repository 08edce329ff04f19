"""Heals what a crash of danebot, certbot or the shell program left in a staged lineage.

The rules, in the order in which they run; each is harmless when repeated, and a crash between two
of them is healed by the next run:

1. danebot's own temporary files go.
2. Live: without a sound set of links, they are set to the version that ``combo.pem`` holds, which
   is written back to the archive where certbot has truncated that; combo is the truth, since it
   is replaced as a whole and before the links.
3. Staging: the four links go to the newest complete version, as certbot itself would do.
4. Strays go: certbot's ``previous_*`` links, incomplete versions, surplus copies of keys.  A
   private key that is nowhere else is never removed but set aside.
5. certbot's configuration leads to staging, keeps the key, and names the staged key's type.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS, RenewalConf
from danebot.adapters.files import (
    TEMP_PREFIX,
    read_bytes,
    remove,
    remove_leftovers,
    sync_directory,
    write_file,
    write_link,
)
from danebot.adapters.tree.paths import (
    CANCELLED_PREFIX,
    COMBO,
    KINDS,
    NEXT,
    READY,
    UNKNOWN_PREFIX,
    LineagePaths,
    archive_versions,
    has_strays,
    link_version,
    sound_links,
    versions_of,
)
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.state import Held
from danebot.errors import CertificateError, TreeError, UnreadableError

if TYPE_CHECKING:
    from danebot.domain.lineage.keys import PublicKey

_ARCHIVE_MODE = 0o755  # certbot's; archive itself is 0700
_COPY_MODE = 0o644  # certificates are public; keys are always written 0600


def recover(tree: Tree, name: str) -> tuple[str, ...]:
    """Heal one staged lineage and say what was done, a line each; () if it was sound.

    The caller holds the locks.  Raises `TreeError` when something can't be healed.
    """
    paths = tree.paths(name)
    if is_sound(tree, paths):
        return ()
    directories = (paths.staging, paths.live, paths.archive, paths.conf.parent)
    for directory in (*directories, paths.staging.parent):
        remove_leftovers(directory)
    done: list[str] = []
    done += _heal_live(tree, paths)
    done += _heal_staging(tree, paths)
    done += _remove_strays(tree, paths)
    done += _heal_conf(tree, paths)
    return tuple(done)


def is_sound(tree: Tree, paths: LineagePaths) -> bool:
    """Whether there is nothing to heal, found out with as few looks as possible."""
    try:
        staging, live = os.listdir(paths.staging), os.listdir(paths.live)
        archived = os.listdir(paths.archive)
        littered = any(map(tree.littered, (f"{tree.root}/renewal", f"{tree.root}/staging")))
    except OSError:
        return False
    if littered or has_strays((*staging, *live, *archived)):
        return False
    archive = versions_of(archived)
    whole = all(len(kinds) == len(KINDS) for kinds in archive.values())
    newest = sound_links(paths, paths.staging)
    current = sound_links(paths, paths.live)
    if COMBO in staging or not whole or not archive or newest != max(archive) or current is None:
        return False
    combo = tree.reader.combo(paths.live / COMBO)
    held = tree.reader.version(paths, current)
    latest = held if newest == current else tree.reader.version(paths, newest)
    if combo is None or held is None or latest is None or held.key != combo.key:
        return False
    conf = tree.conf(paths.name)
    return staged_conf(conf, paths, latest.key) is conf


def set_links(paths: LineagePaths, directory: Path, version: int) -> None:
    """Point the four links of ``directory`` at one version, each by rename."""
    for kind in KINDS:
        link = directory / f"{kind}.pem"
        target = paths.link_target(directory, kind, version)
        if not link.is_symlink() or os.readlink(link) != target:
            write_link(link, target)


def _complete(tree: Tree, paths: LineagePaths) -> dict[int, Held]:
    """All complete versions of the archive, by number."""
    full = [v for v, kinds in archive_versions(paths).items() if len(kinds) == len(KINDS)]
    held = {version: tree.reader.version(paths, version) for version in sorted(full)}
    return {version: found for version, found in held.items() if found is not None}


def _heal_live(tree: Tree, paths: LineagePaths) -> list[str]:
    combo = tree.reader.combo(paths.live / COMBO)
    if combo is None:  # absent, or no service can load it: it is written anew
        _save_only_copy(tree, paths, paths.live / COMBO)
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
    else:
        version = _write_back(paths, combo)
        done = f"{paths.live}: version {version} written back to the archive from combo.pem"
    set_links(paths, paths.live, version)
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
            f"run certbot for {paths.name} by hand, after: danebot deinit {paths.name}"
        )
    version = max(candidates)
    set_links(paths, paths.live, version)
    return [f"{paths.live}: links set to version {version}"]


def _write_back(paths: LineagePaths, combo: Held) -> int:
    """Write combo's content into the archive, under the number that live's links name if free."""
    _make_archive(paths)
    present = archive_versions(paths)
    named = link_version(paths.live / "privkey.pem")
    taken = named is None or len(present.get(named, ())) == len(KINDS)
    version = min(present, default=1) - 1 if taken else named
    if version is None or version < 1:
        version = max(present, default=0) + 1
    write_version(paths, version, read_bytes(paths.live / COMBO), combo)
    return version


def _make_archive(paths: LineagePaths) -> None:
    """``certbot delete`` takes the archive away, too."""
    try:
        paths.archive.mkdir(mode=_ARCHIVE_MODE, exist_ok=True)
        sync_directory(paths.archive.parent)
    except OSError as exc:
        raise TreeError(f"cannot create {paths.archive}: {exc.strerror}") from exc


def write_version(paths: LineagePaths, version: int, key_pem: bytes, held: Held) -> None:
    """Write the four files of a version; the key is taken from ``key_pem``, as PKCS#8."""
    from danebot.domain.lineage.pem import canonical_private_key, to_pem

    ders = held.chain.ders
    write_file(paths.archived("privkey", version), canonical_private_key(key_pem))
    for kind, part in (("cert", ders[:1]), ("chain", ders[1:]), ("fullchain", ders)):
        write_file(paths.archived(kind, version), to_pem(part), _COPY_MODE)


def _heal_staging(tree: Tree, paths: LineagePaths) -> list[str]:
    newest = max(_complete(tree, paths))  # live's, at least: it has been healed
    if sound_links(paths, paths.staging) == newest:
        return []
    if not (paths.staging / "privkey.pem").is_symlink():  # put in place of the link by hand
        _save_only_copy(tree, paths, paths.staging / "privkey.pem")
    set_links(paths, paths.staging, newest)
    return [f"{paths.staging}: links set to version {newest}"]


def _save_only_copy(tree: Tree, paths: LineagePaths, file: Path) -> None:
    """Set the key in a file aside that is about to be replaced, if it is nowhere else."""
    try:
        key = tree.reader.key(file)
    except UnreadableError:
        raise
    except (CertificateError, TreeError):
        return
    if key not in _known_keys(tree, paths, but=file):
        set_aside(paths, key, read_bytes(file))


def _known_keys(tree: Tree, paths: LineagePaths, but: Path | None = None) -> set[PublicKey]:
    """The public halves of every private key of the lineage, in whatever file but one."""
    files = [paths.staging / NEXT, paths.staging / READY, paths.live / COMBO]
    for prefix in (UNKNOWN_PREFIX, CANCELLED_PREFIX):
        files += sorted(paths.staging.glob(f"{prefix}*.pem"))
    files += [paths.archived("privkey", version) for version in archive_versions(paths)]
    keys = set()
    for file in files:
        if file == but:
            continue
        try:
            keys.add(tree.reader.key(file))
        except (CertificateError, TreeError):
            continue
    return keys


def set_aside(paths: LineagePaths, key: PublicKey, pem: bytes) -> Path:
    """Keep a key that must not be used and must not be lost; the file's path."""
    path = paths.staging / f"{UNKNOWN_PREFIX}{key.digest.hex()[:16]}.pem"
    write_file(path, pem)
    return path


def _remove_strays(tree: Tree, paths: LineagePaths) -> list[str]:
    done = []
    for directory in (paths.staging, paths.live):
        for kind in KINDS:
            remove(directory / f"previous_{kind}.pem")
    for pattern in ("combo.pem.??????", "nextkey.pem.??????", COMBO):
        for stray in paths.staging.glob(pattern):
            done += _remove_key_copy(tree, paths, stray)
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
            done += _remove_version(tree, paths, version, kinds)
    return done


def _remove_version(
    tree: Tree, paths: LineagePaths, version: int, kinds: frozenset[str]
) -> list[str]:
    done = []
    if "privkey" in kinds:
        done += _remove_key_copy(tree, paths, paths.archived("privkey", version))
    for kind in kinds - {"privkey"}:
        remove(paths.archived(kind, version))
    return done or [f"{paths.archive}: incomplete version {version} removed"]


def _remove_key_copy(tree: Tree, paths: LineagePaths, file: Path) -> list[str]:
    """Remove a stray file; a key in it that is nowhere else is set aside first."""
    said = [f"{file}: stray copy removed"]
    try:
        pem = read_bytes(file)
        key = tree.reader.key(file)
    except TreeError as exc:  # what can't be read may be the only copy
        if isinstance(exc, UnreadableError) or not file.is_symlink() or file.exists():
            return [f"left as it is: {exc}"]
        remove(file)
        return said
    except CertificateError:
        remove(file)
        return said
    if key not in _known_keys(tree, paths, but=file):
        kept = set_aside(paths, key, pem)
        said = [f"{file}: unknown key kept as {kept}"]
    remove(file)
    return said


def _heal_conf(tree: Tree, paths: LineagePaths) -> list[str]:
    conf = tree.conf(paths.name)
    staged = tree.linked(paths, paths.staging)
    healed = staged_conf(conf, paths, staged.key if staged is not None else None)
    if healed.text == conf.text:
        return []
    write_file(conf.path, healed.text.encode(), conf.path.stat().st_mode & 0o777)
    return [f"{conf.path}: leads to staging again, with the key kept"]


def staged_conf(conf: RenewalConf, paths: LineagePaths, key: PublicKey | None) -> RenewalConf:
    """The configuration that a staged lineage needs: staging's paths, the key kept and named.

    A key type is only named where the configuration names another one: certbot refuses to renew
    then.
    """
    wanted_paths = {setting: f"{paths.staging}/{setting}.pem" for setting in PATH_SETTINGS}
    top = {setting: path for setting, path in wanted_paths.items() if conf.top(setting) != path}
    if conf.top("archive_dir") not in ("", str(paths.archive)):
        top["archive_dir"] = str(paths.archive)
    parameters = {} if conf.enabled("reuse_key") else {"reuse_key": "True"}
    if key is not None and key.key_type is not None:
        wanted = key.key_type.conf_settings
        for setting, value in wanted.items():
            named = conf.parameter(setting)
            if (named and named != value) or (not named and "key_type" in parameters):
                parameters[setting] = value
    if not top and not parameters:
        return conf
    return conf.edited(top=top, parameters=parameters)


__all__ = ["TEMP_PREFIX", "recover", "set_aside", "set_links", "staged_conf", "write_version"]
