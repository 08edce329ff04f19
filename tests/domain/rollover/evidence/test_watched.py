"""Which owners protect a lineage: those of ``dane-ee``, and those that it has lost."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from danebot.domain.dns.answers import OwnerObservation, Presence, Security
from danebot.domain.dns.tlsa import (
    DaneEe,
    Declared,
    MatchingType,
    Required,
    edit_dane_ee,
    parse_dane_ee,
    parse_dnsnames,
)
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import Held, LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.memory import Memory, Protection, Request
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.schedule import wants_next_key
from danebot.domain.rollover.evidence.watched import (
    fade,
    let_go,
    let_go_of_gone,
    protecting,
    remember_watched,
    without_records,
)
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.gate import gate
from danebot.domain.rollover.steps.phases import Hold, Observation, Phase, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.refusals import Refusal
from danebot.domain.rollover.steps.remember import remember
from danebot.errors import RecordSyntaxError
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    OTHER,
    T0,
    UNREACHABLE,
    held,
    kept_up,
    key,
    key_file,
    line,
    long_watched,
    look,
    silent,
    state,
)
from domain.gate_world import Watch, chain, renewal, shown, tlsa, watch

NEXT = state(line(), line(MX2), next_key=key_file("new"))
BEFORE = {MX: look("old"), MX2: look("old", owner=MX2)}
KNOWN = remember(long_watched(), NEXT, BEFORE, T0)
NO_RECORDS = Declared.NO_RECORDS


def lost(found: LineageState = NEXT, **changes: object) -> LineageState:
    """The lineage with an empty ``dane-ee``, as it is read."""
    return protecting(found._replace(required=(), **changes), KNOWN)  # type: ignore[arg-type]


def planned(found: LineageState, *looks: OwnerObservation, memory: Memory = KNOWN) -> Plan:
    """The plan after one more look, ten days later."""
    now, seen = T0 + 10 * DAY, {one.owner: one for one in looks}
    memory = remember(memory, found, seen, now)
    return plan(Observation(found, seen, ""), memory, Policy(), now)


# ---- the file --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", DaneEe()),
        ("# nothing\n\n", DaneEe()),
        (f"1 {MX}\n- {MX2}", DaneEe((line(),), frozenset({MX2}))),
        (f"- {MX2.text.upper()}.\r\n", DaneEe((), frozenset({MX2}))),
        ("\ufeff- * # a web server\n", DaneEe((), frozenset(), NO_RECORDS)),
    ],
)
def test_the_operators_word_is_read(text: str, read: DaneEe) -> None:
    assert parse_dane_ee(text) == read


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"1 {MX}\n- {MX}\n",
            f"1: '1 {MX}' and '- {MX}' contradict each other; remove one of them",
        ),
        (f"- *\n1 {MX}\n", f"2: '1 {MX}' and '- *' contradict each other; remove one of them"),
        (f"1 {MX}\n1 {MX2}\n- {MX2}\n- *\n", f"1: '1 {MX}' and '- *' contradict each other; "),
        ("-\n", "1: want MATCHING-TYPE OWNER, found '-'"),
        ("1 *\n", "1: "),
        ("- a..b\n", "1: "),
        (f"-- {MX}\n", "1: matching type '--' is not one of 0, 1, 2"),
    ],
)
def test_a_word_that_cant_be_meant_is_an_error(text: str, problem: str) -> None:
    assert parse_dane_ee(text).problems[0].startswith(problem)


def test_every_mistake_is_told_with_its_line_and_the_other_lines_hold() -> None:
    found = parse_dane_ee(f"1\n1 {MX}\n\n3 {MX2}\n# x\n1 a..b\n- {MX2}\n2 -\n")
    assert [problem.split(":")[0] for problem in found.problems] == [
        *("1", "4", "6", "8"),
    ]
    assert (found.lines, found.let_go) == ((line(),), frozenset({MX2}))


def test_every_name_of_dnsnames_that_is_none_is_told_with_its_line() -> None:
    with pytest.raises(RecordSyntaxError) as caught:
        parse_dnsnames("a b\nmail.example.org\nx..y\n")
    assert re.fullmatch(r"1: .*\n3: .*", str(caught.value))


NO_OWNERS = ("example.test", "_25.tcp.example.test", "_70000._tcp.example.test", "_25._tcp")


@pytest.mark.parametrize("name", NO_OWNERS)
def test_a_line_that_is_no_owner_is_told_and_watched_as_before(name: str) -> None:
    said = parse_dane_ee(f"1 {MX}\n1 {name}\n")
    odd = DnsName(name)
    words = f"2: {name} is no TLSA owner, such as _25._tcp.mail.example.org"
    assert said.doubts == ((odd, words),)
    assert said.problems == ()
    assert said.lines == (line(), line(odd))
    found = NEXT._replace(required=said.lines, doubts=said.doubts)
    (told,) = doubtful(found, look("old"), look(owner=odd))
    assert told.severity is Severity.WARNING
    assert told.text == f"staging/{found.name}/dane-ee:{words}; it is watched all the same"
    assert told.remedy.endswith(f"danebot watch --remove {found.name} {name}")


def test_a_name_that_an_alias_may_lead_to_isnt_doubted_while_records_are_there() -> None:
    alias, port = DnsName("_dane.example.test"), DnsName("_70000._tcp.example.test")
    said = parse_dane_ee(f"1 {alias}\n1 {port}\n")
    found = NEXT._replace(required=said.lines, doubts=said.doubts)
    (told,) = doubtful(found, look("old", owner=alias), look("old", owner=port))
    assert str(port) in told.text
    assert len(doubtful(found, look(owner=alias), silent(port))) == 2


def doubtful(found: LineageState, *looks: OwnerObservation) -> list[Finding]:
    """The findings about lines that can hardly be meant."""
    seen = {one.owner: one for one in looks}
    observation = Observation(found, seen, "")
    planned = plan(observation, Memory(), Policy(), T0)
    told = assess(observation, planned, Memory(), Policy(), T0)
    return [one for one in told if one.code is Code.OWNER_DOUBTFUL]


def test_a_line_that_cant_be_read_leaves_no_other_one_unwatched() -> None:
    """Not even where nothing is remembered yet."""
    torn = NEXT._replace(required=None, remembered=(line(),))
    new = protecting(torn, Memory())
    assert (new.required, new.lines, new.owners) == (None, (line(),), (MX,))
    known = protecting(torn, KNOWN)
    assert known.lines == (line(), line(MX2))
    assert protecting(known, KNOWN) == known
    planned = plan(Observation(new, {MX: look("other")}, ""), Memory(), Policy(), T0)
    assert planned.hold is Hold.RECORDS_UNREADABLE
    told = assess(Observation(new, {MX: look("other")}, ""), planned, Memory(), Policy(), T0)
    assert Code.TLSA_MISMATCH in {one.code for one in told}


def test_the_file_is_edited_line_by_line() -> None:
    text = f"# ours\n1 {MX}  # smtp\n- {MX2}\n"
    assert edit_dane_ee(text, add=[line(MX2, 2)]) == f"# ours\n1 {MX}  # smtp\n2 {MX2}\n"
    assert edit_dane_ee(text, let_go=[MX]) == f"# ours\n- {MX2}\n- {MX}\n"
    assert edit_dane_ee(text, let_go=[MX2]) == f"# ours\n1 {MX}  # smtp\n- {MX2}\n"
    assert edit_dane_ee(text, drop=[line()]) == f"# ours\n- {MX2}\n"
    assert edit_dane_ee("- *\n", add=[line()]) == f"1 {MX}\n"
    assert edit_dane_ee(text) == text


# ---- what protects ---------------------------------------------------------------------------


def test_what_the_file_has_lost_protects_on() -> None:
    assert lost().required == lost().remembered == (line(), line(MX2))
    torn = protecting(NEXT._replace(required=(line(),)), KNOWN)
    assert torn.required == (line(), line(MX2))
    assert torn.remembered == (line(MX2),)
    assert protecting(torn, KNOWN) == torn


def test_an_owner_that_is_listed_in_another_form_isnt_lost() -> None:
    other = NEXT._replace(required=(line(MX, 2), line(MX2)))
    assert protecting(other, KNOWN) == other


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ({"let_go": frozenset({MX})}, (line(MX2),)),
        ({"let_go": frozenset({MX, MX2})}, ()),
        ({"declared": NO_RECORDS}, ()),
    ],
)
def test_the_operators_word_lets_go(word: dict[str, object], left: tuple[Required, ...]) -> None:
    found = lost(NEXT, **word)
    assert found.required == left
    assert remember(KNOWN, found, {}, T0 + DAY).watched == left


def test_a_lineage_that_is_passed_through_has_its_file_alone() -> None:
    through = NEXT._replace(required=(), management=Management.PASS_THROUGH)
    assert protecting(through, KNOWN) == through
    assert (
        remember(Memory(), NEXT._replace(management=Management.PASS_THROUGH), {}, T0).watched == ()
    )


def test_an_unreadable_file_takes_nothing_away() -> None:
    found = protecting(NEXT._replace(required=None), KNOWN)
    assert found.required is None
    assert found.owners == (MX, MX2)
    assert anchored(fade(found, BEFORE), Memory(), BEFORE, T0).required is None
    standing = found._replace(next=None)
    assert not wants_next_key(standing, KNOWN, Policy(prepublish=True), T0)
    assert remember(KNOWN, found, BEFORE, T0 + DAY).watched == KNOWN.watched


def test_it_is_remembered_by_every_look_until_it_is_let_go() -> None:
    memory = KNOWN
    for day in range(3):
        memory = remember(
            memory, protecting(NEXT._replace(required=()), memory), {}, T0 + day * DAY
        )
    assert memory.watched == (line(), line(MX2))
    memory = let_go(memory, [MX])
    assert protecting(NEXT._replace(required=()), memory).required == (line(MX2),)
    assert MX not in memory.owners


def test_a_memory_of_an_earlier_version_knows_the_lines_of_the_wait() -> None:
    old = KNOWN._replace(watched=())
    assert protecting(NEXT._replace(required=()), old).required == (line(), line(MX2))


def test_an_owner_without_records_is_let_go_once_no_cache_has_any() -> None:
    absent = look(owner=MX2)
    seen = {MX: look("old"), MX2: absent}
    found = fade(lost(), seen)
    assert (found.required, found.fading) == ((line(),), (line(MX2),))
    memory = remember(KNOWN, found, seen, T0 + DAY)
    assert memory.watched == (line(), line(MX2))
    policy = Policy(min_wait=2 * DAY)
    assert let_go_of_gone(memory, found, policy, T0 + DAY) == (memory, found)
    later, left = let_go_of_gone(memory, found, policy, T0 + 3 * DAY)
    assert later.watched == (line(),)
    assert left.fading == ()
    assert protecting(NEXT._replace(required=()), later).required == (line(),)


def test_an_owner_stays_while_one_of_its_rrsets_may_be_in_a_cache() -> None:
    """The longer TTL is over at the same look, but not in caches."""
    memory, policy = KNOWN, Policy(min_wait=HOUR, unseen_ttl=HOUR)
    for at, ttl in ((HOUR, 3 * DAY), (2 * HOUR, HOUR)):
        seen = {MX: look("old"), MX2: look("old", owner=MX2, ttl=ttl)}
        memory = remember(memory, NEXT, seen, T0 + at)
    seen = {MX: look("old"), MX2: look(owner=MX2)}
    found = fade(protecting(NEXT._replace(required=()), memory), seen)
    memory = remember(memory, found, seen, T0 + 3 * HOUR)
    assert let_go_of_gone(memory, found, policy, T0 + DAY) == (memory, found)
    later = T0 + 2 * HOUR + 3 * DAY + policy.margin
    assert let_go_of_gone(memory, found, policy, later - HOUR) == (memory, found)
    assert let_go_of_gone(memory, found, policy, later + HOUR)[1].fading == ()


def test_what_caches_hold_of_a_fading_owner_holds_a_new_chain() -> None:
    old = tlsa("2 1 1", by="A")
    site = watch(chain(by="B", version=2), old)
    empty = protecting(site.state._replace(required=()), site.memory)
    gone = {MX: shown()}
    found = fade(empty, gone)
    assert (found.required, found.fading) == ((), (line(),))
    memory = remember(kept_up(site.memory, T0), found, gone, T0)

    def refusal(at: datetime) -> Refusal | None:
        staged = found.staged
        assert staged is not None
        return gate(found, staged, gone, memory, policy=site.policy, now=at)

    held_back = refusal(T0)
    assert held_back is not None
    assert (held_back.owner, held_back.until) == (MX, T0 + 2 * HOUR)
    assert refusal(T0 + 2 * HOUR) is None


@pytest.mark.parametrize("new", [chain(by="B", version=2), chain("new", version=2)])
def test_an_owner_without_records_since_the_first_look_stays_until_the_past_is_in_no_cache(
    new: Held,
) -> None:
    """They went a minute before that look, and the line an hour after it.

    Who has them in a cache refuses another issuer's chain, or another key's.
    """
    site, gone = Watch(renewal(new)), {MX: shown()}
    site.look(T0, shown())
    known_at = T0 + 7 * DAY + HOUR

    def later(now: datetime) -> tuple[Memory, LineageState]:
        memory = kept_up(site.memory, now)
        found = fade(protecting(site.state._replace(required=()), memory), gone)
        memory = remember(memory, found, gone, now)
        return let_go_of_gone(memory, found, site.policy, now)

    for now in (T0 + HOUR, known_at - MINUTE):
        memory, found = later(now)
        assert (found.fading, memory.watched) == ((line(),), (line(),))
        refusal = gate(found, new, gone, memory, policy=site.policy, now=now)
        assert refusal is not None
        assert (refusal.owner, refusal.until) == (MX, known_at)
        same = chain(version=2)
        assert gate(found, same, gone, memory, policy=site.policy, now=now) is None
    memory, found = later(known_at)
    assert (found.fading, memory.watched) == ((), ())


@pytest.mark.parametrize(
    "doubtful",
    [
        look("other", owner=MX2),
        look(owner=MX2, at={"ns1": None, "ns2": ("old",)}),
        look(owner=MX2, at={"ns1": None, "ns2": UNREACHABLE}),
        look(owner=MX2, security=Security.INSECURE),
        look(owner=MX2, security=Security.BOGUS),
        silent(MX2),
    ],
)
def test_any_doubt_keeps_an_owner(doubtful: OwnerObservation) -> None:
    assert fade(lost(), {MX2: doubtful}) == lost()


def test_an_owner_that_the_file_lists_stays_without_records() -> None:
    seen = {MX: look(), MX2: look(owner=MX2)}
    assert fade(protecting(NEXT, KNOWN), seen) == NEXT


# ---- what follows ----------------------------------------------------------------------------


@pytest.mark.parametrize("looks", [tuple(BEFORE.values()), ()])
def test_a_key_isnt_used_because_the_file_was_emptied(looks: tuple[OwnerObservation, ...]) -> None:
    found = planned(lost(), *looks)
    assert found.phase is Phase.STAGED
    assert found.step is None
    ready = lost(state(line(), line(MX2), ready=key_file("new")))
    assert planned(ready, *looks).step in (None, Step.BACK_TO_NEXT)


def test_a_key_isnt_used_because_file_and_memory_were_lost() -> None:
    """Nothing is known of any owner: nobody said that there is none."""
    empty = NEXT._replace(required=())
    bare = protecting(empty, Memory())
    found = planned(bare, memory=Memory())
    assert (found.phase, found.step, found.hold) == (Phase.STAGED, None, Hold.NOTHING_WATCHED)
    stranger = state(staged=held("stranger", 2))._replace(required=())
    found = planned(protecting(stranger, Memory()), memory=Memory())
    assert (found.step, found.hold) == (Step.PUT_BACK, Hold.NOTHING_WATCHED)
    renewed = state(staged=held("old", 2))._replace(required=())
    assert planned(protecting(renewed, Memory()), memory=Memory()).step is Step.DEPLOY


def test_a_key_that_was_asked_for_without_protection_is_used() -> None:
    empty = NEXT._replace(required=())
    request = Request(key("new").digest, T0, protection=Protection.WAIVED)
    memory = Memory(request=request)
    assert protecting(empty, memory).declared is Declared.WAIVED
    assert planned(protecting(empty, memory), memory=memory).step is Step.MARK_READY
    for other in (
        Memory(request=request._replace(digest=key("other").digest)),
        Memory(request=request._replace(protection=Protection.REQUIRED)),
    ):
        assert planned(protecting(empty, other), memory=other).hold is Hold.NOTHING_WATCHED
    watched = KNOWN._replace(request=request)
    assert not protecting(empty, watched).exempt, "the word was for a lineage that watched nothing"


def test_the_warning_names_the_file_and_both_ways_out() -> None:
    seen = {MX: look("old"), MX2: look(owner=MX2)}
    found = fade(lost(), seen)
    memory = remember(KNOWN, found, seen, T0 + DAY)
    now = T0 + DAY
    planned_ = plan(Observation(found, seen, ""), memory, Policy(), now)
    said = [
        one
        for one in assess(Observation(found, seen, ""), planned_, memory, Policy(), now)
        if one.code is Code.WATCH_LOST
    ]
    assert [one.severity for one in said] == [Severity.WARNING, Severity.INFO]
    assert str(said[0]) == (
        f"mx.example.org: staging/mx.example.org/dane-ee has lost '1 {MX}', which protects the "
        f"lineage all the same; put that back, or let go of it: danebot watch --remove "
        f"mx.example.org {MX} (the same as a line '- OWNER' there)"
    )
    assert str(MX2) in said[1].text


def test_forms_of_a_line_are_kept() -> None:
    both = state(line(), line(mtype=2))
    memory = remember(Memory(), both, {MX: look("old", mtypes=(1, 2))}, T0 + HOUR)
    found = protecting(both._replace(required=()), memory)
    assert [one.mtype for one in found.required or ()] == [
        MatchingType.SHA2_256,
        MatchingType.SHA2_512,
    ]


# ---- what takes nothing away -------------------------------------------------------------------


def test_who_is_let_go_is_remembered_nowhere() -> None:
    asked = KNOWN._replace(watched=(line(), line(MX2)), asked=(MX, MX2))
    found = let_go(asked, [MX2])
    assert (set(found.owners), found.watched, found.asked) == ({MX}, (line(),), (MX,))
    assert let_go(Memory(), [MX2]) == Memory()


def test_an_rrset_that_can_be_asked_for_still_is_out_of_no_cache() -> None:
    fading = lost()._replace(fading=(line(MX2),))
    far = T0 + 1000 * DAY
    assert let_go_of_gone(KNOWN, fading, Policy(), far) == (KNOWN, fading)


def test_where_the_file_cannot_be_read_nothing_fades_and_the_memory_stays() -> None:
    unread = lost()._replace(required=None)
    gone = {MX2: look(owner=MX2)}
    assert fade(unread, gone) == unread
    assert remember_watched(KNOWN, unread._replace(remembered=(line(OTHER),))) == KNOWN


def test_protection_is_waived_for_the_key_that_it_was_waived_for_alone() -> None:
    assert NEXT.awaited_key is not None
    request = Request(NEXT.awaited_key.digest, T0, protection=Protection.WAIVED)
    asked = Memory(request=request)
    bare = NEXT._replace(required=())
    assert protecting(bare, asked).declared is Declared.WAIVED
    assert protecting(bare._replace(declared=NO_RECORDS), asked).declared is NO_RECORDS
    assert protecting(bare._replace(next=None), asked).declared is Declared.NOTHING


@pytest.mark.parametrize(
    ("presence", "absent"),
    [(Presence.NODATA, True), (Presence.NXDOMAIN, True), (Presence.PRESENT, False)],
)
def test_no_records_are_there_if_the_resolver_says_so(presence: Presence, *, absent: bool) -> None:
    one = look()
    assert without_records(one._replace(answer=one.answer._replace(presence=presence))) is absent
