"""How a survey is to be made, as values that travel to workers."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path

from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.domain.addresses import Reach, translated
from danebot.domain.names import DnsName, Hostname
from danebot.domain.text import printable
from danebot.errors import ConfigError, NameSyntaxError
from danebot.tuples import NamedTuple


class KnownNames(NamedTuple):
    """Names by which a resolver shows that it validates; all have A or AAAA records, or SOA."""

    secure: DnsName = DnsName("ietf.org")
    insecure: DnsName = DnsName("google.com")
    bogus: DnsName = DnsName("dnssec-failed.org")


class OptOut(NamedTuple):
    """Who is not to be looked at: names with all below them, and addresses and networks."""

    names: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    def has_name(self, name: str) -> bool:
        """Whether ``name``, in normal form, or a name above it is listed."""
        if not self.names:
            return False
        labels = name.split(".")
        return any(".".join(labels[at:]) in self.names for at in range(len(labels)))

    def has_address(self, address: str) -> bool:
        """Whether an IPv4 or IPv6 literal is listed, or in a network that is."""
        if not self.networks:
            return False
        ways = {ip_address(address), ip_address(translated(address))}
        return any(one in ip_network(network) for network in self.networks for one in ways)


def parse_opt_out(text: str) -> OptOut:
    """Read a list of names, addresses and networks, one a line; `ConfigError` for another line.

    A line that was passed over might be somebody who asked not to be looked at.
    """
    names, networks = set(), []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            networks.append(_network(word))
        except ValueError:
            try:
                names.add(_whole_name(word))
            except NameSyntaxError as exc:
                shown = printable(word, 80)
                raise ConfigError(
                    f"opt-out list, line {number}: {shown!r} is no name of several labels, address "
                    "or network; correct it"
                ) from exc
    return OptOut(frozenset(names), tuple(networks))


def _network(word: str) -> str:
    """A network in normal form, IPv4's where one address of IPv6 stands for that."""
    network = ip_network(word, strict=False)
    if network.num_addresses == 1:
        return translated(str(network.network_address))
    return str(network)


def _whole_name(word: str) -> str:
    """A name that may be somebody's: ``AS64500`` or a range of addresses is none."""
    name = Hostname.parse(word).text
    if "." not in name or name.rpartition(".")[2].isdecimal():
        raise NameSyntaxError(f"{word!r} is no domain")
    return name


class SurveyPlan(NamedTuple):
    """One survey.

    ``helo`` is our own name in EHLO.  To one address one connection is open at a time, ``interval``
    after the one before, and ``looks`` in all at most.  ``connections`` are open to all addresses
    in each worker.  ``rows`` is how many of them a partition has.
    """

    directory: Path
    helo: Hostname
    resolver: ResolverConfig
    reach: Reach = Reach.PUBLIC
    tests: KnownNames = KnownNames()
    opt_out: OptOut = OptOut()
    interval: timedelta = timedelta(seconds=1)
    looks: int = 1000
    connections: int = 200
    queries: int = 200
    rows: int = 5000

    def may_look(self, address: str, *names: str) -> bool:
        """Whether an address may be asked that has all these names, aliases among them."""
        reachable = self.reach is Reach.ANY or self.reach.includes(address)
        return (
            reachable
            and not any(map(self.opt_out.has_name, names))
            and not self.opt_out.has_address(address)
        )

    @property
    def settings(self) -> dict[str, str]:
        """What results depend on, and is to stay the same until a survey is complete."""
        asked_out = repr((sorted(self.opt_out.names), sorted(self.opt_out.networks)))
        return {
            "--helo": self.helo.text,
            "--reach": self.reach.value,
            "--interval": str(self.interval.total_seconds()),
            "--looks": str(self.looks),
            "--opt-out": sha256(asked_out.encode()).hexdigest() if any(self.opt_out) else "",
        }
