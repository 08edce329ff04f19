"""What a survey finds in its way: pipes, devices, links, and files that somebody else wrote."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot import cli
from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.console import Console
from danebot.domain.names import Hostname
from danebot.errors import ConfigError
from danebot.survey import engine
from danebot.survey.dataset import DataSet, Folder, SurveyError, SurveyState
from danebot.survey.plan import SurveyPlan
from danebot.survey.sources import Form, NameSource
from danebot.verbs import survey as verb

COMPLETE = SurveyState(("/a.txt",), 1, input_complete=True, complete=True)
MANY = 150_000  # names: more than a mebibyte, which is what a file is told by


def taken(out: Path, source: str) -> SurveyState:
    plan = SurveyPlan(out, Hostname("probe.test"), ResolverConfig())
    data = DataSet(out)
    with data.held():
        console = Console(None, None, 0, quiet=False)
        return verb._input(console, data, plan, [NameSource(source, Form.LINES)])


def poured(octets: bytes) -> int:
    """A pipe from which that can be read, as of a shell's ``<(...)``."""
    reading, writing = os.pipe()

    def pour() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(octets)

    threading.Thread(target=pour, daemon=True).start()
    return reading


def test_no_name_is_lost_in_a_pipe(tmp_path: Path) -> None:
    names = b"".join(b"name-%d.example.test\n" % number for number in range(MANY))
    pipe = poured(names)
    state = taken(tmp_path / "out", f"/dev/fd/{pipe}")
    assert (state.domains, state.refused) == (MANY, 0)
    another = poured(b"")  # the same command again, whose pipe is another: it isn't read any more
    os.dup2(another, pipe)
    assert taken(tmp_path / "out", f"/dev/fd/{pipe}").domains == MANY
    for descriptor in (another, pipe):
        os.close(descriptor)


@pytest.mark.parametrize("name", ["pipe", "folder", "none/lines", "-"])
def test_what_lines_cannot_be_written_to_is_told_before_anything_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """What is no file would be replaced by one: root's /dev/null, too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").write_text("a.test\n")
    place = name if name == "-" else str(tmp_path / name)
    words = ["survey", "run", str(tmp_path / "a.txt"), "--into", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--json-lines", place])
    assert ended.value.code == 2
    assert "--json-lines" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_link_for_a_lock_makes_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SurveyError, match="cannot write"), DataSet(tmp_path / "out").held():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_workers_keep_out_of_a_directory_that_anybody_could_have_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's is /tmp/dask-scratch-space, whosever that is: its locks empty what they lead to.

    And it is where its processes look first for whatever they import.
    """
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    theirs, victim = tmp_path / "dask-scratch-space", tmp_path / "victim"
    theirs.mkdir()
    victim.write_text("precious")
    for lock in ("global.lock", "purge.lock"):
        (theirs / lock).symlink_to(victim)
    with engine.cluster(None, 1) as client:
        assert str(theirs) not in [*sys.path, *client.submit(lambda: sys.path).result()]
        (place,) = client.run(lambda dask_worker: dask_worker.local_directory).values()
        assert victim.read_text() == "precious"
        assert not Path(place).is_relative_to(theirs)
        (own,) = (one for one in Path(place).parents if one.parent == tmp_path)
        assert own.stat().st_mode & 0o77 == 0
    assert sorted(tmp_path.iterdir()) == [theirs, victim]


@pytest.mark.parametrize(
    "name",
    ["part-000001 (copy).parquet", "part-x.parquet", "part-\u00b2.parquet", ".part-000001.parquet"],
)
def test_what_has_no_name_of_ours_is_no_partition(tmp_path: Path, name: str) -> None:
    data = DataSet(tmp_path)
    data.folder(Folder.DOMAINS).mkdir()
    (data.folder(Folder.DOMAINS) / name).write_text("x")
    assert data.parts(Folder.DOMAINS) == []


@pytest.mark.parametrize(
    "odd",
    [
        *({"refused": "many"}, {"domains": None}, {"complete": "no"}, {"settings": []}),
        *({"inputs": [1]}, {"inputs": "abc"}, {"prints": [[]]}, {"completed": 5}, {"schema": True}),
    ],
    ids=str,
)
def test_a_state_that_nobody_wrote_so_is_told(tmp_path: Path, odd: dict[str, object]) -> None:
    DataSet(tmp_path).remember(COMPLETE)
    path = tmp_path / "survey.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    with pytest.raises(ConfigError, match="name another directory"):
        DataSet(tmp_path).state()


@pytest.mark.parametrize("text", ["[" * 200_000, '{"schema": ' + "9" * 5000 + "}"])
def test_a_state_that_no_parser_takes_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "survey.json").write_text(text)
    with pytest.raises(ConfigError, match="name another directory"):
        DataSet(tmp_path).state()


@pytest.mark.timeout(30)
def test_a_state_without_an_end_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "survey.json")
    with pytest.raises(ConfigError, match="name another directory"):
        DataSet(tmp_path).state()
