"""A year of operation without a human, in a minute: nobody who sends mail ever notices.

Time is compressed by short TTLs, periods and certificate lifetimes; every check is on.  Two
lineages, ECDSA and RSA, stand behind one owner name of one Postfix; danebot publishes by DNS UPDATE
to the real primary, the secondary is slow all the time, and a sender that insists on DANE connects
all the time, through a resolver that caches.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.lab
QUARTERS = 4
QUARTER = 14
"""Seconds that stand for three months: longer than two certificates' lives before renewal."""
