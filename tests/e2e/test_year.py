"""A year of operation without a human, a minute a quarter: nobody who sends mail ever notices.

Without ``PROVE=all`` it ends after half a year.

Time is compressed by short TTLs, periods and certificate lifetimes; every check is on.  Two
lineages, ECDSA and RSA, stand behind one owner name of one Postfix; danebot publishes by DNS UPDATE
to the real primary, the secondary is slow all the time, and senders that insist on DANE connect all
the time, through a resolver that caches, some for each kind of key.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from amounts import amount
from e2e.publishing import FOREIGN, by_update
from e2e.shell_tree import leaf_digest
from e2e.site import MAIL, OWNER, Site
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), pytest.mark.no_cover]
QUARTERS = amount(2, 4)
QUARTER = "52s"
LIFETIME = 80
"""Seconds that a certificate lives: certbot renews after 40, so within each quarter."""
RSA = "rsa.example.test"
KINDS = {"aECDSA": MAIL, "aRSA": RSA}
SETTINGS = {
    "min_wait": "1s",
    "margin": "1s",
    "unseen_ttl": "3s",
    "retire_after": "2s",
    "rollover_every": QUARTER,
}


@dataclass
class Senders:
    """Postfix's client, over and over, asking for the certificate of each kind in turn."""

    lab: Lab
    attempts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def send(self) -> None:
        """One connection for each kind; what isn't verified is kept."""
        for kind in KINDS:
            run = self.lab.run(
                [
                    *("posttls-finger", "-c", "-l", "dane-only", "-L", "summary,verbose"),
                    *("-p", "!TLSv1.3", "-o", f"tls_medium_cipherlist={kind}", "example.test"),
                ]
            )
            self.attempts[kind] += 1
            if "Verified TLS connection established" not in run.stdout:
                self.refused.append(f"{time.strftime('%X')} {kind}\n{run.stdout}{run.stderr}")
        time.sleep(1)  # what they would be refused for lasts for a TTL


@dataclass
class Year:
    """The daily runs, and all that was served in turn: keys, and certificates."""

    site: Site
    keys: dict[str, list[str]] = field(default_factory=dict)
    certificates: dict[str, set[bytes]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def day(self) -> None:
        """One run of the daily job, and a look at what is live."""
        run = self.site.danebot("renew")
        if run.returncode:
            self.troubles.append(run.stdout + run.stderr)
        self.look()
        time.sleep(1.5)

    def look(self) -> None:
        """Note what is served now."""
        for name in KINDS.values():
            pem = (self.site.tree / "live" / name / "combo.pem").read_bytes()
            keys = self.keys.setdefault(name, [])
            if leaf_digest(pem) not in keys[-1:]:
                keys.append(leaf_digest(pem))
            self.certificates.setdefault(name, set()).add(pem)

    @property
    def over(self) -> bool:
        """Whether both lineages had all their scheduled rollovers."""
        return min(map(len, self.keys.values())) > QUARTERS


@contextmanager
def going_on(*actions: Callable[[], None]) -> Iterator[None]:
    """Repeat each action in a thread of its own meanwhile."""
    over = threading.Event()

    def repeat(action: Callable[[], None]) -> None:
        while not over.is_set():
            action()

    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_year_without_a_human() -> None:
    with Lab(ttl=2, validity=LIFETIME) as lab:
        site = set_up(lab)
        senders, year = Senders(lab), Year(site)
        year.look()

        with going_on(senders.send, lambda: lag(lab)):
            until(lambda: year.over, year.day, 600)
        site.settings["rollover_every"] = "never"
        until(lambda: lab.tlsa_at(lab.ns1, OWNER) == wanted(site), year.day, 120)

        assert senders.refused == []
        assert all(senders.attempts[kind] >= 5 * QUARTERS for kind in KINDS), senders.attempts
        assert year.troubles == []
        assert lab.tlsa_at(lab.ns2, OWNER) == wanted(site)
        for name, keys in year.keys.items():
            assert len(set(keys)) == len(keys) > QUARTERS
            assert len(year.certificates[name]) > len(keys), "no ordinary renewal in between"
            site.sound(name)


def set_up(lab: Lab) -> Site:
    """Two lineages behind one name, published as they are, under danebot's care."""
    site = Site(lab, settings=dict(SETTINGS))
    lab.issue(MAIL)
    lab.issue(RSA, MAIL, key_type="rsa", extra=("--rsa-key-size", "2048"))
    lab.postfix_serves(MAIL, RSA)
    year = Year(site)
    year.look()
    lab.tlsa_set(OWNER, FOREIGN, *(f"3 1 1 {keys[0]}" for keys in year.keys.values()), ttl=2)
    by_update(site)
    site.extra = "prepublish = true\n" + site.extra
    site.ok("init")
    for name in KINDS.values():
        assert OWNER.rstrip(".") in (site.tree / "staging" / name / "dane-ee").read_text()
    return site


def lag(lab: Lab) -> None:
    """The secondary is a few seconds behind, again and again."""
    lab.control("secondary", "zone-freeze", "example.test.")
    time.sleep(2)
    lab.control("secondary", "zone-thaw", "example.test.")
    lab.control("secondary", "zone-refresh", "example.test.")
    time.sleep(1)


def until(condition: Callable[[], bool], action: Callable[[], None], seconds: float) -> None:
    """Repeat ``action`` until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        action()


def wanted(site: Site) -> set[str]:
    """The current and the next key's record of each lineage, and what isn't ours."""
    records = {FOREIGN}
    for name in KINDS.values():
        status = site.status(name)
        awaited = status["ready"] or status["next"] or {"digest": "none"}
        records |= {f"3 1 1 {status['current']['digest']}", f"3 1 1 {awaited['digest']}"}
    return records
