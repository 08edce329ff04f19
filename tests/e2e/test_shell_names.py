"""The tree that danebot writes, read by the shell program's rules and nothing else."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from e2e.shell_tree import KINDS, key_digest, leaf_digest
from e2e.site import MAIL, OWNER, Site
from e2e.steps import cools

pytestmark = pytest.mark.lab


def interpret(tree: Path, name: str) -> dict[str, object]:
    """What the shell program would make of a lineage; it fails on what it can't read.

    A lineage is staged if it has a staging directory, whose links are relative; a next key is
    ``nextkey.pem``, a ready one ``ready.pem``, whose time of change is when cooling began; live is
    what ``combo.pem`` holds, key first; certbot's configuration leads to the one that renews.
    """
    staging, live = tree / "staging" / name, tree / "live" / name
    conf = (tree / "renewal" / f"{name}.conf").read_text()
    paths = re.findall(rf"(?m)^(?:{'|'.join(KINDS)}) = (.*)$", conf)
    archives = re.findall(r"(?m)^archive_dir = (.*)$", conf)
    reuse = re.search(r"(?m)^\[renewalparams\]\n(.*\n)*reuse_key = True$", conf)
    found: dict[str, object] = {
        "staged": staging.is_dir(),
        "renews in staging": {Path(path).parent for path in paths} == {staging},
        "archive": archives == [str(tree / "archive" / name)],
        "keeps the key": reuse is not None,
        "former conf": (tree / "renewal" / f"{name}.conf.orig").is_file(),
    }
    for directory in (live, staging) if staging.is_dir() else (live,):
        targets = {kind: os.readlink(directory / f"{kind}.pem") for kind in KINDS}
        pattern = rf"\.\./\.\./archive/{re.escape(name)}/(\w+)\d+\.pem"
        assert all(re.fullmatch(pattern, t) and kind in t for kind, t in targets.items()), targets
        assert (directory / "README").is_file()
    for file in ("nextkey.pem", "ready.pem"):
        path = staging / file
        if path.exists():
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
            found[file] = key_digest(path.read_bytes())
    combo = live / "combo.pem"
    blocks = re.findall(r"-----BEGIN ([A-Z ]+)-----", combo.read_text())
    assert blocks == ["PRIVATE KEY", *["CERTIFICATE"] * (len(blocks) - 1)]
    assert combo.stat().st_mode & 0o777 == 0o600
    assert leaf_digest(combo.read_bytes()) == key_digest(combo.read_bytes())
    found["serves"] = key_digest(combo.read_bytes())
    own = staging if staging.is_dir() else live
    found["dane-ee"] = (own / "dane-ee").read_text()
    if (staging / "ready.pem").exists():
        found["cooling since"] = (staging / "ready.pem").stat().st_mtime
    return found


def test_every_phase_by_the_shell_programs_rules(site: Site) -> None:
    """Staged, next, ready, promoted, given back: the shell program could take over anywhere."""
    old = site.issued().split()[-1]
    site.lab.tlsa_set(OWNER, f"3 1 1 {old}", ttl=1)
    site.ok("init", MAIL)
    stable = interpret(site.tree, MAIL)
    assert stable == {
        "staged": True,
        "renews in staging": True,
        "archive": True,
        "keeps the key": True,
        "former conf": True,
        "serves": old,
        "dane-ee": f"1 {OWNER.rstrip('.')}\n",
    }
    new = site.next_record().split()[-1]
    assert interpret(site.tree, MAIL) == {**stable, "nextkey.pem": new}
    site.lab.tlsa_add(OWNER, f"3 1 1 {new}", ttl=1)
    began = time.time()
    cools(site)
    ready = interpret(site.tree, MAIL)
    assert began - 1 <= float(str(ready.pop("cooling since"))) <= time.time() + 1
    assert ready == {**stable, "ready.pem": new}
    time.sleep(1.2)
    site.ok("renew")
    assert interpret(site.tree, MAIL) == {**stable, "serves": new}
    site.ok("deinit", MAIL)
    back = {**stable, "serves": new, "staged": False, "renews in staging": False}
    assert interpret(site.tree, MAIL) == back
    assert key_digest((site.live / "privkey.pem").read_bytes()) == new
    assert not (site.tree / "staging").exists()
