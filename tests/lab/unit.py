"""A service unit's restrictions without systemd: the same mounts and environment for a command.

systemd.exec(5) says what each setting does.  One that isn't known here is an error, so that nobody
restricts a unit further without saying what that comes to.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.net import LabError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HOMES = ("/home", "/root", "/run/user")
_HARMLESS = ("Type", "ExecStart", "StateDirectory", "KillMode")  # nothing is hidden by these
_MASKS = {"PrivateTmp": ("/tmp", "/var/tmp"), "ProtectHome": _HOMES}  # noqa: S108 - as systemd


def settings(unit: str, section: str = "Service") -> dict[str, list[str]]:
    """The settings of a unit's section, each with its values in their order."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in unit.replace("\\\n", " ").splitlines():
        if line.startswith("["):
            current = line.strip("[] ")
        elif "=" in line and not line.startswith(("#", ";")) and current == section:
            name, value = line.split("=", 1)
            found.setdefault(name.strip(), []).append(value.strip())
    return found


def command(unit: str, **specifiers: str) -> list[str]:
    """The argument vector of ``ExecStart``, with what ``%i`` and the like stand for."""
    (line,) = settings(unit)["ExecStart"]
    for letter, value in specifiers.items():
        line = line.replace(f"%{letter}", value)
    return shlex.split(line.replace("%%", "%").replace("$$", "$"))


def confined(unit: str, argv: Sequence[str | Path], kept: Iterable[str | Path]) -> list[str | Path]:
    """``argv`` as the unit would have it run, in mounts of its own; needs root.

    ``kept`` are directories that a test itself lives in: they stay, whatever is hidden around them.
    """
    masked: list[str] = []
    variables = [f"PATH={_PATH}", "LANG=C.UTF-8"]
    for name, values in settings(unit).items():
        if name == "Environment":
            variables += [word for value in values for word in shlex.split(value)]
        elif name in _MASKS and values[-1] in ("true", "yes"):
            masked += _MASKS[name]
        elif name not in _HARMLESS and values[-1] not in ("false", "no"):
            raise LabError(f"{name}={values[-1]}: say in {__name__} what that comes to")
    aside = [(f"/mnt/{number}", shlex.quote(str(one))) for number, one in enumerate(kept)]
    lines = ["set -e", "mount -t tmpfs none /mnt"]
    lines += [f"mkdir {place}; mount --rbind {one} {place}" for place, one in aside]
    lines += [f"[ ! -d {one} ] || mount -t tmpfs -o mode=1777 none {one}" for one in masked]
    lines += [f"mkdir -p {one}; mount --rbind {place} {one}" for place, one in aside]
    lines += [f"[ ! -d {one} ] || mount -o remount,ro {one}" for one in masked if one in _HOMES]
    lines += [f'cd /; exec env -i {shlex.join(variables)} "$@"']
    return ["unshare", "-m", "/bin/sh", "-c", "\n".join(lines), "sh", *argv]
