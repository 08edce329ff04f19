"""Tables of a TOML document, read by name; every problem is noted with its line, none raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Generic, TypeVar

from danebot.config.positions import KeyPath, line_of
from danebot.config.settings import Effective
from danebot.config.values import ItemsError, found
from danebot.domain.names import printable
from danebot.errors import ConfigError, foreign
from danebot.tuples import NamedTuple

ValueT = TypeVar("ValueT")
_FORMER_NAMES = {  # of the shell program, and what is easily taken for a setting
    "ttl": "min_wait",
    "ns": "resolver",
    "keyalg": "key_type",
    "keyopts": "key_type",
    "keymode": "combo_mode",
    "ssl_cert_file": "ca_file",
    "deploy_hook": "hooks",
    "lineages": "lineage",
}


class Sourced(NamedTuple, Generic[ValueT]):
    """A value, and the file and line that it comes from."""

    value: ValueT
    source: str


class Document:
    """What is learnt while one file is read: its problems, and the settings in force.

    ``name`` is the file's name as shown, "" where there is none.
    """

    def __init__(self, name: str = "", lines: Mapping[KeyPath, int] = MappingProxyType({})) -> None:
        self.name = name
        self.lines = lines
        self.problems: list[tuple[int, str]] = []
        self.effective: list[Effective] = []

    def problem(self, path: KeyPath, text: str, at: KeyPath | None = None) -> None:
        """Note what is wrong with ``path``, on the line of ``at`` if that is more precise."""
        self.problems.append((line_of(self.lines, at or path), f"{dotted(path)} {text}"))

    def source(self, path: KeyPath) -> str:
        """File and line of ``path``."""
        return f"{self.name}:{line_of(self.lines, path)}"

    def check(self) -> None:
        """Raise `ConfigError` if there are problems: a line for each, in the file's order."""
        if self.problems:
            ordered = dict.fromkeys(sorted(self.problems))
            raise ConfigError("\n".join(f"{self.name}:{line}: {text}" for line, text in ordered))


class Table:
    """One table; what is never asked for is a problem when `finish` is called."""

    def __init__(self, document: Document, path: KeyPath, content: Mapping[str, object]) -> None:
        """``content`` is what `tomllib` made of the table at ``path``."""
        self.document = document
        self.path = path
        self.content = content
        self._known: dict[str, None] = {}

    def take(
        self,
        name: str,
        parse: Callable[[object], ValueT],
        default: ValueT,
        former: Sourced[ValueT] | None = None,
    ) -> ValueT:
        """The setting ``name``: from this table, else from ``former``, else ``default``.

        ``parse`` raises `ConfigError` for what it can't take; that is noted as a problem.
        """
        self._known[name] = None
        path = (*self.path, name)
        value, shown, source = default, show(default), "default"
        if former is not None:
            value, shown, source = former.value, show(former.value), former.source
        if name in self.content:
            try:
                with foreign(ConfigError, "has a value that can't be used"):
                    value = parse(self.content[name])
            except ItemsError as exc:
                for index, text in exc.items.items():
                    self.document.problem(path, text, (*path, index))
                return default
            except ConfigError as exc:
                self.document.problem(path, str(exc))
                return default
            shown, source = show(self.content[name]), self.document.source(path)
        if not self.path or name in self.content:
            self.document.effective.append(Effective(dotted(path), shown, source))
        return value

    def tables(self, name: str) -> dict[str, Table]:
        """The tables in the table ``name``, by their names."""
        inner = self.inner(name)
        found_tables = {}
        for key in inner.content if inner is not None else ():
            table = inner.inner(key) if inner is not None else None
            if table is not None:
                found_tables[key] = table
        return found_tables

    def inner(self, name: str) -> Table | None:
        """The table ``name``; None if it isn't there, or is something else (a problem)."""
        self._known[name] = None
        content = self.content.get(name)
        if content is None:
            return None
        path = (*self.path, name)
        if not isinstance(content, dict):
            self.document.problem(path, f"must be a table, [{dotted(path)}]; {found(content)}")
            return None
        return Table(self.document, path, content)

    def problem(self, name: str, text: str) -> None:
        """Note what is wrong with the setting ``name``."""
        self.document.problem((*self.path, name), text)

    def finish(self) -> None:
        """Note every key that was never asked for."""
        for key, value in self.content.items():
            if key not in self._known:
                self.problem(key, f"is not a setting of danebot{self._advice(key, value)}")

    def _advice(self, key: str, value: object) -> str:
        if len(self.path) > 1 and isinstance(value, dict):
            whole = ".".join([*map(str, self.path[1:]), *_chain(key, value)])
            return f'; names with dots need quotes: [{self.path[0]}."{printable(whole, 100)}"]'
        import difflib

        former = _FORMER_NAMES.get(key.lower())
        near = difflib.get_close_matches(key.lower(), self._known, 1, 0.6)
        guess = former if former in self._known else (near[0] if near else None)
        if guess is not None:
            return f"; did you mean {guess}?"
        if self.path and key in ("config_dir", "certbot", "resolver", "snapshot", "textfile"):
            return "; it belongs above the first table, since it holds for all lineages"
        return "; known here are: " + ", ".join(self._known)


def _chain(key: str, value: object) -> list[str]:
    """The keys of tables that hold nothing but one other table: a name taken apart at its dots."""
    keys = [key]
    while isinstance(value, dict) and len(value) == 1:
        key, value = next(iter(value.items()))
        if isinstance(value, dict):
            keys.append(key)
    return keys


def dotted(path: KeyPath) -> str:
    """A path as one would write it in TOML."""
    return ".".join(
        str(key)
        if isinstance(key, int) or (key and key.replace("-", "_").isidentifier() and key.isascii())
        else f'"{printable(key, 100)}"'
        for key in path
    )


def show(value: object) -> str:
    """A value as one would write it in TOML."""
    match value:
        case None:
            return "unset"
        case timedelta():
            return f'"{show_duration(value)}"'
        case bool() | int() | float():
            return str(value).lower()
        case tuple() | list() if not hasattr(value, "_fields"):  # an address is its text
            return f"[{', '.join(show(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{dotted((k,))} = {show(v)}' for k, v in value.items())}}}"
        case _:
            words = printable(str(getattr(value, "value", value)))
            return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def show_duration(span: timedelta) -> str:
    """A duration as one would write it in TOML."""
    seconds = int(span.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
