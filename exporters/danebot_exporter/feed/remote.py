"""An HTTP server asked over one connection that is kept: TLS verified, no redirect followed."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Mapping

from danebot.domain.text import printable
from danebot.errors import ConfigError, DanebotError
from danebot.tuples import NamedTuple
from danebot_exporter.feed.servers import HttpServer, read_password

_PATIENCE = 30.0  # seconds for each step
_OK, _MULTIPLE = 200, 300
# In TLS, too, where it said nothing of it (RFC 8446 6.1), as one that was killed.
_HUNG_UP = (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
USUAL = 1 << 20
"""Octets, which an answer has at most, unless its caller expects more."""


class RemoteError(DanebotError):
    """The server was not reached, or did not answer as it should."""


class Answered(NamedTuple):
    """The status and the body of an answer."""

    status: int
    body: bytes

    @property
    def fine(self) -> bool:
        """Whether it is one of success."""
        return _OK <= self.status < _MULTIPLE


class _Tls(http.client.HTTPSConnection):
    """With a name of its own to verify."""

    def __init__(self, server: HttpServer, context: ssl.SSLContext) -> None:
        super().__init__(server.host, server.port, timeout=_PATIENCE)
        self._name = server.server_name or server.host
        self._tls = context

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


class Remote:
    """One server; not thread-safe."""

    def __init__(self, server: HttpServer) -> None:
        """Nothing is connected yet."""
        self.server = server
        self._connection: http.client.HTTPConnection | None = None
        self._authorization: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        most: int = USUAL,
    ) -> Answered:
        """Put one request; a kept connection that the server closed meanwhile is made anew.

        `RemoteError` says why there is no answer.
        """
        kept = self._connection is not None
        try:
            return self._ask(method, path, body, headers or {}, most)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            if not kept or not isinstance(exc, _HUNG_UP):
                raise self._error(exc) from exc
        try:
            return self._ask(method, path, body, headers or {}, most)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise self._error(exc) from exc

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], most: int
    ) -> Answered:
        if self._connection is None:
            self._connection = self._connected()
        self._connection.request(
            method, path, body, {"Accept": "application/json", **self._authorization, **headers}
        )
        response = self._connection.getresponse()
        found = response.read(most + 1)
        if len(found) > most:
            self.close()
            raise RemoteError(f"{self._name}: the answer is larger than {most} octets")
        return Answered(response.status, found)

    def _connected(self) -> http.client.HTTPConnection:
        """A connection, with the password and certificates as their files are now."""
        server = self.server
        self._authorization = {}
        if server.password_file is not None:
            login = f"{server.user}:{read_password(server.password_file)}".encode()
            self._authorization["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        if server.scheme == "http":
            return http.client.HTTPConnection(server.host, server.port, timeout=_PATIENCE)
        try:
            context = ssl.create_default_context(cafile=server.ca_file)
        except OSError as exc:  # ssl.SSLError, too
            raise ConfigError(f"{server.ca_file}: {exc.strerror or exc}") from exc
        if server.ca_file is not None:  # Icinga's own CA has no key usage, which 3.13 asks for
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return _Tls(server, context)

    @property
    def _name(self) -> str:
        return f"{self.server.scheme}://{self.server.host}:{self.server.port}"

    def _error(self, exc: Exception) -> RemoteError:
        words = getattr(exc, "verify_message", "") or getattr(exc, "strerror", None) or str(exc)
        return RemoteError(f"{self._name}: {printable(words or type(exc).__name__, 200)}")
