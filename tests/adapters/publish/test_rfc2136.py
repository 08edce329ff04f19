"""What servers may answer to updates, forced from a small one; and the key file."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from unittest import mock

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update
import pytest

from danebot.adapters.dns import message as wire
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.adapters.publish.rfc2136 import Updater
from danebot.adapters.publish.tsig import load_tsig_key
from danebot.config import ServerAddress
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.records.changes import Change, ChangeResult
from danebot.errors import ConfigError

NAME, ZONE = DnsName("_25._tcp.mail.example.test"), DnsName("example.test")
LIVE, NEW = (TlsaRecord(3, 1, 1, bytes((n,)) * 32) for n in (1, 2))
KEY = 'key "lab" { algorithm hmac-sha256; secret "c2VjcmV0IHNlY3JldCBzZWNyZXQ="; };'
TSIG = dns.tsig.Key("lab.", "c2VjcmV0IHNlY3JldCBzZWNyZXQ=", "hmac-sha256")
_TLSA = (dns.rdataclass.IN, dns.rdatatype.TLSA)
Answer = Callable[[dns.message.Message], bytes]


@contextmanager
def server(answer: Answer) -> Iterator[tuple[ServerAddress, list[dns.message.Message]]]:
    """A primary that answers as it is told; where it is, and what it was sent."""
    heard: list[dns.message.Message] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            while True:
                client, _ = listener.accept()
                with client:
                    if stop.is_set():
                        return
                    stream = bytearray()
                    while (message := wire.unframe(stream)) is None:
                        stream += client.recv(65535)
                    query = dns.message.from_wire(message, keyring=TSIG, continue_on_error=True)
                    query.wire = bytes(message)  # the oldest dnspython doesn't keep it
                    heard.append(query)
                    client.sendall(answer(query))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield ServerAddress(host, port), heard
        finally:
            stop.set()
            socket.create_connection((host, port)).close()
            thread.join(5)


def is_update(query: dns.message.Message) -> bool:
    return query.opcode() == dns.opcode.UPDATE


def reply(
    query: dns.message.Message, rcode: str = "NOERROR", *rdatas: bytes, signed: bool = True
) -> bytes:
    """An answer, with these TLSA records in it."""
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    response.set_rcode(dns.rcode.from_text(rcode))
    if not signed:
        response.tsig = None
        response.want_tsig_sign = False
    if rdatas:
        rrset = dns.rrset.RRset(query.question[0].name, *_TLSA)
        for rdata in rdatas:
            rrset.add(dns.rdata.GenericRdata(*_TLSA, rdata), 300)
        response.answer = [rrset]
    return wire.frame(response.to_wire())


def by_a_resolver(query: dns.message.Message, rcode: str = "NOERROR") -> bytes:
    """An answer of somebody who recurses, and knows no keys."""
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(dns.rcode.from_text(rcode))
    response.tsig = None
    response.want_tsig_sign = False
    return wire.frame(response.to_wire())


def recursing(framed: bytes) -> bytes:
    """The answer with RA, which no signature covers where it is cut off."""
    octets = bytearray(framed)
    octets[5] |= dns.flags.RA
    return bytes(octets)


def on_update(rcode: str, *, signed: bool = True) -> Answer:
    return lambda q: reply(q, rcode, signed=signed) if is_update(q) else reply(q)


def published(
    tmp_path: Path, answer: Answer, timeout: float = 30, change: Change | None = None
) -> tuple[ChangeResult, list[dns.message.Message]]:
    key = tmp_path / "tsig.key"
    key.touch(0o600)
    key.write_text(KEY)
    asked = change or Change("mail", (NAME,), NAME, ZONE, add=(NEW,), needs=(LIVE,))
    with server(answer) as (place, heard):
        span = timedelta(seconds=timeout)
        done = Updater(ResolverConfig(()), key, span, place).publish(asked)
        return done, heard


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (on_update("REFUSED"), ChangeOutcome.REFUSED, "the server refuses updates with this key"),
        (on_update("REFUSED", signed=False), ChangeOutcome.REFUSED, "(REFUSED)"),
        (lambda q: reply(q, "REFUSED"), ChangeOutcome.READ_REFUSED, "(REFUSED)"),
        (
            lambda q: reply(q, "NOTAUTH", signed=False),
            ChangeOutcome.BAD_SIGNATURE,
            "and doesn't say why (NOTAUTH)",
        ),
        (by_a_resolver, ChangeOutcome.RESOLVER, "takes no updates (NOERROR)"),
        (lambda q: by_a_resolver(q, "REFUSED"), ChangeOutcome.RESOLVER, "is a resolver"),
        (
            lambda q: by_a_resolver(q, "SERVFAIL"),
            ChangeOutcome.RESOLVER,
            "takes no updates (SERVFAIL)",
        ),
        (on_update("NOTAUTH"), ChangeOutcome.NOT_AUTHORITATIVE, "(NOTAUTH)"),
        # a server that recurses, too, is the zone's all the same, and an update is none of that
        (lambda q: recursing(reply(q, "SERVFAIL")), ChangeOutcome.SERVER_FAILED, "(SERVFAIL)"),
        (lambda q: recursing(reply(q, signed=False)), ChangeOutcome.UNTRUSTED, "it proves nothing"),
        (
            lambda q: by_a_resolver(q) if is_update(q) else reply(q),
            ChangeOutcome.UNTRUSTED,
            "isn't signed with the TSIG key",
        ),
        (on_update("NOTZONE"), ChangeOutcome.NOT_AUTHORITATIVE, "(NOTZONE)"),
        (on_update("SERVFAIL"), ChangeOutcome.SERVER_FAILED, "(SERVFAIL)"),
        (on_update("NOTIMP"), ChangeOutcome.SERVER_FAILED, "(NOTIMP)"),
        (on_update("YXRRSET"), ChangeOutcome.CONFLICT, "somebody else changed the RRset"),
        (
            on_update("NOERROR", signed=False),
            ChangeOutcome.UNTRUSTED,
            "isn't signed with the TSIG key",
        ),
        (lambda q: reply(q, signed=False), ChangeOutcome.UNTRUSTED, "it proves nothing"),
        (lambda _: wire.frame(b"\0" * 5), ChangeOutcome.UNREACHABLE, "answers another message"),
        (lambda _: b"", ChangeOutcome.UNREACHABLE, "connection closed early"),
        (lambda _: b"\0\x20short", ChangeOutcome.UNREACHABLE, "connection closed early"),
    ],
)
def test_each_answer_has_its_message(
    tmp_path: Path, answer: Answer, outcome: ChangeOutcome, words: str
) -> None:
    done, _ = published(tmp_path, answer)
    assert done.outcome is outcome
    assert words in done.text
    assert done.remedy


def test_a_signature_by_another_key_proves_nothing(tmp_path: Path) -> None:
    def forged(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        response.use_tsig(dns.tsig.Key("lab.", "b3RoZXIgb3RoZXIgb3RoZXI=", "hmac-sha256"))
        return wire.frame(response.to_wire())

    done, heard = published(tmp_path, forged)
    assert done.outcome is ChangeOutcome.UNTRUSTED
    assert not any(map(is_update, heard))


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told(tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_: dns.message.Message) -> bytes:
        release.wait(5)
        return b""

    key = tmp_path / "tsig.key"
    key.touch(0o600)
    key.write_text(KEY)
    change = Change("mail", (NAME,), NAME, ZONE, add=(NEW,))
    with server(hang) as (place, _):
        limit = timedelta(seconds=0.3)
        done = Updater(ResolverConfig(()), key, limit, place).publish(change)
        release.set()
    assert done.outcome is ChangeOutcome.UNREACHABLE
    assert "timed out" in done.text


@pytest.mark.parametrize("made", [True, False])
def test_a_change_whose_answer_got_lost_is_looked_up(tmp_path: Path, *, made: bool) -> None:
    """What is there was done, whoever hung up; what isn't there failed."""
    sent: list[bool] = []

    def answer(query: dns.message.Message) -> bytes:
        if is_update(query):
            sent.append(True)
            return b""
        held = (bytes((3, 1, 1)) + NEW.data,) if sent and made else ()
        return reply(query, "NOERROR", *held)

    done, _ = published(tmp_path, answer)
    assert done.outcome is (ChangeOutcome.DONE if made else ChangeOutcome.UNREACHABLE)
    assert sent == [True]


def test_records_that_are_malformed_or_unknown_are_kept_as_they_are(tmp_path: Path) -> None:
    """Somebody else's, and part of what must be so for the update to be made."""
    odd = [bytes((3, 1, 1)) + b"short", bytes((9, 8, 7)) + b"x" * 300, bytes((3, 1, 1))]
    done, heard = published(
        tmp_path, lambda q: reply(q) if is_update(q) else reply(q, "NOERROR", *odd)
    )
    assert done.outcome is ChangeOutcome.DONE
    (update,) = filter(is_update, heard)
    assert isinstance(update, dns.update.UpdateMessage)
    octets = update.wire or b""
    assert all(rdata in octets for rdata in odd)


def test_an_alias_that_only_the_primary_knows_is_left_alone(tmp_path: Path) -> None:
    def alias(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        text = f"{NAME}. 5 IN CNAME elsewhere.example.test."
        name, ttl, rdclass, rdtype, target = text.split()
        response.answer = [dns.rrset.from_text(name, int(ttl), rdclass, rdtype, target)]
        return wire.frame(response.to_wire())

    done, heard = published(tmp_path, alias)
    assert done.outcome is ChangeOutcome.ALIAS
    assert not any(map(is_update, heard))


def test_nothing_is_sent_where_nothing_is_to_be_changed(tmp_path: Path) -> None:
    there = bytes((3, 1, 1)) + NEW.data
    done, heard = published(tmp_path, lambda q: reply(q, "NOERROR", there))
    assert done.outcome is ChangeOutcome.UNCHANGED
    assert not any(map(is_update, heard))


def test_a_removal_demands_the_served_keys_record(tmp_path: Path) -> None:
    there = bytes((3, 1, 1)) + NEW.data
    change = Change("mail", (NAME,), NAME, ZONE, remove=(NEW,), needs=(LIVE,))
    done, heard = published(tmp_path, lambda q: reply(q, "NOERROR", there), change=change)
    assert done.outcome is ChangeOutcome.UNSAFE
    assert not any(map(is_update, heard))
    unknown = Change("mail", (NAME,), NAME, ZONE, remove=(NEW,))
    done, _ = published(tmp_path, lambda q: reply(q, "NOERROR", there), change=unknown)
    assert done.outcome is ChangeOutcome.UNSAFE


# ---- the key file -----------------------------------------------------------------------------


def key_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        KEY.replace('"lab"', "lab."),
        KEY.replace("; ", ";\n\t").replace("hmac-sha256", '"HMAC-SHA256"'),
        f"# a key\n// for danebot\n/* key old {{ }}; */\n{KEY} // the end",
        KEY.replace("lab", "la//b#c"),
    ],
)
def test_keys_as_bind_writes_them(tmp_path: Path, text: str) -> None:
    key = load_tsig_key(key_file(tmp_path, text))
    assert key.secret == b"secret secret secret"
    assert str(key.algorithm) == "hmac-sha256."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no keys"),
        (KEY + KEY, "has 2 keys"),
        (KEY.replace("hmac-sha256", "hmac-md5"), "algorithm must be one of hmac-sha1"),
        (KEY.replace("algorithm hmac-sha256;", ""), "algorithm must be one of"),
        (KEY.replace("c2Vj", "c2V*"), "not base64"),
        (KEY.replace("c2VjcmV0IHNlY3JldCBzZWNyZXQ=", ""), "not base64"),
        (KEY.replace('"lab"', '"la..b"'), "not a DNS name"),
    ],
)
def test_a_key_that_is_none_is_told_without_its_secret(
    tmp_path: Path, text: str, words: str
) -> None:
    path = key_file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_tsig_key(path)
    assert words in str(caught.value)
    assert "c2V" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load_tsig_key(key_file(tmp_path, KEY, mode))


def test_a_key_is_the_owners_alone_or_roots_groups(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY, 0o640)
    if path.stat().st_gid == 0:
        assert load_tsig_key(path).secret
    else:
        with pytest.raises(ConfigError, match="others may read"):
            load_tsig_key(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_another_user_or_for_another_group_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY, 0o640)
    os.chown(path, 0, 12)
    with pytest.raises(ConfigError, match="others may read"):
        load_tsig_key(path)
    path.chmod(0o600)
    os.chown(path, 12, 0)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load_tsig_key(path)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_tsig_key(tmp_path / "none")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_tsig_key(tmp_path)
    (tmp_path / "long").write_bytes(b"#" * 2**17)
    (tmp_path / "long").chmod(0o600)
    with pytest.raises(ConfigError, match="larger than what its name says"):
        load_tsig_key(tmp_path / "long")


# ---- views ------------------------------------------------------------------------------------


def two_views(query: dns.message.Message) -> bytes:
    """Who signs is shown the new record; others are not."""
    if is_update(query) or not query.had_tsig:
        return reply(query)
    return reply(query, "NOERROR", b"\3\1\1" + NEW.data)


def plainly(
    answer: Callable[[dns.message.Message], dns.message.Message], here: socket.socket
) -> None:
    """Answer UDP, where who asks without a key asks first; ``here`` is bound already."""
    with here, suppress(TimeoutError):
        here.settimeout(120)
        while True:
            query, sender = here.recvfrom(4096)
            made = answer(dns.message.from_wire(query))
            here.sendto(made.to_wire(), sender)
            if made.answer or made.rcode() or not made.flags & dns.flags.AA:
                return


def published_in_views(
    tmp_path: Path, answer: Callable[[dns.message.Message], dns.message.Message]
) -> ChangeResult:
    key = tmp_path / "tsig.key"
    key.touch(0o600)
    key.write_text(KEY)
    asked = Change("mail", (NAME,), NAME, ZONE, add=(NEW,), needs=(LIVE,))
    patience = mock.patch("danebot.adapters.publish.views._TIMEOUT", 20.0)  # of a busy machine
    with patience, server(two_views) as (place, _):
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        here.bind(("127.0.0.1", place.port))
        thread = threading.Thread(target=plainly, args=(answer, here), daemon=True)
        thread.start()
        return Updater(ResolverConfig(()), key, timedelta(seconds=30), place).publish(asked)


def nothing(query: dns.message.Message, flags: int = dns.flags.AA) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= flags
    return response


def test_a_view_that_lacks_what_the_key_has_is_told(tmp_path: Path) -> None:
    result = published_in_views(tmp_path, nothing)
    assert (result.outcome, result.failed) == (ChangeOutcome.VIEWS, True)
    assert "in another view than it shows this host" in result.text
    assert "the view that the world sees" in result.remedy


def test_a_server_that_tells_nobody_has_no_other_view(tmp_path: Path) -> None:
    def refused(query: dns.message.Message) -> dns.message.Message:
        response = nothing(query, 0)
        response.set_rcode(dns.rcode.REFUSED)
        return response

    assert published_in_views(tmp_path, refused).outcome is ChangeOutcome.UNCHANGED


def test_a_packet_cache_is_no_other_view(tmp_path: Path) -> None:
    asked: list[int] = []

    def late(query: dns.message.Message) -> dns.message.Message:
        response = nothing(query)
        asked.append(query.id)
        if len(asked) > 1:
            rrset = dns.rrset.RRset(query.question[0].name, *_TLSA)
            rrset.add(dns.rdata.GenericRdata(*_TLSA, b"\3\1\1" + NEW.data), 300)
            response.answer = [rrset]
        return response

    assert published_in_views(tmp_path, late).outcome is ChangeOutcome.UNCHANGED


def test_a_record_that_came_meanwhile_is_not_overruled(tmp_path: Path) -> None:
    """What danebot saw had no record of somebody else; the primary has one now."""
    foreign = bytes((3, 1, 1)) + LIVE.data
    strong = TlsaRecord(3, 1, 2, bytes(64))
    change = Change("mail", (NAME,), NAME, ZONE, add=(strong,))
    result, heard = published(tmp_path, lambda q: reply(q, "NOERROR", foreign), change=change)
    assert result.outcome is ChangeOutcome.OVERRULES
    assert not any(map(is_update, heard))
