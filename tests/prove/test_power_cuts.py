"""What a part of the proof counts, and what it takes for told to others."""

from __future__ import annotations

import pytest

from e2e.outage import is_update, told
from prove.part import Row
from prove.power_cuts import Tally

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_KEY = "ab" * 32
_UPDATE = b"\x12\x34\x28\x00" + bytes(8) + b"\x07example\x04test\x00"
_QUERY = b"\x12\x34\x00\x00" + bytes(8) + b"\x07example\x04test\x00"


def test_an_operation_is_a_line_of_the_table() -> None:
    tally = Tally("renewal", 169, 2_220, 12, ["how it came"])
    amount = "2,220 states of 169 moments, a further run after 12"
    assert tally.row() == Row("power cuts: renewal", amount, ("how it came",))


@pytest.mark.parametrize(
    ("data", "update"),
    [
        (_UPDATE, True),
        (len(_UPDATE).to_bytes(2) + _UPDATE, True),
        (_QUERY, False),
        (len(_QUERY).to_bytes(2) + _QUERY, False),
    ],
    ids=["UDP", "TCP", "query by UDP", "query by TCP"],
)
def test_an_update_is_told_from_a_query(data: bytes, update: bool) -> None:  # noqa: FBT001
    assert is_update(data) is update


def test_a_key_is_told_in_dns_or_to_people() -> None:
    assert told(_KEY, b"\x03\x01\x01" + bytes.fromhex(_KEY))
    assert told(_KEY, b"TLSA 3 1 1 " + _KEY.upper().encode())
    assert not told(_KEY, b"TLSA 3 1 1 " + b"cd" * 32)
