"""Where a required record is seen, and when mail is failing already."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import (
    Cause,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import TlsaRecord, association
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.propagation import (
    Gap,
    Obstacle,
    Propagation,
    Seen,
    live_is_gone,
    matches_chain,
    propagation_of_record,
    propagations_of,
    taken_together,
)
from danebot.domain.rollover.evidence.propagation import propagation_of as judge
from domain.builders import (
    EVERY,
    HOUR,
    MX,
    MX2,
    OTHER,
    UNREACHABLE,
    blind,
    held,
    key,
    led,
    line,
    look,
    record,
    seen,
    silent,
    witnessed,
)
from domain.gate_world import shown

NS1, NS2 = (f"{name}.example.org [192.0.2.1]" for name in ("ns1", "ns2"))


def judged(one: OwnerObservation, mtype: int = 1) -> Propagation:
    return judge(line(mtype=mtype), key("new").spki, seen(one))


def obstacles(found: Propagation) -> set[Obstacle]:
    return {gap.obstacle for gap in found.gaps}


def test_everywhere_is_the_resolver_and_every_server() -> None:
    found = judged(look("old", "new"))
    assert found.seen is Seen.EVERYWHERE
    assert found.gaps == ()
    assert found.present_at == (NS1, NS2)
    assert found.servers_asked == 2


@pytest.mark.parametrize("mtype", [0, 1, 2])
def test_the_record_is_that_of_the_line(mtype: int) -> None:
    assert judged(look("new", mtypes=[mtype]), mtype).seen is Seen.EVERYWHERE
    assert judged(look("new", mtypes=[(mtype + 1) % 3]), mtype).seen is Seen.MISSING


def test_an_owner_that_was_not_looked_up_is_unknown() -> None:
    found = judge(line(MX2), key("new").spki, seen(look("new")))
    assert found.seen is Seen.UNKNOWN
    assert found.gaps == (Gap(Obstacle.NOT_OBSERVED),)


@pytest.mark.parametrize(
    ("one", "outcome", "obstacle"),
    [
        (look("old", "new", at={"ns1": None, "ns2": ["old"]}), Seen.MISSING, "SERVER_LACKS"),
        (look("old", "new", resolver=["old"]), Seen.MISSING, "RESOLVER_LACKS"),
        (look("old", "new", resolver=[]), Seen.MISSING, "RESOLVER_LACKS"),
        (look("new", security=Security.INSECURE), Seen.UNKNOWN, "INSECURE"),
        (look("new", security=Security.BOGUS), Seen.UNKNOWN, "BOGUS"),
        (look("new", security=Security.INDETERMINATE), Seen.UNKNOWN, "RESOLVER_SILENT"),
        (look("new", at={"ns1": None, "ns2": UNREACHABLE}), Seen.UNKNOWN, "SERVER_SILENT"),
        (look("new", at={"ns1": None, "ns2": ServerOutcome.LAME}), Seen.UNKNOWN, "SERVER_SILENT"),
        (
            look("new", at={"ns1": None, "ns2": ServerOutcome.NO_ROUTE}),
            Seen.UNKNOWN,
            "SERVER_SILENT",
        ),
    ],
)
def test_one_gap_is_enough(one: OwnerObservation, outcome: Seen, obstacle: str) -> None:
    found = judged(one)
    assert found.seen is outcome
    assert obstacles(found) == {Obstacle[obstacle]}


def test_where_the_strongest_digest_is_not_known_nothing_is_told_to_overrule_a_record() -> None:
    """The SHA-512 digest beside it may be the same key's."""
    one, there = look("new"), (record("new"), record("old", 2))
    servers = tuple(server._replace(records=there) for server in one.servers)
    one = one._replace(answer=one.answer._replace(records=there), servers=servers)
    for strongest, outcome in ((None, Seen.EVERYWHERE), (record("new", 2), Seen.MISSING)):
        found = propagation_of_record(line(), record("new"), strongest, seen(one))
        assert found.seen is outcome


def test_what_opt_out_leaves_unproven_is_absent_all_the_same() -> None:
    """RFC 5155 section 9.2: the zone is signed, and it is the record that is to be added."""
    one = look(security=Security.INSECURE, at=EVERY)
    one = one._replace(answer=one.answer._replace(cause=Cause.OPT_OUT, detail="opt-out"))
    found = judged(one)
    assert found.seen is Seen.MISSING
    assert Gap(Obstacle.RESOLVER_LACKS, detail="opt-out") in found.gaps


def test_a_record_missing_somewhere_is_missing_though_others_are_silent() -> None:
    assert judged(look(at={"ns1": ["old"], "ns2": UNREACHABLE})).seen is Seen.MISSING


def test_without_any_server_the_resolver_alone_counts() -> None:
    found = judged(blind("new"))
    assert (found.seen, found.servers_asked) == (Seen.EVERYWHERE, 0)


def test_silence_of_everybody_is_no_absence() -> None:
    assert judged(silent()).seen is Seen.UNKNOWN


def test_a_server_without_an_address_is_silent() -> None:
    one = look("new", at=EVERY)
    lost = ServerAnswer(Server(Hostname("ns3.example.org"), ""), UNREACHABLE, detail="no A")
    one = one._replace(
        name_servers=one.name_servers | {lost.server.name}, servers=(*one.servers, lost)
    )
    found = judged(one)
    assert found.seen is Seen.UNKNOWN
    assert found.gaps == (Gap(Obstacle.SERVER_SILENT, "ns3.example.org", "no address: no A"),)


def two_addresses(second: ServerAnswer) -> OwnerObservation:
    one = look("new", at={"ns1": None})
    return one._replace(servers=(*one.servers, second))


def test_of_a_server_one_address_must_answer_and_each_that_does_must_have_it() -> None:
    other = Server(Hostname("ns1.example.org"), "2001:db8::1")
    dead = ServerAnswer(other, UNREACHABLE)
    behind = ServerAnswer(other, ServerOutcome.ANSWERED, (record("old"),))
    assert judged(two_addresses(dead)).seen is Seen.EVERYWHERE
    assert judged(two_addresses(behind)).seen is Seen.MISSING


W1 = "witness [192.0.2.53]"


@pytest.mark.parametrize(
    ("outside", "outcome", "gaps"),
    [
        ([["new"]], Seen.EVERYWHERE, ()),
        ([["old", "new"], UNREACHABLE], Seen.EVERYWHERE, ()),
        ([["old"]], Seen.MISSING, (Gap(Obstacle.SERVER_LACKS, W1),)),
        ([["old"], ["new"]], Seen.MISSING, (Gap(Obstacle.SERVER_LACKS, W1),)),
        (
            [UNREACHABLE],
            Seen.UNKNOWN,
            (Gap(Obstacle.SERVER_SILENT, "witness", "192.0.2.53: no answer"),),
        ),
    ],
)
def test_a_witness_must_be_heard_and_each_that_is_must_have_it(
    outside: list[list[str] | ServerOutcome], outcome: Seen, gaps: tuple[Gap, ...]
) -> None:
    for one in (look("new"), blind("new")):
        found = judged(witnessed(one, *outside))
        assert (found.seen, found.gaps) == (outcome, gaps)


ALIASED = look("new", aliases=((OTHER, HOUR),))
A2 = "a2.example.com [192.0.2.2]"


@pytest.mark.parametrize(
    ("second", "outcome", "gaps"),
    [
        (None, Seen.EVERYWHERE, ()),
        (["new"], Seen.EVERYWHERE, ()),  # a copy in place of the alias is as good
        (["old"], Seen.MISSING, (Gap(Obstacle.SERVER_LACKS, A2, "no alias"),)),
        ([], Seen.MISSING, (Gap(Obstacle.SERVER_LACKS, A2, "no alias"),)),
        (
            UNREACHABLE,
            Seen.UNKNOWN,
            (Gap(Obstacle.SERVER_SILENT, "a2.example.com", "192.0.2.2: no answer"),),
        ),
    ],
)
def test_every_server_of_an_alias_must_lead_to_the_record(
    second: list[str] | ServerOutcome | None, outcome: Seen, gaps: tuple[Gap, ...]
) -> None:
    found = judged(led(ALIASED, {"a1": None, "a2": second}))
    assert (found.seen, found.gaps) == (outcome, gaps)


def test_a_server_of_an_alias_proves_absence_though_nobody_else_answers() -> None:
    at = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
    dark = look("new", at=at, aliases=((OTHER, HOUR),))
    assert judged(led(dark, {"a1": None, "a2": ["old"]})).seen is Seen.MISSING
    mute = judged(led(dark, {"a1": UNREACHABLE, "a2": UNREACHABLE}))
    assert (mute.seen, mute.servers_asked) == (Seen.EVERYWHERE, 0)


def test_a_server_that_has_the_record_and_lags_on_the_alias_is_not_said_to_have_it() -> None:
    both = look("new", at={"ns1": None}, aliases=((OTHER, HOUR),))
    (alias,) = led(both, {"a1": ["old"]}).aliases
    (behind,) = alias.servers
    same = behind._replace(server=both.servers[0].server)
    found = judged(both._replace(aliases=(alias._replace(servers=(same,)),)))
    assert (found.seen, found.present_at) == (Seen.MISSING, ())


def test_a_weaker_digest_beside_a_stronger_one_of_another_key_is_ignored_by_senders() -> None:
    """RFC 7671 section 9: of one usage and selector only the strongest digest counts."""
    strong = record("old", 2)

    def beside(*records: TlsaRecord) -> OwnerObservation:
        one = look("old", "new")
        both = (*one.answer.records, *records)
        servers = tuple(server._replace(records=both) for server in one.servers)
        return one._replace(answer=one.answer._replace(records=both), servers=servers)

    found = judged(beside(strong))
    assert found.seen is Seen.MISSING
    assert obstacles(found) == {Obstacle.OVERRULED}
    assert [gap.where for gap in found.gaps] == ["", NS1, NS2]
    assert judged(beside(strong, record("new", 2))).seen is Seen.EVERYWHERE
    assert judged(beside(record("old", 0))).seen is Seen.EVERYWHERE
    other_usage = strong._replace(usage=2)
    malformed = strong._replace(data=b"short")
    assert judged(beside(other_usage, malformed)).seen is Seen.EVERYWHERE


def test_all_lines_together() -> None:
    required = (line(), line(MX2))

    def both(first: OwnerObservation, second: OwnerObservation) -> Seen:
        return taken_together(propagations_of(required, key("new"), seen(first, second)))

    there, gone, unknown = look("new"), look("old", owner=MX2), silent(MX2)
    assert both(there, look("new", owner=MX2)) is Seen.EVERYWHERE
    assert both(there, unknown) is Seen.UNKNOWN
    assert both(there, gone) is Seen.MISSING
    assert both(silent(), gone) is Seen.MISSING
    assert taken_together(()) is Seen.UNKNOWN, "nothing was looked for"


# ---- mail is failing already -----------------------------------------------------------------


LEAF, ISSUER = held("old").chain.ders
SPKI = key("old").spki


@pytest.mark.parametrize(
    ("usage", "selector", "mtype", "der", "matched"),
    [
        (3, 1, 0, SPKI, True),
        (3, 1, 1, SPKI, True),
        (3, 1, 2, SPKI, True),
        (3, 0, 1, LEAF, True),
        (1, 1, 1, SPKI, True),
        (1, 0, 2, LEAF, True),
        (2, 0, 1, ISSUER, True),
        (3, 0, 1, ISSUER, False),
        (3, 1, 1, b"other", False),
        (3, 0, 0, b"other", False),
        (2, 0, 1, b"other", False),
        # whose issuers can't be told from here: a match is the cautious answer
        (2, 1, 1, b"any", True),
        (0, 1, 1, b"any", True),
        (2, 0, 0, b"an anchor that is not in the chain", True),
        (0, 0, 1, b"a root that is not in the chain", True),
        # not usable
        (4, 1, 1, SPKI, False),
        (3, 2, 1, SPKI, False),
    ],
)
def test_a_record_matches_a_chain(
    usage: int, selector: int, mtype: int, der: bytes, *, matched: bool
) -> None:
    data = association(der, line(mtype=mtype).mtype)
    assert matches_chain(TlsaRecord(usage, selector, mtype, data), held("old")) is matched


def gone(one: OwnerObservation) -> bool:
    return live_is_gone(held("old"), (one.owner,), seen(one))


def test_the_live_key_is_gone_when_everybody_securely_says_so() -> None:
    assert gone(look("new"))


@pytest.mark.parametrize(
    "one",
    [
        look("old", "new"),
        look("new", resolver=["old"]),
        look("new", at={"ns1": None, "ns2": ["old"]}),
        look("new", at={"ns1": None, "ns2": UNREACHABLE}),
        blind("new"),
        silent(),
        look(),
        look("new", resolver=[]),
        look("new", security=Security.INSECURE),
        look("new", security=Security.BOGUS),
    ],
    ids=[
        "it is there",
        "the resolver has it",
        "one server has it",
        "one server is silent",
        "all servers are silent",
        "all are silent",
        "no record at all",
        "no record in the resolver",
        "insecure",
        "bogus",
    ],
)
def test_anything_less_proves_nothing(one: OwnerObservation) -> None:
    assert not gone(one)


def test_a_server_of_an_alias_may_still_lead_to_the_live_key() -> None:
    gone = look("other", aliases=((OTHER, HOUR),))
    for at, outcome in (
        ({"a1": None}, True),
        ({"a1": ["other"]}, True),
        ({"a1": ["old"]}, False),
        ({"a1": UNREACHABLE}, False),
    ):
        assert live_is_gone(held("old"), [MX], seen(led(gone, at))) is outcome


def test_nor_is_it_gone_where_a_server_leads_to_what_nobody_looked_at() -> None:
    """The live key's record may be there, and mail that is led there doesn't fail."""
    one = look("new")
    first, *others = one.servers
    for stray, outcome in ((None, True), (OTHER, False)):
        answers = (first._replace(elsewhere=stray), *others)
        assert gone(one._replace(servers=answers)) is outcome
    way = led(look("new", aliases=((OTHER, HOUR),)), {"a1": ["new"], "a2": None})
    (alias,) = way.aliases
    first, *others = alias.servers
    for stray, outcome in ((None, True), (MX2, False)):
        answers = (first._replace(elsewhere=stray), *others)
        assert gone(way._replace(aliases=(alias._replace(servers=answers),))) is outcome


def test_it_must_be_gone_from_every_owner() -> None:
    both = seen(look("new"), look("old", owner=MX2))
    assert not live_is_gone(held("old"), (MX, MX2), both)
    assert not live_is_gone(held("old"), (MX, MX2), seen(look("new")))
    assert not live_is_gone(held("old"), (), {})


# ---- what a gap says, and where there is none --------------------------------------------------


@pytest.mark.parametrize(
    ("security", "cause", "obstacle"),
    [
        (Security.BOGUS, None, Obstacle.BOGUS),
        (Security.INDETERMINATE, None, Obstacle.RESOLVER_SILENT),
        (Security.INSECURE, Cause.OPT_OUT, Obstacle.RESOLVER_LACKS),
        (Security.INSECURE, None, Obstacle.INSECURE),
    ],
)
def test_the_resolver_s_words_are_passed_on(
    security: Security, cause: Cause | None, obstacle: Obstacle
) -> None:
    one = look("new")
    answer = one.answer._replace(security=security, cause=cause, detail="as it said")
    assert judged(one._replace(answer=answer)).gaps == (Gap(obstacle, "", "as it said"),)


def test_whether_other_records_are_there_is_told() -> None:
    lacking = judged(look("new", resolver=[]))
    assert lacking.gaps == (Gap(Obstacle.RESOLVER_LACKS, "", Presence.NODATA.value),)
    other = judged(look("new", resolver=["old"]))
    assert other.gaps == (Gap(Obstacle.RESOLVER_LACKS),)


@pytest.mark.parametrize(
    ("outcome", "detail", "words"),
    [
        (ServerOutcome.FELL_SILENT, "", ServerOutcome.FELL_SILENT.value),
        (ServerOutcome.FELL_SILENT, "REFUSED", "REFUSED"),
    ],
)
def test_an_address_that_owes_its_word_is_told_with_its_reason(
    outcome: ServerOutcome, detail: str, words: str
) -> None:
    one = look("new")
    owing = Server(one.servers[1].server.name, "2001:db8::7")
    servers = (*one.servers, ServerAnswer(owing, outcome, detail=detail))
    found = judged(one._replace(servers=servers))
    assert found.gaps == (Gap(Obstacle.SERVER_SILENT, str(owing), words),)


def test_a_whole_record_is_never_passed_over_for_a_digest() -> None:
    one = shown(record("new", 0), record("old", 2))
    assert judged(one, mtype=0).seen is Seen.EVERYWHERE
    assert judged(shown(record("new", 1), record("old", 2))).seen is Seen.MISSING


def test_servers_of_the_way_must_be_heard_where_anybody_was() -> None:
    a1, a2 = "a1.example.com", "a2.example.com"
    way = look("new", aliases=((OTHER, HOUR),))
    mute = judged(led(way, {"a1": UNREACHABLE}))
    assert [gap.where for gap in mute.gaps] == [a1]
    unheard = look("new", aliases=((OTHER, HOUR),), at=dict.fromkeys(EVERY, UNREACHABLE))
    half = judged(led(unheard, {"a1": None, "a2": UNREACHABLE}))
    assert [gap.where for gap in half.gaps] == [a2]
    assert judged(led(unheard, {"a1": UNREACHABLE, "a2": UNREACHABLE})).gaps == ()


def test_nothing_is_gone_where_no_server_was_asked() -> None:
    assert live_is_gone(held("old"), [MX], seen(look("new")))
    assert not live_is_gone(held("old"), [MX], seen(look("new", at={})))


def test_a_server_that_leads_elsewhere_does_not_speak_for_the_others_there() -> None:
    """It has the record at that name; resolvers that it leads there may ask another server."""
    here = look("old", "new", aliases=((OTHER, HOUR),))
    there = led(here, {"a1": None, "a2": ["old", "new"]})
    (zone,) = there.aliases
    agrees, differs = zone.servers

    def split(end: DnsName, one: ServerAnswer = differs) -> Propagation:
        astray = zone._replace(servers=(agrees, one._replace(end=end)))
        return judged(there._replace(aliases=(astray,)))

    for end in (MX, OTHER):  # all are asked there
        assert split(end).seen is Seen.EVERYWHERE
    words = f"leads to {MX2}, where not every server was asked"
    found = split(MX2)
    assert found.seen is Seen.UNKNOWN
    assert found.gaps == (Gap(Obstacle.SERVER_SILENT, str(differs.server), words),)
    lacking = split(MX2, differs._replace(records=(), detail="alias"))
    assert lacking.gaps == (Gap(Obstacle.SERVER_LACKS, str(differs.server), "alias"),)
    outside = witnessed(here, ["old", "new"])
    (witness,) = outside.witnesses
    assert judged(outside._replace(witnesses=(witness._replace(end=MX2),))).gaps == ()
