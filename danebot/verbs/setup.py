"""`danebot setup`: each step is shown, asked for, and taken by the very command that was shown."""

from __future__ import annotations

import difflib
import enum
import hashlib
import io
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from danebot.domain.doctor.setup import DAILY, SetupPlan, SetupStep, Wanted, Way, plan_setup
from danebot.domain.text import printable
from danebot.errors import DanebotError
from danebot.tuples import NamedTuple
from danebot.verbs.common import ATTENTION, FINE

if TYPE_CHECKING:
    from danebot.console import Console

ROOT = Path("/")
USAGE, INTERRUPTED = 2, 130
_PATIENCE = timedelta(minutes=2)


class Mode(enum.Enum):
    """Who decides."""

    ASK = "the operator, at each step"
    YES = "nobody: all of it is done"
    PRINT = "nothing is done"


class Danebot(NamedTuple):
    """The command line itself: options that stand before the verb, and what runs the rest."""

    options: tuple[str, ...]
    run: Callable[[Sequence[str]], int]


def setup(console: Console, danebot: Danebot, wanted: Wanted, mode: Mode) -> int:
    """Go through all steps; 0 if nothing is left to do and the doctor finds nothing."""
    if mode is Mode.ASK:
        if not console.asks():
            console.warn(
                "setup asks before each change, and nobody is here to answer: to have it all done, "
                "say --yes; to see it, --dry-run"
            )
            return USAGE
        console.quiet = False  # who is asked has to see what for
    walk = _Setup(console, danebot, mode)
    try:
        planned = _planned(console, wanted)
        named = walk.named(planned)
        return walk.go(_planned(console, wanted._replace(lineages=named)) if named else planned)
    except (click.Abort, KeyboardInterrupt):
        console.warn(f"interrupted; {walk.done_so_far}; run danebot setup again to go on")
        return INTERRUPTED


def _planned(console: Console, wanted: Wanted) -> SetupPlan:
    from danebot.adapters.presence import is_there
    from danebot.jobs.context import system_clock
    from danebot.jobs.orphans import orphans
    from danebot.jobs.setup import first_facts, setup_facts
    from danebot.verbs.files import daily_run

    begun = wanted.lineages or is_there(console.settings.tree / "renewal")
    if not begun or not console.tree().select(wanted.lineages):
        left = orphans(console.context(console.tree())) if begun else ()
        if left:  # certbot, asked for a first certificate, would stumble over it
            steps = tuple(SetupStep(Way.BY_HAND, str(one)) for one in left)
            return SetupPlan(steps, blocked=True)
        return plan_setup(first_facts(console.settings, ROOT), wanted, system_clock())
    tree = console.tree()
    context = console.context(tree)._replace(progress=console.progress)
    daily = tuple(tuple(shlex.split(line)) for line in daily_run(ROOT))
    return plan_setup(setup_facts(context, daily, ROOT), wanted, context.clock())


class _Setup:
    """A walk through the steps: ``lost`` is what wasn't done, ``left`` what the operator has to.

    ``failed`` says that a step was taken, and not all went well; ``begun`` are those that were.
    """

    def __init__(self, console: Console, danebot: Danebot, mode: Mode) -> None:
        self.console = console
        self.danebot = danebot
        self.mode = mode
        self.lost: set[str] = set()
        self.left: list[SetupStep] = []
        self.begun: list[str] = []
        self.failed = False
        self.said = False
        self.shown: str | None = None  # the settings as they will be, after what was shown
        self.file = (console.config or ROOT / "etc/danebot/danebot.toml").absolute()

    @property
    def done_so_far(self) -> str:
        """What has been done, in words; the last of it perhaps in part."""
        return f"begun in this order: {'; '.join(self.begun)}" if self.begun else "nothing was done"

    def named(self, planned: SetupPlan) -> tuple[str, ...]:
        """The lineages that the operator names, where that can't be told and somebody is asked."""
        if self.mode is not Mode.ASK or not (planned.blocked and planned.others):
            return ()

        def known(words: str) -> tuple[str, ...]:
            strange = [word for word in words.split() if word not in planned.others]
            if strange:
                raise click.BadParameter(f"{strange[0]} is none of these")
            return tuple(words.split())

        self._say_apart(f"nothing here shows which serve mail: {', '.join(planned.others)}")
        asked = "which do? [names, or nothing for none]"
        answer: tuple[str, ...] = click.prompt(
            asked, default="", show_default=False, value_proc=known, err=True
        )
        return answer

    def go(self, planned: SetupPlan) -> int:
        """Go through all steps; 0 if nothing is left to do and the doctor finds nothing."""
        say = self._say_apart
        steps = [self._written_by_hand(step) for step in planned.steps]
        wanted = [step for step in steps if self._is_wanted(step)]  # all are asked for first
        wanted.sort(key=lambda step: step.way is not Way.SYSTEM and step.gives != DAILY)
        if self.mode is Mode.PRINT:
            return self._print(wanted, planned)
        for step in wanted:
            if self._is_possible(step) and not self._taken(step):
                self.lost.add(step.gives)
        if len(self.left) == len(steps):
            nothing = "nothing to do" if not planned.blocked else "nothing was changed"
            say("there is nothing that danebot could do" if steps else nothing)
        self._say_others(planned.others)
        for step in self.left:
            say(f"by hand: {step.why}")
            self._say_commands(step, "  ")
            if step.way is Way.SHOW:
                self._run(step.commands[0])
        if not planned.blocked:
            say("danebot doctor:")
        healthy = not planned.blocked and self._run(("doctor",))
        if self.left:
            say("when that is done by hand, run again: danebot setup")
        return FINE if healthy and not (self.left or self.failed) else ATTENTION

    def _is_possible(self, step: SetupStep) -> bool:
        """Whether all is done, or was agreed to, that it rests on."""
        some = not step.one_of or not self.lost.issuperset(step.one_of)
        return some and self.lost.isdisjoint(step.needs)

    def _is_wanted(self, step: SetupStep) -> bool:
        """Show it, and ask, where somebody is asked; what is declined or by hand is lost.

        In this order, so that timers stay where no lineage is to be taken on; they are changed
        first, since a lineage under care that danebot doesn't renew would run out.
        """
        if step.way in (Way.BY_HAND, Way.SHOW):
            self.lost.add(step.gives)
            return True
        if self.mode is not Mode.ASK:
            return True
        if self._is_possible(step):
            before = self.shown
            self._say_apart(f"{step.why}:")
            self._say_commands(step, "  ")
            if click.confirm("do it?", default=True, err=True):
                return True
            self.shown = before
        self.lost.add(step.gives)
        return False

    def _taken(self, step: SetupStep) -> bool:
        """Take it; whether that was done, and well."""
        if step.way in (Way.BY_HAND, Way.SHOW):
            self.left.append(step)
            return False
        self._say_apart(f"{step.why}:")
        if self.mode is not Mode.ASK:  # who was asked has seen them
            self.shown = None
            self._say_commands(step, "  ")
        self.begun.append(step.why)
        if step.way is Way.SYSTEM:
            done = all(map(self._run_program, step.commands))
            done = done and (step.gives != DAILY or self._runs_daily())
        elif step.hooks:
            done = self._with_hooks(step)
        else:
            ended = [self._status(words) for words in step.commands]
            name = step.gives
            done = self.console.tree().paths(name).staged if name else set(ended) <= {FINE}
        self.failed |= not done
        return done

    def _run(self, words: Sequence[str]) -> bool:
        return self._status(words) == FINE

    def _status(self, words: Sequence[str]) -> int | None:
        """Run a verb, and return its exit status, None if it refused.  It says what is wrong."""
        try:
            return self.danebot.run(words)
        except DanebotError as exc:
            self.console.warn(str(exc))
        except click.ClickException as exc:
            exc.show()
        return None

    def _with_hooks(self, step: SetupStep) -> bool:
        """Settings go back to what they were where the hooks couldn't be tried: the next run will.

        Whoever changed them in between is left with that.
        """
        edited = self._edit(step.hooks)
        if edited is None:
            self.left.append(self._written_by_hand(step))
            return False
        ended: list[int | None] = []
        try:
            ended = [self._status(words) for words in step.commands]
        finally:
            if None in ended or not ended:
                before, after = edited
                self._replace(lambda now: before if now == after else now)
                self.console.warn(f"{self.file} is as it was; run again: danebot setup")
        return set(ended) <= {FINE}

    def _runs_daily(self) -> bool:
        from danebot.jobs.setup import daily_jobs

        context = self.console.context(self.console.tree())
        if any(job.certain and job.runs for job in daily_jobs(context, ROOT)):
            return True
        self.console.warn(
            f"danebot renew still doesn't run daily on {context.tree.root}; "
            "see: systemctl cat danebot.timer danebot.service"
        )
        return False

    def _run_program(self, words: Sequence[str]) -> bool:
        from danebot.adapters.process import run_program

        ended = run_program(words, timeout=_PATIENCE, grace=_PATIENCE, environment={})
        if not ended.succeeded:
            why = ended.lines[-1] if ended.lines else ended.ending.value
            self.console.warn(f"{shlex.join(words)}: {why}; mend it, and run again: danebot setup")
        return ended.succeeded

    # ---- danebot.toml -----------------------------------------------------------------------

    def _written_by_hand(self, step: SetupStep) -> SetupStep:
        """The step in one line, by hand where settings have a form that only a person can edit."""
        from danebot.config.edit import with_hooks

        if step.hooks and not with_hooks(self._settings(), step.hooks):
            why = f"{step.why}; write them to hooks in {self.file}"
            step = step._replace(way=Way.BY_HAND, why=why, hooks=(), commands=())
        return step._replace(why=printable(step.why, len(step.why)))

    def _settings(self) -> str:
        from danebot.config.files import read_text

        return read_text(self.file) or ""

    def _edit(self, hooks: Sequence[str]) -> tuple[str, str] | None:
        """The settings before and after; None if only a person can edit them by now."""
        from danebot.config.edit import with_hooks

        edited: list[tuple[str, str]] = []

        def edit(old: str) -> str:
            new = with_hooks(old, hooks)
            edited.extend([(old, new)] if new is not None else [])
            return old if new is None else new

        self._replace(edit)
        return edited[-1] if edited else None

    def _replace(self, edit: Callable[[str], str]) -> None:
        from danebot.adapters.files import edit_text, make_directory

        make_directory(self.file.parent, 0o755)
        edit_text(Path(os.path.realpath(self.file)), edit)

    def _edited(self, hooks: Sequence[str]) -> Iterator[str]:
        """The change as a diff; for a script as the commands that make it."""
        from danebot.config.edit import with_hooks

        old, file = self._settings() if self.shown is None else self.shown, str(self.file)
        new = self.shown = with_hooks(old, hooks) or old
        was, will = (io.StringIO(text, newline="\n").readlines() for text in (old, new))
        if self.mode is not Mode.PRINT:
            for line in difflib.unified_diff(was, will, file, file, n=1):
                yield from line.rstrip("\n").split("\n")
            return
        quoted, known = shlex.quote(file), hashlib.sha256(old.encode()).hexdigest()
        is_old = f"\"$(sha256sum < {quoted})\" = '{known}  -'" if old else f"! -s {quoted}"
        told = shlex.quote(f"{file} changed since: make the script anew: danebot setup --dry-run")
        yield f"[ {is_old} ] || {{ echo {told} >&2; exit 1; }}"
        if old:
            sed = shlex.quote("\n".join(_sed(was, will)))
            yield f"sed -i --follow-symlinks {sed} {quoted} || exit"
        else:
            yield f"mkdir -p {shlex.quote(str(self.file.parent))} || exit"
            yield f"printf '%s\\n' {shlex.quote(new.rstrip())} >> {quoted} || exit"

    # ---- words ------------------------------------------------------------------------------

    def _print(self, steps: Sequence[SetupStep], planned: SetupPlan) -> int:
        """The plan as a script; what is to be done by hand stands in comments."""
        strict = False
        for step in steps:
            by_hand = step.way is Way.BY_HAND or not self._is_possible(step)
            if by_hand:
                self.lost.add(step.gives)
            elif strict is not (step.way is Way.SYSTEM):
                strict = not strict  # danebot's verbs end with 1 for what is left to be done
                self.console.say("set -e" if strict else "set +e")
            self.console.say(f"# {'by hand: ' if by_hand else ''}{step.why}")
            self._say_commands(step, "# " if by_hand else "")
            if step.way is Way.DANEBOT and step.gives and not by_hand:
                staging = self.console.tree().paths(step.gives).staging
                self._say_indented(f"[ -d {shlex.quote(str(staging))} ] || exit")
        self._say_others(planned.others, "# ")
        nothing = not (steps or planned.blocked)
        self.console.say("# nothing to do" if nothing else "# nothing was changed")
        left = planned.blocked or any(step.way in (Way.BY_HAND, Way.SHOW) for step in steps)
        return ATTENTION if left else FINE

    def _say_commands(self, step: SetupStep, indent: str) -> None:
        own = ("danebot", *self.danebot.options)
        verbs = step.way in (Way.DANEBOT, Way.SHOW)
        for line in self._edited(step.hooks) if step.hooks else ():
            self._say_indented(line, indent)
        for words in step.commands:
            rest = words if verbs else words[1:] if words[0] == "danebot" else None
            self._say_indented(shlex.join(words if rest is None else (*own, *rest)), indent)

    def _say_indented(self, text: str, indent: str = "") -> None:
        """Say each line behind ``indent``: a quoted newline must not end a script's comment."""
        for line in text.split("\n"):
            self.console.say(f"{indent}{line}")

    def _say_apart(self, line: str) -> None:
        """A line with an empty one before it, unless it is the first."""
        if self.said:
            self.console.say()
        self.console.say(line)
        self.said = True

    def _say_others(self, others: Sequence[str], indent: str = "") -> None:
        if others:
            names = printable(named := ", ".join(others), len(named))
            self.console.say(
                f"{indent}left to certbot, as nothing here shows that they serve mail: "
                f"{names}; to take one on, name it: danebot setup LINEAGE"
            )


def _sed(was: Sequence[str], will: Sequence[str]) -> Iterator[str]:
    """The commands of sed, which every host has, that make ``will`` of the lines of ``was``."""
    matcher = difflib.SequenceMatcher(None, was, will, autojunk=False)
    for change, first, last, begin, end in matcher.get_opcodes():
        lines = (line.rstrip("\n").replace("\\", "\\\\") for line in will[begin:end])
        text = "\\\n".join(("", *lines))
        if change == "replace":
            yield f"{first + 1},{last}c{text}"
        elif change == "delete":
            yield f"{first + 1},{last}d"
        elif change == "insert":
            yield f"{first}a{text}" if first else f"1i{text}"
