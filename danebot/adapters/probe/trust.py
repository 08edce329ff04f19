"""Whether clients will take a chain: a TLS handshake with OpenSSL, in memory.

It proves what services are about to do: that OpenSSL loads this key with this chain, signs with
it, and that the chain verifies to the trust store at this moment.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.regular import require_regular

if TYPE_CHECKING:
    import ssl

_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_LARGEST = 16 * 1024 * 1024  # octets of a trust store; Debian's has 220 KiB
_FLIGHTS = 8  # a handshake takes three; more means that something is wrong


def distrust(key: Path, fullchain: Path, ca_file: Path | None) -> str:
    """Why the pair can't be served or isn't trusted, in words; "" if all is well.

    Without ``ca_file`` the trust store is OpenSSL's default, which honours SSL_CERT_FILE.  Names
    are not checked here.
    """
    import ssl

    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(fullchain, key)
    except (OSError, ValueError) as exc:
        return f"OpenSSL can't load {fullchain} with {key}: {_words(exc)}"
    try:
        client = _verifier(ca_file)
    except OSError as exc:
        return _unreadable(ca_file, exc)
    return _handshake(client, server)


def store_trouble(ca_file: Path) -> str:
    """Why a file can't be the trust store, in words; "" if it can."""
    try:
        _verifier(ca_file)
    except OSError as exc:
        return _unreadable(ca_file, exc)
    return ""


def _verifier(ca_file: Path | None) -> ssl.SSLContext:
    """A client that asks for no name; raises `OSError`, of which `ssl.SSLError` is one."""
    import ssl

    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    if ca_file is None:
        client.set_default_verify_paths()
    else:
        require_regular(ca_file, _LARGEST)
        client.load_verify_locations(ca_file)
    return client


def _unreadable(ca_file: Path | None, exc: OSError) -> str:
    return f"the trust store {ca_file} can't be read: {_words(exc)}"


def trust_anchors(ca_file: Path | None) -> tuple[bytes, ...] | None:
    """The certificates of the trust store in DER; None if it can't be read.

    Without ``ca_file`` it is OpenSSL's default, which honours SSL_CERT_FILE, or the bundle where
    distributions keep it.
    """
    import ssl

    default = ssl.get_default_verify_paths().cafile or _BUNDLES[0]
    for path in [ca_file] if ca_file else map(Path, (default, *_BUNDLES)):
        try:
            return _certificates(path, _seen(path))
        except OSError:
            continue
    return None


@functools.lru_cache(4)
def _certificates(path: Path, seen: tuple[int, ...]) -> tuple[bytes, ...]:
    """Read once for each change of the file, which takes 40 ms."""
    del seen
    return tuple(_verifier(path).get_ca_certs(binary_form=True))


def _seen(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str:
    import ssl

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_FLIGHTS):
        waiting = 0
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
            except ssl.SSLCertVerificationError as exc:
                return f"certificate verification: {exc.verify_message}"
            except ssl.SSLError as exc:
                return f"TLS handshake: {_words(exc)}"
        if not waiting:
            return ""
    return "TLS handshake did not end"


def _words(exc: Exception) -> str:
    reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None)
    return str(reason or exc).replace("_", " ").lower()
