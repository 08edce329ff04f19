"""A check asked for at the URL of a danebot-exporter: one POST, by the rules of HTTP/1.0."""

from __future__ import annotations

import _socket
import os

from danebot_checks.via_answer import NoAnswer, left, received

TYPE_CHECKING = False  # typing costs a millisecond
if TYPE_CHECKING:
    import ssl
    from typing import Any

_PORTS = {"http": 80, "https": 443}
_OK = 200
_CODE = 3  # digits of a status (RFC 9112 section 4)
_LARGEST = 4096  # octets of a file with a password
_OTHERS = 0o027  # as the exporter has it: its group may read it, no other
_KIND, _REGULAR = 0o170000, 0o100000
_WORDS = {
    401: "it wants a name and a password; put them into a file for --via-login",
    404: "there is no /check; is that danebot-exporter?",
}


def post(url: str, body: bytes, login: str | None, ca_file: str | None, until: float) -> bytes:
    """Return the body of the response; `NoAnswer`, or `TimeoutError` after ``until``."""
    scheme, host, port, path = _parts(url)
    head = [
        f"POST {path} HTTP/1.0",
        f"Host: {f'[{host}]' if ':' in host else host}:{port}",
        "Content-Type: application/x-danebot-check",
        f"Content-Length: {len(body)}",
    ]
    if login is not None:
        if scheme != "https" and not _is_here(host):
            raise NoAnswer("--via-login goes to https:// alone, or anybody could read the password")
        head.append(f"Authorization: Basic {_credentials(login)}")
    request = "\r\n".join([*head, "", ""]).encode() + body
    sock: _socket.socket | None = None
    try:
        sock = _connected(host, port, until)
        if scheme == "https":
            sock = _secured(sock, host, ca_file, until)
        try:
            sock.settimeout(left(until))
            sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has said why it reads no more
        response = received(sock, until)
    except TimeoutError:
        raise
    except ConnectionRefusedError:
        raise NoAnswer("connection refused; start danebot-exporter there") from None
    except OSError as exc:
        raise NoAnswer(f"{exc.strerror or exc}; correct --via, or see its log") from None
    finally:
        if sock is not None:
            sock.close()
    return _content(response)


def _content(response: bytes) -> bytes:
    head, blank, content = response.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ")
    if not response:
        return b""
    digits = b"".join(words[1:2])
    fine = len(digits) == _CODE and digits.isdigit()
    if not blank or not words[0].startswith(b"HTTP/1.") or not fine:
        raise NoAnswer("that is no answer of a danebot-exporter; correct --via")
    status = int(digits)
    if status != _OK:
        said = content.split(b"\n", 1)[0].decode("ascii", "replace")[:200]
        raise NoAnswer(_WORDS.get(status) or f"it refuses ({status}): {said}")
    return content


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of a URL, or `NoAnswer`."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    host, colon, digits = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, digits = place, ""
    digits = digits or str(_PORTS.get(scheme, 0))
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    fine = url.isascii() and url.isprintable() and " " not in url and "@" not in url
    port = int(digits[:6]) if fine and digits.isdigit() else 0
    if not fine or scheme not in _PORTS or not host or not 0 < port < 1 << 16:
        raise NoAnswer("want http(s)://HOST:PORT; a name and password go into --via-login")
    return scheme, host, port, "/" + (path if slash and path else "check")


def _credentials(file: str) -> str:
    from binascii import b2a_base64

    try:
        words = _private(file).split(b"\n", 1)[0].strip()
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise NoAnswer(f"--via-login {file}: {why}; want a line NAME:PASSWORD") from None
    if b":" not in words:
        raise NoAnswer(f"--via-login {file}: want a line NAME:PASSWORD")
    return b2a_base64(words, newline=False).decode()


def _private(file: str) -> bytes:
    """What is in a file that no other user may read or change."""
    opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(opened).st_mode
        if mode & _KIND != _REGULAR:
            raise ValueError("not a regular file")
        if mode & _OTHERS:
            raise NoAnswer(f"--via-login {file}: others may read it; chmod 0600")
        return os.read(opened, _LARGEST)
    finally:
        os.close(opened)


def _is_here(host: str) -> bool:
    """Whether what is sent there does not leave this host; 127.0.0.1.1 is a name in DNS."""
    try:
        _socket.inet_pton(_socket.AF_INET, host)
    except OSError:
        return host in ("localhost", "::1")
    return host.startswith("127.")


def _connected(host: str, port: int, until: float) -> _socket.socket:
    trouble = OSError("no address")
    for family, kind, number, _, where in _addresses(host, port, until):
        sock = None
        try:
            sock = _socket.socket(family, kind, number)
            sock.settimeout(left(until))
            sock.connect(where)
        except OSError as exc:
            if sock is not None:
                sock.close()
            trouble = exc
        else:
            return sock
    raise trouble


def _addresses(host: str, port: int, until: float) -> list[tuple[Any, ...]]:
    """Ask in a thread: the C library can't be told how long."""
    import _thread

    found: list[list[tuple[Any, ...]] | OSError] = []
    done = _thread.allocate_lock()
    done.acquire()

    def look() -> None:
        try:  # octets: text would have Python load its tables of names
            found.append(_socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM))
        except OSError as exc:
            found.append(exc)
        done.release()

    _thread.start_new_thread(look, ())
    if not done.acquire(timeout=left(until)):
        raise TimeoutError
    answer = found[0]
    if isinstance(answer, OSError):
        raise answer
    return answer


def _secured(raw: _socket.socket, host: str, ca_file: str | None, until: float) -> ssl.SSLSocket:
    import socket
    import ssl

    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise NoAnswer(f"--via-ca {ca_file}: {why}; want certificates in PEM") from None
    if ca_file is not None:  # a site's own may lack the key usage that Python 3.13 asks for
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    plain = socket.socket(fileno=raw.detach())
    plain.settimeout(left(until))
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as exc:
        words = f"its certificate is refused: {exc.verify_message}; see --via-ca"
        raise NoAnswer(words) from None
