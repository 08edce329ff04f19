"""Postfix, Dovecot and nginx keep their chain until they are reloaded: danebot's hooks do that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from e2e.site import MAIL, Site
from e2e.steps import memory, wait_for
from lab.imap import dovecot
from lab.lab import Lab, missing
from lab.web import nginx

pytestmark = pytest.mark.lab
PORTS = (25, 143, 993, 443)


@pytest.fixture(scope="module")
def serving() -> Iterator[Site]:
    """A lab where all three serve a lineage that is danebot's, and its records are published."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Lab(mail_caches=True) as lab:
        lab.issue(MAIL)
        combo = lab.tree / "live" / MAIL / "combo.pem"
        lab.add(dovecot(lab.root, lab.mail, combo), nginx(lab.root, lab.mail, combo))
        lab.postfix_reload()
        wait_for(lambda: _spki(lab) is not None)
        for port in PORTS:
            lab.tlsa_set(f"_{port}._tcp.{MAIL}.", f"3 1 1 {lab.served_spki()}")
        site = Site(lab)
        site.ok("init", MAIL)
        yield site


def _spki(lab: Lab) -> str | None:
    try:
        return lab.served_spki()
    except OSError:
        return None


def _hooks(site: Site) -> dict[str, str]:
    root = site.lab.root
    configurations = {
        "@postfix": root / "postfix/etc",
        "@dovecot": root / "dovecot/dovecot.conf",
        "@nginx": root / "nginx/nginx.conf",
    }
    return {name: f"{name} {path}" for name, path in configurations.items()}


def test_each_is_reloaded_and_seen_to_serve_the_new_chain(serving: Site) -> None:
    """Without the hooks all of them keep the old one, which the probe tells."""
    site = serving
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    former = conf.read_text()
    site.lab.make_due(MAIL)
    run = site.danebot("renew")
    conf.write_text(former)
    assert run.returncode == 1
    for port in PORTS:
        assert f"{MAIL}:{port} [{site.lab.mail}] still serves another certificate" in run.stderr
    hooks = _hooks(site)
    site.extra = f"hooks = {json.dumps(list(hooks.values()))}"
    assert site.danebot("renew").returncode == 1  # they are pending from now on
    assert [p["hook"] for p in memory(site)["deployment"]["pending"]] == list(hooks.values())
    site.quiet("renew")
    assert memory(site)["deployment"]["confirmed_at"] is not None
    assert memory(site)["deployment"]["pending"] == []
    site.lab.make_due(MAIL)
    site.quiet("renew")  # as it will be from now on
    conf.write_text(former)
    assert memory(site)["deployment"]["confirmed_at"] is not None


@pytest.mark.parametrize(
    ("hook", "file", "words"),
    [
        ("@nginx", "nginx/nginx.conf", 'expecting ";"'),
        ("@dovecot", "dovecot/dovecot.conf", "Expecting '{'"),
        ("@postfix", "postfix/etc/master.cf", "bad field count"),
    ],
)
def test_a_broken_configuration_is_not_made_live(
    serving: Site, hook: str, file: str, words: str
) -> None:
    """One line says what is wrong with it; mended, all is well at the next run."""
    site = serving
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    former = conf.read_text()
    site.extra = f"hooks = {json.dumps(list(_hooks(site).values()))}"
    broken = site.lab.root / file
    text = broken.read_text()
    broken.write_text(f"{text}\nnonsense\n")
    site.lab.make_due(MAIL)
    run = site.danebot("renew")
    conf.write_text(former)
    broken.write_text(text)
    assert run.returncode == 1
    failed = [line for line in run.stderr.splitlines() if " failed once: " in line]
    assert len(failed) == 1, run.stderr
    service = hook.removeprefix("@")
    assert f"deploy hook {hook} ... failed once" in failed[0]
    assert f"{service}: not reloaded, its configuration is wrong: " in failed[0]
    assert words in failed[0]
    site.quiet("renew")
    assert memory(site)["deployment"]["pending"] == []
