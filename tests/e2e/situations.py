"""The moments at which faults strike: a site just before each of danebot's operations."""

from __future__ import annotations

import time

from e2e.publishing import by_update
from e2e.site import MAIL, OWNER, Site
from e2e.steps import cools

HOOK = "#!/bin/sh\n"
MORE = "_465._tcp.mail.example.test"
GOES, COMES = "mx2.example.test", "www.example.test"


def promotion(site: Site) -> tuple[str, ...]:
    """The ready key has cooled: the next renewal issues with it and deploys."""
    site.staged()
    site.lab.tlsa_add(OWNER, site.next_record())
    cools(site)
    time.sleep(site.lab.ttl + 0.5)
    return ("renew",)


def seen(site: Site) -> tuple[str, ...]:
    """The next key's record is there: the next run finds it everywhere, and the key is ready."""
    site.settings["min_wait"] = "2d"  # so that further runs do no more
    site.staged()
    site.lab.tlsa_add(OWNER, site.next_record())
    return ("renew",)


def withdrawn(site: Site) -> tuple[str, ...]:
    """The ready key's record is gone again: the next run waits for it anew."""
    record = site.staged()
    site.settings["min_wait"] = "2d"
    site.lab.tlsa_add(OWNER, site.next_record())
    cools(site)
    site.lab.tlsa_set(OWNER, record)
    return ("renew",)


def stranger(site: Site) -> tuple[str, ...]:
    """Somebody had certbot issue with a new key: the next run puts it aside."""
    site.staged()
    words = ("renew", "--force-renewal", "--new-key", "--no-reuse-key", "--cert-name", MAIL)
    site.lab.certbot(*words)
    return ("renew",)


def whole(site: Site) -> tuple[str, ...]:
    """A promotion where danebot publishes: the run takes the old record away, too."""
    words = promotion(site)
    by_update(site)
    return words


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


def publish(site: Site) -> tuple[str, ...]:
    """A next key whose record danebot is to publish itself."""
    site.staged()
    site.next_record()
    by_update(site)
    return ("publish", MAIL)


def watch(site: Site) -> tuple[str, ...]:
    """One more owner, with the record, comes under watch."""
    record = site.staged()
    site.lab.tlsa_set(f"{MORE}.", record)
    return ("watch", MAIL, MORE, "--although-unanswered")


def unwatch(site: Site) -> tuple[str, ...]:
    """That owner is let go."""
    site.ok(*watch(site))
    site.quiet("renew")
    return ("watch", "--remove", MAIL, MORE)


def deploy(site: Site) -> tuple[str, ...]:
    """Hooks run once more."""
    site.extra = 'hooks = ["true"]'
    site.staged()
    site.quiet("renew")
    return ("deploy", MAIL)


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
