"""check_danebot tlsa --recheck on real name servers: missing, lagging, bogus, and nobody there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checking import Told
from danebot_checks.lineages import outcome
from exporter import sample
from lab.lab import Lab
from lab.net import free_ports

ZONE = "example.test"
NAME = f"mail.{ZONE}"
OWNER = f"_25._tcp.{NAME}."
LIVE = f"3 1 1 {sample.key(NAME).digest.hex()}"
OTHER = "3 1 1 " + "5a" * 32
Ask = Callable[..., Told]


@pytest.fixture
def ask(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    lab: Lab,
) -> Ask:
    """Look at a lineage that was fine at the last run."""
    monkeypatch.setattr(sample, "NOW", datetime.now(UTC))
    lab.reset()

    def run(*words: str, name: str = NAME, resolver: str = lab.resolver) -> Told:
        path = tmp_path / "status.json"
        sample.write(path, sample.snapshot([sample.lineage(name)]))
        options = ("--snapshot", str(path), "--resolver", resolver, *words)
        told = Told(outcome(["tlsa", "--recheck", "-v", *options]), capsys.readouterr().out)
        told.sound("DANEBOT")
        return told

    return run


def test_published_missing_and_mended(lab: Lab, ask: Ask) -> None:
    lab.tlsa_set(OWNER, LIVE, OTHER)
    assert ask().state == "OK"
    lab.tlsa_set(OWNER, OTHER)
    told = ask()
    assert told.state == "CRITICAL"
    assert f"add now: {OWNER} IN TLSA {LIVE}" in told.text
    lab.tlsa_del(OWNER)
    assert ask().state == "WARNING"
    lab.tlsa_set(OWNER, LIVE)
    assert ask().state == "OK"


def test_a_secondary_that_lags(lab: Lab, ask: Ask) -> None:
    lab.tlsa_set(OWNER, OTHER)
    with lab.lag_secondary():
        lab.tlsa_add(OWNER, LIVE)
        told = ask()
        assert told.state in ("WARNING", "CRITICAL")  # by what the resolver got
        assert f"is missing at ns2.{ZONE} [{lab.ns2}]" in told.text
    assert ask().state == "OK"


def test_a_secondary_that_is_silent_takes_none_of_the_others_time(lab: Lab, ask: Ask) -> None:
    """NRPE leaves 8 seconds; what takes longer is told in other words."""
    lab.tlsa_set(OWNER, LIVE)
    lab.pause("secondary")
    try:
        lab.flush()
        told = ask("--timeout", "8")
        assert told.state == "UNKNOWN"
        assert f"give no usable answer: ns2.{ZONE}" in told.text
        lab.tlsa_set(OWNER, OTHER, wait=False)
        lab.flush()
        assert ask("--timeout", "8").state == "CRITICAL"
    finally:
        lab.resume("secondary")


def test_bogus(lab: Lab, ask: Ask) -> None:
    name = "mail.bogus.test"
    lab.tlsa_set(f"_25._tcp.{name}.", f"3 1 1 {sample.key(name).digest.hex()}", zone="bogus.test.")
    assert ask(name=name).state == "CRITICAL"


def test_a_resolver_that_is_not_there(ask: Ask) -> None:
    told = ask(resolver=f"127.0.0.1:{free_ports(1)[0]}")
    assert told.state == "UNKNOWN"
    assert "the validating resolver gives no answer" in told.text
