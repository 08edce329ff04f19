"""What stands between stages: each host once, looks by address, hosts with looks, domains by host.

DuckDB sorts and joins, with little memory, spilling into the survey's own directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from danebot.survey import rows
from danebot.survey.dataset import DataSet, Folder, SurveyError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_MEMORY = "192MB"
_OBSERVED_ROWS = 1000  # hosts with their chains in a partition
"""Small: a domain's partition reads those that have its hosts."""


def _connected(data: DataSet) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect()
    spill = str(data.root / "work" / "spill").replace("'", "''")
    connection.execute(f"SET memory_limit = '{_MEMORY}'")
    connection.execute("SET threads = 2")
    connection.execute(f"SET temp_directory = '{spill}'")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def exchange(data: DataSet, stage: Folder, size: int, looks: int) -> None:
    """Make a stage that comes as a whole, of those before; ``size`` rows in a partition.

    Of looks, those at one address are in one partition, and are ``looks`` at most.
    """
    if data.is_there(stage):
        return
    make = {
        Folder.WANTED_HOSTS: _wanted_hosts,
        Folder.WANTED_LOOKS: _wanted_looks,
        Folder.OBSERVED: _observed,
        Folder.SORTED: _sorted,
    }[stage]
    import duckdb

    try:
        with _connected(data) as connection, data.whole(stage) as new:
            make(connection, data, new, size, looks)
    except duckdb.Error as exc:
        words = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        full = isinstance(exc, duckdb.OutOfMemoryException) or "No space left" in str(exc)
        advice = "free some space, and run it again" if full else "mend that, and run it again"
        raise SurveyError(f"{data.folder(stage)}: {words}; {advice}") from exc


def _view(connection: duckdb.DuckDBPyConnection, data: DataSet, stage: Folder) -> None:
    """Have a stage by its name; what its directory is called is no column."""
    paths = data.paths(stage)
    connection.read_parquet(paths, hive_partitioning=False).create_view(stage.name)


def _wanted_hosts(
    connection: duckdb.DuckDBPyConnection, data: DataSet, new: DataSet, size: int, _: int
) -> None:
    import pyarrow as pa

    if not data.parts(Folder.MX):
        return
    _view(connection, data, Folder.MX)
    found = connection.sql("SELECT DISTINCT unnest(hosts) AS host FROM mx ORDER BY host")
    _spread(found, new, Folder.WANTED_HOSTS, size, pa.schema([("host", pa.string())]))


def _wanted_looks(
    connection: duckdb.DuckDBPyConnection, data: DataSet, new: DataSet, size: int, looks: int
) -> None:
    import pyarrow as pa

    if not data.parts(Folder.ROUTES):
        return
    _view(connection, data, Folder.ROUTES)
    query = """
        SELECT * FROM (
            SELECT unnest(places) AS place, unnest(addresses) AS address, host, sni, names
            FROM routes
        ) QUALIFY row_number() OVER (PARTITION BY place ORDER BY host, address) <= ?
        ORDER BY hash(place), place, host, address
    """
    found = connection.sql(query, params=[looks])
    text = pa.string()
    schema = pa.schema(
        [
            ("place", text),
            ("address", text),
            ("host", text),
            ("sni", text),
            ("names", pa.list_(text)),
        ]
    )
    _spread(found, new, Folder.WANTED_LOOKS, size, schema, together="place")


def _observed(
    connection: duckdb.DuckDBPyConnection, data: DataSet, new: DataSet, _size: int, _: int
) -> None:
    import pyarrow as pa

    if not data.parts(Folder.ROUTES):
        return
    _view(connection, data, Folder.ROUTES)
    if data.parts(Folder.LOOKS):
        _view(connection, data, Folder.LOOKS)
    else:
        none = "SELECT '' AS host, '' AS result, NULL::TIMESTAMPTZ AS looked WHERE false"
        connection.sql(none).create_view(Folder.LOOKS.name)
    query = """
        SELECT r.host, r.route, r.looked AS routed,
            greatest(r.looked, coalesce(l.looked, r.looked)) AS looked,
            coalesce(l.results, []) AS results
        FROM routes r
        LEFT JOIN (
            SELECT host, max(looked) AS looked, list(result ORDER BY result) AS results
            FROM looks GROUP BY host
        ) l ON l.host = r.host
        ORDER BY r.host
    """
    found = connection.sql(query)
    schema = pa.schema(
        [
            ("host", pa.string()),
            ("route", pa.string()),
            ("routed", pa.timestamp("s", tz="UTC")),
            ("looked", pa.timestamp("s", tz="UTC")),
            ("results", pa.list_(pa.string())),
        ]
    )
    _spread(found, new, Folder.OBSERVED, _OBSERVED_ROWS, schema)


def _sorted(
    connection: duckdb.DuckDBPyConnection, data: DataSet, new: DataSet, size: int, _: int
) -> None:
    if not data.parts(Folder.MX):
        return
    _view(connection, data, Folder.MX)
    query = """
        SELECT domain, answer, hosts, looked FROM mx ORDER BY coalesce(hosts[1], ''), domain
    """
    found = connection.sql(query)
    _spread(found, new, Folder.SORTED, size, rows.mx_schema())
    had, has = data.count(Folder.MX), new.count(Folder.SORTED)
    if had != has:
        raise SurveyError(
            f"{data.folder(Folder.SORTED)}: of {had} domains {has} came out of the sort; "
            "report this, and run it again into another directory"
        )


def _spread(
    found: duckdb.DuckDBPyRelation,
    new: DataSet,
    stage: Folder,
    size: int,
    schema: pa.Schema,
    *,
    together: str = "",
) -> None:
    """Write what a query finds in partitions of ``size``; rows that share ``together`` in one."""
    import pyarrow as pa

    number = 0
    held: list[dict[str, Any]] = []
    last: Any = None
    batches: Any = found.to_arrow_reader(1000)
    for batch in batches:
        for row in pa.Table.from_batches([batch]).cast(schema).to_pylist():
            if len(held) >= size and (not together or row[together] != last):
                new.write(stage, number, held, schema)
                number, held = number + 1, []
            held.append(row)
            last = row[together] if together else None
    if held:
        new.write(stage, number, held, schema)


def observed_hosts(data: DataSet, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What was observed of some hosts; only partitions are read that have any of them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not names:
        return
    wanted = pa.array(names, pa.string())
    for number in data.parts(Folder.OBSERVED):
        path = data.part(Folder.OBSERVED, number)
        try:
            with pq.ParquetFile(path) as file:
                bounds = _bounds(file)
                if not any(bounds[0] <= name <= bounds[1] for name in names):
                    continue
                for batch in file.iter_batches(batch_size=100):
                    chosen = batch.filter(pc.is_in(batch.column("host"), value_set=wanted))
                    yield from chosen.to_pylist()
        except (OSError, pa.ArrowException) as exc:
            raise SurveyError(f"{path}: can't be read ({type(exc).__name__})") from exc


def _bounds(file: pq.ParquetFile) -> tuple[str, str]:
    """The first and the last host of a partition, by its own statistics."""
    groups = [file.metadata.row_group(at).column(0).statistics for at in range(file.num_row_groups)]
    return min(one.min for one in groups if one), max(one.max for one in groups if one)
