"""One probe of one address, without a socket or a clock: bytes and the time go in, bytes come out.

A driver connects, hands over what arrives, sends what it is given, and calls `Session.expired` at
``deadline``; when the session is DONE, it closes.  The dialogue before TLS is `dialogue.Dialogue`,
TLS runs in memory.  That octets are handed to TLS only after the STARTTLS answer, and never the
other way round, is what keeps injected plain text out.
"""

from __future__ import annotations

import contextlib
import enum
import os
import ssl
from datetime import timedelta

from danebot.adapters.network_errors import NO_ROUTE, SHORTAGE
from danebot.adapters.probe.dialogue import Dialogue, DialogueState
from danebot.adapters.probe.target import Limits, Target
from danebot.adapters.probe.tls import client_context, explain, presented_chain
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.names import Hostname, Protocol, printable

MAX_HANDSHAKE = 262144  # octets; OpenSSL takes 100 KiB of certificates
LINGER = 1.0  # seconds left for the peer's own farewell
_RECORD_TYPES = (0x15, 0x16)  # alert, handshake: how an answer to a ClientHello begins
PATIENCE = timedelta(minutes=5)  # of senders, for the greeting and each answer: RFC 5321 4.5.3.2
CONNECT_PATIENCE = timedelta(seconds=5)  # three packets unanswered, on Linux
_POLITE = (ProbeOutcome.NO_STARTTLS, ProbeOutcome.REFUSED)


class SessionPhase(enum.Enum):
    """What a session is doing."""

    CONNECTING = enum.auto()
    TALKING = enum.auto()
    SHAKING_HANDS = enum.auto()
    PARTING = enum.auto()
    DONE = enum.auto()


class Session:
    """The state of one probe; times are seconds of any one monotonic clock.

    ``deadline`` is when to call `expired`; ``result`` is meaningful once the ``phase`` is DONE.  No
    method raises for anything that the peer or the network does.
    """

    def __init__(self, target: Target, limits: Limits, helo: Hostname, now: float) -> None:
        self.target = target
        self.phase = SessionPhase.CONNECTING
        self.result = self._result(ProbeOutcome.TIMEOUT, "not probed")
        self._limits = limits
        self._end = now + limits.total.total_seconds()
        self._allow(limits.connect, now)
        host = target.endpoint.host
        self._dialogue = Dialogue(
            target.endpoint.protocol,
            helo=helo,
            to=target.domain or host,
            max_bytes=limits.max_bytes,
        )
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As octets the name isn't sent through the IDNA codec, which takes 10 ms to import.
        self._tls = client_context(target.algorithm).wrap_bio(
            self._incoming, self._outgoing, server_hostname=(target.sni or host).text.encode()
        )
        self._received = 0  # octets in this phase

    def connected(self, now: float) -> bytes:
        """Begin, and return what to send."""
        self._allow(self._limits.step, now)
        self.phase = SessionPhase.TALKING
        return self._talk(self._dialogue.speak(), now)

    def receive(self, data: bytes, now: float) -> bytes:
        """Take what the peer sent (not empty), and return what to send it."""
        self._received += len(data)
        match self.phase:
            case SessionPhase.TALKING:
                taken = self._dialogue.steps_taken
                said = self._dialogue.receive(data)
                if self._dialogue.steps_taken > taken:
                    self._allow(self._limits.step, now)
                return self._talk(said, now)
            case SessionPhase.SHAKING_HANDS:
                return self._take_handshake(data, now)
            case _:
                if self._received > self._limits.max_bytes:
                    self.phase = SessionPhase.DONE
                return b""

    def unable(self, error: OSError) -> None:
        """Conclude: this host's own kernel refused before anything was sent."""
        if error.errno in NO_ROUTE:
            self._conclude(ProbeOutcome.NO_ROUTE, _words(error))
        elif error.errno in SHORTAGE:
            self._conclude(ProbeOutcome.SHORTAGE, _words(error))
        else:
            self.broken(error)

    def broken(self, error: OSError | None = None) -> None:
        """Conclude: the connection failed or, without an error, was closed by the peer."""
        why = _words(error) if error else "connection closed"
        if self.phase in (SessionPhase.PARTING, SessionPhase.DONE):
            self.phase = SessionPhase.DONE
        elif isinstance(error, TimeoutError):
            self._conclude(ProbeOutcome.TIMEOUT, why)
        elif self.phase is SessionPhase.CONNECTING:
            self._conclude(ProbeOutcome.UNREACHABLE, why)
        elif self.phase is SessionPhase.TALKING:
            silent = not self._dialogue.received
            outcome = ProbeOutcome.REFUSED if silent else ProbeOutcome.PROTOCOL_ERROR
            self._conclude(outcome, f"{why} instead of the {self._awaited}{self._heard}")
        else:
            self._conclude(ProbeOutcome.TLS_FAILED, f"{why} in the handshake")

    def expired(self) -> None:
        """Conclude: ``deadline`` was reached."""
        if self.phase not in (SessionPhase.PARTING, SessionPhase.DONE):
            connecting = self.phase is SessionPhase.CONNECTING
            limit = self._limits.connect if connecting else self._limits.step
            if self.deadline >= self._end:
                limit = self._limits.total
            whole = " for the whole probe" if limit is self._limits.total else ""
            enough = limit >= (CONNECT_PATIENCE if connecting else PATIENCE)
            self._conclude(
                ProbeOutcome.TIMEOUT if enough else ProbeOutcome.CUT_SHORT,
                f"no {self._awaited} within {limit.total_seconds():g} s{whole}{self._heard}",
            )
        self.phase = SessionPhase.DONE

    @property
    def _awaited(self) -> str:
        match self.phase:
            case SessionPhase.CONNECTING:
                return "connection"
            case SessionPhase.TALKING:
                return self._dialogue.awaited
            case _:
                return "end of the TLS handshake"

    @property
    def _heard(self) -> str:
        """What of an answer came, to be added to a failure."""
        heard = self._dialogue.incomplete if self.phase is SessionPhase.TALKING else ""
        return f", only: {heard}" if heard else ""

    def _allow(self, limit: timedelta, now: float) -> None:
        self.deadline = min(self._end, now + limit.total_seconds())

    def _result(self, outcome: ProbeOutcome, detail: str) -> ProbeResult:
        target = self.target
        return ProbeResult(
            target.endpoint, target.address, outcome, target.algorithm, detail=detail
        )

    def _conclude(self, outcome: ProbeOutcome, detail: str) -> None:
        self.result = self._result(outcome, detail)
        self.phase = SessionPhase.DONE

    def _talk(self, said: bytes, now: float) -> bytes:
        """Follow the dialogue's state after it said something."""
        failure = self._dialogue.failure
        if self._dialogue.state is DialogueState.START_TLS:
            self.phase = SessionPhase.SHAKING_HANDS
            self._received = 0
            return said + self._shake_hands(now)
        if failure is None:
            return said
        self._conclude(failure.outcome, failure.detail)
        if failure.outcome not in _POLITE:
            return b""
        return self._part(self._dialogue.goodbye, now)

    def _part(self, goodbye: bytes, now: float) -> bytes:
        """Wait a little for the peer to close: closing first would reset its last words."""
        self.phase = SessionPhase.PARTING
        self._received = 0
        self.deadline = min(self._end, now + LINGER)
        return goodbye

    def _take_handshake(self, data: bytes, now: float) -> bytes:
        first = self._received == len(data)
        if first and data[0] not in _RECORD_TYPES:
            self._plain_text(data)
            return b""
        if self._received > MAX_HANDSHAKE:
            self._conclude(ProbeOutcome.TLS_FAILED, f"handshake over {MAX_HANDSHAKE} octets")
            return b""
        self._incoming.write(data)
        return self._shake_hands(now)

    def _plain_text(self, data: bytes) -> None:
        """Conclude: no TLS record follows.  After STARTTLS, that is injection that came late."""
        text = printable(data.decode("utf-8", "backslashreplace").strip())
        if self.target.endpoint.protocol is Protocol.TLS:
            self._conclude(ProbeOutcome.TLS_FAILED, f"the answer is not TLS: {text}")
        else:
            self._conclude(ProbeOutcome.INJECTED, text)

    def _shake_hands(self, now: float) -> bytes:
        try:
            self._tls.do_handshake()
            chain = presented_chain(self._tls)
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        except ssl.SSLError as exc:
            self._conclude(ProbeOutcome.TLS_FAILED, explain(exc, self.target.algorithm))
            return self._outgoing.read()  # the alert
        target = self.target
        self.result = ProbeResult(
            target.endpoint,
            target.address,
            ProbeOutcome.SERVED,
            target.algorithm,
            chain,
            self._tls.version() or "",
        )
        with contextlib.suppress(ssl.SSLError):
            if self._dialogue.goodbye:
                self._tls.write(self._dialogue.goodbye)
            self._tls.unwrap()  # queues the close_notify, then wants the peer's
        return self._part(self._outgoing.read(), now)


def _words(error: OSError) -> str:
    """A failure of the network in printable words."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return printable(reason[:1].lower() + reason[1:])
