"""What became of a result that was handed on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from danebot.tuples import NamedTuple
from danebot_exporter.feed.services import FedResult


class Receipt(NamedTuple):
    """``refused`` says why it was not taken, and will not be; "" if it was."""

    refused: str = ""


TAKEN = Receipt()


class Receiver(Protocol):
    """Who takes results."""

    def submit(self, results: Sequence[FedResult]) -> Iterator[Receipt]:
        """Hand results on, and give an outcome for each, in their order.

        Raises `DanebotError` once no more can be handed on for now: the rest is to come again.
        """

    def close(self) -> None:
        """Let go of what is open."""
