"""The HTTP server: few handlers, bounded in time, in connections and in what it takes in.

Why it is our own: docs/decisions/0006-http-server.md.  TLS begins in the connection's own thread.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from danebot.adapters.network_errors import SHORTAGE
from danebot.domain.addresses import Reach
from danebot.domain.text import internal_error
from danebot_exporter.answering import REQUEST
from danebot_exporter.budget import PROBES, checks, raise_limit, width
from danebot_exporter.checker import Checker
from danebot_exporter.connections import Connections
from danebot_exporter.handler import Handler
from danebot_exporter.refusals import Refusals
from danebot_exporter.shelf import Shelf

if TYPE_CHECKING:
    from danebot_exporter.own import OwnMetrics
    from danebot_exporter.store import Store
    from danebot_exporter.targets import TargetFile
    from danebot_exporter.webconfig import Gate

_PAUSE = 0.5  # seconds, where a connection can't be taken: it would be tried again at once


class ExporterServer(ThreadingHTTPServer):
    """Listens on one address; every connection has a thread; `Connections` bounds them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        listen: tuple[str, int],
        store: Store,
        gate: Gate,
        own: OwnMetrics,
        reach: Reach = Reach.PUBLIC,
        *,
        targets: TargetFile | None = None,
    ) -> None:
        """Bind; OSError if that fails.

        ``reach`` is how far ``/probe`` goes, ``targets`` what ``/sd`` lists.
        """
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self.store = store
        self.gate = gate
        self.own = own
        self.reach = reach
        self.targets = targets
        self.page_lock = threading.Lock()
        self.shelf = Shelf()
        self.host = socket.gethostname()
        self.probes = threading.BoundedSemaphore(PROBES)
        descriptors = raise_limit()
        self.probe_width = width(descriptors)
        self.check_width = checks(descriptors)
        self.checker = Checker(lambda: store.settings, width=self.check_width)
        self.checks = threading.BoundedSemaphore(self.check_width)
        self.refused = Refusals(own.refused, complain)
        self.connections = Connections(self.refused)
        self.stopping = False
        self._short = False
        super().__init__(listen, Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Take a connection; where this host can't, pause, and say so once."""
        try:
            found = super().get_request()
        except OSError as exc:
            if exc.errno in SHORTAGE:
                if not self._short:
                    complain(
                        f"can't take a connection: {exc.strerror}; see LimitNOFILE= of the unit"
                    )
                self._short = True
                time.sleep(_PAUSE)
            raise
        self._short = False
        # Else the end of an answer waits for a delayed acknowledgement (RFC 1122 4.2.3.4).
        found[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Hand over to a thread, or hang up when there are too many."""
        connection = self.connections.admit(client_address[0], request)
        if connection is None:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, connection)
        except BaseException:  # no thread to be had
            self.connections.end(connection)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """One connection, from its handshake on."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.end(client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer the requests of one connection."""
        complain(self.gate.refresh())
        request.settimeout(REQUEST)
        context = self.gate.context
        if context is None:
            Handler(request, client_address, self)
            return
        with context.wrap_socket(request, server_side=True, do_handshake_on_connect=False) as tls:
            self.connections.secured(client_address, tls)
            tls.do_handshake()
            Handler(tls, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Peers that break off are their own business; anything else deserves a line."""
        del request, client_address
        exc = sys.exception()
        if exc is not None and not isinstance(exc, OSError):  # SSLError and timeouts are OSErrors
            complain(f"{internal_error(exc)}; please report this")


def complain(line: str) -> None:
    """Write a line to the journal, at once, so that no other thread's comes into it."""
    if line:
        with suppress(OSError):  # nobody reads it
            print(f"danebot-exporter: {line}\n", end="", file=sys.stderr, flush=True)  # noqa: T201
