"""Three validating resolvers that start from the lab's own root: BIND, kresd and dnsmasq."""

from __future__ import annotations

import enum
import re
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from lab.bind import Bind
from lab.net import LabError
from lab.processes import Processes


class Resolver(enum.Enum):
    """Which program; the value is the name of its service."""

    BIND = "resolver"
    KRESD = "kresd"
    DNSMASQ = "dnsmasq"

    @property
    def address(self) -> str:
        """Where it listens, on loopback as a mail host's resolver does."""
        return {"resolver": "127.0.0.3", "kresd": "127.0.0.12", "dnsmasq": "127.0.0.13"}[self.value]


@dataclass(frozen=True)
class Resolvers:
    """The resolvers of a lab; they ask from an address each: ``sources`` by resolver."""

    root: Path
    bind: Bind
    processes: Processes
    parent: tuple[str, str]
    sources: dict[Resolver, tuple[str, str]]

    def configure(self, anchor: str) -> dict[Resolver, list[str | Path]]:
        """Write their configurations with the DS record of the root; how each is started."""
        self._bind(anchor)
        return {
            Resolver.BIND: self.bind.argv,
            Resolver.KRESD: self._kresd(anchor),
            Resolver.DNSMASQ: self._dnsmasq(anchor),
        }

    def flush(self) -> None:
        """Make all that run forget everything.

        BIND too: `rndc flushtree` has no effect any more after a `rndc flush` (seen with 9.18.49).
        """
        running = [one for one in Resolver if self.processes.is_running(one.value)]
        if Resolver.BIND in running:  # dnsmasq asks this one
            self.bind.rndc("flush")
        if Resolver.KRESD in running:
            self.kresd_control("cache.clear()")
        if Resolver.DNSMASQ in running:
            self.processes.signal("dnsmasq", signal.SIGHUP)

    def kresd_control(self, command: str) -> str:
        """Have kresd evaluate a line of Lua; what it answered."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(str(self.root / "kresd/ctl.sock"))
            control.sendall(f"{command}\n".encode())
            answer = control.recv(4096)
        if not answer:
            raise LabError(f"kresd doesn't answer {command}")
        return answer.decode()

    def _bind(self, anchor: str) -> None:
        v4, v6 = self.sources[Resolver.BIND]
        digest = re.fullmatch(r"\. (?:\d+ )?IN DS (\d+ \d+ \d+) (.*)", anchor)
        assert digest is not None
        hints = self.root / "resolver.hints"
        a4, a6 = self.parent
        hints.write_text(
            f". 3600000 NS a.root.\na.root. 3600000 A {a4}\na.root. 3600000 AAAA {a6}\n",
            encoding="ascii",
        )
        self.bind.write(
            f"recursion yes; allow-recursion {{ any; }}; dnssec-validation yes; "
            f"query-source address {v4}; query-source-v6 address {v6}; servfail-ttl 0; "
            "empty-zones-enable no; minimal-responses no;",
            f'zone "." {{ type hint; file "{hints}"; }};\n'
            f'trust-anchors {{ . static-ds {digest[1]} "{digest[2].replace(" ", "")}"; }};\n',
        )

    def _kresd(self, anchor: str) -> list[str | Path]:
        directory = self.root / "kresd"
        directory.mkdir()
        v4, v6 = self.sources[Resolver.KRESD]
        (directory / "config").write_text(
            _KRESD.format(
                directory=directory,
                address=Resolver.KRESD.address,
                v4=v4,
                v6=v6,
                parent4=self.parent[0],
                parent6=self.parent[1],
                anchor=anchor,
            ),
            encoding="ascii",
        )
        return ["kresd", "-n", "-c", directory / "config", directory]

    def _dnsmasq(self, anchor: str) -> list[str | Path]:
        found = re.fullmatch(r"\. (?:\d+ )?IN DS (\d+) (\d+) (\d+) (.*)", anchor)
        assert found is not None
        tag, algorithm, kind, digest = found.groups()
        conf = self.root / "dnsmasq.conf"
        conf.write_text(
            _DNSMASQ.format(
                address=Resolver.DNSMASQ.address,
                upstream=Resolver.BIND.address,
                anchor=f".,{tag},{algorithm},{kind},{digest.replace(' ', '')}",
            ),
            encoding="ascii",
        )
        return ["dnsmasq", "-k", "-C", conf]


_KRESD = """\
log_level('notice')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.load('hints > iterate')
net.listen('{address}', 53, {{ kind = 'dns' }})
net.listen('{directory}/ctl.sock', nil, {{ kind = 'control' }})
net.outgoing_v4('{v4}')
net.outgoing_v6('{v6}')
cache.open(10 * MB, 'lmdb://{directory}/cache')
hints.root({{ ['a.root.'] = {{ '{parent4}', '{parent6}' }} }})
trust_anchors.remove('.')
trust_anchors.add([[{anchor}]])
policy.add(policy.suffix(policy.PASS, {{ todname('test.') }}))
"""

_DNSMASQ = """\
port=53
listen-address={address}
bind-interfaces
no-resolv
no-hosts
no-poll
server={upstream}
dnssec
dnssec-check-unsigned
trust-anchor={anchor}
user=root
group=root
pid-file=
log-facility=-
"""
