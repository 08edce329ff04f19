"""An anchor of somebody else's CA is no record that the live chain satisfies."""

from __future__ import annotations

import pytest

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.finding import Code, Severity
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from domain import builders
from domain.builders import MX, T0, line
from domain.gate_world import chain, shown, tlsa


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (tlsa("2 1 1", by="B"), Code.TLSA_MISMATCH),
        (tlsa("2 1 2", by="B"), Code.TLSA_MISMATCH),
        (tlsa("2 1 0", by="B"), Code.TLSA_MISMATCH),
        (tlsa("2 1 1"), Code.TLSA_MISSING),
    ],
)
def test_whose_anchor_it_is(record: TlsaRecord, code: Code) -> None:
    live = chain()
    state = builders.state(line())._replace(
        live=live, combo=live._replace(version=None), staged=live
    )
    seen = Observation(state, {MX: shown(record)}, "")
    found = assess(seen, plan(seen, Memory(), Policy(), T0), Memory(), Policy(), T0)
    (told,) = [one for one in found if one.code in (Code.TLSA_MISMATCH, Code.TLSA_MISSING)]
    assert told.code is code
    assert (told.severity is Severity.CRITICAL) == (code is Code.TLSA_MISMATCH)
