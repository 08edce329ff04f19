"""Compact values for tests of the rollover: keys by name, looks at DNS, and a wait that goes on.

Keys and chains are the domain's own plain values with made-up bytes; nothing is ever verified.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from danebot.domain.dns.answers import (
    WITNESS,
    Alias,
    AliasObservation,
    Answer,
    OwnerObservation,
    Presence,
    Security,
    Server,
    ServerAnswer,
    ServerOutcome,
    Unresolved,
)
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.lineage.state import Held, KeyFile, LineageState, Management
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence import clock
from danebot.domain.rollover.evidence.memory import Memory, OwnerMemory, Reading
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Observations
from danebot.domain.rollover.evidence.watched import protecting
from danebot.domain.rollover.records import advice
from danebot.domain.rollover.steps import patience
from danebot.domain.rollover.steps import plan as rollover
from danebot.domain.rollover.steps import remember as looks
from danebot.domain.rollover.steps.phases import Observation, Plan, Step

T0 = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MX = DnsName("_25._tcp.mx.example.org")
MX2 = DnsName("_25._tcp.mx2.example.org")
OTHER = DnsName("tlsa.example.net")
UNREACHABLE = ServerOutcome.UNREACHABLE

Where = Mapping[str, "Sequence[str] | ServerOutcome | None"]
EVERY: Where = {"ns1": None, "ns2": None}


@functools.cache
def key(name: str) -> PublicKey:
    """The key of that name."""
    return PublicKey(f"spki of {name}".encode(), KeyType.P256)


def chain(key_name: str, version: int = 1, names: Sequence[str] = ("mx.example.org",)) -> Chain:
    """A leaf for the key, and one issuer."""
    return Chain(
        ders=(f"leaf {version} of {key_name}".encode(), b"issuer"),
        key=key(key_name),
        not_before=T0 - 10 * DAY,
        not_after=T0 + 80 * DAY,
        names=frozenset(map(DnsName.parse, names)),
        serial=version,
    )


def held(key_name: str, version: int | None = 1, *, private: str | None = None) -> Held:
    """A version of the archive; ``private`` names the private key if it isn't the leaf's."""
    return Held(version, key(private or key_name), chain(key_name, version or 1))


def line(owner: DnsName = MX, mtype: int = 1) -> Required:
    """One line of ``dane-ee``."""
    return Required(MatchingType(mtype), owner)


def record(key_name: str, mtype: int = 1) -> TlsaRecord:
    """The ``3 1 x`` record of a key."""
    return line(mtype=mtype).record(key(key_name).spki)


def key_file(key_name: str, modified: datetime = T0) -> KeyFile:
    """``nextkey.pem`` or ``ready.pem``."""
    return KeyFile(key(key_name), modified)


def state(
    *lines: Required,
    current: str = "old",
    staged: Held | None = None,
    next_key: KeyFile | None = None,
    ready: KeyFile | None = None,
) -> LineageState:
    """A sound lineage: live, combo and staging alike unless ``staged`` says otherwise."""
    live = held(current)
    return LineageState(
        "mx.example.org",
        Management.STAGED,
        live=live,
        combo=live._replace(version=None),
        staged=staged or live,
        next=next_key,
        ready=ready,
        required=lines or (line(),),
    )


def look(
    *keys: str,
    owner: DnsName = MX,
    at: Where = EVERY,
    resolver: Sequence[str] | None = None,
    ttl: timedelta = HOUR,
    negative: timedelta = HOUR,
    ttls: Mapping[str, timedelta] | None = None,
    denial: timedelta | None = None,
    ns_ttl: timedelta | None = HOUR,
    addresses: Mapping[str, Sequence[str]] | None = None,
    dead: Sequence[str] = (),
    address_ttl: timedelta | None = HOUR,
    unresolved: Sequence[tuple[str, str]] = (),
    aliases: Sequence[tuple[DnsName, timedelta]] = (),
    security: Security = Security.SECURE,
    mtypes: Sequence[int] = (1,),
) -> OwnerObservation:
    """One look at an owner whose RRset holds the records of ``keys``.

    ``at`` names the servers: None for the same records, other keys, or no answer.  ``resolver``
    are the keys that the resolver's answer has, if others.  ``ttls`` are single servers' own;
    ``denial`` is that of the denial beside what a wildcard gives;
    ``addresses`` those of single servers, if others, ``dead`` those that don't answer;
    ``unresolved`` names and types.
    """
    own_ttls = ttls or {}
    own_addresses = addresses or {}

    def records(names: Sequence[str]) -> tuple[TlsaRecord, ...]:
        return tuple(record(name, mtype) for name in names for mtype in mtypes)

    def answered(
        server: str, address: str, there: Sequence[str] | ServerOutcome | None
    ) -> ServerAnswer:
        where = Server(Hostname(f"{server}.example.org"), address)
        if address in dead:
            return ServerAnswer(where, UNREACHABLE)
        if isinstance(there, ServerOutcome):
            return ServerAnswer(where, there)
        found = records(keys if there is None else there)
        return ServerAnswer(
            where,
            ServerOutcome.ANSWERED,
            found,
            ttl=own_ttls.get(server, ttl) if found else None,
            negative_ttl=denial if found else own_ttls.get(server, negative),
        )

    known = security in (Security.SECURE, Security.INSECURE)
    found = records(keys if resolver is None else resolver) if known else ()
    absent = Presence.NODATA if known else Presence.UNKNOWN
    names = (owner, *(target for target, _ in aliases))
    return OwnerObservation(
        owner,
        Answer(
            owner,
            security,
            Presence.PRESENT if found else absent,
            canonical=names[-1],
            aliases=tuple(
                Alias(name, target, span)
                for name, (target, span) in zip(names, aliases, strict=False)
            ),
            records=found,
            ttl=ttl if found else None,
        ),
        zone=DnsName("example.org"),
        name_servers=frozenset(Hostname(f"{name}.example.org") for name in at),
        ns_ttl=ns_ttl,
        servers=tuple(
            answered(name, address, there)
            for name, there in at.items()
            for address in own_addresses.get(name, ("192.0.2.1",))
        ),
        address_ttl=address_ttl,
        unresolved=frozenset(Unresolved(DnsName(name), rdtype) for name, rdtype in unresolved),
    )


def witnessed(one: OwnerObservation, *outside: Sequence[str] | ServerOutcome) -> OwnerObservation:
    """The look with what each witness says: the keys whose records it has, or no answer."""

    def answered(number: int, there: Sequence[str] | ServerOutcome) -> ServerAnswer:
        where = Server(WITNESS, f"192.0.2.{53 + number}")
        if isinstance(there, ServerOutcome):
            return ServerAnswer(where, there)
        found = tuple(map(record, there))
        ttl, negative = (HOUR, None) if found else (None, HOUR)
        return ServerAnswer(where, ServerOutcome.ANSWERED, found, ttl, negative)

    return one._replace(witnesses=tuple(answered(n, said) for n, said in enumerate(outside)))


def led(
    one: OwnerObservation,
    at: Where,
    *,
    ttl: timedelta = HOUR,
    ns_ttl: timedelta = HOUR,
    denial: timedelta | None = None,
) -> OwnerObservation:
    """The look with what the servers of its first alias's zone have.

    ``at`` names these servers: None for the alias as the resolver has it, the keys whose records
    the server has instead, or no answer.  ``ttl`` is that of what they have instead.
    """
    (alias, *_) = one.answer.aliases

    def answered(name: str, there: Sequence[str] | ServerOutcome | None) -> ServerAnswer:
        where = Server(Hostname(f"{name}.example.com"), "192.0.2.2")
        if there is None or isinstance(there, ServerOutcome):
            return ServerAnswer(where, there or ServerOutcome.LEADS_ON, negative_ttl=denial)
        found = tuple(map(record, there))
        negative = None if found else ttl
        here = ServerOutcome.ANSWERED
        return ServerAnswer(where, here, found, ttl if found else None, negative, "no alias")

    names = frozenset(Hostname(f"{name}.example.com") for name in at)
    servers = tuple(answered(name, there) for name, there in at.items())
    zone = AliasObservation(alias, DnsName("example.com"), names, ns_ttl, servers)
    return one._replace(aliases=(zone,))


def seen(*looks: OwnerObservation) -> Observations:
    """Looks at several owners, taken together."""
    return {one.owner: one for one in looks}


def blind(*keys: str, resolver: Sequence[str] | None = None) -> OwnerObservation:
    """A look in which the resolver answers and no authoritative server does."""
    at = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
    return look(*keys, at=at, resolver=resolver)


def silent(owner: DnsName = MX) -> OwnerObservation:
    """A look in which nobody answers."""
    at = {"ns1": UNREACHABLE, "ns2": UNREACHABLE}
    return look(owner=owner, at=at, security=Security.INDETERMINATE)


Remember = Callable[[Memory, LineageState, Observations, datetime], Memory]
Planner = Callable[[Observation, Memory, Policy, datetime], Plan]
Advise = Callable[
    [DnsName, OwnerObservation | None, Iterable[tuple[Required, bytes]], Iterable[bytes]],
    advice.Advice,
]
PutRight = Callable[[Memory, Reading | None], Memory]
Protect = Callable[[LineageState, Memory], LineageState]


@dataclass(frozen=True)
class Rules:
    """The decisions under test; mutants replace one."""

    remember: Remember = looks.remember
    plan: Planner = rollover.plan
    protect: Protect = protecting
    put_right: PutRight = clock.put_right
    advise: Advise = advice.advise


REAL = Rules()


def long_watched(until: datetime = T0) -> Memory:
    """What a year of looks leaves: every server was heard on the day before."""
    servers = [Server(Hostname(f"ns{n}.example.org"), "192.0.2.1") for n in range(1, 5)]
    servers += [Server(Hostname(f"a{n}.example.com"), "192.0.2.2") for n in range(1, 4)]
    heard = {str(server): until - DAY for server in servers}
    one = OwnerMemory(watched_since=until - 365 * DAY, heard=heard, answered_at=until - DAY)
    return Memory(owners={MX: one, MX2: one})


def kept_up(memory: Memory, at: datetime) -> Memory:
    """The memory as daily runs leave it that saw no change until the day before."""

    def later(one: OwnerMemory) -> OwnerMemory:
        heard = dict.fromkeys(one.heard, at - DAY)
        return one._replace(heard=heard, answered_at=one.answered_at and at - DAY)

    return memory._replace(owners={name: later(one) for name, one in memory.owners.items()})


@dataclass
class Wait:
    """A lineage whose next key waits: each look is remembered, and the plan's steps are taken.

    The next key is made at T0 like `newkey` does, after a look without its record.  Unless
    ``past`` is empty, the owners have been watched for a year.  Between looks that are told, there
    are ``daily`` ones that see the same as the one before.
    """

    rules: Rules = REAL
    policy: Policy = field(default_factory=lambda: Policy(min_wait=timedelta(0), margin=HOUR))
    state: LineageState = field(default_factory=lambda: state(next_key=key_file("new")))
    memory: Memory = field(default_factory=Memory)
    steps: list[Step] = field(default_factory=list)
    past: Memory = field(default_factory=long_watched)
    daily: bool = True
    last: tuple[datetime, tuple[OwnerObservation, ...]] | None = None

    def __post_init__(self) -> None:
        self.memory = self.memory._replace(owners={**self.past.owners, **self.memory.owners})

    def look(self, at: datetime, *looks: OwnerObservation) -> Plan:
        """Look, and take the steps that follow until promotion; the plan that remains."""
        while self.daily and self.last is not None and at - self.last[0] > DAY:
            self._look(self.last[0] + DAY, *self.last[1])
        return self._look(at, *looks)

    def _look(self, at: datetime, *looks: OwnerObservation) -> Plan:
        self.last = (at, looks)
        while True:
            observation = Observation(self.state, seen(*looks), distrust="")
            self.memory = self.rules.remember(self.memory, self.state, observation.owners, at)
            plan = self.rules.plan(observation, self.memory, self.policy, at)
            self.memory = patience.after_plan(self.memory, plan, at)
            if plan.step not in (Step.MARK_READY, Step.BACK_TO_NEXT):
                return plan
            self.steps.append(plan.step)
            self._take(plan.step)

    def _take(self, step: Step) -> None:
        file = self.state.awaited
        assert file is not None
        if step is Step.MARK_READY:
            assert self.memory.awaiting is not None
            since = self.memory.awaiting.seen_since
            assert since is not None
            self.state = self.state._replace(next=None, ready=file._replace(modified=since))
        else:
            self.state = self.state._replace(next=file, ready=None)

    def promotes(self, at: datetime, *looks: OwnerObservation) -> bool:
        """Whether a look at that time leads to promotion."""
        return self.look(at, *looks).step is Step.PROMOTE
