"""A lineage's first TLSA records, with the steps from there to protection, as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from danebot.domain.lineage.state import Management
from danebot.domain.rollover.records.adoption import Proposal, by_host
from danebot.domain.text import quoted
from danebot.render.lineage import addition_lines


def proposal_lines(
    name: str, proposal: Proposal, form: str, management: Management
) -> Iterator[str]:
    """What to publish and what to run then; ``form`` is "zone" or "nsupdate".

    Everything but the records is a comment, in a zone file and for ``nsupdate`` alike.
    """
    managed = management is Management.STAGED
    if managed:
        yield f"; {name}: no TLSA record is watched yet"
    else:
        yield f"; {name}: not managed by danebot, so no TLSA record is watched"
    if not proposal.publish and not proposal.there and proposal.unanswered:
        yield "; what to publish can't be told while the resolver gives no answer:"
        then = f"then run: danebot tlsa {quoted(name)}"
        yield f"; 1. see that it does (resolver in danebot.toml), {then}"
        return
    if proposal.there:
        yield f"; published already, though not watched yet: {by_host(proposal.there)}"
        if managed:
            watch = f"danebot watch {quoted(name)} OWNER"
            yield f";    one that was let go is watched again by: {watch}"
    step = 1
    if proposal.publish:
        names = (
            "these, too, where the name takes"
            if proposal.there
            else "these, of the names that take"
        )
        yield f"; 1. publish {names} mail at port 25, in zones signed with DNSSEC:"
        yield from addition_lines(proposal.publish, form)
        step = 2
    for owner in proposal.others:
        yield f"; {owner} has records of another key: leave it out if another's service is there;"
        yield ";    else have that serve this key when the TTL of what is there now has passed"
    for objection in proposal.objections:
        yield f"; {objection}"
    yield from _care(name, proposal, step, management)


def _care(name: str, proposal: Proposal, step: int, management: Management) -> Iterator[str]:
    """How danebot watches the records from then on; without any, how it shows the live key's."""
    when = f"; {step}. when they are there, " if proposal.publish else f"; {step}. "
    care = "" if management is Management.STAGED else "put it under danebot's care and "
    if proposal.publish or proposal.there:
        yield f"{when}{care}have them watched: danebot init {quoted(name)}"
    else:
        yield f"; {step}. {care}see the live key's record: danebot init {quoted(name)}"
    yield f";    at another name or port: danebot watch {quoted(name)} _PORT._tcp.HOST"
    if not (proposal.there or proposal.others):
        yield f"; or say that it is to have none: danebot init --no-dane {quoted(name)}"
