"""What only a comparison with the document before tells of a lineage."""

from __future__ import annotations

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState
from danebot.domain.rollover.evidence.memory import Deployment, Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.status.document import LineageStatus, ProbeStatus, RunStatus
from danebot.domain.status.summary import carry, lineage_status
from domain.builders import DAY, HOUR, T0, look, seen, state

RUN = RunStatus("renew", "1", T0, T0 + HOUR, 0)
LOOKED = RUN._replace(verb="status")
BEGINS = T0 - 10 * DAY  # of the builders' certificate
PROBE = ProbeStatus(T0, "mx.example.org:25", "192.0.2.1", "deployed", "served", "")


def status(lineage: LineageState | None = None, memory: Memory | None = None) -> LineageStatus:
    observation = Observation(lineage or state(), seen(look("old")), "")
    known = memory or Memory()
    planned = plan(observation, known, Policy(), T0)
    nothing = Publication((), (), (), ())
    return lineage_status(observation, known, planned, nothing, (), policy=Policy(), at=T0)


def wrong(severity: Severity, where: str, code: Code = Code.EXPIRES_SOON) -> Finding:
    return Finding(code, severity, where, f"{severity.name} of {where}", "do something")


# ---- since when ------------------------------------------------------------------------------


def test_a_key_is_known_since_the_first_certificate_that_was_seen_with_it() -> None:
    first = carry(status(), None, RUN, ())
    assert first.key_since == BEGINS
    renewed = status()._replace(live=None)
    assert carry(renewed, first, RUN, ()).key_since == BEGINS
    other = status(state(current="new"))
    assert carry(other, first._replace(key_since=T0 - 99 * DAY), RUN, ()).key_since == BEGINS
    assert carry(status(), first._replace(key_since=None), RUN, ()).key_since == BEGINS
    assert carry(renewed, None, RUN, ()).key_since is None


def test_a_phase_lasts_since_the_run_that_found_it_first() -> None:
    first = carry(status(), None, RUN, ())
    assert first.phase_since == RUN.ended
    later = RUN._replace(ended=T0 + DAY)
    assert carry(status(), first, later, ()).phase_since == RUN.ended
    other = status()._replace(phase="broken")
    assert carry(other, first, later, ()).phase_since == later.ended
    forgotten = first._replace(phase_since=None)
    assert carry(status(), forgotten, later, ()).phase_since == later.ended


def test_probes_are_those_since_the_last_deployment() -> None:
    deployed = status(memory=Memory(deployment=Deployment(b"chain", b"digest", T0)))
    old = deployed._replace(probes=(PROBE,))
    assert carry(deployed, old, RUN, ()).probes == (PROBE,)
    assert carry(status(), old, RUN, ()).probes == ()
    fresh = PROBE._replace(at=T0 + HOUR)
    assert carry(deployed._replace(probes=(fresh,)), old, RUN, ()).probes == (fresh,)


# ---- whether a run was a success ---------------------------------------------------------------


def test_a_renew_without_a_warning_of_the_lineage_is_its_success() -> None:
    here, elsewhere = status().name, "another"
    for findings in ((), (wrong(Severity.NOTICE, here),), (wrong(Severity.CRITICAL, elsewhere),)):
        found = carry(status(), None, RUN, findings)
        assert (found.last_success, found.last_failure) == (RUN.ended, None)


def test_the_worst_that_a_renew_found_is_its_failure_and_the_success_before_stays() -> None:
    old = carry(status(), None, RUN, ())
    later = RUN._replace(ended=T0 + DAY)
    here = status().name
    findings = (wrong(Severity.WARNING, here), wrong(Severity.CRITICAL, here))
    found = carry(status(), old, later, findings)
    assert found.last_success == RUN.ended
    assert found.last_failure is not None
    assert found.last_failure.at == later.ended
    assert found.last_failure.message == findings[1].text


def test_a_renewal_of_all_that_failed_says_nothing_of_one() -> None:
    """Nobody knows whether it was to be renewed."""
    failed = wrong(Severity.WARNING, "", Code.RENEWAL_FAILED)
    found = carry(status(), None, RUN, (failed,))
    assert (found.last_success, found.last_failure) == (None, None)


def test_a_verb_that_renews_nothing_is_neither() -> None:
    old = carry(status(), None, RUN, (wrong(Severity.WARNING, status().name),))
    found = carry(status(), old, LOOKED._replace(ended=T0 + DAY), ())
    assert (found.last_success, found.last_failure) == (None, old.last_failure)
