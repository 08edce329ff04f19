"""A copy of certbot's configuration of a lineage, for after a power cut.

certbot syncs nothing: the power may go when its new configuration has the name already, and nothing
of what it holds is on the disk.  So the last one that surely was stays beside staging's links.  It
is no second name of the same file: editors write in place, vim does so because of a second name.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.files import copy_file, read_bytes, rewrite_file, sync
from danebot.adapters.presence import ABSENT, permissions, unreadable
from danebot.adapters.tree.paths import CONF_KEPT, LineagePaths
from danebot.errors import TreeError


def keep_conf(paths: LineagePaths) -> None:
    """Have what certbot's configuration says now on the disk for good, and a copy of it.

    Nothing is done where it is, nor for a lineage that isn't staged, nor where certbot can't read
    it.  Raises `TreeError`.
    """
    kept = _kept(paths)
    if not paths.staged or _is_copy(kept, paths.conf) or _read(paths.conf) is None:
        return
    sync(paths.conf, paths.conf.parent)
    try:
        modified = os.stat(paths.conf).st_mtime_ns
        copy_file(paths.conf, kept, permissions(paths.conf))
        os.utime(kept, ns=(modified, modified))
    except OSError as exc:
        raise unreadable(paths.conf, exc) from exc


def _is_copy(kept: Path, conf: Path) -> bool:
    """Whether it is one of the configuration as it is now, by size and date; a link is none."""
    try:
        one, other = os.stat(kept), os.stat(conf)
    except ABSENT:
        return False
    except OSError as exc:
        raise unreadable(conf, exc) from exc
    same = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
    return same and not os.path.samestat(one, other)


def cut_off(paths: LineagePaths) -> bool:
    """Whether a power cut left nothing of certbot's configuration, or zeros, or its beginning.

    The latter ends within a line and lacks settings that the kept one has; what else can't be read
    is somebody's mistake, and theirs to mend.
    """
    try:
        data = read_bytes(paths.conf)
    except TreeError:
        return False  # removed by certbot, or by the operator
    nothing = not data.strip() or _has_zeros(data)
    kept = None if data.endswith(b"\n") and not nothing else _read(_kept(paths))
    if kept is None or nothing:
        return kept is not None
    if not _begins_text(data):
        return False  # certbot wrote no such octets: it is of another encoding
    if data.splitlines()[-1] in kept.text.encode().splitlines():
        return False
    conf = _read(paths.conf)
    return conf is None or not kept.values.keys() <= conf.values.keys()


def _has_zeros(data: bytes) -> bool:
    """Whether a disk left zeros for what it hadn't got; in UTF-16 none stands beside another."""
    return b"\0\0" in data or data.find(b"\0") == len(data) - 1


def _begins_text(data: bytes) -> bool:
    """Whether it is UTF-8, or the beginning of such text."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def put_conf_back(paths: LineagePaths) -> str | None:
    """Put the kept one back where the configuration is cut off; what was done, in words."""
    if not cut_off(paths):
        return None
    rewrite_file(paths.conf, read_bytes(_kept(paths)), permissions(paths.conf))
    return f"{paths.conf}: it was cut off; it is as it was when danebot last ran certbot"


def _kept(paths: LineagePaths) -> Path:
    return paths.staging / CONF_KEPT


def _read(path: Path) -> RenewalConf | None:
    try:
        return RenewalConf.read(path)
    except TreeError:
        return None
