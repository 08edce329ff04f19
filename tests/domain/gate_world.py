"""Real chains and looks at arbitrary RRsets, for tests of the gate: leaves of two authorities.

``A`` and ``B`` are two intermediates of one root, as a CA switches between them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from danebot.domain.dns.answers import (
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
)
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, association
from danebot.domain.lineage.pem import read_chain
from danebot.domain.lineage.state import Held, LineageState
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.anchors import anchored
from danebot.domain.rollover.evidence.memory import (
    Deployment,
    Memory,
    Occurrence,
    OwnerMemory,
    RRsetSighting,
)
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.steps.phases import Observation, Plan
from danebot.domain.rollover.steps.plan import plan
from danebot.domain.rollover.steps.remember import remember
from domain import builders, pki
from domain.builders import DAY, HOUR, MX, T0

HOST = "mx.example.org"
EVERYWHERE: Mapping[str, None] = {"ns1": None, "ns2": None}
LONG = OwnerMemory(watched_since=T0 - 365 * DAY)
There = Sequence[TlsaRecord] | ServerOutcome | None


@functools.cache
def authority(name: str) -> pki.Issued:
    """The root, or one of its intermediates."""
    return pki.issue(name, None if name == "root" else authority("root"), ca=True)


@functools.cache
def leaf(
    key: str, by: str, serial: int, names: tuple[str, ...], span: tuple[int, int]
) -> pki.Issued:
    age, days = span
    valid = (T0 - timedelta(days=age), T0 + timedelta(days=days))
    return pki.issue(
        key, authority(by), names=names, of_key=f"leaf {key}", valid=valid, serial=serial
    )


def chain(
    key: str = "old",
    by: str = "A",
    version: int = 1,
    *,
    names: tuple[str, ...] = (HOST,),
    days: int = 60,
    age: int = 30,
    root: bool = False,
    beside: str | None = None,
) -> Held:
    """A version of the archive: leaf and intermediate, and the root if it is presented.

    At T0 its ``age`` is so many days, and so many are left.  An authority ``beside`` is presented,
    and signed nothing of it.
    """
    others = [authority(beside)] if beside else []
    above = [authority(by), *others, *([authority("root")] if root else [])]
    issued = [leaf(key, by, version, names, (age, days)), *above]
    read = read_chain(b"".join(one.pem for one in issued))
    return Held(version, read.key, read)


def tlsa(numbers: str, *, key: str = "old", by: str = "A", version: int = 1) -> TlsaRecord:
    """A record that names the leaf (usages 1 and 3) or its authority (0 and 2)."""
    usage, selector, mtype = (int(number) for number in numbers.split())
    named = leaf(key, by, version, (HOST,), (30, 60)) if usage % 2 else authority(by)
    data = named.spki if selector == Selector.SPKI else named.der
    return TlsaRecord(usage, selector, mtype, association(data, MatchingType(mtype)))


def found_live() -> Deployment:
    """Of `chain`, which no service was seen to serve."""
    live = chain()
    return Deployment(live.chain.fingerprint, live.key.digest, T0 - DAY, origin=Occurrence.FOUND)


def cached(*records: TlsaRecord, until: datetime | None = T0) -> OwnerMemory:
    """An owner of which an RRset is in caches, for two hours after its end."""
    return LONG._replace(rrsets=(RRsetSighting(tuple(sorted(records)), HOUR, T0 - DAY, until),))


def shown(
    *records: TlsaRecord,
    owner: DnsName = MX,
    at: Mapping[str, There] = EVERYWHERE,
    resolver: Sequence[TlsaRecord] | None = None,
    ttl: timedelta = HOUR,
    security: Security = Security.SECURE,
    signed_since: datetime | None = None,
) -> OwnerObservation:
    """One look at an owner whose RRset is ``records``; ``at`` as for `builders.look`.

    ``signed_since`` is that of every server's answer.
    """

    def answered(server: str, there: There) -> ServerAnswer:
        where = Server(Hostname(f"{server}.example.org"), "192.0.2.1")
        if isinstance(there, ServerOutcome):
            return ServerAnswer(where, there)
        found = tuple(records if there is None else there)
        return ServerAnswer(
            where,
            ServerOutcome.ANSWERED,
            found,
            ttl if found else None,
            None if found else HOUR,
            signed_since=signed_since,
        )

    known = security in (Security.SECURE, Security.INSECURE)
    found = tuple(records if resolver is None else resolver) if known else ()
    absent = Presence.NODATA if known else Presence.UNKNOWN
    presence = Presence.PRESENT if found else absent
    return OwnerObservation(
        owner,
        Answer(owner, security, presence, owner, records=found, ttl=ttl if found else None),
        zone=DnsName("example.org"),
        name_servers=frozenset(Hostname(f"{name}.example.org") for name in at),
        ns_ttl=HOUR,
        servers=tuple(answered(name, there) for name, there in at.items()),
    )


def renewal(new: Held, live: Held | None = None, owner: DnsName = MX) -> LineageState:
    """A lineage that serves ``live`` and has ``new`` staged."""
    serving = live or chain()
    return builders.state(builders.line(owner))._replace(
        live=serving,
        combo=serving._replace(version=None),
        staged=new,
    )


@dataclass
class Watch:
    """A lineage whose looks are remembered, daily ones between those that are told included."""

    state: LineageState
    policy: Policy = field(default_factory=lambda: Policy(min_wait=timedelta(0), margin=HOUR))
    memory: Memory = field(default_factory=Memory)
    last: tuple[datetime, tuple[OwnerObservation, ...]] | None = None

    def look(self, at: datetime, *looks: OwnerObservation) -> Plan:
        """What a run at that time plans."""
        while self.last is not None and at - self.last[0] > DAY:
            self._look(self.last[0] + DAY, *self.last[1])
        return self._look(at, *looks)

    def _look(self, at: datetime, *looks: OwnerObservation) -> Plan:
        self.last = (at, looks)
        seen = builders.seen(*looks)
        state = anchored(self.state, self.memory, seen, at)
        self.memory = remember(self.memory, state, seen, at)
        return plan(Observation(state, seen, distrust=""), self.memory, self.policy, at)


def watch(new: Held, *before: TlsaRecord, live: Held | None = None, owner: DnsName = MX) -> Watch:
    """One that has seen ``before`` for a month."""
    found = Watch(renewal(new, live, owner))
    found.look(T0 - 30 * DAY, shown(*before, owner=owner))
    return found
