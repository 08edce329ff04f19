"""HTML that is escaped by construction: every string is text, only `Html` is markup."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from danebot.domain.text import LONGEST_LINE, printable

_VOID = {"input", "link", "meta"}
_SHAPES = {"circle", "line", "rect"}  # SVG, where an element without content says so


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that was made here."""

    markup: str


Child: TypeAlias = "Html | str | Iterable[Html]"


def escape(text: str) -> str:
    """Foreign text for an element or a quoted attribute; control characters become visible."""
    return html.escape(printable(text, LONGEST_LINE), quote=True)


def fragment(*children: Child) -> Html:
    """Children without an element around them."""
    parts = []
    for child in children:
        if isinstance(child, str):
            parts.append(escape(child))
        elif isinstance(child, Html):
            parts.append(child.markup)
        else:
            parts.append("".join(one.markup for one in child))
    return Html("".join(parts))


def tag(name: str, /, *children: Child, **attributes: str) -> Html:
    """An element.  A trailing underscore of an attribute's name goes, other ones become hyphens."""
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{pairs}>")
    if name in _SHAPES:
        return Html(f"<{name}{pairs}/>")
    return Html(f"<{name}{pairs}>{fragment(*children).markup}</{name}>")
