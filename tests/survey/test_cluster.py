"""A Dask cluster that somebody else started: its own scheduler and workers, as guides say."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from distributed.comm.core import CommClosedError

from danebot import __version__
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.domain.names import Hostname
from danebot.survey import engine
from danebot.survey.dataset import DataSet, SurveyError
from danebot.survey.plan import SurveyPlan
from survey import job

pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(900)]
MISSING = "sys.modules['danebot'] = None"  # as where it was never installed
BARE = "sys.modules['duckdb'] = None"  # as where its extra wasn't
GONE = r"^the scheduler has gone; start it, and run it again$"
OTHER = "import danebot; danebot.__version__ = '0.0.1'"


class Others:
    """A scheduler and workers, each a process group; ``before`` runs in Python ahead of it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, kind: str, name: str, *words: str, before: str = "") -> None:
        code = (
            f"import sys; {before or 'pass'}; from distributed.cli.dask_{kind} import main; main()"
        )
        with (self.at / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-c", code, *words],
                stdout=log,
                stderr=log,
                cwd=job.ROOT,
                start_new_session=True,
            )

    def scheduler(self, before: str = "") -> str:
        """Start it; its address."""
        told = self.at / "scheduler.json"
        words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.start("scheduler", "scheduler", *words, "--scheduler-file", str(told), before=before)
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError, ValueError):
                found: str = json.loads(told.read_text())["address"]
                return found
            assert time.monotonic() < until
            time.sleep(0.1)

    def worker(self, name: str, address: str, before: str = "") -> None:
        """Start one, of one thread; with ``before`` without a nanny, which would start another."""
        own = self.at / name
        own.mkdir()
        words = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
        words += ["--local-directory", str(own), *(["--no-nanny"] if before else [])]
        self.start("worker", name, address, *words, before=before)

    def kill(self, name: str) -> None:
        """With all that it started."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


@pytest.fixture
def others(tmp_path: Path) -> Iterator[Others]:
    (tmp_path / "others").mkdir()
    found = Others(tmp_path / "others")
    yield found
    for name in list(found.running):
        found.kill(name)


def checked(address: str, tmp_path: Path) -> int:
    plan = SurveyPlan(tmp_path, Hostname("probe.test"), ResolverConfig())
    with engine.cluster(address, 0) as client:
        return engine.check_resolvers(client, plan)


@pytest.mark.lab
@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_it_gives_the_same(undisturbed: Path, tmp_path: Path, others: Others, killed: bool) -> None:  # noqa: FBT001
    """Also where one of its two workers is killed in the middle, and none takes its place."""
    address = others.scheduler()
    for name in ("one", "two"):
        others.worker(name, address)
    source = undisturbed.parent / "domains.txt"
    words = job.run_words(source, tmp_path / "out", "--rows", "50", "--scheduler", address)
    process = job.start(tmp_path, *words)
    while killed and process.poll() is None:
        if len(list((tmp_path / "out/work/mx").glob("part-*"))) > 5:  # of 40
            others.kill("one")
            break
        time.sleep(0.02)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "workers, watched at" in out
    assert ("one" not in others.running) == killed
    assert job.select(tmp_path / "out", job.SAME) == job.select(undisturbed, job.SAME)


@pytest.mark.lab
@pytest.mark.usefixtures("internet")
def test_a_scheduler_that_goes_is_told_and_gone_on_without(
    undisturbed: Path, tmp_path: Path, others: Others
) -> None:
    address = others.scheduler()
    others.worker("one", address)
    words = job.run_words(undisturbed.parent / "domains.txt", tmp_path / "out", "--rows", "50")
    process = job.start(tmp_path, *words, "--scheduler", address)
    while process.poll() is None:
        if len(list((tmp_path / "out/work/mx").glob("part-*"))) > 5:
            others.kill("scheduler")
            break
        time.sleep(0.02)
    _, err = process.communicate(timeout=300)
    assert process.returncode not in {0, 2}
    assert err == "danebot: the scheduler has gone; start it, and run it again\n"
    others.kill("one")
    status, _, err = job.done(tmp_path, *words)
    assert (status, err) == (0, "")
    assert job.select(tmp_path / "out", job.SAME) == job.select(undisturbed, job.SAME)


def test_a_scheduler_that_goes_is_told_by_whatever_notices(others: Others) -> None:
    """The connection may break while somebody waits for an answer, or before anybody asks."""
    address = others.scheduler()
    others.worker("one", address)

    def ask_too_late() -> None:
        with engine.cluster(address, 0) as client:
            client.wait_for_workers(1, timeout=60)
            assert engine._result(client.submit(int, pure=False)) == 0
            others.kill("scheduler")
            client.run(int)

    with pytest.raises(SurveyError, match=GONE):
        ask_too_late()


@pytest.mark.parametrize("noticed", [CancelledError, CommClosedError])
def test_a_result_that_went_with_the_scheduler_is_no_faulty_partition(
    noticed: type[Exception], others: Others
) -> None:
    """Which of them comes is chance: the future is a double, the cluster is real."""

    class Gone:
        def result(self) -> int:
            raise noticed("gone")

    with pytest.raises(SurveyError, match=GONE), engine.cluster(others.scheduler(), 0):
        engine._result(Gone())  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:unclosed cluster:ResourceWarning")  # Dask's, not begun
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (AssertionError(), ""),
        (RuntimeError("can't start new thread\n..."), ": can't start new thread"),
    ],
    ids=["late", "no thread"],
)
def test_a_dask_that_does_not_come_up_is_told(
    monkeypatch: pytest.MonkeyPatch, others: Others, fault: Exception, why: str, *, named: bool
) -> None:
    """Forced, as on a host where its event loop isn't there after ten seconds, or can't begin."""

    def fails(_: object) -> None:
        raise fault

    scheduler = others.scheduler() if named else None
    monkeypatch.setattr("distributed.utils.LoopRunner.start", fails)
    told = rf"^Dask didn't start here{why}; see what else this host is busy with, and run it again$"
    with pytest.raises(SurveyError, match=told), engine.cluster(scheduler, 1):
        pass


@pytest.mark.parametrize("asked", ["run", "processing"])
def test_a_dask_that_can_not_be_asked_is_told(
    monkeypatch: pytest.MonkeyPatch, others: Others, tmp_path: Path, asked: str
) -> None:
    """Forced: what it fails by on a busy host is its own affair, and no matter of ours."""

    def fails(*_: object, **__: object) -> None:
        raise KeyError("tls://127.0.0.1:1\n...")

    monkeypatch.setattr(f"distributed.Client.{asked}", fails)
    told = r"^Dask doesn't answer here \(KeyError: 'tls://.*\); see what else this host is busy"
    plan = SurveyPlan(tmp_path, Hostname("probe.test"), ResolverConfig())
    asks: dict[str, Callable[..., object]] = {
        "run": partial(engine.check_resolvers, plan=plan),
        "processing": partial(engine.require_idle, data=DataSet(tmp_path)),
    }
    address = others.scheduler()
    others.worker("one", address)
    with pytest.raises(SurveyError, match=told), engine.cluster(address, 0) as client:
        asks[asked](client)


def test_what_else_fails_is_not_the_schedulers_fault(others: Others) -> None:
    with pytest.raises(OSError, match="disk"), engine.cluster(others.scheduler(), 0):
        raise OSError("a disk")


@pytest.mark.parametrize(
    ("before", "what"),
    [
        (MISSING, "has no danebot"),
        (BARE, "has no duckdb"),
        (OTHER, f"has danebot 0.0.1, and this is {__version__}"),
    ],
)
def test_a_worker_that_lacks_what_it_takes_is_told(
    tmp_path: Path, others: Others, before: str, what: str
) -> None:
    address = others.scheduler()
    others.worker("one", address, before)
    advice = rf"; install danebot\[survey\] {__version__} for the scheduler and every worker, start"
    with pytest.raises(SurveyError, match=rf"^the worker tcp://127\.0\.0\.1:\d+ {what}{advice}"):
        checked(address, tmp_path)


def test_a_scheduler_that_lacks_danebot_is_told(tmp_path: Path, others: Others) -> None:
    address = others.scheduler(MISSING)
    others.worker("one", address)
    with pytest.raises(SurveyError, match=r"^the scheduler has no danebot; install"):
        checked(address, tmp_path)
