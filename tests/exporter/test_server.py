"""The exporter over HTTP, as a process of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from danebot.adapters.codec import encode
from domain.pki import issue
from exporter import sample
from exporter.running import Exporter, command, environment, exporter


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.write(tmp_path_factory.mktemp("status") / "status.json")


@pytest.fixture(scope="module")
def running(document: Path) -> Iterator[Exporter]:
    with exporter("--snapshot", document) as found:
        yield found


# ---- handlers -------------------------------------------------------------------------------


def test_metrics_are_those_of_the_document_and_its_own(running: Exporter) -> None:
    status, body, headers = running.get("/metrics")
    assert status == 200
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'danebot_lineage_phase{lineage="mail.example.com",phase="cooling"} 1\n' in body
    assert "danebot_exporter_build_info{version=" in body
    assert "process_resident_memory_bytes" in body


def test_the_page_has_a_strict_policy(running: Exporter) -> None:
    status, body, headers = running.get("/?q=mail&show=rolling&page=1")
    assert status == 200
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "mail.example.com" in body
    assert "old.example.net" not in body
    assert "<script" not in body


def test_healthy_whatever_the_document(tmp_path: Path) -> None:
    with exporter("--snapshot", tmp_path / "absent.json") as found:
        assert found.get("/-/healthy")[:2] == (200, "danebot-exporter is healthy.\n")
        status, body, _ = found.get("/metrics")
        assert status == 200
        assert 'danebot_snapshot_error{reason="missing"} 1\n' in body
        assert 'danebot_snapshot_read_failures_total{reason="missing"} 1.0\n' in body
        assert "is not there yet: danebot renew writes it" in found.get("/")[1]


@pytest.mark.parametrize("path", ["/nope", "/metrics/", "/%00", "/..%2f..%2fetc/passwd"])
def test_other_paths_are_not_found(path: str, running: Exporter) -> None:
    assert running.get(path)[0] == 404


def test_other_methods_are_refused_in_plain_text(running: Exporter) -> None:
    status, body, headers = running.get("/metrics", method="POST")
    assert status == 501
    assert headers["content-type"].startswith("text/plain")
    assert "content-security-policy" in headers
    assert "<" not in body


def test_head_has_no_body(running: Exporter) -> None:
    status, body, headers = running.get("/metrics", method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["content-length"]) > 1000


def test_a_changed_document_shows_at_once(tmp_path: Path) -> None:
    path = sample.write(tmp_path / "status.json", sample.snapshot([sample.lineage("a.example")]))
    with exporter("--snapshot", path) as found:
        assert 'danebot_lineages{phase="stable"} 1\n' in found.get("/metrics")[1]
        new = sample.snapshot([sample.lineage("a.example"), sample.lineage("b.example")])
        sample.write(tmp_path / "new.json", new).replace(path)
        assert 'danebot_lineages{phase="stable"} 2\n' in found.get("/metrics")[1]
        path.write_text("{")
        assert "danebot_snapshot_readable 0\n" in found.get("/metrics")[1]
        path.unlink()
        assert 'danebot_snapshot_error{reason="missing"} 1\n' in found.get("/metrics")[1]
        sample.write(path, new)
        assert "danebot_snapshot_readable 1\n" in found.get("/metrics")[1]


@pytest.mark.parametrize("target", ["example.org", "mx.example.org:25"])
def test_a_probe_is_answered_in_time_though_the_resolver_says_nothing(
    target: str, tmp_path: Path
) -> None:
    """Over UDP and TCP it accepts what is sent, and stays silent."""
    with contextlib.ExitStack() as stack:
        resolvers = []
        for number in range(1, 9):  # each would be waited for twice five seconds
            silent = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            silent.bind((f"127.0.53.{number}", 0))  # nobody else takes a port there
            listener = stack.enter_context(socket.socket())
            listener.bind(silent.getsockname())
            listener.listen()
            resolvers.append(f"127.0.53.{number}:{silent.getsockname()[1]}")
        config = tmp_path / "danebot.toml"
        config.write_text(f"resolver = {resolvers}\n")
        with exporter("--config", config) as found:
            for _ in range(2):  # the first one loads what it needs
                began = time.monotonic()
                wait = {"X-Prometheus-Scrape-Timeout-Seconds": "3"}
                status, body, _ = found.get(f"/probe?target={target}", wait)
                took = time.monotonic() - began
    assert status == 200
    assert "probe_success 0\n" in body
    assert 'danebot_probe_grade{grade="unjudged"} 1\n' in body
    assert took < 3 + 60  # a busy machine's leave


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "target is missing"),
        ("?target=example.com&module=nope", "unknown module"),
        ("?target=192.0.2.1", "is an address"),
        ("?target=example.com&module=imap", "takes HOST:PORT"),
        ("?target=a..b", "is not a DNS name"),
        ("?target=%3Cscript%3E%0A", "is not a DNS name"),
    ],
)
def test_a_probe_that_makes_no_sense(query: str, words: str, running: Exporter) -> None:
    status, body, _ = running.get(f"/probe{query}")
    assert status == 400
    assert words in body
    assert body.count("\n") == 1


# ---- what peers may do ----------------------------------------------------------------------


def raw(port: int, *parts: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET http://[ HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /?"
        + b"&".join(b"a=b" for _ in range(99))
        + b" HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x00\xf1\x01\r\n\r\n",
    ],
)
def test_requests_that_are_none(request_: bytes, running: Exporter) -> None:
    answer = raw(running.port, request_)
    assert b"Traceback" not in answer
    assert running.get("/-/healthy")[0] == 200


def test_a_body_does_not_pass_for_a_second_request(running: Exporter) -> None:
    hidden = b"GET /probe HTTP/1.1\r\n\r\n"
    head = b"GET /-/healthy HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    assert raw(running.port, head + hidden).count(b"HTTP/1.1 ") == 1


def test_two_requests_on_one_connection(running: Exporter) -> None:
    one = b"GET /-/healthy HTTP/1.1\r\n\r\n"
    last = b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert raw(running.port, one, last).count(b"HTTP/1.1 200") == 2


# ---- the web configuration ------------------------------------------------------------------

HASH = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()


def basic(user: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def test_basic_authentication(document: Path, tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  prometheus: {HASH}\n")
    with exporter("--snapshot", document, "--web.config.file", config) as found:
        status, _, headers = found.get("/metrics")
        assert status == 401
        assert headers["www-authenticate"] == 'Basic realm="danebot"'
        for _ in range(2):  # the second time it is remembered
            assert found.get("/metrics", basic("prometheus", "open sesame"))[0] == 200
        for wrong in (
            basic("prometheus", "closed"),
            basic("stranger", "open sesame"),
            basic("prometheus", "open sesame\0"),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Bearer x"},
        ):
            assert found.get("/metrics", wrong)[0] == 401
            assert found.get("/", wrong)[0] == 401
        assert found.get("/-/healthy")[0] == 200
        config.write_text("basic_auth_users: {}\n")
        assert found.get("/metrics")[0] == 200


def test_tls_with_client_certificates(document: Path, tmp_path: Path) -> None:
    ca = issue("Exporter CA", ca=True, valid=VALID)
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    for name in ("server", "client", "renewed"):
        leaf = issue(name, ca, names=["localhost"], valid=VALID)
        (tmp_path / f"{name}.pem").write_bytes(leaf.key_pem + leaf.pem)
    (tmp_path / "served.pem").write_bytes((tmp_path / "server.pem").read_bytes())
    config = tmp_path / "web.yml"
    config.write_text(
        "tls_server_config:\n  cert_file: served.pem\n  key_file: served.pem\n"
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
        "  min_version: TLS13\n"
    )
    context = ssl.create_default_context(cadata=ca.pem.decode())
    context.check_hostname = False
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(tmp_path / "client.pem")
    with exporter("--snapshot", document, "--web.config.file", config, context=context) as found:
        assert found.get("/metrics")[0] == 200
        first = served(found.port, context)
        (tmp_path / "renewed.pem").replace(tmp_path / "served.pem")
        assert served(found.port, context) != first
        stranger = ssl.create_default_context(cadata=ca.pem.decode())
        stranger.check_hostname = False
        stranger.verify_flags &= ~ssl.VERIFY_X509_STRICT
        found.context = stranger
        with pytest.raises(OSError, match=r"certificate required|Connection reset|EOF"):
            found.get("/metrics")
        found.context = context
        (tmp_path / "served.pem").write_text("broken")
        assert found.get("/metrics")[0] == 200


VALID = (sample.NOW - 3000 * sample.DAY, sample.NOW + 3000 * sample.DAY)


def served(port: int, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), 120) as plain,
        context.wrap_socket(plain) as tls,
    ):
        return tls.getpeercert(binary_form=True) or b""


BAD = {
    "nonsense": ("{", "web.yml"),
    "list": ("- a", "must be a mapping"),
    "unknown": ("tls_server_config: {cert_file: a, key_file: b, cipher_suites: [x]}", "supported"),
    "top": ("rate_limit: {}", "rate_limit isn't supported"),
    "half": ("tls_server_config: {cert_file: a}", "needs cert_file and key_file"),
    "absent": ("tls_server_config: {cert_file: a, key_file: b}", "No such file"),
    "clients": (
        "tls_server_config: {cert_file: a, key_file: b, client_auth_type: RequireAnyClientCert}",
        "client_auth_type must be one of",
    ),
    "no ca": (
        "tls_server_config: {cert_file: a, key_file: b, client_auth_type: VerifyClientCertIfGiven}",
        "client_ca_file goes with",
    ),
    "old": ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS10}", "TLS12 or TLS13"),
    "plain": ("basic_auth_users: {a: secret}", "isn't a bcrypt hash"),
    "number": ("basic_auth_users: {a: 1}", "isn't a bcrypt hash"),
    "http2": ("http_server_config: {http2: true}", "http2 isn't supported"),
    "header": ('http_server_config: {headers: {"a": "b\\r\\nc: d"}}', "can't be sent"),
    "bomb": ("a: &a [x]\nb: *a\n? *a : 1", "web.yml"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_web_configuration_that_cannot_be_kept_is_refused(name: str, tmp_path: Path) -> None:
    text, words = BAD[name]
    config = tmp_path / "web.yml"
    config.write_text(text)
    run = once("--web.config.file", config)
    assert run.returncode == 1
    assert words in run.stderr
    assert run.stderr.count("\n") == 1, run.stderr


def once(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("--web.listen-address", "127.0.0.1:0", *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_the_libraries_it_says_which_extra_has_them(tmp_path: Path) -> None:
    config = tmp_path / "web.yml"
    config.write_text("{}")
    blocked = (
        "import sys; sys.modules['yaml'] = None; from danebot_exporter.cli import main; main()"
    )
    run = subprocess.run(
        [command()[0], "-c", blocked, "--web.config.file", config],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1
    assert "pip install 'danebot[web]'" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--web.listen-address", "9698"),
        ("--web.listen-address", "::1:9698"),
        ("--web.listen-address", "a:99999"),
        ("--web.listen-address", "a:" + "9" * 5000),
        ("--probe.interval", "often"),
        ("--nope",),
    ],
)
def test_usage(arguments: tuple[str, ...]) -> None:
    run = once(*arguments)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr


def test_an_address_in_use(running: Exporter) -> None:
    run = once("--web.listen-address", f"127.0.0.1:{running.port}")
    assert run.returncode == 1
    assert "cannot listen on" in run.stderr


# ---- the textfile ---------------------------------------------------------------------------


def test_the_textfile(document: Path, tmp_path: Path) -> None:
    path = tmp_path / "danebot.prom"
    path.write_text("old")
    path.chmod(0o600)
    run = once("--snapshot", document, "--textfile", path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o644
    assert "danebot_snapshot_readable 1\n" in path.read_text()
    assert os.listdir(tmp_path) == ["danebot.prom"]
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=path.read_bytes(), capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_a_textfile_of_a_bad_document_says_so(tmp_path: Path) -> None:
    bad = tmp_path / "status.json"
    bad.write_text(json.dumps(encode(sample.snapshot()))[:50])
    run = once("--snapshot", bad, "--textfile", tmp_path / "danebot.prom")
    assert run.returncode == 1
    assert "is damaged" in run.stderr
    assert "danebot_snapshot_readable 0\n" in (tmp_path / "danebot.prom").read_text()


def test_a_textfile_that_node_exporter_would_pass_over(document: Path, tmp_path: Path) -> None:
    run = once("--snapshot", document, "--textfile", tmp_path / "danebot.txt")
    assert run.returncode == 1
    assert ".prom" in run.stderr
    run = once("--snapshot", document, "--textfile", tmp_path / "absent" / "danebot.prom")
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1


def test_the_textfile_needs_neither_prometheus_client_nor_asyncio(document: Path) -> None:
    program = (
        "import sys; from danebot_exporter.textfile import collect; from pathlib import Path;"
        f"collect(Path({str(document)!r}));"
        "print(sorted({'asyncio', 'ssl', 'prometheus_client', 'http'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [
            command()[0],
            "-c",
            program,
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
