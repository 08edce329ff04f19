"""How many sockets the exporter may hold: what the kernel allows, shared by what runs at once."""

from __future__ import annotations

import resource

PROBES = 16
"""Requests for /probe that are worked on at once."""
_MOST = 65536
_OF_CHECK = 4  # its client, one that waits, a query, a connection
_REST = 400  # connections of clients, a round of the lineages' endpoints, files
USUAL = 64
"""Queries, and connections, that one request for /probe may have open."""

CHECKS = 512
"""Checks that are worked on at once, and queries, and connections, that they may have open."""


def raise_limit() -> int:
    """Take as many descriptors as this process may; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted, soft)


def width(descriptors: int) -> int:
    """Return how many queries, and how many connections, one request for /probe may have open."""
    left = descriptors - _REST - _OF_CHECK * checks(descriptors)
    return min(max(left // (2 * PROBES), 2), USUAL)


def checks(descriptors: int) -> int:
    """Return how many checks may be worked on at once, with as many queries and connections."""
    return min(max((descriptors - _REST) // (2 * _OF_CHECK), 8), CHECKS)
