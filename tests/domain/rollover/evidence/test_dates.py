"""The times and the schema that a ``rollover.json`` may have, whatever version wrote it."""

from __future__ import annotations

from datetime import datetime

import pytest

from danebot.adapters.codec import decode, encode
from danebot.domain.rollover.evidence import dates, memory


@pytest.mark.parametrize(
    ("text", "reckoned"),
    [
        ("1899-12-31T23:59:59+00:00", False),
        ("1900-01-01T00:00:00+00:00", True),
        ("8999-12-31T23:59:59+00:00", True),
        ("9000-01-01T00:00:00+00:00", False),
    ],
)
def test_a_time_that_is_read_is_one_of_the_years_from_1900_to_8999(
    text: str, *, reckoned: bool
) -> None:
    """Of these, centuries can be added or taken away, and it stays a time."""
    if reckoned:
        assert encode(decode(datetime, text, within=dates.RECKONABLE)) == text
    else:
        with pytest.raises(ValueError, match="is no time of a run"):
            decode(datetime, text, within=dates.RECKONABLE)


def test_the_memory_is_of_the_schema_that_earlier_versions_wrote() -> None:
    """Another number has every host begin anew, and those that go back refuse to run."""
    assert memory.MEMORY_SCHEMA == 1
