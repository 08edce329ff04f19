"""What is said of a chain that was issued and isn't deployed: why, how loudly, what to do."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Gap, Obstacle, Propagation, Seen
from danebot.domain.rollover.evidence.unbroken import RESOLVER
from danebot.domain.rollover.findings.waiting_findings import rollover_findings
from danebot.domain.rollover.steps.phases import Hold, Phase, Plan, Step
from danebot.domain.rollover.steps.refusals import BEFORE_FIRST_LOOK, UNVALIDATED, Refusal
from domain.builders import DAY, MINUTE, MX, T0, held, line, record, state

INFO, W = Severity.INFO, Severity.WARNING
ISSUED = state(staged=held("old", 2))
ENDS = T0 + 80 * DAY  # of the builders' certificate, which is valid for ninety days
SOON = ENDS - 18 * DAY  # a fifth of that before
USUAL = Policy()
SERVERS = Code.SERVERS_UNREACHABLE.remedy
SEE = "see that the resolver runs and validates; it is deployed once DNS can be observed"
ADD = (
    f"add, and keep what is there: {MX}. IN TLSA {record('new')}; it is deployed once every cache "
    "has that"
)
NS1 = "ns1.example.org [192.0.2.1]"


def said(plan: Plan, now: datetime = T0, policy: Policy = USUAL) -> Finding:
    (one,) = rollover_findings(ISSUED, plan, Memory(), policy, now)
    return one


def silent(*names: str) -> Refusal:
    return Refusal(MX, "nobody answers", silent=names)


def lacking(obstacle: Obstacle) -> tuple[Propagation, ...]:
    gaps = (Gap(obstacle, NS1),)
    return (Propagation(line(), record("new"), Seen.UNKNOWN, gaps),)


@pytest.mark.parametrize(
    ("plan", "why", "remedy"),
    [
        (
            Plan(Phase.ISSUED, hold=Hold.NAME_MISSING, detail="mail.example.org"),
            "it lacks a required name (mail.example.org)",
            "issue with all names, or correct the dnsnames file",
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.CHAIN_UNVERIFIED, detail="self-signed"),
            "its chain does not verify (self-signed)",
            "see the issuer, or name its root with ca_file",
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.NAMES_UNREADABLE),
            "the required names can't be read",
            "correct the dnsnames file",
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.KEY_MISMATCH),
            "its private key is not the certificate's",
            "",
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.GATE, refusal=Refusal(MX, "3 1 1")),
            "senders would refuse it",
            "see what was issued: no TLSA record makes up for that",
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.GATE, refusal=Refusal(MX, "3 1 1", record("new"))),
            "senders would refuse it",
            ADD,
        ),
        (Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE), "DNS could not be observed", SEE),
        (
            Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE, refusal=silent(RESOLVER)),
            "DNS could not be observed",
            SEE,
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE, refusal=silent(RESOLVER, NS1)),
            "DNS could not be observed",
            SERVERS,
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE, awaited=lacking(Obstacle.SERVER_SILENT)),
            "DNS could not be observed",
            SERVERS,
        ),
        (
            Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE, awaited=lacking(Obstacle.RESOLVER_SILENT)),
            "DNS could not be observed",
            SEE,
        ),
    ],
)
def test_each_reason_to_hold_a_chain_back_has_its_own_remedy(
    plan: Plan, why: str, remedy: str
) -> None:
    text = f"version 2 was issued but is not deployed: {why}; live stays as it is"
    assert said(plan) == Finding(Code.DEPLOYMENT_HELD, W, ISSUED.name, text, remedy)


def test_a_resolver_that_may_not_validate_is_told_with_all_ways_out() -> None:
    plan = Plan(Phase.ISSUED, hold=Hold.CANNOT_SEE, refusal=silent(UNVALIDATED))
    remedy = said(plan).remedy
    assert remedy.startswith("see that the resolver validates")
    assert remedy.endswith(f"danebot watch --remove {ISSUED.name} {MX}")


def test_a_chain_that_is_deployed_next_is_held_by_nothing() -> None:
    plan = Plan(Phase.ISSUED, Step.DEPLOY)
    assert list(rollover_findings(ISSUED, plan, Memory(), Policy(), T0)) == []


# ---- caches ------------------------------------------------------------------------------------


def by_caches(
    *,
    until: datetime = SOON,
    since: datetime | None = None,
    now: datetime = T0,
    reason: str = "3 1 1 of a former key",
    warning: timedelta = 60 * DAY,
) -> Finding:
    refusal = Refusal(MX, reason, until=until, since=since)
    plan = Plan(Phase.ISSUED, hold=Hold.CACHES, detail=str(refusal), refusal=refusal)
    return said(plan, now, Policy(staged_warning=warning))


def test_to_wait_for_caches_is_usual() -> None:
    text = (
        "version 2 waits until caches have dropped TLSA records by which senders would refuse it "
        f"({MX}: 3 1 1 of a former key, until 2026-08-02 12:00 UTC)"
    )
    assert by_caches() == Finding(Code.DEPLOYMENT_HELD, INFO, ISSUED.name, text, "")


@pytest.mark.parametrize(
    ("warning", "usual"), [(60 * DAY, 30 * DAY), (14 * DAY, 14 * DAY)], ids=["a third", "setting"]
)
def test_a_wait_for_caches_that_lasts_is_a_warning(warning: timedelta, usual: timedelta) -> None:
    """A third of a lifetime, or what the operator set."""
    assert by_caches(since=T0, now=T0 + usual, warning=warning).severity is INFO
    late = by_caches(since=T0, now=T0 + usual + MINUTE, warning=warning)
    assert late.severity is W
    assert late.text.startswith("version 2 waits since 2026-06-01 12:00 UTC until caches have")
    assert late.remedy.startswith("keep the name servers and their addresses as they are until it")


def test_a_wait_for_caches_into_the_live_certificate_s_last_days_is_a_warning() -> None:
    late = by_caches(until=SOON + MINUTE)
    assert late.severity is W
    assert late.text.endswith("; the live certificate ends 2026-08-20 12:00 UTC")
    assert late.remedy == (
        "let the records be as they are: each change of them makes it wait longer"
    )
    first = by_caches(until=SOON + MINUTE, reason=BEFORE_FIRST_LOOK)
    assert first.remedy.endswith('say so in danebot.toml: unseen_ttl = "1d"')
    both = by_caches(until=SOON + MINUTE, since=T0, now=T0 + 40 * DAY)
    assert both.remedy.startswith("keep the name servers and their addresses as they are")
