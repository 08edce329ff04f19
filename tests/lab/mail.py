"""Postfix on two addresses, each with a chain file of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.net import Net, accepts
from lab.processes import Service


@dataclass(frozen=True)
class Mail:
    """Postfix: one instance, queue and all below the lab's root."""

    root: Path
    net: Net
    chain: Path
    second_chain: Path
    caches: bool

    @property
    def config(self) -> Path:
        return self.root / "postfix/etc"

    def serve(self, *chains: Path) -> None:
        """Name the chain files of the first address; smtpd processes to come read them."""
        path = self.config / "main.cf"
        lines = path.read_text(encoding="ascii").splitlines()
        kept = [line for line in lines if not line.startswith("smtpd_tls_chain_files")]
        named = f"smtpd_tls_chain_files = {', '.join(map(str, chains))}"
        path.write_text("\n".join([*kept, named]) + "\n", encoding="ascii")

    def services(self) -> list[Service]:
        """Write the configuration; return what is to be started."""
        base = self.root / "postfix"
        for name in ("etc", "data", "queue/pid", "spool"):
            (base / name).mkdir(parents=True)
        shutil.chown(base / "data", "postfix")
        (base / "spool").chmod(0o1777)
        for name in _PRIVATE_QUEUES:  # what `postfix check` would make, without its two seconds
            (base / "queue" / name).mkdir(0o700)
            shutil.chown(base / "queue" / name, "postfix")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            directory = base / "queue" / name
            directory.mkdir()
            shutil.chown(directory, "postfix", "postdrop")
            directory.chmod(mode)
        (self.config / "main.cf").write_text(
            _MAIN_CF.format(
                root=self.root,
                base=base,
                chain=self.chain,
                max_use=100 if self.caches else 1,
                max_idle="100s" if self.caches else "1s",
            ),
            encoding="ascii",
        )
        first, second = self.net.host(5), self.net.host(7)
        (self.config / "master.cf").write_text(
            _MASTER_CF.format(
                first=first,
                second=second,
                second_chain=self.second_chain,
                most=1 if self.caches else "-",  # a second smtpd would read the new chain
            ),
            encoding="ascii",
        )
        return [
            Service(
                "postfix",
                ["/usr/lib/postfix/sbin/master", "-c", self.config, "-d"],
                lambda: accepts(first, 25),
            )
        ]


_PRIVATE_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("private", "saved", "trace"),
)

_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
maillog_file = {base}/mail.log
maillog_file_prefixes = {root}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.test
mydomain = example.test
mydestination = example.test
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
mail_spool_directory = {base}/spool/
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
smtpd_tls_loglevel = 1
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane
smtp_tls_loglevel = 1
default_transport = smtp
max_use = {max_use}
max_idle = {max_idle}
"""

_MASTER_CF = """\
{first}:25 inet n - n - {most} smtpd
{first}:587 inet n - n - - smtpd
{first}:465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
{second}:25 inet n - n - - smtpd -o smtpd_tls_chain_files={second_chain}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
