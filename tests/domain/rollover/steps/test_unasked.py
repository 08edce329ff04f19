"""Services that came under watch, and chains that came by themselves, are to be asked."""

from __future__ import annotations

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.rollover.evidence.memory import Deployment, Memory, Occurrence
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.remember import remember
from danebot.domain.rollover.steps.unasked import disproved, to_be_asked
from domain.builders import MX, MX2, T0, line, seen
from domain.gate_world import chain, renewal, shown, tlsa

LIVE, NEW, OWN_RECORD = chain(), chain("new", version=2), tlsa("3 1 1")
OWN = Deployment(
    LIVE.chain.fingerprint, LIVE.key.digest, T0, confirmed_at=T0, clear_since=T0, cleared_at=T0
)
STATE = renewal(LIVE)
BOTH = STATE._replace(required=(line(), line(MX2)))


def after(newcomer: TlsaRecord) -> Deployment | None:
    """The deployment once the newcomer's records were seen."""
    there = seen(shown(OWN_RECORD), shown(newcomer, owner=MX2))
    memory = remember(Memory(deployment=OWN, asked=(MX,)), BOTH, there, T0)
    return to_be_asked(memory, BOTH, there, policy=Policy(), now=T0).deployment


def test_no_old_record_goes_before_a_newcomer_was_asked() -> None:
    """Nor is it confirmed; but hooks are to show no newcomer a key that its records refuse."""
    uncleared = OWN._replace(clear_since=None, cleared_at=None)
    assert after(OWN_RECORD) == uncleared._replace(confirmed_at=None)
    assert after(tlsa("3 1 1", key="another")) == uncleared


def test_what_came_live_by_itself_is_asked_of_all() -> None:
    there = seen(shown(OWN_RECORD))
    former = Memory(deployment=OWN._replace(chain=b"former"), asked=(MX,))
    memory = remember(former, STATE, there, T0)
    last = to_be_asked(memory, STATE, there, policy=Policy(), now=T0).deployment
    assert last is not None
    assert (last.origin, last.confirmed_at) == (Occurrence.FOUND, None)
    assert last.chain == LIVE.chain.fingerprint
    begun = memory._replace(deployment=OWN._replace(chain=NEW.chain.fingerprint))
    assert to_be_asked(begun, renewal(NEW), there, policy=Policy(), now=T0) is begun


def test_who_was_let_go_was_not_asked() -> None:
    """Also where the line was taken out by hand."""
    memory = Memory(deployment=OWN, asked=(MX, MX2))
    there = seen(shown(OWN_RECORD))
    assert to_be_asked(memory, STATE, there, policy=Policy(), now=T0).asked == (MX,)


def test_what_is_disproved_was_found_live() -> None:
    """Whoever it was that deployed it: hooks are to show it no more, and no old record goes."""
    for before in (OWN, OWN._replace(chain=b"begun"), None):
        last = disproved(Memory(deployment=before), LIVE, T0).deployment
        assert last is not None
        assert (last.origin, last.chain) == (Occurrence.FOUND, LIVE.chain.fingerprint)
        assert (last.confirmed_at, last.clear_since, last.cleared_at) == (None, None, None)
