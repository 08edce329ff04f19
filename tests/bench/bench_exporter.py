"""The exporter at 10, 1,000 and 10,000 lineages: memory, and CPU time of a scrape."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import statistics
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from adapters.hostile import Peer, server_context, service_of
from adapters.nameserver import nameservers
from adapters.probing import Certificates
from bench.measure import Bench
from danebot.config import Settings
from danebot.domain.names import Protocol
from danebot_exporter.store import Store
from exporter import sample
from exporter.running import Exporter, exporter
from jobs.test_verify import World

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SIZES = (10, 1_000, 10_000)
MEMORY = 150  # MiB
UNCHANGED = 0.050  # seconds of CPU
CHANGED = 1.3
CLIENTS, PROBES = (16, 64), 1920
EACH = 1 / 150  # seconds of a probe
SLOWEST = {16: 0.160, 64: 1.0}  # seconds, with so many at once
GROWN = 1.05  # resident memory at its highest
PAGE = 0.3  # seconds, once the document is read
ROUNDS = 5


def document(path: Path, size: int) -> Path:
    """So many lineages; one in ten is in a rollover."""
    makers = (sample.cooling, *(sample.lineage for _ in range(9)))
    lineages = (makers[number % 10](f"mail{number}.example.test") for number in range(size))
    return sample.write(path, sample.snapshot(lineages))


class Families:
    """What somebody else collected."""

    def __init__(self, text: bytes) -> None:
        self._families = list(text_string_to_metric_families(text.decode()))

    def collect(self) -> Iterable[Metric]:
        return self._families


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def scrape(found: Exporter, path: str = "/metrics", encoding: str = "identity") -> int:
    """One request; octets are counted, not kept."""
    connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=60)
    connection.request("GET", path, headers={"Accept-Encoding": encoding})
    answer = connection.getresponse()
    assert answer.status == 200
    total = 0
    while part := answer.read(1 << 20):
        total += len(part)
    connection.close()
    return total


def test_scrapes(size: int, tmp_path: Path, bench: Bench) -> None:
    path = document(tmp_path / "status.json", size)
    with exporter("--snapshot", path) as found:
        octets = scrape(found)
        scrape(found)
        before = found.cpu()
        rounds = 20
        for _ in range(rounds):
            scrape(found)
        spent = (found.cpu() - before) / rounds
        bench.limit(f"scrape of an unchanged document, {size} lineages", spent, UNCHANGED, "s CPU")
        packed = scrape(found, encoding="gzip")
        before = found.cpu()
        for _ in range(rounds):
            scrape(found, encoding="gzip")
        spent = (found.cpu() - before) / rounds
        bench.limit(f"the same compressed, {size} lineages", spent, UNCHANGED, "s CPU")
        if octets > 1 << 16:
            bench.row(f"octets, compressed / plain, {size} lineages", packed, octets, "B", goal=0.2)
        scrape(found, "/")
        before = found.cpu()
        for _ in range(rounds):
            scrape(found, "/")
        spent = (found.cpu() - before) / rounds
        bench.limit(f"page of an unchanged document, {size} lineages", spent, PAGE, "s CPU")
        for _ in range(3):  # as after so many runs of danebot
            document(tmp_path / "new.json", size).replace(path)
            scrape(found)
        bench.limit(
            f"resident memory at its highest, {size} lineages", found.resident(), MEMORY, "MiB"
        )
    assert octets > 0


def test_a_changed_document(size: int, tmp_path: Path, bench: Bench) -> None:
    path = document(tmp_path / "status.json", size)
    text = b"".join(Store(Settings(snapshot=path)).metrics())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(text))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        store = Store(Settings(snapshot=path))
        begin = time.process_time()
        store.metrics()
        middle = time.process_time()
        generate_latest(registry)
        ours.append(middle - begin)
        theirs.append(time.process_time() - middle)
    bench.row(
        f"changed document, read and rendered / generate_latest alone, {size} lineages",
        statistics.median(ours),
        statistics.median(theirs),
        "s CPU",
        goal=CHANGED,
    )


@contextlib.contextmanager
def world(directory: Path) -> Iterator[tuple[int, int]]:
    """A name server and a TLS service in a process of their own; their ports."""
    service = service_of(Protocol.TLS, server_context(Certificates(directory).ecdsa.file))
    here, there = multiprocessing.Pipe()

    def serve() -> None:
        with nameservers("127.0.0.1") as (told,), Peer(service) as peer:
            found = World(told, service, peer.port)
            for number in range(max(CLIENTS)):
                found.host(f"mx{number}.example", "127.0.0.1")
            there.send((told.port, peer.port))
            there.recv()

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


@pytest.mark.parametrize("clients", CLIENTS)
def test_probes(tmp_path: Path, bench: Bench, clients: int) -> None:
    """All at once; CPU is the exporter's own, time is with clients and services on the same host.

    Memory is compared between the first round of probes and the last.
    """
    took: list[float] = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=60)
        for _ in range(PROBES // clients):
            began = time.monotonic()
            connection.request("GET", f"/probe?target=mx{number}.example:{port}&module=tls")
            answer = connection.getresponse()
            assert b'code="mismatch"} 1' in answer.read()
            took.append(time.monotonic() - began)
        connection.close()

    config = tmp_path / "danebot.toml"
    memory: list[float] = []
    with world(tmp_path) as (resolver, port):
        config.write_text(f'resolver = ["127.0.0.1:{resolver}"]\n')
        with exporter("--config", config, "--probe.targets", "any") as found:
            for _ in range(4):  # the first loads what it needs
                before, began = found.cpu(), time.monotonic()
                took.clear()
                with ThreadPoolExecutor(clients) as pool:
                    list(pool.map(ask, range(clients)))
                spent, cpu = time.monotonic() - began, found.cpu() - before
                memory.append(found.resident())
    bench.limit(f"time of a /probe, {clients} clients", spent / PROBES, EACH, "s")
    bench.limit(f"CPU of a /probe, {clients} clients", cpu / PROBES, EACH, "s CPU")
    slowest = sorted(took)[-(PROBES // 100) - 1]
    name = f"/probe that took longest but one in a hundred, {clients} clients"
    bench.limit(name, slowest, SLOWEST[clients], "s")
    name = f"memory of the exporter, {4 * PROBES} probes / {PROBES}, {clients} clients"
    bench.row(name, memory[-1], memory[0], "MiB", goal=GROWN)
