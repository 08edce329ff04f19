"""Foreign text, made safe to print; a room of its own that costs nothing to enter."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    r"""Foreign text made safe for one line of a terminal, a log or plugin output.

    Control characters, including C1 and bidirectional overrides, become ``\xNN`` or ``\uNNNN``.
    """
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    if shown.isprintable():
        return shown
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )
