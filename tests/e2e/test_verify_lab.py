"""check_dane against real servers: on every mail situation it agrees with postfix's own client."""

from __future__ import annotations

import contextlib
import enum
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from danebot.plugin.output import State
from danebot_checks.dane import check_dane
from domain import oracle
from domain.pki import Issued
from e2e.mail_situations import ROWS, Row, associations, chains
from lab.imap import IMAP, IMAPS, POP3, SIEVE, dovecot
from lab.lab import Lab
from lab.web import HTTPS, nginx
from schemas import faults

pytestmark = pytest.mark.lab
HOST = "mail.example.test"


class Fate(enum.Enum):
    """What becomes of mail that postfix sends."""

    VERIFIED = "delivered to an authenticated server"
    DELIVERED = "delivered, but with dane-only it would not be"
    REFUSED = "not delivered"
    NOT_WANTED = "the domain accepts no mail"


RAW_KEY = "raw public key"


def fate(lab: Lab, target: str) -> tuple[Fate, bool]:
    """Read postfix's words, since the exit status of its client is always 0.

    And tell whether it was given the server's raw public key.
    """
    only = lab.posttls(target, "dane-only").stdout
    if "Verified TLS connection established" in only:
        return Fate.VERIFIED, RAW_KEY in only
    said = lab.posttls(target, "dane")
    words = said.stdout + said.stderr
    return _unverified(words), RAW_KEY in only + words


def _unverified(words: str) -> Fate:
    if "does not accept mail" in words:
        return Fate.NOT_WANTED
    bound = "DNSSEC-signed TLSA record" in words and "unauthenticated TLS" not in words
    established = "TLS connection established" in words
    if not established or (bound and "Matched DANE" not in words):
        return Fate.REFUSED
    return Fate.DELIVERED


@dataclass
class World:
    """The lab with all rows published."""

    lab: Lab
    made: dict[str, tuple[Path, tuple[Issued, ...]]]

    def serve(self, row: Row) -> None:
        """Have the second postfix serve the row's chain, or none."""
        self.lab.second_chain.unlink(missing_ok=True)
        if row.chain:
            self.lab.second_chain.write_bytes(self.made[row.chain][0].read_bytes())

    def report(self, target: str) -> dict[str, Any]:
        """What `danebot verify --json` says of a domain."""
        conf = self.lab.root / "verify.toml"
        conf.write_text(f'resolver = ["{self.lab.resolver}"]\n')
        words = ("-m", "danebot", "--config", str(conf), "verify", "--json", target)
        found: dict[str, Any] = json.loads(run(*words).stdout)
        return found

    def check(self, *words: str) -> State:
        """The plugin's verdict."""
        return check_dane([*words, "--resolver", self.lab.resolver, "-t", "20"]).state


@pytest.fixture(scope="module")
def plain_text(lab: Lab) -> Iterator[str]:
    """The address of a mail server without STARTTLS."""
    address = f"{lab.net}.8"
    listener = socket.create_server((address, 25))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as heard:
                connection.sendall(b"220 old.example.test ESMTP\r\n")
                for line in heard:
                    bye = line.upper().startswith(b"QUIT")
                    connection.sendall(b"221 bye\r\n" if bye else b"250 old.example.test\r\n")
                    if bye:
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield address
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.fixture(scope="module")
def old(lab: Lab, made: dict[str, tuple[Path, tuple[Issued, ...]]]) -> Iterator[str]:
    """The address of a mail server that sends certificates alone, as Postfix before 3.9 does.

    Python's `ssl` can't do otherwise.
    """
    address = f"{lab.net}.10"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made["plain"][0])
    listener = socket.create_server((address, 25))

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as heard:
            connection.sendall(b"220 old.example.test ESMTP\r\n")
            for line in heard:
                if line.upper().startswith(b"STARTTLS"):
                    connection.sendall(b"220 go on\r\n")
                    break
                connection.sendall(b"250-old.example.test\r\n250 STARTTLS\r\n")
            else:
                return
            with context.wrap_socket(connection, server_side=True) as tls:
                while line := tls.recv(1000):
                    bye = line.upper().startswith(b"QUIT")
                    tls.sendall(b"221 bye\r\n" if bye else b"250 old.example.test\r\n")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):  # who only looks hangs up at once
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield address
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, tuple[Issued, ...]]]:
    """The rows' chains."""
    return chains(tmp_path_factory.mktemp("chains"))


@pytest.fixture(scope="module")
def world(
    lab: Lab, plain_text: str, old: str, made: dict[str, tuple[Path, tuple[Issued, ...]]]
) -> Iterator[World]:
    lab.issue(HOST)
    root = made["plain"][1][2]
    addresses = {
        "a": lab.mail,
        "b": lab.mail2,
        "dead": f"{lab.net}.9",
        "plain": plain_text,
        "old": old,
        "pebble": lab.served_spki(),
    }
    lines: dict[str, list[str]] = defaultdict(list)
    for row in ROWS:
        values = associations(made[row.chain or "plain"][1], root) | addresses
        for zone, line in row.lines(values):
            lines[zone].append(line)
    for zone, updates in lines.items():
        lab.update(*updates, zone=zone)
    yield World(lab, made)
    for zone, updates in lines.items():
        owners = {line.split()[2] for line in updates}
        lab.update(*(f"update delete {owner}" for owner in owners), zone=zone)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_agrees_with_postfix(world: World, row: Row) -> None:
    world.serve(row)
    required, optional = world.check("-d", row.domain), world.check("-d", row.domain, "--optional")
    assert (required.name, optional.name) == (row.state, row.optional or row.state)
    asked = [target.format(n=row.name) for target in row.ask] or [row.domain]
    found = [fate(world.lab, target) for target in asked]
    fates = {one for one, _ in found}
    meant = len(row.records) == 1  # not to accept mail
    fails = Fate.REFUSED in fates or (Fate.NOT_WANTED in fates and not meant)
    if any(raw for _, raw in found) and row.raw:
        required = optional = State[row.raw]
    assert (optional is State.CRITICAL) == fails
    assert (required is State.CRITICAL) == (fails or Fate.VERIFIED not in fates)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS if row.raw])
def test_both_kinds_of_senders_are_told(world: World, row: Row) -> None:
    """Whatever postfix is at hand here: the other kind comes to the same server."""
    world.serve(row)
    found = world.report(row.domain)
    (address,) = found["hosts"][0]["addresses"]
    assert (address["verdict"], address["raw_public_key"]) == ("failed", "authenticated")
    verdict, raw = fate(world.lab, row.domain)
    assert verdict is (Fate.VERIFIED if raw else Fate.REFUSED)


@pytest.mark.parametrize(
    ("name", "given"), [("rollover", True), ("cert256", False), ("ta", False), ("oldfine", False)]
)
def test_postfix_asks_for_the_raw_key_where_no_record_needs_more(
    world: World, name: str, *, given: bool
) -> None:
    row = next(one for one in ROWS if one.name == name)
    world.serve(row)
    verdict, raw = fate(world.lab, row.domain)
    assert verdict is Fate.VERIFIED
    if given and (why := without_raw_keys(world.lab)):
        pytest.skip(why)
    assert raw is given


def without_raw_keys(lab: Lab) -> str:
    """Why this postfix knows no raw public keys; "" if it does."""
    version = lab.run(["postconf", "-d", "-h", "mail_version"]).stdout.strip()
    if tuple(map(int, version.split(".")[:2])) < (3, 9):
        return f"Postfix {version} knows no raw public keys (RFC 7250): 3.9 does, with OpenSSL 3.2"
    return oracle.without_raw_keys()


def test_there_are_situations_enough() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 30


# ---- other services ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services(world: World) -> Iterator[Lab]:
    """Dovecot and nginx beside postfix, with the same certificate."""
    lab = world.lab
    combo = lab.tree / "live" / HOST / "combo.pem"
    with lab.beside(dovecot(lab.root, lab.mail, combo), nginx(lab.root, lab.mail, combo)):
        yield lab


@pytest.mark.parametrize("port", [587, 465, IMAP, IMAPS, POP3, SIEVE, HTTPS])
def test_services(services: Lab, world: World, port: int) -> None:
    words = ("-H", HOST, "-p", str(port))
    owner = f"_{port}._tcp.{HOST}."
    assert world.check(*words) is State.CRITICAL
    services.tlsa_set(owner, f"3 1 1 {services.served_spki()}")
    assert world.check(*words) is State.OK
    services.tlsa_set(owner, f"3 1 1 {'00' * 32}")
    assert world.check(*words) is State.CRITICAL


@pytest.mark.parametrize("port", [587, IMAPS])
@pytest.mark.parametrize("trusted", [True, False])
def test_pkix_usages_count_but_between_mail_servers(
    services: Lab,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    trusted: bool,  # noqa: FBT001
    port: int,
) -> None:
    other = world.made["plain"][1][2]
    store = services.root / "other-root.pem"
    store.write_bytes(other.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(services.issuer_root if trusted else store))
    services.tlsa_set(f"_{port}._tcp.{HOST}.", f"1 1 1 {services.served_spki()}")
    wanted = State.OK if trusted else State.CRITICAL
    assert world.check("-H", HOST, "-p", str(port)) is wanted


def test_starttls_elsewhere(services: Lab, world: World) -> None:
    """The protocol is told, not guessed, where the port says nothing."""
    services.tlsa_set(f"_{IMAP}._tcp.{HOST}.", f"3 1 1 {services.served_spki()}")
    assert world.check("-H", HOST, "-p", str(IMAP), "--starttls", "imap") is State.OK
    assert world.check("-H", HOST, "-p", str(IMAP), "--starttls", "smtp") is State.CRITICAL


@pytest.mark.parametrize("served", ["plain", "rootless", "expired", "old-ca", "stranger"])
def test_senders_without_dane_agree(world: World, tmp_path: Path, served: str) -> None:
    """Postfix at level "verify" against a real one; the TLSA record names its key all the while."""
    domain, store = "spki256.example.test", tmp_path / "root.pem"
    store.write_bytes(world.made["plain"][1][2].pem)
    world.lab.second_chain.write_bytes(world.made[served][0].read_bytes())
    finger = ["posttls-finger", "-c", "-l", "verify", "-F", str(store), "-L", "summary", domain]
    said = world.lab.run(finger).stdout
    verified = "Verified TLS connection established" in said
    assert verified is (served in ("plain", "rootless")), said
    assert world.check("-d", domain).value in (0, 1)  # an expired one is a warning
    pkix = world.check("-d", domain, "--pkix", "--ca-file", str(store), "--require", "311")
    assert pkix is (State.OK if verified else State.CRITICAL)


# ---- the programs -----------------------------------------------------------------------------


def run(*argv: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_plugin_as_a_program(world: World) -> None:
    program = ("-c", "from danebot_checks.dane import main; main()")
    resolver = ("--resolver", world.lab.resolver)
    world.serve(ROWS[0])
    fine = run(*program, "--domain", "spki256.example.test", *resolver)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.startswith("DANE OK - spki256.example.test: 1 address authenticated")
    bad = run(*program, "--domain", "mismatch.example.test", "-v", *resolver)
    assert (bad.returncode, bad.stderr) == (2, "")
    first, second, *_ = bad.stdout.splitlines()
    assert first.startswith("DANE CRITICAL - mismatch.example.test: mismatch-mx.example.test:25 [")
    assert "IN TLSA 3 1 1" in second
    traced = run(*program, "--domain", "spki256.example.test", "--trace", *resolver)
    assert (traced.returncode, traced.stderr) == (0, "")
    for words in (
        "< spki256.example.test MX: NOERROR, AD",
        " RRSIG MX, by example.test, ",
        "< 220 ",
        "> STARTTLS",
        "TLSv1.3, TLS_",
        "certificate 0: subject CN=mail, issuer CN=Lab Intermediate, names *.example.test, ",
        "> QUIT (in TLS)",
    ):
        assert words in traced.stdout, traced.stdout


def test_verify_prints_one_object_a_line(world: World, tmp_path: Path) -> None:
    world.serve(ROWS[0])
    conf = tmp_path / "danebot.toml"
    conf.write_text(f'resolver = ["{world.lab.resolver}"]\n')
    targets = ["mismatch.example.test", "spki256.example.test", "spki512-mx.example.test:25"]
    done = run(
        *("-m", "danebot", "--config", str(conf), "verify", "--json", "-f", "-"),
        given="\n".join(["# a comment", *targets, "", targets[0]]),
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (1, "")
    assert [fault for one in found for fault in faults("verify", one)] == []
    assert [one["target"] for one in found] == targets
    assert [one["status"] for one in found] == ["critical", "ok", "ok"]
    address = found[1]["hosts"][0]["addresses"][0]
    assert (address["verdict"], address["authenticated"]) == ("authenticated", True)
    assert found[0]["findings"][0]["code"] == "mismatch"


def test_verify_draws_a_tree(world: World, tmp_path: Path) -> None:
    world.serve(ROWS[0])
    conf = tmp_path / "danebot.toml"
    conf.write_text(f'resolver = ["{world.lab.resolver}"]\n')
    verify = ("-m", "danebot", "--config", str(conf), "verify")
    done = run(*verify, "rollover.example.test")
    assert (done.returncode, done.stderr) == (0, "")
    head, host, address, *records = done.stdout.splitlines()
    assert head == "rollover.example.test: OK (MX: by its records, secure)"
    assert host.startswith("  MX 10 rollover-mx.example.test: secure TLSA records at _25._tcp.")
    assert address.startswith(f"    {world.lab.mail2}: authenticated (TLSv1.")
    assert {record.split("... ")[1] for record in records[:2]} == {
        "matches",
        "matches no presented certificate",
    }
    there = run(
        *verify, "mismatch.example.test", "--address", f"mismatch-mx.example.test={world.lab.mail}"
    )
    assert there.returncode == 1
    assert f"[{world.lab.mail}]" in there.stdout


def test_verify_follows_srv_records(services: Lab, world: World, tmp_path: Path) -> None:
    conf = tmp_path / "danebot.toml"
    conf.write_text(f'resolver = ["{world.lab.resolver}"]\n')
    services.tlsa_set(f"_{IMAPS}._tcp.{HOST}.", f"3 1 1 {services.served_spki()}")
    services.update(f"update add _imaps._tcp.example.test. 300 SRV 0 1 {IMAPS} {HOST}.")
    done = run("-m", "danebot", "--config", str(conf), "verify", "--srv", "example.test")
    services.update("update delete _imaps._tcp.example.test. SRV")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("_imaps._tcp.example.test: OK (SRV: by its records, secure)")
    none = run("-m", "danebot", "--config", str(conf), "verify", "--srv", "absent.example.test")
    assert none.stderr == "danebot: absent.example.test: no SRV records of any known service\n"
