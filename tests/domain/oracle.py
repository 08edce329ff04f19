"""What OpenSSL itself decides: libssl's own DANE verification, called in this process.

The calls are those of a TLS client's certificate verification (ssl_verify_cert_chain) with
Postfix's settings: purpose "ssl_server", no partial wildcards, no names with DANE-EE, security
level 0; but at a time of the caller's choice and without a handshake.  test_dane_handshake.py
shows that real handshakes decide the same.
"""

# ruff: noqa: ANN401 - ctypes takes anything

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from danebot.domain.dns.tlsa import TlsaRecord

_NO_PARTIAL_WILDCARDS = 0x4
_NO_DANE_EE_NAMECHECKS = 1
_POINTERS = (
    "TLS_client_method",
    "SSL_CTX_new",
    "SSL_new",
    "SSL_get0_dane",
    "d2i_X509",
    "OPENSSL_sk_new_null",
    "X509_STORE_new",
    "X509_STORE_CTX_new",
    "X509_STORE_CTX_get0_param",
    "X509_verify_cert_error_string",
    "X509_get0_pubkey",
    "X509_STORE_CTX_get0_chain",
    "OPENSSL_sk_value",
)


@dataclass(frozen=True)
class Decision:
    """Whether the server is authenticated, OpenSSL's error in words, and at which depth.

    ``usable`` counts the records that OpenSSL took; None for ``authenticated`` means none of them.
    ``path`` is what it climbed in the end, in DER, leaf first; () for raw keys.
    """

    authenticated: bool | None
    error: str
    depth: int
    usable: int
    path: tuple[bytes, ...] = ()


_Outcome = tuple[bool, str, tuple[bytes, ...]]
"""Whether it verifies, the error in words, and the path in DER."""


@functools.cache
def _library() -> Any:
    path = ctypes.util.find_library("ssl")
    assert path, "OpenSSL's libssl is needed as the oracle: install it (Debian: libssl3)"
    library = ctypes.CDLL(path)
    for function in _POINTERS:
        getattr(library, function).restype = ctypes.c_void_p
    return library


def _call(function: str, *arguments: Any) -> Any:
    """Call with every integer argument widened, so that pointers survive."""
    wide = [ctypes.c_void_p(one) if isinstance(one, int) else one for one in arguments]
    return getattr(_library(), function)(*wide)


def _certificate(der: bytes) -> Any:
    position = ctypes.c_char_p(der)
    return _call("d2i_X509", None, ctypes.byref(position), ctypes.c_long(len(der)))


def decide(
    records: Sequence[TlsaRecord],
    chain: Sequence[bytes],
    names: Sequence[str],
    now: datetime,
    *,
    store: Sequence[bytes] = (),
    level: int = 0,
) -> Decision:
    """Verify ``chain`` (DER, leaf first) by ``records`` with OpenSSL."""

    def verify(connection: int) -> _Outcome:
        return _verify(connection, chain, names, now, store=store, level=level)

    return _decide(records, names[0], verify)


def without_raw_keys() -> str:
    """Why this OpenSSL can't judge raw public keys; "" if it can."""
    if hasattr(_library(), "X509_STORE_CTX_init_rpk"):
        return ""
    return "OpenSSL knows raw public keys (RFC 7250) from 3.2 on; this one is older"


def decide_raw_key(
    records: Sequence[TlsaRecord], leaf: bytes, name: str, now: datetime
) -> Decision:
    """Verify the bare key of ``leaf`` (DER) by ``records``, as if a server had sent no more."""

    def verify(connection: int) -> _Outcome:
        return _verify_raw_key(connection, leaf, now)

    return _decide(records, name, verify)


def _decide(
    records: Sequence[TlsaRecord], name: str, verify: Callable[[int], _Outcome]
) -> Decision:
    _call("ERR_clear_error")
    context = _call("SSL_CTX_new", _call("TLS_client_method"))
    assert _call("SSL_CTX_dane_enable", context) == 1
    connection = _call("SSL_new", context)
    assert _call("SSL_dane_enable", connection, name.encode()) > 0
    _library().SSL_dane_set_flags.restype = ctypes.c_ulong
    _call("SSL_dane_set_flags", connection, ctypes.c_ulong(_NO_DANE_EE_NAMECHECKS))
    usable = sum(
        _call(
            "SSL_dane_tlsa_add",
            connection,
            ctypes.c_uint8(record.usage),
            ctypes.c_uint8(record.selector),
            ctypes.c_uint8(record.mtype),
            record.data,
            ctypes.c_size_t(len(record.data)),
        )
        > 0
        for record in records
    )
    try:
        if not usable:
            return Decision(None, "no usable TLSA records", -1, 0)
        good, error, path = verify(connection)
        depth = _call("SSL_get0_dane_authority", connection, None, None) if good else -1
        return Decision(good, error, depth, usable, path)
    finally:
        _call("SSL_free", connection)
        _call("SSL_CTX_free", context)


def _verify(
    connection: int,
    chain: Sequence[bytes],
    names: Sequence[str],
    now: datetime,
    *,
    store: Sequence[bytes],
    level: int,
) -> _Outcome:
    """Whether OpenSSL verifies the chain, its error in words, and the path."""
    certificates = [_certificate(der) for der in chain]
    assert all(certificates), "OpenSSL can't parse a certificate of the chain"
    stack = _call("OPENSSL_sk_new_null")
    for certificate in certificates:
        _call("OPENSSL_sk_push", stack, certificate)
    trusted = _call("X509_STORE_new")
    for der in store:
        anchor = _certificate(der)
        assert _call("X509_STORE_add_cert", trusted, anchor) == 1
        _call("X509_free", anchor)
    context = _call("X509_STORE_CTX_new")
    assert _call("X509_STORE_CTX_init", context, trusted, certificates[0], stack) == 1
    _call("X509_STORE_CTX_set0_dane", context, _call("SSL_get0_dane", connection))
    assert _call("X509_STORE_CTX_set_default", context, b"ssl_server") == 1
    parameters = _call("X509_STORE_CTX_get0_param", context)
    for name in names:
        text = name.encode()
        _call("X509_VERIFY_PARAM_add1_host", parameters, text, ctypes.c_size_t(len(text)))
    _call("X509_VERIFY_PARAM_set_hostflags", parameters, ctypes.c_uint(_NO_PARTIAL_WILDCARDS))
    _call("X509_VERIFY_PARAM_set_auth_level", parameters, ctypes.c_int(level))
    _call("X509_VERIFY_PARAM_set_time", parameters, ctypes.c_long(int(now.timestamp())))
    found = _outcome(context)
    _call("X509_STORE_CTX_free", context)
    _call("X509_STORE_free", trusted)
    for certificate in certificates:
        _call("X509_free", certificate)
    _call("OPENSSL_sk_free", stack)
    return found


def _verify_raw_key(connection: int, leaf: bytes, now: datetime) -> _Outcome:
    certificate = _certificate(leaf)
    assert certificate, "OpenSSL can't parse the certificate"
    trusted = _call("X509_STORE_new")
    context = _call("X509_STORE_CTX_new")
    key = _call("X509_get0_pubkey", certificate)
    assert _call("X509_STORE_CTX_init_rpk", context, trusted, key) == 1
    _call("X509_STORE_CTX_set0_dane", context, _call("SSL_get0_dane", connection))
    assert _call("X509_STORE_CTX_set_default", context, b"ssl_server") == 1
    parameters = _call("X509_STORE_CTX_get0_param", context)
    _call("X509_VERIFY_PARAM_set_auth_level", parameters, ctypes.c_int(0))
    _call("X509_VERIFY_PARAM_set_time", parameters, ctypes.c_long(int(now.timestamp())))
    found = _outcome(context)
    _call("X509_STORE_CTX_free", context)
    _call("X509_STORE_free", trusted)
    _call("X509_free", certificate)
    return found


def _outcome(context: int) -> _Outcome:
    """Whether it verifies, OpenSSL's error in words, and the path."""
    good = _call("X509_verify_cert", context) == 1
    error = _call("X509_STORE_CTX_get_error", context)
    words = ctypes.cast(
        _call("X509_verify_cert_error_string", ctypes.c_long(error)), ctypes.c_char_p
    ).value
    return good, (words or b"").decode(), _path(context)


def _path(context: int) -> tuple[bytes, ...]:
    stack = _call("X509_STORE_CTX_get0_chain", context)
    if not stack:
        return ()
    found = (_call("OPENSSL_sk_value", stack, n) for n in range(_call("OPENSSL_sk_num", stack)))
    return tuple(_der(one) for one in found if one)


def _der(certificate: int) -> bytes:
    length = _call("i2d_X509", certificate, None)
    space = ctypes.create_string_buffer(length)
    end = ctypes.c_void_p(ctypes.addressof(space))
    _call("i2d_X509", certificate, ctypes.byref(end))
    return space.raw
