"""A certbot tree of real keys and certificates, made without certbot."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from danebot.adapters.tree.paths import KINDS, LineagePaths
from danebot.adapters.tree.tree import Tree
from danebot.domain.lineage.keys import PublicKey
from danebot.domain.lineage.pem import read_private_key
from danebot.errors import CertificateError
from domain import pki

NAME = "mail.example.test"
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@functools.cache
def authority() -> tuple[pki.Issued, pki.Issued]:
    """A root and an intermediate, valid now."""
    valid = (now() - DAY, now() + 30 * DAY)
    usage = pki.key_usage("key_cert_sign", "crl_sign")
    root = pki.issue("Test Root", ca=True, usage=usage, valid=valid)
    return root, pki.issue("Test CA", root, ca=True, usage=usage, valid=valid)


def leaf(key: str, number: int, days: int = 20) -> pki.Issued:
    """The ``number``-th certificate of a key, which ends in so many days."""
    return _leaf(key, number, days)


@functools.cache
def _leaf(key: str, number: int, days: int) -> pki.Issued:
    _, issuer = authority()
    valid = (now() - DAY + timedelta(seconds=number), now() + days * DAY)
    return pki.issue(
        None,
        issuer,
        names=(NAME,),
        of_key=key,
        valid=valid,
        extended=(pki.SERVER_AUTH,),
        usage=pki.key_usage("digital_signature"),
    )


def key_pem(key: str) -> bytes:
    return leaf(key, 1).key_pem


def public(key: str) -> PublicKey:
    return read_private_key(key_pem(key))


def combo_pem(key: str, number: int) -> bytes:
    issued = leaf(key, number)
    return issued.key_pem + issued.pem + authority()[1].pem


@dataclass
class Grown:
    """One lineage below ``root``; every method changes one thing."""

    root: Path
    name: str = NAME

    @property
    def tree(self) -> Tree:
        return Tree(self.root)

    @property
    def paths(self) -> LineagePaths:
        return LineagePaths.of(self.name, self.root, self.root / "archive" / self.name)

    def version(self, number: int, key: str = "one", *, kinds: tuple[str, ...] = KINDS) -> None:
        """Write a version; its certificate is the ``number``-th of its key."""
        issued, chain = leaf(key, number), authority()[1].pem
        content = {
            "privkey": issued.key_pem,
            "cert": issued.pem,
            "chain": chain,
            "fullchain": issued.pem + chain,
        }
        for kind in kinds:
            path = self.paths.archived(kind, number)
            path.write_bytes(content[kind])
            path.chmod(0o600 if kind == "privkey" else 0o644)

    def link(self, directory: Path, number: int, *, kinds: tuple[str, ...] = KINDS) -> None:
        """Point links at a version, as certbot does: in the directory that they led to before."""
        for kind in kinds:
            link = directory / f"{kind}.pem"
            place = f"../../archive/{self.name}"
            if link.is_symlink():
                place = os.readlink(link).rpartition("/")[0]
                link.unlink()
            link.symlink_to(f"{place}/{kind}{number}.pem")

    def combo(self, key: str, number: int, mode: int = 0o600) -> None:
        path = self.paths.live / "combo.pem"
        path.write_bytes(combo_pem(key, number))
        path.chmod(mode)

    def conf(self, directory: str, *parameters: str) -> None:
        """Write certbot's configuration, with paths in ``directory`` (live or staging)."""
        at = self.root / directory / self.name
        lines = ["version = 5.8.0", f"archive_dir = {self.paths.archive}"]
        lines += [f"{kind} = {at}/{kind}.pem" for kind in ("cert", "privkey", "chain", "fullchain")]
        lines += ["# Options used in the renewal process", "[renewalparams]", *parameters]
        self.paths.conf.write_text("\n".join(lines) + "\n")

    def staging_file(self, name: str, content: bytes) -> Path:
        path = self.paths.staging / name
        path.write_bytes(content)
        path.chmod(0o600)
        return path

    def listing(self, directory: Path) -> list[str]:
        return sorted(os.listdir(directory))

    def key_digests(self) -> set[bytes]:
        """The digests of every private key in a regular file."""
        found = set()
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with contextlib.suppress(CertificateError):
                    found.add(read_private_key(path.read_bytes()).digest)
        return found


def issued(root: Path, name: str = NAME, key: str = "one") -> Grown:
    """certbot's own lineage at version 1."""
    grown = Grown(root, name)
    for directory in (grown.paths.archive, grown.paths.live, grown.paths.conf.parent):
        directory.mkdir(parents=True, exist_ok=True)
    grown.version(1, key)
    grown.link(grown.paths.live, 1)
    grown.conf("live", "key_type = ecdsa", "elliptic_curve = secp256r1")
    return grown


def staged(root: Path, name: str = NAME) -> Grown:
    """The same in danebot's care, deployed."""
    grown = issued(root, name)
    grown.paths.staging.mkdir(parents=True)
    grown.link(grown.paths.staging, 1)
    grown.combo("one", 1)
    grown.conf("staging", "key_type = ecdsa", "elliptic_curve = secp256r1", "reuse_key = True")
    return grown
