"""Three knots and one unbound: configuration, keys and zones."""

from __future__ import annotations

import base64
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
from dns.rdtypes.ANY.SOA import SOA

from lab.net import LabError, Net
from lab.processes import Processes, Service

PARENT = "test."
ZONES = ("example.test.", "insecure.test.", "bogus.test.")
SIGNED = ("example.test.", "bogus.test.")
TSIG_NAME = "lab."
TSIG_ALGORITHM = "hmac-sha256"


class World(Protocol):
    """The name servers and resolvers of a lab, whatever programs they are."""

    @property
    def tsig_secret(self) -> str:
        """The key that may update and transfer every zone, in base64."""

    @property
    def zones(self) -> Sequence[str]:
        """The zones that the secondary has as well."""

    def services(self) -> list[Service]:
        """Write configuration, keys and zones; return what is to be started."""

    def flush(self, zone: str) -> None:
        """Make the resolvers that run forget a zone."""

    def servers_are_back(self) -> None:
        """Make the resolvers that run forget that a server didn't answer."""

    def refresh(self, *zones: str) -> None:
        """Have the secondary look whether zones have changed."""

    def freeze(self) -> None:
        """Let the secondary go on answering, with what it has now."""

    def thaw(self) -> None:
        """Undo freeze()."""

    def control(self, server: str, *command: str) -> None:
        """Control one of the servers, in the words of its own control program."""


@dataclass(frozen=True)
class NameServers:
    """What the four name servers need to know."""

    root: Path
    net: Net
    ttl: int
    negative_ttl: int
    processes: Processes
    tsig_secret: str = field(
        default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode()
    )

    @property
    def zones(self) -> Sequence[str]:
        """The zones that the secondary has as well."""
        return ZONES

    def services(self) -> list[Service]:
        """Write configuration, keys and zones; return what is to be started."""
        ns1, ns2, resolver, parent = (self.net.host(n) for n in (1, 2, 3, 6))
        self._configure("primary", ns1, ZONES, _PRIMARY, ns2=ns2, secret=self.tsig_secret)
        self._configure("secondary", ns2, ZONES, _SECONDARY, ns1=ns1, net=self.net.prefix)
        self._configure("parent", parent, (PARENT,), _PARENT)
        for zone in ZONES:
            self._zone_file("primary", zone, self._hosts())
        anchors = {zone: self._new_key("primary", zone) for zone in SIGNED}
        self._zone_file("parent", PARENT, self._delegations(anchors))
        self._resolver(self._new_key("parent", PARENT))
        return [
            self._knot("parent", parent, PARENT),
            self._knot("primary", ns1, ZONES[0]),
            self._knot("secondary", ns2, ZONES[0]),
            Service(
                "resolver",
                ["unbound", "-d", "-p", "-c", self.unbound_conf],
                lambda: self._validates(resolver),
            ),
        ]

    @property
    def unbound_conf(self) -> Path:
        return self.root / "resolver/unbound.conf"

    def flush(self, zone: str) -> None:
        """Make the resolver forget a zone; no-op while it is stopped."""
        if self.processes.is_running("resolver"):
            self.control("resolver", "flush_zone", zone.rstrip("."))

    def servers_are_back(self) -> None:
        """Make the resolver forget that a server didn't answer; no-op while it is stopped."""
        if self.processes.is_running("resolver"):
            self.control("resolver", "flush_infra", "all")

    def refresh(self, *zones: str) -> None:
        """Have the secondary look whether zones have changed: NOTIFY takes a second."""
        self.control("secondary", "zone-refresh", *zones)

    def freeze(self) -> None:
        """Let the secondary go on answering, with what it has now."""
        self.control("secondary", "zone-freeze", *ZONES)

    def thaw(self) -> None:
        """Undo freeze()."""
        self.control("secondary", "zone-thaw", *ZONES)

    def control(self, server: str, *command: str) -> None:
        """Control one of the knots (`knotc`) or the resolver (`unbound-control`)."""
        if server == "resolver":
            run("unbound-control", "-c", self.unbound_conf, *command)
        else:
            run("knotc", "-b", "-s", self.root / server / "ctl.sock", *command)

    def _knot(self, name: str, address: str, zone: str) -> Service:
        return Service(name, ["knotd", "-c", self._conf(name)], lambda: answers(address, zone))

    def _conf(self, server: str) -> Path:
        return self.root / server / "knot.conf"

    def _configure(
        self, server: str, address: str, zones: tuple[str, ...], template: str, **more: str
    ) -> None:
        directory = self.root / server
        for below in ("db", "zones"):
            (directory / below).mkdir(parents=True)
        signing = "    dnssec-signing: on\n    dnssec-policy: lab\n"
        listed = "".join(
            f"  - domain: {zone}\n"
            + (signing if server != "secondary" and zone in (*SIGNED, PARENT) else "")
            for zone in zones
        )
        text = (_KNOT + template).format(directory=directory, address=address, **more)
        conf = self._conf(server)
        conf.touch(0o600)
        conf.write_text(f"{text}zone:\n{listed}", encoding="ascii")

    def _zone_file(self, server: str, zone: str, body: str) -> None:
        head = (
            f"$ORIGIN {zone}\n$TTL {self.ttl}\n"
            f"@ SOA ns1 hostmaster 1 3600 600 86400 {self.negative_ttl}\n"
            "@ NS ns1\n"
        )
        path = self.root / server / "zones" / f"{zone}zone"
        path.write_text(head + body, encoding="ascii")

    def _hosts(self) -> str:
        ns1, ns2, mail, second = (self.net.host(n) for n in (1, 2, 5, 7))
        servers = f"@ NS ns2\nns1 A {ns1}\nns2 A {ns2}\n"
        return servers + HOSTS.format(mail=mail, second=second)

    def _delegations(self, anchors: dict[str, str]) -> str:
        lines = [f"ns1 A {self.net.host(6)}"]
        for zone in ZONES:
            lines += [f"{zone} NS ns{n}.{zone}" for n in (1, 2)]
            lines += [f"ns{n}.{zone} A {self.net.host(n)}" for n in (1, 2)]
        lines.append(anchors["example.test."])
        *front, digest = anchors["bogus.test."].split()
        lines.append(" ".join([*front, f"{int(digest, 16) ^ 1:064x}"]))
        return "\n".join(lines) + "\n"

    def _new_key(self, server: str, zone: str) -> str:
        """Make the key of a zone and return its DS record."""
        keymgr = ("keymgr", "-c", self._conf(server), zone)
        run(*keymgr, "generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes")
        for line in run(*keymgr, "ds").splitlines():
            if line.split()[4] == "2":  # SHA-256
                return line
        raise LabError(f"keymgr shows no DS for {zone}")

    def _resolver(self, anchor: str) -> None:
        directory = self.root / "resolver"
        directory.mkdir()
        address, parent = self.net.host(3), self.net.host(6)
        text = _UNBOUND.format(address=address, directory=directory, anchor=anchor, parent=parent)
        self.unbound_conf.write_text(text, encoding="ascii")

    def _validates(self, resolver: str) -> bool:
        reply = ask(resolver, "mail.example.test.", "A")
        if reply is not None and reply.flags & dns.flags.AD and reply.answer:
            return True
        if reply is not None:  # asked before the others served: forget what it concluded
            self.control("resolver", "flush_zone", "test")
            self.control("resolver", "flush_infra", "all")
        return False


def ask(server: str, name: str, rdtype: str, timeout: float = 1.0) -> dns.message.Message | None:
    """Ask one server over UDP with AD and DO set; None when nothing usable came back."""
    query = dns.message.make_query(name, rdtype, want_dnssec=True)
    query.flags |= dns.flags.AD
    try:
        return dns.query.udp(query, server, timeout=timeout)
    except (OSError, dns.exception.DNSException):
        return None


def answers(server: str, zone: str) -> bool:
    """Tell whether a server has a zone."""
    reply = ask(server, zone, "SOA", 0.3)
    return reply is not None and reply.rcode() == dns.rcode.NOERROR and bool(reply.answer)


def serial(server: str, zone: str) -> int | None:
    """Return the serial number of a server's copy of a zone; None when it doesn't answer."""
    reply = ask(server, zone, "SOA")
    for rrset in reply.answer if reply is not None else ():
        for rdata in rrset:
            if isinstance(rdata, SOA):
                return rdata.serial
    return None


def run(*argv: str | Path) -> str:
    """Run a program of the name servers; what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: {done.returncode}: {done.stderr.strip()}")
    return done.stdout


_KNOT = """\
server:
    rundir: {directory}
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: {directory}/ctl.sock
database:
    storage: {directory}/db
    journal-db-max-size: 64M
    kasp-db-max-size: 16M
    timer-db-max-size: 16M
log:
  - target: stderr
    any: info
policy:
  - id: lab
    algorithm: ecdsap256sha256
    manual: on
    single-type-signing: on
"""

_PRIMARY = """\
key:
  - id: lab.
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: secondary
    address: {ns2}@53
    via: {address}
acl:
  - id: update
    key: lab.
    action: [update, transfer]
  - id: transfer
    address: {ns2}
    action: transfer
template:
  - id: default
    storage: {directory}/zones
    file: "%s.zone"
    zonefile-sync: 0
    acl: [update, transfer]
    notify: secondary
"""

_SECONDARY = """\
remote:
  - id: primary
    address: {ns1}@53
    via: {address}
acl:
  - id: notify
    address: {ns1}
    action: notify
  - id: transfer
    address: {net}.0/24
    action: transfer
template:
  - id: default
    storage: {directory}/zones
    file: "%s.zone"
    zonefile-sync: -1
    master: primary
    acl: [notify, transfer]
"""

_PARENT = """\
template:
  - id: default
    storage: {directory}/zones
    file: "%s.zone"
    zonefile-sync: -1
"""

HOSTS = """\
@ A {mail}
@ MX 10 mail
mail A {mail}
mx2 A {mail}
www A {mail}
*.many A {mail}
two A {mail}
two A {second}
second A {second}
alias CNAME mail
_25._tcp.alias CNAME _25._tcp.mail
_25._tcp.dangling CNAME _25._tcp.nosuch
"""

_UNBOUND = """\
server:
  interface: {address}@53
  access-control: 127.0.0.0/8 allow
  outgoing-interface: {address}
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: "{directory}/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  module-config: "validator iterator"
  qname-minimisation: no
  aggressive-nsec: no
  cache-max-negative-ttl: 1
  infra-cache-min-rtt: 300
  local-zone: "." refuse
  local-zone: "test." transparent
  trust-anchor: "{anchor}"
remote-control:
  control-enable: yes
  control-interface: "{directory}/ctl.sock"
  control-use-cert: no
stub-zone:
  name: "test"
  stub-addr: {parent}@53
"""
