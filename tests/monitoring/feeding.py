"""What is fed, on loopback: domains that a told name server has, a real TLS service, a feed."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.hostile import Peer, server_context, service_of
from adapters.nameserver import SECURE, nameservers
from danebot.domain.names import Protocol
from exporter.running import Exporter, exporter
from jobs.test_verify import World
from monitoring import icinga, nagios

HOST = "mail.example.org"
PATIENCE = 60.0  # seconds, on a machine that is busy with other tests


@dataclass
class Domains:
    """A mail service under as many names as are wanted."""

    world: World
    digest: str
    names: list[str] = field(default_factory=list)

    def right(self, name: str) -> None:
        """Publish the record of the key that is served."""
        self._publish(name, self.digest)

    def wrong(self, name: str) -> None:
        """Publish the record of another key."""
        self._publish(name, "5a" * 32)

    def _publish(self, name: str, digest: str) -> None:
        if name not in self.names:
            self.world.host(name, "127.0.0.1")
            self.names.append(name)
        owner = f"_{self.world.port}._tcp.{name}"
        line = f"{owner} 1 TLSA 3 1 1 {digest}"
        self.world.dns.say(owner, "TLSA", line, flags=SECURE)

    def options(self, name: str) -> list[str]:
        """How check_dane is to look."""
        host = ["--host", name, "--port", str(self.world.port), "--starttls", "tls"]
        return [*host, "--resolver", f"127.0.0.1:{self.world.dns.port}", "-v"]


def certificate(directory: Path) -> tuple[Path, str]:
    """A chain that is valid now, with its key, and the digest of its SPKI."""
    file, leaf = directory / "served.pem", directory / "leaf.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", str(file), "-nodes")
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-subj", "/CN=mail", "-days", "90", "-out", str(leaf)],
        check=True,
        capture_output=True,
    )
    pem = leaf.read_bytes()
    file.write_bytes(file.read_bytes() + pem)
    public_key = x509.load_pem_x509_certificate(pem).public_key()
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return file, sha256(spki).hexdigest()


@contextlib.contextmanager
def domains() -> Iterator[Domains]:
    """None yet."""
    with tempfile.TemporaryDirectory() as directory:
        file, digest = certificate(Path(directory))
        service = service_of(Protocol.TLS, server_context(file))
        with nameservers("127.0.0.1") as (told,), Peer(service) as peer:
            yield Domains(World(told, service, peer.port), digest)


@contextlib.contextmanager
def public() -> Iterator[Path]:
    """A directory that nobody may enter."""
    where = Path(tempfile.mkdtemp(prefix="danebot-feed-"))
    where.chmod(0o755)
    yield where
    shutil.rmtree(where)


@contextlib.contextmanager
def daemon(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor, ended at last."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def feed(file: Path, text: str) -> Iterator[Exporter]:
    """An exporter that feeds."""
    file.write_text(text)
    with exporter("--feed", file) as running:
        yield running


def until(holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Wait until something holds; the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < patience, what
        time.sleep(0.1)
    return time.monotonic() - began


def icinga_command(site: icinga.Site, hosts: str) -> list[str]:
    """An Icinga with ``hosts`` (configuration), the shipped definitions, and a feed's user."""
    command = icinga.configure(site)
    shipped = (icinga.DEFINITIONS / "danebot-feed.conf").read_text()
    for pattern, words in (
        (r"check_interval = 5m", f"check_interval = {site.interval}s"),
        (r"retry_interval = 1m", "retry_interval = 1s"),
        (r"max_check_attempts = 3", "max_check_attempts = 1"),
    ):
        shipped, count = re.subn(pattern, words, shipped)
        assert count, pattern
    (site.directory / "danebot-feed.conf").write_text(shipped)
    conf = site.directory / "icinga2.conf"
    head, _, _ = conf.read_text().partition("object Host")
    user = (
        f'object ApiUser "feed" {{ password = "{site.password}"\n permissions = '
        '[ "objects/query/Service", "objects/query/Host", "actions/process-check-result" ] }\n'
    )
    conf.write_text(f'{head}include "{site.directory}/danebot-feed.conf"\n{user}{hosts}')
    return command


def feed_file(site: icinga.Site) -> str:
    """The file of ``--feed``, with its password beside it."""
    password = site.directory / "feed.password"
    password.write_text(site.password)
    password.chmod(0o600)
    return (
        'refresh = "1s"\nmax_age = "0s"\n[icinga]\n'
        f'url = "https://{site.address}:{icinga.PORT}"\nserver_name = "lab"\n'
        f'user = "feed"\npassword_file = "{password}"\n'
        f'ca_file = "{site.directory}/data/certs/ca.crt"\n'
    )


def nagios_command(site: nagios.Site, services: str, threshold: int) -> list[str]:
    """A Nagios with the shipped passive service as a template, and ``services`` of its own."""
    command = nagios.configure(site)
    shipped = (nagios.DEFINITIONS.parent / "danebot-feed.cfg").read_text()
    head, _, _ = shipped.partition("# ---- change")
    for pattern, words in (
        (r"(freshness_threshold +)660", rf"\g<1>{threshold}"),
        (r"(max_check_attempts +)2", r"\g<1>1"),
    ):
        head, count = re.subn(pattern, words, head)
        assert count, pattern
    (site.directory / "danebot.cfg").write_text(head + services)
    conf = site.directory / "nagios.cfg"
    text = conf.read_text().replace("check_external_commands=0", "check_external_commands=1")
    conf.write_text(text + "service_freshness_check_interval=1\ncheck_service_freshness=1\n")
    return command
