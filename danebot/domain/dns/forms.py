"""Kinds of TLSA records by their three numbers, as operators write them."""

from __future__ import annotations

import re

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.text import printable
from danebot.errors import RecordSyntaxError
from danebot.tuples import NamedTuple

_FORM = re.compile(r"\s*([0-3])\s*([01])\s*([0-2])\s*")


class RecordForm(NamedTuple):
    """A kind of TLSA record: registered usage, selector and matching type (RFC 6698 section 2)."""

    usage: int
    selector: int
    mtype: int

    @classmethod
    def parse(cls, text: str) -> RecordForm:
        """Read ``3 1 1`` or ``311``; `RecordSyntaxError` for what names no kind."""
        found = _FORM.fullmatch(text)
        if found is None:
            shown = printable(text, 40)
            raise RecordSyntaxError(f"{shown!r} is no kind of TLSA record: want '3 1 1' or 311")
        return cls(*map(int, found.groups()))

    def includes(self, record: TlsaRecord) -> bool:
        """Whether ``record`` is of this kind."""
        return record[:3] == tuple(self)

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.mtype}"
