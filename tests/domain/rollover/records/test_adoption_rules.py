"""Where first records belong, and whose those are that are there: clause by clause."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import Cause, Presence, Security, TlsaAnswer
from danebot.domain.names import DnsName
from danebot.domain.rollover.records.adoption import (
    Found,
    Service,
    Standing,
    bare_owners,
    first_found,
    judge_owner,
    judged_beside,
    propose,
    refusing,
)
from domain.builders import MX, T0, chain, held, line, look, record, seen, state

TWO = held("live")._replace(chain=chain("live", names=("mx.example.org", "a.example.org")))
BARE = state(current="live")._replace(required=(), live=TWO, combo=TWO)
A = DnsName("_25._tcp.a.example.org")
WEB = DnsName("_443._tcp.mx.example.org")


def found(standing: Standing, owner: DnsName = MX) -> Found:
    return Found(owner, standing, owner, (line(owner),))


def test_a_lineage_that_watches_nothing_may_have_its_first_records_at_port_25() -> None:
    assert bare_owners(BARE) == (A, MX)
    assert bare_owners(BARE._replace(let_go=frozenset({A}))) == (MX,)
    assert bare_owners(BARE._replace(live=None, combo=None)) == ()
    assert bare_owners(BARE._replace(required=(line(),))) == ()


def test_of_what_was_found_that_at_port_25_may_be_its_first() -> None:
    every = [found(Standing.ABSENT, owner) for owner in (MX, WEB, A)]
    assert first_found(BARE, every) == (every[0], every[2])


def test_owners_are_judged_by_what_was_seen_of_them() -> None:
    [one] = judged_beside(BARE, seen(look("live")), T0)
    assert (one.owner, one.standing) == (MX, Standing.OURS)
    assert judged_beside(BARE._replace(live=None, combo=None), seen(look("live")), T0) == ()


@pytest.mark.parametrize(
    ("security", "cause", "unsigned"),
    [
        (Security.SECURE, None, False),
        (Security.INSECURE, None, True),
        (Security.INSECURE, Cause.RESOLVER, True),
        (Security.INSECURE, Cause.UNTRUSTED, False),  # nobody can tell from here
    ],
)
def test_what_isn_t_signed(security: Security, cause: Cause | None, *, unsigned: bool) -> None:
    answer = TlsaAnswer(MX, security, Presence.PRESENT, MX, records=(record("live"),), cause=cause)
    assert judge_owner(answer, TWO, Service.SILENT, T0).unsigned is unsigned


def test_whose_records_refuse_the_chain() -> None:
    """Of another key's, those where the lineage's own would be."""
    foreign = (Standing.FOREIGN, Standing.UNTOLD)
    every = [found(standing) for standing in Standing]
    assert refusing(every, []) == (MX,)
    for standing in Standing:
        refuses = standing is Standing.MISMATCH or standing in foreign
        assert refusing([found(standing)], [MX]) == (MX,) * refuses


def test_first_records_are_proposed_in_the_order_of_the_lines() -> None:
    lacking = BARE._replace(required=(line(A), line(MX)))
    every = [found(Standing.ABSENT, A), found(Standing.FOREIGN), found(Standing.UNTOLD, WEB)]
    looks = seen(look(owner=A), look("theirs"))
    proposal = propose(every, lacking, looks, [])
    assert [(one.owner, one.record) for one in proposal.publish] == [
        (A, record("live")),
        (MX, record("live")),
    ]
    assert proposal.others == (MX,)


def test_without_a_key_nothing_is_proposed() -> None:
    lacking = BARE._replace(required=(line(),), live=None, combo=None)
    proposal = propose([found(Standing.ABSENT)], lacking, seen(look()), [])
    assert (proposal.publish, proposal.objections, proposal.others) == ((), (), ())
