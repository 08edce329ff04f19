"""What stands before pebble: renewal information (RFC 9773) as the tests want it, and faults.

    front.py ADDRESS PORT PEBBLE_PORT CERT KEY DIRECTORY

Relays each request with its Host header (pebble makes its URLs from it).  DIRECTORY/window
holds "START END RETRY_AFTER", seconds from now: while that file exists, the directory
object offers renewalInfo, and otherwise never.  (pebble 2.6's own is a window of two days,
whatever the lifetime: of certificates that live for minutes many are renewed at once.)
DIRECTORY/fault holds "rateLimited", "serverInternal" or the like: while it exists, every new
order is answered with that problem, or those for one name that stands behind it; "hang" answers
after ten minutes.  Runs alone, outside the package.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import http.client
import http.server
import json
import ssl
import sys
import time
from pathlib import Path
from typing import NamedTuple

NEW_ORDER = "/order-plz"


class Settings(NamedTuple):
    """The command line."""

    address: str
    pebble_port: int
    certificate: Path
    directory: Path


def ordered(body: bytes) -> set[str]:
    """The names that an order is for (RFC 8555 section 7.4)."""
    payload = json.loads(body)["payload"]
    order = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return {identifier["value"] for identifier in order["identifiers"]}


class Front(http.server.BaseHTTPRequestHandler):
    """One connection of an ACME client."""

    protocol_version = "HTTP/1.1"

    def __init__(self, settings: Settings, *args: object) -> None:
        self.settings = settings
        super().__init__(*args)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        window = self.settings.directory / "window"
        if self.path.startswith("/ari/") and window.exists():
            start, end, retry_after = window.read_text(encoding="ascii").split()
            body = json.dumps({"suggestedWindow": {"start": _at(start), "end": _at(end)}})
            self._reply(200, [("Retry-After", retry_after)], body.encode())
        else:
            self._relay(b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        fault = self.settings.directory / "fault"
        words = fault.read_text(encoding="ascii").split() if fault.exists() else []
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != NEW_ORDER or not words or not ordered(body) >= set(words[1:]):
            self._relay(body)
            return
        kind = words[0]
        if kind == "hang":
            time.sleep(600)
        problem = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": f"{kind}, says the lab"}
        status = 429 if kind == "rateLimited" else 500
        self._reply(
            status, [("Content-Type", "application/problem+json")], json.dumps(problem).encode()
        )

    def _relay(self, sent: bytes) -> None:
        context = ssl.create_default_context(cafile=self.settings.certificate)
        pebble = http.client.HTTPSConnection(
            self.settings.address, self.settings.pebble_port, timeout=60, context=context
        )
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        pebble.request(self.command, self.path, sent or None, headers)
        reply = pebble.getresponse()
        body = reply.read()
        pebble.close()
        if self.path == "/dir":
            offered = json.loads(body)
            offered.pop("renewalInfo", None)
            if (self.settings.directory / "window").exists():
                offered["renewalInfo"] = f"https://{self.headers['Host']}/ari"
            body = json.dumps(offered).encode()
        self._reply(reply.status, reply.getheaders(), body)

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _at(seconds: str) -> str:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=int(seconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    address, port, pebble_port, certificate, key, directory = sys.argv[1:]
    settings = Settings(address, int(pebble_port), Path(certificate), Path(directory))
    server = http.server.ThreadingHTTPServer(
        (address, int(port)),
        functools.partial(Front, settings),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
