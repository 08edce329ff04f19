"""Holds certbot's deploy hooks back until a chain is live.

certbot runs what is in ``renewal-hooks/deploy`` once it has issued, before danebot has judged the
chain.  So while a lineage is under care, each hook is kept in ``renewal-hooks/danebot-deploy``, and
a few lines in its place run it for whatever lies elsewhere than in ``staging``.  At every instant
certbot finds one of the two there, and both can be told apart: a crash leaves nothing to mend.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from danebot.adapters.files import TEMP_PREFIX, keep, make_directory, move, write_file
from danebot.adapters.presence import ABSENT, permissions
from danebot.errors import HookError

DIRECTORY = "renewal-hooks/deploy"
POST = "renewal-hooks/post"
KEPT = "renewal-hooks/danebot-deploy"  # as deep as the other: links in it lead to the same place
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
        if Path(path).is_file() and os.access(path, os.X_OK) and not path.endswith("~")
    ]


def hold(root: Path) -> None:
    """Hold back every deploy hook of the tree at ``root``.  The caller holds the locks.

    Raises `DanebotError` where that can't be done: then certbot must not be called.
    """
    for path in map(Path, executables(root / DIRECTORY)):
        if _holds(path):
            continue
        kept = root / KEPT / path.name
        mode = permissions(path)
        try:
            make_directory(kept.parent, 0o755)
        except OSError as exc:
            raise HookError(f"cannot create {kept.parent}: {exc.strerror}") from exc
        keep(path, kept)
        text = _TEXT.format(mark=_MARK, kept=kept, quoted=shlex.quote(str(kept)))
        write_file(path, text.encode(), mode)


def any_staged(root: Path, but: str = "") -> bool:
    """Whether a lineage is under care, another than ``but``."""
    names = (path.name for path in _listed(root / "staging") if path.is_dir())
    return any(name != but and not name.startswith(TEMP_PREFIX) for name in names)


def give_back(root: Path) -> tuple[Path, ...]:
    """Put the hooks back, and return those whose place is taken or gone: they stay where they are.

    The caller holds the locks.
    """
    left = []
    for kept in _listed(root / KEPT):
        place = root / DIRECTORY / kept.name
        if _holds(place):
            move(kept, place)
        else:
            left.append(kept)
    if not left and (root / KEPT).is_dir():
        (root / KEPT).rmdir()
    return tuple(left)


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
        raise HookError(f"cannot list {directory}: {exc.strerror}; run danebot as root") from exc
