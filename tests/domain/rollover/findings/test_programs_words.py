"""What programs say may hold a secret: a run prints it, and nothing that is published has it."""

from __future__ import annotations

import json

import pytest

from danebot.adapters.certbot.failures import FailureCause
from danebot.adapters.codec import encode
from danebot.domain.finding import Code
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Failure,
    Memory,
    PendingHook,
    PendingRevocation,
    Publishing,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.records.publication import Publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.status.document import finding_status
from danebot.domain.status.summary import lineage_status
from danebot.domain.text import set_apart
from domain.builders import HOUR, T0, key_file, line, state

SECRET = "token=hunter2"  # noqa: S105 - not one
FOUND = state(line(), ready=key_file("new"))


def failed(reason: str) -> Failure:
    return Failure(reason, 1, T0, T0, T0 + HOUR)


def deployed(error: str) -> Memory:
    hook = PendingHook(f"reload --with {SECRET}", 1, error)
    return Memory(deployment=Deployment(b"", b"", T0, (hook,)))


EVERY = {
    "certbot renews": (Memory(renewal_failure=failed(SECRET)), Code.RENEWAL_FAILED),
    "certbot renews, and the CA says no": (
        Memory(renewal_failure=failed(f"refused by the CA: dns: {SECRET}")),
        Code.RENEWAL_FAILED,
    ),
    "certbot is out of time": (
        Memory(renewal_failure=failed(f"it did not end within 9 s; it had said: {SECRET}")),
        Code.RENEWAL_FAILED,
    ),
    "certbot issues with the ready key": (
        Memory(promotion_failure=failed(f"hook said: {SECRET}")),
        Code.PROMOTION_FAILED,
    ),
    "certbot revokes": (
        Memory(revocations=(PendingRevocation(b"", 1, f"no: {SECRET}"),)),
        Code.REVOCATION_FAILED,
    ),
    "a deploy hook fails": (deployed(f"exit status 1: {SECRET}"), Code.HOOK_FAILED),
    "a deploy hook is out of time": (deployed(f"ran out of time: {SECRET}"), Code.HOOK_FAILED),
    "a publisher's program fails": (
        Memory(
            publishing=Publishing(
                T0, failed("exit status 1"), ChangeOutcome.PROGRAM, "mend it", SECRET
            )
        ),
        Code.PUBLISH_FAILED,
    ),
}


@pytest.mark.parametrize("program", EVERY)
def test_it_is_printed_and_not_published(program: str) -> None:
    memory, code = EVERY[program]
    observation, policy = Observation(FOUND, {}, ""), Policy()
    planned = plan(observation, memory, policy, T0)
    findings = assess(observation, planned, memory, policy, T0)
    (found,) = (one for one in findings if one.code is code)
    assert SECRET in str(found)
    published = lineage_status(
        observation,
        memory,
        planned,
        Publication((), (), (), ()),
        findings,
        policy=policy,
        at=T0,
        probes=(),
    )
    assert SECRET not in json.dumps(
        [encode(published), *map(encode, map(finding_status, findings))]
    )
    assert not found.text.endswith(":")


def test_what_danebot_itself_says_of_certbot_is_published() -> None:
    named = (FailureCause.RATE_LIMITED, FailureCause.REFUSED, FailureCause.UNREACHABLE)
    for cause in (*named, FailureCause.LOCKED):
        assert set_apart(f"{cause.value}: {SECRET}") == (cause.value, SECRET)
    words = "urn:ietf:params:acme:error:rateLimited :: too many certificates"
    assert set_apart(words) == ("the CA's error is rateLimited", words)
    assert set_apart(f"rate limited by the CA: {words}")[0] == (
        "rate limited by the CA, the CA's error is rateLimited"
    )
    for own in ("it was not renewed", "it did not end within 9 s"):
        assert set_apart(own) == (own, "")
