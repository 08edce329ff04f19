"""A cluster that is named, and what becomes of partitions that it can't make."""

from __future__ import annotations

import operator
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.domain.names import Hostname
from danebot.errors import ConfigError
from danebot.survey import engine, rows
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.plan import SurveyPlan

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Where a cluster of one worker listens, which is given up once its worker has died."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=60
        ) as own,
    ):
        yield own.scheduler_address


@pytest.fixture
def client(scheduler: str) -> Iterator[Any]:
    with engine.cluster(scheduler, 0) as found:
        yield found


def planned(at: Path) -> SurveyPlan:
    return SurveyPlan(at, Hostname("probe.test"), ResolverConfig())


def with_input(at: Path, parts: int = 2) -> DataSet:
    data = DataSet(at)
    for number in range(parts):
        data.write(Folder.INPUT, number, [{"domain": f"d{number}.test"}], rows.input_schema())
    return data


def step(make: Any) -> engine.Pass:  # noqa: ANN401 - any function that travels
    return engine.STEPS[0]._replace(make=make)


def test_a_partition_that_is_not_there_afterwards_is_told(client: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """As if workers had another disk: they say they made it, and it isn't here."""
    data, heard = with_input(tmp_path), list[engine.Advance]()
    with pytest.raises(SurveyError, match=r"2 finished partitions aren't in .*mx: workers need"):
        engine._run_step(client, data, planned(tmp_path), step(operator.is_not), heard.append)
    assert [(one.done, one.total, one.had, one.rows) for one in heard] == [
        (0, 2, 0, 0),
        (1, 2, 0, 1),
        (2, 2, 0, 2),
    ]


def test_a_finished_partition_is_not_made_again(client: Any, tmp_path: Path) -> None:  # noqa: ANN401
    data, heard = with_input(tmp_path, 1), list[engine.Advance]()
    data.write(Folder.MX, 0, [], rows.mx_schema())
    engine._run_step(client, data, planned(tmp_path), step(operator.truediv), heard.append)
    assert [(one.done, one.total, one.had) for one in heard] == [(1, 1, 1)]


def test_a_fault_in_a_worker_is_one_line(client: Any, tmp_path: Path) -> None:  # noqa: ANN401
    data = with_input(tmp_path, 1)
    with pytest.raises(SurveyError, match=r"can't be made \(TypeError: .*\); run it again"):
        engine._run_step(client, data, planned(tmp_path), step(operator.truediv), lambda _: None)


def test_what_danebot_says_in_a_worker_is_said(client: Any) -> None:  # noqa: ANN401
    future = client.submit(DataSet.count, DataSet(Path("/nowhere")), Folder.MX, pure=False)
    assert engine._result(future) == 0
    from danebot.survey.plan import parse_opt_out

    with pytest.raises(ConfigError, match="opt-out list, line 1"):
        engine._result(client.submit(parse_opt_out, "no name\n", pure=False))


def test_workers_that_die_at_a_partition_are_told(client: Any) -> None:  # noqa: ANN401
    with pytest.raises(SurveyError, match="workers die again and again at one partition"):
        engine._result(client.submit(signal.raise_signal, signal.SIGKILL, pure=False))


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_WAIT", 1)
    began = time.monotonic()
    with (
        pytest.raises(SurveyError, match=r"the scheduler at tcp://127\.0\.0\.1:1 doesn't answer"),
        engine.cluster("tcp://127.0.0.1:1", 1),
    ):
        pass
    assert time.monotonic() - began < 20


def test_a_scheduler_in_no_form_is_told() -> None:
    with (
        pytest.raises(SurveyError, match="the scheduler at nonsense://x doesn't answer"),
        engine.cluster("nonsense://x", 1),
    ):
        pass


def test_a_scheduler_without_workers_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(engine, "_WAIT", 1)
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=60) as own,
        engine.cluster(own.scheduler_address, 0) as client,
        pytest.raises(SurveyError, match="the scheduler has no workers; start some"),
    ):
        engine.check_resolvers(client, planned(tmp_path))
