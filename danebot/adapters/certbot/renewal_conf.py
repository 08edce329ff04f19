"""certbot's ``renewal/LINEAGE.conf``: read and edited by line, never through certbot.

Only the few settings that danebot must know are looked at; every other line stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from danebot.errors import TreeError

# neither matches a comment
_SETTING = re.compile(r"\s*([A-Za-z0-9_]+)\s*=\s*(.*\S|)\s*$")
_SECTION = re.compile(r"\s*(\[+)\s*([^\]]*?)\s*\]+\s*(#.*)?$")
PARAMETERS = "renewalparams"
PATH_SETTINGS = ("cert", "privkey", "chain", "fullchain")


class RenewalConf(NamedTuple):
    """The text of one configuration and its settings by (section, name); "" is the top."""

    path: Path
    text: str
    settings: Mapping[tuple[str, str], str]

    @classmethod
    def read(cls, path: Path) -> RenewalConf:
        """Read ``path``, or raise `TreeError`."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as exc:
            raise TreeError(f"{path} is absent: is that a certbot lineage?") from exc
        except (OSError, UnicodeDecodeError) as exc:
            raise TreeError(f"cannot read {path}: {exc}") from exc
        return cls.parse(path, text)

    @classmethod
    def parse(cls, path: Path, text: str) -> RenewalConf:
        """Take the settings out of ``text``."""
        settings: dict[tuple[str, str], str] = {}
        for section, line in _sectioned(text):
            match = _SETTING.match(line)
            if match is not None:
                settings[section, match[1]] = _unquoted(match[2])
        return cls(path, text, settings)

    def top(self, name: str) -> str:
        """A setting before the first section; "" if it isn't there."""
        return self.settings.get(("", name), "")

    def parameter(self, name: str) -> str:
        """A setting of ``[renewalparams]``; "" if it isn't there."""
        return self.settings.get((PARAMETERS, name), "")

    def sectioned(self) -> list[tuple[str, str]]:
        """Each line with the section it stands in, ``renewalparams/webroot_map`` for instance."""
        return _sectioned(self.text)

    def edited(
        self, *, top: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
    ) -> RenewalConf:
        """The same with settings replaced, or added where their section begins."""
        wanted = {("", k): v for k, v in (top or {}).items()}
        wanted |= {(PARAMETERS, k): v for k, v in (parameters or {}).items()}
        lines: list[str] = []
        done: set[tuple[str, str]] = set()
        for section, line in _sectioned(self.text):
            match = _SETTING.match(line)
            key = (section, match[1]) if match is not None else None
            if key in wanted:
                if key not in done:
                    lines.append(f"{key[1]} = {wanted[key]}")
                    done.add(key)
                continue
            lines.append(line)
        for key in [key for key in wanted if key not in done]:
            _insert(lines, key, wanted[key])
        return RenewalConf.parse(self.path, "\n".join(lines) + "\n")

    def with_parameters_of(self, former: RenewalConf) -> RenewalConf:
        """The same, with parameters that ``former`` has and this one lacks, as they are there."""
        lost = {
            match[1]: match[2]
            for section, line in _sectioned(former.text)
            if section == PARAMETERS
            and (match := _SETTING.match(line)) is not None
            and (PARAMETERS, match[1]) not in self.settings
        }
        return self.edited(parameters=lost) if lost else self


def _sectioned(text: str) -> list[tuple[str, str]]:
    """Each line with the top-level section it stands in; a header line stands in its own."""
    section = ""
    found = []
    for line in text.removesuffix("\n").split("\n") if text else ():
        match = _SECTION.match(line) if "[" in line else None
        if match is not None:
            section = match[2] if len(match[1]) == 1 else f"{section}/{match[2]}"
        found.append((section, line))
    return found


def _insert(lines: list[str], key: tuple[str, str], value: str) -> None:
    setting = f"{key[1]} = {value}"
    if key[0] == "":
        lines.insert(0, setting)
        return
    for index, line in enumerate(lines):
        match = _SECTION.match(line)
        if match is not None and len(match[1]) == 1 and match[2] == key[0]:
            lines.insert(index + 1, setting)
            return
    lines += [f"[{key[0]}]", setting]


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
