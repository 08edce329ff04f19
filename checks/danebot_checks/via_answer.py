"""What a danebot-exporter answers, whole or not at all; imports nothing, as ``via`` says."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False  # typing costs a millisecond
if TYPE_CHECKING:
    from _socket import socket

MAGIC = b"danebot-check/1 "
MOST = 1 << 20  # octets of an answer
_BEGINS = {
    b"0": "DANE OK - ",
    b"1": "DANE WARNING - ",
    b"2": "DANE CRITICAL - ",
    b"3": "DANE UNKNOWN - ",
}


class NoAnswer(Exception):  # noqa: N818 - the plugin's own word for it
    """Why there is none, and what to do."""


def read_answer(answer: bytes) -> tuple[int, str]:
    """Take an answer apart; `NoAnswer` unless it is a whole one, as check_dane itself says it.

    Its status and the state in its words are one, and no terminal obeys it.
    """
    if not answer:
        raise NoAnswer("it hung up without an answer; see its log")
    head, _, text = answer.partition(b"\n")
    numbers = head[len(MAGIC) :].split(b" ")
    known = head.startswith(MAGIC) and len(numbers) == len("SL") and numbers[0] in _BEGINS
    if not known or not numbers[1].isdigit() or len(numbers[1]) >= len(str(MOST)):
        raise NoAnswer("that is no answer of a danebot-exporter; correct --via")
    length = int(numbers[1])
    if len(text) < length:
        raise NoAnswer("it broke off in the middle of an answer; see its log")
    said = text.decode("utf-8", "surrogateescape")  # what is no text is not printable
    fine = said.startswith(_BEGINS[numbers[0]]) and said.endswith("\n")
    if len(text) > length or not fine or not said.replace("\n", "").isprintable():
        raise NoAnswer("that is no answer of a danebot-exporter; correct --via")
    return int(numbers[0]), said


def received(sock: socket, until: float) -> bytes:
    """All that comes until the end; `TimeoutError`, or `OSError`."""
    parts: list[bytes] = []
    size = 0
    while True:
        sock.settimeout(left(until))
        try:
            part = sock.recv(65536)
        except ConnectionResetError:  # it hung up on what it did not read
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise NoAnswer("its answer has no end; correct --via")


def left(until: float) -> float:
    """The seconds until then; `TimeoutError` if there are none."""
    found = until - monotonic()
    if found <= 0:
        raise TimeoutError
    return found
