"""Dovecot: IMAP, POP3 and ManageSieve with STARTTLS, and IMAP with TLS at once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.net import accepts
from lab.processes import Service

IMAP, IMAPS, POP3, SIEVE = 143, 993, 110, 4190


def dialect(program: str, chain: Path) -> str:
    """How a configuration begins for this Dovecot: what 2.3 and 2.4 call by other names."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    text = _BEGIN_2_3 if version.stdout.startswith("2.3.") else _BEGIN_2_4
    return text.format(chain=chain)


def dovecot(root: Path, address: str, chain: Path) -> Service:
    """Write the configuration below the lab's root; return what is to be started."""
    base = root / "dovecot"
    base.mkdir()
    conf = base / "dovecot.conf"
    program = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "dovecot"
    text = _CONF.format(base=base, address=address)
    conf.write_text(dialect(program, chain) + text, encoding="ascii")
    ports = (IMAP, IMAPS, POP3, SIEVE)
    return Service(
        "dovecot",
        [program, "-F", "-c", conf],
        lambda: all(accepts(address, port) for port in ports),
    )


_BEGIN_2_3 = """\
ssl_cert = <{chain}
ssl_key = <{chain}
passdb {{
  driver = static
}}
userdb {{
  driver = static
}}
"""
# The version that it was written for must be the first setting.
_BEGIN_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {chain}
ssl_server_key_file = {chain}
passdb static {{
}}
userdb static {{
}}
"""
_CONF = """\
protocols = imap pop3 sieve
listen = {address}
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
ssl = required
service pop3-login {{
  inet_listener pop3s {{
    port = 0
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = 4190
  }}
}}
"""
