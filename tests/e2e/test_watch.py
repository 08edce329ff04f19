"""The owners that are watched: published after `init`, added and let go, and never by silence."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

import command_line
from danebot.domain.rollover.records.adoption import TLSA_PORTS
from danebot_checks.lineages import outcome
from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, memory
from lab.net import accepts

pytestmark = pytest.mark.lab
HERE = OWNER.rstrip(".")
SMTPS = f"_465._tcp.{MAIL}"
VERBS = "|".join(command_line.VERBS)


def commands(text: str) -> list[list[str]]:
    """The danebot commands that a text tells to run, placeholders aside."""
    found = re.findall(rf"danebot ((?:{VERBS})\b[^;,()\n]*)", text)
    return [words for words in map(shlex.split, found) if not re.search("[A-Z]{3}", str(words))]


def records(text: str) -> list[tuple[str, str]]:
    """Owner and data of the records that a text prints in zone-file form."""
    return re.findall(r"(?m)^(\S+) IN TLSA (.+)$", text)


def dane_ee(site: Site) -> list[str]:
    return (site.staging / "dane-ee").read_text(encoding="utf-8").splitlines()


def test_published_after_init_by_nothing_but_what_is_printed(site: Site) -> None:
    """From a lineage that protects nothing to one whose key can't change unpublished."""
    site.lab.issued_tree(MAIL)
    said = site.danebot("init", MAIL)
    assert said.returncode == 1
    daily = site.danebot("renew")
    assert (daily.returncode, daily.stdout) == (1, "")
    assert commands(daily.stderr) == commands(said.stderr)
    proposing, denying = commands(daily.stderr)
    assert outcome(["tlsa", "--snapshot", str(site.snapshot)]) == 1  # check_danebot
    assert site.danebot("status").returncode == 1
    assert denying == ["init", "--no-dane", MAIL]
    proposal = site.danebot(*proposing)
    assert proposal.returncode == 1
    ((owner, record),) = records(proposal.stdout)
    assert (owner, record) == (OWNER, f"3 1 1 {site.lab.served_spki()}")
    site.lab.tlsa_set(owner, record)
    watching = commands(proposal.stdout)[0]
    assert f"watched as {site.staging}/dane-ee says" in site.ok(*watching)
    assert dane_ee(site) == [f"1 {HERE}"]
    site.quiet("renew")
    assert outcome(["tlsa", "--snapshot", str(site.snapshot)]) == 0
    assert "published and right" in site.ok("tlsa", MAIL)
    before = combo(site)
    site.lab.certbot("renew", "--force-renewal", "--new-key")
    assert site.danebot("renew").returncode == 1
    assert combo(site) == before
    assert site.lab.dane_verified()


def test_no_answer_is_not_absence(site: Site) -> None:
    """A dead resolver: nothing is changed unless told so, by `init`, `names` and `watch` alike."""
    site.issued()
    site.lab.stop("resolver")
    for dry in (("--dry-run",), ()):
        run = site.danebot("init", MAIL, *dry)
        assert run.returncode == 1
        assert (
            f"no answer, so nobody knows whether it has TLSA records: _tcp.{MAIL} (16 ports)"
            in (run.stderr)
        )
        assert commands(run.stderr) == [["init", "--although-unanswered", MAIL]]
        assert not site.staging.exists()
    site.lab.start("resolver")
    site.ok("init", MAIL)
    assert dane_ee(site) == [f"1 {HERE}"]
    site.lab.stop("resolver")
    for command in (
        ("init", MAIL),
        ("watch", MAIL, SMTPS),
        ("names", MAIL, "--add", "www.example.test"),
        ("names", MAIL, "--add", "www.example.test", "--dry-run"),
    ):
        run = site.danebot(*command)
        assert run.returncode == 1, command
        assert "no answer" in run.stderr
        assert "--although-unanswered" in run.stderr
        assert dane_ee(site) == [f"1 {HERE}"]
        assert not (site.archive / "cert2.pem").exists()
    assert site.danebot("watch", "--although-unanswered", MAIL, SMTPS).returncode == 1
    assert dane_ee(site) == [f"1 {HERE}", f"1 {SMTPS}"]


def test_told_to_go_on_without_answers(site: Site) -> None:
    """Then it is under care, which says at every run that it watches nothing."""
    site.issued()
    site.lab.stop("resolver")
    run = site.danebot("init", "--although-unanswered", MAIL)
    assert run.returncode == 1
    assert "no TLSA record is watched" in run.stderr
    assert site.staging.exists()
    site.lab.start("resolver")
    site.ok("init", MAIL)
    assert dane_ee(site) == [f"1 {HERE}"]
    site.quiet("renew")


def test_owners_are_added_and_let_go(site: Site) -> None:
    """Added with what is seen there; let go for good, until they are added again."""
    record = site.staged()
    site.lab.tlsa_set(f"{SMTPS}.", record)
    said = site.ok("watch", MAIL, f"{SMTPS}.", HERE)
    assert f"watched from now on: 1 {SMTPS} (its records match the live key)" in said
    assert f"watched already: 1 {HERE}" in said
    assert dane_ee(site) == [f"1 {HERE}", f"1 {SMTPS}"]
    site.quiet("renew")
    run = site.danebot("watch", "--remove", MAIL, SMTPS)
    assert run.returncode == 0
    assert f"no longer watched: {SMTPS}" in run.stdout
    assert f"still published at {SMTPS}" in run.stderr
    assert dane_ee(site) == [f"1 {HERE}", f"- {SMTPS}"]
    assert SMTPS not in str(memory(site))
    site.quiet("renew")
    assert f"let go in dane-ee: {SMTPS}" in site.ok("init", MAIL)
    assert dane_ee(site) == [f"1 {HERE}", f"- {SMTPS}"]
    site.ok("watch", MAIL, SMTPS)
    assert dane_ee(site) == [f"1 {HERE}", f"1 {SMTPS}"]
    wrong = site.danebot("watch", "--remove", MAIL, "_26._tcp.mail.example.test")
    assert wrong.returncode == 1
    assert f"doesn't watch _26._tcp.{MAIL}; watched are: {HERE}, {SMTPS}" in wrong.stderr


def test_a_line_that_was_lost_comes_back_in_its_own_form(site: Site) -> None:
    """The file, emptied by accident, had demanded another form than the one that is published."""
    site.staged()
    file = site.staging / "dane-ee"
    file.write_text(f"2 {HERE}\n")
    site.danebot("renew")
    file.write_text("")
    assert site.danebot("watch", MAIL, HERE).returncode == 1  # the 3 1 2 record isn't there
    assert dane_ee(site) == [f"2 {HERE}"]


def test_a_mismatch_is_told_when_an_owner_is_added(site: Site) -> None:
    """So is a record that isn't there yet, with what to publish."""
    record = site.staged()
    foreign = f"_443._tcp.{MAIL}"
    site.lab.tlsa_set(f"{foreign}.", f"3 1 1 {'ab' * 32}")
    run = site.danebot("watch", MAIL, foreign)
    assert run.returncode == 1
    assert f"CRITICAL: {MAIL}: no TLSA record at {foreign} matches the live key" in run.stderr
    site.ok("watch", "--remove", MAIL, foreign)
    run = site.danebot("watch", MAIL, SMTPS)
    assert run.returncode == 1
    assert f"1 {SMTPS} (no TLSA records)" in run.stdout
    assert f"{SMTPS}. IN TLSA {record}" in run.stderr


def test_what_is_no_owner_is_a_usage_error(site: Site) -> None:
    site.staged()
    for word in (MAIL, "mail..example.test", "_x._tcp.mail.example.test"):
        assert site.danebot("watch", MAIL, word).returncode == 2
    assert site.danebot("watch", MAIL).returncode == 2
    assert site.danebot("init", "--no-dane").returncode == 2


def test_records_that_do_not_match_are_critical_at_once(site: Site) -> None:
    """The service there serves the live key, so the owner is this lineage's."""
    record = site.issued()
    site.lab.tlsa_set(OWNER, f"3 1 1 {'ab' * 32}")
    dry = site.danebot("init", "--dry-run", MAIL)
    run = site.danebot("init", MAIL)
    for one in (dry, run):
        assert one.returncode == 1
        assert f"no TLSA record at {HERE} matches the live key" in one.stderr
        assert record in one.stderr
    assert "CRITICAL" in run.stderr
    assert dane_ee(site) == [f"1 {HERE}"]


def test_an_owner_of_which_nobody_can_tell_is_named(site: Site) -> None:
    """Nobody answers at that port: neither adopted in silence nor passed over."""
    site.issued()
    site.lab.tlsa_set(f"_443._tcp.{MAIL}.", f"3 1 1 {'ab' * 32}")
    run = site.danebot("init", MAIL)
    assert run.returncode == 1
    https = f"_443._tcp.{MAIL}"
    assert commands(run.stderr) == [["watch", MAIL, https], ["watch", "--remove", MAIL, https]]
    assert dane_ee(site) == [f"1 {HERE}"]


def test_a_wildcards_records_are_watched_where_a_service_answers(site: Site) -> None:
    """``*._tcp.HOST`` answers for every port; only some of them are in use."""
    record = site.issued()
    site.lab.tlsa_del(OWNER)
    site.lab.tlsa_set(f"*._tcp.{MAIL}.", record)
    said = site.ok("init", MAIL)
    served = [port for port in TLSA_PORTS if accepts(site.lab.mail, port)]
    assert dane_ee(site) == [f"1 _{port}._tcp.{MAIL}" for port in served]
    assert 25 in served
    assert f"as a wildcard gives them records and no service of it answers there: _tcp.{MAIL}" in (
        said
    )
    site.quiet("renew")


def test_another_hosts_records_are_its_own(site: Site, tmp_path: Path) -> None:
    """A name of the certificate whose service has another key, and records for that."""
    other = "foreign.many.example.test"
    site.lab.issued_tree(MAIL, MAIL, other)
    site.lab.tlsa_set(OWNER, f"3 1 1 {site.lab.served_spki()}")
    key = tmp_path / "key.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={other}")
    subprocess.run([*made, "-keyout", key, "-out", tmp_path / "c.pem"], check=True)
    site.lab.second_chain.write_bytes(key.read_bytes() + (tmp_path / "c.pem").read_bytes())
    site.lab.update(f"update add {other}. 5 A {site.lab.mail2}")
    try:
        theirs = f"3 1 1 {site.lab.served_spki(site.lab.mail2)}"
        site.lab.tlsa_set(f"_25._tcp.{other}.", theirs)
        said = site.ok("init", MAIL)
    finally:
        site.lab.update(f"update delete {other}. A")
    assert f"another host's, by their records and the service there: _25._tcp.{other}" in said
    assert dane_ee(site) == [f"1 {HERE}"]


def test_a_wildcard_certificate_leads_to_the_mail_exchangers(site: Site, tmp_path: Path) -> None:
    """Its names don't tell its hosts: the domain's MX records do, and it is said who was asked."""
    dns = site.lab.dns_challenge(tmp_path / "hook")
    site.lab.issue(MAIL, "*.example.test", extra=dns)
    try:
        site.lab.tlsa_set(OWNER, f"3 1 1 {site.lab.served_spki()}")
        said = site.ok("init", MAIL)
        assert dane_ee(site) == [f"1 {HERE}"]
        assert f"MX and SRV records of example.test lead to {MAIL}" in said
        site.lab.tlsa_del(OWNER)
        site.ok("deinit", MAIL)
        (site.live / "dane-ee").unlink()
        run = site.danebot("init", MAIL)
        assert run.returncode == 1
        assert f"MX and SRV records of example.test lead to {MAIL}" in run.stdout
        assert "no TLSA record is watched" in run.stderr
        assert records(site.danebot("tlsa", MAIL).stdout)[0][0] == OWNER
    finally:
        site.lab.update("update delete _acme-challenge.example.test. TXT")


def test_a_lineage_that_has_none_says_so(site: Site) -> None:
    """The word is refused where it isn't true, and taken back by `watch`."""
    record = site.issued()
    run = site.danebot("init", "--no-dane", MAIL)
    assert run.returncode == 1
    assert f"it has TLSA records that rely on its key, or that it watches: {HERE}" in run.stderr
    assert not site.staging.exists()
    site.lab.tlsa_del(OWNER)
    site.ok("init", "--no-dane", MAIL)
    site.quiet("renew")
    assert "has no TLSA records, as its dane-ee says" in site.ok("tlsa", MAIL)
    site.lab.tlsa_set(OWNER, record)
    denied = site.danebot("init", MAIL)
    assert denied.returncode == 1
    assert commands(denied.stderr) == [["watch", MAIL, HERE]]
    site.ok(*commands(denied.stderr)[0])
    assert dane_ee(site) == [f"1 {HERE}"]


def test_one_line_for_all_that_watch_nothing(site: Site) -> None:
    site.staged()
    for name in ("one.many.example.test", "two.many.example.test"):
        site.lab.issue(name, "www.example.test")
        site.danebot("init", name)
    run = site.danebot("renew")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "for one.many.example.test, two.many.example.test" in line
    site.ok(*commands(line)[0])
    site.quiet("renew")


def test_a_line_for_a_service_that_never_answers_is_taken_out_by_what_is_printed(
    site: Site,
) -> None:
    """A deployment can't be confirmed there; then the old key's records would stay for ever."""
    dead = f"_26._tcp.{MAIL}"
    record = site.staged()
    site.lab.tlsa_set(f"{dead}.", record)
    run = site.danebot("watch", MAIL, dead)
    assert run.returncode == 1
    assert commands(run.stderr) == [["watch", "--remove", MAIL, dead]]
    site.lab.make_due(MAIL)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert commands(run.stderr) == [["watch", "--remove", MAIL, dead]]
    assert site.danebot(*commands(run.stderr)[0]).returncode == 0
    site.quiet("renew")
    assert memory(site)["deployment"]["confirmed_at"] is not None


def test_a_new_name_whose_records_nobody_can_place(site: Site) -> None:
    """The name is added all the same; its owner is named with what to run."""
    www = "_443._tcp.www.example.test"
    site.staged()
    site.lab.tlsa_set(f"{www}.", f"3 1 1 {'ab' * 32}")
    run = site.danebot("names", MAIL, "--add", "www.example.test")
    assert run.returncode == 1
    assert f"their TLSA records are not of the live key: {www}; if they are to be" in run.stderr
    assert f"danebot watch {MAIL} OWNER" in run.stderr
    assert "live has the names" in run.stdout
    assert dane_ee(site) == [f"1 {HERE}"]


def test_none_is_not_said_while_a_record_of_the_live_key_is_published(site: Site) -> None:
    """Two commands would have led to green lights over a record that nobody watches."""
    site.staged()
    assert site.danebot("watch", "--remove", MAIL, HERE).returncode == 1
    run = site.danebot("init", "--no-dane", MAIL)
    assert run.returncode == 1
    assert f"it has TLSA records that rely on its key, or that it watches: {HERE}" in run.stderr
    assert "- *" not in dane_ee(site)
    dry = site.danebot("newkey", "--emergency", "--dry-run", MAIL)
    assert dry.returncode == 1
    assert "watches no TLSA owner" in dry.stderr
    again = site.danebot("init", MAIL).stdout
    assert f"danebot watch {MAIL} {HERE}" in again
    site.ok("watch", MAIL, HERE)
    site.quiet("renew")
