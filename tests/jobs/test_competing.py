"""What else runs certbot on the tree is told by every daily run, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapters.trees import NAME
from danebot.adapters.certbot import timers
from danebot.adapters.tree.locks import TreeLock
from danebot.domain.finding import Code, Severity
from danebot.jobs.renew import renew_lineages
from danebot.jobs.snapshot import Scope
from jobs.world import World

if TYPE_CHECKING:
    import pytest


def test_each_run_of_all_lineages_tells_it_in_one_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, root = World(tmp_path), tmp_path / "host"
    found = timers.competing_jobs
    monkeypatch.setattr("danebot.jobs.competing.competing_jobs", lambda tree, _: found(tree, root))
    for name in ("crontab", "anacrontab"):
        (root / "etc").mkdir(parents=True, exist_ok=True)
        line = f"1 1 * * * root danebot renew; certbot renew --config-dir {world.grown.root}\n"
        (root / "etc" / name).write_text(line)
    for _ in range(2):
        (told,) = (f for f in world.renew().findings if f.code is Code.COMPETING_RUN)
        assert (told.where, told.severity) == ("", Severity.WARNING)
        assert told.text.count("take that line out") == 2
    with TreeLock(world.grown.root) as lock:
        some = renew_lineages(world.context, world.certbot, lock, (NAME,), scope=Scope.SOME)
    assert not [f for f in some.findings if f.code is Code.COMPETING_RUN]
