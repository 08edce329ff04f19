"""How many sockets the exporter may hold: what the kernel allows, shared by what runs at once."""

from __future__ import annotations

import resource

PROBES = 16
"""Requests for /probe that are worked on at once."""
_MOST = 65536
_REST = 400  # connections of clients, a round of the lineages' endpoints, files
USUAL = 64
"""Queries, and connections, that one request for /probe may have open."""


def raise_limit() -> int:
    """Take as many descriptors as this process may; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, soft)


def width(descriptors: int) -> int:
    """Return how many queries, and how many connections, one request for /probe may have open."""
    return min(max((descriptors - _REST) // (2 * PROBES), 2), USUAL)
