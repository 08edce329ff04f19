"""danebot publishes TLSA records itself: DNS UPDATE to the real primary, and what may fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo

pytestmark = pytest.mark.lab
FOREIGN = "3 1 1 " + "f0" * 32


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
    settings = (f'key_file = "{key_file(site, **key)}"', 'wait = "10s"', 'timeout = "5s"', *lines)
    site.extra = "\n".join(["[publish]", 'method = "rfc2136"', *settings])


def published(site: Site, owner: str = OWNER) -> set[str]:
    """The RRset at the primary."""
    return site.lab.tlsa_at(site.lab.ns1, owner)


def renewed_until(site: Site, condition: Callable[[], bool]) -> Iterator[str]:
    """Daily runs, a second apart, each of which must succeed; what they say."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)
        yield site.ok("renew")


def test_a_whole_rollover_without_hands(site: Site) -> None:
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, FOREIGN, ttl=1)
    by_update(site)
    site.ok("init", MAIL)
    new = site.next_record()

    said = site.ok("renew")

    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert published(site) == {old, new, FOREIGN}
    assert site.lab.tlsa_at(site.lab.ns2, OWNER) == {old, new, FOREIGN}
    said = "".join(renewed_until(site, lambda: f"3 1 1 {combo(site)}" == new))
    said += "".join(renewed_until(site, lambda: old not in published(site)))
    assert f"removed at ns1.example.test: {OWNER} IN TLSA {old}" in said
    assert published(site) == {new, FOREIGN}
    assert site.status()["publication"]["remove"] == []
