"""Fifty idle lineages: a `danebot renew` against one `certbot -q renew` over the same tree."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bench.measure import Bench, cpu_seconds
from e2e.site import MAIL, Site
from lab.lab import Lab

LINEAGES = 50
GOAL = 1.25


def test_fifty_idle_lineages(lab: Lab, fresh_tree: Path, bench: Bench) -> None:
    site = Site(lab)
    assert fresh_tree == lab.tree
    lab.issued_tree(MAIL)
    record = f"3 1 1 {lab.served_spki()}"
    names = [f"m{number}.many.example.test" for number in range(LINEAGES)]
    lab.update(*(f"update add _25._tcp.{name}. 300 IN TLSA {record}" for name in names))
    for name in names:
        clone(lab.tree, MAIL, name)
        (lab.tree / "live" / name / "dane-ee").write_text(f"1 _25._tcp.{name}\n")
    shutil.rmtree(lab.tree / "live" / MAIL)
    shutil.rmtree(lab.tree / "archive" / MAIL)
    (lab.tree / "renewal" / f"{MAIL}.conf").unlink()
    site.extra = "probe = false\n"  # nothing serves them, which init would tell
    site.ok("init")
    site.quiet("renew")
    certbot = [str(lab.certbot_wrapper()), "-q", "renew", "--config-dir", str(lab.tree)]
    danebot = site.command("renew")
    start = site.command("--version")
    # compiled modules are kept, as an installation does, and files are settled, as a day later
    env = {**site.env(), "PYTHONDONTWRITEBYTECODE": ""}
    time.sleep(2)
    ours, reference, starts = cpu_seconds([danebot, certbot, start], rounds=9, env=env)
    bench.rounds(
        "renew of 50 idle lineages / certbot -q renew + one danebot --version",
        ours,
        list(map(sum, zip(reference, starts, strict=True))),
        "s CPU",
        goal=GOAL,
    )
    lab.update(*(f"update delete _25._tcp.{name}. TLSA" for name in names))


def clone(tree: Path, source: str, name: str) -> None:
    """Make another lineage of the same content, as certbot lays it out."""
    shutil.copytree(tree / "archive" / source, tree / "archive" / name)
    shutil.copytree(tree / "live" / source, tree / "live" / name, symlinks=True)
    for link in (tree / "live" / name).iterdir():
        if link.is_symlink():
            target = Path(str(link.readlink()).replace(source, name))
            link.unlink()
            link.symlink_to(target)
    conf = (tree / "renewal" / f"{source}.conf").read_text()
    (tree / "renewal" / f"{name}.conf").write_text(conf.replace(source, name))
