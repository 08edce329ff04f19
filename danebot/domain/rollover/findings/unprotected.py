"""Lineages under care that watch no TLSA record: one finding each, and one line for all."""

from __future__ import annotations

from collections.abc import Iterable

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.text import quoted

_TEXT = "no TLSA record is watched{of}, so nothing keeps key and DNS in agreement"
_REMEDY = (
    "this prints what to publish: danebot tlsa {one}; or say that there is none: "
    "danebot init --no-dane {every}"
)


def unprotected(name: str) -> Finding:
    """The finding of one lineage, whose operator hasn't said that it has no records."""
    remedy = _REMEDY.format(one=quoted(name), every=quoted(name))
    return Finding(Code.UNPROTECTED, Severity.WARNING, name, _TEXT.format(of=""), remedy)


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings to print: where several lineages watch nothing, one line stands for all."""
    every = tuple(findings)
    names = dict.fromkeys(f.where for f in every if f.code is Code.UNPROTECTED)
    if len(names) <= 1:
        return every
    text = _TEXT.format(of=f" for {', '.join(names)}")
    remedy = _REMEDY.format(one="LINEAGE", every=quoted(*names))
    one = Finding(Code.UNPROTECTED, Severity.WARNING, "", text, remedy)
    return (*(f for f in every if f.code is not Code.UNPROTECTED), one)
