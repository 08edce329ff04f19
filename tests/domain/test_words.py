"""Text for people, severities, and the sentence that a finding makes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.event import Event, EventKind, event_of
from danebot.domain.finding import (
    DELIVERY_SEVERITIES,
    RUN_SEVERITIES,
    Code,
    Finding,
    Severity,
    severity_of,
)
from danebot.domain.text import (
    LONGEST_LINE,
    because,
    distance,
    duration,
    internal_error,
    printable,
    program_of,
    set_apart,
    times,
    when,
)
from danebot.domain.thresholds import AtLeast, Thresholds
from domain.builders import T0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("bell\x07 \x9b \u202e\n", r"bell\x07 \x9b \u202e\n"),
        ("b\u00fccher\n", r"b" + "\u00fc" + r"cher\n"),
        ("a" * 200, "a" * 200),
        ("a" * 201, "a" * 197 + "..."),
    ],
)
def test_foreign_text_is_safe_and_short(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_line_has_room_for_a_whole_rsa_key_of_8192_bits_and_ends_at_3000_characters() -> None:
    spki = bytes(1060)  # RFC 8017: 1024 octets of modulus, 5 of exponent, and what is around them
    record = f"_25._tcp.mx.example.org. IN TLSA {TlsaRecord(3, 1, 0, spki)}"
    assert printable(record, LONGEST_LINE) == record
    assert len(printable("a" * 5000, LONGEST_LINE)) == 3000


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("systemctl", "systemctl"),
        (" systemctl ", "systemctl"),
        ("curl -H Secret", "curl ..."),
        ("TOKEN=secret curl x", "curl ..."),
        ("TOKEN=secret", "a command ..."),
    ],
)
def test_a_command_is_named_by_its_program_alone(command: str, name: str) -> None:
    assert program_of(command) == name


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (2 * 86400 + 3 * 3600 + 240, "2 d 3 h"),
        (86400 + 5, "1 d 5 s"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(timedelta(seconds=seconds)) == words


def test_a_moment_is_said_to_the_minute() -> None:
    assert when(T0) == "2026-06-01 12:00 UTC"


@pytest.mark.parametrize(
    ("thresholds", "severities"),
    [
        (Thresholds(), "notice notice notice"),
        (Thresholds(AtLeast(2)), "warning notice notice"),
        (Thresholds(None, AtLeast(3)), "critical critical notice"),
        (Thresholds(AtLeast(3), AtLeast(2)), "critical warning notice"),
    ],
)
def test_what_is_out_of_both_bounds_is_critical(thresholds: Thresholds, severities: str) -> None:
    assert [thresholds.severity(value).word for value in (1, 2, 3)] == severities.split()


def test_the_severity_of_a_later_version_is_taken_for_the_worst() -> None:
    assert all(severity_of(one.word) is one for one in Severity)
    assert severity_of("fatal") is Severity.CRITICAL


@pytest.mark.parametrize(
    ("where", "own", "said", "sentence"),
    [
        ("", "", "", "text"),
        ("mx", "", "", "mx: text"),
        ("mx", "do it", "", "mx: text; do it"),
        ("mx", "do it", "words", "mx: text: words; do it"),
        ("", "", "words", "text: words"),
    ],
)
def test_what_is_wrong_stands_before_what_helps(
    where: str, own: str, said: str, sentence: str
) -> None:
    assert str(Finding(Code.RENEWAL_FAILED, Severity.WARNING, where, "text", own, said)) == sentence


def test_the_usual_remedy_names_the_lineage() -> None:
    usual = Code.RENEWAL_FAILED.remedy
    assert "LINEAGE" in usual
    of_all = Finding(Code.RENEWAL_FAILED, Severity.WARNING, "", "text")
    assert of_all.remedy == usual
    assert of_all._replace(where="mx").remedy == usual.replace("LINEAGE", "mx")
    assert of_all._replace(where="m x").remedy == usual.replace("LINEAGE", "'m x'")


def test_what_a_step_changed_is_an_event() -> None:
    published = Finding(Code.PUBLISHED, Severity.INFO, "mx", "text")
    assert event_of(published, T0) == Event(T0, EventKind.PUBLISHED, "mx", "text")
    assert event_of(published._replace(code=Code.RENEWAL_FAILED), T0) is None


def test_who_tells_of_what() -> None:
    assert [one.word for one in RUN_SEVERITIES] == ["info", "notice", "warning", "critical"]
    seen_outside = [one.word for one in DELIVERY_SEVERITIES]
    assert seen_outside == ["notice", "unjudged", "warning", "critical"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (7200, "in 2 h"),
        (1, "in 1 s"),
        (0.5, "now"),
        (0, "now"),
        (-0.5, "now"),
        (-1, "1 s ago"),
        (-10800, "3 h ago"),
    ],
)
def test_how_far_a_moment_is(seconds: float, words: str) -> None:
    assert distance(T0 + timedelta(seconds=seconds), T0) == words


def test_how_often_and_what_came_of_it() -> None:
    assert [times(count) for count in (0, 1, 2)] == ["0 times", "once", "2 times"]
    assert [because("refused"), because("")] == [": refused", ""]


def _fail() -> None:
    raise ValueError("secret")


def test_what_nobody_foresaw_is_told_by_its_kind_and_innermost_place_alone() -> None:
    with pytest.raises(ValueError, match="secret") as raised:
        _fail()
    line = _fail.__code__.co_firstlineno + 1
    told = internal_error(raised.value)
    assert told == f"internal error: ValueError at tests/domain/test_words.py:{line}"
    assert internal_error(ValueError("secret")) == "internal error: ValueError"


def test_what_certbot_had_said_is_apart_from_why_it_was_ended() -> None:
    assert set_apart("it was ended; it had said: a secret") == ("it was ended", "a secret")
