"""Questions to name servers and their answers, for a trace."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Reply
from danebot.adapters.dns.rdata import AAAA, CNAME, MX, NS, SOA, SRV, TLSA, A, RecordKind
from danebot.adapters.dns.response import RRSIG, Rdata, Response, RRsetKey, signatures
from danebot.adapters.dns.wire_names import MalformedError
from danebot.adapters.loop import Lane, Work
from danebot.adapters.trace import Trace
from danebot.errors import DanebotError

_KINDS: dict[int, RecordKind[Any]] = {
    kind.rdtype: kind for kind in (A, NS, CNAME, SOA, MX, AAAA, SRV, TLSA)
}
_SHOWN = 64  # octets of rdata that nobody reads here


def traced_queries(trace: Trace, lane: Lane) -> Lane:
    """The same lane, with all that is asked and answered in ``trace``."""
    return lane._replace(begin=lambda query: _TracedQuery(trace, query, lane))


class _TracedQuery:
    """A query under way that says what it does (`danebot.adapters.loop.Work`)."""

    def __init__(self, trace: Trace, query: Query, lane: Lane) -> None:
        at = f"[{query.address}]" if ":" in query.address else query.address
        self._trace, self._peer = trace, f"{at}:{query.port}"
        self._question = f"{query.name or '.'} {_type(query.rdtype)}"
        unchecked = ", checking disabled" if query.ask is Ask.UNCHECKED else ""
        again = f", attempt {query.attempt + 1}" if query.attempt else ""
        self._say(f"> {self._question}{unchecked}{again}")
        self._work: Work = lane.begin(query)
        self._told()

    @property
    def sock(self) -> socket.socket | None:
        """That of the query."""
        return self._work.sock

    @property
    def events(self) -> int:
        """What it waits for."""
        return self._work.events

    @property
    def deadline(self) -> float:
        """When it waits no longer."""
        return self._work.deadline

    @property
    def reply(self) -> object | None:
        """Its reply, once there is one."""
        return self._work.reply

    def ready(self, sock: socket.socket, events: int) -> None:
        """Go on."""
        self._work.ready(sock, events)
        if self._work.sock is not sock and self._work.reply is None:
            self._say(f"< {self._question}: cut off, again over TCP")
        self._told()

    def failed(self, error: OSError) -> None:
        """End: the socket failed."""
        self._work.failed(error)
        self._told()

    def expired(self) -> None:
        """End: no time is left."""
        self._work.expired()
        self._told()

    def _say(self, text: str) -> None:
        self._trace.say(self._peer, text)

    def _told(self) -> None:
        reply: Any = self._work.reply
        if reply is not None:
            for line in _reply(self._question, reply):
                self._say(line)


def _reply(question: str, reply: Reply) -> Iterator[str]:
    if isinstance(reply, QueryFailure):
        yield f"< {question}: {reply}"
        return
    rcode, *extended = reply.words.split("; ", 1)
    words = [rcode, "AD" if reply.authentic else "no AD", *(["AA"] if reply.authoritative else [])]
    yield f"< {question}: {'; '.join([', '.join(words), *extended])}"
    for key, rrset in reply.answer.items():
        for text in _signed(reply, key) if key.rdtype == RRSIG else _records(key, rrset.rdatas):
            yield f"  {key.name} {rrset.ttl} {_type(key.rdtype)} {text}"


def _type(rdtype: int) -> str:
    kind = _KINDS.get(rdtype)
    return "RRSIG" if rdtype == RRSIG else kind.word if kind is not None else f"TYPE{rdtype}"


def _signed(reply: Response, key: RRsetKey) -> Iterator[str]:
    for one in signatures(reply.answer, key.name, key.covers):
        begin, end = (datetime.fromtimestamp(at, UTC) for at in (one.inception, one.expiration))
        span = f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
        yield f"{_type(key.covers)}, by {one.signer or '.'}, {span}"


def _records(key: RRsetKey, rdatas: list[Rdata]) -> Iterator[str]:
    kind = _KINDS.get(key.rdtype)
    for rdata in rdatas:
        record: Any = None
        if kind is not None:
            with contextlib.suppress(DanebotError, MalformedError):
                record = kind.decode(rdata)
        if record is None:
            octets = rdata.octets  # RFC 3597 section 5
            more = "..." if len(octets) > _SHOWN else ""
            yield f"\\# {len(octets)} {octets[:_SHOWN].hex()}{more}"
        elif kind in (MX, SRV, SOA):
            yield " ".join("." if one is None else str(one) for one in record)
        else:
            yield str(record)
