"""What anybody but root is told who runs a verb: to run it as root, and of no other cause."""

from __future__ import annotations

import contextlib
import grp  # noqa: F401 - where this Python is installed nobody may be able to read it
import importlib
import io
import json
import os
import pkgutil
from pathlib import Path

import pytest

import danebot
from adapters.trees import NAME
from danebot import cli
from verbs.desk import HERE, Desk, Said, of_key

_NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
_VERBS = (
    *(("renew",), ("renew", "--dry-run"), ("renew", "--dry-run", NAME)),
    *(("status",), ("status", NAME), ("status", "--json")),
    *(("init",), ("init", "--dry-run"), ("init", "--dry-run", NAME)),
    *(("deinit",), ("deinit", "--dry-run", NAME)),
    *(("newkey", NAME), ("newkey", "--emergency", "--dry-run", NAME), ("newkey", "--cancel", NAME)),
    *(("names", NAME), ("names", "--dry-run", "--add", "x.example.test", NAME)),
    *(("watch", NAME, "_25._tcp.x.example.test"), ("tlsa", NAME), ("publish",)),
    *(("publish", "--dry-run"), ("deploy", NAME), ("rehearse", NAME)),
)


for _found in pkgutil.walk_packages(danebot.__path__, "danebot."):
    if _found.name.split(".")[1] not in {"__main__", "survey"}:
        importlib.import_module(_found.name)


def _as_nobody(desk: Desk, *words: str) -> Said:
    """Run a verb in a process of its own that has given up being root."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        out, err, status = io.StringIO(), io.StringIO(), 99
        with contextlib.suppress(BaseException), os.fdopen(writing, "w") as told:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    cli.main(["--config", str(desk.root / "danebot.toml"), *words])
                except SystemExit as ended:
                    status = int(ended.code or 0)
            json.dump([status, out.getvalue(), err.getvalue()], told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        said = Said(*json.load(told))
    os.waitpid(child, 0)
    return said


@pytest.fixture(params=["issued", "staged", "issued, as certbot does", "staged, as certbot does"])
def closed(desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """A tree that root alone may read, and a configuration that everybody may."""
    care, _, as_certbot = request.param.partition(", ")
    desk.issued() if care == "issued" else desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    desk.danebot("status")  # writes the configuration
    (desk.root / "certbot").unlink()
    for path in (desk.root, *desk.root.parents):
        if path == Path(path.anchor):
            break
        path.chmod(path.stat().st_mode | 0o055)
    for name in ("live", "archive", "staging", *(() if as_certbot else ("renewal",))):
        if (desk.tree / name).exists():
            (desk.tree / name).chmod(0o700)
    return desk


@pytest.mark.parametrize("words", _VERBS, ids=" ".join)
def test_it_is_told_to_run_as_root(closed: Desk, words: tuple[str, ...]) -> None:
    under_care = (closed.tree / "staging").exists()
    said = _as_nobody(closed, *words)
    assert said.status == 1, said
    lines = said.err.splitlines()
    assert lines, said
    unmanaged = ("is not managed by danebot", "no lineage is under danebot's care")
    expected = ("run danebot as root", *(() if under_care else unmanaged))  # that can be told
    assert any(word in said.err for word in expected), said
    assert not [line for line in lines if "certbot" in line.replace(str(closed.root), "")], said
