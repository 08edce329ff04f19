"""The input stays what it was, and says so where it doesn't."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot import cli  # noqa: E402
from danebot.adapters.dns.resolvconf import ResolverConfig  # noqa: E402
from danebot.console import Console  # noqa: E402
from danebot.domain.names import Hostname  # noqa: E402
from danebot.errors import ConfigError  # noqa: E402
from danebot.survey.dataset import DataSet, SurveyState  # noqa: E402
from danebot.survey.plan import OptOut, SurveyPlan  # noqa: E402
from danebot.survey.sources import Form, NameSource, take_input  # noqa: E402
from danebot.verbs import survey as verb  # noqa: E402
from verbs.terminal import at_terminal  # noqa: E402


def parquet(tmp_path: Path, values: list[Any], kind: Any) -> list[str]:  # noqa: ANN401 - pyarrow's
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"domain": pa.array(values, kind)}), tmp_path / "a.parquet")
    data, refused = DataSet(tmp_path / "out"), list[str]()
    source = NameSource(str(tmp_path / "a.parquet"), Form.PARQUET)
    counts = take_input(data, [source], OptOut(), 100, refused.append)
    assert counts.domains + len(refused) == len(values)
    return refused


def test_names_in_octets_are_names(tmp_path: Path) -> None:
    assert parquet(tmp_path, [b"a.test", b"\xff.test"], pa.binary()) != []


def test_names_in_a_dictionary_are_names(tmp_path: Path) -> None:
    assert parquet(tmp_path, ["a.test"], pa.dictionary(pa.int32(), pa.string())) == []


def test_numbers_are_no_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="column 'domain' has int64, no text"):
        parquet(tmp_path, [1, 2], pa.int64())


def test_a_line_of_csv_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"domain\na.test\n" + b"a," * 2**22)
    source = NameSource(str(tmp_path / "a.csv"), Form.CSV)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="a line of more than 1,048,576 characters"):
            take_input(DataSet(tmp_path / "out"), [source], OptOut(), 100, print)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_the_longest_line_of_csv_may_have_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"domain\n" + b"a.test".ljust(2**20 - 1, b",") + b"\n")
    source = NameSource(str(tmp_path / "a.csv"), Form.CSV)
    take_input(DataSet(tmp_path / "out"), [source], OptOut(), 100, print)


def begun(tmp_path: Path, name: str) -> SurveyState:
    data, console = DataSet(tmp_path / "out"), Console(None, None, 0, quiet=False)
    plan = SurveyPlan(data.root, Hostname("probe.test"), ResolverConfig())
    with data.held():
        source = NameSource(str(tmp_path / name), Form.LINES)
        return verb._input(console, data, plan, [source])


def test_a_mistyped_input_burns_no_directory(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.test\n")
    with pytest.raises(ConfigError, match="No such file"):
        begun(tmp_path, "typo.txt")
    assert begun(tmp_path, "a.txt").domains == 1


def test_an_input_that_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a.test\n")
    assert begun(tmp_path, "a.txt").domains == 1
    os.utime(path, (1, 1))  # copied anew: the same
    assert begun(tmp_path, "a.txt").domains == 1
    path.write_text("a.test\nb.test\n")
    with pytest.raises(ConfigError, match="has changed since it was read"):
        begun(tmp_path, "a.txt")


def test_who_types_names_is_told_how_to_end(tmp_path: Path) -> None:
    """It looked as if it hung: nobody said that it waits for names, nor how they end."""

    def act() -> None:
        source = NameSource("-", Form.LINES)
        data, console = DataSet(tmp_path / "out"), Console(None, None, 0, quiet=False)
        plan = SurveyPlan(data.root, Hostname("probe.test"), ResolverConfig())
        with data.held():
            sys.stdout.write(f"{verb._input(console, data, plan, [source]).domains} taken")
            sys.stdout.flush()
        sys.exit(0)

    end = "end with Ctrl-D on a line of its own\r\n"
    told = at_terminal(act, ["a.test\nb.test\n\x04"], prompt=end)
    assert told.unasked == ()
    assert "2 taken" in told.screen


def test_how_many_names_were_read_is_told_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"n{number}.test\nno name\n" for number in range(25_000)))
    heard: list[int] = []
    source = NameSource(str(path), Form.LINES)
    data = DataSet(tmp_path / "out")
    take_input(data, [source], OptOut(), 5000, lambda _: None, tell=heard.append)
    assert heard == [20_000, 40_000]


_INTERRUPTED = """
import os, signal, sys, time
from danebot.verbs import survey
def wait(*_): os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)
survey._run = wait
from danebot import cli
cli.main(["survey", "run", "-", "--into", "out"])
"""


def test_interrupted_it_names_the_command_that_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.strip()
    assert done.returncode == 130
    assert said == "danebot: interrupted; run the same danebot survey again to go on"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "-"), "say where results go: --into DIR"),
        (("report", "a", "b"), "report: name one survey's directory"),
        (("report", "a", "--into", "b"), "report: takes no --into"),
        (("diff", "a"), "diff: name two surveys' directories, the older one first"),
        (("run", "-", "--into", "out", "--helo", "a..b"), "a..b"),
        (("run", "-", "--into", "out", "--resolver", "a.test"), "--resolver: want an IP address"),
        (("run", "-", "--into", "out", "--test-names", "a.test"), "want three names: SECURE"),
    ],
)
def test_words_that_say_nothing_are_told(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "danebot.toml").touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["--config", str(tmp_path / "danebot.toml"), "survey", *words])
    assert (ended.value.code, told in capsys.readouterr().err) == (2, True)
