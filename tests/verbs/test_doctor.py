"""`danebot doctor` finds what is wrong with a host, with the command that helps, and nothing else.

Each misconfiguration is planted in a real tree, in files of a host below a directory, or at a name
server that answers so.  Doubles stand in where this machine can't be misconfigured: the kernel's
word on its clock, the CA's directory, resolvers on other hosts, full disks, other users' files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters import trees
from adapters.nameserver import Nameserver, nameservers
from adapters.trees import NAME, Grown
from danebot.adapters.dns.resolvconf import parse_resolv_conf
from danebot.adapters.dns.response import Response
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.doctor.codes import HostCode
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import DnsName, Endpoint
from danebot.errors import UnreadableError
from schemas import faults
from verbs.desk import HERE, Desk, Said, of_key

ROOT = Path(__file__).parents[2]
SMTPS = DnsName.parse(f"_465._tcp.{NAME}")
SOA = ". 86400 SOA a.root. host.root. 1 2 3 4 5"
SIGNED = ". 86400 RRSIG SOA 13 0 86400 20300101000000 20200101000000 1 . AAAA"
CA = "https://ca.example.test/dir"


@dataclass
class Host:
    """A healthy host: what it has may be changed before the doctor comes."""

    desk: Desk
    grown: Grown
    patch: pytest.MonkeyPatch
    server: Nameserver
    served: str = "one"
    outcome: ProbeOutcome = ProbeOutcome.SERVED
    directory: tuple[str, timedelta] = ("", timedelta(0))
    synchronised: bool | None = True

    @property
    def root(self) -> Path:
        return self.desk.root / "host"

    @property
    def deploy(self) -> Path:
        return self.grown.root / "renewal-hooks/deploy"

    def write(self, file: str, text: str, mode: int = 0o644) -> Path:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def probe(
        self, lineage: str, endpoints: Sequence[Endpoint], algorithm: Algorithm = Algorithm.ANY
    ) -> Sequence[ProbeResult]:
        assert lineage == NAME
        chain = (trees.leaf(self.served, 1).der,) if self.outcome is ProbeOutcome.SERVED else ()
        return [ProbeResult(e, "192.0.2.25", self.outcome, algorithm, chain) for e in endpoints]

    def ask(self, _: str) -> tuple[str, datetime | None]:
        trouble, behind = self.directory
        return trouble, None if trouble else datetime.now(UTC) - behind

    def conf(self, *parameters: str) -> None:
        self.grown.conf(
            *("staging", "key_type = ecdsa", "elliptic_curve = secp256r1", "reuse_key = True"),
            *parameters,
        )

    def resolv_conf(self, text: str, *, ad: bool = True) -> None:
        """Have these name servers, each of which gives a signed answer: other hosts' can't be."""
        config = parse_resolv_conf(text)
        reply = Response(0, 0x81A0 if ad else 0x8180, {}, {}, {})
        self.desk.settings.pop("resolver")
        self.patch.setattr("danebot.adapters.wiring.load_resolv_conf", lambda: config)

        def drive(steps: Any) -> object:  # noqa: ANN401 - a generator
            try:
                batch = next(steps)
                while True:
                    batch = steps.send(tuple(reply for _ in batch))
            except StopIteration as end:
                return end.value

        self.patch.setattr("danebot.adapters.dns.examine.resolve", drive)

    def examined(self, *words: str) -> Said:
        return self.desk.danebot(*words, "doctor")


@pytest.fixture
def host(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    grown = desk.staged(f"1 {HERE}")
    desk.dns.publish(of_key("one"))
    with nameservers("127.0.0.1") as (server,):
        server.say(".", "SOA", SOA, SIGNED)
        made = Host(desk, grown, monkeypatch, server)
        desk.settings["resolver"] = f"127.0.0.1:{server.port}"
        made.conf("account = abc", f"server = {CA}")
        account = grown.root / "accounts/ca.example.test/dir/abc"
        account.mkdir(parents=True)
        for name in ("regr.json", "private_key.json", "meta.json"):
            (account / name).write_text("{}")
            (account / name).chmod(0o400)
        made.deploy.mkdir(parents=True)
        (made.deploy / "reload").write_text("#!/bin/sh\n")
        (made.deploy / "reload").chmod(0o755)
        for unit in ("danebot.service", "danebot.timer"):
            made.write(f"usr/lib/systemd/system/{unit}", (ROOT / "systemd" / unit).read_text())
        made.write("etc/systemd/system/timers.target.wants/danebot.timer", "")
        made.write("run/systemd/system/there", "")
        made.write("usr/local/bin/danebot", "#!/bin/sh\n", 0o755)
        combo = grown.paths.live / "combo.pem"
        made.write("etc/postfix/main.cf", f"smtpd_tls_chain_files = {combo}\n")
        monkeypatch.setattr(desk.dns, "probe", made.probe)
        monkeypatch.setattr("danebot.verbs.doctor.ROOT", made.root)
        monkeypatch.setattr("danebot.adapters.services._PROGRAMS", ())
        monkeypatch.setattr("danebot.adapters.ntp.synchronised", lambda: made.synchronised)
        monkeypatch.setattr("danebot.adapters.certbot.directory.ask_directory", made.ask)
        ran = desk.danebot("renew")
        assert ran.status == 0, ran
        yield made


def test_a_healthy_host_has_no_finding(host: Host) -> None:
    assert host.examined() == (0, "nothing found: this host has all that danebot needs\n", "")
    assert host.examined("-q") == (0, "", "")


# ---- what is planted ------------------------------------------------------------------------


def dead_resolver(host: Host) -> None:
    host.server.say(".", "SOA", rcode="SERVFAIL", flags="QR RD RA")


def refusing_resolver(host: Host) -> None:
    """As one that answers for some zones alone, such as the lab's."""
    host.server.say(".", "SOA", rcode="REFUSED", flags="QR RD RA")


def no_trust_store(host: Host) -> None:
    path = host.desk.root / "ca.pem"
    path.touch()
    host.desk.settings["ca_file"] = str(path)


def no_validation(host: Host) -> None:
    host.server.say(".", "SOA", SOA, SIGNED, flags="QR RD RA")


def dnssec_stripped(host: Host) -> None:
    host.server.say(".", "SOA", SOA, flags="QR RD RA")


def public_resolver(host: Host) -> None:
    host.resolv_conf("nameserver 8.8.8.8\n")


def public_resolver_trusted(host: Host) -> None:
    host.resolv_conf("nameserver 8.8.8.8\noptions trust-ad\n")


def public_resolver_behind(host: Host) -> None:
    host.resolv_conf("nameserver 127.0.0.1\nnameserver 2001:4860:4860::8888\n")


def free_running_clock(host: Host) -> None:
    host.synchronised = False


def clock_ahead(host: Host) -> None:
    host.directory = ("", timedelta(minutes=9))


def no_certbot(host: Host) -> None:
    (host.desk.root / "certbot").unlink()


def old_certbot(host: Host) -> None:
    (host.desk.root / "certbot").write_text("#!/bin/sh\necho certbot 1.21.0\n")


def broken_certbot(host: Host) -> None:
    (host.desk.root / "certbot").write_text("#!/bin/sh\necho no module named acme; exit 1\n")


def certbot_timer(host: Host) -> None:
    host.write("etc/systemd/system/timers.target.wants/certbot.timer", "")
    text = f"[Service]\nExecStart=certbot -q renew --config-dir {host.grown.root}\n"
    host.write("usr/lib/systemd/system/certbot.service", text)


def certbot_cron(host: Host) -> None:
    host.write("etc/cron.d/certbot", f"1 * * * * root certbot renew --config-dir {host.grown.root}")


def ca_away(host: Host) -> None:
    host.directory = ("Connection refused", timedelta(0))


def account_gone(host: Host) -> None:
    shutil.rmtree(host.grown.root / "accounts/ca.example.test/dir/abc")


def account_incomplete(host: Host) -> None:
    (host.grown.root / "accounts/ca.example.test/dir/abc/private_key.json").unlink()


def no_timer(host: Host) -> None:
    (host.root / "etc/systemd/system/timers.target.wants/danebot.timer").unlink()


def no_systemd(host: Host) -> None:
    shutil.rmtree(host.root / "run")
    host.write("usr/sbin/cron", "", 0o755)


def nothing_daily(host: Host) -> None:
    shutil.rmtree(host.root / "run")
    host.write("etc/cron.d/danebot", "1 1 * * * root /usr/local/bin/danebot renew\n")


def cron_dry_run(host: Host) -> None:
    no_timer(host)
    host.write("usr/sbin/cron", "", 0o755)
    host.write("etc/cron.d/danebot", "1 1 * * * root /usr/local/bin/danebot renew --dry-run\n")


def program_not_linked(host: Host) -> None:
    (host.root / "usr/local/bin/danebot").unlink()


def last_renew(host: Host, **changed: object) -> None:
    document = host.desk.document()
    document["last_renew"] |= changed
    Path(host.desk.settings["snapshot"]).write_text(json.dumps(document))


def never_run(host: Host) -> None:
    Path(host.desk.settings["snapshot"]).unlink()


def not_run_for_days(host: Host) -> None:
    last_renew(host, ended=(datetime.now(UTC) - timedelta(days=3)).isoformat())


def last_run_failed(host: Host) -> None:
    last_renew(host, exit_status=1)


def status_document_damaged(host: Host) -> None:
    Path(host.desk.settings["snapshot"]).write_text("{")


def no_lineage(host: Host) -> None:
    for part in ("renewal", "live", "staging"):
        shutil.rmtree(host.grown.root / part)
    (host.grown.root / "renewal").mkdir()


def given_back(host: Host) -> None:
    assert host.desk.danebot("deinit", "--drop-keys").status in (0, 1)


def dane_ee_gone(host: Host) -> None:
    (host.grown.paths.staging / "dane-ee").unlink()
    (host.grown.paths.staging / "rollover.json").unlink()
    host.desk.dns.looks.clear()


def unwatched(host: Host) -> None:
    host.desk.dns.publish(of_key("one", owner=SMTPS), owner=SMTPS)


def unwatched_of_nobody(host: Host) -> None:
    host.outcome = ProbeOutcome.UNREACHABLE
    host.desk.dns.publish(of_key("two", owner=SMTPS), owner=SMTPS)


def unwatched_refusing(host: Host) -> None:
    """The service has the lineage's key, and the records are another's."""
    host.desk.dns.publish(of_key("two", owner=SMTPS), owner=SMTPS)


def combo_shut_in(host: Host) -> None:
    host.desk.settings["combo_group"] = "mail"
    (host.grown.root / "live").chmod(0o700)


def reads(file: str, line: str) -> Callable[[Host], None]:
    def plant(host: Host) -> None:
        live = host.grown.paths.live
        host.write(file, line.format(live=live))

    return plant


def no_deploy_hook(host: Host) -> None:
    shutil.rmtree(host.deploy)


def hook_not_executable(host: Host) -> None:
    (host.deploy / "postfix").write_text("#!/bin/sh\n")
    (host.deploy / "postfix").chmod(0o644)


def hook_program_gone(host: Host) -> None:
    host.desk.more += ['hooks = ["/opt/site/reload-mail now"]']


def others_program(host: Host) -> None:
    """A virtual environment of somebody's, which root's cron runs."""
    program = host.write("srv/venv/bin/danebot", "#!/bin/sh\n", 0o755)
    os.chown(program.parents[1], 65534, 65534)
    host.write("usr/sbin/cron", "", 0o755)
    host.write("etc/cron.d/danebot", "7 3 * * * root /srv/venv/bin/danebot renew\n")


def writable(path: Callable[[Host], Path], mode: int = 0o777) -> Callable[[Host], None]:
    return lambda host: path(host).chmod(mode)


def service_down(host: Host) -> None:
    host.outcome = ProbeOutcome.UNREACHABLE


def other_certificate(host: Host) -> None:
    host.served = "two"


def key_file(host: Host) -> Path:
    return host.grown.paths.archive / "privkey1.pem"


def config_with_token(host: Host) -> None:
    host.desk.more += ["[publish]", 'method = "exec"', 'command = "DESEC_TOKEN=abc /bin/true"']


def no_space(host: Host) -> None:
    small = SimpleNamespace(f_bavail=100, f_frsize=4096, f_files=9, f_favail=10**6, f_flag=0)
    host.patch.setattr("os.statvfs", lambda _: small)


def no_inodes(host: Host) -> None:
    small = SimpleNamespace(f_bavail=10**6, f_frsize=4096, f_files=9, f_favail=3, f_flag=0)
    host.patch.setattr("os.statvfs", lambda _: small)


def read_only(host: Host) -> None:
    flag = os.ST_RDONLY
    full = SimpleNamespace(f_bavail=10**6, f_frsize=4096, f_files=0, f_favail=0, f_flag=flag)
    host.patch.setattr("os.statvfs", lambda _: full)


def publisher_program_gone(host: Host) -> None:
    host.desk.more += ["[publish]", 'method = "exec"', 'command = "/opt/site/publish --zone x"']


def publisher_key_gone(host: Host) -> None:
    host.desk.more += ["[publish]", 'method = "rfc2136"', 'key_file = "/nonexistent.key"']


def settings_of_no_lineage(host: Host) -> None:
    host.desk.more += ['[lineage."mial.example.test"]', 'min_wait = "3d"']


def old_openssl(host: Host) -> None:
    host.patch.setattr("ssl.OPENSSL_VERSION_INFO", (1, 1, 1, 23, 15))


def record_gone(host: Host) -> None:
    host.desk.dns.publish()


PLANTED: tuple[tuple[Callable[[Host], None], FindingKind, str], ...] = (
    (dead_resolver, HostCode.RESOLVER_SILENT, "apt install unbound"),
    (refusing_resolver, HostCode.RESOLVER_SILENT, "answers with an error (REFUSED, asked for"),
    (refusing_resolver, HostCode.RESOLVER_SILENT, "see that it answers this host for all names"),
    (no_validation, HostCode.RESOLVER_UNVALIDATING, "auto-trust-anchor-file"),
    (dnssec_stripped, HostCode.RESOLVER_STRIPS, "apt install unbound"),
    (public_resolver, HostCode.RESOLVER_REMOTE, "nameserver 127.0.0.1 alone"),
    (public_resolver_trusted, HostCode.RESOLVER_PUBLIC, "apt install unbound"),
    (public_resolver_behind, HostCode.RESOLVER_REMOTE, "nameserver 127.0.0.1 alone"),
    (free_running_clock, HostCode.CLOCK_UNSYNCHRONISED, "timedatectl set-ntp true"),
    (clock_ahead, HostCode.CLOCK_OFF, "timedatectl set-ntp true"),
    (no_certbot, HostCode.CERTBOT_UNUSABLE, "correct certbot in danebot.toml"),
    (old_certbot, HostCode.CERTBOT_UNUSABLE, "install a newer one"),
    (broken_certbot, HostCode.CERTBOT_UNUSABLE, "see that certbot works"),
    (certbot_timer, Code.COMPETING_RUN, "systemctl disable --now certbot.timer"),
    (certbot_cron, Code.COMPETING_RUN, "etc/cron.d/certbot runs certbot renew: take that line out"),
    (ca_away, HostCode.CA_UNREACHABLE, "firewall, proxy, DNS"),
    (account_gone, HostCode.ACCOUNT_MISSING, "restore it from a backup"),
    (account_incomplete, HostCode.ACCOUNT_MISSING, "certbot register"),
    (no_timer, HostCode.NOT_SCHEDULED, "systemctl enable --now danebot.timer"),
    (no_systemd, HostCode.NOT_SCHEDULED, "danebot files"),
    (nothing_daily, HostCode.NOT_SCHEDULED, "apt install cron"),
    (cron_dry_run, HostCode.NOT_SCHEDULED, "systemctl enable --now danebot.timer"),
    (program_not_linked, HostCode.PROGRAM_MISSING, 'ln -s "$(command -v danebot)" /usr/local/bin'),
    (never_run, HostCode.NEVER_RUN, "run: danebot renew"),
    (not_run_for_days, HostCode.RUN_OVERDUE, "systemctl status danebot.timer"),
    (last_run_failed, HostCode.RUN_FAILED, "danebot status"),
    (status_document_damaged, HostCode.UNSEEN, "run danebot renew to write it anew"),
    (no_lineage, HostCode.NO_LINEAGES, "danebot setup"),
    (given_back, HostCode.UNMANAGED, "run: danebot init"),
    (dane_ee_gone, Code.UNPROTECTED, f"danebot tlsa {NAME}"),
    (unwatched, HostCode.OWNER_UNWATCHED, f"run: danebot init {NAME}"),
    (unwatched_refusing, HostCode.OWNER_UNWATCHED, f"danebot tlsa {NAME}"),
    (unwatched_of_nobody, HostCode.OWNER_UNWATCHED, f"danebot watch {NAME} {SMTPS}"),
    (
        reads("etc/postfix/main.cf", "smtpd_tls_cert_file = {live}/fullchain.pem\n"),
        *(HostCode.READS_CERTBOTS, "combo.pem for both the key and the chain"),
    ),
    (
        reads("etc/dovecot/dovecot.conf", "ssl_key = <{live}/privkey.pem\n"),
        *(HostCode.READS_CERTBOTS, "combo.pem for both the key and the chain"),
    ),
    (
        reads("etc/nginx/nginx.conf", "ssl_certificate {live}/fullchain.pem;\n"),
        *(HostCode.READS_CERTBOTS, "combo.pem for both the key and the chain"),
    ),
    (no_deploy_hook, Code.NO_RELOAD, 'hooks = ["@postfix"]'),
    (hook_not_executable, HostCode.HOOK_UNUSABLE, "chmod +x"),
    (no_trust_store, HostCode.TRUST_STORE_UNREADABLE, "correct ca_file"),
    (hook_program_gone, HostCode.HOOK_UNUSABLE, "correct the line that names it"),
    (writable(lambda h: h.deploy / "reload"), HostCode.WRITABLE, "chmod go-w"),
    (writable(lambda h: h.deploy), HostCode.WRITABLE, "chmod go-w"),
    (writable(lambda h: h.grown.paths.conf, 0o666), HostCode.WRITABLE, "chmod go-w"),
    (writable(lambda h: h.grown.root / "live"), HostCode.WRITABLE, "chmod go-w"),
    (writable(lambda h: h.desk.root / "state", 0o777), HostCode.WRITABLE, "chmod go-w"),
    (others_program, HostCode.WRITABLE, "install danebot where root alone may write"),
    (writable(key_file, 0o644), HostCode.KEY_EXPOSED, "chmod o-rwx"),
    (writable(lambda h: h.grown.paths.live / "combo.pem", 0o644), HostCode.KEY_EXPOSED, "chmod"),
    (config_with_token, HostCode.KEY_EXPOSED, "danebot.toml"),
    (service_down, HostCode.ENDPOINT_UNREACHABLE, "endpoints in danebot.toml"),
    (other_certificate, Code.NOT_SERVED, "reload that service"),
    (combo_shut_in, HostCode.COMBO_SHUT_IN, "/live && chmod g+x /"),
    (no_space, HostCode.DISK_LOW, "df -h"),
    (no_inodes, HostCode.DISK_LOW, "df -i"),
    (read_only, HostCode.DISK_LOW, "mount -o remount,rw"),
    (publisher_program_gone, HostCode.PUBLISHER_REFUSED, "danebot -v publish"),
    (publisher_key_gone, HostCode.PUBLISHER_REFUSED, "mend key_file"),
    (settings_of_no_lineage, Code.UNKNOWN_LINEAGE, f"do you mean {NAME}?"),
    (old_openssl, HostCode.VERSION_OLD, "newer release of its system"),
    (record_gone, Code.TLSA_MISSING, f"_25._tcp.{NAME}. IN TLSA 3 1 1"),
)


@pytest.mark.parametrize(
    ("plant", "code", "remedy"),
    PLANTED,
    ids=[f"{n}-{c.value}" for n, (_, c, _) in enumerate(PLANTED)],
)
def test_what_is_planted_is_found(
    host: Host, plant: Callable[[Host], None], code: FindingKind, remedy: str
) -> None:
    plant(host)
    told = host.desk.danebot("doctor", "--json")
    document = json.loads(told.out)
    assert faults("doctor", document) == []
    found = [one for one in document["findings"] if one["code"] == code.value]
    assert found, document["findings"]
    assert any(remedy in f"{one['text']}; {one['remedy']}" for one in found), found
    assert told.status == (0 if code is Code.NO_RELOAD else 1)
    shown = host.examined()
    assert all(one["text"] in shown.out for one in document["findings"])
    assert (shown.status, shown.err) == (told.status, "")


EMERGENCY = (
    "in an emergency the key would be replaced 10140 min after its successor's records are at "
    "every server"
)


# ---- a rehearsal ----------------------------------------------------------------------------


def test_a_rehearsal_says_how_each_part_went(host: Host) -> None:
    said = host.desk.danebot("rehearse", NAME)
    assert (said.status, said.err) == (0, "")
    assert [line.split(" (")[0] for line in said.out.splitlines()] == [
        f"{NAME}: certbot's dry run got a certificate for the key that a renewal keeps",
        f"{NAME}: the live chain is served by {NAME}:25",
        f"{NAME}: records are published by hand: danebot tlsa prints them",
        f"{NAME}: {EMERGENCY}",
        "nothing was changed",
    ]


def refusing_ca(host: Host) -> None:
    (host.desk.root / "certbot").write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo certbot 5.8.0 && exit 0\necho refused; exit 1\n"
    )


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (refusing_ca, "certbot's dry run failed"),
        (service_down, "can't be asked from here what it serves"),
        (other_certificate, "serves another certificate than the live one; reload that service"),
        (publisher_key_gone, "mend key_file"),
    ],
)
def test_a_rehearsal_tells_what_fails_and_goes_on(
    host: Host, plant: Callable[[Host], None], told: str
) -> None:
    plant(host)
    said = host.desk.danebot("rehearse", NAME)
    assert said.status == 1
    assert told in said.err
    assert "in an emergency" in said.out


def test_what_stands_with_the_lineage_comes_first(host: Host) -> None:
    """A renewal would end with it, however well its parts went."""
    host.desk.dns.publish()
    said = host.desk.danebot("rehearse", "--no-certbot", NAME)
    assert said.status == 1
    assert f"the live key's TLSA record is missing (no such record) at {HERE}; add: " in said.err


def test_what_an_emergency_would_take_may_be_unknown(host: Host) -> None:
    (host.grown.paths.staging / "rollover.json").unlink()
    host.desk.dns.dead = True
    said = host.desk.danebot("rehearse", "--no-certbot", NAME)
    assert said.status == 1
    assert "nobody knows how long an emergency would take" in said.err


def test_only_what_is_under_care_is_rehearsed(desk: Desk) -> None:
    desk.issued()
    said = desk.danebot("rehearse", NAME)
    assert (said.status, said.out) == (1, "")
    assert said.err == (
        f"danebot: {NAME} is not managed by danebot; run first: danebot init {NAME}\n"
    )


# ---- what can't be looked at ----------------------------------------------------------------


def test_what_root_alone_may_read_is_told_as_unseen(host: Host) -> None:
    """The kernel's refusal is a double: these tests run as root, too."""

    def refused(self: object) -> bool:
        raise UnreadableError(f"cannot read {self}: Permission denied; run danebot as root")

    host.patch.setattr("danebot.jobs.host_facts._is_managed", lambda *_: refused("staging"))
    host.patch.setattr("danebot.jobs.host_facts._keys", lambda *_: 1 // 0)
    said = host.examined()
    assert said.status == 1
    assert (
        f"unseen    {NAME}: who renews it could not be looked at: cannot read staging" in said.out
    )
    assert "internal error: ZeroDivisionError" in said.out
    assert "no lineage is under danebot's care" not in said.out


def test_a_publisher_that_refuses_is_asked_once(host: Host) -> None:
    """A server that is away would be waited for at each of many RRsets."""
    host.grown.staging_file("dane-ee", f"1 {HERE}\n1 {SMTPS}\n".encode())
    host.desk.dns.publish(of_key("one", owner=SMTPS), owner=SMTPS)
    publisher_key_gone(host)
    document = json.loads(host.desk.danebot("doctor", "--json").out)
    found = [one["code"] for one in document["findings"]]
    assert found.count(HostCode.PUBLISHER_REFUSED.value) == 1


# ---- at the end of init ---------------------------------------------------------------------


@pytest.fixture
def lacking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A host of which the doctor has something to say, whatever this machine has (a double)."""
    one = Finding(HostCode.NOT_SCHEDULED, Severity.WARNING, "", "no timer")
    monkeypatch.setattr("danebot.jobs.doctor.at_hand", lambda _: (one,))
    desk.issued()
    return desk


def test_init_ends_with_what_the_host_lacks(lacking: Desk) -> None:
    lacking.dns.publish(of_key("one"))
    said = lacking.danebot("init", NAME)
    assert said.status == 0
    assert said.err.splitlines() == [
        f"danebot: no timer; {HostCode.NOT_SCHEDULED.remedy}",
        "danebot: whether this host has all that danebot needs, is told by: danebot doctor",
    ]


def test_what_init_finds_wrong_with_the_lineage_comes_first(lacking: Desk) -> None:
    said = lacking.danebot("init", NAME)
    assert said.status == 1
    (line,) = said.err.splitlines()
    assert "no TLSA record is watched" in line


@pytest.mark.parametrize("service", [other_certificate, service_down])
def test_no_hook_is_rehearsed_that_would_show_a_mismatch(
    host: Host, service: Callable[[Host], None]
) -> None:
    host.desk.dns.publish(of_key("two"))
    service(host)
    log = host.desk.root / "reloaded"
    hook = host.desk.tree / "renewal-hooks" / "deploy" / "reload"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho >>{log}\n")
    hook.chmod(0o755)
    said = host.desk.danebot("rehearse", "--no-certbot", "--hooks", NAME)
    assert (said.status, log.exists()) == (1, False)
    assert "no hook is run: senders may refuse" in said.out + said.err
