"""What all pages have around them: the style sheet, the policy, the head."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from danebot_exporter.html import Html, fragment, tag


@cache
def style() -> Html:
    """The style sheet, from the package."""
    return Html((files("danebot_exporter") / "style.css").read_text(encoding="utf-8"))


@cache
def policy() -> str:
    """The Content-Security-Policy: this style sheet by its hash, forms to this page, no more."""
    digest = base64.b64encode(hashlib.sha256(style().markup.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def document(title: str, *body: Html, refresh: str = "") -> bytes:
    """A whole page; ``refresh`` is after how many seconds it is asked for again, "" for never."""
    head = fragment(
        Html('<meta charset="utf-8">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="refresh", content=refresh) if refresh else "",
        tag("title", f"{title}: danebot"),
        tag("link", rel="icon", href="data:,"),
        tag("style", style()),
    )
    root = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!DOCTYPE html>\n{root.markup}\n".encode()
