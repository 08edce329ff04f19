"""What `danebot doctor` says: each finding's line as a whole, what to do included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from danebot.domain.doctor.assess import CLOCK_TOLERANCE, assess_files, assess_host
from danebot.domain.doctor.facts import (
    Account,
    Asked,
    ClockState,
    ComboGroup,
    Directory,
    FileReference,
    FileStat,
    HostFacts,
    Job,
    LastRun,
    Refused,
    Rival,
    Role,
    Space,
    Unlooked,
    Unreached,
    UnusableProgram,
    Unwatched,
    Whose,
)
from danebot.domain.finding import Severity

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LOCAL = Asked("127.0.0.1", loopback=True, public=False, trusted=False, authentic=True, signed=True)
JOB = Job("danebot.timer", "/usr/local/bin/danebot", runs=True)
WELL = HostFacts(
    asked=(LOCAL,),
    clock=ClockState(synchronised=True),
    jobs=(JOB,),
    last_run=LastRun(NOW, 0),
    lineages=1,
    managed=1,
    openssl=(3, 0),
)
LIVE = "/etc/letsencrypt/live"
COMBO = f"{LIVE}/mail/combo.pem"


def lines(facts: HostFacts) -> list[str]:
    return [str(one) for one in assess_host(facts, NOW)]


def of_file(entry: FileStat) -> list[str]:
    return [str(one) for one in assess_files(HostFacts(entries=(entry,)))]


def test_a_host_is_well_whoever_looks() -> None:
    assert lines(WELL) == []
    assert lines(WELL._replace(me=1000)) == []


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            WELL._replace(asked=(LOCAL._replace(trouble="refuses"),)),
            (
                "resolver 127.0.0.1 refuses; see that it answers this host for all names, or run a "
                "validating resolver here (apt install unbound), with nameserver 127.0.0.1 alone"
            ),
        ),
        (
            WELL._replace(clock=ClockState(synchronised=True, ahead=CLOCK_TOLERANCE * 2)),
            "this host's clock is 4 min ahead of the CA's; set it by NTP: timedatectl set-ntp true",
        ),
        (
            WELL._replace(clock=ClockState(synchronised=True, ahead=-CLOCK_TOLERANCE * 2)),
            "this host's clock is 4 min behind the CA's; set it by NTP: timedatectl set-ntp true",
        ),
        (
            WELL._replace(certbot="certbot is too old; run: apt upgrade"),
            "certbot is too old; run: apt upgrade",
        ),
        (
            WELL._replace(certbot="certbot is too old"),
            (
                "certbot is too old; run: apt install certbot; or name another one with certbot = "
                '"/path" in danebot.toml'
            ),
        ),
        (
            WELL._replace(directories=(Directory("https://b.test"), Directory("x", "refused"))),
            (
                "x can't be reached (refused); see that this host may connect to it: firewall, "
                "proxy, DNS"
            ),
        ),
        (
            WELL._replace(openssl=(1, 1)),
            (
                "OpenSSL 1.1 gets no security updates any more; bring this host to a newer release "
                "of its system"
            ),
        ),
    ],
)
def test_what_a_run_rests_on(facts: HostFacts, line: str) -> None:
    assert lines(facts) == [line]


@pytest.mark.parametrize("there", [True, None, False])
def test_an_account_that_is_gone_for_certain(*, there: bool | None) -> None:
    found = lines(WELL._replace(accounts=(Account("mail", "/accounts/x", there),)))
    told = (
        "mail: its account is not in /accounts/x, so the CA refuses renewals; restore it from a "
        "backup; or register (certbot register) and name the new one with account in "
        "renewal/mail.conf"
    )
    assert found == [told] * (there is False)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            WELL._replace(no_tree="/le isn't there; run: certbot register", lineages=None),
            "/le isn't there; run: certbot register",
        ),
        (
            WELL._replace(no_tree="/le isn't there", jobs=()),
            (
                "/le isn't there; get one with the command that is told by: danebot setup; then "
                "run that again"
            ),
        ),
        (WELL._replace(managed=0), "no lineage is under danebot's care; run: danebot init"),
        (
            WELL._replace(last_run=None),
            "danebot renew has never ended here; run: danebot renew",
        ),
        (
            WELL._replace(last_run=LastRun(NOW - timedelta(hours=1), 1)),
            (
                "the last danebot renew, at 2026-11-30 11:00 UTC, found trouble; see what: danebot "
                "status; then run: danebot renew"
            ),
        ),
        (
            WELL._replace(jobs=(JOB, JOB._replace(place="/etc/crontab", runs=False)), me=1000),
            (
                "/etc/crontab runs /usr/local/bin/danebot, which isn't there or can't be run; run: "
                'ln -s "$(command -v danebot)" /usr/local/bin/danebot'
            ),
        ),
    ],
)
def test_the_daily_run(facts: HostFacts, line: str) -> None:
    assert lines(facts) == [line]


def test_of_lineages_that_nobody_could_count_none_is_missed() -> None:
    assert lines(WELL._replace(lineages=None, managed=0)) == []


@pytest.mark.parametrize(
    ("rival", "line"),
    [
        (Rival("x.timer", ("stop", "a b")), "x.timer is enabled: stop 'a b'"),
        (Rival("/etc/crontab:3"), "/etc/crontab:3 runs certbot renew: take that line out"),
    ],
)
def test_who_renews_beside_danebot_is_told_with_what_ends_it(rival: Rival, line: str) -> None:
    assert str(rival) == line


# ---- files ----------------------------------------------------------------------------------

READ = "may be read by everybody, mode 0644; run: chmod o-rwx /x"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            FileStat("/x", Role.KEY, 0, 0o644),
            (
                f"/x (a private key) {READ}; if others have accounts here, roll over to another "
                "key: danebot newkey"
            ),
        ),
        (FileStat("/x", Role.SECRET, 0, 0o644), f"/x (a secret) {READ}"),
        (
            FileStat("/x", Role.STATE, 5, 0o600),
            "/x (what danebot remembers) belongs to user 5, who may change it; run: chown root: /x",
        ),
        (
            FileStat("/x", Role.HOOK, 0, 0o777),
            "/x (a hook) may be written by others, mode 0777; run: chmod go-w /x",
        ),
        (
            FileStat("/x", Role.PROGRAM, 5, 0o755),
            (
                "/x (what root runs daily) belongs to user 5, who may change it; install danebot "
                "where root alone may write"
            ),
        ),
        (
            FileStat("/x", Role.PROGRAM, 0, 0o777),
            (
                "/x (what root runs daily) may be written by others, mode 0777; install danebot "
                "where root alone may write"
            ),
        ),
    ],
)
def test_a_file_that_others_may_use(entry: FileStat, line: str) -> None:
    assert of_file(entry) == [line]


def test_to_pass_is_neither_to_read_nor_to_write() -> None:
    assert of_file(FileStat("/x", Role.KEY, 0, 0o611)) == []
    assert of_file(FileStat("/x", Role.HOOK, 0, 0o755, 50)) == []


def test_a_group_that_cannot_reach_combo_pem() -> None:
    shut = FileStat(LIVE, Role.TREE, 0, 0o700)
    group = ComboGroup("mail", 8)
    assert lines(WELL._replace(combo_group=group, doors=(shut,))) == [
        (
            f"group mail is to read combo.pem, and may not pass {LIVE}; run: chgrp mail {LIVE} && "
            f"chmod g+x {LIVE}"
        )
    ]
    assert lines(WELL._replace(combo_group=group, doors=(shut._replace(mode=0o755),))) == []
    assert lines(WELL._replace(doors=(shut,))) == []


def test_what_deployments_need() -> None:
    hook = UnusableProgram("/hook", "is not executable")
    assert lines(WELL._replace(unusable=(hook, hook._replace(remedy="run: chmod +x /hook")))) == [
        "/hook is not executable; make it executable with chmod +x, or take it out",
        "/hook is not executable; run: chmod +x /hook",
    ]
    assert lines(WELL._replace(trust_store="ca_file /x is empty")) == [
        "ca_file /x is empty; correct ca_file in danebot.toml"
    ]


def test_of_files_and_disks_the_most_serious_comes_first() -> None:
    exposed = FileStat("/x", Role.KEY, 0, 0o644)
    space = Space("/y", 1 << 30, None, read_only=True)
    found = assess_files(HostFacts(entries=(exposed,), spaces=(space,)))
    assert [one.severity for one in found] == [Severity.CRITICAL, Severity.WARNING]


# ---- services and records -------------------------------------------------------------------


def test_a_service_that_reads_certbots_files_is_told_once() -> None:
    chain = FileReference("mail", "postfix", "main.cf:1", "fullchain.pem", COMBO)
    key = chain._replace(place="main.cf:2", file="privkey.pem")
    assert lines(WELL._replace(references=(chain, key, chain._replace(service="exim")))) == [
        (
            "mail: postfix reads fullchain.pem (main.cf:1), privkey.pem (main.cf:2), which change "
            f"apart from each other; have it read {COMBO} for both the key and the chain"
        ),
        (
            "mail: exim reads fullchain.pem (main.cf:1), which change apart from each other; have "
            f"it read {COMBO} for both the key and the chain"
        ),
    ]


@pytest.mark.parametrize(
    ("whose", "line"),
    [
        (
            Whose.OWN,
            (
                "TLSA records of its key are published and not watched: _25._tcp.a, _25._tcp.b; "
                "run: danebot init mail"
            ),
        ),
        (
            Whose.REFUSING,
            (
                "senders refuse its key by TLSA records that are not watched: _25._tcp.a, "
                "_25._tcp.b; have them watched: danebot init mail; then this prints the record to "
                "add beside them: danebot tlsa mail"
            ),
        ),
        (
            Whose.UNTOLD,
            (
                "TLSA records of a key that nobody knows are not watched: _25._tcp.a, _25._tcp.b; "
                "if they are this host's: danebot watch mail _25._tcp.a; if not: danebot watch "
                "--remove mail _25._tcp.a"
            ),
        ),
    ],
)
def test_records_that_nobody_watches(whose: Whose, line: str) -> None:
    one = Unwatched("mail", "_25._tcp.a, _25._tcp.b", "_25._tcp.a", whose)
    assert lines(WELL._replace(unwatched=(one,))) == [f"mail: {line}"]


def test_what_was_asked_in_vain() -> None:
    facts = WELL._replace(
        unreached=(Unreached("mail", "[::1]:25", "refused"),),
        refused=(Refused("mail", "ns.test refuses the update", "give the key the right to"),),
        unlooked=(Unlooked("/x", "Permission denied", "mail"),),
    )
    assert lines(facts) == [
        (
            "mail: [::1]:25 can't be asked from here what it serves (refused); see that it runs, "
            "or name the address to ask with endpoints in danebot.toml"
        ),
        "mail: ns.test refuses the update; give the key the right to",
        "mail: /x could not be looked at: Permission denied; run danebot doctor as root",
    ]
