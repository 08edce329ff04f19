"""danebot publishes TLSA records itself: DNS UPDATE to the real primary, and what may fail."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable

import pytest

from adapters.relay import interposed
from danebot.adapters.tree.tree import Tree
from e2e.publishing import (
    FOREIGN,
    by_update,
    key_file,
    later,
    published,
    renewed_until,
    seen_everywhere,
    shift,
)
from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, memory

pytestmark = pytest.mark.lab


def test_a_whole_rollover_without_hands(site: Site) -> None:
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, FOREIGN, ttl=1)
    by_update(site)
    site.ok("init", MAIL)
    new = site.next_record()

    planned = site.ok("renew", "--dry-run")
    assert f"{MAIL}: would add (rfc2136): {OWNER} 1 IN TLSA {new}" in planned
    assert new not in published(site)

    said = site.ok("renew")

    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert published(site) == {old, new, FOREIGN}
    assert site.lab.tlsa_at(site.lab.ns2, OWNER) == {old, new, FOREIGN}
    said = "".join(renewed_until(site, lambda: f"3 1 1 {combo(site)}" == new))
    said += "".join(renewed_until(site, lambda: old not in published(site)))
    assert f"removed at ns1.example.test: {OWNER} IN TLSA {old}" in said
    assert "remove:" not in said  # that is for those who do it by hand
    assert published(site) == {new, FOREIGN}
    assert site.status()["publication"]["remove"] == []


def test_cancel_takes_the_record_away_that_renew_would_add(site: Site) -> None:
    """Also where the server is down at that time: the next runs go on with it."""
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, FOREIGN, ttl=1)
    by_update(site)
    site.ok("init", MAIL)
    for down in (False, True):
        new = site.next_record()
        assert f"IN TLSA {new}" in site.ok("renew")
        assert new in published(site)
        if down:
            site.lab.stop("primary")
        run = site.danebot("newkey", "--cancel", MAIL)
        assert run.returncode == int(down), run.stderr
        assert f"the next key {new.split()[-1]} is cancelled" in run.stdout
        assert "; remove" not in run.stdout
        if down:
            site.lab.start("primary")
            later(site)
            assert f"removed at ns1.example.test: {OWNER} IN TLSA {new}" in site.ok("renew")
        else:
            assert f"removed at ns1.example.test: {OWNER} IN TLSA {new}" in run.stdout
        assert published(site) == {old, FOREIGN}
        assert site.lab.tlsa_at(site.lab.ns2, OWNER) == {old, FOREIGN}
        for _ in renewed_until(site, lambda: not memory(site)["cancelled"]):
            pass
        site.quiet("renew")
        assert published(site) == {old, FOREIGN}
        assert f"3 1 1 {combo(site)}" == old


# ---- what may go wrong ------------------------------------------------------------------------


def failing(site: Site, fault: str) -> Callable[[], None]:
    """Configure one fault; what mends it."""
    match fault:
        case "key name":
            by_update(site, name="nobody.")
        case "key secret":
            by_update(site, secret="d3Jvbmcgd3Jvbmcgd3Jvbmc=")  # noqa: S106 - no secret
        case "key mode":
            by_update(site)
            key_file(site).chmod(0o644)
            return lambda: key_file(site).chmod(0o600)
        case "zone":
            by_update(site, 'zone = "nosuch.test"')
        case "not authoritative":
            by_update(site, 'zone = "nosuch.test"', f'server = "{site.lab.ns1}"')
        case "down":
            by_update(site)
            site.lab.stop("primary")
            return lambda: site.lab.start("primary")
    return lambda: by_update(site)


@pytest.mark.parametrize(
    ("fault", "words", "remedy"),
    [
        # Knot 3.4 "accepts no signature", older ones do not "accept the TSIG key"
        ("key name", " accept", "name, algorithm and secret in key_file"),
        ("key secret", "the server doesn't accept the TSIG key", "compare name, algorithm"),
        ("key mode", "others may read or write this key", "mend key_file"),
        ("zone", "nosuch.test has no SOA record", "name it with zone"),
        ("not authoritative", "(NOTAUTH)", "name server and zone under [publish]"),
        ("down", "the primary server can't be reached (", "see that it runs"),
    ],
)
def test_a_failure_is_told_the_state_kept_and_it_is_tried_again(
    site: Site, fault: str, words: str, remedy: str
) -> None:
    old = site.staged()
    new = site.next_record()
    mend = failing(site, fault)

    run = site.danebot("renew")

    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "publishing failed once since" in line
    assert words in line
    assert remedy in line
    assert site.lab.tsig_secret not in run.stdout + run.stderr
    assert (site.staging / "nextkey.pem").exists()
    status = site.status()
    assert status["phase"] == "staged"
    assert [f["code"] for f in status["findings"] if f["severity"] == "warning"] == [
        "publish-failed"
    ]
    assert f"3 1 1 {combo(site)}" == old
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "publishing failed once" in run.stderr  # not tried before its time
    run = site.danebot("publish")
    assert run.returncode == 1
    assert "publishing failed 2 times" in run.stderr  # asked for: tried at once
    mend()
    later(site)
    said = site.ok("renew")
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert published(site) == {old, new}
    assert memory(site)["publishing"]["failure"] is None


def test_a_secondary_that_does_not_catch_up(site: Site) -> None:
    site.staged()
    new = site.next_record()
    by_update(site, 'wait = "1s"')
    with site.lab.lag_secondary():
        said = site.ok("renew")  # may take a while: no news yet
        assert "added at ns1.example.test" in said
        assert new in published(site)
        run = site.danebot("publish")
        assert run.returncode == 1
        assert "is not to be seen yet at ns2.example.test" in run.stderr
        assert site.status()["phase"] == "staged"
        document = memory(site)
        shift(document["publishing"], "changed_at")
        (site.staging / "rollover.json").write_text(json.dumps(document))
        run = site.danebot("renew")
        assert run.returncode == 1
        assert "is not to be seen yet at ns2.example.test" in run.stderr
        assert "see that they transfer the zone" in run.stderr
    list(renewed_until(site, lambda: seen_everywhere(site)))
    assert memory(site)["publishing"]["changed_at"] is None


# ---- by hand, and by half ---------------------------------------------------------------------


def test_by_hand_it_prints_and_waits(site: Site) -> None:
    site.staged()
    new = site.next_record()
    for quiet in ((), ("-q",)):  # records are no chatter
        run = site.danebot(*quiet, "publish", MAIL)
        assert run.returncode == 1
        assert f"{MAIL}: add: {OWNER} 5 IN TLSA {new}" in run.stdout
    site.lab.tlsa_add(OWNER, new)
    site.quiet("publish", MAIL)


def test_nothing_is_published_by_itself_unless_wanted(site: Site) -> None:
    site.staged()
    new = site.next_record()
    by_update(site, "automatic = false")
    site.quiet("renew")
    assert new not in published(site)
    said = site.ok("publish", "--dry-run")
    assert f"would add (rfc2136): {OWNER} 5 IN TLSA {new}" in said
    assert new not in published(site)
    site.ok("publish")
    assert new in published(site)


def test_an_alias_is_followed(site: Site) -> None:
    site.staged()
    (site.staging / "dane-ee").write_text(f"1 _25._tcp.alias.example.test\n- {OWNER}\n")
    new = site.next_record()
    by_update(site)
    said = site.ok("renew")
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert new in published(site)


# ---- others at the same RRset -------------------------------------------------------------------


def test_changes_of_others_in_the_middle_of_a_rollover_stay(site: Site) -> None:
    """Between danebot's look at the primary and each of its updates somebody changes the RRset."""
    chance = random.Random(7)
    old = site.staged()
    new = site.next_record()
    others = [f"3 1 1 {number:064x}" for number in range(1, 40)]
    left = list(others)

    def meddle() -> None:
        if left:
            site.lab.tlsa_add(OWNER, left.pop(0), wait=False)
            site.lab.tlsa_del(OWNER, others[0], wait=False)

    with interposed(site.lab, lambda: meddle() if chance.random() < 0.4 else None) as relay:
        by_update(site, f'server = "{relay}"', 'timeout = "30s"')
        site.ok("renew")
        assert new in published(site)
        said = "".join(renewed_until(site, lambda: old not in published(site)))
    assert f"removed at 127.0.0.1: {OWNER} IN TLSA {old}" in said
    came = set(others) - set(left)
    assert len(came) >= 1
    assert published(site) == {new} | came - {others[0]}


# ---- what isn't known, and what must not be lost ------------------------------------------------


def test_what_cannot_be_seen_is_not_changed(site: Site) -> None:
    """A dead resolver: nothing is known of the zone, nor of aliases."""
    site.staged()
    new = site.next_record()
    by_update(site)
    site.lab.stop("resolver")
    run = site.danebot("publish")
    site.lab.start("resolver")
    assert run.returncode == 1
    assert "DNS could not be observed, so nothing was changed" in run.stderr
    assert new not in published(site)
    assert memory(site)["publishing"]["failure"] is None  # the next run tries
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in site.ok("renew")


def test_an_old_record_stays_while_a_server_lacks_the_served_keys(site: Site) -> None:
    live = site.staged()
    past = f"3 1 1 {hashlib.sha256(b'a key of the past').hexdigest()}"
    site.lab.tlsa_set(OWNER, past)  # somebody took the live key's away
    then = "2026-01-01T00:00:00+00:00"
    key = {"spki": b"a key of the past".hex(), "until": then}
    probes = dict.fromkeys(("at", "confirmed_at", "clear_since", "cleared_at"), then)
    served = Tree(site.tree).read(MAIL).live
    assert served is not None
    deployment = {"chain": served.chain.fingerprint.hex(), "digest": "00", **probes}
    before = {"past_keys": [key], "deployment": deployment, "asked": [OWNER.rstrip(".")]}
    remembered = json.dumps({"schema": 1, **before})
    (site.staging / "rollover.json").write_text(remembered)
    by_update(site, 'wait = "1s"')
    with site.lab.lag_secondary():
        run = site.danebot("publish")
        assert run.returncode == 1
        assert f"added at ns1.example.test: {OWNER} IN TLSA {live}" in run.stdout
        assert "is not to be seen yet at ns2.example.test" in run.stderr
        assert published(site) == {live, past}
        assert site.lab.tlsa_at(site.lab.ns2, OWNER) == {past}
    by_update(site)
    said = site.ok("publish")
    assert f"removed at ns1.example.test: {OWNER} IN TLSA {past}" in said
    assert published(site) == {live}


def test_a_lineage_that_cannot_be_read_does_not_stop_the_others(site: Site) -> None:
    site.staged()
    new = site.next_record()
    by_update(site)
    (site.tree / "staging" / "broken.example.test").mkdir()
    (site.tree / "renewal" / "broken.example.test.conf").mkdir()
    run = site.danebot("publish")
    assert new in published(site)
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in run.stdout


def test_a_wildcard_is_not_hidden(site: Site) -> None:
    """One more record at the name itself, and senders would find that one alone."""
    live = site.staged()
    site.lab.tlsa_del(OWNER)
    wildcard = "*._tcp.mail.example.test."
    site.lab.tlsa_set(wildcard, live)
    said = site.ok("newkey", MAIL)
    assert f"{OWNER} 5 IN TLSA {live}\n" in said  # the wildcard's would be hidden
    new = f"3 1 1 {memory(site)['awaiting']['digest']}"
    assert f"{OWNER} 5 IN TLSA {new}\n" in said
    by_update(site)
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "the records there are those of a wildcard" in run.stderr
    assert published(site) == {live}
    site.lab.tlsa_set(OWNER, live)
    later(site)
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in site.ok("renew")
    assert published(site) == {live, new}


def test_an_emergency_is_tried_at_once_then_backs_off(site: Site) -> None:
    site.staged()
    by_update(site, name="nobody.")
    site.next_record()
    assert "publishing failed once" in site.danebot("renew").stderr
    assert "publishing failed 2 times" in site.danebot("newkey", MAIL, "--emergency").stderr
    site.danebot("renew")
    assert memory(site)["publishing"]["failure"]["count"] == 2  # for a minute
    by_update(site)
    site.danebot("newkey", MAIL, "--emergency")  # asked again
    assert len(published(site)) == 2
