"""What the exporter has at which path, for whom it admits."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from danebot.domain.addresses import Reach
from danebot.errors import ConfigError, DanebotError
from danebot_exporter.answering import TEXT, Answering
from danebot_exporter.check_post import answer_check
from danebot_exporter.exposition import CONTENT_TYPE
from danebot_exporter.packing import Piece, accepts_gzip, gzipped
from danebot_exporter.page import PageWish, page
from danebot_exporter.passwords import Admission
from danebot_exporter.probe import allowed, probe, subject_of
from danebot_exporter.refusals import RefusalReason
from danebot_exporter.runbook import runbook

_MOST_FIELDS = 20
_WORTH = 1 << 16  # octets, below which compression saves nothing


class Handler(Answering):
    """One connection; GET and HEAD, and POST for a check."""

    def get(self) -> None:
        """Answer, whatever happens."""
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads must not pass for a request
        path, query = self._asked()
        handlers: dict[str, tuple[str, Callable[[dict[str, str]], None]]] = {
            "/": ("page", self._page),
            "/metrics": ("metrics", self._metrics),
            "/runbook": ("runbook", self._runbook),
            "/probe": ("probe", self._probe),
            "/sd": ("sd", self._targets),
            "/check": ("check", self._check_is_posted),
            "/-/healthy": ("healthy", self._healthy),
        }
        self._handler, handler = handlers.get(path, ("other", self._not_found))
        if path != "/-/healthy" and not self._admitted():
            return
        try:
            handler(query)
        except DanebotError as exc:
            status = (
                HTTPStatus.BAD_REQUEST
                if isinstance(exc, ConfigError)
                else HTTPStatus.INTERNAL_SERVER_ERROR
            )
            self.reply(f"{exc}\n".encode(errors="replace"), TEXT, status)

    def post(self) -> None:
        """Answer a check; what comes after its body is not read."""
        self.close_connection = True
        path, _ = self._asked()
        self._handler = "check" if path == "/check" else "other"
        if path != "/check":
            self.send_error(HTTPStatus.NOT_IMPLEMENTED, "Unsupported method ('POST')")
        elif self._admitted():
            answer_check(self)

    def _asked(self) -> tuple[str, dict[str, str]]:
        try:
            parts = urlsplit(self.path)
            return parts.path, dict(parse_qsl(parts.query, max_num_fields=_MOST_FIELDS))
        except ValueError:
            return "", {}

    def _admitted(self) -> bool:
        peer = self.client_address.peer
        admission = self.server.gate.admits(self.headers.get("Authorization"), peer)
        if admission is Admission.ADMITTED:
            return True
        self.close_connection = True
        if admission is Admission.LATER:
            self.server.refused(RefusalReason.PASSWORD_LIMIT, peer)
            text = b"too many wrong passwords; ask again later\n"
            self.reply(text, TEXT, HTTPStatus.TOO_MANY_REQUESTS, Retry_After="60")
            return False
        self.reply(
            b"Unauthorized\n",
            TEXT,
            HTTPStatus.UNAUTHORIZED,
            WWW_Authenticate='Basic realm="danebot"',
        )
        return False

    def _metrics(self, query: dict[str, str]) -> None:
        del query
        pieces = (*self.server.store.pieces(), Piece(self.server.own.text()))
        wanted = accepts_gzip(self.headers.get("Accept-Encoding", ""))
        if wanted and sum(map(len, pieces)) >= _WORTH:
            self.reply(
                gzipped(pieces), CONTENT_TYPE, Content_Encoding="gzip", Vary="Accept-Encoding"
            )
        else:
            parts = tuple(part for piece in pieces for part in piece.parts)
            self.reply(parts, CONTENT_TYPE, Vary="Accept-Encoding")

    def _probe(self, query: dict[str, str]) -> None:
        server = self.server
        if server.reach is Reach.NONE:
            self.reply(b"/probe is turned off: --probe.targets\n", TEXT, HTTPStatus.FORBIDDEN)
            return
        subject = subject_of(query.get("target", ""), query.get("module", "smtp"))
        limit = allowed(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds"))
        began = time.monotonic()
        if not server.probes.acquire(timeout=limit.total_seconds() / 2):
            server.refused(RefusalReason.PROBE_LIMIT, self.client_address.peer)
            text = b"too many probes at once; ask again later\n"
            self.reply(text, TEXT, HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="5")
            return
        try:
            limit -= timedelta(seconds=time.monotonic() - began)
            settings, width = server.store.settings, server.probe_width
            body = probe(subject, settings, limit, width=width, reach=server.reach)
        finally:
            server.probes.release()
        self.reply(body, CONTENT_TYPE)

    def _targets(self, query: dict[str, str]) -> None:
        targets = self.server.targets
        if targets is None:
            self._not_found(query)
        else:
            self.reply(targets.groups(), "application/json")

    def _page(self, query: dict[str, str]) -> None:
        store = self.server.store
        with self.server.page_lock:
            now = datetime.now(UTC)
            wish, shelf, host = PageWish.of(query), self.server.shelf, self.server.host
            body = page(store.path, wish, store.reports, now, shelf=shelf, host=host)
        self.reply(body, "text/html; charset=utf-8")

    def _runbook(self, query: dict[str, str]) -> None:
        del query
        self.reply(runbook(), "text/html; charset=utf-8")

    def _healthy(self, query: dict[str, str]) -> None:
        del query
        self.reply(b"danebot-exporter is healthy.\n", TEXT)

    def _check_is_posted(self, query: dict[str, str]) -> None:
        del query
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "POST it, as check_dane --via does")

    def _not_found(self, query: dict[str, str]) -> None:
        del query
        text = b"Not found; there are /, /runbook, /metrics, /probe, /check and /-/healthy\n"
        self.reply(text, TEXT, HTTPStatus.NOT_FOUND)
