"""check_danebot tlsa --recheck: the DNS of now against the document of the last run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.nameserver import RECURSIVE, Nameserver, nameservers
from checking import Told
from danebot.domain.status.document import LineageStatus
from danebot_checks.lineages import outcome
from exporter import sample

NAME = "mail.example.test"
OWNER = f"_25._tcp.{NAME}"
SOA = "example.test 60 SOA ns1.example.test. h.example.test. 1 2 3 4 300"
OTHER = "5a" * 32
LIVE = f"3 1 1 {sample.key(NAME).digest.hex()}"
ANCHOR = f"2 1 1 {OTHER}"
Ask = Callable[..., Told]


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "NOW", datetime.now(UTC))


@pytest.fixture
def dns() -> Iterator[Nameserver]:
    with nameservers("127.0.0.1") as (told,):
        yield told


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path, dns: Nameserver) -> Ask:
    """Look at a lineage of the document with what the name server says now."""

    def run(lineage: LineageStatus, *words: str, witnesses: Sequence[str] = ()) -> Told:
        path = tmp_path / "status.json"
        document = sample.snapshot([lineage])
        sample.write(path, document._replace(witnesses=tuple(witnesses)))
        resolver = ("--resolver", f"127.0.0.1:{dns.port}")
        code = outcome(["tlsa", "--recheck", "-v", "--snapshot", str(path), *resolver, *words])
        told = Told(code, capsys.readouterr().out)
        told.sound("DANEBOT")
        return told

    return run


@pytest.mark.parametrize(
    ("there", "state", "words"),
    [
        ([LIVE], "OK", ""),
        ([f"3 1 1 {OTHER}"], "CRITICAL", "witness [127.0.0.5"),
        (None, "UNKNOWN", "no usable answer: witness (127.0.0.5"),
    ],
)
def test_the_witnesses_of_the_runs_are_asked_too(
    there: list[str] | None, state: str, words: str, dns: Nameserver, ask: Ask
) -> None:
    publish(dns, LIVE)
    with nameservers("127.0.0.5") as (outside,):
        if there is None:
            outside.say(OWNER, "TLSA", rcode="REFUSED", flags="QR")
        else:
            publish(outside, *there, flags=RECURSIVE)
        told = ask(sample.lineage(NAME), witnesses=[f"127.0.0.5:{outside.port}"])
    assert told.state == state
    assert words in told.text


def publish(dns: Nameserver, *records: str, **how: Any) -> None:  # noqa: ANN401 - passed on
    dns.say(OWNER, "TLSA", *(f"{OWNER} 300 TLSA {one}" for one in records), **how)


def anchored(name: str) -> LineageStatus:
    """At its owner stands a DANE-TA record alone, which authenticates the live chain."""
    fine = sample.lineage(name)
    record = fine.records[0]._replace(role="anchor", record=ANCHOR)
    return fine._replace(records=(record,))


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ((LIVE,), "OK"),
        ((LIVE, f"3 1 1 {OTHER}"), "OK"),
        ((f"3 1 1 {OTHER}",), "CRITICAL"),
    ],
)
def test_what_stands_in_dns_now_counts(
    records: tuple[str, ...], state: str, dns: Nameserver, ask: Ask
) -> None:
    publish(dns, *records)
    assert ask(sample.lineage(NAME)).state == state
    assert ask(sample.mismatch(NAME)).state == state  # whatever the last run found


def test_no_record_at_all(dns: Nameserver, ask: Ask) -> None:
    dns.say(OWNER, "TLSA", authority=(SOA,))
    told = ask(sample.lineage(NAME))
    assert told.state == "WARNING"
    assert "the live key's TLSA record is missing (no such record)" in told.text


def test_an_answer_without_dnssec(dns: Nameserver, ask: Ask) -> None:
    publish(dns, LIVE, flags=RECURSIVE)
    assert ask(sample.lineage(NAME)).state == "WARNING"


def test_bogus(dns: Nameserver, ask: Ask) -> None:
    publish(dns, rcode="SERVFAIL", flags=RECURSIVE)
    dns.say(OWNER, "TLSA", f"{OWNER} 300 TLSA {LIVE}", unchecked=True, flags=RECURSIVE)
    assert ask(sample.lineage(NAME)).state == "CRITICAL"
    assert ask(anchored(NAME)).state == "CRITICAL"


def test_an_anchor_is_looked_up_too(dns: Nameserver, ask: Ask) -> None:
    publish(dns, ANCHOR)
    assert ask(anchored(NAME)).state == "OK"
    publish(dns, f"3 1 1 {OTHER}")
    assert ask(anchored(NAME)).state == "CRITICAL"
    publish(dns, LIVE)  # the live key's own record is as good
    assert ask(anchored(NAME)).state == "OK"
    dns.say(OWNER, "TLSA", authority=(SOA,))
    assert ask(anchored(NAME)).state == "WARNING"


def test_a_silent_resolver_hides_no_mismatch(dns: Nameserver, ask: Ask) -> None:
    dns.keep_silent(OWNER, "TLSA")
    began = time.monotonic()
    told = ask(sample.mismatch(NAME), "--timeout", "4")
    assert time.monotonic() - began < 4 + 30  # a busy machine's leave
    assert told.state == "CRITICAL"
    assert "no TLSA record at" in told.lines[0]
    assert any(line.startswith("[UNKNOWN]") for line in told.lines)
    assert ask(sample.lineage(NAME), "--timeout", "4").state == "UNKNOWN"


def test_a_record_that_is_none_hides_no_mismatch(dns: Nameserver, ask: Ask) -> None:
    publish(dns, LIVE)
    lineage = sample.mismatch(NAME)
    odd = lineage.records[0]._replace(record="3 1 1 nonsense")
    told = ask(lineage._replace(records=(odd,)))
    assert told.state == "CRITICAL"
    assert any(line.startswith("[UNKNOWN]") and "nonsense" in line for line in told.lines)


def test_a_mismatch_by_digest_agility_stays_until_it_is_mended(dns: Nameserver, ask: Ask) -> None:
    """The record is there, and senders pass over it: RFC 7671 section 9."""
    publish(dns, LIVE, f"3 1 2 {OTHER}{OTHER}")
    assert ask(sample.mismatch(NAME)).state == "CRITICAL"
    publish(dns, LIVE)
    assert ask(sample.mismatch(NAME)).state == "OK"


def test_the_count_is_that_of_now(dns: Nameserver, ask: Ask) -> None:
    publish(dns, LIVE)
    assert ask(sample.mismatch(NAME)).data["seen"] == "1;;;0"
    publish(dns, f"3 1 1 {OTHER}")
    assert ask(sample.lineage(NAME)).data["seen"] == "0;;;0"


def test_a_host_that_reaches_no_name_server_goes_by_its_resolver(dns: Nameserver, ask: Ask) -> None:
    """As danebot itself does: DNS to the internet may be closed to all but the resolver."""
    zone = "example.test"
    dns.say(
        OWNER,
        "TLSA",
        f"{OWNER} 300 TLSA {LIVE}",
        f"{OWNER} 300 RRSIG TLSA 13 5 300 20300101000000 20200101000000 7 {zone}. AAAA",
    )
    dns.say(zone, "NS", f"{zone} 300 NS ns1.{zone}.")
    dns.say(f"ns1.{zone}", "A", f"ns1.{zone} 300 A 127.255.255.1")  # nobody is there
    dns.say(f"ns1.{zone}", "AAAA", authority=(SOA,))
    assert ask(sample.lineage(NAME)).state == "OK"
