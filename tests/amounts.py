"""How much the long tests try: a sample of each kind, or all of it with ``PROVE=all``."""

from __future__ import annotations

import os

ALL = {"": False, "all": True}[os.environ.get("PROVE", "")]


def amount(sample: int, everything: int) -> int:
    """How many are tried in this run."""
    return everything if ALL else sample
