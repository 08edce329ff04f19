"""The ACME server, and certbot in two versions, both pointed at it by a wrapper script.

The newest certbot is forked from one that has started already: see `certbot_server.py`.
"""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import json
import shutil
import socket
import ssl
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import front
from lab.compiled import compiled
from lab.net import Net, accepts
from lab.processes import Service

PROJECT = Path(__file__).resolve().parents[2]


class Flavour(enum.Enum):
    """Which certbot: the newest from PyPI, or Debian's."""

    PYPI = "pypi"
    DEBIAN = "debian"

    @property
    def program(self) -> Path:
        if self is Flavour.PYPI:
            return PROJECT / "build/certbot-venv/bin/certbot"
        return Path("/usr/bin/certbot")


@dataclass(frozen=True)
class Acme:
    """The ACME server of a lab: pebble, and the front before it."""

    root: Path
    net: Net
    validity: int
    forked: bool

    @property
    def url(self) -> str:
        return f"https://{self.net.host(4)}:14000/dir"

    @property
    def directory(self) -> Path:
        return self.root / "pebble"

    @property
    def ca(self) -> Path:
        """The certificate of the ACME server's own HTTPS."""
        return self.directory / "cert.pem"

    @property
    def issuer_root(self) -> Path:
        """The root that issued certificates chain to; new with every start of pebble."""
        return self.directory / "root.pem"

    def services(self) -> list[Service]:
        """Write configuration and certificate; return what is to be started."""
        self.directory.mkdir()
        address, key = self.net.host(4), self.directory / "key.pem"
        _self_signed(address, self.ca, key)
        config = {
            "listenAddress": f"{address}:14001",
            "managementListenAddress": f"{address}:15000",
            "certificate": str(self.ca),
            "privateKey": str(key),
            "httpPort": 80,
            "tlsPort": 443,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": self.validity,
        }
        path = self.directory / "config.json"
        path.write_text(json.dumps({"pebble": config}), encoding="ascii")
        return [
            Service(
                "pebble",
                ["pebble", "-config", path, "-dnsserver", f"{self.net.host(3)}:53"],
                self._fetch_root,
                {
                    "PEBBLE_VA_NOSLEEP": "1",
                    "PEBBLE_WFE_NONCEREJECT": "0",
                    "PEBBLE_AUTHZREUSE": "100",
                },
            ),
            Service(
                "acme",
                [
                    *(sys.executable, "-I", "-S", front.__file__),
                    *(address, "14000", "14001", self.ca, key, self.directory),
                ],
                lambda: accepts(address, 14000),
            ),
            *([self._server()] if self._client().exists() else []),
        ]

    def _client(self) -> Path:
        return self.root / "certbot-client"

    def _socket(self) -> Path:
        return self.root / "certbot.socket"

    def faulted(self, library: Path) -> Service | None:
        """What `_client` has certbot forked by where such a library is preloaded."""
        return self._server(".faults", library) if self._client().exists() else None

    def _server(self, suffix: str = "", library: Path | None = None) -> Service:
        """What `_client` has certbot forked by."""
        path = f"{self._socket()}{suffix}"
        program = Flavour.PYPI.program
        server = Path(__file__).with_name("certbot_server.py")

        def listens() -> bool:
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(path) == 0

        words: list[str | Path] = [
            *(("env", f"LD_PRELOAD={library}") if library else ()),
            program.with_name("python"),
            "-P",
            server,
            path,
            program,
        ]
        return Service(f"certbot{suffix}", words, listens)

    def wrapper(self, flavour: Flavour) -> Path:
        """Write the script that stands for certbot: ``ROOT/FLAVOUR/certbot``.

        It adds what makes certbot talk to this lab only, and leaves the rest of its
        command line alone: the caller names ``--config-dir`` (default: the lab's tree).
        """
        path = self.root / flavour.value / "certbot"
        path.parent.mkdir(exist_ok=True)
        certbot = str(flavour.program)
        if self.forked and flavour is Flavour.PYPI and shutil.which("gcc"):
            source = Path(__file__).with_name("certbot_client.c")
            shutil.copy(compiled(source), self._client())
            certbot = f"{self._client()} {self._socket()} {certbot}"
        path.write_text(
            _WRAPPER.format(tree=self.root / "certbot/etc", ca=self.ca, certbot=certbot),
            encoding="ascii",
        )
        path.chmod(0o755)
        return path

    def cli_ini(self) -> str:
        """Return certbot's settings."""
        return (
            f"server = {self.url}\n"
            "authenticator = standalone\n"
            f"http-01-address = {self.net.host(5)}\n"
            "http-01-port = 80\n"
            "agree-tos = True\n"
            "register-unsafely-without-email = True\n"
            "non-interactive = True\n"
            "no-random-sleep-on-renew = True\n"
        )

    def status(self, serial: int) -> str:
        """What the ACME server says of a certificate it issued: ``Valid`` or ``Revoked``."""
        document = json.loads(self._managed(f"cert-status-by-serial/{serial:x}"))
        return str(document["Status"])

    def _fetch_root(self) -> bool:
        try:
            self.issuer_root.write_bytes(self._managed("roots/0"))
        except (urllib.error.URLError, OSError):
            return False
        return True

    def _managed(self, path: str) -> bytes:
        """What pebble's management interface answers."""
        context = ssl.create_default_context(cafile=self.ca)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"https://{self.net.host(4)}:15000/{path}", timeout=60) as reply:
            content: bytes = reply.read()
        return content


def _self_signed(address: str, certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab ACME server")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.touch(0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


_WRAPPER = """\
#!/bin/sh
# certbot, talking to the lab's ACME server only.
config= work= logs= last=
for word in "$@"; do
    case $last in --config-dir) config=$word ;; esac
    case $word in
    --config-dir=*) config=${{word#*=}} ;;
    --work-dir*) work=given ;;
    --logs-dir*) logs=given ;;
    esac
    last=$word
done
[ -n "$config" ] || {{ config={tree}; set -- "$@" --config-dir "$config"; }}
[ -n "$work" ] || set -- "$@" --work-dir "$config/../work"
[ -n "$logs" ] || set -- "$@" --logs-dir "$config/../logs"
[ ! -e "$config/cli.ini" ] || set -- "$@" --config "$config/cli.ini"
export REQUESTS_CA_BUNDLE={ca}
exec {certbot} "$@"
"""
