"""The table of certificate authorities that danebot carries along."""

from __future__ import annotations

import functools
from pathlib import Path

from danebot.domain.dane.authorities import Authorities, parse_authorities

TABLE = Path(__file__).parents[1] / "data" / "letsencrypt-cas.tsv"


@functools.cache
def authorities() -> Authorities | None:
    """Return the table; None where it isn't installed, since a record is judged without it, too."""
    try:
        return parse_authorities(TABLE.read_text(encoding="utf-8"))
    except OSError:
        return None
