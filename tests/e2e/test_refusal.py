"""A CA that refuses, mail that fails already, and DNS that changes or falls silent."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, cooled, held_issuance, memory, pass_back_off, start, versions, wait_for

pytestmark = pytest.mark.lab


def test_a_ca_that_refuses_is_left_alone_for_a_while(site: Site) -> None:
    """Back-off is remembered and grows; the current key is renewed; then it is tried again."""
    old, new = cooled(site)
    site.lab.acme_fault("rateLimited")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "issuing with the ready key failed once" in run.stderr
    assert "rateLimited" in run.stderr
    assert _back_off(site) == timedelta(hours=1)
    site.sound()
    site.lab.acme_fault(None)
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    former = conf.read_text()
    site.lab.make_due(MAIL)
    run = site.danebot("renew")  # backs off, and renews with the current key
    assert run.returncode == 1
    assert "certbot renew failed" not in run.stderr
    assert versions(site) == [1, 2]
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == old
    conf.write_text(former)
    pass_back_off(site)
    site.lab.acme_fault("serverInternal")
    assert "failed 2 times" in site.danebot("renew").stderr
    assert _back_off(site) == timedelta(hours=2)
    pass_back_off(site)
    site.lab.acme_fault(None)
    assert "is live" in site.ok("renew")
    assert f"3 1 1 {combo(site)}" == new
    assert memory(site)["promotion_failure"] is None
    site.sound()


def _back_off(site: Site) -> timedelta:
    failure = memory(site)["promotion_failure"]
    last, retry = (datetime.fromisoformat(failure[name]) for name in ("last", "retry_at"))
    return retry - last


def test_mail_that_fails_already_is_repaired_at_once(site: Site) -> None:
    """Nothing is left to protect when every server securely lacks live's record."""
    site.settings["min_wait"] = "2d"
    site.staged()
    new = site.next_record()
    site.lab.tlsa_set(OWNER, new)
    assert not site.lab.dane_verified()
    site.lab.stop("secondary")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "no TLSA record at _25._tcp.mail.example.test matches the live key" in run.stderr
    assert versions(site) == [1]  # silence proves nothing
    site.lab.start("secondary")
    assert "is live" in site.ok("renew")
    assert f"3 1 1 {combo(site)}" == new
    assert site.lab.dane_verified()
    site.sound()


def test_one_server_that_has_it_still_is_protected(site: Site) -> None:
    """Some senders can deliver yet: the next key waits its time."""
    site.staged()
    new = site.next_record()
    with site.lab.lag_secondary():
        site.lab.tlsa_set(OWNER, new, wait=False)
        site.lab.flush()
        assert site.danebot("renew").returncode == 1
        assert versions(site) == [1]


def test_a_change_of_name_servers_begins_cooling_again(site: Site) -> None:
    """What the old servers said proves nothing of what the new ones' users have cached."""
    _, new = cooled(site)
    since = memory(site)["awaiting"]["seen_since"]
    third = ("ns3.example.test. 5 A " + site.lab.ns1, "example.test. 5 NS ns3.example.test.")
    site.lab.update(*(f"update add {record}" for record in third))
    try:
        with site.still():
            site.quiet("renew")
            assert versions(site) == [1]
            assert memory(site)["awaiting"]["seen_since"] > since
            site.quiet("renew")
        assert versions(site) == [1]
        time.sleep(6.5)  # the TTL of NS and of the record
        assert "is live" in site.ok("renew")
        assert f"3 1 1 {combo(site)}" == new
    finally:
        site.lab.update(*(f"update delete {record.replace(' 5 ', ' ')}" for record in third))


def test_a_dead_resolver_stops_the_promotion_alone(site: Site) -> None:
    """The key stays ready, the certificate is renewed, and it goes on when DNS is back."""
    old, new = cooled(site)
    site.lab.stop("resolver")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "the validating resolver gives no answer" in run.stderr
    assert (site.staging / "ready.pem").exists()
    assert f"3 1 1 {combo(site)}" == old
    site.lab.start("resolver")
    assert "is live" in site.ok("renew")
    assert f"3 1 1 {combo(site)}" == new


def test_a_silent_name_server_is_no_endless_wait(site: Site) -> None:
    """It stops the promotion without a word, but not for ever: then it is a warning."""
    _, new = cooled(site)
    site.lab.stop("secondary")
    site.quiet("renew")
    assert versions(site) == [1]
    site.settings["staged_warning"] = "1s"
    run = site.danebot("renew")
    assert run.returncode == 1
    assert f"WARNING: {MAIL}: the ready key waits since" in run.stderr
    assert "server gives no usable answer at ns2.example.test" in run.stderr
    site.lab.start("secondary")
    assert "is live" in site.ok("renew")
    assert f"3 1 1 {combo(site)}" == new


def test_an_issued_chain_gives_way_before_the_certificate_runs_out(site: Site) -> None:
    """A server dies for good after the CA has issued with the ready key."""
    old, _ = cooled(site)
    gate = held_issuance(site)
    run = start(site, "renew")
    wait_for(gate.reached)
    site.lab.stop("secondary")
    gate.open()
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "version 3 was issued but is not deployed" in said
    assert "ns2" in said
    assert f"3 1 1 {combo(site)}" == old

    site.lab.make_due(MAIL)
    with site.still(timedelta(days=61)):
        given = site.danebot("renew")
    assert given.returncode == 1
    assert "the waiting certificate is back on the live key" in given.stderr
    assert "ns2" in given.stderr
    assert versions(site)[-1] == 5  # 4 is the live key's, put back; 5 is renewed with it
    assert f"3 1 1 {combo(site)}" == f"3 1 1 {site.lab.served_spki()}" == old
    assert (site.staging / "ready.pem").exists()
    site.sound()
