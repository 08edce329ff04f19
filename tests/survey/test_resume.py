"""What was seen long ago, or is still at work, when a survey goes on."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.survey import engine, exchange, rows
from danebot.survey.dataset import DataSet, Folder, SurveyError

WHEN = datetime(2026, 11, 30, 12, tzinfo=UTC)


def routed(tmp_path: Path) -> DataSet:
    """Two partitions, the first two hours old."""
    data = DataSet(tmp_path)
    row = {"host": "a.test", "route": "r", "sni": "a.test", "looked": WHEN}
    row |= {"names": ["a.test"], "addresses": ["192.0.2.1"], "places": ["192.0.2.1"]}
    for number in range(2):
        data.write(Folder.ROUTES, number, [row], rows.route_schema())
    before = time.time() - 7200
    os.utime(data.part(Folder.ROUTES, 0), (before, before))
    exchange.exchange(data, Folder.WANTED_LOOKS, 10, 10)
    return data


def test_routes_of_hours_ago_are_looked_up_again(tmp_path: Path) -> None:
    data = routed(tmp_path)
    assert data.drop_stale(time.time()) == 1
    assert data.parts(Folder.ROUTES) == [1]
    assert not data.is_there(Folder.WANTED_LOOKS)


def test_what_was_looked_at_is_kept(tmp_path: Path) -> None:
    data = routed(tmp_path)
    data.write(Folder.LOOKS, 0, [], rows.look_schema())
    assert data.drop_stale(time.time()) == 0
    assert data.parts(Folder.ROUTES) == [0, 1]


def test_both_times_of_a_host_are_told(tmp_path: Path) -> None:
    data = routed(tmp_path)
    later = WHEN.replace(hour=15)
    look = {"host": "a.test", "result": "x", "looked": later}
    data.write(Folder.LOOKS, 0, [look], rows.look_schema())
    exchange.exchange(data, Folder.OBSERVED, 10, 10)
    (row, _) = data.read(Folder.OBSERVED, 0)
    assert (row["routed"], row["looked"]) == (WHEN, later)


def test_workers_that_are_still_at_it_are_waited_for(tmp_path: Path) -> None:
    data = DataSet(tmp_path / "out")
    with engine.cluster(None, 1) as client:
        engine.require_idle(client, data)
        future = client.submit(time.sleep, 3, key=f"looks-{engine._mark(data)}-1-1")
        until = time.monotonic() + 20
        while not any(client.processing().values()):
            assert time.monotonic() < until
            time.sleep(0.05)
        with pytest.raises(SurveyError, match="still at 1 partitions"):
            engine.require_idle(client, data)
        engine.require_idle(client, DataSet(tmp_path / "other"))
        future.cancel()


def test_what_may_be_in_use_is_not_swept(tmp_path: Path) -> None:
    data = DataSet(tmp_path)
    data.folder(Folder.MX).mkdir(parents=True)
    young, old = (data.folder(Folder.MX) / f".danebot-tmp-{name}" for name in "ab")
    for path in (young, old):
        path.touch()
    os.utime(old, (1, 1))
    data.sweep()
    assert (young.exists(), old.exists()) == (True, False)
    data.sweep(age=0)
    assert not young.exists()
