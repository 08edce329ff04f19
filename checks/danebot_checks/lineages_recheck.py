"""``--recheck``: another look at DNS for the live keys' records, within the plugin's time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from danebot.adapters.dns.exchange import resolve
from danebot.adapters.dns.observer import Observer
from danebot.adapters.dns.queries import within
from danebot.adapters.dns.resolver import Resolver
from danebot.adapters.dns.zones import Direct, Zones
from danebot.adapters.wiring import resolver_of
from danebot.domain.addresses import SocketAddress, parse_socket_address
from danebot.domain.status.recheck import Rechecked, live_owners, rechecked
from danebot.plugin.command_line import named_resolvers

if TYPE_CHECKING:
    import argparse

    from danebot.domain.dns.answers import OwnerObservation
    from danebot.domain.names import DnsName
    from danebot.domain.status.document import LineageStatus

_SHARE = 0.85  # of the time for all of it; the rest is to print
_TRIES = 8  # one silent server's part of that
_RESOLVER_TRIES = 4  # a resolver has to wait for silent servers itself
_LEAST_TRY = 0.5  # seconds
_TRIES_AT_ONE = 2


def recheck(
    lineages: Sequence[LineageStatus], witnesses: Sequence[str], options: argparse.Namespace
) -> Rechecked:
    """Look at every owner of a live key's record; `DanebotError` for what can't be asked."""
    wanted = live_owners(lineages)
    outside = [one for one in map(parse_socket_address, witnesses) if one is not None]
    seen = _observe(tuple(dict.fromkeys(here.owner for here in wanted)), outside, options)
    return rechecked(wanted, seen, datetime.now(UTC))


def _observe(
    owners: Sequence[DnsName], witnesses: Sequence[SocketAddress], options: argparse.Namespace
) -> Mapping[DnsName, OwnerObservation]:
    """Within the plugin's time, which no silent server may use up alone."""
    named = named_resolvers(options.resolver)
    if not owners:
        return {}
    config = resolver_of(named, trusted=options.trust_resolver)
    budget = options.timeout * _SHARE
    share = timedelta(seconds=budget / _RESOLVER_TRIES / len(config.nameservers))
    timeout = min(config.timeout, share)
    patience = max(budget / _TRIES, _LEAST_TRY)
    direct = Direct(timeout=min(patience, Direct().timeout), attempts=_TRIES_AT_ONE)
    zones = Zones(Resolver(config._replace(timeout=timeout)), direct)
    observer = Observer(zones, witnesses)
    return resolve(within(observer.observe(owners), time.monotonic() + budget))
