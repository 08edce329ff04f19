"""`status` and `tlsa`: to root from the tree, to anybody else from the last run's report."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from danebot import cli
from e2e.shell_tree import leaf_digest
from e2e.site import MAIL, OWNER, Site
from e2e.steps import cooled, versions

pytestmark = pytest.mark.lab
_NOBODY = 65534


def as_nobody(site: Site, output: Path, *args: str) -> tuple[int, str, str]:
    """Exit status, output and errors of danebot as nobody, in a child of this process.

    Where this Python is installed nobody may be able to read it: what is to be imported has been.
    """
    argv = site.command(*args)[len(site.python) :]
    child = os.fork()
    if child == 0:  # pragma: no cover - in another process
        status = 99
        try:
            sys.stdout = (output / "out").open("w", encoding="utf-8")
            sys.stderr = (output / "err").open("w", encoding="utf-8")
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            cli.main(argv)
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else 98
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, (output / "out").read_text(), (output / "err").read_text()


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """What doesn't depend on the time of the look."""
    return {key: document[key] for key in ("name", "phase", "live", "next", "records")}


def test_the_last_run_is_told(site: Site) -> None:
    site.staged()
    assert "danebot renew has not run here yet" in site.ok("status")
    site.quiet("renew")
    said = site.ok("status")
    assert "danebot renew ran last at 20" in said
    assert "exit status 0" in said
    document = json.loads(site.ok("status", "--json"))
    assert document["last_renew"]["exit_status"] == 0
    assert document["last_renew"]["verb"] == "renew"


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_json_is_all_that_programs_get(site: Site, quiet: tuple[str, ...]) -> None:
    """News are in the document, not before it."""
    cooled(site)
    before = site.danebot(*quiet, "renew", "--dry-run", "--json")
    assert (before.returncode, before.stderr) == (0, "")
    assert json.loads(before.stdout)["lineages"][0]["phase"] == "due"
    run = site.danebot(*quiet, "renew", "--json")
    assert (run.returncode, run.stderr) == (0, "")
    document = json.loads(run.stdout)
    assert document["lineages"][0]["phase"] == "stable"
    codes = {finding["code"]: finding["severity"] for finding in document["findings"]}
    assert (codes["promoted"], codes["confirmed"]) == ("notice", "notice")


def test_what_a_renewal_found_stays_in_the_document(site: Site) -> None:
    """Until another renewal looks: no other command has mended it."""
    site.staged()
    site.lab.make_due(MAIL)
    site.lab.acme_fault("rateLimited")
    assert site.danebot("renew").returncode == 1
    assert "renewal-failed" in found(site)
    site.lab.acme_fault(None)
    site.ok("newkey", MAIL)
    site.danebot("publish", MAIL)
    site.ok("newkey", "--cancel", MAIL)
    assert "renewal-failed" in found(site)
    site.quiet("renew", MAIL)
    assert "renewal-failed" not in found(site)


def test_a_damaged_memory_is_told_once(site: Site) -> None:
    """A hook may have been pending: without a word, a service would go on with the old chain."""
    site.staged()
    file = site.staging / "rollover.json"
    damaged = file.read_bytes()[:-9]
    for _ in range(2):
        file.write_bytes(damaged)
        run = site.danebot("renew")
        assert (run.returncode, run.stdout) == (1, "")
        assert f"{file} is damaged" in run.stderr
        assert f"reload the services that use {site.live}" in run.stderr
        assert f"what was there is in {file}.damaged" in run.stderr
        assert Path(f"{file}.damaged").read_bytes() == damaged
    site.quiet("renew")


def test_a_memory_that_cannot_be_read_is_never_written_anew(site: Site) -> None:
    """What it says of past keys and pending hooks isn't lost, and the other lineages go on.

    A link to itself stands for a disk that fails to read.
    """
    other = "other.example.test"
    site.staged()
    site.extra = f'[lineage."{other}"]\nprobe = false'  # the service has but the first one's key
    site.lab.issue(other, MAIL)
    theirs = (site.tree / "live" / other / "cert.pem").read_bytes()
    site.lab.tlsa_add(OWNER, f"3 1 1 {leaf_digest(theirs)}")
    site.ok("init", other)
    site.quiet("renew")
    file = site.staging / "rollover.json"
    aside = file.rename(file.with_name("aside"))
    file.symlink_to(file)
    (site.live / "cert.pem").unlink()
    for name in (MAIL, other):
        site.lab.make_due(name)
    for command in (("renew",), ("status",), ("newkey", MAIL), ("deinit", MAIL), ("publish",)):
        run = site.danebot(*command)
        assert run.returncode == 1, command
        assert f"cannot read {file}: Too many levels of symbolic links" in run.stdout + run.stderr
        assert file.is_symlink()
        assert (site.live / "cert.pem").exists()  # healed all the same
    assert (site.tree / "archive" / other / "cert2.pem").exists()
    assert versions(site) == [1]
    aside.replace(file)
    site.danebot("renew")
    assert versions(site) == [1, 2]
    site.sound()


def found(site: Site) -> set[str]:
    """The codes of what is wrong by the status document."""
    document = json.loads(site.snapshot.read_text())
    parts = [document, *document["lineages"]]
    return {finding["code"] for part in parts for finding in part["findings"]}


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes nobody, which only root can")
@pytest.mark.parametrize("closed", ["directories", "keys"])
def test_who_may_not_read_the_tree_sees_the_last_run(
    site: Site, tmp_path: Path, closed: str
) -> None:
    site.settings["min_wait"] = "1h"  # the phase is the same at each look
    site.staged()
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new)
    site.quiet("renew")
    expected = site.status()
    site.ok("status", MAIL)
    site.ok("tlsa", MAIL)
    if closed == "keys":
        for directory in (site.live, site.archive, site.live.parent, site.archive.parent):
            directory.chmod(0o755)
    status, out, err = as_nobody(site, tmp_path, "status", "--json", MAIL)
    assert status == 0, err
    assert "this is what danebot saw at 20" in err
    (document,) = json.loads(out)["lineages"]
    assert shown(document) == shown(expected)
    status, out, err = as_nobody(site, tmp_path, "status", MAIL)
    assert (status, out.startswith(f"{MAIL}: cooling")) == (0, True), err
    status, out, err = as_nobody(site, tmp_path, "tlsa", MAIL)
    assert (status, out) == (1, "")
    assert err == f"danebot: {MAIL}: its key may not be read; run danebot as root\n"
    status, out, err = as_nobody(site, tmp_path, "renew", "--dry-run")
    assert status == 1
    assert "run danebot as root" in err
    site.snapshot.unlink()
    status, out, err = as_nobody(site, tmp_path, "status", MAIL)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "run danebot as root" in err
