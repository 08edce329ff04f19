"""Which TLSA owners a lineage is to watch: the rules of `init`, `watch` and `names`.

An owner is the lineage's if senders who hold its records accept the live chain.  Where they don't,
the records may be somebody else's, or this lineage's and out of date: what the service there serves
tells.  No answer is not absence: an owner that nobody could ask about may have records.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from danebot.domain.dns.answers import Cause, Presence, Security, TlsaAnswer
from danebot.domain.dns.tlsa import (
    Declared,
    MatchingType,
    Required,
    Selector,
    Usage,
    unusable_reason,
)
from danebot.domain.names import DnsName, Hostname, TlsaOwner, covers
from danebot.domain.rollover.evidence.anchors import matched_anchor
from danebot.domain.rollover.evidence.propagation import Observations, matches_chain
from danebot.domain.rollover.evidence.senders import senders_to
from danebot.domain.rollover.records.publication import OwnedRecord, additions
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.rollover.records.advice import Objection

TLSA_PORTS = (25, 465, 587, 143, 993, 110, 995, 443, 5222, 5223, 5269, 5270, 4190, 21, 990, 853)
"""Where TLSA records are looked for: mail, web, XMPP, ManageSieve, FTP, DNS over TLS."""

LONGEST_HOST = 240  # with a port and transport in front, a name has 253 octets


class Service(enum.Enum):
    """Whose key the service at an owner serves."""

    LIVE = "the live key"
    FORMER = "a former key of this lineage"
    OTHER = "another key"
    SILENT = "nothing"  # or it wasn't asked


class Standing(enum.Enum):
    """What an owner is to a lineage; the value is in words."""

    ABSENT = "no TLSA records"
    OURS = "its records match the live key"
    MISMATCH = "its service is this lineage's, but no record matches the live key"
    FOREIGN = "its records and its service are of another key"
    UNTOLD = "its records are of another key, and what is served there could not be seen"
    IDLE = "a wildcard gives it records, and no service answers there"
    UNANSWERED = "no answer"


_ADOPTED = (Standing.OURS, Standing.MISMATCH)
_OF_OTHERS = (Standing.FOREIGN, Standing.UNTOLD)


class Found(NamedTuple):
    """One owner that was looked at.

    ``target`` is where its records are, or belong: at the end of its aliases.  ``lines`` are those
    with which it is watched, whatever its standing; ``detail`` is printable, and what the resolver
    had to say.  ``unsigned`` if nothing shows that DNSSEC secures its records: no sender uses such
    (RFC 7672 section 2.2).
    """

    owner: DnsName
    standing: Standing
    target: DnsName
    lines: tuple[Required, ...] = ()
    detail: str = ""
    unsigned: bool = False

    @property
    def adopted(self) -> bool:
        """Whether the lineage watches it from now on."""
        return self.standing in _ADOPTED


class Lead(NamedTuple):
    """A host that MX or SRV records of ``domain`` name, with the port of the latter."""

    domain: DnsName
    host: Hostname
    port: int | None = None


class Leads(NamedTuple):
    """What MX and SRV records lead to; ``unanswered`` are the names that gave no answer."""

    found: tuple[Lead, ...] = ()
    unanswered: tuple[tuple[DnsName, str], ...] = ()


def hosts_of(names: Iterable[DnsName]) -> tuple[Hostname, ...]:
    """The hosts that a certificate's names are, sorted; a wildcard stands for its domain."""
    found = []
    for name in sorted({DnsName(one.text.removeprefix("*.")) for one in names}):
        with suppress(NameSyntaxError):
            found.append(Hostname.parse(name.text))
    return tuple(found)


def lead_on(names: Iterable[DnsName]) -> bool:
    """Whether MX and SRV records may lead to hosts that the names don't tell: by a wildcard."""
    return any(name.text.startswith("*.") for name in names)


def usual_owners(names: Iterable[DnsName], leads: Iterable[Lead] = ()) -> tuple[DnsName, ...]:
    """Where TLSA records of a certificate's names may be: each at the usual ports.

    So may they below the hosts of ``leads`` that the certificate covers.
    """
    every = tuple(names)
    led = [one for one in leads if covers(frozenset(every), one.host.dns_name)]
    bases = dict.fromkeys(name.text.removeprefix("*.") for name in sorted(every))
    bases |= dict.fromkeys(one.host.text for one in led)
    usual = [
        DnsName.parse(f"_{port}._tcp.{base}")
        for base in bases
        if len(base) < LONGEST_HOST
        for port in TLSA_PORTS
    ]
    named = [TlsaOwner(one.host, one.port).name for one in led if one.port is not None]
    return tuple(dict.fromkeys((*usual, *named)))


def first_owners(names: Iterable[DnsName], leads: Iterable[Lead] = ()) -> tuple[DnsName, ...]:
    """Where a lineage's first records may be published: port 25 of each host it is for."""
    every = tuple(names)
    led = {one.host.dns_name for one in leads if covers(frozenset(every), one.host.dns_name)}
    hosts = {name for name in every if not name.text.startswith("*.")} | led
    return tuple(
        DnsName.parse(f"_25._tcp.{host.text}")
        for host in sorted(hosts)
        if len(host.text) < LONGEST_HOST
    )


def bare_owners(state: LineageState) -> tuple[DnsName, ...]:
    """Where the first records of a lineage would be that watches none; () for any other."""
    return _may_own(state) if state.bare else ()


def _may_own(state: LineageState) -> tuple[DnsName, ...]:
    first = first_owners(state.serving.chain.names) if state.serving is not None else ()
    return tuple(one for one in first if one not in state.let_go)


def first_found(state: LineageState, found: Iterable[Found]) -> tuple[Found, ...]:
    """What was ``found`` where a lineage's first records would be."""
    owners = _may_own(state)
    return tuple(one for one in found if one.owner in owners)


def judged_beside(state: LineageState, seen: Observations, now: datetime) -> tuple[Found, ...]:
    """What these owners have by what was ``seen``; no service was asked."""
    live = state.serving
    if live is None:
        return ()
    answers = (seen[owner].answer for owner in bare_owners(state) if owner in seen)
    return tuple(judge_owner(one, live, Service.SILENT, now) for one in answers)


def doubtful(answer: TlsaAnswer, live: Held, now: datetime) -> bool:
    """Whether the records alone don't tell whose owner it is, so that its service is asked."""
    present = answer.presence is Presence.PRESENT
    return present and (answer.wildcard or not _accepted(answer, live, now))


def judge_owner(answer: TlsaAnswer, live: Held, service: Service, now: datetime) -> Found:
    """What an owner is to the lineage whose ``live`` chain is served.

    ``service`` counts where the records are `doubtful`: it must have been asked there.
    """
    detail = ""
    if answer.presence is Presence.UNKNOWN:
        standing, detail = Standing.UNANSWERED, answer.detail
    elif answer.presence is not Presence.PRESENT:
        standing = Standing.ABSENT
    else:
        standing = _standing(answer, live, service, now)
    lines = _lines(answer, live, now)
    unsigned = answer.security is Security.INSECURE and answer.signed_since is None
    unsigned = unsigned and answer.cause is not Cause.UNTRUSTED
    return Found(answer.name, standing, answer.canonical, lines, detail, unsigned)


def _standing(answer: TlsaAnswer, live: Held, service: Service, now: datetime) -> Standing:
    accepted = _accepted(answer, live, now)
    if accepted and not answer.wildcard:
        return Standing.OURS
    match service:
        case Service.LIVE | Service.FORMER:
            return Standing.OURS if accepted else Standing.MISMATCH
        case Service.OTHER:
            return Standing.FOREIGN
        case Service.SILENT:
            return Standing.IDLE if accepted else Standing.UNTOLD


def _accepted(answer: TlsaAnswer, live: Held, now: datetime) -> bool:
    """Whether senders accept the live chain by these records, or would but for other digests.

    Of the latter (RFC 7671 section 9) the records of the live key are the lineage's all the same.
    """
    of_key = any(
        record.usage == Usage.DANE_EE and matches_chain(record, live) for record in answer.records
    )
    return of_key or senders_to(answer.name, live, now).accept(answer.records, live)


def _lines(answer: TlsaAnswer, live: Held, now: datetime) -> tuple[Required, ...]:
    """The lines with which an owner is watched: in the forms of its DANE-EE SPKI records.

    Without any, it is that of the DANE-TA record by which senders accept the chain, or SHA2-256.
    """
    forms = dict.fromkeys(
        MatchingType(record.mtype)
        for record in answer.records
        if (record.usage, record.selector) == (Usage.DANE_EE, Selector.SPKI)
        and unusable_reason(record) is None
    )
    if not forms:
        anchor = matched_anchor(senders_to(answer.name, live, now), answer.records, live)
        forms = {MatchingType(anchor.mtype): None} if anchor is not None else {}
    return tuple(Required(form, answer.name) for form in forms or (MatchingType.SHA2_256,))


class Intake(NamedTuple):
    """What a search comes to for one lineage, in owners; ``add`` are lines for its ``dane-ee``.

    ``denied`` would be added, but the file says that there are no records at all.
    """

    add: tuple[Required, ...] = ()
    mismatched: tuple[DnsName, ...] = ()
    unanswered: tuple[DnsName, ...] = ()
    untold: tuple[DnsName, ...] = ()
    foreign: tuple[DnsName, ...] = ()
    idle: tuple[DnsName, ...] = ()
    let_go: tuple[DnsName, ...] = ()
    denied: tuple[DnsName, ...] = ()


def intake(state: LineageState, found: Iterable[Found]) -> Intake:
    """Hold what was found against what a lineage's files say already.

    Of owners that these list there is nothing to decide; those that they let go stay so.
    """
    listed = frozenset(state.owners)
    new = [one for one in found if one.owner not in listed]
    gone = [one.owner for one in new if one.adopted and one.owner in state.let_go]
    new = [one for one in new if one.owner not in state.let_go]
    adopted = [one for one in new if one.adopted]
    denied = state.declared is Declared.NO_RECORDS
    by_standing = {
        wanted: tuple(one.owner for one in new if one.standing is wanted) for wanted in Standing
    }
    return Intake(
        () if denied else tuple(line for one in adopted for line in one.lines),
        () if denied else by_standing[Standing.MISMATCH],
        by_standing[Standing.UNANSWERED],
        by_standing[Standing.UNTOLD],
        by_standing[Standing.FOREIGN],
        by_standing[Standing.IDLE],
        tuple(gone),
        tuple(one.owner for one in adopted) if denied else (),
    )


class Proposal(NamedTuple):
    """What is to be done so that a lineage has a first record, and has it watched.

    ``publish`` are records for where they belong, ``objections`` what stands in the way of others;
    ``there`` are owners whose records are published already, ``others`` those to publish at that
    have another key's, and ``unanswered`` those of which nobody knows.
    """

    publish: tuple[OwnedRecord, ...]
    there: tuple[DnsName, ...]
    unanswered: tuple[DnsName, ...]
    objections: tuple[Objection, ...] = ()
    others: tuple[DnsName, ...] = ()


def refusing(found: Iterable[Found], own: Iterable[DnsName]) -> tuple[DnsName, ...]:
    """The owners whose records refuse the live chain; of other keys' those that may be ``own``."""
    mine = frozenset(own)
    return tuple(
        one.owner
        for one in found
        if one.standing is Standing.MISMATCH or (one.standing in _OF_OTHERS and one.owner in mine)
    )


def first_lines(found: Iterable[Found], first: Iterable[DnsName]) -> tuple[Required, ...]:
    """The lines for which a lineage that watches nothing lacks records: at ``first`` without its.

    Where its records are published already, they need only be watched, unless they don't match its
    live key.
    """
    every, wanted = tuple(found), frozenset(first)
    refused = frozenset(refusing(every, wanted))
    return tuple(
        line
        for one in every
        if one.owner in refused or (one.owner in wanted and one.standing is Standing.ABSENT)
        for line in one.lines
    )


def propose(
    found: Iterable[Found],
    lacking: LineageState,
    observations: Observations,
    known: Iterable[bytes],
) -> Proposal:
    """The first records of a lineage: as `additions` judges whatever is to be added.

    ``lacking`` is the lineage with `first_lines` in place of those that it doesn't have;
    ``known`` are the DER SPKIs of all keys in use.
    """
    every, key = tuple(found), lacking.current_key
    records: tuple[OwnedRecord, ...] = ()
    objections: tuple[Objection, ...] = ()
    if key is not None:
        records, objections = additions(lacking, key, observations, known)
    places = {(one.place, one.record): one for one in reversed(records)}
    return Proposal(
        tuple(reversed(places.values())),
        tuple(one.owner for one in every if one.adopted),
        tuple(one.owner for one in every if one.standing is Standing.UNANSWERED),
        objections,
        tuple(o.owner for o in every if o.standing in _OF_OTHERS and o.owner in lacking.owners),
    )


def by_host(owners: Iterable[DnsName]) -> str:
    """Owners in words, compactly: each host once, with its ports."""
    ports: dict[str, list[int]] = {}
    others: list[str] = []
    for name in owners:
        owner = TlsaOwner.from_name(name)
        if owner is None:
            others.append(str(name))
        else:
            ports.setdefault(f"_{owner.transport.value}.{owner.base}", []).append(owner.port)
    return ", ".join((*(_ports(where, at) for where, at in ports.items()), *others))


def _ports(where: str, ports: list[int]) -> str:
    if len(ports) == 1:
        return f"_{ports[0]}.{where}"
    if set(ports) >= set(TLSA_PORTS):
        return f"{where} ({len(ports)} ports)"
    return f"{where} (ports {', '.join(map(str, sorted(ports)))})"
