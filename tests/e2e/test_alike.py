"""What is made afresh makes no difference; everything that danebot tells apart does."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from danebot.domain.lineage.pem import read_private_key
from e2e.alike import Alike

Key = ec.EllipticCurvePrivateKey
_SOON = timedelta(minutes=30)  # later than any test ends


def _key(curve: type[ec.EllipticCurve] = ec.SECP256R1) -> Key:
    return ec.generate_private_key(curve())


def _pem(key: Key) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _certificate(key: Key, name: str = "mail.example.test", days: int = 90) -> bytes:
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC)
    made = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(start).not_valid_after(start + timedelta(days=days))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Left:
    """What a run left: two fresh keys, one with a certificate, a link, a document."""

    def __init__(self, base: Path) -> None:
        self.base, self.began = base, datetime.now(UTC)
        self.one, self.two = _key(), _key()
        self.key, self.chain = base / "etc/key1.pem", base / "etc/cert1.pem"
        self.ready, self.link, self.state = (
            base / f"etc/{n}" for n in ("ready.pem", "live", "state")
        )
        self.temporary = base / f"etc/.danebot-tmp-{os.urandom(4).hex()}"
        self.records = {"ns1": ["3 1 1 " + self.digest(self.one)]}
        (base / "etc").mkdir(parents=True, exist_ok=True)
        self.key.write_bytes(_pem(self.one))
        self.ready.write_bytes(_pem(self.two))
        self.chain.write_bytes(_certificate(self.one))
        self.temporary.write_text("half")
        self.link.symlink_to("key1.pem")
        self.tell(self.one)

    def digest(self, key: Key) -> str:
        return read_private_key(_pem(key)).digest.hex()

    def tell(self, key: Key, ahead: timedelta = _SOON, rest: str = "") -> None:
        now = datetime.now(UTC)
        moments = f'"at": "{now.isoformat()}", "safe": "{(self.began + ahead).isoformat()}"'
        self.state.write_text(f'{{"digest": "{self.digest(key)}", {moments}, "rest": "{rest}"}}')


def _mark(base: Path, change: Callable[[Left], object] = lambda _: None) -> str:
    base.mkdir()
    (base / "old").write_text("2026-01-01T00:00:00+00:00")
    os.utime(base / "old", (1, 1))
    alike = Alike(base)
    left = Left(base)
    change(left)
    return alike.mark(left.records, left.began)


def test_what_is_made_afresh_makes_no_difference(tmp_path: Path) -> None:
    assert _mark(tmp_path / "a") == _mark(tmp_path / "b")


@pytest.mark.parametrize(
    "change",
    [
        lambda left: left.key.chmod(0o640),
        lambda left: (left.link.unlink(), left.link.symlink_to("ready.pem")),
        lambda left: left.key.unlink(),
        lambda left: left.temporary.rename(left.base / "etc/other"),
        lambda left: left.temporary.write_text("hal"),
        lambda left: left.chain.write_bytes(_certificate(left.two)),
        lambda left: left.chain.write_bytes(_certificate(left.one, "mx2.example.test")),
        lambda left: left.chain.write_bytes(_certificate(left.one, days=6)),
        lambda left: left.chain.write_bytes(left.chain.read_bytes() * 2),
        lambda left: left.ready.write_bytes(_pem(left.one)),
        lambda left: left.ready.write_bytes(_pem(_key(ec.SECP384R1))),
        lambda left: left.ready.write_bytes(left.ready.read_bytes()[:-40]),
        lambda left: left.tell(left.two),
        lambda left: left.tell(left.one, _SOON + timedelta(seconds=4)),
        lambda left: left.tell(left.one, timedelta(days=5)),
        lambda left: left.tell(left.one, rest="2026-01-01T00:00:00+00:00"),
        lambda left: left.tell(left.one, rest="2026-01-02T00:00:00+00:00"),
        lambda left: left.records.update(ns1=["3 1 1 " + left.digest(left.two)]),
        lambda left: left.records.update(ns2=[]),
        lambda left: os.utime(left.base / "old"),
        lambda left: (left.base / "old").unlink(),
        lambda left: (left.base / "etc/empty").mkdir(),
    ],
)
def test_what_danebot_tells_apart_does(tmp_path: Path, change: Callable[[Left], object]) -> None:
    assert _mark(tmp_path / "a") != _mark(tmp_path / "b", change)


def test_two_files_with_one_time_are_no_two_with_another(tmp_path: Path) -> None:
    """The kept conf is a conf's copy where its size and time are the same."""

    def same(left: Left) -> None:
        for path in (left.key, left.ready):
            os.utime(path, (2, 2))

    def other(left: Left) -> None:
        for number, path in enumerate((left.key, left.ready)):
            os.utime(path, (2, 2 + number))

    assert _mark(tmp_path / "a", same) != _mark(tmp_path / "b", other)
