"""Holds certbot's deploy hooks back until a chain is live.

certbot runs what is in ``renewal-hooks/deploy`` once it has issued, before danebot has judged the
chain.  So while a lineage is under care, each hook is kept beside itself, under a name that certbot
passes over, and a few lines in its place run it for whatever lies elsewhere than in ``staging``.
There it finds what it found before: files beside it, and what links lead to.  At every instant
certbot finds one of the two, and both can be told apart: a crash leaves nothing to mend.
"""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path

from danebot.adapters.files import (
    TEMP_PREFIX,
    advice,
    keep,
    move,
    remove,
    remove_leftovers,
    write_file,
)
from danebot.adapters.presence import ABSENT, permissions
from danebot.errors import DanebotError, HookError

DIRECTORY = "renewal-hooks/deploy"
PRE = "renewal-hooks/pre"
POST = "renewal-hooks/post"
KEPT = ".danebot~"
"""What the name of a hook that is kept ends with: certbot doesn't run what ends with ``~``."""
_MARK = "#!/bin/sh\n# danebot holds this deploy hook"
_TEXT = """\
{mark} back until the certificate is live. It is kept, and to be edited, as
#   {kept}
# "danebot deinit" puts it back.
lineage=${{RENEWED_LINEAGE-}}
directory=${{lineage%/*}}
[ "${{directory##*/}}" = staging ] && exit 0
exec {quoted} "$@"
"""


def executables(directory: Path) -> list[str]:
    """What certbot would run of a directory of hooks, in its order.

    Raises `HookError` where that can't be told.
    """
    return [
        path
        for path in map(str, _listed(directory))
        if Path(path).is_file()
        and os.access(path, os.X_OK)
        and not path.endswith("~")
        and not Path(path).name.startswith(TEMP_PREFIX)  # of a crash
    ]


def hold(root: Path) -> tuple[str, ...]:
    """Hold back every deploy hook of the tree at ``root``.  The caller holds the locks.

    Returns why some can't be: then certbot must not run the directory's for danebot's lineages.
    """
    try:
        remove_leftovers(root / DIRECTORY)
        paths = executables(root / DIRECTORY)
    except DanebotError as exc:
        return (str(exc),)
    return tuple(why for path in paths if (why := _hold(Path(path))))


def _hold(path: Path) -> str:
    kept = path.with_name(path.name + KEPT)
    text = _TEXT.format(mark=_MARK, kept=kept, quoted=shlex.quote(str(kept)))
    try:
        if _holds(path):
            return ""
        mode = permissions(path)
        try:
            keep(path, kept)
            write_file(path, text.encode(), mode)
        except DanebotError:
            with suppress(DanebotError):
                remove(kept)
            raise
    except DanebotError as exc:
        return str(exc)
    return ""


def any_staged(root: Path, but: str = "") -> bool:
    """Whether a lineage is under care, another than ``but``."""
    names = (path.name for path in _listed(root / "staging") if path.is_dir())
    return any(name != but and not name.startswith(TEMP_PREFIX) for name in names)


def give_back(root: Path) -> tuple[str, ...]:
    """Put the hooks back; a sentence on each that stays where it is kept.

    The caller holds the locks.
    """
    with suppress(DanebotError):
        remove_leftovers(root / DIRECTORY)
    return tuple(
        left
        for kept in _listed(root / DIRECTORY)
        if kept.name.endswith(KEPT) and (left := _give_back(kept))
    )


def _give_back(kept: Path) -> str:
    place = kept.with_name(kept.name.removesuffix(KEPT))
    try:
        if not _holds(place):
            return f"{kept} is left: what danebot put at {place.name} is gone or replaced"
        move(kept, place)
    except DanebotError as exc:
        return str(exc)
    return ""


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
    try:
        return [directory / name for name in sorted(os.listdir(directory))]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise HookError(f"cannot list {directory}: {exc.strerror}; {advice(exc)}") from exc
