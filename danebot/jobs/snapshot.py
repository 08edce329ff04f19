"""Writes and reads the public status document."""

from __future__ import annotations

import enum
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from danebot import __version__
from danebot.adapters.codec import encode
from danebot.adapters.files import make_directory, open_lock, remove_leftovers, write_file
from danebot.adapters.presence import ABSENT, is_directory, is_same
from danebot.adapters.status_file import StatusError, load_former, load_status
from danebot.domain.codes import Code
from danebot.domain.status.document import (
    LAST_EVENTS,
    SCHEMA,
    EventStatus,
    FindingStatus,
    Former,
    LineageStatus,
    RunStatus,
    Snapshot,
    event_status,
    finding_status,
)
from danebot.domain.status.summary import carry, lineage_status
from danebot.domain.text import printable
from danebot.errors import TreeError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.addresses import SocketAddress
    from danebot.domain.event import Event
    from danebot.domain.finding import Finding
    from danebot.jobs.view import LineageView

_PUBLIC = 0o644
_LOCK = ".danebot-status.lock"
_PATIENCE, _PAUSE = 10.0, 0.05  # seconds
_LONGEST_PATH = 4096
_RENEW = "renew"  # the daily job


class Scope(enum.Enum):
    """Whether a run looked at all lineages there are, or at some."""

    EVERYTHING = "everything"
    SOME = "some"


def lineage_statuses(views: Sequence[LineageView]) -> tuple[LineageStatus, ...]:
    """What is published of each lineage."""
    return tuple(
        lineage_status(
            v.observation,
            v.memory,
            v.plan,
            v.publication,
            v.findings,
            policy=v.policy,
            at=v.at,
            probes=v.probes,
            names=v.names,
        )
        for v in views
    )


class News(NamedTuple):
    """What a run has to say: the views of the lineages in its ``scope``, and its findings.

    ``superseded`` tells which findings of earlier runs it has looked into again.  ``witnesses``
    were asked beside the zones' servers.  ``tree`` is certbot's directory, ``events`` are the
    changes that it made.
    """

    scope: Scope
    views: Sequence[LineageView]
    findings: Sequence[Finding]
    superseded: Callable[[FindingStatus], bool]
    witnesses: Sequence[SocketAddress] = ()
    tree: Path | None = None
    events: Sequence[Event] = ()


def this_run(verb: str, started: datetime, ended: datetime, exit_status: int) -> RunStatus:
    """Return the record of a run of this version of danebot."""
    return RunStatus(verb, __version__, started, ended, exit_status)


def write_snapshot(path: Path, run: RunStatus, news: News) -> None:
    """Replace the document, 0644; raises `TreeError`.

    Lineages that this run didn't look at, or couldn't read, keep what was written of them before.
    So do findings of earlier runs, unless this run has superseded them.
    """
    views, findings = news.views, news.findings
    with _alone(path.parent):
        old, before = _former(path, news)
        success = old.last_success if old is not None else None
        if run.verb == _RENEW and news.scope is Scope.EVERYTHING and run.exit_status == 0:
            success = run.ended
        own = {(f.code, f.where, f.text) for view in views for f in view.findings}
        new = [finding_status(f) for f in findings if (f.code, f.where, f.text) not in own]
        refuted = {Code.NOTHING_TO_RENEW.value} if views else set()
        former = [
            f
            for f in (old.findings if old is not None else ())
            if not news.superseded(f) and f.code not in refuted
        ]
        found = tuple(dict.fromkeys((*former, *new)))
        lineages = _lineages(before, run, news)
        witnesses = tuple(map(str, news.witnesses))
        tree = _named(old, news.tree)
        renewed = _renewed(old, run)
        events = _events(old, news.events)
        kept = (lineages, found, witnesses, tree, events)
        _replace(path, Snapshot(SCHEMA, run, renewed, success, *kept))


def presented(old: Snapshot | None, run: RunStatus, news: News) -> Snapshot:
    """What a run saw, in the document's form: the lineages of its views, and no others.

    ``old`` is the document as it is, None where there is none that can be read.
    """
    looked = {view.state.name for view in news.views}
    before = old.lineages if old is not None else ()
    lineages = tuple(one for one in _lineages(before, run, news) if one.name in looked)
    own = {(f.code, f.where, f.text) for view in news.views for f in view.findings}
    return Snapshot(
        SCHEMA,
        run,
        _renewed(old, run),
        old.last_success if old is not None else None,
        lineages,
        tuple(finding_status(f) for f in news.findings if (f.code, f.where, f.text) not in own),
        tuple(map(str, news.witnesses)),
        _named(old, news.tree),
        tuple(map(event_status, news.events)),
    )


def _renewed(old: Snapshot | None, run: RunStatus) -> RunStatus | None:
    """The last run of `renew`: this one, or the one before."""
    if run.verb == _RENEW:
        return run
    return old.last_renew if old is not None else None


def _events(old: Snapshot | None, new: Sequence[Event]) -> tuple[EventStatus, ...]:
    """The last changes; one that an earlier document of the same run has counts once."""
    known = old.events if old is not None else ()
    return tuple(dict.fromkeys((*known, *map(event_status, new))))[-LAST_EVENTS:]


def leave_word(
    path: Path,
    run: RunStatus,
    findings: Sequence[Finding],
    tree: Path | None = None,
    events: Sequence[Event] = (),
) -> None:
    """Say in the document that a run came to nothing, and why; raises `TreeError`.

    All that earlier runs found stays: nothing is known anew, but for the changes that it made.
    """
    with _alone(path.parent):
        old = _believed(lambda: load_status(path), path, tree)
        news = tuple(map(finding_status, findings))
        mine = {(f.code, f.lineage) for f in news}
        kept = old.findings if old is not None else ()
        former = [f for f in kept if (f.code, f.lineage) not in mine]
        found = tuple(dict.fromkeys((*former, *news)))
        blank = Snapshot(SCHEMA, run, None, None, (), ())
        _replace(
            path,
            (old or blank)._replace(
                run=run,
                last_renew=_renewed(old, run),
                findings=found,
                tree=_named(old, tree),
                events=_events(old, events),
            ),
        )


def _former(
    path: Path, news: News
) -> tuple[Snapshot | None, Sequence[LineageStatus] | Sequence[Former]]:
    """The document as it is, and its lineages: as a whole where any may stay as it is."""
    looked = {"", *(view.state.name for view in news.views)}
    if news.scope is Scope.SOME or any(found.where not in looked for found in news.findings):
        old = _believed(lambda: load_status(path), path, news.tree)
        return old, old.lineages if old is not None else ()
    lineages: list[Former] = []

    def load() -> Snapshot:
        rest, found = load_former(path)
        lineages[:] = found
        return rest

    return _believed(load, path, news.tree), lineages


def _believed(load: Callable[[], Snapshot], path: Path, tree: Path | None) -> Snapshot | None:
    """The document as it is; None where there is none, or it is damaged, and begins anew.

    Raises `StatusError` where nobody can tell: what it says of other lineages must not be lost.
    Raises `TreeError` where it is another tree's, of which it would say nothing any more.
    """
    try:
        old = load()
    except StatusError as exc:
        if isinstance(exc.__cause__, OSError) and not isinstance(exc.__cause__, ABSENT):
            raise StatusError(exc.reason, f"{exc}; mend that, or remove it to begin anew") from exc
        return None
    if tree is not None and old.tree and _is_another(Path(old.tree), tree):
        raise TreeError(
            f"{path} is about {old.tree}, and stays so: two trees can't share it; name another one "
            f"with snapshot in danebot.toml, or remove it if {tree} has taken that one's place"
        )
    return old


def _is_another(former: Path, tree: Path) -> bool:
    """Whether both are there: one that was moved or renamed isn't, nor one with a link to it.

    Raises `UnreadableError`.
    """
    return is_directory(former / "renewal") and not is_same(former, tree)


def _named(old: Snapshot | None, tree: Path | None) -> str:
    """The tree's name as it goes into the document."""
    known = old.tree if old is not None else ""
    return printable(str(tree), _LONGEST_PATH) if tree is not None else known


def _lineages(
    former: Sequence[LineageStatus] | Sequence[Former], run: RunStatus, news: News
) -> tuple[LineageStatus, ...]:
    before = {status.name: status for status in former}
    by_name: dict[str, list[Finding]] = {}
    for finding in news.findings:
        by_name.setdefault(finding.where, []).append(finding)
    kept = before if news.scope is Scope.SOME else before.keys() & by_name.keys()
    whole = {one.name: one for one in before.values() if isinstance(one, LineageStatus)}
    lineages = {name: whole[name] for name in whole.keys() & kept}
    of_all = by_name.get("", [])
    for status in lineage_statuses(news.views):
        found = (*by_name.get(status.name, ()), *of_all)
        lineages[status.name] = carry(status, before.get(status.name), run, found)
    return tuple(lineages[name] for name in sorted(lineages))


def _replace(path: Path, document: Snapshot) -> None:
    text = json.dumps(encode(document)) + "\n"  # indented, it would cost ten times as much
    remove_leftovers(path.parent)
    write_file(path, text.encode(), _PUBLIC)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Nobody else replaces the document meanwhile: a run that waited in vain for the locks might.

    The lock is a file that nobody else can open, and isn't waited for without end: whoever may read
    the directory must not be able to stop a run.  Raises `TreeError` where there can't be a
    document, or somebody else is at it all the while.
    """
    try:
        make_directory(directory, 0o755)
        descriptor = open_lock(directory / _LOCK)
    except OSError as exc:
        raise TreeError(f"cannot use {directory}: {exc.strerror}; create it by hand") from exc
    try:
        _lock(descriptor, directory)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                raise TreeError(f"{directory / _LOCK} is held by another program") from exc
            time.sleep(_PAUSE)
        except OSError as exc:
            raise TreeError(f"cannot lock {directory}: {exc.strerror}") from exc
        else:
            return
