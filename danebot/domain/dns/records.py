"""Values of the record types besides TLSA that lead to a service or to a zone."""

from __future__ import annotations

from datetime import timedelta

from danebot.domain.names import DnsName, Hostname
from danebot.tuples import NamedTuple


class MxRecord(NamedTuple):
    """One mail exchanger (RFC 5321 section 5.1); ``exchange`` is None for ``.`` (RFC 7505)."""

    preference: int
    exchange: Hostname | None


class SrvRecord(NamedTuple):
    """One target of a service (RFC 2782); ``target`` is None for ``.``: not offered here."""

    priority: int
    weight: int
    port: int
    target: Hostname | None


class SoaRecord(NamedTuple):
    """A start of authority, in part; ``minimum`` is the negative TTL (RFC 2308 section 4)."""

    primary: DnsName
    serial: int
    minimum: timedelta
