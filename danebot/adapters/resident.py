"""The loop of a process that stays: any thread hands it a program and waits for the result.

One thread takes all programs forward, so that they share sockets, replies and bounds without a
lock.  What a program raises, its caller gets.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from danebot.adapters.loop import Lane, Loop, Program, ResultT

_LONG = 3600.0  # seconds between two looks at nothing


class _Ticket:
    """A program on its way; ``gone`` once nobody waits for it any more."""

    def __init__(self, program: Program[Any]) -> None:
        self.program = program
        self.done = threading.Event()
        self.gone = False
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self, held: set[_Ticket]) -> Program[None]:
        """The program, which ends well whatever it raises; among ``held`` until then."""
        held.add(self)
        try:
            self.result = yield from self.program
        except Exception as exc:  # noqa: BLE001 - raised again where somebody waits for it
            self.error = exc
        finally:
            held.discard(self)
            self.done.set()

    def wanted(self) -> bool:
        return not self.gone


class _Bell:
    """Wakes the loop (`danebot.adapters.loop.Work`); ``rung`` is called in its thread."""

    events = selectors.EVENT_READ
    reply = None

    def __init__(self) -> None:
        self.sock, self._other = socket.socketpair()
        for one in (self.sock, self._other):
            one.settimeout(0)
        self.deadline = time.monotonic() + _LONG

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._other.send(b"\0")

    def ready(self, sock: socket.socket, events: int) -> None:
        del events
        sock.recv(4096)

    def failed(self, error: OSError) -> None:
        raise error

    def expired(self) -> None:
        self.deadline = time.monotonic() + _LONG


class Resident:
    """Runs programs in a thread of its own; thread-safe."""

    def __init__(self, lanes: Mapping[type, Lane], known: dict[Any, Any]) -> None:
        """Begin; the thread ends with the process.  ``known`` is told of each reply at once."""
        self._lanes = lanes
        self._known = known
        self._new: deque[_Ticket] = deque()
        self._held: set[_Ticket] = set()
        self._bell = _Bell()
        threading.Thread(target=self._run, name="loop", daemon=True).start()

    def run(self, program: Program[ResultT], seconds: float) -> ResultT:
        """Return the result; `TimeoutError` if there is none within ``seconds``."""
        ticket = _Ticket(program)
        self._new.append(ticket)
        self._bell.ring()
        if not ticket.done.wait(seconds):
            ticket.gone = True
            raise TimeoutError
        if ticket.error is not None:
            raise ticket.error
        result: ResultT = ticket.result
        return result

    def _run(self) -> None:
        while True:
            try:
                self._turn_for_ever()
            except Exception as exc:  # noqa: BLE001 - a fault of ours: who waits is told, and on
                for ticket in tuple(self._held):
                    ticket.error = exc
                    ticket.done.set()
                self._held.clear()

    def _turn_for_ever(self) -> None:
        with selectors.DefaultSelector() as selector:
            loop: Loop[None] = Loop(selector, self._lanes, self._known)
            loop.watch(self._bell)
            try:
                while True:
                    while self._new:
                        ticket = self._new.popleft()
                        loop.start(ticket.run(self._held), ticket.wanted)
                    loop.turn()
            finally:
                selector.unregister(self._bell.sock)
                loop.close()
