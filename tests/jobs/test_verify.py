"""The observing half of the outside view: over a told name server and real peers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.hostile import Peer, Service, says, server_context, service_of
from adapters.nameserver import SECURE, Nameserver, nameservers
from adapters.probing import Certificates
from adapters.services import HELO
from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Steps, Trouble, within
from danebot.adapters.dns.resolvconf import Nameserver as At
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.domain.dane.certificate import read
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.verdicts import Outcome, Reason
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.delivery.report import (
    MailSubject,
    Report,
    ServiceSubject,
    SrvSubject,
    Subject,
)
from danebot.domain.finding import Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.errors import NameSyntaxError
from danebot.jobs import verify as module
from danebot.jobs.context import system_clock
from danebot.jobs.verify import (
    Family,
    Inquiry,
    Place,
    parse_places,
    verify_many,
    verify_one,
)

SOA = "example 60 SOA ns.example. h.example. 1 2 3 4 5"
RECORD = "3 1 1 " + "5a" * 32


@dataclass
class World:
    """A name server, a mail server, and how to ask them."""

    dns: Nameserver
    service: Service
    port: int

    @property
    def inquiry(self) -> Inquiry:
        at = At("127.0.0.1", self.dns.port)
        return Inquiry(ResolverConfig((at,), timeout=timedelta(seconds=5)), HELO)

    def host(self, name: str, *addresses: str, port: int | None = None) -> Hostname:
        """Publish a host with TLSA records."""
        four = [f"{name} 60 A {one}" for one in addresses if ":" not in one]
        six = [f"{name} 60 AAAA {one}" for one in addresses if ":" in one]
        authority = (SOA,)
        self.dns.say(name, "A", *four, authority=() if four else authority)
        self.dns.say(name, "AAAA", *six, authority=() if six else authority)
        owner = f"_{port or self.port}._tcp.{name}"
        self.dns.say(owner, "TLSA", f"{owner} 60 TLSA {RECORD}", flags=SECURE)
        return Hostname(name)

    def mail(self, domain: str, *hosts: str) -> MailSubject:
        """Publish a mail domain."""
        self.dns.say(domain, "MX", *(f"{domain} 60 MX 10 {one}." for one in hosts))
        return MailSubject(Hostname(domain))

    def at(self, name: str) -> ServiceSubject:
        """The mail server under a name."""
        return ServiceSubject(Endpoint(Hostname(name), self.port, Protocol.SMTP))

    def many(self, subjects: Sequence[Subject], inquiry: Inquiry | None = None) -> list[Report]:
        """A run over many."""
        return list(verify_many(subjects, inquiry or self.inquiry, system_clock, jobs=4))

    def one(self, subject: Subject, inquiry: Inquiry | None = None) -> Report:
        """A check."""
        return verify_one(subject, inquiry or self.inquiry, system_clock)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(certificates: Certificates) -> Iterator[World]:
    service = service_of(Protocol.SMTP, server_context(certificates.ecdsa.file))
    with nameservers("127.0.0.1") as (told,), Peer(service) as peer:
        yield World(told, service, peer.port)


def test_one_and_many_are_told_the_same(world: World) -> None:
    for name in ("a.example", "b.example"):
        world.host(name, "127.0.0.1")
    world.dns.say("gone.example", "A", rcode="NXDOMAIN", authority=(SOA,))
    world.dns.say("gone.example", "AAAA", rcode="NXDOMAIN", authority=(SOA,))
    subjects = [world.at(name) for name in ("a.example", "gone.example", "b.example")]
    together, single = world.many(subjects), [world.one(subject) for subject in subjects]
    assert together == single
    assert [report.subject for report in together] == subjects
    assert [report.findings[0].code for report in together] == [
        DeliveryCode.MISMATCH,
        DeliveryCode.NO_SERVICE,
        DeliveryCode.MISMATCH,
    ]


def test_nothing_is_asked_twice_in_a_run(world: World) -> None:
    """Twenty domains at one host: one lookup, and one session, on port 25 of elsewhere."""
    host = world.host("mx.example", "127.0.0.9", port=25)
    subjects = [world.mail(f"d{number}.example", "mx.example") for number in range(20)]
    places = {host: (Place("127.0.0.1", world.port),)}
    reports = world.many(subjects, world.inquiry._replace(places=places))
    assert [report.subject for report in reports] == subjects
    assert {report.findings[0].code for report in reports} == {DeliveryCode.MISMATCH}
    assert len(world.service.sni) == 1
    for kind, name in (
        ("A", "mx.example"),
        ("AAAA", "mx.example"),
        ("TLSA", "_25._tcp.mx.example"),
    ):
        assert world.dns.count(name, kind) == 1


def test_a_long_run_forgets_what_it_saw_long_ago(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers about a million domains don't fit into memory."""
    monkeypatch.setattr(module, "_KEPT", 20)
    names = [f"m{number}.example" for number in range(12)]
    subjects = [world.at(name) for name in (*names, names[0])]
    for name in names:
        world.host(name, "127.0.0.1")
    reports = world.many(subjects)
    assert [report.subject for report in reports] == subjects
    assert {report.findings[0].code for report in reports} == {DeliveryCode.MISMATCH}
    assert world.dns.count("m0.example", "A") == 2


def test_reports_come_in_order_though_one_is_slow(world: World) -> None:
    quick = [world.at(f"q{number}.example") for number in range(100)]
    for subject in quick:
        world.host(subject.endpoint.host.text, "127.0.0.1")
    slow = MailSubject(Hostname("slow.example"))
    world.dns.keep_silent("slow.example", "MX")
    config = world.inquiry.resolver._replace(timeout=timedelta(seconds=0.5))
    subjects: list[Subject] = [slow, *quick]
    reports = world.many(subjects, world.inquiry._replace(resolver=config))
    assert [report.subject for report in reports] == subjects
    assert reports[0].severity is Severity.UNJUDGED


def test_a_host_listed_twice_is_one(world: World) -> None:
    host = world.host("mx.example", "127.0.0.9", port=25)
    world.dns.say(
        "twice.example", "MX", *(f"twice.example 60 MX {n} mx.example." for n in (10, 20))
    )
    places = {host: (Place("127.0.0.1", world.port),)}
    report = world.one(
        MailSubject(Hostname("twice.example")), world.inquiry._replace(places=places)
    )
    assert len(report.hosts) == 1
    assert len(report.addresses) == 1


@pytest.mark.parametrize(
    ("family", "addresses"),
    [
        (Family.ANY, {"127.0.0.1", "127.0.0.2", "::1"}),
        (Family.IPV4, {"127.0.0.1", "127.0.0.2"}),
        (Family.IPV6, {"::1"}),
    ],
)
def test_families(world: World, family: Family, addresses: set[str]) -> None:
    world.host("mx.example", "127.0.0.1", "127.0.0.2", "::1")
    report = world.one(world.at("mx.example"), world.inquiry._replace(family=family))
    assert {one.result.address for one in report.addresses} == addresses


def test_one_host_alone_is_meant_of_services_too(world: World) -> None:
    """`danebot verify --only HOST` takes domains and services side by side."""
    names = ("a.example", "b.example")
    for name in names:
        world.host(name, "127.0.0.1")
    criteria = world.inquiry.criteria._replace(only=Hostname("a.example"))
    reports = world.many(list(map(world.at, names)), world.inquiry._replace(criteria=criteria))
    assert [report.findings[0].code for report in reports] == [
        DeliveryCode.MISMATCH,
        DeliveryCode.NO_SUCH_HOST,
    ]


def test_both_algorithms(world: World) -> None:
    world.host("mx.example", "127.0.0.1")
    report = world.one(world.at("mx.example"), world.inquiry._replace(algorithms=tuple(Algorithm)))
    found = {one.result.algorithm: one.result.outcome for one in report.addresses}
    assert found == {
        Algorithm.ANY: ProbeOutcome.SERVED,
        Algorithm.RSA: ProbeOutcome.TLS_FAILED,
        Algorithm.ECDSA: ProbeOutcome.SERVED,
    }


def test_sni_is_the_base_domain(world: World) -> None:
    """RFC 7672 section 8.1: where the host is an alias, the name at its end."""
    line = "mx.example 60 CNAME real.example."
    world.host("real.example", "127.0.0.1")
    world.dns.say("mx.example", "A", line, "real.example 60 A 127.0.0.1")
    world.dns.say("mx.example", "AAAA", line, authority=(SOA,))
    world.one(world.at("mx.example"))
    assert world.service.sni == ["real.example"]


def test_srv(world: World) -> None:
    world.host("mx.example", "127.0.0.1")
    owner = "_submission._tcp.example"
    world.dns.say(owner, "SRV", f"{owner} 60 SRV 0 0 {world.port} mx.example.")
    report = world.one(SrvSubject(Hostname("example"), "submission"))
    assert report.findings[0].code is DeliveryCode.MISMATCH
    assert report.hosts[0].protocol is Protocol.SMTP
    assert report.hosts[0].profile is Profile.SRV


@pytest.mark.parametrize("service", ["", "submission"])
def test_pkix_usages_are_judged_where_they_count(
    world: World, certificates: Certificates, tmp_path: Path, service: str
) -> None:
    """Between mail servers they are unusable; what SRV records lead to has a trust store."""
    from danebot.domain.lineage.pem import to_pem

    store = tmp_path / "ca.pem"
    store.write_bytes(to_pem(certificates.ecdsa.ders[1:]))
    host = world.host("mx.example", "127.0.0.1")
    leaf = read(certificates.ecdsa.ders[0])
    assert leaf is not None
    owner, data = f"_{world.port}._tcp.{host}", sha256(leaf.spki).hexdigest()
    world.dns.say(owner, "TLSA", f"{owner} 60 TLSA 1 1 1 {data}", flags=SECURE)
    subject: Subject = world.at("mx.example")
    if service:
        srv = f"_{service}._tcp.example"
        line = f"{srv} 60 SRV 0 0 {world.port} mx.example."
        world.dns.say(srv, "SRV", line, flags=SECURE)
        subject = SrvSubject(Hostname("example"), service)
    inquiry = world.inquiry._replace(ca_file=store)
    (address,) = world.one(subject, inquiry).addresses
    assert address.verdict is not None
    unjudged = {one.reason for one in address.verdict.records} & {Reason.NO_TRUST_STORE}
    unusable = address.verdict.outcome is Outcome.UNAUTHENTICATED_TLS
    assert (unusable, unjudged) == (not service, set())


def test_hosts_without_dane_are_not_bothered(world: World) -> None:
    world.host("mx.example", "127.0.0.1")
    world.dns.say(f"_{world.port}._tcp.mx.example", "TLSA", rcode="NXDOMAIN", authority=(SOA,))
    report = world.one(world.at("mx.example"))
    assert report.findings[0].code is DeliveryCode.NO_DANE
    assert report.addresses == ()
    assert world.service.sni == []


# ---- time ---------------------------------------------------------------------------------------


def test_it_is_over_in_time(world: World) -> None:
    """A host that hangs, and a name server that does: what is known is told."""
    host = world.host("mx.example", "127.0.0.1")
    world.dns.keep_silent("mx.example", "AAAA")
    with Peer(says()) as mute:
        places = {host: (Place("127.0.0.1", mute.port), Place("127.0.0.1", world.port))}
        begin = time.monotonic()
        report = verify_one(
            world.at("mx.example"),
            world.inquiry._replace(places=places),
            system_clock,
            timedelta(seconds=6),
        )
        took = time.monotonic() - begin
    outcomes = {one.result.outcome for one in report.addresses}
    hung = outcomes - {ProbeOutcome.SERVED}  # on a busy machine, the limit of all comes first
    assert outcomes > hung
    assert hung in ({ProbeOutcome.TIMEOUT}, {ProbeOutcome.CUT_SHORT})
    assert report.severity is Severity.CRITICAL
    assert took < 6 + 30  # a busy machine's leave; the host would hang for a minute


def query(timeout: float = 5) -> Query:
    return Query("127.0.0.1", 53, "example", 1, Ask.RECURSIVE, timeout)


def test_a_nameserver_that_is_down_leaves_time_to_ask_the_next(world: World) -> None:
    """Each of three lookups waits for the first nameserver; NRPE leaves eight seconds."""
    host = world.host("mx.example", "127.0.0.9", port=25)
    subject = world.mail("d.example", "mx.example")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        down = At("127.0.0.1", silent.getsockname()[1])
        resolver = world.inquiry.resolver._replace(
            nameservers=(down, *world.inquiry.resolver.nameservers)
        )
        places = {host: (Place("127.0.0.1", world.port),)}
        inquiry = world.inquiry._replace(resolver=resolver, places=places)
        report = verify_one(subject, inquiry, system_clock, timedelta(seconds=8))
    assert report.findings[0].code is DeliveryCode.MISMATCH


def two_rounds() -> Steps[list[object]]:
    first = yield (query(), query(0.001))
    second = yield (query(),)
    return [*first, *second]


def test_no_query_is_waited_for_beyond_the_end() -> None:
    steps = within(two_rounds(), time.monotonic() + 4)
    batch = next(steps)
    assert batch[0].timeout < 4
    assert batch[1].timeout == 0.001
    batch = steps.send((QueryFailure(Trouble.REFUSED), QueryFailure(Trouble.REFUSED)))
    assert batch[0].timeout < 4
    with pytest.raises(StopIteration) as stop:
        steps.send((QueryFailure(Trouble.REFUSED),))
    assert len(stop.value.value) == 3


def test_after_the_end_nothing_is_asked() -> None:
    with pytest.raises(StopIteration) as stop:
        next(within(two_rounds(), time.monotonic() - 1))
    assert {str(failure) for failure in stop.value.value} == {"timed out: no time left"}


def test_steps_that_ask_nothing() -> None:
    def nothing() -> Steps[int]:
        yield from ()
        return 7

    with pytest.raises(StopIteration) as stop:
        next(within(nothing(), time.monotonic()))
    assert stop.value.value == 7


# ---- words --------------------------------------------------------------------------------------


def test_places() -> None:
    found = parse_places(["A.example.=192.0.2.1", "a.example=2001:DB8::1", "b.example=192.0.2.2"])
    assert found == {
        Hostname("a.example"): (Place("192.0.2.1"), Place("2001:db8::1")),
        Hostname("b.example"): (Place("192.0.2.2"),),
    }


@pytest.mark.parametrize("word", ["", "a.example", "a.example=", "=192.0.2.1", "a.example=b\x1b"])
def test_no_places(word: str) -> None:
    with pytest.raises(NameSyntaxError, match="want NAME=ADDRESS") as caught:
        parse_places([word])
    assert str(caught.value).isprintable()


def test_trust_anchors(certificates: Certificates, tmp_path: Path) -> None:
    from danebot.adapters.probe.trust import trust_anchors
    from danebot.domain.lineage.pem import to_pem

    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(to_pem(certificates.ecdsa.ders[1:]))
    assert trust_anchors(bundle) == certificates.ecdsa.ders[1:]
    assert trust_anchors(tmp_path / "none") is None


def test_records_are_named_by_the_table_that_is_carried_along(world: World) -> None:
    digest = "2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba"
    host = world.host("named.example", "127.0.0.1")
    owner = f"_{world.port}._tcp.{host}"
    world.dns.say(owner, "TLSA", f"{owner} 60 TLSA 2 1 1 {digest}", flags=SECURE)
    found = verify_one(world.at("named.example"), world.inquiry, system_clock)
    assert found.findings[0].code is DeliveryCode.MISMATCH
    assert "Let's Encrypt R10: retired, issues no more" in found.findings[0].text
