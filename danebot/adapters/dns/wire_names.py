"""Domain names on the wire (RFC 1035 section 4.1.4)."""

from __future__ import annotations

import re

_MAX_NAME, _MAX_LABEL, _POINTER, _MAX_HOPS = 255, 63, 0xC0, 127
_HOST_OCTETS = b"abcdefghijklmnopqrstuvwxyz0123456789-_*."
_SPECIAL = b'."\\();@$'
_PRINTABLE = range(0x21, 0x7F)
_ESCAPED = re.compile(r"\\(\d{3}|.)|([^.\\]+)|(\.)", re.DOTALL)


class MalformedError(ValueError):
    """Octets that are no DNS message, or no rdata of their type; the text says why."""


def encode_name(text: str) -> bytes:
    """Wire format of a name in normal form, escapes of RFC 1035 section 5.1 undone."""
    labels = _unescaped(text) if "\\" in text else text.encode("ascii").split(b".")
    return b"".join(bytes((len(label),)) + label for label in labels if label) + b"\0"


def _unescaped(text: str) -> list[bytes]:
    labels = [b""]
    for escaped, plain, _dot in _ESCAPED.findall(text):
        if escaped:
            octet = ord(escaped) if len(escaped) == 1 else int(escaped)
            labels[-1] += bytes((octet & 0xFF,))
        elif plain:
            labels[-1] += plain.encode("ascii")
        else:
            labels.append(b"")
    return labels


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name at an offset in normal form ("" for the root), and the offset after it.

    Octets that no host name has are escaped, so that the text is printable and unambiguous.
    Pointers may only lead backwards (RFC 1035 section 4.1.4), which also ends every loop;
    each of the 127 labels that fit into a name may need one.
    """
    labels: list[bytes] = []
    after, bound, length, hops = 0, at, 1, 0
    try:
        while size := message[at]:
            if size >= _POINTER:
                after = after or at + 2
                at = (size & 0x3F) << 8 | message[at + 1]
                hops += 1
                if at >= bound or hops > _MAX_HOPS:
                    raise MalformedError("a compression pointer that leads nowhere")
                bound = at
                continue
            labels.append(message[at + 1 : at + 1 + size])
            at += 1 + size
            length += 1 + size
            if length > _MAX_NAME or size > _MAX_LABEL:
                raise MalformedError("a name that is too long")
    except IndexError:
        raise MalformedError("a name that goes beyond the end") from None
    name = b".".join(labels).lower()
    if name.count(b".") >= max(len(labels), 1) or name.translate(None, _HOST_OCTETS):
        return ".".join(_escape(label.lower()) for label in labels), after or at + 1
    return name.decode("ascii"), after or at + 1


def _escape(label: bytes) -> str:
    return "".join(
        f"\\{chr(octet)}"
        if octet in _SPECIAL
        else chr(octet)
        if octet in _PRINTABLE
        else f"\\{octet:03d}"
        for octet in label
    )


def is_below(name: str, ancestor: str) -> bool:
    """Whether ``name`` is ``ancestor`` or a name below it; both in normal form."""
    return not ancestor or name == ancestor or name.endswith("." + ancestor)
