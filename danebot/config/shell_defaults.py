"""The shell program's defaults file, read as data.

It is a shell file called ``danebot``; what in it is more than a plain assignment is not run but
pointed out in a notice.  Later files override earlier ones, as they did when they were sourced.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.config.files import read_text
from danebot.config.table import Sourced, ValueT
from danebot.config.values import parse_duration, parse_mode
from danebot.domain.addresses import SocketAddress, parse_socket_address
from danebot.domain.lineage.key_types import RSA_BITS, KeyType
from danebot.domain.names import printable
from danebot.domain.rollover.evidence.policy import LONGEST_WAIT
from danebot.errors import ConfigError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.config.shell_statements import Assignment

DIRECTORIES = ("etc/default", "etc/defaults", "usr/local/etc", "usr/pkg/etc", "opt/local/etc")
NAMES = ("KEYALG", "KEYOPTS", "KEYMODE", "TTL", "NS", "SSL_CERT_FILE")
_CURVES = {
    "p-256": KeyType.P256,
    "prime256v1": KeyType.P256,
    "secp256r1": KeyType.P256,
    "p-384": KeyType.P384,
    "secp384r1": KeyType.P384,
}
_RSA_TYPES = {str(bits): kind for kind, bits in RSA_BITS.items()}


class ShellDefaults(NamedTuple):
    """What the files say, None where they don't; ``notices`` are printable lines."""

    key_type: Sourced[KeyType | None] | None = None
    min_wait: Sourced[timedelta] | None = None
    combo_mode: Sourced[str] | None = None
    resolvers: Sourced[tuple[SocketAddress, ...] | None] | None = None
    ca_file: Sourced[Path | None] | None = None
    notices: tuple[str, ...] = ()


class _Variable(NamedTuple):
    words: tuple[str, ...]
    source: str

    @property
    def text(self) -> str:
        return self.words[0].strip() if self.words else ""


class _Reading:
    """The variables after all that was read so far."""

    def __init__(self) -> None:
        self.variables: dict[str, _Variable] = {}
        self.exported: set[str] = set()
        self.notices: list[str] = []

    def not_read(self, source: str, what: str, why: str) -> None:
        self.notices.append(f"{source}: not read: {printable(what, 80)} ({why})")


def read_shell_defaults(root: Path = Path("/")) -> ShellDefaults:
    """Read all defaults files below ``root``.  Nothing in them is an error."""
    reading = _Reading()
    for directory in DIRECTORIES:
        path = root / directory / "danebot"
        try:
            text = read_text(path)
        except ConfigError as exc:
            reading.notices.append(str(exc))
            continue
        if text is not None:
            _read(reading, str(path), text)
    return _meaning(reading)


def _read(reading: _Reading, name: str, text: str) -> None:
    from danebot.config.shell_statements import Assignment, Export, Unread, statements

    lines = text.replace("\r\n", "\n").split("\n")
    for statement in statements(text):
        match statement:
            case Unread():
                why = "it would have to be run"
                if statement.rest:
                    why += ", and so would all that follows"
                reading.not_read(f"{name}:{statement.line}", lines[statement.line - 1].strip(), why)
            case Export():
                reading.exported.add(statement.name)
            case Assignment():
                _assign(reading, f"{name}:{statement.line}", statement)


def _assign(reading: _Reading, source: str, assignment: Assignment) -> None:
    name = assignment.name
    if name not in NAMES:
        reading.not_read(source, name, "not a setting of danebot")
        return
    if assignment.exported:
        reading.exported.add(name)
    words = assignment.values
    former = reading.variables.pop(name, None)
    if words is None:
        reading.not_read(source, name, "its value is unset, or would have to be worked out")
        return
    if assignment.append:
        words = (former.words if former is not None else ()) + words
    reading.variables[name] = _Variable(words, source)


def _meaning(reading: _Reading) -> ShellDefaults:
    return ShellDefaults(
        key_type=_key_type(reading),
        min_wait=_one(reading, "TTL", _days, "want days, or units: 2, 36h, 2d"),
        combo_mode=_one(reading, "KEYMODE", parse_mode, "want octal digits: 0600, 0640"),
        resolvers=_resolvers(reading),
        ca_file=_ca_file(reading),
        notices=tuple(reading.notices),
    )


def _one(
    reading: _Reading, name: str, parse: Callable[[str], ValueT | None], expected: str
) -> Sourced[ValueT] | None:
    """The value of one variable; a notice and None if ``parse`` can't take it."""
    variable = reading.variables.get(name)
    if variable is None or not variable.text:
        return None
    value = parse(variable.text)
    if value is None:
        reading.not_read(variable.source, f"{name}={variable.text}", expected)
        return None
    return Sourced(value, variable.source)


def _days(text: str) -> timedelta | None:
    span = parse_duration(f"{text}d" if text.isdecimal() else text)
    return min(span, LONGEST_WAIT) if span is not None else None


def _resolvers(reading: _Reading) -> Sourced[tuple[SocketAddress, ...] | None] | None:
    variable = reading.variables.get("NS")
    words = " ".join(variable.words).replace(",", " ").split() if variable is not None else []
    found = [address for address in map(parse_socket_address, words) if address is not None]
    if variable is None or not words:
        return None
    if len(found) < len(words):
        reading.not_read(variable.source, f"NS={' '.join(words)}", "want addresses: 127.0.0.1")
        return None
    return Sourced(tuple(found), variable.source)


def _ca_file(reading: _Reading) -> Sourced[Path | None] | None:
    variable = reading.variables.get("SSL_CERT_FILE")
    if variable is None or not variable.text:
        return None
    shown = f"SSL_CERT_FILE={variable.text}"
    if "SSL_CERT_FILE" not in reading.exported:
        reading.not_read(variable.source, shown, "without export it has no effect")
        return None
    if not variable.text.startswith("/") or "\0" in variable.text:
        reading.not_read(variable.source, shown, "want an absolute path")
        return None
    return Sourced(Path(variable.text), variable.source)


def _key_type(reading: _Reading) -> Sourced[KeyType | None] | None:
    """The key type that KEYALG and KEYOPTS ask for together, as openssl genpkey takes them."""
    algorithm, options = (reading.variables.get(name) for name in ("KEYALG", "KEYOPTS"))
    chosen = algorithm or options
    if chosen is None:
        return None
    wanted = algorithm.text.lower() if algorithm is not None else "rsa"  # as there, the default
    words = options.words if options is not None else ()
    given = dict(word.partition(":")[::2] for text in words for word in text.split())
    bits, curve = given.get("rsa_keygen_bits"), given.get("ec_paramgen_curve")
    key_type = None
    match wanted:
        case "rsa" if curve is None:
            key_type = _RSA_TYPES.get(bits or "2048")
        case "ec" if bits is None:
            key_type = _CURVES.get((curve or "P-256").lower())
    if key_type is None:
        shown = f"KEYALG={wanted} KEYOPTS=({' '.join(words)})"
        known = ", ".join(kind.value for kind in KeyType)
        why = f"not one of {known}, so new keys are of the current key's type"
        reading.not_read(chosen.source, shown, why)
        return None
    return Sourced(key_type, chosen.source)
