"""What to probe, and how long: values that cost nothing to import."""

from __future__ import annotations

from datetime import timedelta

from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname
from danebot.tuples import NamedTuple


class Target(NamedTuple):
    """One address of an endpoint to probe.

    ``address`` is an IPv4 or IPv6 literal.  ``port`` is where to connect if that isn't the
    endpoint's own (NAT).  ``sni`` is the TLSA base domain (RFC 7672 section 8.1), ``domain`` what
    the service serves (``to`` of an XMPP stream); both are the endpoint's host unless given.
    """

    endpoint: Endpoint
    address: str
    port: int | None = None
    algorithm: Algorithm = Algorithm.ANY
    sni: Hostname | None = None
    domain: Hostname | None = None


class Limits(NamedTuple):
    """Bounds of one probe.

    ``connect``: to establish the connection; ``step``: from one complete answer to the next, the
    TLS handshake being one; ``total``: for all of it; ``max_bytes``: octets read before TLS.
    """

    connect: timedelta = timedelta(seconds=10)
    step: timedelta = timedelta(seconds=15)
    total: timedelta = timedelta(seconds=30)
    max_bytes: int = 65536


DEFAULT_LIMITS = Limits()
