"""What is read off the wire, held against dnspython; and octets of every kind."""

from __future__ import annotations

import random
import struct
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.nameserver import build
from danebot.adapters.codec import decode, encode
from danebot.adapters.dns import message as wire
from danebot.adapters.dns.queries import Ask, Query
from danebot.adapters.dns.rdata import AAAA, CNAME, MX, NS, SOA, SRV, TLSA, A, RecordKind
from danebot.adapters.dns.resolver import records
from danebot.adapters.dns.response import Rdata, Response, RRset, RRsetKey, signatures
from danebot.adapters.dns.wire_names import MalformedError, encode_name, read_name
from danebot.domain.dns.records import MxRecord, SoaRecord, SrvRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname

NAME = "_25._tcp.mail.example.test"
KINDS: tuple[RecordKind[Any], ...] = (A, AAAA, CNAME, MX, NS, SOA, SRV, TLSA)

LINES = (
    f"{NAME} 300 TLSA 3 1 1 {'ab' * 32}",
    f"{NAME} 300 TLSA 2 0 2 {'cd' * 64}",
    f"{NAME} 299 RRSIG TLSA 13 5 3600 20300102030405 20200101000000 7 Example.test. AAAA",
    f"{NAME} 300 CNAME mail.EXAMPLE.test.",
    "mail.example.test 60 A 192.0.2.1",
    "mail.example.test 60 AAAA 2001:db8::1",
    "example.test 60 MX 10 mail.example.test.",
    "example.test 60 MX 0 .",
    "_imaps._tcp.example.test 5 SRV 1 2 993 mail.example.test.",
    r"odd\.label\032\200.test 5 NS a\\b.test.",
    'sub.example.test 5 TXT "text" "more"',
    "example.test 5 DNAME other.test.",
)
AUTHORITY = (
    "example.test 60 SOA ns1.example.test. hostmaster.example.test. 2024 3600 600 86400 300",
    "example.test 900 NSEC a.example.test. A MX TLSA RRSIG NSEC",
    "example.test 900 RRSIG NSEC 13 2 900 20300102030405 20200101000000 7 example.test. AAAA",
    "example.test 900 RRSIG SOA 13 2 60 20290102030405 20200101000000 7 example.test. AAAA",
)


def value_of(rdata: Any) -> object:  # noqa: ANN401 - dnspython's classes are many
    """dnspython's rdata as our value."""

    def text(name: dns.name.Name) -> str:
        return name.to_text(omit_final_dot=True).lower().strip(".") if len(name) > 1 else ""

    match dns.rdatatype.to_text(rdata.rdtype):
        case "A" | "AAAA":
            return rdata.address
        case "TLSA":
            return TlsaRecord(rdata.usage, rdata.selector, rdata.mtype, rdata.cert)
        case "CNAME" | "NS":
            return text(rdata.target)
        case "MX":
            return (rdata.preference, text(rdata.exchange))
        case "SRV":
            return (rdata.priority, rdata.weight, rdata.port, text(rdata.target))
        case _:
            return (text(rdata.mname), rdata.serial, rdata.minimum)


def plain(value: object) -> object:
    """Our value in the same shape."""
    match value:
        case MxRecord():
            return (value.preference, value.exchange.text if value.exchange else "")
        case SrvRecord():
            return (
                value.priority,
                value.weight,
                value.port,
                value.target.text if value.target else "",
            )
        case SoaRecord():
            return (value.primary.text, value.serial, value.minimum.total_seconds())
        case DnsName() | Hostname():
            return value.text
        case _:
            return value


def assert_same(response: Response, message: dns.message.Message) -> None:
    """Every RRset of a kind that we read has the same records and, being uniform, the same TTL."""
    assert response.rcode == message.rcode()
    for ours, theirs in (
        (response.answer, message.answer),
        (response.authority, message.authority),
        (response.additional, message.additional),
    ):
        assert len(ours) == len(theirs)
        for rrset in theirs:
            name = rrset.name.to_text(omit_final_dot=True).lower()
            key = RRsetKey(name, int(rrset.rdtype), int(rrset.covers))
            assert ours[key].ttl == rrset.ttl
            kind = next((k for k in KINDS if k.rdtype == rrset.rdtype), None)
            if kind is not None:
                found: Any = records(kind, ours, name)
                assert not found[1]
                assert {plain(v) for v in found[0]} == {value_of(rd) for rd in rrset}


def query_for(name: str, rdtype: int = 52) -> Query:
    return Query("127.0.0.1", 53, name, rdtype, Ask.RECURSIVE, 1.0)


def example(name: str = NAME) -> bytes:
    asked = dns.message.make_query(name, "TLSA", want_dnssec=True)
    return build(
        asked, *LINES, authority=AUTHORITY, additional=("ns1.example.test 5 A 192.0.2.9",)
    ).to_wire()


def test_a_response_reads_as_dnspython_reads_it() -> None:
    octets = example()
    assert_same(wire.decode_message(octets), dns.message.from_wire(octets))


def test_a_query_reads_as_meant() -> None:
    message = dns.message.from_wire(wire.encode_query(query_for(NAME), 4711))
    assert message.id == 4711
    assert message.question[0].to_text() == f"{NAME}. IN TLSA"
    assert message.flags == dns.flags.RD | dns.flags.AD
    assert (message.edns, message.payload, message.ednsflags) == (0, 1232, dns.flags.DO)
    unchecked = Query("127.0.0.1", 53, "", 6, Ask.UNCHECKED, 1.0)
    message = dns.message.from_wire(wire.encode_query(unchecked, 0))
    assert message.question[0].to_text() == ". IN SOA"
    assert message.flags == dns.flags.RD | dns.flags.CD


labels = st.binary(min_size=1, max_size=63)
names = st.lists(labels, max_size=6).filter(lambda ls: sum(map(len, ls)) + len(ls) < 255)


@given(names)
def test_names_of_any_octets_survive(parts: list[bytes]) -> None:
    name = dns.name.Name([*parts, b""])
    octets = name.to_wire() or b""
    text, after = read_name(b"\xff" * 7 + octets, 7)
    assert after == 7 + len(octets)
    expected = name.canonicalize().to_text(omit_final_dot=True) if parts else ""
    assert text == expected
    assert text.isascii()
    for kind in (DnsName, Hostname):
        assert decode(kind, encode(kind(text))) == kind(text)
    assert all(" " < c <= "~" for c in text)
    assert encode_name(text) == name.canonicalize().to_wire()


host_labels = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
hosts = st.lists(host_labels, min_size=1, max_size=5).map(".".join)
ttls = st.integers(0, 2**31 - 1)
addresses = st.ip_addresses(v=4).map(str)
lines = st.one_of(
    st.builds("{} {} A {}".format, hosts, ttls, addresses),
    st.builds("{} {} AAAA {}".format, hosts, ttls, st.ip_addresses(v=6).map(str)),
    st.builds("{} {} MX {} {}.".format, hosts, ttls, st.integers(0, 65535), hosts),
    st.builds("{} {} NS {}.".format, hosts, ttls, hosts),
    st.builds("{} {} CNAME {}.".format, hosts, ttls, hosts),
    st.builds(
        "{} {} TLSA {} {} 0 {}".format,
        hosts,
        ttls,
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(min_size=1, max_size=90).map(bytes.hex),
    ),
)


@settings(max_examples=60)
@given(st.lists(lines, max_size=8, unique_by=lambda line: (line.split()[0], line.split()[2])))
def test_any_response_reads_as_dnspython_reads_it(answer: list[str]) -> None:
    asked = dns.message.make_query("x.test", "A", want_dnssec=True)
    octets = build(asked, *answer).to_wire()
    assert_same(wire.decode_message(octets), dns.message.from_wire(octets))


def read_all(octets: bytes) -> None:
    """Do everything that is done with a response."""
    response = wire.decode_message(octets)
    for section in (response.answer, response.authority, response.additional):
        for key in section:
            for kind in KINDS:
                records(kind, section, key.name)
            response.ttl(key.name, key.rdtype)
            response.chain(key.name, 52)
    response.signed_until()
    assert response.words.isprintable()


def test_damaged_responses_are_malformed_and_nothing_else() -> None:
    octets = example()
    dice = random.Random(7)
    malformed = 0
    for _ in range(3000):
        damaged = bytearray(octets)
        for _ in range(dice.randint(1, 6)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        cut = dice.choice([len(damaged), dice.randrange(len(damaged))])
        try:
            read_all(bytes(damaged[:cut]))
        except MalformedError:
            malformed += 1
    assert 0 < malformed < 3000


@given(st.binary(max_size=80))
def test_random_octets_are_malformed_and_nothing_else(octets: bytes) -> None:
    for message in (octets, b"\0\0\x81\x80\0\1\0\2\0\1\0\1" + octets):
        try:
            read_all(message)
        except MalformedError:
            continue


@pytest.mark.parametrize(
    "octets",
    [
        b"\xc0\0",  # to itself
        b"\x01a\xc0\0",  # round and round
        b"\xc0\x04\0\0\0",  # forwards
        b"\x40" + b"a" * 64 + b"\0",  # a reserved label type
        b"\x80a\0",
        b"\x3fa",  # beyond the end
        b"\x01a",
        b"\xc0",
        b"",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",  # 257 octets
    ],
)
def test_bad_names_are_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedError):
        read_name(octets, 0)


def test_a_ladder_of_pointers_is_climbed_for_as_long_as_a_name_may_be() -> None:
    """Each record of a message may begin at its top: without an end, that costs seconds."""
    ladder = b"\0\0" + b"".join(struct.pack("!H", 0xC000 | 2 * rung) for rung in range(200))
    assert read_name(ladder, 2 * 127)[0] == ""
    with pytest.raises(MalformedError, match="leads nowhere"):
        read_name(ladder, 2 * 128)


def whole_example() -> dns.message.Message:
    """A response with a record or several of every kind."""
    asked = dns.message.make_query(NAME, "TLSA", want_dnssec=True)
    return build(asked, *LINES, authority=AUTHORITY, extended=((7, "it is over"),))


def spoil(message: dns.message.Message, rdtype: str, rdata: bytes) -> None:
    """Add to the answer, beside what it has of that type, rdata of whatever octets."""
    kind = dns.rdatatype.from_text(rdtype)
    good = next(rrset for rrset in message.answer if rrset.rdtype == kind)
    bad = dns.rrset.RRset(good.name, good.rdclass, kind)
    bad.add(dns.rdata.GenericRdata(good.rdclass, kind, rdata), good.ttl)
    message.answer.append(bad)


@pytest.mark.parametrize(
    ("rdtype", "rdata"),
    [
        ("TLSA", b"\3\1\1\xab"),
        ("TLSA", b"\3"),
        ("A", b"\x7f\1"),
        ("MX", b"\0\x0a\3ab"),
        ("RRSIG", b""),
    ],
)
def test_beside_a_bad_record_all_others_are_read(rdtype: str, rdata: bytes) -> None:
    message = whole_example()
    whole = wire.decode_message(message.to_wire())
    spoil(message, rdtype, rdata)
    response = wire.decode_message(message.to_wire())
    for before, after in (
        (whole.answer, response.answer),
        (whole.authority, response.authority),
        (whole.additional, response.additional),
    ):
        for key, rrset in before.items():
            octets = {rdata.octets for rdata in after[key].rdatas}
            assert {rdata.octets for rdata in rrset.rdatas} <= octets
            assert after[key].ttl == rrset.ttl
    assert (response.extended, response.words) == (whole.extended, whole.words)
    assert response.extended == ("EDE 7 (signature expired): it is over",)


def test_a_bad_record_is_kept_as_far_as_it_can_be() -> None:
    message = whole_example()
    spoil(message, "TLSA", b"\3\1\1\xab")
    spoil(message, "TLSA", b"\3\1")
    spoil(message, "A", b"\x7f\1")
    answer = wire.decode_message(message.to_wire()).answer
    found, rejects = records(TLSA, answer, NAME)
    assert TlsaRecord(3, 1, 1, b"\xab") in found
    assert len(found) == 3
    assert rejects == ("TLSA record: rdata of 2 octets",)
    assert records(A, answer, "mail.example.test") == (
        ("192.0.2.1",),
        ("A record: address of 2 octets",),
    )


def test_the_longest_name_is_read() -> None:
    octets = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"a" * 61 + b"\0"
    assert len(octets) == 255
    assert read_name(octets, 0)[1] == 255


def test_a_name_may_not_leave_its_rdata() -> None:
    message = b"\x03abc\0"
    assert Rdata(message, 0, 5).name() == "abc"
    with pytest.raises(MalformedError):
        Rdata(message, 0, 2).name()


def test_ttls_beyond_31_bits_are_seven_days_and_the_largest_counts() -> None:
    asked = dns.message.make_query("x.test", "A")
    octets = bytearray(build(asked, "x.test 5 A 192.0.2.1", "x.test 5 A 192.0.2.2").to_wire())
    first = octets.index(b"\xc0\x0c\0\1\0\1") + 6
    octets[first : first + 4] = struct.pack("!I", 0xFFFFFFFF)
    assert wire.decode_message(bytes(octets)).ttl("x.test", 1) == 604800  # RFC 8767 section 4
    for ttl, held in ((0x80000000, 604800), (0x7FFFFFFF, 0x7FFFFFFF), (604801, 604801)):
        octets[first : first + 4] = struct.pack("!I", ttl)
        assert wire.decode_message(bytes(octets)).ttl("x.test", 1) == held
    octets[first : first + 4] = struct.pack("!I", 77)
    assert wire.decode_message(bytes(octets)).ttl("x.test", 1) == 77


def test_other_classes_are_left_out() -> None:
    asked = dns.message.make_query("x.test", "TXT")
    message = dns.message.make_response(asked)
    message.answer.append(dns.rrset.from_text("x.test.", 5, "CH", "TXT", '"y"'))
    assert wire.decode_message(message.to_wire()).answer == {}


def test_extended_response_codes_are_put_together() -> None:
    asked = dns.message.make_query("x.test", "A", want_dnssec=True)
    response = wire.decode_message(build(asked, rcode="BADVERS").to_wire())
    assert (response.rcode, response.words) == (16, "BADVERS")


def test_a_signer_that_runs_past_its_signature_is_none() -> None:
    octets = b"\0\x34\x0d\2" + bytes(14) + b"\7example\0"
    for length, signers in ((len(octets), ["example"]), (len(octets) - 1, [])):
        rrset = RRset(300, Rdata(octets, 0, length))
        found = signatures({RRsetKey("a.example", 46, 52): rrset}, "a.example", 52)
        assert [one.signer for one in found] == signers
