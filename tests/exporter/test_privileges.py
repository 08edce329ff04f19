"""The exporter needs no privileges and opens nothing in certbot's tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import sample
from exporter.running import environment, exporter

NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs")


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that nobody may enter; pytest's own may be entered by its user only."""
    where = Path(tempfile.mkdtemp(prefix="danebot-exporter-"))
    where.chmod(0o755)
    yield where
    shutil.rmtree(where)


def certbot_tree(where: Path) -> Path:
    """A tree as certbot leaves it: some of it readable by all, and keys that aren't."""
    tree = where / "letsencrypt"
    for part in ("live", "archive", "staging"):
        (tree / part / "mail.example.com").mkdir(parents=True)
    (tree / "renewal").mkdir()
    (tree / "renewal" / "mail.example.com.conf").write_text("version = 5.8.0\n")
    (tree / "live" / "mail.example.com" / "combo.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    for part in ("live", "archive", "staging"):
        (tree / part).chmod(0o700)
    return tree


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_as_nobody_with_the_tree_closed(public: Path) -> None:
    start = [*NOBODY, sys.executable, "-c", "import danebot_exporter.own"]
    able = subprocess.run(start, env=environment(), capture_output=True, check=False)
    if able.returncode != 0:
        pytest.skip(f"nobody can't run {sys.executable}: {able.stderr.decode()}")
    tree = certbot_tree(public)
    document = sample.write(public / "status.json")
    config = public / "danebot.toml"
    config.write_text(f'config_dir = "{tree}"\nsnapshot = "{document}"\n')
    config.chmod(0o644)
    trace = public / "trace"
    trace.touch()
    trace.chmod(0o666)
    # strace itself as root: it watches; what it starts is nobody.
    prefix = ("strace", "-f", "-qq", "-e", "trace=%file", "-o", str(trace), *NOBODY)
    with exporter("--config", config, prefix=prefix) as found:
        status, body, _ = found.get("/metrics")
        assert status == 200
        assert "danebot_snapshot_readable 1\n" in body
        assert found.get("/")[0] == 200
        assert found.get("/-/healthy")[0] == 200
    calls = trace.read_text(errors="replace").splitlines()
    assert any(str(document) in call for call in calls)
    assert [call for call in calls if f"{tree}/" in call] == []
    opened = [call for call in calls if re.search(r"O_(WRONLY|RDWR|CREAT)", call)]
    # coverage/data: the measurement itself, where these tests run under it
    harmless = ("__pycache__", "/dev/null", "/coverage/data.", "/dev/tty")
    assert [c for c in opened if not any(word in c for word in harmless)] == []
