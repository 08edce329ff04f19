"""What a service presents when TLS is started on a connection, as values."""

from __future__ import annotations

import enum

from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint
from danebot.tuples import NamedTuple


class ProbeOutcome(enum.Enum):
    """How a probe ended; the value is in words."""

    SERVED = "served"
    NO_ADDRESS = "no address"
    UNREACHABLE = "cannot connect"
    NO_ROUTE = "no route from here"  # may say more of this host than of the service
    SHORTAGE = "this host could not ask"  # for want of descriptors, memory or leave
    TIMEOUT = "timed out"
    CUT_SHORT = "no answer before our own limit"  # senders may wait longer: RFC 5321 4.5.3.2
    NO_STARTTLS = "STARTTLS not offered"
    REFUSED = "service refused the session"
    PROTOCOL_ERROR = "protocol violated"
    INJECTED = "data after the STARTTLS answer"
    TLS_FAILED = "TLS handshake failed"


class ProbeResult(NamedTuple):
    """One probe of one address.

    ``chain`` is the presented chain in DER, leaf first, empty unless the outcome is SERVED.
    ``address`` is an IPv4 or IPv6 literal, "" where none is known.  ``tls_version`` is OpenSSL's
    word ("TLSv1.3").  ``detail`` is printable text for people.
    """

    endpoint: Endpoint
    address: str
    outcome: ProbeOutcome
    algorithm: Algorithm = Algorithm.ANY
    chain: tuple[bytes, ...] = ()
    tls_version: str = ""
    detail: str = ""
