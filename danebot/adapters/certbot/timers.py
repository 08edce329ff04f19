"""Finds what else runs ``certbot renew``: timers and cron jobs that would race with danebot."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_CERTBOT_LINE = re.compile(r"^[^#]*\b(certbot|letsencrypt)\b.*\brenew\b", re.MULTILINE)
_SKIPS_UNDER_SYSTEMD = "/run/systemd/system"
_WANTS = ("etc/systemd/system/timers.target.wants", "lib/systemd/system/timers.target.wants")
_CRON = ("etc/crontab", "etc/cron.d", "etc/cron.hourly", "etc/cron.daily", "etc/cron.weekly")
_CRONTABS = ("var/spool/cron/crontabs", "var/spool/cron")


def competing_jobs(root: Path = Path("/")) -> tuple[str, ...]:
    """Timers and cron files, with what to do about each; judged from files alone."""
    systemd = (root / "run/systemd/system").is_dir()
    return (*_timers(root), *_cron_jobs(root, systemd=systemd))


def _timers(root: Path) -> Iterator[str]:
    for directory in _WANTS:
        for timer in _listed(root / directory):
            if "certbot" in timer.name and timer.suffix == ".timer":
                yield f"{timer.name} is enabled: systemctl disable --now {timer.name}"


def _cron_jobs(root: Path, *, systemd: bool) -> Iterator[str]:
    for name in (*_CRON, *_CRONTABS):
        path = root / name
        for file in [path] if path.is_file() else _listed(path):
            try:
                text = file.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            if not _CERTBOT_LINE.search(text) or "danebot" in text:
                continue
            if systemd and _SKIPS_UNDER_SYSTEMD in text:
                continue
            yield f"{file} runs certbot renew: take that line out"


def _listed(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in sorted(os.listdir(directory))]
    except OSError:
        return []
