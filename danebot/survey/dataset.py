"""A survey's directory: stages of partitions in Parquet, each of them complete or absent.

A partition is written beside its name, synced and renamed; what a crash leaves has another name,
and is swept.  `Folder` says what comes where; docs/survey.md has the results' schema.
"""

from __future__ import annotations

import enum
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from danebot.adapters.codec import decode
from danebot.adapters.files import MAX_FILE, open_lock
from danebot.adapters.replacing import TEMP_PREFIX, advice, sync_directory, temporary
from danebot.errors import ConfigError, DanebotError, LockedError
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENT, SCHEMA = "danebot-survey", 1
STATE = "survey.json"
_LOCK = "lock"
_STALE = 3600  # seconds: what TLSA's TTL seldom exceeds
_PART = re.compile(r"part-(\d{6,12})\.parquet", re.ASCII)
_ODD = (OSError, ValueError, LookupError, TypeError, RecursionError, DanebotError)


class SurveyError(DanebotError):
    """A survey that can't go on; what is finished of it is kept."""


class Folder(enum.Enum):
    """Folders of partitions, in the order in which they come to be."""

    INPUT = "work/input"
    MX = "work/mx"
    WANTED_HOSTS = "work/wanted-hosts"
    ROUTES = "work/routes"
    WANTED_LOOKS = "work/wanted-looks"
    LOOKS = "work/looks"
    OBSERVED = "work/observed"
    SORTED = "work/sorted"
    HOSTS = "hosts"
    DOMAINS = "domains"


class SurveyState(NamedTuple):
    """What ``survey.json`` says: of which input, how many names, and what is complete.

    ``prints`` tell an input that has changed, ``completed`` is a time in ISO 8601.
    ``hosts`` is how many a complete one has; None of one by an earlier danebot.
    """

    inputs: tuple[str, ...]
    domains: int = 0
    refused: int = 0
    repeated: int = 0
    opted_out: int = 0
    input_complete: bool = False
    complete: bool = False
    settings: dict[str, str] = {}  # noqa: RUF012 - never changed
    prints: tuple[str, ...] = ()
    completed: str = ""
    hosts: int | None = None


class DataSet:
    """The directory of one survey."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: Folder) -> Path:
        """Where a stage's partitions are."""
        return self.root / stage.value

    def part(self, stage: Folder, number: int) -> Path:
        """One partition."""
        return self.folder(stage) / f"part-{number:06}.parquet"

    def parts(self, stage: Folder) -> list[int]:
        """The numbers of the partitions that are finished, in order."""
        with suppress(FileNotFoundError):
            found = map(_PART.fullmatch, os.listdir(self.folder(stage)))
            return sorted(int(name[1]) for name in found if name is not None)
        return []

    def paths(self, stage: Folder) -> list[str]:
        """What DuckDB reads all partitions by: it takes each for a pattern, so none has any."""
        every = (str(self.part(stage, number)) for number in self.parts(stage))
        return [re.sub(r"([\[*?])", r"[\1]", path) for path in every]

    def count(self, stage: Folder) -> int:
        """How many rows its partitions have; raises `SurveyError`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            found = (pq.read_metadata(self.part(stage, one)) for one in self.parts(stage))
            return sum(one.num_rows for one in found)
        except (OSError, pa.ArrowException) as exc:
            raise SurveyError(f"{self.folder(stage)}: can't be read") from exc

    def is_there(self, stage: Folder) -> bool:
        """Whether the folder of a stage that comes as a whole is."""
        return self.folder(stage).is_dir()

    def read(self, stage: Folder, number: int) -> Iterator[dict[str, Any]]:
        """The rows of a partition, a few at a time in memory; `SurveyError` if it can't be read."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.part(stage, number)
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=500):
                    yield from batch.to_pylist()
        except (OSError, pa.ArrowException) as exc:
            raise SurveyError(
                f"{path}: can't be read ({type(exc).__name__}); remove it and run it again"
            ) from exc

    def write(
        self, stage: Folder, number: int, rows: Iterable[Mapping[str, Any]], schema: pa.Schema
    ) -> int:
        """Write a partition, whole or not at all; how many rows it has.  Raises `SurveyError`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder, path = self.folder(stage), self.part(stage, number)
        schema = schema.with_metadata({"danebot-survey-schema": str(SCHEMA)})
        count = 0
        new = temporary(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with pq.ParquetWriter(new, schema, compression="zstd") as writer:
                for batch in _batches(rows, 1000):
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                    count += len(batch)
            _sync(new)
            new.rename(path)
            sync_directory(folder)
        except OSError as exc:
            raise unwritten(path, exc) from exc
        finally:
            with suppress(OSError):
                new.unlink(missing_ok=True)
        return count

    def sweep(self, age: float = 60) -> None:
        """Remove what an earlier run left unfinished, written to for so many seconds no more.

        A worker of a run that has gone may still be at what is younger.
        """
        now = time.time()
        for path in (self.root, self.root / "work", *map(self.folder, Folder)):
            with suppress(FileNotFoundError):
                for name in os.listdir(path):
                    if not name.startswith(TEMP_PREFIX):
                        continue
                    if now - (path / name).stat().st_mtime >= age:
                        _remove(path / name)

    def drop_stale(self, now: float) -> int:
        """Remove routes that are an hour old while no service was looked at; how many partitions.

        TLSA records of yesterday would be held against keys of today.  ``now`` is in seconds.
        """
        if self.parts(Folder.LOOKS):
            return 0
        every = [self.part(Folder.ROUTES, number) for number in self.parts(Folder.ROUTES)]
        stale = [path for path in every if now - path.stat().st_mtime > _STALE]
        if stale:
            _remove(self.folder(Folder.WANTED_LOOKS))
        for path in stale:
            path.unlink()
        return len(stale)

    @contextmanager
    def whole(self, stage: Folder) -> Iterator[DataSet]:
        """A place to write a stage that comes as a whole: it has its name when the block ends."""
        folder = self.folder(stage)
        new = DataSet(temporary(folder.parent))
        try:
            new.folder(stage).mkdir(parents=True)
            yield new
            for path in new.folder(stage).iterdir():
                _sync(path)
            sync_directory(new.folder(stage))
            new.folder(stage).rename(folder)
            sync_directory(folder.parent)
        except OSError as exc:
            raise unwritten(folder, exc) from exc
        finally:
            with suppress(OSError):
                _remove(new.root)

    # ---- the state ------------------------------------------------------------------------------

    def state(self) -> SurveyState | None:
        """What is said of it; None for a new one.  Raises `ConfigError` for what is no survey."""
        path = self.root / STATE
        try:
            document = json.loads(read_regular(path, MAX_FILE))
            version = decode(int, document["schema"])
            known = decode(SurveyState, document) if version == SCHEMA else None
        except FileNotFoundError:
            return None
        except _ODD as exc:
            raise ConfigError(f"{path}: is none of a survey; name another directory") from exc
        if known is None:
            raise ConfigError(
                f"{path}: has schema {version}, this danebot has {SCHEMA}; name another directory"
            )
        return known

    def remember(self, state: SurveyState) -> None:
        """Replace what is said of it; raises `TreeError`."""
        from danebot.adapters.access import Access
        from danebot.adapters.replacing import NewFile, replace

        document = {"document": DOCUMENT, "schema": SCHEMA, **state._asdict()}
        data = json.dumps(document, indent=1).encode() + b"\n"
        replace(NewFile(self.root / STATE, data, Access(0o644)))

    def drop_work(self) -> None:
        """Remove what only led to the results."""
        _remove(self.root / "work")

    @contextmanager
    def held(self) -> Iterator[None]:
        """The directory, made if need be, for one run alone; raises `LockedError`."""
        import fcntl

        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = open_lock(self.root / _LOCK)
        except OSError as exc:
            raise unwritten(self.root, exc) from exc
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise LockedError(
                    f"{self.root}: another survey is at work there; wait for it"
                ) from exc
            yield
        finally:
            os.close(descriptor)


def unwritten(path: Path, exc: OSError) -> SurveyError:
    """What to say of a place that can't be written."""
    return SurveyError(f"cannot write {path}: {exc.strerror or exc}; {advice(exc)}")


def _batches(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    from itertools import islice

    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
