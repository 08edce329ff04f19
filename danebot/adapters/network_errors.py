"""What an error of a socket says of this host rather than of the peer: one list for all."""

from __future__ import annotations

import errno

NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""This host has no way there, if its kernel says so before anything was sent.

EHOSTUNREACH and EHOSTDOWN are the peer's: a machine that is off, or a firewall that rejects.
"""
SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""This host lacks what it takes to ask."""
