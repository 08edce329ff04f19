"""Where the parts of a lineage lie in a certbot tree, and what names and links there say."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path

from danebot.adapters.presence import ABSENT, is_directory, is_same, unreadable
from danebot.adapters.replacing import TEMP_PREFIX
from danebot.errors import UnreadableError
from danebot.tuples import NamedTuple

KINDS = ("privkey", "cert", "chain", "fullchain")
NEXT, READY, COMBO = "nextkey.pem", "ready.pem", "combo.pem"
DANE_EE, DNSNAMES, MEMORY = "dane-ee", "dnsnames", "rollover.json"
CONF_KEPT = "renewal.conf.kept"
UNKNOWN_PREFIX, CANCELLED_PREFIX, GIVEN_UP_PREFIX = "unknown-", "cancelled-", "given-up-"
UNREADABLE_PREFIX = f"{UNKNOWN_PREFIX}unreadable"
_VERSIONED = re.compile(r"(privkey|cert|chain|fullchain)(\d+)\.pem\Z")
_STRAY = re.compile(rf"{re.escape(TEMP_PREFIX)}|previous_|(combo|nextkey)\.pem\.")


class LineagePaths(NamedTuple):
    """Where the parts of one lineage lie.  ``archive`` follows the renewal configuration.

    ``staging`` is what certbot takes for live, ``live`` what services read, ``conf`` the renewal
    configuration that certbot reads.
    """

    name: str
    root: Path
    archive: Path
    staging: Path
    live: Path
    conf: Path

    @classmethod
    def of(cls, name: str, root: Path, archive: Path) -> LineagePaths:
        """Those of a lineage of the tree at ``root``."""
        staging, live = root / f"staging/{name}", root / f"live/{name}"
        return cls(name, root, archive, staging, live, root / f"renewal/{name}.conf")

    @property
    def unfinished(self) -> str:
        """What certbot writes before it becomes ``conf``: there only when certbot was cut off."""
        return f"{self.conf}.new"

    @property
    def own(self) -> Path:
        """Where ``dane-ee`` and ``dnsnames`` are: staging, or live for a passed-through one."""
        return self.staging if self.staged else self.live

    @property
    def staged(self) -> bool:
        """Whether danebot decides what this lineage's live serves; raises `UnreadableError`."""
        return is_directory(self.staging)

    def archived(self, kind: str, version: int) -> Path:
        """One file of one version."""
        return self.archive / f"{kind}{version}.pem"

    def link_target(self, directory: Path, kind: str, version: int) -> str:
        """The target that a link in ``directory`` ought to have."""
        return f"{self.archive_from(directory)}/{kind}{version}.pem"

    def archive_from(self, directory: Path | str) -> str:
        """How links in ``directory``, of staging or live, lead to the archive.

        That is by certbot's own ``../../archive/NAME`` where that leads there, and by the absolute
        path otherwise.  The kernel follows what is a link on the way, certbot takes the text apart
        ("..": one name less): no other path that goes up is the same for both.  Raises
        `UnreadableError`.
        """
        usual = f"../../archive/{self.name}"
        return usual if is_same(f"{directory}/{usual}", self.archive) else str(self.archive)


def has_strays(names: Iterable[str]) -> bool:
    """Whether an interrupted run of danebot, certbot or the shell program left any of these."""
    return any(map(_STRAY.match, names))


def link_target(link: Path | str) -> str:
    """Where a symbolic link leads; "" if it is none; raises `UnreadableError`."""
    try:
        return os.readlink(link)
    except ABSENT:
        return ""
    except OSError as exc:
        if exc.errno == errno.EINVAL:  # something else lies there
            return ""
        raise unreadable(link, exc) from exc


def link_version(link: Path | str) -> int | None:
    """The archive version that a link's target names; None if it isn't such a link."""
    kind = str(link).rpartition("/")[2].removeprefix("previous_").removesuffix(".pem")
    return _version_named(link_target(link), kind)


def _version_named(target: str, kind: str) -> int | None:
    match = _VERSIONED.match(target.rpartition("/")[2])
    return int(match[2]) if match is not None and match[1] == kind else None


def sound_links(paths: LineagePaths, directory: Path) -> int | None:
    """The version that all four links name by their proper targets, in the archive itself."""
    own = str(directory)
    targets = [link_target(f"{own}/{kind}.pem") for kind in KINDS]
    version = _version_named(targets[0], KINDS[0])
    base = paths.archive_from(own)
    return version if targets == [f"{base}/{kind}{version}.pem" for kind in KINDS] else None


def archive_versions(paths: LineagePaths) -> dict[int, frozenset[str]]:
    """The versions that have any file in the archive, with the kinds that are there."""
    try:
        names = os.listdir(paths.archive)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise UnreadableError(
            f"cannot list {paths.archive}: {exc.strerror}; run danebot as root"
        ) from exc
    return versions_of(names)


def versions_of(names: Iterable[str]) -> dict[int, frozenset[str]]:
    """The same of the names in an archive."""
    found: dict[int, set[str]] = {}
    for name in names:
        match = _VERSIONED.match(name)
        if match is not None:
            found.setdefault(int(match[2]), set()).add(match[1])
    return {version: frozenset(kinds) for version, kinds in found.items()}
