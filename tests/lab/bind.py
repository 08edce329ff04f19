"""BIND: authoritative with views, signing by dnssec-policy; and as a validating resolver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.nameservers import run
from lab.net import LabError


@dataclass(frozen=True)
class Zone:
    """A zone of an authoritative BIND; ``policy`` names a dnssec-policy, None: unsigned."""

    name: str
    text: str
    policy: str | None = "plain"
    inline: bool = False


@dataclass(frozen=True)
class Bind:
    """One named: where it works, where it listens, and the port of rndc on 127.0.0.1."""

    directory: Path
    listen: Sequence[str]
    control_port: int
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def conf(self) -> Path:
        """named's configuration."""
        return self.directory / "named.conf"

    @property
    def argv(self) -> list[str | Path]:
        """The command that starts it in the foreground."""
        return ["named", "-f", "-n", "1", "-U", "1", "-c", self.conf]

    def rndc(self, *command: str) -> str:
        """Control it; what rndc printed."""
        return run("rndc", "-c", self.directory / "rndc.conf", *command)

    def write(self, options: str, rest: str) -> None:
        """Write the configuration: what goes into ``options``, and what comes after it."""
        (self.directory / "keys").mkdir(parents=True, exist_ok=True)
        keys = "".join(
            f'key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
            for name, secret in self.secrets.items()
        )
        port = self.control_port
        conf = _CONF.format(
            port=port,
            options=options,
            directory=self.directory,
            lock=_UNLOCKED if run("named", "-v").startswith("BIND 9.18.") else "",
            v4="".join(f"{one}; " for one in self.listen if ":" not in one),
            v6="".join(f"{one}; " for one in self.listen if ":" in one) or "none; ",
        )
        self._secret_file(self.conf, keys + conf + rest)
        self._secret_file(self.directory / "rndc.conf", keys + _RNDC.format(port=port))

    def write_zone(self, zone: Zone, view: str = "") -> str:
        """Write a zone's file; its clause of the configuration."""
        path = self.directory / f"{view}{zone.name}zone"
        path.write_text(f"$ORIGIN {zone.name}\n{zone.text}", encoding="ascii")
        signing = f"dnssec-policy {zone.policy};" if zone.policy else "dnssec-policy none;"
        inline = "yes" if zone.inline else "no"
        return (
            f'zone "{zone.name}" {{ type primary; file "{path}"; {signing} '
            f"inline-signing {inline}; }};\n"
        )

    def delegation_signer(self, zone: Zone) -> str:
        """Make the key of a zone, as its policy wants it; its DS record."""
        keys = self.directory / "keys"
        policy = ("-k", str(zone.policy), "-l", self.conf)
        name = run("dnssec-keygen", "-q", *policy, "-K", keys, zone.name).strip()
        found = run("dnssec-dsfromkey", "-2", keys / f"{name}.key").strip()
        if not found:
            raise LabError(f"no DS for {zone.name}")
        return found

    @staticmethod
    def _secret_file(path: Path, text: str) -> None:
        path.touch(0o600)
        path.write_text(text, encoding="ascii")


_RNDC = """\
options {{ default-key "lab."; default-server 127.0.0.1; default-port {port}; }};
"""

_UNLOCKED = "lock-file none;"  # several on one host; 9.20 has neither the file nor the option

_CONF = """\
controls {{ inet 127.0.0.1 port {port} allow {{ 127.0.0.1; }} keys {{ "lab."; }}; }};
logging {{
    channel log {{ stderr; severity info; print-time yes; print-category yes; }};
    category default {{ log; }};
}};
dnssec-policy "plain" {{
    keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }};
    max-zone-ttl 0;
}};
dnssec-policy "optout" {{
    keys {{ csk lifetime unlimited algorithm ecdsap256sha256; }};
    nsec3param iterations 0 optout yes salt-length 0;
    max-zone-ttl 0;
}};
options {{
    directory "{directory}";
    key-directory "{directory}/keys";
    pid-file none;
    session-keyfile none;
    {lock}
    managed-keys-directory "{directory}";
    max-cache-size 32M;
    listen-on {{ {v4}}};
    listen-on-v6 {{ {v6}}};
    {options}
}};
"""
