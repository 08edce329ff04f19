"""Sessions that write down what is said, for a trace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from danebot.adapters.probe.session import Session, SessionPhase
from danebot.adapters.probe.target import Limits, Target
from danebot.adapters.trace import Trace
from danebot.domain.dane.certificate import read
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Hostname, Protocol

_MAX_LINES = 100  # heard in one session
_MAX_LINE = 1000  # octets after which a line that doesn't end is told in part
_MAX_CERTIFICATES = 16
_MAX_NAMES = 8


class TracedSession(Session):
    """A session whose words, TLS and end go to ``trace``."""

    def __init__(
        self, trace: Trace, target: Target, limits: Limits, helo: Hostname, now: float
    ) -> None:
        super().__init__(target, limits, helo, now)
        at = f"[{target.address}]" if ":" in target.address else target.address
        self._trace, self._peer = trace, f"{at}:{target.port or target.endpoint.port}"
        self._unfinished = b""
        self._lines_heard = 0
        self._in_tls = False
        only = "" if target.algorithm is Algorithm.ANY else f", {target.algorithm.value} alone"
        self._note(f"connecting, for {target.endpoint}{only}")

    def connected(self, now: float) -> bytes:
        """Begin."""
        self._note("connected")
        return self._told(super().connected(now))

    def receive(self, data: bytes, now: float) -> bytes:
        """Go on."""
        if self.phase is SessionPhase.TALKING:
            self._hear(data)
        return self._told(super().receive(data, now))

    def _conclude(self, outcome: ProbeOutcome, detail: str) -> None:
        super()._conclude(outcome, detail)
        self._finish_line()
        self._note(f"{outcome.value}: {detail}")

    def _told(self, said: bytes) -> bytes:
        """Note what is about to be sent."""
        served = self.result.outcome is ProbeOutcome.SERVED
        if self.phase is SessionPhase.SHAKING_HANDS or served:
            if not self._in_tls:
                self._in_tls = True
                self._finish_line()
                sni = self.target.sni or self.target.endpoint.host
                self._note(f"> TLS handshake, SNI {sni}")
            if served and said:
                self._served()
        elif said and not self._in_tls:
            self._finish_line()
            for line in said.splitlines():
                self._note(f"> {_words(line)}")
        return said

    def _served(self) -> None:
        cipher = self._tls.cipher()
        self._note(f"{self.result.tls_version}, {cipher[0] if cipher else 'no cipher'}")
        for line in _certificates(self.result.chain):
            self._note(line)
        for word in self._dialogue.goodbye.splitlines():
            self._note(f"> {_words(word)} (in TLS)")

    def _hear(self, data: bytes) -> None:
        if self.target.endpoint.protocol is Protocol.LDAP:  # binary: 0x0a ends no line
            self._hear_line(data)
            return
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._hear_line(line)
        if len(self._unfinished) > _MAX_LINE:
            self._finish_line()

    def _finish_line(self) -> None:
        if self._unfinished:
            self._hear_line(self._unfinished)
            self._unfinished = b""

    def _hear_line(self, line: bytes) -> None:
        self._lines_heard += 1
        if self._lines_heard <= _MAX_LINES:
            self._note(f"< {_words(line)}")
        elif self._lines_heard == _MAX_LINES + 1:
            self._note("< ... more than is shown")

    def _note(self, text: str) -> None:
        self._trace.say(self._peer, text)


def _words(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "backslashreplace")


def _certificates(chain: tuple[bytes, ...]) -> Iterator[str]:
    """A line for each that was presented, with what a TLSA record of it would hold."""
    for depth, der in enumerate(chain[:_MAX_CERTIFICATES]):
        found = read(der)
        words = "can't be read"
        if found is not None and found.facts is not None and found.parsed is not None:
            facts, parsed = found.facts, found.parsed
            named = ", ".join(facts.dns_names[:_MAX_NAMES])
            words = (
                f"subject {parsed.subject.rfc4514_string()[:100] or 'none'}, "
                f"issuer {parsed.issuer.rfc4514_string()[:100] or 'none'}, "
                + (f"names {named[:200]}, " if named else "")
                + f"valid {facts.not_before:%Y-%m-%d %H:%M} to {facts.not_after:%Y-%m-%d %H:%M} UTC"
            )
        yield f"certificate {depth}: {words}"
        spki = "" if found is None else f"SPKI SHA2-256 {hashlib.sha256(found.spki).hexdigest()}, "
        yield f"  {spki}Cert SHA2-256 {hashlib.sha256(der).hexdigest()}"
    if len(chain) > _MAX_CERTIFICATES:
        yield f"... and {len(chain) - _MAX_CERTIFICATES} more certificates"
