"""Views: a name server shows another zone to clients that sign with a key than to this host.

BIND chooses the view by the TSIG key as well as by the address (``match-clients``), so an update
may go where queries of this host don't.  That isn't a transfer that lags: it never arrives.
"""

from __future__ import annotations

import time

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import TLSA
from danebot.adapters.dns.resolver import records
from danebot.adapters.dns.response import Response
from danebot.adapters.dns.zones import Direct
from danebot.domain.rollover.records.changes import Change

_TIMEOUT = 2.0
_PAUSES = (0.1, 0.4, 1.0)  # seconds; a server may serve an answer from its packet cache for a while


def shows(change: Change, address: str, port: int, deadline: float) -> bool:
    """Whether the server at ``address`` shows a change to who asks without a key.

    It made the change, or has it already.  Only an authoritative answer proves that it doesn't show
    it: many a primary answers nobody.  ``deadline`` is of `time.monotonic`.
    """
    for pause in (*_PAUSES, 0.0):
        direct = Direct(port, min(_TIMEOUT, deadline - time.monotonic()), attempts=1)
        if direct.timeout <= 0:
            return True
        reply = resolve(direct.ask(address, TLSA.rdtype, change.target))
        if not isinstance(reply, Response) or not reply.authoritative:
            return True
        if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            return True
        found, _ = records(TLSA, reply.answer, change.target.text)
        if change.against(found).empty:
            return True
        time.sleep(min(pause, max(deadline - time.monotonic(), 0.0)))
    return False
