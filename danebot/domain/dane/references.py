"""Reference identifiers, and whether a certificate presents one of them.

Matching follows RFC 6125 (now RFC 9525) as OpenSSL does it for Postfix: a wildcard stands for the
whole leftmost label, and a subject's common name counts only where no dNSName is presented.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from danebot.domain.names import Hostname
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.dane.certificate import Facts

_WILDCARD = re.compile(r"\*((?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){2,})\Z")
_WILDCARD_LABEL = re.compile(r"[a-z0-9-]+\Z")


class Via(enum.Enum):
    """Where a reference identifier was found."""

    DNS_NAME = "subject alternative name"
    COMMON_NAME = "common name"


class References(NamedTuple):
    """The names under which a server may prove itself (RFC 7672 section 3.2.2).

    ``base`` is the TLSA base domain: the MX host name, or the name at the end of its CNAMEs.
    ``others`` are the next-hop domain and its CNAME expansion, and for services without MX the
    name before expansion (RFC 7671 section 7).
    """

    base: Hostname
    others: tuple[Hostname, ...] = ()

    @property
    def all(self) -> tuple[Hostname, ...]:
        """Every reference identifier once, the TLSA base domain first."""
        return tuple(dict.fromkeys((self.base, *self.others)))


def matching_names(facts: Facts, references: References) -> tuple[tuple[Hostname, ...], Via]:
    """The reference identifiers that the certificate presents, and where."""
    via = Via.DNS_NAME if facts.dns_names else Via.COMMON_NAME
    presented = facts.dns_names or facts.common_names
    return tuple(
        name for name in references.all if any(presents(text, name.text) for text in presented)
    ), via


def presents(presented: str, reference: str) -> bool:
    """Whether one presented identifier, as written, stands for the reference identifier.

    ``*.example.com`` stands for one label of letters, digits and hyphens; ``*.com``, wildcards for
    part of a label and wildcards elsewhere stand for nothing.
    """
    text = presented.lower()
    wildcard = _WILDCARD.match(text)
    if wildcard is None:
        return text == reference
    label, dot, parent = reference.partition(".")
    return dot + parent == wildcard[1] and _WILDCARD_LABEL.match(label) is not None
