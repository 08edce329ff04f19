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
from typing import TYPE_CHECKING, NamedTuple

import click

from danebot.domain.doctor.setup import DAILY, SetupPlan, SetupStep, Wanted, Way, plan_setup
from danebot.errors import DanebotError
from danebot.verbs.common import ATTENTION, FINE

if TYPE_CHECKING:
    from danebot.console import Console
    from danebot.jobs.context import Context

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
    from danebot.jobs.setup import setup_facts
    from danebot.verbs.files import daily_run

    if mode is Mode.ASK:
        if not console.asks():
            console.warn(
                "setup asks before each change, and nobody is here to answer: to have it all done, "
                "say --yes; to see it, --dry-run"
            )
            return USAGE
        console.quiet = False  # who is asked has to see what for
    tree = console.tree()
    tree.select(wanted.lineages)
    context = console.context(tree)._replace(progress=console.progress)
    daily = tuple(tuple(shlex.split(line)) for line in daily_run(ROOT))
    try:
        planned = plan_setup(setup_facts(context, daily, ROOT), wanted, context.clock())
        return _Setup(console, context, danebot, mode).go(planned)
    except (click.Abort, KeyboardInterrupt):
        console.warn("interrupted; run danebot setup again to go on")
        return INTERRUPTED


class _Setup:
    """A walk through the steps: ``lost`` is what wasn't done, ``left`` what the operator has to.

    ``failed`` says that a step was taken, and not all went well.
    """

    def __init__(self, console: Console, context: Context, danebot: Danebot, mode: Mode) -> None:
        self.console = console
        self.context = context
        self.danebot = danebot
        self.mode = mode
        self.lost: set[str] = set()
        self.left: list[SetupStep] = []
        self.failed = False
        self.said = False
        self.file = console.config or ROOT / "etc/danebot/danebot.toml"

    def go(self, planned: SetupPlan) -> int:
        say = self._say_apart
        steps = [self._written_by_hand(step) for step in planned.steps]
        if self.mode is Mode.PRINT:
            return self._print(steps, planned.others)
        for step in steps:
            if self.lost.isdisjoint(step.needs) and not self._taken(step):
                self.lost.add(step.gives)
        if len(self.left) == len(steps):
            say("there is nothing that danebot could do" if steps else "nothing to do")
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

    def _taken(self, step: SetupStep) -> bool:
        """Show it, ask, and take it; whether that was done, and well."""
        if step.way in (Way.BY_HAND, Way.SHOW):
            self.left.append(step)
            return False
        self._say_apart(f"{step.why}:")
        self._say_commands(step, "  ")
        if self.mode is Mode.ASK and not click.confirm("do it?", default=True, err=True):
            return False
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
        ended = [self._status(words) for words in step.commands]
        if None in ended:
            before, after = edited
            self._replace(lambda now: before if now == after else now)
            self.console.warn(f"{self.file} is as it was; run again: danebot setup")
        return set(ended) <= {FINE}

    def _runs_daily(self) -> bool:
        from danebot.jobs.setup import daily_jobs

        if any(job.certain and job.runs for job in daily_jobs(self.context, ROOT)):
            return True
        self.console.warn(
            f"danebot renew still doesn't run daily on {self.context.tree.root}; "
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
        """The step as it is, unless settings have a form that only a person can edit."""
        from danebot.config.edit import with_hooks

        if not step.hooks or with_hooks(self._settings(), step.hooks):
            return step
        why = f"{step.why}; write them to hooks in {self.file}"
        return step._replace(way=Way.BY_HAND, why=why, hooks=(), commands=())

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

        old, file = self._settings(), str(self.file)
        new = with_hooks(old, hooks) or old
        was, will = (io.StringIO(text, newline="\n").readlines() for text in (old, new))
        if self.mode is not Mode.PRINT:
            for line in difflib.unified_diff(was, will, file, file, n=1):
                yield from line.rstrip("\n").split("\n")
        elif old:
            quoted, known = shlex.quote(file), hashlib.sha256(old.encode()).hexdigest()
            yield f"[ \"$(sha256sum < {quoted})\" = '{known}  -' ] || exit  # changed since"
            sed = shlex.quote("\n".join(_sed(was, will)))
            yield from f"sed -i --follow-symlinks {sed} {quoted} || exit".split("\n")
        else:
            yield f"mkdir -p {shlex.quote(str(self.file.parent))}"
            yield f"printf '%s\\n' {shlex.quote(new.rstrip())} >> {shlex.quote(file)}"

    # ---- words ------------------------------------------------------------------------------

    def _print(self, steps: Sequence[SetupStep], others: Sequence[str]) -> int:
        """The plan as a script; what is to be done by hand stands in comments."""
        strict = False
        for step in steps:
            by_hand = step.way is Way.BY_HAND or not self.lost.isdisjoint(step.needs)
            if by_hand:
                self.lost.add(step.gives)
            elif strict is not (step.way is Way.SYSTEM):
                strict = not strict  # danebot's verbs end with 1 for what is left to be done
                self.console.say("set -e" if strict else "set +e")
            self.console.say(f"# {'by hand: ' if by_hand else ''}{step.why}")
            self._say_commands(step, "# " if by_hand else "")
        self._say_others(others, "# ")
        self.console.say("# nothing was changed" if steps else "# nothing to do")
        left = any(step.way in (Way.BY_HAND, Way.SHOW) for step in steps)
        return ATTENTION if left else FINE

    def _say_commands(self, step: SetupStep, indent: str) -> None:
        own = ("danebot", *self.danebot.options)
        verbs = step.way in (Way.DANEBOT, Way.SHOW)
        for line in self._edited(step.hooks) if step.hooks else ():
            self.console.say(f"{indent}{line}")
        for words in step.commands:
            self.console.say(f"{indent}{shlex.join((*own, *words) if verbs else words)}")

    def _say_apart(self, line: str) -> None:
        """A line with an empty one before it, unless it is the first."""
        if self.said:
            self.console.say()
        self.console.say(line)
        self.said = True

    def _say_others(self, others: Sequence[str], indent: str = "") -> None:
        if others:
            self.console.say(
                f"{indent}left to certbot, as nothing here shows that they serve mail: "
                f"{', '.join(others)}; to take one on, name it: danebot setup LINEAGE"
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
