"""danebot that publishes: its settings on the lab, and what is there afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from e2e.site import OWNER, Site
from e2e.steps import memory

FOREIGN = "3 1 1 " + "f0" * 32
"""Somebody else's, in the same RRset."""


def key_file(site: Site, name: str = "", secret: str = "") -> Path:
    """A TSIG key as BIND writes it; the lab's own unless told otherwise."""
    path = site.tree.parent / "tsig.key"
    path.touch(0o600)
    path.write_text(
        f'key "{name or site.lab.tsig_name}" {{\n\talgorithm {site.lab.tsig_algorithm};\n'
        f'\tsecret "{secret or site.lab.tsig_secret}";\n}};\n'
    )
    return path


def by_update(site: Site, *lines: str, **key: str) -> None:
    """Have danebot publish by DNS UPDATE."""
    site.extra = table("rfc2136", f'key_file = "{key_file(site, **key)}"', *lines)


def table(method: str, *lines: str) -> str:
    """The settings of publication; later lines go over earlier ones."""
    usual = (f'method = "{method}"', 'wait = "20s"', 'timeout = "30s"')
    settings = dict(line.split(" = ", 1) for line in (*usual, *lines))
    return "\n".join(["[publish]", *(f"{name} = {value}" for name, value in settings.items())])


def published(site: Site, owner: str = OWNER) -> set[str]:
    """The RRset at the primary."""
    return site.lab.tlsa_at(site.lab.ns1, owner)


def renewed_until(site: Site, condition: Callable[[], bool]) -> Iterator[str]:
    """Daily runs, a second apart, each of which must succeed; what they say."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)
        yield site.ok("renew")


def seen_everywhere(site: Site) -> bool:
    """Whether the next key became the ready key, or went live already."""
    return not (site.staging / "nextkey.pem").exists()


def later(site: Site) -> None:
    """Let the time come at which it is tried again, as if hours had passed."""
    document = memory(site)
    shift(document["publishing"]["failure"], "first", "last", "retry_at")
    (site.staging / "rollover.json").write_text(json.dumps(document))


def shift(part: dict[str, Any], *fields: str) -> None:
    for name in fields:
        moment = datetime.fromisoformat(part[name]) - timedelta(days=2)
        part[name] = moment.astimezone(UTC).isoformat()
