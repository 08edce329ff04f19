"""`danebot tlsa --anchors`: the records of all from whom the next certificate may come."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.authorities import authorities
from danebot.domain.dane.authorities import Authority, Use
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, association
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName
from danebot.verbs import anchors as verb
from domain.builders import look
from domain.pki import issue
from verbs.desk import HERE, OWNER, Desk, of_key

BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day on which these issue, and the tree's CA in the table, as a retired one."""
    monkeypatch.setattr(verb, "system_clock", lambda: BEGUN)
    table = authorities()
    assert table is not None
    ours = Authority(
        "Test CA",
        Algorithm.ECDSA,
        Use.RETIRED,
        date(2030, 1, 1),
        association(trees.authority()[1].spki, MatchingType.SHA2_256),
        (),
    )
    both = table._replace(rows=(*table.rows, ours))
    monkeypatch.setattr("danebot.adapters.authorities.authorities", lambda: both)


def expected(algorithm: Algorithm | None = None) -> list[str]:
    table = authorities()
    assert table is not None
    return [str(row.record) for row in table.issuers(BEGUN, algorithm)]


def test_without_its_table_nothing_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("danebot.adapters.authorities.authorities", lambda: None)
    said = desk.danebot("tlsa", "--anchors")
    assert (said.status, said.out) == (1, "")
    assert said.err.endswith("is not installed: install danebot anew\n")


def test_without_a_lineage_it_is_those_of_every_type(desk: Desk) -> None:
    """No tree is needed."""
    said = desk.danebot("tlsa", "--anchors")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "as of 2026-08-21" in lines[0]
    assert "3 1 1" in lines[0]
    assert [line for line in lines if not line.startswith(";")] == expected()
    assert "; YR1: issues now" in lines
    assert "; YR3: backup, may issue at any time" in lines


def test_with_a_lineage_it_is_those_of_its_key_at_its_owners(desk: Desk) -> None:
    desk.staged(f"1 {HERE}", f"2 {HERE}", f"1 _465._tcp.{NAME}")
    said = desk.danebot("tlsa", "--anchors", NAME)
    assert said.status == 0
    algorithm = trees.public("one").algorithm
    wanted = [
        f"{owner}. IN TLSA {record}"
        for record in expected(algorithm)
        for owner in (HERE, f"_465._tcp.{NAME}")
    ]
    assert [line for line in said.out.splitlines() if not line.startswith(";")] == wanted
    said = desk.danebot("tlsa", "--anchors", "--format", "nsupdate", NAME)
    updates = [line for line in said.out.splitlines() if line.startswith("update add")]
    assert updates == [f"update add {line.replace(' IN', ' 3600 IN')}" for line in wanted]


def test_a_lineage_that_watches_nothing_gets_them_without_a_name(desk: Desk) -> None:
    desk.staged()
    said = desk.danebot("tlsa", "--anchors", NAME)
    lines = [line for line in said.out.splitlines() if not line.startswith(";")]
    assert lines == expected(trees.public("one").algorithm)


def told(desk: Desk, *words: str) -> tuple[list[str], str]:
    """The records, and what is wrong with them there."""
    said = desk.danebot("tlsa", "--anchors", *words, NAME)
    assert said.status == bool(said.err)
    return [line for line in said.out.splitlines() if not line.startswith(";")], said.err


def test_a_key_of_another_type_on_its_way_has_its_authorities(desk: Desk) -> None:
    """After the rollover the certificate comes from another family of them."""
    grown = desk.staged(f"1 {HERE}")
    grown.staging_file("nextkey.pem", issue("next", of_key="rsa2048 next").key_pem)
    lines, err = told(desk)
    assert lines == [f"{HERE}. IN TLSA {record}" for record in expected()]
    assert not err


def test_they_go_to_the_end_of_an_alias(desk: Desk) -> None:
    """Beside a CNAME there is no room, and what is added is passed over in silence."""
    desk.staged(f"1 {HERE}")
    end = DnsName(f"_dane.{NAME}")
    desk.dns.looks[OWNER] = look("one", owner=OWNER, aliases=[(end, timedelta(hours=1))])
    lines, err = told(desk)
    assert not err
    assert [line.split(" ;")[0] for line in lines] == [
        f"{end}. IN TLSA {record}" for record in expected(Algorithm.ECDSA)
    ]
    updates, _ = told(desk, "--format", "nsupdate")
    assert all(f"update add {end}." in line for line in updates if line != "send")
    found = json.loads(desk.danebot("tlsa", "--anchors", "--json", NAME).out)
    assert {one["owner"] for one in found["records"]} == {end.text}


def test_where_they_would_not_count_it_says_so(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(TlsaRecord(2, 1, 2, b"x" * 64))
    assert "beside the 2 1 2 records at" in told(desk)[1]
    desk.dns.publish(TlsaRecord(2, 0, 2, b"x" * 64), TlsaRecord(2, 1, 2, b"too short"))
    assert not told(desk)[1]


def test_a_wildcard_is_not_hidden_unawares(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    seen = desk.dns.looks[OWNER]
    desk.dns.looks[OWNER] = seen._replace(answer=seen.answer._replace(wildcard=True))
    assert f"the records at {HERE} are a wildcard's" in told(desk)[1]


def test_what_can_not_be_seen_may_be_an_alias(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.dead = True
    lines, err = told(desk)
    assert len(lines) == len(expected(Algorithm.ECDSA))
    assert f"what is at {HERE} can't be seen (no answer in time)" in err


def test_a_certificate_of_another_ca_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """These records alone would have its next certificate refused."""
    desk.staged(f"1 {HERE}")
    monkeypatch.setattr("danebot.adapters.authorities.authorities", authorities)
    assert "comes from a CA that the table of 2026-08-21 lacks" in told(desk)[1]


def test_for_programs(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    found = json.loads(desk.danebot("tlsa", "--anchors", "--json", NAME).out)
    assert found["as_of"] == "2026-08-21"
    first = found["records"][0]
    assert (first["owner"], first["usage"], first["selector"]) == (HERE, 2, 1)
    assert first["matching_type"] == 1
    assert first["name"] == "YE1"
    assert first["use"] == "active"
    assert f"2 1 1 {first['data']}" == expected(Algorithm.ECDSA)[0]


def test_when_all_have_expired_it_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "system_clock", lambda: datetime(2029, 1, 1, tzinfo=UTC))
    said = desk.danebot("tlsa", "--anchors")
    assert (said.status, said.out) == (1, "")
    assert "of 2026-08-21" in said.err
    assert "a newer danebot" in said.err


def test_what_is_missing_is_said(desk: Desk) -> None:
    said = desk.danebot("tlsa", "--anchors", "--format", "nsupdate")
    assert said.status == 2
    assert "needs a LINEAGE" in said.err


# ---- what lineages are told of the records that are there ---------------------------------------

R10 = TlsaRecord.parse("2 1 1 2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba")
NOTHING = TlsaRecord(3, 1, 1, hashlib.sha256(b"").digest())


def test_every_verb_and_check_tells_of_a_record_made_of_nothing(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"), R10, NOTHING)
    words = f"{HERE}: 3 1 1 e3b0c44298fc1c14... digest of nothing: the record was made from an"
    for verb_ in ("renew", "status"):
        said = desk.danebot(verb_)
        assert said.status == 1
        assert words in said.out + said.err
    said = desk.danebot("tlsa", NAME)
    assert said.status == 1
    assert words in said.err
    assert f"{R10} ; Let's Encrypt R10: retired, issues no more\n" in said.out
    assert f"{NOTHING} ; digest of nothing: the record was made from an empty file\n" in said.out
    check = desk.check("tlsa")
    assert check.status == 1
    assert "digest of nothing" in check.out
    (found,) = (
        one for one in desk.document()["lineages"][0]["findings"] if "mismade" in one["code"]
    )
    assert found["severity"] == "warning"


def test_a_retired_anchor_beside_the_live_key_s_record_is_no_warning(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"), R10)
    said = desk.danebot("tlsa", NAME)
    assert (said.status, said.err) == (0, "")
