"""What keeps an exporter going for months: settings read anew, and nothing that piles up."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from danebot.config import Settings
from danebot_exporter import answering
from danebot_exporter import server as module
from danebot_exporter.cli import _address as parse_address
from danebot_exporter.connections import CONNECTIONS
from danebot_exporter.own import OwnMetrics
from danebot_exporter.server import ExporterServer
from danebot_exporter.store import Store
from danebot_exporter.webconfig import Gate
from exporter import sample
from exporter.running import command, environment, exporter
from exporter.test_peers import until
from lab.net import free_ports


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return sample.write(tmp_path / "status.json")


# ---- settings that change ---------------------------------------------------------------------


def test_sighup_has_it_read_the_settings_again(tmp_path: Path) -> None:
    sample.write(tmp_path / "one.json", sample.snapshot([sample.lineage("one.example")]))
    sample.write(tmp_path / "two.json", sample.snapshot([sample.lineage("two.example")]))
    config = tmp_path / "danebot.toml"

    def told(text: str, process: subprocess.Popen[str]) -> str:
        config.write_text(text)
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        return process.stderr.readline()

    config.write_text(f'snapshot = "{tmp_path}/one.json"')
    with exporter("--config", config) as found:
        assert 'lineage="one.example"' in found.get("/metrics")[1]
        assert "read again" in told(f'snapshot = "{tmp_path}/two.json"', found.process)
        body = found.get("/metrics")[1]
        assert 'lineage="two.example"' in body
        assert 'lineage="one.example"' not in body
        assert "stays in force" in told("snapshot = 1", found.process)
        assert found.get("/metrics")[1].count('lineage="two.example"')
    with exporter("--config", config_of(tmp_path), "--snapshot", tmp_path / "one.json") as found:
        found.process.send_signal(signal.SIGHUP)
        assert found.process.stderr is not None
        assert "read again" in found.process.stderr.readline()
        assert 'lineage="one.example"' in found.get("/metrics")[1], "the option is stronger"


@pytest.mark.parametrize("prefix", [(), ("env", "--ignore-signal=HUP")])
def test_sighup_at_any_moment_ends_nothing(document: Path, prefix: tuple[str, ...]) -> None:
    """It comes while the first line waits for a journal that is slow."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    (port,) = free_ports(1)
    options = ("--snapshot", document, "--web.listen-address", f"127.0.0.1:{port}")
    words = [*prefix, *command(*options, "--probe.interval", "0")]
    with subprocess.Popen(words, stderr=writer, env=environment()) as process:
        os.close(writer)

        def listens() -> bool:
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        try:
            until(listens)
            time.sleep(0.2)  # until it writes; too early, the test proves less, and passes
            process.send_signal(signal.SIGHUP)
            with os.fdopen(reader, "rb") as lines:
                said = lines.readline().lstrip(b"x") + lines.readline()
            assert process.poll() is None
        finally:
            process.terminate()
    assert sorted(said.splitlines()) == [
        b"danebot-exporter: listening on http://127.0.0.1:%d/" % port,
        b"danebot-exporter: settings read again",
    ]


def config_of(directory: Path) -> Path:
    path = directory / "other.toml"
    path.write_text(f'snapshot = "{directory}/two.json"')
    return path


# ---- where it listens -------------------------------------------------------------------------


@pytest.mark.parametrize(("both", "host"), [(True, "::"), (False, "0.0.0.0")])  # noqa: S104
def test_all_addresses_of_a_host_without_ipv6(
    *, both: bool, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that was booted with ipv6.disable=1 has no such sockets."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: both)
    assert parse_address(":9698") == (host, 9698)
    assert parse_address("[::1]:9698") == ("::1", 9698)


# ---- what lasts -------------------------------------------------------------------------------


def test_connections_for_which_there_is_no_thread_take_no_slot(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    own = OwnMetrics()
    server = ExporterServer(
        ("127.0.0.1", 0), Store(Settings()._replace(snapshot=document)), Gate(None), own
    )
    with server, monkeypatch.context() as changed:
        changed.setattr(threading.Thread, "start", nothing)
        for _ in range(CONNECTIONS + 1):
            here, there = socket.socketpair()
            with here, there, pytest.raises(RuntimeError):
                server.process_request(here, ("", 0))
        changed.undo()
        here, there = socket.socketpair()
        with here, there:
            server.process_request(here, ("", 0))
            there.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
            assert there.recv(100).startswith(b"HTTP/1.1 200")


def test_a_listener_without_descriptors_does_not_spin(
    document: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The connection stays in the queue, so that the socket is ready at once, again and again."""
    tries = 0

    def short(_: ExporterServer) -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket.socket, "accept", short)
    store = Store(Settings()._replace(snapshot=document))
    server = ExporterServer(("127.0.0.1", 0), store, Gate(None), OwnMetrics())
    with server, socket.create_connection(server.server_address):  # type: ignore[arg-type] # IPv4
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        until(lambda: tries > 0)
        began = time.monotonic()
        time.sleep(0.7)
        server.shutdown()
        thread.join()
    assert tries <= 2 + (time.monotonic() - began) / module._PAUSE
    assert capsys.readouterr().err.count("can't take a connection: Too many open files") == 1


def test_who_takes_an_answer_drop_by_drop_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a part of it takes: the time is for all of it."""
    monkeypatch.setattr(answering, "_ANSWER", 1.0)
    path = sample.write(
        tmp_path / "status.json",
        sample.snapshot([sample.lineage(f"{n}.example") for n in range(4000)]),
    )
    own = OwnMetrics()
    server = ExporterServer(
        ("127.0.0.1", 0), Store(Settings()._replace(snapshot=path)), Gate(None), own
    )
    here, there = socket.socketpair()
    with server, here, there:
        server.process_request(here, ("", 0))
        there.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        drops = 0
        while there.recv(20000):
            drops += 1
            time.sleep(0.05)
        assert 0 < drops < 80  # it would be more than 500
