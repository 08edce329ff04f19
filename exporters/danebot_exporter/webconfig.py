"""The file of ``--web.config.file``, in the format of Prometheus' exporter toolkit.

https://prometheus.io/docs/prometheus/latest/configuration/https/

What this exporter can't do is refused, never passed over: a setting about security that has no
effect is worse than none.  The file, and what it names, are looked at again for every connection,
so a renewed certificate is served without a restart.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from danebot.adapters.status_file import FileSignature, signature
from danebot.domain.names import printable
from danebot.errors import ConfigError
from danebot.regular import NotRegularError, OversizeError, read_regular, require_regular
from danebot_exporter.passwords import Passwords

if TYPE_CHECKING:
    import ssl

    from danebot_exporter.passwords import Admission

_LARGEST = 16 * 1024 * 1024  # octets; files of certificate authorities are a few hundred KiB
_VERSIONS = {"TLS12": "TLSv1_2", "TLS13": "TLSv1_3"}
_CLIENTS = {
    "NoClientCert": "CERT_NONE",
    "VerifyClientCertIfGiven": "CERT_OPTIONAL",
    "RequireAndVerifyClientCert": "CERT_REQUIRED",
}
_TLS = {"cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version"}
_EXTRA = "pip install 'danebot[web]', or apt install python3-yaml python3-bcrypt"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The TLS side; ``minimum`` and ``maximum`` are names in `ssl.TLSVersion`."""

    cert: Path
    key: Path
    clients: str = "CERT_NONE"
    client_ca: Path | None = None
    minimum: str = "TLSv1_2"
    maximum: str = "TLSv1_3"

    def context(self) -> ssl.SSLContext:
        """A server's context, or `ConfigError`."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion[self.minimum]
        context.maximum_version = ssl.TLSVersion[self.maximum]
        try:
            for file in filter(None, (self.cert, self.key, self.client_ca)):
                _require(file)
            context.load_cert_chain(self.cert, self.key, self._passphrase)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            raise ConfigError(f"{self.cert}, {self.key}: {printable(str(exc))}") from exc
        context.verify_mode = ssl.VerifyMode[self.clients]
        return context

    def _passphrase(self) -> str:
        """Raise `ConfigError`: OpenSSL would ask on a terminal."""
        raise ConfigError(f"{self.key}: the key has a passphrase; store it without one")


@dataclass(frozen=True, slots=True)
class WebConfig:
    """What the file says.  ``users`` are bcrypt hashes by name; empty means that all may read."""

    tls: TlsFiles | None = None
    users: Mapping[str, bytes] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def load_web_config(path: Path) -> WebConfig:
    """Read the file, or raise `ConfigError`; relative paths in it start at its directory."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as exc:
        raise ConfigError(f"--web.config.file needs PyYAML: {_EXTRA}") from exc
    try:
        content = yaml.safe_load(read_regular(path, _LARGEST))
    except (NotRegularError, OversizeError) as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        words = " ".join(printable(str(exc), 300).split("\\n"))
        raise ConfigError(f"{path}: {' '.join(words.split())}") from exc
    top = _table(path, "the file", content)
    _only(path, "", top, {"tls_server_config", "http_server_config", "basic_auth_users"})
    return WebConfig(
        _tls(path, top.get("tls_server_config")),
        _users(path, top.get("basic_auth_users")),
        _headers(path, top.get("http_server_config")),
    )


def _require(path: Path) -> None:
    """Raise `ConfigError` for what would be waited for, or never ends."""
    try:
        require_regular(path, _LARGEST)
    except (NotRegularError, OversizeError) as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc


def _table(path: Path, what: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{path}: {what} must be a mapping")
    return value


def _only(path: Path, where: str, table: Mapping[str, object], known: set[str]) -> None:
    for key in table:
        if key not in known:
            name = printable(f"{where}{key}", 80)
            raise ConfigError(f"{path}: {name} isn't supported; take it out")


def _text(path: Path, table: Mapping[str, object], key: str, usual: str) -> str:
    value = table.get(key, usual)
    if not isinstance(value, str):
        raise ConfigError(f"{path}: {key} must be a string")
    return value


def _tls(path: Path, value: object) -> TlsFiles | None:
    table = _table(path, "tls_server_config", value)
    if not table:
        return None
    _only(path, "tls_server_config.", table, _TLS)
    files = [_text(path, table, key, "") for key in ("cert_file", "key_file", "client_ca_file")]
    if not files[0] or not files[1]:
        raise ConfigError(f"{path}: tls_server_config needs cert_file and key_file")
    clients = _text(path, table, "client_auth_type", "NoClientCert")
    versions = [_text(path, table, key, usual) for key, usual in _RANGE]
    if clients not in _CLIENTS:
        raise ConfigError(f"{path}: client_auth_type must be one of {', '.join(_CLIENTS)}")
    if (clients == "NoClientCert") != (not files[2]):
        raise ConfigError(f"{path}: client_ca_file goes with a client_auth_type that verifies")
    if not set(versions) <= set(_VERSIONS):
        raise ConfigError(f"{path}: min_version and max_version must be TLS12 or TLS13")
    here = path.parent
    return TlsFiles(
        here / files[0],
        here / files[1],
        _CLIENTS[clients],
        here / files[2] if files[2] else None,
        *(_VERSIONS[version] for version in versions),
    )


_RANGE = (("min_version", "TLS12"), ("max_version", "TLS13"))


def _users(path: Path, value: object) -> Mapping[str, bytes]:
    table = _table(path, "basic_auth_users", value)
    if not table:
        return {}
    try:
        import bcrypt
    except ImportError as exc:
        raise ConfigError(f"basic_auth_users in {path} needs bcrypt: {_EXTRA}") from exc
    users = {}
    for name, text in table.items():
        try:
            users[name] = text.encode()
            bcrypt.checkpw(b"", users[name])
        except (AttributeError, ValueError) as exc:
            who = printable(name, 80)
            raise ConfigError(f"{path}: the password of {who} isn't a bcrypt hash") from exc
    return users


def _headers(path: Path, value: object) -> Mapping[str, str]:
    table = _table(path, "http_server_config", value)
    _only(path, "http_server_config.", table, {"headers", "http2"})
    if table.get("http2") is True:
        raise ConfigError(f"{path}: http2 isn't supported; set it to false or take it out")
    headers = _table(path, "http_server_config.headers", table.get("headers"))
    for name, text in headers.items():
        fine = isinstance(text, str) and (name + text).isprintable() and (name + text).isascii()
        if not fine or ":" in name:
            raise ConfigError(f"{path}: the header {printable(name, 80)} can't be sent")
    return headers


class Gate:
    """Who may connect and read: the file as it is now.

    A file that was fine at the start and is broken later changes nothing, but `refresh` says it.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file, or raise `ConfigError`; without one everybody may read."""
        self._path = path
        self._lock = threading.Lock()
        self._seen: dict[Path, FileSignature | None] = {}
        self.config = WebConfig()
        self.passwords = Passwords({})
        self._context: ssl.SSLContext | None = None
        if path is not None:
            self._load(path)

    def _load(self, path: Path) -> None:
        """Take in the files, or raise `ConfigError`.

        Each is looked at before it is read: what changes meanwhile is noticed the next time.  The
        files of a configuration that fails are watched, too: they may come later.
        """
        self._seen[path] = signature(path)
        config = load_web_config(path)
        tls = config.tls
        self._seen = {path: self._seen[path]}
        if tls is not None:
            files = (tls.cert, tls.key, tls.client_ca)
            self._seen |= {file: signature(file) for file in files if file is not None}
        context = tls.context() if tls is not None else None
        if config.users != self.config.users:
            self.passwords = Passwords(config.users)
        self.config, self._context = config, context

    def refresh(self) -> str:
        """Take in changes of the files; what is wrong with them, "" if nothing."""
        if self._path is None:
            return ""
        with self._lock:
            if all(signature(path) == seen for path, seen in self._seen.items()):
                return ""
            try:
                self._load(self._path)
            except ConfigError as exc:
                return f"{exc}; what was read before stays in force"
            return ""

    @property
    def context(self) -> ssl.SSLContext | None:
        """For the next connection; None without TLS."""
        return self._context

    def admits(self, authorization: str | None, peer: str) -> Admission:
        """Judge an ``Authorization`` header that ``peer`` sent."""
        return self.passwords.admits(authorization, peer)
