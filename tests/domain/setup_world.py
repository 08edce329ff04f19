"""A host on which all is done, and one on which nothing is, for tests of `danebot setup`."""

from __future__ import annotations

from datetime import UTC, datetime

from danebot.domain.doctor.facts import Asked, HostFacts, Job, LastRun, Rival
from danebot.domain.doctor.setup import (
    Candidate,
    Reads,
    SetupFacts,
    SetupPlan,
    Wanted,
    Way,
    plan_setup,
)
from danebot.domain.names import DnsName

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOTHING = Wanted()
MAIL = "mail.example.org"
COMBO = f"/etc/letsencrypt/live/{MAIL}/combo.pem"
SMTP = DnsName.parse(f"_25._tcp.{MAIL}")
RESOLVER = Asked("127.0.0.1", loopback=True, public=False, trusted=False, authentic=True)
JOB = Job("danebot.timer", "/usr/local/bin/danebot", runs=True, certain=True)
ENABLE = ("systemctl", "enable", "--now", "danebot.timer")
LINK = ("ln", "-s", "/opt/danebot/bin/danebot", "/usr/local/bin/")
TIMER = Rival("certbot.timer", ("systemctl", "disable", "--now", "certbot.timer"))
POSTFIX = Reads("postfix", "/etc/postfix/main.cf:9", combo=True)
HOST = HostFacts(
    asked=(RESOLVER,), jobs=(JOB,), last_run=LastRun(NOW, 0), lineages=1, managed=1, openssl=(3, 0)
)
DONE = Candidate(
    MAIL, COMBO, managed=True, watched=(SMTP,), readers=(POSTFIX,), hooks=("@postfix",)
)
BARE = Candidate(MAIL, COMBO)
NEW_HOST = HOST._replace(jobs=(), last_run=None, managed=0)


def planned(
    *candidates: Candidate,
    host: HostFacts = HOST,
    wanted: Wanted = NOTHING,
    mail: tuple[str, ...] = (),
    rivals: tuple[Rival, ...] = (),
    daily: tuple[tuple[str, ...], ...] = (),
) -> SetupPlan:
    return plan_setup(SetupFacts(host, candidates, mail, rivals, daily), wanted, NOW)


def commands(found: SetupPlan) -> list[str]:
    """What is done, in order; what is left to the operator in brackets."""
    return [
        f"[{step.why}]" if step.way is Way.BY_HAND else f"{step.way.name} {' '.join(words)}"
        for step in found.steps
        for words in step.commands or ((),)
    ]
