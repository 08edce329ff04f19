"""Steps that several tests share: a ready key in the cache of everybody, slow issuance, looks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.shell_tree import key_digest, leaf_digest
from e2e.site import MAIL, OWNER, Site


def versions(site: Site) -> list[int]:
    """The numbers of all certificates in the archive."""
    return sorted(int(p.stem.removeprefix("cert")) for p in site.archive.glob("cert*.pem"))


def combo(site: Site) -> str:
    """Digest of the key that services load; it must be that of the certificate."""
    pem = (site.live / "combo.pem").read_bytes()
    digest = key_digest(pem)
    assert digest == leaf_digest(pem)
    return digest


def cooling(site: Site) -> tuple[str, str]:
    """A published ready key that began to cool; the old and the new record."""
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, ttl=1)
    site.ok("init", MAIL)
    new = site.next_record()
    site.lab.tlsa_add(OWNER, new, ttl=1)
    site.quiet("renew")
    assert (site.staging / "ready.pem").exists()
    return old, new


def cooled(site: Site) -> tuple[str, str]:
    """The same when every cache has it: the largest TTL is one second."""
    records = cooling(site)
    time.sleep(1.2)
    return records


def slow_issuance(site: Site, seconds: float) -> Path:
    """Let certbot pause before it asks for a certificate; the file that says that it does."""
    marker = site.tree.parent / "in-hook"
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    hook = f"pre_hook = touch {marker}; sleep {seconds}"
    conf.write_text(conf.read_text().replace("[renewalparams]", f"[renewalparams]\n{hook}"))
    return marker


def start(site: Site, *args: str) -> subprocess.Popen[str]:
    """danebot in the background."""
    return subprocess.Popen(
        site.command(*args),
        env=site.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something that must happen has happened."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def tlsa_data(pem: bytes) -> str:
    """The ``3 1 1`` record of a key file's key."""
    return f"3 1 1 {key_digest(pem)}"


def memory(site: Site) -> dict[str, Any]:
    """``rollover.json``."""
    document: dict[str, Any] = json.loads((site.staging / "rollover.json").read_text())
    return document


def aged(site: Site, passed: timedelta) -> None:
    """Move back all times that danebot noted, as if that long had passed since then."""

    def moved(noted: re.Match[str]) -> str:
        return (datetime.fromisoformat(noted[0]) - passed).isoformat()

    file, ready = site.staging / "rollover.json", site.staging / "ready.pem"
    file.write_text(re.sub(r"\d{4}-\d\d-\d\dT[-+:.\d]+", moved, file.read_text()))
    if ready.exists():
        modified = ready.stat().st_mtime - passed.total_seconds()
        os.utime(ready, (modified, modified))


def pass_back_off(site: Site) -> None:
    """Let the time before which no other attempt is made be over, as if it had passed."""
    document = memory(site)
    failure = document["promotion_failure"]
    for moment in ("first", "last", "retry_at"):
        shifted = datetime.fromisoformat(failure[moment]) - timedelta(days=2)
        failure[moment] = shifted.astimezone(UTC).isoformat()
    (site.staging / "rollover.json").write_text(json.dumps(document))
