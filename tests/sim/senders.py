"""What a sender makes of ``3 1 x`` records, apart from danebot's code (RFC 7671 section 9).

Here an RRset without records accepts nothing: no cache may hold even that when a new key is served.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from danebot.domain.dns.tlsa import TlsaRecord
from domain.builders import key

_DIGESTS = {1: hashlib.sha256, 2: hashlib.sha512}


def accepts(records: Iterable[TlsaRecord], name: str) -> bool:
    """Whether the key of that name is authenticated: only the strongest digest there counts."""
    found = {(record.mtype, record.data) for record in records}
    strongest = max((mtype for mtype, _ in found), default=None)
    if strongest is None:
        return False
    return (strongest, _DIGESTS[strongest](key(name).spki).digest()) in found
