"""`danebot tlsa` lists what to publish: which of two records senders miss already is said."""

from __future__ import annotations

from adapters import trees
from verbs.desk import HERE, Desk, of_key


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
    sent = desk.danebot("tlsa", trees.NAME, "--format", "nsupdate").out
    assert sent.index(str(of_key("one"))) < sent.index(str(of_key("other")))
