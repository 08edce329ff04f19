"""Deploy hooks: certbot's own, run again at the right moment, and those of ``danebot.toml``."""

from __future__ import annotations

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.process import run
from danebot.adapters.renewal_conf import RenewalConf
from danebot.domain.assess import duration
from danebot.domain.names import printable
from danebot.errors import TreeError

if TYPE_CHECKING:
    from danebot.config import Settings


class HookKind(enum.Enum):
    """Where a hook comes from."""

    DIRECTORY = "directory"
    SAVED = "saved"
    CONFIGURED = "configured"


@dataclass(frozen=True, slots=True)
class Hook:
    """A shell command line; ``id`` names it across runs and in messages, printable."""

    id: str
    command: str
    kind: HookKind


@dataclass(frozen=True, slots=True)
class HookRun:
    """How a hook ended; ``error`` is one printable line, "" for success."""

    error: str


def deploy_hooks(tree: Path, lineage: str, settings: Settings) -> tuple[Hook, ...]:
    """The deploy hooks of a lineage, in certbot's order: directory, saved; then configured ones.

    As with certbot, a saved hook that is one of the directory's runs once.
    """
    hooks: dict[str, Hook] = {}
    if settings.run_certbot_hooks:
        for path in _directory(tree / "renewal-hooks" / "deploy"):
            hooks[str(path)] = Hook(path.name, _quoted(path), HookKind.DIRECTORY)
        saved = _saved(tree / "renewal" / f"{lineage}.conf")
        if saved and saved not in hooks:
            hooks[saved] = Hook(printable(saved), saved, HookKind.SAVED)
    for command in settings.hooks(lineage):
        hooks.setdefault(command, Hook(printable(command), command, HookKind.CONFIGURED))
    return tuple(hooks.values())


def _directory(directory: Path) -> list[Path]:
    """Executables in certbot's hook directory, sorted; backup files of editors don't count."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    paths = (directory / name for name in names if not name.endswith("~"))
    return [path for path in paths if path.is_file() and os.access(path, os.X_OK)]


def _saved(conf: Path) -> str:
    """The command line that certbot saved with ``--deploy-hook`` (``renew_hook`` in the file)."""
    try:
        settings = RenewalConf.read(conf)
    except TreeError:
        return ""
    return settings.parameter("renew_hook") or settings.parameter("deploy_hook")


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def run_hook(
    hook: Hook,
    live: Path,
    names: Sequence[str],
    timeout: timedelta,
    environment: dict[str, str] | None = None,
) -> HookRun:
    """Run a hook with certbot's environment: RENEWED_LINEAGE (the live path), RENEWED_DOMAINS.

    DANEBOT_EVENT=deployed tells it from the call that certbot makes at issuance.  After
    ``timeout`` the hook and all that it started are ended.
    """
    variables = {
        **(environment or {}),
        "RENEWED_LINEAGE": str(live),
        "RENEWED_DOMAINS": " ".join(names),
        "DANEBOT_EVENT": "deployed",
    }
    try:
        done = run(hook.command, timeout=timeout, environment=variables)
    except OSError as exc:
        return HookRun(f"cannot be run: {exc.strerror}")
    if done.timed_out:
        return HookRun(f"did not end within {duration(timeout)} and was stopped")
    if done.status == 0:
        return HookRun("")
    last = f": {done.lines[-1]}" if done.lines else ""
    how = f"exit status {done.status}" if done.status > 0 else f"killed by signal {-done.status}"
    return HookRun(f"{how}{last}")
