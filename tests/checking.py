"""What tests of plugins share: a mail host on loopback, and a judge of what is printed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.hostile import Behaviour, Peer, Service, server_context, service_of
from adapters.nameserver import SECURE, Nameserver, nameservers
from adapters.services import HELO
from danebot.domain.dns.tlsa import MatchingType, association
from danebot.domain.names import Protocol
from danebot_checks.dane import outcome
from domain.pki import Issued, issue

if TYPE_CHECKING:
    import pytest

NAME = "mail.example"
SOA = "example 60 SOA ns.example. h.example. 1 2 3 4 5"
DAY = timedelta(days=1)
_DATUM = re.compile(r"[a-z_]+=-?\d+(\.\d+)?s?(;[^; ]*){0,4}")
_FIRST = re.compile(r"(\w+) (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| (?P<data>[^|\n]+))?")


@dataclass(frozen=True)
class Told:
    """What the plugin printed, and its exit status."""

    status: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def state(self) -> str:
        return self.lines[0].split()[1]

    @property
    def data(self) -> dict[str, str]:
        """Performance data of the first line."""
        _, _, data = self.lines[0].partition(" | ")
        return dict(datum.split("=", 1) for datum in data.split())

    def sound(self, name: str = "DANE") -> None:
        """By the guidelines: one result, performance data in their form, nothing that forges."""
        first = _FIRST.fullmatch(self.lines[0])
        assert first is not None, self.lines[0]
        assert first[1] == name
        states = ["OK", "WARNING", "CRITICAL", "UNKNOWN"]
        assert states[self.status] == self.state
        for datum in (first["data"] or "").split():
            assert _DATUM.fullmatch(datum), datum
        assert all("|" not in line for line in self.lines[1:])
        assert all(line.isprintable() for line in self.lines)
        assert self.text.endswith("\n")
        assert len(self.text.encode()) < 8192


Plugin = Callable[..., Told]


def chain_file(path: Path, leaf: Issued, *rest: Issued) -> Path:
    path.write_bytes(leaf.key_pem + b"".join(one.pem for one in (leaf, *rest)))
    return path


@dataclass
class World:
    """One host, its services on ephemeral ports of 127.0.0.1."""

    dns: Nameserver
    directory: Path
    leaf: Issued
    ca: Issued

    @property
    def digest(self) -> str:
        return association(self.leaf.spki, MatchingType.SHA2_256).hex()

    def service(self, leaf: Issued | None = None) -> Service:
        path = chain_file(self.directory / "chain.pem", leaf or self.leaf, self.ca)
        return service_of(Protocol.SMTP, server_context(path))

    def peer(self, behaviour: Behaviour | None = None) -> Peer:
        """A mail server, or something else."""
        return Peer(behaviour or self.service())

    def publish(
        self,
        port: int,
        *records: str,
        name: str = NAME,
        flags: str = SECURE,
        addresses: tuple[str, ...] = ("127.0.0.1",),
    ) -> None:
        """Address and TLSA records of a host."""
        self.dns.say(name, "A", *(f"{name} 300 A {one}" for one in addresses), flags=flags)
        self.dns.say(name, "AAAA", authority=(SOA,), flags=flags)
        owner = f"_{port}._tcp.{name}"
        self.dns.say(owner, "TLSA", *(f"{owner} 300 TLSA {one}" for one in records), flags=flags)

    def words(self, port: int, *more: str) -> list[str]:
        """Arguments that lead to the host."""
        host = ["-H", NAME, "-p", str(port), "--starttls", "smtp", "--helo", HELO.text]
        return [*host, *self.resolver, *more]

    @property
    def resolver(self) -> list[str]:
        return ["--resolver", f"127.0.0.1:{self.dns.port}"]


@contextlib.contextmanager
def world_in(directory: Path) -> Iterator[World]:
    """A host whose certificate is fine, and a name server."""
    now = datetime.now(UTC)
    valid = (now - DAY, now + 89 * DAY)
    ca = issue("Check CA", ca=True, valid=(now - DAY, now + 900 * DAY))
    leaf = issue(NAME, ca, names=[NAME], valid=valid)
    with nameservers("127.0.0.1") as (told,):
        yield World(told, directory, leaf, ca)


def plugin_here(capsys: pytest.CaptureFixture[str]) -> Plugin:
    """The plugin, run in this process."""

    def run(*words: str) -> Told:
        status = outcome(words)
        out, err = capsys.readouterr()
        assert err == ""
        return Told(status, out)

    return run
