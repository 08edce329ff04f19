"""Jobs that would race with danebot, found in files as systemd, cron and Debian lay them out."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from danebot.adapters.certbot.timers import RunBasis, brought_job, competing_jobs, own_jobs
from danebot.regular import read_regular

DEBIAN_CRON = (
    "SHELL=/bin/sh\n"
    "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && "
    "perl -e 'sleep int(rand(43200))' && certbot -q renew\n"
)


TREE = Path("/etc/letsencrypt")


def write(path: Path, text: str = "", mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture(autouse=True)
def cron(tmp_path: Path) -> Path:
    """A program of cron's, without which its tables are but files."""
    write(tmp_path / "usr/sbin/cron", mode=0o755)
    return tmp_path / "usr/sbin/cron"


def jobs(root: Path, tree: Path = TREE) -> list[str]:
    return [str(job).replace(f"{root}/", "") for job in competing_jobs(tree, root)]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert jobs(tmp_path) == []


# ---- systemd --------------------------------------------------------------------------------


def timer(root: Path, name: str, *lines: str, place: str = "lib/systemd/system") -> None:
    """An enabled timer, with what its service says, where systemd runs."""
    (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
    wants = root / "etc/systemd/system/timers.target.wants"
    write(root / place / f"{name}.timer", "[Timer]\nOnCalendar=daily\n")
    wants.mkdir(parents=True, exist_ok=True)
    (wants / f"{name}.timer").symlink_to(root / place / f"{name}.timer")
    if lines:
        write(root / place / f"{name}.service", "\n".join(["[Service]", *lines, ""]))


def test_an_enabled_timer_is_named_with_its_remedy(tmp_path: Path) -> None:
    timer(tmp_path, "certbot", "ExecStart=/usr/bin/certbot -q renew")
    timer(tmp_path, "ours", "ExecStart=-/opt/venv/bin/certbot \\", "  renew")
    timer(tmp_path, "logrotate", "ExecStart=/usr/sbin/logrotate")
    timer(tmp_path, "danebot", "ExecStart=/usr/bin/danebot --config-dir /etc/letsencrypt renew")
    timer(tmp_path, "certbot-renew")
    assert jobs(tmp_path) == [
        f"{name}.timer is enabled: systemctl disable --now {name}.timer"
        for name in ("certbot-renew", "certbot", "ours")
    ]


def test_without_systemd_no_timer_runs(tmp_path: Path) -> None:
    """A package links its timer whatever starts the host's services, in a container for one."""
    timer(tmp_path, "certbot", "ExecStart=/usr/bin/certbot -q renew")
    (tmp_path / "run/systemd/system").rmdir()
    assert jobs(tmp_path) == []


def test_the_snaps_timer_is_turned_off_by_snap(tmp_path: Path) -> None:
    line = 'ExecStart=/usr/bin/snap run --timer="00:00~24:00/2" certbot.renew'
    timer(tmp_path, "snap.certbot.renew", line, place="etc/systemd/system")
    (job,) = jobs(tmp_path)
    assert job == "snap.certbot.renew.timer is enabled: snap stop --disable certbot.renew"


SCRIPT = "/usr/local/sbin/certificates"


def test_what_a_script_runs_is_seen(tmp_path: Path) -> None:
    """Of a timer, and of a line of cron; a program that is no shell script is not read."""
    script = tmp_path / SCRIPT[1:]
    timer(tmp_path, "certificates", f"ExecStart=-{SCRIPT} --quiet")
    write(tmp_path / "etc/cron.d/certs", f"7 3 * * * root flock /run/x {SCRIPT} >/dev/null\n")
    write(tmp_path / "etc/cron.d/nul", "7 3 * * * root /x\0y\n")
    write(script, "#!/bin/bash -e\n# renews\nif true; then certbot \\\n  -q renew; fi\n", 0o755)
    both = [
        "certificates.timer is enabled: systemctl disable --now certificates.timer",
        "etc/cron.d/certs runs certbot renew: take that line out",
    ]
    assert jobs(tmp_path) == both
    write(script, "#!/usr/bin/python3\ncertbot renew\n", 0o755)
    assert jobs(tmp_path) == []
    write(script, "#!/bin/sh\n# certbot renew\ndanebot renew\n", 0o755)
    assert jobs(tmp_path) == []
    own = [job.place.rpartition("/")[2] for job in own_jobs(TREE, tmp_path)]
    assert own == ["certificates.timer", "certs"]


@pytest.mark.parametrize(
    "command",
    [
        f"sh -c '{SCRIPT}'",
        f'sh -c "cd /tmp; {SCRIPT} -q" >/dev/null 2>&1',
        f"bash -e {SCRIPT}",
        f"nice -n 10 {SCRIPT}",
        f"ionice -c3 {SCRIPT} -q",
        f"chronic -v {SCRIPT}",
        f"flock -n /run/x -c '{SCRIPT} --quiet'",
        f"flock /run/x {SCRIPT}",
        f"timeout 5m {SCRIPT}",
        f"timeout --foreground {SCRIPT}",
        f"env X=Y {SCRIPT}",
        f"env -i {SCRIPT}",
        f"systemd-cat -t x sh -c 'exec {SCRIPT}'",
        f"cd /usr/local && {SCRIPT}",
        "cd /usr/local/sbin && ./certificates",
        "cd /usr/local; cd sbin && sh certificates",
        f"cat x|{SCRIPT}|logger -t x",
        f"{SCRIPT}>/dev/null",
        f"bash <{SCRIPT}",
        f"test -x {SCRIPT}&&{SCRIPT}",
        f"echo $({SCRIPT}) `true`",
        f"ssh-agent bash -c \"flock /run/x sh -c '{SCRIPT}'\"",
        f"it's {SCRIPT}",
        "run-parts --report /usr/local/sbin",
        "run-parts /usr/local/sbin/",
        "'/opt/my scripts/renew'",
        "/opt/my\\ scripts/renew",
        "sh -c '\"/opt/my scripts/renew\" -q'",
    ],
)
def test_a_script_is_seen_however_it_is_called(tmp_path: Path, command: str) -> None:
    for script in (SCRIPT, "/opt/my scripts/renew"):
        write(tmp_path / script[1:], "#!/bin/bash -e\ncertbot -q renew\n", 0o755)
    write(tmp_path / "etc/cron.d/certs", f"7 3 * * * root {command}\n")
    assert jobs(tmp_path) == ["etc/cron.d/certs runs certbot renew: take that line out"]
    (tmp_path / "etc/cron.d/certs").unlink()
    timer(tmp_path, "certs", f"ExecStart={command}")
    assert jobs(tmp_path) == ["certs.timer is enabled: systemctl disable --now certs.timer"]


def test_what_run_parts_runs_is_told_once_where_it_is(tmp_path: Path) -> None:
    write(tmp_path / "etc/crontab", "25 6 * * * root cd / && run-parts --report /etc/cron.daily\n")
    write(tmp_path / "etc/cron.daily/renew", "#!/bin/sh\ncertbot renew\n", 0o755)
    write(tmp_path / "opt/parts/renew", "#!/bin/sh\ncertbot renew\n")
    write(tmp_path / "etc/cron.d/parts", "25 6 * * * root run-parts /opt/parts\n")
    assert jobs(tmp_path) == ["etc/cron.daily/renew runs certbot renew: take that line out"]


def test_a_timer_that_runs_danebot_or_nothing_is_none(tmp_path: Path) -> None:
    """By a drop-in, as an administrator would; or masked."""
    timer(tmp_path, "certbot", "ExecStart=/usr/bin/certbot -q renew")
    drop_in = tmp_path / "etc/systemd/system/certbot.service.d/danebot.conf"
    write(drop_in, "[Service]\nExecStart=\nExecStart=/usr/bin/danebot renew\n")
    assert jobs(tmp_path) == []
    drop_in.unlink()
    assert len(jobs(tmp_path)) == 1
    (tmp_path / "etc/systemd/system/certbot.timer").symlink_to("/dev/null")
    assert jobs(tmp_path) == []


# ---- cron -----------------------------------------------------------------------------------


def test_debians_cron_file_counts_only_without_systemd(tmp_path: Path) -> None:
    write(tmp_path / "etc/cron.d/certbot", DEBIAN_CRON)
    assert jobs(tmp_path) == ["etc/cron.d/certbot runs certbot renew: take that line out"]
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert jobs(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("etc/crontab", "17 3 * * * root /usr/bin/certbot -q renew\n"),
        ("etc/crontab", "17 3 * * * root danebot renew\n18 3 * * * root certbot renew # danebot"),
        ("etc/crontab", "17 3 * * * root danebot renew; certbot renew\n"),
        ("etc/crontab", '17 3 * * * root certbot -q renew --post-hook "danebot renew"\n'),
        ("etc/crontab", "17 3 * * * root certbot renew --deploy-hook /usr/sbin/danebot\n"),
        ("etc/crontab", "17 3 * * * root flock /run/danebot certbot -q renew\n"),
        ("etc/crontab", "17 3 * * * root chronic certbot renew >>/var/log/danebot 2>&1\n"),
        ("etc/crontab", "17 3 * * * root certbot-3.11 renew\n"),
        ("etc/anacrontab", "7 10 certs sh -c 'certbot renew -q'\n"),
        ("etc/cron.daily/renew", "#!/bin/sh\nexec letsencrypt renew\n"),
        ("etc/cron.monthly/renew", "#!/bin/sh\ncertbot \\\n  renew\n"),
        ("etc/periodic/daily/renew", "#!/bin/sh\ncertbot renew\n"),
        ("etc/crontabs/root", "0 3 * * * docker run certbot/certbot renew\n"),
        ("var/spool/cron/crontabs/root", "@daily certbot renew --quiet\n"),
        ("var/spool/cron/root", "@daily /snap/bin/certbot renew\n"),
        ("var/spool/cron/root", "@daily certbot renew --config-dir=/etc/letsencrypt/\n"),
        ("etc/crontab", "1 3 * * * root certbot -q renew --post-hook 'danebot renew'\n"),
        ("etc/crontab", "1 3 * * * root certbot renew --deploy-hook /usr/local/sbin/danebot\n"),
        ("etc/crontab", "1 3 * * * root flock /run/danebot certbot -q renew\n"),
        ("etc/crontab", "1 3 * * * root systemd-cat -t danebot certbot -q renew\n"),
        ("etc/crontab", "1 3 * * * root chronic certbot renew >>/var/log/danebot 2>&1\n"),
        ("etc/crontab", "1 3 * * * root certbot-3.11 renew\n"),
    ],
)
def test_a_cron_job_is_found_wherever_it_is(tmp_path: Path, place: str, line: str) -> None:
    write(tmp_path / place, line, 0o755)
    assert jobs(tmp_path) == [f"{place} runs certbot renew: take that line out"]


@pytest.mark.parametrize(
    "line",
    [
        "# 0 0 * * * root certbot renew\n",
        "0 0 * * * root certbot certificates\n",
        "0 0 * * * root danebot --config-dir /etc/letsencrypt renew\n",
        "0 0 * * * root danebot --config /etc/certbot renew\n",
        "0 0 * * * root certbot renew --dry-run\n",
        "0 0 * * * root danebot renew # instead of certbot renew\n",
        "0 0 * * * root certbot renew --config-dir /srv/other\n",
        "0 0 * * * root certbot certificates; danebot renew\n",
        "0 0 * * * root /opt/venv/bin/danebot --config-dir /etc/letsencrypt renew\n",
    ],
)
def test_other_lines_are_no_jobs(tmp_path: Path, line: str) -> None:
    write(tmp_path / "etc/cron.d/other", line)
    assert jobs(tmp_path) == []


@pytest.mark.parametrize(
    "place",
    [
        *("etc/cron.d/certbot.disabled", "etc/cron.d/certbot~", "etc/cron.d/certbot.dpkg-dist"),
        *("etc/cron.d/.certbot.swp", "etc/cron.daily/not-executable", "etc/cron.d/x.ucf-dist"),
    ],
)
def test_what_was_set_aside_is_no_job(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, "0 0 * * * root certbot renew\n")
    assert jobs(tmp_path) == []


def test_a_run_on_another_tree_is_nobodys_business(tmp_path: Path) -> None:
    write(tmp_path / "etc/cron.d/certbot", "0 0 * * * root certbot renew\n")
    assert jobs(tmp_path, tmp_path / "tree") == []
    line = f"0 0 * * * root certbot renew --config-dir {tmp_path}/t\n"
    write(tmp_path / "etc/cron.d/ours", line)
    (job,) = jobs(tmp_path, tmp_path / "t")
    assert job.startswith("etc/cron.d/ours ")


# ---- danebot's own --------------------------------------------------------------------------


def own(root: Path) -> list[tuple[str, str, bool]]:
    found = own_jobs(Path("/etc/letsencrypt"), root)
    return [(one.place.removeprefix(f"{root}/"), one.program, one.runs) for one in found]


def test_a_timer_counts_where_systemd_runs(tmp_path: Path) -> None:
    timer(tmp_path, "danebot", "ExecStart=/usr/local/bin/danebot renew")
    (tmp_path / "run/systemd/system").rmdir()
    assert own(tmp_path) == []
    (tmp_path / "run/systemd/system").mkdir()
    assert own(tmp_path) == [("danebot.timer", "/usr/local/bin/danebot", False)]
    write(tmp_path / "usr/local/bin/danebot", "", 0o755)
    assert own(tmp_path) == [("danebot.timer", "/usr/local/bin/danebot", True)]


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("1 3 * * * root /opt/danebot/bin/danebot renew", "/opt/danebot/bin/danebot"),
        ("1 3 * * * root sh -c 'sleep 9; /opt/danebot -v renew'", "/opt/danebot"),
        ("1 3 * * * root chronic /x/danebot --config /etc/x.toml renew", "/x/danebot"),
        ("1 3 * * * root /x/danebot --config-dir /etc/letsencrypt renew", "/x/danebot"),
    ],
)
def test_a_cron_job_of_danebots_is_found(tmp_path: Path, line: str, program: str) -> None:
    write(tmp_path / "etc/crontab", f"{line}\n")
    assert own(tmp_path) == [("etc/crontab", program, False)]


@pytest.mark.parametrize(
    "line",
    [
        "# 1 3 * * * root danebot renew",
        "1 3 * * * root danebot renew --dry-run",
        "1 3 * * * root danebot status",
        "1 3 * * * root danebot --config-dir /srv/other renew",
        "1 3 * * * root flock /run/danebot certbot -q renew",
        "1 3 * * * root systemd-cat -t danebot certbot -q renew",
    ],
)
def test_what_does_not_renew_this_tree_is_no_job_of_danebots(tmp_path: Path, line: str) -> None:
    write(tmp_path / "etc/crontab", f"{line}\n")
    assert own(tmp_path) == []


# ---- what is certain ------------------------------------------------------------------------

PROGRAM = "/usr/local/bin/danebot"
SETTINGS = Path("/etc/danebot/danebot.toml")
BASIS = RunBasis(SETTINGS, Path("/etc/letsencrypt"), SETTINGS)


def certain(root: Path, basis: RunBasis = BASIS) -> list[str]:
    found = own_jobs(Path("/etc/letsencrypt"), root, basis)
    return [one.place.removeprefix(f"{root}/") for one in found if one.certain]


@pytest.mark.parametrize(
    ("schedule", "service", "is_so"),
    [
        ("daily", "ExecStart=/x/danebot renew", True),
        ("*-*-* 03:17:00", "ExecStart=-/x/danebot -v renew", True),
        ("03:17", "User=root\nExecStart=/x/danebot --config-dir=/etc/letsencrypt renew", True),
        ("weekly", "ExecStart=/x/danebot renew", False),
        ("*-*-01 03:17:00", "ExecStart=/x/danebot renew", False),
        ("daily", "User=mail\nExecStart=/x/danebot renew", False),
        ("daily", "DynamicUser=yes\nExecStart=/x/danebot renew", False),
        ("daily", "ExecStart=/bin/echo /x/danebot renew", False),
        ("daily", "ExecStart=danebot renew", False),
        ("daily", "ExecStart=/x/danebot --config /srv/x.toml renew", False),
        ("daily", "ExecStart=/x/danebot --config", False),
        ("daily", "ExecStart=renew", False),
        ("daily", "ExecStart=/x/danebot renew --dry-run", False),
    ],
)
def test_a_timer_of_anothers_is_certain_by_its_text(
    tmp_path: Path, schedule: str, service: str, *, is_so: bool
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    timer(tmp_path, "ours", service)
    write(tmp_path / "lib/systemd/system/ours.timer", f"[Timer]\nOnCalendar={schedule}\n")
    assert certain(tmp_path) == ["ours.timer"] * is_so


@pytest.mark.parametrize("program", ["", "usr/sbin/crond", "usr/bin/fcron"])
def test_without_a_cron_a_table_is_but_a_file(tmp_path: Path, cron: Path, program: str) -> None:
    cron.unlink()
    if program:
        write(tmp_path / program, mode=0o755)
    write(tmp_path / "etc/cron.d/danebot", "1 3 * * * root /x/danebot renew\n")
    assert (certain(tmp_path), len(own(tmp_path))) == (
        (["etc/cron.d/danebot"], 1) if program else ([], 0)
    )


@pytest.mark.parametrize(
    ("table", "end", "mode"),
    [
        ("etc/cron.d/danebot.cron", "\n", 0o644),
        ("etc/cron.d/danebot", "", 0o644),
        ("etc/cron.d/danebot", "\n", 0o664),
        ("etc/cron.d/danebot", "\n", 0o646),
        ("etc/crontab", "\n", 0o666),
        ("etc/crontab", "", 0o644),
    ],
)
def test_what_not_every_cron_takes_is_not_certain(
    tmp_path: Path, table: str, end: str, mode: int
) -> None:
    """cron(8) and crontab(5) of Debian: names with a dot, a last line without end, modes."""
    line = "1 3 * * * root /x/danebot renew"
    write(tmp_path / table, f"{line}{end}", mode)
    assert certain(tmp_path) == []
    assert len(own(tmp_path)) == 1
    write(tmp_path / table.removesuffix(".cron"), f"{line}\n", 0o644)
    assert certain(tmp_path) == [table.removesuffix(".cron")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_table_that_another_owns_is_not_certain(tmp_path: Path) -> None:
    write(tmp_path / "etc/cron.d/danebot", "1 3 * * * root /x/danebot renew\n")
    os.chown(tmp_path / "etc/cron.d/danebot", 65534, 65534)
    assert certain(tmp_path) == []


def test_without_a_script_s_shell_nobody_is_certain_of_it(tmp_path: Path) -> None:
    write(tmp_path / "etc/cron.daily/danebot", "#!/bin/sh\nexec /x/danebot renew\n", 0o755)
    assert certain(tmp_path) == []
    assert len(own(tmp_path)) == 1  # for the doctor


def test_a_run_without_options_reads_the_usual_settings(tmp_path: Path) -> None:
    write(tmp_path / "etc/crontab", "@daily root /x/danebot renew\n")
    assert certain(tmp_path) == ["etc/crontab"]
    assert certain(tmp_path, BASIS._replace(settings=Path("/srv/x.toml"))) == []
    assert certain(tmp_path, BASIS._replace(tree=Path("/srv/tree"))) == []


def test_the_timer_that_is_brought_runs_what_its_unit_says(tmp_path: Path) -> None:
    tree = Path("/etc/letsencrypt")
    assert brought_job(tree, BASIS, tmp_path) == ("danebot.timer", PROGRAM, False, True)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert brought_job(tree, BASIS, tmp_path).program == PROGRAM  # the unit is linked later
    for line, program in (
        (f"{PROGRAM} --config-dir /x renew", ""),
        ("/a/danebot renew", "/a/danebot"),
    ):
        write(tmp_path / "usr/lib/systemd/system/danebot.service", f"[Service]\nExecStart={line}\n")
        found = brought_job(tree, BASIS, tmp_path)
        assert (found.program, found.certain) == (program, bool(program))


# ---- anybody may have a crontab ---------------------------------------------------------------


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from here on."""
    seen: list[str] = []

    def read(path: str, limit: int, begins: bytes) -> bytes:
        seen.append(path)
        return read_regular(path, limit, begins=begins)

    monkeypatch.setattr("danebot.adapters.certbot.timers.read_regular", read)
    return seen


def test_a_script_is_read_once_however_often_a_table_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "opt/renew", "#!/bin/sh\ncertbot renew\n")
    write(tmp_path / "var/spool/cron/crontabs/eve", "@daily /opt/renew /opt/renew\n" * 50)
    seen = reads(monkeypatch)
    assert jobs(tmp_path) == ["var/spool/cron/crontabs/eve runs certbot renew: take that line out"]
    assert seen.count(f"{tmp_path}/opt/renew") == 1


@pytest.mark.parametrize(("count", "size"), [(2000, 1), (20, 1_000_000)])
def test_a_table_that_names_too_much_to_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, size: int
) -> None:
    """And what others have in theirs is seen."""
    write(tmp_path / "opt/big", "#!/bin/sh\n#" + "x" * size)
    for number in range(count):
        (tmp_path / f"opt/{number}").symlink_to("big")
    write(tmp_path / "opt/renew", "#!/bin/sh\ndanebot renew\n")
    lines = [f"@daily /opt/{number}\n" for number in range(count)]
    write(tmp_path / "var/spool/cron/crontabs/eve", "".join(lines))
    write(tmp_path / "var/spool/cron/crontabs/root", "@daily /opt/renew\n")
    seen, told = reads(monkeypatch), list[str]()
    found = own_jobs(TREE, tmp_path, cut=told.append)
    assert [job.place for job in found] == [f"{tmp_path}/var/spool/cron/crontabs/root"]
    assert told == [f"{tmp_path}/var/spool/cron/crontabs/eve"]
    assert len(seen) < 1100
    assert len(seen) * size < 50_000_000


def test_a_long_line_costs_no_more_than_its_length(tmp_path: Path) -> None:
    write(tmp_path / "opt/renew", f"#!/bin/sh\ndanebot renew {'-x certbot ' * 90_000}\n")
    write(tmp_path / "var/spool/cron/crontabs/eve", "@daily /opt/renew\n")
    began = time.process_time()
    assert jobs(tmp_path) == []
    assert time.process_time() - began < 5
