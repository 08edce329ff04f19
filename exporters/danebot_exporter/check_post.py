"""Checks at the URL: the arguments of ``check_dane`` are the body of a POST to ``/check``."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from danebot.domain.addresses import Reach
from danebot_exporter.answering import TEXT
from danebot_exporter.check_frames import MOST, arguments_of, framed
from danebot_exporter.permits import remote
from danebot_exporter.refusals import RefusalReason

if TYPE_CHECKING:
    from danebot_exporter.answering import Answering

CHECK_TYPE = "application/x-danebot-check"
_DIGITS = 9
_WAIT = 5.0  # seconds for a place among the checks


def answer_check(request: Answering) -> None:
    """Answer a request that was admitted: with a check's words, or why there are none."""
    server = request.server
    if server.stopping:
        request.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "it is being stopped")
    elif server.reach is Reach.NONE:
        request.send_error(HTTPStatus.FORBIDDEN, "/check is turned off: --probe.targets")
    elif request.headers.get_content_type() != CHECK_TYPE:  # no page of a browser may send that
        request.send_error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"want {CHECK_TYPE}")
    else:
        body = _body(request)
        if body is not None:
            _check(request, body)


def _body(request: Answering) -> bytes | None:
    """What was posted; None where that is refused, or breaks off."""
    digits = request.headers.get("Content-Length", "")
    if not digits.isascii() or not digits.isdigit():
        request.send_error(HTTPStatus.LENGTH_REQUIRED)
        return None
    length = int(digits[:_DIGITS])
    if length > MOST or len(digits) > _DIGITS:
        request.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None
    body = request.rfile.read(length)
    return body if len(body) == length else None


def _check(request: Answering, body: bytes) -> None:
    server = request.server
    with server.checker.busy():
        if not server.checks.acquire(timeout=_WAIT):
            server.refused(RefusalReason.CHECK_LIMIT, request.client_address.peer)
            text = b"too many checks at once; ask again later\n"
            request.reply(text, TEXT, HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="5")
            return
        try:
            answer = server.checker.check(arguments_of(body), permit=remote(server.reach))
        finally:
            server.checks.release()
        request.reply(framed(answer), CHECK_TYPE)
