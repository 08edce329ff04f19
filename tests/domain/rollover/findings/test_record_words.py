"""What is said of the live key's records, whole, and of files that concern them."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import Doubt
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, RRsetSighting, TtlSighting
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import propagation_of
from danebot.domain.rollover.findings.assess import assess
from danebot.domain.rollover.findings.record_findings import Fit, Scene, record_findings
from danebot.domain.rollover.steps.phases import Observation, Phase, Plan, Step
from danebot.domain.rollover.steps.plan import plan
from domain.builders import DAY, HOUR, MINUTE, MX, T0, held, key, line, look, record, seen, state

N, W, C = Severity.NOTICE, Severity.WARNING, Severity.CRITICAL
NAME = "mx.example.org"
ADD = f"{MX}. IN TLSA {record('old')}"
NS2 = "ns2.example.org [192.0.2.1]"
BEHIND = look("old", resolver=[])  # every server has it, and the resolver hasn't
NOTHING = Memory()


def told(
    *looks: OwnerObservation, lineage: LineageState | None = None, memory: Memory = NOTHING
) -> tuple[Finding, ...]:
    observation = Observation(lineage or state(), seen(*looks), "")
    planned = plan(observation, memory, Policy(), T0)
    return assess(observation, planned, memory, Policy(), T0)


def signed(one: OwnerObservation) -> OwnerObservation:
    return one._replace(servers=tuple(s._replace(signed_since=T0 - DAY) for s in one.servers))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            look("x"),
            Finding(
                Code.TLSA_MISMATCH,
                C,
                NAME,
                f"no TLSA record at {MX} matches the live key: DANE senders defer or bounce mail",
                f"add now: {ADD}",
            ),
        ),
        (
            look("old", mtypes=[2]),
            Finding(
                Code.TLSA_MISSING,
                W,
                NAME,
                f"the live key's TLSA record is missing (only others are there) at {MX}",
                f"add: {ADD}",
            ),
        ),
        (
            look(),
            Finding(
                Code.TLSA_MISSING,
                W,
                NAME,
                f"the live key's TLSA record is missing (no such record) at {MX}",
                f"add: {ADD}",
            ),
        ),
        (
            signed(look("old", security=Security.INSECURE)),
            Finding(
                Code.TLSA_INSECURE,
                W,
                NAME,
                f"the answer for {MX} is not secured by DNSSEC, though the zone's servers sign it: "
                "the resolver doesn't validate, or the zone's DS record is gone",
                "see that the resolver validates (dig +dnssec SOA . has the flag ad), then that "
                "the parent zone has the DS record",
            ),
        ),
    ],
    ids=["another key's", "another form", "none", "signed, and not validated"],
)
def test_what_is_wrong_with_the_live_key_s_record_is_said_in_full(
    one: OwnerObservation, expected: Finding
) -> None:
    assert told(one) == (expected,)


def test_where_one_server_has_the_record_it_is_said_which_has_not() -> None:
    """The resolver may have asked that one; where nobody has it, each server would be no news."""
    partly = told(look("old", resolver=["x"], at={"ns1": None, "ns2": ["x"]}))
    assert [(one.code, one.severity) for one in partly] == [
        (Code.TLSA_MISMATCH, C),
        (Code.SERVER_LACKS_RECORD, W),
    ]
    assert NS2 in partly[1].text
    assert [one.code for one in told(look("x"))] == [Code.TLSA_MISMATCH]


def test_of_an_owner_that_was_not_looked_up_nothing_is_said() -> None:
    """The run says that for itself."""
    assert told() == ()


def test_where_servers_differ_and_no_record_would_count_at_all_that_is_said() -> None:
    one = look("x")
    strange = (record("y"), record("x", 2)), (record("y"),)
    servers = tuple(
        server._replace(records=there) for server, there in zip(one.servers, strange, strict=True)
    )
    two = look("y")._replace(servers=servers)
    found = {f.code: f for f in told(two)}
    assert found[Code.TLSA_MISMATCH].remedy == f"add now: {ADD}"
    strong = told(two, lineage=state(line(mtype=2)))
    assert strong[0].remedy == (
        "see why these servers don't have the same records; no record counts at all of them"
    )


# ---- a resolver that remembers an absence --------------------------------------------------------


def remembered(*rrsets: RRsetSighting, ttl: bool = True) -> Severity:
    """How loudly a resolver's absence is told, by what is remembered of the owner."""
    sightings = (TtlSighting(HOUR, T0 - DAY),) if ttl else ()
    memory = Memory({MX: OwnerMemory(sightings, rrsets=rrsets)})
    scene = Scene(NAME, seen(BEHIND), lambda *_: Fit.NO, lambda *_: "add it", T0, memory)
    (found,) = record_findings(scene, [propagation_of(line(), key("old").spki, seen(BEHIND))])
    assert found.code is Code.TLSA_MISSING
    return found.severity


def test_an_absence_is_remembered_for_a_ttl_after_all_servers_had_the_record() -> None:
    here = RRsetSighting((record("old"),), HOUR, T0 - HOUR + MINUTE)
    assert remembered(here) is N
    assert remembered(here._replace(first=T0 - HOUR)) is W
    assert remembered(here, ttl=False) is W
    former = RRsetSighting((record("x"),), HOUR, T0 - 3 * HOUR, T0 - 2 * HOUR)
    assert remembered(former, here) is N
    assert remembered(former) is W


def test_one_record_that_fits_is_enough_and_one_that_may_fit_leaves_it_open() -> None:
    by = {"old": Fit.YES, "x": Fit.NO, "y": Fit.UNTOLD}
    fits = {record(name): fit for name, fit in by.items()}

    def found(*names: str) -> Fit:
        scene = Scene(NAME, {}, lambda _, one: fits[one], lambda *_: "", T0)
        return scene.fits(MX, map(record, names))

    assert found("x", "old", "y") is Fit.YES
    assert found("x", "y") is Fit.UNTOLD
    assert found("x") is found() is Fit.NO


# ---- lines, files and certificates ---------------------------------------------------------------


DOUBTED = state()._replace(doubts=(Doubt(DnsName("25.tcp.mx.example.org"), "3: no port"),))


@pytest.mark.parametrize(
    ("management", "place"), [(Management.STAGED, "staging"), (Management.PASS_THROUGH, "live")]
)
def test_a_line_that_can_hardly_be_meant_is_told_where_it_stands(
    management: Management, place: str
) -> None:
    """Nobody has looked for records there."""
    found = told(look("old"), lineage=DOUBTED._replace(management=management))
    assert [one for one in found if one.code is Code.OWNER_DOUBTFUL] == [
        Finding(
            Code.OWNER_DOUBTFUL,
            W,
            NAME,
            f"{place}/{NAME}/dane-ee:3: no port; it is watched all the same",
            "correct the line, or take it out: danebot watch --remove "
            f"{NAME} 25.tcp.mx.example.org",
        )
    ]


def test_a_certificate_s_end_is_told_with_the_one_that_waits_in_its_place() -> None:
    """Only where that is held back: else the next step, or certbot, is what helps."""
    lineage = state(staged=held("old", 2))
    observation = Observation(lineage, seen(look("old")), "")
    late = T0 + 75 * DAY
    for planned, helps in (
        (Plan(Phase.ISSUED), True),
        (Plan(Phase.ISSUED, Step.DEPLOY), False),
        (Plan(Phase.STABLE), False),
    ):
        found = {f.code: f for f in assess(observation, planned, Memory(), Policy(), late)}
        remedy = found[Code.EXPIRES_SOON].remedy
        told_so = remedy == f"see why version 2 isn't deployed: danebot status {NAME}"
        assert told_so is helps
        assert ("version 2" in remedy) is helps


@pytest.mark.parametrize(
    ("key_name", "joint"),
    [("old", "; or have danebot keep it"), ("other", "; then danebot may keep one")],
)
def test_a_combo_file_that_nobody_renews_may_be_kept_only_with_the_links_key(
    key_name: str, joint: str
) -> None:
    lineage = state()._replace(
        management=Management.PASS_THROUGH,
        live=held("old", 2),
        combo=held(key_name, 1),
        staged=None,
    )
    (found,) = (one for one in told(lineage=lineage) if one.code is Code.COMBO_BEHIND)
    assert found.remedy == (
        "have services read fullchain.pem and privkey.pem there, and remove combo.pem"
        f"{joint}: danebot init {NAME}"
    )
