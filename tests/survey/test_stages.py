"""A survey's parts by themselves: input, opt-out list, pace, partitions."""

from __future__ import annotations

import contextlib
import errno
import io
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.domain.addresses import Reach
from danebot.domain.names import Endpoint, Hostname, Protocol
from danebot.errors import ConfigError, LockedError

pa = pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.adapters.loop import drive, pause_lane  # noqa: E402
from danebot.adapters.probe.prober import probe_lane  # noqa: E402
from danebot.adapters.probe.target import Target  # noqa: E402
from danebot.survey import rows, stages  # noqa: E402
from danebot.survey.dataset import DataSet, Folder, SurveyError, SurveyState  # noqa: E402
from danebot.survey.plan import OptOut, SurveyPlan, parse_opt_out  # noqa: E402
from danebot.survey.sources import Form, NameSource, form_of, take_input  # noqa: E402
from lab.net import reserve  # noqa: E402

HELO = Hostname("probe.test")


def taken(tmp_path: Path, source: NameSource, size: int = 100) -> tuple[list[str], list[str], int]:
    """Names, what was refused, and how many partitions there are."""
    data, refused = DataSet(tmp_path / "out"), list[str]()
    take_input(data, [source], OptOut(), size, refused.append)
    parts = data.parts(Folder.INPUT)
    names = [row["domain"] for part in parts for row in data.read(Folder.INPUT, part)]
    return sorted(names), refused, len(parts)


def written(tmp_path: Path, name: str, text: str) -> NameSource:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return NameSource(str(path), form_of(name))


ZONE = """\
$ORIGIN test.
$TTL 60
@ SOA ns a 1 2 3 4 5
@ NS ns
ns A 192.0.2.1
one NS ns.one
  NS ns.two
ns.one A 192.0.2.1
Two.test. 60 IN NS ns.one
mail MX 10 mx
three 60 IN NS ( ns.one
  )
"""


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("a.txt", "b.test\n# nothing\n\nA.test. # here\r\n", ["a.test", "b.test"]),
        ("a.csv", "rank,domain\n1,b.test\n2,a.test\n3\n", ["a.test", "b.test"]),
        ("a.csv", "b.test,1\na.test,2\n", ["a.test", "b.test"]),
        ("a.csv", "Rank,Domain \n1,b.test\n", ["b.test"]),
        ("a.txt", "\ufeffbücher.test\n", ["xn--bcher-kva.test"]),
        ("a.zone", ZONE, ["mail.test", "one.test", "three.test", "two.test"]),
    ],
)
def test_names_come_from_lines_tables_and_zones(
    tmp_path: Path, name: str, text: str, names: list[str]
) -> None:
    assert taken(tmp_path, written(tmp_path, name, text))[:2] == (names, [])


def test_names_come_from_parquet(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pa.table({"rank": [1, 2], "domain": ["b.test", "a.test"]})
    pq.write_table(table, tmp_path / "a.parquet")
    source = NameSource(str(tmp_path / "a.parquet"), Form.PARQUET)
    assert taken(tmp_path, source)[0] == ["a.test", "b.test"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.zone", "$ORIGIN test.\none NS (\n", "is no zone file"),
        ("a.zone", "$INCLUDE /etc/passwd\n", "is no zone file"),
        ("a.parquet", "PAR1", "is no Parquet"),
        ("a.csv", "", "has no domain names"),
        ("a.txt", "\n# nothing\n", "has no domain names"),
        ("a.csv", "rank,site\n1,a.test\n", "has no column 'domain'"),
        ("a.csv", "1,a.test\n2,b.test\n", "if it has no head, give the domains alone"),
    ],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        taken(tmp_path, written(tmp_path, name, text))
    assert not list((tmp_path / "out").rglob("*.parquet"))


HOSTILE = ["no name", "a" * 5000, "192.0.2.1", "../../etc/passwd", "=1+1", "\x1b[31m.test", "a..b"]


def test_bad_names_are_counted_and_told(tmp_path: Path) -> None:
    source = written(tmp_path, "a.txt", "\n".join(["a.test", *HOSTILE, "b.test\n"]))
    names, refused, _ = taken(tmp_path, source)
    assert names == ["a.test", "b.test"]
    assert len(refused) == len(HOSTILE)
    assert all(line.isprintable() for line in refused)


def test_each_name_is_in_one_partition(tmp_path: Path) -> None:
    text = "".join(f"n{number % 900}.test\n" for number in range(2000))
    names, _, parts = taken(tmp_path, written(tmp_path, "a.txt", text))
    assert names == sorted(f"n{number}.test" for number in range(900))
    assert parts == 9


def test_a_million_lines_from_standard_input_are_never_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    count = 300_000  # tracing makes it slow
    octets = io.BytesIO(b"".join(b"n%d.example.test\n" % n for n in range(count)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(octets))
    tracemalloc.start()
    try:
        data = DataSet(tmp_path)
        counts = take_input(data, [NameSource("-", Form.LINES)], OptOut(), 5000, print)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.domains == count
    assert peak < 40 * 2**20


def test_opt_out() -> None:
    found = parse_opt_out("Example.test\n192.0.2.0/24 # a network\n2001:db8::1\n")
    assert found.has_name("example.test")
    assert found.has_name("a.b.example.test")
    assert not found.has_name("anexample.test")
    assert found.has_address("192.0.2.200")
    assert found.has_address("2001:db8::1")
    assert not found.has_address("192.0.3.1")


def test_a_line_of_the_opt_out_list_that_says_nothing_is_told() -> None:
    with pytest.raises(ConfigError, match="line 2: 'not a name'"):
        parse_opt_out("a.test\nnot a name\n")


def test_who_may_be_asked() -> None:
    plan = SurveyPlan(
        Path(), HELO, ResolverConfig(), opt_out=parse_opt_out("out.test\n198.51.100.7\n")
    )
    assert plan.may_look("8.8.8.8", "mx.example.test")
    assert not plan.may_look("8.8.8.8", "mx.example.test", "mx.out.test")
    assert not plan.may_look("198.51.100.7", "mx.example.test")
    for inner in ("127.0.0.1", "10.0.0.1", "::1", "fe80::1", "169.254.169.254", "::ffff:127.0.0.1"):
        assert not plan.may_look(inner, "mx.example.test")
    assert plan._replace(reach=Reach.ANY).may_look("127.0.0.1", "mx.example.test")


@pytest.fixture
def greeted() -> Iterator[tuple[str, list[float]]]:
    """An address whose port 25 notes when it is connected to, and then hangs up."""
    if os.geteuid():
        pytest.skip("port 25 takes root")
    times: list[float] = []
    net = reserve()
    with contextlib.closing(net.reservation), socket.socket() as server:
        address = net.host(25)
        server.bind((address, 25))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                times.append(time.monotonic())
                peer.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield address, times
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_one_address_is_asked_at_its_pace(greeted: tuple[str, list[float]], tmp_path: Path) -> None:
    address, times = greeted
    plan = SurveyPlan(tmp_path, HELO, ResolverConfig(), interval=timedelta(seconds=0.2))
    targets = [
        Target(Endpoint(Hostname(f"h{n}.test"), 25, Protocol.SMTP), address) for n in range(4)
    ]
    lanes = probe_lane(10) | pause_lane(10)
    (found,) = drive([stages._one_address(plan, targets)], lanes, at_once=10)
    assert [row["host"] for row in found] == [f"h{n}.test" for n in range(4)]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(gaps) == 3
    assert min(gaps) >= 0.19


# ---- the directory --------------------------------------------------------------------------


def test_a_partition_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    data = DataSet(tmp_path)

    def broken() -> Iterator[dict[str, str]]:
        yield {"domain": "a.test"}
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        data.write(Folder.INPUT, 0, broken(), rows.input_schema())
    assert data.parts(Folder.INPUT) == []
    assert list(data.folder(Folder.INPUT).iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("in the middle"), OSError(28, "No space left")])
def test_a_stage_that_fails_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    data = DataSet(tmp_path)

    def fails() -> None:
        with data.whole(Folder.INPUT) as new:
            new.write(Folder.INPUT, 0, [{"domain": "a.test"}], rows.input_schema())
            raise error

    with pytest.raises((RuntimeError, SurveyError), match=r"in the middle|free some space"):
        fails()
    assert not data.is_there(Folder.INPUT)
    assert not list(tmp_path.rglob(".danebot-tmp-*"))


def test_a_system_without_room_for_a_process_is_no_other_survey(tmp_path: Path) -> None:
    """`fork` fails so where no more are allowed: there is nobody to wait for."""
    with pytest.raises(BlockingIOError), DataSet(tmp_path).held():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_full_disk_is_told() -> None:
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("no /dev/full")
    from danebot.survey.dataset import unwritten

    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space") as caught:
        file.write(b"x")
    assert "free some space" in str(unwritten(path, caught.value))


def test_a_damaged_partition_is_told(tmp_path: Path) -> None:
    data = DataSet(tmp_path)
    data.write(Folder.INPUT, 0, [{"domain": "a.test"}], rows.input_schema())
    data.part(Folder.INPUT, 0).write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(SurveyError, match="remove it"):
        list(data.read(Folder.INPUT, 0))


def test_one_survey_at_a_time(tmp_path: Path) -> None:
    with (
        DataSet(tmp_path).held(),
        pytest.raises(LockedError, match="another survey"),
        DataSet(tmp_path).held(),
    ):
        pass


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 1}', "\0"])
def test_a_state_of_nothing_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "survey.json").write_text(text)
    with pytest.raises(ConfigError, match="name another directory"):
        DataSet(tmp_path).state()


def test_the_state_is_read_back(tmp_path: Path) -> None:
    state = SurveyState(("a",), 1, 2, 3, 4, input_complete=True)
    DataSet(tmp_path).remember(state)
    assert DataSet(tmp_path).state() == state


_WITHOUT = """
import sys
class Without:
    def __init__(self, finder): self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name == "dask" else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(one) for one in sys.meta_path]
sys.argv = ["danebot", "survey", "run", "-", "--into", "out"]
from danebot.cli import command
command()
"""


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    wanted = "danebot: surveys need more than danebot itself: pip install 'danebot[survey]'\n"
    assert (done.returncode, done.stderr) == (2, wanted)
    assert not (tmp_path / "out").exists()
