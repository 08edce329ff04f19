"""`danebot doctor` and `danebot rehearse` on real servers: they see what is, and change nothing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from danebot.adapters.dns.examine import examine
from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.domain.doctor.facts import Asked
from e2e.publishing import by_update
from e2e.site import MAIL, OWNER, Site
from lab.resolvers import Resolver
from lab.second import SecondLab

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab


def digest(*places: Path) -> dict[str, tuple[int, int, str]]:
    """Everything below some places: mode, time of change, and content or target."""
    found = {}
    for place in places:
        for path in sorted((place, *place.rglob("*"))):
            status = path.lstat()
            if path.is_symlink():
                content = os.readlink(path)
            else:
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            written = 0 if path.is_dir() else status.st_mtime_ns  # locks come and go
            found[str(path)] = (status.st_mode, written, content)
    return found


def codes(site: Site) -> dict[str, str]:
    run = site.danebot("doctor", "--json")
    assert run.returncode in (0, 1), run.stderr
    assert run.stderr == ""
    return {one["code"]: one["text"] for one in json.loads(run.stdout)["findings"]}


@pytest.fixture
def before(site: Site) -> Iterator[dict[str, tuple[int, int, str]]]:
    """What is there before, and has to be there afterwards."""
    site.staged()
    site.ok("renew")
    there = digest(site.tree, site.snapshot.parent)
    yield there
    assert digest(site.tree, site.snapshot.parent) == there


def test_the_doctor_sees_real_servers_and_changes_nothing(
    site: Site, before: dict[str, tuple[int, int, str]]
) -> None:
    assert before
    found = codes(site)
    # what the lab has none of, and its host's own clock
    assert found.keys() - {"clock-unsynchronised"} == {"not-scheduled", "no-reload"}, found


@pytest.mark.parametrize("resolver", Resolver)
def test_real_resolvers_validate(second: SecondLab, resolver: Resolver) -> None:
    assert second.root.is_dir()
    (asked,) = examine(ResolverConfig((Nameserver(resolver.address),)))
    assert asked == Asked(
        resolver.address,
        loopback=True,
        public=False,
        trusted=False,
        authentic=True,
        signed=True,
    )


def test_a_publisher_is_tried_out(site: Site, before: dict[str, tuple[int, int, str]]) -> None:
    assert before
    by_update(site)
    assert "publisher-refused" not in codes(site)
    by_update(site, secret="bm90aGluZyBhdCBhbGw=")  # noqa: S106 - no secret
    assert "TSIG" in codes(site)["publisher-refused"]


def test_a_rehearsal_goes_through_all_and_changes_nothing(
    site: Site, before: dict[str, tuple[int, int, str]], tmp_path: Path
) -> None:
    assert before
    said = tmp_path / "said"
    site.extra = f"""hooks = ['echo "$DANEBOT_EVENT $RENEWED_LINEAGE" >> {said}']"""
    out = site.ok("rehearse", MAIL)
    assert f"{MAIL}: certbot's dry run got a certificate for the key that a renewal keeps" in out
    assert f"{MAIL}: the live chain is served by mail.example.test:25" in out
    assert f"{MAIL}: records are published by hand" in out
    assert f"{MAIL}: in an emergency the key would be replaced" in out
    assert not said.exists()
    assert "certbot" not in site.ok("rehearse", "--hooks", "--no-certbot", MAIL)
    assert said.read_text() == f"rehearsal {site.live}\n"


def test_a_rehearsal_tells_what_fails(site: Site, before: dict[str, tuple[int, int, str]]) -> None:
    assert before
    site.extra = "hooks = ['echo no such service; exit 3']"
    site.lab.stop("acme")
    try:
        run = site.danebot("rehearse", "--hooks", MAIL)
    finally:
        site.lab.start("acme")
    assert run.returncode == 1
    assert "certbot's dry run failed" in run.stderr
    assert "deploy hook echo ... failed: exit status 3: no such service; mend it" in run.stderr
    assert OWNER.rstrip(".") not in run.stderr
