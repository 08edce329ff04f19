"""What `danebot deploy` says, and what it leaves in the status document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.tree.locks import TreeLock
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.names import Endpoint
from danebot.errors import LockedError
from verbs.desk import HERE, Desk, of_key

if TYPE_CHECKING:
    import pytest


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
    assert codes(desk).count("hook-failed") == 1
    hook.write_text("#!/bin/sh\n")
    assert desk.danebot("deploy", NAME).status == 0
    assert "hook-failed" not in codes(desk)


def codes(desk: Desk) -> list[str]:
    """Of all findings in the status document."""
    document = desk.document()
    found = [*document["findings"], *(f for one in document["lineages"] for f in one["findings"])]
    return [one["code"] for one in found]


def test_what_services_serve_is_said_and_only_then(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged(desk)
    outcome = ProbeOutcome.SERVED

    def probe(_: str, endpoints: Sequence[Endpoint], *_more: object) -> list[ProbeResult]:
        chain = (trees.leaf("one", 1).der,) if outcome is ProbeOutcome.SERVED else ()
        return [ProbeResult(one, "192.0.2.25", outcome, chain=chain) for one in endpoints]

    monkeypatch.setattr(desk.dns, "probe", probe)
    words = f"danebot: {NAME}: it has no deploy hook; served by {NAME}:25\n"
    assert desk.danebot("deploy") == (0, words, "")
    outcome = ProbeOutcome.UNREACHABLE
    said = desk.danebot("deploy")
    assert (said.status, said.out) == (1, "")
    assert f"{NAME}:25 [192.0.2.25] could not be asked" in said.err
    assert "not-confirmed" in codes(desk)
    for asked in (("status",), ("-q", "status"), ("-v", "status"), ("status", NAME)):
        shown = desk.danebot(*asked)
        assert shown.status == 1
        assert f"{NAME}:25 [192.0.2.25] could not be asked" in shown.out
        assert "name the address to ask" in shown.out
        assert "rollover  " not in shown.out
    told = json.loads(desk.danebot("status", "--json").out)
    assert "not-confirmed" in [one["code"] for one in told["lineages"][0]["findings"]]
    desk.more += ["probe = false"]
    assert desk.danebot("deploy", "--dry-run").out == ""
    assert desk.danebot("deploy").status == 0
    assert "not-confirmed" not in codes(desk)


def test_it_waits_for_nobody_who_holds_the_locks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another danebot; in one process the lock is free, so its answer is made up."""
    staged(desk)

    def held(self: TreeLock, name: str) -> None:
        raise LockedError(f"another danebot is at work in {self.tree} ({name})")

    monkeypatch.setattr(TreeLock, "_acquire", held)
    said = desk.danebot("deploy")
    assert (said.status, said.out) == (1, "")
    assert "another danebot is at work" in said.err


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
