"""What is true of every plan and every memory, whatever was seen and whenever.

The conditions are written down here once more in their own words, without the planner's helpers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amounts import amount
from danebot.adapters.codec import decode, encode
from danebot.domain.dns.answers import OwnerObservation, Security, ServerOutcome
from danebot.domain.dns.tlsa import MatchingType
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment, Failure, Memory, Witness
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from domain.builders import DAY, HOUR, MINUTE, MX, MX2, T0, blind, held, key_file, line, look, state

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

KEYS = ("old", "new", "stranger")
SERVERS = ("ns1", "ns2", "ns3")
SPANS = (timedelta(0), 5 * MINUTE, HOUR, DAY, 3 * DAY)
several_keys = st.sets(st.sampled_from(KEYS)).map(sorted)
usual_keys = st.sampled_from((["old", "new"], ["old", "new"], ["old", "new"], ["old"], ["new"]))
silences = set(ServerOutcome) - {ServerOutcome.ANSWERED, ServerOutcome.LEADS_ON}
there = st.none() | several_keys | st.sampled_from(sorted(silences, key=lambda one: one.value))


def seldom(draw: st.DrawFn) -> bool:
    """Whether something out of order happens: one time in four."""
    return draw(st.sampled_from((False, False, False, True)))


@st.composite
def looks(draw: st.DrawFn) -> tuple[OwnerObservation, ...]:
    """What is seen of none, one or two owners; most often everything is in order."""
    if seldom(draw):
        owners = draw(st.sampled_from(((MX, MX2), (MX,), ())))
        return tuple(draw(odd_looks(owner)) for owner in owners)
    keys, ttl = draw(usual_keys), draw(st.sampled_from(SPANS))
    mtypes = (1, 2)
    return tuple(look(*keys, owner=owner, ttl=ttl, mtypes=mtypes) for owner in (MX, MX2))


@st.composite
def odd_looks(draw: st.DrawFn, owner: DnsName) -> OwnerObservation:
    """A look in which anything may be."""
    names = draw(st.sampled_from((SERVERS[:2], SERVERS[:1], SERVERS, ())))
    return look(
        *draw(usual_keys | several_keys),
        owner=owner,
        at={name: draw(there) for name in names},
        resolver=draw(st.none() | several_keys),
        ttl=draw(st.sampled_from(SPANS)),
        negative=draw(st.sampled_from(SPANS)),
        ns_ttl=draw(st.none() | st.sampled_from(SPANS)),
        security=draw(st.just(Security.SECURE) | st.sampled_from(Security)),
        mtypes=draw(st.sampled_from(((1, 2), (1,), (2,), (0, 1)))),
    )


pauses = st.sampled_from((timedelta(0), HOUR, DAY, 2 * DAY, 4 * DAY, 8 * DAY, -HOUR, -5 * DAY))
histories = st.lists(st.tuples(pauses, looks()), max_size=4)
moments = st.sampled_from((T0 - DAY, T0, T0 + HOUR, T0 + 3 * DAY))
usual_lines = (line(),), (line(),), (line(), line(MX2)), (line(mtype=2),)
usual_staged = st.sampled_from(
    (held("old"), held("old"), held("old", 2), held("new", 2), held("new", 2), held("stranger", 2))
)


@st.composite
def states(draw: st.DrawFn) -> LineageState:
    """A lineage with the new key on its way, most often sound."""
    if seldom(draw):
        return draw(odd_states())
    file = key_file("new", draw(moments))
    found = state(*draw(st.sampled_from(usual_lines)), staged=draw(usual_staged))
    return found._replace(ready=file) if draw(st.booleans()) else found._replace(next=file)


@st.composite
def odd_states(draw: st.DrawFn) -> LineageState:
    """A lineage in which anything may be."""
    chains = st.none() | st.builds(
        held,
        st.sampled_from(KEYS),
        st.integers(1, 2),
        private=st.none() | st.none() | st.none() | st.sampled_from(KEYS),
    )
    live_chains = st.just(held("old")) | st.just(held("old")) | chains
    key_files = st.none() | st.builds(key_file, st.sampled_from(KEYS), moments)
    combo = draw(live_chains)
    return state(next_key=draw(key_files), ready=draw(key_files))._replace(
        management=draw(st.sampled_from((*[Management.STAGED] * 5, Management.PASS_THROUGH))),
        live=draw(live_chains),
        combo=combo and combo._replace(version=None),
        staged=draw(live_chains | usual_staged),
        required=draw(st.sampled_from((None, (), *usual_lines, (line(), line(mtype=2))))),
        names=draw(st.sampled_from(((), (), None))),
    )


failures = st.none() | st.builds(
    Failure,
    st.just("refused"),
    st.integers(1, 9),
    st.just(T0),
    st.sampled_from((T0, T0 + 4 * DAY)),
    st.sampled_from((T0 + HOUR, T0 + 30 * DAY)),
)
deployments = st.none() | st.just(Deployment(b"chain", b"digest", T0))


@dataclass(frozen=True)
class Situation:
    """Everything that a plan is made from."""

    observation: Observation
    memory: Memory
    policy: Policy
    now: datetime

    def plan(self) -> Plan:
        return plan(self.observation, self.memory, self.policy, self.now)

    @property
    def state(self) -> LineageState:
        return self.observation.state


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A lineage with a past of looks, and one more look now."""
    found, now = draw(states()), T0
    memory = Memory(deployment=draw(deployments), promotion_failure=draw(failures))
    owners: dict[DnsName, OwnerObservation] = {}
    for pause, seen_now in [*draw(histories), (draw(pauses), draw(looks()))]:
        now = max(now + pause, T0 - 10 * DAY)  # when the certificate begins: no clock is behind
        owners = {one.owner: one for one in seen_now}
        memory = remember(memory, found, owners, now)
    policy = Policy(min_wait=draw(st.sampled_from((timedelta(0), 2 * DAY))))
    distrust = draw(st.sampled_from(("", "", "", None, "self-signed")))
    return Situation(Observation(found, owners, distrust), memory, policy, now)


@st.composite
def close_calls(draw: st.DrawFn) -> Situation:
    """A ready key, seen everywhere at least once, around the time when it is safe."""
    usual = look("old", "new", ttl=draw(st.sampled_from(SPANS)))
    last = draw(st.sampled_from((usual, usual, blind("old", "new"), look("old"), look("new"))))
    staged = draw(st.sampled_from((held("old"), held("new", 2))))
    found = state(ready=key_file("new", T0 + HOUR), staged=staged)
    memory = remember(
        Memory(promotion_failure=draw(failures)), state(next_key=key_file("new")), {}, T0
    )
    now = T0
    for one in (look("old"), *draw(st.lists(st.just(usual), min_size=1, max_size=2)), last):
        now += draw(st.sampled_from((HOUR, 2 * HOUR, DAY, 2 * DAY, 3 * DAY)))
        memory = remember(memory, found, {MX: one}, now)
    policy = Policy(min_wait=draw(st.sampled_from((timedelta(0), 2 * DAY))))
    return Situation(Observation(found, {MX: last}, ""), memory, policy, now)


# ---- the same once more, in other words ------------------------------------------------------


def has_all_records(situation: Situation, spki: bytes) -> bool:
    """Every line's record: securely at the resolver, and at all servers if any answers."""
    for required in situation.state.required or ():
        one = situation.observation.owners.get(required.owner)
        wanted = required.record(spki)
        if one is None or not one.answer.secure or wanted not in one.answer.records:
            return False
        answers = [s for s in one.servers if s.outcome is ServerOutcome.ANSWERED]
        if any(wanted not in server.records for server in answers):
            return False
        names = {server.server.name for server in answers}
        if answers and not one.name_servers <= names:
            return False
    return True


def lacks_a_record(situation: Situation, spki: bytes) -> bool:
    """Somebody who can know says that a line's record isn't there."""
    for required in situation.state.required or ():
        one = situation.observation.owners.get(required.owner)
        wanted = required.record(spki)
        if one is None:
            continue
        if one.answer.secure and wanted not in one.answer.records:
            return True
        answers = [s for s in one.servers if s.outcome is ServerOutcome.ANSWERED]
        if any(wanted not in server.records for server in answers):
            return True
    return False


def says_it_is_gone(situation: Situation, spki: bytes) -> bool:
    """Of no owner anybody has a ``3 1 x`` record of the key, and everybody was heard."""
    mine = {line(mtype=mtype).record(spki) for mtype in MatchingType}
    for required in situation.state.required or ():
        one = situation.observation.owners.get(required.owner)
        if one is None or not one.answer.secure or not one.answer.records:
            return False
        answers = [s for s in one.servers if s.outcome is ServerOutcome.ANSWERED]
        if not answers or {s.server.name for s in answers} != one.name_servers:
            return False
        shown = set(one.answer.records).union(*(server.records for server in answers))
        if mine & shown:
            return False
    return bool(situation.state.required)


def may_be_served(situation: Situation, spki: bytes) -> bool:
    """Whether changing the served key to this one is safe, or mends what fails already."""
    state = situation.state
    serving = state.serving
    assert serving is not None
    if state.required == ():
        return True
    if state.required is None or not has_all_records(situation, spki):
        return False
    if says_it_is_gone(situation, serving.key.spki):
        return True
    awaiting = situation.memory.awaiting
    observed = [situation.observation.owners[owner] for owner in state.owners]
    answering = [{s.outcome for s in one.servers} & {ServerOutcome.ANSWERED} for one in observed]
    if awaiting is not None and awaiting.witness is Witness.SERVERS and not all(answering):
        return False
    if state.ready is None or state.ready.key is None or state.ready.key.spki != spki:
        return False
    if awaiting is None or awaiting.digest != state.ready.key.digest or not awaiting.seen_since:
        return False
    waited = situation.now - awaiting.seen_since
    ttls = [
        sighting.ttl
        for owner in state.owners
        for sighting in situation.memory.owners[owner].sightings
        if sighting.first <= awaiting.seen_since
    ]
    margin = situation.policy.margin if ttls else timedelta(0)
    return waited >= situation.policy.min_wait and waited >= max(ttls, default=margin) + margin


# ---- properties ------------------------------------------------------------------------------


@given(situations())
@settings(max_examples=amount(50, 450))
def test_a_plan_is_determined_by_what_it_is_made_from(situation: Situation) -> None:
    assert situation.plan() == situation.plan()
    again = remember(situation.memory, situation.state, situation.observation.owners, situation.now)
    assert replace(situation, memory=again).plan() == situation.plan()


@given(situations() | close_calls())
@settings(max_examples=amount(200, 1800))
def test_the_served_key_changes_only_when_that_is_safe(situation: Situation) -> None:
    found, state = situation.plan(), situation.state
    if found.step is Step.PROMOTE:
        assert state.ready is not None
        assert state.ready.key is not None
        assert may_be_served(situation, state.ready.key.spki)
        failure = situation.memory.promotion_failure
        assert failure is None or not failure.last <= situation.now < failure.retry_at
    if found.step is Step.DEPLOY:
        assert state.staged is not None
        assert state.staged.matches
        if state.staged.key != state.current_key and not state.staged.same_content(state.live):
            assert may_be_served(situation, state.staged.key.spki)
            assert situation.observation.distrust == ""
            assert state.names is not None


@given(situations())
@settings(max_examples=amount(100, 900))
def test_certbot_never_finds_an_unsafe_key_staged(situation: Situation) -> None:
    found, state = situation.plan(), situation.state
    if not found.certbot_may_renew or state.management is Management.PASS_THROUGH:
        return
    assert state.staged is not None
    mended = found.step is Step.DEPLOY and state.staged.same_content(state.live)
    if state.staged.key != state.current_key and not mended:
        assert may_be_served(situation, state.staged.key.spki)


@given(situations())
@settings(max_examples=amount(50, 240))
def test_a_passed_through_lineage_never_gets_a_step(situation: Situation) -> None:
    through = situation.state._replace(management=Management.PASS_THROUGH)
    found = replace(situation, observation=situation.observation._replace(state=through)).plan()
    assert (found.phase, found.step) == (Phase.PASS_THROUGH, None)


@given(situations())
@settings(max_examples=amount(100, 900))
def test_silence_leads_to_nothing(situation: Situation) -> None:
    """Nobody answers: no key moves on, and none is withdrawn."""
    state = situation.state
    silence = situation.observation._replace(owners={})
    memory = remember(situation.memory, state, {}, situation.now)
    found = replace(situation, observation=silence, memory=memory).plan()
    if state.required == ():
        return
    assert found.step not in (Step.MARK_READY, Step.BACK_TO_NEXT, Step.PROMOTE)
    assert found.repair is Repair.NOT_NEEDED
    if found.step is Step.DEPLOY:
        assert state.staged is not None
        assert state.staged.key == state.current_key or state.staged.same_content(state.live)
    if memory.awaiting is not None and situation.memory.awaiting is not None:
        assert memory.awaiting.seen_since == situation.memory.awaiting.seen_since


@given(situations())
@settings(max_examples=amount(133, 1200))
def test_a_repair_rests_on_what_was_seen(situation: Situation) -> None:
    found, state = situation.plan(), situation.state
    if found.repair is Repair.NOT_NEEDED:
        return
    assert state.serving is not None
    assert says_it_is_gone(situation, state.serving.key.spki)
    new = [one for one in (state.awaited_key, state.staged and state.staged.key) if one]
    assert any(has_all_records(situation, one.spki) for one in new)


@given(situations(), pauses, looks())
@settings(max_examples=amount(133, 1200))
def test_memory_only_goes_forward(
    situation: Situation, pause: timedelta, seen_now: tuple[OwnerObservation, ...]
) -> None:
    now, state = situation.now + pause, situation.state
    owners = {one.owner: one for one in seen_now}
    after = remember(situation.memory, state, owners, now)
    old, new = situation.memory.awaiting, after.awaiting
    assert (new is None) == (state.awaited_key is None)
    if old is None or new is None:
        return
    seen_then = replace(situation, observation=situation.observation._replace(owners=owners))
    if state.awaited_key is not None and lacks_a_record(seen_then, state.awaited_key.spki):
        assert new.seen_since is None, "a break begins the wait anew"
    assert new.seen_since is None or new.seen_since <= max(now, old.seen_since or now)
    if old.seen_since is not None and new.seen_since is not None and now >= old.seen_since:
        assert new.seen_since >= old.seen_since, "the wait never gets shorter by itself"
    assert new.since == old.since
    assert new.forgotten_at == old.forgotten_at
    if old.unseen_at is not None and new.unseen_at is not None:
        assert new.unseen_at in (old.unseen_at, now)


@given(situations())
@settings(max_examples=amount(50, 450))
def test_what_may_be_in_a_cache_now_is_remembered(situation: Situation) -> None:
    """Every TTL of this look is covered by one that counts from now on."""
    for name, one in situation.observation.owners.items():
        sightings = situation.memory.owners[name].sightings
        assert len(sightings) == len(set(sightings))
        ttls = [one.answer.ttl, *(alias.ttl for alias in one.answer.aliases)]
        for server in one.servers:
            ttls += [server.ttl, server.negative_ttl]
        for ttl in ttls:
            if ttl is not None:
                assert any(s.ttl >= ttl and s.until is None for s in sightings)
        assert all(sighting.first <= situation.now for sighting in sightings)


@given(situations())
@settings(max_examples=amount(50, 300))
def test_memory_survives_its_json_form(situation: Situation) -> None:
    document = json.loads(json.dumps(encode(situation.memory)))
    assert decode(Memory, document) == situation.memory
    assert document == encode(decode(Memory, document))
