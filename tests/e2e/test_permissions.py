"""Watched with strace: no private key is ever open to others, and nothing takes its name in the
tree before it is on the disk.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from danebot.adapters.tree.paths import KINDS
from e2e import situations
from e2e.site import Site

pytestmark = pytest.mark.lab

_CALLS = (
    "open,openat,creat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,symlink,"
    "symlinkat,mkdir,mkdirat,chmod,fchmod,fchmodat,link,linkat"
)
_LINE = re.compile(r"(?P<call>\w+)\((?P<words>.*)\) = \d+(?:<(?P<made>[^>]*)>)?$")
_PATH = re.compile(r'"([^"]*)"|\d+<([^>]*)>')
_MODE = re.compile(r"\b0[0-7]{2,4}\b")


@dataclass(frozen=True)
class Call:
    """One successful call: its name, the paths in it in order, its last mode, its text."""

    name: str
    paths: tuple[Path, ...]
    mode: int | None
    text: str


def _watch(site: Site, arguments: tuple[str, ...]) -> dict[str, list[Call]]:
    """Run danebot under strace; the calls of each process in order."""
    with tempfile.TemporaryDirectory(prefix="danebot-strace.") as directory:
        log = Path(directory) / "log"
        options = ("-f", "-ff", "-qq", "-y", "-s", "40", "-e", f"trace={_CALLS}", "-o", str(log))
        plain = site.python
        site.python = ("strace", *options, sys.executable, "-m", "danebot")
        try:
            done = site.danebot(*arguments)
        finally:
            site.python = plain
        assert done.returncode == 0, done.stderr
        return {
            path.suffix: [call for line in path.read_text().splitlines() for call in _parse(line)]
            for path in Path(directory).iterdir()
        }


def _parse(line: str) -> list[Call]:
    match = _LINE.match(line)
    if match is None:
        return []
    name, words = match["call"], match["words"]
    paths = [Path(a or b) for a, b in _PATH.findall(words)]
    if name.startswith("open") and match["made"]:
        paths = [Path(match["made"])]
    modes = _MODE.findall(words.rsplit('"', 1)[-1] if name != "fchmod" else words)
    creates = not name.startswith("open") or "O_CREAT" in words
    return [Call(name, tuple(paths), int(modes[-1], 8) if modes and creates else None, words)]


@pytest.mark.parametrize("combo_mode", [0o600, 0o640], ids=oct)
@pytest.mark.parametrize(
    "prepare", [situations.newkey, situations.init, situations.renewal, situations.promotion]
)
def test_keys_and_durability(
    site: Site, prepare: Callable[[Site], tuple[str, ...]], combo_mode: int
) -> None:
    site.settings["combo_mode"] = f"{combo_mode:04o}"
    processes = _watch(site, prepare(site))
    every = [call for calls in processes.values() for call in calls]
    _assert_private(every, combo_mode)
    (danebot,) = (calls for calls in processes.values() if any(_is_temporary(c) for c in calls))
    _assert_durable(danebot, site.tree)
    if prepare is not situations.newkey:
        _assert_deployed_durably(danebot, site)
        assert (site.live / "combo.pem").stat().st_mode & 0o777 == combo_mode


def _is_temporary(call: Call) -> bool:
    return call.name.startswith("rename") and ".danebot-tmp-" in str(call.paths[0])


def _assert_private(calls: list[Call], combo_mode: int) -> None:
    """No file into which a private key was written had a mode wider than it may have."""
    keys = {c.paths[0] for c in calls if "write" in c.name and "PRIVATE KEY" in c.text}
    assert keys
    becomes = {c.paths[0]: c.paths[-1] for c in calls if c.name.startswith("rename")}
    modes: dict[Path, list[int]] = defaultdict(list)
    for call in calls:
        if call.mode is not None and call.paths and call.paths[-1] in keys:
            modes[call.paths[-1]].append(call.mode)
    for key in keys:
        allowed = combo_mode if becomes.get(key, key).name == "combo.pem" else 0o600
        assert modes[key], f"{key} was not created in this run?"
        assert modes[key][0] & 0o077 == 0, (key, modes[key])
        assert not [oct(m) for m in modes[key] if m & 0o777 & ~allowed], (key, modes[key])
    linked = [c for c in calls if c.name.startswith("link") and c.paths[0] in keys]
    assert not linked


def _assert_durable(calls: list[Call], tree: Path) -> None:
    """What danebot made is synced before it is renamed, and its directory after that."""
    for number, call in enumerate(calls):
        if not call.name.startswith("rename") or not call.paths[-1].is_relative_to(tree):
            continue
        old, new = call.paths
        before = [c for c in calls[:number] if c.paths and c.paths[-1] == old]
        if before and before[0].name != "symlink":
            assert before[-1].name == "fsync", (call, before)
        _assert_synced(new.parent, calls[number + 1 :], call)
    for number, call in enumerate(calls):
        inside = call.name == "mkdir" and call.paths[0].is_relative_to(tree)
        if inside and ".danebot-tmp-" not in call.paths[0].name:
            _assert_synced(call.paths[0].parent, calls[number + 1 :], call)


def _assert_deployed_durably(calls: list[Call], site: Site) -> None:
    """certbot syncs nothing: its files are synced before ``combo.pem`` is replaced."""
    combo = site.live / "combo.pem"
    renames = (n for n, call in enumerate(calls) if call.name.startswith("rename"))
    (at,) = (n for n in renames if calls[n].paths[-1] == combo)
    synced = {call.paths[0] for call in calls[:at] if call.name == "fsync"}
    needed = {(site.live / f"{kind}.pem").resolve() for kind in KINDS}
    assert needed <= synced


def _assert_synced(directory: Path, later: list[Call], call: Call) -> None:
    """The directory is synced before anything else takes a name elsewhere."""
    for after in later:
        if after.name == "fsync" and after.paths[0] == directory:
            return
        assert not after.name.startswith("rename"), (call, after)
    raise AssertionError(f"{directory} was not synced after {call}")
