"""Every verb's exit status for the same mistakes, and where nothing can be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import command_line
from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.tree import Tree
from verbs.desk import HERE, Desk, of_key

OTHER = "nosuch.example.test"
KEY_TYPE = ("newkey", NAME, "--key-type", "p512")
VERBS: dict[str, tuple[tuple[str, ...], ...]] = {
    "setup": (("setup", "--yes"), ("setup", "--dry-run")),
    "init": (("init",), ("init", "--dry-run")),
    "deinit": (("deinit",), ("deinit", "--dry-run")),
    "renew": (("renew",), ("renew", "--dry-run"), ("renew", "--json")),
    "newkey": (
        ("newkey",),
        ("newkey", "--cancel"),
        ("newkey", "--emergency"),
        ("newkey", "--emergency", "--dry-run"),
    ),
    "names": (("names",), ("names", "--add", "a.example.test"), ("names", "--dry-run")),
    "watch": (("watch",), ("watch", "--remove"), ("watch", "--dry-run")),
    "status": (("status",), ("status", "--json")),
    "tlsa": (
        ("tlsa",),
        ("tlsa", "--json"),
        ("tlsa", "--format", "nsupdate"),
        ("tlsa", "--anchors"),
    ),
    "rehearse": (("rehearse",), ("rehearse", "--no-certbot", "--hooks")),
    "publish": (("publish",), ("publish", "--dry-run")),
    "deploy": (("deploy",), ("deploy", "--dry-run")),
}
FORMS = [words for forms in VERBS.values() for words in forms]


def called(words: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The verb with its options, for one lineage."""
    owners = (HERE,) if words[0] == "watch" else ()
    return (*words, name, *owners)


def test_the_walk_has_every_verb_that_takes_lineages() -> None:
    takes = {
        name
        for name, verb in command_line.VERBS.items()
        if any(one.name in ("lineage", "lineages") for one in verb.params)
    }
    assert takes == set(VERBS)


@pytest.mark.parametrize("words", FORMS, ids=" ".join)
def test_an_unknown_lineage_is_wrong_usage(desk: Desk, words: tuple[str, ...]) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    said = desk.danebot(*called(words, OTHER))
    assert (said.status, said.out) == (2, ""), said
    (line,) = said.err.splitlines()
    assert line == f"danebot: there is no lineage '{OTHER}'; known are: {NAME}"


@pytest.mark.parametrize("more", [(), ("--emergency",)])
def test_an_unknown_key_type_is_wrong_usage(desk: Desk, more: tuple[str, ...]) -> None:
    desk.staged(f"1 {HERE}")
    said = desk.danebot(*KEY_TYPE, *more)
    assert (said.status, said.out) == (2, ""), said
    if not more:
        assert (
            "there is no key type 'p512'; known are: rsa2048, rsa3072, rsa4096, p256, p384"
            in said.err
        )


def test_a_key_type_is_taken_as_people_write_it(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert desk.danebot("newkey", NAME, "--key-type", "P-384").status == 0


@pytest.mark.parametrize("words", FORMS, ids=" ".join)
def test_a_tree_that_is_not_there_needs_attention(desk: Desk, words: tuple[str, ...]) -> None:
    said = desk.danebot("--config-dir", "/nonexistent", *called(words, NAME))
    assert (said.status, said.out) == (1, ""), said
    (line,) = said.err.splitlines()
    assert line.startswith("danebot: /nonexistent is no certbot tree")


@pytest.mark.parametrize("words", [*FORMS, ("verify",)], ids=" ".join)
@pytest.mark.parametrize("mistake", ["a directory", "no TOML", "a wrong setting"])
def test_settings_that_cannot_be_read_need_attention(
    desk: Desk, words: tuple[str, ...], mistake: str, tmp_path: Path
) -> None:
    desk.staged(f"1 {HERE}")
    other = tmp_path / "other.toml"
    match mistake:
        case "a directory":
            other.mkdir()
        case "no TOML":
            other.write_text("min_wait = \n")
        case "a wrong setting":
            other.write_text('min_weight = "2d"\n')
    said = desk.danebot("--config", str(other), *called(words, NAME))
    assert (said.status, said.out) == (1, ""), said
    (line,) = said.err.splitlines()
    assert line.startswith(f"danebot: {other}")


DRY: dict[str, tuple[str, ...]] = {
    "init": ("init", NAME),
    "renew": ("renew",),
    "renew --json": ("renew", "--json"),
    "names": ("names", NAME, "--add", "mx.example.test"),
    "watch": ("watch", NAME, "_465._tcp.mail.example.test"),
    "unwatch": ("watch", "--remove", NAME, HERE),
    "publish": ("publish",),
}


def test_the_walk_has_every_dry_run() -> None:
    dry = {
        name
        for name, verb in command_line.VERBS.items()
        if any(o.name == "dry_run" for o in verb.params)
    }
    ask_no_resolver, only_tells, of_a_host = {"deinit", "deploy"}, "newkey", "setup"
    assert dry == {words[0] for words in DRY.values()} | {*ask_no_resolver, only_tells, of_a_host}


@pytest.mark.parametrize("words", DRY.values(), ids=DRY)
def test_a_dry_run_ends_as_the_run_would_without_a_resolver(
    desk: Desk, words: tuple[str, ...]
) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.dead = True
    dry, real = desk.danebot(*words, "--dry-run"), desk.danebot(*words)
    assert (dry.status, real.status) == (1, 1), (dry, real)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_dry_run_of_renew_has_the_words_of_the_run(desk: Desk, more: tuple[str, ...]) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert desk.danebot("renew", "--dry-run", *more).status == 0
    desk.dns.dead = True
    dry, real = desk.danebot("renew", "--dry-run", *more), desk.danebot("renew", *more)
    assert real.err == dry.err != ""


TLSA = [(), ("--format", "nsupdate"), ("--json",)]


@pytest.mark.parametrize("more", TLSA)
def test_tlsa_has_one_rule(desk: Desk, more: tuple[str, ...]) -> None:
    """1 where DNS is not as it ought to be, or nobody can tell; whatever form it is printed in."""

    def status() -> int:
        return desk.danebot("tlsa", NAME, *more).status

    grown = desk.staged(f"1 {HERE}")
    assert status() == 1  # to add
    desk.dns.publish(of_key("one"))
    assert status() == 0
    desk.dns.dead = True
    assert status() == 1  # nobody can tell
    desk.dns.dead = False
    grown.staging_file("dane-ee", b"- *\n")
    assert status() == 0  # none, by the operator's word
    grown.staging_file("dane-ee", b"")
    assert status() == 1  # to be watched


@pytest.mark.parametrize("more", TLSA)
def test_tlsa_of_a_lineage_that_is_not_managed_has_the_same_rule(
    desk: Desk, more: tuple[str, ...]
) -> None:
    desk.issued()
    assert desk.danebot("tlsa", NAME, *more).status == 1  # to publish


def test_a_lineage_that_can_be_read_without_another_is_told(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    told = json.loads(desk.danebot("tlsa", NAME, "--json").out)
    assert told["keep"]


WITHOUT_CERTBOT = {
    **{verb: DRY[verb] for verb in ("init", "renew", "renew --json", "names")},
    "emergency": ("newkey", "--emergency", NAME),
}


@pytest.mark.parametrize("words", WITHOUT_CERTBOT.values(), ids=WITHOUT_CERTBOT)
def test_a_dry_run_ends_as_the_run_would_without_certbot(
    desk: Desk, words: tuple[str, ...]
) -> None:
    """It said "would renew it when due" where certbot was gone, or too old."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    for program, said in (
        ("#!/bin/sh\necho certbot 1.12.0\n", "needs 2.1 or later"),
        ("", "certbot"),
    ):
        (desk.root / "certbot").write_text(program)
        (desk.root / "certbot").chmod(0o755 if program else 0o644)
        dry, real = desk.danebot(*words, "--dry-run"), desk.danebot(*words)
        assert (dry.status, real.status) == (1, 1), (dry, real)
        assert said in dry.err
        assert dry.err == real.err
        assert "nothing was changed" not in dry.out


NO_LINEAGE = "; the command that gets a first certificate is told by: danebot setup; "
NOTHING_THERE = {
    ("renew",): NO_LINEAGE,
    ("renew", "--dry-run"): NO_LINEAGE,
    ("renew", "--json"): NO_LINEAGE,
    ("status",): NO_LINEAGE,
    ("status", "--json"): '"remedy": "the command that gets a first certificate is told by: dane',
    ("init",): NO_LINEAGE,
    ("init", "--dry-run"): NO_LINEAGE,
    ("publish",): "so nothing was published; take one on with: danebot init LINEAGE\n",
    ("publish", "--dry-run"): "so nothing was published; take one on with: danebot init LINEAGE\n",
}


@pytest.mark.parametrize("words", NOTHING_THERE, ids=" ".join)
def test_a_tree_without_lineages_is_no_green_light(desk: Desk, words: tuple[str, ...]) -> None:
    """As after a reinstallation, or where a disk isn't mounted: services may serve the old ones."""
    (desk.tree / "renewal").mkdir(parents=True)
    said = desk.danebot(*words)
    assert said.status == 1, said
    assert NOTHING_THERE[words] in (said.out if words[0] == "status" and words[1:] else said.err)


@pytest.mark.parametrize("words", [("renew",), ("renew", "--dry-run"), ("status",)], ids=" ".join)
def test_what_is_left_of_a_lineage_is_told_and_not_that_there_is_none(
    desk: Desk, words: tuple[str, ...]
) -> None:
    """It has a way back, so the advice to get a first certificate would lead astray."""
    left_of_one(desk)
    said = desk.danebot(*words)
    assert said.status == 1
    assert f"{NAME}.conf is gone, so nothing is renewed" in said.err
    assert "certbot has no lineage" not in said.out + said.err


@pytest.mark.parametrize("verb", ["tlsa", "rehearse"])
def test_a_verb_for_the_only_lineage_tells_why_there_is_not_just_one(desk: Desk, verb: str) -> None:
    (desk.tree / "renewal").mkdir(parents=True)
    said = desk.danebot(verb)
    assert said.status == 2
    assert "Error: certbot has no lineage here yet; get one with the command that" in said.err
    for number in range(11):
        (desk.tree / "renewal" / f"m{number:02}.example.conf").write_text("")
    said = desk.danebot(verb)
    assert said.status == 2
    known = ", ".join(f"m{number:02}.example" for number in range(10))
    assert f"Error: name one: danebot {verb} LINEAGE; there are {known}, ...\n" in said.err
    (desk.tree / "renewal" / "m10.example.conf").unlink()
    assert f"; there are {known}\n" in desk.danebot(verb).err


@pytest.mark.parametrize("verb", ["tlsa", "rehearse"])
def test_a_verb_for_the_only_lineage_tells_the_way_back_where_it_is_gone(
    desk: Desk, verb: str
) -> None:
    left_of_one(desk)
    said = desk.danebot(verb)
    assert (said.status, said.out) == (1, "")
    (line,) = said.err.splitlines()
    assert f"{NAME}.conf is gone, so certbot doesn't know '{NAME}' any more" in line
    assert line.endswith(f"the way back is told by: danebot status {NAME}")


def left_of_one(desk: Desk) -> None:
    """As ``certbot delete`` leaves it."""
    desk.staged(f"1 {HERE}")
    (desk.tree / "renewal" / f"{NAME}.conf").unlink()


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_who_may_not_read_the_tree_is_told_so_before_a_dry_run_sees_certbot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """Other users often can't run certbot either.  Root may read all, so a refusal is made up."""
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    (desk.root / "certbot").unlink()
    monkeypatch.setattr(Tree, "forbidden", lambda *_: True)
    said = desk.danebot("renew", "--dry-run", *more)
    assert said.status == 1
    told = f"danebot: CRITICAL: {NAME}: its key may not be read; run danebot as root\n"
    assert said.err == told


def test_what_the_tree_says_comes_before_certbot_in_a_dry_run_for_an_emergency(desk: Desk) -> None:
    """With certbot mended the lineage would still have to be taken on."""
    desk.issued()
    (desk.root / "certbot").unlink()
    said = desk.danebot("newkey", "--emergency", NAME, "--dry-run")
    told = f"danebot: {NAME} is not managed by danebot; run first: danebot init {NAME}\n"
    assert (said.status, said.out, said.err) == (1, "", told)


def test_a_run_over_no_lineage_is_told_until_there_is_one(desk: Desk) -> None:
    (desk.tree / "renewal").mkdir(parents=True)
    assert "certbot has no lineage" in desk.danebot("renew").err
    said = desk.check("renewal")
    assert said.status == 1
    assert "certbot has no lineage" in said.out
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    assert "no lineage" not in desk.danebot("status").out
    assert desk.danebot("publish").status == 0
    assert "certbot has no lineage" not in desk.check("renewal").out


@pytest.mark.parametrize("verb", ["publish", "deploy"])
def test_a_verb_that_found_nothing_under_care_says_so(desk: Desk, verb: str) -> None:
    """`publish` was as silent as where all is published."""
    trees.issued(desk.tree)
    for more in ((), ("--dry-run",)):
        said = desk.danebot(verb, *more)
        assert "no lineage is under danebot's care" in said.out + said.err
