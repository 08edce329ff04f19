"""Fixtures for the tests of the probers."""

from __future__ import annotations

import asyncio

import pytest

from adapters.probing import Certificates, Probe
from adapters.services import HELO
from danebot.adapters.probe.prober import probe_all
from danebot.adapters.probe.prober_async import probe_async
from danebot.adapters.probe.target import Limits, Target
from danebot.domain.delivery.probes import ProbeResult


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def _probe(target: Target, limits: Limits) -> ProbeResult:
    (result,) = probe_all([target], limits, helo=HELO)
    return result


def _probe_async(target: Target, limits: Limits) -> ProbeResult:
    return asyncio.run(probe_async(target, limits, helo=HELO))


@pytest.fixture(params=[_probe, _probe_async], ids=["selectors", "asyncio"])
def probe(request: pytest.FixtureRequest) -> Probe:
    """Each of the two drivers."""
    driver: Probe = request.param
    return driver
