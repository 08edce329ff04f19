"""TLSA records as text, what makes one unusable, and danebot's own two files."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import (
    DaneEe,
    Declared,
    MatchingType,
    Required,
    TlsaRecord,
    Unusable,
    association,
    edit_dane_ee,
    parse_dane_ee,
    parse_dnsnames,
    raw_key_suffices,
    unusable_reason,
)
from danebot.domain.names import DnsName
from danebot.errors import RecordSyntaxError
from domain.builders import MX, MX2, OTHER, line

DIGEST = "ab" * 32


def test_a_record_is_read_and_printed() -> None:
    record = TlsaRecord(3, 1, 1, b"\xab" * 32)
    assert TlsaRecord.parse(f"3 1 1 {DIGEST[:8].upper()} {DIGEST[8:]}") == record
    assert str(record) == f"3 1 1 {DIGEST}"
    assert TlsaRecord.parse("0 255 7") == TlsaRecord(0, 255, 7, b"")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "want USAGE SELECTOR MATCHING-TYPE HEX"),
        ("3 1", "want USAGE SELECTOR"),
        ("3 1 x ab", "want USAGE SELECTOR"),
        ("3 1 1 abc", "want USAGE SELECTOR"),
        ("256 1 1 ab", "go up to 255"),
        ("3 1 256 ab", "go up to 255"),
        ("-1 1 1 ab", "go up to 255"),
    ],
)
def test_a_text_that_is_no_record(text: str, words: str) -> None:
    with pytest.raises(RecordSyntaxError, match=words):
        TlsaRecord.parse(text)


@pytest.mark.parametrize(
    ("numbers", "length", "reason"),
    [
        ((0, 0, 1), 32, None),
        ((3, 1, 2), 64, None),
        ((2, 0, 0), 1, None),
        ((4, 1, 1), 32, Unusable.UNKNOWN_USAGE),
        ((3, 2, 1), 32, Unusable.UNKNOWN_SELECTOR),
        ((3, 1, 3), 32, Unusable.UNKNOWN_MATCHING_TYPE),
        ((3, 1, 0), 0, Unusable.EMPTY_DATA),
        ((3, 1, 1), 0, Unusable.EMPTY_DATA),
        ((3, 1, 1), 31, Unusable.WRONG_LENGTH),
        ((3, 1, 2), 32, Unusable.WRONG_LENGTH),
    ],
)
def test_why_a_record_cannot_be_used(
    numbers: tuple[int, int, int], length: int, reason: Unusable | None
) -> None:
    assert unusable_reason(TlsaRecord(*numbers, bytes(length))) is reason


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("3 1", "3 1"),
        ("3 1 1" + 35 * "x", "3 1 1" + 35 * "x"),
        ("3 1 1" + 36 * "x", "3 1 1" + 32 * "x" + "..."),
    ],
)
def test_a_text_that_names_no_kind_of_record_is_shown_as_far_as_it_can_be(
    text: str, shown: str
) -> None:
    assert RecordForm.parse(" 3 11 ") == RecordForm(3, 1, 1)
    with pytest.raises(RecordSyntaxError) as caught:
        RecordForm.parse(text)
    assert str(caught.value) == f"'{shown}' is no kind of TLSA record: want '3 1 1' or 311"


@pytest.mark.parametrize(
    ("others", "suffices"),
    [
        ((), True),
        (("3 0 1 " + DIGEST,), False),
        (("2 1 1 " + DIGEST,), False),
        (("1 0 1 " + DIGEST, "0 1 1 " + DIGEST), True),  # which mail passes over
        (("2 0 1 ab", "3 0 9 " + DIGEST), True),  # which nobody can use
    ],
)
def test_a_bare_key_suffices_where_no_record_of_use_wants_more(
    others: tuple[str, ...], *, suffices: bool
) -> None:
    own = TlsaRecord.parse(f"3 1 1 {DIGEST}")
    assert raw_key_suffices([own, *map(TlsaRecord.parse, others)]) is suffices


@pytest.mark.parametrize(
    ("mtype", "data"),
    [
        (MatchingType.FULL, b"der"),
        (MatchingType.SHA2_256, hashlib.sha256(b"der").digest()),
        (MatchingType.SHA2_512, hashlib.sha512(b"der").digest()),
    ],
)
def test_association_data_by_matching_type(mtype: MatchingType, data: bytes) -> None:
    assert association(b"der", mtype) == data
    assert Required(mtype, MX).record(b"der") == TlsaRecord(3, 1, int(mtype), data)


# ---- dane-ee -----------------------------------------------------------------------------------


def test_lines_of_dane_ee_in_every_form() -> None:
    text = f"\ufeff# ours\r\n1 {MX}\r2 {MX2} # both\n\n sha2-256  {OTHER}.\nFull {MX}\n1 {MX}\n"
    text += "- _25._tcp.gone.example\n"
    found = parse_dane_ee(text)
    assert found.lines == (line(), line(MX2, 2), line(OTHER), line(MX, 0))
    assert found.let_go == {DnsName("_25._tcp.gone.example")}
    assert found.declared is Declared.NOTHING


def test_dane_ee_says_that_there_are_no_records() -> None:
    assert parse_dane_ee("# none\n- *\n").declared is Declared.NO_RECORDS
    assert parse_dane_ee("") == parse_dane_ee("# - *\n")
    both = parse_dane_ee(f"- {MX}\n- *\n- {MX2}\n")
    assert both == DaneEe((), frozenset({MX, MX2}), Declared.NO_RECORDS)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"1 {MX}\n\n1\n", ["3: want MATCHING-TYPE OWNER, found '1'"]),
        (f"1 {MX} {MX2}", [f"1: want MATCHING-TYPE OWNER, found '1 {MX} {MX2}'"]),
        ("1 a..b", ["1: 'a..b' is not a DNS name: label ''"]),
        ("1 *\n* *", ["1: '*' is not a DNS name: label '*'", "2: matching type '*' is"]),
        (f"3 {MX}", ["1: matching type '3' is not one of 0, 1, 2"]),
        (
            f"- {MX}\n1 {MX}",
            [f"2: '1 {MX}' and '- {MX}' contradict each other; remove one of them"],
        ),
        (
            f"1 {MX}\n- *\n2 {MX2}",
            [
                f"1: '1 {MX}' and '- *' contradict each other; remove one of them",
                f"3: '2 {MX2}' and '- *' contradict each other; remove one of them",
            ],
        ),
    ],
    ids=["one word", "three", "no name", "a star", "no type", "let go", "none"],
)
def test_each_line_that_cannot_be_read_is_named(text: str, problems: list[str]) -> None:
    found = parse_dane_ee(text).problems
    assert len(found) == len(problems)
    assert all(one.startswith(words) for one, words in zip(found, problems, strict=True))


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (MX.text, MX.text),
        ("1", "_25._tcp.mail.example.org"),
        ("a..b", "_25._tcp.mail.example.org"),
        ("mx.example.org", "_25._tcp.mail.example.org"),
        (f"{MX} 1 #", None),
        (f"{MX} 1 x", "_25._tcp.mail.example.org"),
        (f"1 {MX} x", "_25._tcp.mail.example.org"),
    ],
)
def test_a_line_that_is_no_pair_is_told_how_it_was_meant_if_that_is_known(
    text: str, owner: str | None
) -> None:
    words = f"want MATCHING-TYPE OWNER, found '{text}'; write it as: 1 {owner}"
    if owner is None:
        words = f"matching type '{MX.text[:20]}' is not one of 0, 1, 2; mostly 1"
    assert parse_dane_ee(text).problems == (f"1: {words}",)


def test_what_can_be_read_holds_beside_what_cannot() -> None:
    found = parse_dane_ee(f"odd\n1 {MX}\n- {MX2}\n1 {OTHER}\n")
    assert (found.lines, found.let_go) == ((line(), line(OTHER)), frozenset({MX2}))
    (doubt,) = found.doubts
    assert doubt.owner == OTHER
    assert doubt.text == f"4: {OTHER} is no TLSA owner, such as _25._tcp.mail.example.org"


def test_a_let_go_owner_contradicts_no_other() -> None:
    found = parse_dane_ee(f"- {MX}\n1 {MX2}")
    assert (found.lines, found.problems) == ((line(MX2),), ())


TEXT = f"# ours\n1 {MX}  # old\n2 {MX}\n- {OTHER}\n"


@pytest.mark.parametrize(
    ("text", "change", "after"),
    [
        (TEXT, {}, TEXT),
        (TEXT, {"add": [line(MX2)]}, f"{TEXT}1 {MX2}\n"),
        (TEXT, {"add": [line(MX2), line(MX2)]}, f"{TEXT}1 {MX2}\n"),
        (TEXT, {"add": [line(MX)]}, f"# ours\n2 {MX}\n- {OTHER}\n1 {MX}\n"),
        (TEXT, {"add": [line(OTHER)]}, f"# ours\n1 {MX}  # old\n2 {MX}\n1 {OTHER}\n"),
        (TEXT, {"drop": [line(MX, 2)]}, f"# ours\n1 {MX}  # old\n- {OTHER}\n"),
        (TEXT, {"drop": [line(MX2)]}, TEXT),
        (TEXT, {"let_go": [MX, MX]}, f"# ours\n- {OTHER}\n- {MX}\n"),
        (TEXT, {"let_go": [OTHER]}, f"# ours\n1 {MX}  # old\n2 {MX}\n- {OTHER}\n"),
        ("- *\n", {"add": [line()]}, f"1 {MX}\n"),
        ("- *\n", {"let_go": [MX]}, f"- *\n- {MX}\n"),
        ("- *\n", {"drop": [line()]}, "- *\n"),
    ],
)
def test_an_edit_leaves_all_other_lines(
    text: str, change: dict[str, list[Any]], after: str
) -> None:
    assert edit_dane_ee(text, **change) == after


def test_names_that_are_required() -> None:
    text = "mx.example # here\n\n*.Example.\r\nmx.example\n"
    assert parse_dnsnames(text) == (DnsName("mx.example"), DnsName("*.example"))
    with pytest.raises(RecordSyntaxError, match=r"^2: 'a b' is .*\n3: 'a..b' is "):
        parse_dnsnames("mx.example\na b\na..b\n")
