"""Finds certbot and runs it.  What it did is read from the tree afterwards, never from here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.adapters.certbot.held_hooks import any_staged, hold
from danebot.adapters.presence import is_directory
from danebot.adapters.process import Ended, Ending, run_program, search_path
from danebot.domain.lineage.renewal import OLD_DEFAULT
from danebot.errors import CertbotError, TreeError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.adapters.certbot.failures import FailureCause
    from danebot.adapters.certbot.renewal_conf import RenewalConf
    from danebot.config import Settings
    from danebot.domain.lineage.key_types import KeyType

OLDEST = (2, 1)
_FRACTION_SINCE = 4
_VERSION_FILE = "certbot.json"
_ELSEWHERE = ("/snap/bin", "/opt/certbot/bin")
_VERSION = r"certbot (\d+)\.(\d+)\S*"
_PROBE_TIME = timedelta(minutes=1)
_CLEAN_UP = timedelta(minutes=1)  # certbot undoes changes and removes its challenges
_EVENT = {"DANEBOT_EVENT": "issued"}
_DEPLOY_HOOK = "deploy-hook"


class CertbotRun(NamedTuple):
    """One call of certbot that has ended.

    ``exit_status`` is negative for a signal's number, None if certbot could not be started.
    ``cause`` is None and ``reason`` "" exactly if certbot reports success; ``reason`` is one
    printable line, ``output`` the printable lines that certbot ended with.  ``failures`` are the
    lineages that it names as not renewed, each with why: what it says isn't stable, so a lineage
    that isn't among them may have failed, too.  ``other_key`` are those of them for which
    certbot's settings ask for another key than the one to keep, so that the CA wasn't asked.
    """

    arguments: tuple[str, ...]
    exit_status: int | None
    ending: Ending
    cause: FailureCause | None
    reason: str
    output: tuple[str, ...]
    duration: timedelta
    failures: Mapping[str, str] = MappingProxyType({})
    other_key: frozenset[str] = frozenset()

    @property
    def reached_renewals(self) -> bool:
        """Whether certbot may have come to ask the CA."""
        from danebot.adapters.certbot.failures import FailureCause

        return self.ending is not Ending.NOT_STARTED and self.cause is not FailureCause.LOCKED


class Certbot(NamedTuple):
    """A certbot that is new enough, for one tree; ``timeout`` is for each call."""

    path: Path
    version: tuple[int, int]
    tree: Path
    timeout: timedelta = timedelta(minutes=10)
    environment: Mapping[str, str] = MappingProxyType({})
    clean_up: timedelta = _CLEAN_UP

    @property
    def one_by_one(self) -> bool:
        """Whether each lineage needs a call of its own.

        So it is where an option has to keep deploy hooks from danebot's: one that ``cli.ini`` has
        for all, or those of the directory where they can't be held back.
        """
        return any_staged(self.tree) and (_DEPLOY_HOOK in self._cli_ini or bool(hold(self.tree)))

    def renew(self, lineage: str | None = None, key_type: KeyType | None = None) -> CertbotRun:
        """Renew what is due, of one lineage or of all, each with the key that is staged.

        ``key_type`` is that of one lineage's key, which goes over what ``cli.ini`` says for all.
        """
        options = key_type.certbot_options if key_type is not None else ()
        return self._renew((*self._named(lineage), *options))

    def promote(self, lineage: str, key_type: KeyType | None) -> CertbotRun:
        """Issue now, with the staged key; ``key_type`` is that key's.

        Without the type certbot would refuse a key of another type than the last one's.
        """
        options = key_type.certbot_options if key_type is not None else ()
        forced = (*self._named(lineage), "--force-renewal", "--reuse-key")
        return self._renew((*forced, *options))

    def rehearse(self, lineage: str, key_type: KeyType | None) -> CertbotRun:
        """Have the CA, by its staging server where certbot knows one, issue for nothing.

        With the staged key, whose type is ``key_type``.  certbot runs pre and post hooks, no deploy
        hook, and keeps nothing but its log; nothing of danebot's is changed either.
        """
        options = key_type.certbot_options if key_type is not None else ()
        forced = ("--cert-name", lineage, "--dry-run", "--reuse-key")
        return self._renew((*forced, *options), {"DANEBOT_EVENT": "rehearsal"})

    def revoke(self, certificate: Path, key: Path, server: str) -> CertbotRun:
        """Revoke one certificate, since its key is compromised; the key itself signs the request.

        ``certificate`` must be a copy outside the tree: certbot takes the lineage of a file that it
        knows, and may delete it.  ``server`` is the CA's directory, "" for certbot's default.
        """
        return self._run(
            ("revoke",),
            (
                *("--cert-path", str(certificate), "--key-path", str(key)),
                *("--reason", "keycompromise", "--no-delete-after-revoke"),
                *(("--server", server) if server else ()),
            ),
        )

    def change_names(
        self, conf: RenewalConf, lineage: str, names: Sequence[str], key_type: KeyType | None
    ) -> CertbotRun:
        """Issue now for other names, with the staged key; ``key_type`` is that key's.

        Only `renew` reads what ``conf`` says of the CA, the challenge and its hooks, so all that is
        given as options.
        """
        from danebot.adapters.certbot.options import saved_options

        options = key_type.certbot_options if key_type is not None else ()
        wanted = [word for name in names for word in ("-d", name)]
        return self._run(
            ("certonly",),
            (
                *(*self._named(lineage), "--reuse-key", "--renew-with-new-domains"),
                *options,
                *saved_options(conf, names),
                *wanted,  # the last, since a webroot belongs to the names after it
            ),
        )

    @property
    def _cli_ini(self) -> Mapping[str, str]:
        from danebot.adapters.certbot.cli_ini import settings

        return settings(self.tree, {**os.environ, **self.environment})

    def _named(self, lineage: str | None) -> tuple[str, ...]:
        """The options that choose a lineage, or all, without what may not run for danebot's."""
        unheld = hold(self.tree) if any_staged(self.tree) else ()
        named = ("--cert-name", lineage) if lineage is not None else ()
        if lineage is not None and not is_directory(self.tree / "staging" / lineage):
            return named
        found = (f"--{_DEPLOY_HOOK}=",) if lineage and _DEPLOY_HOOK in self._cli_ini else ()
        return (*named, *found, *(("--no-directory-hooks",) if unheld else ()))

    def _renew(self, options: tuple[str, ...], event: Mapping[str, str] = _EVENT) -> CertbotRun:
        # cron or the timer has spread the load already, and the lock is held meanwhile
        return self._run(("renew", "--no-random-sleep-on-renew"), options, event)

    def _run(
        self,
        command: tuple[str, ...],
        options: tuple[str, ...],
        event: Mapping[str, str] = _EVENT,
    ) -> CertbotRun:
        verb, *always = command
        arguments = (
            # not --quiet: that would keep back what the CA found wrong, and nothing is shown anyway
            *(verb, "--non-interactive", *always),
            *("--config-dir", str(self.tree.absolute())),
            *options,
        )
        ended = run_program(
            [self.path, *arguments],
            timeout=self.timeout,
            grace=self.clean_up,
            environment={**self.environment, **event},
        )
        cause, reason = _failure(ended, self.timeout)
        return CertbotRun(
            arguments=arguments,
            exit_status=ended.exit_status,
            ending=ended.ending,
            cause=cause,
            reason=reason,
            output=ended.lines,
            duration=ended.duration,
            failures=_failures(ended),
            other_key=_other_key(ended),
        )


def _failures(ended: Ended) -> Mapping[str, str]:
    if ended.succeeded:
        return MappingProxyType({})
    from danebot.adapters.certbot.failures import failures_of

    return failures_of(ended)


def _other_key(ended: Ended) -> frozenset[str]:
    if ended.succeeded:
        return frozenset()
    from danebot.adapters.certbot.failures import other_key_of

    return other_key_of(ended)


def _failure(ended: Ended, timeout: timedelta) -> tuple[FailureCause | None, str]:
    """Why certbot failed; what its words are known by isn't loaded for a success."""
    if ended.succeeded:
        return None, ""
    from danebot.adapters.certbot.failures import cause_of, reason_of

    return cause_of(ended), reason_of(ended, timeout)


# ---- finding it -----------------------------------------------------------------------------


def find_certbot(settings: Settings) -> Certbot:
    """Find certbot and see that it is new enough, or raise `CertbotError`.

    Asking certbot for its version costs 0.3 s of CPU, so the answer is kept beside the snapshot,
    for as long as the executable stays the same file.
    """
    path = _locate(settings.certbot)
    cache = settings.state_directory / _VERSION_FILE
    return _new_enough(settings, path, _version(path, cache, settings.environment))


def see_certbot(settings: Settings) -> Certbot:
    """The same without a trace: its version is asked for, and not kept."""
    path = _locate(settings.certbot)
    return _new_enough(settings, path, _asked_version(path, settings.environment))


def _new_enough(settings: Settings, path: Path, version: tuple[int, int]) -> Certbot:
    if version < OLDEST:
        raise CertbotError(
            f"{path} is certbot {version[0]}.{version[1]}, but danebot needs 2.1 or later; install "
            'a newer one (certbot.eff.org) and name it with certbot = "/path" in danebot.toml'
        )
    return Certbot(
        path=path,
        version=version,
        tree=settings.tree,
        timeout=settings.certbot_timeout,
        environment=settings.environment,
    )


def default_before(state_directory: Path) -> timedelta | None:
    """How long before the end the certbot that was found last renews; None for a fraction.

    Since 4.0 it is a fraction of the lifetime.
    """
    import json

    from danebot.adapters.files import read_own

    try:
        match json.loads(read_own(state_directory / _VERSION_FILE)):
            case {"version": [int(major), int()]} if major < _FRACTION_SINCE:
                return OLD_DEFAULT
    except (TreeError, ValueError, RecursionError):
        pass
    return None


def _locate(setting: Path | None) -> Path:
    if setting is not None:
        if not os.access(setting, os.X_OK) or not setting.is_file():
            raise CertbotError(
                f"{setting} is not a program that can be run; correct certbot in danebot.toml"
            )
        return setting
    import shutil

    found = shutil.which("certbot", path=search_path(_ELSEWHERE))
    if found is None:
        raise CertbotError(
            "certbot is not on PATH nor in the usual places; install it, or name it with "
            'certbot = "/path" in danebot.toml'
        )
    return Path(found).absolute()


def _version(path: Path, cache: Path, environment: Mapping[str, str]) -> tuple[int, int]:
    identity = _identity(path)
    known = _recall(cache, identity)
    if known is not None:
        return known
    version = _asked_version(path, environment)
    _remember(cache, identity, version)
    return version


def _asked_version(path: Path, environment: Mapping[str, str]) -> tuple[int, int]:
    ended = run_program(
        [path, "--version"], timeout=_PROBE_TIME, grace=timedelta(0), environment=environment
    )
    match = re.search(_VERSION, ended.output)
    if match is None:
        how = f" and said: {ended.lines[-1]}" if ended.lines else ""
        raise CertbotError(
            f"{path} --version {ended.ending.value}{how}; see that certbot works, or name another "
            'with certbot = "/path" in danebot.toml'
        )
    return int(match[1]), int(match[2])


def _identity(path: Path) -> list[str | int]:
    """What changes when another certbot is installed: file, size, time, and a snap's revision."""
    real = Path(os.path.realpath(path))
    try:
        status = real.stat()
    except OSError as exc:
        raise CertbotError(f"{path} can't be run: {exc.strerror}; install certbot again") from exc
    revision = os.path.realpath("/snap/certbot/current") if real.name == "snap" else ""
    return [str(path), str(real), status.st_ino, status.st_size, status.st_mtime_ns, revision]


def _recall(cache: Path, identity: list[str | int]) -> tuple[int, int] | None:
    """The version on record; None if the record is of another file, or no use."""
    import json

    from danebot.adapters.files import read_own

    try:
        match json.loads(read_own(cache)):
            case {"certbot": found, "version": [int(major), int(minor)]} if found == identity:
                return major, minor
    except (TreeError, ValueError, RecursionError):
        return None
    return None


def _remember(cache: Path, identity: list[str | int], version: tuple[int, int]) -> None:
    """Keep the answer if that is possible; without it, the next run asks again."""
    import json

    from danebot.adapters.files import write_file

    document = json.dumps({"certbot": identity, "version": version})
    try:
        write_file(cache, document.encode())
    except TreeError:
        return
