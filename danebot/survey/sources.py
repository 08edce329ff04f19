"""Where the domains come from: lines, CSV, Parquet, a zone file; a file or standard input.

Never all in memory.  Names go into buckets by their hash first, so that one that comes twice is
found; buckets become partitions.
"""

from __future__ import annotations

import csv
import enum
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from danebot.domain.names import Hostname
from danebot.domain.text import printable
from danebot.errors import ConfigError, NameSyntaxError, foreign
from danebot.regular import open_regular
from danebot.survey import rows
from danebot.survey.dataset import DataSet, Folder, unwritten
from danebot.survey.plan import OptOut
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import dns.name
    import dns.rdata

_BUCKETS = 256
_BUFFERED = 200_000  # names in memory, some 20 MiB
_TOLD = 20_000  # names
_HEAD = 2**20
_LONGEST = 4096  # octets of a line
_LONGEST_ROW = 2**20  # characters of a line of CSV
Take = Callable[[str], None]


class Form(enum.Enum):
    """What an input is; by default its name says so."""

    LINES = "lines"
    CSV = "csv"
    PARQUET = "parquet"
    ZONE = "zone"


_BY_SUFFIX = {
    ".csv": Form.CSV,
    ".parquet": Form.PARQUET,
    ".zone": Form.ZONE,
    ".db": Form.ZONE,
}


class NameSource(NamedTuple):
    """One input: a path, "-" for standard input; ``column`` is of CSV and Parquet."""

    name: str
    form: Form
    column: str | None = None
    origin: str = "."


def form_of(name: str) -> Form:
    """What a file is by its name; lines, where that says nothing."""
    return _BY_SUFFIX.get(Path(name).suffix.lower(), Form.LINES)


def input_place(source: NameSource) -> str:
    """Where an input is, whatever links lead there; standard input, or a pipe, as it was named."""
    try:
        as_named = source.name == "-" or not stat.S_ISREG(os.stat(source.name).st_mode)
    except OSError:
        as_named = False
    return source.name if as_named else os.path.realpath(source.name)


def print_of(source: NameSource) -> str:
    """What tells another content of an input by its size and head; "" for what is no file.

    A pipe isn't opened for it: what is read there comes to nobody else.
    """
    if source.name == "-":
        return ""
    try:
        with os.fdopen(open_regular(source.name, sys.maxsize), "rb") as file:
            head = file.read(_HEAD)
            status = os.fstat(file.fileno())
    except OSError:
        return ""  # who reads it tells
    whole = status.st_size <= len(head)
    changed = "" if whole else f" {status.st_mtime_ns}"
    return f"{status.st_size} {sha256(head).hexdigest()}{changed}"


def read_source(source: NameSource, take: Take) -> None:
    """Hand every name of a source to ``take``, as it is written; raises `ConfigError`."""
    try:
        if source.form is Form.PARQUET:
            _parquet(source, take)
            return
        with _text(source.name) as text:
            match source.form:
                case Form.LINES:
                    _lines(text, take)
                case Form.CSV:
                    _csv(text, source, take)
                case Form.ZONE:
                    _zone(text, source, take)
    except OSError as exc:
        raise ConfigError(
            f"{printable(source.name)}: {exc.strerror or exc}; nothing was surveyed"
        ) from exc


@contextmanager
def _text(name: str) -> Iterator[io.TextIOBase]:
    if name != "-":
        with Path(name).open(encoding="utf-8-sig", errors="replace") as file:
            yield file
    elif sys.stdin is None:
        raise ConfigError("standard input is closed")
    else:
        yield io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors="replace")


def _lines(text: io.TextIOBase, take: Take) -> None:
    while line := text.readline(_LONGEST):
        while not line.endswith("\n") and (more := text.readline(_LONGEST)):
            line = line[:_LONGEST] + more[-1]  # too long to be a name: it is refused as a whole
        word = line.partition("#")[0].strip()
        if word:
            take(word)


def _csv(text: io.TextIOBase, source: NameSource, take: Take) -> None:
    with foreign(ConfigError, f"{printable(source.name)}: is no CSV that can be read"):
        table = csv.reader(_bounded(text, source))
        head = next(table, [])
        column = 0
        if source.column is not None or "domain" in map(_plain, head):
            column = _column(head, source)
        elif head and "." not in head[0]:
            raise ConfigError(
                f"{printable(source.name)}: has no column 'domain', and {printable(head[0], 80)!r} "
                "in its first is no domain; name one with --column or, if it has no head, give the "
                "domains alone, one a line, with --format lines"
            )
        elif head:
            take(head[0].strip())  # no head: the first column
        for row in table:
            if len(row) > column:
                take(row[column].strip())


def _bounded(text: io.TextIOBase, source: NameSource) -> Iterator[str]:
    """The lines, none of which would fill the memory: what is no CSV may have no line's end."""
    while line := text.readline(_LONGEST_ROW):
        if len(line) == _LONGEST_ROW and not line.endswith("\n"):
            raise ConfigError(
                f"{printable(source.name)}: has a line of more than {_LONGEST_ROW:,} characters, "
                "so it is no CSV; name what it is with --format"
            )
        yield line


def _column(names: list[str], source: NameSource) -> int:
    wanted = source.column or "domain"
    found = list(map(_plain, names))
    if _plain(wanted) not in found:
        shown = printable(", ".join(names), 80)
        raise ConfigError(
            f"{printable(source.name)}: has no column {printable(wanted)!r}, but {shown}; "
            "name one with --column"
        )
    return names.index(wanted) if wanted in names else found.index(_plain(wanted))


def _plain(head: str) -> str:
    return head.strip().lower()


def _parquet(source: NameSource, take: Take) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if source.name == "-":
        raise ConfigError("Parquet can't be read from standard input; name a file")
    with (
        Path(source.name).open("rb") as opened,
        foreign(ConfigError, f"{printable(source.name)}: is no Parquet that can be read"),
        pq.ParquetFile(opened) as file,
    ):
        names = file.schema_arrow.names
        alone = len(names) == 1 and source.column is None
        column = names[0] if alone else names[_column(names, source)]
        kind = file.schema_arrow.field(column).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not any(is_text(kind) for is_text in _texts()):
            raise ConfigError(
                f"{printable(source.name)}: column {printable(column)!r} has {kind}, no text; "
                "name another with --column"
            )
        for batch in file.iter_batches(batch_size=5000, columns=[column]):
            for name in batch.column(0).to_pylist():
                take(name.decode("utf-8", "replace") if isinstance(name, bytes) else name or "")


def _texts() -> tuple[Callable[[Any], bool], ...]:
    from pyarrow import types

    return (
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_binary,
        types.is_large_binary,
        types.is_binary_view,
    )


def _zone(text: io.TextIOBase, source: NameSource, take: Take) -> None:
    """Names that have NS or MX records in a zone file: delegations, and what has mail itself."""
    import dns.name
    import dns.rdataclass
    import dns.tokenizer
    import dns.zonefile

    with foreign(ConfigError, f"{printable(source.name)}: is no zone file that can be read"):
        names: Any = _Names(dns.name.from_text(source.origin), take)
        tokenizer = dns.tokenizer.Tokenizer(text, filename=source.name)
        reader = dns.zonefile.Reader(
            tokenizer, dns.rdataclass.IN, names, allow_include=False, default_ttl=3600
        )
        reader.read()


class _Names:
    """Stands in for dnspython's transaction, which would keep the whole zone."""

    def __init__(self, origin: dns.name.Name, take: Take) -> None:
        self.manager = self
        self._origin, self._take = origin, take
        self._last: dns.name.Name | None = None

    def origin_information(self) -> tuple[Any, bool, Any]:
        """The zone's name; names stay absolute."""
        return self._origin, False, self._origin

    def _set_origin(self, origin: object) -> None:
        """The first ``$ORIGIN``: which name is the zone's its SOA record says."""

    def check_put_rdataset(self, check: object) -> None:
        """Nothing is checked: a zone that is served was."""

    def add(self, name: dns.name.Name, _ttl: int, rdata: dns.rdata.Rdata) -> None:
        """One record."""
        from dns.rdatatype import MX, NS, SOA

        if rdata.rdtype == SOA:
            self._origin = name
        delegates = rdata.rdtype == NS and name != self._origin
        if name != self._last and (delegates or rdata.rdtype == MX):
            self._last = name
            self._take(name.to_text(omit_final_dot=True))


# ---- into partitions ------------------------------------------------------------------------


class Counts(NamedTuple):
    """Names that were taken, and others: no names, had already, and who asked to be left out."""

    domains: int = 0
    refused: int = 0
    repeated: int = 0
    opted_out: int = 0


class _Buckets:
    """Names by their hash, appended to files once there are many."""

    def __init__(
        self,
        folder: Path,
        opt_out: OptOut,
        refuse: Callable[[str], None],
        tell: Callable[[int], None],
    ) -> None:
        self._folder, self._opt_out, self._refuse, self._tell = folder, opt_out, refuse, tell
        self._read = 0
        self._names: list[list[str]] = [[] for _ in range(_BUCKETS)]
        self._held = 0
        self.taken = self.refused = self.opted_out = 0

    def take(self, word: str) -> None:
        """Take one name, as it is written."""
        self._read += 1
        if self._read % _TOLD == 0:
            self._tell(self._read)
        try:
            name = Hostname.parse(word).text
        except NameSyntaxError as exc:
            self.refused += 1
            self._refuse(printable(str(exc)))
            return
        if self._opt_out.has_name(name):
            self.opted_out += 1
            return
        self.taken += 1
        self._names[crc32(name.encode()) % _BUCKETS].append(name)
        self._held += 1
        if self._held >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        for number, names in enumerate(self._names):
            if names:
                with (self._folder / f"{number:03}").open("a", encoding="ascii") as file:
                    file.writelines(f"{name}\n" for name in names)
                names.clear()
        self._held = 0

    def each(self) -> Iterator[list[str]]:
        """The names of each bucket once, sorted."""
        self.flush()
        for number in range(_BUCKETS):
            with suppress(FileNotFoundError):
                text = (self._folder / f"{number:03}").read_text(encoding="ascii")
                yield sorted(set(text.split()))


def take_input(
    data: DataSet,
    sources: Iterable[NameSource],
    opt_out: OptOut,
    size: int,
    refuse: Callable[[str], None],
    *,
    tell: Callable[[int], None] = lambda _: None,
) -> Counts:
    """Make the first stage: each domain once, ``size`` in a partition.

    ``refuse`` is told of each word that is no name, ``tell`` now and then how many were
    read.  Raises `ConfigError`, `SurveyError`.
    """
    with data.whole(Folder.INPUT) as new:
        folder = new.root / "buckets"
        try:
            folder.mkdir()
            buckets = _Buckets(folder, opt_out, refuse, tell)
            for source in sources:
                read_source(source, buckets.take)
            kept = 0
            for number, names in enumerate(_sized(buckets.each(), size)):
                kept += new.write(
                    Folder.INPUT, number, ({"domain": name} for name in names), rows.input_schema()
                )
            if not kept and not buckets.opted_out:
                raise ConfigError("the input has no domain names; nothing was surveyed")
        except OSError as exc:
            raise unwritten(folder, exc) from exc
    return Counts(kept, buckets.refused, buckets.taken - kept, buckets.opted_out)


def _sized(lists: Iterable[list[str]], size: int) -> Iterator[list[str]]:
    """The same names, so many at a time."""
    held: list[str] = []
    for names in lists:
        held += names
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held:
        yield held
