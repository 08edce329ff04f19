"""One finding, one scale: what is wrong or worth knowing, how much it matters, what to do.

A finding is made once, in the domain; command line, plugins, exporter and page only render it.
What kinds there are stands in `danebot.domain.codes` and `danebot.domain.delivery.codes`.

check_danebot imports this room every minute, so it costs next to nothing to enter.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from danebot.domain.codes import Code as Code  # noqa: PLC0414 - who makes findings wants both
from danebot.domain.kinds import FindingKind
from danebot.domain.text import quoted
from danebot.tuples import NamedTuple


class Severity(enum.IntEnum):
    """How much a finding matters, in rising order.

    What can't be judged never hides what is known to be wrong, so it stands below that.
    """

    INFO = 0  # the normal course of things, waiting included
    NOTICE = 1  # worth knowing; nothing stops or fails
    UNJUDGED = 2  # can't be told from here
    WARNING = 3  # something stops, or will; fails for a few
    CRITICAL = 4  # mail fails, or is about to

    @property
    def word(self) -> str:
        """The severity in lower case, as documents and labels have it."""
        return self.name.lower()


RUN_SEVERITIES = (Severity.INFO, Severity.NOTICE, Severity.WARNING, Severity.CRITICAL)
"""What the status document may tell: what a run couldn't see is a finding with one of these."""
DELIVERY_SEVERITIES = (Severity.NOTICE, Severity.UNJUDGED, Severity.WARNING, Severity.CRITICAL)
"""What the view from outside may tell."""
_BY_WORD = {severity.word: severity for severity in Severity}


def severity_of(word: str) -> Severity:
    """Return the severity that a document names; CRITICAL for a word of a later version."""
    return _BY_WORD.get(word, Severity.CRITICAL)


class Finding(NamedTuple):
    """What was found, ``where``, in words; all of it is printable.

    ``where`` is the lineage, domain, host or address, "" for what concerns the whole run.
    ``own_remedy`` stands in for the code's, "" where there is nothing to do.  ``said`` are the
    words of a program: they may hold a secret, so they are printed and never published.
    """

    code: FindingKind
    severity: Severity
    where: str
    text: str
    own_remedy: str | None = None
    said: str = ""

    @property
    def remedy(self) -> str:
        """What to do, "" if nothing."""
        if self.own_remedy is not None:
            return self.own_remedy
        usual = self.code.remedy
        return usual.replace("LINEAGE", quoted(self.where)) if self.where else usual

    @property
    def sentence(self) -> str:
        """What is, without what to do."""
        return f"{self.where}: {self.text}" if self.where else self.text

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        said = f": {self.said}" if self.said else ""
        return f"{self.sentence}{said}{remedy}"


def most_serious_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings by severity, and otherwise in their order."""
    return tuple(sorted(findings, key=lambda finding: -finding.severity))
