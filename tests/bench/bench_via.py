"""check_dane --via: what a check costs the client, and the exporter that looks."""

from __future__ import annotations

import socket
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.measure import Bench, cpu_seconds
from checking import world_in
from danebot_checks.via_answer import MAGIC, read_answer
from exporter import sample
from exporter.running import exporter

CLIENT = 1.6  # times a bare Python
SERVER = 0.006  # seconds of CPU of a check
MINUTE = 30.0  # seconds of CPU for 1,000 services, all of it
CHECKS = 320
AT_ONCE = (1, 16)
ROUNDS = 15
VIA = "from danebot_checks.via import main; main()"


def ask(place: Path, request: bytes) -> None:
    """One check, which must come out well."""
    found = b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(place))
        sock.sendall(request)
        while part := sock.recv(65536):
            found += part
    status, text = read_answer(found)
    assert status == 0, text


def test_a_check_by_the_exporter(tmp_path: Path, bench: Bench) -> None:
    place = tmp_path / "check.sock"
    status = sample.write(tmp_path / "status.json")
    with (
        world_in(tmp_path) as world,
        ExitStack() as stack,
        exporter("--snapshot", status, "--check.socket", place) as found,
    ):
        requests = []
        for _ in range(max(AT_ONCE)):  # services of their own: equal ones would be asked once
            peer = stack.enter_context(world.peer())
            world.publish(peer.port, f"3 1 1 {world.digest}")
            words = world.words(peer.port)
            body = "\0".join(words).encode()
            requests.append(MAGIC + b"%d\n" % len(body) + body)
            ask(place, requests[-1])
        client, bare = cpu_seconds(
            [
                [sys.executable, "-c", VIA, "--via", str(place), *words],
                [sys.executable, "-c", "pass"],
            ],
            rounds=ROUNDS,
            env={"PYTHONPATH": f"{Path(__file__).parents[2] / 'checks'}"},
        )
        bench.rounds(
            "check_dane --via, the client, over python3 -c pass", client, bare, "s", goal=CLIENT
        )
        costs = {}
        for clients in AT_ONCE:
            before = found.cpu()
            with ThreadPoolExecutor(clients) as pool:
                asked = (requests[number % len(requests)] for number in range(CHECKS))
                list(pool.map(partial(ask, place), asked))
            costs[clients] = (found.cpu() - before) / CHECKS
            title = f"check_dane --via, the exporter, {clients} clients and services"
            bench.limit(title, costs[clients], SERVER, "s")
        minute = 1000 * (statistics.median(client) + costs[16])
        bench.limit("check_dane --via, 1,000 services a minute, all CPU", minute, MINUTE, "s")
    assert [row for row in bench.rows if "--via" in row.name and not row.met] == []
