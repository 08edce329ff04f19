"""A finished survey asked by SQL, and its words made safe for pages and tables."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from danebot.adapters.replacing import sync_directory, temporary
from danebot.errors import ConfigError
from danebot.survey.dataset import DataSet, Folder, SurveyError, unwritten

if TYPE_CHECKING:
    import duckdb

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def finished(root: Path) -> DataSet:
    """The survey in a directory; raises `ConfigError` where there is none, or it isn't complete.

    Of one that was copied in part, nobody would miss the rest: that is a `SurveyError`.
    """
    data = DataSet(root)
    state = data.state()
    if state is None:
        raise ConfigError(f"{root}: holds no survey; name the directory that --into named")
    if not state.complete:
        raise ConfigError(f"{root}: isn't complete; go on with the command that began it")
    for folder, wanted in ((Folder.DOMAINS, state.domains), (Folder.HOSTS, state.hosts)):
        found = data.count(folder)
        if wanted is not None and found != wanted:
            raise SurveyError(
                f"{root}: lacks some: it has {found} of {wanted} {folder.value}; copy all of it "
                "again, or survey them anew into another directory"
            )
    return data


class Tables:
    """Surveys by name: ``domains`` and ``hosts`` of each, with its prefix."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def add(self, data: DataSet, prefix: str = "") -> None:
        """Have a survey's tables; empty ones, where it has no rows."""
        from danebot.survey import rows

        shapes = ((Folder.DOMAINS, rows.domain_schema), (Folder.HOSTS, rows.host_schema))
        for folder, schema in shapes:
            name = f"{prefix}{folder.value}"
            if data.parts(folder):
                found = self._connection.read_parquet(data.paths(folder), hive_partitioning=False)
            else:
                found = self._connection.from_arrow(schema().empty_table())
            found.create_view(name)

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        rows: list[tuple[Any, ...]] = self._connection.execute(query, values).fetchall()
        return rows

    def each(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of one that may be large."""
        found = self._connection.execute(query)
        while batch := found.fetchmany(5000):
            yield from batch


@contextmanager
def tables() -> Iterator[Tables]:
    """Nothing yet, for a block; raises `SurveyError` for what DuckDB can't do."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            connection.execute("SET memory_limit = '512MB'")
            connection.execute("SET TimeZone = 'UTC'")
            yield Tables(connection)
    except duckdb.Error as exc:
        words = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise SurveyError(f"the survey can't be read: {words}") from exc


def cell(value: object) -> str:
    """A value for a table that may be opened in a spreadsheet: none of it is a formula there."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def page_text(value: object) -> str:
    """A value as text of a page."""
    return "" if value is None else escape(str(value))


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Replace a table; how many rows it has.  Raises `SurveyError`."""
    count = 0
    with replaced(path) as new, new.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        for row in rows:
            table.writerow([cell(value) for value in row])
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def write_text(path: Path, words: str) -> None:
    """Replace a page; raises `SurveyError`."""
    with replaced(path) as new, new.open("w", encoding="utf-8") as file:
        file.write(words)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside ``path`` that takes its place when the block ends well."""
    new = temporary(path.parent)
    try:
        yield new
        new.rename(path)
        sync_directory(path.parent)
    except OSError as exc:
        raise unwritten(path, exc) from exc
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
