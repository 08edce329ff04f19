"""Results as JSON, an object a line, for programs that read no Parquet."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from danebot.survey.dataset import DataSet, Folder
from danebot.survey.tables import replaced


def write_lines(data: DataSet, path: Path) -> None:
    """Replace ``path`` by the domains' results; raises `SurveyError`."""
    with replaced(path) as new, new.open("w", encoding="ascii") as file:
        for number in data.parts(Folder.DOMAINS):
            for row in data.read(Folder.DOMAINS, number):
                file.write(json.dumps(row, default=_time, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _time(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"no JSON form for {type(value).__name__}")
    return value.astimezone(UTC).isoformat()
