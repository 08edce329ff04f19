"""The worked examples of publishers, against small doubles of the interfaces that they use."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from danebot.adapters.publish.program import TRY_LATER, VERSION, change_document
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName
from danebot.domain.rollover.records.changes import Change

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NAME, ZONE = DnsName("_25._tcp.mail.example.org"), DnsName("example.org")
LIVE, NEW, OLD, FOREIGN = (TlsaRecord(3, 1, 1, bytes((0xA0 + n,)) * 32) for n in range(4))
KEY = "a token"


class Provider:
    """What an interface holds and how it fails."""

    def __init__(self) -> None:
        self.records: list[str] | None = None
        self.ttl = 0
        self.status = 0
        self.problems: list[str] = []


class PowerDns(BaseHTTPRequestHandler):
    """`/api/v1/servers/localhost/zones/ZONE`: GET and PATCH."""

    provider: Provider
    header, value = "X-API-Key", KEY
    path_ = "/api/v1/servers/localhost/zones/example.org."

    def log_message(self, *_: object) -> None:
        """Silent."""

    def say(self, status: int, body: object = None) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refused(self) -> bool:
        if self.provider.status:
            self.say(self.provider.status, {"error": "so it is"})
            return True
        if self.headers[self.header] != self.value:
            self.say(401, {"error": "who are you?"})
            return True
        return False

    def body(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        if self.refused():
            return
        url = urlsplit(self.path)
        wanted = parse_qs(url.query)
        good = url.path == self.path_ and wanted["rrset_name"] == [f"{NAME}."]
        if not good:
            self.provider.problems.append(self.path)
        found = [] if self.provider.records is None else self.provider.records
        records = [{"content": text, "disabled": False} for text in found]
        rrset = {"name": f"{NAME}.", "type": "TLSA", "ttl": 60, "records": records}
        self.say(200, {"rrsets": [rrset] if records else []})

    def do_PATCH(self) -> None:
        if self.refused():
            return
        (rrset,) = self.body()["rrsets"]
        if (rrset["name"], rrset["type"], rrset["changetype"]) != (f"{NAME}.", "TLSA", "REPLACE"):
            self.provider.problems.append(str(rrset))
        self.provider.records = [record["content"] for record in rrset["records"]]
        self.provider.ttl = rrset["ttl"]
        self.say(204)


class Desec(PowerDns):
    """`/api/v1/domains/ZONE/rrsets/`: GET of one, PATCH of many."""

    header, value = "Authorization", f"Token {KEY}"
    path_ = "/api/v1/domains/example.org/rrsets/"

    def do_GET(self) -> None:
        if self.refused():
            return
        if self.path != f"{self.path_}_25._tcp.mail/TLSA/":
            self.provider.problems.append(self.path)
        if self.provider.records is None:
            self.say(404, {"detail": "Not found."})
        else:
            self.say(200, {"records": self.provider.records, "ttl": 60})

    def do_PATCH(self) -> None:
        if self.refused():
            return
        (rrset,) = self.body()
        if (self.path, rrset["subname"], rrset["type"]) != (self.path_, "_25._tcp.mail", "TLSA"):
            self.provider.problems.append(str(rrset))
        self.provider.records, self.provider.ttl = rrset["records"], rrset["ttl"]
        self.say(200, [rrset])


@contextmanager
def serving(kind: type[PowerDns]) -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    handler = type("Handler", (kind,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield provider, f"http://127.0.0.1:{server.server_port}/api/v1"
        server.shutdown()
        thread.join(5)


def run(
    example: str, url: str, key: Path, change: Change, **altered: object
) -> subprocess.CompletedProcess[str]:
    places = {
        "publish-powerdns": [f"{url}/servers/localhost", str(key)],
        "publish-desec": [str(key), url],
    }
    return subprocess.run(
        [sys.executable, EXAMPLES / example, *places[example]],
        input=json.dumps(change_document(change, ZONE) | altered),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    return path


def texts(provider: Provider) -> list[str]:
    return sorted(" ".join(text.lower().split()) for text in provider.records or ())


def change(*, add: tuple[TlsaRecord, ...] = (), remove: tuple[TlsaRecord, ...] = ()) -> Change:
    return Change("mail.example.org", (NAME,), NAME, ZONE, add=add, remove=remove)


HTTP = [("publish-powerdns", PowerDns), ("publish-desec", Desec)]


@pytest.mark.parametrize(("example", "kind"), HTTP)
def test_an_example_adds_and_removes_and_keeps_the_rest(
    example: str, kind: type[PowerDns], key: Path
) -> None:
    with serving(kind) as (provider, url):
        done = run(example, url, key, change(add=(LIVE,)))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert texts(provider) == [str(LIVE)]
        assert provider.ttl == 3600
        whole = str(FOREIGN).upper()
        provider.records = [str(LIVE).upper(), f"{whole[:20]} {whole[20:]}", str(OLD)]
        assert run(example, url, key, change(add=(LIVE, NEW), remove=(OLD,))).returncode == 0
        assert texts(provider) == sorted(
            [*map(str, (LIVE, NEW)), f"{whole[:20]} {whole[20:]}".lower()]
        )
        assert provider.problems == []


@pytest.mark.parametrize(("example", "kind"), HTTP)
@pytest.mark.parametrize(("status", "expected"), [(401, 1), (422, 1), (500, 75), (503, 75)])
def test_an_example_says_why_it_failed(
    example: str, kind: type[PowerDns], key: Path, status: int, expected: int
) -> None:
    with serving(kind) as (provider, url):
        provider.status = status
        done = run(example, url, key, change(add=(LIVE,)))
        assert done.returncode == expected
        assert str(status) in done.stdout
        assert "so it is" in done.stdout
        assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize("example", ["publish-powerdns", "publish-desec"])
def test_an_example_without_a_server_asks_to_try_later(example: str, key: Path) -> None:
    done = run(example, "http://127.0.0.1:1/api/v1", key, change(add=(LIVE,)))
    assert done.returncode == 75
    assert "refused" in done.stdout


@pytest.mark.parametrize("example", ["publish-powerdns", "publish-desec"])
def test_an_example_refuses_a_document_of_another_version(example: str, key: Path) -> None:
    done = run(example, "http://127.0.0.1:1", key, change(add=(LIVE,)), version=2)
    assert done.returncode == 1
    assert "version 1 of the document, not 2" in done.stderr


def test_the_page_describes_the_document_and_the_exit_statuses() -> None:
    page = (EXAMPLES.parent / "publishing.md").read_text()
    asked = change_document(change(add=(NEW,)), ZONE)
    table = page.partition("| field | meaning |")[2].partition("| exit status |")[0]
    for field in asked:
        assert f"`{field}`" in table
        assert f'"{field}":' in page
    for field in asked["add"][0]:
        assert f'"{field}":' in page
    assert f"\n| {TRY_LATER} |" in page
    assert f'"version": {VERSION},' in page
    for example in EXAMPLES.iterdir():
        assert f"(examples/{example.name})" in page
