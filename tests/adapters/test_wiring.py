"""What a probe says of addresses that can't be looked up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from danebot.adapters.wiring import WireProber
from danebot.config import Settings
from danebot.domain.delivery.probes import ProbeOutcome
from danebot.domain.dns.answers import Answer
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname, Protocol
from domain.delivery_world import BOGUS, LOST, answer

ENDPOINT = Endpoint(Hostname("mail.example"), 25, Protocol.SMTP)


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("lookup", [BOGUS, LOST])
def test_the_kind_of_key_that_was_asked_for_and_why_it_could_not_be(
    monkeypatch: pytest.MonkeyPatch, lookup: dict[str, Any], algorithm: Algorithm
) -> None:
    """A double of the lookups: real resolvers have words for each failure."""

    def addresses(*_: object) -> Sequence[Answer[str]]:
        return (answer("mail.example"), answer("mail.example", **lookup))

    monkeypatch.setattr(WireProber, "_addresses", addresses)
    (lost,) = WireProber(Settings()).probe("l", [ENDPOINT], algorithm)
    assert (lost.outcome, lost.algorithm) == (ProbeOutcome.UNREACHABLE, algorithm)
    assert lost.detail == f"addresses can't be looked up: {lookup['detail']}"
