"""What danebot says of an operator's mistakes, and what it leaves to the operator to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.names import DnsName
from danebot.domain.rollover.records.publication import OwnedRecord
from danebot.jobs.newkey import Cancelled
from danebot.jobs.snapshot import leave_word, this_run
from danebot.verbs.newkey import _say_cancelled
from verbs.desk import HERE, Desk, of_key

SMTPS = f"_465._tcp.{NAME}"


@pytest.mark.parametrize("words", [("watch", NAME, SMTPS), ("watch", "--remove", NAME, SMTPS)])
def test_each_mistake_of_a_file_has_its_own_line(desk: Desk, words: tuple[str, ...]) -> None:
    grown = desk.staged(HERE, "1 a..b", f"1 {SMTPS}", f"- {SMTPS}")
    file = grown.paths.staging / "dane-ee"
    told = desk.danebot(*words).err.removeprefix("danebot: ").splitlines()
    assert [line.split(": ")[0] for line in told[:3]] == [f"{file}:{n}" for n in (1, 2, 3)]
    assert told[0].endswith(f"write it as: 1 {HERE}")
    grown.staging_file("dane-ee", f"1 {HERE}\n".encode())
    grown.staging_file("dnsnames", b"a b\nmail.example.test\nx..y\n")
    said = desk.danebot("status").out
    assert all(f"{grown.paths.staging}/dnsnames:{n}: " in said for n in (1, 3))


def test_settings_for_no_lineage_are_a_mistake_with_its_line(desk: Desk) -> None:
    desk.issued()
    desk.settings['[lineage."mial.example.test"]\nmin_wait'] = "2d"
    said = desk.danebot("status")
    file = desk.root / "danebot.toml"
    number = file.read_text().splitlines().index('[lineage."mial.example.test"]') + 1
    assert f"danebot: {file}:{number}: no such lineage: mial.example.test; do you mean" in said.err
    assert f"do you mean {NAME}? correct it, or take the table out" in said.err
    assert said.status == 1


def test_publishing_by_hand_is_said_to_be(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    said = desk.danebot("publish", NAME)
    assert f"{NAME}: add: {HERE}" in said.out
    assert f'{NAME}: nothing was published: that is yours to do, by publish method "manual"' in (
        said.out
    )
    desk.dns.publish(of_key("one"))
    assert "nothing was published" not in desk.danebot("publish", NAME).out


def test_deinit_names_a_lineage_once_where_it_refuses(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    grown.staging_file("nextkey.pem", trees.key_pem("two"))
    for more in ((), ("--dry-run",)):
        said = desk.danebot("deinit", NAME, *more)
        assert f"danebot: {NAME}: there are keys that may be published: nextkey.pem; " in said.err


def test_only_a_cancelled_key_that_has_records_is_waited_for() -> None:
    """Records of other keys may be to go at the same time."""
    view = SimpleNamespace(findings=(), publication=SimpleNamespace(remove=(_removal(),)))
    said: list[str] = []
    console = SimpleNamespace(
        say=said.append,
        report=lambda _: Severity.INFO,
        settings=SimpleNamespace(publish=lambda _: SimpleNamespace(in_renew=False)),
    )
    _say_cancelled(console, NAME, Cancelled(b"", None, view), "zone")  # type: ignore[arg-type]
    (line,) = said
    assert "REMOVE these records, which no key in use needs" in line


def _removal() -> OwnedRecord:
    return OwnedRecord(DnsName.parse(HERE), of_key("one"), None)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("key-type = rsa", "key-type rsa"),
        ("elliptic-curve = secp384r1", "elliptic-curve secp384r1"),
        ("key-type = ecdsa", ""),
    ],
)
def test_deinit_says_where_certbots_own_settings_stop_it(
    desk: Desk, line: str, told: str, more: tuple[str, ...]
) -> None:
    """certbot renews no lineage whose key it keeps by settings for another key."""
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    (grown.root / "cli.ini").write_text(f"{line}\n")
    said = desk.danebot("deinit", NAME, *more)
    words = f"{NAME}: certbot's next renewal fails, since cli.ini asks for {told}"
    assert (words in said.err) == bool(told), said
    assert (said.status == 1) == bool(told)


def test_status_shows_what_the_last_run_found_besides_lineages(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    now = datetime.now(UTC)
    other = Finding(Code.COMPETING_RUN, Severity.WARNING, "", "certbot.timer is enabled")
    leave_word(Path(desk.settings["snapshot"]), this_run("renew", now, now, 1), (other,))
    said = desk.danebot("status")
    assert "certbot.timer is enabled" in said.out
    assert said.status == 1
    found = json.loads(desk.danebot("status", "--json").out)["findings"]
    assert [one["code"] for one in found] == ["competing-run"]
