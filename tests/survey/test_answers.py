"""An answer that didn't come is asked for again, and is never taken for one."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.domain.names import Hostname
from danebot.survey import rows, stages
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.plan import SurveyPlan

Quiet = Callable[[str, int], bool]


@contextmanager
def resolver(quiet: Quiet) -> Iterator[int]:
    """A double: unbound can't be had to pass over the first question for each name.

    ``quiet`` says of a name, and how often it was asked for, whether that gets no answer.
    """
    asked: Counter[str] = Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                octets, peer = server.recvfrom(4096)
                if octets == b"end":
                    return
                query = dns.message.from_wire(octets)
                name = query.question[0].name.to_text()
                asked[name] += 1
                if quiet(name, asked[name]):
                    continue
                answer = dns.message.make_response(query, recursion_available=True)
                answer.flags |= dns.flags.AD
                answer.answer = [dns.rrset.from_text(name, 60, "IN", "MX", f"10 mx.{name}")]
                server.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield port
        finally:
            server.sendto(b"end", ("127.0.0.1", port))
            thread.join()


def looked_up(tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many hosts each of 100 domains has."""
    for test in ("require_sound", "require_sound_now"):
        monkeypatch.setattr(stages, test, lambda _: None)  # that has tests of its own
    data = DataSet(tmp_path)
    names = [{"domain": f"d{number}.test"} for number in range(100)]
    data.write(Folder.INPUT, 0, names, rows.input_schema())
    with resolver(quiet) as port:
        config = ResolverConfig(
            (Nameserver("127.0.0.1", port),), attempts=1, timeout=timedelta(seconds=0.5)
        )
        assert stages.look_up_mx(SurveyPlan(tmp_path, Hostname("p.test"), config), 0) == 100
    return [len(row["hosts"]) for row in data.read(Folder.MX, 0)]


def test_a_resolver_that_was_silent_for_a_while_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(_: str, count: int) -> bool:
        return count == 1

    assert looked_up(tmp_path, first, monkeypatch) == [1] * 100


def test_few_names_without_an_answer_are_kept_as_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = looked_up(tmp_path, lambda name, _: name == "d7.test.", monkeypatch)
    assert sorted(found) == [0] + [1] * 99


def test_many_without_an_answer_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SurveyError, match="didn't answer for 50 of 100 names, asked twice"):
        looked_up(tmp_path, lambda name, _: int(name[1:-6]) % 2 == 0, monkeypatch)
    assert DataSet(tmp_path).parts(Folder.MX) == []
