"""What a lineage's services serve, asked in the way that finds its own certificate.

A server may have two certificates, RSA and ECDSA, each of a lineage of its own, and choose by what
the client supports.  Asked without a preference, it shows but one of them; so whoever is shown
another certificate than the lineage's asks again for one of the lineage's algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.lineage.keys import Algorithm
from danebot.errors import DanebotError
from danebot.jobs.observing import read_lineage

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.domain.names import Endpoint
    from danebot.jobs.context import Context


def ask(
    context: Context,
    name: str,
    endpoints: Sequence[Endpoint],
    held: Held,
    past: frozenset[bytes],
) -> tuple[ProbeResult, ...]:
    """Probe ``endpoints`` for what ``held`` holds; one result for each address.

    ``past`` are the DER SPKIs of the lineage's former keys: where one of these is served, the
    service is behind, whatever else it has.  Without an answer to the second question the first
    one's stands: a server that has no certificate of this algorithm serves another one.
    """
    if not endpoints:
        return ()
    first = tuple(context.prober.probe(name, endpoints))
    others = [result for result in first if _shows_other(result, held, past)]
    algorithm = held.key.algorithm
    if not others or algorithm is None:
        return first
    wanted = tuple(e for e in endpoints if any(e.is_same(one.endpoint) for one in others))
    again: dict[tuple[str, str], list[ProbeResult]] = {}
    for result in context.prober.probe(name, wanted, algorithm):
        again.setdefault(_place(result), []).append(result)
    found = []
    for result in first:
        seconds = again.get(_place(result), [])
        second = seconds.pop(0) if seconds else None  # an address may have several ports
        better = second is not None and second.outcome is ProbeOutcome.SERVED
        found.append(second if second is not None and better and result in others else result)
    return tuple(found)


def old_keys(
    context: Context,
    name: str,
    endpoints: Sequence[Endpoint],
    past: frozenset[bytes],
    others: Sequence[str],
) -> tuple[ProbeResult, ...]:
    """Probes that find a key of ``past``, or can't tell, where the new chain was found already.

    Both certificates of a server with two are asked for; and, where ``others`` (lineages at the
    same owners) have addresses of their own for an endpoint, these too.  A failed handshake says
    that there is no certificate of that algorithm; a server without TLS 1.2 can't be asked for one
    in particular.
    """
    found = []
    for algorithm in (Algorithm.RSA, Algorithm.ECDSA):
        found += [r for r in _probe(context, name, endpoints, algorithm) if _old(r, past)]
    for other in others:
        elsewhere = [e for e in endpoints if _elsewhere(context, name, other, e)]
        for algorithm in Algorithm:
            found += [r for r in _probe(context, other, elsewhere, algorithm) if _old(r, past)]
    return tuple(dict.fromkeys(found))


def neighbours(context: Context, state: LineageState) -> tuple[str, ...]:
    """Other lineages whose services are probed and have an owner in common with this one."""
    found = []
    for name in context.tree.names():
        if name == state.name or not context.settings.probe(name):
            continue
        with suppress(DanebotError, OSError):
            if set(read_lineage(context, name)[0].owners) & set(state.owners):
                found.append(name)
    return tuple(found)


def _probe(
    context: Context, name: str, endpoints: Sequence[Endpoint], algorithm: Algorithm
) -> Sequence[ProbeResult]:
    return context.prober.probe(name, endpoints, algorithm) if endpoints else ()


def _elsewhere(context: Context, name: str, other: str, endpoint: Endpoint) -> bool:
    settings = context.settings
    mine, others = (settings.endpoint(one, endpoint.host, endpoint.port) for one in (name, other))
    return others is not None and others != mine


def _old(result: ProbeResult, past: frozenset[bytes]) -> bool:
    from danebot.domain.lineage.pem import leaf_spki

    if result.outcome is ProbeOutcome.SERVED:
        return leaf_spki(result.chain[0]) in past
    absent = result.outcome is ProbeOutcome.TLS_FAILED
    return not absent or result.algorithm is Algorithm.ANY


def serves(result: ProbeResult, held: Held) -> bool:
    """Whether the probe found the leaf that live holds."""
    return result.outcome is ProbeOutcome.SERVED and result.chain[:1] == held.chain.ders[:1]


def _shows_other(result: ProbeResult, held: Held, past: frozenset[bytes]) -> bool:
    """Whether a certificate is served that isn't, and never was, the lineage's."""
    from danebot.domain.lineage.pem import leaf_spki

    if result.outcome is not ProbeOutcome.SERVED or serves(result, held):
        return False
    return leaf_spki(result.chain[0]) not in past


def _place(result: ProbeResult) -> tuple[str, str]:
    return str(result.endpoint), result.address
