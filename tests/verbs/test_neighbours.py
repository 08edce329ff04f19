"""What others do beside danebot: services that read its files on, certbot alone, a second tree."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters import services
from danebot.console import Console
from verbs.desk import HERE, Desk, of_key


@pytest.fixture
def reader(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Postfix's configuration below another /etc, which names combo.pem."""
    main = desk.root / "etc/postfix/main.cf"
    main.parent.mkdir(parents=True)
    main.write_text(f"smtpd_tls_chain_files = {desk.tree}/live/{NAME}/combo.pem\n")
    monkeypatch.setattr(services, "_PLACES", (str(desk.root / "etc").lstrip("/"),))
    return main


def test_deinit_names_who_reads_combo_on(desk: Desk, reader: Path) -> None:
    grown = desk.staged("- *")
    words = f"{NAME}: postfix ({reader}:1) reads {grown.paths.live}/combo.pem, which nobody keeps"
    dry = desk.danebot("deinit", "--dry-run", NAME)
    assert words in dry.err
    assert grown.paths.staging.exists()
    done = desk.danebot("deinit", NAME)
    assert words in done.err
    assert f"have it read {grown.paths.live}/fullchain.pem" in done.err
    assert done.status == 1
    assert not grown.paths.staging.exists()


@pytest.mark.parametrize(("answer", "left"), [("n\n", True), ("", True), ("y\n", False)])
def test_deinit_asks_on_a_terminal(
    desk: Desk, reader: Path, monkeypatch: pytest.MonkeyPatch, answer: str, *, left: bool
) -> None:
    """The terminal is a double: who answers is at standard input."""
    assert reader.exists()
    grown = desk.staged("- *")
    monkeypatch.setattr(Console, "asks", lambda _: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    said = desk.danebot("deinit", NAME)
    assert said.status != 0
    assert "give them back all the same?" in said.err
    assert grown.paths.staging.exists() is left, said


def test_deinit_without_readers_is_quiet(desk: Desk, reader: Path) -> None:
    reader.unlink()
    desk.staged("- *")
    assert desk.danebot("deinit", NAME)._replace(out="") == (0, "", "")


def test_deinit_looks_for_readers_of_all_lineages_at_once(
    desk: Desk, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 46 lineages, each look through /etc and at two programs took two thirds of a second."""
    looks = []
    real = services.readers_of_each

    def counted(*args: Any) -> object:  # noqa: ANN401 - passed on
        looks.append(args)
        return real(*args)

    monkeypatch.setattr(services, "readers_of_each", counted)
    desk.staged("- *")
    other = trees.staged(desk.tree, "other.example")
    other.staging_file("dane-ee", b"- *\n")
    said = desk.danebot("deinit")
    assert len(looks) == 1
    assert f"{NAME}: postfix ({reader}:1) reads " in said.err
    assert "other.example: postfix" not in said.err


def test_a_combo_that_certbot_leaves_behind_is_told_by_all(desk: Desk) -> None:
    """After `deinit` certbot renews the links alone."""
    grown = desk.staged("- *")
    desk.dns.publish(of_key("one"))
    assert desk.danebot("deinit", NAME).status == 0
    assert "combo.pem" not in desk.danebot("status").err + desk.danebot("status").out
    grown.version(2)
    grown.link(grown.paths.live, 2)
    words = f"live/{NAME}/combo.pem is another certificate than the links beside it"
    for verb in ("status", "renew"):
        said = desk.danebot(verb)
        assert words in said.out + said.err, verb
        assert said.status == 1
    checked = desk.check("renewal")
    assert checked.status == 1
    assert words in checked.out
    (found,) = (one for one in desk.document()["lineages"][0]["findings"] if "combo" in one["code"])
    assert (found["code"], found["severity"]) == ("combo-behind", "warning")
    assert f"danebot init {NAME}" in found["remedy"]


def test_two_trees_do_not_share_a_document(desk: Desk) -> None:
    desk.staged("- *")
    desk.danebot("renew")
    before = Path(desk.settings["snapshot"]).read_bytes()
    first, second = desk.tree, desk.root / "second"
    trees.staged(second)
    desk.settings["config_dir"] = str(second)
    said = desk.danebot("renew")
    assert f"is about {first}, and stays so" in said.err
    assert "snapshot in danebot.toml" in said.err
    assert said.status == 1
    assert Path(desk.settings["snapshot"]).read_bytes() == before
    first.rename(desk.root / "elsewhere")  # it was only moved: nobody is locked out
    assert "stays so" not in desk.danebot("renew").err
    assert desk.document()["tree"] == str(second)


def test_a_link_to_the_same_tree_is_no_other(desk: Desk) -> None:
    desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("renew")
    (desk.root / "link").symlink_to(desk.tree)
    desk.settings["config_dir"] = str(desk.root / "link")
    assert "stays so" not in desk.danebot("renew").err
