"""Requests and answers of checks as octets, the same over a socket and at the URL.

The other side is ``danebot_checks.via``, which says what they look like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.errors import DanebotError
from danebot.plugin.dane_options import NAME
from danebot.plugin.output import PluginResult, State, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from danebot_exporter.checker import Answer

MAGIC = b"danebot-check/1 "
MOST = 1 << 16
"""Octets of the arguments."""
_LINE = 64


class FrameError(DanebotError):
    """A request that is none."""


def arguments_of(body: bytes) -> list[str]:
    """The arguments in a body."""
    return body.decode("utf-8", "surrogateescape").split("\0") if body else []


def framed(answer: Answer) -> bytes:
    """An answer as octets."""
    text = answer.output.encode("utf-8", "backslashreplace")
    return MAGIC + b"%d %d\n" % (answer.status, len(text)) + text


def turned_away(words: str) -> bytes:
    """An answer that says why there is no other."""
    text = render(NAME, PluginResult(State.UNKNOWN, words)).encode("utf-8", "backslashreplace")
    return MAGIC + b"%d %d\n" % (State.UNKNOWN.value, len(text)) + text


def read_request(receive: Callable[[int], bytes]) -> list[str]:
    """Read the arguments of a request; `FrameError` for none, `EOFError` if it breaks off."""
    data = bytearray()
    while b"\n" not in data[:_LINE]:
        if len(data) >= _LINE or not MAGIC.startswith(bytes(data[: len(MAGIC)])):
            raise FrameError("that is no request of check_dane")
        data += _some(receive)
    head, _, body = bytes(data).partition(b"\n")
    digits = head.removeprefix(MAGIC)
    if not head.startswith(MAGIC) or not digits.isdigit():
        raise FrameError("that is no request of check_dane")
    length = int(digits)
    if length > MOST:
        raise FrameError(f"arguments of {length} octets are too many; give at most {MOST}")
    parts, size = [body], len(body)
    while size < length:
        parts.append(_some(receive))
        size += len(parts[-1])
    if size > length:
        raise FrameError("that is no request of check_dane")
    return arguments_of(b"".join(parts))


def _some(receive: Callable[[int], bytes]) -> bytes:
    part = receive(65536)
    if not part:
        raise EOFError
    return part
