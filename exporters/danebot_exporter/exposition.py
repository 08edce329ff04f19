"""The text format 0.0.4, written sample by sample.

The client library renders objects that somebody has built before; at ten thousand lineages building
them costs more than all the rest.  Here a sample goes straight into the text of its family.
Nothing foreign can break the text: label values are made printable, then escaped, and a series
that is there already is left out (Prometheus refuses a scrape with one series twice).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime

from danebot.domain.names import printable
from danebot_exporter.metrics import TABLE, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LONGEST = 200
_SERIES = {
    name: name + "{" + ",".join(f'{one}="%s"' for one in metric.labels) + "}"
    for name, metric in TABLE.items()
}
_SUBJECTS = 500  # whose samples make a piece of each family


def label(value: str) -> str:
    """A label value, safe between quotes; foreign text longer than 200 characters is cut."""
    if len(value) > _LONGEST or not value.isprintable():
        value = printable(value, _LONGEST)
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return value


class Exposition:
    """Samples, grouped by family as the format demands.

    ``subject`` begins the samples of one lineage or endpoint; series are told apart within it, so
    a subject comes once.
    """

    def __init__(self) -> None:
        self._families: dict[str, io.StringIO] = {}
        self._finished: dict[str, list[bytes]] = {}
        self._series: set[str] = set()
        self._subjects = 0

    def subject(self) -> None:
        """Begin another subject."""
        self._series.clear()
        self._subjects += 1
        if self._subjects % _SUBJECTS == 0:
            self._flush()

    def _flush(self) -> None:
        """Put what there is into pieces that are never moved again: memory is short."""
        for name, family in self._families.items():
            self._finished.setdefault(name, []).append(family.getvalue().encode())
        self._families.clear()

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a sample; ``labels`` in the order of the table."""
        series = metric.name
        if labels:
            series = _SERIES[series] % tuple(map(label, labels))
        if series in self._series:
            return
        self._series.add(series)
        family = self._families.get(metric.name)
        if family is None:
            family = self._families[metric.name] = io.StringIO()
        family.write(f"{series} {value}\n")

    def at(self, metric: Metric, moment: datetime | None, *labels: str) -> None:
        """Add a time, unless it is None."""
        if moment is not None:
            self.add(metric, moment.timestamp(), *labels)

    def states(self, metric: Metric, state: str, states: Iterable[str], *labels: str) -> None:
        """Add a state set: 1 for ``state``, 0 for the others."""
        for one in states:
            self.add(metric, int(one == state), *labels, one)

    def parts(self) -> tuple[bytes, ...]:
        """The exposition in UTF-8, families in the order of the table; empties this object."""
        self._flush()
        out: list[bytes] = []
        for name, metric in TABLE.items():
            pieces = self._finished.pop(name, None)
            if pieces is not None:
                words = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
                out.append(f"# HELP {name} {words}\n# TYPE {name} {metric.kind.value}\n".encode())
                out += pieces
        return tuple(out)

    def text(self) -> bytes:
        """`parts` in one."""
        return b"".join(self.parts())
