"""The stories again, on BIND, NSD and PowerDNS, through BIND, kresd and dnsmasq.

danebot speaks RFCs, not programs: what these servers word or order differently must not matter.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lab.resolvers import Resolver
from lab.second import SecondLab

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]

DEMO = Path(__file__).resolve().parents[2] / "tools/demo.py"


def demo() -> ModuleType:
    """tools/demo.py, which is no package."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("resolver", Resolver)
def test_the_demo_s_story(second: SecondLab, resolver: Resolver) -> None:
    """Its own words insist on each phase, on the key served, and that Postfix could deliver."""
    told = demo()
    second.use(resolver)
    story = told.Story(second)
    _, live = told.rollover(story)
    if resolver is Resolver.KRESD:  # the rest of it once
        told.withdrawn(story, live)
        told.accident(story, live)
