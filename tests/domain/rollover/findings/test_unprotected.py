"""Lineages that watch nothing: each its own finding, and one line for all."""

from __future__ import annotations

from datetime import datetime

import pytest

from danebot.domain.dns.answers import Security
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.findings.unprotected import gathered, unprotected
from danebot.domain.rollover.records.adoption import (
    Found,
    Standing,
    bare_owners,
    judged_beside,
)
from domain.builders import T0
from domain.gate_world import chain, renewal, shown, tlsa

OTHER = Finding(Code.EXPIRED, Severity.CRITICAL, "a", "expired")


def test_one_is_told_as_it_is() -> None:
    every = (unprotected("a"), OTHER)
    assert gathered(every) == every
    assert every[0].severity is Severity.WARNING
    assert "danebot tlsa a" in every[0].remedy
    assert "danebot init --no-dane a" in every[0].remedy


def test_several_are_one_line() -> None:
    other, one = gathered((unprotected("a"), OTHER, unprotected("b")))
    assert other == OTHER
    assert (one.code, one.severity, one.where) == (Code.UNPROTECTED, Severity.WARNING, "")
    assert "for a, b," in one.text
    assert "danebot init --no-dane a b" in one.remedy


def test_one_beside_findings_of_other_lineages_is_told_as_it_is() -> None:
    every = (unprotected("b"), OTHER)
    assert gathered(every) == every


OWNER = DnsName.parse("_25._tcp.mail.example.org")


def beside(standing: Standing) -> Finding:
    return unprotected("a", [Found(OWNER, standing, OWNER)])


def test_records_that_refuse_the_key_are_named_and_never_denied() -> None:
    one = beside(Standing.UNTOLD)
    assert f"senders refuse its key by the records at {OWNER}" in one.text
    assert "danebot tlsa a" in one.remedy
    assert f"danebot watch a {OWNER}" in one.remedy
    assert "--no-dane" not in one.remedy


def test_only_records_that_refuse_are_said_to_and_an_odd_name_can_be_pasted() -> None:
    own, unsigned = (DnsName.parse(f"_{port}._tcp.mail.example.org") for port in (465, 587))
    every = [
        Found(own, Standing.OURS, own),
        Found(OWNER, Standing.UNTOLD, OWNER),
        Found(unsigned, Standing.UNTOLD, unsigned, unsigned=True),
    ]
    one = unprotected("a b", every)
    assert one.text.endswith(f"; senders refuse its key by the records at {OWNER}")
    assert one.remedy == (
        "this prints the record to add beside them: danebot tlsa 'a b'; then run: danebot watch "
        f"'a b' {OWNER} {unsigned}; if another's service is there: danebot watch --remove 'a b' "
        f"{OWNER} {unsigned}"
    )
    assert unprotected("a b").remedy == (
        "this prints what to publish: danebot tlsa 'a b'; or say that there is none: danebot init "
        "--no-dane 'a b'"
    )


def test_records_of_its_own_are_to_be_watched() -> None:
    for standing in (Standing.OURS, Standing.IDLE):
        one = beside(standing)
        assert f"its key's records are at {OWNER}" in one.text
        assert one.remedy == f"have them watched: danebot watch a {OWNER}"


def test_where_nothing_is_said_of_records_nothing_changes() -> None:
    for standing in (Standing.ABSENT, Standing.UNANSWERED):
        assert beside(standing) == unprotected("a")


def test_one_with_records_keeps_its_own_line() -> None:
    mine = beside(Standing.UNTOLD)
    first, one = gathered((unprotected("b"), mine, unprotected("c")))
    assert first == mine
    assert "for b, c," in one.text


@pytest.mark.parametrize(
    ("security", "signed", "words"),
    [
        (Security.SECURE, None, "senders refuse its key by the records at"),
        (Security.INSECURE, T0, "senders refuse its key by the records at"),
        (Security.INSECURE, None, "records of another key, not secured by DNSSEC, are at"),
    ],
)
def test_records_that_no_sender_uses_are_not_said_to_be_refused_by(
    security: Security, signed: datetime | None, words: str
) -> None:
    """RFC 7672 section 2.2; what is signed may be secure to others."""
    state = renewal(chain())._replace(required=())
    (owner,) = bare_owners(state)
    look = shown(tlsa("3 1 1", key="another"), owner=owner)
    answer = look.answer._replace(security=security, signed_since=signed)
    found = judged_beside(state, {owner: look._replace(answer=answer)}, T0)
    assert f"{words} {owner}" in unprotected("a", found).text
