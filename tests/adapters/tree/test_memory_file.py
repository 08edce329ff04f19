"""``rollover.json``: read whatever its state, and written only when something changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import trees
from adapters.trees import Grown
from danebot.adapters.codec import decode, encode
from danebot.adapters.tree.memory_file import recall, save_memory
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.change_outcomes import ChangeOutcome
from danebot.domain.rollover.evidence.memory import (
    MEMORY_SCHEMA,
    Awaiting,
    Deployment,
    Failure,
    Memory,
    OwnerMemory,
    OwnerRoute,
    PastKey,
    PendingHook,
    Publishing,
    TtlSighting,
)
from danebot.errors import TreeError

THEN = datetime(2026, 1, 2, 3, 4, 5, 600000, UTC)
FULL = Memory(
    owners={
        DnsName.parse("_25._tcp.mail.example.test"): OwnerMemory(
            (TtlSighting(timedelta(hours=1), THEN), TtlSighting(timedelta(1), THEN, THEN)),
            OwnerRoute(
                DnsName.parse("_dane.example.test"), frozenset({Hostname.parse("ns1.example.test")})
            ),
            timedelta(hours=2),
            THEN,
        )
    },
    awaiting=Awaiting(b"\x01" * 32, THEN, THEN, None),
    deployment=Deployment(b"\x02" * 32, b"\x03" * 32, THEN, (PendingHook("reload", 2, "no"),)),
    promotion_failure=Failure("the CA refused", 2, THEN, THEN, THEN),
    past_keys=(PastKey(b"spki", THEN),),
    publishing=Publishing(
        THEN, Failure("refused", 1, THEN, THEN, THEN), ChangeOutcome.REFUSED, "allow the key"
    ),
)


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return trees.staged(tmp_path)


def _file(grown: Grown) -> Path:
    return grown.paths.staging / "rollover.json"


def test_what_is_saved_is_loaded(grown: Grown) -> None:
    save_memory(grown.paths, Memory(), FULL)
    assert recall(grown.paths) == (FULL, "")
    assert _file(grown).stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_when_nothing_changed(grown: Grown) -> None:
    save_memory(grown.paths, FULL, FULL)
    assert not _file(grown).exists()
    assert recall(grown.paths) == (Memory(), "")


DOCUMENT = {"schema": MEMORY_SCHEMA, **encode(FULL)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        json.dumps({"schema": MEMORY_SCHEMA - 1}).encode(),
        json.dumps({"schema": "1"}).encode(),
        json.dumps(DOCUMENT).encode()[:-3],
        json.dumps({**DOCUMENT, "awaiting": {"digest": "zz"}}).encode(),
        json.dumps({**DOCUMENT, "past_keys": 7}).encode(),
        json.dumps({**DOCUMENT, "owners": {"not a name": {}}}).encode(),
    ],
)
def test_a_damaged_file_is_an_empty_memory(grown: Grown, content: bytes) -> None:
    """It costs waiting time, never safety."""
    _file(grown).write_bytes(content)
    memory, damage = recall(grown.paths)
    assert memory == recall(grown.paths)[0] == Memory()
    assert damage.startswith(str(_file(grown)))
    assert damage.isprintable()


@pytest.mark.parametrize("wrong", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00"])
def test_a_time_that_nothing_can_be_added_to_is_damage_wherever_it_stands(
    grown: Grown, wrong: str
) -> None:
    """Of the sums that follow, some would be no time: every run would end with a traceback."""
    text = json.dumps(DOCUMENT)
    dated = encode(THEN)
    assert text.count(dated) == 15
    for number in range(text.count(dated)):
        before, after = _split(text, dated, number)
        _file(grown).write_text(before + wrong + after)
        memory, damage = recall(grown.paths)
        assert memory == Memory()
        assert damage.startswith(f"{_file(grown)} is damaged (")
        assert damage.endswith(f"{wrong[:10]} is no time of a run)")


def _split(text: str, at: str, number: int) -> tuple[str, str]:
    """The text before and after the occurrence of that number, from 0 on."""
    parts = text.split(at)
    return at.join(parts[: number + 1]), at.join(parts[number + 1 :])


def test_no_damaged_file_is_ever_lost(grown: Grown) -> None:
    for content in (b"one", b"two", b"three"):
        _file(grown).write_bytes(content)
        save_memory(grown.paths, Memory(), FULL)
        assert recall(grown.paths) == (FULL, "")
    kept = sorted(grown.paths.staging.glob("rollover.json.*"))
    assert [path.name for path in kept] == [
        "rollover.json.damaged",
        "rollover.json.damaged.2",
        "rollover.json.damaged.3",
    ]
    assert [path.read_bytes() for path in kept] == [b"one", b"two", b"three"]


def test_what_a_newer_version_remembers_is_left_alone(grown: Grown) -> None:
    text = json.dumps({**DOCUMENT, "schema": MEMORY_SCHEMA + 1})
    _file(grown).write_text(text)
    with pytest.raises(TreeError, match=r"of schema 2, of a newer danebot; install that again"):
        recall(grown.paths)[0]
    with pytest.raises(TreeError, match="newer danebot"):
        save_memory(grown.paths, Memory(), FULL)
    assert _file(grown).read_text() == text


def test_what_could_not_be_read_back_is_not_written(grown: Grown) -> None:
    save_memory(grown.paths, Memory(), FULL)
    far = Memory(awaiting=Awaiting(b"", datetime(9999, 1, 1, tzinfo=UTC)))
    with pytest.raises(TreeError, match="stays as it is"):
        save_memory(grown.paths, FULL, far)
    assert recall(grown.paths) == (FULL, "")


def test_a_directory_in_its_place(grown: Grown) -> None:
    _file(grown).mkdir()
    memory, damage = recall(grown.paths)
    assert memory == Memory()
    assert damage.endswith("not a regular file")


def test_a_file_that_fails_to_read_is_not_an_empty_memory(grown: Grown) -> None:
    """A link to itself stands for a disk that fails to read."""
    _file(grown).symlink_to(_file(grown))
    with pytest.raises(TreeError, match=r"cannot read .*rollover\.json: Too many levels"):
        recall(grown.paths)[0]


def test_a_link_to_nowhere_is_damage(grown: Grown) -> None:
    _file(grown).symlink_to("nowhere")
    memory, damage = recall(grown.paths)
    assert memory == Memory()
    assert damage.endswith("No such file or directory")


_times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.binary(max_size=32), _times, st.none() | _times, st.none() | _times)
def test_any_wait_survives(
    digest: bytes, since: datetime, unseen: datetime | None, served: datetime | None
) -> None:
    memory = Memory(awaiting=Awaiting(digest, since, unseen, served))
    document = json.loads(json.dumps(encode(memory)))
    assert decode(Memory, document) == memory
