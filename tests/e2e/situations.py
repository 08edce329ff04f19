"""The moments at which faults strike: a site just before each of danebot's operations."""

from __future__ import annotations

import time

from e2e.site import MAIL, OWNER, Site
from e2e.steps import cools

HOOK = "#!/bin/sh\n"
GOES, COMES = "mx2.example.test", "www.example.test"


def promotion(site: Site) -> tuple[str, ...]:
    """The ready key has cooled: the next renewal issues with it and deploys."""
    site.staged()
    site.lab.tlsa_add(OWNER, site.next_record())
    cools(site)
    time.sleep(site.lab.ttl + 0.5)
    return ("renew",)


def renewal(site: Site) -> tuple[str, ...]:
    """The certificate is due: the next renewal issues with the same key and deploys."""
    site.staged()
    site.quiet("renew")
    site.lab.make_due(MAIL)
    return ("renew",)


def newkey(site: Site) -> tuple[str, ...]:
    """A staged lineage without a next key."""
    site.staged()
    return ("newkey", MAIL)


def cancel(site: Site) -> tuple[str, ...]:
    """A next key whose record is published, and is to be cancelled."""
    site.staged()
    site.lab.tlsa_add(OWNER, site.next_record())
    return ("newkey", "--cancel", MAIL)


def init(site: Site) -> tuple[str, ...]:
    """certbot's own lineage with a deploy hook; services use it without ``combo.pem``."""
    site.issued()
    _deploy_hook(site)
    (site.live / "combo.pem").unlink()
    return ("init", MAIL)


def names(site: Site) -> tuple[str, ...]:
    """One of two required names goes, with its TLSA owner, and another one comes, with its own."""
    site.lab.issued_tree(MAIL, MAIL, GOES)
    record = f"3 1 1 {site.lab.served_spki()}"
    for name in (MAIL, GOES, COMES):
        site.lab.tlsa_set(f"_25._tcp.{name}.", record)
    site.ok("init", MAIL)
    (site.staging / "dnsnames").write_text(f"{MAIL}\n{GOES}\n")
    site.quiet("renew")
    return ("names", MAIL, "--remove", GOES, "--add", COMES)


def deinit(site: Site) -> tuple[str, ...]:
    """A staged lineage without a key on its way, and a deploy hook that is held back."""
    site.staged()
    _deploy_hook(site)
    site.quiet("renew")
    return ("deinit", MAIL)


def _deploy_hook(site: Site) -> None:
    hook = site.tree / "renewal-hooks/deploy/10-reload"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
