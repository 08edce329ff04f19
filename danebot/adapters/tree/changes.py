"""What danebot writes into a lineage, step by step; each step may be repeated after a crash.

The caller holds the locks, has healed the lineage (`recovery`) and has a plan that says so.
Nothing that is the only copy of a key is ever removed here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from danebot.adapters.files import move, read_bytes, remove, sync, write_file
from danebot.adapters.presence import is_plain_file
from danebot.adapters.replacing import TEMP_PREFIX, NewFile, replace, sync_directory
from danebot.adapters.tree.keeping import give_way, listed, may_hold_key, set_aside, unused
from danebot.adapters.tree.paths import (
    CANCELLED_PREFIX,
    COMBO,
    DANE_EE,
    DNSNAMES,
    GIVEN_UP_PREFIX,
    KINDS,
    MEMORY,
    NEXT,
    READY,
    UNKNOWN_PREFIX,
    LineagePaths,
    archive_versions,
)
from danebot.adapters.tree.recovery import archived_file, new_links, new_version
from danebot.adapters.tree.soundness import combo_access
from danebot.domain.rollover.steps.phases import Keep
from danebot.errors import CertificateError, TreeError

if TYPE_CHECKING:
    from pathlib import Path

    from danebot.config.settings import ComboAccess
    from danebot.domain.lineage.keys import PublicKey
    from danebot.domain.lineage.state import Held


_OWN_NAMES = ("README", DANE_EE, DNSNAMES, MEMORY)


def make_live(paths: LineagePaths, version: int, access: ComboAccess) -> None:
    """Make a version live: ``combo.pem`` first, by one rename, then the four links.

    Its files are durable before anything rests on them.
    """
    make_durable(paths, version)
    replace(_new_combo(paths, version, access), *new_links(paths, paths.live, version))


def make_durable(paths: LineagePaths, version: int) -> None:
    """Have a version on the disk for good: certbot leaves that to the kernel's leisure."""
    files = [paths.archived(kind, version) for kind in KINDS]
    sync(*files, paths.archive, paths.staging, paths.conf, paths.conf.parent)


def _new_combo(paths: LineagePaths, version: int, access: ComboAccess) -> NewFile:
    """``combo.pem`` of one version: PKCS#8 key, leaf, the rest of the chain."""
    from danebot.domain.lineage.pem import (
        canonical_private_key,
        read_chain,
        read_private_key,
        to_pem,
    )

    key_pem = read_bytes(paths.archived("privkey", version))
    chain = read_chain(read_bytes(paths.archived("fullchain", version)))
    if read_private_key(key_pem) != chain.key:
        raise CertificateError(
            f"{paths.archived('privkey', version)} is not the key of its certificate"
        )
    data = canonical_private_key(key_pem) + to_pem(chain.ders)
    give_way(paths, paths.live / COMBO)
    return NewFile(paths.live / COMBO, data, combo_access(access))


def stage_key(paths: LineagePaths, file: str = READY) -> int:
    """Point the staged key link at a copy of a key file, as the newest version: its number.

    certbot only reuses a key under the name ``privkeyN.pem``, and moves on from older ones.
    """
    version = max(archive_versions(paths), default=0) + 1
    key = archived_file(paths, "privkey", version, read_bytes(paths.staging / file))
    replace(key, *new_links(paths, paths.staging, version, ("privkey",)))
    return version


def put_back(paths: LineagePaths, serving: Held, staged: Held, keep: Keep) -> int:
    """Make what live serves the newest version, staged; the stranger is kept: the new number.

    The copy of the key comes from where ``serving`` does: ``combo.pem``, or a version.
    """
    kept = []
    if keep is not Keep.NOWHERE and staged.version is not None:
        pem = read_bytes(paths.archived("privkey", staged.version))
        if keep is Keep.AS_NEXT:
            kept.append(NewFile(paths.staging / NEXT, pem))
        else:
            set_aside(paths, staged.key, pem)
    source = paths.live / COMBO
    if serving.version is not None:  # combo.pem is absent or damaged
        source = paths.archived("privkey", serving.version)
    version = max(archive_versions(paths), default=0) + 1
    files = new_version(paths, version, read_bytes(source), serving)
    replace(*kept, *files, *new_links(paths, paths.staging, version))
    return version


def mark_ready(paths: LineagePaths, since: datetime) -> None:
    """``nextkey.pem`` becomes ``ready.pem``; its mtime says since when cooling counts."""
    stamp = int(since.timestamp() * 1_000_000) * 1000
    try:
        os.utime(paths.staging / NEXT, ns=(stamp, stamp))
        sync(paths.staging / NEXT)
    except OSError as exc:
        raise TreeError(f"cannot date {paths.staging / NEXT}: {exc.strerror}") from exc
    move(paths.staging / NEXT, paths.staging / READY)


def back_to_next(paths: LineagePaths) -> None:
    """``ready.pem`` becomes ``nextkey.pem`` again."""
    move(paths.staging / READY, paths.staging / NEXT)


def add_next_key(paths: LineagePaths, pem: bytes) -> None:
    """Write ``nextkey.pem``; the caller has made sure that there is no key on its way."""
    write_file(paths.staging / NEXT, pem)


def remove_key_copy(paths: LineagePaths, file: str) -> None:
    """Remove a key file whose key lies in another file of the lineage as well.

    Where it holds a second key that doesn't, that is set aside.
    """
    give_way(paths, paths.staging / file)
    remove(paths.staging / file)
    sync_directory(paths.staging)


def keep_cancelled(paths: LineagePaths, file: str, digest: bytes | None) -> Path:
    """Move the file of a cancelled key aside, readable or not; where it is then.

    ``digest`` is the key's SPKI digest, None if nobody knows it.
    """
    name = digest.hex()[:16] if digest is not None else "unreadable"
    kept = unused(paths.staging / f"{CANCELLED_PREFIX}{name}.pem")
    move(paths.staging / file, kept)
    return kept


def keep_given_up(paths: LineagePaths, files: Iterable[str]) -> tuple[Path, ...]:
    """Move `key_files` out of staging, beside ``combo.pem``, before it goes; where they are."""
    kept = []
    for file in files:
        kept.append(kept_as(paths, file))
        move(paths.staging / file, kept[-1])
    return tuple(kept)


def kept_as(paths: LineagePaths, file: str) -> Path:
    """Where `keep_given_up` moves one of staging's files."""
    return unused(paths.live / f"{GIVEN_UP_PREFIX}{file}")


def key_files(paths: LineagePaths) -> tuple[str, ...]:
    """The names of all that may hold private keys in staging, readable or not; links are none.

    That is whatever isn't danebot's own: directories as a whole, and files too large for a key.
    """
    return tuple(name for name in listed(paths.staging) if _keeps(paths, name))


def _keeps(paths: LineagePaths, name: str) -> bool:
    if name in (NEXT, READY) or name.startswith((UNKNOWN_PREFIX, CANCELLED_PREFIX)):
        return True
    if name.startswith(TEMP_PREFIX) or (name in _OWN_NAMES and is_plain_file(paths.staging / name)):
        return False
    return may_hold_key(paths.staging / name)


def key_files_of(paths: LineagePaths, key: PublicKey) -> tuple[str, ...]:
    """Which of ``nextkey.pem`` and ``ready.pem`` hold ``key``."""
    from danebot.domain.lineage.pem import read_private_key

    found = []
    for file in (NEXT, READY):
        try:
            if read_private_key(read_bytes(paths.staging / file)) == key:
                found.append(file)
        except (CertificateError, TreeError):
            continue
    return tuple(found)
