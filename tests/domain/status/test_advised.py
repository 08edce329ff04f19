"""The document of ``danebot tlsa --json``: each kind of advice in its own place."""

from __future__ import annotations

from danebot.domain.names import DnsName
from danebot.domain.rollover.records.adoption import Proposal
from danebot.domain.rollover.records.advice import Objection, Obstruction
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from danebot.domain.status.advised import Advised, FirstStatus, ObjectionStatus, advised
from danebot.domain.status.document import OwnedStatus
from domain.builders import HOUR, MX, MX2, OTHER, record

ZONE = DnsName("example.org")
OBJECTION = Objection(Obstruction.UNSEEN, MX, "nothing could be seen", "try again")
SAID = ObjectionStatus("what is there could not be seen", str(MX), OBJECTION.text, "try again")


def advice(name: str) -> tuple[OwnedRecord, ...]:
    """One record at an alias, and one of which neither TTL nor zone is known."""
    return (
        OwnedRecord(MX, record(name), HOUR, OTHER, ZONE),
        OwnedRecord(MX2, record(name)),
    )


def published(name: str) -> tuple[OwnedStatus, ...]:
    text = str(record(name))
    return (
        OwnedStatus(str(MX), text, HOUR, str(OTHER), "example.org"),
        OwnedStatus(str(MX2), text, None, str(MX2), None),
    )


def test_all_advice_is_published_each_kind_in_its_place() -> None:
    publication = Publication(
        keep=advice("keep"),
        add=advice("add"),
        remove=advice("remove"),
        foreign=advice("foreign"),
        repair=advice("repair"),
        unseen=advice("unseen"),
        objections=(OBJECTION,),
    )
    whole = Advised(
        "danebot-tlsa",
        1,
        "mx",
        keep=published("keep"),
        add=published("add"),
        remove=published("remove"),
        foreign=published("foreign"),
        repair=published("repair"),
        unseen=published("unseen"),
        objections=(SAID,),
        first=None,
    )
    assert advised("mx", publication, None) == whole
    proposal = Proposal(advice("first"), (MX,), (MX2,), (OBJECTION,))
    first = FirstStatus(published("first"), (str(MX),), (str(MX2),), (SAID,))
    assert advised("mx", publication, proposal) == whole._replace(first=first)
