"""The verb ``survey``: DANE of many domains, as a data set, a page, and what changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from danebot.domain.text import printable, quoted
from danebot.errors import ConfigError, NameSyntaxError
from danebot.verbs.common import ATTENTION, FINE
from danebot.waiting import LINE

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.survey.dataset import DataSet, SurveyState
    from danebot.survey.engine import Advance
    from danebot.survey.plan import KnownNames, SurveyPlan
    from danebot.survey.sources import NameSource

USAGE = 2
_NEEDED = ("dask", "distributed", "pyarrow", "duckdb")
_SHOWN = 5  # bad names
_LARGEST = 64 * 1024 * 1024  # octets of an opt-out list


def survey(console: Console, action: str, paths: Sequence[str], options: Mapping[str, Any]) -> int:
    """Make a survey, its report, or the difference of two; 0 if nothing needs attention."""
    if not all(map(find_spec, _NEEDED)):
        console.warn("surveys need more than danebot itself: pip install 'danebot[survey]'")
        return USAGE
    try:
        return _action(console, action, paths, options)
    except KeyboardInterrupt as exc:
        raise KeyboardInterrupt("run the same danebot survey again to go on") from exc


def _action(console: Console, action: str, paths: Sequence[str], options: Mapping[str, Any]) -> int:
    if action == "run":
        return _run(console, paths, options)
    if options["into"]:
        raise click.UsageError(f"{action}: takes no --into; name directories of surveys")
    return _report(console, paths) if action == "report" else _diff(console, paths)


def _report(console: Console, paths: Sequence[str]) -> int:
    from danebot.survey.report import make_report

    if len(paths) != 1:
        raise click.UsageError("report: name one survey's directory")
    page, failing, count = make_report(Path(paths[0]))
    console.say(str(page))
    console.say(f"{failing}: {count} domains")
    return FINE


def _diff(console: Console, paths: Sequence[str]) -> int:
    from danebot.survey.diff import compare

    if len(paths) != len(("OLD", "NEW")):
        raise click.UsageError("diff: name two surveys' directories, the older one first")
    counted, changes = compare(Path(paths[0]), Path(paths[1]))
    console.say(counted)
    for title, rows in changes:
        console.say(f"{title}: {len(rows)}")
        for row in rows:
            words = ["-" if value in {None, ""} else printable(str(value), 120) for value in row]
            console.say(f"  {'  '.join(words)}")
    return FINE


# ---- run ------------------------------------------------------------------------------------


def _run(console: Console, paths: Sequence[str], options: Mapping[str, Any]) -> int:
    from danebot.survey.dataset import DataSet, Folder
    from danebot.survey.silence import silence
    from danebot.survey.tables import finished, tables

    if not options["into"]:
        raise click.UsageError("run: say where results go: --into DIR")
    if options["json_lines"]:
        _require_place(options["json_lines"])
    try:
        plan, sources = _plan(console, options), _sources(paths, options)
    except NameSyntaxError as exc:
        raise click.UsageError(str(exc)) from exc
    data = DataSet(plan.directory)
    with data.held():
        state = _input(console, data, plan, sources)
        had = state.complete
        if not state.complete:
            state = _same_settings(console, data, plan, state)
            _stages(console, data, plan, options)
            with suppress(OSError):
                data.sweep(age=0)
            kept = data.count(Folder.DOMAINS)  # the opt-out list may have grown on the way
            out = state.opted_out + state.domains - kept
            done = datetime.now(UTC).isoformat(timespec="seconds")
            state = state._replace(complete=True, completed=done, domains=kept, opted_out=out)
            state = state._replace(hosts=data.count(Folder.HOSTS))
            data.remember(state)
        finished(data.root)
        data.drop_work()
        if options["json_lines"]:
            from danebot.survey.lines import write_lines

            write_lines(data, Path(options["json_lines"]))
        with tables() as asked:
            asked.add(data)
            silent = silence(asked)
    LINE.clear()
    for line in silent:
        console.warn(line)
    if had:
        console.say(f"{data.root}: was complete at {state.completed}; nothing was looked at")
        return ATTENTION if silent else FINE
    console.say(f"{state.domains} domains surveyed: {data.root}")
    console.say(f"next: danebot survey report {quoted(data.root)}")
    return ATTENTION if state.refused or silent else FINE


def _require_place(name: str) -> None:
    """Refuse what a file can't be put in place of: a device, for one, would be gone for all."""
    path = Path(name)
    if name == "-" or (os.path.lexists(path) and not path.is_file()):
        raise click.UsageError(f"--json-lines {printable(name)}: is no file; name one")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"--json-lines {printable(name)}: there is no such directory")


def _same_settings(
    console: Console, data: DataSet, plan: SurveyPlan, state: SurveyState
) -> SurveyState:
    """Refuse to go on without the opt-out list that it began with; tell what else differs."""
    before, now = state.settings, plan.settings
    if before.get("--opt-out") and not now["--opt-out"]:
        raise ConfigError(f"{data.root}: was begun with --opt-out; name that list again, or more")
    changed = [word for word in now if before and before.get(word) != now[word]]
    if changed:
        console.warn(f"{data.root}: goes on with another {', '.join(changed)} than before")
    state = state._replace(settings=now)
    data.remember(state)
    return state


def _input(
    console: Console, data: DataSet, plan: SurveyPlan, sources: Sequence[NameSource]
) -> SurveyState:
    """Take the input, unless that was done."""
    from danebot.survey.dataset import STATE, Folder, SurveyState
    from danebot.survey.sources import input_place, print_of, take_input

    names = tuple(map(input_place, sources))
    prints = tuple(map(print_of, sources))
    state = data.state()
    taken = state is not None and state.input_complete
    if state is not None and taken and state.inputs != names:
        before = printable(", ".join(state.inputs), 200)
        raise ConfigError(f"{data.root}: holds a survey of {before}; name another directory")
    if state is not None and taken and not state.complete and state.prints != prints:
        raise ConfigError(
            f"{data.root}: the input has changed since it was read; "
            "put back what it was, or name another directory"
        )
    if state is None and [one for one in os.listdir(data.root) if one != "lock"]:
        raise ConfigError(f"{data.root}: isn't empty, and has no {STATE}; name another directory")
    with suppress(OSError):
        data.sweep()
    if state is not None and taken:
        return state
    data.remember(SurveyState(names))
    shown = 0

    def refuse(words: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= _SHOWN:
            console.warn(words)

    if data.is_there(Folder.INPUT):  # complete, but for saying so
        import shutil

        shutil.rmtree(data.folder(Folder.INPUT))
    _say_reading(console, names)
    told = _Meter(console).read
    counts = take_input(data, sources, plan.opt_out, plan.rows, refuse, tell=told)
    state = SurveyState(names, *counts, input_complete=True, settings=plan.settings, prints=prints)
    data.remember(state)
    for number, words in (
        (counts.refused, "are no domain names, and are left out"),
        (counts.repeated, "came more than once"),
        (counts.opted_out, "are on the opt-out list"),
    ):
        if number:
            console.warn(f"{number} of the input's names {words}")
    return state


def _say_reading(console: Console, names: Sequence[str]) -> None:
    """What it waits for: whoever is to type names would take it to hang."""
    if "-" in names and sys.stdin is not None and sys.stdin.isatty():
        console.warn("type names, one a line; end with Ctrl-D on a line of its own")
    else:
        console.progress("reading the input")


def _stages(console: Console, data: DataSet, plan: SurveyPlan, options: Mapping[str, Any]) -> None:
    from danebot.survey import engine

    tls = options["scheduler_tls"]
    files = tuple(tls.split(",")) if tls else None
    if files is not None and len(files) != len(("CA", "CERT", "KEY")):
        raise click.UsageError("--scheduler-tls: want three files: CA,CERT,KEY")
    workers = options["workers"] or len(os.sched_getaffinity(0))
    with engine.cluster(options["scheduler"], workers, files) as client:
        count = engine.check_resolvers(client, plan)
        engine.require_idle(client, data)
        console.say(f"{count} workers, watched at {client.dashboard_link}")
        console.say(f"services see us as {plan.helo}: postmaster@{plan.helo} should reach you")
        engine.run_steps(client, data, plan, _Meter(console).tell)


class _Meter:
    """Advance: a line that is written over on a terminal, a line for each stage with -v."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = not console.quiet and console.watched()

    def read(self, count: int) -> None:
        """Show how many names of the input were read."""
        if self._shown:
            LINE.show(f"danebot: reading the input: {count:,} names")

    def tell(self, progress: Advance) -> None:
        """Show how far it is."""
        line = progress_line(progress)
        if progress.done == progress.total:
            self._console.detail(line)
        if self._shown:
            LINE.show(line)


_BAR = 20


def progress_line(progress: Advance) -> str:
    """A bar, a rate, and how long the rest of this stage takes."""
    step, done, total, *_ = progress
    full = _BAR * done // total if total else _BAR
    bar = f"[{'#' * full}{'.' * (_BAR - full)}] {step.words}: {done} of {total} partitions"
    if not progress.rows:
        return bar
    share = progress.rows / max(progress.seconds, 1e-3)
    made = max(done - progress.had, 1)
    left = timedelta(seconds=round((total - done) * progress.seconds / made))
    return f"{bar}, {share:,.0f} {step.unit}/s, {left} left"


# ---- from words to values -------------------------------------------------------------------


def _plan(console: Console, options: Mapping[str, Any]) -> SurveyPlan:
    from danebot.adapters.wiring import own_name, resolver_config, resolver_of
    from danebot.domain.addresses import Reach, parse_socket_address
    from danebot.domain.names import Hostname
    from danebot.survey.plan import KnownNames, OptOut, SurveyPlan

    resolver = resolver_config(console.settings)
    if options["resolvers"]:
        named = [parse_socket_address(word) for word in options["resolvers"]]
        if None in named:
            raise click.UsageError("--resolver: want an IP address, with a port or without")
        resolver = resolver_of(
            [one for one in named if one is not None], trusted=console.settings.trust_resolver
        )
    tests = KnownNames()
    if options["test_names"]:
        tests = _test_names(options["test_names"])
    opt_out = OptOut()
    if options["opt_out"]:
        from danebot.regular import read_regular
        from danebot.survey.plan import parse_opt_out

        try:
            text = read_regular(Path(options["opt_out"]), _LARGEST).decode("utf-8", "replace")
        except OSError as exc:
            shown = printable(options["opt_out"])
            raise ConfigError(f"{shown}: {exc.strerror or exc}; nothing was surveyed") from exc
        opt_out = parse_opt_out(text)
    return SurveyPlan(
        Path(options["into"]).absolute(),
        Hostname.parse(options["helo"]) if options["helo"] else own_name(),
        resolver,
        Reach(options["reach"]),
        tests,
        opt_out,
        timedelta(seconds=options["interval"]),
        options["looks"],
        options["connections"],
        rows=options["rows"],
    )


def _test_names(words: str) -> KnownNames:
    from danebot.domain.names import DnsName
    from danebot.survey.plan import KnownNames

    names = [DnsName.parse(word) for word in words.split(",")]
    if len(names) != len(KnownNames._fields):
        raise click.UsageError("--test-names: want three names: SECURE,INSECURE,BOGUS")
    return KnownNames(*names)


def _sources(paths: Sequence[str], options: Mapping[str, Any]) -> list[NameSource]:
    from danebot.survey.sources import Form, NameSource, form_of

    form = Form(options["form"]) if options["form"] else None
    return [
        NameSource(path, form or form_of(path), options["column"], options["origin"])
        for path in paths
    ]
