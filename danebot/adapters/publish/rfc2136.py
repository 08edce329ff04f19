"""DNS UPDATE (RFC 2136) with TSIG (RFC 8945): TLSA records into the zone's primary server.

Others may change the same RRset at any time.  So it is read at that server first, and the update
carries what was read as a prerequisite (RFC 2136 section 2.4.2; 2.4.3 for none): if it isn't so any
more, the server changes nothing, and all begins again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.dns import message as wire
from danebot.adapters.dns.queries import Steps, together
from danebot.adapters.dns.rcodes import RCODE_WORDS, Rcode
from danebot.adapters.dns.rdata import AAAA, CNAME, SOA, TLSA, A
from danebot.adapters.dns.resolvconf import DNS_PORT, ResolverConfig
from danebot.adapters.dns.resolver import Resolver, records
from danebot.adapters.dns.response import Response, RRsetKey
from danebot.adapters.dns.wire_names import MalformedError
from danebot.adapters.dns.zones import Zones
from danebot.adapters.publish.views import shows
from danebot.domain.addresses import literal
from danebot.domain.dns.answers import Presence
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, printable
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.records.changes import Change, ChangeResult
from danebot.errors import ConfigError

if TYPE_CHECKING:
    import dns.message
    import dns.rdataset
    import dns.tsig

    from danebot.config import ServerAddress

_ATTEMPTS = 10
_PAUSE = 0.05  # seconds, growing with each attempt: others at work get done
_UPDATE = 5  # the opcode (RFC 2136 section 1.3)
_CHANGED = (Rcode.YXRRSET, Rcode.NXRRSET)

_LOOK_AGAIN = 5.0  # seconds, to see whether an update was made whose answer got lost

_OF_UPDATE = {
    int(Rcode.REFUSED): ChangeOutcome.REFUSED,
    int(Rcode.NOTAUTH): ChangeOutcome.NOT_AUTHORITATIVE,
    int(Rcode.NOTZONE): ChangeOutcome.NOT_AUTHORITATIVE,
}
_OF_READ = {
    int(Rcode.REFUSED): ChangeOutcome.READ_REFUSED,
    # Of a query it can say nothing else (RFC 8945 section 5.2).
    int(Rcode.NOTAUTH): ChangeOutcome.BAD_SIGNATURE,
}


@dataclass(frozen=True, slots=True)
class UpdatePlace:
    """Where to send updates: the server as it is called, its addresses, the zone."""

    name: str
    addresses: tuple[str, ...]
    port: int
    zone: DnsName


@dataclass(frozen=True, slots=True)
class _Present:
    """The RRset as the server has it."""

    records: tuple[TlsaRecord, ...]
    ttl: timedelta | None


class _StoppedError(Exception):
    """The attempt is over; the outcome says how."""

    def __init__(self, outcome: ChangeOutcome, detail: str = "") -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = printable(detail)


@dataclass(frozen=True)
class Updater:
    """`ports.Publisher` by RFC 2136.

    ``server`` and ``zone`` None are found from the zone's SOA record.  ``timeout`` is for one
    change, retries included; where the answer got lost, 5 seconds more are for a look.
    """

    config: ResolverConfig
    key_file: Path
    timeout: timedelta
    server: ServerAddress | None = None
    zone: DnsName | None = None

    def publish(self, change: Change) -> ChangeResult:
        """Make one change; trouble is in the result."""
        return self._with_server(change, lambda session: session.make(change))

    def rehearse(self, change: Change) -> ChangeResult:
        """Send the update for a change of nothing, which has prerequisites alone; UNCHANGED."""
        return self._with_server(change, lambda session: session.rehearse(change))

    def _with_server(
        self, change: Change, act: Callable[[_Session], ChangeOutcome]
    ) -> ChangeResult:
        from danebot.adapters.publish.tsig import load_tsig_key

        deadline = time.monotonic() + self.timeout.total_seconds()
        name = str(self.server or "")
        try:
            key = load_tsig_key(self.key_file)
            place = self._place(change)
            name = place.name
            session = _Session(place, key, deadline)
            outcome = act(session)
            if not shows(change, session.answered, place.port, deadline):
                return ChangeResult(change, ChangeOutcome.VIEWS, name)
            return ChangeResult(change, outcome, name)
        except ConfigError as exc:
            return ChangeResult(change, ChangeOutcome.KEY_FILE, name, str(exc))
        except _StoppedError as exc:
            return ChangeResult(change, exc.outcome, name, exc.detail)

    def _place(self, change: Change) -> UpdatePlace:
        """The server and the zone: as configured, or by the SOA record (RFC 2136 section 4.3)."""
        from danebot.adapters.dns.exchange import resolve

        zone, host, port = resolve(self._start_of_authority(change))
        address = literal(host)
        addresses = resolve(self._addresses(DnsName(host))) if address is None else (address,)
        if not addresses:
            raise _StoppedError(ChangeOutcome.NO_SERVER, f"{host or 'the root'} has no address")
        return UpdatePlace(host, addresses, port, zone)

    def _start_of_authority(self, change: Change) -> Steps[tuple[DnsName, str, int]]:
        """The zone of the target, its primary server and that server's port."""
        resolver = Resolver(self.config)
        zone = self.zone or change.zone or (yield from Zones(resolver).apex_above(change.target))
        if zone is None:
            raise _StoppedError(ChangeOutcome.NO_ZONE)
        if self.server is not None:
            return zone, self.server.host, self.server.port
        answer = yield from resolver.lookup(SOA, zone)
        if answer.presence is Presence.UNKNOWN:
            raise _StoppedError(ChangeOutcome.NO_SERVER, answer.detail)
        if not answer.records or answer.canonical != zone:
            raise _StoppedError(ChangeOutcome.NO_ZONE, f"{zone} has no SOA record")
        return zone, answer.records[0].primary.text, DNS_PORT

    def _addresses(self, name: DnsName) -> Steps[tuple[str, ...]]:
        resolver = Resolver(self.config)
        found = yield from together([resolver.lookup(kind, name) for kind in (A, AAAA)])
        return tuple(address for answer in found for address in answer.records)


@dataclass
class _Session:
    """One change at one server; ``answered`` is the address that did last."""

    place: UpdatePlace
    key: dns.tsig.Key
    deadline: float
    answered: str = ""

    def make(self, change: Change) -> ChangeOutcome:
        """Read, change if it is as read, and begin again if it isn't."""
        for attempt in range(1, _ATTEMPTS + 1):
            present = self._read(change.target)
            left = change.against(present.records)
            if left.empty:
                return ChangeOutcome.UNCHANGED
            if not left.safe(present.records):
                raise _StoppedError(ChangeOutcome.UNSAFE)
            harmed = left.overrules(present.records)
            if harmed:
                raise _StoppedError(ChangeOutcome.OVERRULES, ", ".join(map(str, harmed)))
            update = self._update(left, present)
            try:
                reply = self._ask(update)
            except _StoppedError as exc:
                if exc.outcome is ChangeOutcome.UNREACHABLE and self._made(change):
                    return ChangeOutcome.DONE
                raise
            if reply.rcode == Rcode.NOERROR:
                return ChangeOutcome.DONE
            if reply.rcode not in _CHANGED:
                raise _stopped(update, reply)
            time.sleep(_PAUSE * attempt)
        raise _StoppedError(ChangeOutcome.CONFLICT)

    def rehearse(self, change: Change) -> ChangeOutcome:
        """Have the server check signature and prerequisites (RFC 2136 section 3.2)."""
        update = self._update(replace(change, add=(), remove=()), self._read(change.target))
        reply = self._ask(update)
        if reply.rcode in (Rcode.NOERROR, *_CHANGED):
            return ChangeOutcome.UNCHANGED
        raise _stopped(update, reply)

    def _made(self, change: Change) -> bool:
        """Whether a change is there after all, though no answer said so."""
        self.deadline = max(self.deadline, time.monotonic() + _LOOK_AGAIN)
        try:
            return change.against(self._read(change.target).records).empty
        except _StoppedError:
            return False

    def _read(self, target: DnsName) -> _Present:
        """The RRset at the server itself, past every cache."""
        import dns.flags
        import dns.message

        query = dns.message.make_query(f"{target}.", TLSA.word)
        query.flags = dns.flags.Flag(0)  # no recursion: what the server itself has
        reply = self._ask(query)
        if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) or not reply.authoritative:
            raise _stopped(query, reply)
        if RRsetKey(target.text, CNAME.rdtype) in reply.answer:
            raise _StoppedError(ChangeOutcome.ALIAS)
        found, rejects = records(TLSA, reply.answer, target.text)
        if rejects:
            raise _StoppedError(ChangeOutcome.SERVER_FAILED, "; ".join(rejects))
        rrset = reply.answer.get(RRsetKey(target.text, TLSA.rdtype))
        return _Present(found, None if rrset is None else timedelta(seconds=rrset.ttl))

    def _update(self, change: Change, present: _Present) -> dns.message.Message:
        import dns.name
        import dns.update

        update = dns.update.UpdateMessage(f"{self.place.zone}.")
        owner = dns.name.from_text(f"{change.target}.")
        if present.records:
            update.present(owner, _rdataset(present.records, 0))
        else:
            update.absent(owner, TLSA.word)
            update.absent(owner, CNAME.word)  # where there is one, additions are silently ignored
        ttl = int(change.new_ttl(present.ttl).total_seconds())
        if change.remove:
            update.delete(owner, _rdataset(change.remove, 0))
        if change.add:
            update.add(owner, _rdataset(change.add, ttl))
        return update

    def _ask(self, message: dns.message.Message) -> Response:
        """The signed answer to a signed message, from the first address that can be reached."""
        message.use_tsig(self.key)
        sent = message.to_wire()
        trouble = ""
        for address in self.place.addresses:
            try:
                received = self._exchange(address, sent)
            except OSError as exc:
                trouble = f"{address}: {exc.strerror or str(exc) or type(exc).__name__}"
                continue
            self.answered = address
            try:
                reply = wire.decode_message(received)
            except MalformedError as exc:
                raise _StoppedError(
                    ChangeOutcome.SERVER_FAILED, f"malformed answer: {exc}"
                ) from exc
            outcome = _signature_trouble(message, received, reply.signed_at)
            if outcome is ChangeOutcome.UNTRUSTED and (
                reply.rcode != Rcode.NOERROR or _is_resolvers(message, reply)
            ):  # errors often come without a signature; they change nothing
                raise _stopped(message, reply)
            if outcome is not None:
                raise _StoppedError(outcome, RCODE_WORDS.get(reply.rcode, ""))
            return reply
        raise _StoppedError(ChangeOutcome.UNREACHABLE, trouble)

    def _exchange(self, address: str, sent: bytes) -> bytes:
        """Over TCP: an RRset with what must be so of it may be long."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        share = left / len(self.place.addresses)
        until = time.monotonic() + share
        with socket.create_connection((address, self.place.port), timeout=share) as sock:
            sock.sendall(wire.frame(sent))
            stream = bytearray()
            while (message := wire.unframe(stream)) is None:
                sock.settimeout(max(until - time.monotonic(), 0.001))
                data = sock.recv(65535)
                if not data:
                    raise ConnectionError("connection closed early")
                stream += data
        if message[:2] != sent[:2]:
            raise ConnectionError("answers another message")
        return message


def _stopped(message: dns.message.Message, reply: Response) -> _StoppedError:
    """What an unusable answer means, which depends on whether it answers a query or an update."""
    if message.opcode() == _UPDATE:
        outcome = _OF_UPDATE.get(reply.rcode, ChangeOutcome.SERVER_FAILED)
    elif _is_resolvers(message, reply):
        outcome = ChangeOutcome.RESOLVER
    elif reply.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return _StoppedError(ChangeOutcome.NOT_AUTHORITATIVE, "answer without AA")
    else:
        outcome = _OF_READ.get(reply.rcode, ChangeOutcome.SERVER_FAILED)
    return _StoppedError(outcome, reply.words)


def _is_resolvers(message: dns.message.Message, reply: Response) -> bool:
    """Whether somebody answers a query who offers recursion, and isn't the zone's server."""
    return message.opcode() != _UPDATE and reply.recursive and not reply.authoritative


def _rdataset(found: Iterable[TlsaRecord], ttl: int) -> dns.rdataset.Rdataset:
    """As generic rdata: dnspython refuses TLSA data of the wrong length, which may be there."""
    import dns.rdata
    import dns.rdataclass
    import dns.rdataset
    import dns.rdatatype

    kind = (dns.rdataclass.IN, dns.rdatatype.TLSA)
    rdatas = [
        dns.rdata.GenericRdata(*kind, bytes((r.usage, r.selector, r.mtype)) + r.data) for r in found
    ]
    return dns.rdataset.from_rdata_list(ttl, rdatas)


def _signature_trouble(
    sent: dns.message.Message, received: bytes, signed_at: int | None
) -> ChangeOutcome | None:
    """What is wrong with an answer's TSIG, or what it says is wrong with ours; None if all is well.

    UNTRUSTED: it has none, or none that is right (RFC 8945 section 5.3).
    """
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.tsig
    import dns.wire

    if signed_at is None:
        return ChangeOutcome.UNTRUSTED
    try:
        parser = dns.wire.Parser(received, signed_at)
        owner = parser.get_name()
        rdtype, rdclass, _ttl, length = parser.get_struct("!HHIH")
        with parser.restrict_to(length):
            rdata = dns.rdata.from_wire_parser(
                dns.rdataclass.RdataClass(rdclass), dns.rdatatype.RdataType(rdtype), parser
            )
        dns.tsig.validate(  # type: ignore[no-untyped-call]
            received, sent.keyring, owner, rdata, int(time.time()), sent.mac, signed_at
        )
    except (dns.tsig.PeerBadTime, dns.tsig.BadTime):
        return ChangeOutcome.BAD_TIME
    except dns.tsig.PeerError:
        return ChangeOutcome.BAD_KEY
    except dns.exception.DNSException:
        return ChangeOutcome.UNTRUSTED
    return None
