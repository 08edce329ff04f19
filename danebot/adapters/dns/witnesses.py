"""What witnesses say: resolvers or servers that see what the world sees.

Logic without I/O (see `danebot.adapters.dns.queries`).  Servers with views (BIND's, or those
behind split DNS) may answer this host otherwise than the world.  A witness is asked the way
clients ask resolvers; one that is an authoritative server answers that, too.  Nobody vouches for
the path to it: its word may hold something up, never make anything count.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from danebot.adapters.dns.denial import denial_ttl, negative_ttl
from danebot.adapters.dns.queries import Ask, QueryFailure, Reply, Steps, together
from danebot.adapters.dns.rcodes import Rcode
from danebot.adapters.dns.rdata import TLSA
from danebot.adapters.dns.resolver import records
from danebot.adapters.dns.response import Response
from danebot.adapters.dns.zones import Direct
from danebot.domain.addresses import SocketAddress
from danebot.domain.dns.answers import WITNESS, Server, ServerAnswer, ServerOutcome, TlsaAnswer
from danebot.domain.names import DnsName


def ask_witnesses(
    witnesses: Sequence[SocketAddress], direct: Direct, answer: TlsaAnswer
) -> Steps[tuple[ServerAnswer, ...]]:
    """What each witness has for an owner that the resolver was asked for."""
    return tuple((yield from together([_ask(one, direct, answer) for one in witnesses])))


def _ask(witness: SocketAddress, direct: Direct, answer: TlsaAnswer) -> Steps[ServerAnswer]:
    """Ask for the owner; of who doesn't follow its alias, for the canonical name."""
    direct = direct._replace(port=witness.port or direct.port)
    said = ServerAnswer(Server(WITNESS, str(witness)), ServerOutcome.LAME)
    for name in dict.fromkeys((answer.name, answer.canonical)):
        reply = yield from direct.ask(witness.address, TLSA.rdtype, name, Ask.RECURSIVE)
        said = witness_answer(said.server, reply, name, answer)
        if said.outcome is not ServerOutcome.LAME:
            break
    return said


def witness_answer(server: Server, reply: Reply, name: DnsName, known: TlsaAnswer) -> ServerAnswer:
    """What one witness's reply says of ``name``, from its own data or its cache.

    ``known`` is what the resolver says.  As with a zone's servers, the TTLs of aliases are added
    where they lead elsewhere than that.
    """
    if isinstance(reply, QueryFailure):
        return ServerAnswer(server, ServerOutcome.UNREACHABLE, detail=str(reply))
    chain = reply.chain(name.text, TLSA.rdtype)
    if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN) or chain.loop:
        return ServerAnswer(server, ServerOutcome.LAME, detail=reply.words)
    ttl = reply.ttl(chain.canonical, TLSA.rdtype)
    end = DnsName(chain.canonical)
    astray = end not in {known.name, *(alias.target for alias in known.aliases)}
    told = ttl is not None or _conclusive(reply, aliased=bool(chain.links))
    if not told and not (astray and reply.authoritative):
        words = f"leads to {chain.canonical}" if chain.links else "does not recurse"
        return ServerAnswer(server, ServerOutcome.LAME, detail=words)
    found, rejects = records(TLSA, reply.answer, chain.canonical)
    links = () if end == known.canonical else chain.links
    way = sum(link.ttl for link in links)
    alias = [f"alias of {chain.canonical}"] if astray else []
    return ServerAnswer(
        server=server,
        outcome=ServerOutcome.ANSWERED,
        records=found,
        ttl=None if ttl is None else timedelta(seconds=way + ttl),
        negative_ttl=denial_ttl(reply) if ttl is not None else negative_ttl(reply, links),
        detail="; ".join([*alias, *rejects]),
        elsewhere=None if told else end,
        end=end if astray else None,
    )


def _conclusive(reply: Response, *, aliased: bool) -> bool:
    """Whether a reply without records says that there are none (RFC 2308 section 2.2).

    A server that doesn't recurse says so of its own zones alone, and not of where an alias leads.
    """
    return reply.recursive or (reply.authoritative and not aliased)
