"""The formula of the page about timing is the one that danebot goes by."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.domain.rollover.evidence.memory import Awaiting, Memory, OwnerMemory, TtlSighting
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.safe_time import safe_time
from domain.builders import DAY, HOUR, MX, T0

PAGE = Path(__file__).parents[2] / "docs/guides/timing.md"
FORMULA = re.compile(r"^ +safe time = (.*)$", re.MULTILINE)


@pytest.mark.parametrize("ttl", [HOUR, DAY, 3 * DAY])
@pytest.mark.parametrize("watched", [timedelta(0), 6 * DAY, 300 * DAY])
@pytest.mark.parametrize(
    "policy", [Policy(), Policy(min_wait=timedelta(0)), Policy(unseen_ttl=DAY)]
)
def test_the_formula_gives_the_safe_time(
    ttl: timedelta, watched: timedelta, policy: Policy
) -> None:
    (formula,) = FORMULA.findall(PAGE.read_text(encoding="utf-8"))
    first = T0 - watched
    memory = Memory(
        owners={MX: OwnerMemory((TtlSighting(ttl, first, T0),), watched_since=first)},
        awaiting=Awaiting(b"", first, unseen_at=first, served_since=T0, seen_since=T0),
    )
    safe = safe_time(memory, [MX], policy)
    assert safe is not None
    values = {
        **{name: getattr(policy, name) for name in ("min_wait", "margin", "unseen_ttl")},
        "S": T0,
        "T": ttl,
        "F": first,
    }
    assert safe.at == eval(formula, {"max": max}, values)  # noqa: S307 - the page's own words
