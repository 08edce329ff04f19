"""What a second reader makes of the same octets, or the same reader of them in pieces."""

from __future__ import annotations


class Difference(Exception):  # noqa: N818 - what was found, no error of the program's
    """Two readers don't agree, or what is to be told can't be printed."""


def same(what: str, ours: object, theirs: object) -> None:
    """Raise `Difference` where the two aren't equal."""
    if ours != theirs:
        raise Difference(f"{what}: {str(ours)[:150]} here, {str(theirs)[:150]} there")
