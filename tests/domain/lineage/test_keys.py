"""One key is told from another by its SPKI, whatever is known of its type."""

from __future__ import annotations

from danebot.domain.lineage.key_types import KeyType
from danebot.domain.lineage.keys import PublicKey


def test_a_key_is_its_spki() -> None:
    typed, untyped, other = (
        PublicKey(b"spki", KeyType.RSA_2048),
        PublicKey(b"spki", None),
        PublicKey(b"other", None),
    )
    assert typed == untyped
    assert not typed != untyped  # noqa: SIM202 - a tuple has a != of its own
    assert typed != other
    assert len({typed, untyped, other}) == 2
    assert typed != (b"spki", KeyType.RSA_2048)
    assert (typed.spki, KeyType.RSA_2048) != typed
