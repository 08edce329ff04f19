"""What `danebot deploy` says, and what it leaves in the status document."""

from __future__ import annotations

import json
from pathlib import Path

from adapters import trees
from adapters.trees import NAME
from verbs.desk import HERE, Desk, of_key


def staged(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))


def test_hooks_run_and_a_line_says_so(desk: Desk) -> None:
    staged(desk)
    desk.settings["hook_timeout"] = "10s"
    hook = desk.tree / "renewal-hooks" / "deploy" / "reload"
    hook.parent.mkdir(parents=True)
    hook.write_text('#!/bin/sh\necho "$DANEBOT_EVENT" >>"$0.log"\n')
    hook.chmod(0o755)
    said = desk.danebot("deploy", "--dry-run")
    assert said.out.splitlines() == [
        f"{NAME}: would run: {hook}",
        f"{NAME}: would ask: {NAME}:25",
    ]
    assert not hook.with_name("reload.log").exists()
    said = desk.danebot("deploy")
    assert said.out == f"danebot: {NAME}: its deploy hooks have run; no service is asked\n"
    assert (said.status, said.err) == (0, "")
    assert hook.with_name("reload.log").read_text() == "deployed\n"
    assert desk.document()["run"]["verb"] == "deploy"
    assert desk.danebot("-q", "deploy").out == ""


def test_one_that_fails_is_told_and_recorded(desk: Desk) -> None:
    staged(desk)
    hook = desk.tree / "renewal-hooks" / "deploy" / "reload"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nexit 7\n")
    hook.chmod(0o755)
    said = desk.danebot("deploy", NAME)
    assert said.status == 1
    assert said.out == ""
    (line,) = [one for one in said.err.splitlines() if "failed" in one]
    assert "deploy hook" in line
    codes = [one["code"] for one in desk.document()["findings"]] + [
        one["code"] for lineage in desk.document()["lineages"] for one in lineage["findings"]
    ]
    assert codes.count("hook-failed") == 1
    hook.write_text("#!/bin/sh\n")
    assert desk.danebot("deploy", NAME).status == 0


def test_a_lineage_of_certbots_own_is_refused(desk: Desk) -> None:
    trees.issued(desk.tree)
    said = desk.danebot("deploy", NAME)
    assert said.status == 1
    assert f"to take it over: danebot init {NAME}" in said.err
    tried = desk.danebot("deploy", "--dry-run", NAME)
    assert (tried.status, tried.out) == (1, "")
    assert f"to take it over: danebot init {NAME}" in tried.err
    alone = desk.danebot("deploy")
    assert (alone.status, alone.err) == (0, "")
    assert alone.out == "danebot: no lineage is under danebot's care, so nothing was done\n"


def test_a_lineage_without_hooks_is_not_said_to_have_run_them(desk: Desk) -> None:
    staged(desk)
    said = desk.danebot("deploy", NAME)
    assert said.out == f"danebot: {NAME}: it has no deploy hook; no service is asked\n"


def test_an_unknown_lineage_is_wrong_usage(desk: Desk) -> None:
    staged(desk)
    assert desk.danebot("deploy", "nobody").status == 2


def test_what_was_not_looked_at_again_is_still_told(desk: Desk) -> None:
    """A service that served another certificate does so until somebody has asked it."""
    staged(desk)
    desk.danebot("renew")
    document = desk.document()
    text = "mail.example.test:25 still serves another certificate"
    document["findings"].append(
        {"code": "not-served", "severity": "warning", "lineage": NAME, "text": text, "remedy": ""}
    )
    Path(desk.settings["snapshot"]).write_text(json.dumps(document))
    combo = desk.tree / "live" / NAME / "combo.pem"
    whole = combo.read_bytes()
    combo.write_bytes(b"")
    assert desk.danebot("deploy").status == 1
    assert text in [one["text"] for one in desk.document()["findings"]]
    combo.write_bytes(whole)
    assert desk.danebot("deploy").status == 0
    assert text not in [one["text"] for one in desk.document()["findings"]]
