"""How long the host has been up, beside what the clock shows, where the kernel is Linux."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from danebot.domain.rollover.evidence.memory import Reading

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def uptime_reading() -> Reading | None:
    """The clock, and the time since this boot, sleep included; None where no kernel tells."""
    try:
        boot = _boot(BOOT_ID)
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, AttributeError):
        return None
    return Reading(boot, timedelta(seconds=uptime), datetime.now(UTC)) if boot else None


@cache
def _boot(path: Path) -> str:
    """The boot's name, read once: no process outlives a boot."""
    return path.read_text("utf-8").strip()
