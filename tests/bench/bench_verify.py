"""check_dane and danebot verify, beside what others take for the same, and beside floors."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.measure import Bench
from lab.client import in_namespace
from lab.lab import Lab

pytestmark = pytest.mark.timeout(900)  # on a machine with other things to do
HOST = "mail.example.test"
HERE = Path(__file__).parent
CHECK_SSL_CERT = Path("/usr/lib/nagios/plugins/check_ssl_cert")
CHECK_DANE = str(Path(sys.executable).with_name("check_dane"))
IMPORTS = "import nagiosplugin, dns.message, ssl, cryptography.x509"
ENDPOINTS = 2000
EIGHT = range(21, 29)  # last numbers of addresses


@dataclass(frozen=True)
class Cost:
    """CPU and wall seconds of one process and its children, and its peak memory in MiB."""

    cpu: float
    wall: float
    memory: float


_MEASURED = """
import json, os, sys, time
nothing = os.open(os.devnull, os.O_RDWR)
begin = time.perf_counter()
streams = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, nothing, 1)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=streams)
_, ended, usage = os.wait4(child, 0)
wall = time.perf_counter() - begin
status = os.waitstatus_to_exitcode(ended)
print(json.dumps([status, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024]))
"""


def cost(command: Sequence[str], env: dict[str, str], status: int = 0) -> Cost:
    """Run a command that must end with ``status``.

    A small process starts it: what its parent had resident counts as a program's own.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", _MEASURED, *command],
        env=env,
        stdout=subprocess.PIPE,
        check=True,
    )
    ended, cpu, wall, memory = json.loads(done.stdout)
    assert ended == status, command
    return Cost(cpu, wall, memory)


def medians(commands: Sequence[Sequence[str]], env: dict[str, str], rounds: int) -> list[Cost]:
    """The median cost of each, run in turn after a warm-up."""
    found: list[list[Cost]] = [[] for _ in commands]
    for turn in range(rounds + 1):
        for command, costs in zip(commands, found, strict=True):
            spent = cost(command, env)
            if turn:
                costs.append(spent)
    return [
        Cost(
            statistics.median(one.cpu for one in costs),
            statistics.median(one.wall for one in costs),
            max(one.memory for one in costs),
        )
        for costs in found
    ]


@pytest.fixture(scope="module")
def env(lab: Lab) -> dict[str, str]:
    """As a scheduler would run it; compiled modules are kept, as an installation does."""
    return {**lab.env, "PYTHONDONTWRITEBYTECODE": ""}


@pytest.fixture(scope="module")
def served(lab: Lab) -> Lab:
    """A mail server whose key is published, also under a name with eight addresses."""
    lab.issue(HOST)
    record = f"3 1 1 {lab.served_spki()}"
    lab.tlsa_set(f"_25._tcp.{HOST}.", record)
    lab.update(
        *(f"update add eight.example.test. 300 A {lab.net}.{n}" for n in EIGHT),
        f"update add _25._tcp.eight.example.test. 300 TLSA {record}",
        f"update add *.many.example.test. 300 TLSA {record}",
    )
    return lab


def reference(lab: Lab, address: str = "") -> list[str]:
    words = [str(CHECK_SSL_CERT), "-H", HOST, "-p", "25", "-P", "smtp", "--dane", "311"]
    words += ["-r", str(lab.issuer_root), "--ignore-incomplete-chain"]
    words += ["--ignore-ocsp", "--ignore-sct", "--warning", "10", "--critical", "5"]
    if address:
        words += ["--resolve", address]
    return in_namespace(words, lab.resolv_conf, lab.tree)


def test_one_host(served: Lab, env: dict[str, str], bench: Bench) -> None:
    ours = [CHECK_DANE, "--host", HOST, "--resolver", served.resolver]
    inside = in_namespace([CHECK_DANE, "--host", HOST], served.resolv_conf, served.tree)
    finger = ["posttls-finger", "-c", "-l", "dane-only", f"[{HOST}]"]
    finger = in_namespace(finger, served.resolv_conf, served.tree)
    imports = [sys.executable, "-c", IMPORTS]
    plain, floor, within, theirs, postfix = medians(
        [ours, imports, inside, reference(served), finger], env, rounds=9
    )
    name = "check_dane --host"
    bench.row(f"{name} / importing its libraries", plain.cpu, floor.cpu, "s CPU", goal=1.25)
    bench.row(f"{name} / check_ssl_cert --dane", within.cpu, theirs.cpu, "s CPU", goal=0.333)
    bench.row(f"{name} / check_ssl_cert --dane", within.wall, theirs.wall, "s", goal=0.333)
    bench.row(f"{name} / posttls-finger", within.cpu, postfix.cpu, "s CPU", goal=20)
    bench.row(f"{name} / posttls-finger", within.wall, postfix.wall, "s", goal=20)


@contextlib.contextmanager
def listening(lab: Lab, port: int, *addresses: str) -> Iterator[int]:
    """The port of a mail server that has time for thousands; ``port`` 0 is any."""
    combo = lab.tree / "live" / HOST / "combo.pem"
    words = [sys.executable, str(HERE / "smtp_peer.py"), str(combo), str(port), *addresses]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def test_eight_addresses(served: Lab, env: dict[str, str], bench: Bench) -> None:
    ours = [CHECK_DANE, "--domain", "eight.example.test", "--resolver", served.resolver]
    one, *_ = medians([reference(served)], env, rounds=5)
    with listening(served, 25, *(f"{served.net}.{n}" for n in EIGHT)):
        (all_eight,) = medians([ours], env, rounds=5)
    bench.row(
        "check_dane of eight addresses / check_ssl_cert eight times",
        all_eight.cpu,
        8 * one.cpu,
        "s CPU",
        goal=0.0667,
    )


def test_thousands(served: Lab, env: dict[str, str], bench: Bench, tmp_path: Path) -> None:
    with listening(served, 0, served.mail) as peer:
        names = [f"h{number}.many.example.test" for number in range(ENDPOINTS)]
        listed = tmp_path / "targets"
        listed.write_text("".join(f"{name}:{peer}\n" for name in names))
        conf = tmp_path / "danebot.toml"
        conf.write_text(f'resolver = ["{served.resolver}"]\n')
        verify = [sys.executable, "-m", "danebot", "--config", str(conf), "verify", "--json"]
        verify += ["--starttls", "smtp", "-f", str(listed)]
        floor = [sys.executable, str(HERE / "floor_verify.py"), served.resolver, served.mail]
        floor += [str(peer), *names]
        ours, least = medians([verify, floor], env, rounds=3)
    per = "ms CPU"
    bench.row(
        f"danebot verify, per endpoint of {ENDPOINTS} / dnspython and asyncio alone",
        1000 * ours.cpu / ENDPOINTS,
        1000 * least.cpu / ENDPOINTS,
        per,
        goal=1.5,
    )
    bench.row(
        f"the same, wall ({ENDPOINTS / ours.wall:.0f} endpoints/s)",
        ours.wall,
        least.wall,
        "s",
        goal=1.5,
    )
    bench.limit(f"danebot verify of {ENDPOINTS} endpoints, memory", ours.memory, 150, "MiB")
