from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.rcode
import pytest

from lab import Flavour, Lab, missing
from lab.nameservers import ask, serial
from lab.net import LabError, until

pytestmark = pytest.mark.lab

OWNER = "_25._tcp.mail.example.test."
DIGEST = "11" * 32
OTHER = "22" * 32


@pytest.fixture(autouse=True)
def _clean(lab: Lab) -> Iterator[None]:
    lab.reset()
    yield
    lab.reset()


def users_of(root: Path) -> set[int]:
    """Processes whose command line or working directory lies in a lab's root."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            directory = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(root) in words or directory.startswith(str(root)):
            found.add(int(process.name))
    return found


def served(lab: Lab) -> str | None:
    try:
        return lab.served_spki()
    except (OSError, smtplib.SMTPException):
        return None


@pytest.mark.parametrize(
    ("name", "rcode", "secure"),
    [
        ("mail.example.test.", dns.rcode.NOERROR, True),
        ("_25._tcp.nosuch.example.test.", dns.rcode.NXDOMAIN, True),
        ("any.many.example.test.", dns.rcode.NOERROR, True),
        ("test.", dns.rcode.NOERROR, True),
        ("mail.insecure.test.", dns.rcode.NOERROR, False),
        ("mail.bogus.test.", dns.rcode.SERVFAIL, False),
        ("www.example.com.", dns.rcode.REFUSED, False),
    ],
)
def test_resolver_tells_secure_insecure_and_bogus(
    lab: Lab, name: str, rcode: dns.rcode.Rcode, *, secure: bool
) -> None:
    reply = ask(lab.resolver, name, "A", 5)
    assert reply is not None
    assert reply.rcode() == rcode
    assert bool(reply.flags & dns.flags.AD) is secure


@pytest.mark.parametrize("rdtype", ["NS", "SOA"])
@pytest.mark.parametrize("zone", ["test.", "example.test."])
def test_resolver_knows_the_zones_themselves(lab: Lab, zone: str, rdtype: str) -> None:
    reply = ask(lab.resolver, zone, rdtype, 5)
    assert reply is not None
    assert reply.answer
    assert reply.flags & dns.flags.AD


def test_parent_refers_to_the_child(lab: Lab) -> None:
    reply = ask(lab.parent, OWNER, "TLSA", 5)
    assert reply is not None
    assert not reply.flags & dns.flags.AA
    names = {rrset.name.to_text() for rrset in reply.authority}
    assert names == {"example.test."}


def test_update_reaches_all_servers(lab: Lab) -> None:
    record = f"3 1 1 {DIGEST}"
    lab.tlsa_add(OWNER, record, ttl=77)
    for server in (lab.ns1, lab.ns2, lab.resolver):
        assert lab.tlsa_at(server, OWNER) == {record}
    lab.tlsa_set(OWNER, f"3 1 1 {OTHER}", f"3 1 2 {DIGEST * 2}")
    for server in (lab.ns1, lab.ns2, lab.resolver):
        assert lab.tlsa_at(server, OWNER) == {f"3 1 1 {OTHER}", f"3 1 2 {DIGEST * 2}"}
    lab.tlsa_del(OWNER, f"3 1 1 {OTHER}")
    lab.tlsa_del(OWNER)
    assert not lab.tlsa_at(lab.resolver, OWNER)


def test_cname_leads_to_the_record(lab: Lab) -> None:
    lab.tlsa_add(OWNER, f"3 1 1 {DIGEST}")
    assert lab.tlsa_at(lab.resolver, "_25._tcp.alias.example.test.") == {f"3 1 1 {DIGEST}"}


def test_lagging_secondary_answers_old_data(lab: Lab) -> None:
    lab.tlsa_add(OWNER, f"3 1 1 {DIGEST}")
    with lab.lag_secondary():
        lab.tlsa_set(OWNER, f"3 1 1 {OTHER}")
        assert lab.tlsa_at(lab.ns1, OWNER) == {f"3 1 1 {OTHER}"}
        assert lab.tlsa_at(lab.ns2, OWNER) == {f"3 1 1 {DIGEST}"}
    assert lab.tlsa_at(lab.ns2, OWNER) == {f"3 1 1 {OTHER}"}


def test_servers_can_be_stopped_and_started(lab: Lab) -> None:
    lab.tlsa_add(OWNER, f"3 1 1 {DIGEST}")
    lab.stop("secondary")
    assert ask(lab.ns2, OWNER, "TLSA", 0.3) is None
    lab.flush()
    assert lab.tlsa_at(lab.resolver, OWNER) == {f"3 1 1 {DIGEST}"}
    lab.start("secondary")
    lab.stop("primary")
    lab.start("primary")
    assert lab.tlsa_at(lab.ns1, OWNER) == {f"3 1 1 {DIGEST}"}
    lab.stop("resolver")
    assert ask(lab.resolver, OWNER, "TLSA", 0.3) is None
    lab.start("resolver")
    assert lab.tlsa_at(lab.resolver, OWNER) == {f"3 1 1 {DIGEST}"}


def test_paused_server_neither_answers_nor_refuses(lab: Lab) -> None:
    lab.pause("secondary")
    assert ask(lab.ns2, OWNER, "SOA", 0.3) is None
    lab.resume("secondary")
    assert serial(lab.ns2, lab.zone) is not None


@pytest.mark.parametrize("flavour", Flavour)
def test_certbot_issues_and_renews(lab: Lab, flavour: Flavour) -> None:
    live = lab.issue("www.example.test", flavour=flavour)
    assert (live / "combo.pem").stat().st_mode & 0o777 == 0o600
    assert (live / "privkey.pem").readlink().name == "privkey1.pem"
    lab.certbot("renew", flavour=flavour)
    assert (live / "privkey.pem").readlink().name == "privkey1.pem"
    lab.make_due("www.example.test")
    lab.certbot("renew", flavour=flavour)
    assert (live / "privkey.pem").readlink().name == "privkey2.pem"
    assert lab.run(
        ["openssl", "verify", "-untrusted", live / "chain.pem", live / "cert.pem"]
    ).stdout


def test_faults_of_the_ca(lab: Lab) -> None:
    lab.acme_fault("rateLimited")
    with pytest.raises(AssertionError, match="rateLimited, says the lab"):
        lab.issue("www.example.test")
    lab.acme_fault(None)
    lab.stop("acme")
    with pytest.raises(AssertionError, match=r"(?i)connection"):
        lab.issue("www.example.test")


def test_renewal_information_makes_a_lineage_due(lab: Lab) -> None:
    lab.renewal_window((-120, -60))
    live = lab.issue("www.example.test")
    lab.certbot("renew")
    assert (live / "cert.pem").readlink().name == "cert2.pem"


def test_without_it_the_ca_offers_none(lab: Lab) -> None:
    """pebble's own would have certbot renew certificates that live for minutes at its whim."""
    url = f"https://{lab.net}.4:14000/dir"
    offered = json.loads(
        lab.run(["curl", "-s", "--cacert", lab.root / "pebble/cert.pem", url]).stdout
    )
    assert "newOrder" in offered
    assert "renewalInfo" not in offered


def test_dane_verdict_of_postfix_follows_the_record(lab: Lab) -> None:
    lab.issued_tree()
    served = lab.served_spki()
    assert {lab.served_spki(port=port) for port in (25, 465, 587)} == {served}
    lab.tlsa_set(OWNER, f"3 1 1 {served}")
    assert lab.dane_verified()
    lab.tlsa_set(OWNER, f"3 1 1 {DIGEST}")
    assert not lab.dane_verified()
    assert "Untrusted TLS connection established" in lab.posttls().stdout
    lab.tlsa_del(OWNER)
    assert not lab.dane_verified()
    assert not lab.dane_verified("bogus.test")


def test_second_address_serves_its_own_chain(lab: Lab) -> None:
    lab.issued_tree()
    first = lab.served_spki()
    lab.second_chain.write_bytes((lab.tree / "live" / lab.lineage / "combo.pem").read_bytes())
    assert lab.served_spki(lab.mail2) == first
    lab.certbot("renew", "--force-renewal", "--cert-name", lab.lineage)
    lab.write_combo(lab.lineage)
    assert lab.served_spki() != first
    assert lab.served_spki(lab.mail2) == first


def test_issued_tree_is_new_each_time(lab: Lab) -> None:
    live = lab.issued_tree()
    key = (live / "privkey.pem").read_bytes()
    (live / "combo.pem").unlink()
    assert (lab.issued_tree() / "combo.pem").exists()
    assert (live / "privkey.pem").read_bytes() == key
    assert not (lab.new_tree() / "live").exists()


def test_namespace_shows_the_lab_at_the_usual_places(lab: Lab) -> None:
    shown = lab.run(["cat", "/etc/resolv.conf", "/etc/letsencrypt/cli.ini"]).stdout
    assert f"nameserver {lab.resolver}" in shown
    assert lab.acme_url in shown
    assert lab.resolver not in Path("/etc/resolv.conf").read_text(encoding="utf-8")
    assert lab.run(["sh", "-c", "command -v certbot"]).stdout.strip() == str(lab.certbot_wrapper())


def test_two_labs_do_not_meet_and_leave_nothing(lab: Lab) -> None:
    with Lab() as other:
        assert other.net != lab.net
        other.tlsa_add(OWNER, f"3 1 1 {DIGEST}")
        assert not lab.tlsa_at(lab.resolver, OWNER)
        root = other.root
        assert len(users_of(root)) >= 8
    until("all to be gone", lambda: not users_of(root))
    assert not root.exists()
    assert users_of(lab.root)


def test_caching_smtpd_serves_a_new_chain_after_reload() -> None:
    if reason := missing():
        pytest.skip(reason)
    with Lab(mail_caches=True) as lab:
        lab.issue(lab.lineage)
        lab.postfix_reload()  # an smtpd from before the first chain may be there
        until("the first chain", lambda: served(lab) is not None)
        first = served(lab)
        lab.certbot("renew", "--force-renewal")
        lab.write_combo(lab.lineage)
        assert served(lab) == first
        lab.postfix_reload()
        until("the new chain", lambda: served(lab) not in {first, None})


def test_daemons_die_with_the_process_that_started_them() -> None:
    code = "from lab import Lab; lab = Lab(); print(lab.root, flush=True); input()"
    if reason := missing():
        pytest.skip(reason)
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert child.stdout is not None
    root = Path(child.stdout.readline().strip())
    assert users_of(root)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.communicate()
    until("all to be gone", lambda: not users_of(root))
    assert not root.exists()


def test_by_hand() -> None:
    if reason := missing():
        pytest.skip(reason)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "lab", "up"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    root = Path(shown.splitlines()[0].split()[-1])
    script = root / "lab"
    try:
        subprocess.run([script, "tlsa", "add", OWNER, "3", "1", "1", DIGEST], check=True)
        answer = subprocess.run(
            [script, "in", "kdig", "+short", OWNER, "TLSA"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "".join(answer.stdout.split()) == f"311{DIGEST}"
        words = f". {root}/env && certbot --version && danebot status"
        run = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
        assert run.stdout.startswith("certbot ")
        assert "certbot/etc is no certbot tree" in run.stderr
    finally:
        subprocess.run([script, "down"], check=True)
    assert not root.exists()
    assert not users_of(root)


def test_update_that_is_refused_raises(lab: Lab) -> None:
    with pytest.raises(LabError, match="NOTZONE"):
        lab.update("update add www.example.com. 5 A 127.0.0.1")
