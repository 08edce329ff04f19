"""What /probe asks, and how many requests for it wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.hostile import Peer, server_context, service_of
from adapters.nameserver import nameservers
from adapters.probing import Certificates
from danebot.config import Settings
from danebot.domain.addresses import Reach, SocketAddress
from danebot.domain.names import Protocol
from danebot_exporter import handler as module
from danebot_exporter.budget import PROBES
from danebot_exporter.server import ExporterServer
from exporter import sample
from exporter.test_peers import answer, connect, serving
from jobs.test_verify import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    service = service_of(Protocol.TLS, server_context(Certificates(tmp_path).ecdsa.file))
    with nameservers("127.0.0.1") as (told,), Peer(service) as peer:
        yield World(told, service, peer.port)


def ask(server: ExporterServer, target: str, timeout: float = 8) -> str:
    head = f"X-Prometheus-Scrape-Timeout-Seconds: {timeout}"
    with connect(server) as sock:
        line = f"GET /probe?target={target} HTTP/1.0\r\n{head}\r\n\r\n"
        return answer(sock, line.encode()).decode()


@pytest.mark.parametrize("reach", Reach)
def test_who_may_ask_for_probe_reaches_no_private_service_through_a_name(
    reach: Reach, world: World, tmp_path: Path
) -> None:
    world.host("inside.example", "127.0.0.1")
    settings = Settings(resolvers=(SocketAddress("127.0.0.1", world.dns.port),))
    path = sample.write(tmp_path / "status.json")
    with serving(path, settings=settings, reach=reach) as server:
        found = ask(server, f"inside.example:{world.port}&module=tls")
    assert len(world.service.sni) == (reach is Reach.ANY)
    if reach is Reach.NONE:
        assert found.startswith("HTTP/1.1 403")
        assert not world.dns.asked
        return
    assert found.startswith("HTTP/1.1 200")
    assert "probe_success 0\n" in found
    grade = "critical" if reach is Reach.ANY else "unjudged"
    assert f'danebot_probe_grade{{grade="{grade}"}} 1\n' in found


def test_probes_wait_for_each_other(
    server: ExporterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 scrapes at once need a second of work; nobody is sent away (a double does the work)."""

    def work(*_: object, **__: object) -> bytes:
        time.sleep(0.05)
        return b"probe_success 1\n"

    monkeypatch.setattr(module, "probe", work)
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda n: ask(server, f"d{n}.example", 60), range(64)))
    assert {one[9:12] for one in found} == {"200"}


def test_a_probe_waits_for_half_its_time_and_works_in_the_rest(
    server: ExporterServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is left is what the probe may take; after half of it there is no use in more waiting."""
    begun, release = threading.Semaphore(0), threading.Event()
    limits: list[timedelta] = []

    def work(_: object, __: object, limit: timedelta, **___: object) -> bytes:
        limits.append(limit)
        begun.release()
        release.wait(120)
        return b""

    monkeypatch.setattr(module, "probe", work)
    with ThreadPoolExecutor(32) as pool:
        busy = [pool.submit(ask, server, f"d{n}.example", 60) for n in range(PROBES)]
        for _ in busy:
            assert begun.acquire(timeout=120)
        began = time.monotonic()
        late = ask(server, "late.example", 2.5)
        took = time.monotonic() - began
        assert late.startswith("HTTP/1.1 503")
        assert took >= 0.9
        next_ = pool.submit(ask, server, "next.example", 40.5)
        while not vars(vars(server.probes)["_cond"])["_waiters"]:  # until it waits
            assert time.monotonic() - began < 120
            time.sleep(0.01)
        time.sleep(0.5)
        release.set()
        assert next_.result().startswith("HTTP/1.1 200")
    assert min(limits) < timedelta(seconds=39.7)
    assert b'refused_total{reason="probe-limit"} 1' in server.own.text()
    assert capsys.readouterr().err.count("too many requests for /probe") == 1
