"""The plan: which step comes next in every situation, and what is true of any plan at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import Declared
from danebot.domain.lineage.state import KeyFile, LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment, Failure, Memory
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Hold, Keep, Observation, Phase, Plan, Repair, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.safe_time import Baseline, safe_time
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    OTHER,
    T0,
    UNREACHABLE,
    Wait,
    blind,
    held,
    kept_up,
    key,
    key_file,
    line,
    look,
    record,
    seen,
    silent,
    state,
)

LATER = T0 + 10 * DAY
READY = key_file("new", T0 + HOUR)
COOLED = look("old", "new")


def waited(*, ready: bool = True) -> Memory:
    """The memory of a wait whose record has been everywhere since an hour after T0."""
    wait = Wait()
    wait.look(T0, look("old"))
    if ready:
        wait.look(T0 + HOUR, COOLED)
    return wait.memory


def planned(
    found: LineageState,
    *looks: OwnerObservation,
    memory: Memory | None = None,
    at: timedelta = 10 * DAY,
    distrust: str | None = "",
) -> Plan:
    """The plan on one look, ten days after T0."""
    observation = Observation(found, seen(*looks), distrust)
    remembered = remember(kept_up(memory or Memory(), T0 + at), found, observation.owners, T0 + at)
    return plan(observation, remembered, Policy(), T0 + at)


def gist(found: Plan) -> tuple[Phase, Step | None, Hold | None]:
    return found.phase, found.step, found.hold


# ---- nothing on its way ----------------------------------------------------------------------


def test_a_passed_through_lineage_is_left_alone() -> None:
    through = state(staged=held("x", 2))._replace(management=Management.PASS_THROUGH)
    assert gist(planned(through, look("new"))) == (Phase.PASS_THROUGH, None, None)


def test_a_sound_lineage_is_stable() -> None:
    assert gist(planned(state(), look("old"))) == (Phase.STABLE, None, None)


def test_a_deployment_is_deployed_until_confirmed() -> None:
    deployment = Deployment(b"chain", b"digest", T0)
    found = planned(state(), look("old"), memory=Memory(deployment=deployment))
    assert gist(found) == (Phase.DEPLOYED, None, None)
    confirmed = deployment._replace(confirmed_at=T0)
    found = planned(state(), look("old"), memory=Memory(deployment=confirmed))
    assert gist(found) == (Phase.STABLE, None, None)


@pytest.mark.parametrize(
    "broken",
    [
        state()._replace(live=None, combo=None),
        state()._replace(staged=None),
        state()._replace(combo=held("old", None, private="other"), live=None),
    ],
    ids=["nothing live", "nothing staged", "a combo that doesn't match, and no live"],
)
def test_where_nothing_usable_is_live_certbot_must_not_run(broken: LineageState) -> None:
    found = planned(broken, look("old"))
    assert gist(found) == (Phase.BROKEN, None, Hold.NOTHING_SERVED)
    assert not found.certbot_may_renew


@pytest.mark.parametrize(
    "unfinished",
    [
        state()._replace(combo=None),
        state(staged=held("old", 2))._replace(combo=held("old", 2)),
        state(staged=held("old", 2))._replace(combo=held("old", 2), live=None),
        state()._replace(combo=held("old", None, private="other")),
        state()._replace(combo=held("other", None, private="old")),
    ],
    ids=[
        "no combo.pem",
        "live's links are behind",
        "live's links are broken",
        "combo.pem has another key",
        "combo.pem has another chain",
    ],
)
def test_what_a_deployment_left_undone_is_done(unfinished: LineageState) -> None:
    assert gist(planned(unfinished, look("old"))) == (Phase.ISSUED, Step.DEPLOY, None)


# ---- something else is staged ----------------------------------------------------------------

RENEWED = state(staged=held("old", 2))


def test_a_renewal_with_the_same_key_is_deployed_whatever_dns_says() -> None:
    for one in (look("old"), look(), silent(), look("new")):
        assert gist(planned(RENEWED, one)) == (Phase.ISSUED, Step.DEPLOY, None)
    unreadable = RENEWED._replace(required=None)
    assert planned(unreadable, silent()).step is Step.DEPLOY


@pytest.mark.parametrize(
    ("found", "distrust", "hold", "detail"),
    [
        (RENEWED, "self-signed", Hold.CHAIN_UNVERIFIED, "self-signed"),
        (RENEWED, None, Hold.CHAIN_UNVERIFIED, "not examined"),
        (RENEWED._replace(names=None), "", Hold.NAMES_UNREADABLE, ""),
        (
            RENEWED._replace(names=tuple(map(DnsName, ("mx.example.org", "a.test", "b.test")))),
            "",
            Hold.NAME_MISSING,
            "a.test b.test",
        ),
        (state(staged=held("x", 2, private="old")), "", Hold.KEY_MISMATCH, ""),
    ],
)
def test_a_bad_chain_is_held_back(
    found: LineageState, distrust: str | None, hold: Hold, detail: str
) -> None:
    held_back = planned(found, look("old"), distrust=distrust)
    assert gist(held_back) == (Phase.ISSUED, None, hold)
    assert held_back.detail == detail


def test_a_stranger_is_put_back_and_kept() -> None:
    stranger = state(staged=held("stranger", 2))
    found = planned(stranger, look("old"))
    assert gist(found) == (Phase.ISSUED, Step.PUT_BACK, Hold.UNKNOWN_KEY)
    assert found.keep is Keep.ASIDE
    assert not found.certbot_may_renew


def test_a_published_stranger_becomes_the_next_key_if_none_is_on_its_way() -> None:
    both = look("old", "stranger")
    assert planned(state(staged=held("stranger", 2)), both).keep is Keep.AS_NEXT
    busy = state(staged=held("stranger", 2), next_key=key_file("new"))
    assert planned(busy, both).keep is Keep.ASIDE


def test_a_next_key_that_got_staged_is_put_back_where_it_is() -> None:
    found = planned(state(staged=held("new", 2), next_key=key_file("new")), look("old", "new"))
    assert gist(found) == (Phase.ISSUED, Step.PUT_BACK, Hold.NOT_COOLED)
    assert found.keep is Keep.NOWHERE


ISSUED = state(staged=held("new", 2), ready=READY)


@pytest.mark.parametrize(
    ("one", "memory", "expected", "may_renew"),
    [
        (COOLED, waited(), (Phase.ISSUED, Step.DEPLOY, None), True),
        (COOLED, None, (Phase.ISSUED, Step.PUT_BACK, Hold.NOT_COOLED), False),
        (look("old"), waited(), (Phase.ISSUED, Step.PUT_BACK, Hold.NOT_EVERYWHERE), False),
        (silent(), waited(), (Phase.ISSUED, None, Hold.CANNOT_SEE), False),
        (blind("old", "new"), waited(), (Phase.ISSUED, None, Hold.CANNOT_SEE), False),
    ],
    ids=["cooled", "memory lost", "record gone", "nobody answers", "servers silent"],
)
def test_a_chain_with_the_ready_key_is_looked_at_again_before_it_is_deployed(
    one: OwnerObservation,
    memory: Memory | None,
    expected: tuple[Phase, Step | None, Hold | None],
    *,
    may_renew: bool,
) -> None:
    found = planned(ISSUED, one, memory=memory)
    assert gist(found) == expected
    assert found.certbot_may_renew is may_renew
    assert found.keep is (Keep.NOWHERE if found.step is Step.PUT_BACK else None)


def test_nothing_changes_the_key_while_dane_ee_is_unreadable() -> None:
    issued = ISSUED._replace(required=None)
    found = planned(issued, COOLED, memory=waited())
    assert gist(found) == (Phase.ISSUED, Step.PUT_BACK, Hold.RECORDS_UNREADABLE)
    ready = state(ready=READY)._replace(required=None)
    found = planned(ready, COOLED, memory=waited())
    assert gist(found) == (Phase.COOLING, None, Hold.RECORDS_UNREADABLE)


def test_without_tlsa_records_by_the_operators_word_any_sound_chain_is_deployed() -> None:
    empty = state(staged=held("stranger", 2))._replace(required=())
    assert gist(planned(empty)) == (Phase.ISSUED, Step.PUT_BACK, Hold.NOTHING_WATCHED)
    free = empty._replace(declared=Declared.NO_RECORDS)
    assert gist(planned(free)) == (Phase.ISSUED, Step.DEPLOY, None)
    assert planned(free, distrust="self-signed").hold is Hold.CHAIN_UNVERIFIED


# ---- a key on its way ------------------------------------------------------------------------

NEXT = state(next_key=key_file("new"))
COOLING = state(ready=READY)


@pytest.mark.parametrize(
    ("found", "one", "expected"),
    [
        (NEXT, look("old"), (Phase.STAGED, None, Hold.NOT_EVERYWHERE)),
        (NEXT, silent(), (Phase.STAGED, None, Hold.CANNOT_SEE)),
        (NEXT, look("old", "new"), (Phase.STAGED, Step.MARK_READY, None)),
        (NEXT, blind("old", "new"), (Phase.STAGED, None, Hold.CANNOT_SEE)),
        (COOLING, look("old"), (Phase.STAGED, Step.BACK_TO_NEXT, Hold.NOT_EVERYWHERE)),
        (COOLING, silent(), (Phase.COOLING, None, Hold.CANNOT_SEE)),
        (COOLING, blind("old", "new"), (Phase.COOLING, None, Hold.CANNOT_SEE)),
        (COOLING, COOLED, (Phase.DUE, Step.PROMOTE, None)),
    ],
)
def test_the_way_of_a_key(
    found: LineageState,
    one: OwnerObservation,
    expected: tuple[Phase, Step | None, Hold | None],
) -> None:
    assert gist(planned(found, one, memory=waited(ready=found is COOLING))) == expected


def test_a_key_cools_until_the_second() -> None:
    safe = 2 * DAY + HOUR
    memory = waited()
    early = planned(COOLING, COOLED, memory=memory, at=safe - timedelta(seconds=1))
    assert gist(early) == (Phase.COOLING, None, Hold.NOT_COOLED)
    assert early.safe is not None
    assert early.safe.at == T0 + safe
    assert planned(COOLING, COOLED, memory=memory, at=safe).step is Step.PROMOTE


def test_a_failed_promotion_is_backed_off_from() -> None:
    failure = Failure("refused by the CA: rate limit", 1, LATER, LATER, LATER + HOUR)
    memory = waited()._replace(promotion_failure=failure)

    def after(span: timedelta) -> Plan:
        return planned(COOLING, COOLED, memory=memory, at=10 * DAY + span)

    assert gist(after(59 * MINUTE)) == (Phase.DUE, None, Hold.BACKING_OFF)
    assert after(59 * MINUTE).detail == "refused by the CA"
    assert after(59 * MINUTE).certbot_may_renew, "the current key is renewed meanwhile"
    assert after(HOUR).step is Step.PROMOTE
    assert after(-DAY).step is Step.PROMOTE, "one in the future proves nothing"


@pytest.mark.parametrize(
    "found", [state(next_key=key_file("old")), state(ready=key_file("old"))], ids=["next", "ready"]
)
def test_a_key_that_is_live_is_finished(found: LineageState) -> None:
    assert gist(planned(found, silent())) == (Phase.STABLE, Step.FINISH, None)


def test_it_is_finished_only_when_it_is_in_place() -> None:
    behind = state(staged=held("old", 2), ready=key_file("old"))._replace(combo=held("old", 2))
    assert planned(behind, silent()).step is Step.DEPLOY


def test_a_key_file_without_a_usable_key_waits_for_somebody() -> None:
    lost = state()._replace(ready=KeyFile(None, T0))
    found = planned(lost, look("old"))
    assert gist(found) == (Phase.STABLE, None, None)


def test_a_ready_key_never_takes_the_place_of_another_next_key() -> None:
    both = state(next_key=key_file("precious"), ready=READY)
    found = planned(both, look("old"), memory=waited())
    assert gist(found) == (Phase.COOLING, None, Hold.NOT_EVERYWHERE)


@pytest.mark.parametrize("word", [Declared.NO_RECORDS, Declared.WAIVED])
def test_a_lineage_without_tlsa_records_waits_the_minimum(word: Declared) -> None:
    free = COOLING._replace(required=(), declared=word)
    memory = remember(Memory(), free, {}, T0 + HOUR)
    assert planned(free, memory=memory, at=2 * DAY).hold is Hold.NOT_COOLED
    assert planned(free, memory=memory, at=2 * DAY + HOUR).step is Step.PROMOTE


# ---- mail is failing already -----------------------------------------------------------------


def test_a_seen_key_is_promoted_at_once_when_the_live_key_is_gone() -> None:
    found = planned(COOLING, look("new"), at=HOUR)
    assert gist(found) == (Phase.DUE, Step.PROMOTE, None)
    assert found.repair is Repair.AT_ONCE


def test_a_seen_stranger_is_deployed_at_once_when_the_live_key_is_gone() -> None:
    stranger = state(staged=held("stranger", 2))
    found = planned(stranger, look("stranger"), at=HOUR)
    assert gist(found) == (Phase.ISSUED, Step.DEPLOY, None)
    assert found.repair is Repair.AT_ONCE
    untrusted = planned(stranger, look("stranger"), at=HOUR, distrust="self-signed")
    assert gist(untrusted) == (Phase.ISSUED, None, Hold.CHAIN_UNVERIFIED)


@pytest.mark.parametrize(
    "one",
    [
        blind("new"),
        look("new", at={"ns1": None, "ns2": UNREACHABLE}),
        look("new", at={"ns1": None, "ns2": ["old", "new"]}),
        look("new", security=Security.BOGUS),
        look("new", security=Security.INSECURE),
        look("x"),
        look(),
    ],
)
def test_nothing_is_repaired_on_less_than_everybodys_word(one: OwnerObservation) -> None:
    for found in (COOLING, ISSUED):
        result = planned(found, one, at=HOUR)
        assert result.step not in (Step.PROMOTE, Step.DEPLOY)
        assert result.repair is Repair.NOT_NEEDED


# ---- memory ----------------------------------------------------------------------------------


def test_expired_ttls_are_forgotten_before_the_record_comes() -> None:
    wait = Wait()
    wait.look(T0, look("old", ttl=2 * DAY))
    wait.look(T0 + HOUR, look("old"))
    wait.look(T0 + 2 * DAY + 2 * HOUR, look("old"))
    kept = [sighting.ttl for sighting in wait.memory.owners[MX].sightings]
    assert kept == [HOUR]
    wait.look(T0 + 3 * DAY, COOLED)
    assert wait.promotes(T0 + 3 * DAY + 2 * HOUR, COOLED)


def test_a_ttl_counts_once_however_often_it_is_seen() -> None:
    wait = Wait()
    for hours in range(50):
        remaining = timedelta(minutes=61 - hours)  # as a cache hands out unsigned answers
        wait.look(T0 + hours * HOUR, blind("old"), look("old", owner=OTHER, ttl=remaining))
    assert len(wait.memory.owners[OTHER].sightings) <= 2


def test_what_cannot_be_seen_moves_no_route() -> None:
    """A SERVFAIL for an alias leaves only the owner's own zone to be found."""
    alias = ((OTHER, HOUR),)
    lost = look("new", at={"ns9": None}, security=Security.INDETERMINATE)
    wait = Wait()
    wait.look(T0, look("old", aliases=alias))
    wait.look(T0 + HOUR, look("old", "new", aliases=alias))
    wait.look(T0 + 2 * HOUR, lost)
    assert wait.promotes(T0 + 3 * HOUR, look("old", "new", aliases=alias))


def test_a_wait_ends_with_its_key() -> None:
    memory = remember(waited(), state(), seen(look("old")), LATER)
    assert memory.awaiting is None
    other = remember(waited(), state(next_key=key_file("other", LATER)), seen(COOLED), LATER)
    assert other.awaiting is not None
    assert other.awaiting.digest == key("other").digest
    assert other.awaiting.seen_since is None


def test_an_owner_that_was_not_looked_at_is_no_news() -> None:
    memory = waited()
    assert remember(memory, COOLING, {}, LATER) == memory


def test_the_safe_time_says_what_it_rests_on() -> None:
    owners = (MX,)
    assert safe_time(Memory(), owners, Policy()) is None
    assert safe_time(waited(ready=False), owners, Policy()) is None
    found = safe_time(waited(), owners, Policy())
    assert found is not None
    assert (found.since, found.hold, found.baseline) == (T0 + HOUR, HOUR, Baseline.OBSERVED)
    assert found.caches_empty == T0 + 3 * HOUR
    assert found.at == found.min_wait_over == T0 + HOUR + 2 * DAY


def test_the_sights_of_both_keys_come_with_the_plan() -> None:
    found = planned(COOLING, COOLED, memory=waited())
    assert [sight.record for sight in found.current] == [record("old")]
    assert [sight.record for sight in found.awaited] == [record("new")]
    assert found.current[0].required == line()
