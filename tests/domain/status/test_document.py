"""What the status document says of its own parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from danebot.domain.status import document
from danebot.domain.status.document import RecordParts, record_document
from exporter import sample
from exporter.sample import HOUR, NOW

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("3 1 1 ab12", RecordParts(3, 1, 1, "ab12")),
        ("3 1 1 ab 12 cd", RecordParts(3, 1, 1, "ab 12 cd")),
        ("3 1 ab12", None),
        ("DANE-EE SPKI SHA2-256 ab12", None),
        ("", None),
    ],
)
def test_a_record_is_told_in_its_parts_where_it_can_be_taken_apart(
    text: str, parts: RecordParts | None
) -> None:
    """Data may have blanks (RFC 6698 section 2.2); a later version may write otherwise."""
    assert RecordParts.parse(text) == parts
    apart = {} if parts is None else parts._asdict()
    assert record_document(text) == {"record": text, **apart}


def test_what_is_live_has_expired_from_its_last_moment_on() -> None:
    live = sample.certificate("mx")
    status = sample.lineage("mx")
    for left, expired in ((HOUR, False), (0 * HOUR, True), (-HOUR, True)):
        ends = live._replace(not_after=NOW + left)
        assert status._replace(live=ends).expired(NOW) is expired
    assert status._replace(live=None).expired(NOW) is False


def test_as_many_changes_are_kept_as_is_promised() -> None:
    promised = (ROOT / "docs" / "monitoring.md").read_text()
    assert f"The last {document.LAST_EVENTS} are in the status document" in promised
