"""danebot survey: domains a second and core, workers beside each other, memory however many.

``PROVE=all`` takes 10^5 and 10^6 domains in place of 10^4 and 10^5.
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from amounts import amount
from bench.measure import Bench
from survey import job
from survey.internet import Internet, missing

pytest.importorskip("distributed", reason="danebot[survey] isn't installed")
pytestmark = pytest.mark.timeout(7200)
FEW, MANY = amount(10_000, 100_000), amount(100_000, 1_000_000)
_RATE = re.compile(r"\] (.+?): \d+ of \d+ partitions, ([\d,]+) domains/s")


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Internet() as running, running.inside():
        yield running


class Spent(NamedTuple):
    """CPU seconds of a survey, the largest worker's peak in MiB, and domains a second by stage."""

    cpu: float
    memory: float
    rates: dict[str, float]


def surveyed(at: Path, count: int, workers: int) -> Spent:
    """One survey from nothing."""
    at.mkdir()
    words = job.run_words(job.listed(at, count), at / "out", "--workers", str(workers))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = job.start(at, *words, options=["-v"])
    memory = 0.0
    while process.poll() is None:
        memory = max([memory, *map(_peak, job.workers(process.pid))])
        time.sleep(0.2)
    _, told = process.communicate()
    assert process.returncode == 0, told
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rates = {stage: float(rate.replace(",", "")) for stage, rate in _RATE.findall(told)}
    return Spent(cpu, memory, rates)


def _peak(pid: int) -> float:
    """MiB that a process had resident at most; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


@pytest.mark.usefixtures("internet")
def test_survey(bench: Bench, tmp_path: Path) -> None:
    few = surveyed(tmp_path / "few", FEW, 1)
    many = surveyed(tmp_path / "many", MANY, 1)
    each = (many.cpu - few.cpu) / (MANY - FEW)
    name = f"danebot survey, a domain more ({1 / each:.0f} a second and core)"
    bench.limit(name, 1000 * each, 1, "ms CPU")
    name = f"danebot survey, a worker's peak: {MANY} domains / {FEW}"
    bench.row(name, many.memory, few.memory, "MiB", goal=1.3)
    bench.limit(f"the same, {MANY} domains", many.memory, 300, "MiB")
    if len(os.sched_getaffinity(0)) > 1:
        two = surveyed(tmp_path / "two", MANY, 2)
        for stage in ("MX records", "domains"):
            one, both = 1 / many.rates[stage], 1 / two.rates[stage]
            bench.row(f"{stage}: two workers / one, time", both, one, "s", goal=round(1 / 1.7, 3))
