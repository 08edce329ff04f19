"""Steps that several tests share: a ready key in the cache of everybody, slow issuance, looks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.shell_tree import key_digest, leaf_digest
from e2e.site import MAIL, OWNER, Site

_PATIENCE = 120  # seconds for what takes one or two, on a machine that does much else


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
    cools(site)
    return old, new


def cools(site: Site) -> None:
    """The daily run that first sees a new record everywhere: the wait begins, and isn't over in it.

    However long this takes: the clock of a run in this process stands still.
    """
    with site.still():
        site.quiet("renew")
        assert site.status()["phase"] == "cooling"
    assert (site.staging / "ready.pem").exists()


def cooled(site: Site) -> tuple[str, str]:
    """The same when every cache has it: the largest TTL is one second."""
    records = cooling(site)
    time.sleep(1.2)
    return records


def safe_time(site: Site, *names: str) -> datetime:
    """From when danebot says that it is safe to use the ready keys of all these lineages."""
    return max(datetime.fromisoformat(site.status(name)["safe_at"]) for name in names)


def wait_until(moment: datetime) -> None:
    """Wait until the clock shows it."""
    while (left := (moment - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(left)


@dataclass(frozen=True)
class Gate:
    """A hook in which certbot waits until it is let on: no matter what takes how long meanwhile."""

    directory: Path

    @classmethod
    def at(cls, directory: Path) -> Gate:
        """Put it there, closed."""
        gate = cls(directory)
        gate.hook.write_text(
            f"#!/bin/sh\ntouch {gate._reached}\nleft=2000\n"  # whatever becomes of the test
            f"until test -e {gate._opened} || test $((left -= 1)) = 0; do sleep 0.05; done\n"
        )
        gate.hook.chmod(0o755)
        return gate

    @property
    def hook(self) -> Path:
        """The command."""
        return self.directory / "gate"

    @property
    def _reached(self) -> Path:
        return self.directory / "gate-reached"

    @property
    def _opened(self) -> Path:
        return self.directory / "gate-opened"

    def reached(self) -> bool:
        """Whether certbot has come to it."""
        return self._reached.exists()

    def open(self) -> None:
        """Let it on, and everybody who comes later."""
        self._opened.touch()

    def open_later(self) -> None:
        """The same while something else is under way; nothing rests on when."""
        threading.Timer(1, self.open).start()


def held_issuance(site: Site) -> Gate:
    """Let certbot wait before it asks for a certificate."""
    gate = Gate.at(site.tree.parent)
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    hook = f"pre_hook = {gate.hook}"
    conf.write_text(conf.read_text().replace("[renewalparams]", f"[renewalparams]\n{hook}"))
    return gate


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
    end = time.monotonic() + _PATIENCE
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
    """Let all times that danebot noted of the mail lineage be as long ago."""
    age(site.staging, passed)


def age(staging: Path, passed: timedelta) -> None:
    """Move back all times that danebot noted of a lineage, as if that long had passed since then.

    The host was booted meanwhile: else the time since the boot would say that it hadn't passed.
    """

    def moved(noted: re.Match[str]) -> str:
        return (datetime.fromisoformat(noted[0]) - passed).isoformat()

    file, ready = staging / "rollover.json", staging / "ready.pem"
    text = re.sub(r"\d{4}-\d\d-\d\dT[-+:.\d]+", moved, file.read_text())
    document = json.loads(text)
    if document.get("clock"):
        document["clock"]["boot"] = "an earlier one"
    file.write_text(json.dumps(document))
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
