"""Jobs that would race with danebot, found in files as systemd, cron and Debian lay them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from danebot.adapters.certbot.timers import competing_jobs

DEBIAN_CRON = (
    "SHELL=/bin/sh\n"
    "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d /run/systemd/system && "
    "perl -e 'sleep int(rand(43200))' && certbot -q renew\n"
)


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert competing_jobs(tmp_path) == ()


def test_an_enabled_timer_is_named_with_its_remedy(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/timers.target.wants"
    write(wants / "certbot.timer")
    write(wants / "logrotate.timer")
    (job,) = competing_jobs(tmp_path)
    assert job == "certbot.timer is enabled: systemctl disable --now certbot.timer"


def test_debians_cron_file_counts_only_without_systemd(tmp_path: Path) -> None:
    write(tmp_path / "etc/cron.d/certbot", DEBIAN_CRON)
    (job,) = competing_jobs(tmp_path)
    assert str(tmp_path / "etc/cron.d/certbot") in job
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert competing_jobs(tmp_path) == ()


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("etc/crontab", "17 3 * * * root /usr/bin/certbot -q renew\n"),
        ("etc/cron.daily/renew", "#!/bin/sh\nexec letsencrypt renew\n"),
        ("var/spool/cron/crontabs/root", "@daily certbot renew --quiet\n"),
        ("var/spool/cron/root", "@daily /snap/bin/certbot renew\n"),
    ],
)
def test_a_cron_job_is_found_wherever_it_is(tmp_path: Path, place: str, line: str) -> None:
    write(tmp_path / place, line)
    (job,) = competing_jobs(tmp_path)
    assert job.startswith(f"{tmp_path / place} ")


@pytest.mark.parametrize(
    "line",
    ["# 0 0 * * * root certbot renew\n", "0 0 * * * root certbot certificates\n"],
)
def test_other_lines_are_no_jobs(tmp_path: Path, line: str) -> None:
    write(tmp_path / "etc/cron.d/other", line)
    assert competing_jobs(tmp_path) == ()
