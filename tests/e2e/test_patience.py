"""The CA's patience: how often certbot is called and the CA asked, and what is said of failures."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.site import MAIL, Site
from e2e.steps import memory, start, versions, wait_for

pytestmark = pytest.mark.lab
OTHER = "www.example.test"


def document(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(site.snapshot.read_text())
    return found


def lineage(site: Site, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document(site)["lineages"] if one["name"] == name)
    return found


def counted(site: Site) -> Path:
    """Have a file written a line to for each call of certbot; the file."""
    calls = site.tree.parent / "calls"
    calls.write_text("")
    wrapper = site.tree.parent / "counting-certbot"
    real = site.lab.certbot_wrapper(site.flavour)
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    site.certbot = wrapper
    return calls


def orders(calls: Path) -> list[str]:
    return [line for line in calls.read_text().splitlines() if "--version" not in line]


def test_an_emergency_waits_for_dns_and_not_for_the_ca(site: Site) -> None:
    """Looks every second, yet certbot is called once: nothing has changed since."""
    site.staged()
    calls = counted(site)
    site.settings["unseen_ttl"] = "3s"  # so that it looks again soon
    site.lab.make_due(MAIL)
    site.lab.acme_fault("rateLimited")
    run = start(site, "newkey", "--emergency", "--wait", MAIL)
    try:
        wait_for(lambda: len(orders(calls)) >= 1)
        with pytest.raises(Exception, match="timed out"):
            run.wait(timeout=12)
    finally:
        run.terminate()
        run.communicate(timeout=240)
    assert len(orders(calls)) == 1
    contacts = memory(site)["contacts"]
    assert [(one["call"], one["result"]) for one in contacts] == [("renewal", "failed")]


def test_a_lineage_that_the_ca_refuses_is_left_out_for_a_while(site: Site) -> None:
    site.staged()
    calls = counted(site)
    site.lab.issue(OTHER)
    site.ok("init", "--no-dane", OTHER)
    site.lab.make_due(MAIL)
    site.lab.acme_fault("rateLimited")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"{MAIL}: certbot renew failed once" in run.stderr
    assert "rateLimited" in run.stderr
    assert len(orders(calls)) == 1  # one call for all
    retry = datetime.fromisoformat(memory(site)["renewal_failure"]["retry_at"])
    last = datetime.fromisoformat(memory(site)["renewal_failure"]["last"])
    assert timedelta(minutes=50) < retry - last < timedelta(hours=1)

    site.lab.acme_fault(None)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"{MAIL}: certbot renew failed once" in run.stderr
    assert [OTHER in line for line in orders(calls)[1:]] == [True]
    assert versions(site) == [1]
    assert "certbot renew failed once" in site.danebot("status", MAIL).stdout

    site.quiet("renew", MAIL)  # the operator's word
    assert versions(site) == [1, 2]
    assert memory(site)["renewal_failure"] is None
    assert [one["result"] for one in memory(site)["contacts"]] == ["failed", "done"]


def test_a_failure_in_the_call_for_all_names_its_lineage(site: Site) -> None:
    """The one that failed has no success now, the other has; nor has the run."""
    site.staged()
    site.lab.issue(OTHER)
    site.ok("init", "--no-dane", OTHER)
    site.quiet("renew")
    before = {name: lineage(site, name)["last_success"] for name in (MAIL, OTHER)}
    succeeded = document(site)["last_success"]
    site.lab.make_due(MAIL)
    site.lab.make_due(OTHER)
    site.lab.acme_fault(f"serverInternal {OTHER}")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"WARNING: {OTHER}: certbot renew failed" in run.stderr
    failed, good = lineage(site, OTHER), lineage(site, MAIL)
    assert failed["last_success"] == before[OTHER]
    assert failed["last_failure"]["code"] == "renewal-failed"
    assert good["last_success"] > before[MAIL]
    assert good["last_failure"] is None
    assert document(site)["last_success"] == succeeded
    assert [one["lineage"] for one in document(site)["findings"]] == []


def test_the_success_of_one_lineage_is_not_that_of_the_run(site: Site) -> None:
    site.staged()
    site.quiet("renew")
    succeeded = document(site)["last_success"]
    site.quiet("renew", MAIL)
    assert document(site)["last_success"] == succeeded
    site.quiet("renew")
    assert document(site)["last_success"] > succeeded


def test_dry_runs_and_looks_ask_no_ca(site: Site) -> None:
    site.staged()
    calls = counted(site)
    site.lab.make_due(MAIL)
    site.next_record()
    for words in (
        ("renew", "--dry-run"),
        ("status",),
        ("tlsa", MAIL),
        ("publish", "--dry-run"),
        ("newkey", "--emergency", "--dry-run", MAIL),
        ("names", "--add", "www.example.test", "--dry-run", MAIL),
        ("init", "--dry-run"),
        ("deinit", "--drop-keys", "--dry-run"),
    ):
        assert site.danebot(*words).returncode in {0, 1}, words
    assert orders(calls) == []
