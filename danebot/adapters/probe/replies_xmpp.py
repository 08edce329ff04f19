"""Reads the answers of XMPP: a bounded look at tags, not an XML parser (RFC 6120).  Pure.

Comments, processing instructions and DTDs are forbidden (section 11.1) and refused, so that no
entity is ever looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from danebot.adapters.probe.replies import Go, ReplyFailure, look_for, violation
from danebot.domain.delivery.probes import ProbeOutcome

# Up to the end of a tag, or to a second "<", which nothing that XMPP allows has.
_MARKUP = re.compile(rb"""[^<]*+<(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*+(?:[<>]|"[^"<]*+<|'[^'<]*+<)""")
_BRACKET = re.compile(rb"[<>]")
_TAG = re.compile(rb"[^<]*<(/?)(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)(?=[\s/>])")
_DECLARATION = re.compile(rb"\s*<\?xml\s")
_ANSWERS = (b"proceed", b"failure", b"error", b"stream")


def cut_tag(buffer: bytearray, searched: int) -> int:
    """Cut after an XML tag, which takes the text before it along."""
    markup = _MARKUP.match(buffer) if _BRACKET.search(buffer, searched) else None
    return markup.end() if markup else 0


def _element(unit: bytes) -> tuple[bytes, bool, bool] | None:
    """Local name, whether the tag opens and whether it closes the element; None for no tag."""
    tag = _TAG.match(unit)
    if tag is None or not unit.endswith(b">"):
        return None
    return tag[2], not tag[1], bool(tag[1]) or unit.endswith(b"/>")


def _failed(units: Sequence[bytes]) -> ReplyFailure:
    """A stream error or failure, with the condition that it names (section 4.9)."""
    return ReplyFailure.quoting(ProbeOutcome.REFUSED, b"".join(units))


def xmpp_features(units: Sequence[bytes]) -> Go | ReplyFailure:
    """Read the stream header and the stream features (sections 4.2 and 4.3)."""
    body = units[1:] if _DECLARATION.match(units[0]) else units
    if not body:
        return Go.MORE
    element = _element(body[-1])
    root = _element(body[0])
    if element is None or root is None or root[:2] != (b"stream", True):
        return violation(body[-1], "not an XMPP stream")
    name, _, closes = element
    if not closes or name not in (b"stream", b"error", b"features"):
        return Go.MORE
    children = [child for unit in body[1:] if (child := _element(unit))]
    if name == b"stream" or (name == b"error" and children[0][0] == name):
        return _failed(body[1:])
    if name == b"features" and children[0][0] == name:
        return look_for(
            b"STARTTLS", dict.fromkeys(name for name, opens, _ in children[1:] if opens)
        )
    return Go.MORE


def xmpp_proceed(units: Sequence[bytes]) -> Go | ReplyFailure:
    """Read the answer to starttls: proceed, failure or a stream error (section 5.4.2)."""
    first, last = _element(units[0]), _element(units[-1])
    if first is None or last is None or first[0] not in _ANSWERS:
        return violation(units[-1], "not an answer to starttls")
    if not last[2]:
        return Go.MORE
    if first[0] == b"proceed":
        return Go.NEXT if last[0] == b"proceed" else violation(units[-1], "inside proceed")
    return _failed(units) if last[0] == first[0] else Go.MORE
