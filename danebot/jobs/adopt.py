"""Look for the TLSA owners that a lineage is to watch: DNS first, then the services in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.names import DnsName, TlsaOwner, service_at
from danebot.domain.rollover.records.adoption import (
    Found,
    Leads,
    Proposal,
    Service,
    Standing,
    by_host,
    doubtful,
    first_lines,
    first_owners,
    hosts_of,
    judge_owner,
    lead_on,
    propose,
    usual_owners,
)
from danebot.jobs.observing import keys_of_tree, observe_dns
from danebot.jobs.probe_lineage import ask
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.tree.paths import LineagePaths
    from danebot.domain.dns.answers import TlsaAnswer
    from danebot.domain.dns.tlsa import Required
    from danebot.domain.lineage.state import Held, LineageState
    from danebot.jobs.context import Context


class Search(NamedTuple):
    """What was found of the owners that may be a lineage's.

    ``names`` are those of the certificate; ``leads`` what MX and SRV records say, where they were
    asked.
    """

    names: frozenset[DnsName]
    leads: Leads
    found: tuple[Found, ...]

    def standing(self, *wanted: Standing) -> tuple[DnsName, ...]:
        """The owners of those standings."""
        return tuple(one.owner for one in self.found if one.standing in wanted)

    @property
    def lines(self) -> tuple[Required, ...]:
        """The lines of ``dane-ee`` for what the lineage is to watch."""
        return tuple(line for one in self.found if one.adopted for line in one.lines)

    @property
    def unanswered(self) -> str:
        """Who gave no answer, in words and compactly; "" if all did."""
        owners = by_host(self.standing(Standing.UNANSWERED))
        others = ", ".join(f"{name} ({why})" for name, why in self.leads.unanswered)
        details = {one.detail for one in self.found if one.standing is Standing.UNANSWERED}
        why = f" ({'; '.join(sorted(details - {''}))})" if len(details - {""}) == 1 else ""
        return ", ".join(filter(None, (owners + why if owners else "", others)))


def search_owners(context: Context, states: Iterable[LineageState]) -> dict[str, Search]:
    """Look for the owners of lineages below the names of the certificates that are served."""
    lives = {one.name: one.serving for one in states}
    names = {n: live.chain.names if live is not None else frozenset() for n, live in lives.items()}
    return search_names(context, names, lives)


def search_names(
    context: Context,
    names: Mapping[str, frozenset[DnsName]],
    lives: Mapping[str, Held | None],
) -> dict[str, Search]:
    """The same below some names of each lineage.

    A wildcard's names don't lead to its hosts; then MX and SRV records of the names are followed to
    those that it covers.
    """
    leads = {name: leads_of(context, found) for name, found in names.items()}
    owners = {name: usual_owners(found, leads[name].found) for name, found in names.items()}
    looked = observe_owners(context, owners, lives)
    return {name: Search(names[name], leads[name], looked[name]) for name in names}


def first_records(context: Context, state: LineageState) -> Proposal | None:
    """What a lineage that watches nothing might publish first; None where nothing is live."""
    live = state.serving
    if live is None:
        return None
    found = search_owners(context, [state])[state.name]
    lines = first_lines(found.found, first_owners(found.names, found.leads.found))
    lacking = state._replace(required=lines, remembered=(), anchored=())
    known = keys_of_tree(context, {state.name: state}).keys
    return propose(found.found, lacking, observe_dns(context, [lacking]), known)


def leads_of(context: Context, names: Iterable[DnsName]) -> Leads:
    """Where MX and SRV records lead from a certificate's names; nothing without a wildcard."""
    every = tuple(names)
    return context.observer.lookup_leads(hosts_of(every)) if lead_on(every) else Leads()


def observe_owners(
    context: Context,
    owners: Mapping[str, Iterable[DnsName]],
    lives: Mapping[str, Held | None],
) -> dict[str, tuple[Found, ...]]:
    """Judge owners for lineages, by name; nothing is found of a lineage that has nothing live."""
    wanted = {name: tuple(found) for name, found in owners.items() if lives[name] is not None}
    every = tuple(dict.fromkeys(owner for found in wanted.values() for owner in found))
    answers = context.observer.lookup_owners(every) if every else {}
    result: dict[str, tuple[Found, ...]] = dict.fromkeys(owners, ())
    for name, found in wanted.items():
        live = lives[name]
        if live is not None:
            result[name] = _judged(context, name, live, [answers[owner] for owner in found])
    return result


def _judged(
    context: Context, name: str, live: Held, answers: Sequence[TlsaAnswer]
) -> tuple[Found, ...]:
    now = context.clock()
    doubts = [answer.name for answer in answers if doubtful(answer, live, now)]
    services = services_at(context, name, live, doubts)
    return tuple(
        judge_owner(answer, live, services.get(answer.name, Service.SILENT), now)
        for answer in answers
    )


def services_at(
    context: Context, name: str, live: Held, owners: Iterable[DnsName]
) -> dict[DnsName, Service]:
    """Whose keys the services at owners serve, as far as they can be asked; ``live`` is ours."""
    endpoints = [endpoint for endpoint in map(service_at, owners) if endpoint is not None]
    if not endpoints or not context.settings.probe(name):
        return {}
    former = former_keys(context.tree.paths(name)) - {live.key.spki}
    found: dict[DnsName, set[Service]] = {}
    for result in ask(context, name, endpoints, live, former):
        owner = TlsaOwner(result.endpoint.host, result.endpoint.port).name
        if result.outcome is ProbeOutcome.SERVED:
            found.setdefault(owner, set()).add(_whose(result.chain[0], live, former))
    ranks = (Service.LIVE, Service.FORMER, Service.OTHER)
    return {owner: next(one for one in ranks if one in seen) for owner, seen in found.items()}


def _whose(leaf: bytes, live: Held, former: frozenset[bytes]) -> Service:
    from danebot.domain.lineage.pem import leaf_spki

    spki = leaf_spki(leaf)
    if spki == live.key.spki:
        return Service.LIVE
    return Service.FORMER if spki in former else Service.OTHER


def former_keys(paths: LineagePaths) -> frozenset[bytes]:
    """DER SPKIs of all certificates in a lineage's archive, as far as they can be read."""
    from danebot.adapters.files import read_bytes
    from danebot.adapters.tree.paths import archive_versions
    from danebot.domain.lineage.pem import read_chain
    from danebot.errors import DanebotError

    keys = set()
    for version in archive_versions(paths):
        try:
            keys.add(read_chain(read_bytes(paths.archived("cert", version))).key.spki)
        except (DanebotError, OSError):  # where a broken version is needed, that is reported there
            continue
    return frozenset(keys)


def where_looked(found: Search) -> str:
    """Where a search looked, in words: the hosts, and what led there."""
    owners = [one.owner for one in found.found]
    hosts = dict.fromkeys(o.base.text for o in map(TlsaOwner.from_name, owners) if o is not None)
    words = f"the usual ports of {', '.join(hosts)}"
    if not lead_on(found.names):
        return words
    led = dict.fromkeys(x.host.text for x in found.leads.found if x.host.text in hosts)
    domains = ", ".join(map(str, hosts_of(found.names)))
    where = ", ".join(led) or "no host that the certificate covers"
    return f"{words} (MX and SRV records of {domains} lead to {where})"
