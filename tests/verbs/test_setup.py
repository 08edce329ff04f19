"""`danebot setup` at a terminal, and without one: it shows, asks, does that, and is judged.

Doubles: DNS and services are the desk's, the host is a directory, ``systemctl`` a script that links
and unlinks there, and the kernel's word on the clock and the CA's directory are told.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from adapters import trees
from adapters.nameserver import Nameserver, nameservers
from adapters.trees import NAME
from danebot import cli
from danebot.adapters.tree.tree import Tree
from danebot.config import load
from danebot.console import Console
from danebot.domain.delivery.probes import ProbeOutcome, ProbeResult
from danebot.domain.dns.answers import Security
from danebot.domain.lineage.keys import Algorithm
from danebot.domain.names import Endpoint, Hostname
from danebot.errors import DanebotError
from danebot.jobs.context import Context
from verbs.desk import HERE, Desk, Said, of_key
from verbs.terminal import CTRL_C, Session, at_terminal

ROOT = Path(__file__).parents[2]
SOA = ". 86400 SOA a.root. host.root. 1 2 3 4 5"
SIGNED = ". 86400 RRSIG SOA 13 0 86400 20300101000000 20200101000000 1 . AAAA"
REAL_CONTEXT = Console.context  # a fixture puts the desk's DNS in its place
A_TIME = r"2\d{3}-\d\d-\d\d \d\d:\d\d UTC"
WANTS = "etc/systemd/system/timers.target.wants"
LINK = """#!/bin/sh
for last; do :; done
case $last in /usr/*) exit 9 ;; esac  # nothing is linked on the host itself
exec /bin/ln "$@"
"""
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {log}
case $1 in
enable) ln -s ../$3 {wants}/$3 ;;
disable) rm {wants}/$3 ;;
esac
"""


@dataclass
class Host:
    """A host with certbot, its timer and Postfix, on which danebot was just installed."""

    desk: Desk
    server: Nameserver
    key: str = "one"  # what services serve

    @property
    def root(self) -> Path:
        return self.desk.root / "host"

    @property
    def config(self) -> Path:
        return self.desk.root / "danebot.toml"

    @property
    def live(self) -> Path:
        return self.desk.tree / "live" / NAME

    def write(self, file: str, text: str, mode: int = 0o644) -> Path:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def postfix(self, file: str) -> None:
        self.write("etc/postfix/main.cf", f"smtpd_tls_chain_files = {self.live}/{file}.pem\n")

    def probe(
        self, _: str, endpoints: Sequence[Endpoint], algorithm: Algorithm = Algorithm.ANY
    ) -> Sequence[ProbeResult]:
        chain = (trees.leaf(self.key, 1).der,)
        served = ProbeOutcome.SERVED
        return [ProbeResult(e, "192.0.2.25", served, algorithm, chain) for e in endpoints]

    def options(self) -> tuple[str, ...]:
        return ("--config", str(self.config))

    def at_terminal(self, *answers: str, config: tuple[str, ...] | None = None) -> Session:
        options = self.options() if config is None else config
        return at_terminal(lambda: cli.main([*options, "setup"]), answers)

    def piped(self, *words: str, config: tuple[str, ...] | None = None) -> Said:
        return self.verb("setup", *words, config=config)

    def verb(self, *words: str, config: tuple[str, ...] | None = None) -> Said:
        options = self.options() if config is None else config
        self.desk.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([*options, *words])
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, *self.desk.capsys.readouterr())

    def systemctl(self) -> list[str]:
        log = self.desk.root / "systemctl.log"
        return log.read_text().splitlines() if log.exists() else []

    def digest(self) -> dict[str, bytes]:
        """What is there of files, and which links."""
        kept = (path for path in self.desk.root.rglob("*") if not path.is_dir())
        return {
            str(path): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            for path in kept
        }


@pytest.fixture
def host(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    desk.issued()
    with nameservers("127.0.0.1") as (server,):
        server.say(".", "SOA", SOA, SIGNED)
        made = Host(desk, server)
        made.config.write_text(
            f'config_dir = "{desk.tree}"\ncertbot = "{desk.root}/certbot"\n'
            f'snapshot = "{desk.root}/state/status.json"\nresolver = "127.0.0.1:{server.port}"\n'
        )
        for unit in ("danebot.service", "danebot.timer"):
            unit_text = (ROOT / "systemd" / unit).read_text()
            changed = unit_text.replace("danebot renew", f"danebot --config {made.config} renew")
            made.write(f"usr/lib/systemd/system/{unit}", changed)
        text = f"[Service]\nExecStart=certbot -q renew --config-dir {desk.tree}\n"
        made.write("usr/lib/systemd/system/certbot.service", text)
        made.write(f"{WANTS}/certbot.timer", "")
        made.write("run/systemd/system/there", "")
        made.write("usr/local/bin/danebot", "#!/bin/sh\n", 0o755)
        made.write("usr/sbin/cron", "", 0o755)
        made.postfix("fullchain")
        script = SYSTEMCTL.format(log=desk.root / "systemctl.log", wants=made.root / WANTS)
        made.write("bin/systemctl", script, 0o755)
        made.write("bin/ln", LINK, 0o755)
        made.write("bin/postfix", "#!/bin/sh\n", 0o755)
        monkeypatch.setenv("PATH", f"{made.root}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(desk.dns, "probe", made.probe)
        monkeypatch.setattr("danebot.jobs.confirm._PAUSES", (0.0, 0.0, 0.0))  # nobody reloads
        for name in ("setup", "doctor"):
            monkeypatch.setattr(f"danebot.verbs.{name}.ROOT", made.root)
        monkeypatch.setattr("danebot.verbs.files._data", nothing_brought)
        monkeypatch.setattr("danebot.adapters.services._PROGRAMS", ())
        for asked in ("_DOMAINS", "_NAME"):
            monkeypatch.setattr(f"danebot.adapters.services.{asked}", ("true",))
        here = f"{made.root}/bin"  # whatever services the machine has
        monkeypatch.setattr("danebot.adapters.services.search_path", lambda _: here)
        monkeypatch.setattr("danebot.adapters.ntp.synchronised", lambda: True)
        told = ("", datetime.now(UTC))
        monkeypatch.setattr("danebot.adapters.certbot.directory.ask_directory", lambda _: told)
        ready_made = made.write("reload.sh", "#!/bin/sh\nexit 0\n", 0o755)
        monkeypatch.setattr("danebot.adapters.certbot.hooks._READY_MADE", ready_made)
        yield made


def nothing_brought() -> Path:
    raise DanebotError("this installation brought programs alone")


def questions(session: Session) -> list[str]:
    """What was shown above each question."""
    parts = session.screen.split("do it? [Y/n]: ")
    return [part.rpartition("\r")[2].rpartition("\n\n")[2].strip() for part in parts[:-1]]


def test_the_first_hour(host: Host) -> None:
    first = host.at_terminal(*"yyyy")
    assert (first.status, first.unasked) == (1, ())
    own = f"danebot --config={host.config}"
    shown = questions(first)
    assert [question.splitlines()[1:] for question in shown[:3]] == [
        [f"  {own} init {NAME}"],
        ["  systemctl enable --now danebot.timer"],
        ["  systemctl disable --now certbot.timer"],
    ]
    assert [line.strip() for line in shown[3].splitlines()[-2:]] == [
        '+hooks = ["@postfix"]',
        f"{own} deploy {NAME}",
    ]
    assert f"{NAME}: its deploy hooks have run; no service is asked" in first.screen
    assert host.config.read_text().endswith('\nhooks = ["@postfix"]\n')
    assert host.systemctl() == [
        "enable --now danebot.timer",
        "disable --now certbot.timer",
    ]
    _, _, by_hand = first.screen.partition("\nby hand: ")
    assert f"postconf -e smtpd_tls_chain_files={host.live}/combo.pem\n" in by_hand
    assert f"\n{HERE}. IN TLSA {of_key('one')}\n" in by_hand
    assert by_hand.endswith("\nwhen that is done by hand, run again: danebot setup\n")

    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    second = host.at_terminal("y", "y")
    assert [question.splitlines()[-1] for question in questions(second)] == [
        f"  {own} init {NAME}",
        f"  {own} renew",
    ]
    assert second.screen.endswith("nothing found: this host has all that danebot needs\n")
    assert (second.status, second.unasked) == (0, ())

    before = host.digest()
    third = host.piped("--yes")
    assert third == (
        0,
        "nothing to do\n\ndanebot doctor:\nnothing found: this host has all that danebot needs\n",
        "",
    )
    assert host.digest() == before


def test_all_at_once_and_nothing_asked(host: Host) -> None:
    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    said = host.piped("--yes")
    assert said.out.endswith("nothing found: this host has all that danebot needs\n")
    assert (said.status, "do it?" in said.err) == (0, False)
    assert host.piped("--yes").out.startswith("nothing to do\n")


def test_the_plan_is_a_script_and_changes_nothing(host: Host) -> None:
    before = host.digest()
    for words in (("--dry-run",), ("--print",)):
        said = host.piped(*words)
        assert (said.status, said.err) == (1, "")
        lines = [line for line in said.out.splitlines() if not line.startswith("#")]
        own = f"danebot --config={host.config}"
        assert lines == [
            "set -e",
            "systemctl enable --now danebot.timer",
            "systemctl disable --now certbot.timer",
            "set +e",
            f"{own} init {NAME}",
            f"[ -d {host.desk.tree}/staging/{NAME} ] || exit",
            lines[6],
            "sed -i --follow-symlinks '4a\\",
            f'hooks = ["@postfix"]\' {host.config} || exit',
            f"{own} deploy {NAME}",
            f"{own} tlsa {NAME}",
        ]
        assert f"# postconf -e smtpd_tls_chain_files={host.live}/combo.pem" in said.out
        assert said.out.endswith("# nothing was changed\n")
    assert host.digest() == before


def test_off_a_terminal_nobody_is_asked(host: Host) -> None:
    before = host.digest()
    said = host.piped()
    assert (said.status, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert "--yes" in line
    assert "--dry-run" in line
    assert host.digest() == before


def test_what_is_declined_is_left_with_all_that_rests_on_it(host: Host) -> None:
    before = host.digest()
    said = host.at_terminal("n")
    assert (said.status, said.unasked) == (1, ())
    (question,) = questions(said)
    assert question.splitlines()[0] == f"put {NAME} under danebot's care:"
    assert host.digest() == before  # nothing is under its care: certbot's timer stays
    assert "tlsa" not in said.screen
    assert "run: danebot init" in said.screen


def test_certbots_timer_stays_where_danebots_is_declined(host: Host) -> None:
    said = host.at_terminal("y", "n", "y")
    assert (said.status, said.unasked, host.systemctl()) == (1, (), [])
    assert [question.splitlines()[0] for question in questions(said)[1:]] == [
        "have danebot renew run daily:",
        "have services read each new certificate, and try that: @postfix:",
    ]


# ---- which lineages, and where mail goes ----------------------------------------------------


def second_lineage(host: Host) -> None:
    """Another one, ``other``, with a certificate for the same names."""
    for directory in ("live", "archive"):
        place = host.desk.tree / directory
        shutil.copytree(place / NAME, place / "other", symlinks=True)
    for link in (host.desk.tree / "live/other").iterdir():
        target = os.readlink(link).replace(NAME, "other")
        link.unlink()
        link.symlink_to(target)
    conf = host.desk.tree / "renewal" / f"{NAME}.conf"
    conf.with_name("other.conf").write_text(conf.read_text().replace(f"/{NAME}", "/other"))


def test_of_several_lineages_those_that_a_mail_service_has_are_meant(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.desk.dns.mx = {}
    second_lineage(host)
    said = host.piped("--dry-run")
    assert f"init {NAME}\n" in said.out
    assert "init other\n" in said.out  # its key is served, too
    monkeypatch.setattr(host.desk.dns, "probe", lambda *_: ())
    said = host.piped("--dry-run")
    assert f"init {NAME}\n" in said.out  # Postfix reads it
    assert "init other\n" not in said.out
    assert "# left to certbot, as nothing here shows that they serve mail: other; " in said.out
    assert "init other\n" in host.piped("--dry-run", "other").out


@pytest.fixture
def undecided(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Two lineages, of which nothing on the host tells which serves mail, nor do MX records."""
    second_lineage(host)
    host.write("etc/postfix/main.cf", "smtpd_tls_chain_files = /etc/ssl/own.pem\n")
    host.desk.dns.mx = {}
    monkeypatch.setattr(host.desk.dns, "probe", lambda *_: ())
    return host


def test_an_mx_in_signed_dns_shows_which_lineage_serves_mail(undecided: Host) -> None:
    undecided.desk.dns.mx = {"example.test": (NAME,)}
    assert f"init {NAME}\n" in undecided.piped("--dry-run").out
    undecided.desk.dns.signed = Security.INSECURE  # anybody may have said so
    assert f"init {NAME}\n" not in undecided.piped("--dry-run").out


def test_a_run_that_takes_no_lineage_changes_nothing(undecided: Host) -> None:
    before = undecided.digest()
    said = undecided.piped("--yes")
    assert (said.status, undecided.systemctl(), said.err) == (1, [], "")
    assert said.out.startswith("nothing was changed\nleft to certbot, as nothing here shows")
    assert f"serve mail: {NAME}, other; to take one on, name it: danebot setup LINEAGE" in said.out
    script = undecided.piped("--dry-run")
    assert (script.status, script.out[-23:]) == (1, "\n# nothing was changed\n")
    assert all(line.startswith("#") for line in script.out.splitlines())
    assert undecided.digest() == before


def test_which_lineage_serves_mail_is_asked_before_anything_changes(undecided: Host) -> None:
    before = undecided.digest()
    for answers in (("",), (CTRL_C,), ("mial.example.test", ""), ("other", CTRL_C)):
        said = undecided.at_terminal(*answers)
        assert said.unasked == ()
        assert f"nothing here shows which serve mail: {NAME}, other\n" in said.screen
        assert said.status == (130 if CTRL_C in answers else 1)
        assert undecided.digest() == before
    assert (
        "mial.example.test is none of these"
        in undecided.at_terminal("mial.example.test", "").screen
    )
    assert "put other under danebot's care:" in undecided.at_terminal("other", "n").screen


def protected(host: Host) -> None:
    """All is done, as far as this host's lineage goes."""
    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    assert host.piped("--yes").status == 0


@pytest.mark.parametrize(
    ("exchange", "told"),
    [
        (
            ("mx.other.test",),
            (
                "senders to example.test aren't protected: mx.other.test: no TLSA records, and no "
                "certificate here has that name; if it is this host, add it: danebot names "
                f"{NAME} --add mx.other.test; if not, tell whoever runs it\n"
                "  danebot verify example.test\n"
            ),
        ),
        (
            (NAME, "mx.other.test"),
            "senders to example.test aren't protected: mx.other.test: no TLSA records",
        ),
        (None, "whether senders to example.test are protected is unknown: MX records: no answer"),
    ],
)
def test_no_green_end_where_senders_are_not_protected(
    host: Host, exchange: tuple[str, ...] | None, told: str
) -> None:
    told = told.replace("danebot verify", f"danebot --config={host.config} verify")
    host.desk.dns.mx = {"example.test": exchange}
    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    assert f"by hand: {told}" in host.piped("--yes").out
    before = host.digest()
    again = host.piped("--yes")
    assert again.status == 1
    assert again.out.startswith(f"there is nothing that danebot could do\n\nby hand: {told}")
    assert host.digest() == before
    assert f"# by hand: {told[:40]}" in host.piped("--dry-run").out


def postfix_says(host: Host, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A double of Postfix's program that says which domains there are, and of its settings."""
    host.write("bin/postconf", f"#!/bin/sh\n{script}\n", 0o755)
    monkeypatch.setattr("danebot.adapters.services._DOMAINS", ("postconf", "-hx", "x"))
    monkeypatch.setattr("danebot.adapters.services._MAIN_CFS", (host.config,))


def test_domains_that_postfix_does_not_say_are_unknown(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    protected(host)
    postfix_says(host, monkeypatch, "echo fatal: bad; exit 1")
    said = host.piped("--yes")
    assert said.status == 1
    assert "which domains are this host's is unknown: Postfix's settings can't be read" in said.out
    assert "  postconf -n" in said.out.splitlines()
    host.desk.dns.mx |= {"example.test": ("mx.other.test",)}
    assert "mx.other.test: no TLSA records" in host.piped("--yes").out  # all else is looked at


def test_a_domain_of_postfix_s_own_counts(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    protected(host)
    postfix_says(host, monkeypatch, "echo '$x, localhost, shop.test'; echo hash:/x")
    host.desk.dns.mx |= {"shop.test": ("mx.other.test",)}
    said = host.piped("--yes")
    assert said.status == 1
    assert "senders to shop.test aren't protected: mx.other.test: no TLSA records" in said.out


def test_a_name_of_the_lineage_that_has_no_record_is_told(host: Host) -> None:
    """The MX record leads here, by a name of the certificate; its record is another name's."""
    protected(host)
    host.desk.dns.publish()
    said = host.piped("--yes")
    assert said.status == 1
    assert f"senders to example.test aren't protected: no TLSA records at {HERE}\n" in said.out
    assert f"  danebot --config={host.config} setup --owner {HERE} {NAME}\n" in said.out


def test_where_no_mx_leads_here_that_is_said(host: Host) -> None:
    host.desk.dns.mx = {}
    said = host.piped("--yes")
    assert (
        f"by hand: have an MX record lead to {NAME}: none of {NAME}, example.test does" in said.out
    )


@pytest.mark.parametrize("at", range(4))
def test_an_interrupt_at_a_question_leaves_all_as_it_was(host: Host, at: int) -> None:
    before = host.digest()
    said = host.at_terminal(*"y" * at, CTRL_C)
    assert said.status == 130
    assert said.screen.endswith(
        "danebot: interrupted; nothing was done; run danebot setup again to go on\n"
    )
    assert host.digest() == before
    rest = host.at_terminal(*"yyyy")
    assert (rest.status, rest.unasked) == (1, ())
    assert f"{HERE}. IN TLSA" in rest.screen


def test_an_interrupt_while_it_works_tells_what_was_done(host: Host) -> None:
    """The hook is stopped: the next run is to ask for it again."""
    before = host.config.read_text()
    host.write("reload.sh", f"#!/bin/sh\nkill -INT {os.getpid()}\nsleep 9\n", 0o755)
    said = host.piped("--yes")
    assert said.status == 130
    told = said.err.splitlines()[-1]
    begun = "begun in this order: have danebot renew run daily; stop certbot.timer"
    assert told.startswith(f"danebot: interrupted; {begun}")
    assert f"; put {NAME} under danebot's care; have services read each new certificate" in told
    assert told.endswith("; run danebot setup again to go on")
    assert host.config.read_text() == before


def test_an_end_of_input_is_no_answer(host: Host) -> None:
    said = host.at_terminal("\x04")
    assert said.status == 130
    assert 'hooks = ["@postfix"]' not in host.config.read_text()


def test_an_interrupt_while_it_looks(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("danebot.jobs.setup.setup_facts", look)
    assert host.piped("--yes").status == 130


def test_what_it_would_ask_may_be_told(host: Host) -> None:
    said = host.piped("--yes", "--no-hook", "--no-timer", "--no-renew", "--owner", HERE, NAME)
    assert host.systemctl() == []
    assert "hooks" not in host.config.read_text()
    assert f"{NAME}: watched from now on: 1 {HERE}" in said.out
    assert f"danebot --config={host.config} renew" not in said.out
    other = host.piped("--dry-run", "--hook", "/opt/push now")
    assert 'hooks = ["/opt/push now"]' in other.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--owner", HERE), "--owner needs one LINEAGE"),
        (("--owner", "..", NAME), "--owner"),
        (("--owner", "mail.example.test", NAME), "is no TLSA owner: want _25._tcp.HOST"),
        (("--yes", "--hook", "@posfix"), "must be a command line, or one of "),
        (("--yes", "--hook", ""), "--hook"),
        (("--hook", "x", "--no-hook"), "doesn't go with"),
        (("--yes", "--hook", "/opt/\udcff"), "--hook': not UTF-8, which settings are"),
        (("--yes", "--dry-run"), "doesn't go with"),
        (("--yes", "mial.example.test"), f"known are: {NAME}"),
    ],
)
def test_wrong_usage(host: Host, words: tuple[str, ...], told: str) -> None:
    before = host.digest()
    said = host.piped(*words)
    assert said.status == 2
    assert told in said.err
    assert host.digest() == before


def test_without_a_resolver_nothing_is_begun(host: Host) -> None:
    host.server.say(".", "SOA", SOA, flags="QR RD RA")
    before = host.digest()
    said = host.piped("--yes")
    assert said.status == 1
    assert "apt install unbound" in said.out
    assert said.out.endswith("when that is done by hand, run again: danebot setup\n")
    assert host.digest() == before


def test_settings_that_only_a_person_can_edit(host: Host) -> None:
    text = host.config.read_text() + "hooks = [\n  # none yet\n]\n"
    host.config.write_text(text)
    said = host.piped("--yes", "--no-timer")
    assert f"@postfix; write them to hooks in {host.config}\n" in said.out
    assert host.config.read_text() == text


def test_settings_behind_a_link_stay_there(host: Host) -> None:
    kept = host.config.rename(host.desk.root / "kept.toml")
    host.config.symlink_to(kept.name)
    host.piped("--yes", "--no-timer")
    assert host.config.is_symlink()
    assert kept.read_text().endswith('\nhooks = ["@postfix"]\n')


def test_what_fails_is_told_and_gone_on_after(host: Host) -> None:
    host.write("bin/systemctl", "#!/bin/sh\necho Access denied; exit 4\n", 0o755)
    said = host.piped("--yes")
    assert said.status == 1
    assert "systemctl enable --now danebot.timer: Access denied; mend it, and run again" in said.err
    assert "systemctl disable" not in said.err


def test_no_answer_of_dns_changes_nothing(host: Host) -> None:
    host.desk.dns.dead = True
    before = host.digest()
    said = host.piped("--yes")
    assert (said.status, said.err) == (1, "")
    assert f"put {NAME} under danebot's care: no answer, so nobody knows whether it has" in said.out
    own = f"danebot --config={host.config}"
    assert f"\n  {own} init --although-unanswered {NAME}\n" in said.out
    assert "protected is unknown: MX records: no answer in time" in said.out
    assert all(line[:1] == "#" for line in host.piped("--dry-run").out.splitlines()[:2])
    assert host.digest() == before


def test_settings_that_are_not_there_yet_are_made(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config: in the usual place, which is the host's."""
    monkeypatch.setattr(Console, "settings", property(lambda _: load(host.config)))
    file = host.root / "etc/danebot/danebot.toml"
    printed = host.piped("--dry-run", config=())
    made = [
        f"[ ! -s {file} ] || {{ echo '{file} {CHANGED}' >&2; exit 1; }}",
        f"mkdir -p {file.parent} || exit",
        f"printf '%s\\n' 'hooks = [\"@postfix\"]' >> {file} || exit",
    ]
    assert [line for line in printed.out.splitlines() if str(file.parent) in line] == made
    assert not file.parent.exists()
    said = host.at_terminal(*"yyyy", config=())
    assert said.status == 1
    assert (file.read_text(), file.stat().st_mode & 0o777) == ('hooks = ["@postfix"]\n', 0o644)


def test_no_service_is_reloaded_onto_a_key_that_the_records_refuse(host: Host) -> None:
    """certbot renewed with a new key; the service still has the former one, and mail flows."""
    grown = trees.Grown(host.desk.tree)
    grown.version(2, "two")
    grown.link(grown.paths.live, 2)
    reloaded = host.root / "reloaded"
    host.write("reload.sh", f"#!/bin/sh\necho >> {reloaded}\n", 0o755)
    host.desk.dns.publish(of_key("one"))
    said = host.piped("--yes")
    assert (said.status, reloaded.exists()) == (1, False)
    assert "hooks" not in host.config.read_text()
    assert "postconf" not in said.out
    assert f"{HERE}. IN TLSA {of_key('two')}" in said.out
    assert "before any service has its key" in said.out
    refused = host.desk.danebot("deploy", NAME)
    assert (refused.status, reloaded.exists()) == (1, False)
    assert "no hook is run: senders may refuse" in refused.err
    tried = host.desk.danebot("deploy", "--dry-run", NAME)
    assert (tried.status, tried.out) == (1, "")


def test_caches_forget_the_former_record_before_a_service_is_told(host: Host) -> None:
    grown = trees.Grown(host.desk.tree)
    grown.version(2, "two")
    grown.link(grown.paths.live, 2)
    host.desk.dns.publish(of_key("one"))
    host.piped("--yes")
    host.desk.dns.publish(of_key("one"), of_key("two"))
    said = host.piped("--yes")
    assert said.status == 1
    assert "hooks" not in host.config.read_text()
    assert "postconf" not in said.out


@pytest.mark.parametrize("silent", [False, True])
def test_a_service_with_another_key_changes_it_after_the_record(
    host: Host, monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    """Postfix serves its own certificate, and its records are published; or nobody could see."""

    def probe(_: str, endpoints: Sequence[Endpoint], *_more: object) -> Sequence[ProbeResult]:
        outcome = ProbeOutcome.UNREACHABLE if silent else ProbeOutcome.SERVED
        chain = () if silent else (trees.leaf("other", 1).der,)
        return [ProbeResult(e, "192.0.2.25", outcome, chain=chain) for e in endpoints]

    host.write("etc/postfix/main.cf", "smtpd_tls_chain_files = /etc/ssl/own.pem\n")
    monkeypatch.setattr(host.desk.dns, "probe", probe)
    host.desk.dns.publish(of_key("other"))
    said = host.piped("--yes")
    assert "postconf" not in said.out
    assert "hooks" not in host.config.read_text()
    assert f"{HERE}. 3600 IN TLSA {of_key('one')}" in said.out
    assert f"{HERE} has records of another key: leave it out if" in said.out
    host.desk.dns.publish(of_key("other"), of_key("one"))
    then = host.piped("--yes")
    assert then.status == 1
    assert "postconf" not in then.out
    assert "hooks" not in host.config.read_text()
    wait = rf"by hand: wait until {A_TIME}: caches may have TLSA records of {HERE} by which"
    assert re.search(wait, then.out)
    assert re.search(f"but not before {A_TIME}, since a service may", then.out)
    later(monkeypatch, timedelta(days=8))
    last = host.piped("--yes", "--no-hook")
    assert f"postconf -e smtpd_tls_chain_files={host.live}/combo.pem" in last.out


def test_a_lineage_that_was_never_looked_at_waits_as_well(host: Host) -> None:
    """Of its script too the rest is by hand; where its key is served already, nothing waits."""
    host.desk.dns.publish(of_key("other"), of_key("one"))
    told = {}
    for key in ("other", "one"):
        host.key = key
        told[key] = host.piped("--dry-run")
    assert re.search(f"\n# by hand: wait until {A_TIME}: caches", told["other"].out)
    assert f" init {NAME}\n" in told["other"].out
    assert ("deploy" in told["other"].out, "deploy" in told["one"].out) == (False, True)
    assert "wait until" not in told["one"].out


def test_what_is_taken_on_reloads_nothing_while_caches_may_have_another_key_s_record_alone(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes without setup: init, then the daily runs."""
    reloaded = host.root / "reloaded"
    reload = host.write("own.sh", f"#!/bin/sh\necho >> {reloaded}\n", 0o755)
    host.config.write_text(f'{host.config.read_text()}hooks = ["{reload}"]\n')
    monkeypatch.setattr(host, "key", "other")
    host.desk.dns.publish(of_key("other"), of_key("one"))
    host.verb("init")
    for days in (0, 4, 7):
        later(monkeypatch, timedelta(days=days))
        host.verb("renew")
        assert not reloaded.exists()
        assert host.verb("deploy", NAME).status == 1
    assert not reloaded.exists()
    later(monkeypatch, timedelta(days=7, hours=2))
    host.verb("renew")
    host.verb("renew")
    assert reloaded.exists()


def later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Have the clock show a later time."""
    monkeypatch.setattr("danebot.jobs.context.system_clock", lambda: datetime.now(UTC) + by)
    before = Console.context

    def context(self: Console, tree: Tree) -> Context:
        return before(self, tree)._replace(clock=lambda: datetime.now(UTC) + by)

    monkeypatch.setattr(Console, "context", context)


def test_a_list_of_postfix_keeps_what_else_it_names(host: Host) -> None:
    combo = f"{host.live}/combo.pem"
    for setting, kept in (
        (f"smtpd_tls_chain_files = {host.live}/fullchain.pem, /etc/ssl/rsa.pem\n", True),
        (f"smtpd_tls_cert_file={host.live}/fullchain.pem\n", False),
    ):
        host.write("etc/postfix/main.cf", setting)
        said = host.piped("--dry-run")
        assert ("postconf -e" not in said.out) is kept
        assert f"{combo} in place of" in said.out or not kept


# ---- timers ---------------------------------------------------------------------------------

NIGHTLY = "usr/local/sbin/nightly.sh"


@pytest.mark.parametrize(
    ("table", "line", "script"),
    [
        ("var/spool/cron/crontabs/www-data", "@yearly {danebot} renew", ""),
        ("var/spool/cron/crontabs/www-data", "@daily {danebot} renew", ""),
        ("var/spool/cron/crontabs/root", "@yearly {danebot} renew", ""),
        ("var/spool/cron/crontabs/root", "@daily echo {danebot} renew", ""),
        ("var/spool/cron/crontabs/root", "@daily false && {danebot} renew", ""),
        ("var/spool/cron/crontabs/root", "@daily {danebot} renew other", ""),
        ("var/spool/cron/crontabs/root", "@daily /usr/local/bin/danebot renew", ""),
        ("etc/cron.d/danebot", "1 3 * * 1 root {danebot} renew", ""),
        ("etc/cron.d/danebot", "1 3 * * * www-data {danebot} renew", ""),
        ("etc/cron.d/backup", "0 3 * * * root {nightly}", 'echo "run {danebot} renew by hand"'),
        ("etc/cron.d/backup", "0 3 * * * root {nightly}", "[ $1 ] && {danebot} renew"),
        ("etc/anacrontab", "7 5 danebot {danebot} renew", ""),
    ],
)
def test_what_may_be_no_daily_run_keeps_nobody_from_the_timer(
    host: Host, table: str, line: str, script: str
) -> None:
    host.desk.dns.publish(of_key("one"))
    told = f"/usr/local/bin/danebot --config {host.config}"
    nightly = host.write(NIGHTLY, f"#!/bin/sh\n{script.format(danebot=told)}\n", 0o755)
    host.write(table, f"{line.format(danebot=told, nightly=f'/{NIGHTLY}')}\n")
    assert nightly.exists()
    host.piped("--yes", "--no-hook", "--no-renew")
    assert host.systemctl() == ["enable --now danebot.timer", "disable --now certbot.timer"]


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("var/spool/cron/crontabs/root", "@daily sleep 9; {danebot} renew >/dev/null 2>&1"),
        ("etc/crontab", "1 3,15 * * * root test -x /x && {danebot} renew"),
        ("etc/anacrontab", "1 5 danebot {danebot} renew"),
    ],
)
def test_a_daily_run_of_root_s_needs_no_timer(host: Host, table: str, line: str) -> None:
    told = f"/usr/local/bin/danebot -q --config={host.config} --config-dir {host.desk.tree}"
    host.write(table, f"{line.format(danebot=told)}\n")
    host.piped("--yes", "--no-hook", "--no-renew")
    assert host.systemctl() == ["disable --now certbot.timer"]


def unit_runs(host: Host, command: str) -> None:
    host.write("etc/systemd/system/danebot.service", f"[Service]\nExecStart={command}\n")


DAILY_FIRST = (
    "# by hand: have danebot renew run daily: ",
    "# by hand: stop certbot.timer, since danebot renews in certbot's place",
)


def test_what_to_write_for_a_daily_run_of_one_s_own_is_told(host: Host) -> None:
    run = f"/usr/local/bin/danebot --config={host.config} renew"
    unit_runs(host, "/usr/local/bin/danebot renew")
    said = host.piped("--dry-run").out
    assert "systemctl edit danebot.service, and write there, a line each: [Service], " in said
    assert f"ExecStart=, ExecStart={run}\n" in said
    shutil.rmtree(host.root / "run/systemd")
    said = host.piped("--dry-run").out
    assert f"write into /etc/cron.d/danebot: 17 4 * * * root {run}\n" in said


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("/usr/local/bin/danebot renew", "other settings"),
        ("/usr/local/bin/danebot --config {file} --config-dir /srv/other renew", "other settings"),
        ("/opt/none/danebot --config {file} renew", "/opt/none/danebot isn't there"),
    ],
)
def test_a_timer_that_would_not_renew_this_tree_is_no_reason_to_stop_certbots(
    host: Host, command: str, told: str
) -> None:
    unit_runs(host, command.format(file=host.config))
    script = host.piped("--dry-run")
    assert "\nsystemctl" not in f"\n{script.out}"
    lines = script.out.splitlines()
    assert [line[: len(first)] for line, first in zip(lines, DAILY_FIRST, strict=False)] == [
        *DAILY_FIRST
    ]
    said = host.piped("--yes", "--no-hook", "--no-renew")
    assert (said.status, host.systemctl()) == (1, [])
    assert "by hand: have danebot renew run daily: " in said.out
    assert told in said.out


def test_a_timer_of_its_own_tree_takes_no_other(host: Host) -> None:
    tree = host.desk.root / "other"
    shutil.copytree(host.desk.tree, tree, symlinks=True)
    said = host.piped("--dry-run", config=(*host.options(), f"--config-dir={tree}"))
    assert "systemctl" not in "".join(x for x in said.out.splitlines() if not x.startswith("#"))


def test_certbots_timer_stays_where_danebots_does_not_run_after_all(host: Host) -> None:
    """A ``systemctl`` that says well done, and does nothing."""
    host.write("bin/systemctl", "#!/bin/sh\nexit 0\n", 0o755)
    said = host.piped("--yes", "--no-hook", "--no-renew")
    assert said.status == 1
    assert "danebot renew still doesn't run daily" in said.err
    assert (host.root / WANTS / "certbot.timer").exists()


def test_what_others_may_change_is_not_made_a_run_of_root_s(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = host.write("venv/bin/danebot", "#!/bin/sh\n", 0o755)
    (host.root / "usr/local/bin/danebot").unlink()
    lines = (f"ln -s {program} /usr/local/bin/", "systemctl enable --now danebot.timer")
    monkeypatch.setattr("danebot.verbs.files.daily_run", lambda _: lines)
    assert f"ln -s {program}" in host.piped("--dry-run").out
    os.chown(program, 65534, 65534)
    said = host.piped("--yes", "--no-hook", "--no-renew")
    assert (said.status, host.systemctl()) == (1, [])
    assert f"{program} (what root runs daily) belongs to user 65534" in said.out


# ---- what fails, and scripts ----------------------------------------------------------------


def mail_in_dns(host: Host, exchange: str) -> None:
    """MX records for real questions: example.test has one, its hosts have an address."""
    server = host.server
    for name in (NAME, "example.test"):
        for kind in ("MX", "A", "AAAA", "TLSA"):
            server.say(name, kind, authority=(SOA,))
            server.say(f"_25._tcp.{name}", kind, authority=(SOA,))
    server.say("example.test", "MX", f"example.test 60 MX 10 {exchange}.")
    server.say(exchange, "A", f"{exchange} 60 A 192.0.2.25")
    server.say(exchange, "AAAA", authority=(SOA,))


@pytest.mark.parametrize("parts", [(), ("renewal", "live", "archive")])
@pytest.mark.parametrize(
    ("own", "exchange", "told"),
    [
        (NAME, NAME, f"{NAME}: for the names that MX records give this host\n"),
        ("srv1.example.test", NAME, f"{NAME}: records give; leave out what isn't this host\n"),
        ("localhost.localdomain", "", "HOST: for HOST, this host's name, as MX records are unkn"),
        (NAME, "", f"{NAME}: for this host's own name, as MX records are unknown: "),
    ],
)
def test_a_host_without_a_certificate_gets_certbots_command(  # noqa: PLR0917 - two grids
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    parts: tuple[str, ...],
    own: str,
    exchange: str,
    told: str,
) -> None:
    tree = host.desk.root / "empty"
    for part in parts:  # or there is no tree at all
        (tree / part).mkdir(parents=True)
    if exchange:
        mail_in_dns(host, exchange)
    name, _, why = told.partition(": ")
    monkeypatch.setattr(Console, "context", REAL_CONTEXT)
    monkeypatch.setattr("danebot.adapters.wiring.own_name", lambda: Hostname(own))
    config = (*host.options(), f"--config-dir={tree}")
    before = host.digest()
    certbot = f"{host.desk.root}/certbot certonly --standalone --config-dir {tree} -d {name}\n"
    said = host.piped("--yes", config=config)
    assert (said.status, said.err) == (1, "")
    assert why in said.out
    assert f"\n  {certbot}" in said.out
    assert said.out.endswith("when that is done by hand, run again: danebot setup\n")
    assert f"# {certbot}" in host.piped("--dry-run", config=config).out
    assert host.digest() == before


def test_what_is_left_of_a_lineage_is_put_back_and_no_first_certificate_got(host: Host) -> None:
    """certbot asked its CA, stumbled over the archive, and left an empty configuration there."""
    (host.desk.tree / "renewal" / f"{NAME}.conf").unlink()
    for words in (("--yes",), ("--dry-run",)):
        said = host.piped(*words)
        assert said.status == 1
        assert "certonly" not in said.out + said.err
        assert f"the way back: danebot status {NAME}" in said.out
    doctor = host.desk.danebot("doctor")
    assert "certbot has no certificate here" not in doctor.out
    assert f"the way back: danebot status {NAME}" in doctor.out


@pytest.mark.parametrize(
    ("port", "web", "plugin", "words"),
    [
        ("0050", "", "", "--webroot -w /var/www/html"),
        ("0050", "nginx", "", "--webroot -w /var/www/html"),
        ("0050", "nginx", "apache", "--webroot -w /var/www/html"),
        ("0050", "nginx", "nginx", "--nginx"),
        ("1F90", "nginx", "nginx", "--standalone"),
    ],
)
def test_certbots_command_has_the_plugin_that_fits(
    host: Host, port: str, web: str, plugin: str, words: str
) -> None:
    host.write(
        "proc/net/tcp",
        f"  sl  local_address rem_address   st\n   0: 00000000:{port} 00000000:0000 0A 0 0\n",
    )
    if web:
        host.write(f"etc/{web}/{web}.conf", "")
        host.write(f"bin/{web}", "", 0o755)
    if plugin:
        host.write(f"snap/certbot/current/lib/python3.12/site-packages/certbot_{plugin}/x.py", "")
    tree = host.desk.root / "none"
    said = host.piped("--yes", config=(*host.options(), f"--config-dir={tree}"))
    assert f"certbot certonly {words} --config-dir {tree} -d " in said.out


def test_what_cannot_be_looked_at_stops_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("")

    monkeypatch.setattr("danebot.adapters.services.readers_of_each", fail)
    assert f"init {NAME}" in host.piped("--dry-run").out


def test_hooks_that_could_not_be_tried_are_tried_by_the_next_run(host: Host) -> None:
    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    assert host.piped("--yes", "--no-hook").status == 0
    before = host.config.read_text()
    host.config.write_text(f'lock_wait = "1s"\n{before}')
    with (host.desk.tree / ".certbot.lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        child = os.fork()  # a lock of this process's own would not stop it
        if not child:
            status = 9
            with contextlib.suppress(BaseException):
                status = host.piped("--yes").status
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert "\nhooks" not in host.config.read_text()
    again = host.piped("--yes")
    assert again.status == 0
    assert '+hooks = ["@postfix"]' in again.out


def test_settings_that_became_uneditable_are_left_to_the_operator(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.postfix("combo")
    host.desk.dns.publish(of_key("one"))
    text = "hooks = [\n  # none yet\n]\n"
    host.piped("--yes", "--no-hook")
    real = Console.say

    def say(console: Console, line: str = "") -> None:
        real(console, line)
        if "@postfix" in line and "\nhooks" not in host.config.read_text():
            host.config.write_text(host.config.read_text() + text)

    monkeypatch.setattr(Console, "say", say)
    said = host.piped("--yes")
    assert said.status == 1
    assert f"write them to hooks in {host.config}" in said.out


CHANGED = "changed since: make the script anew: danebot setup --dry-run"
INIT = """#!/bin/sh
echo "$*" >> {root}/danebot.log
for last; do :; done
case $* in *init*) mkdir -p "{tree}/staging/$last" ;; esac
exit 1
"""


def script_of(host: Host, *words: str, config: tuple[str, ...] | None = None) -> str:
    """The script, run by sh, and what that prints and ends with."""
    script = host.piped("--dry-run", *words, config=config).out
    ran = run_script(host, script)
    return f"{ran.stdout}{ran.stderr}{ran.returncode}"


def run_script(host: Host, script: str) -> subprocess.CompletedProcess[str]:
    """Run by sh, elsewhere, with a danebot that does nothing but take lineages on."""
    told = INIT.format(root=host.desk.root, tree=host.desk.tree)
    host.write("bin/danebot", told, 0o755)
    return subprocess.run(
        ["sh"], input=script, capture_output=True, text=True, check=False, cwd=host.root
    )


def test_the_script_stops_where_a_timer_cannot_be_started(host: Host) -> None:
    host.write(
        "bin/systemctl", f"#!/bin/sh\necho $* >> {host.desk.root}/systemctl.log; exit 1", 0o755
    )
    script_of(host)
    assert host.systemctl() == ["enable --now danebot.timer"]


@pytest.mark.parametrize("end", ["", "\n", "\nhooks = []", "\n[lineage.x]"])
def test_the_script_edits_settings_without_a_last_newline(host: Host, end: str) -> None:
    host.config.write_text(host.config.read_text().rstrip("\n") + end)
    said = script_of(host, "--no-timer")
    assert tomllib.loads(host.config.read_text())["hooks"] == ["@postfix"], said


def test_the_script_changes_hooks_alone_and_only_what_it_was_made_for(host: Host) -> None:
    """sed has backslashes, quotes and indentation of its own."""
    odd = ["  # it's \\t 'a' \\\\ b", "# x\\y\r", "# the end"]
    before, after = odd[:1], odd[1:]
    hooks = "hooks = [\n]"
    old = "\n".join([host.config.read_text(), *before, hooks, *after])
    host.config.write_text(old, newline="")
    hook = r"/opt/it's \n \\t"
    script = host.piped("--dry-run", "--no-timer", "--hook", hook).out
    run = partial(run_script, host, script)
    said = run()
    made = host.config.read_bytes().decode()
    assert tomllib.loads(made)["hooks"] == [hook], said
    begun, _, ended = old.partition(hooks)
    assert (made.startswith(begun), made.endswith(ended)) == (True, True), said
    again = run()
    assert (again.returncode, again.stderr) == (1, f"{host.config} {CHANGED}\n")
    assert host.config.read_bytes().decode() == made


def test_the_script_writes_a_hook_as_it_is(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Console, "settings", property(lambda _: load(host.config)))
    script_of(host, "--no-timer", "--hook", r"/opt/push \\n \\t", config=())
    made = host.root / "etc/danebot/danebot.toml"
    assert tomllib.loads(made.read_text())["hooks"] == [r"/opt/push \\n \\t"]


def test_the_script_makes_settings_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two steps with hooks the second edits what the first made, and never twice."""
    monkeypatch.setattr(Console, "settings", property(lambda _: load(host.config)))
    two_services(host)
    file = host.root / "etc/danebot/danebot.toml"
    script = host.piped("--dry-run", "--no-timer", config=()).out
    said = run_script(host, script)
    made = file.read_text()
    assert tomllib.loads(made)["hooks"] == ["@postfix", "@nginx"], said
    again = run_script(host, script)
    assert (again.returncode, again.stderr) == (1, f"{file} {CHANGED}\n")
    assert file.read_text() == made


def test_a_comment_of_the_script_runs_nothing(host: Host) -> None:
    """Whatever a hook, a path or a name has in it."""
    hook = f"echo a\ntouch {host.desk.root}/X; exit 7"
    odd = host.config.rename(host.desk.root / f"a\n{'touch X'}")
    config = ("--config", str(odd))
    for settings in ("", "hooks = [\n  # none yet\n]\n"):
        odd.write_text(odd.read_text() + settings)
        script = host.piped("--dry-run", "--hook", hook, config=config).out
        said = run_script(host, script)
        assert "not found" not in said.stderr
        left = [path.name for path in (*host.desk.root.iterdir(), *host.root.iterdir())]
        assert "X" not in left, script


def test_the_script_runs_anywhere(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(host.desk.root)
    config = ("--config", host.config.name, "--config-dir", host.desk.tree.name)
    script_of(host, config=config)
    assert tomllib.loads(host.config.read_text())["hooks"] == ["@postfix"]
    own = f"--config={host.config} --config-dir={host.desk.tree}"
    log = (host.desk.root / "danebot.log").read_text().splitlines()
    assert log[0] == f"{own} init {NAME}"
    host.desk.dns.dead = True
    again = f"# danebot {own} init --although-unanswered {NAME}\n"
    shutil.rmtree(host.desk.tree / "staging")
    assert again in host.piped("--dry-run", config=config).out


def test_the_script_ends_where_a_lineage_is_not_taken_on(host: Host) -> None:
    script = host.piped("--dry-run").out
    (host.desk.tree / "staging").write_text("")  # mkdir fails
    said = run_script(host, script)
    log = (host.desk.root / "danebot.log").read_text().splitlines()
    assert (said.returncode, len(log)) == (1, 1)
    assert "hooks" not in host.config.read_text()


def two_services(host: Host) -> None:
    second_lineage(host)
    host.write("etc/nginx/nginx.conf", f"ssl_certificate {host.live.with_name('other')}/combo.pem;")
    host.write("bin/nginx", "", 0o755)


def test_the_script_edits_settings_for_one_lineage_after_the_other(host: Host) -> None:
    two_services(host)
    said = script_of(host, "--no-timer")
    hooks = tomllib.loads(host.config.read_text()).get("hooks")
    assert hooks == ["@postfix", "@nginx"], said


def test_each_question_shows_the_settings_as_they_will_be(host: Host) -> None:
    two_services(host)
    asked = [
        shown for shown in questions(host.at_terminal(*"yyyy", "y", CTRL_C)) if "hooks" in shown
    ]
    assert ["+hooks" in shown for shown in asked] == [True, True]
    assert '+hooks = ["@postfix", "@nginx"]' in asked[1]
    asked = [
        shown for shown in questions(host.at_terminal(*"yyyy", "n", CTRL_C)) if "hooks" in shown
    ]
    assert '+hooks = ["@nginx"]' in asked[1]


def test_a_comment_reloads_nothing(host: Host) -> None:
    hook = host.desk.tree / "renewal-hooks/deploy/todo"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\n# TODO: reload postfix some day\ntrue # postfix\n")
    hook.chmod(0o755)
    assert 'hooks = ["@postfix"]' in host.piped("--dry-run").out
    hook.write_text("#!/bin/sh\npostfix reload\n")
    assert "hooks =" not in host.piped("--dry-run").out


# ---- other hosts ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["dovecot", "nginx"])
def test_a_service_that_is_not_there_gets_no_hook(host: Host, service: str) -> None:
    """Removed, with its configuration left behind."""
    host.write(f"etc/{service}/{service}.conf", f"ssl_key = <{host.live}/combo.pem\n")
    host.postfix("combo")
    assert 'hooks = ["@postfix"]' in host.piped("--dry-run").out
    host.write("bin/doveconf", "#!/bin/sh\n", 0o755)
    host.write("bin/nginx", "#!/bin/sh\n", 0o755)
    assert f'"@{service}"' in host.piped("--dry-run").out


def test_a_service_with_another_certificate_gets_no_hook(host: Host) -> None:
    host.postfix("combo")
    host.write("etc/dovecot/dovecot.conf", "ssl_key = </etc/ssl/own.pem\n")
    host.write("bin/doveconf", "#!/bin/sh\n", 0o755)
    assert 'hooks = ["@postfix"]' in host.piped("--dry-run").out
    host.write("etc/postfix/main.cf", "")
    said = host.piped("--dry-run")
    assert "hooks =" not in said.out
    assert "by hand: have dovecot read" in said.out


def test_exim_is_told_of_as_any_other(host: Host) -> None:
    """As Debian has it, in parts; it reads certbot's files yet."""
    (host.root / "etc/postfix/main.cf").unlink()
    part = host.write(
        "etc/exim4/conf.d/main/000_localmacros",
        f"MAIN_TLS_ENABLE = yes\nMAIN_TLS_CERTIFICATE = {host.live}/fullchain.pem\n",
    )
    host.write("bin/exim4", "#!/bin/sh\n", 0o755)
    host.live.parent.chmod(0o700)
    said = host.piped("--yes")
    assert said.status == 1
    assert 'hooks = ["@exim"]' in host.config.read_text()
    told = f"have exim ({part}:2) read {host.live}/combo.pem, for both the key and the chain: tls_c"
    assert f"by hand: {told}" in said.out
    assert 'set combo_group = "' in said.out
    live = host.live.parent
    assert re.search(rf"^ +chgrp \S+ {live}$", said.out, re.MULTILINE)
    assert f"chmod g+x {live}\n" in said.out
    part.write_text(part.read_text().replace("fullchain", "combo"))
    host.desk.dns.publish(of_key("one"))
    assert host.piped("--yes").status == 0
    assert host.piped("--yes").out.startswith("nothing to do\n")


def test_certbot_from_a_snap_is_stopped_by_snap(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A double of snapd's files and of its command, which takes the timer's link away."""
    monkeypatch.setattr("danebot.adapters.certbot.timers._DEFAULT_TREES", (str(host.desk.tree),))
    (host.root / WANTS / "certbot.timer").unlink()
    host.write(f"{WANTS}/snap.certbot.renew.timer", "[Timer]\nOnCalendar=*-*-* 04:43\n")
    run = '[Service]\nExecStart=/usr/bin/snap run --timer="00:00~24:00/2" certbot.renew\n'
    host.write("etc/systemd/system/snap.certbot.renew.service", run)
    script = SYSTEMCTL.partition("case")[0].format(log=host.desk.root / "systemctl.log")
    host.write("bin/snap", f"{script}rm {host.root}/{WANTS}/snap.certbot.renew.timer\n", 0o755)
    host.desk.dns.publish(of_key("one"))
    host.postfix("combo")
    host.piped("--yes", "--no-renew")
    assert host.systemctl() == ["enable --now danebot.timer", "stop --disable certbot.renew"]
    assert host.piped("--yes", "--no-renew").out.startswith("nothing to do\n")


def test_without_systemd_the_daily_run_is_cron_s(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(host.root / "run/systemd")
    usual = host.write("etc/danebot/danebot.toml", host.config.read_text())
    config = ("--config", str(usual))
    table = host.root / "etc/cron.d/danebot"
    table.parent.mkdir(parents=True)
    line = f"install -m 644 {ROOT}/cron/danebot {table.parent}/"
    monkeypatch.setattr("danebot.verbs.files.daily_run", lambda _: (line,))
    certbots = host.write(
        "etc/cron.d/certbot", f"0 3 * * * root certbot --config-dir {host.desk.tree} renew\n"
    )
    host.desk.dns.publish(of_key("one"))
    host.postfix("combo")
    said = host.piped("--yes", config=config)
    assert (said.status, host.systemctl()) == (1, [])
    assert table.exists()
    assert f"by hand: {certbots} runs certbot renew: take that line out\n" in said.out
    certbots.unlink()
    assert host.piped("--yes", config=config).out.startswith("nothing to do\n")


def test_where_nothing_runs_daily_certbots_job_stays(host: Host) -> None:
    """Neither systemd nor cron, as on a minimal root, which has certbot's file in /etc/cron.d."""
    shutil.rmtree(host.root / "run/systemd")
    (host.root / "usr/sbin/cron").unlink()
    usual = host.write("etc/danebot/danebot.toml", host.config.read_text())
    config = ("--config", str(usual))
    host.write(
        "etc/cron.d/certbot", f"0 3 * * * root certbot --config-dir {host.desk.tree} renew\n"
    )
    host.desk.dns.publish(of_key("one"))
    host.postfix("combo")
    for _ in range(2):
        said = host.piped("--yes", config=config)
        assert said.status == 1
        told = "by hand: have danebot renew run daily: neither systemd nor cron is here\n  apt "
        assert f"{told}install cron\n" in said.out
        assert "take that line out" not in said.out.partition("danebot doctor")[0]
        assert "neither systemd nor cron is here" in said.out.partition("danebot doctor")[2]
        host.write("etc/cron.d/danebot", "1 3 * * * root /usr/local/bin/danebot renew\n")
