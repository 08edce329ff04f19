"""``--recheck``: another look at DNS for the current keys' records, with today's eyes.

The severities are those of `danebot.domain.assess`; what that knows of the files is not known here,
so an RRset that holds records but none of the lineage's own is taken for a mismatch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from danebot.adapters.world import observer
from danebot.config.settings import Settings
from danebot.domain.addresses import parse_socket_address
from danebot.domain.dns import Cause, Presence, Security, ServerOutcome
from danebot.domain.names import DnsName
from danebot.domain.tlsa import TlsaRecord
from danebot_checks.lineages_concerns import Note
from danebot_checks.plugin import State, UsageError

if TYPE_CHECKING:
    import argparse

    from danebot.domain.addresses import SocketAddress
    from danebot.domain.dns import OwnerObservation, TlsaAnswer
    from danebot_checks.lineages_document import Entry


def recheck(chosen: Sequence[Entry], options: argparse.Namespace) -> list[Note]:
    """Look at every owner of a current record; `DanebotError` for what can't be asked."""
    wanted: dict[tuple[str, DnsName], list[TlsaRecord]] = {}
    for entry in chosen:
        for record in entry.entries("records"):
            if record.text("role") == "current":
                at = (entry.text("name"), DnsName.parse(record.text("owner")))
                wanted.setdefault(at, []).append(TlsaRecord.parse(record.text("record")))
    named = tuple(_address(words) for words in options.resolver) if options.resolver else None
    settings = Settings(resolvers=named, trust_resolver=options.trust_resolver)
    owners = tuple(dict.fromkeys(owner for _, owner in wanted))
    seen = observer(settings).observe_owners(owners) if owners else {}
    return [
        note for (name, owner), own in wanted.items() for note in _judged(name, own, seen[owner])
    ]


def _address(words: str) -> SocketAddress:
    found = parse_socket_address(words)
    if found is None:
        raise UsageError(f"--resolver {words!r}: want an IP address, and perhaps a port")
    return found


def _judged(name: str, own: Sequence[TlsaRecord], seen: OwnerObservation) -> Iterator[Note]:
    answer = seen.answer
    if answer.security is not Security.SECURE:
        yield _unsecured(name, answer)
    elif not set(own) & set(answer.records) and answer.presence is Presence.PRESENT:
        words = f"no TLSA record at {seen.owner} matches the live key: DANE senders defer mail"
        yield Note(State.CRITICAL, name, words, f"add now: {seen.owner}. IN TLSA {own[0]}")
    else:
        for record in own:
            if record not in answer.records:
                words = f"the live key's TLSA record is missing ({answer.presence.value})"
                remedy = f"add: {seen.owner}. IN TLSA {record}"
                yield Note(State.WARNING, name, f"{words} at {seen.owner}", remedy)
    heard = [one for one in seen.all_servers if one.outcome is ServerOutcome.ANSWERED]
    lacking = [str(one.server) for one in heard if not set(own) <= set(one.records)]
    if lacking:
        words = f"the live key's record at {seen.owner} is missing at {', '.join(lacking)}"
        yield Note(State.WARNING, name, words, "publish it, or see why that server lags")
    if seen.unheard:
        names = ", ".join(sorted(map(str, seen.unheard)))
        words = f"authoritative servers of {seen.owner} give no usable answer: {names}"
        yield Note(State.UNKNOWN, name, words, "mend them, or take them out of the NS set")


def _unsecured(name: str, answer: TlsaAnswer) -> Note:
    detail = f" ({answer.detail})" if answer.detail else ""
    if answer.security is Security.BOGUS:
        words = f"DNSSEC validation of {answer.name} fails{detail}: DANE senders defer mail"
        return Note(State.CRITICAL, name, words, "mend the zone's signatures or its DS record")
    if answer.security is Security.INSECURE and answer.cause is not Cause.UNTRUSTED:
        words = f"the answer for {answer.name} is not secured by DNSSEC{detail}"
        return Note(State.WARNING, name, words, "sign the zone, so that senders use the record")
    words = f"the validating resolver gives no answer for {answer.name} to rely on{detail}"
    return Note(State.UNKNOWN, name, words, "see that it runs, or name another with --resolver")
