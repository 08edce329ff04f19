"""TLS as a probe needs it: contexts that verify nothing, the presented chain, failures in words.

Nothing is verified here on purpose: what the chain is worth is decided by DANE, from the chain.
"""

from __future__ import annotations

import functools
import ssl
import sys

from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import printable

# Senders deliver with any cipher that they share with the server, so the probe is as lax; only
# suites without certificate or without encryption stay out.
_CIPHERS = {
    Algorithm.ANY: "DEFAULT:@SECLEVEL=0",
    Algorithm.RSA: "aRSA:!eNULL:@SECLEVEL=0",
    Algorithm.ECDSA: "aECDSA:!eNULL:@SECLEVEL=0",
}


@functools.cache
def client_context(algorithm: Algorithm) -> ssl.SSLContext:
    """A context for probing: TLS 1.2 or later, and no trust store to load (40 ms).

    Which certificate of a server with two is presented can be chosen by the cipher suites of TLS
    1.2 alone; from 1.3 on they don't name the key type any more (RFC 8446 section 1.2).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if algorithm is not Algorithm.ANY:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS[algorithm])
    return context


def presented_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """All certificates that the server presented, in DER and in its order."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_unverified_chain())
    # Private, and the only way before 3.13: objects whose public_bytes(2) is DER.
    certificates = tls._sslobj.get_unverified_chain()  # type: ignore[attr-defined] # noqa: SLF001
    return tuple(certificate.public_bytes(2) for certificate in certificates or ())


_OLD = "the server's TLS versions are all older than 1.2"
_REASONS = {
    "EXCESSIVE_MESSAGE_SIZE": "a message over OpenSSL's limit (100 KiB of certificates)",
    "UNSUPPORTED_PROTOCOL": _OLD,
    "WRONG_VERSION_NUMBER": "the answer is not TLS",
    "HTTP_REQUEST": "the answer is not TLS",
}


def explain(error: ssl.SSLError, algorithm: Algorithm) -> str:
    """Why a handshake failed, in printable words."""
    reason = error.reason or ""
    asked = algorithm.value.upper()
    if reason.endswith("ALERT_PROTOCOL_VERSION"):
        if algorithm is Algorithm.ANY:
            return "alert: no TLS version in common (1.2 and 1.3 were offered)"
        return f"alert: the server has no TLS 1.2, so its {asked} certificate can't be asked for"
    if reason.endswith("ALERT_HANDSHAKE_FAILURE") and algorithm is not Algorithm.ANY:
        return f"alert: handshake failure; the server may have no {asked} certificate"
    words = reason.removeprefix("SSLV3_").removeprefix("TLSV1_").removeprefix("TLSV13_")
    if words.startswith("ALERT_") or reason == "TLSV1_UNRECOGNIZED_NAME":
        return "alert: " + words.removeprefix("ALERT_").replace("_", " ").lower()
    return _REASONS.get(reason) or printable(words.replace("_", " ").lower() or str(error))
