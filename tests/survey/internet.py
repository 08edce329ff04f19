"""A small internet in a namespace of its own: 500 mail hosts, and as many domains as are wanted.

Each kind of domain has one fault, or none, and is asked for in known numbers.  Domains are
wildcards of a zone that knot signs, so that a million of them cost nothing; unbound validates.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, Self

import dns.flags
from cryptography.hazmat.primitives import serialization

from lab.nameservers import ask, run
from lab.namespace import Namespace
from lab.net import accepts
from lab.processes import Processes, Service
from survey.identities import Identity, identity, spki_record

DNS, RESOLVER = "127.53.0.1", "127.0.0.1"
PEER = Path(__file__).parents[1] / "bench/smtp_peer.py"
_NEEDED = ("knotd", "keymgr", "unbound", "ip")
TEST_NAMES = "h0.ok.test,h0.insecure.test,www.bogus.test"

HOSTS = {  # kind: how many; 500 in all
    "ok": 300,
    "mismatch": 40,
    "plain": 40,
    "unusable": 20,
    "deferred": 20,
    "nostarttls": 20,
    "silent": 10,
    "anchor": 20,
    "named": 20,
    "expired": 10,
}


class Verdict(NamedTuple):
    """What a survey has to say of a domain: ``code`` is its most serious finding's, "" for none."""

    status: str
    dane: str
    code: str


FINE = Verdict("ok", "all", "")
KINDS = {
    "ok": FINE,
    "mismatch": Verdict("critical", "all", "mismatch"),
    "plain": Verdict("ok", "none", "no-dane"),
    "unusable": Verdict("warning", "all", "all-unusable"),
    "deferred": Verdict("critical", "none", "bogus"),
    "nostarttls": Verdict("critical", "all", "no-starttls"),
    "silent": Verdict("critical", "all", "unreachable"),
    "anchor": FINE,
    "named": FINE,  # its certificate names the domains
    "unnamed": Verdict("critical", "all", "mismatch"),  # the same host, of a domain that isn't
    "expired": Verdict("critical", "all", "mismatch"),
    "unsigned": Verdict("ok", "all", "insecure-mx"),
    "insecure": Verdict("ok", "none", "insecure-mx"),
    "null": Verdict("ok", "none", "no-service"),
    "bogus": Verdict("critical", "unknown", "bogus"),
    "absent": Verdict("critical", "none", "no-service"),
    "implicit": Verdict("ok", "none", "no-dane"),
    "mixed": Verdict("warning", "some", "host-without-dane"),
    "half": Verdict("critical", "all", "mismatch"),
}
"""Each row of the table of verdicts, and what it comes to."""


class Group(NamedTuple):
    """Domains ``x0``, ``x1``, ... below ``suffix``, all of one kind."""

    kind: str
    suffix: str


def groups() -> list[Group]:
    """One for each host, and five for each kind that needs no host of its own."""
    found = [
        Group(kind, f"d{n}.{kind}.test") for kind, count in HOSTS.items() for n in range(count)
    ]
    found += [Group("unnamed", f"d{n}.unnamed.test") for n in range(20)]
    for kind in ("null", "implicit", "mixed", "half"):
        found += [Group(kind, f"d{n}.{kind}.test") for n in range(5)]
    found += [Group("unsigned", f"d{n}.unsigned.insecure.test") for n in range(5)]
    found += [Group("insecure", f"d{n}.other.insecure.test") for n in range(5)]
    found += [Group("bogus", f"d{n}.bogus.test") for n in range(5)]
    found += [Group("absent", f"d{n}.absent.test") for n in range(5)]
    return found


def domains(count: int) -> Iterator[tuple[str, str]]:
    """So many domains with their kinds, spread evenly over all groups."""
    every = groups()
    for number in range(count):
        kind, suffix = every[number % len(every)]
        yield f"x{number // len(every)}.{suffix}", kind


def expected(count: int) -> Counter[Verdict]:
    """How often each verdict has to come."""
    return Counter(KINDS[kind] for _, kind in domains(count))


def address(kind: str, number: int) -> str:
    """That of a host."""
    first = ipaddress.IPv4Address(f"127.{20 + list(HOSTS).index(kind)}.0.1")
    return str(first + number)


def missing() -> str:
    """Why there can be none here; "" if there can."""
    if os.geteuid():
        return "a network namespace takes root"
    lacking = [name for name in _NEEDED if shutil.which(name) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


# ---- the whole ------------------------------------------------------------------------------


class Internet:
    """Name servers, a resolver and mail hosts; `inside` is where they can be reached."""

    def __init__(self) -> None:
        self.root = Path(mkdtemp(prefix="danebot-internet-"))
        self.namespace = Namespace([], [])
        self.processes = Processes(self.root)

    def __enter__(self) -> Self:
        try:
            self._up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.down()
        self.namespace.close()
        shutil.rmtree(self.root, ignore_errors=True)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread and what it starts in the namespace."""
        with self.namespace.inside():
            yield

    def _up(self) -> None:
        authority = identity("The Authority")
        named = [f"*.d{n}.named.test" for n in range(HOSTS["named"])]
        certificates = {
            "ok": identity("ok", issuer=authority),
            "mismatch": identity("mismatch", issuer=authority),
            "plain": identity("plain", issuer=authority),
            "unusable": identity("unusable", issuer=authority),
            "deferred": identity("deferred", issuer=authority),
            "anchor": identity("anchor", "*.anchor.test", issuer=authority),
            "named": identity("named", *named, issuer=authority),
            "expired": identity("expired", "*.expired.test", issuer=authority, days=-3),
        }
        anchor = sha256(authority.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
        records = {
            "ok": spki_record(certificates["ok"]),
            "mismatch": f"3 1 1 {'ab' * 32}",
            "unusable": f"1 1 1 {'cd' * 32}",
            "nostarttls": f"3 1 1 {'12' * 32}",
            "silent": f"3 1 1 {'34' * 32}",
            **dict.fromkeys(("anchor", "named", "expired"), f"2 0 1 {anchor}"),
        }
        self._knot(records)
        with self.inside():
            self.processes.add(self._knotd(), *self._peers(certificates, authority))
            self.processes.wait("knot")
            self.processes.add(self._unbound())
            for name in self.processes.names():
                self.processes.wait(name)

    def _peers(self, certificates: dict[str, Identity], authority: Identity) -> Iterator[Service]:
        chain = authority.certificate.public_bytes(serialization.Encoding.PEM)
        for kind in (*certificates, "nostarttls"):
            file = self.root / f"{kind}.pem"
            if kind in certificates:
                file.write_bytes(certificates[kind].pem + chain)
            addresses = [address(kind, number) for number in range(HOSTS[kind])]
            where: str | Path = file if kind in certificates else "-"
            words = [sys.executable, PEER, where, "25", *addresses]
            yield Service(kind, words, lambda last=addresses[-1]: accepts(last, 25))  # type: ignore[misc]

    # ---- DNS ------------------------------------------------------------------------------------

    def _knot(self, records: dict[str, str]) -> None:
        for below in ("db", "zones"):
            (self.root / below).mkdir()
        zones = {
            "test.": [*self._hosts(records), *self._domains()],
            "insecure.test.": self._insecure(),
            "bogus.test.": ["www A 127.0.0.9", "* MX 10 h0.ok.test.", "x TLSA 3 1 1 00"],
        }
        signing = "    dnssec-signing: on\n    dnssec-policy: lab\n"
        listed = "".join(
            f"  - domain: {zone}\n{signing if zone != 'insecure.test.' else ''}" for zone in zones
        )
        conf = self.root / "knot.conf"
        conf.write_text(_KNOT.format(root=self.root, address=DNS) + listed, encoding="ascii")
        anchors = {zone: self._new_key(conf, zone) for zone in ("test.", "bogus.test.")}
        *front, digest = anchors["bogus.test."].split()
        zones["test."].append(" ".join([*front, f"{int(digest, 16) ^ 1:064x}"]))
        zones["test."] += [f"{zone} NS ns.test." for zone in ("insecure", "bogus")]
        for zone, lines in zones.items():
            head = f"$ORIGIN {zone}\n$TTL 3600\n@ SOA ns.test. a.test. 1 3600 600 86400 3600\n"
            body = "\n".join(["@ NS ns.test.", *lines]) + "\n"
            (self.root / "zones" / f"{zone}zone").write_text(head + body, encoding="ascii")
        (self.root / "unbound.conf").write_text(
            _UNBOUND.format(root=self.root, anchor=anchors["test."], address=RESOLVER, dns=DNS),
            encoding="ascii",
        )

    def _hosts(self, records: dict[str, str]) -> Iterator[str]:
        yield f"ns A {DNS}"
        for kind, count in HOSTS.items():
            for number in range(count):
                yield f"h{number}.{kind} A {address(kind, number)}"
                if kind in records:
                    yield f"_25._tcp.h{number}.{kind} TLSA {records[kind]}"
                elif kind == "deferred":
                    yield f"_25._tcp.h{number}.{kind} CNAME x.bogus.test."

    @staticmethod
    def _domains() -> Iterator[str]:
        for kind, suffix in groups():
            name, number = suffix.removesuffix(".test"), suffix[1:].partition(".")[0]
            if kind in HOSTS:
                yield f"*.{name} MX 10 h{number}.{kind}"
            elif kind == "unnamed":
                yield f"*.{name} MX 10 h{number}.named"
            elif kind == "null":
                yield f"*.{name} MX 0 ."
            elif kind == "implicit":
                yield f"*.{name} A {address('plain', 0)}"
            elif kind in ("mixed", "half"):
                other = "plain" if kind == "mixed" else "mismatch"
                yield f"*.{name} MX 10 h{number}.ok"
                yield f"*.{name} MX 20 h{number}.{other}"

    @staticmethod
    def _insecure() -> list[str]:
        lines = [f"h0 A {address('plain', 1)}"]
        for number in range(5):
            lines.append(f"*.d{number}.unsigned MX 10 h{number}.ok.test.")
            lines.append(f"*.d{number}.other MX 10 h0")
        return lines

    @staticmethod
    def _new_key(conf: Path, zone: str) -> str:
        keymgr = ("keymgr", "-c", conf, zone)
        run(*keymgr, "generate", "algorithm=rsasha256", "ksk=yes", "zsk=yes")
        return next(line for line in run(*keymgr, "ds").splitlines() if line.split()[4] == "2")

    def _knotd(self) -> Service:
        words: list[str | Path] = ["knotd", "-c", self.root / "knot.conf"]
        return Service(
            "knot", words, lambda: bool((one := ask(DNS, "test.", "SOA")) and one.answer)
        )

    def _unbound(self) -> Service:
        words: list[str | Path] = ["unbound", "-d", "-p", "-c", self.root / "unbound.conf"]
        return Service("unbound", words, self._validates)

    @staticmethod
    def _validates() -> bool:
        reply = ask(RESOLVER, "h0.ok.test.", "A")
        return reply is not None and bool(reply.flags & dns.flags.AD)


_KNOT = """\
server:
    rundir: {root}
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
control:
    listen: {root}/knot.sock
database:
    storage: {root}/db
    journal-db-max-size: 256M
    kasp-db-max-size: 16M
    timer-db-max-size: 16M
log:
  - target: stderr
    any: warning
policy:
  - id: lab
    algorithm: rsasha256
    manual: on
    single-type-signing: on
template:
  - id: default
    storage: {root}/zones
    file: "%s.zone"
    zonefile-sync: -1
zone:
"""

_UNBOUND = """\
server:
  interface: {address}@53
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  so-reuseport: yes
  username: ""
  chroot: ""
  directory: "{root}"
  pidfile: "{root}/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 0
  module-config: "validator iterator"
  qname-minimisation: no
  outgoing-range: 4096
  num-queries-per-thread: 2048
  so-rcvbuf: 4m
  local-zone: "." refuse
  local-zone: "test." transparent
  trust-anchor: "{anchor}"
remote-control:
  control-enable: no
stub-zone:
  name: "test"
  stub-addr: {dns}@53
"""
