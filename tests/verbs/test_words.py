"""What the verbs say to whoever has read nothing but what they print."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.memory_file import save_memory
from danebot.domain.dns.answers import ServerOutcome
from danebot.domain.names import DnsName
from danebot.domain.rollover.evidence.memory import Deployment, Exposure, Memory, PastKey
from domain.builders import DAY
from verbs.desk import HERE, OWNER, Desk, of_key

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


def test_records_that_refuse_the_key_are_named_before_they_are_watched(desk: Desk) -> None:
    """Nothing of that is to be denied, whichever verb speaks of it."""
    desk.staged()
    desk.dns.publish(of_key("two"))
    for verb in ("status", "renew --dry-run", "renew", "doctor", "init --dry-run"):
        said = desk.danebot(*verb.split())
        text = said.out + said.err
        assert said.status == 1, verb
        assert f"senders refuse its key by the records at {HERE}" in text, verb
        assert f"this prints the record to add beside them: danebot tlsa {NAME}" in text, verb
        assert "--no-dane" not in text, verb
    desk.danebot("watch", "--remove", NAME, HERE)
    assert "--no-dane" in desk.danebot("status").out


@pytest.mark.parametrize("verb", ["newkey --emergency", "newkey --emergency --dry-run", "tlsa"])
def test_nor_are_they_where_a_key_is_to_go_or_records_are_printed(desk: Desk, verb: str) -> None:
    desk.staged()
    for key, told in (
        ("two", f"senders refuse its key by the records at {HERE}"),
        ("one", f"its key's records are at {HERE}"),
    ):
        desk.dns.publish(of_key(key))
        said = desk.danebot(*verb.split(), NAME)
        assert "--no-dane" not in said.out + said.err
        assert told in said.err or verb == "tlsa"
    desk.dns.publish()
    said = desk.danebot(*verb.split(), NAME)
    assert f"danebot init --no-dane {NAME}" in said.out + said.err


def test_records_of_its_own_key_are_not_denied_either(desk: Desk) -> None:
    desk.staged()
    desk.dns.publish(of_key("one"))
    said = desk.danebot("status")
    assert f"have them watched: danebot watch {NAME} {HERE}" in said.out + said.err


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


# ---- a compromised key ----------------------------------------------------------------------


def stolen(desk: Desk) -> None:
    """The key "two" was replaced for being compromised, and its record may go."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"), of_key("two"))
    then = trees.now() - DAY
    live = grown.tree.read(NAME).live
    assert live is not None
    chain = live.chain.fingerprint
    deployment = Deployment(chain, live.key.digest, then, (), then, then, then)
    past = PastKey(trees.public("two").spki, then, Exposure.COMPROMISED)
    memory = Memory(deployment=deployment, past_keys=(past,))
    save_memory(grown.paths, Memory(), memory)


@pytest.mark.parametrize("words", [("tlsa",), ("tlsa", "--json"), ("publish",), ("status",)])
def test_a_compromised_keys_record_is_never_all_right(desk: Desk, words: tuple[str, ...]) -> None:
    stolen(desk)
    said = desk.danebot(*words, NAME)
    assert said.status == 1
    assert "the compromised key's record is still published" in said.out + said.err


def test_a_compromised_keys_record_is_told_once(desk: Desk) -> None:
    stolen(desk)
    shown = desk.danebot("status", NAME).out
    assert "an old key's record" not in shown
    desk.danebot("renew")
    told = desk.check("rollover", "-v")
    assert told.status == 1
    assert "old record" not in told.out


def test_an_old_keys_record_that_may_go_is_no_alarm(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"), of_key("two"))
    then = trees.now() - DAY
    live = grown.tree.read(NAME).live
    assert live is not None
    chain = live.chain.fingerprint
    deployment = Deployment(chain, live.key.digest, then, (), then, then, then)
    past = (PastKey(trees.public("two").spki, then),)
    memory = Memory(deployment=deployment, past_keys=past, asked=(OWNER,))
    save_memory(grown.paths, Memory(), memory)
    said = desk.danebot("tlsa", NAME)
    assert (said.status, said.err) == (0, "")
    assert "an old key's record may be removed" in desk.danebot("status", NAME).out


# ---- an emergency ---------------------------------------------------------------------------


def test_an_emergency_has_what_some_servers_lack_added_too(desk: Desk) -> None:
    """It waits for every server, so a record that one of them has is to be added all the same."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    digest = re.findall(r"3 1 1 ([0-9a-f]{64})", desk.danebot("newkey", NAME).out)[0]
    old, new = of_key("one"), of_key("one")._replace(data=bytes.fromhex(digest))
    desk.dns.publish(old, new)
    whole = desk.dns.looks[OWNER]
    first, second = whole.servers
    desk.dns.looks[OWNER] = whole._replace(servers=(first, second._replace(records=(old,))))
    said = desk.danebot("newkey", "--emergency", NAME)
    assert "ADD these records NOW" in said.out
    assert f"3 1 1 {digest}" in said.out.partition("ADD these")[2]
    assert f"add where it is missing: {HERE}" in desk.danebot("publish", NAME).out
    assert "nothing was published" in desk.danebot("publish", NAME).out


# ---- a cancelled key ------------------------------------------------------------------------


def test_a_cancelled_keys_record_is_never_called_an_old_keys(desk: Desk) -> None:
    """It was never live; and the last deployment's age says nothing of how long it waits."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    then = trees.now() - 90 * DAY
    live = grown.tree.read(NAME).live
    assert live is not None
    chain = live.chain.fingerprint
    deployment = Deployment(chain, live.key.digest, then, (), then, then, then)
    save_memory(grown.paths, Memory(), Memory(deployment=deployment, asked=(OWNER,)))
    digest = re.findall(r"3 1 1 ([0-9a-f]{64})", desk.danebot("newkey", NAME).out)[0]
    desk.dns.publish(of_key("one"), of_key("one")._replace(data=bytes.fromhex(digest)))
    said = desk.danebot("newkey", "--cancel", NAME)
    assert said.status == 0
    assert said.out.count(f"3 1 1 {digest}") == 1
    shown = desk.danebot("status", NAME).out
    assert "a cancelled key's record is still published" in shown
    assert "old key" not in shown + desk.danebot("tlsa", NAME).out
    told = desk.check("rollover", "-v")
    assert (told.status, "old record" in told.out) == (0, False)


# ---- certbot delete -------------------------------------------------------------------------


def test_what_certbot_deleted_is_told_in_a_line_with_one_command(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    assert desk.check("tlsa").status == 0
    grown.paths.conf.unlink()
    said = desk.danebot("renew")
    assert said.status == 1
    line = said.err.replace(str(grown.paths.conf), "")
    assert len(line) < 200, line
    assert line.endswith(f"; the way back: danebot status {NAME}\n")
    shown = desk.danebot("status", NAME)
    assert f"{NAME}: to go on: restore {grown.paths.conf} from a backup; then: danebot init" in (
        shown.out
    )
    assert f"{NAME}: to give it up: " in shown.out


def test_a_lineage_that_nobody_looks_at_is_never_ok(desk: Desk) -> None:
    """Nor is a command advised that refuses it."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    digest = re.findall(r"3 1 1 ([0-9a-f]{64})", desk.danebot("newkey", NAME).out)[0]
    desk.dns.publish(of_key("one"), of_key("one")._replace(data=bytes.fromhex(digest)))
    desk.danebot("newkey", "--cancel", NAME)
    desk.danebot("renew")
    grown.paths.conf.unlink()
    desk.danebot("renew")
    for concern in ("tlsa", "rollover"):
        told = desk.check(concern, "-v")
        assert told.status == 3, told
        assert "nobody looks at it any more" in told.out
        assert "danebot tlsa" not in told.out
        assert f"danebot status {NAME}" in told.out


def test_a_lineage_that_cannot_be_read_is_not_ok(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    memory = grown.paths.staging / "rollover.json"
    memory.unlink()
    memory.mkdir()
    assert desk.danebot("renew").status == 1
    told = desk.check("tlsa", "-v")
    assert told.status == 3
    assert "couldn't look at it" in told.out


def test_a_lineage_whose_configuration_is_refused_is_looked_at(desk: Desk) -> None:
    """Nothing renews it, which is a warning; its records are seen all the same."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    grown.paths.conf.write_bytes(b"\xff\xfe")
    assert desk.danebot("renew").status == 1
    assert desk.check("tlsa").status == 0
    told = desk.check("renewal", "-v")
    assert told.status == 1
    assert "certbot delete --cert-name" in told.out
    desk.dns.publish(of_key("two"))
    desk.danebot("renew")
    assert desk.check("tlsa").status == 2


# ---- the first day --------------------------------------------------------------------------


def test_a_site_whose_daily_job_has_not_had_its_turn_is_fine(desk: Desk) -> None:
    """That nobody ever starts it is told when it has had that."""
    desk.issued()
    desk.dns.publish(of_key("one"))
    desk.danebot("init")
    told = desk.check("renewal")
    assert told.status == 0
    assert "danebot renew has not run here yet" in told.out
    path = desk.root / "state" / "status.json"
    document = desk.document()
    document["lineages"][0]["phase_since"] = (trees.now() - 3 * DAY).isoformat()
    path.write_text(json.dumps(document))
    told = desk.check("renewal", "-v")
    assert told.status == 1
    assert "run it, or enable its timer" in told.out
    path.unlink()
    told = desk.check("renewal")
    assert told.status == 2
    assert "is not there yet: danebot renew writes it" in told.out


# ---- a next key -----------------------------------------------------------------------------


def published_next(desk: Desk) -> str:
    """Make a next key and publish its record; the record's digest."""
    digest = str(re.findall(r"3 1 1 ([0-9a-f]{64})", desk.danebot("newkey", NAME).out)[0])
    desk.dns.publish(of_key("one"), of_key("one")._replace(data=bytes.fromhex(digest)))
    return digest


def test_newkey_says_when_the_key_may_be_used(desk: Desk) -> None:
    """That is a promise which the rollover keeps: no sooner than `status` says afterwards."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    said = desk.danebot("newkey", NAME)
    found = re.search(
        r"; \S+ with these at every server now, danebot renew uses it from (.+) on", said.out
    )
    assert found is not None
    digest = re.findall(r"3 1 1 ([0-9a-f]{64})", said.out)[0]
    desk.dns.publish(of_key("one"), of_key("one")._replace(data=bytes.fromhex(digest)))
    desk.danebot("renew")
    safe = datetime.fromisoformat(desk.document()["lineages"][0]["safe_at"])
    earliest = datetime.strptime(found[1], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    assert timedelta(0) <= safe - earliest < timedelta(minutes=2)


@pytest.mark.parametrize("file", ["nextkey.pem", "ready.pem"])
def test_a_next_key_that_is_gone_is_told_with_the_way(desk: Desk, file: str) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    digest = published_next(desk)
    path = grown.paths.staging / "nextkey.pem"
    if file == "ready.pem":
        assert desk.danebot("renew").status == 0
        path = grown.paths.staging / file
    kept = path.read_bytes()
    path.unlink()
    for _ in range(2):
        run = desk.danebot("renew")
        assert run.status == 1
        assert f"has lost the next key {digest}, whose record is published" in run.err
        assert f"restore nextkey.pem, or give it up: danebot newkey --cancel {NAME}" in run.err
    assert desk.check("renewal").status == 1
    grown.staging_file("nextkey.pem", kept)
    assert desk.danebot("renew").status == 0
    (grown.paths.staging / "nextkey.pem").unlink(missing_ok=True)
    (grown.paths.staging / "ready.pem").unlink(missing_ok=True)
    said = desk.danebot("newkey", "--cancel", NAME)
    assert said.status == 0, said
    assert f"; remove {HERE}. 3600 IN TLSA 3 1 1 {digest}" in said.out
    assert desk.danebot("renew").status == 0
    desk.dns.publish(of_key("one"))
    assert "no server has a record of the cancelled key" in desk.danebot("renew").out


def test_a_lost_key_without_a_record_is_forgotten(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("newkey", NAME)
    (grown.paths.staging / "nextkey.pem").unlink()
    assert desk.danebot("renew") == (0, "", "")


def test_another_next_key_does_not_hide_the_lost_one(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    digest = published_next(desk)
    (grown.paths.staging / "nextkey.pem").unlink()
    desk.danebot("newkey", NAME)
    assert f"has lost the next key {digest}" in desk.danebot("status", NAME).out


# ---- who said what --------------------------------------------------------------------------


def test_a_server_that_was_not_heard_lacks_nothing(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    fine = desk.dns.looks[OWNER]
    first, second = fine.servers
    dead = second._replace(outcome=ServerOutcome.UNREACHABLE, records=(), ttl=None)
    desk.dns.looks[OWNER] = fine._replace(servers=(first, dead))
    shown = desk.danebot("status", NAME).out
    assert "not heard: ns2.example.org" in shown
    assert "missing at" not in shown


def test_a_record_that_nobody_has_is_told_once(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    run = desk.danebot("renew")
    assert run.status == 1
    assert run.err.count("WARNING") == 1
    assert f"the live key's TLSA record is missing (no such record) at {HERE}" in run.err
