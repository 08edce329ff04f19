"""How long it may be cached that something isn't there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from danebot.adapters.dns.rdata import SOA
from danebot.adapters.dns.resolver import records
from danebot.adapters.dns.response import Link, Response, original_ttl, seconds
from danebot.adapters.dns.wire_names import is_below

_NSEC, _NSEC3 = 47, 50


def negative_ttl(response: Response, aliases: Sequence[Link] = ()) -> timedelta | None:
    """How long the absence in a negative response may be cached.

    SOA MINIMUM (RFC 2308 section 5), or the TTL of the NSEC and NSEC3 records served where that is
    larger (RFC 8198 section 5.4, RFC 9077), after those of all aliases on the way: at the
    end of each, what it leads to is asked for anew.  None if the response has none of these.
    """
    minima = [
        soa.minimum
        for key in response.authority
        for soa in records(SOA, response.authority, key.name)[0]
    ]
    denial = denial_ttl(response)
    known = [*minima, *([] if denial is None else [denial])]
    if not known and not aliases:
        return None
    way = timedelta(seconds=sum(link.ttl for link in aliases))
    return way + max(known, default=timedelta(0))


def denies(response: Response, name: str) -> bool:
    """Whether a response says of ``name`` that it has no such record: by its zone's SOA.

    Without that (RFC 2308 section 2.2), a server that was led to another zone says nothing.
    """
    return any(key.rdtype == SOA.rdtype and is_below(name, key.name) for key in response.authority)


def denial_ttl(response: Response) -> timedelta | None:
    """The largest TTL of the NSEC and NSEC3 records in a response; None if there are none.

    In a positive one they say that the name itself isn't there, and a wildcard stands in for it: as
    long as that is cached, so may the answer be made anew (RFC 8198 section 5.3).
    """
    ttls = [
        max(rrset.ttl, original_ttl(response.authority, key.name, key.rdtype) or 0)
        for key, rrset in response.authority.items()
        if key.rdtype in (_NSEC, _NSEC3)
    ]
    return seconds(max(ttls, default=None))
