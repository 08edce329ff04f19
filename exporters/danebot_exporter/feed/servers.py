"""HTTP servers as settings name them, and the passwords for them."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from danebot.config import values
from danebot.domain.text import quoted
from danebot.errors import ConfigError
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.config.table import Table

_OTHERS = 0o027  # whoever is no owner: its group may read, but not write


class Login(enum.Enum):
    """Whether a server wants a name and a password."""

    REQUIRED = "required"
    OPTIONAL = "optional"


class HttpServer(NamedTuple):
    """An HTTP server.  ``path`` begins with a slash; without ``ca_file``, OpenSSL's store counts.

    ``server_name`` is the name in its certificate where that isn't ``host``.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    server_name: str = ""


def read_server(table: Table, port: int | None, login: Login) -> HttpServer:
    """Where to ask; a password only goes over TLS."""
    usual = HttpServer("https", "", port or 443)
    server = table.take("url", lambda value: _url(value, port), usual)
    user = table.take("user", _user, "")
    password_file = table.take("password_file", _secret_file, None)
    ca_file = table.take("ca_file", _readable, None)
    name = table.take("server_name", values.text, "")
    if not server.host and "url" not in table.content:
        table.problem("url", 'is missing; write "https://icinga.example.org:5665"')
    if (login is Login.REQUIRED or user) and not (user and password_file):
        missing = "user" if not user else "password_file"
        if missing not in table.content:
            table.problem(missing, "is missing; user and password_file go together")
    if server.scheme != "https" and (user or login is Login.REQUIRED):
        table.problem("url", "must begin with https://, or anybody could read the password")
    return server._replace(
        user=user, password_file=password_file, ca_file=ca_file, server_name=name
    )


def _url(value: object, port: int | None) -> HttpServer:
    words = values.text(value)
    fine = words.isascii() and words.isprintable() and " " not in words
    parts = urlsplit(words if fine else "")
    if not fine or "@" in (parts.netloc or words):  # a password is never shown
        raise ConfigError("must not have a user, blanks, or anything beyond ASCII in it")
    try:
        number = parts.port
    except ValueError:
        number = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or number == -1:
        raise ConfigError(f"must be http://HOST:PORT/ or https://HOST:PORT/, {values.found(value)}")
    usual = port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return HttpServer(parts.scheme, parts.hostname, number or usual, path)


def _user(value: object) -> str:
    words = values.text(value)
    if ":" in words or not words.isprintable():
        raise ConfigError("must not have a colon or a control character in it (RFC 7617)")
    return words


def _secret_file(value: object) -> Path:
    path = values.path(value)
    read_password(path)
    return path


def _readable(value: object) -> Path:
    path = values.path(value)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return path


def read_password(path: Path) -> str:
    """The password in a file, without the line's end; `ConfigError` where others may read it."""

    def allow(found: os.stat_result) -> None:
        if found.st_mode & _OTHERS:
            raise ConfigError(f"{path}: others may read it; chmod 0600 {quoted(str(path))}")

    try:
        words = read_regular(path, 1024, allow).decode().rstrip("\r\n")
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not UTF-8 text") from exc
    if not words or not words.isprintable():
        raise ConfigError(f"{path}: no password in it")
    return words
