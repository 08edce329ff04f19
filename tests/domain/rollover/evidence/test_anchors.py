"""Which owners rely on DANE-TA(2): by what is shown, and by what was known before."""

from __future__ import annotations

import pytest

from danebot.domain.dns.answers import OwnerObservation, Security
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage.state import Anchored, LineageState
from danebot.domain.rollover.evidence.anchors import anchored, matched_anchor
from danebot.domain.rollover.evidence.memory import Memory
from danebot.domain.rollover.evidence.senders import senders_to
from domain.builders import MX, MX2, T0, line, seen
from domain.gate_world import chain, renewal, shown, tlsa

A, B, LEAF = tlsa("2 1 1", by="A"), tlsa("2 1 1", by="B"), tlsa("3 1 1")
SITE = renewal(chain(version=2))
KNOWN = Memory(anchors={MX: A})
UNPROVEN = Security.INSECURE


def found(
    *looks: OwnerObservation, state: LineageState = SITE, memory: Memory = KNOWN
) -> LineageState:
    return anchored(state, memory, seen(*looks), T0)


def relied_on(*looks: OwnerObservation, memory: Memory = KNOWN) -> TlsaRecord | None:
    """The record that the one owner relies on."""
    state = found(*looks, memory=memory)
    return state.anchored[0].record if state.anchored else None


@pytest.mark.parametrize(
    ("one", "record"),
    [
        (shown(A), A),
        (shown(A, B), A),
        (shown(B), None),
        (shown(A, LEAF), None),
        (shown(A, LEAF, tlsa("3 1 2", key="other")), None),
        (shown(A, tlsa("3 1 1", key="other")), A),
        (shown(LEAF), None),
        (shown(), None),
        (shown(A, at={"ns1": None, "ns2": [B]}), None),
        (shown(A, at={"ns1": None, "ns2": [LEAF]}), None),
        (shown(A, at={"ns1": None, "ns2": [A, LEAF]}), None),
        (shown(A, at={"ns1": None, "ns2": [A, B]}), A),
    ],
)
def test_what_is_shown_by_all_decides(one: OwnerObservation, record: TlsaRecord | None) -> None:
    assert relied_on(one) == record
    assert relied_on(one, memory=Memory()) == record


def test_what_was_known_counts_where_no_answer_is_secure_unless_a_server_denies_it() -> None:
    assert relied_on() == A
    assert relied_on(memory=Memory()) is None
    assert relied_on(shown(A, security=UNPROVEN)) == A
    assert relied_on(shown(A, security=UNPROVEN), memory=Memory()) is None
    assert relied_on(shown(B, security=UNPROVEN)) is None


def test_each_owner_stands_by_itself() -> None:
    both = SITE._replace(required=(line(), line(MX2)))
    state = found(shown(A), shown(LEAF, owner=MX2), state=both)
    assert state == both._replace(required=(line(MX2),), anchored=(Anchored(line(), A),))
    again = found(shown(LEAF), shown(LEAF, owner=MX2), state=state)
    assert (set(again.required or ()), again.anchored) == ({line(), line(MX2)}, ())


@pytest.mark.parametrize(
    "state",
    [
        SITE._replace(live=None, combo=None),
        SITE._replace(required=()),
        SITE._replace(required=None, remembered=(line(),)),
    ],
)
def test_without_a_chain_or_lines_nothing_is_set_apart(state: LineageState) -> None:
    assert found(shown(A), state=state) == state


def test_a_record_of_the_leaf_is_no_anchor() -> None:
    senders = senders_to(MX, chain(), T0)
    assert matched_anchor(senders, (LEAF,), chain()) is None
    assert matched_anchor(senders, (A,), chain()) == A
    assert matched_anchor(senders, (B,), chain()) is None
