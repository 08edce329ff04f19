"""The settings as values, with danebot's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from danebot.domain.keytype import KeyType
from danebot.domain.names import Hostname, Protocol
from danebot.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An IPv4 or IPv6 literal, in `ipaddress`'s normal form; ``port`` None means the usual one."""

    address: str
    port: int | None = None

    def __str__(self) -> str:
        if self.port is None:
            return self.address
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EndpointSetting:
    """How to reach the service at ``host`` and ``port`` for a probe.

    ``connect`` is where to connect instead of the host's addresses, () for those; an address
    without a port takes the endpoint's.  ``protocol`` None means what is usual at the port.
    """

    host: Hostname
    port: int
    connect: tuple[SocketAddress, ...] = ()
    protocol: Protocol | None = None


@dataclass(frozen=True, slots=True)
class ComboAccess:
    """Who may read ``combo.pem``: its mode, and its group's id where it is not root's."""

    mode: int = 0o600
    group: int | None = None


@dataclass(frozen=True, slots=True)
class LineageSettings:
    """What can be set for each lineage.

    ``hooks`` are shell command lines, run after certbot's own hooks; a lineage's follow those of
    all.  ``endpoints`` has each endpoint at most once.
    """

    policy: Policy = field(default_factory=Policy)
    hooks: tuple[str, ...] = ()
    probe: bool = True
    endpoints: tuple[EndpointSetting, ...] = ()


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting in force, printable: name and value as one would write them in ``danebot.toml``.

    ``source`` is the file and line that it comes from, or "default".
    """

    name: str
    value: str
    source: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}  ({self.source})"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the operator has decided.

    ``certbot`` None means to look on PATH; ``resolvers`` None means those of ``resolv.conf``;
    ``textfile`` None means that no metrics are written for node_exporter.
    ``ca_file`` None means OpenSSL's default trust store, which honours SSL_CERT_FILE.
    ``environment`` goes to certbot and hooks in addition.  ``notices`` are printable lines about
    what deserves a look but stops nothing.
    """

    tree: Path = Path("/etc/letsencrypt")
    certbot: Path | None = None
    certbot_timeout: timedelta = timedelta(minutes=10)
    lock_wait: timedelta = timedelta(minutes=2)
    snapshot: Path = Path("/var/lib/danebot/status.json")
    textfile: Path | None = None
    resolvers: tuple[SocketAddress, ...] | None = None
    trust_resolver: bool = False
    ca_file: Path | None = None
    combo_access: ComboAccess = field(default_factory=ComboAccess)
    run_certbot_hooks: bool = True
    hook_timeout: timedelta = timedelta(minutes=5)
    common: LineageSettings = field(default_factory=LineageSettings)
    lineages: Mapping[str, LineageSettings] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
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
