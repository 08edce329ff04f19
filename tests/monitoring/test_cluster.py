"""Icinga zones: services of a satellite that is killed go to the other, and come back."""

from __future__ import annotations

import os
import time

import pytest

from monitoring import plugins
from monitoring.cluster import cluster, hosts, moved, shared
from monitoring.feeding import domains, public, until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody"),
    pytest.mark.once,
    pytest.mark.timeout(600),
]


def test_services_of_a_killed_satellite_go_to_the_other_and_back() -> None:
    with public() as where, domains() as world:
        programs = where / "bin"
        refused = plugins.write(programs)
        if refused:
            pytest.skip(refused)
        with cluster(where / "cluster", programs, hosts(world)) as found:
            until(lambda: shared(found, 0), "both satellites look", 120)
            found.kill("satellite1")
            killed = time.time()
            until(lambda: moved(found, killed, "satellite2"), "the other one has them all", 120)
            found.start("satellite1")
            until(lambda: shared(found, time.time() - 16), "both look again", 180)
