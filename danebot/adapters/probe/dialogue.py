"""The dialogue before TLS begins, as one table of rows to say and answers to await.  Pure.

A dialogue is a script: its steps are taken in order, each says something and then reads one whole
answer.  Bytes go in, bytes to send come out; how the bytes arrive in pieces makes no difference.
Beyond a number of octets, of units, or of octets in one unit, the peer breaks the protocol.
Whatever follows the last answer was injected, as no server may speak again before TLS
(RFC 3207 section 6; CVE-2011-0411 and its kin).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from danebot.adapters.probe import replies as answers
from danebot.adapters.probe import replies_ldap as answers_ldap
from danebot.adapters.probe import replies_xmpp as answers_xmpp
from danebot.adapters.probe.replies import Cutter, Go, ReplyFailure, ReplyReader
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import Hostname, Protocol, printable
from danebot.tuples import NamedTuple

MAX_UNITS = 500  # lines or tags of one answer
_QUOTED = 100  # octets of an incomplete answer shown to people


class DialogueStep(NamedTuple):
    """One row: say something (``%(helo)s``: our name, ``%(to)s``: the service), await an answer."""

    awaited: str
    say: bytes
    read: ReplyReader


class Script(NamedTuple):
    """The dialogue of one protocol; ``goodbye`` politely ends a session, in TLS or before."""

    cut: Cutter = answers.cut_line
    goodbye: bytes = b""
    steps: tuple[DialogueStep, ...] = ()


def _smtp(hello: str) -> Script:
    """RFC 3207; LMTP differs in the first word alone (RFC 2033 section 4.1)."""
    return Script(
        goodbye=b"QUIT\r\n",
        steps=(
            DialogueStep("greeting", b"", answers.smtp_reply()),
            DialogueStep(
                f"answer to {hello}",
                hello.encode() + b" %(helo)s\r\n",
                answers.smtp_reply(offers=b"STARTTLS", absent=(500, 502)),
            ),
            DialogueStep("answer to STARTTLS", b"STARTTLS\r\n", answers.smtp_reply()),
        ),
    )


def _xmpp(namespace: bytes, sender: bytes = b"") -> Script:
    """RFC 6120 section 5.4; the ``to`` of the stream is the domain served, not the host."""
    return Script(
        cut=answers_xmpp.cut_tag,
        steps=(
            DialogueStep(
                "stream features",
                b"<?xml version='1.0'?><stream:stream" + sender + b" to='%(to)s' version='1.0'"
                b" xmlns='" + namespace + b"' xmlns:stream='http://etherx.jabber.org/streams'>",
                answers_xmpp.xmpp_features,
            ),
            DialogueStep(
                "answer to starttls",
                b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
                answers_xmpp.xmpp_proceed,
            ),
        ),
    )


# An ExtendedRequest, message 1, with the StartTLS object identifier (RFC 4511 section 4.14.1),
# and an UnbindRequest, message 2 (section 4.3).
_LDAP_STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
_LDAP_UNBIND = b"\x30\x05\x02\x01\x02\x42\x00"

SCRIPTS: Mapping[Protocol, Script] = {
    Protocol.TLS: Script(),
    Protocol.SMTP: _smtp("EHLO"),
    Protocol.LMTP: _smtp("LHLO"),
    Protocol.IMAP: Script(  # RFC 9051 section 6.2.1
        goodbye=b"a3 LOGOUT\r\n",
        steps=(
            DialogueStep("greeting", b"", answers.imap_greeting),
            DialogueStep(
                "answer to CAPABILITY",
                b"a1 CAPABILITY\r\n",
                answers.imap_answer(b"a1", offers=b"STARTTLS"),
            ),
            DialogueStep("answer to STARTTLS", b"a2 STARTTLS\r\n", answers.imap_answer(b"a2")),
        ),
    ),
    Protocol.POP3: Script(  # RFC 2595 section 4
        goodbye=b"QUIT\r\n",
        steps=(
            DialogueStep("greeting", b"", answers.pop3_status),
            DialogueStep("answer to CAPA", b"CAPA\r\n", answers.pop3_capabilities),
            DialogueStep("answer to STLS", b"STLS\r\n", answers.pop3_status),
        ),
    ),
    Protocol.SIEVE: Script(  # RFC 5804 sections 1.7 and 2.2
        cut=answers.cut_sieve,
        goodbye=b"LOGOUT\r\n",
        steps=(
            DialogueStep("greeting", b"", answers.sieve_answer(offers=b"STARTTLS")),
            DialogueStep("answer to STARTTLS", b"STARTTLS\r\n", answers.sieve_answer()),
        ),
    ),
    Protocol.XMPP_CLIENT: _xmpp(b"jabber:client"),
    Protocol.XMPP_SERVER: _xmpp(b"jabber:server", b" from='%(helo)s'"),
    Protocol.LDAP: Script(
        cut=answers_ldap.cut_ber,
        goodbye=_LDAP_UNBIND,
        steps=(DialogueStep("answer to StartTLS", _LDAP_STARTTLS, answers_ldap.ldap_extended),),
    ),
    Protocol.FTP: Script(  # RFC 4217 section 4: whether TLS is there shows when it is asked for
        goodbye=b"QUIT\r\n",
        steps=(
            DialogueStep("greeting", b"", answers.ftp_reply()),
            DialogueStep(
                "answer to AUTH TLS", b"AUTH TLS\r\n", answers.ftp_reply(absent=range(500, 600))
            ),
        ),
    ),
}


class DialogueState(enum.Enum):
    """Where a dialogue stands."""

    TALKING = enum.auto()
    START_TLS = enum.auto()
    FAILED = enum.auto()


class Dialogue:
    """One script being played: ``state`` says how it stands, ``failure`` how it failed.

    ``helo`` is the name given as our own, ``to`` the domain served (XMPP).  ``max_bytes`` bounds
    all that is read.  Nothing a peer sends makes a method raise.
    """

    def __init__(
        self, protocol: Protocol, *, helo: Hostname, to: Hostname, max_bytes: int = 65536
    ) -> None:
        self.state = DialogueState.TALKING
        self.failure: ReplyFailure | None = None
        self.steps_taken = 0
        self.received = 0  # octets
        self._script = SCRIPTS[protocol]
        self._names = {b"helo": helo.text.encode(), b"to": to.text.encode()}
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._units: list[bytes] = []

    @property
    def awaited(self) -> str:
        """What the peer has to send next, in words."""
        return self._script.steps[self.steps_taken].awaited

    @property
    def goodbye(self) -> bytes:
        """What ends the session politely, to be said inside TLS, or instead of it."""
        return self._script.goodbye

    @property
    def incomplete(self) -> str:
        """The beginning of what was received and is no whole answer yet, printable."""
        data = b" ".join([*self._units, self._buffer]).strip()
        return printable(data[:_QUOTED].decode("utf-8", "backslashreplace"))

    def receive(self, data: bytes) -> bytes:
        """Take what the peer sent, and return what to send it now."""
        self._buffer += data[: self._max_bytes - self.received]
        self.received += len(data)
        said = bytearray()
        while self.state is DialogueState.TALKING and (unit := self._next_unit()) is not None:
            self._units.append(unit)
            said += self._judge()
        if self.state is DialogueState.TALKING and self.received > self._max_bytes:
            self._violated(f"more than {self._max_bytes} octets")
        if self.state is DialogueState.START_TLS and (
            self._buffer or self.received > self._max_bytes
        ):
            self._fail(ReplyFailure.quoting(ProbeOutcome.INJECTED, bytes(self._buffer[:_QUOTED])))
        return bytes(said)

    def speak(self) -> bytes:
        """What to send now: at once when the connection stands, and after each whole answer."""
        if self.steps_taken == len(self._script.steps):
            self.state = DialogueState.START_TLS
            return b""
        return self._script.steps[self.steps_taken].say % self._names

    def _next_unit(self) -> bytes | None:
        end = self._script.cut(self._buffer, self._searched)
        if max(end, 0 if end else len(self._buffer)) > answers.MAX_UNIT:
            self._violated(f"a line or element over {answers.MAX_UNIT} octets")
            return None
        if not end:
            self._searched = len(self._buffer)
            return None
        unit = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._searched = 0
        return unit.rstrip(b"\r\n") if self._script.cut is answers.cut_line else unit

    def _judge(self) -> bytes:
        """Go on after one more unit of an answer."""
        step = self._script.steps[self.steps_taken]
        match step.read(self._units):
            case Go.NEXT:
                self._units.clear()
                self.steps_taken += 1
                return self.speak()
            case Go.MORE:
                if len(self._units) >= MAX_UNITS:
                    self._violated(f"more than {MAX_UNITS} lines or elements")
            case failure:
                self._fail(ReplyFailure(failure.outcome, f"{step.awaited}: {failure.detail}"))
        return b""

    def _violated(self, why: str) -> None:
        self._fail(ReplyFailure(ProbeOutcome.PROTOCOL_ERROR, f"{self.awaited}: {why}"))

    def _fail(self, failure: ReplyFailure) -> None:
        self.state = DialogueState.FAILED
        self.failure = failure
