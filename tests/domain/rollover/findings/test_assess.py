"""Findings: what is said of a situation, how loudly, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from danebot.domain.dns.answers import Cause, OwnerObservation, Security, ServerOutcome
from danebot.domain.dns.tlsa import Declared, TlsaRecord
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.lineage.state import UNLINKED, KeyFile, LineageState, Management, UnknownKey
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Failure,
    Interruption,
    Memory,
    PendingHook,
    PendingRevocation,
    Publishing,
    Request,
    Urgency,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.steps.phases import Observation
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.status.document import finding_status
from danebot.domain.text import duration, when
from domain.builders import (
    DAY,
    HOUR,
    MINUTE,
    MX,
    MX2,
    OTHER,
    T0,
    UNREACHABLE,
    Wait,
    blind,
    held,
    kept_up,
    key,
    key_file,
    led,
    line,
    look,
    record,
    seen,
    silent,
    state,
    witnessed,
)

INFO, N, W, C = Severity.INFO, Severity.NOTICE, Severity.WARNING, Severity.CRITICAL
GOOD = look("old", "new")
NEXT = state(next_key=key_file("new"))
READY = state(ready=key_file("new", T0 + HOUR))


def found(
    lineage: LineageState,
    *looks: OwnerObservation,
    memory: Memory | None = None,
    at: datetime = T0 + 10 * DAY,
    distrust: str | None = "",
) -> dict[FindingKind, Finding]:
    """The findings of one look, by code."""
    observation = Observation(lineage, seen(*looks), distrust)
    remembered = remember(kept_up(memory or Memory(), at), lineage, observation.owners, at)
    planned = plan(observation, remembered, Policy(), at)
    findings = assess(observation, planned, remembered, Policy(), at)
    assert list(findings) == sorted(findings, key=lambda finding: -finding.severity)
    assert all(finding.where == lineage.name and finding.text for finding in findings)
    assert all(finding.remedy for finding in findings if finding.severity >= W)
    assert len({finding.code for finding in findings}) == len(findings)
    return {finding.code: finding for finding in findings}


def gist(findings: dict[FindingKind, Finding]) -> dict[FindingKind, Severity]:
    return {code: finding.severity for code, finding in findings.items()}


def waited() -> Memory:
    wait = Wait()
    wait.look(T0, look("old"))
    wait.look(T0 + HOUR, GOOD)
    return wait.memory


def test_of_a_sound_lineage_nothing_is_said() -> None:
    assert found(state(), look("old")) == {}


# ---- the live key's records ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (look("x"), {Code.TLSA_MISMATCH: C}),
        (look(), {Code.TLSA_MISSING: W}),
        (look("old", resolver=[]), {Code.TLSA_MISSING: N}),
        (look("old", at={"ns1": None, "ns2": ["x"]}), {Code.SERVER_LACKS_RECORD: W}),
        (look("old", at={"ns1": None, "ns2": UNREACHABLE}), {Code.SERVERS_UNREACHABLE: N}),
        (look("old", security=Security.INSECURE), {Code.TLSA_INSECURE: W}),
        (look("old", security=Security.BOGUS), {Code.TLSA_BOGUS: C}),
        (look("old", security=Security.INDETERMINATE), {Code.DNS_UNREACHABLE: W}),
        (blind("old"), {}),
    ],
    ids=[
        "mismatch",
        "no records",
        "the resolver lacks it",
        "one server lacks it",
        "one server is silent",
        "insecure",
        "bogus",
        "resolver silent",
        "all servers silent",
    ],
)
def test_each_state_of_the_records_has_its_own_words(
    one: OwnerObservation, expected: dict[FindingKind, Severity]
) -> None:
    assert gist(found(state(), one)) == expected


@pytest.mark.parametrize(
    ("security", "code", "words"),
    [
        (Security.INSECURE, Code.TLSA_INSECURE, "is not secured by DNSSEC{}, so no sender uses it"),
        (Security.BOGUS, Code.TLSA_BOGUS, "fails{}: DANE senders defer mail"),
        (Security.INDETERMINATE, Code.DNS_UNREACHABLE, f"gives no answer for {MX}{{}}"),
    ],
)
def test_what_an_answer_says_of_itself_is_told(security: Security, code: Code, words: str) -> None:
    one = look("old", security=security)
    for detail, told in (("", ""), ("its words", " (its words)")):
        seen_so = one._replace(answer=one.answer._replace(detail=detail))
        assert found(state(), seen_so)[code].text.endswith(words.format(told))


@pytest.mark.parametrize(("first", "heard"), [(None, "not every"), (UNREACHABLE, "no")])
def test_an_insecure_answer_is_doubted_where_servers_could_not_be_asked(
    first: ServerOutcome | None, heard: str
) -> None:
    one = look("old", security=Security.INSECURE, at={"ns1": first, "ns2": UNREACHABLE})
    told = found(state(), one)[Code.TLSA_INSECURE]
    assert told.severity is W
    assert f"not secured by DNSSEC, and {heard} server of the zone can be asked" in told.text


@pytest.mark.parametrize(
    ("first", "remedy"), [(None, "see why that server lags, or add: "), (["x"], "add: ")]
)
def test_a_server_lags_only_behind_another(first: list[str] | None, remedy: str) -> None:
    one = look("old", at={"ns1": first, "ns2": ["x"]})
    told = found(state(), one)[Code.SERVER_LACKS_RECORD]
    assert told.remedy == f"{remedy}{MX}. IN TLSA {record('old')}"


def test_the_resolver_s_memory_of_an_absence_is_a_warning_only_when_its_ttl_is_over() -> None:
    """After a first publication every server has the record; the resolver asked before."""
    wait = Wait(state=state())
    wait.look(T0, look())
    late = look("old", resolver=[])
    for after, severity in ((MINUTE, N), (HOUR, N), (HOUR + 2 * MINUTE, W)):
        at = T0 + after
        wait.look(at, late)
        observation = Observation(state(), seen(late))
        planned = plan(observation, wait.memory, Policy(), at)
        findings = assess(observation, planned, wait.memory, Policy(), at)
        assert [(f.code, f.severity) for f in findings] == [(Code.TLSA_MISSING, severity)], after


def test_a_mismatch_says_which_record_to_add() -> None:
    remedy = found(state(), look("x"))[Code.TLSA_MISMATCH].remedy
    assert remedy == f"add now: {MX}. IN TLSA {record('old')}"


def test_another_record_that_matches_makes_it_no_mismatch() -> None:
    """``dane-ee`` wants 3 1 1, the zone has 3 1 2 of the same key: mail flows."""
    assert gist(found(state(), look("old", mtypes=[2]))) == {Code.TLSA_MISSING: W}


def test_a_record_beside_a_stronger_digest_of_another_key_is_no_use_to_most_senders() -> None:
    one = look("old")
    records = (*one.answer.records, record("x", 2))
    servers = tuple(server._replace(records=records) for server in one.servers)
    one = one._replace(answer=one.answer._replace(records=records), servers=servers)
    findings = found(state(), one)
    assert gist(findings) == {Code.TLSA_MISMATCH: C}
    assert str(record("old", 2)) in findings[Code.TLSA_MISMATCH].remedy
    assert "given a certificate ignore it" in findings[Code.TLSA_MISMATCH].text
    assert "given the raw public key" in findings[Code.TLSA_MISMATCH].text
    records += (TlsaRecord(2, 1, 1, b"a" * 32),)  # with that nobody asks for the key alone
    servers = tuple(server._replace(records=records) for server in one.servers)
    one = one._replace(answer=one.answer._replace(records=records), servers=servers)
    assert "raw public key" not in found(state(), one)[Code.TLSA_MISMATCH].text


# ---- files -----------------------------------------------------------------------------------


def test_faults_are_worse_where_nothing_usable_is_live() -> None:
    faulty = state()._replace(faults=("dane-ee: line 3",), required=None)
    assert gist(found(faulty)) == {Code.FILES_BROKEN: W}
    dead = state()._replace(live=None, combo=None, faults=("live: no links",))
    assert gist(found(dead, look("old"))) == {Code.FILES_BROKEN: C}


def test_a_lineage_at_a_standstill_is_never_silent() -> None:
    """Readable files that don't belong together are no fault of any one of them."""
    mixed = state()._replace(combo=held("old", None, private="other"), live=None)
    assert gist(found(mixed, look("other"))) == {Code.FILES_BROKEN: C}


def test_a_lineage_without_dane_ee_is_unprotected() -> None:
    assert gist(found(state()._replace(required=()))) == {Code.UNPROTECTED: W}
    none = state()._replace(required=(), declared=Declared.NO_RECORDS)
    assert found(none) == {}
    through = state()._replace(required=(), management=Management.PASS_THROUGH)
    assert found(through) == {}


def test_a_key_set_aside_is_offered() -> None:
    aside = state()._replace(unknown=(UnknownKey(key("x"), "unknown-12.pem"),))
    offer = found(aside, look("old"))[Code.KEY_SET_ASIDE]
    assert offer.severity is N
    assert "newkey --adopt unknown-12.pem mx.example.org" in offer.remedy
    assert offer.text == "a key that danebot didn't make is kept as unknown-12.pem"
    lost = state()._replace(unknown=(UnknownKey(None, "unknown-12.pem"),))
    offer = found(lost, look("old"))[Code.KEY_SET_ASIDE]
    assert offer.text == "a private key that can't be read is kept as unknown-12.pem"
    assert offer.remedy == (
        "decrypt it, then: danebot newkey --adopt unknown-12.pem mx.example.org, or remove the file"
    )


# ---- expiry ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (61, {}),
        (63, {Code.EXPIRES_SOON: W}),
        (72, {Code.EXPIRES_SOON: C}),
        (80, {Code.EXPIRED: C}),
    ],
)
def test_expiry_is_judged_by_the_certificates_own_lifetime(
    days: int, expected: dict[FindingKind, Severity]
) -> None:
    assert gist(found(state(), look("old"), at=T0 + days * DAY)) == expected


def test_a_short_lived_certificate_is_no_emergency_when_new() -> None:
    live = held("old")
    brief = live._replace(chain=live.chain._replace(not_before=T0, not_after=T0 + 6 * DAY))
    lineage = state()._replace(live=brief, combo=brief, staged=brief)
    assert found(lineage, look("old"), at=T0 + DAY) == {}
    assert gist(found(lineage, look("old"), at=T0 + 5 * DAY)) == {Code.EXPIRES_SOON: W}


# ---- the rollover ----------------------------------------------------------------------------


def test_waiting_is_a_notice_until_it_lasts_and_information_where_nobody_is_to_publish() -> None:
    memory = Wait().memory
    wait = Wait()
    wait.look(T0, look("old"))
    memory = wait.memory
    findings = found(NEXT, look("old"), memory=memory)
    assert gist(findings) == {Code.NEXT_KEY_WAITS: N}
    assert "2026-06-01 12:00 UTC" in findings[Code.NEXT_KEY_WAITS].text
    late = found(NEXT, look("old"), memory=memory, at=T0 + 15 * DAY)
    assert gist(late) == {Code.NEXT_KEY_STUCK: W}
    remedy = late[Code.NEXT_KEY_STUCK].remedy  # by these words the exporter's page goes, too
    assert remedy.startswith("publish what this prints: danebot tlsa mx.example.org")
    assert gist(found(NEXT, GOOD, memory=memory)) == {Code.NEXT_KEY_WAITS: INFO}


def test_cooling_says_until_when() -> None:
    cooling = found(READY, GOOD, memory=waited(), at=T0 + DAY)
    assert gist(cooling) == {Code.COOLING: INFO}
    assert "until 2026-06-03 13:00 UTC (1 d 1 h)" in cooling[Code.COOLING].text
    assert gist(found(READY, GOOD, memory=waited())) == {Code.PROMOTION_DUE: INFO}


def begun_anew(count: int, *what: tuple[str, ...], urgency: Urgency | None = None) -> Memory:
    memory = waited()
    assert memory.awaiting is not None
    awaiting = memory.awaiting._replace(begun_anew=count, interruption=Interruption(T0, MX, *what))
    request = Request(key("new").digest, T0, urgency) if urgency else None
    return memory._replace(awaiting=awaiting, request=request)


@pytest.mark.parametrize(
    ("what", "words", "lasting"),
    [
        ((("a",), ("b",)), "a gone, b new", True),
        ((("a",),), "a gone", True),
        (((), ("b",)), "b new", True),
        ((tuple("abcd"),), "a gone, b gone, c gone, d gone", True),
        ((tuple("abcde"),), "a gone, b gone, c gone, d gone and 1 more", True),
        (((), (), ("", "ns1")), "no record at the validating resolver, ns1", False),
        ((), "more than 5 d without an answer", False),
    ],
)
def test_a_wait_that_begins_anew_says_what_for(
    what: tuple[tuple[str, ...], ...], words: str, *, lasting: bool
) -> None:
    """Twice may be by chance, three times is not; in an emergency twice is enough."""
    last = f"last 2026-06-01 12:00 UTC for {MX}: {words}"
    calm = found(READY, GOOD, memory=begun_anew(2, *what), at=T0 + HOUR)[Code.COOLING]
    assert calm.text.endswith(f"; the wait began anew 2 times, {last}")
    stuck = found(READY, GOOD, memory=begun_anew(3, *what), at=T0 + HOUR)[Code.ROLLOVER_STUCK]
    assert f"; the wait began anew 3 times, {last}; under way since 2026-06-01 12" in stuck.text
    assert ("until the key is used" in stuck.remedy) is lasting
    assert ("danebot status mx.example.org" in stuck.remedy) is not lasting
    assert "--accept-mismatch" not in stuck.remedy
    odd = found(READY._replace(name="a b"), GOOD, memory=begun_anew(3, *what), at=T0 + HOUR)
    assert ("danebot status 'a b'" in odd[Code.ROLLOVER_STUCK].remedy) is not lasting
    hasty = begun_anew(2, *what, urgency=Urgency.EMERGENCY)
    remedy = found(READY, GOOD, memory=hasty, at=T0 + HOUR)[Code.ROLLOVER_STUCK].remedy
    assert remedy.endswith("danebot newkey --emergency --accept-mismatch mx.example.org")


def test_a_rollover_that_cannot_see_is_reported_when_it_lasts() -> None:
    lost = look("old", "new", at={"ns1": None, "ns2": UNREACHABLE})
    for one, severity in ((lost, N), (blind("old", "new"), W)):  # the others were heard today
        early = gist(found(READY, one, memory=waited(), at=T0 + DAY))
        assert early == {Code.NEXT_KEY_WAITS: INFO, Code.SERVERS_UNREACHABLE: N}
        late = gist(found(READY, one, memory=waited(), at=T0 + 15 * DAY))
        assert late == {Code.NEXT_KEY_STUCK: W, Code.SERVERS_UNREACHABLE: severity}


def test_with_no_server_to_ask_it_is_a_warning_after_a_day() -> None:
    for hours, severity in ((24, N), (25, W)):
        findings = found(READY, blind("old", "new"), memory=waited(), at=T0 + hours * HOUR)
        assert findings[Code.SERVERS_UNREACHABLE].severity is severity, hours


BOTH = {"ns2": ["192.0.2.1", "2001:db8::7"]}


@pytest.mark.parametrize(
    ("lost", "addresses"),
    [
        (look("old", "new", at={"ns1": None, "ns2": UNREACHABLE}), {}),
        (look("old", "new", addresses=BOTH, dead=["2001:db8::7"]), BOTH),
    ],
)
def test_a_server_that_was_heard_today_is_a_notice_however_long_the_rollover_lasts(
    lost: OwnerObservation, addresses: Mapping[str, Sequence[str]]
) -> None:
    """A silence of one look at day ten is no news; one of more than a day is.

    So it is with one address of a server of which another answers.
    """
    wait = Wait()
    wait.look(T0, look("old", addresses=addresses))
    for day in range(1, 11):
        wait.look(T0 + day * DAY, look("old", addresses=addresses))
    for hours, severity in ((1, N), (23, N), (25, W)):
        at = T0 + 10 * DAY + hours * HOUR
        planned = wait.look(at, lost)
        observation = Observation(wait.state, seen(lost))
        said = {f.code: f for f in assess(observation, planned, wait.memory, Policy(), at)}
        assert said[Code.SERVERS_UNREACHABLE].severity is severity, hours


def test_in_an_emergency_a_dead_secondary_is_a_warning_at_once_with_its_address() -> None:
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    lost = look("old", "new", at={"ns1": None, "ns2": UNREACHABLE})
    findings = found(NEXT, lost, memory=Memory(request=request), at=T0)
    assert findings[Code.SERVERS_UNREACHABLE].severity is W
    for code in (Code.SERVERS_UNREACHABLE, Code.KEY_COMPROMISED):
        assert "ns2.example.org" in findings[code].text
        assert "192.0.2.1" in findings[code].text
    assert "published" not in findings[Code.KEY_COMPROMISED].text
    lacking = found(NEXT, look("old"), memory=Memory(request=request), at=T0)
    assert "once its record is published" in lacking[Code.KEY_COMPROMISED].text


@pytest.mark.parametrize(
    ("lineage", "one", "words"),
    [
        (READY, GOOD, "from 2026-06-01 14:00 UTC on"),
        (NEXT, look("old"), "once its record is published, at every server"),
        (NEXT, silent(), "once this is mended: validating resolver gives no answer"),
    ],
)
def test_while_a_compromised_key_is_live_it_is_said_when_another_is_safe(
    lineage: LineageState, one: OwnerObservation, words: str
) -> None:
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    memory = (waited() if lineage is READY else Memory())._replace(request=request)
    told = found(lineage, one, memory=memory, at=T0 + HOUR)[Code.KEY_COMPROMISED]
    text = "the live key is compromised, and served until its successor is safe"
    assert (told.severity, told.text) == (W, f"{text}: {words}")
    calm = found(lineage, one, memory=memory._replace(request=None), at=T0 + HOUR)
    assert Code.KEY_COMPROMISED not in calm


def test_a_revocation_that_failed_is_told_and_one_to_come_is_not() -> None:
    for attempts in (0, 2):
        memory = Memory(revocations=(PendingRevocation(b"spki", attempts, "refused by the CA"),))
        told = found(state(), look("old"), memory=memory).get(Code.REVOCATION_FAILED)
        assert (told is not None) is bool(attempts)
        if told is not None:
            assert told.severity is W
            assert "failed 2 times" in told.text


def test_a_mismatch_that_only_the_world_sees_is_critical() -> None:
    """This host's view says that all is well; the witness shows what senders get."""
    findings = found(state(), witnessed(look("old"), ["former"]))
    assert gist(findings) == {Code.TLSA_MISMATCH: C}
    assert "witness [192.0.2.53]" in findings[Code.TLSA_MISMATCH].text
    for partly in (witnessed(look("old"), []), witnessed(look("old"), ["old"], [])):
        assert gist(found(state(), partly)) == {Code.SERVER_LACKS_RECORD: W}
    assert found(state(), witnessed(look("old"), ["old", "former"])) == {}


def test_what_opt_out_leaves_unproven_is_to_be_added() -> None:
    one = look(security=Security.INSECURE)
    one = one._replace(answer=one.answer._replace(cause=Cause.OPT_OUT, detail="opt-out in x"))
    findings = found(state(), one)
    assert gist(findings) == {Code.TLSA_MISSING: W}
    assert "(no such record; opt-out in x)" in findings[Code.TLSA_MISSING].text


@pytest.mark.parametrize(
    ("one", "where", "remedy"),
    [
        (look("old"), "", "danebot tlsa"),
        (look("old", "new", resolver=["old"]), "", "danebot tlsa"),
        (look("old", "new", at={"ns1": None, "ns2": ["old"]}), "ns2.example.org", "danebot tlsa"),
        (look("old", "new", at={"ns1": None, "ns2": UNREACHABLE}), "ns2.example.org", "NS set"),
        (
            look("old", "new", at={"ns1": None, "ns2": ServerOutcome.LAME}),
            "ns2.example.org: 192.0.2.1: not authoritative",
            "NS set",
        ),
        (look("old", "new", security=Security.INDETERMINATE), "", "resolver"),
        (look("old", "new", security=Security.BOGUS), "", "signatures"),
        (look("old", "new", security=Security.INSECURE), "", "sign the zone"),
        (
            led(look("old", "new", aliases=((OTHER, HOUR),)), {"a1": None, "a2": ["old"]}),
            "a2.example.com [192.0.2.2]: no alias",
            "danebot tlsa",
        ),
    ],
)
def test_a_rollover_that_waits_says_what_to_do(
    one: OwnerObservation, where: str, remedy: str
) -> None:
    """What is published needn't be published again: then it is the server that needs mending."""
    wait = Wait()
    wait.look(T0, look("old"))
    waits = found(NEXT, one, memory=wait.memory, at=T0 + 15 * DAY)[Code.NEXT_KEY_STUCK]
    assert where in waits.text
    assert remedy in waits.remedy
    assert ("danebot tlsa" in waits.remedy) == (remedy == "danebot tlsa")


@pytest.mark.parametrize(
    ("one", "lags"),
    [
        (look("old"), False),
        (look("old", "new", resolver=["old"], at={"ns1": ["old"], "ns2": ["old"]}), False),
        (look("old", "new", at={"ns1": ["old"], "ns2": ["old"]}), True),
        (look("old", "new", resolver=["old"], at={"ns1": None, "ns2": ["old"]}), True),
    ],
)
def test_a_server_is_said_to_lag_only_where_somebody_has_the_record(
    one: OwnerObservation,
    lags: bool,  # noqa: FBT001 - a column
) -> None:
    """Right after newkey nobody has it."""
    wait = Wait()
    wait.look(T0, look("old"))
    waits = found(NEXT, one, memory=wait.memory, at=T0 + HOUR)[Code.NEXT_KEY_WAITS]
    assert ("why that server lags" in waits.remedy) is lags


def test_the_fallback_is_said_and_only_where_it_protects() -> None:
    never = found(NEXT, blind("old", "new"))[Code.SERVERS_UNREACHABLE].text
    assert "the minimum wait alone" in never
    before = found(READY, blind("old", "new"), memory=waited())[Code.SERVERS_UNREACHABLE].text
    assert "the minimum wait alone" not in before
    assert "waits" in before


def test_a_failed_promotion_is_a_warning() -> None:
    now = T0 + 10 * DAY
    failure = Failure("refused by the CA: rate limited", 3, T0, now, now + HOUR)
    memory = waited()._replace(promotion_failure=failure)
    findings = found(READY, GOOD, memory=memory, at=now)
    assert gist(findings) == {Code.PROMOTION_FAILED: W, Code.PROMOTION_DUE: INFO}
    text = findings[Code.PROMOTION_FAILED].text
    assert "3 times since 2026-06-01 12:00 UTC" in text
    assert "next attempt after 2026-06-11 13:00 UTC: refused by the CA" in text
    assert findings[Code.PROMOTION_FAILED].said == "rate limited"
    assert "still renewed with the current key" in findings[Code.PROMOTION_FAILED].remedy


def test_in_an_emergency_the_back_off_can_be_ended() -> None:
    now = T0 + 10 * DAY
    failure = Failure("unreachable", 1, T0, now, now + HOUR)
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    memory = waited()._replace(promotion_failure=failure, request=request)
    remedy = found(READY, GOOD, memory=memory, at=now)[Code.PROMOTION_FAILED].remedy
    assert "danebot newkey --emergency mx.example.org" in remedy


@pytest.mark.parametrize("distrust", ["self-signed", None])
def test_a_chain_held_back_is_a_warning(distrust: str | None) -> None:
    renewed = state(staged=held("old", 2))
    findings = found(renewed, look("old"), distrust=distrust)
    assert gist(findings) == {Code.DEPLOYMENT_HELD: W}
    assert "version 2" in findings[Code.DEPLOYMENT_HELD].text
    assert (distrust or "not examined") in findings[Code.DEPLOYMENT_HELD].text


def test_a_chain_held_back_for_want_of_sight_is_a_warning() -> None:
    issued = state(staged=held("new", 2), ready=key_file("new", T0 + HOUR))
    findings = found(issued, silent(), memory=waited())
    assert findings[Code.DEPLOYMENT_HELD].severity is W


def test_what_an_interrupted_run_left_is_no_work_for_people() -> None:
    remedies = {}
    for fault in (f"staging/mx: {UNLINKED}", "dane-ee: not UTF-8 text"):
        cut = state()._replace(faults=(fault,))
        remedies[fault] = found(cut, look("old"))[Code.FILES_BROKEN].remedy
    assert list(remedies.values()) == [
        "run: danebot renew",
        "mend the file, then run: danebot renew",
    ]
    passed = state()._replace(management=Management.PASS_THROUGH, faults=(f"live/mx: {UNLINKED}",))
    assert "mend" in found(passed, look("old"))[Code.FILES_BROKEN].remedy


def test_a_ready_key_of_the_far_future_would_never_be_used() -> None:
    for days, told in ((366, False), (367, True)):
        lineage = state(ready=key_file("new", T0 + days * DAY))
        one = found(lineage, GOOD, at=T0).get(Code.FILES_BROKEN)
        assert (one is not None) is told
        if one is not None:
            assert (one.severity, one.remedy) == (W, "run: touch staging/mx.example.org/ready.pem")
            assert "was changed in 2027" in one.text


def test_an_unusable_key_file_waits_in_words() -> None:
    lost = state()._replace(ready=KeyFile(None, T0), faults=("ready.pem: not a key",))
    assert gist(found(lost, look("old"))) == {Code.FILES_BROKEN: W}


def test_every_owner_has_its_own_findings() -> None:
    lineage = state(line(), line(MX2))
    observation = Observation(lineage, seen(look("x"), look("x", owner=MX2)))
    planned = plan(observation, Memory(), Policy(), T0)
    texts = [f.text for f in assess(observation, planned, Memory(), Policy(), T0)]
    assert sum(str(MX) in text for text in texts) == 1
    assert sum(str(MX2) in text for text in texts) == 1


def test_a_hook_that_failed_is_a_warning_and_one_that_waits_is_none() -> None:
    pending = (PendingHook("a.sh"), PendingHook("b.sh", 2, "exit status 1"))
    memory = Memory(deployment=Deployment(b"chain", b"digest", T0, pending))
    findings = found(state(), look("old"), memory=memory)
    assert gist(findings) == {Code.HOOK_FAILED: W}
    assert "b.sh failed 2 times: exit status 1" in findings[Code.HOOK_FAILED].text


SECRET = "s3cr3t"  # noqa: S105 - of a test


@pytest.mark.parametrize(
    "hook",
    [
        f"curl -H 'Authorization: Bearer {SECRET}' https://example.org/",
        f"TOKEN={SECRET} /usr/local/bin/reload",
        f"/usr/local/bin/reload --token={SECRET}",
    ],
)
def test_what_is_published_holds_no_words_of_a_hook_and_what_is_printed_does(hook: str) -> None:
    """The status document is read by all, and a program may say or be given a secret."""
    pending = (PendingHook(hook, 2, f"exit status 1: PUT /?token={SECRET}: failed"),)
    memory = Memory(deployment=Deployment(b"chain", b"digest", T0, pending))
    told = found(state(), look("old"), memory=memory)[Code.HOOK_FAILED]
    assert SECRET not in repr(finding_status(told))
    assert "failed 2 times: exit status 1" in told.text
    assert f"exit status 1: PUT /?token={SECRET}: failed" in str(told)
    assert SECRET not in pending[0].program + pending[0].outcome
    assert pending[0].program in ("curl ...", "/usr/local/bin/reload ...")


def test_what_a_publisher_said_is_printed_and_not_published() -> None:
    failure = Failure("exec: exit status 1", 1, T0, T0, T0)
    publishing = Publishing(
        None, failure, ChangeOutcome.PROGRAM, "see the program", f"token={SECRET}"
    )
    told = found(state(), look("old"), memory=Memory(publishing=publishing))[Code.PUBLISH_FAILED]
    assert SECRET not in repr(finding_status(told))
    assert f"exit status 1: token={SECRET}; see the program" in str(told)


# ---- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59, milliseconds=900), "59 s"),
        (HOUR, "1 h"),
        (DAY + MINUTE, "1 d 1 min"),
        (3 * DAY + 4 * HOUR + 5 * MINUTE, "3 d 4 h"),
    ],
)
def test_a_duration_in_words(span: timedelta, words: str) -> None:
    assert duration(span) == words


def test_a_time_in_words() -> None:
    assert when(T0) == "2026-06-01 12:00 UTC"


def test_a_finding_is_one_line() -> None:
    assert str(Finding(Code.COOLING, INFO, "mx", "it cools", "wait")) == "mx: it cools; wait"
    assert str(Finding(Code.COOLING, INFO, "", "it cools")) == "it cools"


def test_the_remedy_is_the_codes_unless_the_finding_has_its_own() -> None:
    usual = Finding(Code.HOOK_FAILED, W, "mx", "it failed")
    assert usual.remedy == Code.HOOK_FAILED.remedy
    assert usual._replace(own_remedy="").remedy == ""
    named = Finding(Code.RENEWAL_FAILED, W, "mx.example", "it failed")
    assert named.remedy == "see certbot's log; to try again at once: danebot renew mx.example"
    assert named._replace(where="").remedy.endswith("danebot renew LINEAGE")


def test_in_an_emergency_the_next_attempt_to_publish_is_said_as_it_is_made() -> None:
    failure = Failure("refused", 1, T0, T0, T0 + DAY)
    request = Request(key("new").digest, T0, Urgency.EMERGENCY)
    publishing = Publishing(None, failure, ChangeOutcome.LATER, "see the server")
    memory = Memory(publishing=publishing, request=request)
    told = found(state(), look("old"), memory=memory)[Code.PUBLISH_FAILED]
    assert f"next attempt after {when(T0 + MINUTE)}" in told.text
