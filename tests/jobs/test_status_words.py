"""What `danebot status` calls what is live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapters.trees import NAME
from danebot.domain.status.summary import lineage_status
from danebot.jobs import confirm
from danebot.jobs.overview import look_over
from danebot.render.lineage import status_lines
from jobs.world import World

if TYPE_CHECKING:
    import pytest


def test_what_was_never_deployed_is_not_shown_as_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found live, and its service serves another key."""
    monkeypatch.setattr(confirm, "_PAUSES", (0.0,))
    world = World(tmp_path)
    world.settings = world.settings._replace(common=world.settings.common._replace(probe=True))
    world.service.key = "two"
    world.renew()
    (seen,) = look_over(world.context, [NAME]).views
    status = lineage_status(
        seen.observation,
        seen.memory,
        seen.plan,
        seen.publication,
        seen.findings,
        policy=seen.policy,
        at=seen.at,
    )
    assert status.deployed_at is not None
    text = "\n".join(status_lines(status, world.now))
    assert "unconfirmed  since" in text
    assert "  deployed" not in text
