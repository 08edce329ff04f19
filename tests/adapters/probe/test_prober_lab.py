"""The probers against Postfix and Dovecot as Debian ships them."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.probing import Certificates, probe
from danebot.adapters.probe.target import Limits, Target
from danebot.domain.delivery.probes import ProbeOutcome as Outcome
from danebot.domain.names import Endpoint, Hostname, Protocol
from lab import Lab
from lab.imap import dialect
from lab.net import accepts, free_ports, until

pytestmark = pytest.mark.lab

HOST = Hostname.parse("mail.example.test")
LIMITS = Limits()
DOVECOT = """\
protocols = imap pop3 sieve
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
ssl = required
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {tls}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = {sieve}
  }}
}}
"""


@pytest.fixture(scope="module")
def dovecot(certificates: Certificates) -> Iterator[dict[Protocol, int]]:
    """The port of each protocol at a Dovecot."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs root and dovecot")
    protocols = (Protocol.IMAP, Protocol.TLS, Protocol.POP3, Protocol.SIEVE)
    ports = dict(zip(protocols, free_ports(len(protocols)), strict=True))
    with tempfile.TemporaryDirectory(prefix="danebot-dovecot.") as directory:
        root = Path(directory)
        root.chmod(0o755)
        settings = {protocol.value: port for protocol, port in ports.items()}
        conf = root / "dovecot.conf"
        conf.write_text(
            dialect(program, certificates.rsa.file) + DOVECOT.format(root=root, **settings),
            encoding="ascii",
        )
        process = subprocess.Popen([program, "-F", "-c", conf])
        try:
            until("dovecot", lambda: all(accepts("127.0.0.1", port) for port in ports.values()))
            yield ports
        finally:
            process.terminate()
            process.wait(120)


@pytest.mark.parametrize("protocol", [Protocol.IMAP, Protocol.TLS, Protocol.POP3, Protocol.SIEVE])
def test_dovecot(
    dovecot: dict[Protocol, int], certificates: Certificates, protocol: Protocol
) -> None:
    endpoint = Endpoint(HOST, dovecot[protocol], protocol)
    result = probe(Target(endpoint, "127.0.0.1"), LIMITS)
    assert (result.outcome, result.detail) == (Outcome.SERVED, "")
    assert result.chain == certificates.rsa.ders


@pytest.mark.parametrize(
    ("port", "protocol"), [(25, Protocol.SMTP), (587, Protocol.SMTP), (465, Protocol.TLS)]
)
def test_postfix(lab: Lab, port: int, protocol: Protocol) -> None:
    target = Target(Endpoint(HOST, port, protocol), lab.mail)
    lab.reset()
    without = probe(target, LIMITS)
    assert without.outcome is not Outcome.SERVED
    lab.issue("mail.example.test", "mail.example.test")
    result = probe(target, LIMITS)
    assert (result.outcome, result.detail) == (Outcome.SERVED, "")
    chain = (lab.tree / "live/mail.example.test/fullchain.pem").read_text()
    first = ssl.PEM_cert_to_DER_cert(chain[: chain.index("-----END") + 26])
    assert result.chain[0] == first
