"""`danebot files`: what an installation brings beside its programs, and what to do with it."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.text import LONGEST_LINE, printable, quoted
from danebot.errors import DanebotError, UnreadableError
from danebot.tuples import NamedTuple
from danebot.verbs.common import FINE, click_echo, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SYSTEMD = "lib/systemd/system"
_DATA = "share/danebot"
_CRON = f"{_DATA}/cron/danebot"
_DOCS = "share/doc/danebot"
_PREFIXES = ("/usr/local", "/usr")  # where a system's package puts them
_UNIT_PATHS = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_PROGRAMS = Path("/usr/local/bin")  # as units and snippets name them
_SYSTEMS_PROGRAMS = "/usr/bin"  # as those of a system's package do
# Where Debian has what others have elsewhere.
DEBIAN = {
    "share/zsh/site-functions/": "share/zsh/vendor-completions/",
    f"{_DOCS}/danebot.toml.example": "../etc/danebot/danebot.toml",
}
GUIDES = (
    *("start", "certbot", "shell", "danectl", "rollover", "several-mx", "secondaries", "rsa-ecdsa"),
    *(
        "wildcard-ip",
        "containers",
        "fleet",
        "survey",
        "upkeep",
        "timing",
        "limits",
        "faq",
        "comparison",
    ),
)
DECISIONS = (
    *("README", "0001-dns-reader", "0002-start-up", "0003-one-loop", "0004-status-document"),
    *("0005-certbot-command-line", "0006-http-server", "0007-resident-checker"),
    "0008-survey-engine",
)


class Brought(NamedTuple):
    """Files for one purpose; ``paths`` are below the installation's data directory.

    In ``use``, what to do with them, {first} is the first one's whole path, {folder} its directory,
    and {all} all of them.
    """

    purpose: str
    use: str
    paths: tuple[str, ...]


BROUGHT = (
    Brought(
        "The daily run as a timer, and mail where it fails",
        "systemctl enable --now danebot.timer",
        tuple(
            f"{_SYSTEMD}/{unit}"
            for unit in ("danebot.service", "danebot.timer", "danebot-failure@.service")
        ),
    ),
    Brought(
        "The daily run in cron, without systemd",
        "install -m 644 {first} /etc/cron.d/",
        (_CRON,),
    ),
    Brought(
        "Settings, all optional",
        "install -D -m 644 {first} /etc/danebot/danebot.toml",
        (f"{_DOCS}/danebot.toml.example",),
    ),
    Brought(
        "Programs that publish records: examples",
        "",
        tuple(f"{_DOCS}/examples/publish-{name}" for name in ("desec", "nsupdate", "powerdns")),
    ),
    Brought(
        "Nagios: then change the names at its end",
        "install -m 644 {first} /etc/nagios4/conf.d/",
        (f"{_DATA}/nagios/danebot.cfg",),
    ),
    Brought(
        "NRPE, on the mail server",
        "install -m 644 {first} /etc/nagios/nrpe.d/danebot.cfg",
        (f"{_DATA}/nagios/nrpe.cfg",),
    ),
    Brought(
        "Icinga 2",
        "install -m 644 {all} /etc/icinga2/conf.d/",
        (f"{_DATA}/icinga2/danebot-commands.conf", f"{_DATA}/icinga2/danebot-services.conf"),
    ),
    Brought(
        "Nagios, for what danebot-exporter --feed hands on: then change the names at its end",
        "install -m 644 {first} /etc/nagios4/conf.d/",
        (f"{_DATA}/nagios/danebot-feed.cfg",),
    ),
    Brought(
        "Icinga 2, likewise",
        "install -m 644 {first} /etc/icinga2/conf.d/",
        (f"{_DATA}/icinga2/danebot-feed.conf",),
    ),
    Brought(
        "Icinga 2: zones.conf of a master and two satellites, to change",
        "",
        (f"{_DATA}/icinga2/danebot-zones.conf",),
    ),
    Brought(
        "The exporter for Prometheus",
        "systemctl enable --now danebot-exporter.service",
        (f"{_SYSTEMD}/danebot-exporter.service",),
    ),
    Brought(
        "Prometheus: rules, and examples of settings",
        "install -m 644 {first} /etc/prometheus/",
        tuple(
            f"{_DATA}/prometheus/{name}"
            for name in ("danebot.rules.yml", "prometheus.yml", "alertmanager.yml")
        ),
    ),
    Brought(
        "Prometheus: the same shared by several servers",
        "install -m 644 {first} /etc/prometheus/",
        tuple(f"{_DATA}/prometheus/{name}" for name in ("danebot.shards.yml", "shards.yml")),
    ),
    Brought("Grafana: a dashboard to import", "", (f"{_DATA}/grafana/danebot.json",)),
    Brought(
        "Manual pages",
        "man -l {first}",
        (
            "share/man/man8/danebot.8",
            "share/man/man8/danebot-exporter.8",
            "share/man/man1/check_dane.1",
            "share/man/man1/check_danebot.1",
        ),
    ),
    Brought(
        "Completion for bash, in ~/.bashrc",
        ". {first}",
        ("share/bash-completion/completions/danebot",),
    ),
    Brought(
        "Completion for zsh, before compinit in ~/.zshrc",
        "fpath+={folder}",
        ("share/zsh/site-functions/_danebot",),
    ),
    Brought(
        "Completion for fish",
        "install -D -m 644 {first} ~/.config/fish/completions/danebot.fish",
        ("share/fish/vendor_completions.d/danebot.fish",),
    ),
    Brought(
        "Documentation",
        "",
        tuple(
            f"{_DOCS}/{name}.md"
            for name in (
                *("README", "commands", "configuration", "tree", "hooks", "publishing"),
                *("emergency", "monitoring", "exporter", "check_dane", "check_danebot", "doctor"),
                *("runbook", "troubleshooting", "exit-statuses", "json", "survey", "glossary"),
                *("threat-model", "proof", "dane-standards", "architecture", "packaging"),
                *(f"guides/{name}" for name in GUIDES),
                *(f"decisions/{name}" for name in DECISIONS),
            )
        ),
    ),
)


class Group(NamedTuple):
    """The files of one purpose as they are installed, and the commands that put them to use."""

    purpose: str
    files: tuple[str, ...]
    commands: tuple[str, ...]


def files(*, as_json: bool) -> int:
    """Print them; raises `DanebotError` where an installation has none."""
    groups = tuple(_groups(_data()))
    if as_json:
        print_json("files", files=groups)
        _warn_of_others(groups)
        return FINE
    for group in groups:
        lines = [f"    {line}" for line in group.files]
        lines += [f"    # {command}" for command in group.commands]
        click_echo("\n".join((f"{group.purpose}:", *lines, "")).rstrip(" "))
    _warn_of_others(groups)
    return FINE


def _warn_of_others(groups: Iterable[Group]) -> None:
    """Say in a line that somebody else may change what root is to run by these commands."""
    import click

    from danebot.adapters.inspection import changeable
    from danebot.domain.doctor.assess import exposure

    used = [Path(file) for group in groups if group.commands for file in group.files]
    try:
        entry = changeable((_program("danebot"), *used), me=0)
    except UnreadableError:  # root alone can tell
        return
    found = exposure(entry, 0) if entry is not None else None
    if found is not None:
        click.echo(f"danebot: WARNING: {printable(str(found), LONGEST_LINE)}", err=True)


def daily_run(host: Path) -> tuple[str, ...]:
    """The commands that have ``danebot renew`` run daily; () where nothing for it was brought.

    ``host`` is the root directory of the host, another one in tests.
    """
    from danebot.adapters.certbot.timers import has_systemd

    try:
        groups = {group.purpose: group for group in _groups(_data())}
    except DanebotError:
        groups = {}
    timer, cron = (groups.get(one.purpose) for one in BROUGHT[:2])
    if not has_systemd(host):
        return (*_linked("danebot"), *cron.commands) if cron is not None else ()
    places = (host / "etc/systemd/system", *(host / place[1:] for place in _UNIT_PATHS))
    known = any((place / "danebot.timer").exists() for place in places)
    lines = timer.commands if timer is not None else [BROUGHT[0].use] if known else []
    return tuple(line for line in lines if not (known and line.startswith("systemctl link")))


def _data() -> Path:
    """The data directory of this installation, whoever made it."""
    for place in _places():
        if any((place / path).exists() for one in BROUGHT for path in one.paths):
            return place
    raise DanebotError(
        "this installation brought programs alone: install the wheel with pip, pipx or uv, "
        "or the system's package"
    )


def _places() -> Iterator[Path]:
    """Where data may be: as the wheel's installer noted it (pip --user, --prefix), or beside it.

    Beside the modules it is with pip's --target, whose note is wrong; a system's package has none.
    """
    for here in metadata.distributions(name="danebot"):
        for noted in _noted(here):
            if str(noted).endswith(f"/{_CRON}"):
                place = Path(os.path.normpath(str(here.locate_file(noted))))
                yield place.parents[_CRON.count("/")]
        yield Path(str(here.locate_file("")))
    yield from map(Path, _PREFIXES)


def _noted(here: metadata.Distribution) -> Iterable[metadata.PackagePath]:
    try:
        return here.files or ()
    except Exception as exc:  # damage raises all sorts
        record = f"danebot's RECORD in {here.locate_file('')}"
        raise DanebotError(f"{record} is damaged; install danebot again") from exc


def _groups(data: Path) -> Iterator[Group]:
    for one in BROUGHT:
        found = tuple(place for path in one.paths if (place := _place(data, path)))
        if found:
            yield Group(one.purpose, found, tuple(_commands(one, found)))


def _place(data: Path, path: str) -> str:
    """Where a file is, in Debian's place or compressed as well; "" if nowhere."""
    elsewhere = path
    for upstream, debian in DEBIAN.items():
        elsewhere = elsewhere.replace(upstream, debian)
    for place in (path, f"{path}.gz", elsewhere):
        if (data / place).exists():
            return os.path.normpath(data / place)
    return ""


def _commands(one: Brought, found: tuple[str, ...]) -> Iterator[str]:
    first = Path(found[0])
    if "systemctl" in one.use:
        yield from _linked(first.stem)
        if not any(first.is_relative_to(place) for place in _UNIT_PATHS):
            yield f"systemctl link {quoted(*found)}"
    if one.use and not one.use.endswith(found[0]):  # it may be where it belongs
        folder = quoted(first.parent)
        yield one.use.format(first=quoted(found[0]), folder=folder, all=quoted(*found))


def _program(name: str) -> Path:
    """Where a program of this installation is."""
    told = Path(sys.argv[0])
    beside = Path(sys.executable) if told.name == "__main__.py" else told  # python -m danebot
    return beside.absolute().with_name(name)


def _linked(program: str) -> Iterator[str]:
    """Have a program where units name it."""
    here = _program(program)
    if here == Path(_SYSTEMS_PROGRAMS, program):
        return
    if here.exists() and not (_PROGRAMS / program).exists():
        yield quoted("ln", "-s", here, f"{_PROGRAMS}/")
