"""Lineages under care that watch no TLSA record: one finding each, and one line for all."""

from __future__ import annotations

from collections.abc import Iterable

from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.records.adoption import Found, Standing, by_host
from danebot.domain.text import quoted

_TEXT = "no TLSA record is watched{of}, so nothing keeps key and DNS in agreement"
_REMEDY = (
    "this prints what to publish: danebot tlsa {one}; or say that there is none: "
    "danebot init --no-dane {every}"
)
_THERE = (Standing.OURS, Standing.IDLE)


def unprotected(name: str, beside: Iterable[Found] = ()) -> Finding:
    """The finding of one lineage, whose operator hasn't said that it has no records.

    ``beside`` are the owners of its first records, judged without asking a service.
    """
    there, remedy = ways_out(name, beside)
    return Finding(
        Code.UNPROTECTED, Severity.WARNING, name, f"{_TEXT.format(of='')}{there}", remedy
    )


def ways_out(name: str, beside: Iterable[Found]) -> tuple[str, str]:
    """What is to be added to a sentence on such a lineage, of what is there; and what helps.

    Nobody is to say that there is none where something is.
    """
    every = tuple(beside)
    refusing = [one.owner for one in every if one.standing is Standing.UNTOLD]
    binding = [one.owner for one in every if one.owner in refusing and not one.unsigned]
    there = [one.owner for one in every if one.standing in _THERE]
    if refusing:
        told = f"senders refuse its key by the records at {by_host(binding)}"
        if not binding:
            told = f"records of another key, not secured by DNSSEC, are at {by_host(refusing)}"
        return f"; {told}", (
            f"this prints the record to add beside them: danebot tlsa {quoted(name)}; then run: "
            f"danebot watch {quoted(name, *refusing)}; if another's service is there: "
            f"danebot watch --remove {quoted(name, *refusing)}"
        )
    if there:
        remedy = f"have them watched: danebot watch {quoted(name, *there)}"
        return f"; its key's records are at {by_host(there)}", remedy
    return "", _REMEDY.format(one=quoted(name), every=quoted(name))


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings to print: where several lineages watch nothing, one line stands for all.

    Those where records are found keep their own.
    """
    every = tuple(findings)
    told = (f for f in every if f.code is Code.UNPROTECTED)
    bare = dict.fromkeys(f for f in told if f == unprotected(f.where))
    if len(bare) <= 1:
        return every
    names = [f.where for f in bare]
    text = _TEXT.format(of=f" for {', '.join(names)}")
    remedy = _REMEDY.format(one="LINEAGE", every=quoted(*names))
    one = Finding(Code.UNPROTECTED, Severity.WARNING, "", text, remedy)
    return (*(f for f in every if f not in bare), one)
