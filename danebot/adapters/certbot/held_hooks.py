"""Holds certbot's deploy hooks back until a chain is live.

certbot runs what is in ``renewal-hooks/deploy`` once it has issued, before danebot has judged the
chain.  So while a lineage is under care, each hook is kept beside itself, under a name that certbot
passes over, and a few lines in its place run it for whatever lies elsewhere than in ``staging``.
There it finds what it found before: files beside it, and what links lead to.  At every instant
certbot finds one of the two, and both can be told apart: a crash leaves nothing to mend.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from danebot.adapters.files import keep, move, remove, remove_leftovers, write_file
from danebot.adapters.presence import (
    ABSENT,
    is_directory,
    is_file,
    is_there,
    permissions,
    unreadable,
)
from danebot.adapters.replacing import TEMP_PREFIX, advice
from danebot.domain.names import printable
from danebot.errors import DanebotError, HookError

DIRECTORY = "renewal-hooks/deploy"
PRE = "renewal-hooks/pre"
POST = "renewal-hooks/post"
KEPT = ".danebot~"
"""What the name of a hook that is kept ends with: certbot doesn't run what ends with ``~``."""
_LONG = 400
_MARK = "#!/bin/sh\n# danebot holds this deploy hook"
_FORMER = ".former~"
_TEXT = f"""\
{_MARK} back until the certificate is live. It is kept, and to be edited,
# beside this, under the same name and "{KEPT}". "danebot deinit" puts it back.
lineage=${{RENEWED_LINEAGE-}}
directory=${{lineage%/*}}
[ "${{directory##*/}}" = staging ] && exit 0
[ -e "$0{KEPT}" ] && [ ! -x "$0{KEPT}" ] && exit 0  # it is turned off
exec "$0{KEPT}" "$@"
"""


def executables(directory: Path) -> list[str]:
    """What certbot would run of a directory of hooks, in its order.

    Raises `HookError` where that can't be told.
    """
    try:
        return [
            str(path)
            for path in _listed(directory)
            if path.is_file()
            and os.access(path, os.X_OK)
            and not path.name.endswith("~")
            and not path.name.startswith(TEMP_PREFIX)  # of a crash
        ]
    except OSError as exc:
        raise unreadable(directory, exc) from exc


def hold(root: Path) -> tuple[str, ...]:
    """Hold back every deploy hook of the tree at ``root``.  The caller holds the locks.

    Returns why some can't be: then certbot must not run the directory's for danebot's lineages.
    """
    try:
        remove_leftovers(root / DIRECTORY)
        paths = executables(root / DIRECTORY)
    except DanebotError as exc:
        return (_in_words(exc),)
    return tuple(why for path in paths if (why := _hold(Path(path))))


def _hold(path: Path) -> str:
    kept = path.with_name(path.name + KEPT)
    try:
        if _holds(path):
            return ""
        mode = permissions(path)
        if _edited(kept, path):
            move(kept, path.with_name(path.name + _FORMER))
        try:
            keep(path, kept)
            write_file(path, _TEXT.encode(), mode)
        except DanebotError:
            with suppress(DanebotError):
                if not _holds(path):  # else this is the only one: its place is taken, if unsynced
                    remove(kept)
            raise
    except DanebotError as exc:
        return _in_words(exc)
    return ""


def _edited(kept: Path, path: Path) -> bool:
    """Whether another hook is kept than the one that has come to its place."""
    if not is_file(kept):
        return False
    import filecmp

    try:
        return not filecmp.cmp(kept, path, shallow=False)
    except OSError as exc:
        raise unreadable(kept, exc) from exc


def any_staged(root: Path, but: str = "") -> bool:
    """Whether a lineage is under care, another than ``but``."""
    staging = root / "staging"
    others = (n for n in _names(staging) if n != but and not n.startswith(TEMP_PREFIX))
    return any(is_directory(staging / name) for name in others)


def any_kept(root: Path) -> bool:
    """Whether a hook is kept beside itself, or a crash left something there.

    Raises `HookError` where that can't be told.
    """
    names = _names(root / DIRECTORY)
    return any(name.endswith(KEPT) or name.startswith(TEMP_PREFIX) for name in names)


def give_back(root: Path) -> tuple[str, ...]:
    """Put the hooks back; a sentence on each that stays where it is kept.

    The caller holds the locks.
    """
    with suppress(DanebotError):
        remove_leftovers(root / DIRECTORY)
    try:
        names = [path.name.removesuffix(KEPT) for path in _listed(root / DIRECTORY)]
    except DanebotError as exc:
        return (_in_words(exc),)
    places = (root / DIRECTORY / name for name in dict.fromkeys(names))
    return tuple(left for place in places if (left := _give_back(place)))


def _give_back(place: Path) -> str:
    kept = place.with_name(place.name + KEPT)
    try:
        there, held = is_there(kept), place.is_file() and _holds(place)
        if there and held:
            move(kept, place)
        elif there:
            return printable(f"{kept} is left: what danebot put in its place is gone", _LONG)
        elif held:
            remove(place)
            return printable(f"{place} is removed, since {kept.name} is gone", _LONG)
    except DanebotError as exc:
        return _in_words(exc)
    return ""


def _in_words(exc: DanebotError) -> str:
    return printable(str(exc), _LONG)


def _holds(path: Path) -> bool:
    """Whether what lies there is danebot's lines."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MARK)) == _MARK.encode()
    except ABSENT:
        return False
    except OSError as exc:
        raise HookError(f"cannot read {path}: {exc.strerror}; run danebot as root") from exc


def _listed(directory: Path) -> list[Path]:
    return [directory / name for name in _names(directory)]


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise HookError(f"cannot list {directory}: {exc.strerror}; {advice(exc)}") from exc
