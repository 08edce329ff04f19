"""One lineage in a real tree under real locks, with DNS, the CA, services and the clock in memory.

These four don't fail, lag or age on demand; tests/e2e has the same with real servers and certbot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.adapters.certbot.command import Certbot, CertbotRun
from danebot.adapters.process import Ending
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import recall
from danebot.adapters.tree.paths import LineagePaths, archive_versions
from danebot.adapters.tree.tree import Tree
from danebot.config import Settings
from danebot.config.settings import LineageSettings
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.routes import MailRoute
from danebot.domain.dns.answers import (
    OwnerObservation,
    Presence,
    ServerAnswer,
    ServerOutcome,
    TlsaAnswer,
)
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.event import Event
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Endpoint, Hostname, Protocol
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import Call, CallResult, Memory, Reading
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.adoption import Leads
from danebot.domain.rollover.records.changes import Change, ChangeResult
from danebot.jobs.context import Context
from danebot.jobs.renew import RenewalOutcome as Renewed
from danebot.jobs.renew import renew_lineages
from danebot.jobs.snapshot import Scope
from domain import builders
from domain.builders import HOUR

OWNER = DnsName.parse(f"_25._tcp.{NAME}")


def record(key: str) -> TlsaRecord:
    """The ``3 1 1`` record of the tree's key of that name."""
    return builders.line(OWNER).record(trees.public(key).spki)


@dataclass
class Zone:
    """Every server has ``keys``; a publisher changes them, may be told to fail, and may lag.

    The server ``silent`` gives no answer.  The ``others`` are owners that have the same.
    """

    keys: list[str] = field(default_factory=lambda: ["one"])
    lags: bool = False
    silent: str = ""
    others: tuple[DnsName, ...] = ()
    looks: int = 0
    asked: list[Change] = field(default_factory=list)
    outcome: ChangeOutcome = ChangeOutcome.DONE

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        self.looks += 1
        assert set(owners) <= {OWNER, *self.others}
        return {owner: self._look(owner) for owner in owners}

    def _look(self, owner: DnsName) -> OwnerObservation:
        records = tuple(map(record, self.keys))
        empty = builders.look(owner=owner)
        servers = tuple(one._replace(records=records, ttl=HOUR) for one in empty.servers)
        answer = empty.answer._replace(presence=Presence.PRESENT, records=records, ttl=HOUR)
        assert all(one.outcome is ServerOutcome.ANSWERED for one in servers)
        servers = tuple(
            ServerAnswer(one.server, builders.UNREACHABLE)
            if one.server.name.text == self.silent
            else one
            for one in servers
        )
        return empty._replace(servers=servers, answer=answer)

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        return {owner: look.answer for owner, look in self.observe_owners(owners).items()}

    def lookup_leads(self, domains: Sequence[Hostname]) -> Leads:
        raise AssertionError(domains)

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        raise AssertionError(domains)

    def publish(self, change: Change) -> ChangeResult:
        self.asked.append(change)
        if self.outcome is ChangeOutcome.DONE and not self.lags:
            there = {record(key): key for key in ("one", "two", "three")}
            self.keys += [there[one] for one in change.add]
            self.keys = [key for key in self.keys if record(key) not in change.remove]
        return ChangeResult(change, self.outcome)


@dataclass
class Issuer:
    """certbot and the CA: issues for the key that is staged, or refuses.

    Only when told to, a renewal finds something ``due``, and wants its key's type said
    (``other_key``); ``ending`` is how certbot ends, and
    ``named`` whether its words name the lineage.  ``remembered`` is what ``rollover.json`` said at
    each call.
    """

    grown: Grown
    refusal: str = ""
    due: bool = False
    named: bool = True
    ending: Ending = Ending.EXITED
    one_by_one: bool = False
    other_key: bool = False
    calls: list[str] = field(default_factory=list)
    remembered: list[Memory] = field(default_factory=list)

    def renew(self, lineage: str | None = None, key_type: KeyType | None = None) -> CertbotRun:
        assert key_type in (None, KeyType.P256)
        self.calls.append("renew")
        assert lineage in (None, NAME)
        self.remembered.append(recall(self.grown.paths)[0])
        if self.other_key and key_type is None:
            return self._run("not this key")._replace(other_key=frozenset({NAME}))
        if self.due and not self.refusal:
            self._issue()
            self.due = False
        return self._run(self.refusal)

    def revoke(self, certificate: Path, key: Path, server: str) -> CertbotRun:
        self.calls.append(f"revoke {key.name}")
        assert b"CERTIFICATE" in certificate.read_bytes()
        del server
        self.remembered.append(recall(self.grown.paths)[0])
        return self._run(self.refusal)

    def promote(self, lineage: str, key_type: KeyType | None) -> CertbotRun:
        assert (lineage, key_type) == (NAME, KeyType.P256)
        self.calls.append("promote")
        self.remembered.append(recall(self.grown.paths)[0])
        if not self.refusal:
            self._issue()
        return self._run(self.refusal)

    def _issue(self) -> None:
        paths = self.grown.paths
        (key,) = (
            name
            for name in ("one", "two", "three")
            if trees.key_pem(name) == (paths.staging / "privkey.pem").read_bytes()
        )
        number = max(archive_versions(paths)) + 1
        self.grown.version(number, key)
        self.grown.link(paths.staging, number)

    def _run(self, reason: str) -> CertbotRun:
        failures = {NAME: reason} if reason and self.named else {}
        status = 1 if reason else 0
        return CertbotRun((), status, self.ending, None, reason, (), timedelta(0), failures)


@dataclass
class Service:
    """The one service presents the certificate of a key, or can't be asked; ``asked`` counts.

    That certificate ends so many ``days`` after the beginning.
    ``other_key`` is that of another certificate, for those who ask for an RSA one.  A ``protocol``
    is as configured: results tell it, whatever is usual at the port.
    """

    key: str = "one"
    other_key: str = ""
    number: int = 1
    days: int = 20
    outcome: ProbeOutcome = ProbeOutcome.SERVED
    asked: int = 0
    protocol: Protocol | None = None

    def probe(
        self, lineage: str, endpoints: Sequence[Endpoint], algorithm: Algorithm = Algorithm.ANY
    ) -> Sequence[ProbeResult]:
        assert lineage == NAME
        self.asked += 1
        (endpoint,) = endpoints
        endpoint = endpoint._replace(protocol=self.protocol or endpoint.protocol)
        outcome, key = self.outcome, self.key
        if algorithm is Algorithm.RSA:
            key = self.other_key
            outcome = self.outcome if key else ProbeOutcome.TLS_FAILED
        served = outcome is ProbeOutcome.SERVED
        chain = (trees.leaf(key, self.number, self.days).der,) if served else ()
        return [ProbeResult(endpoint, "192.0.2.25", outcome, algorithm, chain)]


class World:
    """What a run is given, and the time."""

    def __init__(self, root: Path) -> None:
        self.grown = trees.staged(root / "tree")
        (self.grown.paths.staging / "dane-ee").write_text(f"1 {OWNER}\n")
        trust = root / "root.pem"
        trust.write_bytes(trees.authority()[0].pem)
        self.zone = Zone()
        self.service = Service()
        self.issuer = Issuer(self.grown)
        self.now = trees.now()
        self.jump = timedelta(0)
        self.settings = Settings(
            snapshot=root / "state" / "status.json",
            ca_file=trust,
            common=LineageSettings(Policy(unseen_ttl=HOUR), hooks=("true",), probe=False),
        )
        self._start = self.now
        self.events: list[Event] = []

    @property
    def paths(self) -> LineagePaths:
        return self.grown.paths

    @property
    def memory(self) -> Memory:
        return recall(self.paths)[0]

    @property
    def last_call(self) -> tuple[Call, CallResult]:
        """How the CA was last asked, by what is on disk."""
        contact = self.memory.contacts[-1]
        return contact.call, contact.result

    def clock(self) -> datetime:
        return self.now

    def reading(self) -> Reading:
        """The host is up since the beginning, whatever the clock showed meanwhile."""
        return Reading("boot", self.now - self._start - self.jump, self.now)

    @property
    def context(self) -> Context:
        return Context(
            Tree(self.grown.root),
            self.settings,
            self.zone,
            self.service,
            lambda _: self.zone,
            self.clock,
            reading=self.reading,
            record=self.events.append,
        )

    @property
    def certbot(self) -> Certbot:
        return cast("Certbot", self.issuer)

    def renew(self) -> Renewed:
        """The daily job."""
        with TreeLock(self.grown.root) as lock:
            return renew_lineages(self.context, self.certbot, lock, (NAME,), scope=Scope.EVERYTHING)

    def pass_time(self, span: timedelta) -> Renewed:
        """Let a time pass, with a run on each day, and one at its end."""
        end = self.now + span
        while end - self.now > builders.DAY:
            self.now += builders.DAY
            self.renew()
        self.now = end
        return self.renew()
