"""Services that came under watch, and chains that came by themselves, are to be asked."""

from __future__ import annotations

import pytest

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.rollover.evidence.memory import Deployment, Memory, Occurrence
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import (
    disproved,
    refused_reload,
    shown_already,
    to_be_asked,
    unasked,
)
from domain.builders import MX, MX2, T0, line, seen
from domain.gate_world import chain, renewal, shown, tlsa

LIVE, NEW, OWN_RECORD = chain(), chain("new", version=2), tlsa("3 1 1")
OWN = Deployment(
    LIVE.chain.fingerprint, LIVE.key.digest, T0, confirmed_at=T0, clear_since=T0, cleared_at=T0
)
STATE = renewal(LIVE)
BOTH = STATE._replace(required=(line(), line(MX2)))
EMPTY = STATE._replace(live=None, combo=None)
PASSED_THROUGH = BOTH._replace(management=Management.PASS_THROUGH)
DEPLOYED, FORMER = (
    Memory(deployment=OWN, asked=(MX,)),
    Memory(deployment=OWN._replace(chain=b"former"), asked=(MX,)),
)


def after(newcomer: TlsaRecord) -> Deployment | None:
    """The deployment once the newcomer's records were seen."""
    there = seen(shown(OWN_RECORD), shown(newcomer, owner=MX2))
    memory = remember(Memory(deployment=OWN, asked=(MX,)), BOTH, there, T0)
    return to_be_asked(memory, BOTH, there, policy=Policy(), now=T0).deployment


def test_no_old_record_goes_before_a_newcomer_was_asked() -> None:
    """Nor is it confirmed; but hooks are to show no newcomer a key that its records refuse."""
    uncleared = OWN._replace(clear_since=None, cleared_at=None)
    assert after(OWN_RECORD) == uncleared._replace(confirmed_at=None)
    assert after(tlsa("3 1 1", key="another")) == uncleared


def test_what_came_live_by_itself_is_asked_of_all() -> None:
    there = seen(shown(OWN_RECORD))
    former = Memory(deployment=OWN._replace(chain=b"former"), asked=(MX,))
    memory = remember(former, STATE, there, T0)
    last = to_be_asked(memory, STATE, there, policy=Policy(), now=T0).deployment
    assert last is not None
    assert (last.origin, last.confirmed_at) == (Occurrence.FOUND, None)
    assert last.chain == LIVE.chain.fingerprint
    begun = memory._replace(deployment=OWN._replace(chain=NEW.chain.fingerprint))
    assert to_be_asked(begun, renewal(NEW), there, policy=Policy(), now=T0) is begun


def test_who_was_let_go_was_not_asked() -> None:
    """Also where the line was taken out by hand."""
    memory = Memory(deployment=OWN, asked=(MX, MX2))
    there = seen(shown(OWN_RECORD))
    assert to_be_asked(memory, STATE, there, policy=Policy(), now=T0).asked == (MX,)


def test_what_is_disproved_was_found_live() -> None:
    """Whoever it was that deployed it: hooks are to show it no more, and no old record goes."""
    for before in (OWN, OWN._replace(chain=b"begun"), None):
        last = disproved(Memory(deployment=before), LIVE, T0).deployment
        assert last is not None
        assert (last.origin, last.chain) == (Occurrence.FOUND, LIVE.chain.fingerprint)
        assert (last.confirmed_at, last.clear_since, last.cleared_at) == (None, None, None)


def test_what_was_found_is_asked_of_a_newcomer_whatever_its_records() -> None:
    there = seen(shown(OWN_RECORD), shown(tlsa("3 1 1", key="another"), owner=MX2))
    found = DEPLOYED._replace(deployment=OWN._replace(origin=Occurrence.FOUND))
    memory = remember(found, BOTH, there, T0)
    last = to_be_asked(memory, BOTH, there, policy=Policy(), now=T0).deployment
    uncleared = OWN._replace(confirmed_at=None, clear_since=None, cleared_at=None)
    assert last == uncleared._replace(origin=Occurrence.FOUND)


def test_a_deployment_that_is_under_way_goes_on_when_a_service_comes() -> None:
    """It is as good as begun: what services are to have is what is staged."""
    staged = BOTH._replace(staged=NEW)
    begun = DEPLOYED._replace(deployment=OWN._replace(chain=NEW.chain.fingerprint))
    last = to_be_asked(begun, staged, seen(), policy=Policy(), now=T0).deployment
    assert last is not None
    assert (last.origin, last.chain) == (Occurrence.DEPLOYED, NEW.chain.fingerprint)
    assert last.confirmed_at is None


def test_where_nothing_is_live_nobody_is_asked_for_it() -> None:
    without = EMPTY._replace(required=BOTH.required)
    assert to_be_asked(DEPLOYED, without, seen(), policy=Policy(), now=T0) is DEPLOYED


@pytest.mark.parametrize(
    ("memory", "state", "is_unasked", "is_shown"),
    [
        (DEPLOYED, STATE, False, True),
        (DEPLOYED, BOTH, True, False),  # a service came
        (DEPLOYED, PASSED_THROUGH, False, True),  # nobody deploys there
        (FORMER, STATE, True, False),  # another chain came live
        (FORMER, PASSED_THROUGH, False, False),
        (FORMER, EMPTY._replace(staged=None), True, False),
        (DEPLOYED, EMPTY._replace(staged=None), True, False),
        (DEPLOYED, EMPTY, False, False),  # it is staged still
        (Memory(asked=(MX,)), STATE, False, False),  # it was live before danebot came
    ],
)
def test_who_was_shown_what_is_live_and_who_was_never_asked(
    memory: Memory, state: LineageState, *, is_unasked: bool, is_shown: bool
) -> None:
    assert unasked(memory, state) is is_unasked
    assert shown_already(memory, state) is is_shown


def test_hooks_show_what_was_shown_already_and_a_newcomer_only_what_its_records_allow() -> None:
    """What danebot deployed is everywhere but there: a reload of all harms nobody else."""
    other = tlsa("3 1 1", key="another")
    there = seen(shown(other), shown(other, owner=MX2))
    for state, refused in ((STATE, None), (BOTH, f"{MX}: {other} doesn't match it")):
        memory = remember(DEPLOYED, state, there, T0)
        refusal = refused_reload(state, there, memory, policy=Policy(), now=T0)
        assert (refusal and str(refusal)) == refused
