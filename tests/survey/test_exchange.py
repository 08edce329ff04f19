"""Between the stages no row is lost or made up, whatever the survey's directory is called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("duckdb", reason="danebot[survey] isn't installed")

from danebot.survey import exchange, rows
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.tables import tables

WHEN = datetime(2026, 11, 30, tzinfo=UTC)


def survey_of(root: Path, *names: str) -> DataSet:
    data = DataSet(root)
    found = [
        {"domain": one, "answer": "{}", "hosts": [f"mx.{one}"], "looked": WHEN} for one in names
    ]
    data.write(Folder.MX, 0, found, rows.mx_schema())
    return data


def column(data: DataSet, stage: Folder, name: str) -> list[str]:
    return [row[name] for part in data.parts(stage) for row in data.read(stage, part)]


@pytest.mark.parametrize("called", ["domain=nl", "host=x/hosts=y", "g[1]", "a*", "q?"])
def test_what_a_directory_is_called_changes_nothing(tmp_path: Path, called: str) -> None:
    for other in ("g1", "ab", "qq"):
        survey_of(tmp_path / other, "other.test")
    data = survey_of(tmp_path / called, "a.test", "b.test")
    exchange.exchange(data, Folder.WANTED_HOSTS, 10, 10)
    exchange.exchange(data, Folder.SORTED, 10, 10)
    assert column(data, Folder.WANTED_HOSTS, "host") == ["mx.a.test", "mx.b.test"]
    assert column(data, Folder.SORTED, "domain") == ["a.test", "b.test"]
    empty = dict.fromkeys(rows.domain_schema().names) | {"domain": "a.test"}
    data.write(Folder.DOMAINS, 0, [empty], rows.domain_schema())
    with tables() as asked:
        asked.add(data)
        assert asked.ask("SELECT domain FROM domains") == [("a.test",)]


def test_a_domain_lost_in_the_sort_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No real sort loses any: this one is made to."""
    data = survey_of(tmp_path, "a.test", "b.test")
    spread = exchange._spread

    def loses(found: object, new: DataSet, stage: Folder, size: int, schema: object) -> None:
        spread(found.limit(1), new, stage, size, schema)  # type: ignore[attr-defined]

    monkeypatch.setattr(exchange, "_spread", loses)
    with pytest.raises(SurveyError, match="of 2 domains 1 came out"):
        exchange.exchange(data, Folder.SORTED, 10, 10)
    assert not data.is_there(Folder.SORTED)


def test_space_is_spoken_of_only_where_it_lacks(tmp_path: Path) -> None:
    data = survey_of(tmp_path, "a.test")
    data.part(Folder.MX, 0).write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(SurveyError, match="mend that, and run it again"):
        exchange.exchange(data, Folder.SORTED, 10, 10)
