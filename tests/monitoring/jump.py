"""Runs danebot with a clock that is ahead:  jump.py DAYS ARGUMENTS...

The machine's own clock can't be moved for a test, but danebot's one source of time can.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, tzinfo

from danebot.cli import main
from danebot.jobs import context

ahead = timedelta(days=int(sys.argv.pop(1)))


class Ahead(datetime):
    """What `system_clock` reads."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + ahead


setattr(context, "datetime", Ahead)  # noqa: B010 - an import of the module's
main()
