"""Secure lookups: a stub's questions to a validating resolver, and what its answers are worth.

All of it is logic without I/O: generators for a driver (see `danebot.adapters.dns.queries`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Generic

from danebot.adapters.dns.queries import Ask, Query, QueryFailure, Steps, Trouble
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import CNAME, SOA, RecordKind
from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.adapters.dns.response import (
    AliasChain,
    Response,
    RRsetKey,
    Section,
    seconds,
    synthesised,
)
from danebot.adapters.dns.wire_names import MalformedError
from danebot.domain.dns.answers import Alias, Answer, Cause, Presence, RecordT, Security
from danebot.domain.names import MAX_NAME, DnsName, printable
from danebot.errors import DanebotError
from danebot.tuples import NamedTuple

_SOA, _NS, _DS = 6, 2, 43
_CONCLUSIVE = (Rcode.NOERROR, Rcode.NXDOMAIN)


class Resolution(NamedTuple, Generic[RecordT]):
    """An answer, with the response behind it for who needs the other sections.

    Of a bogus answer that is the one to the unchecked question.  ``nameserver`` is who gave it.
    """

    answer: Answer[RecordT]
    response: Response | None = None
    nameserver: Nameserver | None = None


class Resolver:
    """A stub resolver that tells secure, insecure, bogus and unreachable apart."""

    def __init__(self, config: ResolverConfig) -> None:
        self.config = config

    def lookup(self, kind: RecordKind[RecordT], name: DnsName) -> Steps[Answer[RecordT]]:
        """Ask for ``name``; trouble is in the answer."""
        return (yield from self.resolve(kind, name)).answer

    def resolve(  # noqa: C901 - one loop over nameservers and attempts, read from top to bottom
        self, kind: RecordKind[RecordT], name: DnsName
    ) -> Steps[Resolution[RecordT]]:
        """Ask every nameserver in turn until one gives a conclusive answer.

        A nameserver that timed out is tried again, one that gave an error isn't.
        """
        if len(name.text) > MAX_NAME:  # a base domain may leave no room for _25._tcp
            return Resolution(_unknown(name, Cause.DOMAIN, "name too long to ask for"))
        left = list(self.config.nameservers)
        troubles: dict[str, None] = {}
        cause = Cause.RESOLVER
        for attempt in range(self.config.attempts):
            for nameserver in tuple(left):
                (reply,) = yield (self._query(nameserver, kind, name, Ask.RECURSIVE, attempt),)
                if isinstance(reply, QueryFailure):
                    trouble = str(reply)
                    if reply.trouble is not Trouble.TIMEOUT:
                        left.remove(nameserver)
                else:
                    if reply.rcode == Rcode.SERVFAIL:
                        reply, unchecked = yield from self._doubt(nameserver, kind, name, reply)
                        if unchecked is not None:
                            return _bogus(kind, name, reply, unchecked)
                    if reply.rcode in _CONCLUSIVE and not _is_referral(reply):
                        resolution = self._conclude(nameserver, kind, name, reply)
                        if resolution is not None:
                            return resolution
                    left.remove(nameserver)
                    if reply.rcode == Rcode.SERVFAIL:
                        cause = Cause.DOMAIN
                    trouble = "does not recurse" if reply.rcode in _CONCLUSIVE else reply.words
                troubles[f"resolver {nameserver}: {trouble}"] = None
        if cause is Cause.DOMAIN and (yield from self._cut_off(name)):
            cause = Cause.RESOLVER
            troubles["nor does it find the top-level domain"] = None
        return Resolution(_unknown(name, cause, "; ".join(troubles)))

    def knows_unsigned(self, nameserver: Nameserver, zones: Iterable[DnsName]) -> Steps[bool]:
        """Whether what ``nameserver`` calls insecure in one of ``zones`` is unsigned to the world.

        It is if that validates, as the SOA record of the root shows, or in a network of its own
        that of the top-level domain, and has no DS record of the zone: with one, it was told not
        to validate there (RFC 7646), or its copy is another than the world's.
        """
        names = [zone.text for zone in zones]
        above = dict.fromkeys(["", *(name.rpartition(".")[2] for name in names)])
        questions = [*((name, _SOA) for name in above), *((name, _DS) for name in names)]
        timeout = self.config.timeout.total_seconds()
        said: dict[tuple[str, int], Response] = {}
        for attempt in range(self.config.attempts):
            left = [one for one in questions if one not in said]
            replies = yield tuple(
                Query(nameserver.address, nameserver.port, *one, Ask.RECURSIVE, timeout, attempt)
                for one in left
            )
            said |= {o: r for o, r in zip(left, replies, strict=True) if isinstance(r, Response)}
            if len(said) == len(questions):
                break
        validates = any(one.authentic for (_, kind), one in said.items() if kind == _SOA)
        return (
            validates
            and self.config.believes_ad(nameserver)
            and any(
                one.rcode == Rcode.NOERROR and not any(key.rdtype == _DS for key in one.answer)
                for (_, kind), one in said.items()
                if kind == _DS
            )
        )

    def _cut_off(self, name: DnsName) -> Steps[bool]:
        """Whether the top-level domain can't be looked up either.

        Then the resolver is cut off from the internet, and the failure says nothing of the name.
        """
        _, dot, top = name.text.rpartition(".")
        if not dot:
            return False
        for nameserver in self.config.nameservers:
            (reply,) = yield (self._query(nameserver, SOA, DnsName(top), Ask.RECURSIVE, 0),)
            if isinstance(reply, Response) and reply.rcode != Rcode.SERVFAIL:
                return False
        return True

    def _query(
        self,
        nameserver: Nameserver,
        kind: RecordKind[RecordT],
        name: DnsName,
        flags: Ask,
        attempt: int,
    ) -> Query:
        timeout = self.config.timeout.total_seconds()
        return Query(
            nameserver.address, nameserver.port, name.text, kind.rdtype, flags, timeout, attempt
        )

    def _doubt(
        self, nameserver: Nameserver, kind: RecordKind[RecordT], name: DnsName, failed: Response
    ) -> Steps[tuple[Response, Response | None]]:
        """Tell, after SERVFAIL, whether data exist and only validation fails (RFC 4035 5.5).

        Returns the validated response and, if that is a failure which goes away when validation
        is off, the unchecked one.  The checked question is put once more in between, since a
        passing trouble upstream looks the same.
        """
        for attempt in range(self.config.attempts):
            (unchecked,) = yield (self._query(nameserver, kind, name, Ask.UNCHECKED, attempt),)
            if isinstance(unchecked, QueryFailure):
                continue
            if unchecked.rcode not in _CONCLUSIVE:
                break
            # attempts number from 0, so this one isn't taken from the cache
            query = self._query(nameserver, kind, name, Ask.RECURSIVE, self.config.attempts)
            (again,) = yield (query,)
            if isinstance(again, Response) and again.rcode in _CONCLUSIVE:
                return again, None
            return failed, unchecked
        return failed, None

    def _conclude(
        self, nameserver: Nameserver, kind: RecordKind[RecordT], name: DnsName, response: Response
    ) -> Resolution[RecordT] | None:
        """The answer in a conclusive response; None if it stops before the end of the aliases."""
        chain = response.chain(name.text, kind.rdtype)
        if chain.loop:
            detail = f"CNAME loop at {chain.canonical}"
            return Resolution(_unknown(name, Cause.DOMAIN, detail, chain), response)
        ttl = response.ttl(chain.canonical, kind.rdtype)
        if chain.links and ttl is None and not response.recursive and not _has_soa(response):
            return None
        security, doubt = judge_reply(self.config, nameserver, response, chain)
        found, rejects = records(kind, response.answer, chain.canonical)
        absent = Presence.NXDOMAIN if response.rcode == Rcode.NXDOMAIN else Presence.NODATA
        answer = Answer(
            name=name,
            security=security,
            presence=Presence.PRESENT if ttl is not None else absent,
            canonical=DnsName(chain.canonical),
            aliases=_aliases(chain),
            records=found,
            ttl=seconds(ttl),
            signed_until=response.signed_until(),
            signed_since=response.signed_since(chain.canonical, kind.rdtype),
            rejects=rejects,
            detail="; ".join([*doubt, *response.extended]),
            cause=Cause.UNTRUSTED if doubt else None,
            wildcard=_synthesised(response, chain, kind.rdtype),
        )
        return Resolution(answer, response, nameserver)


def judge_reply(
    config: ResolverConfig, nameserver: Nameserver, response: Response, chain: AliasChain
) -> tuple[Security, tuple[str, ...]]:
    """Whether a conclusive response is secure, and words on why a claim was not believed.

    AD counts from who is trusted.  AA counts from a loopback address alone, and only for the name
    asked: it doesn't speak for what lies behind an alias when the server also recurses (RFC 1035
    section 4.1.1).
    """
    if response.authentic:
        if config.believes_ad(nameserver):
            return Security.SECURE, ()
        return Security.INSECURE, (
            f"AD of resolver {nameserver} isn't believed: neither on loopback nor options trust-ad",
        )
    own = response.authoritative and not (chain.links and response.recursive)
    if own and nameserver.is_loopback:
        return Security.SECURE, ()
    return Security.INSECURE, ()


def _is_referral(response: Response) -> bool:
    """An authoritative server that was asked about a zone it doesn't have."""
    return (
        not response.answer
        and not response.authoritative
        and not _has_soa(response)
        and not response.recursive
        and any(key.rdtype == _NS for key in response.authority)
    )


def _has_soa(response: Response) -> bool:
    return any(key.rdtype == _SOA for key in response.authority)


def _synthesised(response: Response, chain: AliasChain, rdtype: int) -> bool:
    """Whether a wildcard made the RRset, or an alias on the way to it."""
    steps = [(chain.canonical, rdtype), *((link.name, CNAME.rdtype) for link in chain.links)]
    return any(synthesised(response.answer, name, kind) for name, kind in steps)


def _aliases(chain: AliasChain) -> tuple[Alias, ...]:
    return tuple(
        Alias(DnsName(link.name), DnsName(link.target), timedelta(seconds=link.ttl))
        for link in chain.links
    )


def _unknown(
    name: DnsName, cause: Cause | None, detail: str, chain: AliasChain | None = None
) -> Answer[RecordT]:
    """Without a cause it is bogus."""
    canonical = name if chain is None or chain.loop else DnsName(chain.canonical)
    aliases = () if chain is None else _aliases(chain)
    security = Security.BOGUS if cause is None else Security.INDETERMINATE
    return Answer(
        name,
        security,
        Presence.UNKNOWN,
        canonical,
        aliases,
        detail=printable(detail),
        cause=cause,
    )


def _bogus(
    kind: RecordKind[RecordT], name: DnsName, failed: Response, unchecked: Response
) -> Resolution[RecordT]:
    """The records that failed validation are left out: nothing may be built on them."""
    chain = unchecked.chain(name.text, kind.rdtype)
    words = "; ".join(failed.extended) or "answers only with validation off"
    return Resolution(_unknown(name, None, words, chain), unchecked)


def records(
    kind: RecordKind[RecordT], section: Section, name: str
) -> tuple[tuple[RecordT, ...], tuple[str, ...]]:
    """The records at ``name`` in a section, in a fixed order, and why others are none."""
    found: set[RecordT] = set()
    rejects: list[str] = []
    rrset = section.get(RRsetKey(name, kind.rdtype))
    for rdata in rrset.rdatas if rrset is not None else ():
        try:
            found.add(kind.decode(rdata))
        except (DanebotError, MalformedError) as exc:
            rejects.append(printable(f"{kind.word} record: {exc}"))
    return tuple(sorted(found, key=repr) if len(found) > 1 else found), tuple(rejects)
