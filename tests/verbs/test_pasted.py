"""Commands that are printed for people to paste name what they are to, whatever it is called."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.trees import NAME
from verbs.desk import HERE, Desk, of_key

ODD = "it's; two"


@pytest.fixture
def odd(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The tree is called so that the shell would take it for several words."""
    monkeypatch.setattr(Desk, "tree", property(lambda desk: desk.root / ODD))
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    return desk


def hook(desk: Desk) -> tuple[str, ...]:
    file = desk.tree / "renewal-hooks/deploy/my hook"
    file.parent.mkdir(parents=True)
    file.touch(0o644)
    return "chmod", "+x", str(file)


def key(desk: Desk) -> tuple[str, ...]:
    file = desk.tree / "archive" / NAME / "privkey1.pem"
    file.chmod(0o644)
    return "chmod", "o-rwx", str(file)


def conf(desk: Desk) -> tuple[str, ...]:
    file = desk.tree / "renewal" / f"{NAME}.conf"
    file.rename(f"{file}.orig")
    return "cp", "-p", f"{file}.orig", str(file)


def lineage(desk: Desk) -> tuple[str, ...]:
    (desk.tree / "renewal" / f"{ODD}.conf").write_text("[[[")
    return "certbot", "delete", "--cert-name", ODD


def left_to_certbot(desk: Desk) -> tuple[str, ...]:
    """One that danebot doesn't know, whose parts are another's."""
    text = (desk.tree / "renewal" / f"{NAME}.conf").read_text()
    for part in ("live", "archive"):
        (desk.tree / part / ODD).symlink_to(desk.tree / part / NAME)
    (desk.tree / "renewal" / f"{ODD}.conf").write_text(text.replace(f"/{NAME}/", f"/{ODD}/"))
    return "danebot", "init", ODD


@pytest.mark.parametrize(
    ("plant", "verbs"),
    [
        (hook, [("doctor",)]),
        (key, [("doctor",)]),
        (conf, [("status",)]),
        (lineage, [("-v", "status"), ("status", ODD), ("renew",)]),
        (left_to_certbot, [("status", ODD), ("tlsa", ODD)]),
    ],
)
def test_a_pasted_command_says_what_it_means(
    odd: Desk, plant: Callable[[Desk], tuple[str, ...]], verbs: list[tuple[str, ...]]
) -> None:
    wanted = shlex.join(plant(odd))
    for verb in verbs:
        said = odd.danebot(*verb)
        assert wanted in said.out + said.err, verb


def test_so_does_one_in_the_document(odd: Desk) -> None:
    lineage(odd)
    odd.danebot("renew")
    told = json.loads(odd.danebot("status", "--json").out)
    findings = [*told["findings"], *(f for one in told["lineages"] for f in one["findings"])]
    said = " ".join(one["text"] + one["remedy"] for one in findings)
    assert f"certbot delete --cert-name {shlex.quote(ODD)}" in said


def test_a_file_that_others_may_read_or_write(odd: Desk, tmp_path: Path) -> None:
    file = tmp_path / f"{ODD}.toml"
    file.touch(0o666)
    file.chmod(0o666)
    said = odd.danebot("--config", str(file), "status")
    assert f"chmod o-w {shlex.quote(str(file))}" in said.err
