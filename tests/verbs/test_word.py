"""Every way out of ``danebot renew`` leaves a word in the status document, and destroys nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from danebot import cli
from danebot.adapters.codec import encode
from danebot.adapters.tree.locks import TreeLock
from danebot.domain.finding import Code
from exporter.sample import lineage, snapshot


class Host:
    """A tree without lineages, and a status document of better days."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = root / "letsencrypt"
        (self.tree / "renewal").mkdir(parents=True)
        self.document = root / "state" / "status.json"
        self.document.parent.mkdir()
        self.before = encode(snapshot([lineage("mail.example.org")]))
        self.document.write_text(json.dumps(self.before))
        certbot = root / "certbot"
        certbot.write_text("#!/bin/sh\necho certbot 5.8.0\n")
        certbot.chmod(0o755)
        self.settings = {
            "snapshot": str(self.document),
            "config_dir": str(self.tree),
            "certbot": str(certbot),
            "lock_wait": "0s",
        }

    def toml(self, extra: str = "") -> Path:
        path = self.root / "danebot.toml"
        lines = [f'{name} = "{value}"' for name, value in self.settings.items()]
        path.write_text("\n".join([*lines, extra, ""]))
        return path

    def renew(self, *words: str, extra: str = "") -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main(["--config", str(self.toml(extra)), "renew", *words])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def after(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.document.read_text())
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def word(host: Host, *lineages: str, status: int = 1) -> str:
    """What was left there; all else is as it was."""
    after = host.after()
    mine = [one for one in after["findings"] if one["code"] == Code.NOT_RUN.value]
    assert [one["lineage"] for one in mine] == list(lineages or ("",))
    assert {one["severity"] for one in mine} == {"warning"}
    assert after["lineages"] == host.before["lineages"]
    assert after["last_success"] == host.before["last_success"]
    assert after["run"] == after["last_renew"]
    assert after["run"]["exit_status"] == status
    text: str = mine[0]["text"]
    return text


def test_certbot_is_missing(host: Host) -> None:
    host.settings["certbot"] = "/nonexistent/certbot"
    assert host.renew() == 1
    assert "/nonexistent/certbot is not a program" in word(host)


def test_the_locks_are_held(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by another danebot; in one process the lock is free, so its answer is made up."""

    def held(self: TreeLock, name: str) -> None:
        from danebot.errors import LockedError

        raise LockedError(f"another danebot is at work in {self.tree} ({name})")

    monkeypatch.setattr(TreeLock, "_acquire", held)
    assert host.renew() == 1
    assert "another danebot is at work" in word(host)


def test_the_tree_is_gone(host: Host) -> None:
    (host.tree / "renewal").rmdir()
    assert host.renew() == 1
    assert "is no certbot tree" in word(host)


@pytest.mark.parametrize("extra", ["min_wait = 3", "min_weight = '3d'", "= x", "[lineage"])
def test_a_mistake_in_the_settings(host: Host, extra: str) -> None:
    """The line that says where the document is can be read all the same."""
    assert host.renew(extra=extra) == 1
    assert "danebot.toml" in word(host)


def test_the_place_of_the_document_is_the_mistake(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is said in the usual one, if there is one."""
    usual = host.document
    host.settings["snapshot"] = "somewhere/status.json"
    monkeypatch.setattr("danebot.config.Settings", lambda: _At(usual))
    assert host.renew() == 1
    assert "snapshot" in word(host)
    usual.unlink()
    assert host.renew() == 1
    assert not usual.exists()


class _At:
    def __init__(self, snapshot: Path) -> None:
        self.snapshot = snapshot


def test_a_lineage_that_is_not_there_any_more(host: Host) -> None:
    assert host.renew("mail.example.org") == 2
    assert "no lineage 'mail.example.org'" in word(host, "mail.example.org", status=2)


def test_it_is_interrupted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by SIGTERM, when systemd's time is over."""

    def ends(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("danebot.jobs.renew.renew_lineages", ends)
    assert host.renew() == 130
    after = host.after()
    assert after["run"]["exit_status"] == 130
    assert [one["code"] for one in after["findings"]] == ["not-run"]


def test_an_error_of_our_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("danebot.jobs.renew.renew_lineages", fails)
    assert host.renew() == 1
    assert "internal error" in word(host)


def test_the_word_is_one_however_often_it_comes_to_nothing(host: Host) -> None:
    host.settings["certbot"] = "/nonexistent/certbot"
    for _ in range(3):
        host.renew()
    word(host)


def test_without_a_document_it_begins_one(host: Host) -> None:
    host.document.unlink()
    host.settings["certbot"] = "/nonexistent/certbot"
    assert host.renew() == 1
    after = host.after()
    assert after["lineages"] == []
    assert after["last_success"] is None
    assert [one["code"] for one in after["findings"]] == ["not-run"]


def test_a_dry_run_leaves_none(host: Host) -> None:
    host.settings["certbot"] = "/nonexistent/certbot"
    assert host.renew("--dry-run") == 1
    assert host.after() == host.before


def test_a_run_that_says_nothing_loads_little(host: Host) -> None:
    """It is daily everywhere, and the goal of the benchmark `bench_idle` rests on it."""
    heavy = {"click", "dataclasses", "inspect", "gettext", "cryptography", "asyncio", "ssl"}
    code = (
        "import sys; from danebot import cli\n"
        "from danebot.jobs import unknown; unknown.no_lineages = lambda _: ()\n"  # it would say so
        "status = cli._run(None)\n"
        "import danebot.adapters.dns.exchange, danebot.adapters.dns.observer\n"
        f"print(status, *sorted({heavy!r} & set(sys.modules)))"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}  # it imports, too
    words = [sys.executable, "-c", code, "--config", str(host.toml()), "renew"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    assert (ended.stdout, ended.stderr) == ("0\n", "")
