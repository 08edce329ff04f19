"""Runs danebot with a clock that is ahead:  jump.py DAYS ARGUMENTS...

The machine's own clock can't be moved for a test, but danebot's one source of time can.
"""

from __future__ import annotations

import functools
import sys
from datetime import UTC, datetime, timedelta

from danebot.cli import main
from danebot.jobs.context import Context

ahead = timedelta(days=int(sys.argv.pop(1)))
Context.__init__ = functools.partialmethod(  # type: ignore[assignment, method-assign]
    Context.__init__, clock=lambda: datetime.now(UTC) + ahead
)
main()
