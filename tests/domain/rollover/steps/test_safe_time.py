"""Every clause of "safe time": a case that holds, and fails once that clause is taken out.

A case looks at DNS at chosen times and then names the first second at which the key may be
promoted.  Unless it says otherwise the key was made at T0, all TTLs are one hour, the margin is
one hour, and there is no minimum wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import (
    OwnerObservation,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.memory import Memory, Request, Urgency
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Hold, Phase, Step
from domain import mutants
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    OTHER,
    REAL,
    T0,
    UNREACHABLE,
    Rules,
    Wait,
    blind,
    key,
    key_file,
    led,
    line,
    long_watched,
    look,
    record,
    silent,
    state,
    witnessed,
)

SECOND = timedelta(seconds=1)
BRIEF = 5 * MINUTE
ELSEWHERE = DnsName("tlsa.example.com")
LACKING_AT_NS2 = {"ns1": None, "ns2": ["old"]}
SILENT_NS2 = {"ns1": None, "ns2": UNREACHABLE}
ALIASED = ((OTHER, HOUR),)
SHORT_GUESS = Policy(min_wait=timedelta(0), unseen_ttl=HOUR)


def first_safe(wait: Wait, safe: datetime, *looks: OwnerObservation) -> None:
    """Looks like ``looks`` lead to promotion at ``safe``, and not a second earlier."""
    assert not wait.promotes(safe - SECOND, *looks), "too early"
    assert wait.promotes(safe, *looks), "too late"


# ---- the first observation in which every authoritative server had the record, unbroken ------


def a_server_lags(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", at=LACKING_AT_NS2))
    wait.look(T0 + 5 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * HOUR, look("old", "new"))


def a_server_is_silent(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", at=SILENT_NS2))
    wait.look(T0 + 5 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * HOUR, look("old", "new"))


def a_server_lags_on_an_alias(rules: Rules) -> None:
    good = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": None})
    wait = Wait(rules)
    wait.look(T0, led(look("old", aliases=ALIASED), {"a1": None, "a2": ["old"]}))
    wait.look(T0 + HOUR, led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": ["old"]}))
    wait.look(T0 + 5 * HOUR, good)
    first_safe(wait, T0 + 7 * HOUR, good)


def a_server_of_an_alias_is_silent(rules: Rules) -> None:
    good = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": None})
    wait = Wait(rules)
    wait.look(T0, led(look("old", aliases=ALIASED), {"a1": None, "a2": None}))
    mute = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": UNREACHABLE})
    wait.look(T0 + HOUR, mute)
    wait.look(T0 + 5 * HOUR, good)
    first_safe(wait, T0 + 7 * HOUR, good)


def the_resolver_lags(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 4 * HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 5 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * HOUR, look("old", "new"))


def the_resolver_has_the_old_rrset_in_its_cache(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 2 * HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 2 * HOUR + MINUTE, look("old", "new"))
    first_safe(wait, T0 + 3 * HOUR, look("old", "new"))


def the_resolver_lacks_it_longer_than_any_ttl(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 2 * HOUR + SECOND, look("old", "new", resolver=["old"]))
    wait.look(T0 + 3 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 5 * HOUR, look("old", "new"))


def the_resolver_lacks_it_again(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + HOUR + MINUTE, look("old", "new", resolver=["old"]))
    wait.look(T0 + 2 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 4 * HOUR, look("old", "new"))


def the_resolver_comes_up_with_a_longer_ttl(rules: Rules) -> None:
    """An answer from before the TTL was lowered, of an address that can't be seen from here."""
    good = look("old", "new", ttl=BRIEF)
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=BRIEF))
    wait.look(T0 + HOUR, look("old", "new", ttl=BRIEF, resolver=["old"]))
    stale = good.answer._replace(records=(record("old"),), ttl=DAY)
    wait.look(T0 + HOUR + MINUTE, good._replace(answer=stale))
    wait.look(T0 + HOUR + 2 * MINUTE, good)
    first_safe(wait, T0 + DAY + 2 * HOUR + 2 * MINUTE, good)


def the_resolver_lags_for_longer_than_the_ttls_of_then(rules: Rules) -> None:
    """A TTL that is raised later explains nothing."""
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + 5 * HOUR, look("old", "new", resolver=["old"]))
    raised = look("old", "new", ttl=DAY)
    wait.look(T0 + 6 * HOUR, raised)
    first_safe(wait, T0 + 6 * HOUR + DAY + HOUR, raised)


def a_server_loses_it_before_the_resolver_has_it(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + HOUR + MINUTE, look("old", "new", resolver=["old"], at=LACKING_AT_NS2))
    wait.look(T0 + 2 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 4 * HOUR, look("old", "new"))


def the_answer_is_insecure_before_the_resolver_has_it(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new", resolver=["old"]))
    wait.look(T0 + HOUR + MINUTE, look("old", "new", security=Security.INSECURE))
    wait.look(T0 + 2 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 3 * HOUR, look("old", "new"))


def the_record_goes_and_comes_back(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, look("old"))
    wait.look(T0 + 3 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 5 * HOUR, look("old", "new"))


def nothing_can_be_seen_for_a_while(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, silent())
    first_safe(wait, T0 + 3 * HOUR, look("old", "new"))


def a_line_is_added_to_dane_ee(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.state = wait.state._replace(required=(line(), line(MX2)))
    both = look("old", "new"), look("old", "new", owner=MX2)
    wait.look(T0 + 2 * HOUR, *both)
    first_safe(wait, T0 + 2 * HOUR + 7 * DAY + HOUR, *both)


def a_second_matching_type_is_added_to_dane_ee(rules: Rules) -> None:
    wait = Wait(rules, policy=SHORT_GUESS)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.state = wait.state._replace(required=(line(), line(mtype=2)))
    wait.look(T0 + 5 * HOUR, look("old", "new", mtypes=(1, 2)))
    first_safe(wait, T0 + 7 * HOUR, look("old", "new", mtypes=(1, 2)))


# ---- the largest TTL under which a resolver may still hold an answer without it --------------


def the_rrset_has_a_ttl(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=12 * HOUR))
    wait.look(T0 + HOUR, look("old", "new", ttl=12 * HOUR))
    first_safe(wait, T0 + 14 * HOUR, look("old", "new", ttl=12 * HOUR))


def one_server_has_a_larger_ttl(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttls={"ns2": 12 * HOUR}))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 14 * HOUR, look("old", "new"))


def an_alias_has_a_larger_ttl(rules: Rules) -> None:
    way = ((ELSEWHERE, BRIEF), (OTHER, 10 * HOUR))
    wait = Wait(rules)
    wait.look(T0, look("old", aliases=way))
    wait.look(T0 + HOUR, look("old", "new", aliases=way))
    first_safe(wait, T0 + 12 * HOUR, look("old", "new", aliases=way))


def a_server_had_a_larger_ttl_in_place_of_an_alias(rules: Rules) -> None:
    good = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": None})
    behind = led(look("old", aliases=ALIASED), {"a1": None, "a2": []}, ttl=12 * HOUR)
    wait = Wait(rules)
    wait.look(T0, behind)
    wait.look(T0 + HOUR, good)
    first_safe(wait, T0 + 14 * HOUR, good)


def the_rrset_was_absent(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look(negative=8 * HOUR))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 10 * HOUR, look("old", "new"))


def the_rrset_was_a_wildcards(rules: Rules) -> None:
    """As long as a cache holds the denial of the name, it may make the answer anew."""
    wait = Wait(rules)
    wait.look(T0, look("old", denial=8 * HOUR))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 10 * HOUR, look("old", "new"))


def an_alias_was_a_wildcards(rules: Rules) -> None:
    there = look("old", aliases=ALIASED)
    made = led(there, {"a1": None, "a2": None}, denial=8 * HOUR)
    good = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": None})
    wait = Wait(rules)
    wait.look(T0, made)
    wait.look(T0 + HOUR, good)
    first_safe(wait, T0 + 10 * HOUR, good)


def the_ttl_is_lowered_with_the_change(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=DAY))
    wait.look(T0 + HOUR, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + DAY + 2 * HOUR, look("old", "new", ttl=BRIEF))


def the_ttl_is_lowered_a_day_before(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=3 * DAY))
    wait.look(T0 + DAY, look("old", ttl=BRIEF))
    wait.look(T0 + 2 * DAY, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 5 * DAY + HOUR, look("old", "new", ttl=BRIEF))


def the_ttl_is_raised_before_the_record_comes(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", ttl=2 * DAY))
    wait.look(T0 + 2 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 2 * DAY + 3 * HOUR, look("old", "new"))


def the_ttl_is_raised_after_the_record_came(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, look("old", "new", ttl=2 * DAY))
    first_safe(wait, T0 + 3 * HOUR, look("old", "new", ttl=2 * DAY))


def a_silent_server_may_still_have_the_old_ttl(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=BRIEF, ttls={"ns2": DAY}))
    wait.look(T0 + HOUR, look("old", ttl=BRIEF, at=SILENT_NS2))
    wait.look(T0 + 2 * DAY, look("old", ttl=BRIEF, at=SILENT_NS2))
    wait.look(T0 + 3 * DAY, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 4 * DAY + HOUR, look("old", "new", ttl=BRIEF))


def aliases_not_seen_may_still_have_the_old_ttl(rules: Rules) -> None:
    bogus = look("old", ttl=BRIEF, security=Security.BOGUS)
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=BRIEF, aliases=((OTHER, DAY),)))
    wait.look(T0 + HOUR, bogus)
    wait.look(T0 + 2 * DAY, bogus)
    brief = look("old", "new", ttl=BRIEF, aliases=((OTHER, BRIEF),))
    wait.look(T0 + 3 * DAY, brief)
    first_safe(wait, T0 + 4 * DAY + HOUR, brief)


def a_ttl_of_zero_is_a_ttl(rules: Rules) -> None:
    never = timedelta(0)
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=never))
    wait.look(T0 + HOUR, look("old", "new", ttl=never))
    first_safe(wait, T0 + 2 * HOUR, look("old", "new", ttl=never))


# ---- margin and minimum wait -----------------------------------------------------------------


def there_is_a_margin(rules: Rules) -> None:
    wait = Wait(rules, policy=Policy(min_wait=timedelta(0), margin=3 * HOUR))
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 5 * HOUR, look("old", "new"))


def there_is_a_minimum_wait(rules: Rules) -> None:
    wait = Wait(rules, policy=Policy(min_wait=2 * DAY))
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 2 * DAY + HOUR, look("old", "new"))


# ---- the servers or the aliases change -------------------------------------------------------


def the_servers_change(rules: Rules) -> None:
    moved = look("old", "new", at={"ns1": None, "ns3": None}, ns_ttl=DAY)
    wait = Wait(rules)
    wait.look(T0, look("old", ns_ttl=DAY))
    wait.look(T0 + HOUR, look("old", "new", ns_ttl=DAY))
    wait.look(T0 + 2 * HOUR, moved)
    first_safe(wait, T0 + DAY + 4 * HOUR, moved)


def the_servers_of_an_alias_change(rules: Rules) -> None:
    there = look("old", "new", aliases=ALIASED)
    moved = led(there, {"a1": None, "a3": None}, ns_ttl=DAY)
    wait = Wait(rules)
    wait.look(T0, led(look("old", aliases=ALIASED), {"a1": None, "a2": None}, ns_ttl=DAY))
    wait.look(T0 + HOUR, led(there, {"a1": None, "a2": None}, ns_ttl=DAY))
    wait.look(T0 + 2 * HOUR, moved)
    first_safe(wait, T0 + DAY + 4 * HOUR, moved)


def the_servers_change_before_the_record_comes(rules: Rules) -> None:
    """Who still asks the old servers gets an answer without it, and keeps that for its TTL."""
    moved = {"ns3": None}
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=DAY, ns_ttl=3 * DAY))
    wait.look(T0 + HOUR, look("old", ttl=BRIEF, at=moved))
    wait.look(T0 + 2 * DAY, look("old", "new", ttl=BRIEF, at=moved))
    first_safe(wait, T0 + 4 * DAY + 2 * HOUR, look("old", "new", ttl=BRIEF, at=moved))


def the_ns_ttl_is_lowered_before_the_servers_change(rules: Rules) -> None:
    moved = look("old", "new", at={"ns3": None}, ns_ttl=BRIEF)
    wait = Wait(rules)
    wait.look(T0, look("old", ns_ttl=2 * DAY))
    wait.look(T0 + HOUR, look("old", ns_ttl=BRIEF))
    wait.look(T0 + 2 * HOUR, moved)
    first_safe(wait, T0 + 2 * DAY + 4 * HOUR, moved)


def a_server_moves_to_another_address(rules: Rules) -> None:
    """Who has the old address in the cache, or as glue, asks there for as long as its TTL says."""
    moved = look("old", "new", addresses={"ns2": ["192.0.2.7"]})
    wait = Wait(rules)
    wait.look(T0, look("old", address_ttl=2 * DAY))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, moved)
    first_safe(wait, T0 + 2 * DAY + 4 * HOUR, moved)


def a_server_has_one_more_address(rules: Rules) -> None:
    """It may have answered others without the record until now; nobody asks where none is."""
    more = look("old", "new", addresses={"ns2": ["192.0.2.1", "192.0.2.7"]})
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, more)
    first_safe(wait, T0 + 4 * HOUR, more)


def addresses_are_not_resolved_for_a_while(rules: Rules) -> None:
    """Silence is no absence: then the address still counts, and nobody asked it."""
    both = {"ns2": ["192.0.2.1", "2001:db8::7"]}
    lacking = look("old", "new", unresolved=[("ns2.example.org", "AAAA")])
    wait = Wait(rules)
    wait.look(T0, look("old", addresses=both))
    wait.look(T0 + HOUR, lacking)
    assert not wait.promotes(T0 + 9 * HOUR, lacking)
    wait.look(T0 + 10 * HOUR, look("old", "new", addresses=both))
    first_safe(wait, T0 + 12 * HOUR, look("old", "new", addresses=both))


def an_address_falls_silent(rules: Rules) -> None:
    """It was heard without the record; others may get that from it still."""
    both = {"ns2": ["192.0.2.1", "2001:db8::7"]}
    dead = look("old", "new", addresses=both, dead=["2001:db8::7"])
    wait = Wait(rules)
    wait.look(T0, look("old", addresses=both))
    wait.look(T0 + HOUR, dead)
    assert not wait.promotes(T0 + 9 * HOUR, dead)
    wait.look(T0 + 10 * HOUR, look("old", "new", addresses=both))
    first_safe(wait, T0 + 12 * HOUR, look("old", "new", addresses=both))


def an_address_refuses(rules: Rules) -> None:
    """It refuses this host what it lacked before; others may still get that from it."""
    _an_address_ends_up(rules, ServerOutcome.LAME)


def the_route_to_an_address_is_lost(rules: Rules) -> None:
    """This host's trouble is not the world's, which may still get from it what it had."""
    _an_address_ends_up(rules, ServerOutcome.NO_ROUTE)


def _an_address_ends_up(rules: Rules, outcome: ServerOutcome) -> None:
    both = {"ns2": ["192.0.2.1", "2001:db8::7"]}
    good = look("old", "new", addresses=both)
    *others, last = good.servers
    less = good._replace(servers=(*others, ServerAnswer(last.server, outcome)))
    wait = Wait(rules)
    wait.look(T0, look("old", addresses=both))
    wait.look(T0 + HOUR, less)
    assert not wait.promotes(T0 + 9 * HOUR, less)
    wait.look(T0 + 10 * HOUR, good)
    first_safe(wait, T0 + 12 * HOUR, good)


def an_address_never_answers(rules: Rules) -> None:
    """Nobody gets anything from it, so it holds nothing up."""
    both = {"ns2": ["192.0.2.1", "2001:db8::7"]}
    wait = Wait(rules)
    wait.look(T0, look("old", addresses=both, dead=["2001:db8::7"]))
    wait.look(T0 + HOUR, look("old", "new", addresses=both, dead=["2001:db8::7"]))
    first_safe(wait, T0 + 3 * HOUR, look("old", "new", addresses=both, dead=["2001:db8::7"]))


def a_delegation_is_not_read_for_a_while(rules: Rules) -> None:
    lacking = look("old", "new", at={"ns1": None}, unresolved=[("example.org", "NS")])
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, lacking)
    assert not wait.promotes(T0 + 9 * HOUR, lacking)
    wait.look(T0 + 10 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 12 * HOUR, look("old", "new"))


def a_witness_lags(rules: Rules) -> None:
    """Outside of this host's view the old RRset is there, and with a longer TTL."""
    wait = Wait(rules)
    wait.look(T0, witnessed(look("old"), ["old"]))
    wait.look(T0 + HOUR, witnessed(look("old", "new"), ["old"]))
    there = witnessed(look("old", "new"), ["old", "new"])
    wait.look(T0 + 5 * HOUR, there)
    first_safe(wait, T0 + 7 * HOUR, there)


def an_alias_leads_elsewhere(rules: Rules) -> None:
    """Who holds the old one follows it to its end, and what is there then from there on."""
    moved = look("old", "new", aliases=((ELSEWHERE, 6 * HOUR),))
    wait = Wait(rules, policy=SHORT_GUESS)
    wait.look(T0, look("old", aliases=((OTHER, 6 * HOUR),)))
    wait.look(T0 + HOUR, look("old", "new", aliases=((OTHER, 6 * HOUR),)))
    wait.look(T0 + 2 * HOUR, moved)
    first_safe(wait, T0 + (2 + 6 + 6 + 1) * HOUR, moved)


def a_server_leads_to_what_nobody_looks_at(rules: Rules) -> None:
    """One server of the alias's zone still has the former alias, to a zone that isn't looked at."""

    def lagging(one: OwnerObservation) -> OwnerObservation:
        one = led(one, {"a1": None, "a2": []})
        servers = tuple(
            answer if answer.heard and not answer.detail else answer._replace(elsewhere=ELSEWHERE)
            for answer in one.aliases[0].servers
        )
        return one._replace(aliases=(one.aliases[0]._replace(servers=servers),))

    good = led(look("old", "new", aliases=ALIASED), {"a1": None, "a2": None})
    wait = Wait(rules, policy=Policy(min_wait=timedelta(0), unseen_ttl=2 * DAY))
    wait.look(T0, led(look("old", aliases=ALIASED), {"a1": None, "a2": None}))
    wait.look(T0 + HOUR, lagging(look("old", "new", aliases=ALIASED)))
    wait.look(T0 + 5 * HOUR, good)
    first_safe(wait, T0 + HOUR + 2 * DAY + HOUR + HOUR, good)


def a_server_that_delegates_is_gone(rules: Rules) -> None:
    """It may lead resolvers on to where the zone was, and nobody asks it any more."""
    above = [Server(Hostname(f"p{n}.example"), f"192.0.2.{n}") for n in (7, 8)]
    good = look("old", "new")._replace(parents=(above[0],))
    wait = Wait(rules, policy=Policy(min_wait=timedelta(0), unseen_ttl=2 * DAY))
    wait.look(T0, look("old")._replace(parents=tuple(above)))
    wait.look(T0 + HOUR, look("old", "new")._replace(parents=tuple(above)))
    wait.look(T0 + 90 * MINUTE, good)
    first_safe(wait, T0 + 90 * MINUTE + 2 * DAY + 2 * HOUR, good)


def a_server_that_delegates_is_new(rules: Rules) -> None:
    """What it led to before it was first asked, resolvers may hold on to."""
    above = [Server(Hostname(f"p{n}.example"), f"192.0.2.{n}") for n in (7, 8)]
    good = look("old", "new")._replace(parents=tuple(above))
    wait = Wait(rules)
    wait.look(T0, look("old")._replace(parents=(above[0],)))
    wait.look(T0 + HOUR, look("old", "new")._replace(parents=(above[0],)))
    wait.look(T0 + 90 * MINUTE, good)
    first_safe(wait, T0 + 90 * MINUTE + 2 * HOUR, good)


# ---- what can't be known is assumed ----------------------------------------------------------


def the_record_is_there_at_the_first_look(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", "new"))
    first_safe(wait, T0 + 7 * DAY + HOUR, look("old", "new"))


def the_record_is_there_but_not_secure_at_the_first_look(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", "new", security=Security.INSECURE))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * DAY + 2 * HOUR, look("old", "new"))


def only_the_resolver_lacks_it_at_the_first_look(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", "new", resolver=["old"]))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * DAY + HOUR, look("old", "new"))


def one_of_two_owners_has_it_at_the_first_look(rules: Rules) -> None:
    both = look("old", "new"), look("old", "new", owner=MX2)
    wait = Wait(rules, state=state(line(), line(MX2), next_key=key_file("new")))
    wait.look(T0, look("old", "new"), look("old", owner=MX2))
    wait.look(T0 + HOUR, *both)
    first_safe(wait, T0 + 7 * DAY + 2 * HOUR, *both)


def an_alias_leads_where_the_record_already_is(rules: Rules) -> None:
    moved = look("old", "new", aliases=((OTHER, HOUR),))
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, moved)
    first_safe(wait, T0 + HOUR + HOUR + 7 * DAY + HOUR, moved)


def no_server_was_heard_before_the_record_was_there(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, blind(resolver=[]))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * DAY + 2 * HOUR, look("old", "new"))


def the_memory_is_lost(rules: Rules) -> None:
    """A TTL that was lowered before the loss isn't known any more."""
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=5 * DAY))
    wait.memory = Memory()
    wait.look(T0 + DAY, look("old", ttl=BRIEF))
    wait.look(T0 + 2 * DAY, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 8 * DAY + HOUR + BRIEF, look("old", "new", ttl=BRIEF))


def the_wait_is_forgotten(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old", ttl=BRIEF))
    wait.memory = wait.memory._replace(awaiting=None)
    wait.look(T0 + DAY, look("old", ttl=BRIEF))
    wait.look(T0 + 2 * DAY, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 8 * DAY + HOUR, look("old", "new", ttl=BRIEF))


# ---- before the first look nothing is known --------------------------------------------------


def the_ttl_was_lowered_before_the_first_look(rules: Rules) -> None:
    """To five minutes from a day, ten minutes before; whatever it was is assumed."""
    wait = Wait(rules, past=Memory())
    wait.look(T0, look("old", ttl=BRIEF))
    wait.look(T0 + 10 * MINUTE, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 7 * DAY + BRIEF + HOUR, look("old", "new", ttl=BRIEF))


def the_ttl_was_lowered_before_an_emergency(rules: Rules) -> None:
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    wait = Wait(rules, policy=Policy(), memory=Memory(request=request), past=Memory())
    wait.look(T0, look("old", ttl=BRIEF))
    wait.look(T0 + 10 * MINUTE, look("old", "new", ttl=BRIEF))
    first_safe(wait, T0 + 7 * DAY + BRIEF, look("old", "new", ttl=BRIEF))


def an_owner_has_its_own_first_look(rules: Rules) -> None:
    """It was added to dane-ee before the key was made."""
    past = Memory(owners={MX: long_watched().owners[MX]})
    wait = Wait(rules, state=state(line(), line(MX2), next_key=key_file("new")), past=past)
    wait.look(T0, look("old"), look("old", owner=MX2, ttl=BRIEF))
    both = look("old", "new"), look("old", "new", owner=MX2, ttl=BRIEF)
    wait.look(T0 + HOUR, *both)
    first_safe(wait, T0 + 7 * DAY + 2 * HOUR, *both)


def an_alias_leads_where_nobody_looked(rules: Rules) -> None:
    """The RRset there had its TTL lowered; the wait for the next key had not begun."""
    moved = look("old", aliases=((OTHER, BRIEF),), ttl=BRIEF, ns_ttl=BRIEF, address_ttl=BRIEF)
    good = look("old", "new", aliases=((OTHER, BRIEF),), ttl=BRIEF)
    wait = Wait(rules, state=state())
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, moved)
    wait.state = state(next_key=key_file("new", T0 + 5 * HOUR))
    wait.look(T0 + 5 * HOUR, moved)
    wait.look(T0 + 6 * HOUR, good)
    first_safe(wait, T0 + HOUR + 7 * DAY + BRIEF + HOUR, good)


def an_ns_set_was_changed_before_the_first_look(rules: Rules) -> None:
    """Who follows the old one for a week may be told then, for the RRset's TTL."""
    wait = Wait(rules, past=Memory())
    wait.look(T0, look("old", ttl=12 * HOUR, ns_ttl=BRIEF))
    good = look("old", "new", ttl=12 * HOUR, ns_ttl=BRIEF)
    wait.look(T0 + DAY, good)
    first_safe(wait, T0 + 7 * DAY + 13 * HOUR, good)


# ---- unbroken is established ------------------------------------------------------------------


def nobody_looks_for_a_month(rules: Rules) -> None:
    """What was there meanwhile, and under which TTL, is as unknown as before the first look."""
    wait = Wait(rules, daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    back = T0 + 30 * DAY
    assert not wait.promotes(back, look("old", "new")), "too early"
    wait.daily = True
    first_safe(wait, back + 7 * DAY + 2 * HOUR, look("old", "new"))


def a_tree_comes_back_from_a_backup(rules: Rules) -> None:
    """With ready.pem and rollover.json of weeks ago; the record was taken away meanwhile."""
    wait = Wait(rules, daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    backup = wait.memory, wait.state
    for day in range(1, 20):
        wait.look(T0 + day * DAY, look("old", ttl=DAY))
    wait.memory, wait.state = backup
    assert not wait.promotes(T0 + 20 * DAY, look("old", "new")), "too early"
    wait.daily = True
    first_safe(wait, T0 + 27 * DAY + 2 * HOUR, look("old", "new"))


def what_an_earlier_version_remembered_says_not_when(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.memory = wait.memory._replace(
        owners={
            name: one._replace(heard={}, answered_at=None)
            for name, one in wait.memory.owners.items()
        },
    )
    wait.look(T0 + 2 * HOUR, look("old", "new"))
    first_safe(wait, T0 + 7 * DAY + 4 * HOUR, look("old", "new"))


def a_server_is_silent_for_weeks(rules: Rules) -> None:
    mute = look("old", "new", at=SILENT_NS2)
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.look(T0 + 2 * HOUR, mute)
    wait.look(T0 + 19 * DAY, look("old", "new"))
    first_safe(wait, T0 + 26 * DAY + 2 * HOUR, look("old", "new"))


def an_address_is_silent_for_weeks(rules: Rules) -> None:
    """The other of that server spoke for the name, and may have had something else."""
    both = {"ns1": None, "ns2": None}
    two = {"ns2": ("192.0.2.2", "192.0.2.3")}
    good = look("old", "new", at=both, addresses=two)
    one, mute, other = good.servers[0], *good.servers[1:]
    half = good._replace(servers=(one, mute._replace(outcome=UNREACHABLE, records=()), other))
    wait = Wait(rules)
    wait.look(T0, look("old", at=both, addresses=two))
    wait.look(T0 + HOUR, good)
    wait.look(T0 + 2 * HOUR, half)
    assert not wait.promotes(T0 + 19 * DAY, good)
    first_safe(wait, T0 + 26 * DAY + 2 * HOUR, good)


def the_resolver_alone_is_silent_for_weeks(rules: Rules) -> None:
    wait = Wait(rules, policy=Policy(min_wait=2 * DAY))
    wait.look(T0, blind("old"))
    wait.memory = wait.memory._replace(
        owners={name: one._replace(heard={}) for name, one in wait.memory.owners.items()},
    )
    wait.look(T0 + HOUR, blind("old", "new"))
    wait.look(T0 + 2 * HOUR, silent())
    wait.look(T0 + 19 * DAY, blind("old", "new"))
    first_safe(wait, T0 + 26 * DAY + 2 * HOUR, blind("old", "new"))


def a_weekend_without_a_run_breaks_nothing(rules: Rules) -> None:
    wait = Wait(rules, daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    assert wait.promotes(T0 + 5 * DAY, look("old", "new"))


# ---- no server can be reached ----------------------------------------------------------------


def no_server_can_ever_be_reached(rules: Rules) -> None:
    wait = Wait(rules, policy=Policy(min_wait=2 * DAY))
    wait.look(T0, blind("old"))
    wait.look(T0 + HOUR, blind("old", "new"))
    first_safe(wait, T0 + 2 * DAY + HOUR, blind("old", "new"))


def servers_are_reached_later(rules: Rules) -> None:
    wait = Wait(rules, policy=SHORT_GUESS)
    wait.look(T0, blind("old"))
    wait.look(T0 + HOUR, blind("old", "new"))
    wait.look(T0 + 90 * MINUTE, look("old", "new"))
    first_safe(wait, T0 + 3 * HOUR + 30 * MINUTE, look("old", "new"))


def servers_that_were_reached_fall_silent(rules: Rules) -> None:
    """The resolver may answer from its cache what is gone at the servers."""
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    plan = wait.look(T0 + 3 * HOUR, blind("old", "new"))
    assert (plan.phase, plan.step, plan.hold) == (Phase.COOLING, None, Hold.CANNOT_SEE)
    assert wait.promotes(T0 + 4 * HOUR, look("old", "new"))


# ---- the second look, files and clocks -------------------------------------------------------


def the_record_is_gone_at_promotion(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    plan = wait.look(T0 + 3 * HOUR, look("old"))
    assert plan.step is not Step.PROMOTE
    assert plan.phase is Phase.STAGED
    assert wait.steps == [Step.MARK_READY, Step.BACK_TO_NEXT]


def ready_pem_was_touched(rules: Rules) -> None:
    wait = Wait(rules)
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, look("old", "new"))
    wait.state = wait.state._replace(ready=key_file("new", T0 + 2 * HOUR + 30 * MINUTE))
    first_safe(wait, T0 + 4 * HOUR + 30 * MINUTE, look("old", "new"))


def the_clock_was_ahead(rules: Rules) -> None:
    ahead = T0 + 100 * DAY
    wait = Wait(rules, state=state(next_key=key_file("new", ahead)), past=long_watched(ahead))
    wait.look(ahead, look("old", ttl=DAY))
    wait.look(ahead + HOUR, look("old", "new", ttl=DAY))
    wait.state = wait.state._replace(ready=key_file("new", T0))
    wait.look(T0, look("old", "new", ttl=DAY))
    first_safe(wait, T0 + DAY + HOUR, look("old", "new", ttl=DAY))


def the_clock_was_behind(rules: Rules) -> None:
    """By less than anything proves."""
    wait = Wait(rules, daily=False)
    wait.look(T0, look("old"))
    wait.look(T0 - 3 * DAY, look("old", "new"))
    wait.look(T0 + HOUR, look("old", "new"))
    first_safe(wait, T0 + 3 * HOUR, look("old", "new"))


@dataclass(frozen=True)
class Clause:
    """A case, and the rules without the clause that it is about."""

    case: Callable[[Rules], None]
    without: Rules | Callable[[], Rules]

    def mutant(self) -> Rules:
        return self.without if isinstance(self.without, Rules) else self.without()


CLAUSES = (
    Clause(a_server_lags, mutants.FIRST_SERVER_ONLY),
    Clause(a_server_is_silent, mutants.SILENT_SERVERS_PASSED_OVER),
    Clause(a_server_lags_on_an_alias, mutants.ALIAS_SERVERS_PASSED_OVER),
    Clause(a_server_of_an_alias_is_silent, mutants.SILENT_ALIAS_SERVERS_PASSED_OVER),
    Clause(the_resolver_lags, mutants.ANY_ANSWER_OF_THE_RESOLVER),
    Clause(the_resolver_has_the_old_rrset_in_its_cache, mutants.RESOLVER_DELAYS),
    Clause(the_resolver_lacks_it_longer_than_any_ttl, mutants.once_served),
    Clause(the_resolver_lacks_it_again, mutants.once_served),
    Clause(the_resolver_lacks_it_again, mutants.BELIEVED_AGAIN),
    Clause(the_resolver_comes_up_with_a_longer_ttl, mutants.once_served),
    Clause(the_resolver_lags_for_longer_than_the_ttls_of_then, mutants.once_served),
    Clause(a_server_loses_it_before_the_resolver_has_it, mutants.once_served),
    Clause(the_answer_is_insecure_before_the_resolver_has_it, mutants.UNKNOWN_RESETS),
    Clause(the_record_goes_and_comes_back, mutants.BREAKS_FORGIVEN),
    Clause(nothing_can_be_seen_for_a_while, mutants.UNKNOWN_RESETS),
    Clause(a_line_is_added_to_dane_ee, mutants.NEW_LINES_UNNOTICED),
    Clause(a_second_matching_type_is_added_to_dane_ee, mutants.NEW_LINES_UNNOTICED),
    Clause(the_rrset_has_a_ttl, mutants.NO_TTL_OF_THE_RRSET),
    Clause(one_server_has_a_larger_ttl, mutants.FIRST_SERVER_ONLY),
    Clause(an_alias_has_a_larger_ttl, mutants.NO_TTL_OF_ALIASES),
    Clause(a_server_had_a_larger_ttl_in_place_of_an_alias, mutants.NO_TTL_OF_ALIAS_SERVERS),
    Clause(the_rrset_was_absent, mutants.NO_NEGATIVE_TTL),
    Clause(the_rrset_was_a_wildcards, mutants.NO_NEGATIVE_TTL),
    Clause(an_alias_was_a_wildcards, mutants.NO_TTL_OF_ALIAS_SERVERS),
    Clause(the_ttl_is_lowered_with_the_change, mutants.ONLY_TTLS_IN_FORCE),
    Clause(the_ttl_is_lowered_a_day_before, mutants.ONLY_TTLS_IN_FORCE),
    Clause(the_ttl_is_raised_before_the_record_comes, mutants.ONLY_FIRST_TTLS),
    Clause(the_ttl_is_raised_after_the_record_came, mutants.LATER_TTLS_COUNT),
    Clause(a_silent_server_may_still_have_the_old_ttl, mutants.CLOSED_AT_ONCE),
    Clause(aliases_not_seen_may_still_have_the_old_ttl, mutants.CLOSED_AT_ONCE),
    Clause(a_ttl_of_zero_is_a_ttl, mutants.NO_TTL_OF_ZERO),
    Clause(there_is_a_margin, mutants.NO_MARGIN),
    Clause(there_is_a_minimum_wait, mutants.NO_MIN_WAIT),
    Clause(the_servers_change, mutants.SERVERS_NEVER_CHANGE),
    Clause(the_servers_change, mutants.NO_NS_TTL),
    Clause(the_servers_of_an_alias_change, mutants.ALIAS_SERVERS_PASSED_OVER),
    Clause(the_servers_of_an_alias_change, mutants.NO_NS_TTL_OF_ALIASES),
    Clause(the_servers_change_before_the_record_comes, mutants.OLD_ROUTE_PRUNED),
    Clause(the_ns_ttl_is_lowered_before_the_servers_change, mutants.LAST_NS_TTL_ONLY),
    Clause(a_server_moves_to_another_address, mutants.ADDRESSES_NEVER_CHANGE),
    Clause(a_server_moves_to_another_address, mutants.NO_ADDRESS_TTL),
    Clause(a_server_has_one_more_address, mutants.ADDRESSES_NEVER_CHANGE),
    Clause(addresses_are_not_resolved_for_a_while, mutants.UNRESOLVED_IS_GONE),
    Clause(an_address_falls_silent, mutants.FORGETS_WHO_WAS_HEARD),
    Clause(an_address_refuses, mutants.FORGETS_WHO_WAS_HEARD),
    Clause(the_route_to_an_address_is_lost, mutants.FORGETS_WHO_WAS_HEARD),
    Clause(an_address_never_answers, mutants.EVERY_ADDRESS_MUST_ANSWER),
    Clause(a_delegation_is_not_read_for_a_while, mutants.UNRESOLVED_IS_GONE),
    Clause(a_witness_lags, mutants.NO_WITNESSES),
    Clause(an_alias_leads_elsewhere, mutants.ALIASES_NEVER_CHANGE),
    Clause(a_server_leads_to_what_nobody_looks_at, mutants.ELSEWHERE_KNOWN),
    Clause(a_server_that_delegates_is_gone, mutants.PARENTS_IGNORED),
    Clause(a_server_that_delegates_is_new, mutants.PARENTS_IGNORED),
    Clause(the_record_is_there_at_the_first_look, mutants.NO_UNSEEN_TTL),
    Clause(the_record_is_there_but_not_secure_at_the_first_look, mutants.NO_UNSEEN_TTL),
    Clause(only_the_resolver_lacks_it_at_the_first_look, mutants.NO_UNSEEN_TTL),
    Clause(one_of_two_owners_has_it_at_the_first_look, mutants.NO_UNSEEN_TTL),
    Clause(an_alias_leads_where_the_record_already_is, mutants.NO_UNSEEN_TTL),
    Clause(no_server_was_heard_before_the_record_was_there, mutants.NO_UNSEEN_TTL),
    Clause(the_memory_is_lost, mutants.NO_FIRST_LOOK),
    Clause(the_wait_is_forgotten, mutants.NO_AGE_OF_NEXT_FILE),
    Clause(the_ttl_was_lowered_before_the_first_look, mutants.NO_FIRST_LOOK),
    Clause(the_ttl_was_lowered_before_an_emergency, mutants.NO_FIRST_LOOK),
    Clause(an_owner_has_its_own_first_look, mutants.NO_FIRST_LOOK),
    Clause(an_alias_leads_where_nobody_looked, mutants.ALIASES_NEVER_CHANGE),
    Clause(an_ns_set_was_changed_before_the_first_look, mutants.NO_FIRST_LOOK),
    Clause(nobody_looks_for_a_month, mutants.GAPS_FORGIVEN),
    Clause(a_tree_comes_back_from_a_backup, mutants.GAPS_FORGIVEN),
    Clause(what_an_earlier_version_remembered_says_not_when, mutants.NO_FIRST_LOOK),
    Clause(a_server_is_silent_for_weeks, mutants.GAPS_FORGIVEN),
    Clause(an_address_is_silent_for_weeks, mutants.GAPS_FORGIVEN),
    Clause(the_resolver_alone_is_silent_for_weeks, mutants.GAPS_FORGIVEN),
    Clause(a_weekend_without_a_run_breaks_nothing, mutants.EVERY_PAUSE_IS_A_GAP),
    Clause(no_server_can_ever_be_reached, mutants.NO_FALLBACK),
    Clause(servers_are_reached_later, mutants.RESOLVER_COUNTS_AS_SERVERS),
    Clause(servers_that_were_reached_fall_silent, mutants.BLIND_AT_PROMOTION),
    Clause(the_record_is_gone_at_promotion, mutants.no_second_look),
    Clause(ready_pem_was_touched, mutants.NO_DATE_OF_READY_FILE),
    Clause(the_clock_was_ahead, mutants.FUTURE_BELIEVED),
    Clause(the_clock_was_behind, mutants.CLOCK_NEVER_BEHIND),
)
clauses = pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.case.__name__)


@clauses
def test_safe_time_is_to_the_second(clause: Clause) -> None:
    clause.case(REAL)


@clauses
def test_the_case_fails_without_its_clause(clause: Clause) -> None:
    with pytest.raises(AssertionError):
        clause.case(clause.mutant())
