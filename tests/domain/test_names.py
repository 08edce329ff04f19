"""Which texts are names, hosts, TLSA owners and addresses, and what becomes of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from danebot.domain.addresses import SocketAddress, parse_port, parse_socket_address
from danebot.domain.names import (
    DnsName,
    Endpoint,
    Hostname,
    Protocol,
    TlsaOwner,
    Transport,
    covers,
    default_protocol,
    service_at,
)
from danebot.errors import NameSyntaxError

LONG = ".".join(["a" * 63] * 3 + ["a" * 61])  # 253 octets
LABEL = "a" * 63
Read = Callable[[str], DnsName | Hostname]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" MX.Example. ", "mx.example"),
        ("_25._tcp.mx.example", "_25._tcp.mx.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("_dmarc.b\u00fccher.example", "_dmarc.xn--bcher-kva.example"),
        ("b\u00fccher\u3002example", "xn--bcher-kva.example"),
        (LONG, LONG),
        (f"{LABEL}.x", f"{LABEL}.x"),
    ],
)
def test_names_in_normal_form(text: str, name: str) -> None:
    assert str(DnsName.parse(text)) == str(Hostname.parse(text)) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty or over 253 octets"),
        (".", "empty or over"),
        (f"a{LONG}", "empty or over"),
        (f"a{LABEL}.x", "label 'aaaa"),
        ("a..b", "label ''"),
        ("-a.b", "label '-a'"),
        ("a-.b", "label 'a-'"),
        ("a.b\n.c", "label 'b"),
        ("a.*.b", "label '\\*'"),
        ("\u00fc" * 64, "is not a valid internationalised name"),
    ],
)
@pytest.mark.parametrize("read", [DnsName.parse, Hostname.parse])
def test_texts_that_are_no_names(read: Read, text: str, words: str) -> None:
    with pytest.raises(NameSyntaxError, match=words):
        read(text)


@pytest.mark.parametrize("text", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::a"])
def test_an_address_is_no_host(text: str) -> None:
    with pytest.raises(NameSyntaxError, match="is an address"):
        Hostname.parse(text)


def test_a_host_may_end_in_a_digit_and_only_an_owner_may_have_a_wildcard() -> None:
    assert Hostname.parse("mx.example1").dns_name == DnsName("mx.example1")
    assert DnsName.parse("*.example").text == "*.example"
    with pytest.raises(NameSyntaxError):
        Hostname.parse("*.example")


@pytest.mark.parametrize("read", [DnsName.known, Hostname.known])
def test_what_dns_gave_is_read_back(read: Read) -> None:
    """Labels may be any octets (RFC 2181 section 11); an escape counts as one of them."""
    for text in (
        "",
        "mx.example",
        r"a\032b.example",
        r"a\.b.example",
        ".".join([r"\000" * 63] * 3),
    ):
        assert read(text).text == text
    for text in ("Mx.example", "a b", "a..b", f"a{LONG}", ".".join([r"\000" * 63] * 4)):
        with pytest.raises(NameSyntaxError, match="no name in normal form"):
            read(text)


@pytest.mark.parametrize(
    ("names", "name", "covered"),
    [
        ("mx.example", "mx.example", True),
        ("*.example", "mx.example", True),
        ("*.example", "*.example", True),
        ("*.example", "example", False),
        ("*.example", "a.mx.example", False),
        ("*.mx.example", "*.a.mx.example", False),
        ("*.*.example", "*.*.example", True),
        ("*.", "example", False),
        ("*.example.org", "*.example", False),
        ("mx.example", "imap.example", False),
    ],
)
def test_what_a_wildcard_covers(names: str, name: str, *, covered: bool) -> None:
    assert covers({DnsName(names)}, DnsName(name)) is covered


def test_no_wildcard_covers_another() -> None:
    assert not covers({DnsName("*.example")}, DnsName("*.*.example"))
    assert not covers({DnsName("*.b.example")}, DnsName("*.b.b.example"))


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("_25._tcp.mx.example", TlsaOwner(Hostname("mx.example"), 25)),
        ("_1._udp.mx.example", TlsaOwner(Hostname("mx.example"), 1, Transport.UDP)),
        ("_65535._sctp.a", TlsaOwner(Hostname("a"), 65535, Transport.SCTP)),
        ("_0._tcp.a", None),
        ("_65536._tcp.a", None),
        ("_25._quic.a", None),
        ("_25._tcp", None),
        ("25._tcp.a", None),
        ("_25._tcp.*.a", None),
        ("_25._tcp.192.0.2.1", None),
    ],
)
def test_tlsa_owners_are_taken_apart_and_put_together(text: str, owner: TlsaOwner | None) -> None:
    assert TlsaOwner.from_name(DnsName(text)) == owner
    if owner is not None:
        assert str(owner) == text


def test_tls_begins_at_once_at_ports_without_a_dialogue() -> None:
    dialogues = {21: "ftp", 24: "lmtp", 25: "smtp", 110: "pop3", 143: "imap", 389: "ldap"}
    dialogues |= {587: "smtp", 2525: "smtp", 4190: "sieve", 5222: "xmpp-client"}
    dialogues |= {5269: "xmpp-server"}
    for port in range(10000):
        assert default_protocol(port).value == dialogues.get(port, "tls")
    assert str(Endpoint(Hostname("mx.example"), 25, Protocol.SMTP)) == "mx.example:25"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", SocketAddress("192.0.2.1")),
        (" 192.0.2.1:53 ", SocketAddress("192.0.2.1", 53)),
        ("2001:DB8::1", SocketAddress("2001:db8::1")),
        ("[2001:db8::1]", SocketAddress("2001:db8::1")),
        ("[2001:db8::1]:53", SocketAddress("2001:db8::1", 53)),
        ("[2001:db8::1", None),
        ("[2001:db8::1]53", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:0", None),
        ("192.0.2.1:65536", None),
        ("192.0.2.1:dns", None),
        ("ns1.example:53", None),
        ("", None),
    ],
)
def test_addresses_with_ports(text: str, address: SocketAddress | None) -> None:
    assert parse_socket_address(text) == address
    if address is not None:
        assert parse_socket_address(str(address)) == address


def test_an_ipv6_address_with_a_port_is_printed_in_brackets() -> None:
    assert str(SocketAddress("2001:db8::1", 53)) == "[2001:db8::1]:53"
    assert str(SocketAddress("2001:db8::1")) == "2001:db8::1"
    assert str(SocketAddress("192.0.2.1", 53)) == "192.0.2.1:53"


@pytest.mark.parametrize(
    ("digits", "port"),
    [("1", 1), ("65535", 65535), ("0", None), ("65536", None), ("\u0663", None), ("+5", None)],
)
def test_ports_are_plain_digits(digits: str, port: int | None) -> None:
    assert parse_port(digits) == port


def test_names_of_two_kinds_are_never_equal() -> None:
    name, host = DnsName("mx.example"), Hostname("mx.example")
    assert name != host
    assert len({name, host, DnsName("mx.example"), Hostname("mx.example")}) == 2
    with pytest.raises(TypeError):
        sorted([name, host])


def test_names_are_in_the_order_of_their_texts() -> None:
    first, last = DnsName("a.example"), DnsName("b.example")
    assert sorted([last, first]) == [first, last]
    assert (first < last, first <= DnsName("a.example"), last > first, first >= last) == (
        *(True, True, True),
        False,
    )
    assert max(first, last) is last


def test_a_name_stays_what_it_is() -> None:
    name = DnsName("mx.example")
    with pytest.raises(AttributeError):
        name.text = "other.example"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        name.more = 1  # type: ignore[attr-defined]
    assert copy.copy(name) == pickle.loads(pickle.dumps(name)) == name  # noqa: S301
    assert repr(name) == "DnsName('mx.example')"


def test_a_service_is_the_same_whatever_it_speaks() -> None:
    one = Endpoint(Hostname("mx.example"), 25, Protocol.SMTP)
    others = [
        one._replace(protocol=Protocol.TLS),
        one._replace(port=465),
        one._replace(host=Hostname("b.example")),
        None,
    ]
    assert [one.is_same(other) for other in others] == [True, False, False, False]


def test_a_tlsa_owner_names_a_tcp_service() -> None:
    owners = ["_25._tcp.mx.example", "_443._tcp.mx.example", "_25._udp.mx.example", "mx.example"]
    host = Hostname("mx.example")
    assert [service_at(DnsName(owner)) for owner in owners] == [
        Endpoint(host, 25, Protocol.SMTP),
        Endpoint(host, 443, Protocol.TLS),
        None,
        None,
    ]


def test_names_of_two_kinds_are_neither_equal_nor_ordered() -> None:
    name, host = DnsName("a.example"), Hostname("a.example")
    assert (name == host) is False
    assert not name < DnsName("a.example")
    with pytest.raises(TypeError):
        assert name <= host  # type: ignore[operator]


def test_the_longest_name_is_read_back() -> None:
    assert DnsName.known(LONG).text == LONG


def test_a_label_that_is_too_long_is_named_beside_one_in_another_script() -> None:
    with pytest.raises(NameSyntaxError, match="is not a DNS name: label 'aaa"):
        DnsName.parse(f"b\u00fccher.{LABEL}a")
