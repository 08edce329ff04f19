"""Resolution without I/O: questions go out in batches, replies come in.

Logic is written once, as generators that yield a batch of `Query` and receive a `Reply` for each,
in order.  `danebot.adapters.loop` drives them; `danebot.adapters.dns.exchange` says what happens on
a socket.  One try per query, so that retries are logic, too.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Generator, Hashable, Iterable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from danebot.adapters.loop import ResultT
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.dns.response import Response

KeyT = TypeVar("KeyT", bound=Hashable)


class Ask(enum.IntFlag):
    """Header bits of a query (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2, RFC 6840 5.7)."""

    ITERATIVE = 0
    RECURSIVE = 0x0120  # RD, and AD: "tell me whether it is authentic"
    UNCHECKED = 0x0110  # RD and CD: "give me what you have, even if it is bogus"


class Query(NamedTuple):
    """One question to one address, tried once.

    ``address`` is a literal; ``name`` is in normal form, "" for the root; ``timeout`` is in
    seconds; ``attempt`` only tells repetitions apart, so that a cache may hold each.
    """

    address: str
    port: int
    name: str
    rdtype: int
    ask: Ask
    timeout: float
    attempt: int = 0


class Trouble(enum.Enum):
    """Why no response came; the value is in words."""

    TIMEOUT = "timed out"
    REFUSED = "connection refused"
    NO_ROUTE = "no route"  # said by this host's own kernel before anything was sent
    NETWORK = "network error"
    MALFORMED = "malformed response"


class QueryFailure(NamedTuple):
    """A query without a usable response; ``detail`` is printable."""

    trouble: Trouble
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.trouble.value}: {self.detail}" if self.detail else self.trouble.value


Reply: TypeAlias = "Response | QueryFailure"
Batch: TypeAlias = tuple[Query, ...]
Steps: TypeAlias = Generator[Batch, tuple[Reply, ...], ResultT]
Cache: TypeAlias = dict[Query, Reply]
"""Replies of one run: what was asked once is not asked again."""


def together(many: Iterable[Steps[ResultT]]) -> Steps[list[ResultT]]:
    """Take several resolutions forward side by side; results in the order given.

    Their batches go out as one, so that the slowest reply of each round is waited for once.
    """
    steps = list(many)
    if len(steps) == 1:
        return [(yield from steps[0])]
    results: dict[int, ResultT] = {}
    inbox: dict[int, tuple[Reply, ...] | None] = dict.fromkeys(range(len(steps)))
    while True:
        outbox: dict[int, Batch] = {}
        for index, replies in inbox.items():
            try:
                outbox[index] = (
                    next(steps[index]) if replies is None else steps[index].send(replies)
                )
            except StopIteration as stop:
                results[index] = stop.value
        if not outbox:
            return [results[index] for index in range(len(steps))]
        answers = iter((yield tuple(query for batch in outbox.values() for query in batch)))
        inbox = {index: tuple(next(answers) for _ in batch) for index, batch in outbox.items()}


def each(keyed: dict[KeyT, Steps[ResultT]]) -> Steps[dict[KeyT, ResultT]]:
    """`together` for a mapping: the results under the same keys."""
    results = yield from together(keyed.values())
    return dict(zip(keyed, results, strict=True))


def within(steps: Steps[ResultT], end: float) -> Steps[ResultT]:
    """The same steps with no query waited for beyond ``end`` (of `time.monotonic`)."""
    try:
        batch = next(steps)
        while True:
            left = end - time.monotonic()
            if left > 0:
                replies = yield tuple(_shorter(query, left) for query in batch)
            else:
                replies = tuple(_LATE for _ in batch)
            batch = steps.send(replies)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


_LATE: Reply = QueryFailure(Trouble.TIMEOUT, "no time left")


def _shorter(query: Query, left: float) -> Query:
    return query if query.timeout <= left else query._replace(timeout=left)
