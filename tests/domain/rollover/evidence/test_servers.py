"""Routes: what is lost, what is gained, and what merely could not be looked up."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import Security, Server, ServerAnswer, ServerOutcome
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.memory import Interruption, Memory, OwnerMemory, OwnerRoute
from danebot.domain.rollover.evidence.servers import (
    Move,
    completed,
    interruption,
    moved_to,
    remember_heard,
    remember_route,
    undated_route,
)
from domain.builders import DAY, HOUR, MX, OTHER, T0, led, look, seen, witnessed

NS1, NS2, NS3 = (Hostname(f"ns{n}.example.org") for n in (1, 2, 3))
A1, A2, A3 = (Server(NS1, "192.0.2.1"), Server(NS2, "192.0.2.1"), Server(NS2, "2001:db8::7"))
BOTH = OwnerRoute(MX, frozenset({NS1, NS2}), (A1, A2))
DUAL = look("old", addresses={"ns2": ["192.0.2.1", "2001:db8::7"]})


@pytest.mark.parametrize(
    ("old", "new", "move"),
    [
        (None, BOTH, Move.NONE),
        (BOTH, None, Move.NONE),
        (BOTH, BOTH, Move.NONE),
        (BOTH, BOTH._replace(canonical=OTHER), Move.ELSEWHERE),
        (BOTH, BOTH._replace(name_servers=frozenset({NS1}), addresses=(A1,)), Move.LOST),
        (BOTH, BOTH._replace(addresses=(A1, A3)), Move.LOST),
        (BOTH._replace(name_servers=frozenset({NS1, NS2, NS3})), BOTH, Move.LOST),
        (BOTH, BOTH._replace(addresses=(A1, A2, A3)), Move.GAINED),
        (BOTH, BOTH._replace(name_servers=frozenset({NS1, NS2, NS3})), Move.GAINED),
        (BOTH._replace(parents=(A1,)), BOTH._replace(parents=(A1,)), Move.NONE),
        (BOTH._replace(parents=(A1, A3)), BOTH._replace(parents=(A1,)), Move.LOST),
        (BOTH._replace(parents=(A1,)), BOTH._replace(parents=(A3,)), Move.LOST),
        (BOTH._replace(parents=(A1,)), BOTH._replace(parents=(A1, A3)), Move.GAINED),
        (BOTH, BOTH._replace(parents=(A1,)), Move.NONE),  # an earlier version didn't ask
        (BOTH._replace(parents=(A1,)), BOTH, Move.NONE),  # it couldn't be told this time
        (BOTH._replace(addresses=()), BOTH, Move.GAINED),  # an earlier version asked names alone
    ],
)
def test_moves(old: OwnerRoute | None, new: OwnerRoute | None, move: Move) -> None:
    assert moved_to(old, new) is move


def test_the_old_route_ends_with_the_largest_of_its_ttls() -> None:
    first = remember_route(OwnerMemory(), look(ns_ttl=HOUR, address_ttl=DAY), T0)
    assert tuple(first) == (BOTH, DAY, None, None)
    later = look(ns_ttl=HOUR, address_ttl=HOUR, addresses={"ns2": ["192.0.2.7"]})
    old = OwnerMemory(route=first.route, route_ttl=first.route_ttl)
    found = remember_route(old, later, T0 + HOUR)
    assert (found.route_ttl, found.old_route_until) == (HOUR, T0 + HOUR + DAY)


def test_who_delegates_is_remembered_from_when_all_were_told() -> None:
    first = remember_route(OwnerMemory(), look()._replace(parents=(A3,)), T0).route
    assert first == BOTH._replace(parents=(A3,))
    assert remember_route(OwnerMemory(route=first), look(), T0 + HOUR).route == first
    aliased = led(look(aliases=((OTHER, HOUR),)), {"a1": None})
    assert aliased._replace(parents=(A3,)).all_parents is None
    zone = aliased.aliases[0]._replace(parents=(A1,))
    assert aliased._replace(parents=(A3,), aliases=(zone,)).all_parents == (A1, A3)


def test_another_move_ends_no_old_route_sooner() -> None:
    old = OwnerMemory(route=BOTH, route_ttl=HOUR, old_route_until=T0 + 5 * DAY)
    moved = look(ns_ttl=HOUR, address_ttl=HOUR, addresses={"ns2": ["192.0.2.7"]})
    assert remember_route(old, moved, T0).old_route_until == T0 + 5 * DAY
    assert remember_route(old, moved, T0 + 6 * DAY).old_route_until == T0 + 6 * DAY + HOUR


def remembered() -> Memory:
    return Memory(owners={MX: OwnerMemory(route=remember_route(OwnerMemory(), DUAL, T0).route)})


def test_what_is_not_resolved_stays_and_is_unheard() -> None:
    now = look("old", unresolved=[("ns2.example.org", "AAAA")])
    assert now.unheard == frozenset()
    one = completed(seen(now), remembered())[MX]
    left_out = one.servers[-1]
    why = "its AAAA records could not be looked up"
    assert left_out == ServerAnswer(A3, ServerOutcome.UNRESOLVED, detail=why)
    assert one.unheard == {NS2}
    assert not one.heard_all
    assert completed(seen(one), remembered())[MX] == one


@pytest.mark.parametrize(
    "unresolved", [(), (("ns2.example.org", "A"),), (("ns1.example.org", "AAAA"),)]
)
def test_what_nobody_names_any_more_is_gone(unresolved: tuple[tuple[str, str], ...]) -> None:
    now = look("old", unresolved=unresolved)
    assert completed(seen(now), remembered())[MX] == now


def test_where_the_delegation_is_not_read_all_servers_stay() -> None:
    now = look("old", at={"ns1": None}, unresolved=[("example.org", "NS")])
    one = completed(seen(now), remembered())[MX]
    assert one.name_servers == {NS1, NS2}
    assert one.unheard == {NS2}
    names_alone = OwnerMemory(route=OwnerRoute(MX, frozenset({NS1, NS3})))
    one = completed(seen(now), Memory(owners={MX: names_alone}))[MX]
    assert one.servers[-1].server == Server(NS3, "")
    assert one.servers[-1].detail == "the delegation of example.org could not be read"
    assert one.unheard == {NS3}


def test_servers_of_another_name_owe_nothing() -> None:
    """An alias that leads elsewhere now: what its former target's servers hold is over there."""
    now = look("old", unresolved=[("ns2.example.org", "AAAA")])
    elsewhere = OwnerMemory(route=OwnerRoute(OTHER, frozenset({NS1, NS2}), (A1, A2, A3)))
    assert completed(seen(now), Memory(owners={MX: elsewhere}))[MX] == now


def test_where_the_resolver_gives_no_answer_nothing_is_made_up() -> None:
    now = look(owner=DnsName("_25._tcp.other.example.org"))
    assert completed(seen(now), remembered()) == seen(now)


def test_who_was_heard_last_and_when() -> None:
    first = remember_heard(OwnerMemory(), DUAL, T0)
    assert first == {str(server): T0 for server in (A1, A2, A3)}
    later = look("old", addresses={"ns2": ["192.0.2.1", "2001:db8::7"]}, dead=["2001:db8::7"])
    old = OwnerMemory(heard=first)
    after = remember_heard(old, later, T0 + HOUR)
    assert after == {str(A1): T0 + HOUR, str(A2): T0 + HOUR, str(A3): T0}
    ahead = OwnerMemory(heard={str(A3): T0 + DAY})
    assert remember_heard(ahead, later, T0 + HOUR)[str(A3)] == T0 + HOUR
    assert remember_heard(old, look("old", at={"ns1": None}), T0 + HOUR) == {str(A1): T0 + HOUR}
    nothing = look("old", at={})
    assert remember_heard(old, nothing, T0 + HOUR) == first
    outside = witnessed(look("old", at={"ns1": None}), ["old"], ServerOutcome.UNREACHABLE)
    assert set(remember_heard(old, outside, T0)) == {str(A1), "witness [192.0.2.53]"}


def test_so_does_a_server_of_the_alias_s_zone() -> None:
    aliased = look("old", aliases=((OTHER, HOUR),))
    two = {"a1": None, "a2": ServerOutcome.LAME}
    a2 = "a2.example.com [192.0.2.2]"
    memory = Memory(owners={MX: OwnerMemory(heard={a2: T0})})
    (alias,) = completed(seen(led(aliased, two)), memory)[MX].aliases
    assert [one.outcome for one in alias.servers] == [
        ServerOutcome.LEADS_ON,
        ServerOutcome.FELL_SILENT,
    ]
    assert alias.servers[1].detail == ServerOutcome.LAME.value
    (alias,) = completed(seen(led(aliased, two)), Memory())[MX].aliases
    assert alias.servers[1].outcome is ServerOutcome.LAME


def test_who_was_heard_before_owes_its_word() -> None:
    dead = look("old", addresses={"ns2": ["192.0.2.1", "2001:db8::7"]}, dead=["2001:db8::7"])
    assert dead.heard_all
    heard = Memory(owners={MX: OwnerMemory(heard={str(A3): T0})})
    one = completed(seen(dead), heard)[MX]
    assert one.servers[-1] == ServerAnswer(A3, ServerOutcome.FELL_SILENT)
    assert one.unheard == {NS2}
    assert not one.heard_all
    for outcome in (ServerOutcome.NO_ROUTE, ServerOutcome.LAME):
        less = one._replace(servers=(*one.servers[:-1], ServerAnswer(A3, outcome)))
        assert completed(seen(less), heard)[MX].unheard == {NS2}
        assert completed(seen(less), Memory())[MX].heard_all


# ---- a wait that begins anew -------------------------------------------------------------------

P1, P2 = Server(NS3, "192.0.2.8"), Server(NS3, "192.0.2.9")
LESS = BOTH._replace(addresses=(A1,))


@pytest.mark.parametrize(
    ("old", "new", "gone", "came"),
    [
        (None, BOTH, (), ()),
        (BOTH, None, (), ()),
        (BOTH, BOTH, (), ()),
        (BOTH, BOTH._replace(canonical=OTHER), (MX.text,), (OTHER.text,)),
        (BOTH, BOTH._replace(addresses=(A1, A3)), (str(A2),), (str(A3),)),
        (LESS, LESS._replace(name_servers=frozenset({NS1, NS3})), (NS2.text,), (NS3.text,)),
        (BOTH._replace(parents=(P1,)), BOTH._replace(parents=(P2,)), (str(P1),), (str(P2),)),
        # Where it isn't known on one side who delegates, nobody knows what changed there.
        (BOTH, BOTH._replace(addresses=(A1, A3), parents=(P1,)), (str(A2),), (str(A3),)),
        (BOTH._replace(parents=(P1,)), BOTH._replace(addresses=(A1, A3)), (str(A2),), (str(A3),)),
    ],
)
def test_what_made_the_wait_begin_anew_is_named(
    old: OwnerRoute | None, new: OwnerRoute | None, gone: tuple[str, ...], came: tuple[str, ...]
) -> None:
    assert interruption(MX, old, new, T0) == Interruption(T0, MX, gone, came)


# ---- routes whose TTLs nobody knows, and other ones that were seen meanwhile -------------------

NO_TTL = look("old", ns_ttl=None, address_ttl=None)


def test_a_route_without_ttls_is_forgotten_at_once() -> None:
    assert remember_route(OwnerMemory(), NO_TTL, T0).route_ttl is None
    lost = OwnerMemory(route=BOTH._replace(addresses=(A1, A2, A3)))
    assert remember_route(lost, NO_TTL, T0).old_route_until == T0
    strayed = OwnerMemory(route=BOTH, strayed=HOUR)
    assert remember_route(strayed, NO_TTL, T0).old_route_until == T0
    assert undated_route(OwnerMemory(route=BOTH), NO_TTL).route_ttl is None


def test_a_route_that_strayed_ends_no_old_one_sooner() -> None:
    old = OwnerMemory(route=BOTH, old_route_until=T0 + 5 * DAY, strayed=HOUR)
    assert remember_route(old, look("old"), T0).old_route_until == T0 + 5 * DAY


def test_another_route_that_cannot_be_dated_has_strayed_for_the_longest_ttl() -> None:
    moved = look("old", addresses={"ns2": ["192.0.2.7"]}, ns_ttl=DAY)
    assert undated_route(OwnerMemory(route=BOTH), moved).strayed == DAY
    assert undated_route(OwnerMemory(), moved).strayed == DAY
    unknown = moved._replace(ns_ttl=None, address_ttl=None)
    assert undated_route(OwnerMemory(route=BOTH), unknown).strayed == 0 * DAY
    assert undated_route(OwnerMemory(route=BOTH), look("old")).strayed is None
    assert undated_route(OwnerMemory(), look("old", at={})).strayed is None


def test_a_name_server_without_an_address_is_no_address_of_the_route() -> None:
    one = look("old", at={"ns1": None, "ns2": ServerOutcome.UNREACHABLE}, addresses={"ns2": [""]})
    route = remember_route(OwnerMemory(), one, T0).route
    assert route == BOTH._replace(addresses=(A1,))


# ---- who was left out ---------------------------------------------------------------------------


def test_only_addresses_of_the_kind_that_was_not_looked_up_are_left_out() -> None:
    now = look("old", addresses={"ns2": ["2001:db8::7"]}, unresolved=[("ns2.example.org", "A")])
    why = "its A records could not be looked up"
    left_out = ServerAnswer(A2, ServerOutcome.UNRESOLVED, detail=why)
    assert completed(seen(now), remembered())[MX].servers == (*now.servers, left_out)


def test_a_name_is_left_out_by_itself_where_it_never_had_an_address() -> None:
    why = "the delegation of example.org could not be read"
    now = look("old", at={"ns1": None}, unresolved=[("example.org", "NS")])
    for route, servers in (
        (BOTH, (A2,)),
        (OwnerRoute(MX, frozenset({NS1, NS3}), (A1,)), (Server(NS3, ""),)),
    ):
        one = completed(seen(now), Memory(owners={MX: OwnerMemory(route=route)}))[MX]
        assert one.servers[1:] == tuple(
            ServerAnswer(server, ServerOutcome.UNRESOLVED, detail=why) for server in servers
        )
    read = look("old", unresolved=[("ns2.example.org", "AAAA")])
    names_alone = OwnerMemory(route=OwnerRoute(MX, frozenset({NS1, NS3})))
    assert completed(seen(read), Memory(owners={MX: names_alone}))[MX] == read


def test_nobody_is_left_out_where_the_resolver_is_silent() -> None:
    unresolved = [("ns2.example.org", "AAAA")]
    now = look("old", security=Security.INDETERMINATE, unresolved=unresolved)
    assert completed(seen(now), remembered())[MX] == now


def test_who_fell_silent_keeps_the_reason_and_who_owes_its_word_stays() -> None:
    heard = Memory(owners={MX: OwnerMemory(heard={str(A2): T0})})
    lame = ServerAnswer(A2, ServerOutcome.LAME, detail="REFUSED")
    unresolved = ServerAnswer(A2, ServerOutcome.UNRESOLVED, detail="not looked up")
    one = look("old", at={"ns1": None})
    for answer, after in (
        (lame, lame._replace(outcome=ServerOutcome.FELL_SILENT)),
        (unresolved, unresolved),
    ):
        now = one._replace(servers=(*one.servers, answer))
        assert completed(seen(now), heard)[MX].servers[1] == after
