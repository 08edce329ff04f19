"""The document of ``danebot tlsa --json``: what DNS ought to hold for a lineage, and what it does.

Names are without trailing dot, durations seconds in JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from danebot.domain.status.document import OwnedStatus
from danebot.domain.status.summary import owned
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.rollover.records.adoption import Proposal
    from danebot.domain.rollover.records.advice import Objection
    from danebot.domain.rollover.records.publication import Publication

DOCUMENT, SCHEMA = "danebot-tlsa", 1


class ObjectionStatus(NamedTuple):
    """What stands in the way at an owner; see `Objection`."""

    why: str
    owner: str
    text: str
    remedy: str


class FirstStatus(NamedTuple):
    """What is to be published first where nothing is watched; see `Proposal`."""

    publish: tuple[OwnedStatus, ...]
    there: tuple[str, ...]
    unanswered: tuple[str, ...]
    objections: tuple[ObjectionStatus, ...]


class Advised(NamedTuple):
    """The whole document; see `Publication`.  ``first`` is None where records are watched."""

    document: str
    schema: int
    lineage: str
    keep: tuple[OwnedStatus, ...]
    add: tuple[OwnedStatus, ...]
    remove: tuple[OwnedStatus, ...]
    foreign: tuple[OwnedStatus, ...]
    repair: tuple[OwnedStatus, ...]
    unseen: tuple[OwnedStatus, ...]
    objections: tuple[ObjectionStatus, ...]
    first: FirstStatus | None


def advised(lineage: str, publication: Publication, proposal: Proposal | None) -> Advised:
    """What is published of a lineage's advice."""
    first = None
    if proposal is not None:
        first = FirstStatus(
            owned(proposal.publish),
            tuple(map(str, proposal.there)),
            tuple(map(str, proposal.unanswered)),
            _objections(proposal.objections),
        )
    return Advised(
        DOCUMENT,
        SCHEMA,
        lineage,
        owned(publication.keep),
        owned(publication.add),
        owned(publication.remove),
        owned(publication.foreign),
        owned(publication.repair),
        owned(publication.unseen),
        _objections(publication.objections),
        first,
    )


def _objections(found: Iterable[Objection]) -> tuple[ObjectionStatus, ...]:
    return tuple(
        ObjectionStatus(one.why.value, str(one.owner), one.text, one.remedy) for one in found
    )
