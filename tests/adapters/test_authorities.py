"""The table of certificate authorities, as it is carried along."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from danebot.adapters import authorities as adapter
from danebot.adapters.authorities import TABLE, authorities
from danebot.domain.dane.authorities import Authorities, Use, in_words, parse_authorities
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.lineage.keys import Algorithm

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def table() -> Authorities:
    found = authorities()
    assert found is not None
    return found


def test_it_is_well_formed() -> None:
    """Of each row: its key, its use, digests of the right length, none of two keys."""
    found = table()
    assert date(2026, 8, 21) <= found.as_of < date(2100, 1, 1)
    lines = [one for one in TABLE.read_text("utf-8").splitlines() if not one.startswith("#")]
    assert len(found.rows) == len(lines) > 25
    assert {line.partition("\t")[0] for line in lines} == {"intermediate", "root"}
    for line, row in zip(lines, found.rows, strict=True):
        assert line.startswith("root\t") is (row.use is Use.ROOT)
        assert {len(digest) for digest in (row.spki, *row.certificates)} == {32}
        assert row.certificates
        assert row.use is Use.RETIRED or row.use is Use.ROOT or row.expires > found.as_of
    certificates = [one for row in found.rows for one in row.certificates]
    assert len(set(certificates)) == len(certificates)
    assert len({row.name for row in found.rows}) == len(found.rows)


def test_each_type_of_key_has_issuers() -> None:
    found = table()
    rsa, ecdsa = (found.issuers(NOW, one) for one in (Algorithm.RSA, Algorithm.ECDSA))
    assert [row.name for row in rsa] == ["YR1", "YR2", "YR3"]
    assert [row.name for row in ecdsa] == ["YE1", "YE2", "YE3"]
    assert found.issuers(NOW) == (*ecdsa, *rsa)
    assert found.issuers(datetime(2028, 9, 3, tzinfo=UTC)) == ()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            "2 1 1 2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba",
            "Let's Encrypt R10: retired, issues no more",
        ),
        (
            "2 0 1 9d7c3f1aa6ad2b2ec0d5cf1e246f8d9ae6cbc9fd0755ad37bb974b1f2fb603f3",
            "Let's Encrypt R10: retired, issues no more",
        ),
        (
            "2 1 1 60b87575447dcba2a36b7d11ac09fb24a9db406fee12d2cc90180517616e8a18",
            "Let's Encrypt X1, X3: retired, issues no more",
        ),
        (
            "2 0 1 25847d668eb4f04fdd40b12b6b0740c567da7d024308eb6c2c96fe41d9de218d",
            "Let's Encrypt X3: retired, issues no more",
        ),
        (
            "2 1 1 2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c",
            "Let's Encrypt YR1: issues now",
        ),
        (
            "2 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3",
            "the root ISRG Root X1",
        ),
        (
            "2 1 1 563b3caf8cfef34c2335caf560a7a95906e8488462eb75ac59784830df9e5b2b",
            "the root DST Root CA X3: expired 2021-09-30, issues no more",
        ),
        # the key's digest as a certificate's, a leaf, another CA, what no sender can use
        ("2 0 1 2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba", ""),
        ("3 1 1 2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba", ""),
        (f"2 1 1 {'ab' * 32}", ""),
        (f"2 1 2 {'ab' * 64}", ""),
        ("2 1 1 2bbad93a", ""),
        ("2 7 1 9d7c3f1aa6ad2b2ec0d5cf1e246f8d9ae6cbc9fd0755ad37bb974b1f2fb603f3", ""),
    ],
)
def test_a_record_is_named(record: str, words: str) -> None:
    assert in_words(table().named(TlsaRecord.parse(record)), NOW) == words


def test_an_authority_ends_with_its_last_day() -> None:
    (first, *_) = table().issuers(NOW)
    last = datetime.combine(first.expires, time(23, 59), UTC)
    assert (first.may_issue(last, None), first.state(last)) == (True, "issues now")
    after = last + timedelta(minutes=1)
    assert not first.may_issue(after, None)
    assert first.state(after) == f"expired {first.expires}, issues no more"


def test_a_table_without_its_day_is_none() -> None:
    with pytest.raises(ValueError, match="has no date"):
        parse_authorities("# kind, name\n")


def test_without_the_table_nobody_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(adapter, "TABLE", tmp_path / "none.tsv")
    adapter.authorities.cache_clear()
    try:
        assert authorities() is None
    finally:
        adapter.authorities.cache_clear()


@pytest.mark.parametrize(
    "program",
    ["danebot_checks.lineages", "danebot_checks.dane", "danebot.domain.delivery.assess"],
)
def test_who_starts_every_minute_does_not_load_it(program: str) -> None:
    code = f"import sys, {program}; print(*[m for m in sys.modules if 'authorit' in m])"
    path = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=path,
        env={"PYTHONPATH": f"{path}:{path / 'checks'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
