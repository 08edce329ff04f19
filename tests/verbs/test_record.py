"""`danebot record`: what OpenSSL makes of the same files is the judge."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.nameserver import nameservers
from danebot.cli import main
from danebot.domain.dane.material import Material, of_chain, read_material, records_of
from danebot.domain.dns.forms import RecordForm
from danebot.errors import CertificateError
from domain.pki import issue
from schemas import faults


def openssl(*words: str | Path, data: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, a leaf of it, its key, a request and the chain."""
    at = tmp_path_factory.mktemp("pem")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(
        *(*new, "-x509", "-subj", "/CN=Test CA", "-keyout", at / "ca.key", "-out", at / "ca.pem")
    )
    openssl(*new, "-subj", "/CN=mx.example.test", "-keyout", at / "key.pem", "-out", at / "csr.pem")
    openssl(
        *("x509", "-req", "-in", at / "csr.pem", "-CA", at / "ca.pem", "-CAkey", at / "ca.key"),
        *("-set_serial", "7", "-out", at / "cert.pem"),
    )
    (at / "chain.pem").write_bytes((at / "cert.pem").read_bytes() + (at / "ca.pem").read_bytes())
    combo = (at / "key.pem").read_bytes() + (at / "chain.pem").read_bytes()
    (at / "combo.pem").write_bytes(combo)
    (at / "pub.pem").write_bytes(openssl("pkey", "-in", at / "key.pem", "-pubout"))
    openssl("x509", "-in", at / "cert.pem", "-outform", "DER", "-out", at / "cert.der")
    return at


def spki(pem: Path) -> bytes:
    public = openssl("x509", "-in", pem, "-pubkey", "-noout")
    return openssl("pkey", "-pubin", "-outform", "DER", data=public)


def der(pem: Path) -> bytes:
    return openssl("x509", "-in", pem, "-outform", "DER")


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["record", *words])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


@pytest.mark.parametrize(
    "name", ["cert.pem", "chain.pem", "combo.pem", "key.pem", "csr.pem", "pub.pem", "cert.der"]
)
def test_whatever_has_the_key_gives_its_record(
    name: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = hashlib.sha256(spki(files / "cert.pem")).hexdigest()
    assert asked(capsys, str(files / name)) == (0, f"3 1 1 {digest}  ; the key\n", "")


def test_every_kind_is_made_as_openssl_has_the_octets(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaf, ca = files / "cert.pem", files / "ca.pem"
    wanted = {
        "3 0 1": hashlib.sha256(der(leaf)).hexdigest(),
        "1 1 2": hashlib.sha512(spki(leaf)).hexdigest(),
        "3 1 0": spki(leaf).hex(),
        "2 1 1": hashlib.sha256(spki(ca)).hexdigest(),
        "0 0 2": hashlib.sha512(der(ca)).hexdigest(),
    }
    kinds = [word for kind in wanted for word in ("--kind", kind)]
    code, out, _ = asked(capsys, str(files / "chain.pem"), *kinds)
    assert code == 0
    assert [line.split("  ;")[0] for line in out.splitlines()] == [
        f"{kind} {data}" for kind, data in wanted.items()
    ]
    assert out.splitlines()[3].endswith("; Test CA")


def test_owners_and_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner = ("--owner", "_25._tcp.mx.example.test")
    _, out, _ = asked(capsys, str(files / "key.pem"), *owner, "--kind", "311", "--kind", "3 1 1")
    assert out.count("\n") == 1
    assert out.startswith("_25._tcp.mx.example.test. IN TLSA 3 1 1 ")
    _, out, _ = asked(capsys, str(files / "key.pem"), *owner, "--json")
    assert faults("record", json.loads(out)) == []
    (found,) = json.loads(out)["records"]
    assert found == {
        "owner": "_25._tcp.mx.example.test",
        "record": f"3 1 1 {found['data']}",
        "usage": 3,
        "selector": 1,
        "matching_type": 1,
        "data": hashlib.sha256(spki(files / "cert.pem")).hexdigest(),
        "source": "the key",
    }


@pytest.mark.parametrize(
    ("kind", "owner", "code"),
    [
        ("111", "_25._tcp.mx.example.test", 1),
        ("111", "_587._tcp.mx.example.test", 0),
        ("011", "_24._tcp.mx.example.test", 1),
        ("211", "_25._tcp.mx.example.test", 0),
        ("111", "_dane.example.test", 0),  # the end of an alias: of which port nobody knows
    ],
)
def test_what_counts_for_nothing_there_is_told(
    kind: str, owner: str, code: int, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (str(files / "chain.pem"), "--kind", kind, "--owner", owner)
    found, out, err = asked(capsys, *words)
    assert (found, out.count("IN TLSA")) == (code, 1)
    assert ("mail servers pass" in err) is bool(code)


def test_a_host_s_own_name_is_no_place_for_a_record(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = ("--owner", "mx.example.test")
    found, out, err = asked(capsys, str(files / "key.pem"), *owner)
    assert (found, out.count("IN TLSA")) == (1, 1)
    assert "at mx.example.test no sender looks for it: want _25._tcp.mx.example.test" in err


def test_of_a_chain_the_path_alone_gives_anchors() -> None:
    """Whoever published a stranger's record would have every sender refuse."""
    root, stranger = issue("Root", ca=True), issue("Stranger", ca=True)
    middle = issue("Middle", root, ca=True)
    leaf = issue("mx.example.test", middle, names=["mx.example.test"])
    form, own = RecordForm(2, 1, 1), issue("mx.example.test", ca=True, names=["mx.example.test"])

    def anchors(material: Material) -> list[str]:
        return [one.source for one in records_of(material, form)]

    presented = tuple(one.der for one in (leaf, stranger, root, middle, leaf))
    assert anchors(of_chain(presented)) == ["Root", "Middle"]
    pem = b"".join(one.pem for one in (leaf, stranger, middle))
    assert anchors(read_material(pem)) == ["Middle"]
    bundle = b"".join(one.pem for one in (stranger, middle))
    assert anchors(read_material(bundle)) == ["Stranger", "Middle"]
    with pytest.raises(CertificateError, match="there is none"):
        anchors(of_chain((own.der, stranger.der)))
    for unreadable in ((), (b"junk", middle.der)):
        with pytest.raises(CertificateError, match="no certificate that can be read"):
            of_chain(unreadable)
    assert anchors(read_material(own.pem)) == ["mx.example.test"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing.pem"], 2, "there is no file 'nothing.pem'; a service is HOST:PORT"),
        (["./nothing.pem"], 1, "cannot read ./nothing.pem: No such file or directory"),
        (["/"], 1, "not a regular file"),
        (["mx.example.test:0"], 2, "want HOST:PORT with a port of 1 to 65535"),
        (["KEY", "--kind", "4 1 1"], 2, "is no kind of TLSA record"),
        (["KEY", "--kind", "301"], 1, "a 3 0 1 record is made of a certificate"),
        (["CERT", "--kind", "211"], 1, "a 2 1 1 record is made of a CA's certificate"),
        (["KEY", "--owner", "a..b"], 2, "a..b"),
        (["JUNK"], 1, "junk: no certificate, key or request is in it\n"),
    ],
)
def test_what_can_not_be_is_one_line(  # noqa: PLR0917 - parameters and fixtures
    words: list[str],
    code: int,
    said: str,
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "junk").write_bytes(b"junk \x00")
    places = {"KEY": files / "key.pem", "CERT": files / "cert.pem", "JUNK": tmp_path / "junk"}
    found, out, err = asked(capsys, *(str(places.get(word, word)) for word in words))
    assert (found, out) == (code, "")
    assert said in err
    assert len(err.splitlines()) == (1 if code == 1 else 4)


def test_a_ca_s_name_is_no_line_of_its_own(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes into a zone holds what was asked for, whatever a service presents."""
    name = "/CN=Good CA\n_25._tcp.mx.test. IN TLSA 3 1 1 ab\x1b[31m"
    openssl(
        *("req", "-x509", "-utf8", "-multivalue-rdn", "-key", files / "ca.key", "-subj", name),
        *("-out", tmp_path / "ca.pem"),
    )
    code, out, _ = asked(capsys, str(tmp_path / "ca.pem"), "--kind", "201")
    assert code == 0
    assert out.endswith("; Good CA\\n_25._tcp.mx.test. IN TLSA 3 1 1 ab\\x1b[31m\n")
    assert len(out.splitlines()) == 1
    _, told, _ = asked(capsys, str(tmp_path / "ca.pem"), "--kind", "201", "--json")
    assert "\n" not in json.loads(told)["records"][0]["source"]


def test_more_than_a_chain_on_standard_input_is_refused_as_in_a_file(files: Path) -> None:
    """Cut off, a bundle would give the records of its beginning."""
    text = (files / "chain.pem").read_bytes() + b"\n" * (1024 * 1024)
    run = subprocess.run(
        [sys.executable, "-m", "danebot", "record", "-"],
        input=text,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr == b"danebot: standard input: larger than 1048576 octets\n"


@contextmanager
def presenting(*pairs: tuple[Path, Path]) -> Iterator[int]:
    """A TLS service on loopback with these chains and keys."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for chain, key in pairs:
        context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        tls.recv(1)
                except OSError:
                    continue  # one that offers RSA alone finds no key here

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.fixture
def service(files: Path) -> Iterator[int]:
    """One that presents the chain."""
    with presenting((files / "chain.pem", files / "key.pem")) as port:
        yield port


def test_a_live_service_is_asked_at_all_its_addresses(
    files: Path, service: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "renewal").mkdir()
    settings = tmp_path / "danebot.toml"
    places = f'["127.0.0.1:{service}", "127.0.0.2:1"]'
    settings.write_text(f'[endpoints]\n"mx.example.test:465" = {places}\n')
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(settings), "record", "mx.example.test:465", "--kind", "211"])
    out, err = capsys.readouterr()
    digest = hashlib.sha256(spki(files / "ca.pem")).hexdigest()
    assert out == f"_465._tcp.mx.example.test. IN TLSA 2 1 1 {digest}  ; Test CA\n"
    assert "cannot connect" in err  # the second address
    assert "[127.0.0.1]" not in err, "it has no RSA key, which is no matter"
    assert ended.value.code == 1


def test_a_service_with_two_keys_has_a_record_of_each(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rsa = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mx.example.test")
    openssl(*rsa, "-keyout", tmp_path / "rsa.key", "-out", tmp_path / "rsa.pem")
    pairs = ((files / "cert.pem", files / "key.pem"), (tmp_path / "rsa.pem", tmp_path / "rsa.key"))
    (tmp_path / "renewal").mkdir()
    settings = tmp_path / "danebot.toml"
    with presenting(*pairs) as port:
        settings.write_text(f'[endpoints]\n"mx.example.test:465" = ["127.0.0.1:{port}"]\n')
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(settings), "record", "mx.example.test:465"])
    out, err = capsys.readouterr()
    wanted = {hashlib.sha256(spki(pem)).hexdigest() for pem, _ in pairs}
    assert {line.split()[6] for line in out.splitlines()} == wanted
    assert (ended.value.code, err) == (0, "")


@pytest.mark.parametrize(
    ("rcode", "says"),
    [
        ("NXDOMAIN", "no address (none in DNS; /etc/hosts is not read, but endpoints in danebot"),
        ("SERVFAIL", "cannot connect (addresses can't be looked up: resolver 127.0.0.1 port"),
    ],
)
def test_a_host_without_an_address_in_dns(
    rcode: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for senders, names come from DNS alone."""
    (tmp_path / "renewal").mkdir()
    settings = tmp_path / "danebot.toml"
    with nameservers("127.0.0.1") as (told,):
        for kind in ("A", "AAAA"):
            soa = ("test 60 SOA ns.test. h.test. 1 2 3 4 5",)
            told.say("host.test", kind, rcode=rcode, authority=soa)
        settings.write_text(f'resolver = ["127.0.0.1:{told.port}"]\n')
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(settings), "record", "host.test:465"])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert f"host.test:465: {says}" in err


def test_addresses_that_can_not_be_looked_up_are_told_beside_others(
    service: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "renewal").mkdir()
    settings = tmp_path / "danebot.toml"
    with nameservers("127.0.0.1") as (told,):
        told.say("host.test", "A", "host.test 60 A 127.0.0.1")
        told.say("host.test", "AAAA", rcode="SERVFAIL")
        settings.write_text(f'resolver = ["127.0.0.1:{told.port}"]\n')
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(settings), "record", f"host.test:{service}"])
    out, err = capsys.readouterr()
    assert out.startswith(f"_{service}._tcp.host.test. IN TLSA 3 1 1 ")
    assert "addresses can't be looked up" in err
    assert ended.value.code == 1
