"""Who may read: passwords that are guessed, and files that change while they are read."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import bcrypt
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from danebot.errors import ConfigError
from danebot_exporter.connections import CONNECTIONS
from danebot_exporter.webconfig import Gate, TlsFiles
from domain.pki import issue
from exporter import sample
from exporter.test_peers import CLOSE, answer, connect, serving

VALID = (sample.NOW - 3000 * sample.DAY, sample.NOW + 3000 * sample.DAY)


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def header(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def gate(directory: Path, **users: str) -> Gate:
    web = directory / "web.yml"
    lines = "".join(f"  {name}: '{text}'\n" for name, text in users.items())
    web.write_text(f"basic_auth_users:\n{lines}")
    return Gate(web)


class Spy:
    """bcrypt, watched: how much it worked (in rounds), and how many at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds = self.now = self.most = 0
        self._inside = threading.local()
        for name in ("checkpw", "hashpw"):
            monkeypatch.setattr(bcrypt, name, self._watched(getattr(bcrypt, name)))

    def _watched(self, real: Callable[[bytes, bytes], object]) -> Callable[[bytes, bytes], object]:
        def watched(password: bytes, salt: bytes) -> object:
            if getattr(self._inside, "checkpw", False):  # older ones call the other one
                return real(password, salt)
            self._inside.checkpw = True
            self.now += 1
            self.most = max(self.most, self.now)
            self.rounds += 1 << int(salt.split(b"$")[2])
            time.sleep(0.01)  # another would come in meanwhile
            found = real(password, salt)
            self.now -= 1
            self._inside.checkpw = False
            return found

        return watched

    def spent(self) -> int:
        found, self.rounds = self.rounds, 0
        return found


def test_a_stranger_costs_what_every_user_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no time tells who is one."""
    found = gate(tmp_path, cheap=hashed("a", 4), dear=hashed("b", 7))
    spy = Spy(monkeypatch)
    costs = set()
    for number, user in enumerate(("cheap", "dear", "stranger")):
        found.admits(header(user, "wrong"), f"192.0.2.{number}")
        costs.add(spy.spent())
    assert costs == {1 << 7}


def test_passwords_are_checked_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guesses from many addresses take one core, and no more."""
    found = gate(tmp_path, a=hashed("b"))
    spy = Spy(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: found.admits(header("a", f"guess {n}"), f"192.0.2.{n}"), range(8)))
    assert spy.most == 1


def test_who_guesses_is_put_off_and_costs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{a: '{hashed('b')}'}}\n")
    path = sample.write(tmp_path / "status.json")

    def ask(source: str, password: str) -> tuple[bytes, bytes]:
        with connect(server, source) as sock:
            line = f"GET /metrics HTTP/1.0\r\nAuthorization: {header('a', password)}\r\n\r\n"
            found = answer(sock, line.encode())
        return found[9:12], found

    with serving(path, web) as server:
        assert ask("127.0.0.2", "b")[0] == b"200"
        statuses = [ask("127.0.0.2", f"guess {n}") for n in range(14)]
        assert [status for status, _ in statuses[:10]] == [b"401"] * 10
        assert statuses[-1][0] == b"429"
        assert b"\r\nRetry-After: " in statuses[-1][1]
        assert ask("127.0.0.2", "b")[0] == b"200", "who got in before gets in still"
        assert ask("127.0.0.3", "b")[0] == b"200", "others don't pay for it"
        count = re.search(rb'refused_total{reason="password-limit"} (\d)', server.own.text())
    assert count is not None
    assert count[1] == b"4"
    assert capsys.readouterr().err.count("too many wrong passwords") == 1


def test_a_start_of_many_scrapes_with_one_password_lets_all_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = gate(tmp_path, a=hashed("b"))
    spy = Spy(monkeypatch)
    with ThreadPoolExecutor(60) as pool:
        results = list(pool.map(lambda _: found.admits(header("a", "b"), "192.0.2.1"), range(60)))
    assert set(results) == {found.admits(header("a", "b"), "192.0.2.1")}
    assert spy.spent() == 1 << 4


# ---- files that change --------------------------------------------------------------------------


def tls(directory: Path) -> tuple[Path, Callable[[], object]]:
    """A web configuration, and what renews its certificate."""
    ca = issue("Exporter CA", ca=True, valid=VALID)
    for name in ("served", "renewed"):
        leaf = issue(name, ca, names=["localhost"], valid=VALID)
        (directory / f"{name}.pem").write_bytes(leaf.key_pem + leaf.pem)
    web = directory / "web.yml"
    web.write_text("tls_server_config: {cert_file: served.pem, key_file: served.pem}\n")
    return web, partial((directory / "renewed.pem").replace, directory / "served.pem")


@pytest.mark.parametrize("when", ["start", "reload"])
def test_a_renewal_while_the_files_are_read_is_noticed(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at after it was read may be newer than what was read."""
    web, renew = tls(tmp_path)
    real = TlsFiles.context

    def slow(files: TlsFiles) -> ssl.SSLContext:
        found = real(files)
        renew()
        monkeypatch.setattr(TlsFiles, "context", real)
        return found

    if when == "start":
        monkeypatch.setattr(TlsFiles, "context", slow)
        found = Gate(web)
    else:
        found = Gate(web)
        monkeypatch.setattr(TlsFiles, "context", slow)
        web.write_text(web.read_text() + "# changed\n")
        assert not found.refresh()
    before = found.context
    assert not found.refresh()
    assert found.context is not before
    last = found.context
    assert not found.refresh()
    assert found.context is last


def test_files_of_a_configuration_that_failed_are_watched_until_they_are_there(
    tmp_path: Path,
) -> None:
    web, _ = tls(tmp_path)
    found = Gate(web)
    web.write_text("tls_server_config: {cert_file: new.pem, key_file: new.pem}\n")
    assert "stays in force" in found.refresh()
    assert not found.refresh()
    before = found.context
    (tmp_path / "renewed.pem").replace(tmp_path / "new.pem")
    assert not found.refresh()
    assert found.context is not before


@pytest.mark.parametrize("odd", ["web.yml", "served.pem", "clients.pem"])
def test_a_pipe_is_refused(tmp_path: Path, odd: str) -> None:
    web, _ = tls(tmp_path)
    if odd == "clients.pem":
        verified = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: clients.pem"
        web.write_text(web.read_text().replace("}", f", {verified}}}"))
    (tmp_path / odd).unlink(missing_ok=True)
    os.mkfifo(tmp_path / odd)
    words = [sys.executable, "-m", "danebot_exporter", "--web.config.file", str(web)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path / odd}: not a regular file" in line


def test_nobody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    """OpenSSL would ask on a terminal, and wait."""
    web, _ = tls(tmp_path)
    served = tmp_path / "served.pem"
    text = served.read_bytes()
    form = Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    key = load_pem_private_key(text, None).private_bytes(*form)
    served.write_bytes(key + text[text.index(b"-----BEGIN CERT") :])
    with pytest.raises(ConfigError, match=r"served\.pem: the key has a passphrase"):
        Gate(web)


def test_who_reads_meanwhile_is_not_kept_waiting(tmp_path: Path) -> None:
    """One check is under way for long; a scrape that is known goes by it."""
    found = gate(tmp_path, a=hashed("b"))
    known = found.admits(header("a", "b"), "192.0.2.1")
    release, begun = threading.Event(), threading.Event()

    def held(*_: object) -> bool:
        begun.set()
        return not release.wait(120)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(bcrypt, "checkpw", held)
        guess = threading.Thread(target=found.admits, args=(header("a", "c"), "192.0.2.2"))
        guess.start()
        assert begun.wait(120)
        assert found.admits(header("a", "b"), "192.0.2.1") is known
        release.set()
        guess.join()


def test_peers_that_wait_within_tls_or_before_it_make_room(tmp_path: Path) -> None:
    web, _ = tls(tmp_path)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        serving(sample.write(tmp_path / "status.json"), web) as server,
        contextlib.ExitStack() as stack,
    ):
        secured = [
            stack.enter_context(context.wrap_socket(connect(server, "127.0.0.2"))) for _ in range(4)
        ]
        for _ in range(CONNECTIONS):
            stack.enter_context(connect(server, "127.0.0.2"))
        with context.wrap_socket(connect(server, "127.0.0.3")) as honest:
            assert answer(honest, CLOSE).startswith(b"HTTP/1.1 200")
        for sock in secured:
            with contextlib.suppress(ssl.SSLEOFError, ConnectionError):
                assert sock.recv(1) == b"", "closed, and nothing in plain text"
    assert server.connections.count() <= CONNECTIONS
