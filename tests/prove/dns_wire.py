"""DNS messages: every use that is made of one, and dnspython as a second reader."""

from __future__ import annotations

import contextlib
import ipaddress
import zlib
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.message
import dns.rdatatype

from adapters.nameserver import build
from danebot.adapters.dns import message as wire
from danebot.adapters.dns.denial import denial_ttl, denies, negative_ttl
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Reply, Steps, Trouble
from danebot.adapters.dns.rdata import AAAA, CNAME, MX, NS, SOA, SRV, TLSA, A, RecordKind
from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.adapters.dns.resolver import Resolver, records
from danebot.adapters.dns.response import RRSIG, Response, RRsetKey, Section, synthesised
from danebot.adapters.dns.routes import Routing
from danebot.adapters.dns.traced import _reply as told
from danebot.adapters.dns.wire_names import MalformedError
from danebot.adapters.dns.zones import Zones
from danebot.domain.names import DnsName, Hostname
from prove.difference import Difference, same

_NAME = "_25._tcp.mail.example.test"
_SENT = wire.encode_query(Query("127.0.0.1", 53, _NAME, 52, Ask.RECURSIVE, 1.0), 0)
_KINDS: dict[int, RecordKind[Any]] = {
    kind.rdtype: kind for kind in (A, AAAA, CNAME, MX, NS, SOA, SRV, TLSA)
}
_CLASS_IN = 1
_MOST_ROUNDS = 300  # of queries; a resolution that takes more goes on for ever
_SILENT = QueryFailure(Trouble.TIMEOUT)

_ANSWER = (
    f"{_NAME} 300 TLSA 3 1 1 {'ab' * 32}",
    f"{_NAME} 300 TLSA 2 0 2 {'cd' * 64}",
    f"{_NAME} 299 RRSIG TLSA 13 5 3600 20300102030405 20200101000000 7 Example.test. AAAA",
)
_ALIASED = (
    f"{_NAME} 300 CNAME mail.EXAMPLE.test.",
    "mail.example.test 60 DNAME other.test.",
    f"mail.example.test 300 TLSA 3 1 1 {'ab' * 32}",
)
_HOSTS = (
    "mail.example.test 60 A 192.0.2.1",
    "mail.example.test 60 AAAA 2001:db8::1",
    "example.test 60 MX 10 mail.example.test.",
    "example.test 60 MX 0 .",
    "_imaps._tcp.example.test 5 SRV 1 2 993 mail.example.test.",
    r"odd\.label\032\200.test 5 NS a\\b.test.",
    'sub.example.test 5 TXT "text" "more"',
)
_DENIAL = (
    "example.test 60 SOA ns1.example.test. hostmaster.example.test. 2024 3600 600 86400 300",
    "example.test 900 NSEC a.example.test. A MX TLSA RRSIG NSEC",
    "example.test 900 RRSIG NSEC 13 2 900 20300102030405 20200101000000 7 example.test. AAAA",
)
_SERVERS = ("example.test 60 NS ns1.example.test.", "example.test 60 NS ns2.other.test.")
_GLUE = ("ns1.example.test 5 A 192.0.2.9",)


def seeds() -> tuple[bytes, ...]:
    """Answers, aliases, denials, referrals and errors."""
    asked = dns.message.make_query(_NAME, "TLSA", want_dnssec=True, id=0)
    made = (
        build(asked, *_ANSWER, authority=_SERVERS, additional=_GLUE),
        build(asked, *_ALIASED),
        build(asked, *_HOSTS),
        build(asked, authority=_DENIAL, rcode="NXDOMAIN"),
        build(asked, authority=_SERVERS, additional=_GLUE, flags="QR AA"),
        build(asked, rcode="SERVFAIL", extended=((7, "signature expired"), (22, ""))),
    )
    return tuple(one.to_wire() for one in made)


def read(data: bytes) -> None:
    """Everything that is made of a response."""
    data = _SENT[:2] + data[2:]
    turn = zlib.crc32(data)
    wire.unframe(data)
    wire.reply_to(_SENT, data)
    try:
        response = wire.decode_message(data)
    except MalformedError:
        if turn % 4 == 0:
            _refused(data)
        return
    _uses(response)
    if turn % 4 == 0:
        compare(data, response)
    if turn % 16 == 1:
        _resolutions(response)


def _uses(response: Response) -> None:
    if not response.words.isprintable():
        raise Difference("words that can't be printed")
    for section in (response.answer, response.authority, response.additional):
        for key in section:
            kind = _KINDS.get(key.rdtype)
            rejects = records(kind, section, key.name)[1] if kind is not None else ()
            if not all(text.isprintable() for text in (key.name, *rejects)):
                raise Difference("a name that can't be printed")
            synthesised(section, key.name, key.rdtype)
    for key in response.answer:
        response.ttl(key.name, key.rdtype)
        response.signed_since(key.name, key.rdtype)
        response.chain(key.name, TLSA.rdtype)
    negative_ttl(response)
    denies(response, _NAME)
    denial_ttl(response)
    response.signed_until()
    response.latest_inception()
    for _ in told("x TLSA", response):
        pass


# ---- resolutions in which somebody answers like that ------------------------------------------


def _resolutions(response: Response) -> None:
    """To every question, whoever is asked; a double of all servers."""
    config = ResolverConfig((Nameserver("127.0.0.1"), Nameserver("192.0.2.53")), attempts=1)
    resolver = Resolver(config)
    _drive(Observer(Zones(resolver)).observe([DnsName(_NAME)]), response)
    _drive(Routing(resolver).mail(Hostname("example.test")), response)


def _drive(steps: Steps[Any], response: Response) -> None:
    number = 0

    def reply() -> Reply:
        nonlocal number
        number += 1
        return _SILENT if number % 5 == 0 else response

    with contextlib.suppress(StopIteration):
        batch = next(steps)
        for _ in range(_MOST_ROUNDS):
            batch = steps.send(tuple(reply() for _ in batch))
        raise Difference("a resolution without an end")


# ---- dnspython ---------------------------------------------------------------------------------


def _theirs(data: bytes) -> dns.message.Message | None:
    """None where dnspython refuses more than we do: a whole message for what one record is."""
    try:
        message = dns.message.from_wire(data, continue_on_error=True, ignore_trailing=True)
    except Exception:  # noqa: BLE001 - whatever it raises, it has no other reading
        return None
    return None if message.errors or message.opcode() else message


def _refused(data: bytes) -> None:
    if _theirs(data) is not None:
        raise Difference("refused, and dnspython reads it")


def compare(data: bytes, response: Response) -> None:
    """Raise `Difference` where dnspython reads something else."""
    message = _theirs(data)
    if message is None:
        return
    same("the response code", response.rcode, int(message.rcode()))
    sections = (
        (response.answer, message.answer),
        (response.authority, message.authority),
        (response.additional, message.additional),
    )
    for ours, theirs in sections:
        found: dict[RRsetKey, set[object]] = {}
        for rrset in theirs:
            if int(rrset.rdclass) == _CLASS_IN:
                covers = int(rrset.covers) if int(rrset.rdtype) == RRSIG else 0
                key = RRsetKey(_text(rrset.name), int(rrset.rdtype), covers)
                found.setdefault(key, set()).update(map(_plain_of_theirs, rrset))
        same("RRsets", sorted(ours), sorted(found))
        for key, values in found.items():
            _compare_values(ours, key, values)


def _compare_values(section: Section, key: RRsetKey, theirs: set[object]) -> None:
    kind = _KINDS.get(key.rdtype)
    if kind is None:
        return
    found, rejects = records(kind, section, key.name)
    ours = {_plain(kind.rdtype, value) for value in found}
    if dns.rdatatype.is_singleton(dns.rdatatype.RdataType(kind.rdtype)):
        ours &= theirs  # of several, which only a broken server has, it keeps the last
    if ours - theirs or (theirs - ours and not rejects):
        same(f"{kind.word} records", sorted(map(str, ours)), sorted(map(str, theirs)))


def _text(name: Any) -> str:  # noqa: ANN401 - dnspython's name
    found: str = name.canonicalize().to_text(omit_final_dot=True)
    return "" if found == "." else found


def _plain_of_theirs(rdata: Any) -> object:  # noqa: ANN401 - dnspython's classes are many
    match dns.rdatatype.to_text(rdata.rdtype):
        case "A" | "AAAA":
            return ipaddress.ip_address(rdata.address)
        case "TLSA":
            return (rdata.usage, rdata.selector, rdata.mtype, rdata.cert)
        case "CNAME" | "NS":
            return _text(rdata.target)
        case "MX":
            return (rdata.preference, _text(rdata.exchange))
        case "SRV":
            return (rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
        case "SOA":
            return (_text(rdata.mname), rdata.serial)
    return None


def _plain(rdtype: int, value: Any) -> object:  # noqa: ANN401 - a value of its kind
    match rdtype:
        case A.rdtype | AAAA.rdtype:
            return ipaddress.ip_address(value)
        case TLSA.rdtype:
            return (value.usage, value.selector, value.mtype, value.data)
        case CNAME.rdtype | NS.rdtype:
            return value.text
        case MX.rdtype:
            return (value.preference, value.exchange.text if value.exchange else "")
        case SRV.rdtype:
            return (
                value.priority,
                value.weight,
                value.port,
                value.target.text if value.target else "",
            )
    return (value.primary.text, value.serial)


def names(response: Response) -> Iterator[str]:
    """The owners in a response."""
    for section in (response.answer, response.authority, response.additional):
        yield from (key.name for key in section)
