"""The second world: other people's servers, in a network namespace of its own.

    10.53.0.1   BIND, primary: dnssec-policy, views; takes RFC 2136 updates with TSIG   (fd53::1)
    10.53.0.2   NSD, secondary (NOTIFY, AXFR with TSIG)                                 (fd53::2)
    10.53.0.4   ACME, as in the first world
    10.53.0.5   postfix and certbot; what is run in the lab asks from here              (fd53::5)
    10.53.0.6   BIND, parent: the lab's own root, and test.                             (fd53::6)
    10.53.0.7   postfix, with a chain file of its own
    10.53.0.8   PowerDNS: signs at each answer, narrow NSEC3; takes updates             (fd53::8)
    10.53.0.10  the primary too, and 10.53.0.11 the secondary: addresses to move to
    127.0.0.3   BIND, 127.0.0.12 kresd, 127.0.0.13 dnsmasq (before BIND): validating resolvers

Zones: example.test. (NSEC), optout.test. (NSEC3 with opt-out, inline signing) and insecure.test.
at BIND and NSD; split.test. at BIND alone, with another content for those outside; power.test. at
PowerDNS alone.

    with SecondLab() as lab, lab.inside():
        lab.use(Resolver.KRESD)
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator, Sequence

from lab.foreign import NET6, ForeignServers
from lab.lab import Lab, missing
from lab.namespace import Namespace
from lab.net import Net
from lab.resolvers import Resolver

PROGRAMS = (
    *("named", "rndc", "dnssec-keygen", "nsd", "nsd-control", "pdns_server", "pdnsutil"),
    *("kresd", "dnsmasq", "ip"),
)
NET = "10.53.0"
HOSTS = range(1, 14)


def missing_second() -> str | None:
    """Say why no lab with the second world can be started here; None if it can."""
    if reason := missing():
        return reason
    absent = [one for one in PROGRAMS if shutil.which(one, path="/usr/sbin:/usr/bin:/sbin") is None]
    return f"not installed (make deps): {', '.join(absent)}" if absent else None


class SecondLab(Lab):
    """A lab with the second world.  Whatever is done with it is done within ``inside()``.

    ``resolver`` is that of BIND, until ``use()``.
    """

    def __init__(self, *, ttl: int = 5, negative_ttl: int = 1, validity: int = 90 * 86400) -> None:
        v4, v6 = ([f"{net}{n}" for n in HOSTS] for net in (f"{NET}.", f"{NET6}:"))
        loopback = [one.address for one in Resolver]
        self.namespace = Namespace([*v4, *v6], (f"{NET}.5", f"{NET6}:5"), loopback)
        self.power = f"{NET}.8"
        self._outside: set[str] = set()
        with self.inside():
            super().__init__(ttl=ttl, negative_ttl=negative_ttl, validity=validity)
            self.outer_key_file = self._key_file("outer.", self._foreign().outer_secret)
            self.use(Resolver.BIND)

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Have this thread, and the processes it starts, where the lab's addresses are."""
        return self.namespace.inside()

    def down(self) -> None:
        """End every process, remove the root directory, give the namespace up."""
        super().down()
        self.namespace.close()

    def reset(self) -> None:
        """Undo what a test did, also to what those outside see."""
        super().reset()
        for owner in sorted(self._outside):
            self.tlsa_outside(owner)
        self._outside.clear()
        self.use(Resolver.BIND)

    def use(self, resolver: Resolver) -> None:
        """Let that one be the resolver of whatever is run from now on."""
        self.resolver = resolver.address
        self._name_resolver()

    @contextlib.contextmanager
    def altered(self, done: Sequence[str], undone: Sequence[str], zone: str) -> Iterator[None]:
        """Send a zone one update, as nsupdate words it, before a block, and another after it.

        Of ``test.`` too, the parent.
        """
        self.update(*done, zone=zone)
        try:
            yield
        finally:
            self.update(*undone, zone=zone)

    def tlsa_outside(self, owner: str, *records: str, ttl: int | None = None) -> None:
        """Replace all records of an owner in what those outside see of split.test."""
        self._outside.add(owner)
        ttl = self.ttl if ttl is None else ttl
        added = [f"update add {owner} {ttl} TLSA {record}" for record in records]
        self.update(
            f"update delete {owner} TLSA",
            *added,
            zone="split.test.",
            key_file=self.outer_key_file,
        )

    def _foreign(self) -> ForeignServers:
        assert isinstance(self._dns, ForeignServers)
        return self._dns

    def _reserve(self) -> Net:
        return Net(NET, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))  # nobody else is here

    def _world(self, reserved: Net, ttl: int, negative_ttl: int) -> ForeignServers:
        return ForeignServers(self.root, reserved, ttl, negative_ttl, self._processes)

    def _server_of(self, zone: str) -> str:
        return {"power.test.": self.power, "test.": self.parent}.get(zone, self.ns1)
