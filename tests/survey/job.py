"""`danebot survey` as a process, and what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from survey.internet import RESOLVER, TEST_NAMES, Verdict, domains

ROOT = Path(__file__).parents[2]
SAME = "SELECT * EXCLUDE (looked, expires, signed_until) FROM domains ORDER BY domain"


def command(tmp_path: Path, options: Sequence[str], *words: str | Path) -> list[str]:
    """A survey with no settings but those here; ``options`` are danebot's own."""
    config = tmp_path / "danebot.toml"
    config.touch()
    program = [sys.executable, "-m", "danebot", "--config", str(config), *options]
    return [*program, "survey", *map(str, words)]


def run_words(source: str | Path, into: Path, *more: str) -> list[str | Path]:
    """Those of a run on the small internet."""
    words: list[str | Path] = ["run", source, "--into", into, "--helo", "probe.test"]
    words += ["--resolver", RESOLVER, "--test-names", TEST_NAMES, "--reach", "any"]
    return [*words, "--interval", "0", *more]


def start(
    tmp_path: Path,
    *words: str | Path,
    options: Sequence[str] = (),
    stdin: int | None = None,
    start_new_session: bool = False,
) -> subprocess.Popen[str]:
    """Start it."""
    return subprocess.Popen(
        command(tmp_path, options, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=stdin,
        start_new_session=start_new_session,
    )


def workers(driver: int) -> list[int]:
    """The processes below a driver that work."""
    words = ["ps", "-ww", "-eo", "pid,ppid,args"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in shown.stdout.splitlines()[1:]]
    return [int(p) for p, above, args in rows if int(above) == driver and "spawn_main" in args]


def done(tmp_path: Path, *words: str | Path, stdin: str = "") -> tuple[int, str, str]:
    """Run it to its end: status, output, errors."""
    process = start(tmp_path, *words, stdin=subprocess.PIPE)
    out, err = process.communicate(stdin, timeout=800)
    return process.returncode, out, err


def listed(tmp_path: Path, count: int) -> Path:
    """A file with so many domains."""
    path = tmp_path / "domains.txt"
    path.write_text("".join(f"{name}\n" for name, _ in domains(count)), encoding="ascii")
    return path


def select(directory: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a survey by SQL, where ``domains`` and ``hosts`` are its tables."""
    import duckdb

    with duckdb.connect() as connection:
        for name in ("domains", "hosts"):
            connection.read_parquet(str(directory / name / "*.parquet")).create_view(name)
        return connection.execute(query).fetchall()


def verdicts(directory: Path) -> Counter[Verdict]:
    """How often each came."""
    query = "SELECT status, dane, coalesce(codes[1], ''), count(*) FROM domains GROUP BY ALL"
    found: Iterable[tuple[Any, ...]] = select(directory, query)
    return Counter({Verdict(*row[:3]): row[3] for row in found})
