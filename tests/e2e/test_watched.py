"""`dane-ee` emptied, lost or cut short: what was watched protects on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from danebot_checks.lineages import outcome
from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, cooled, memory

pytestmark = pytest.mark.lab

LOST: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_text(""),
    "lost": Path.unlink,
    "torn": lambda file: file.write_text(file.read_text()[:-7] + "\n"),
    "commented out": lambda file: file.write_text(f"# {file.read_text()}"),
}


def dane_ee(site: Site) -> Path:
    return site.staging / "dane-ee"


@pytest.mark.parametrize("how", LOST)
def test_an_unpublished_key_isnt_used_because_the_file_is_gone(site: Site, how: str) -> None:
    old = site.staged()
    good = dane_ee(site).read_text()
    new = site.next_record()
    LOST[how](dane_ee(site))
    for _ in range(2):
        run = site.danebot("renew")
        assert run.returncode == 1
        assert f"staging/{MAIL}/dane-ee has lost '1 {OWNER[:-1]}'" in run.stderr
        assert f"danebot watch --remove {MAIL} {OWNER[:-1]} (" in run.stderr
    assert (site.staging / "nextkey.pem").exists()
    assert old.endswith(combo(site))
    codes = {one["code"]: one["severity"] for one in site.status()["findings"]}
    assert codes["watch-lost"] == "warning"
    torn = dane_ee(site).read_text().split()[1:] if how == "torn" else []
    dane_ee(site).write_text(good + "".join(f"- {owner}\n" for owner in torn))
    site.lab.tlsa_add(OWNER, new)
    site.quiet("renew")


def test_a_ready_key_still_needs_its_record_at_promotion(site: Site) -> None:
    """Withdrawn, and the file emptied, while it cools: promoted in the old days."""
    old, new = cooled(site)
    dane_ee(site).write_text("")
    site.lab.tlsa_del(OWNER, new)
    assert site.danebot("renew").returncode == 1
    assert old.endswith(combo(site))


def test_the_operators_word_lets_go(site: Site) -> None:
    old = site.staged()
    site.next_record()
    dane_ee(site).write_text(f"- {OWNER}\n")
    run = site.danebot("renew")
    assert "has lost" not in run.stderr
    assert "no TLSA owner is known" in run.stderr, "nobody said that there is no other"
    assert old.endswith(combo(site))
    dane_ee(site).write_text("- *\n")
    for _ in range(2):
        site.ok("renew")
    assert not old.endswith(combo(site))
    site.quiet("renew")


def test_the_verb_says_the_word_too(site: Site) -> None:
    old = site.staged()
    site.next_record()
    dane_ee(site).write_text("")
    site.danebot("watch", "--remove", MAIL, OWNER)
    run = site.danebot("renew")
    assert "has lost" not in run.stderr
    assert old.endswith(combo(site))
    assert dane_ee(site).read_text() == f"- {OWNER[:-1]}\n"


def test_check_and_document_warn(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.staged()
    dane_ee(site).unlink()
    assert site.danebot("renew").returncode == 1
    assert outcome(["tlsa", "--snapshot", str(site.snapshot)]) == 1
    assert f"staging/{MAIL}/dane-ee has lost" in capsys.readouterr().out


def test_deinit_hands_back_what_was_never_let_go(site: Site) -> None:
    site.staged()
    dane_ee(site).write_text("# empty\n")
    site.ok("deinit", MAIL)
    assert (site.live / "dane-ee").read_text() == f"# empty\n1 {OWNER[:-1]}\n"


def test_an_owner_without_records_goes_by_itself(site: Site) -> None:
    site.staged()
    other = "_465._tcp.mail.example.test"
    with dane_ee(site).open("a") as file:
        file.write(f"1 {other}\n")
    site.danebot("renew")
    dane_ee(site).write_text(f"1 {OWNER}\n")
    run = site.danebot("renew")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert other not in json.dumps(memory(site)["watched"])
