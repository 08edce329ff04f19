"""Probes of endpoints and /probe, against a name server and services that do as they are told."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.hostile import Behaviour, Peer, says, server_context
from adapters.nameserver import RECURSIVE, Nameserver, nameservers
from adapters.probing import Certificates, Served
from danebot.config import EndpointSetting, LineageSettings, Settings, SocketAddress
from danebot.domain.delivery.codes import DeliveryCode
from danebot.domain.delivery.judgements import GRADES, Judgement, endpoint_findings, judgement
from danebot.domain.delivery.judgements import Served as Shown
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.delivery.report import Report, Subject
from danebot.domain.delivery.routes import Dane
from danebot.domain.finding import DELIVERY_SEVERITIES, Severity
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.lineage.pem import spki_der
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.domain.status.document import StatusFault
from danebot.jobs import verify
from danebot_exporter.budget import PROBES, USUAL, width
from danebot_exporter.endpoints import (
    EndpointReport,
    Watched,
    algorithm_of,
    look_at_all,
    round_metrics,
    watched_endpoints,
)
from danebot_exporter.own import OwnMetrics
from danebot_exporter.probe import allowed, probe, subject_of
from danebot_exporter.store import Store
from danebot_exporter.watch import ProbeRounds
from exporter import sample
from exporter.test_metrics import parsed, value

NAME = "mail.example"
OWNER = f"_25._tcp.{NAME}"


def _key(served: Served) -> bytes:
    """SPKI digest of a served leaf."""
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(served.ders[0])
    return hashlib.sha256(spki_der(leaf.public_key())).digest()


@dataclass
class World:
    """A mail host: its name server, its chain, and the settings that lead to its service."""

    dns: Nameserver
    certificates: Certificates
    connect: tuple[SocketAddress, ...] = ()

    @property
    def settings(self) -> Settings:
        endpoint = EndpointSetting(Hostname(NAME), 25, self.connect)
        return Settings(
            resolvers=(SocketAddress(self.dns.address, self.dns.port),),
            common=LineageSettings(endpoints=(endpoint,)),
        )

    @property
    def key(self) -> bytes:
        return _key(self.certificates.ecdsa)

    def publish(self, *digests: bytes, flags: str = "QR RD RA AD") -> None:
        self.dns.say(NAME, "A", f"{NAME} 300 A 127.0.0.1", flags=flags)
        self.dns.say(NAME, "AAAA", flags=flags)
        records = [f"{OWNER} 300 TLSA 3 1 1 {digest.hex()}" for digest in digests]
        self.dns.say(OWNER, "TLSA", *records, flags=flags)

    def look(self, key: bytes | None = None) -> EndpointReport:
        endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
        watched = Watched("mail", endpoint, self.key if key is None else key)
        (report,) = look_at_all([watched], self.settings)
        return report


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(certificates: Certificates) -> Iterator[World]:
    with nameservers("127.0.0.1") as (told,):
        yield World(told, certificates)


@pytest.fixture
def service(world: World) -> Iterator[World]:
    """The world, with its service running and its record published."""
    with Peer(behave_as(world)) as peer:
        world.connect = (SocketAddress(peer.address, peer.port),)
        world.publish(world.key)
        yield world


def behave_as(world: World, context: ssl.SSLContext | None = None) -> Behaviour:
    """An SMTP service that minds nobody's name."""
    context = context or server_context(world.certificates.ecdsa.file)

    def behave(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.recv(1000)
        connection.sendall(b"250-mail.example\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n")
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1000)

    return behave


# ---- endpoints ------------------------------------------------------------------------------


def test_authenticated(service: World) -> None:
    report = service.look()
    assert report.success
    assert report.dane is Dane.APPLIES
    (one,) = report.served
    assert (one.judgement, one.key) == (Judgement.AUTHENTICATED, service.key)
    samples = parsed(round_metrics([report], sample.NOW, 2.5))
    labels = {"lineage": "mail", "endpoint": f"{NAME}:25"}
    assert value(samples, "danebot_endpoint_probe_success", **labels) == 1
    assert value(samples, "danebot_endpoint_serves_current_key", **labels) == 1
    assert report.signed_until is None, "nothing says until when"
    signed = replace(report, signed_until=sample.NOW)
    samples = parsed(round_metrics([signed], sample.NOW, 2.5))
    name = "danebot_endpoint_signature_not_after_timestamp_seconds"
    assert value(samples, name, **labels) == sample.NOW.timestamp()
    assert value(samples, "danebot_endpoint_round_duration_seconds") == 2.5
    for each in Judgement:
        found = value(samples, "danebot_endpoint_addresses", **labels, result=each.value)
        assert found == (1 if each is Judgement.AUTHENTICATED else 0)


def test_a_mismatch_and_another_key(service: World) -> None:
    service.publish(bytes(32))
    report = service.look(key=bytes(32))
    assert not report.success
    assert report.served[0].judgement is Judgement.MISMATCH
    labels = {"lineage": "mail", "endpoint": f"{NAME}:25"}
    samples = parsed(round_metrics([report], sample.NOW, 1))
    assert value(samples, "danebot_endpoint_serves_current_key", **labels) == 0


def test_each_lineage_is_shown_its_own_certificate_of_a_server_with_two(world: World) -> None:
    """And where the other one's record is missing, that is told to both."""
    keys = {Algorithm.ECDSA: world.key, Algorithm.RSA: _key(world.certificates.rsa)}
    endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
    watched = [Watched(each.value, endpoint, key, each) for each, key in keys.items()]
    context = server_context(world.certificates.ecdsa.file)
    context.load_cert_chain(world.certificates.rsa.file)
    with Peer(behave_as(world, context)) as peer:
        world.connect = (SocketAddress(peer.address, peer.port),)
        world.publish(*keys.values())
        reports = look_at_all(watched, world.settings)
        assert [report.served[0].key for report in reports] == list(keys.values())
        assert all(report.success for report in reports)
        unknown = replace(watched[1], algorithm=Algorithm.ANY)
        (report,) = look_at_all([unknown], world.settings)
        assert report.served[0].key == keys[Algorithm.ECDSA]
        world.publish(keys[Algorithm.RSA])
        reports = look_at_all(watched, world.settings)
        assert [one.served[0].judgement for one in reports] == [Judgement.MISMATCH] * 2
        world.publish(keys[Algorithm.ECDSA])
        reports = look_at_all(watched, world.settings)
        assert [report.success for report in reports] == [True, False]


def test_what_a_key_type_is_asked_for_by() -> None:
    kinds = {"rsa2048": Algorithm.RSA, "p384": Algorithm.ECDSA, "": Algorithm.ANY}
    assert {kind: algorithm_of(kind) for kind in kinds} == kinds


def test_an_insecure_zone(service: World) -> None:
    service.publish(service.key, flags=RECURSIVE)
    report = service.look()
    assert report.dane is Dane.INSECURE_ADDRESS
    assert report.served[0].judgement is Judgement.NO_DANE


def test_no_tls(world: World) -> None:
    with Peer(says(b"220 mail.example ESMTP\r\n", b"250 mail.example\r\n", b"221 bye\r\n")) as peer:
        world.connect = (SocketAddress(peer.address, peer.port),)
        world.publish(world.key)
        report = world.look()
    assert report.served[0].judgement is Judgement.NO_TLS
    names = {name for name, _ in parsed(round_metrics([report], sample.NOW, 1))}
    assert "danebot_endpoint_serves_current_key" not in names
    assert "danebot_endpoint_certificate_not_after_timestamp_seconds" not in names

    assert report.severity is Severity.CRITICAL
    samples = parsed(round_metrics([report], sample.NOW, 1))
    labels = {"lineage": "mail", "endpoint": str(report.watched.endpoint), "grade": "critical"}
    assert value(samples, "danebot_endpoint_grade", **labels) == 1


def test_no_tls_where_nothing_demands_it(world: World) -> None:
    with Peer(says(b"220 mail.example ESMTP\r\n", b"250 mail.example\r\n", b"221 bye\r\n")) as peer:
        world.connect = (SocketAddress(peer.address, peer.port),)
        world.publish()
        report = world.look()
    assert (report.served[0].judgement, report.severity) == (Judgement.NO_DANE, Severity.WARNING)


@pytest.mark.parametrize("kind", ["A", "TLSA"])
def test_a_lookup_that_fails_is_not_absence(service: World, kind: str) -> None:
    """Senders defer; and where this host alone could not ask, nothing is said of them."""
    service.publish(service.key)
    owner = OWNER if kind == "TLSA" else NAME
    service.dns.say(owner, kind, rcode="SERVFAIL")
    report = service.look()
    assert {one.judgement for one in report.served} == {Judgement.DEFERRED}
    assert report.severity is Severity.CRITICAL
    assert "so senders defer" in report.findings[0].text
    service.dns.say(owner, kind, rcode="REFUSED")
    report = service.look()
    assert {one.judgement for one in report.served} == {Judgement.COULD_NOT_LOOK}
    assert report.severity is Severity.UNJUDGED


@pytest.mark.parametrize(
    ("rcode", "judgement"),
    [("SERVFAIL", Judgement.UNREACHABLE), ("REFUSED", Judgement.COULD_NOT_LOOK)],
)
def test_addresses_of_one_family_that_can_not_be_looked_up(
    service: World, rcode: str, judgement: Judgement
) -> None:
    """The other family's say nothing of these; where the operator names addresses, none is due."""
    service.dns.say(NAME, "AAAA", rcode=rcode)
    assert service.look().success
    service.connect = ()
    (lost,) = [one for one in service.look().served if not one.address]
    assert lost.judgement is judgement
    assert lost.detail.startswith("AAAA records can't be looked up: ")


def test_every_judgement_has_a_grade() -> None:
    """Of which an alert's severity is made, and the page's colour."""
    assert set(GRADES) == set(Judgement) - {Judgement.AUTHENTICATED}
    endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
    for one in Judgement:
        found = endpoint_findings("mail", endpoint, [Shown("192.0.2.1", one, "")])
        assert (found == ()) == (one is Judgement.AUTHENTICATED)
    assert endpoint_findings("mail", endpoint, [])[0].severity is Severity.UNJUDGED


def test_one_silent_address_of_two_is_a_warning() -> None:
    endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
    silent = Shown("192.0.2.1", Judgement.UNREACHABLE, "")
    fine = Shown("192.0.2.2", Judgement.AUTHENTICATED, "")
    (one,) = endpoint_findings("mail", endpoint, [silent, fine])
    (alone,) = endpoint_findings("mail", endpoint, [silent])
    assert (one.severity, alone.severity) == (Severity.WARNING, Severity.CRITICAL)


def test_nobody_there_and_no_address(world: World) -> None:
    world.publish(world.key)
    world.connect = (SocketAddress("127.0.0.1", 1),)
    assert world.look().served[0].judgement is Judgement.UNREACHABLE
    world.connect = ()
    world.dns.say(NAME, "A")
    report = world.look()
    assert report.dane is Dane.NO_ADDRESS
    assert not report.success


def test_which_endpoints() -> None:
    status = sample.cooling("mail.example.com")
    (one,) = watched_endpoints(status, Settings())
    assert (one.lineage, str(one.endpoint)) == ("mail.example.com", "mail.example.com:25")
    assert one.key == sample.key("mail.example.com").digest
    assert watched_endpoints(status, Settings(common=LineageSettings(probe=False))) == ()
    odd = ("nonsense", "_25._udp.a.example", "_99999._tcp.a.example", "_443._tcp.a.example")
    records = tuple(status.records[0]._replace(owner=owner) for owner in odd)
    (one,) = watched_endpoints(status._replace(records=records), Settings())
    assert one.endpoint == Endpoint(Hostname("a.example"), 443, Protocol.TLS)


def test_a_round_is_kept(service: World, tmp_path: Path) -> None:
    document = sample.snapshot([sample.lineage(NAME)])
    path = sample.write(tmp_path / "status.json", document)
    store = Store(service.settings._replace(snapshot=path))
    complaints: list[str] = []
    own = OwnMetrics()
    watch = ProbeRounds(store, timedelta(minutes=5), complaints.append, own)
    assert store.round == b""
    assert watch.round() == 1
    assert b"danebot_endpoint_watched 1.0\n" in own.text()
    assert store.reports[NAME][0].success
    assert b"danebot_endpoint_probe_success" in store.round
    path.unlink()
    service.publish(bytes(32))
    assert watch.round() == 1, "what is wrong at a service is told on, document or not"
    assert b'result="mismatch"} 1\n' in store.round
    sample.write(path, sample.snapshot())
    assert watch.round() == 0
    assert (store.round, complaints) == (b"", [])
    assert b"danebot_endpoint_watched 0.0\n" in own.text()


def test_what_this_host_could_not_look_at_stays_as_it_was(service: World, tmp_path: Path) -> None:
    """Neither its own resolver nor a lack of descriptors is told as the service's fault."""
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage(NAME)]))
    store = Store(service.settings._replace(snapshot=path))
    complaints: list[str] = []
    own = OwnMetrics()
    watch = ProbeRounds(store, timedelta(minutes=5), complaints.append, own)
    service.dns.say(OWNER, "TLSA", rcode="REFUSED")
    watch.round()
    assert store.reports[NAME][0].severity is Severity.UNJUDGED, "nothing was seen before"
    service.publish(service.key)
    watch.round()
    before = store.reports[NAME]
    assert before[0].success
    service.dns.say(OWNER, "TLSA", rcode="REFUSED")
    watch.round()
    assert store.reports[NAME] == before
    service.publish(service.key)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # one, for the selector
    try:
        watch.round()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.reports[NAME] == before
    assert b"danebot_endpoint_could_not_look_total 3.0\n" in own.text()
    assert all(one.startswith("could not look at 1 endpoints: ") for one in complaints)


def test_a_mismatch_is_told_though_another_address_could_not_be_looked_at() -> None:
    endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
    unseen = Shown("192.0.2.1", Judgement.COULD_NOT_LOOK, "no descriptors")
    for word, blind in ((Judgement.AUTHENTICATED, True), (Judgement.MISMATCH, False)):
        served = (Shown("192.0.2.2", word, "its words"), unseen)
        watched = Watched("mail", endpoint, None)
        report = EndpointReport(watched, sample.NOW, 1.0, Dane.APPLIES, served)
        assert report.blind is blind
        assert report.unseen == (unseen,)


def test_the_sockets_of_all_probes_fit_into_what_the_kernel_allows() -> None:
    for descriptors in (8192, 4096, 1024):
        assert width(descriptors) * 2 * PROBES + 300 < descriptors
    assert (width(65536), width(100)) == (USUAL, 2)


def test_a_document_that_could_not_be_opened_for_a_moment(tmp_path: Path) -> None:
    """All descriptors in use, for instance; it doesn't change until the next run, a day later."""
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage(NAME)]))
    failures: list[StatusFault] = []
    store = Store(Settings()._replace(snapshot=path), failures.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        first, second = store.metrics(), store.metrics()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert b"danebot_snapshot_readable 0\n" in b"".join(first)
    assert first == second
    assert failures == [StatusFault.UNREADABLE], "one change, however often it was tried"
    assert b"danebot_snapshot_readable 1\n" in b"".join(store.metrics())
    assert store.fault() is None
    sample.write(path, sample.snapshot([sample.lineage("b.example")]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        kept = b"".join(store.metrics() + store.metrics())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failures == [StatusFault.UNREADABLE] * 2
    assert kept.count(b"danebot_snapshot_readable 1\n") == 2, (
        "what was read before is as true as it was"
    )
    assert b"b.example" in b"".join(store.metrics())


def test_addresses_that_this_host_has_no_way_to() -> None:
    """An exporter without IPv6 says nothing of a service's IPv6 address."""
    endpoint = Endpoint(Hostname(NAME), 25, Protocol.SMTP)
    lost = judgement(ProbeResult(endpoint, "2001:db8::25", ProbeOutcome.NO_ROUTE), None)
    assert lost is Judgement.NO_ROUTE
    refused = judgement(ProbeResult(endpoint, "192.0.2.25", ProbeOutcome.REFUSED), None)
    assert refused is Judgement.UNREACHABLE
    fine, away = Shown("127.0.0.1", Judgement.AUTHENTICATED, ""), Shown("2001:db8::25", lost, "")
    report = EndpointReport(
        Watched("mail", endpoint, None), sample.NOW, 1.0, Dane.APPLIES, (fine, away)
    )
    assert report.success
    assert not replace(report, served=(away,)).success
    assert not replace(report, served=(fine._replace(judgement=refused), away)).success


# ---- /probe ---------------------------------------------------------------------------------


def test_how_long_a_probe_may_take() -> None:
    for header, seconds in (
        (None, 30),
        ("", 30),
        ("x", 30),
        ("10", 9.5),
        ("0.1", 1),
        ("1e9", 120),
        ("-5", 1),
        ("nan", 30),
        ("inf", 30),
    ):
        assert allowed(header) == timedelta(seconds=seconds), header


def test_a_domain_without_dane(world: World) -> None:
    world.dns.say("example", "MX", "example 300 MX 10 mail.example.", flags=RECURSIVE)
    world.publish(world.key, flags=RECURSIVE)
    body = probe(subject_of("example", "smtp"), world.settings, timedelta(seconds=10))
    samples = parsed(body)
    assert value(samples, "danebot_probe_hosts", dane="insecure-address") == 1
    for code in DeliveryCode:
        assert value(samples, "danebot_probe_findings", code=code.value) is not None
    assert (
        sum(
            value(samples, "danebot_probe_grade", grade=g.name.lower()) or 0
            for g in DELIVERY_SEVERITIES
        )
        == 1
    )


def test_a_probe_goes_by_the_trust_store_of_the_settings(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `danebot verify` does; what it is asked for is noted, and nothing replaced."""
    asked: list[Path | None] = []
    real = verify.verify_one

    def noted(subject: Subject, inquiry: verify.Inquiry, *rest: Any, **more: Any) -> Report:  # noqa: ANN401
        asked.append(inquiry.ca_file)
        return real(subject, inquiry, *rest, **more)

    monkeypatch.setattr(verify, "verify_one", noted)
    world.dns.say("example", "MX", rcode="NXDOMAIN")
    settings = world.settings._replace(ca_file=tmp_path / "ca.pem")
    probe(subject_of("example", "smtp"), settings, timedelta(seconds=5))
    assert asked == [tmp_path / "ca.pem"]


def test_a_resolver_that_never_answers_is_over_in_time(world: World) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(8)]
        for one in silent:  # each would be waited for twice five seconds
            one.bind(("127.0.0.1", 0))
        resolvers = tuple(SocketAddress(*one.getsockname()) for one in silent)
        settings = world.settings._replace(resolvers=resolvers)
        began = time.monotonic()
        body = probe(subject_of("example", "smtp"), settings, timedelta(seconds=2))
        assert time.monotonic() - began < 2 + 60  # a busy machine's leave
    samples = parsed(body)
    assert value(samples, "probe_success") == 0
    assert value(samples, "danebot_probe_grade", grade="unjudged") == 1
