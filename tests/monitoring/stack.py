"""The monitoring daemons beside a lab, and what they say at any moment."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from e2e.site import Site
from lab.processes import Service
from monitoring import icinga, nagios, plugins, prometheus

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
DAEMONS = ("Nagios", "Icinga", "Prometheus")
SERVICES = ("renewal", "tlsa", "expiry", "rollover", "dane")
LIMIT = 300.0  # seconds; what it takes is in the table


class Told(NamedTuple):
    """What one daemon said of one service, and when it started to look (seconds since 1970)."""

    state: int
    output: str
    looked: float


States = Mapping[str, Told]


def missing() -> str | None:
    """Say why the daemons can't run here; None if they can."""
    programs = (nagios.PROGRAM, icinga.PROGRAM, *prometheus.PROGRAMS)
    absent = [one for one in programs if shutil.which(one) is None]
    return f"not installed (make deps): {', '.join(absent)}" if absent else None


@dataclass
class Stack:
    """Nagios and Icinga, each checking five services every four seconds; Prometheus and friends."""

    site: Site
    nagios: nagios.Site = field(init=False)
    icinga: icinga.Site = field(init=False)
    prometheus: prometheus.Site = field(init=False)

    @property
    def base(self) -> Path:
        """Everything of the daemons is below."""
        return self.site.lab.root / "monitoring"

    @property
    def textfile(self) -> Path:
        """What node_exporter collects."""
        return self.base / "prometheus/textfiles/danebot.prom"

    def prepare(self) -> str:
        """Write the programs that nobody runs; "" or why nobody can."""
        lab = self.site.lab
        programs, address = self.base / "bin", f"{lab.net}.8"
        refused = plugins.write(programs)
        snapshot = self.site.snapshot
        self.nagios = nagios.Site(self.base / "nagios", programs, snapshot, lab.resolver)
        self.icinga = icinga.Site(self.base / "icinga", programs, address, snapshot, lab.resolver)
        settings = self.site.configure()
        self.prometheus = prometheus.Site(self.base / "prometheus", address, programs, settings)
        return refused

    def start(self) -> None:
        """Start the daemons, and wait until each has looked at everything."""
        self.site.lab.add(
            *prometheus.services(self.prometheus),
            Service("nagios", nagios.configure(self.nagios), lambda: len(self._nagios()) == 5),
            Service("icinga", icinga.configure(self.icinga), lambda: len(self._icinga()) == 5),
        )

    def _nagios(self) -> States:
        return {_short(name): Told(*told) for name, told in nagios.states(self.nagios).items()}

    def _icinga(self) -> States:
        return {_short(name): Told(*told) for name, told in icinga.states(self.icinga).items()}

    def until(self, wanted: Mapping[str, int], alerts: frozenset[str]) -> dict[str, float]:
        """Wait until all say what is wanted; the seconds that each took.

        Without ``alerts``, until there are none.  AssertionError where a check that began after
        this call said something else: the state must be there within one check interval.
        """
        begin, clock = time.monotonic(), time.time()
        took: dict[str, float] = {}
        while len(took) < len(DAEMONS):
            seen: dict[str, object] = {}
            for name, states in (("Nagios", self._nagios()), ("Icinga", self._icinga())):
                seen[name] = states
                late = list(_late(states, wanted, clock + 1))  # Nagios tells whole seconds
                assert not late, f"{name} looked, and said: {late}; wanted {dict(wanted)}"
                if all(one in states and states[one].state == wanted[one] for one in wanted):
                    took.setdefault(name, time.monotonic() - begin)
            firing = seen["Prometheus"] = prometheus.firing(self.prometheus)
            if alerts <= firing if alerts else prometheus.silent(self.prometheus):
                took.setdefault("Prometheus", time.monotonic() - begin)
            waited = time.monotonic() - begin
            assert waited < LIMIT, f"wanted {dict(wanted)} and {set(alerts)}, found {seen}"
            time.sleep(0.2)
        return took


def _late(states: States, wanted: Mapping[str, int], since: float) -> Iterator[Told]:
    for name, state in wanted.items():
        told = states.get(name)
        if told is not None and told.looked > since and told.state != state:
            yield told


def _short(name: str) -> str:
    """``danebot tlsa`` and ``danebot-tlsa`` are ``tlsa``; ``DANE example.test`` is ``dane``."""
    head, _, tail = name.replace(" ", "-").partition("-")
    return "dane" if head.lower() == "dane" else tail


def all_well() -> dict[str, int]:
    """Every service is fine."""
    return dict.fromkeys(SERVICES, OK)
