"""Where mail for a host's domains goes, and whether DANE protects it there: for `danebot setup`.

Senders begin at MX records (RFC 7672 section 2.2), so these say which certificates serve mail, and
which hosts' records matter.  No answer is not "none": what couldn't be asked is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute
from danebot.domain.names import DnsName, Hostname, TlsaOwner, covers
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

Names = Mapping[str, frozenset[DnsName]]
"""The names in the certificates of lineages."""
_POSTFIX = ("postconf", "-n")
_SHOWN = 3  # domains in one line
_FAILED = (Dane.DEFERRED, Dane.ADDRESS_FAILED)


class MailWays(NamedTuple):
    """What DNS and the host say of its mail.

    ``routes`` are those of `climb`, of ``own``, the host's name, and of ``declared``, the domains
    that its mail server takes mail for; ``local`` are addresses of MX hosts that this host has.
    ``undeclared`` is why the mail server doesn't say its domains.
    ``called`` is the name by which the mail server goes.  ``translated`` are addresses of MX hosts
    that may be this host's all the same, as it reaches them from one that the world can't reach.
    """

    routes: tuple[MailRoute, ...] = ()
    declared: tuple[Hostname, ...] = ()
    own: Hostname | None = None
    local: tuple[str, ...] = ()
    undeclared: str = ""
    called: Hostname | None = None
    translated: tuple[str, ...] = ()

    def leads_to(self, names: Collection[DnsName]) -> bool:
        """Whether an MX record in signed DNS names a host that a certificate has."""
        return any(route.mx.secure and _leads(route, names) for route in self.routes)

    def is_here(self, host: HostRoute) -> bool:
        """Whether a host is this one, by its name or its addresses.

        A name that the mail server takes mail for is its own where MX records lead to that.
        """
        led = any(host.host in _targets(route) for route in self.routes)
        by_name = host.host in (self.own, self.called) or (host.host in self.declared and led)
        return by_name or not set(self.local).isdisjoint(host.addresses)

    def known_here(self, *held: Names) -> frozenset[str]:
        """The addresses of the hosts that are this one, or that a certificate here has."""
        return frozenset(
            address
            for route in self.routes
            for one in route.hosts
            if self.is_here(one) or any(_holder(names, one) for names in held)
            for address in one.addresses
        )


class Lack(NamedTuple):
    """Where senders aren't protected, or nobody knows; and the next ``command``."""

    why: str
    command: tuple[str, ...]


def climb(name: DnsName | Hostname) -> Iterator[Hostname]:
    """The domains whose mail a host's name suggests, nearest first: itself, and those above it."""
    labels = name.text.removeprefix("*.").split(".")
    for first in range(len(labels) - 1):
        try:
            yield Hostname.parse(".".join(labels[first:]))
        except NameSyntaxError:
            continue


def lacks(
    ways: MailWays | None, chosen: Names, others: Names, shown: Collection[str]
) -> Iterator[Lack]:
    """What keeps senders from being protected by the ``chosen`` lineages, a line for each cause.

    Of the lineages in ``shown`` the first record is to be published yet, which need not be told.
    """
    if ways is None:
        why = "whether senders are protected is unknown: MX records could not be looked at"
        yield Lack(why, ("danebot", "verify", "DOMAIN"))
        return
    if ways.undeclared:
        yield Lack(f"which domains are this host's is unknown: {ways.undeclared}", _POSTFIX)
    found: dict[_Fault, list[str]] = {}
    for route in _concerning(ways, chosen or others):
        for fault in _faults(route, ways, chosen, others):
            if fault.record_of not in shown:
                found.setdefault(fault, []).append(str(route.domain))
    for fault, domains in found.items():
        more = f" and {len(domains) - _SHOWN} more" if len(domains) > _SHOWN else ""
        told = fault.words.format(f"{', '.join(domains[:_SHOWN])}{more}", fault.cause)
        yield Lack(told, ("danebot", *(fault.command or ("verify", *domains[:_SHOWN]))))


def unled(ways: MailWays | None, names: Collection[DnsName]) -> tuple[Hostname, ...]:
    """The domains near ``names``, where it is certain that none has an MX record for any of them.

    () where one has, or might.
    """
    asked = {route.domain: route for route in ways.routes} if ways is not None else {}
    near = dict.fromkeys(domain for name in sorted(names) for domain in climb(name))
    if not near or not asked.keys() >= near.keys():
        return ()
    seen = asked.values()
    might = any(r.discovery is Discovery.FAILED or _leads(r, names) for r in seen)
    return () if might else tuple(near)


def first_hosts(ways: MailWays | None) -> tuple[tuple[Hostname, ...], str]:
    """The hosts that a first certificate is for, and whence they are, in words."""
    if ways is None:
        return (), "for HOST, this host's name, as MX records could not be looked at"
    every = {one.host: one for route in ways.routes if _listed(route) for one in route.hosts}
    mine = tuple(host for host, one in every.items() if ways.is_here(one))
    if mine:
        return mine, "for the names that MX records give this host"
    if every:
        return tuple(every), "for the names that MX records give; leave out what isn't this host"
    failed = [route for route in ways.routes if route.discovery is Discovery.FAILED]
    why = f"MX records are unknown: {_detail(failed[0])}" if failed else "no MX record leads here"
    if ways.own is None or ways.own.text.partition(".")[2] in ("", "localdomain"):
        return (), f"for HOST, this host's name, as {why}"
    return (ways.own,), f"for this host's own name, as {why}"


# ---- which domains --------------------------------------------------------------------------


def _listed(route: MailRoute) -> bool:
    return route.discovery is Discovery.LISTED


def _targets(route: MailRoute) -> Collection[Hostname]:
    return [one.host for one in route.hosts] if _listed(route) else ()


def _leads(route: MailRoute, names: Collection[DnsName]) -> bool:
    return _listed(route) and any(covers(names, one.host.dns_name) for one in route.hosts)


def _concerning(ways: MailWays, lineages: Names) -> Iterable[MailRoute]:
    """The routes of the domains that this host has to do with.

    Those are its mail server's, with MX records or an address, and the nearest with MX records
    above each name; where one of them leads to the lineage, others that lead elsewhere are other
    hosts' affair.
    """
    routes = {
        route.domain: route
        for route in ways.routes
        if route.discovery in (Discovery.LISTED, Discovery.FAILED)
    }
    wanted: dict[Hostname, None] = {}
    for names in lineages.values():
        near: dict[Hostname, None] = {}
        for name in sorted(names):
            for domain in filter(routes.__contains__, climb(name)):
                near[domain] = None
                if _listed(routes[domain]):
                    break  # what gave no answer may have none, so that the next counts
        led = any(_leads(routes[domain], names) for domain in near)
        wanted |= {
            domain: None
            for domain in near
            if not led or not _listed(routes[domain]) or _leads(routes[domain], names)
        }
    leading = {route.domain: route for route in ways.routes if _may_lead(route)}
    wanted |= {domain: None for domain in ways.declared if domain in leading}
    return [leading[domain] for domain in wanted]  # what is near may lead, too


def _may_lead(route: MailRoute) -> bool:
    """Whether senders may find a host by it: without MX records that is the domain itself."""
    found = any(host.dane is not Dane.NO_ADDRESS for host in route.hosts)
    return found or route.discovery in (Discovery.LISTED, Discovery.FAILED)


# ---- what is wrong there --------------------------------------------------------------------

_OPEN = "senders to {} aren't protected: {}"
_UNWATCHED = "nobody keeps senders to {} protected: {}"
_UNKNOWN = "whether senders to {} are protected is unknown: {}"


class _Fault(NamedTuple):
    """``words`` are for domains and the cause; the command is to verify them if there is none.

    ``record_of`` is the lineage whose record would mend it, "" if nothing as simple does.
    """

    words: str
    cause: str
    command: tuple[str, ...] = ()
    record_of: str = ""


def _faults(route: MailRoute, ways: MailWays, chosen: Names, others: Names) -> Iterator[_Fault]:
    if route.discovery is Discovery.FAILED:
        yield _Fault(_UNKNOWN, f"MX records: {_detail(route)}")
        return
    if not route.mx.secure:
        yield _Fault(_OPEN, "the MX records are not secured by DNSSEC")
    for host in route.hosts:
        where = f"{host.host}: {host.dane.value}"
        holder, other = (_holder(held, host) for held in (chosen, others))
        if host.dane in _FAILED:
            yield _Fault(_UNKNOWN, where)
        elif holder and host.dane is Dane.ABSENT:
            owner = str(TlsaOwner(host.host, host.port))
            add = ("setup", "--owner", owner, holder)
            yield _Fault(_OPEN, f"no TLSA records at {owner}", add, holder)
        elif host.dane is not Dane.APPLIES and not holder and other:
            cause = f"{where}, and danebot doesn't care for {other}"
            yield _Fault(_OPEN, cause, ("setup", other))
        elif host.dane is not Dane.APPLIES and holder:
            yield _Fault(_OPEN, where)
        elif not holder and not other:
            yield from _stranger(host, ways, chosen, others)


def _holder(lineages: Names, host: HostRoute) -> str:
    """The first lineage whose certificate has the host's name; "" for none."""
    name = host.host.dns_name
    return next((one for one, names in lineages.items() if covers(names, name)), "")


def _stranger(host: HostRoute, ways: MailWays, chosen: Names, others: Names) -> Iterator[_Fault]:
    """An MX host whose name no certificate here has: this host by another name, or another.

    Records of another are its own affair; those of this host nobody compares with what it serves.
    Behind address translation an address tells only beside those of hosts that are known.
    """
    known = ways.known_here(chosen, others)
    applies = host.dane is Dane.APPLIES
    cause = f"{host.host}: {host.dane.value}, and no certificate here has that name"
    add = ("names", *chosen, "--add", str(host.host)) if len(chosen) == 1 else ()
    told = f": danebot {' '.join(add)}" if add else ""
    other = f"{cause}; if it is this host, add it{told}; if not, tell whoever runs it"
    if not known.isdisjoint(host.addresses) or ways.is_here(host):
        yield _Fault(_UNWATCHED if applies else _OPEN, cause, add)
    elif not applies:
        yield _Fault(_OPEN, other)
    elif not known and not set(ways.translated).isdisjoint(host.addresses):
        yield _Fault(_UNKNOWN, other)


def _detail(route: MailRoute) -> str:
    return "; ".join(filter(None, (route.mx.detail, *route.mx.rejects))) or "no answer"
