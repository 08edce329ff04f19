"""Response codes and extended errors in words."""

from __future__ import annotations

import enum


class Rcode(enum.IntEnum):
    """The response codes that decide something (RFC 1035 4.1.1, RFC 2136 2.2)."""

    NOERROR = 0
    SERVFAIL = 2
    NXDOMAIN = 3
    REFUSED = 5
    YXRRSET = 7
    NXRRSET = 8
    NOTAUTH = 9
    NOTZONE = 10


RCODE_WORDS: dict[int, str] = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    16: "BADVERS",
}
"""Mnemonics of the IANA registry, of those that a query or an update can meet."""

EXTENDED_WORDS: dict[int, str] = {
    0: "other error",
    1: "unsupported DNSKEY algorithm",
    2: "unsupported DS digest type",
    3: "stale answer",
    4: "forged answer",
    5: "DNSSEC indeterminate",
    6: "DNSSEC bogus",
    7: "signature expired",
    8: "signature not yet valid",
    9: "DNSKEY missing",
    10: "RRSIGs missing",
    11: "no zone key bit set",
    12: "NSEC missing",
    13: "cached error",
    14: "not ready",
    15: "blocked",
    16: "censored",
    17: "filtered",
    18: "prohibited",
    19: "stale NXDOMAIN answer",
    20: "not authoritative",
    21: "not supported",
    22: "no reachable authority",
    23: "network error",
    24: "invalid data",
    25: "signature expired before valid",
    26: "too early",
    27: "unsupported NSEC3 iterations value",
    28: "unable to conform to policy",
    29: "synthesized",
    30: "invalid query type",
}
"""Extended DNS errors (RFC 8914 section 4 and the IANA registry)."""
