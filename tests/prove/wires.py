"""What name servers, peers, readers and programs send, for the very functions that take it apart.

No socket is opened.  Each wire has sound octets to begin from, and a function that reads others:
it returns, or raises one of danebot's own errors.  Anything else is a fault, and so is a
`Difference` to a second reader.  Doubles say so where they stand.
"""

from __future__ import annotations

import ssl
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import dns.message
import dns.tsig

from adapters import trees
from adapters.services import HELO, HOST, SERVICES, answered
from danebot.adapters.certbot.failures import cause_of, failures_of, reason_of
from danebot.adapters.dns import message as wire
from danebot.adapters.dns.wire_names import MalformedError
from danebot.adapters.probe.dialogue import Dialogue, DialogueState
from danebot.adapters.probe.session import Session, SessionPhase
from danebot.adapters.probe.target import DEFAULT_LIMITS, Target
from danebot.adapters.probe.traced import TracedSession
from danebot.adapters.process import Ended, Ending
from danebot.adapters.publish.rfc2136 import _signature_trouble
from danebot.adapters.trace import Trace
from danebot.domain.dane import certificate
from danebot.domain.dane.references import References
from danebot.domain.dane.verify import verify_chain
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage import pem
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.errors import CertificateError
from domain import pki
from prove import dns_wire
from prove.difference import Difference, same
from prove.http_wire import HTTP_SEEDS, read_request
from prove.mutations import armoured, der
from prove.wire import Wire

_A_MINUTE = timedelta(minutes=1)


def _pieces(data: bytes) -> Iterator[bytes]:
    """The same octets as they may arrive; the same each time."""
    sizes = zlib.crc32(data)
    at = 0
    while at < len(data):
        size = (1, 2, 7, 30, 200, 1000, 9000, 60000)[sizes & 7]
        sizes = sizes >> 3 or zlib.crc32(data[at : at + 8])
        yield data[at : at + size]
        at += size


# ---- dialogues before TLS --------------------------------------------------------------------


def _dialogue(protocol: Protocol) -> Wire:
    def play(*chunks: bytes) -> Dialogue:
        talk = Dialogue(protocol, helo=HELO, to=HOST)
        talk.speak()
        for chunk in chunks:
            if talk.state is DialogueState.TALKING:
                talk.receive(chunk)
        return talk

    def read(data: bytes) -> None:
        whole, parts = play(data), play(*_pieces(data))
        same("in pieces", _verdict(whole), _verdict(parts))
        same("in pieces", whole.steps_taken, parts.steps_taken)
        for talk in (whole, parts):
            if talk.failure is not None and not talk.failure.detail.isprintable():
                raise Difference("a failure that can't be printed")
        if not parts.incomplete.isprintable():
            raise Difference("a beginning that can't be printed")
        if zlib.crc32(data) % 16 == 0:
            _session(Target(Endpoint(HOST, 25, protocol), "192.0.2.1"), data)

    rows = SERVICES[protocol]
    seeds = [answered(rows), *(answered(rows[:n]) for n in range(1, len(rows)))]
    return Wire((*seeds, *_REFUSALS), read)


_REFUSALS = (
    *(b"554 5.7.1 no\r\n", b"220 hi\r\n250 hi\r\n", b"220 hi\r\n502 what?\r\n", b"* BYE\r\n"),
    *(b"* PREAUTH x\r\n", b"* OK hi\r\na1 NO x\r\n", b"-ERR\r\n", b'NO "x"\r\n', b"<error>"),
    bytes.fromhex("300c02010178070a013404000400"),
)


def _verdict(talk: Dialogue) -> DialogueState | ProbeOutcome:
    """The outcome; octets after the last answer are left out, as they may not have come yet."""
    if talk.failure is None or talk.failure.outcome is ProbeOutcome.INJECTED:
        return talk.state if talk.failure is None else DialogueState.START_TLS
    return talk.failure.outcome


# ---- TLS ---------------------------------------------------------------------------------------


def _session(target: Target, data: bytes) -> None:
    """A whole probe, with all that it would say in a trace; a double of the socket."""
    trace = Trace()
    session: Session = TracedSession(trace, target, DEFAULT_LIMITS, HELO, 0.0)
    session.connected(0.0)
    for chunk in _pieces(data):
        if session.phase is not SessionPhase.DONE:
            session.receive(chunk, 0.0)
    if session.phase is not SessionPhase.DONE:
        session.broken() if zlib.crc32(data) & 1 else session.expired()
    if session.phase is not SessionPhase.DONE or not session.result.detail.isprintable():
        raise Difference(f"a session that ends with {session.result}")
    if not all(line.isprintable() for line in trace.lines()):
        raise Difference("a trace that can't be printed")


def _handshakes() -> Wire:
    """First flights of servers, recorded: up to the first signature, which then isn't right."""
    issued = pki.issue("a", names=("mail.example",), of_key="rsa2048 wire")
    flights = []
    with tempfile.TemporaryDirectory() as directory:
        for chain in (issued.key_pem + issued.pem, _combo()):
            file = Path(directory) / "combo.pem"
            file.write_bytes(chain)
            versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
            flights += [_flight(file, version) for version in versions]
    alert = bytes.fromhex("15030300020228")
    seeds = (*flights, alert, b"220 mail.example ESMTP\r\n", flights[0] + alert)
    return Wire(seeds, partial(_session, Target(Endpoint(HOST, 443, Protocol.TLS), "192.0.2.1")))


def _combo() -> bytes:
    return trees.leaf("one", 1).key_pem + trees.leaf("one", 1).pem + trees.authority()[1].pem


def _flight(combo: Path, version: ssl.TLSVersion) -> bytes:
    """What a server answers to a ClientHello of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = version
    context.load_cert_chain(combo)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    target = Target(Endpoint(HOST, 443, Protocol.TLS), "192.0.2.1")
    incoming.write(Session(target, DEFAULT_LIMITS, HELO, 0.0).connected(0.0))
    with suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return outgoing.read()


# ---- certificates and keys ---------------------------------------------------------------------


def _certificates() -> Wire:
    usage = pki.key_usage("digital_signature")
    ca = trees.authority()[1]
    leaf = trees.leaf("one", 1)
    rich = pki.issue(None, names=("a.test", "*.b.test"), usage=usage, extended=(pki.SERVER_AUTH,))
    odd = pki.issue("rsa.test", names=("rsa.test",), of_key="rsa2048 wire")
    edwards = pki.issue("e.test", of_key="ed25519 wire")
    references = References(Hostname.parse(trees.NAME))
    anchors = (
        TlsaRecord(2, 0, 0, ca.der),
        TlsaRecord(2, 1, 0, ca.spki),
        TlsaRecord(3, 1, 0, leaf.spki),
        TlsaRecord(0, 0, 0, ca.der),
    )

    def read(data: bytes) -> None:
        turn = zlib.crc32(data) % 16
        if turn == 0:
            verify_chain(anchors, (data, ca.der), references, pki.NOW, trust_anchors=(ca.der,))
        elif turn == 1:
            verify_chain(anchors[:2], (leaf.der, data), references, pki.NOW)
        found = certificate.read(data)
        spki = pem.leaf_spki(data)
        if found is None:
            return
        ours, theirs = certificate.read_public_key(found.spki), found.public_key
        if theirs is not None and spki and ours is not None:
            same("the key", pem.spki_der(ours), pem.spki_der(theirs))
        if turn < 4:
            certificate.check_signature(found, theirs)
        certificate.may_have_signed(theirs, found)

    return Wire((leaf.der, ca.der, rich.der, odd.der, edwards.der), read, der)


def _keys() -> Wire:
    def read(data: bytes) -> None:
        blocks = list(pem.private_key_blocks(data))
        try:
            key = pem.read_private_key(data)
            again = pem.read_private_key(pem.canonical_private_key(data))
        except CertificateError:
            return
        same("as PKCS#8", key, again)
        if key not in [found for _, found in blocks]:
            raise Difference("a key in no block")

    kinds = ("wire", "rsa2048 wire", "ed25519 wire")
    keys = tuple(pki.issue("k", of_key=kind).key_pem for kind in kinds)
    return Wire((*keys, keys[0] + keys[1]), read, armoured)


def _chains() -> Wire:
    def read(data: bytes) -> None:
        chain = pem.read_chain(data)
        same("as PEM again", chain, pem.read_chain(pem.to_pem(chain.ders)))

    leaf, ca = trees.leaf("one", 1), trees.authority()[1]
    return Wire((leaf.pem + ca.pem, pki.issue("x", names=("x.test",)).pem), read, armoured)


# ---- updates, and what programs write --------------------------------------------------------


_KEY = dns.tsig.Key("lab.", "c2VjcmV0IHNlY3JldCBzZWNyZXQ=", "hmac-sha256")


def _updates() -> Wire:
    """Answers to a signed message; nobody who hasn't the key can sign one that was changed."""
    sent = dns.message.make_query(f"_25._tcp.{trees.NAME}", "TLSA")
    sent.use_tsig(_KEY)
    sent.to_wire()
    signed = dns.message.make_response(sent)
    signed.use_tsig(_KEY)
    sound = signed.to_wire()
    signature = wire.decode_message(sound).signed_at

    def read(data: bytes) -> None:
        try:
            reply = wire.decode_message(data)
        except MalformedError:
            return
        at = reply.signed_at
        if _signature_trouble(sent, data, at) is None and data[2:at] != sound[2:signature]:
            raise Difference("a signature of something else")

    unsigned = dns.message.make_response(dns.message.make_query("x.", "SOA")).to_wire()
    return Wire((sound, unsigned), read)


def _output() -> Wire:
    """What certbot, a hook or a publisher wrote."""

    def read(data: bytes) -> None:
        ended = Ended(Ending.EXITED, 1, data.decode("utf-8", "replace"), _A_MINUTE)
        said = [*ended.lines, reason_of(ended, _A_MINUTE)]
        said += [text for found in failures_of(ended).items() for text in found]
        cause_of(ended)
        if not all(line.isprintable() for line in said):
            raise Difference("a line that can't be printed")

    seeds = (
        b"reloaded\n\x1b[31mred\x1b[0m\r\n",
        (
            b"Failed to renew certificate a.test with error: urn:ietf:params:acme:error:"
            b"rateLimited :: too many\nAll renewals failed. The following certificates could not "
            b"be renewed:\n  /etc/letsencrypt/live/a.test/fullchain.pem (failure)\n"
        ),
        b"Domain: a.test\nDetail: no route\nan unexpected error occurred:\nx\n",
        b"Another instance of Certbot is already running.\n",
    )
    return Wire(seeds, read)


WIRES: Mapping[str, Callable[[], Wire]] = {
    "DNS messages": lambda: Wire(dns_wire.seeds(), dns_wire.read),
    **{
        f"dialogues: {protocol.value}": partial(_dialogue, protocol)
        for protocol in Protocol
        if protocol is not Protocol.TLS
    },
    "TLS handshakes": _handshakes,
    "certificates": _certificates,
    "chains": _chains,
    "keys": _keys,
    "HTTP requests": lambda: Wire(HTTP_SEEDS, read_request),
    "DNS UPDATE answers": _updates,
    "output of programs": _output,
}
"""By name, made when wanted."""
