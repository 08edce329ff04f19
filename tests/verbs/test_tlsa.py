"""`danebot tlsa` lists what to publish: which of two records senders miss already is said."""

from __future__ import annotations

import shutil

import pytest

from adapters import trees
from danebot.domain.dns.tlsa import TlsaRecord
from verbs.desk import HERE, OWNER, Desk, of_key


def test_the_record_of_the_key_that_is_served_is_told_from_the_next_one_s(desk: Desk) -> None:
    grown = desk.staged(f"1 {HERE}")
    grown.staging_file("nextkey.pem", trees.key_pem("other"))
    for records, titles in (
        ((), ["; add now: the key that is served", "; add: the key that is to follow"]),
        ((of_key("one"),), ["; published and right", "; add: the key that is to follow"]),
        ((of_key("other"),), ["; published and right", "; add now: the key that is served"]),
    ):
        desk.dns.publish(*records)
        said = desk.danebot("tlsa", trees.NAME)
        assert [line for line in said.out.splitlines() if line.startswith(";")] == titles
    desk.dns.publish()
    lines = desk.danebot("tlsa", trees.NAME).out.splitlines()
    assert str(of_key("one")) in lines[1]
    assert str(of_key("other")) in lines[3]


def parts(said: str) -> list[tuple[str, set[str]]]:
    """The titles that are printed, with the records under each."""
    found: list[tuple[str, set[str]]] = []
    for line in said.splitlines():
        if line.startswith("; "):
            found.append((line[2:], set()))
        else:
            found[-1][1].add(line.partition(" IN TLSA ")[2].partition(" ;")[0])
    return found


def texts(*records: TlsaRecord) -> set[str]:
    return {str(record) for record in records}


NOW = "add now, all in one change: a part alone would take the effect from other records"
LATER = NOW.replace(" now", "")


def test_what_would_lose_its_effect_stands_with_what_takes_it(desk: Desk) -> None:
    """A ``3 1 2`` alone has senders pass over a neighbour's ``3 1 1`` (RFC 7671 section 9)."""
    grown = desk.staged(f"2 {HERE}")
    grown.staging_file("nextkey.pem", trees.key_pem("other"))
    trees.issued(desk.tree, name="www.example.test", key="neighbour")
    desk.dns.publish(of_key("neighbour"))
    every = texts(*(of_key(key, 2) for key in ("one", "other", "neighbour")))
    assert parts(desk.danebot("tlsa", trees.NAME).out) == [(NOW, every)]


def test_what_some_servers_have_stands_with_what_takes_its_effect(desk: Desk) -> None:
    grown = desk.staged(f"2 {HERE}")
    grown.staging_file("nextkey.pem", trees.key_pem("other"))
    desk.dns.publish(of_key("one"))
    seen = desk.dns.looks[OWNER]
    first, *rest = seen.servers
    both = (of_key("one"), of_key("one", 2))
    desk.dns.looks[OWNER] = seen._replace(servers=(first._replace(records=both), *rest))
    title, records = parts(desk.danebot("tlsa", trees.NAME).out)[-1]
    assert (title, records) == (LATER, texts(of_key("one", 2), of_key("other", 2)))


@pytest.mark.parametrize("others", [(), ("stranger",)])
def test_a_wildcard_s_records_are_copied_in_one_change(desk: Desk, others: tuple[str, ...]) -> None:
    """The first at the name itself hides them all (RFC 4592 section 2.2.1)."""
    grown = desk.staged(f"1 {HERE}")
    grown.staging_file("nextkey.pem", trees.key_pem("other"))
    there = [of_key(key) for key in ("one", *others)]
    desk.dns.publish(*there)
    seen = desk.dns.looks[OWNER]
    wild = tuple(one._replace(wildcard=True) for one in seen.servers)
    desk.dns.looks[OWNER] = seen._replace(servers=wild)
    found = dict(parts(desk.danebot("tlsa", trees.NAME).out))
    assert found[LATER] == texts(of_key("other"), *there)
    assert not any(title.startswith("add") for title in found if title != LATER)
    sent = desk.danebot("tlsa", trees.NAME, "--format", "nsupdate").out
    assert sent.count("update add") == len(there) + 1
    assert sent.count("send") == 1
    (grown.paths.staging / "nextkey.pem").unlink()
    assert LATER not in dict(parts(desk.danebot("tlsa", trees.NAME).out))


@pytest.mark.parametrize("words", [("tlsa",), ("tlsa", "--json"), ("rehearse", "--no-certbot")])
def test_the_only_lineage_needs_no_name(desk: Desk, words: tuple[str, ...]) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert desk.danebot(*words) == desk.danebot(*words, trees.NAME)


@pytest.mark.parametrize("verb", ["tlsa", "rehearse"])
def test_of_several_one_has_to_be_named(desk: Desk, verb: str) -> None:
    grown = desk.staged(f"1 {HERE}")
    other = grown.root / "renewal" / "other.test.conf"
    other.write_text("")
    said = desk.danebot(verb)
    assert (said.status, said.out) == (2, "")
    assert f"name one: danebot {verb} LINEAGE; there are {trees.NAME}, other.test" in said.err
    other.unlink()
    (grown.root / "renewal" / f"{trees.NAME}.conf").unlink()
    said = desk.danebot(verb)
    assert (said.status, said.out) == (1, "")
    assert f"the way back is told by: danebot status {trees.NAME}" in said.err
    for place in ("live", "staging"):
        shutil.rmtree(grown.root / place)
    for words in ((verb,), (verb, trees.NAME)):
        said = desk.danebot(*words)
        assert (said.status, said.out) == (2, "")
        assert "get one with the command that is told by: danebot setup" in said.err
