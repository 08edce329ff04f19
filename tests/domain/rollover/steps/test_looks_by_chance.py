"""Looks by chance, some under a clock that is behind, held against what caches may have by them.

No world is behind these looks. Each says by itself how long whoever asked then has what it shows,
and for how long a way that is lost later is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Step
from domain.builders import DAY, HOUR, MX2, OTHER, T0, UNREACHABLE, Wait, Where, look, record

SEEDS = 40  # of each test
PARTS = 10
NOTHING = timedelta(0)
POLICY = Policy(min_wait=NOTHING, margin=NOTHING, unseen_ttl=NOTHING)
TTLS = (HOUR, DAY, 3 * DAY)
HOURS = (1, 3, 6, 12, 23, 30, 50, 90)
SETS: tuple[tuple[str, ...], ...] = (
    ("ns1", "ns2"),
    ("ns1", "ns2", "ns3"),
    ("ns1",),
    ("ns2", "ns3"),
)


class Looked(NamedTuple):
    """A look: when, what the clock said, and for how long each part of the way is followed."""

    at: datetime
    clock: datetime
    found: OwnerObservation
    way: dict[str, timedelta]
    ttl: timedelta


def looks(rng: Random) -> Iterator[Looked]:
    """A history of looks at one owner, the new key's record there from the second on, mostly."""
    now, servers, ttl, ns_ttl = T0, SETS[0], rng.choice(TTLS), rng.choice(TTLS)
    aliases: list[tuple[DnsName, timedelta]] = []
    aliased = rng.random() < 0.4
    keys: tuple[str, ...] = ("old",)
    for number in range(rng.randint(4, 9)):
        now += rng.choice(HOURS) * HOUR
        ttl = rng.choice(TTLS) if rng.random() < 0.2 else ttl
        ns_ttl = rng.choice(TTLS) if rng.random() < 0.2 else ns_ttl
        servers = rng.choice(SETS) if rng.random() < 0.25 else servers
        if aliased and (not aliases or rng.random() < 0.3):
            aliases = [(rng.choice((OTHER, MX2)), rng.choice(TTLS))]
        before = keys
        keys = ("old", "new") if number and rng.random() < 0.85 else ("old",)
        at: Where = dict.fromkeys(servers, UNREACHABLE if rng.random() < 0.1 else None)
        if rng.random() < 0.15:
            at = {**at, servers[-1]: UNREACHABLE}
        found = look(
            *keys,
            at=at,
            resolver=before if rng.random() < 0.2 else None,
            ttl=ttl,
            ns_ttl=ns_ttl,
            aliases=aliases,
            security=Security.INDETERMINATE if rng.random() < 0.05 else Security.SECURE,
        )
        clock = now
        if number and found.answer.secure and rng.random() < 0.3:
            clock = now - rng.choice((3, 30, 80, 200)) * HOUR
            found = found._replace(answer=found.answer._replace(signed_since=now - HOUR))
        way = {**dict.fromkeys(servers, ns_ttl), **{str(name): span for name, span in aliases}}
        yield Looked(now, clock, found, way, max([ttl, *(span for _, span in aliases)]))


def held(seen: list[Looked]) -> Iterator[datetime]:
    """Until when caches may have an RRset without the new key's record, by each look."""
    for looked in seen:
        servers = [one for one in looked.found.servers if one.heard]
        if any(record("new") not in one.records for one in servers):
            yield looked.at + looked.ttl
    told = [looked for looked in seen if looked.found.answer.secure]
    for number, looked in enumerate(told):
        for part, ttl in looked.way.items():
            if any(part not in later.way for later in told[number:]):
                yield looked.at + ttl + (looked.found.answer.ttl or NOTHING)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_key_is_used_while_a_cache_may_lack_its_record(part: int) -> None:
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        wait = Wait(daily=False, policy=POLICY, memory=Memory(), past=Memory())
        seen: list[Looked] = []
        for looked in looks(Random(seed)):
            seen.append(looked)
            if wait.look(looked.clock, looked.found).step is Step.PROMOTE:
                assert looked.at >= max(held(seen), default=T0), seed
                break
