"""What a daily run can afford to look at of its host: a few calls to the kernel, and one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from danebot.domain.finding import Code, Finding, Severity

if TYPE_CHECKING:
    from danebot.jobs.context import Context

_OTHERS_WRITE = 0o022
_ROOM, _INODES = 1 << 30, 10_000  # far more than what is a finding


def host_trouble(context: Context) -> tuple[Finding, ...]:
    """One finding for all of it; () where there is nothing.  `danebot doctor` looks at more.

    A glance tells whether there may be anything; what loads more modules than an idle run can
    afford judges it.
    """
    if not any(_glances(context)):
        return ()
    from danebot.domain.doctor.assess import assess_files
    from danebot.jobs.host_facts import Looker, cheap_facts

    found = assess_files(cheap_facts(context.settings, context.tree.root, Looker()))
    if not found:
        return ()
    text = "; ".join(one.sentence for one in found)
    worst = max(one.severity for one in found)
    return (Finding(Code.HOST_TROUBLE, max(worst, Severity.WARNING), "", text),)


def _glances(context: Context) -> Iterator[bool]:
    """Whether something may be amiss with each place that `cheap_facts` looks at."""
    root, settings = context.tree.root, context.settings
    for place in (root, settings.state_directory):
        yield _is_short(str(place))
    if settings.file is not None:
        yield _is_open(str(settings.file))
    for kind in ("pre", "deploy", "post"):
        directory = f"{root}/renewal-hooks/{kind}"
        try:
            names = os.listdir(directory)
        except OSError as exc:
            yield not isinstance(exc, FileNotFoundError)
            continue
        yield _is_open(directory)
        yield from (_is_open(f"{directory}/{name}") for name in names)


def _is_open(path: str) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return True
    return bool(found.st_mode & _OTHERS_WRITE) or found.st_uid != 0


def _is_short(path: str) -> bool:
    try:
        left = os.statvfs(path)
    except OSError:
        return True
    few = bool(left.f_files) and left.f_favail < _INODES
    return few or left.f_bavail * left.f_frsize < _ROOM or bool(left.f_flag & os.ST_RDONLY)
