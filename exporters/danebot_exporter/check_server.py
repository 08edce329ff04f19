"""Checks over a Unix socket: a thread for each connection, bounded in all and for each user.

Who asks is told by the kernel (SO_PEERCRED, unix(7)): this process's own user and root may have it
do all that check_dane does; any other user of this host what needs no file of this process.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

from danebot.adapters.network_errors import SHORTAGE
from danebot.domain.text import internal_error
from danebot_exporter.budget import CHECKS
from danebot_exporter.check_frames import FrameError, framed, read_request, turned_away
from danebot_exporter.check_queue import Client, Queue, Turn
from danebot_exporter.permits import LOCAL, OWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from danebot_exporter.check_place import CheckPlace
    from danebot_exporter.checker import Checker

_REQUEST, _ANSWER = 2.0, 5.0  # seconds in which a client writes and reads: it is on this host
_PAUSE = 0.5  # seconds, where a connection can't be taken: it would be tried again at once
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class CheckServer:
    """Answers at one place, in threads of its own."""

    def __init__(
        self,
        place: CheckPlace,
        checker: Checker,
        complain: Callable[[str], None],
        *,
        clients: int = CHECKS,
    ) -> None:
        """Nothing is accepted before `start`.

        ``clients`` are answered at once, of one user an eighth less; as many wait for their turn.
        """
        self._place = place
        self._checker = checker
        self._complain = complain
        self._queue = Queue(clients, max(clients * 7 // 8, 1))
        self._short = False
        self._stopped = False
        self._thread = threading.Thread(target=self._accept, name="checks", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more; those that are there already are still answered."""
        self._stopped = True
        self._place.leave()
        self._thread.join(_ANSWER)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._place.sock.accept()
            except OSError as exc:
                if self._stopped:
                    return
                self._troubled(exc)
                continue
            try:
                self._admit(client)
                self._short = False
            except (OSError, RuntimeError) as exc:  # no thread to be had
                client.close()
                self._troubled(exc)

    def _admit(self, client: socket.socket) -> None:
        """Have a thread answer it, or let it wait; send away who would make too many wait."""
        packed = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, user, _ = _CREDENTIALS.unpack(packed)
        place = self._queue.admit(Client(client, user))
        if place is Turn.NONE:
            with client:
                client.settimeout(0)
                client.send(turned_away("too many checks at once; ask later, or with --max-age"))
        elif place is Turn.BEGUN:
            busy = self._checker.busy()
            busy.__enter__()
            try:
                threading.Thread(
                    target=self._serve, args=(Client(client, user), busy), daemon=True
                ).start()
            except RuntimeError:
                busy.__exit__(None, None, None)
                self._queue.ended(user)
                raise

    def _troubled(self, exc: Exception) -> None:
        """Say once that connections can't be taken; no thread is a shortage, too."""
        short = isinstance(exc, RuntimeError) or (
            isinstance(exc, OSError) and exc.errno in SHORTAGE
        )
        if short:
            if not self._short:
                why = f"can't take a check: {exc}; see LimitNOFILE= and TasksMax= of the unit"
                self._complain(why)
            self._short = True
            time.sleep(_PAUSE)

    def _serve(self, client: Client | None, busy: AbstractContextManager[None]) -> None:
        """Answer a client, and those that wait, until none does."""
        try:
            while client is not None:
                try:
                    with client.sock:
                        self._answer(client)
                except OSError:
                    pass  # a client that breaks off is its own business
                except Exception as exc:  # noqa: BLE001 - the last line of defence
                    self._complain(f"{internal_error(exc)}; please report this")
                client = self._queue.ended(client.user)
        finally:
            busy.__exit__(None, None, None)

    def _answer(self, client: Client) -> None:
        said = _said(client, self._checker)
        if said:
            client.sock.settimeout(_ANSWER)
            client.sock.sendall(said)


def _said(client: Client, checker: Checker) -> bytes:
    """The answer to a request; none to who asked for nothing, or has gone."""
    sock, end = client.sock, time.monotonic() + _REQUEST

    def receive(size: int) -> bytes:
        sock.settimeout(max(end - time.monotonic(), 0.001))
        return sock.recv(size)

    try:
        arguments = read_request(receive)
    except FrameError as exc:
        return turned_away(str(exc))
    except (EOFError, TimeoutError):
        return b""
    if _gone(sock):
        return b""
    permit = OWN if client.user in (0, os.geteuid()) else LOCAL
    return framed(checker.check(arguments, permit=permit))


def _gone(sock: socket.socket) -> bool:
    """Whether the client has hung up, whose time was over before its turn came.

    One that has merely said all it had to say (SHUT_WR) still reads: no POLLHUP (poll(2)).
    """
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))
