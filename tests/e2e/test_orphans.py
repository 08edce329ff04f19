"""What was taken away of a lineage under care is told, with the way back."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo

pytestmark = pytest.mark.lab


def test_a_lineage_that_certbot_deleted(site: Site) -> None:
    """combo.pem is served still, and a next key published: it is told, and can be had back."""
    record = site.staged()
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new)
    site.quiet("renew")
    site.lab.certbot("delete", "--non-interactive", "--cert-name", MAIL)
    assert f"3 1 1 {combo(site)}" == record

    for words in (("renew",), ("renew", "--dry-run"), ("status",), ("status", MAIL)):
        run = site.danebot(*words)
        assert run.returncode == 1, words
        assert f"{MAIL}: {site.tree}/renewal/{MAIL}.conf is gone" in run.stderr, words
        assert "may be published" in run.stderr
    assert "danebot status" in site.danebot("renew", MAIL).stderr
    document = json.loads(site.snapshot.read_text())
    found = [one for one in document["findings"] if one["code"] == "not-renewed"]
    assert [(one["lineage"], one["severity"]) for one in found] == [(MAIL, "warning")]

    assert found[0]["remedy"] == f"the way back: danebot status {MAIL}"
    told = site.danebot("status", MAIL).stdout
    way = re.search(r"to go on: (cp -p .*?); then: (danebot init \S+)", told)
    assert way is not None
    subprocess.run(shlex.split(way[1]), check=True)
    site.ok(*shlex.split(way[2])[1:])
    site.ok("renew")
    assert site.danebot("renew").returncode == 0
    site.sound()
    assert f"3 1 1 {combo(site)}" in {record, new}
    site.lab.make_due(MAIL)
    site.ok("renew")
    assert site.lab.dane_verified()


def test_a_staging_directory_that_is_gone(site: Site) -> None:
    record = site.staged()
    shutil.rmtree(site.staging)
    for words in (("renew",), ("status",)):
        run = site.danebot(*words)
        assert run.returncode == 1
        shown = run.stdout + run.stderr
        assert f"{site.staging}: it is gone, though certbot's configuration leads there" in shown
        assert f"run: danebot init {MAIL}" in shown
    site.ok("init", MAIL)
    site.quiet("renew")
    site.sound()
    assert f"3 1 1 {combo(site)}" == record
    assert (site.staging / "dane-ee").read_text() == f"1 {OWNER.rstrip('.')}\n"
