"""Lineages that danebot doesn't manage: whether mail stops at their next renewal, and the CA.

Nobody lists their TLSA owners, so the usual ones are looked up, once a day.  A secure denial of
``_tcp.HOST`` denies all below it (RFC 8020), and no sender uses what isn't secure, so one
observation a host is mostly enough.  What was found stands in ``unmanaged.json`` beside the status
document, with what is remembered of the CA: there is no ``rollover.json`` for them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot import cli_ini
from danebot.adapters.codec import decode, encode
from danebot.adapters.files import make_directory, read_own, write_file
from danebot.domain.dns.answers import Presence, Security, TlsaAnswer
from danebot.domain.finding import Finding, most_serious_first
from danebot.domain.lineage.state import LineageState, Management
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.dates import RECKONABLE
from danebot.domain.rollover.evidence.memory import Contact, Failure, Memory, Reading
from danebot.domain.rollover.records.unmanaged import (
    KeyReuse,
    SecureRecords,
    breaks_at_renewal,
    known_by,
    unmatched_records,
)
from danebot.errors import DanebotError, TreeError
from danebot.jobs.observing import attempted
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.jobs.context import Context
    from danebot.jobs.view import LineageView

FILE = "unmanaged.json"
_SCHEMA = 1
_FRESH = timedelta(hours=20)  # a daily job begins a little earlier on some days
_MOST = 640  # names looked up in a run; the rest has its turn in the next
_DECIDED = (Security.SECURE, Security.INSECURE)


class Known(NamedTuple):
    """What is known of one lineage: when and below which names it was looked, and what was found.

    ``relied`` are the owners at which senders knew its chain at an observation.
    """

    lineage: str
    looked_at: datetime | None = None
    names: tuple[DnsName, ...] = ()
    published: tuple[SecureRecords, ...] = ()
    relied: tuple[DnsName, ...] = ()
    contacts: tuple[Contact, ...] = ()
    renewal_failure: Failure | None = None
    clock: Reading | None = None

    @property
    def memory(self) -> Memory:
        """What of it a lineage under care has in its own memory."""
        return Memory(
            contacts=self.contacts, renewal_failure=self.renewal_failure, clock=self.clock
        )


class _Document(NamedTuple):
    schema: int
    lineages: tuple[Known, ...] = ()


class Unmanaged:
    """The file, read once and written when something changed."""

    def __init__(self, directory: Path) -> None:
        """Read it; a file that can't be used is begun anew: that costs lookups."""
        self._path = directory / FILE
        self._known: dict[str, Known] = {}
        try:
            text = json.loads(read_own(self._path))
            document = decode(_Document, text, within=RECKONABLE)
            if document.schema == _SCHEMA:
                self._known = {one.lineage: one for one in document.lineages}
        except (DanebotError, ValueError, RecursionError):
            pass
        self._stored = dict(self._known)

    def __getitem__(self, name: str) -> Known:
        return self._known.get(name, Known(name))

    def __setitem__(self, name: str, known: Known) -> None:
        self._known[name] = known

    def remember(self, name: str, memory: Memory) -> None:
        """Take over what is remembered of the CA."""
        asked = bool(memory.contacts) or memory.renewal_failure is not None
        self[name] = self[name]._replace(
            contacts=memory.contacts,
            renewal_failure=memory.renewal_failure,
            clock=memory.clock if asked else None,
        )

    def keep(self, names: Iterable[str]) -> None:
        """Write what is known of ``names``, if anything changed; raises `TreeError`."""
        blank = {name: Known(name) for name in names}
        left = {
            name: known
            for name, known in sorted(self._known.items())
            if name in blank and known != blank[name]
        }
        if left != self._stored:
            document = encode(_Document(_SCHEMA, tuple(left.values())))
            make_directory(self._path.parent, 0o755)
            write_file(self._path, json.dumps(document).encode())
            self._stored = left


def with_next_renewals(
    context: Context, views: Sequence[LineageView], known: Unmanaged
) -> tuple[LineageView, ...]:
    """The views, with what the next renewals of unmanaged lineages break."""
    states = [v.state for v in views if v.state.management is Management.PASS_THROUGH]
    states = [state for state in states if state.live is not None]
    if not states:
        return tuple(views)
    _look(context, states, known)
    now = context.clock()

    def foreseen(view: LineageView) -> LineageView:
        found = (*view.findings, *_findings(context, view.state, known, now))
        return view._replace(findings=most_serious_first(found))

    return tuple(foreseen(view) if view.state in states else view for view in views)


def _findings(
    context: Context, state: LineageState, known: Unmanaged, now: datetime
) -> tuple[Finding, ...]:
    found = attempted(state.name, lambda: _breaks(context, state, known[state.name], now))
    return (found,) if isinstance(found, Finding) else found


def _breaks(
    context: Context, state: LineageState, found: Known, now: datetime
) -> tuple[Finding, ...]:
    unmatched = unmatched_records(state, found.published, found.relied, now)
    try:
        reuse = _reuse(context, state.name)
    except TreeError:
        return (
            unmatched  # certbot doesn't renew by what it can't read; a fault of the files says so
        )
    return (*unmatched, *breaks_at_renewal(state, reuse, found.published, now))


def _reuse(context: Context, name: str) -> KeyReuse:
    """Whether certbot keeps the key, by the lineage's configuration or certbot's own.

    Raises `TreeError` where the lineage's can't be read.
    """
    if context.tree.conf(name).enabled("reuse_key"):
        return KeyReuse.KEPT
    environment = {**os.environ, **context.settings.environment}
    everywhere = cli_ini.settings(context.tree.root, environment)
    return KeyReuse.KEPT if cli_ini.enabled(everywhere, "reuse-key") else KeyReuse.NEW


# ---- looking --------------------------------------------------------------------------------


def _look(context: Context, states: Sequence[LineageState], known: Unmanaged) -> None:
    """Look up what is due, for all of ``states`` together."""
    now = context.clock()
    stale = [state for state in states if _stale(known[state.name], state, now)]
    hosts = {state.name: _hosts(state) for state in stale}
    above = {base: DnsName.parse(f"_tcp.{base}") for bases in hosts.values() for base in bases}
    denials = _answers(context, above.values())
    wanted = {name: _below(bases, above, denials) for name, bases in hosts.items()}
    for state in states:
        if state.name not in wanted:  # it was looked at lately: what was there may have changed
            wanted[state.name] = ()
    room = _MOST
    asked: dict[str, tuple[DnsName, ...]] = {}
    states_of = {state.name: state for state in states}
    for name, owners in wanted.items():
        if owners is None or len(owners) > room:
            continue
        room -= len(owners)
        state = states_of[name]
        asked[name] = tuple(dict.fromkeys((*owners, *state.owners, *_before(known[name], state))))
    answers = _answers(context, (owner for owners in asked.values() for owner in owners))
    for name, owners in asked.items():
        found = _published(owners, answers)
        if found is not None:
            looked = now if name in hosts else known[name].looked_at
            denied = {
                owner
                for owner in owners
                if answers[owner].secure and answers[owner].presence is not Presence.PRESENT
            }
            # Only a secure denial, or another certificate, ends it that an owner is relied on.
            relied = [owner for owner in known[name].relied if owner in set(owners) - denied]
            former = known[name]._replace(relied=tuple(relied))
            known[name] = _learnt(former, states_of[name], found, looked)


def _stale(known: Known, state: LineageState, now: datetime) -> bool:
    since = known.looked_at
    fresh = since is not None and timedelta(0) <= now - since < _FRESH
    return not fresh or known.names != _names(state)


def _names(state: LineageState) -> tuple[DnsName, ...]:
    return tuple(sorted(state.live.chain.names)) if state.live is not None else ()


def _hosts(state: LineageState) -> tuple[str, ...]:
    from danebot.domain.rollover.records.adoption import LONGEST_HOST

    bases = (name.text.removeprefix("*.") for name in _names(state))
    return tuple(dict.fromkeys(base for base in bases if len(base) < LONGEST_HOST))


def _answers(context: Context, owners: Iterable[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
    every = tuple(dict.fromkeys(owners))
    return context.observer.lookup_owners(every) if every else {}


def _below(
    bases: Iterable[str], above: Mapping[str, DnsName], denials: Mapping[DnsName, TlsaAnswer]
) -> tuple[DnsName, ...] | None:
    """The owners that may have secure records; None where that can't be told now."""
    from danebot.domain.rollover.records.adoption import usual_owners

    answers = {base: denials[above[base]] for base in bases}
    if any(answer.security not in _DECIDED for answer in answers.values()):
        return None
    there = [
        DnsName.parse(base)
        for base, answer in answers.items()
        if answer.security is Security.SECURE and answer.presence is not Presence.NXDOMAIN
    ]
    return usual_owners(there)


def _before(known: Known, state: LineageState) -> Iterator[DnsName]:
    """The owners known so far, at hosts that the certificate still names."""
    ends = tuple(f".{base}" for base in _hosts(state))
    for owner in (*(one.owner for one in known.published), *known.relied):
        if owner.text.endswith(ends):
            yield owner


def _published(
    owners: Iterable[DnsName], answers: Mapping[DnsName, TlsaAnswer]
) -> tuple[SecureRecords, ...] | None:
    """What secure answers have; None if one wasn't given."""
    found = [answers[owner] for owner in owners]
    if any(answer.security not in _DECIDED for answer in found):
        return None
    return tuple(
        SecureRecords(answer.name, tuple(sorted(answer.records)))
        for answer in found
        if answer.security is Security.SECURE and answer.presence is Presence.PRESENT
    )


def _learnt(
    known: Known, state: LineageState, found: tuple[SecureRecords, ...], looked: datetime | None
) -> Known:
    relied = dict.fromkeys((*known.relied, *known_by(state, found)))
    return known._replace(
        looked_at=looked, names=_names(state), published=found, relied=tuple(relied)
    )
