"""An exporter that probes for a simulated month: what it holds on to stays the same.

Five minutes are a scrape.  Each day has its daily run, a probe and checks asked for (``check_dane
--via``), visitors who say nothing and a SIGHUP; each week resolver, secondary and Postfix are
started anew.  Memory, descriptors and threads are looked at daily, and so is how long a scrape
takes.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from asking import check_dane
from e2e.site import Site
from exporter.running import Exporter, exporter
from lab.lab import Lab, missing
from prove.part import Budget, Part, Row, counted

_DAYS, _SCRAPES = 30, 24 * 12
_WARM = 2  # days
_MORE_MEMORY = 4  # MiB
_MORE_THREADS = 4  # visitors that a thread still waits for
_SILENT = 8  # visitors a day
_CHECKS = 4  # a day
_SLOWER = 3  # times
_WEEKLY = ("resolver", "secondary", "postfix")


class Day(NamedTuple):
    """What the exporter has at the end of a day; ``scrape`` is the median of the day, seconds."""

    memory: float  # MiB
    descriptors: int
    threads: int
    scrape: float


def _run(budget: Budget) -> Iterator[Row]:
    if reason := missing():
        yield Row("long run", f"none: {reason}")
        return
    days: list[Day] = []
    with Lab() as lab:
        site = Site(lab)
        site.staged()
        site.quiet("renew")
        socket_words = ("--check.socket", _socket(site))
        options = ("--config", site.configure(), "--probe.targets", "any", *socket_words)
        with exporter(*options, interval="1s") as found, ExitStack() as visitors:
            while len(days) < _DAYS and not budget.over():
                visitors.close()
                scrapes = _day(site, found, len(days), visitors, budget)
                if not budget.over():
                    days.append(_held(found, scrapes))
                yield _row(days)
    yield _row(days)


def _socket(site: Site) -> Path:
    return site.tree.parent / "check.sock"


def _day(site: Site, found: Exporter, day: int, visitors: ExitStack, budget: Budget) -> list[float]:
    """How long each scrape took, in seconds."""
    place = _socket(site)
    site.ok("renew")
    if day % 7 == 6:
        for service in _WEEKLY:
            site.lab.stop(service)
        found.get("/metrics")
        for service in _WEEKLY:
            site.lab.start(service)
    found.process.send_signal(signal.SIGHUP)
    for _ in range(_SILENT):
        visitor = socket.create_connection(("127.0.0.1", found.port))
        visitors.enter_context(closing(visitor))
    found.get("/probe?target=mail.example.test&module=smtp")
    found.get("/")
    for _ in range(_CHECKS):
        told = check_dane(["--via", str(place), "-H", "mail.example.test", "-p", "25"])
        if told.state == "UNKNOWN":
            raise AssertionError(f"day {day}: {told.text}")
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", found.port, timeout=60)) as connection:
        for _ in range(_SCRAPES):
            began = time.perf_counter()
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != http.HTTPStatus.OK:
                raise AssertionError(f"day {day}: /metrics answers {answer.status}")
            if budget.over():
                break
    return took


def _held(found: Exporter, scrapes: list[float]) -> Day:
    process = Path(f"/proc/{found.process.pid}")
    fields = dict(
        line.split(":\t", 1)
        for line in (process / "status").read_text().splitlines()
        if ":\t" in line
    )
    memory = int(fields["VmRSS"].split()[0]) / 1024
    descriptors = len(os.listdir(process / "fd"))
    return Day(memory, descriptors, int(fields["Threads"]), statistics.median(scrapes))


def _row(days: list[Day]) -> Row:
    """Warm after some days; from then on nothing may grow with them."""
    hours = counted(len(days) * 24, _DAYS * 24)
    if len(days) <= _WARM + 1:
        return Row("long run", f"{hours} hours: too few to judge")
    first, *others = days[_WARM:]
    broken = []
    half = others[-max(len(others) // 2, 1) :]
    for name, more in (
        ("memory", _MORE_MEMORY),
        ("descriptors", _MORE_THREADS),
        ("threads", _MORE_THREADS),
    ):
        least = min(getattr(day, name) for day in half)
        if least > getattr(first, name) + more:
            broken.append(f"{name} grow: {[round(getattr(day, name)) for day in days]}")
    least = min(day.scrape for day in half)
    if least > first.scrape * _SLOWER:
        broken.append(f"scrapes take longer: {[f'{day.scrape * 1000:.1f}' for day in days]} ms")
    last = days[-1]
    amount = (
        f"{hours} hours, {counted(len(days) * _SCRAPES)} scrapes of {last.scrape * 1000:.1f} ms, "
        f"{first.memory:.0f} to {last.memory:.0f} MiB, {last.descriptors} descriptors, "
        f"{last.threads} threads"
    )
    return Row("long run", amount, tuple(broken))


PART = Part("long run", 2, _run)
