"""A lineage that danebot doesn't manage, whose next renewal would stop mail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.site import MAIL, OWNER, Site

pytestmark = pytest.mark.lab


def findings(site: Site) -> list[tuple[str, str]]:
    document: dict[str, Any] = json.loads(site.snapshot.read_text())
    (lineage,) = document["lineages"]
    codes = [(one["code"], one["severity"]) for one in lineage["findings"]]
    return [found for found in codes if found[0] != "combo-behind"]


def calm(site: Site, *names: str) -> None:
    """A run without a word but on the lab's combo.pem, which nobody keeps up to date here."""
    said = site.danebot("renew", *names).stderr
    assert all("combo.pem" in line for line in said.splitlines()), said


def test_a_renewal_that_stops_mail_is_foretold_and_then_told(site: Site) -> None:
    site.issued()
    for words in (("renew",), ("status",), ("renew", "--dry-run")):
        run = site.danebot(*words)
        shown = run.stdout + run.stderr
        assert f"{MAIL}" in shown
        assert "breaks at its next renewal, from " in shown, words
        assert f"danebot init {MAIL}" in shown
        assert run.returncode == 1, words
    assert findings(site) == [("breaks-at-renewal", "warning")]
    assert site.status()["renews_at"]

    site.lab.make_due(MAIL)
    run = site.danebot("renew")  # certbot makes its new key
    assert run.returncode == 1
    assert "DANE senders refuse its certificate" in run.stderr
    assert findings(site) == [("tlsa-mismatch", "critical")]
    key = site.lab.served_spki()
    site.lab.tlsa_set(OWNER, f"3 1 1 {key}")


def test_under_care_it_doesnt_break(site: Site) -> None:
    record = site.issued()
    assert site.danebot("renew").returncode == 1
    site.ok("init", MAIL)
    site.quiet("renew")
    site.lab.make_due(MAIL)
    site.quiet("renew")
    assert site.lab.served_spki() == record.split()[-1]


def test_without_records_it_stays_silent(site: Site) -> None:
    site.issued()
    site.lab.tlsa_set(OWNER)
    site.quiet("renew")


def test_a_failing_renewal_is_remembered_without_a_memory_of_its_own(site: Site) -> None:
    site.issued()
    site.lab.tlsa_set(OWNER)
    site.lab.make_due(MAIL)
    site.lab.acme_fault("serverInternal")
    assert f"{MAIL}: certbot renew failed once" in site.danebot("renew").stderr
    site.lab.acme_fault(None)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"{MAIL}: certbot renew failed once" in run.stderr
    calm(site, MAIL)
    calm(site)
