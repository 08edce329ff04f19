"""Rows of the DANE case table as real TLS handshakes, judged by ``openssl s_client``."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from domain.dane_cases import CASES, Case
from domain.dane_world import der, record, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def presentable(case: Case) -> bool:
    """Whether s_client can be asked: it takes one name, partial wildcards, and no PKIX store.

    Nor can it be asked about what `ssl` can't load to present it.
    """
    return (
        not case.apart
        and case.store is None
        and case.outcome in {"AUTHENTICATED", "FAILED"}
        and len(case.names) == 1
        and not any(text.startswith(("0", "1")) for text in case.records)
        and not case.chain.startswith(
            ("leaf-wild-part", "leaf-p192", "leaf-bad-san", "sha1", "odd")
        )
    )


# Every third row: a fork and a handshake each.
CHOSEN = [case for case in CASES if presentable(case)][::3]


class Server:
    """Presents, on loopback, the chain of the row that the client's SNI names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._front = self._context("leaf")
        self._front.sni_callback = self._choose
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def present(self, name: str, chain: str) -> None:
        self._contexts[name] = self._context(chain)

    def _context(self, chain: str) -> ssl.SSLContext:
        labels = chain.split()
        file = self._folder / "chain.pem"
        pems = [ssl.DER_cert_to_PEM_cert(der(label)).encode() for label in labels]
        file.write_bytes(world()[labels[0]].key_pem + b"".join(pems))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.load_cert_chain(file)
        return context

    def _choose(self, sock: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        sock.context = self._contexts[name or ""]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(10)
            with (
                contextlib.suppress(OSError),
                connection,
                self._front.wrap_socket(connection, server_side=True) as tls,
            ):
                tls.recv(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in CHOSEN])
def test_a_handshake_decides_the_same(case: Case, server: Server) -> None:
    name = f"row{CASES.index(case)}.test"
    server.present(name, case.chain)
    command = [
        *("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", name),
        *("-dane_tlsa_domain", case.names[0], "-dane_ee_no_namechecks", "-verify_return_error"),
        *("-attime", str(int(case.now.timestamp())), "-cipher", "DEFAULT@SECLEVEL=0"),
    ]
    for text in case.records:
        command += ["-dane_tlsa_rrdata", str(record(text))]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
    )
    authenticated = "Verification: OK" in done.stdout and "DANE TLSA" in done.stdout
    refused = "verify error" in done.stdout + done.stderr
    assert authenticated != refused, done.stdout + done.stderr
    assert authenticated is (case.outcome == "AUTHENTICATED")
