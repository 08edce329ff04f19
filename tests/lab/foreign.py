"""The servers of the second world: BIND, NSD and PowerDNS, and the resolvers that ask them."""

from __future__ import annotations

import base64
import contextlib
import secrets
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags

from lab.bind import Bind, Zone
from lab.nameservers import HOSTS, answers, ask, run
from lab.net import LabError, Net
from lab.processes import Processes, Service
from lab.resolvers import Resolver, Resolvers

SECONDARY_ZONES = ("example.test.", "optout.test.", "insecure.test.")
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
NET6 = "fd53:"


def _secret() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class ForeignServers:
    """What the servers of the second world need to know."""

    root: Path
    net: Net
    ttl: int
    negative_ttl: int
    processes: Processes = field(repr=False)
    tsig_secret: str = field(default_factory=_secret)
    outer_secret: str = field(default_factory=_secret)

    # ---- addresses --------------------------------------------------------------------------

    def both(self, last: int) -> tuple[str, str]:
        """An address of the lab in both families."""
        return self.net.host(last), f"{NET6}:{last}"

    @property
    def zones(self) -> Sequence[str]:
        """The zones that the secondary has as well."""
        return SECONDARY_ZONES

    @property
    def secrets(self) -> dict[str, str]:
        """All TSIG keys: with "outer." the outer view is meant, wherever one asks from."""
        return {"lab.": self.tsig_secret, "outer.": self.outer_secret}

    @property
    def primary(self) -> Bind:
        """The primary of all zones but one."""
        listen = (*self.both(1), self.net.host(10))
        return Bind(self.root / "primary", listen, 9531, self.secrets)

    @property
    def parent(self) -> Bind:
        """The server of the root and of test."""
        return Bind(self.root / "parent", self.both(6), 9532, self.secrets)

    @property
    def resolvers(self) -> Resolvers:
        """The three resolvers; in the eyes of the views BIND's is inside, the others outside."""
        listen = (Resolver.BIND.address, self.net.host(3))
        sources = {
            Resolver.BIND: self.both(3),
            Resolver.KRESD: self.both(12),
            Resolver.DNSMASQ: self.both(13),
        }
        bind = Bind(self.root / "resolver", listen, 9533, self.secrets)
        return Resolvers(self.root, bind, self.processes, self.both(6), sources)

    # ---- start ------------------------------------------------------------------------------

    def services(self) -> list[Service]:
        """Write configuration, keys and zones; return what is to be started."""
        with ThreadPoolExecutor() as pool:
            power = pool.submit(self._power)
            signers = self._primary()
            self._secondary()
            anchor = self._parent([*signers, power.result()])
        commands = self.resolvers.configure(anchor)
        return [
            Service("parent", self.parent.argv, self._serves(6, "test.")),
            Service("primary", self.primary.argv, self._serves(1, "example.test.")),
            Service("power", self._power_argv(), self._serves(8, "power.test.")),
            Service("secondary", ["nsd", "-d", "-c", self.root / "nsd/nsd.conf"], self._caught_up),
            *(
                Service(one.value, commands[one], lambda one=one: self._validates(one))  # type: ignore[misc]
                for one in Resolver
            ),
        ]

    def _serves(self, last: int, zone: str) -> Callable[[], bool]:
        return lambda: _is_signed(self.net.host(last), zone)

    def _caught_up(self) -> bool:
        if all(answers(self.net.host(2), zone) for zone in SECONDARY_ZONES):
            return True
        with contextlib.suppress(LabError):  # its first attempt may have been too early
            self.refresh()
        time.sleep(0.1)
        return False

    def _validates(self, resolver: Resolver) -> bool:
        reply = ask(resolver.address, "mail.example.test.", "A")
        if reply is not None and reply.flags & dns.flags.AD and reply.answer:
            return True
        if reply is not None:  # asked before the others served: forget what it concluded
            self.servers_are_back()
            time.sleep(0.1)
        return False

    # ---- control ----------------------------------------------------------------------------

    def flush(self, zone: str) -> None:
        """Make the resolvers that run forget a zone: and all else."""
        del zone
        self.resolvers.flush()

    def servers_are_back(self) -> None:
        """Make the resolvers that run forget that a server didn't answer."""
        self.resolvers.flush()

    def refresh(self, *zones: str) -> None:
        """Have the secondary look whether zones have changed."""
        for zone in zones or SECONDARY_ZONES:
            self.control("secondary", "transfer", zone)

    def freeze(self) -> None:
        """Let the secondary go on answering: only its process for transfers stands still."""
        self.processes.signal("secondary", signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo freeze()."""
        self.processes.signal("secondary", signal.SIGCONT)

    def control(self, server: str, *command: str) -> None:
        """Control a server with rndc, nsd-control or pdnsutil, kresd with a line of Lua."""
        if server == "secondary":
            run("nsd-control", "-c", self.root / "nsd/nsd.conf", *command)
        elif server == "power":
            self._pdnsutil(*command)
        elif server == "kresd":
            self.resolvers.kresd_control(" ".join(command))
        else:
            binds = {b.directory.name: b for b in (self.primary, self.parent, self.resolvers.bind)}
            binds[server].rndc(*command)

    # ---- BIND -------------------------------------------------------------------------------

    def _soa(self) -> str:
        return (
            f"$TTL {self.ttl}\n"
            f"@ SOA ns1 hostmaster 1 3600 600 86400 {self.negative_ttl}\n@ NS ns1\n"
            + _addresses("ns1", self.both(1))
        )

    def _zone(self) -> str:
        first, second = self.net.host(5), self.net.host(7)
        both = "@ NS ns2\n" + _addresses("ns2", self.both(2))
        return self._soa() + both + HOSTS.format(mail=first, second=second)

    def _primary(self) -> list[str]:
        """Configure it; the DS records of its zones."""
        bind = self.primary
        split = Zone("split.test.", self._soa() + f"mail A {self.net.host(5)}\n@ MX 10 mail\n")
        shared = (
            Zone("example.test.", self._zone()),
            Zone("optout.test.", self._zone() + _OPT_OUT, "optout", inline=True),
            Zone("insecure.test.", self._zone(), None),
        )
        bind.directory.mkdir()
        inner = "".join(bind.write_zone(zone) for zone in shared)
        inner += bind.write_zone(split, "inner.")
        outer = "".join(f'zone "{z.name}" {{ in-view "inner"; }};\n' for z in shared)
        outer += bind.write_zone(split, "outer.")
        inside = " ".join(f"{one};" for last in (2, 3, 5) for one in self.both(last))
        ns2 = self.net.host(2)
        bind.write(
            "recursion no; dnssec-validation no; notify explicit; notify-delay 0; "
            f"notify-source {self.net.host(1)}; "
            'allow-transfer { key "lab."; key "outer."; }; ',
            f'view "inner" {{ match-clients {{ !key "outer."; {inside} }}; '
            f'allow-update {{ key "lab."; }}; also-notify {{ {ns2} key "lab."; }};\n{inner}}};\n'
            'view "outer" { match-clients { any; }; '
            f'allow-update {{ key "lab."; key "outer."; }};\n{outer}}};\n',
        )
        return self._keys(bind, [*shared[:2], split])

    def _parent(self, signers: Sequence[str]) -> str:
        """Configure it; the DS record of the root."""
        bind = self.parent
        bind.directory.mkdir()
        soa = f"$TTL {self.ttl}\n@ SOA a.root. hostmaster.test. 1 3600 600 86400 1\n@ NS a.root.\n"
        address = _addresses("a.root.", self.both(6))
        below = Zone("test.", soa + self._delegations() + "\n".join(signers) + "\n")
        options = "recursion no; dnssec-validation no; notify no;"
        top = Zone(".", soa + address + "test. NS a.root.\n")
        clauses = bind.write_zone(below) + bind.write_zone(top)
        updates = 'allow-update { key "lab."; };\n'
        bind.write(options + updates, clauses)
        (signer,) = self._keys(bind, [below])
        bind.write_zone(Zone(".", top.text + signer + "\n"))
        (anchor,) = self._keys(bind, [top])
        return anchor

    def _delegations(self) -> str:
        lines = ""
        for zone in (*SECONDARY_ZONES, "split.test.", "power.test."):
            lines += f"{zone} NS ns1.{zone}\n"
            lines += _addresses(f"ns1.{zone}", self.both(8 if zone == "power.test." else 1))
            if zone in SECONDARY_ZONES:
                lines += f"{zone} NS ns2.{zone}\n" + _addresses(f"ns2.{zone}", self.both(2))
        return lines

    @staticmethod
    def _keys(bind: Bind, zones: Sequence[Zone]) -> list[str]:
        with ThreadPoolExecutor() as pool:
            return list(pool.map(bind.delegation_signer, zones))

    # ---- NSD --------------------------------------------------------------------------------

    def _secondary(self) -> None:
        directory = self.root / "nsd"
        directory.mkdir()
        primary = self.net.host(1)
        zones = "".join(
            f"zone:\n  name: {zone}\n  zonefile: {zone}zone\n"
            f"  request-xfr: AXFR {primary} lab.\n  allow-notify: {primary} lab.\n"
            f"  outgoing-interface: {self.net.host(2)}\n"
            for zone in SECONDARY_ZONES
        )
        listen = "".join(f"  ip-address: {one}\n" for one in (*self.both(2), self.net.host(11)))
        conf = directory / "nsd.conf"
        conf.touch(0o600)
        conf.write_text(
            _NSD.format(directory=directory, listen=listen, secret=self.tsig_secret) + zones,
            encoding="ascii",
        )

    # ---- PowerDNS ---------------------------------------------------------------------------

    def _power(self) -> str:
        """Configure it, with a zone that it signs at each answer; the zone's DS record."""
        directory = self.root / "power"
        directory.mkdir()
        listen = ",".join(self.both(8))
        (directory / "pdns.conf").write_text(
            _PDNS.format(directory=directory, listen=listen), encoding="ascii"
        )
        with contextlib.closing(sqlite3.connect(directory / "zones.sqlite")) as database:
            database.executescript("PRAGMA synchronous = OFF;\n" + SCHEMA.read_text("ascii"))
        zone = directory / "zone"
        hosts = HOSTS.format(mail=self.net.host(5), second=self.net.host(7))
        soa = self._soa().replace(self.both(1)[0], self.both(8)[0])
        soa = soa.replace(self.both(1)[1], self.both(8)[1])
        zone.write_text(f"$ORIGIN power.test.\n{soa}{hosts}", encoding="ascii")
        self._pdnsutil("load-zone", "power.test", str(zone))
        self._pdnsutil("secure-zone", "power.test")
        self._pdnsutil("set-nsec3", "power.test", "1 0 0 -", "narrow")
        self._pdnsutil("import-tsig-key", "lab", "hmac-sha256", self.tsig_secret)
        self._pdnsutil("set-meta", "power.test", "TSIG-ALLOW-DNSUPDATE", "lab")
        self._pdnsutil("activate-tsig-key", "power.test", "lab", "primary")
        shown = self._pdnsutil("export-zone-ds", "power.test")
        (signer,) = [one.split(";")[0] for one in shown.splitlines() if " 13 2 " in one]
        return signer.strip()

    def _pdnsutil(self, *command: str) -> str:
        return run("pdnsutil", f"--config-dir={self.root / 'power'}", *command)

    def _power_argv(self) -> list[str | Path]:
        config = f"--config-dir={self.root / 'power'}"
        return ["pdns_server", config, "--guardian=no", "--daemon=no", "--disable-syslog"]


def _is_signed(server: str, zone: str) -> bool:
    reply = ask(server, zone, "DNSKEY", 0.3)
    return reply is not None and bool(reply.flags & dns.flags.AA) and len(reply.answer) > 1


def _addresses(name: str, both: tuple[str, str]) -> str:
    return f"{name} A {both[0]}\n{name} AAAA {both[1]}\n"


_OPT_OUT = "unsigned NS ns1.insecure.test.\n"

_NSD = """\
server:
{listen}  port: 53
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: ""
  logfile: ""
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  xfrdir: "{directory}"
  xfrd-reload-timeout: 0
remote-control:
  control-enable: yes
  control-interface: "{directory}/ctl.sock"
key:
  name: "lab."
  algorithm: hmac-sha256
  secret: "{secret}"
"""

_PDNS = """\
launch=gsqlite3
gsqlite3-database={directory}/zones.sqlite
gsqlite3-dnssec=yes
gsqlite3-pragma-synchronous=0
local-address={listen}
socket-dir={directory}
dnsupdate=yes
allow-dnsupdate-from=10.53.0.0/24,fd53::/64
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
receiver-threads=1
distributor-threads=1
"""
