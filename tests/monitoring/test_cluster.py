"""Icinga zones: services of a satellite that is killed go to the other, and come back."""

from __future__ import annotations

import os
import time

import pytest

from monitoring import plugins
from monitoring.cluster import Cluster, cluster
from monitoring.feeding import Domains, domains, public, until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to nobody"),
    pytest.mark.once,
    pytest.mark.timeout(600),
]
SERVICES = 8
SATELLITES = {"satellite1", "satellite2"}


def hosts(world: Domains) -> str:
    """Hosts of the zone; the last one's service belongs to one satellite."""
    text = ""
    for number in range(SERVICES):
        name = f"mx{number}.example"
        world.right(name)
        pinned = 'vars.dane_endpoint = "satellite1"\n' if number == SERVICES - 1 else ""
        endpoint = 'command_endpoint = "satellite1"\n' if pinned else ""
        text += (
            f'object Host "{name}" {{\n  check_command = "dummy"\n  {pinned}'
            f'  vars.dane_resolver = "127.0.0.1:{world.world.dns.port}"\n}}\n'
            f'object Service "dane" {{\n  import "danebot-service"\n  host_name = "{name}"\n'
            f'  check_command = "dane"\n  vars.dane_host = "{name}"\n  vars.dane_starttls = "tls"\n'
            f"  vars.dane_port = {world.world.port}\n  vars.dane_timeout = 20\n  {endpoint}}}\n"
        )
    return text


def lately(found: Cluster, since: float, *, pinned: bool = False) -> dict[str, tuple[int, str]]:
    """State and satellite of what was looked at since then."""
    last = f"mx{SERVICES - 1}.example!dane"
    return {
        name: (one.state, one.source)
        for name, one in found.checked().items()
        if one.at > since and (name == last) == pinned
    }


def test_services_of_a_killed_satellite_go_to_the_other_and_back() -> None:
    with public() as where, domains() as world:
        programs = where / "bin"
        refused = plugins.write(programs)
        if refused:
            pytest.skip(refused)
        with cluster(where / "cluster", programs, hosts(world)) as found:

            def shared(since: float) -> bool:
                """All are fine, and each satellite has some."""
                seen = lately(found, since)
                fine = len(seen) == SERVICES - 1 and {state for state, _ in seen.values()} == {0}
                return fine and {source for _, source in seen.values()} == SATELLITES

            until(lambda: shared(0), "both satellites look", 120)
            until(lambda: set(lately(found, 0, pinned=True).values()) == {(0, "satellite1")}, "")
            found.kill("satellite1")
            killed = time.time()

            def moved() -> bool:
                seen = lately(found, killed)
                return len(seen) == SERVICES - 1 and set(seen.values()) == {(0, "satellite2")}

            until(moved, "the other one has them all", 120)

            def unknown() -> bool:
                return {state for state, _ in lately(found, killed, pinned=True).values()} == {3}

            until(unknown, "what belongs to the dead one is unknown", 180)
            found.start("satellite1")
            until(lambda: shared(time.time() - 16), "both look again", 180)
            back = time.time()
            until(
                lambda: set(lately(found, back, pinned=True).values()) == {(0, "satellite1")},
                "and its own service is fine",
                120,
            )
