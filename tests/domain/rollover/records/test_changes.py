"""What is to be changed, what may be, and what the servers show of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.domain.dns.answers import (
    Alias,
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    TlsaAnswer,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.change_outcomes import ADVICE, ChangeOutcome, Part
from danebot.domain.rollover.records.changes import (
    DEFAULT_TTL,
    Change,
    ChangeResult,
    after,
    altered,
    blind,
    changes,
    lagging,
    lost,
    stopped,
)
from danebot.domain.rollover.records.publication import OwnedRecord, Publication
from domain import builders

OWNER, OTHER, TARGET = (DnsName(f"_25._tcp.{name}.example.org") for name in ("a", "b", "c"))
LIVE, NEW, OLD, FOREIGN = (TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in range(1, 5))
ANCHOR = TlsaRecord(2, 1, 1, bytes(32))
NS1, NS2 = (Server(Hostname(f"ns{n}.example.org"), f"192.0.2.{n}") for n in (1, 2))
POOL = st.frozensets(st.sampled_from([LIVE, NEW, OLD, FOREIGN]))


def seen(
    owner: DnsName,
    *at: tuple[TlsaRecord, ...],
    target: DnsName | None = None,
    security: Security = Security.SECURE,
    presence: Presence = Presence.PRESENT,
    ttl: int = 60,
) -> OwnerObservation:
    """One owner, with the records at each server."""
    aliases = (Alias(owner, target, timedelta(60)),) if target is not None else ()
    answer: TlsaAnswer = Answer(
        owner, security, presence, target or owner, aliases, at[0] if at else ()
    )
    servers = [
        ServerAnswer(server, ServerOutcome.ANSWERED, records, timedelta(seconds=ttl))
        for server, records in zip((NS1, NS2), at, strict=False)
    ]
    return OwnerObservation(owner, answer, DnsName("example.org"), servers=tuple(servers))


# ---- what is asked for ------------------------------------------------------------------------


def test_owners_that_are_aliases_of_one_name_share_one_change() -> None:
    state = builders.state(builders.line(OWNER), builders.line(OTHER))
    observations = {o: seen(o, (FOREIGN,), target=TARGET) for o in (OWNER, OTHER)}
    wanted = Publication((), tuple(OwnedRecord(o, NEW) for o in (OWNER, OTHER)), (), ())

    (change,) = changes(state, wanted, observations, Part.ADD, timedelta(seconds=9))

    assert change.owners == (OWNER, OTHER)
    assert change.target == TARGET
    assert change.add == (NEW,)
    assert change.remove == ()
    assert change.seen == (FOREIGN,)
    assert change.seen_ttl == timedelta(seconds=60)
    assert change.ttl == timedelta(seconds=9)
    assert change.needs == (builders.record("old"),)
    assert change.zone == DnsName("example.org")


def test_additions_and_removals_are_apart() -> None:
    state = builders.state(builders.line(OWNER))
    publication = Publication((), (OwnedRecord(OWNER, NEW),), (OwnedRecord(OTHER, OLD),), ())
    (addition,) = changes(state, publication, {}, Part.ADD, None)
    (removal,) = changes(state, publication, {}, Part.REMOVE, None)
    assert (addition.add, addition.remove) == ((NEW,), ())
    assert (removal.add, removal.remove) == ((), (OLD,))
    assert removal.needs == ()


# ---- what may be done -------------------------------------------------------------------------


@given(POOL, POOL, POOL)
def test_a_change_against_what_is_there(
    present: frozenset[TlsaRecord], add: frozenset[TlsaRecord], remove: frozenset[TlsaRecord]
) -> None:
    """Nobody else's record is touched, and what is served stays matched after a removal."""
    change = Change("x", (OWNER,), OWNER, add=tuple(add), remove=tuple(remove - add), needs=(LIVE,))
    left = change.against(present)
    assert set(left.add) == add - present
    assert set(left.remove) == (remove - add) & present
    then = left.result(present)
    assert then - set(left.add) == present - set(left.remove)
    if left.safe(present) and left.remove:
        assert LIVE in then
    assert left.empty is (then == present)


def test_without_a_served_key_nothing_is_removed() -> None:
    assert not Change("x", (OWNER,), OWNER, remove=(OLD,)).safe([OLD, NEW])


@pytest.mark.parametrize(
    ("configured", "present", "given_"),
    [(None, None, DEFAULT_TTL), (None, 7, 7), (9, 7, 9), (9, None, 9)],
)
def test_the_ttl(configured: int | None, present: int | None, given_: timedelta | int) -> None:
    def span(value: timedelta | int | None) -> timedelta | None:
        return timedelta(seconds=value) if isinstance(value, int) else value

    change = Change("x", (OWNER,), OWNER, ttl=span(configured))
    assert change.new_ttl(span(present)) == span(given_)


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (seen(OWNER, (LIVE,)), ""),
        (seen(OWNER, security=Security.INSECURE), ""),
        (seen(OWNER, (ANCHOR,)), ""),
        (seen(OWNER, (ANCHOR,), security=Security.INSECURE), "may rest on an anchor"),
        (seen(OWNER, (LIVE,), (LIVE, ANCHOR), security=Security.INSECURE), "may rest on an anchor"),
        (seen(OWNER, target=TARGET), ""),
        (seen(OWNER, target=TARGET, security=Security.INSECURE), "an alias, and the answer is ins"),
        (seen(OWNER, security=Security.BOGUS, presence=Presence.UNKNOWN), "bogus"),
        (None, "was not looked up"),
    ],
)
def test_too_little_seen(observation: OwnerObservation | None, words: str) -> None:
    change = Change("x", (OWNER,), OWNER, add=(NEW,))
    found = blind(change, {OWNER: observation} if observation is not None else {})
    assert words in found
    assert bool(words) is bool(found)


def test_a_removal_that_would_leave_a_server_without_the_served_key() -> None:
    """Also one that lags: who asks it gets what it has."""
    change = Change("x", (OWNER,), OWNER, remove=(OLD,), needs=(LIVE,))
    assert lost(change, {OWNER: seen(OWNER, (LIVE, OLD), (LIVE,))}) == ""
    assert lost(change, {OWNER: seen(OWNER, (LIVE, OLD), (OLD,))}) == f"not at {NS2}"
    assert lost(change, {OWNER: seen(OWNER, (OLD,), (LIVE, OLD))}) == f"not at {NS1}"
    assert lost(change, {}) == ""
    addition = Change("x", (OWNER,), OWNER, add=(NEW,), needs=(LIVE,))
    assert lost(addition, {OWNER: seen(OWNER, (OLD,))}) == ""


def test_what_stops_a_change_before_it_is_asked_for() -> None:
    addition = Change("x", (OWNER,), OWNER, add=(TlsaRecord(3, 1, 2, b"\5" * 64),))
    one = seen(OWNER, (FOREIGN,))
    wild = one._replace(servers=tuple(s._replace(wildcard=True) for s in one.servers))
    for look, outcome in ((wild, ChangeOutcome.WILDCARD), (one, ChangeOutcome.OVERRULES)):
        found = stopped(addition, {OWNER: look})
        assert found is not None
        assert found.outcome is outcome
    assert stopped(addition, {OWNER: seen(OWNER, (TlsaRecord(3, 1, 2, b"\6" * 64),))}) is None


def test_what_was_changed_since_the_look_is_taken_in() -> None:
    """Two lineages behind one name: the second must not undo what was done for the first."""
    first = Change("x", (OWNER,), TARGET, add=(NEW,), remove=(OLD,), seen=(LIVE, OLD))
    second = Change("y", (OWNER,), TARGET, add=(FOREIGN,), seen=(LIVE, OLD))
    assert set(after(second, [first]).seen) == {LIVE, NEW}
    assert after(second, [Change("z", (OTHER,), OTHER, add=(NEW,))]) == second


# ---- what is seen of it -----------------------------------------------------------------------


def test_what_lags() -> None:
    change = Change("x", (OWNER,), OWNER, add=(NEW,), remove=(OLD,))
    assert lagging(change, {OWNER: seen(OWNER, (NEW,), (NEW, FOREIGN))}) == ()
    assert lagging(change, {OWNER: seen(OWNER, (NEW,), ())}) == (str(NS2),)
    assert lagging(change, {OWNER: seen(OWNER, (NEW, OLD), (NEW,))}) == (str(NS1),)
    assert lagging(change, {OWNER: seen(OWNER)}) == ("",)
    assert lagging(change, {}) == ("",)


CUT = TlsaRecord(3, 1, 1, bytes(range(20)))
WHOLE = TlsaRecord(3, 1, 1, bytes(range(32)))


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (CUT, True),
        (TlsaRecord(3, 0, 1, WHOLE.data), True),
        (TlsaRecord(3, 1, 1, WHOLE.hex.encode()), True),
        (TlsaRecord(3, 1, 1, WHOLE.hex.upper().encode()), True),
        (TlsaRecord(3, 1, 1, WHOLE.hex.encode()[:32]), True),
        (TlsaRecord(3, 1, 1, WHOLE.data + b"\0"), True),
        (TlsaRecord(3, 1, 1, b""), False),
        (TlsaRecord(3, 1, 1, WHOLE.data[:2]), False),
        (FOREIGN, False),
    ],
)
def test_what_was_altered(shown: TlsaRecord, told: bool) -> None:  # noqa: FBT001 - a case
    change = Change("x", (OWNER,), OWNER, add=(WHOLE,), seen=(LIVE,))
    words = altered(change, {OWNER: seen(OWNER, (LIVE, shown))})
    assert bool(words) is told
    assert altered(change, {OWNER: seen(OWNER, (LIVE, shown, WHOLE))}) == ""
    before = Change("x", (OWNER,), OWNER, add=(WHOLE,), seen=(LIVE, shown))
    assert altered(before, {OWNER: seen(OWNER, (LIVE, shown))}) == ""  # it was there before


def test_each_failure_has_its_words() -> None:
    change = Change("mail", (OWNER,), TARGET)
    for outcome in ChangeOutcome:
        result = ChangeResult(change, outcome, "ns1", "why")
        assert result.failed is (outcome not in {ChangeOutcome.DONE, ChangeOutcome.UNCHANGED})
        if result.failed:
            assert result.text.startswith(f"{TARGET} TLSA at ns1: ")
            assert result.text.endswith(" (why)")
            assert result.remedy
            assert "{" not in result.text + result.remedy
    texts = [words for words, _ in ADVICE.values()]
    assert len(set(texts)) == len(texts)
