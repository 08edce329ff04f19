"""The lab as its users see it: commands in a mount namespace, keys on the wire."""

from __future__ import annotations

import hashlib
import os
import smtplib
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

_INSIDE = """
mount --make-rprivate /
mount --bind "$1" /etc/resolv.conf
[ ! -d /etc/letsencrypt ] || mount --bind "$2" /etc/letsencrypt
shift 2
exec "$@"
"""


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    namespace: tuple[Path, Path] | None,
    check: bool,
    timeout: float,
    cwd: Path,
) -> subprocess.CompletedProcess[str]:
    """Run a command, standard error apart; with ``namespace`` = (resolv.conf, certbot's tree)
    these two are seen at their usual places under /etc, by this command alone."""
    command = [os.fspath(word) for word in argv]
    if namespace is not None:
        command = in_namespace(command, *namespace)
    done = subprocess.run(
        command,
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    if check and done.returncode:
        words = " ".join(map(str, argv))
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def in_namespace(command: Sequence[str], resolv_conf: Path, tree: Path) -> list[str]:
    """Return the command that runs ``command`` in a mount namespace of its own."""
    return ["unshare", "-m", "sh", "-ec", _INSIDE, "sh", str(resolv_conf), str(tree), *command]


def served_certificate(address: str, port: int) -> x509.Certificate:
    """Return the certificate that an SMTP server presents after STARTTLS (port 465: at once)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    smtp = (
        smtplib.SMTP_SSL(address, port, "lab.invalid", timeout=120, context=context)
        if port == 465
        else smtplib.SMTP(address, port, "lab.invalid", timeout=120)
    )
    with smtp:
        if port != 465:
            smtp.starttls(context=context)
        assert isinstance(smtp.sock, ssl.SSLSocket)
        der = smtp.sock.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def spki(certificate: x509.Certificate) -> str:
    """Return the data of a ``3 1 1`` record for a certificate, in lower-case hex."""
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(key).hexdigest()
