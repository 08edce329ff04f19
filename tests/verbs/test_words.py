"""What the verbs say to whoever has read nothing but what they print."""

from __future__ import annotations

import json
import re

import pytest

from adapters.trees import NAME
from danebot.domain.names import DnsName
from verbs.desk import HERE, Desk, of_key

SMTPS = f"_465._tcp.{NAME}"


# ---- init -----------------------------------------------------------------------------------


def test_a_search_says_that_nothing_was_found_and_what_to_do(desk: Desk) -> None:
    """A dry run as well as the run that it stands for."""
    desk.issued()
    for words in (("--dry-run",), ()):
        said = desk.danebot("init", *words)
        assert said.status == 1, words
        assert f"at the usual ports of {NAME}: found none; " in said.out
        assert f"danebot watch {NAME} _PORT._tcp.HOST" in said.out
        assert "no TLSA record is watched" in said.err
        assert f"danebot tlsa {NAME}" in said.err
        assert f"danebot init --no-dane {NAME}" in said.err


def test_what_is_found_or_declared_needs_no_warning(desk: Desk) -> None:
    desk.issued()
    none = desk.danebot("init", "--no-dane", NAME, "--dry-run")
    assert (none.status, none.err) == (0, "")
    desk.dns.publish(of_key("one"))
    found = desk.danebot("init", "--dry-run")
    assert (found.status, found.err) == (0, "")
    assert "found none" not in found.out


def test_what_is_not_told_apart_is_not_called_nothing(desk: Desk) -> None:
    desk.issued()
    desk.dns.publish(of_key("two"))
    said = desk.danebot("init", "--dry-run")
    assert said.status == 1
    assert "found none to watch" in said.out
    desk.dns.dead = True
    said = desk.danebot("init", "--although-unanswered", "--dry-run")
    assert "found none where an answer came" in said.out


# ---- watch ----------------------------------------------------------------------------------


def test_watch_has_a_dry_run(desk: Desk) -> None:
    """It says what the run says, finds what the run finds, and changes nothing."""
    grown = desk.staged(f"1 {HERE}")
    file = grown.paths.staging / "dane-ee"
    desk.dns.publish(of_key("one"))
    desk.danebot("watch", NAME, HERE)
    before = {path: path.stat().st_mtime_ns for path in desk.root.rglob("*")}
    said = desk.danebot("watch", "--dry-run", NAME, SMTPS)
    assert said.status == 1
    assert f"{NAME}: would be watched: 1 {SMTPS} (no TLSA records)" in said.out
    assert "nothing was changed" in said.out
    assert f"the live key's TLSA record is missing (no such record) at {SMTPS}" in said.err
    gone = desk.danebot("watch", "--dry-run", "--remove", NAME, HERE)
    assert gone.status == 1
    assert f"{NAME}: would be let go: {HERE}" in gone.out
    assert f"is still published at {HERE}" in gone.err
    assert "no TLSA record is watched" in gone.err
    config = desk.root / "danebot.toml"
    after = {path: path.stat().st_mtime_ns for path in desk.root.rglob("*")}
    assert before.keys() == after.keys()
    assert {path for path, at in before.items() if after[path] != at} <= {config}
    fine = desk.danebot("watch", "--dry-run", NAME, HERE)
    assert (fine.status, fine.err) == (0, "")
    assert f"watched already: 1 {HERE}" in fine.out
    assert file.read_text() == f"1 {HERE}\n"


def test_the_run_after_the_dry_run_does_what_it_said(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    dry, run = (desk.danebot("watch", *more, NAME, SMTPS) for more in (("--dry-run",), ()))
    assert (dry.status, dry.err) == (run.status, run.err)
    assert run.out == dry.out.replace("would be watched", "watched from now on").replace(
        "nothing was changed\n", ""
    )
    assert (grown.paths.staging / "dane-ee").read_text() == f"1 {HERE}\n1 {SMTPS}\n"


def test_an_owner_that_is_not_mine_is_let_go_without_being_watched(desk: Desk) -> None:
    """`init` asks again and again whose it is, until it is told."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.dns.publish(of_key("two"), owner=DnsName.parse(SMTPS))
    assert f"if not: danebot watch --remove {NAME} {SMTPS}" in desk.danebot("init").err
    said = desk.danebot("watch", "--remove", NAME, SMTPS)
    assert said.status == 0, said
    assert f"{NAME}: no longer watched: {SMTPS} (it was not)" in said.out
    assert (grown.paths.staging / "dane-ee").read_text() == f"1 {HERE}\n- {SMTPS}\n"
    again = desk.danebot("init")
    assert (again.status, SMTPS in again.err) == (0, False)


def test_a_slip_of_the_pen_is_refused_with_the_way(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    said = desk.danebot("watch", "--remove", NAME, "_26._tcp.typo.example")
    assert said.status == 1
    assert f"watched are: {HERE}; no TLSA record is seen there either" in said.err
    assert "write a line '- _26._tcp.typo.example'" in said.err
    assert str(grown.paths.staging / "dane-ee") in said.err


def test_help_shows_the_line_that_lets_an_owner_go(desk: Desk) -> None:
    assert "`- OWNER`" in desk.danebot("watch", "--help").out


# ---- newkey ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["zone", "nsupdate"])
def test_what_the_live_key_lacks_comes_before_the_next_keys(desk: Desk, form: str) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("two"))
    said = desk.danebot("newkey", "--format", form, NAME)
    assert said.status == 1
    assert "the live key's own records are missing now" in said.err
    digests = re.findall(r"TLSA 3 1 1 ([0-9a-f]{64})", said.out)
    assert len(digests) == 2
    assert digests[0] == of_key("one").hex


def test_nothing_is_missing_of_a_sound_live_key(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    said = desk.danebot("newkey", NAME)
    assert (said.status, said.err) == (0, "")
    assert said.out.count("TLSA 3 1 1") == 1


def test_unprotected_says_what_it_is_about(desk: Desk) -> None:
    assert "watches no TLSA owner" in desk.danebot("newkey", "--help").out


# ---- tlsa -----------------------------------------------------------------------------------


def test_the_first_records_are_there_for_programs_too(desk: Desk) -> None:
    desk.staged()
    said = desk.danebot("tlsa", "--json", NAME)
    assert said.status == desk.danebot("tlsa", NAME).status == 1
    first = json.loads(said.out)["first"]
    assert of_key("one").hex in said.out
    assert first["there"] == []
    desk.dns.publish(of_key("one"))
    assert json.loads(desk.danebot("tlsa", "--json", NAME).out)["first"]["there"] == [HERE]
    desk.danebot("init")
    assert json.loads(desk.danebot("tlsa", "--json", NAME).out)["first"] is None


def test_an_unmanaged_lineage_is_told_the_way_to_care(desk: Desk) -> None:
    desk.issued()
    said = desk.danebot("tlsa", NAME)
    assert f"; {NAME}: not managed by danebot" in said.out
    assert f"put it under danebot's care and have them watched: danebot init {NAME}" in said.out
    desk.dns.publish(of_key("one"))
    said = desk.danebot("tlsa", NAME)
    assert said.status == 1
    assert (
        f"; 1. put it under danebot's care and have them watched: danebot init {NAME}" in said.out
    )
    assert "danebot watch " + NAME + " OWNER" not in said.out
    assert "breaks at its next renewal" in said.err


@pytest.mark.parametrize("managed", [True, False])
def test_a_dead_resolver_is_what_to_mend_first(desk: Desk, managed: bool) -> None:  # noqa: FBT001
    if managed:
        desk.staged()
    else:
        desk.issued()
    desk.dns.dead = True
    said = desk.danebot("tlsa", NAME)
    assert said.status == 1
    assert "when they are there" not in said.out
    assert "1. see that it does (resolver in danebot.toml)" in said.out
    assert f"danebot tlsa {NAME}" in said.err
