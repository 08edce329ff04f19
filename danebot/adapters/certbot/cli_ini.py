"""The settings that certbot reads of ``cli.ini``, which go over those of every lineage.

By certbot 2.1 and 5.8, whose parser is ``configargparse``: the file of its default directory is
read, whatever ``--config-dir`` says, then that of ``$XDG_CONFIG_HOME``.  The file of the tree is
read here as well: who has one there names it with ``--config``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from danebot.regular import read_regular

DEFAULT_DIRECTORY = Path("/etc/letsencrypt")
_YES = ("true", "yes", "on", "1")  # configargparse's words
_MAX = 1024 * 1024
_LINE = (  # compiled by `re` once there is one
    r"(?:--)?(?P<name>[^:=;#\s]+)\s*"
    r"(?:(?P<sign>[:=\s])\s*(?P<quote>['\"]?)(?P<value>.+?)?(?P=quote))?\s*(?:\s[;#].*)?$"
)
_ALIASES = {"renew-hook": "deploy-hook"}


def settings(
    root: Path,
    environment: Mapping[str, str] = os.environ,
    default: Path = DEFAULT_DIRECTORY,
) -> Mapping[str, str]:
    """The settings by name; of files that can't be read, certbot says what is wrong."""
    found: dict[str, str] = {}
    home = environment.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    directories = dict.fromkeys((default, Path(home, "letsencrypt"), root))
    for path in (directory / "cli.ini" for directory in directories):
        try:
            text = read_regular(path, _MAX).decode()
        except (OSError, UnicodeDecodeError):
            continue
        for line in map(str.strip, text.splitlines()):
            match = re.match(_LINE, line)
            if match is None or line[0] in "#;[" or line.startswith("---"):
                continue
            value = match["value"] or ("" if match["sign"] in (":", "=") else "true")
            found[_ALIASES.get(match["name"], match["name"])] = value
    return found


def enabled(settings: Mapping[str, str], name: str) -> bool:
    """Whether a setting that is a flag is turned on."""
    return settings.get(name, "").lower() in _YES
