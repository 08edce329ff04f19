"""Names, parsed once at the edge and never compared as raw strings.

Normal form: lower case, A-labels, no trailing dot.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Container
from typing import TYPE_CHECKING, NoReturn, Self

from danebot.domain.text import printable as printable  # noqa: PLC0414 - names print so
from danebot.errors import NameSyntaxError
from danebot.tuples import NamedTuple

MAX_NAME = 253  # RFC 1035 section 2.3.4, without the root's length octet
PORTS = range(1, 65536)
_MAX_LABEL = 63
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\Z")
_OCTET = r"""[!#%-'*-,/-:<-?\[\]-~-]|\\[."\\();@$]|\\\d{3}"""
_KNOWN = re.compile(rf"(?:{_OCTET}){{1,63}}(?:\.(?:{_OCTET}){{1,63}})*\Z")
_ESCAPE = re.compile(r"\\(\d{3}|.)")
_TLSA_OWNER = re.compile(r"_(\d{1,5})\._(tcp|udp|sctp)\.(.+)\Z")


_freeze = object.__setattr__


def _normalise(text: str) -> str:
    """Lower-case A-labels without the final dot, or `NameSyntaxError`."""
    name = text.strip()
    name = name.removesuffix(".")
    if not name.isascii():
        try:
            name = ".".join(
                label if label.isascii() else label.encode("idna").decode("ascii")
                for label in re.split("[.\u3002\uff0e\uff61]", name)
            )
        except UnicodeError as exc:
            raise NameSyntaxError(f"{text!r} is not a valid internationalised name") from exc
    name = name.lower()
    if not name or len(name) > MAX_NAME:
        raise NameSyntaxError(f"{text[:80]!r} is not a DNS name: empty or over {MAX_NAME} octets")
    return name


def _is_address(name: str) -> bool:
    """Most names needn't be tried: an address ends in a digit or has a colon."""
    if ":" not in name and not name[-1].isdigit():
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_labels(name: str, original: str) -> None:
    for label in name.split("."):
        if not label or len(label) > _MAX_LABEL or not _LABEL.match(label):
            raise NameSyntaxError(f"{original[:80]!r} is not a DNS name: label {label[:70]!r}")


def _known(text: str) -> str:
    """The text of a name from DNS, where labels may be any octets (RFC 2181 section 11)."""
    length = len(_ESCAPE.sub("x", text))
    if text and (length > MAX_NAME or text != text.lower() or not _KNOWN.match(text)):
        raise NameSyntaxError(f"{text[:80]!r} is no name in normal form")
    return text


class _Name:
    """What names of all kinds have; those of two kinds are never equal.

    A frozen dataclass would be the same; every start would load `dataclasses` and `inspect`.
    """

    __slots__ = ("text",)
    __match_args__ = ("text",)
    if TYPE_CHECKING:

        @property
        def text(self) -> str: ...
    else:

        def __setattr__(self, name: str, value: object) -> NoReturn:
            raise AttributeError(f"{name} of a name can't be set")

    def __init__(self, text: str) -> None:
        _freeze(self, "text", text)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.text == other.text

    def __lt__(self, other: Self) -> bool:
        return self.text < other.text if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self.text <= other.text if type(other) is type(self) else NotImplemented

    @classmethod
    def known(cls, text: str) -> Self:
        """Read back the text of any name that DNS gave, "" for the root; `NameSyntaxError`."""
        return cls(_known(text))

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __str__(self) -> str:
        return self.text


class DnsName(_Name):
    """An owner name; underscores and a leftmost ``*`` are allowed.  No trailing dot."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> DnsName:
        """Read ``text`` (U-labels and a final dot accepted), or raise `NameSyntaxError`."""
        name = _normalise(text)
        _check_labels(name.removeprefix("*."), text)
        return cls(name)


def covers(names: Container[DnsName], name: DnsName) -> bool:
    """Whether one of ``names`` is ``name``, or a wildcard for its first label."""
    if name in names:
        return True
    _, _, parent = name.text.partition(".")
    return bool(parent) and DnsName(f"*.{parent}") in names


class Hostname(_Name):
    """A host's name, fit for SNI and reference identifiers.  No trailing dot."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Hostname:
        """Read ``text``, or raise `NameSyntaxError`; addresses are refused."""
        name = _normalise(text)
        if _is_address(name):
            raise NameSyntaxError(f"{text!r} is an address; DANE needs a host name")
        _check_labels(name, text)
        return cls(name)

    @property
    def dns_name(self) -> DnsName:
        """The same name as an owner name."""
        return DnsName(self.text)


class Transport(enum.Enum):
    """The second label of a TLSA owner (RFC 6698 section 3)."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class TlsaOwner(NamedTuple):
    """Where a TLSA RRset is asked for: port, transport, TLSA base domain (RFC 6698 section 3)."""

    base: Hostname
    port: int
    transport: Transport = Transport.TCP

    @classmethod
    def from_name(cls, name: DnsName) -> TlsaOwner | None:
        """Take ``_25._tcp.host`` apart; None for a name of another form."""
        match = _TLSA_OWNER.match(name.text)
        if match is None or int(match[1]) not in PORTS:
            return None
        try:
            base = Hostname.parse(match[3])
        except NameSyntaxError:
            return None
        return cls(base, int(match[1]), Transport(match[2]))

    @property
    def name(self) -> DnsName:
        """The owner name."""
        return DnsName(f"_{self.port}._{self.transport.value}.{self.base.text}")

    def __str__(self) -> str:
        return self.name.text


class Protocol(enum.Enum):
    """How TLS begins on a connection; the value is the word used on command lines."""

    TLS = "tls"
    SMTP = "smtp"
    LMTP = "lmtp"
    IMAP = "imap"
    POP3 = "pop3"
    SIEVE = "sieve"
    XMPP_CLIENT = "xmpp-client"
    XMPP_SERVER = "xmpp-server"
    LDAP = "ldap"
    FTP = "ftp"


WELL_KNOWN_PORTS: dict[int, Protocol] = {
    21: Protocol.FTP,
    24: Protocol.LMTP,
    25: Protocol.SMTP,
    110: Protocol.POP3,
    143: Protocol.IMAP,
    389: Protocol.LDAP,
    587: Protocol.SMTP,
    2525: Protocol.SMTP,
    4190: Protocol.SIEVE,
    5222: Protocol.XMPP_CLIENT,
    5269: Protocol.XMPP_SERVER,
}
"""Ports on which TLS begins with a STARTTLS dialogue; every other port is implicit TLS."""


def default_protocol(port: int) -> Protocol:
    """The protocol expected at a TCP port; implicit TLS where nothing else is known."""
    return WELL_KNOWN_PORTS.get(port, Protocol.TLS)


class Endpoint(NamedTuple):
    """A service at a name and port."""

    host: Hostname
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        return f"{self.host.text}:{self.port}"

    def is_same(self, other: Endpoint | None) -> bool:
        """Whether it is the same service, whatever protocol either is taken to speak."""
        return other is not None and (self.host, self.port) == (other.host, other.port)


def service_at(owner: DnsName) -> Endpoint | None:
    """The TCP service that a TLSA owner names (RFC 6698 section 3), as is usual at its port."""
    named = TlsaOwner.from_name(owner)
    if named is None or named.transport is not Transport.TCP:
        return None
    return Endpoint(named.base, named.port, default_protocol(named.port))
