"""What one look at an owner says as a whole: who answered, how long what was held, by which way."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import (
    WITNESS,
    OwnerObservation,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    Unresolved,
)
from danebot.domain.names import DnsName, Hostname
from domain.builders import DAY, HOUR, MINUTE, OTHER, T0, led, look, silent, witnessed

Spans = tuple[timedelta | None, timedelta | None]
TARGET = DnsName("tlsa.example.com")
NS1, NS2 = Hostname("ns1.example.org"), Hostname("ns2.example.org")
FAR = Hostname("ns3.example.com")
SILENT = ServerOutcome.UNREACHABLE
HERE = Server(NS1, "192.0.2.1")


def aliased(
    *keys: str, there: ServerOutcome | None = None, ttl: timedelta = HOUR
) -> OwnerObservation:
    """A look by way of one alias, at whose servers one says what ``there`` is."""
    one = look(*keys, aliases=[(TARGET, ttl)], address_ttl=None)
    return led(one, {"ns3": there}, ns_ttl=MINUTE)


@pytest.mark.parametrize(
    ("outcome", "heard", "owed"),
    [
        (ServerOutcome.ANSWERED, True, False),
        (ServerOutcome.LEADS_ON, True, False),
        (ServerOutcome.UNREACHABLE, False, False),
        (ServerOutcome.NO_ROUTE, False, False),
        (ServerOutcome.LAME, False, False),
        (ServerOutcome.UNRESOLVED, False, True),
        (ServerOutcome.FELL_SILENT, False, True),
    ],
)
def test_who_said_what_it_has_and_who_owes_it(
    outcome: ServerOutcome, *, heard: bool, owed: bool
) -> None:
    answer = ServerAnswer(HERE, outcome)
    assert (answer.heard, answer.owed) == (heard, owed)
    assert str(answer.server) == "ns1.example.org [192.0.2.1]"


@pytest.mark.parametrize(
    ("ttl", "negative", "longest"),
    [(None, None, None), (HOUR, None, HOUR), (None, DAY, DAY), (HOUR, DAY, DAY), (DAY, HOUR, DAY)],
)
def test_an_answer_is_held_for_the_longer_of_its_ttls(
    ttl: timedelta | None, negative: timedelta | None, longest: timedelta | None
) -> None:
    answer = ServerAnswer(HERE, ServerOutcome.ANSWERED, ttl=ttl, negative_ttl=negative)
    assert answer.longest_ttl == longest


def test_what_the_zones_on_the_way_add() -> None:
    one, far = look("old"), aliased("old")
    assert one.all_name_servers == {NS1, NS2}
    assert far.all_name_servers == {NS1, NS2, FAR}
    assert [str(answer.server.name) for answer in far.authoritative] == [
        str(NS1),
        str(NS2),
        str(FAR),
    ]
    assert len(witnessed(far, ["old"]).authoritative) == 3
    assert witnessed(far, ["old"]).all_servers[-1].server.name == WITNESS
    assert far.answering == far.servers
    assert far.all_answering == far.servers
    assert len(witnessed(far, ["old"], SILENT).all_answering) == 3
    gone = Unresolved(TARGET, "NS")
    (alias,) = far.aliases
    unresolved = far._replace(
        unresolved=frozenset({Unresolved(OTHER, "A")}),
        aliases=(alias._replace(unresolved=frozenset({gone})),),
    )
    assert unresolved.all_unresolved == {Unresolved(OTHER, "A"), gone}


@pytest.mark.parametrize(
    ("own", "way", "of_alias", "longest"),
    [
        ((HOUR, MINUTE), MINUTE, (None, None), HOUR),
        ((MINUTE, HOUR), MINUTE, (None, None), HOUR),
        ((MINUTE, MINUTE), HOUR, (MINUTE, None), HOUR),
        ((MINUTE, None), MINUTE, (HOUR, None), HOUR),
        ((MINUTE, None), MINUTE, (None, HOUR), HOUR),
        ((None, None), 0 * HOUR, (None, None), None),
    ],
)
def test_a_route_is_held_for_the_longest_ttl_on_it(
    own: Spans, way: timedelta, of_alias: Spans, longest: timedelta | None
) -> None:
    """Of NS RRsets and of addresses, at its end and on the way."""
    one = aliased("old", ttl=way)
    (alias,) = one.aliases
    alias = alias._replace(ns_ttl=of_alias[0], address_ttl=of_alias[1])
    assert one._replace(ns_ttl=own[0], address_ttl=own[1], aliases=(alias,)).route_ttl == longest


def test_aliases_end_one_after_another() -> None:
    one = look("old", aliases=[(TARGET, HOUR), (OTHER, 2 * HOUR)])
    assert one.route_ttl == 3 * HOUR


def test_the_delegating_servers_are_known_only_if_all_are() -> None:
    parent, other = Server(NS2, "192.0.2.9"), Server(NS1, "192.0.2.8")
    one = aliased("old")._replace(parents=(parent, other))
    assert one.all_parents is None
    (alias,) = one.aliases
    whole = one._replace(aliases=(alias._replace(parents=(other,)),))
    assert whole.all_parents == (other, parent)
    assert whole._replace(parents=None).all_parents is None
    assert look("old")._replace(parents=()).all_parents == ()


@pytest.mark.parametrize(
    ("answer", "own", "led_surely"),
    [
        (Security.SECURE, None, True),
        (Security.INSECURE, None, False),
        (Security.INSECURE, Security.SECURE, True),
        (Security.INSECURE, Security.INSECURE, False),
    ],
)
def test_a_way_is_sure_where_each_step_is_signed(
    answer: Security, own: Security | None, *, led_surely: bool
) -> None:
    one = led(look("old", aliases=[(TARGET, HOUR)], security=answer), {"ns3": None})
    (alias,) = one.aliases
    assert one._replace(aliases=(alias._replace(security=own),)).surely_led is led_surely
    mixed = (alias._replace(security=own), alias._replace(security=Security.INSECURE))
    assert one._replace(aliases=mixed).surely_led is (answer is Security.SECURE)


def test_who_was_not_heard() -> None:
    half = {"ns1": None, "ns2": SILENT}
    assert look("old").unheard == frozenset()
    assert look("old", at=half).unheard == {NS2}
    assert witnessed(look("old"), SILENT).unheard == {WITNESS}
    assert witnessed(look("old"), SILENT, ["old"]).unheard == frozenset()
    assert aliased("old", there=SILENT).unheard == {FAR}
    one = look("old", addresses={"ns1": ("192.0.2.1", "192.0.2.7")}, dead=("192.0.2.7",))
    assert one.unheard == frozenset()  # one address of a name is enough
    owing = tuple(
        answer._replace(outcome=ServerOutcome.FELL_SILENT) if not answer.heard else answer
        for answer in one.servers
    )
    assert one._replace(servers=owing).unheard == {NS1}


def test_where_nobody_looked_is_told_by_whoever_leads_there() -> None:
    """Servers of the zone, of an alias's zone, and witnesses; who has it all leads nowhere else."""
    one = witnessed(aliased("old"), ["old"])
    assert one.unseen_ends == frozenset()
    (alias,) = one.aliases
    strays = [DnsName(f"{where}.example.net") for where in ("zone", "alias", "outside")]
    zone, way, outside = (
        (servers[0]._replace(elsewhere=stray), *servers[1:])
        for servers, stray in zip((one.servers, alias.servers, one.witnesses), strays, strict=True)
    )
    assert one._replace(servers=zone).unseen_ends == {strays[0]}
    assert one._replace(aliases=(alias._replace(servers=way),)).unseen_ends == {strays[1]}
    assert one._replace(witnesses=outside).unseen_ends == {strays[2]}


def test_all_were_heard_only_if_the_resolver_and_every_server_answered() -> None:
    assert look("old").heard_all
    assert not look("old", at={"ns1": None, "ns2": SILENT}).heard_all
    assert look("old", at={"ns1": None, "ns2": SILENT}).heard_any
    assert not look("old", security=Security.BOGUS).heard_all
    assert not look("old", at={}).heard_all
    assert not silent().heard_any
    assert (look("old").answer.secure, silent().answer.secure) == (True, False)


@pytest.mark.parametrize(
    ("outcome", "by_server", "by_resolver", "signed"),
    [
        (ServerOutcome.ANSWERED, None, None, False),
        (ServerOutcome.ANSWERED, T0, None, True),
        (ServerOutcome.ANSWERED, None, T0, True),
        (ServerOutcome.LAME, T0, None, False),  # who doesn't say what it has shows nothing
    ],
)
def test_a_zone_is_signed_where_the_resolver_or_a_server_shows_a_signature(
    outcome: ServerOutcome,
    by_server: datetime | None,
    by_resolver: datetime | None,
    *,
    signed: bool,
) -> None:
    one = look("old")
    answer = one.answer._replace(signed_since=by_resolver)
    server = one.servers[0]._replace(outcome=outcome, signed_since=by_server)
    assert one._replace(answer=answer, servers=(server,)).signed is signed
