"""What is published of a lineage, one rule at a time."""

from __future__ import annotations

from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment, Memory, PastKey
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.status.document import LineageStatus, OwnedStatus, RunStatus
from danebot.domain.status.summary import carry, lineage_status
from domain.builders import DAY, HOUR, MX, OTHER, T0, key, look, record, seen, state


def published(
    memory: Memory | None = None, publication: Publication | None = None
) -> LineageStatus:
    observation, known = Observation(state(), seen(look("old")), ""), memory or Memory()
    return lineage_status(
        observation,
        known,
        plan(observation, known, Policy(), T0),
        publication or Publication((), (), (), ()),
        (),
        policy=Policy(),
        at=T0,
    )


def test_records_to_add_and_to_remove_are_there_in_their_parts_too() -> None:
    add = OwnedRecord(MX, record("new"), HOUR, OTHER, DnsName("example.net"))
    remove = OwnedRecord(MX, record("x"))
    found = published(publication=Publication((), (add,), (remove,), ())).publication
    assert found.to_add == (
        OwnedStatus(str(MX), str(record("new")), HOUR, str(OTHER), "example.net"),
    )
    assert found.to_remove == (OwnedStatus(str(MX), str(record("x")), None, str(MX), None),)


def test_former_keys_are_told_while_a_service_may_still_serve_them() -> None:
    old, retired = (PastKey(key(name).spki, T0 - 3 * DAY) for name in ("x", "y"))
    keys = (old, retired._replace(retired_at=T0 - DAY))
    deployed = Deployment(b"chain", b"digest", T0 - 3 * DAY)
    for deployment, expected in (
        (None, (key("x").digest,)),
        (deployed, (key("x").digest,)),
        (deployed._replace(clear_since=T0 - DAY, cleared_at=T0 - HOUR), ()),
    ):
        found = published(Memory(past_keys=keys, deployment=deployment))
        assert found.old_keys == expected


def test_a_key_that_is_known_since_this_very_moment_is_known_since_then() -> None:
    run = RunStatus("renew", "1", T0, T0 + HOUR, 0)
    known = published()._replace(key_since=run.ended)
    assert carry(published(), known, run, ()).key_since == run.ended
