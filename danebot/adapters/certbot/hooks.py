"""Deploy hooks: certbot's own for a lineage, in certbot's order, then those of ``danebot.toml``.

Among the latter may be ready-made ones: ``@postfix`` stands for ``hooks/reload.sh postfix``.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from danebot.adapters.certbot import cli_ini
from danebot.adapters.certbot.held_hooks import DIRECTORY, POST, executables
from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.process import Ending, run_program
from danebot.domain.names import printable
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.config import Settings

_GRACE = timedelta(seconds=10)
_EVENT = "deployed"
_READY_MADE = Path(__file__).parents[2] / "hooks" / "reload.sh"


class HookKind(enum.Enum):
    """Where a hook comes from."""

    DIRECTORY = "directory"
    SAVED = "saved"
    CONFIGURED = "configured"
    READY_MADE = "ready-made"
    POST_DIRECTORY = "certbot's post directory"
    POST_SAVED = "certbot's saved post hook"

    @property
    def post(self) -> bool:
        """Whether certbot has run it before, when nothing was live yet."""
        return self in (HookKind.POST_DIRECTORY, HookKind.POST_SAVED)


class Hook(NamedTuple):
    """One hook: ``command`` is a path for those of directories, else a shell command line.

    That of READY_MADE begins with ``@`` and a service's name, in place of what reloads it.
    """

    kind: HookKind
    command: str

    @property
    def id(self) -> str:
        """The hook's name in later runs and in messages, printable; as long as the command is."""
        return printable(self.command, len(self.command))

    @property
    def shell_line(self) -> str:
        """What the shell is given, as certbot gives it."""
        from shlex import quote

        match self.kind:
            case HookKind.DIRECTORY | HookKind.POST_DIRECTORY:
                return quote(self.command)
            case HookKind.READY_MADE:
                return f"/bin/sh {quote(str(_READY_MADE))} {self.command.removeprefix('@')}"
            case _:
                return self.command


class HookRun(NamedTuple):
    """A hook that has ended; ``output`` is its printable lines, the last ones."""

    hook: Hook
    ending: Ending
    exit_status: int | None
    output: tuple[str, ...]
    duration: timedelta

    @property
    def error(self) -> str:
        """What went wrong, on one printable line; "" if nothing did."""
        said = f": {self.output[-1]}" if self.output else ""
        if self.ending is not Ending.EXITED:
            return printable(f"{self.ending.value}{said}")
        return printable(f"exit status {self.exit_status}{said}") if self.exit_status else ""


class CertbotHooks(NamedTuple):
    """certbot's hooks for all lineages: of its directories, and of ``cli.ini``."""

    deploy: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    settings: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def read(cls, tree: Path, settings: Settings) -> CertbotHooks:
        """Those of a tree that are to be run; `HookError` where that can't be told."""
        found = cls(settings=cli_ini.settings(tree, {**os.environ, **settings.environment}))
        if not settings.run_certbot_hooks or not found.directories:
            return found
        return found._replace(
            deploy=tuple(executables(tree / DIRECTORY)),
            post=tuple(executables(tree / POST)) if settings.run_post_hooks else (),
        )

    def setting(self, name: str, saved: str) -> str:
        """A lineage's setting, of which ``saved`` is its own: that of ``cli.ini`` goes over it."""
        return self.settings.get(name) or saved

    @property
    def directories(self) -> bool:
        """Whether certbot runs what is in its directories."""
        return not cli_ini.enabled(self.settings, "no-directory-hooks")

    def posted(self, tree: Path) -> tuple[str, ...]:
        """What certbot runs of its post directory, whoever else does; raises `HookError`."""
        return tuple(executables(tree / POST)) if self.directories else ()

    def post_hooks(self, posted: tuple[str, ...], conf: RenewalConf) -> tuple[str, ...]:
        """Certbot's post hooks of a lineage, `posted` and its own, whoever runs them."""
        return (*posted, *filter(None, (self.setting("post-hook", conf.post_hook),)))


def deploy_hooks(tree: Path, lineage: str, settings: Settings) -> tuple[Hook, ...]:
    """The hooks of one lineage, each command once; certbot's post hooks are the last.

    Raises `HookError` when certbot's hooks can't be listed: running only some would be silence.
    """
    certbots = CertbotHooks.read(tree, settings)
    conf = RenewalConf.read(tree / "renewal" / f"{lineage}.conf")
    return hooks_of(lineage, conf, certbots, settings)


def hooks_of(
    lineage: str, conf: RenewalConf, certbots: CertbotHooks, settings: Settings
) -> tuple[Hook, ...]:
    """The same of what was read already; a setting of ``cli.ini`` goes over the lineage's."""
    found = [Hook(HookKind.DIRECTORY, path) for path in certbots.deploy]
    if settings.run_certbot_hooks:
        saved = certbots.setting("deploy-hook", conf.deploy_hook)
        found += [Hook(HookKind.SAVED, _unquoted(saved))] if saved else []
    for command in settings.hooks(lineage):
        ready_made = command.startswith("@")
        found.append(Hook(HookKind.READY_MADE if ready_made else HookKind.CONFIGURED, command))
    found += [Hook(HookKind.POST_DIRECTORY, path) for path in certbots.post]
    if settings.run_certbot_hooks and settings.run_post_hooks:
        saved = certbots.setting("post-hook", conf.post_hook)
        found += [Hook(HookKind.POST_SAVED, _unquoted(saved))] if saved else []
    first = {hook.command: hook for hook in reversed(found)}
    return tuple(hook for hook in found if first[hook.command] is hook)


def _unquoted(value: str) -> str:
    """A value that has both kinds of quotes in it is in three; one is off already."""
    for quote in ("''", '""'):
        if len(value) >= 2 * len(quote) and value.startswith(quote) and value.endswith(quote):
            return value[len(quote) : -len(quote)]
    return value


def run_hook(
    hook: Hook,
    live: Path,
    domains: Iterable[str],
    timeout: timedelta,
    environment: Mapping[str, str] | None = None,
    *,
    event: str = _EVENT,
) -> HookRun:
    """Run a hook for what has just become live at ``live``; ``domains`` are the leaf's names.

    It finds RENEWED_LINEAGE and RENEWED_DOMAINS as from certbot, and DANEBOT_EVENT=deployed, or
    another ``event``.
    """
    ended = run_program(
        ["/bin/sh", "-c", hook.shell_line],
        timeout=timeout,
        grace=_GRACE,
        environment={
            **(environment or {}),
            "RENEWED_LINEAGE": str(live),
            "RENEWED_DOMAINS": " ".join(domains),
            "DANEBOT_EVENT": event,
        },
    )
    return HookRun(hook, ended.ending, ended.exit_status, ended.lines[-20:], ended.duration)
