"""One format that parsers are tried with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prove.mutations import Mutate, octets


class Wire(NamedTuple):
    """Sound octets, how they are made odd (where coverage doesn't tell), and who reads them.

    No input may take more than ``bound`` seconds of CPU; the slowest take some milliseconds.
    """

    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    mutate: Mutate = octets
    bound: float = 1.0
