"""What reloads too early is found wherever certbot is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.trees import NAME
from danebot.config import Settings
from danebot.domain.finding import Code
from danebot.domain.kinds import FindingKind
from danebot.jobs.reloading import reload_notices
from jobs.world import World


def _codes(world: World) -> list[FindingKind]:
    context = world.context._replace(settings=Settings(run_post_hooks=False))
    return [one.code for one in reload_notices(context, NAME)]


@pytest.mark.parametrize(
    ("conf", "cli_ini"),
    [
        ("post_hook = reload\n", ""),
        ("", "post-hook = reload\n"),
        ("installer = nginx\n", ""),
        ("", "installer = nginx\n"),
        ("installer = None\n", "installer = nginx\n"),
    ],
)
def test_hooks_and_installers_of_certbots_own_settings_count(
    tmp_path: Path, conf: str, cli_ini: str
) -> None:
    world = World(tmp_path)
    path = world.paths.conf
    path.write_text(path.read_text().replace("[renewalparams]\n", f"[renewalparams]\n{conf}"))
    (world.grown.root / "cli.ini").write_text(cli_ini)
    assert Code.RELOADED_EARLY in _codes(world)
