"""Gathers what `danebot doctor` judges of a host; whatever can't be looked at is a fact, too.

In three breadths: what every daily run can afford, what files say, and what others do.  Nothing is
changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from danebot.adapters.inspection import (
    changeable,
    command_trouble,
    file_stat,
    hook_files,
    not_executable,
    space,
)
from danebot.domain.doctor.facts import (
    Account,
    Asked,
    ClockState,
    ComboGroup,
    Directory,
    FileReference,
    FileStat,
    HostFacts,
    LastRun,
    Role,
    Space,
    Unlooked,
    UnusableProgram,
)
from danebot.domain.names import printable
from danebot.domain.text import internal_error
from danebot.errors import DanebotError

if TYPE_CHECKING:
    from danebot.adapters import ports
    from danebot.config import Settings
    from danebot.domain.names import DnsName
    from danebot.jobs.context import Context

_HOOKS = tuple(f"renewal-hooks/{kind}" for kind in ("pre", "deploy", "post"))
_SECRET = re.compile(r"(TOKEN|SECRET|PASS|KEY)\w*=|--(token|secret|password)\b", re.IGNORECASE)
_CERTBOTS = ("fullchain", "cert", "privkey")
FoundT = TypeVar("FoundT")
ArgsT = ParamSpec("ArgsT")


class Looker:
    """Looks, and keeps what couldn't be looked at."""

    def __init__(self) -> None:
        self.unlooked: list[Unlooked] = []

    def at(
        self,
        what: str,
        where: str,
        look: Callable[ArgsT, FoundT],
        *args: ArgsT.args,
        **more: ArgsT.kwargs,
    ) -> FoundT | None:
        """What ``look`` finds; None where it raises.  ``where`` is a lineage, "" for the host."""
        try:
            return look(*args, **more)
        except DanebotError as exc:
            why, _, remedy = str(exc).partition("; ")
            self.unlooked.append(Unlooked(what, printable(why, 400), where, remedy or None))
        except OSError as exc:
            self.unlooked.append(Unlooked(what, exc.strerror or type(exc).__name__, where))
        except Exception as exc:  # noqa: BLE001 - whatever it is, what was found is told
            why = internal_error(exc)
            self.unlooked.append(Unlooked(what, why, where, "please report this"))
        return None

    def cut(self, table: str) -> None:
        """Of a table of cron not all scripts were read."""
        what = printable(f"all scripts that {table} names")
        self.unlooked.append(Unlooked(what, "they are too many, or too large", remedy=""))


def cheap_facts(settings: Settings, root: Path, looker: Looker) -> HostFacts:
    """What costs a few calls to the kernel: who may write what runs as root, and disks."""
    entries: list[FileStat] = []
    for role, paths in _sensitive(settings, root, looker):
        entries += _entries(looker, role, paths)
    places = dict.fromkeys((root, settings.state_directory))
    spaces: tuple[Space, ...] = tuple(filter(None, map(space, places)))
    return HostFacts(me=os.geteuid(), entries=tuple(entries), spaces=spaces)


def _sensitive(
    settings: Settings, root: Path, looker: Looker
) -> Iterator[tuple[Role, Iterable[Path]]]:
    if settings.file is not None:
        secret = any(map(_SECRET.search, _commands(settings)))
        yield (Role.SECRET if secret else Role.SETTINGS), (settings.file,)
    for name in _HOOKS:
        directory = root / name
        files = looker.at(str(directory), "", hook_files, directory) or ()
        yield Role.HOOK, (directory, *files)


def _commands(settings: Settings) -> Iterator[str]:
    """The command lines of the settings, which may have a secret in them."""
    for one in (settings.common, *settings.lineages.values()):
        yield from (*one.hooks, one.publish.command or "")


def _entries(looker: Looker, role: Role, paths: Iterable[Path]) -> Iterator[FileStat]:
    for path in paths:
        found = looker.at(str(path), "", file_stat, path, role)
        if found is not None:
            yield found


def _is_managed(context: Context, name: str) -> bool:
    return context.tree.paths(name).staged


def asked_facts(
    facts: HostFacts, settings: Settings, owners: Sequence[DnsName], looker: Looker
) -> HostFacts:
    """The same with what the resolver and certbot say; ``owners`` are TLSA owners to ask for."""
    trouble, version = _certbot(settings)
    return facts._replace(
        asked=looker.at("the resolver", "", _asked, settings, owners) or (),
        certbot=trouble,
        versions=(("certbot", version),) if version else (),
    )


def tree_facts(
    context: Context, looker: Looker, names: Sequence[str] | None, host: Path
) -> HostFacts:
    """What files say of what a run rests on; ``names`` None where nobody can tell the lineages.

    ``host`` is the root directory of the host, another one in tests.
    """
    from danebot.adapters.certbot.timers import has_cron, has_systemd, own_jobs

    settings, tree = context.settings, context.tree
    known = names or ()
    facts = cheap_facts(settings, tree.root, looker)
    care = {name: looker.at("who renews it", name, _is_managed, context, name) for name in known}
    managed = [name for name, is_so in care.items() if is_so]
    files = [*facts.entries, *_entries(looker, Role.STATE, (settings.state_directory,))]
    files += _tree_entries(context, looker, known)
    jobs = looker.at("timers and cron", "", own_jobs, tree.root, host, cut=looker.cut) or ()
    programs = [host / job.program[1:] for job in jobs if job.program.startswith("/")]
    exposed = looker.at("what root runs daily", "", changeable, programs, facts.me)
    files += filter(None, [exposed])
    told, last = _last_run(settings, looker)
    # where something is left of a lineage it isn't a first certificate that is wanted
    left = () if names else looker.at("what is left of lineages", "", tree.orphans)
    if settings.ca_file is not None:
        from danebot.adapters.probe.trust import store_trouble

        facts = facts._replace(trust_store=printable(store_trouble(settings.ca_file), 400))
    return facts._replace(
        accounts=tuple(_accounts(context, looker, known)),
        jobs=jobs,
        scheduler=has_systemd(host) or has_cron(host),
        last_run=last,
        run_told=told,
        lineages=None if names is None or (left and not names) else len(names),
        managed=len(managed) if managed or None not in care.values() else None,
        entries=tuple(files),
        unusable=tuple(_unusable(context, looker, known)),
        references=tuple(_references(context, looker, managed, host)),
        combo_group=_combo_group(settings),
        doors=doors(context, looker, managed),
    )


def with_network(facts: HostFacts, urls: Iterable[str], now: ports.Clock) -> HostFacts:
    """The same with what the CAs and the kernel say of reach and of time, and with versions."""
    import platform
    import ssl

    from danebot import __version__
    from danebot.adapters.certbot.directory import ask_directory
    from danebot.adapters.ntp import synchronised

    clock = ClockState(synchronised())
    directories = []
    for url in urls:
        trouble, shown = ask_directory(url)
        directories.append(Directory(printable(url), trouble))
        if shown is not None and clock.ahead is None:
            clock = clock._replace(ahead=now() - shown)
    versions = (
        ("danebot", __version__),
        ("Python", platform.python_version()),
        ("OpenSSL", ssl.OPENSSL_VERSION),
        *facts.versions,
    )
    return facts._replace(
        clock=clock,
        directories=tuple(directories),
        versions=versions,
        openssl=ssl.OPENSSL_VERSION_INFO[:2],
    )


# ---- DNS, certbot, the daily run ------------------------------------------------------------


def _asked(settings: Settings, owners: Sequence[DnsName]) -> tuple[Asked, ...]:
    from danebot.adapters.dns.examine import examine
    from danebot.adapters.wiring import resolver_config

    return examine(resolver_config(settings), owners)


def _certbot(settings: Settings) -> tuple[str, str]:
    """Why certbot can't be used, "" if it can, and its version."""
    from danebot.adapters.certbot.command import see_certbot

    try:
        return "", ".".join(map(str, see_certbot(settings).version))
    except DanebotError as exc:
        return str(exc), ""


def _last_run(settings: Settings, looker: Looker) -> tuple[bool, LastRun | None]:
    """Whether the status document can tell, and the last ``danebot renew`` by it."""
    from danebot.adapters.status_file import StatusError, load_status
    from danebot.domain.status.document import StatusFault

    try:
        run = load_status(settings.snapshot).last_renew
    except StatusError as exc:
        if exc.reason is StatusFault.MISSING:
            return True, None
        looker.at("when danebot last ran", "", _raise, exc)
        return False, None
    return True, (LastRun(run.ended, run.exit_status) if run is not None else None)


def _raise(error: DanebotError) -> None:
    raise error


def _server(context: Context, name: str) -> str:
    """The URL of the directory of a lineage's CA, as certbot takes it."""
    from danebot.adapters.certbot.cli_ini import settings
    from danebot.adapters.certbot.directory import DEFAULT

    told = settings(context.tree.root, {**os.environ, **context.settings.environment})
    return told.get("server") or context.tree.conf(name).parameter("server") or DEFAULT


def an_owner_of_each(context: Context, names: Iterable[str]) -> tuple[DnsName, ...]:
    """An owner of each lineage; one that can't be read is told elsewhere."""
    looker = Looker()
    found = [looker.at("", "", context.tree.read, name) for name in names]
    return tuple(dict.fromkeys(one.owners[0] for one in found if one is not None and one.owners))


def servers(context: Context, names: Iterable[str]) -> tuple[str, ...]:
    """The URLs of the lineages' CAs; a configuration that can't be read is told elsewhere."""
    looker = Looker()
    found = [looker.at("", "", _server, context, name) for name in names]
    return tuple(dict.fromkeys(filter(None, found)))


def _accounts(context: Context, looker: Looker, names: Sequence[str]) -> Iterator[Account]:
    for name in names:
        found = looker.at("its CA account", name, _account, context, name)
        if found is not None:
            yield found


def _account(context: Context, name: str) -> Account | None:
    from danebot.adapters.certbot.accounts import account_directory, is_account

    account = context.tree.conf(name).parameter("account")
    if account in {"", "None"}:
        return None  # certbot takes the one that there is, or registers one
    directory = account_directory(context.tree.root, _server(context, name), account)
    return Account(name, printable(str(directory)), is_account(directory))


# ---- files ----------------------------------------------------------------------------------


def _tree_entries(context: Context, looker: Looker, names: Sequence[str]) -> Iterator[FileStat]:
    root = context.tree.root
    tops = (root / part for part in ("", "renewal", "live", "archive", "staging", "accounts"))
    yield from _entries(looker, Role.TREE, tops)
    keys = [*root.glob("accounts/**/private_key.json")]
    yield from _entries(looker, Role.KEY, keys)
    for name in names:
        paths = looker.at("its files", name, context.tree.paths, name)
        if paths is None:
            continue
        yield from _entries(looker, Role.TREE, (paths.conf, paths.live, paths.staging))
        for place in (paths.archive, paths.live, paths.staging):
            yield from _entries(looker, Role.KEY, looker.at(str(place), "", _keys, place) or ())


def _combo_group(settings: Settings) -> ComboGroup | None:
    from danebot.adapters.inspection import group_of

    held = settings.combo_access.group
    return group_of(held) if held is not None else None


def doors(context: Context, looker: Looker, names: Sequence[str]) -> tuple[FileStat, ...]:
    """The directories above each ``combo.pem`` whose modes alone tell who may pass."""
    from danebot.adapters.inspection import has_access_list

    root = context.tree.root
    lives = [context.tree.paths(name).live for name in names]
    every = (root, root / "live", *lives) if lives else ()
    return tuple(_entries(looker, Role.TREE, (one for one in every if not has_access_list(one))))


def _keys(directory: Path) -> list[Path]:
    """The files of a directory that hold private keys; links aside, which lead to such."""
    if not directory.is_dir():
        return []
    names = sorted(os.listdir(directory))
    return [directory / n for n in names if _KEY.match(n) and not (directory / n).is_symlink()]


_KEY = re.compile(r"(privkey\d*|combo|nextkey|ready|(unknown|cancelled|given-up)-.*)\.pem\Z")


def _unusable(context: Context, looker: Looker, names: Sequence[str]) -> Iterator[UnusableProgram]:
    root, settings = context.tree.root, context.settings
    for kind in _HOOKS:
        directory = root / kind
        yield from not_executable(looker.at(str(directory), "", hook_files, directory) or ())
    commands = dict.fromkeys(command for name in names for command in settings.hooks(name))
    yield from filter(None, map(command_trouble, commands))


def _references(
    context: Context, looker: Looker, names: Sequence[str], host: Path
) -> Iterator[FileReference]:
    """Services that read certbot's files of the lineages under care."""
    from danebot.adapters.services import readers_of_each

    lives = {name: context.tree.paths(name).live for name in names}
    files = {lives[name] / f"{kind}.pem": name for name in names for kind in _CERTBOTS}
    if not files:
        return
    found, whole = readers_of_each(files, host)
    for file, readers in found.items():
        name = files[file]
        for reader in readers:
            shown = (printable(str(one)) for one in (file, lives[name] / "combo.pem"))
            yield FileReference(name, printable(reader.service), printable(reader.place), *shown)
    if not whole:
        looker.unlooked.append(Unlooked("all of /etc", "it has too many files", remedy=""))
