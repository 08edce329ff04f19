"""Writes and reads the public status document."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from danebot import __version__
from danebot.adapters.atomic import remove_leftovers, write_file
from danebot.adapters.codec import decode, encode
from danebot.adapters.tree import read_bytes
from danebot.domain.snapshot import (
    SCHEMA,
    RunStatus,
    Snapshot,
    carry,
    finding_status,
    lineage_status,
)
from danebot.errors import TreeError

if TYPE_CHECKING:
    from danebot.domain.findings import Finding
    from danebot.domain.snapshot import FindingStatus, LineageStatus
    from danebot.jobs.survey import LineageView

_PUBLIC = 0o644


class Scope(enum.Enum):
    """Whether a run looked at all lineages there are, or at some."""

    EVERYTHING = "everything"
    SOME = "some"


def load_snapshot(path: Path) -> Snapshot:
    """The document at ``path``, or `TreeError` saying what is wrong with it."""
    try:
        document = json.loads(read_bytes(path))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise TreeError(f"{path} is not a danebot status document of schema {SCHEMA}")
        return decode(Snapshot, document)
    except (ValueError, RecursionError) as exc:
        raise TreeError(f"{path} is damaged: {exc}; run danebot renew to write it anew") from exc


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
        )
        for v in views
    )


def write_snapshot(
    path: Path,
    *,
    verb: str,
    scope: Scope,
    started: datetime,
    ended: datetime,
    exit_status: int,
    views: Sequence[LineageView],
    findings: Sequence[Finding],
    superseded: Callable[[FindingStatus], bool],
) -> None:
    """Replace the document, 0644; raises `TreeError`.

    Lineages that this run didn't look at, or couldn't read, keep what was written of them before.
    So do findings of earlier runs, unless this run has ``superseded`` them.
    """
    run = RunStatus(verb, __version__, started, ended, exit_status)
    try:
        old: Snapshot | None = load_snapshot(path)
    except TreeError:
        old = None
    before = {status.name: status for status in (old.lineages if old is not None else ())}
    by_name: dict[str, list[Finding]] = {}
    for finding in findings:
        by_name.setdefault(finding.lineage, []).append(finding)
    kept = before if scope is Scope.SOME else before.keys() & by_name.keys()
    lineages = {name: before[name] for name in kept}
    for status in lineage_statuses(views):
        found = by_name.get(status.name, ())
        lineages[status.name] = carry(status, before.get(status.name), run, found)
    renewed = run if verb == "renew" else (old.last_renew if old is not None else None)
    success = old.last_success if old is not None else None
    if verb == "renew" and exit_status == 0:
        success = ended
    own = {(f.code, f.lineage, f.text) for view in views for f in view.findings}
    news = [finding_status(f) for f in findings if (f.code, f.lineage, f.text) not in own]
    former = [f for f in (old.findings if old is not None else ()) if not superseded(f)]
    snapshot = Snapshot(
        SCHEMA,
        run,
        renewed,
        success,
        tuple(lineages[name] for name in sorted(lineages)),
        tuple(dict.fromkeys((*former, *news))),
    )
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as exc:
        raise TreeError(f"cannot create {path.parent}: {exc.strerror}; create it by hand") from exc
    text = json.dumps(encode(snapshot)) + "\n"  # indented, it would cost ten times as much
    remove_leftovers(path.parent)
    write_file(path, text.encode(), _PUBLIC)
