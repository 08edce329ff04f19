"""Certificates that the peers of the probers serve, and how tests probe them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from adapters.services import HELO
from danebot.adapters.probe.prober import probe_all
from danebot.adapters.probe.target import Limits, Target
from danebot.domain.delivery.probes import ProbeResult
from domain.pki import Issued, issue


def probe(target: Target, limits: Limits) -> ProbeResult:
    """Probe one target."""
    (result,) = probe_all([target], limits, helo=HELO)
    return result


@dataclass(frozen=True)
class Served:
    """A chain that a peer serves: its DER, and a file with key and chain."""

    ders: tuple[bytes, ...]
    file: Path


class Certificates:
    """Chains in files, each made once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = issue("Prober CA", ca=True)
        self.ecdsa = self.chain("ecdsa", "mail.example")
        self.rsa = self.chain("rsa", "rsa2048 mail.example")

    def chain(self, file: str, subject: str, padding: int = 0) -> Served:
        """A leaf padded by so many octets, and its CA."""
        extra = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(padding))
        leaf = issue(
            "mail.example",
            self._ca,
            names=["mail.example"],
            of_key=subject,
            extra=[(extra, False)] if padding else [],
        )
        return self._write(file, leaf, self._ca)

    def _write(self, file: str, leaf: Issued, *rest: Issued) -> Served:
        path = self._directory / f"{file}.pem"
        path.write_bytes(leaf.key_pem + b"".join(each.pem for each in (leaf, *rest)))
        return Served(tuple(each.der for each in (leaf, *rest)), path)
