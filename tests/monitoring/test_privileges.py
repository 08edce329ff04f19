"""Checks and exporter need no privileges, and open nothing in certbot's tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from danebot_checks.lineages_options import CONCERNS
from exporter import sample
from exporter.running import exporter
from monitoring import plugins

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")

NAME = "mail.example.com"


@dataclass(frozen=True)
class World:
    """A host where danebot ran; ``tree`` is certbot's, and closed."""

    programs: Path
    tree: Path
    status: Path
    settings: Path
    trace: Path

    @property
    def traced(self) -> tuple[str, ...]:
        """strace itself as root: it watches; what it starts is nobody."""
        watch = ("strace", "-f", "-qq", "-e", "trace=%file", "-o", str(self.trace))
        return (*watch, *plugins.AS_NOBODY)

    def nothing_of_the_tree(self) -> None:
        """What was opened: the document for reading, nothing of the tree, nothing for writing."""
        calls = self.trace.read_text(errors="replace").splitlines()
        assert any(str(self.status) in call for call in calls)
        assert [call for call in calls if str(self.tree) in call] == []
        opened = [call for call in calls if re.search(r"O_(WRONLY|RDWR|CREAT)", call)]
        # coverage/data: the measurement itself, where these tests run under it
        harmless = ("__pycache__", "/dev/null", "/coverage/data.", "/dev/tty")
        assert [c for c in opened if not any(word in c for word in harmless)] == []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """In a directory that nobody may enter; pytest's own may be entered by its user only."""
    monkeypatch.setattr(sample, "NOW", datetime.now(UTC))
    where = Path(tempfile.mkdtemp(prefix="danebot-privileges-"))
    where.chmod(0o755)
    refused = plugins.write(where / "bin")
    if refused:
        pytest.skip(refused)
    tree = certbot_tree(where)
    base = sample.snapshot([sample.lineage(NAME)])
    run = base.run._replace(exit_status=0)
    fine = base._replace(run=run, last_renew=run, last_success=run.ended)
    document = sample.write(where / "status.json", fine)
    settings = where / "danebot.toml"
    settings.write_text(f'config_dir = "{tree}"\nsnapshot = "{document}"\n')
    settings.chmod(0o644)
    trace = where / "trace"
    trace.touch()
    trace.chmod(0o666)
    yield World(where / "bin", tree, document, settings, trace)
    shutil.rmtree(where)


def certbot_tree(where: Path) -> Path:
    """A tree as certbot leaves it: some of it readable by all, and keys that aren't."""
    tree = where / "letsencrypt"
    for part in ("live", "archive", "staging"):
        (tree / part / NAME).mkdir(parents=True)
    (tree / "renewal").mkdir()
    (tree / "renewal" / f"{NAME}.conf").write_text("version = 5.8.0\n")
    (tree / "live" / NAME / "combo.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    for part in ("live", "archive", "staging"):
        (tree / part).chmod(0o700)
    return tree


def test_the_exporter_as_nobody_with_the_tree_closed(world: World) -> None:
    program = [str(world.programs / "danebot-exporter")]
    with exporter("--config", world.settings, prefix=world.traced, program=program) as found:
        status, body, _ = found.get("/metrics")
        assert status == 200
        assert "danebot_snapshot_readable 1\n" in body
        status, page, _ = found.get("/")
        assert (status, NAME in page) == (200, True)
        assert found.get("/-/healthy")[0] == 200
    world.nothing_of_the_tree()


@pytest.mark.parametrize("concern", CONCERNS)
def test_check_danebot_as_nobody_with_the_tree_closed(concern: str, world: World) -> None:
    command = [str(world.programs / "check_danebot"), concern, "-vv", "-s", str(world.status)]
    done = subprocess.run(
        [*world.traced, *command], capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"DANEBOT OK - {concern}: ")
    world.nothing_of_the_tree()


@pytest.mark.parametrize(
    "words",
    [
        ["check_danebot", "tlsa", "--recheck", "--timeout", "5", "-s", "{status}"],
        ["check_dane", "-H", NAME, "--timeout", "3"],
    ],
    ids=["check_danebot", "check_dane"],
)
def test_what_asks_dns_opens_nothing_of_the_tree_either(words: list[str], world: World) -> None:
    """No resolver answers at that address: the result is UNKNOWN, and a sound one."""
    program, *rest = [word.format(status=world.status) for word in words]
    command = [str(world.programs / program), *rest, "--resolver", "127.0.0.1:9"]
    done = subprocess.run(
        [*world.traced, *command], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.stderr == ""
    assert done.stdout.startswith(("DANEBOT UNKNOWN", "DANE UNKNOWN", "DANE CRITICAL"))
    calls = world.trace.read_text(errors="replace")
    assert "danebot_checks" in calls
    assert str(world.tree) not in calls
    assert "/etc/letsencrypt" not in calls
