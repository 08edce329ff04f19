"""Faults on a real site, told by real Nagios, Icinga, Prometheus and Alertmanager.

All run with the shipped definitions, as nobody.  Shipped intervals are minutes; here everything is
looked at every few seconds, no state is soft, and an alert need last but a second (`prometheus`).
The table:  make test T='-s tests/monitoring/test_faults.py'
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from e2e.site import Site
from lab.lab import Lab
from lab.lab import missing as lab_missing
from monitoring import prometheus
from monitoring.faults import FAULTS, Fault, World, follow
from monitoring.stack import DAEMONS, WORDS, Stack, all_well, missing

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

NEVER = dict.fromkeys(DAEMONS, float("nan"))


@pytest.mark.timeout(2400)  # one and twenty faults on a machine that is busy with other tests
def test_each_fault_is_told_by_all_and_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    """One test, since starting the daemons takes longer than a fault."""
    reason = lab_missing() or missing()
    if reason:
        pytest.skip(reason)
    with Lab() as lab:
        site = Site(lab)
        stack = Stack(site)
        world = World(site, site.staged(), textfile=stack.textfile)
        world.configure()
        follow(world)
        refused = stack.prepare()
        if refused:
            pytest.skip(refused)
        stack.start()
        began = time.time()
        world.cron()
        stack.until(all_well(), frozenset())
        rows, failures = [_row("seconds until told / taken back", DAEMONS, "state")], []
        for fault in FAULTS:
            try:
                fault.bring(world)
                told = stack.until(fault.wanted(all_well()), fault.firing())
            except AssertionError as error:
                failures.append(f"{fault.name}: {error}")
                told = NEVER
            fault.mend(world)
            back = stack.until(all_well(), frozenset())
            rows.append(_row(fault.name, _times(told, back), _words(fault)))
        with capsys.disabled():
            print("", *rows, sep="\n")  # noqa: T201 - a table for people
        assert failures == []
        assert prometheus.unanswered(stack.prometheus, began) == []


def _row(name: str, cells: tuple[str, ...], words: str) -> str:
    return f"{name:<33}" + "".join(f"{cell:>13}" for cell in cells) + f"  {words}"


def _times(told: Mapping[str, float], back: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{told[one]:.1f} / {back[one]:.1f}" for one in DAEMONS)


def _words(fault: Fault) -> str:
    states = ", ".join(f"{one} {WORDS[state]}" for one, state in fault.states.items())
    return f"{states}; {', '.join(fault.alerts)}"
