"""What a host says of its own addresses and name, with which those of MX hosts are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from danebot.adapters import services
from danebot.adapters.inspection import has_address, is_translated, source_address
from danebot.domain.names import Hostname


def test_loopback_is_reached_from_itself_and_is_nobody_s_translation() -> None:
    assert (has_address("127.0.0.1"), source_address("127.0.0.1")) == (True, "127.0.0.1")
    assert not is_translated("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    ("address", "source", "translated"),
    [
        ("8.8.8.8", "10.1.2.3", True),
        ("2001:4860:4860::8888", "fd00::1", True),
        ("8.8.8.8", "9.9.9.9", False),  # whoever has an address of the world's is known by it
        ("10.1.2.4", "10.1.2.3", False),  # seen from within
        ("8.8.8.8", "", False),  # no way there
    ],
)
def test_who_reaches_the_world_from_a_private_address_may_have_any(
    address: str, source: str, *, translated: bool
) -> None:
    assert is_translated(address, source) is translated


@pytest.mark.parametrize(
    ("said", "name"),
    [("echo MX.example.org", Hostname("mx.example.org")), ("echo a b", None), ("exit 1", None)],
)
def test_the_name_by_which_postfix_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, name: Hostname | None
) -> None:
    program = tmp_path / "postconf"
    program.write_text(f"#!/bin/sh\n{said}\n")
    program.chmod(0o755)
    monkeypatch.setattr(services, "_NAME", (str(program),))
    assert services.mail_host() == name
