"""Aliases in print: what danebot says to add goes where it has an effect, pasted as it stands."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from e2e.far import Far
from e2e.site import MAIL, OWNER

pytestmark = pytest.mark.lab

TARGET = "tlsa.example.test."


@pytest.fixture
def aliased(far: Far) -> Iterator[str]:
    """The owner is an alias of a name with the current record, which is the value."""
    _, old = far.issued_for(MAIL)
    far.lab.update(f"update add {OWNER} 5 CNAME {TARGET}")
    far.lab.tlsa_set(TARGET, old)
    far.ok("init", MAIL)
    yield old
    far.lab.update(f"update delete {OWNER} CNAME")


@pytest.mark.parametrize("verb", ["newkey", "tlsa"])
def test_printed_records_load_with_the_zone(far: Far, aliased: str, verb: str) -> None:
    printed = far.ok("newkey", MAIL)
    if verb == "tlsa":
        printed = far.danebot("tlsa", MAIL).stdout
    zone = far.lab.root / "pasted.zone"
    zone.write_text(
        "$ORIGIN example.test.\n$TTL 5\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\n"
        f"ns1 A 10.53.0.1\n{OWNER} CNAME {TARGET}\n{TARGET} TLSA {aliased}\n{printed}"
    )
    done = subprocess.run(
        ["named-checkzone", "-D", "example.test", zone],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    records = [line for line in done.stdout.splitlines() if " TLSA" in line and line[0] != ";"]
    assert len(records) == 2
    assert all(line.startswith(TARGET) for line in records)
    assert f"{OWNER.rstrip('.')}" in printed  # what it is for, in a comment


@pytest.mark.parametrize("verb", ["newkey", "tlsa"])
def test_printed_updates_are_not_ignored(far: Far, aliased: str, verb: str) -> None:
    """BIND says NOERROR to data beside a CNAME, and does nothing."""
    if verb == "tlsa":
        far.ok("newkey", MAIL)
    printed = far.danebot(verb, MAIL, "--format", "nsupdate").stdout
    key = far.lab.tsig_file.read_text(encoding="ascii").strip().split(":", 2)
    done = subprocess.run(
        ["nsupdate", "-y", f"{key[0]}:{key[1].rstrip('.')}:{key[2]}"],
        input=f"server {far.lab.ns1}\n{printed}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = far.lab.tlsa_at(far.lab.ns1, TARGET)
    assert aliased in found
    assert len(found) == 2
