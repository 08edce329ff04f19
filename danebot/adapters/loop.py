"""One loop for everything that waits for the network: programs, wants, works.

A *program* is a generator without I/O: it yields a batch of *wants* (questions to name servers,
addresses to probe) and is sent their replies in the same order, until it returns its result.  A
want is a hashable value; what was wanted once is not fetched again, whichever program asks.  A
*work* is a want under way, on a non-blocking socket of its own.  `drive` takes any number of
programs forward side by side, in one thread, and holds no more sockets open than the lanes allow.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from danebot.tuples import NamedTuple

ResultT = TypeVar("ResultT")
Program: TypeAlias = Generator[tuple[Any, ...], tuple[Any, ...], ResultT]

_AHEAD = 20  # results, for each program at once, that may wait for a slower one before them


def check_connected(sock: socket.socket) -> None:
    """Raise the `OSError` by which a connection failed that was begun without waiting."""
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


class Work(Protocol):
    """One want under way.  What its socket does is told to it; it never waits."""

    @property
    def sock(self) -> socket.socket | None:
        """The socket to watch; another one after a call, if the work went on over another."""

    @property
    def events(self) -> int:
        """What to watch for (`selectors.EVENT_READ`, `selectors.EVENT_WRITE`)."""

    @property
    def deadline(self) -> float:
        """When `expired` is to be called (`time.monotonic`); may change with every call."""

    @property
    def reply(self) -> object | None:
        """The reply, once there is one: the socket is closed then."""

    def ready(self, sock: socket.socket, events: int) -> None:
        """Go on: ``sock`` is ready for ``events``.  `OSError` is handed to `failed`."""

    def failed(self, error: OSError) -> None:
        """End: the socket failed."""

    def expired(self) -> None:
        """End: the deadline was reached."""


class Lane(NamedTuple):
    """How wants of one type are met: ``begin`` makes the work, ``width`` bounds how many run.

    With ``group`` no more than ``each`` run at once of those that it returns the same for.
    """

    begin: Callable[[Any], Work]
    width: int
    group: Callable[[Any], Hashable] | None = None
    each: int = 0


class Pause(NamedTuple):
    """A want that is met when so many ``seconds`` have passed; ``of`` tells it from others."""

    seconds: float
    of: Hashable


class _Pausing:
    """A pause under way: nothing but its deadline."""

    sock: socket.socket | None = None
    events = 0

    def __init__(self, pause: Pause) -> None:
        self.reply: object | None = None
        self.deadline = time.monotonic() + pause.seconds

    def ready(self, sock: socket.socket, events: int) -> None:
        """Never called: there is no socket."""

    def failed(self, error: OSError) -> None:
        """Never called: there is no socket."""

    def expired(self) -> None:
        """The pause is over."""
        self.reply = True


def pause_lane(most: int) -> dict[type, Lane]:
    """What `drive` needs to pause, ``most`` programs at once."""
    return {Pause: Lane(_Pausing, most)}


class Recent(OrderedDict[object, object]):
    """A cache of the replies that were wanted last."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __getitem__(self, want: object) -> object:
        self.move_to_end(want)
        return super().__getitem__(want)

    def __setitem__(self, want: object, reply: object) -> None:
        super().__setitem__(want, reply)
        if len(self) > self._most:
            del self[next(iter(self))]


def drive(
    programs: Iterable[Program[ResultT]],
    lanes: Mapping[type, Lane],
    *,
    at_once: int = 1,
    cache: dict[Any, Any] | None = None,
) -> Generator[ResultT, None, None]:
    """Run ``programs``, ``at_once`` of them side by side; yield their results in the order given.

    ``lanes`` has an entry for each type of want.  ``cache`` holds the reply to each want, and may
    be shared by several calls of one run; a `Recent` forgets those of long ago.  What a program
    raises ends the iteration.
    """
    tasks: deque[Task[ResultT]] = deque()
    with selectors.DefaultSelector() as selector:
        loop: Loop[ResultT] = Loop(selector, lanes, {} if cache is None else cache)
        try:
            for program in programs:
                tasks.append(loop.start(program))
                while loop.running >= at_once or len(tasks) >= _AHEAD * at_once:
                    loop.turn()
                    while tasks and tasks[0].done:
                        yield tasks.popleft().result
            while tasks:
                while not tasks[0].done:
                    loop.turn()
                yield tasks.popleft().result
        finally:
            loop.close()


class Task(Generic[ResultT]):
    """A program being run; ``missing`` counts the replies that its batch still lacks.

    It holds those that are there: the cache may forget one before the last has come.
    """

    def __init__(self, program: Program[ResultT], wanted: Callable[[], bool]) -> None:
        self.program = program
        self.wanted = wanted
        self.batch: tuple[Any, ...] = ()
        self.found: dict[Any, Any] = {}
        self.missing = 0
        self.done = False
        self.result: ResultT

    def replies(self) -> tuple[Any, ...]:
        """The whole batch's, once none is missing."""
        return tuple(self.found[want] for want in self.batch)


class _Watched:
    """A work, and how the selector and the deadlines know it; ``number`` is its place there."""

    def __init__(self, want: Hashable, work: Work) -> None:
        self.want = want
        self.work = work
        self.sock: socket.socket | None = None
        self.events = 0
        self.deadline = 0.0
        self.number = 0


class _Group:
    """Wants that share a bound: how many run, and those that are held back."""

    def __init__(self) -> None:
        self.busy = 0
        self.held: deque[Hashable] = deque()


class Loop(Generic[ResultT]):
    """Programs under way, and their sockets; for one thread."""

    def __init__(
        self, selector: selectors.BaseSelector, lanes: Mapping[type, Lane], known: dict[Any, Any]
    ) -> None:
        self.running = 0
        self._selector = selector
        self._lanes = lanes
        self._known = known
        self._waiting: dict[Hashable, list[Task[ResultT]]] = {}
        self._queues: dict[type, deque[Hashable]] = {kind: deque() for kind in lanes}
        self._busy = dict.fromkeys(lanes, 0)
        self._groups: dict[Hashable, _Group] = {}
        self._deadlines: list[tuple[float, int]] = []  # a heap; the number says whose
        self._due: dict[int, _Watched] = {}  # by number: none that ended, or was given more time
        self._numbers = itertools.count(1)

    def start(
        self, program: Program[ResultT], wanted: Callable[[], bool] = lambda: True
    ) -> Task[ResultT]:
        """Run a program up to its first wants that have no reply yet.

        What it wants isn't begun any more once ``wanted`` says that nobody waits for its result.
        """
        task = Task(program, wanted)
        self.running += 1
        self._resume(task, None)
        return task

    def watch(self, work: Work) -> None:
        """Have a work go on that nobody asked for."""
        self._follow(_Watched(None, work))

    def turn(self) -> None:
        """Begin what there is room for, wait for the next event or deadline, and see to it."""
        for kind, queue in self._queues.items():
            while queue and self._busy[kind] < self._lanes[kind].width:
                self._begin(kind, queue.popleft())
        if not self._due:
            return  # all that was begun has ended already
        events = self._selector.select(self._patience())
        now = time.monotonic()  # what arrives from now on is read before its work expires
        for key, mask in events:
            watched: _Watched = key.data
            if watched.sock is not None:
                self._advance(watched, watched.sock, mask)
        while self._deadlines and self._deadlines[0][0] <= now:
            late = self._due.pop(heapq.heappop(self._deadlines)[1], None)
            if late is not None:
                late.work.expired()
                self._follow(late)

    def close(self) -> None:
        """Close every socket that is open still."""
        for key in list(self._selector.get_map().values()):
            key.data.sock.close()

    def _resume(self, task: Task[ResultT], replies: tuple[Any, ...] | None) -> None:
        """Take a program forward until it wants what isn't known, or ends."""
        try:
            while not task.missing:
                task.batch = next(task.program) if replies is None else task.program.send(replies)
                task.found = {}
                for want in dict.fromkeys(task.batch):
                    task.missing += self._wanted(want, task)
                if not task.missing:
                    replies = task.replies()
        except StopIteration as stop:
            task.result, task.done = stop.value, True
            self.running -= 1

    def _wanted(self, want: Hashable, task: Task[ResultT]) -> bool:
        """Note who waits for ``want``; False if its reply is known."""
        if want in self._known:
            task.found[want] = self._known[want]
            return False
        if want in self._waiting:
            self._waiting[want].append(task)
        else:
            self._waiting[want] = [task]
            self._queues[type(want)].append(want)
        return True

    def _begin(self, kind: type, want: Hashable) -> None:
        lane = self._lanes[kind]
        if not any(task.wanted() for task in self._waiting[want]):
            for task in self._waiting.pop(want):
                task.program.close()
            self._next_of_group(kind, want)
            return
        if lane.group is not None:
            group = self._groups.setdefault((kind, lane.group(want)), _Group())
            if group.busy >= lane.each:
                group.held.append(want)
                return
            group.busy += 1
        self._busy[kind] += 1
        self._follow(_Watched(want, lane.begin(want)))

    def _ended(self, kind: type, want: Hashable) -> None:
        """Make room: in its lane, and in its group."""
        self._busy[kind] -= 1
        group_of = self._lanes[kind].group
        if group_of is not None:
            self._groups[kind, group_of(want)].busy -= 1
            self._next_of_group(kind, want)

    def _next_of_group(self, kind: type, want: Hashable) -> None:
        """Have the next of those begin that were held back, if any."""
        group_of = self._lanes[kind].group
        key = (kind, None if group_of is None else group_of(want))
        group = self._groups.get(key)
        if group is None:
            return
        if group.held:
            self._queues[kind].appendleft(group.held.popleft())
        elif not group.busy:
            del self._groups[key]

    def _advance(self, watched: _Watched, sock: socket.socket, mask: int) -> None:
        try:
            watched.work.ready(sock, mask)
        except BlockingIOError:
            pass
        except OSError as exc:
            watched.work.failed(exc)
        self._follow(watched)

    def _follow(self, watched: _Watched) -> None:
        """Watch for what a work waits for now, or hand on its reply."""
        work = watched.work
        over = work.reply is not None
        if watched.sock is not None and (over or watched.sock is not work.sock):
            self._selector.unregister(watched.sock)
            watched.sock.close()
            watched.sock = None
        if over:
            self._due.pop(watched.number, None)
            self._deliver(watched.want, work.reply)
            return
        if watched.sock is None and work.sock is not None:
            self._selector.register(work.sock, work.events, watched)
        elif watched.events != work.events and work.sock is not None:
            self._selector.modify(work.sock, work.events, watched)
        watched.sock, watched.events = work.sock, work.events
        if watched.deadline != work.deadline:
            self._due.pop(watched.number, None)
            watched.deadline, watched.number = work.deadline, next(self._numbers)
            self._due[watched.number] = watched
            heapq.heappush(self._deadlines, (work.deadline, watched.number))

    def _deliver(self, want: Hashable, reply: object) -> None:
        self._ended(type(want), want)
        self._known[want] = reply
        for task in self._waiting.pop(want):
            task.found[want] = reply
            task.missing -= 1
            if not task.missing:
                self._resume(task, task.replies())

    def _patience(self) -> float:
        """Seconds until the next deadline."""
        while self._deadlines[0][1] not in self._due:
            heapq.heappop(self._deadlines)
        return max(self._deadlines[0][0] - time.monotonic(), 0.0)
