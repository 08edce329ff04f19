"""A combo.pem that nobody keeps up to date any more is told before it ends."""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import Held, LineageState, Management
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from domain.builders import T0, held, state


def told(found: LineageState) -> list[Finding]:
    observation = Observation(found, {}, "")
    planned = plan(observation, Memory(), Policy(), T0)
    findings = assess(observation, planned, Memory(), Policy(), T0)
    return [one for one in findings if one.code is Code.COMBO_BEHIND]


def passed(live: Held | None, combo: Held | None) -> LineageState:
    return state()._replace(management=Management.PASS_THROUGH, live=live, combo=combo, staged=None)


def test_behind_its_links_it_is_a_warning_with_the_two_ways_out() -> None:
    (found,) = told(passed(held("old", 2), held("old", 1)))
    assert found.severity is Severity.WARNING
    assert f"live/{found.where}/combo.pem is another certificate than the links" in found.text
    assert "fullchain.pem and privkey.pem" in found.remedy
    assert found.remedy.endswith(f"danebot init {found.where}")


def test_with_another_key_it_must_go_before_danebot_takes_over() -> None:
    (found,) = told(passed(held("new", 2), held("old", 1)))
    assert "remove combo.pem" in found.remedy
    assert "then" in found.remedy


def test_nothing_is_said_while_it_is_the_same_or_danebot_keeps_it() -> None:
    assert told(passed(held("old", 2), held("old", 2))) == []
    assert told(passed(held("old", 2), None)) == []
    assert told(passed(None, held("old", 1))) == []
    assert told(state()._replace(live=held("old", 2), combo=held("old", 1))) == []
