"""Finds what else runs ``certbot renew``: timers and cron jobs that would race with danebot.

Judged from files alone, line by line: a crontab may have certbot's line beside danebot's, and a
line whose command is danebot is no other run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.presence import is_set_aside, written_by_others
from danebot.errors import UnreadableError
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    from danebot.domain.doctor.facts import Job, Rival

_SNAP = "certbot.renew"
_DEFAULT_TREES = ("/etc/letsencrypt", "/usr/local/etc/letsencrypt")
_SKIPS_UNDER_SYSTEMD = "/run/systemd/system"
_UNITS = (
    *("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system"),
    *("usr/lib/systemd/system", "lib/systemd/system"),
)
_TABLES = (
    *("etc/crontab", "etc/anacrontab", "etc/cron.d", "etc/crontabs"),
    *("var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs", "var/cron/tabs"),
)
_SCRIPTS = tuple(
    f"etc/{directory}{period}"
    for directory in ("cron.", "periodic/")
    for period in ("hourly", "daily", "weekly", "monthly")
)
_CRONS = (
    *("cron", "crond", "fcron", "bcron-start", "mcron", "supercronic", "yacron"),
    "/usr/lib/systemd/system-generators/systemd-crontab-generator",
)
# What runs daily for certain, and what else is seldom met: compiled by `re` once somebody asks.
_NAME = r"certbot(-auto|-\d+(\.\d+)?)?|letsencrypt(-auto)?"
_TIMER, PROGRAM = "danebot.timer", "/usr/local/bin/danebot"
_DAILY_TIMER = r"(?m)^\s*OnCalendar\s*=\s*(daily|hourly|(\*-\*-\*\s+)?[\d*:,/.]+(\s+UTC)?)\s*$"
_DAILY_LINE = r"\s*(?:@(?:daily|midnight|hourly)|(?:[\d*,/~-]+\s+){2}\*\s+\*\s+\*)\s+(.*)"
_DAILY_ANACRON = r"\s*(?:@daily|1)\s+\d+\s+\S+\s+(.*)"
_ROOTS = r"root\s+(.*)"
_NOT_ROOTS = r"(?m)^\s*(User|DynamicUser)\s*=\s*(?!(root|0|no|false)?\s*$)"
_BEFORE = r"((sleep \S+|test -x \S+|\[ -x \S+ \])\s*(;|&&)\s*)*(exec |chronic )?"
_REST = r"\s*\d?[;&|<>]"
_SEPARATORS = r"[;&|()`\n]+|\$\("
_EXEC = r"(?m)^\s*ExecStart\s*=[-@:+!]*(.*)$"
_LIMIT = 1024 * 1024
_LONGEST_PATH = 4096  # Linux's PATH_MAX
_MOST_PATHS, _MOST_READ = 1000, 8 * _LIMIT  # of one table: any user has one
# As the shell reads words; a quote without its like is none.
_WORD = re.compile(r"""(?:[^\s;&|()<>`"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")
_QUOTES = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'""")
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"(^|\s)#.*")
_SHELL = rb"#!.*\b(ba|da|k|z)?sh\b"


class RunBasis(NamedTuple):
    """What a run reads: the file of ``settings``, and the ``tree`` that these name.

    ``usual`` is the file that a run without --config reads.
    """

    settings: Path
    tree: Path
    usual: Path


def competing_jobs(tree: Path, root: Path = Path("/")) -> tuple[Rival, ...]:
    """The timers and cron jobs that renew ``tree``, with what to do about each."""
    top = str(root).rstrip("/")
    systemd = has_systemd(root)
    timers = _timers(top, tree) if systemd else ()
    return tuple(dict.fromkeys((*timers, *_cron_jobs(top, tree, systemd=systemd))))


def has_systemd(root: Path = Path("/")) -> bool:
    """Whether systemd runs, as sd_booted(3) tells it."""
    return os.path.isdir(f"{str(root).rstrip('/')}/run/systemd/system")


def has_cron(root: Path = Path("/")) -> bool:
    """Whether a program is here that runs what tables of cron say."""
    names = (*_CRONS, "anacron") if has_systemd(root) else _CRONS  # whose timer starts anacron
    return any(_runs(str(root).rstrip("/"), name) for name in names)


def own_jobs(
    tree: Path,
    root: Path = Path("/"),
    basis: RunBasis | None = None,
    cut: Callable[[str], None] = lambda _: None,
) -> tuple[Job, ...]:
    """What runs ``danebot renew`` on ``tree``, or seems to; a timer counts where systemd runs.

    So does a table of cron where a cron is.  Without a ``basis`` none is certain, since a command
    may read other settings.  ``cut`` is told each table that names more scripts than are read.
    """
    from danebot.domain.doctor.facts import Job

    top = str(root).rstrip("/")
    systemd = has_systemd(root)
    found: list[tuple[str, str]] = []
    if systemd:
        found += [(name, line) for name in _enabled(top) for line in _commands(top, name)]
    if cron := has_cron(root):
        found += _cron_lines(top, cut, systemd=systemd)
    certain = dict.fromkeys(
        (place, program)
        for place, command in (
            _daily_commands(top, systemd=systemd, cron=cron) if basis is not None else ()
        )
        if (program := _daily_program(command, tree, basis))
    )
    seen = ((place, program) for place, line in found for program in _own_programs(line, tree))
    return tuple(
        Job(place, program, _runs(top, program), (place, program) in certain)
        for place, program in certain | dict.fromkeys(seen)
    )


def brought_job(tree: Path, basis: RunBasis, root: Path = Path("/")) -> Job:
    """What would run if the timer or the cron file that danebot brings were put to use."""
    from danebot.domain.doctor.facts import Job

    top = str(root).rstrip("/")
    known = has_systemd(root) and _service(top, _TIMER)
    commands = _roots_commands(top, _TIMER) if known else [f"{PROGRAM} renew"]
    programs = [_daily_program(one, tree, basis) for one in commands]
    program = next(filter(None, programs), "")
    return Job(_TIMER, program, bool(program) and _runs(top, program), bool(program))


def _daily_commands(root: str, *, systemd: bool, cron: bool) -> Iterator[tuple[str, str]]:
    """What root runs daily without a condition; what a script does, only its shell knows."""
    for timer in _enabled(root) if systemd else ():
        if timer == _TIMER or re.search(_DAILY_TIMER, _unit(root, timer)):
            yield from ((timer, command) for command in _roots_commands(root, timer))
    for file in filter(_is_taken, _table_files(root)) if cron else ():
        table = file.removeprefix(f"{root}/")
        scheduled = _DAILY_ANACRON if table == "etc/anacrontab" else _DAILY_LINE
        with_user = table == "etc/crontab" or table.startswith("etc/cron.d/")
        if not with_user and table != "etc/anacrontab" and not table.endswith("/root"):
            continue
        for line in (_text(file) or "").split("\n")[:-1]:  # a last one without end is none
            match = re.match(scheduled, line)
            if match is not None and with_user:
                match = re.match(_ROOTS, match[1])
            if match is not None:
                yield file, match[1]


def _is_taken(table: str) -> bool:
    """Whether any cron takes a table: by the name in cron.d, its owner and mode (cron(8))."""
    if re.search(r"/cron\.d/(?![\w-]+\Z)", table):
        return False
    try:
        return not written_by_others(table)
    except UnreadableError:
        return False


def _daily_program(command: str, tree: Path, basis: RunBasis | None) -> str:
    """The program of a command that is sure to renew all of ``tree``; "" for any other."""
    before = re.match(_BEFORE, command)
    words = re.split(_REST, command[before.end() if before is not None else 0 :])[0].split()
    if basis is None or not words or words[-1] != "renew":
        return ""
    program, *options = (word.strip("\"'") for word in words[:-1] or ("",))
    if not (program.startswith("/") and program.endswith("/danebot")):
        return ""  # cron has a PATH of its own
    named = {"--config": str(basis.usual), "--config-dir": str(basis.tree)}
    while options:
        option, _, value = options.pop(0).partition("=")
        if option in named and (value or options):
            named[option] = value or options.pop(0)
        elif option not in {"-q", "--quiet", "-v", "--verbose"}:
            return ""
    meant = {"--config": str(basis.settings), "--config-dir": str(tree)}
    same = all(os.path.realpath(named[one]) == os.path.realpath(meant[one]) for one in meant)
    return program if same else ""


def _own_programs(line: str, tree: Path) -> Iterator[str]:
    """What a line of the shell calls danebot by, where it has it renew ``tree``."""
    for command in re.split(_SEPARATORS, _uncommented(line)):
        bare = [word.strip("\"'") for word in command.split()]
        names = [word.rpartition("/")[2] for word in bare]
        if "danebot" not in names:
            continue
        first = names.index("danebot")
        rest = bare[first + 1 :]
        if "renew" not in rest or "--dry-run" in rest:
            continue
        between = range(first + 1, bare.index("renew", first))
        if any(re.fullmatch(_NAME, names[n]) and bare[n - 1][:1] != "-" for n in between):
            continue  # certbot's, and danebot is the name of a lock or of a log
        named = _config_dir(rest)
        if not named or os.path.realpath(named) == os.path.realpath(tree):
            yield bare[first]


def _runs(root: str, program: str) -> bool:
    import shutil

    from danebot.adapters.process import search_path

    if "$" in program:
        return True  # only the shell knows
    if "/" not in program:
        places = (f"{root}{place}" for place in search_path().split(os.pathsep))
        return shutil.which(program, path=os.pathsep.join(places)) is not None
    return os.access(f"{root}{program}", os.X_OK)


# ---- systemd --------------------------------------------------------------------------------


def _enabled(root: str) -> Iterable[str]:
    """The timers that systemd starts."""
    return dict.fromkeys(
        timer.rpartition("/")[2]
        for units in _UNITS
        for directory in _listed(f"{root}/{units}", ".wants")
        for timer in _listed(directory, ".timer")
    )


def _timers(root: str, tree: Path) -> Iterator[Rival]:
    for name in _enabled(root):
        commands = _commands(root, name)
        if any(_renews(command, tree) for command in commands):
            if any(_SNAP in command for command in commands):
                yield _rival(name, "snap", "stop", "--disable", _SNAP)
            else:
                yield _rival(name, "systemctl", "disable", "--now", name)


def _commands(root: str, timer: str) -> list[str]:
    """What a timer's service runs; [] for a timer or a service that is masked.

    Where there is no such service to read, the timer's name says what it is for.
    """
    text = _service(root, timer)
    if text == "" and "certbot" in timer:
        return ["certbot renew"]
    commands = _executed(text or "")
    return [*commands, *_script_lines(root, commands)]


def _service(root: str, timer: str) -> str | None:
    """The text of a timer's service, "" for none; None if it or the timer is masked."""
    unit = re.search(r"^\s*Unit\s*=\s*(\S+)", _unit(root, timer), re.MULTILINE)
    service = unit[1] if unit is not None else f"{timer.removesuffix('.timer')}.service"
    return None if _masked(root, timer) or _masked(root, service) else _unit(root, service)


def _executed(service: str) -> list[str]:
    commands: list[str] = []
    for match in re.finditer(_EXEC, _CONTINUED.sub(" ", service)):
        commands = [*commands, match[1]] if match[1].strip() else []
    return commands


def _roots_commands(root: str, timer: str) -> list[str]:
    """The commands of a timer's service, none of them if another user runs it."""
    text = _service(root, timer) or ""
    return [] if re.search(_NOT_ROOTS, text) else _executed(text)


def _rival(name: str, *command: str) -> Rival:
    from danebot.domain.doctor.facts import Rival

    return Rival(name, command)


def _masked(root: str, unit: str) -> bool:
    paths = (f"{root}/{directory}/{unit}" for directory in _UNITS)
    first = next(filter(os.path.lexists, paths), None)
    return first is not None and os.path.realpath(first) == os.devnull


def _unit(root: str, unit: str) -> str:
    """A unit's text: the file that counts, then its drop-ins."""
    paths = (f"{root}/{directory}/{unit}" for directory in _UNITS)
    first = next((text for path in paths if (text := _text(path)) is not None), "")
    drop_ins = {
        path.rpartition("/")[2]: path
        for directory in reversed(_UNITS)
        for path in _listed(f"{root}/{directory}/{unit}.d", ".conf")
    }
    return "\n".join((first, *(_text(drop_ins[name]) or "" for name in sorted(drop_ins))))


# ---- cron -----------------------------------------------------------------------------------


def _cron_jobs(root: str, tree: Path, *, systemd: bool) -> Iterator[Rival]:
    for file, line in _cron_lines(root, systemd=systemd):
        if _renews(line, tree):
            yield _rival(file)


def _cron_lines(
    root: str, cut: Callable[[str], None] = lambda _: None, *, systemd: bool
) -> Iterator[tuple[str, str]]:
    """Each file with each of its lines that does anything here."""
    for file in _cron_files(root):
        lines = [
            line
            for line in _CONTINUED.sub(" ", _text(file) or "").splitlines()
            if not (systemd and _SKIPS_UNDER_SYSTEMD in line)
        ]
        called = _script_lines(root, lines, partial(cut, file))
        yield from ((file, line) for line in chain(lines, called))


def _script_lines(
    root: str, lines: Iterable[str], cut: Callable[[], None] = lambda: None
) -> Iterator[str]:
    """The lines of shell scripts for renewals that lines name; each once.

    Scripts that are run by these scripts are not read.  ``cut`` is called if there is more to read
    than anybody needs.
    """
    left = _MOST_READ
    for number, path in enumerate(_named(root, lines)):
        if number == _MOST_PATHS or left < 0:
            cut()
            return
        data = _content(f"{root}{path}", b"#!") or b""  # most are programs, and long
        left -= len(data)
        if b"renew" in data and re.match(_SHELL, data):
            yield from _CONTINUED.sub(" ", data.decode("utf-8", "replace")).splitlines()


def _named(root: str, lines: Iterable[str]) -> Iterator[str]:
    """What may be a script in lines, and what run-parts runs of a directory; each once."""
    seen: set[str] = set()
    for path in (path for line in lines for path in _paths(line)):
        if path in seen:
            continue
        seen.add(path)
        yield path
        if path[-1] == "/" and os.path.normpath(path[1:]) not in _SCRIPTS:  # looked at anyway
            for one in _listed(f"{root}{path[:-1]}"):
                yield one.removeprefix(root) if os.access(one, os.X_OK) else path


def _paths(line: str) -> Iterator[str]:
    """Whole paths of what a line of the shell names, and what run-parts is given with a slash.

    Nobody can tell what a program runs from what else it is given, so every word may be a path.
    """
    directory, before, parts = "", "", False
    if "/" not in line:
        return
    for word in _words(_uncommented(line)):
        path = (f"{directory}/{word}" if directory and word[:1] != "/" else word).rstrip("/")
        if path[:1] == "/" and len(path) < _LONGEST_PATH:
            yield path
            if before == "cd":
                directory = path
            if parts:
                yield f"{path}/"
        parts |= word.endswith("run-parts")
        before = word


def _uncommented(line: str) -> str:
    return _COMMENT.sub("", line) if "#" in line else line


def _words(line: str, depth: int = 3) -> Iterator[str]:
    """The words of a line without their quotes, and the words in those that had some."""
    for match in _WORD.finditer(line):
        word = match[0]
        if "\\" in word or '"' in word or "'" in word:
            word = _QUOTES.sub(lambda quoted: quoted[1] or quoted[2] or quoted[3] or "", word)
        yield word
        if depth and word != match[0]:
            yield from _words(word, depth - 1)


def _cron_files(root: str) -> Iterator[str]:
    yield from _table_files(root)
    for name in _SCRIPTS:
        yield from (path for path in _listed(f"{root}/{name}") if os.access(path, os.X_OK))


def _table_files(root: str) -> Iterator[str]:
    for name in _TABLES:
        path = f"{root}/{name}"
        yield from _listed(path) if os.path.isdir(path) else [path]


def _renews(line: str, tree: Path) -> bool:
    """Whether a line of the shell has certbot renew ``tree``."""
    if "renew" not in line:
        return False
    commands = re.split(_SEPARATORS, _uncommented(line))
    return any(_renewing(command.split(), tree) for command in commands)


def _renewing(words: Iterable[str], tree: Path) -> bool:
    bare = [word.strip("\"'") for word in words]
    names = [word.rpartition("/")[2] for word in bare]
    if _SNAP in names:
        return is_default(tree)
    own = names.index("danebot") if "danebot" in names else len(names)
    found = (number for number, name in enumerate(names) if re.fullmatch(_NAME, name))
    first = next((number for number in found if not _is_option(number, bare, own)), None)
    if first is None or "renew" not in names[first + 1 :] or "--dry-run" in names[first + 1 :]:
        return False
    named = _config_dir(bare[first + 1 :])
    return is_default(tree) if not named else os.path.realpath(named) == os.path.realpath(tree)


def _is_option(number: int, words: list[str], own: int) -> bool:
    """Whether a word is but an option of danebot's, the ``own``-th word, or its value."""
    return words[number].startswith("-") or (number > own and words[number - 1][:1] == "-")


def _config_dir(words: list[str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--config-dir"):
            return word.partition("=")[2] or following
    return ""


def is_default(tree: Path) -> bool:
    """Whether certbot takes that tree when it is told none."""
    return os.path.realpath(tree) in map(os.path.realpath, _DEFAULT_TREES)


def _text(path: str) -> str | None:
    """A file's text; None where there is none to read."""
    data = _content(path)
    return None if data is None else data.decode("utf-8", "replace")


def _content(path: str, begins: bytes = b"") -> bytes | None:
    try:
        return read_regular(path, _LIMIT, begins=begins)
    except (OSError, ValueError):  # a NUL in the name
        return None


def _listed(directory: str, suffix: str = "") -> list[str]:
    """The files in use of a directory; those that were set aside by their names aren't."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(suffix))
    except OSError:
        return []
    return [f"{directory}/{name}" for name in names if not is_set_aside(name)]
