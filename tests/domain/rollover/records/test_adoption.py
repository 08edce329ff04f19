"""Which answers are owners of a lineage, which are foreign, and which nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from danebot.domain.dns.answers import Presence, Security, TlsaAnswer
from danebot.domain.dns.tlsa import Declared, Required, TlsaRecord
from danebot.domain.lineage.state import LineageState
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.records.adoption import (
    TLSA_PORTS,
    Found,
    Intake,
    Lead,
    Service,
    Standing,
    by_host,
    doubtful,
    first_lines,
    first_owners,
    hosts_of,
    intake,
    judge_owner,
    lead_on,
    propose,
    usual_owners,
)
from domain import builders, gate_world
from domain.builders import HOUR, MX, MX2, T0, held, line

LIVE = held("live")
OURS, THEIRS = builders.record("live"), builders.record("theirs")
FORMS = (builders.record("theirs"), builders.record("theirs", 2))
LEAF = TlsaRecord(3, 0, 0, LIVE.chain.ders[0])


def answer(
    *records: TlsaRecord,
    presence: Presence | None = None,
    security: Security = Security.SECURE,
    wildcard: bool = False,
) -> TlsaAnswer:
    if presence is None:
        presence = Presence.PRESENT if records else Presence.NODATA
    return TlsaAnswer(MX, security, presence, MX, records=records, wildcard=wildcard, detail="why")


UNKNOWN = answer(presence=Presence.UNKNOWN, security=Security.INDETERMINATE)
BOGUS = answer(presence=Presence.UNKNOWN, security=Security.BOGUS)
SILENT, OTHER, SERVED, FORMER = Service.SILENT, Service.OTHER, Service.LIVE, Service.FORMER


@pytest.mark.parametrize(
    ("given", "service", "standing"),
    [
        (UNKNOWN, SERVED, Standing.UNANSWERED),  # whatever is served: no answer is no absence
        (BOGUS, SERVED, Standing.UNANSWERED),
        (answer(), SILENT, Standing.ABSENT),
        (answer(presence=Presence.NXDOMAIN), SERVED, Standing.ABSENT),
        (answer(OURS), SILENT, Standing.OURS),
        (answer(OURS, THEIRS), OTHER, Standing.OURS),  # another host has the same owner
        (answer(LEAF), SILENT, Standing.OURS),
        (answer(THEIRS), OTHER, Standing.FOREIGN),
        (answer(THEIRS), SERVED, Standing.MISMATCH),
        (answer(THEIRS), FORMER, Standing.MISMATCH),  # a service that wasn't reloaded
        (answer(THEIRS), SILENT, Standing.UNTOLD),
        (answer(presence=Presence.PRESENT), SERVED, Standing.MISMATCH),  # none could be read
        (answer(OURS, wildcard=True), SERVED, Standing.OURS),
        (answer(OURS, wildcard=True), SILENT, Standing.IDLE),
        (answer(OURS, wildcard=True), OTHER, Standing.FOREIGN),
        (answer(THEIRS, wildcard=True), SERVED, Standing.MISMATCH),
        (answer(THEIRS, wildcard=True), SILENT, Standing.UNTOLD),
    ],
)
def test_what_an_owner_is_to_a_lineage(
    given: TlsaAnswer, service: Service, standing: Standing
) -> None:
    found = judge_owner(given, LIVE, service, T0)
    assert found.standing is standing
    assert found.adopted is (standing in (Standing.OURS, Standing.MISMATCH))
    assert found.detail == ("why" if standing is Standing.UNANSWERED else "")


def test_a_service_is_asked_only_where_the_records_leave_a_doubt() -> None:
    asked = [answer(THEIRS), answer(OURS, wildcard=True), answer(presence=Presence.PRESENT)]
    assert all(doubtful(one, LIVE, T0) for one in asked)
    assert not any(doubtful(one, LIVE, T0) for one in (answer(OURS), answer(), UNKNOWN, BOGUS))


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        (answer(OURS), (line(),)),
        (answer(*FORMS), (line(), line(mtype=2))),
        (answer(LEAF), (line(),)),
        (answer(), (line(),)),
        (UNKNOWN, (line(),)),
    ],
)
def test_the_lines_have_the_forms_of_the_records(
    given: TlsaAnswer, lines: tuple[Required, ...]
) -> None:
    assert judge_owner(given, LIVE, SILENT, T0).lines == lines


def found(standing: Standing, owner: DnsName = MX) -> Found:
    return Found(owner, standing, owner, (line(owner),))


def test_what_the_files_say_already_is_not_decided_again() -> None:
    every = [found(standing) for standing in Standing]
    assert intake(builders.state(line()), every) == Intake()
    unlisted = builders.state(line())._replace(required=())
    let_go = unlisted._replace(let_go=frozenset({MX}))
    assert intake(let_go, [found(Standing.OURS)]) == Intake(let_go=(MX,))
    assert intake(let_go, [found(Standing.UNANSWERED)]) == Intake()
    none = unlisted._replace(declared=Declared.NO_RECORDS)
    assert intake(none, [found(Standing.MISMATCH)]) == Intake(denied=(MX,))


def test_each_standing_goes_its_way() -> None:
    unlisted = builders.state(line())._replace(required=())
    for standing, expected in (
        (Standing.OURS, Intake(add=(line(),))),
        (Standing.MISMATCH, Intake(add=(line(),), mismatched=(MX,))),
        (Standing.UNANSWERED, Intake(unanswered=(MX,))),
        (Standing.UNTOLD, Intake(untold=(MX,))),
        (Standing.FOREIGN, Intake(foreign=(MX,))),
        (Standing.IDLE, Intake(idle=(MX,))),
        (Standing.ABSENT, Intake()),
    ):
        assert intake(unlisted, [found(standing)]) == expected


WILD = DnsName("*.example.org")


def test_a_wildcard_is_looked_for_where_mx_and_srv_records_lead() -> None:
    """At hosts that it covers, at the usual ports and at that of the SRV record."""
    domain = DnsName("example.org")
    leads = (
        Lead(domain, Hostname("mx.example.org")),
        Lead(domain, Hostname("imap.example.org"), 9993),
        Lead(domain, Hostname("mx.example.net")),
        Lead(domain, Hostname("a.b.example.org")),
    )
    owners = usual_owners([WILD], leads)
    hosts = ("example.org", "mx.example.org", "imap.example.org")
    usual = [DnsName(f"_{port}._tcp.{host}") for host in hosts for port in TLSA_PORTS]
    assert owners == (*usual, DnsName("_9993._tcp.imap.example.org"))
    assert first_owners([WILD], leads) == (DnsName("_25._tcp.imap.example.org"), MX)
    assert first_owners([domain, DnsName("mx.example.org")]) == (
        DnsName("_25._tcp.example.org"),
        MX,
    )


def test_owners_are_told_by_host() -> None:
    every = usual_owners([DnsName("a.example.org"), DnsName("b.example.org")])
    assert by_host(every) == "_tcp.a.example.org (16 ports), _tcp.b.example.org (16 ports)"
    assert by_host([MX]) == "_25._tcp.mx.example.org"
    assert by_host(usual_owners([DnsName("a.org")])[:2]) == "_tcp.a.org (ports 25, 465)"
    assert by_host([DnsName("tlsa.example.net")]) == "tlsa.example.net"


HOST2 = DnsName("_25._tcp.alias.example.org")
FIRST = (MX, HOST2, MX2)


def lacking(every: Sequence[Found]) -> LineageState:
    """The lineage with the lines for which it lacks records."""
    return builders.state(current="live")._replace(required=first_lines(every, FIRST))


def test_first_records_are_wanted_where_none_is() -> None:
    every = [
        judge_owner(answer(), LIVE, SILENT, T0),
        found(Standing.ABSENT, DnsName("_443._tcp.mx.example.org")),  # not among the first
        found(Standing.UNANSWERED, MX2),
    ]
    assert first_lines(every, FIRST) == (line(MX),)
    there = [found(Standing.OURS), found(Standing.MISMATCH, MX2)]
    assert [one.owner for one in first_lines(there, FIRST)] == [MX2]
    proposal = propose([*every, found(Standing.OURS, HOST2)], lacking(every), {}, [])
    assert (proposal.there, proposal.unanswered) == ((HOST2,), (MX2,))


def test_they_go_where_an_alias_leads_once() -> None:
    every = [found(Standing.ABSENT), found(Standing.ABSENT, HOST2)]
    looks = {
        MX: builders.look(),
        HOST2: builders.look(owner=HOST2, aliases=[(MX, HOUR)]),
    }
    proposal = propose(every, lacking(every), looks, [])
    assert [str(one) for one in proposal.publish] == [f"{MX}. IN TLSA {OURS}"]


def test_they_are_judged_as_all_that_is_advised_is() -> None:
    """The resolver saw nothing; a server has somebody else's 3 1 2, beside which 3 1 1 is idle."""
    every = [judge_owner(answer(), LIVE, SILENT, T0)]
    look = builders.look("theirs", resolver=[], mtypes=(2,))
    proposal = propose(every, lacking(every), {MX: look}, [])
    assert {one.record for one in proposal.publish} == {OURS, builders.record("live", 2)}
    assert proposal.objections == ()


def test_nothing_is_proposed_where_the_servers_say_nothing() -> None:
    every = [judge_owner(answer(), LIVE, SILENT, T0)]
    proposal = propose(every, lacking(every), {MX: builders.silent()}, [])
    assert proposal.publish == ()
    assert "could not be seen" in str(proposal.objections[0])


# ---- clause by clause: each fails where its own is taken out ----------------------------------

REAL = gate_world.chain()


def test_an_anchor_that_may_be_anybody_s_makes_an_owner_no_lineage_s_own() -> None:
    """A ``2 1 1`` can't be told from the chain by its data alone: senders' verdict counts."""
    ours, theirs = (answer(gate_world.tlsa("2 1 1", by=by)) for by in ("A", "B"))
    assert judge_owner(ours, REAL, SILENT, T0).standing is Standing.OURS
    assert judge_owner(theirs, REAL, OTHER, T0).standing is Standing.FOREIGN


def test_an_owner_that_relies_on_an_anchor_is_watched_in_its_form() -> None:
    """Also beside a record of another kind; one that is no use has no form to follow."""
    for mtype in (0, 1, 2):
        anchor = gate_world.tlsa(f"2 1 {mtype}")
        assert judge_owner(answer(anchor), REAL, SILENT, T0).lines == (line(mtype=mtype),)
    cut = TlsaRecord(3, 1, 2, b"short")
    assert judge_owner(answer(cut, OURS), LIVE, SILENT, T0).lines == (line(),)
    foreign = answer(gate_world.tlsa("2 1 2", by="B"))
    assert judge_owner(foreign, REAL, OTHER, T0).lines == (line(),)


def test_a_wildcard_among_names_leads_on_and_stands_for_its_domain() -> None:
    plain, odd = DnsName("mx.example.org"), DnsName("mx.*.example.org")
    assert lead_on([plain, WILD])
    assert not lead_on([plain])
    assert hosts_of([WILD, plain, odd]) == (Hostname("example.org"), Hostname("mx.example.org"))


def test_hosts_whose_owner_names_would_be_too_long_are_left_out() -> None:
    """With ``_5223._tcp.`` in front a host of 240 octets or more doesn't fit in a name of 253."""
    label = "a" * 59
    long = ".".join([label] * 4)
    fits, over = DnsName(long), DnsName("a" + long)
    assert (len(fits.text), len(over.text)) == (239, 240)
    assert len(usual_owners([fits])) == len(TLSA_PORTS)
    assert usual_owners([over]) == ()
    assert len(first_owners([fits])) == 1
    assert first_owners([over]) == ()
