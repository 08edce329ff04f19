"""Runs certbot; what it did is read from the tree, never from its output."""

from __future__ import annotations

import enum
import os
import re
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.process import Finished, run
from danebot.domain.assess import duration
from danebot.errors import CertbotError

if TYPE_CHECKING:
    from danebot.config import Settings
    from danebot.domain.keytype import KeyType

OLDEST = (2, 1)
_USUAL = "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/bin:/snap/bin:/opt/certbot/bin"
_VERSION = re.compile(r"certbot (\d+)\.(\d+)")
_VERSION_LIMIT = timedelta(seconds=60)


class Cause(enum.Enum):
    """Why certbot failed, as far as its words tell; the value is in words."""

    LOCKED = "another certbot is at work"
    RATE_LIMITED = "the CA limits the rate"
    UNREACHABLE = "the CA can't be reached"
    REFUSED = "the CA refused"
    TIMEOUT = "out of time"
    OTHER = "certbot failed"


_TELLTALES = (
    (Cause.LOCKED, "Another instance of Certbot"),
    (Cause.RATE_LIMITED, "rateLimited"),
    (Cause.RATE_LIMITED, "too many"),
    (Cause.UNREACHABLE, "Connection refused"),
    (Cause.UNREACHABLE, "Max retries exceeded"),
    (Cause.UNREACHABLE, "Name or service not known"),
    (Cause.UNREACHABLE, "timed out"),
    (Cause.REFUSED, "urn:ietf:params:acme:error"),
    (Cause.REFUSED, "Some challenges have failed"),
)
_NOISE = re.compile(
    r"(?i)saving debug log|ask for help|^- - -|see the logfile|community\.letsencrypt|"
    r"^all renewals failed|^the following (renewals|certificates)|\.pem \(failure\)|"
    r"renew failure\(s\)|^traceback|^Processing "
)


@dataclass(frozen=True, slots=True)
class CertbotRun:
    """One call's end; ``reason`` is one printable line, "" if certbot reported success."""

    reason: str
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Certbot:
    """A certbot program, and the tree and limits that it is called with."""

    program: Path
    settings: Settings

    def renew(self, lineage: str | None) -> CertbotRun:
        """Renew what is due: one lineage, or all of them in one call."""
        return self._renew(("--cert-name", lineage) if lineage is not None else ())

    def promote(self, lineage: str, key_type: KeyType | None) -> CertbotRun:
        """Issue now, with the key that is staged; its type and size are named."""
        named = key_type.certbot_options if key_type is not None else ()
        return self._renew(("--cert-name", lineage, "--force-renewal", "--reuse-key", *named))

    def _renew(self, options: tuple[str, ...]) -> CertbotRun:
        settings = self.settings
        command = [
            str(self.program),
            "renew",
            "--quiet",
            "--non-interactive",
            "--no-random-sleep-on-renew",
            "--config-dir",
            str(settings.tree),
            *options,
        ]
        environment = {**settings.environment, "DANEBOT_EVENT": "issued"}
        try:
            done = run(command, timeout=settings.certbot_timeout, environment=environment)
        except OSError as exc:
            raise CertbotError(f"cannot run {self.program}: {exc.strerror}") from exc
        return _judged(done, settings.certbot_timeout)


def _judged(done: Finished, limit: timedelta) -> CertbotRun:
    if done.timed_out:
        return CertbotRun(
            f"certbot did not end within {duration(limit)} and was stopped", Cause.TIMEOUT
        )
    if done.status == 0:
        return CertbotRun("")
    cause = next((c for c, words in _TELLTALES if words in done.output), Cause.OTHER)
    telling = [line for line in done.lines if not _NOISE.search(line)]
    words = telling[-1] if telling else f"exit status {done.status} without a word"
    for line in telling:
        if "acme:error" in line or "Detail:" in line or "Failed to renew" in line:
            words = line
            break
    if cause is Cause.OTHER:
        return CertbotRun(words, cause)
    return CertbotRun(f"{cause.value}: {words}", cause)


def find_certbot(settings: Settings) -> Certbot:
    """Find certbot as configured, or on PATH and in the usual places; `CertbotError` if there is none.

    Its version isn't asked for here, which would cost as much as a whole renewal run: a certbot
    that is too old is found out by `check_version` when `init` takes a lineage over.
    """
    if settings.certbot is not None:
        program: str | None = str(settings.certbot)
        if not os.access(settings.certbot, os.X_OK):
            raise CertbotError(
                f"{settings.certbot} is not an executable program; correct certbot in danebot.toml"
            )
    else:
        path = f"{os.environ.get('PATH', '')}:{_USUAL}"
        program = shutil.which("certbot", path=path)
    if program is None:
        raise CertbotError(
            "certbot is not installed, or not on PATH; install it (2.1 or newer), or name it with "
            "certbot in danebot.toml"
        )
    return Certbot(Path(program), settings)


def check_version(certbot: Certbot) -> tuple[int, int]:
    """Ask for major and minor version; `CertbotError` if it is too old or no certbot."""
    try:
        done = run([certbot.program, "--version"], timeout=_VERSION_LIMIT, environment={})
    except OSError as exc:
        raise CertbotError(f"cannot run {certbot.program}: {exc.strerror}") from exc
    match = _VERSION.search(done.output)
    if match is None:
        raise CertbotError(f"{certbot.program} doesn't say that it is certbot; is it?")
    version = (int(match[1]), int(match[2]))
    if version < OLDEST:
        raise CertbotError(
            f"{certbot.program} is certbot {match[1]}.{match[2]}; danebot needs "
            f"{OLDEST[0]}.{OLDEST[1]} or newer"
        )
    return version
