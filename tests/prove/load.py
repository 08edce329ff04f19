"""An exporter under load: 10,000 lineages, 64 clients that are slow, and a resolver that drips.

Prometheus must go on to get its answer in time, by an exporter that doesn't grow.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from exporter import sample
from exporter.running import Exporter, exporter
from prove.part import Budget, Part, Row, counted

_LINEAGES, _SLOW, _FROM = 10_000, 64, 8
_DRIP = 0.2  # seconds between octets
_LEAST = 6  # scrapes of which something can be said
_PAUSE = 0.5  # seconds between scrapes
_TIMEOUT = 10  # seconds that Prometheus waits for a scrape, unless told otherwise
_MORE_MEMORY = 8  # MiB
_TRUNCATED = b"\x83\x80"  # an answer, cut off: ask by TCP
Client = Callable[[socket.socket, threading.Event], None]


# ---- who is slow ---------------------------------------------------------------------------------


def silent(peer: socket.socket, over: threading.Event) -> None:
    """Connect, and say nothing."""
    while not over.is_set() and peer.recv(4096):
        pass


def asks_slowly(peer: socket.socket, over: threading.Event) -> None:
    """Send a request octet by octet."""
    for octet in itertools.chain(
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n", itertools.cycle(b"A: b\r\n")
    ):
        if over.wait(_DRIP):
            return
        peer.sendall(bytes([octet]))


def reads_slowly(peer: socket.socket, over: threading.Event) -> None:
    """Take ten megabytes by a hundred octets at a time."""
    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    while not over.wait(_DRIP) and peer.recv(100):
        pass


def probes(peer: socket.socket, over: threading.Event) -> None:
    """Have it look at hosts, whose names the resolver tells octet by octet."""
    for number in itertools.count():
        path = f"/probe?target=mail{number}.example&module=smtp"
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if over.is_set() or not peer.recv(65536):
            return


CLIENTS: tuple[Client, ...] = (silent, asks_slowly, reads_slowly, probes)


def _client(kind: Client, source: str, port: int, over: threading.Event, met: Counter[str]) -> None:
    """One of them, that comes again whenever it was sent away."""
    while not over.is_set():
        with contextlib.suppress(OSError):
            address = ("127.0.0.1", port)
            with socket.create_connection(address, 5, (source, 0)) as peer:
                met[kind.__name__] += 1
                kind(peer, over)
        over.wait(_DRIP)


@contextlib.contextmanager
def slow_clients(port: int) -> Iterator[Counter[str]]:
    """Sixty-four of four kinds from eight addresses; how often each kind was let in."""
    over, met = threading.Event(), Counter[str]()
    threads = [
        threading.Thread(
            target=_client,
            args=(CLIENTS[n % len(CLIENTS)], f"127.0.1.{1 + n % _FROM}", port, over, met),
        )
        for n in range(_SLOW)
    ]
    for thread in threads:
        thread.start()
    try:
        yield met
    finally:
        over.set()
        for thread in threads:
            thread.join()


# ---- a resolver that drips -----------------------------------------------------------------------


@contextlib.contextmanager
def dripping_resolver() -> Iterator[tuple[int, Counter[str]]]:
    """Its port, and what it was asked by UDP and by TCP: UDP sends to TCP, where it drips."""
    over, asked = threading.Event(), Counter[str]()
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(128)
        udp.bind(tcp.getsockname())
        for one in (tcp, udp):
            one.settimeout(0.2)
        threads = [
            threading.Thread(target=_sends_to_tcp, args=(udp, over, asked)),
            threading.Thread(target=_drips, args=(tcp, over, asked)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield tcp.getsockname()[1], asked
        finally:
            over.set()
            for thread in threads:
                thread.join()


def _sends_to_tcp(udp: socket.socket, over: threading.Event, asked: Counter[str]) -> None:
    while not over.is_set():
        with contextlib.suppress(OSError):
            query, peer = udp.recvfrom(4096)
            asked["UDP"] += 1
            udp.sendto(query[:2] + _TRUNCATED + query[4:], peer)


def _drips(tcp: socket.socket, over: threading.Event, asked: Counter[str]) -> None:
    """To all at once, octet by octet of a message that is announced as long as can be."""
    peers: list[socket.socket] = []
    while not over.is_set():
        with contextlib.suppress(OSError):
            peer, _ = tcp.accept()
            asked["TCP"] += 1
            peers.append(peer)
        for one in peers[:]:
            try:
                one.sendall(b"\xff")
            except OSError:
                peers.remove(one)
                one.close()
    for one in peers:
        one.close()


# ---- what must hold ------------------------------------------------------------------------------


def _run(budget: Budget) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="danebot-load.") as folder,
        dripping_resolver() as (port, asked),
    ):
        status, config = Path(folder) / "status.json", Path(folder) / "danebot.toml"
        lineages = (sample.lineage(f"mail{n}.example") for n in range(_LINEAGES))
        sample.write(status, sample.snapshot(lineages))
        config.write_text(f'snapshot = "{status}"\nresolver = "127.0.0.1:{port}"\n')
        words = ("--config", config, "--probe.targets", "any")
        with exporter(*words, interval="1s") as found:
            before = [_scrape(found) for _ in range(_LEAST)]
            with slow_clients(found.port) as met:
                yield _judged(found, before, met, asked, budget)


def _judged(
    found: Exporter,
    before: list[float],
    met: Counter[str],
    asked: Counter[str],
    budget: Budget,
) -> Row:
    took: list[float] = []
    held: list[float] = []
    while len(took) < _LEAST or not budget.over():
        took.append(_scrape(found))
        held.append(_memory(found))
        time.sleep(_PAUSE)
    warm, broken = held[len(held) // 2], []
    if max(took) > _TIMEOUT:
        broken.append(f"a scrape took {max(took):.1f} s")
    if held[-1] > warm + _MORE_MEMORY:
        broken.append(f"memory grows: {[round(one) for one in held]} MiB")
    if not (all(met[kind.__name__] for kind in CLIENTS) and asked["TCP"]):
        broken.append(f"this was no load: {dict(met)}, {dict(asked)}")
    descriptors = len(os.listdir(f"/proc/{found.process.pid}/fd"))
    amount = (
        f"{_SLOW} slow clients ({counted(met.total())} connections), "
        f"{counted(_LINEAGES)} lineages, "
        f"a resolver that drips (asked {counted(asked.total())} times): "
        f"{counted(len(took))} scrapes of "
        f"{_ms(took)} ms, at most {max(took) * 1000:.0f} ({_ms(before)} before), "
        f"{warm:.0f} to {held[-1]:.0f} MiB, {descriptors} descriptors"
    )
    return Row("load", amount, tuple(broken))


def _ms(took: list[float]) -> str:
    return f"{statistics.median(took) * 1000:.0f}"


def _memory(found: Exporter) -> float:
    """What it has at this moment, in MiB."""
    pages = Path(f"/proc/{found.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _scrape(found: Exporter) -> float:
    """How long a Prometheus of its own address waits for all metrics, in seconds."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise AssertionError(f"/metrics answers {answer.status}")
    return time.perf_counter() - began


PART = Part("load", 1, _run)
