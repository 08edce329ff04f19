"""A lineage's first TLSA records, with the steps from there to protection, as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from danebot.render.lineage import nsupdate_lines, zone_lines

if TYPE_CHECKING:
    from danebot.domain.rollover.adoption import Proposal


def proposal_lines(name: str, proposal: Proposal, form: str) -> Iterator[str]:
    """What to publish and what to run then; ``form`` is "zone" or "nsupdate".

    Everything but the records is a comment, in a zone file and for ``nsupdate`` alike.
    """
    yield f"; {name}: no TLSA record is watched yet"
    step = 1
    if proposal.there:
        there = ", ".join(map(str, proposal.there))
        yield f"; published already, though not watched yet: {there}"
        yield f";    one that was let go is watched again by: danebot watch {name} OWNER"
    if proposal.publish:
        which = "; 1. publish" + (
            " these, too, where the name" if proposal.there else " these, of the names that"
        )
        verb = "takes" if proposal.there else "take"
        yield f"{which} {verb} mail at port 25, in zones signed with DNSSEC:"
        yield from _records(proposal, form)
        step = 2
    yield f"; {step}. when they are there, have them watched: danebot init {name}"
    yield f";    at another name or port: danebot watch {name} _PORT._tcp.HOST"
    if not proposal.there:
        yield f"; or say that it is to have none: danebot init --no-dane {name}"


def _records(proposal: Proposal, form: str) -> Iterator[str]:
    for alias, record in proposal.publish:
        if alias:
            yield f"; {alias} is an alias that leads here:"
        if form == "zone":
            yield from zone_lines([record])
        else:
            yield from list(nsupdate_lines([record]))[:-1]
    if form != "zone":
        yield "send"
