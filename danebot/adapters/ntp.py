"""Whether something keeps the system's clock right, by the kernel's word (adjtimex(2))."""

from __future__ import annotations

import ctypes

_TIME_ERROR = 5
_ROOM = 512  # octets, more than struct timex has anywhere


def synchronised() -> bool | None:
    """Whether a daemon (timesyncd, chrony, ntpd) has set it lately; None where no kernel tells.

    Nothing is set: the first member of struct timex, its modes, is 0.
    """
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_ROOM))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)
