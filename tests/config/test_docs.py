"""The page and the example say what the program does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from danebot.config import Method, PublishSettings, Settings, load
from danebot.config.shell_defaults import DIRECTORIES, NAMES
from danebot.config.table import show
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.names import Protocol

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = DOCS / "danebot.toml.example"
WORDS = {
    "certbot": "on PATH",
    "textfile": "none",
    "resolver": "`/etc/resolv.conf`",
    "ca_file": "OpenSSL's",
    "combo_group": "root's",
    "key_type": '`"current"`',
    "endpoints": "none",
}


@pytest.fixture
def usual(tmp_path: Path) -> Settings:
    return load(root=tmp_path)


def shown(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Each setting's value as one would write it."""
    return {e.name: e.value.replace(str(tmp_path), "") for e in settings.effective}


def uncommented() -> str:
    return re.sub(r"(?m)^#(?=[\w\[\"])", "", EXAMPLE.read_text(encoding="utf-8"))


def test_the_page_has_every_setting_with_its_default(usual: Settings, tmp_path: Path) -> None:
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| (.*?) \|", PAGE.partition("## Deploy hooks")[0]))

    expected = {name: f"`{value}`" for name, value in shown(usual, tmp_path).items()} | WORDS

    assert rows == expected


def test_the_example_as_it_is_changes_nothing(usual: Settings, tmp_path: Path) -> None:
    found = load(EXAMPLE, root=tmp_path)

    assert found._replace(file=None) == usual


def test_the_example_has_every_setting_and_its_default(usual: Settings, tmp_path: Path) -> None:
    path = tmp_path / "all.toml"
    path.write_text(uncommented(), encoding="utf-8")

    found = load(path, root=tmp_path)

    content = tomllib.loads(uncommented())
    assert set(content) == {e.name for e in usual.effective} | {"endpoints", "lineage", "publish"}
    values = shown(found, tmp_path)
    differing = {name for name, value in shown(usual, tmp_path).items() if values[name] != value}
    assert differing == {*WORDS, "hooks"} - {"endpoints"}
    assert {e.source for e in found.effective if e.name in content} != {"default"}


def test_the_page_has_every_setting_of_publication_with_its_default(
    usual: Settings, tmp_path: Path
) -> None:
    part = PAGE.partition("## Publication")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"(?m)^\| `(\w+)` \| (.*?) \|", part))
    path = tmp_path / "all.toml"
    path.write_text(uncommented(), encoding="utf-8")
    example = load(path, root=tmp_path).publish("any")

    words = {
        "server": "the SOA record's",
        "zone": "looked up",
        "key_file": "none",
        "command": "none",
        "ttl": "kept",
    }
    default = usual.publish("any")
    for name in PublishSettings._fields:
        value = getattr(default, name)
        expected = words.get(name, f"`{show(value)}`")
        assert rows.pop(name) == expected
        if name not in words:
            assert getattr(example, name) == value
        else:
            assert getattr(example, name) is not None
    assert rows == {}


def test_the_page_names_everything_that_can_be_chosen() -> None:
    for kind in KeyType:
        assert f"`{kind.value}`" in PAGE
    for protocol in Protocol:
        assert f"`{protocol.value}`" in PAGE
    for method in Method:
        assert f"`{method.value}`" in PAGE
    for name in NAMES:
        assert name in PAGE
    for directory in DIRECTORIES:
        assert f"`/{directory}`" in PAGE
