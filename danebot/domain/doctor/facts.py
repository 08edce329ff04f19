"""What was seen of a host, as values; None always means that it couldn't be told."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta

from danebot.domain.text import quoted
from danebot.tuples import NamedTuple

_X_GROUP, _X_OTHERS = 0o010, 0o001


class Asked(NamedTuple):
    """One name server of the resolver's settings, and its answer for the root's SOA record.

    ``trouble`` is what it does instead of answering, printable, "" if it answers; ``authentic`` is
    its AD bit, ``signed`` whether RRSIG records came along.  ``trusted`` is the operator's word for
    it and for the path to it; ``loopback`` and ``public`` are about its address.
    """

    name: str
    loopback: bool
    public: bool
    trusted: bool
    trouble: str = ""
    authentic: bool = False
    signed: bool = False


class ClockState(NamedTuple):
    """``ahead`` is by how much the clock is ahead of the CA's; whether something keeps it right."""

    synchronised: bool | None
    ahead: timedelta | None = None


class Directory(NamedTuple):
    """A CA's directory: its URL, and why it can't be reached, "" if it was."""

    url: str
    trouble: str = ""


class Account(NamedTuple):
    """The account that a lineage is renewed with: certbot's directory for it."""

    lineage: str
    path: str
    there: bool | None


class Job(NamedTuple):
    """What runs ``danebot renew``: the timer's or file's name, and the program, there or not.

    ``certain`` where nothing but its own failure keeps it from running daily, as root, with the
    settings and on the tree that are looked at.
    """

    place: str
    program: str
    runs: bool
    certain: bool = False


class Rival(NamedTuple):
    """What runs ``certbot renew`` beside danebot, and what ends it.

    ``stop`` is the command that does, () for a line of ``place`` that is to be taken out.
    """

    place: str
    stop: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.stop:
            return f"{self.place} is enabled: {quoted(*self.stop)}"
        return f"{self.place} runs certbot renew: take that line out"


class LastRun(NamedTuple):
    """The end of the last ``danebot renew`` and its exit status."""

    ended: datetime
    exit_status: int


class Role(enum.Enum):
    """What a file or directory is to danebot, and so who may do what with it."""

    KEY = "a private key"
    SECRET = "a secret"  # noqa: S105 - it is the word
    HOOK = "a hook"
    SETTINGS = "settings"
    TREE = "a directory of certbot's"
    STATE = "what danebot remembers"
    PROGRAM = "what root runs daily"

    @property
    def read_by_owner_alone(self) -> bool:
        """Whether others may not even read it."""
        return self in (Role.KEY, Role.SECRET)


class FileStat(NamedTuple):
    """A file or directory that is there: its owner's and group's ids, and permission bits."""

    path: str
    role: Role
    owner: int
    mode: int
    group: int = 0


class ComboGroup(NamedTuple):
    """A group that is to read ``combo.pem``: its name, and its id where the host has it."""

    name: str
    id: int | None = None

    def barred(self, doors: Iterable[FileStat]) -> tuple[FileStat, ...]:
        """Those directories that their modes don't let its members pass."""
        bits = ((one, _X_GROUP if one.group == self.id else _X_OTHERS) for one in doors)
        return tuple(one for one, bit in bits if not one.mode & bit)

    def ways(self, barred: Iterable[FileStat]) -> tuple[tuple[str, ...], ...]:
        """The commands that let it through directories; another group's stay that group's."""
        every = tuple(barred)
        mine = tuple(one.path for one in every if one.group in (0, self.id))
        others = tuple(one.path for one in every if one.path not in mine)
        taken = (("chgrp", self.name, *mine), ("chmod", "g+x", *mine)) if mine else ()
        return (*taken, *((("setfacl", "-m", f"g:{self.name}:x", *others),) if others else ()))


class UnusableProgram(NamedTuple):
    """A hook or program that can't be run, and why; ``remedy`` None for the kind's own."""

    path: str
    why: str
    remedy: str | None = None


class Space(NamedTuple):
    """What is left of a disk, in octets and inodes (None where it has no such number)."""

    path: str
    free: int
    inodes: int | None
    read_only: bool


class FileReference(NamedTuple):
    """A service that reads one of certbot's files of a lineage, and where it says so."""

    lineage: str
    service: str
    place: str
    file: str
    combo: str


class Whose(enum.Enum):
    """Whose records are at an owner that isn't watched."""

    OWN = "of the lineage's key"
    REFUSING = "of another key, where the lineage's service is"
    UNTOLD = "of a key that nobody knows"


class Unwatched(NamedTuple):
    """Owners with records that a lineage doesn't watch."""

    lineage: str
    owners: str
    first: str
    whose: Whose


class Refused(NamedTuple):
    """What a publisher said when it was tried out: in words, with what helps."""

    lineage: str
    text: str
    remedy: str


class Unreached(NamedTuple):
    """A service that was asked what it serves: unreachable, or with another certificate."""

    lineage: str
    place: str
    trouble: str


class Unlooked(NamedTuple):
    """Something that couldn't be looked at, and why; with a remedy where "as root" is none."""

    what: str
    why: str
    where: str = ""
    remedy: str | None = None


NO_SCHEDULER = "neither systemd nor cron is here"
CRON = ("apt", "install", "cron")
"""The command by which there is one."""


class HostFacts(NamedTuple):
    """All that `danebot doctor` sees of a host itself.

    ``me`` is the id of the user who looks.  ``no_tree`` is why there is no tree of certbot's, "" if
    there is.  ``certbot`` is why certbot can't be used, "" if it can.
    ``jobs`` are those that run danebot; ``last_run`` is None if it never ran, or if that isn't told
    (``run_told``).  ``trust_store`` is why the one of the settings can't be read, "" if it can.
    ``versions`` are by name, printable.  ``scheduler`` says whether systemd or a cron is here.
    ``versions`` are by name, printable.  ``combo_group`` is that of the settings, ``doors`` are the
    directories above ``combo.pem`` of the lineages under care, but for those with access lists.
    """

    me: int = 0
    asked: tuple[Asked, ...] = ()
    clock: ClockState = ClockState(None)
    directories: tuple[Directory, ...] = ()
    certbot: str = ""
    accounts: tuple[Account, ...] = ()
    jobs: tuple[Job, ...] = ()
    last_run: LastRun | None = None
    run_told: bool = True
    no_tree: str = ""
    lineages: int | None = None
    managed: int | None = None
    entries: tuple[FileStat, ...] = ()
    unusable: tuple[UnusableProgram, ...] = ()
    trust_store: str = ""
    spaces: tuple[Space, ...] = ()
    references: tuple[FileReference, ...] = ()
    unwatched: tuple[Unwatched, ...] = ()
    refused: tuple[Refused, ...] = ()
    unreached: tuple[Unreached, ...] = ()
    unlooked: tuple[Unlooked, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    openssl: tuple[int, int] | None = None
    scheduler: bool = True
    combo_group: ComboGroup | None = None
    doors: tuple[FileStat, ...] = ()


def comma_separated(items: Iterable[str]) -> str:
    """Items in words, each once."""
    return ", ".join(dict.fromkeys(items))
