from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.services import HELO, HOST, SERVICES, answered, heard
from danebot.adapters.probe.dialogue import MAX_UNITS, Dialogue, DialogueState
from danebot.adapters.probe.replies import MAX_UNIT
from danebot.domain.delivery.probes import ProbeOutcome as Outcome
from danebot.domain.names import Protocol

PROTOCOLS = [protocol for protocol in Protocol if protocol is not Protocol.TLS]
MAX_BYTES = 65536


def dialogue(protocol: Protocol) -> Dialogue:
    return Dialogue(protocol, helo=HELO, to=HOST, max_bytes=MAX_BYTES)


def play(protocol: Protocol, *chunks: bytes) -> tuple[Dialogue, bytes]:
    """A dialogue fed with chunks while it talks, and all that it said."""
    talk = dialogue(protocol)
    said = talk.speak()
    for chunk in chunks:
        if talk.state is DialogueState.TALKING:
            said += talk.receive(chunk)
    return talk, said


def verdict(talk: Dialogue) -> DialogueState | Outcome:
    """The outcome; octets after the last answer are left out, as they may not have come yet."""
    if talk.failure is None or talk.failure.outcome is Outcome.INJECTED:
        return (
            DialogueState.TALKING
            if talk.state is DialogueState.TALKING
            else DialogueState.START_TLS
        )
    return talk.failure.outcome


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def test_immediate_tls_needs_no_words() -> None:
    talk, said = play(Protocol.TLS)
    assert (talk.state, said) == (DialogueState.START_TLS, b"")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_row_is_answered_by_the_next(protocol: Protocol) -> None:
    rows = SERVICES[protocol]
    talk = dialogue(protocol)
    said = [talk.speak()]
    for _, answer in rows:
        assert talk.state is DialogueState.TALKING
        said.append(talk.receive(answer))
    assert said == [*(row[0] for row in rows), b""]
    assert talk.state is DialogueState.START_TLS
    assert talk.failure is None


@given(st.sampled_from(PROTOCOLS), st.lists(st.integers(0, 2000)))
def test_chunking_makes_no_difference(protocol: Protocol, cuts: list[int]) -> None:
    rows = SERVICES[protocol]
    talk, said = play(protocol, *pieces(answered(rows), cuts))
    assert (talk.state, said) == (DialogueState.START_TLS, heard(rows))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_octet_by_octet(protocol: Protocol) -> None:
    rows = SERVICES[protocol]
    talk, said = play(protocol, *(bytes([octet]) for octet in answered(rows)))
    assert (talk.state, said) == (DialogueState.START_TLS, heard(rows))


FRAGMENTS = st.sampled_from(
    [
        *(answer for rows in SERVICES.values() for _, answer in rows),
        *(b"250-", b"250 ", b"220-", b"\r\n", b"* ", b"a1 ", b"+OK", b"-ERR", b".\r\n", b"{9}\r\n"),
        *(b"<a b='>", b"<![CDATA[", b"<!-- >", b"</stream:stream>", b"<error>", b"</error>"),
        *(b"0\x84\xff\xff\xff\xff", b"0\x80", b"0\x05\x02\x01\x01\x78\x00", b"\xff\x00"),
    ]
)


@given(
    st.sampled_from(PROTOCOLS),
    st.lists(FRAGMENTS | st.binary(max_size=40), max_size=8).map(b"".join),
    st.lists(st.integers(0, 3000), max_size=12),
)
def test_any_octets_have_one_outcome_however_they_arrive(
    protocol: Protocol, data: bytes, cuts: list[int]
) -> None:
    whole, said = play(protocol, data)
    parts, said_in_parts = play(protocol, *pieces(data, cuts))
    assert verdict(whole) == verdict(parts)
    assert said == said_in_parts
    for talk in (whole, parts):
        assert talk.failure is None or talk.failure.detail.isprintable()
        assert talk.incomplete.isprintable() if talk.state is DialogueState.TALKING else True


@given(st.sampled_from(PROTOCOLS), st.binary(min_size=1, max_size=200))
def test_octets_after_the_last_answer_are_injected(protocol: Protocol, more: bytes) -> None:
    talk, _ = play(protocol, answered(SERVICES[protocol]) + more)
    assert talk.failure is not None
    assert talk.failure.outcome is Outcome.INJECTED


EHLO = b"220 hi\r\n"
IMAP = b"* OK hi\r\n"
XMPP = b"<stream:stream xmlns:stream='x' version='1.0'>"
LDAP_ABSENT = bytes.fromhex("301002010178 0b 0a0102 0400 0404") + b"none"
LDAP_BUSY = bytes.fromhex("300c02010178 07 0a0134 0400 0400")
LDAP_FAREWELL = bytes.fromhex("300f02010078 0a 0a0134 0400 0403") + b"bye"
FAILURES = [
    (Protocol.SMTP, b"554 5.7.1 no\r\n", Outcome.REFUSED, "greeting: 554 5.7.1 no"),
    (Protocol.SMTP, b"421 busy\r\n", Outcome.REFUSED, "greeting: 421 busy"),
    (Protocol.SMTP, b"SSH-2.0-x\r\n", Outcome.PROTOCOL_ERROR, "not an SMTP reply: SSH-2.0-x"),
    (Protocol.SMTP, EHLO + b"502 what\r\n", Outcome.NO_STARTTLS, "answer to EHLO: 502 what"),
    (Protocol.SMTP, EHLO + b"500 what\r\n", Outcome.NO_STARTTLS, "500 what"),
    (Protocol.SMTP, EHLO + b"550 bad name\r\n", Outcome.REFUSED, "answer to EHLO: 550 bad name"),
    (Protocol.SMTP, EHLO + b"250 hi\r\n", Outcome.NO_STARTTLS, "offers: nothing"),
    (
        Protocol.SMTP,
        EHLO + b"250-STARTTLS\r\n250-SIZE 1\r\n250 XXXXXXXA\r\n",
        Outcome.NO_STARTTLS,
        "no STARTTLS; offers: SIZE XXXXXXXA",
    ),
    (Protocol.SMTP, EHLO + b"250-a\r\nbroken\r\n", Outcome.PROTOCOL_ERROR, "broken"),
    (
        Protocol.SMTP,
        EHLO + b"250-a\r\n250 STARTTLS\r\n454 4.7.0 TLS not available\r\n",
        Outcome.REFUSED,
        "answer to STARTTLS: 454 4.7.0 TLS not available",
    ),
    (Protocol.SMTP, b"220 \x1b[2J\x9b\r\nboo\xe2\x80\xae\r\n", Outcome.PROTOCOL_ERROR, "\\u202e"),
    (Protocol.LMTP, EHLO + b"500 EHLO?\r\n", Outcome.NO_STARTTLS, "answer to LHLO"),
    (Protocol.IMAP, b"* BYE busy\r\n", Outcome.REFUSED, "* BYE busy"),
    (Protocol.IMAP, b"* PREAUTH root\r\n", Outcome.NO_STARTTLS, "PREAUTH"),
    (Protocol.IMAP, b"hello\r\n", Outcome.PROTOCOL_ERROR, "not an IMAP greeting"),
    (Protocol.IMAP, IMAP + b"* CAPABILITY ID\r\na1 OK\r\n", Outcome.NO_STARTTLS, "offers: ID"),
    (Protocol.IMAP, IMAP + b"* BYE\r\n", Outcome.REFUSED, "* BYE"),
    (Protocol.IMAP, IMAP + b"a1 BAD no\r\n", Outcome.REFUSED, "a1 BAD no"),
    (Protocol.IMAP, IMAP + b"a2 OK\r\n", Outcome.PROTOCOL_ERROR, "not an IMAP response"),
    (Protocol.IMAP, IMAP + b"+ \r\n", Outcome.PROTOCOL_ERROR, "not an IMAP response"),
    (Protocol.IMAP, IMAP + b"\r\n", Outcome.PROTOCOL_ERROR, "not an IMAP response"),
    (
        Protocol.IMAP,
        IMAP + b"a1 OK [CAPABILITY STARTTLS] x\r\na2 BAD no\r\n",
        Outcome.REFUSED,
        "answer to STARTTLS: a2 BAD no",
    ),
    (Protocol.POP3, b"-ERR locked\r\n", Outcome.REFUSED, "-ERR locked"),
    (Protocol.POP3, b"OK\r\n", Outcome.PROTOCOL_ERROR, "not a POP3 response"),
    (Protocol.POP3, b"+OK\r\n-ERR what\r\n", Outcome.NO_STARTTLS, "answer to CAPA: -ERR what"),
    (Protocol.POP3, b"+OK\r\nwhat\r\n", Outcome.PROTOCOL_ERROR, "not a POP3 response"),
    (Protocol.POP3, b"+OK\r\n+OK\r\nUIDL\r\n.\r\n", Outcome.NO_STARTTLS, "no STLS; offers: UIDL"),
    (Protocol.SIEVE, b'BYE "busy"\r\n', Outcome.REFUSED, 'BYE "busy"'),
    (Protocol.SIEVE, b'"SASL" "PLAIN"\r\nOK\r\n', Outcome.NO_STARTTLS, "offers: SASL"),
    (Protocol.SIEVE, b"220 hi\r\n", Outcome.PROTOCOL_ERROR, "not a ManageSieve response"),
    (Protocol.SIEVE, b'"STARTTLS"\r\nOK\r\nNO\r\n', Outcome.REFUSED, "answer to STARTTLS: NO"),
    (Protocol.SIEVE, b'"X" {99999999}\r\n', Outcome.PROTOCOL_ERROR, f"over {MAX_UNIT} octets"),
    (Protocol.XMPP_CLIENT, b"<html>", Outcome.PROTOCOL_ERROR, "not an XMPP stream"),
    (Protocol.XMPP_CLIENT, b"<!DOCTYPE x [<!ENTITY", Outcome.PROTOCOL_ERROR, "DOCTYPE"),
    (Protocol.XMPP_CLIENT, b"<stream a='<b>'", Outcome.PROTOCOL_ERROR, "not an XMPP stream"),
    (Protocol.XMPP_CLIENT, XMPP + b"<!-- x -->", Outcome.PROTOCOL_ERROR, "not an XMPP stream"),
    (
        Protocol.XMPP_CLIENT,
        XMPP + b"<stream:features><bind xmlns='y'/></stream:features>",
        Outcome.NO_STARTTLS,
        "no STARTTLS; offers: BIND",
    ),
    (Protocol.XMPP_CLIENT, XMPP + b"<stream:features/>", Outcome.NO_STARTTLS, "offers: nothing"),
    (
        Protocol.XMPP_SERVER,
        XMPP + b"<stream:error><host-unknown xmlns='z'/></stream:error>",
        Outcome.REFUSED,
        "host-unknown",
    ),
    (Protocol.XMPP_SERVER, XMPP + b"</stream:stream>", Outcome.REFUSED, "</stream:stream>"),
    (
        Protocol.XMPP_CLIENT,
        XMPP + b"<f:features><starttls/></f:features><failure xmlns='t'/>",
        Outcome.REFUSED,
        "answer to starttls: <failure",
    ),
    (
        Protocol.XMPP_CLIENT,
        XMPP + b"<f:features><starttls/></f:features><message/>",
        Outcome.PROTOCOL_ERROR,
        "not an answer to starttls",
    ),
    (
        Protocol.XMPP_CLIENT,
        XMPP + b"<f:features><starttls/></f:features><proceed><a/>",
        Outcome.PROTOCOL_ERROR,
        "inside proceed",
    ),
    (Protocol.LDAP, LDAP_ABSENT, Outcome.NO_STARTTLS, "LDAP result 2: none"),
    (Protocol.LDAP, LDAP_BUSY, Outcome.REFUSED, "LDAP result 52"),
    (Protocol.LDAP, LDAP_FAREWELL, Outcome.REFUSED, "notice of disconnection 52: bye"),
    (Protocol.LDAP, b"HTTP/1.1", Outcome.PROTOCOL_ERROR, "not an LDAP extended response"),
    (Protocol.LDAP, b"0\x03\x02\x01\x01", Outcome.PROTOCOL_ERROR, "not an LDAP extended"),
    (Protocol.LDAP, b"0\x05\x02\x01\x01\x78\x00", Outcome.PROTOCOL_ERROR, "not an answer"),
    (Protocol.LDAP, b"0\x80\x02\x01\x01", Outcome.PROTOCOL_ERROR, f"over {MAX_UNIT} octets"),
    (Protocol.LDAP, b"0\x83\xff\xff\xff", Outcome.PROTOCOL_ERROR, f"over {MAX_UNIT} octets"),
    (Protocol.FTP, b"421 busy\r\n", Outcome.REFUSED, "421 busy"),
    (Protocol.FTP, b"hi\r\n", Outcome.PROTOCOL_ERROR, "not an FTP reply"),
    (Protocol.FTP, b"220 hi\r\n500 what\r\n", Outcome.NO_STARTTLS, "answer to AUTH TLS: 500 what"),
    (Protocol.FTP, b"220 hi\r\n534 no\r\n", Outcome.NO_STARTTLS, "534 no"),
    (Protocol.FTP, b"220 hi\r\n431 later\r\n", Outcome.REFUSED, "431 later"),
]


@pytest.mark.parametrize(("protocol", "stream", "outcome", "words"), FAILURES)
def test_failures(protocol: Protocol, stream: bytes, outcome: Outcome, words: str) -> None:
    talk, _ = play(protocol, stream)
    assert talk.failure is not None
    assert talk.failure.outcome is outcome
    assert words in talk.failure.detail
    assert talk.failure.detail.isprintable()
    assert talk.state is DialogueState.FAILED


ENDLESS = [
    (Protocol.SMTP, b"", b"x", f"over {MAX_UNIT} octets"),
    (Protocol.SMTP, b"", b"220-\n", f"more than {MAX_UNITS} lines"),
    (Protocol.SMTP, b"", b"220-" + b"x" * 1000 + b"\n", f"more than {MAX_BYTES} octets"),
    (Protocol.FTP, b"220-\n", b"\n", f"more than {MAX_UNITS} lines"),
    (Protocol.IMAP, IMAP, b"* 1 EXISTS\r\n", f"more than {MAX_UNITS} lines"),
    (Protocol.POP3, b"+OK\r\n+OK\r\n", b"UIDL\r\n", f"more than {MAX_UNITS} lines"),
    (Protocol.SIEVE, b"", b'"X" {1}\r\n', f"over {MAX_UNIT} octets"),
    (Protocol.XMPP_CLIENT, b"<stream a='", b">", f"over {MAX_UNIT} octets"),
    (Protocol.XMPP_CLIENT, XMPP, b"<a>", f"more than {MAX_UNITS} lines or elements"),
    (Protocol.LDAP, b"", b"0\x82\x20\x01", f"over {MAX_UNIT} octets"),
]


@pytest.mark.parametrize(("protocol", "start", "again", "words"), ENDLESS)
@pytest.mark.parametrize("times", [1, 100_000], ids=["drip", "flood"])
def test_endless_answers_end(
    protocol: Protocol, start: bytes, again: bytes, words: str, times: int
) -> None:
    talk = dialogue(protocol)
    talk.speak()
    talk.receive(start)
    for _ in range(MAX_BYTES):
        if talk.state is not DialogueState.TALKING:
            break
        talk.receive(again * times)
    assert talk.failure is not None
    assert talk.failure.outcome is Outcome.PROTOCOL_ERROR
    assert words in talk.failure.detail
    assert len(talk._buffer) <= MAX_BYTES
