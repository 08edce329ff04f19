"""Dovecot: IMAP, POP3 and ManageSieve with STARTTLS, and IMAP with TLS at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.net import accepts
from lab.processes import Service

IMAP, IMAPS, POP3, SIEVE = 143, 993, 110, 4190


def dovecot(root: Path, address: str, chain: Path) -> Service:
    """Write the configuration below the lab's root; return what is to be started."""
    base = root / "dovecot"
    base.mkdir()
    conf = base / "dovecot.conf"
    text = _CONF.format(base=base, address=address, chain=chain)
    conf.write_text(text, encoding="ascii")
    program = shutil.which("dovecot", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "dovecot"
    ports = (IMAP, IMAPS, POP3, SIEVE)
    return Service(
        "dovecot",
        [program, "-F", "-c", conf],
        lambda: all(accepts(address, port) for port in ports),
    )


_CONF = """\
protocols = imap pop3 sieve
listen = {address}
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
ssl = required
ssl_cert = <{chain}
ssl_key = <{chain}
passdb {{
  driver = static
}}
userdb {{
  driver = static
}}
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
