"""certbot's ``renewal/LINEAGE.conf``: read as certbot reads it, edited by line, never through it.

Only the few settings that danebot must know are looked at; every other line stays as it is.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from pathlib import Path

from danebot.adapters.certbot.configobj import Entry, Header, parse, written
from danebot.adapters.files import read_bytes
from danebot.domain.text import quoted
from danebot.errors import TreeError
from danebot.tuples import NamedTuple

PARAMETERS = "renewalparams"
OWN = "danebot"
"""The section in which danebot keeps a deploy hook: certbot keeps it, and doesn't look there."""
PATH_SETTINGS = ("cert", "privkey", "chain", "fullchain")
_DEPLOY_HOOKS = ("renew_hook", "deploy_hook")  # certbot saves it under the former name
_POST_HOOK = "post_hook"
_OFF = ("false", "off", "no", "0")


class RenewalConf(NamedTuple):
    """The text of one configuration and what it holds, in order."""

    path: Path
    text: str
    content: tuple[Entry | Header, ...]
    entries: tuple[Entry, ...]
    """Its settings alone."""
    values: Mapping[tuple[tuple[str, ...], str], str]
    """These by section and name, a list's items joined by commas."""

    @classmethod
    def read(cls, path: Path) -> RenewalConf:
        """Read ``path``, or raise `TreeError`, also for one that says nothing."""
        try:
            text = read_bytes(path).removeprefix(BOM_UTF8).decode()
        except UnicodeDecodeError as exc:
            raise _refused(path, "is no text (UTF-8)") from exc
        except TreeError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                raise TreeError(f"{path} is absent: is that a certbot lineage?") from exc
            raise
        conf = cls.parse(path, text)
        if not conf.entries:
            raise _refused(path, "is empty")
        return conf

    @classmethod
    def parse(cls, path: Path, text: str) -> RenewalConf:
        """Take apart ``text``; `TreeError` where certbot can't read it either."""
        try:
            _refuse_nul(text)
            content = tuple(parse([line.rstrip("\r") for line in _lines(text)]))
        except TreeError as exc:
            raise _refused(path, str(exc)) from exc
        entries = tuple([one for one in content if type(one) is Entry])
        values = {
            (section, name): value if type(value) is str else ",".join(value)
            for section, name, value, *_ in entries
        }
        return cls(path, text, content, entries, values)

    def top(self, name: str) -> str:
        """A setting before the first section; "" if it isn't there."""
        return self._text((), name)

    def parameter(self, name: str) -> str:
        """A setting of ``[renewalparams]``, a list's items joined by commas; "" if not there."""
        return self._text((PARAMETERS,), name)

    def disabled(self, name: str) -> bool:
        """Whether a parameter is given, as one of the words by which certbot says no."""
        return self.parameter(name).lower() in _OFF

    def enabled(self, name: str) -> bool:
        """Whether a parameter is ``True``, in letters of any case, as certbot restores it."""
        return self.parameter(name).lower() == "true"

    @property
    def deploy_hook(self) -> str:
        """The deploy hook that was saved, held back or not; "" if there is none."""
        places = ((PARAMETERS,), (OWN,))
        return next(filter(None, (self._text(p, n) for p in places for n in _DEPLOY_HOOKS)), "")

    @property
    def installer(self) -> str:
        """Certbot's installer, which reloads its service as soon as it has issued; "" for none."""
        named = self.parameter("installer")
        return "" if named == "None" else named

    @property
    def post_hook(self) -> str:
        """The post hook that was saved; "" if there is none."""
        return self.parameter(_POST_HOOK)

    def with_hook_held(self) -> RenewalConf:
        """The same with the deploy hook where certbot doesn't run it; an empty one is dropped."""
        return self._hook_moved(PARAMETERS, OWN)

    def with_hook_given_back(self) -> RenewalConf:
        """The same with the deploy hook where certbot runs it."""
        return self._hook_moved(OWN, PARAMETERS)

    def _hook_moved(self, source: str, target: str) -> RenewalConf:
        if not any(((source,), name) in self.values for name in _DEPLOY_HOOKS):
            return self
        hooks = [entry for entry in self.entries if entry.name in _DEPLOY_HOOKS]
        moved = [entry for entry in hooks if entry.section == (source,)]
        lines, new = _lines(self.text), list[str]()
        gone = moved
        if any(joined(entry) for entry in moved):
            new = [line for entry in moved for line in lines[entry.first : entry.last + 1]]
            gone = [entry for entry in hooks if entry.section in ((source,), (target,))]
        for entry in reversed(gone):
            del lines[entry.first : entry.last + 1]
        if lines[-1:] == [f"[{OWN}]"]:
            lines.pop()
        whole = self._inserted(lines, (target,), new) if new else lines
        return RenewalConf.parse(self.path, "\n".join(whole) + "\n")

    def _text(self, section: tuple[str, ...], name: str) -> str:
        return self.values.get((section, name), "")

    def edited(
        self, *, top: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
    ) -> RenewalConf:
        """The same with settings replaced, or added where their section begins."""
        wanted: dict[tuple[tuple[str, ...], str], str] = {
            (section, name): value
            for section, settings in (((), top), ((PARAMETERS,), parameters))
            for name, value in (settings or {}).items()
        }
        lines = _lines(self.text)
        there = {(entry.section, entry.name) for entry in self.entries}
        for entry in reversed(self.entries):
            value = wanted.get((entry.section, entry.name))
            if value is not None and value != entry.value:
                comment = f"  {entry.comment}" if entry.comment else ""
                lines[entry.first : entry.last + 1] = [f"{entry.name} = {written(value)}{comment}"]
        for section in ((), (PARAMETERS,)):
            new = [
                f"{name} = {written(value)}"
                for (place, name), value in wanted.items()
                if place == section and (section, name) not in there
            ]
            if new:
                lines = self._inserted(lines, section, new)
        return RenewalConf.parse(self.path, "\n".join(lines) + "\n")

    def with_parameters_of(self, former: RenewalConf) -> RenewalConf:
        """The same, with parameters that ``former`` has and this one lacks, as they are there."""
        there = {entry.name for entry in self.entries if entry.section == (PARAMETERS,)}
        lines = _lines(former.text)
        lost = [
            line
            for entry in former.entries
            if entry.section == (PARAMETERS,) and entry.name not in there
            for line in lines[entry.first : entry.last + 1]
        ]
        if not lost:
            return self
        whole = self._inserted(_lines(self.text), (PARAMETERS,), lost)
        return RenewalConf.parse(self.path, "\n".join(whole) + "\n")

    def _inserted(
        self, lines: list[str], section: tuple[str, ...], new: Sequence[str]
    ) -> list[str]:
        """``lines`` of this text, edited or not, with ``new`` ones where ``section`` begins."""
        if not section:
            return [*new, *lines]
        current = RenewalConf.parse(self.path, "\n".join(lines))
        for one in current.content:
            if isinstance(one, Header) and one.section == section:
                return [*lines[: one.line + 1], *new, *lines[one.line + 1 :]]
        return [*lines, f"[{section[-1]}]", *new]


def _refused(path: Path, why: str) -> TreeError:
    name = path.name.removesuffix(".conf")
    return TreeError(
        f"{path}: {why}; certbot can't read it either: mend or restore it, or run: "
        f"certbot delete --cert-name {quoted(name)}"
    )


def joined(entry: Entry) -> str:
    """The value of an entry, the items of a list joined by commas."""
    return entry.value if isinstance(entry.value, str) else ",".join(entry.value)


def _refuse_nul(text: str) -> None:
    """No path can have one; a power cut leaves whole blocks of them."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TreeError(f"line {line} has a NUL in it")


def _lines(text: str) -> list[str]:
    """The lines of a text; those that end with CR and LF keep the CR."""
    return text.removesuffix("\n").split("\n") if text else []
