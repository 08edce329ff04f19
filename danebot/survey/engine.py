"""The stages, run on Dask: a cluster of this host's cores, or any that is named.

Dask schedules, retries and replaces workers; here is only what is to be done, and what is finished.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from danebot import __version__
from danebot.errors import DanebotError
from danebot.survey import stages
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.exchange import exchange
from danebot.survey.plan import SurveyPlan
from danebot.survey.soundness import require_sound_now
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
_RETRIES = 2  # of a task that fails by itself; a worker's death Dask counts apart
_WAIT = 30  # seconds for a scheduler to answer


class Pass(NamedTuple):
    """A stage that workers make, the one its partitions are made of, and its words.

    ``before`` has to be made as a whole first.
    """

    stage: Folder
    source: Folder
    make: Callable[[SurveyPlan, int], int]
    words: str
    unit: str
    before: Folder | None = None


STEPS = (
    Pass(Folder.MX, Folder.INPUT, stages.look_up_mx, "MX records", "domains"),
    Pass(
        Folder.ROUTES,
        Folder.WANTED_HOSTS,
        stages.look_up_hosts,
        "addresses and TLSA records",
        "hosts",
        Folder.WANTED_HOSTS,
    ),
    Pass(
        Folder.LOOKS,
        Folder.WANTED_LOOKS,
        stages.look_at_services,
        "services",
        "looks",
        Folder.WANTED_LOOKS,
    ),
    Pass(Folder.HOSTS, Folder.OBSERVED, stages.judge_hosts, "hosts", "hosts", Folder.OBSERVED),
    Pass(Folder.DOMAINS, Folder.SORTED, stages.judge_domains, "domains", "domains", Folder.SORTED),
)


class Advance(NamedTuple):
    """How far a step is: partitions, ``had`` before, rows that this run made, its seconds."""

    step: Pass
    done: int
    total: int
    had: int = 0
    rows: int = 0
    seconds: float = 0.0


@contextmanager
def cluster(
    scheduler: str | None, workers: int, tls: tuple[str, str, str] | None = None
) -> Iterator[Client]:
    """A client of ``scheduler``, or of a cluster of so many processes that lasts for the block.

    That of our own speaks TLS with keys of the moment: on loopback, too, whoever reaches a worker
    runs code there.  Its files lie in a directory that nobody else can enter: Dask's usual one,
    below /tmp, anybody may have made, with links in place of its locks and modules that its
    processes would import.  ``tls`` are files of CA, certificate and key for one that is named.
    Raises `SurveyError`, also for a scheduler that goes meanwhile, wherever that is noticed.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    quiet = {"distributed.admin.log-format": "%(message)s", "distributed.logging": {}}
    with dask.config.set(quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _silence()
        if scheduler is not None:
            ca, cert, key = tls or (None, None, None)
            security = Security(
                tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True
            )
            try:
                client = _begun(
                    Client, scheduler, timeout=_WAIT, security=security if tls else None
                )
            except (OSError, ValueError, TypeError) as exc:
                raise SurveyError(
                    f"the scheduler at {scheduler} doesn't answer ({type(exc).__name__}); "
                    "see that it runs, and that this host reaches it"
                ) from exc
            with client, _told_if_gone(client):
                yield client
            return
        with ExitStack() as kept:
            own_directory = tempfile.TemporaryDirectory(
                prefix="danebot-survey-", ignore_cleanup_errors=True
            )
            own = kept.enter_context(own_directory)
            kept.enter_context(dask.config.set({"temporary-directory": own}))
            ours = _begun(
                LocalCluster,
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
                memory_limit=0,
            )
            with _asking():
                begun = _begun(Client, kept.enter_context(ours))
            client = kept.enter_context(begun)
            kept.enter_context(_told_if_gone(client))
            yield client


def _begun(begin: Callable[..., T], *words: object, **settings: object) -> T:
    """What of Dask begins; raises `SurveyError` where it doesn't come up in its own time.

    Its event loop has ten seconds for that, and an assertion says that it took longer.
    """
    try:
        return begin(*words, **settings)
    except (AssertionError, RuntimeError) as exc:
        words_of_it = f": {str(exc).splitlines()[0]}" if str(exc) else ""
        raise SurveyError(
            f"Dask didn't start here{words_of_it}; see what else this host is busy with, and run "
            "it again"
        ) from exc


@contextmanager
def _told_if_gone(client: Client) -> Iterator[None]:
    """Say it in our words where a scheduler goes.

    What waits is cancelled, or its connection closed; what asks later can't connect, which is no
    more than an `OSError`, as others are that have nothing to do with it.
    """
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, OSError) as exc:
        gone = isinstance(exc, CancelledError | CommClosedError) or client.status != "running"
        if not gone:
            raise
        raise SurveyError("the scheduler has gone; start it, and run it again") from exc


@contextmanager
def _asking() -> Iterator[None]:
    """Say it in our words where Dask can't be asked, for whatever reason of its own.

    An `OSError` is for who can tell whether the scheduler has gone.
    """
    try:
        yield
    except (DanebotError, CancelledError, OSError):
        raise
    except Exception as exc:
        words = next(iter(str(exc).splitlines()), "")[:200]
        raise SurveyError(
            f"Dask doesn't answer here ({type(exc).__name__}{f': {words}' if words else ''}); "
            "see what else this host is busy with, and run it again"
        ) from exc


def _silence() -> None:
    """Have no line of Dask's among ours; some of its loggers have levels of their own."""
    for name in ("distributed", "tornado", "asyncio", *logging.Logger.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado", "asyncio"}:
            logging.getLogger(name).setLevel(logging.CRITICAL)


def check_resolvers(client: Client, plan: SurveyPlan) -> int:
    """Test the resolver of every worker there is; how many these are.  Raises `SurveyError`."""
    try:
        client.wait_for_workers(1, timeout=_WAIT)
    except TimeoutError as exc:
        raise SurveyError("the scheduler has no workers; start some, and run it again") from exc
    with _asking():
        _require_same(client)
        return len(client.run(functools.partial(_tested, plan)))


_VERSION = "__import__('danebot').__version__"
_WHOLE = f"[__import__('pyarrow'), __import__('duckdb'), {_VERSION}][-1]"


def _require_same(client: Client) -> None:
    """Raise `SurveyError` unless the scheduler and all workers have this version of danebot.

    They are asked by what every Python has, since danebot may not be there; a scheduler unpacks
    tasks, so it needs danebot itself, and none of the extra.
    """
    found: dict[str, object] = client.run(eval, _WHOLE, on_error="return")
    workers = [(f"the worker {where}", has) for where, has in sorted(found.items())]
    for who, has in [("the scheduler", _on_scheduler(client)), *workers]:
        if has == __version__:
            continue
        if isinstance(has, ModuleNotFoundError):
            what = f"{who} has no {has.name or 'danebot'}"
        elif isinstance(has, str):
            what = f"{who} has danebot {has}, and this is {__version__}"
        else:
            what = f"{who} doesn't say which danebot it has ({type(has).__name__})"
        raise SurveyError(
            f"{what}; install danebot[survey] {__version__} for the scheduler and every worker, "
            "start them again, and run it again"
        )


def _on_scheduler(client: Client) -> object:
    """Its version of danebot, or why there is none."""
    try:
        found: object = client.run_on_scheduler(eval, _VERSION)
    except Exception as exc:  # noqa: BLE001 - whatever was raised over there
        return exc
    return found


def _tested(plan: SurveyPlan) -> bool:
    require_sound_now(plan)
    return True


def _mark(data: DataSet) -> str:
    """What tasks of one directory have in their keys, whoever gave them."""
    return hashlib.sha256(os.fsencode(data.root)).hexdigest()[:16]


def require_idle(client: Client, data: DataSet) -> None:
    """Raise `SurveyError` while workers are at a survey of that directory.

    A driver that died leaves them at it for a moment: begun anew, an address would be asked twice
    as often as promised.
    """
    with _asking():
        held = [str(key) for keys in client.processing().values() for key in keys]
    busy = [key for key in held if _mark(data) in key]
    if busy:
        raise SurveyError(
            f"workers are still at {len(busy)} partitions of {data.root}, for a run that has gone; "
            "run it again in a minute"
        )


def run_steps(
    client: Client, data: DataSet, plan: SurveyPlan, tell: Callable[[Advance], None]
) -> None:
    """Make every stage that isn't finished; ``tell`` hears of each partition.

    Raises `SurveyError`, with what is finished kept.
    """
    data.drop_stale(time.time())
    for step in STEPS:
        if step.before is not None:
            exchange(data, step.before, plan.rows, plan.looks)
        _run_step(client, data, plan, step, tell)


def _run_step(
    client: Client, data: DataSet, plan: SurveyPlan, step: Pass, tell: Callable[[Advance], None]
) -> None:
    from distributed import as_completed

    every = data.parts(step.source)
    had = set(data.parts(step.stage))
    left = [number for number in every if number not in had]
    begun, made, done = time.monotonic(), 0, len(every) - len(left)
    before = done
    tell(Advance(step, done, len(every), before))
    if not left:
        return
    futures = client.map(
        functools.partial(step.make, plan),
        left,
        key=f"{step.stage.name.lower()}-{_mark(data)}-{os.getpid()}-{time.time_ns()}",
        retries=_RETRIES,
        pure=False,
    )
    try:
        for future in as_completed(futures):
            made += _result(future)
            done += 1
            tell(Advance(step, done, len(every), before, made, time.monotonic() - begun))
    finally:
        with suppress(Exception):  # the scheduler may be what has gone
            client.cancel(futures)
    missing = set(every) - set(data.parts(step.stage))
    if missing:
        raise SurveyError(
            f"{len(missing)} finished partitions aren't in {data.folder(step.stage)}: workers need "
            "that very directory, at the same path (NFS, or another shared file system)"
        )


def _result(future: Future[int]) -> int:
    """How many rows a partition has; raises `SurveyError` for one that can't be made."""
    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        rows: int = future.result()
    except (DanebotError, CancelledError, CommClosedError):
        raise
    except KilledWorker as exc:
        raise SurveyError(
            "workers die again and again at one partition: out of memory, mostly; give them more, "
            "or fewer of them, and run it again"
        ) from exc
    except Exception as exc:
        raise SurveyError(
            f"a partition can't be made ({type(exc).__name__}: {str(exc)[:200]!r}); run it again"
        ) from exc
    return rows
