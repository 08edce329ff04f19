"""Status documents for tests: every situation, as many lineages as wanted, hostile names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from danebot.adapters.codec import encode
from danebot.domain.status.document import (
    SCHEMA,
    CertificateStatus,
    EventStatus,
    FailureStatus,
    FindingStatus,
    HookStatus,
    KeyStatus,
    LineageStatus,
    ProbeStatus,
    PublicationStatus,
    RecordStatus,
    RunStatus,
    Snapshot,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HOSTILE = (
    '"><script>alert(1)</script>',
    "</style><img src=x onerror=alert(1)>",
    'x" onmouseover="alert(1)',
    "line\nbreak\r\n# TYPE x counter",
    "back\\slash\\",
    "\x1b[31mred\x00\x7f\u202egnp.exe",
    "\ud800lone",
    "ünï.example",
    "a" * 5000,
    "{a=b}, 1 2",
)


def key(seed: str, kind: str = "p256") -> KeyStatus:
    return KeyStatus(hashlib.sha256(seed.encode()).digest(), kind)


def certificate(name: str, age: timedelta = 30 * DAY, seed: str = "") -> CertificateStatus:
    return CertificateStatus(
        version=4,
        not_before=NOW - age,
        not_after=NOW - age + 90 * DAY,
        names=(name, f"smtp.{name}"),
        fingerprint=hashlib.sha256(f"chain {name} {seed}".encode()).digest(),
        key=key(seed or name),
    )


def record(name: str, role: str, seed: str, *, missing: tuple[str, ...] = ()) -> RecordStatus:
    return RecordStatus(
        role=role,
        owner=f"_25._tcp.{name}",
        record=f"3 1 1 {key(seed).digest.hex()}",
        seen="missing" if missing else "seen everywhere",
        present_at=("ns1.example.net [192.0.2.53]", "ns2.example.net [198.51.100.53]"),
        missing_at=missing,
        security="secure",
        ttl=HOUR,
    )


def lineage(name: str) -> LineageStatus:
    """Stable and healthy."""
    live = certificate(name)
    ours = f"_25._tcp.{name}. 3600 IN TLSA 3 1 1 {live.key.digest.hex()}"
    return LineageStatus(
        name=name,
        management="staged",
        phase="stable",
        doing="",
        live=live,
        staged=live,
        current=live.key,
        next=None,
        ready=None,
        records=(record(name, "current", name),),
        publication=PublicationStatus((ours,), (), ()),
        awaiting_since=None,
        seen_since=None,
        safe_at=None,
        longest_ttl=None,
        deployed_at=NOW - 20 * DAY,
        confirmed_at=NOW - 20 * DAY,
        pending_hooks=(),
        promotion_failures=0,
        promotion_retry_at=None,
        findings=(),
        phase_since=NOW - 20 * DAY,
        last_success=NOW - HOUR,
        probes=(ProbeStatus(NOW - 20 * DAY, f"{name}:25", "192.0.2.25", "deployed", "served", ""),),
    )


def finding(name: str, code: str, severity: str, text: str, remedy: str = "") -> FindingStatus:
    return FindingStatus(code, severity, name, text, remedy)


def cooling(name: str) -> LineageStatus:
    text = "the ready key cools until 2026-06-02 06:00 UTC (18 h)"
    return lineage(name)._replace(
        phase="cooling",
        doing="waiting: its TLSA records are not in every cache yet",
        ready=key("ready" + name),
        records=(record(name, "current", name), record(name, "awaited", "ready" + name)),
        awaiting_since=NOW - 2 * DAY,
        seen_since=NOW - 30 * HOUR,
        safe_at=NOW + 18 * HOUR,
        longest_ttl=HOUR,
        phase_since=NOW - 30 * HOUR,
        findings=(finding(name, "cooling", "info", text),),
    )


def staged(name: str) -> LineageStatus:
    lack = ("resolver (validating resolver doesn't have it)",)
    add = f"_25._tcp.{name}. 3600 IN TLSA 3 1 1 {key('next' + name).digest.hex()}"
    base = lineage(name)
    return base._replace(
        phase="staged",
        doing="waiting: its TLSA records are not seen everywhere",
        next=key("next" + name, "rsa2048"),
        records=(
            record(name, "current", name),
            record(name, "awaited", "next" + name, missing=lack),
        ),
        publication=base.publication._replace(add=(add,)),
        awaiting_since=NOW - 9 * DAY,
        phase_since=NOW - 9 * DAY,
        findings=(
            finding(
                name,
                "next-key-stuck",
                "warning",
                f"the next key waits since 2026-05-23 12:00 UTC for its TLSA records: "
                f"_25._tcp.{name} (validating resolver doesn't have it)",
                f"publish what this prints: danebot tlsa {name}",
            ),
        ),
        last_failure=FailureStatus(NOW - HOUR, "next-key-stuck", "the next key waits"),
    )


def mismatch(name: str) -> LineageStatus:
    digest = key(name).digest.hex()
    return lineage(name)._replace(
        records=(
            record(name, "current", name, missing=("resolver (validating resolver lacks it)",)),
        ),
        last_success=NOW - 3 * DAY,
        last_failure=FailureStatus(NOW - HOUR, "tlsa-mismatch", "no TLSA record matches"),
        findings=(
            finding(
                name,
                "tlsa-mismatch",
                "critical",
                f"no TLSA record at _25._tcp.{name} matches the live key: "
                "DANE senders defer or bounce mail",
                f"add now: _25._tcp.{name}. IN TLSA 3 1 1 {digest}",
            ),
            finding(name, "key-set-aside", "notice", "a key that danebot didn't make is kept"),
        ),
    )


def deployed(name: str) -> LineageStatus:
    remove = f"_25._tcp.{name}. 3600 IN TLSA 3 1 1 {key('old' + name).digest.hex()}"
    base = lineage(name)
    return base._replace(
        phase="deployed",
        deployed_at=NOW - HOUR,
        confirmed_at=None,
        phase_since=NOW - HOUR,
        pending_hooks=(HookStatus("10-postfix", 2, "exit status 1: postfix: not running"),),
        publication=base.publication._replace(remove=(remove,)),
        probes=(
            ProbeStatus(NOW - HOUR, f"{name}:25", "192.0.2.25", "other", "served", ""),
            ProbeStatus(
                NOW - HOUR, f"{name}:25", "2001:db8::25", "nothing", "cannot connect", "refused"
            ),
        ),
        findings=(
            finding(
                name,
                "hook-failed",
                "warning",
                "deploy hook 10-postfix failed 2 times: exit status 1: postfix: not running",
                "mend it; danebot runs it again at every renew",
            ),
        ),
    )


def expiring(name: str) -> LineageStatus:
    live = certificate(name, age=80 * DAY)
    return lineage(name)._replace(
        live=live,
        staged=live,
        promotion_failures=3,
        promotion_retry_at=NOW + 4 * HOUR,
        findings=(
            finding(
                name,
                "expires-soon",
                "warning",
                "the live certificate expires in 10 d",
                "see why renewals fail: danebot -v renew",
            ),
        ),
    )


def passed(name: str) -> LineageStatus:
    return lineage(name)._replace(
        management="pass-through",
        phase="pass-through",
        records=(),
        staged=None,
        renews_at=NOW + 30 * DAY,
    )


def broken(name: str) -> LineageStatus:
    text = "live/privkey.pem holds no usable key"
    return lineage(name)._replace(
        phase="broken",
        live=None,
        staged=None,
        current=None,
        records=(),
        probes=(),
        findings=(finding(name, "files-broken", "critical", text, "mend the file"),),
    )


def every_situation() -> tuple[LineageStatus, ...]:
    return (
        mismatch("mx.example.org"),
        cooling("mail.example.com"),
        staged("smtp.example.net"),
        deployed("imap.example.com"),
        expiring("relay.example.org"),
        passed("www.example.com"),
        broken("old.example.net"),
        lineage("mail.example.test"),
    )


def event(lineage: str, text: str, ago: timedelta = HOUR) -> EventStatus:
    return EventStatus(NOW - ago, "deployed", lineage, text)


def snapshot(lineages: Iterable[LineageStatus] = (), *findings: FindingStatus) -> Snapshot:
    run = RunStatus("renew", "0.1.0", NOW - HOUR - timedelta(seconds=12), NOW - HOUR, 1)
    return Snapshot(SCHEMA, run, run, NOW - DAY, tuple(lineages), tuple(findings))


def write(path: Path, document: Snapshot | None = None) -> Path:
    """Write a document; as `danebot` would, but with what JSON can't hold escaped."""
    path.write_text(json.dumps(encode(document or snapshot(every_situation()))), encoding="utf-8")
    path.chmod(0o644)
    return path
