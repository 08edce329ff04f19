"""Whether services read what is deployed: told where nothing has them do it, or too early."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from danebot.domain.finding import Code, Severity
from danebot.domain.rollover.evidence.memory import Deployment, Memory
from danebot.domain.rollover.findings.reloading import Reloads, early, reloading
from domain.builders import T0

NAME = "mail.example"
CONFIRMED = Memory(deployment=Deployment(b"", b"", T0, (), T0))


class _Case(NamedTuple):
    reloads: Reloads
    code: Code | None
    words: str = ""


@pytest.mark.parametrize(
    "case",
    [
        _Case(Reloads(deploy=("x",), early=("y",), installer="nginx"), None),
        _Case(Reloads(again=("y",)), None),
        _Case(Reloads(), Code.NO_RELOAD, "@postfix"),
        _Case(Reloads(early=("y",)), Code.RELOADED_EARLY, "certbot's post hook acts"),
        _Case(Reloads(installer="nginx"), Code.RELOADED_EARLY, "certbot's installer nginx acts"),
        _Case(Reloads(early=("y",)), Code.RELOADED_EARLY, "run_post_hooks = true"),
        _Case(Reloads(installer="nginx"), Code.RELOADED_EARLY, '["@nginx"]'),
        _Case(Reloads(again=("y",), installer="apache"), Code.RELOADED_EARLY, '["@apache"]'),
        _Case(Reloads(installer="other"), Code.RELOADED_EARLY, "name a deploy hook"),
    ],
)
def test_which_lineage_is_told_and_with_what_to_do(case: _Case) -> None:
    found = reloading(NAME, case.reloads, Memory())
    assert [one.code for one in found] == ([case.code] if case.code else [])
    assert all(one.severity is Severity.NOTICE for one in found)
    assert case.words in "".join(map(str, found))
    assert not (case.reloads.installer and "run_post_hooks" in "".join(map(str, found)))


def test_services_that_were_seen_to_serve_it_need_no_hook() -> None:
    assert reloading(NAME, Reloads(), CONFIRMED, watched=1) == ()
    assert reloading(NAME, Reloads(), CONFIRMED, watched=0) != ()
    unseen = Memory(deployment=Deployment(b"", b"", T0, ()))
    assert reloading(NAME, Reloads(), unseen, watched=1) != ()
    assert reloading(NAME, Reloads(), Memory(), watched=1) != ()
    assert reloading(NAME, Reloads(installer="nginx"), CONFIRMED, watched=1) != ()


def test_the_run_that_deploys_warns_of_what_was_reloaded_early() -> None:
    found = early(NAME, Reloads(installer="nginx"), Severity.WARNING)
    assert found is not None
    assert found.severity is Severity.WARNING
    assert early(NAME, Reloads(), Severity.WARNING) is None
