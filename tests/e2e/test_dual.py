"""RSA beside ECDSA: two lineages behind one owner name, each with its own key's life."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from danebot.adapters.tree.tree import Tree
from e2e.site import MAIL, OWNER, Site
from e2e.steps import wait_for
from lab.lab import Lab, missing

pytestmark = [pytest.mark.lab, pytest.mark.no_cover]
RSA = "rsa.example.test"
CIPHERS = {MAIL: "aECDSA", RSA: "aRSA"}


@pytest.fixture
def site() -> Iterator[Site]:
    """Both under danebot's care, served by a Postfix that is reloaded, each record published."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Lab(mail_caches=True, ttl=1) as lab:
        lab.issue(MAIL)
        lab.issue(RSA, MAIL, key_type="rsa", extra=("--rsa-key-size", "2048"))
        lab.postfix_serves(MAIL, RSA)
        lab.postfix_reload()
        site = Site(lab)
        for name in (MAIL, RSA):
            lab.tlsa_add(OWNER, _record(site, name))
        told = site.danebot("init")  # a Postfix process that began before has nothing to serve
        assert (told.returncode, "could not be asked" in told.stderr) in ((1, True), (0, False))
        site.extra = f'hooks = ["@postfix {lab.root}/postfix/etc"]'
        wait_for(lambda: _delivers(site))
        yield site


def _record(site: Site, name: str) -> str:
    """The ``3 1 1`` record of the key that a lineage's live holds."""
    live = Tree(site.tree).read(name).live
    assert live is not None
    return f"3 1 1 {live.key.digest.hex()}"


def _publication(site: Site, name: str) -> dict[str, list[str]]:
    """What ``tlsa`` says that ought to be published."""
    document: dict[str, list[str]] = json.loads(site.ok("tlsa", name, "--json"))
    return document


def _delivers(site: Site) -> bool:
    """Whether senders authenticate the server, whichever of the two certificates they get."""
    lab = site.lab
    for cipher in CIPHERS.values():
        said = lab.run(
            [
                *("posttls-finger", "-c", "-l", "dane-only", "-L", "summary,verbose"),
                *("-p", ">=TLSv1.2, <=TLSv1.2", "-o", f"tls_high_cipherlist={cipher}"),
                *("-g", "high", "example.test"),
            ]
        ).stdout
        if "Verified TLS connection established" not in said:
            return False
        assert cipher.removeprefix("a") in said  # the cipher's name tells the certificate
    return True


def _due(site: Site, name: str) -> None:
    """Have certbot renew one lineage in the next run, and once only."""
    conf = site.tree / "renewal" / f"{name}.conf"
    former = conf.read_text()
    site.lab.make_due(name)
    try:
        site.quiet("renew")
    finally:
        conf.write_text(former)


def test_each_renews_and_rolls_over_by_itself(site: Site) -> None:
    """No word of the other's records, and no sender is refused at any step."""
    for name in (MAIL, RSA):
        _due(site, name)
        assert site.status(name)["confirmed_at"] is not None
        assert _delivers(site)
    for name, other in ((MAIL, RSA), (RSA, MAIL)):
        kept, old = _record(site, other), _record(site, name)
        deployed = site.status(other)["deployed_at"]
        out = site.ok("newkey", name)
        (line,) = [line for line in out.splitlines() if not line.startswith(";")]
        new = line.split(" TLSA ", 1)[1]
        site.lab.tlsa_add(OWNER, new)
        with site.still():  # or it might be over by the end of a slow run
            site.quiet("renew")
        assert _delivers(site)
        time.sleep(1.2)
        said = site.ok("renew")
        assert f"{name}: the new key" in said
        assert f"{name}: remove: {OWNER} 1 IN TLSA {old}" in said
        assert f"{other}: " not in said
        assert _record(site, name) == new
        assert _record(site, other) == kept
        assert site.status(other)["deployed_at"] == deployed
        assert _delivers(site)
        for one, codes in ((name, ["records-to-remove"]), (other, [])):
            status = site.status(one)
            assert status["phase"] == "stable"
            assert [finding["code"] for finding in status["findings"]] == codes
        assert _publication(site, other)["remove"] == []
        site.lab.tlsa_del(OWNER, old)
        site.quiet("renew")
        assert _delivers(site)
        for one in (name, other):
            found = _publication(site, one)
            assert [len(found[part]) for part in ("keep", "add", "remove", "foreign")] == [
                1,
                0,
                0,
                0,
            ]
    records = {_record(site, name) for name in (MAIL, RSA)}
    assert site.lab.tlsa_at(site.lab.ns1, OWNER) == records


def test_one_that_is_not_reloaded_is_noticed_by_its_own_lineage(site: Site) -> None:
    """The server shows ECDSA to whoever takes both; the RSA lineage asks for RSA."""
    site.extra = ""
    conf = site.tree / "renewal" / f"{RSA}.conf"
    former = conf.read_text()
    site.lab.make_due(RSA)
    run = site.danebot("renew")
    conf.write_text(former)
    assert run.returncode == 1
    assert f"{RSA}: {MAIL}:25 [{site.lab.mail}] still serves another certificate" in run.stderr
    assert f"{MAIL}: {MAIL}:25" not in run.stderr
    site.lab.postfix_reload()
    wait_for(lambda: _delivers(site))
    site.quiet("renew")
    assert site.status(RSA)["confirmed_at"] is not None
