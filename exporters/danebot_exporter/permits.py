"""What who asks for a check may have this process do, beyond what every client may."""

from __future__ import annotations

import enum
from datetime import timedelta
from typing import TYPE_CHECKING

from danebot.domain.addresses import Reach
from danebot.plugin.command_line import UsageError
from danebot.tuples import NamedTuple

if TYPE_CHECKING:
    import argparse

_LONGEST = timedelta(hours=1)


class Right(enum.Flag):
    """Single rights."""

    NONE = 0
    FILES = enum.auto()  # have this process read a file of one's choice
    RESOLVERS = enum.auto()  # choose who is asked in DNS, and who is believed


class Permit(NamedTuple):
    """How far connections go, what else is granted, and how long a check may take."""

    reach: Reach
    rights: Right
    longest: timedelta = _LONGEST

    def check(self, words: argparse.Namespace) -> None:
        """Raise `UsageError` for an option that isn't granted."""
        if words.ca_file is not None and Right.FILES not in self.rights:
            raise UsageError(
                "--ca-file would have the exporter read a file for you, which it does for its own "
                "user and root alone: leave it out, or look here (without --via)"
            )
        if (words.resolver or words.trust_resolver) and Right.RESOLVERS not in self.rights:
            raise UsageError(
                "--resolver and --trust-resolver are not for clients of a URL: "
                "leave them out, or ask over the exporter's socket"
            )
        if words.timeout > self.longest.total_seconds():
            raise UsageError(f"--timeout goes to {self.longest.total_seconds():g} s at a URL")


OWN = Permit(Reach.ANY, Right.FILES | Right.RESOLVERS)
"""This process's own checks, and those of its user and of root, who could do the same."""
LOCAL = Permit(Reach.ANY, Right.RESOLVERS)
"""Another user of this host: who could connect and ask just so, but not read our files."""


def remote(reach: Reach) -> Permit:
    """A client of the URL: public addresses, or what the exporter's ``--probe.targets`` says."""
    return Permit(reach, Right.NONE, timedelta(seconds=120))
