"""The settings as values, with danebot's defaults."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from danebot.domain.addresses import SocketAddress
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.names import DnsName, Hostname, Protocol
from danebot.domain.rollover.evidence.policy import Policy
from danebot.tuples import NamedTuple

READY_MADE = (
    *("postfix", "dovecot", "exim", "nginx", "haproxy"),
    *("apache", "opensmtpd", "cyrus", "prosody", "ejabberd"),
)
"""The services that danebot knows how to reload."""


class EndpointSetting(NamedTuple):
    """How to reach the service at ``host`` and ``port`` for a probe.

    ``connect`` is where to connect instead of the host's addresses, () for those; an address
    without a port takes the endpoint's.  ``protocol`` None means what is usual at the port.
    """

    host: Hostname
    port: int
    connect: tuple[SocketAddress, ...] = ()
    protocol: Protocol | None = None


class ComboAccess(NamedTuple):
    """Who may read ``combo.pem``: its mode, and its group's id where it is not root's."""

    mode: int = 0o600
    group: int | None = None


class Method(enum.Enum):
    """How TLSA records are published; the value is the word in ``danebot.toml``."""

    MANUAL = "manual"
    RFC2136 = "rfc2136"
    EXEC = "exec"


_DNS = 53


class ServerAddress(NamedTuple):
    """A server by address (in `ipaddress`'s normal form) or by name, and its port."""

    host: str
    port: int = _DNS

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.host if self.port == _DNS else f"{host}:{self.port}"


class PublishSettings(NamedTuple):
    """How the TLSA records of a lineage get into DNS.

    ``server`` and ``zone`` None mean those of the zone's SOA record; ``ttl`` None means to keep
    the RRset's.  ``timeout`` is for one change, ``wait`` how long to look for it at all servers.
    ``key_file`` is there for RFC2136, ``command`` (a shell command line) for EXEC.
    """

    method: Method = Method.MANUAL
    automatic: bool = True
    server: ServerAddress | None = None
    zone: DnsName | None = None
    key_file: Path | None = None
    command: str | None = None
    ttl: timedelta | None = None
    timeout: timedelta = timedelta(minutes=1)
    wait: timedelta = timedelta(seconds=30)

    @property
    def in_renew(self) -> bool:
        """Whether `renew` and its like publish by themselves."""
        return self.automatic and self.method is not Method.MANUAL


class LineageSettings(NamedTuple):
    """What can be set for each lineage.

    ``hooks`` are shell command lines, or ``@`` with one of `READY_MADE` and its arguments; they run
    after certbot's own hooks, a lineage's after those of all.  ``endpoints`` has each endpoint
    at most once.
    """

    policy: Policy = Policy()
    hooks: tuple[str, ...] = ()
    probe: bool = True
    endpoints: tuple[EndpointSetting, ...] = ()
    publish: PublishSettings = PublishSettings()


class Effective(NamedTuple):
    """A setting in force, printable: name and value as one would write them in ``danebot.toml``.

    ``source`` is the file and line that it comes from, or "default".
    """

    name: str
    value: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}  ({self.source})"


class Settings(NamedTuple):
    """Everything that the operator has decided.

    ``certbot`` None means to look on PATH; ``resolvers`` None means those of ``resolv.conf``;
    ``witnesses`` are asked for TLSA records beside the zone's own servers.
    ``textfile`` None means that no metrics are written for node_exporter.
    ``ca_file`` None means OpenSSL's default trust store, which honours SSL_CERT_FILE.
    ``environment`` goes to certbot and hooks in addition.  ``file`` is what they were read from,
    None where it isn't there.  ``places`` has ``FILE:LINE`` of each
    of ``lineages``.  ``notices`` are printable lines about what deserves a look but stops nothing.
    """

    tree: Path = Path("/etc/letsencrypt")
    certbot: Path | None = None
    certbot_timeout: timedelta = timedelta(minutes=10)
    lock_wait: timedelta = timedelta(minutes=2)
    snapshot: Path = Path("/var/lib/danebot/status.json")
    textfile: Path | None = None
    resolvers: tuple[SocketAddress, ...] | None = None
    trust_resolver: bool = False
    witnesses: tuple[SocketAddress, ...] = ()
    ca_file: Path | None = None
    combo_access: ComboAccess = ComboAccess()
    run_certbot_hooks: bool = True
    run_post_hooks: bool = True
    hook_timeout: timedelta = timedelta(minutes=5)
    common: LineageSettings = LineageSettings()
    lineages: Mapping[str, LineageSettings] = MappingProxyType({})
    environment: Mapping[str, str] = MappingProxyType({})
    file: Path | None = None
    places: Mapping[str, str] = MappingProxyType({})
    notices: tuple[str, ...] = ()
    effective: tuple[Effective, ...] = ()

    @property
    def state_directory(self) -> Path:
        """Where danebot keeps what it may lose."""
        return self.snapshot.parent

    def lineage(self, name: str) -> LineageSettings:
        """The settings of one lineage, overrides included."""
        return self.lineages.get(name, self.common)

    def policy(self, name: str) -> Policy:
        """The policy for one lineage."""
        return self.lineage(name).policy

    def hooks(self, name: str) -> tuple[str, ...]:
        """The configured deploy hooks of one lineage: those of all, then its own."""
        return self.lineage(name).hooks

    def probe(self, name: str) -> bool:
        """Whether the services of one lineage are asked what they serve."""
        return self.lineage(name).probe

    def publish(self, name: str) -> PublishSettings:
        """How the records of one lineage are published."""
        return self.lineage(name).publish

    def endpoint(self, name: str, host: Hostname, port: int) -> EndpointSetting | None:
        """What is set for one endpoint of one lineage; None if nothing is."""
        for setting in self.lineage(name).endpoints:
            if (setting.host, setting.port) == (host, port):
                return setting
        return None

    def key_type_notice(self, name: str, current: KeyType | None) -> str:
        """A line for `newkey` when the configured key type is not the current key's; else ""."""
        wanted = self.policy(name).key_type
        if wanted is None or wanted is current:
            return ""
        labels = (f'lineage."{name}".key_type', "key_type")
        sources = {e.name: e.source for e in self.effective}
        source = next((sources[label] for label in labels if label in sources), "default")
        now = current.value if current is not None else "of a type that certbot doesn't issue with"
        return (
            f"{name}: the new key is {wanted.value}, as {source} says; the current key is {now}. "
            'To keep its type, set key_type = "current" in danebot.toml'
        )
