"""One odd file is its own lineage's fault, told with its path; a sample of `prove.odd_files`."""

from __future__ import annotations

import base64
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from adapters import trees
from adapters.trees import NAME
from amounts import amount
from domain import pki
from prove.hunting import memory_directory
from prove.odd_files import OddTree, guarded, search

ARCHIVE, READY = f"archive/{NAME}", f"staging/{NAME}/ready.pem"


def _pem(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def _of_version_6() -> bytes:
    third = b"\xa0\x03\x02\x01\x02"
    assert third in trees.leaf("one", 1).der
    return _pem(trees.leaf("one", 1).der.replace(third, b"\xa0\x03\x02\x01\x05"))


def _of_an_x400_address() -> bytes:
    name = NAME.encode()
    dns = b"\x82" + bytes([len(name)]) + name
    assert dns in trees.leaf("one", 1).der
    return _pem(trees.leaf("one", 1).der.replace(dns, b"\xa3" + dns[1:]))


def _with_an_extension_twice() -> bytes:
    extended = x509.ExtendedKeyUsage([pki.SERVER_AUTH])
    other = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.38"), extended.public_bytes())
    der = pki.issue("x", extra=((extended, False), (other, False))).der
    twice = der.replace(b"\x06\x03\x55\x1d\x26", b"\x06\x03\x55\x1d\x25")
    assert twice != der
    return _pem(twice)


@pytest.mark.parametrize("file", ["cert1.pem", "fullchain1.pem"])
@pytest.mark.parametrize("odd", [_of_version_6, _of_an_x400_address, _with_an_extension_twice])
def test_an_odd_certificate_is_named_and_stops_no_other_lineage(
    tmp_path: Path, odd: object, file: str
) -> None:
    assert callable(odd)
    told = OddTree(tmp_path).look(f"{ARCHIVE}/{file}", odd())
    assert any(one.where == NAME and f"{ARCHIVE}/{file}: " in one.text for one in told)


def test_a_key_from_the_year_3170843_is_told() -> None:
    """A file system on a disk may know years up to 2446 alone; one in memory knows them all."""
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        told = OddTree(Path(directory)).look(READY, trees.key_pem("two"), 10**14)
    (found,) = {one for one in told if "its wait never ends" in one.text}
    assert re.fullmatch(rf"{READY} was changed in \d+ as it says: its wait never ends", found.text)
    assert found.remedy == f"run: touch {READY}"


def test_a_configuration_of_nuls_is_told_with_its_line(tmp_path: Path) -> None:
    told = OddTree(tmp_path).look(f"renewal/{NAME}.conf", b"archive_dir = /x\0\n" + b"\0" * 500)
    assert any(f"renewal/{NAME}.conf: line 1 has a NUL in it" in one.text for one in told)


@pytest.mark.parametrize("end", [datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_certificate_without_an_end_is_one_as_others(tmp_path: Path, end: datetime) -> None:
    """RFC 5280 section 4.1.2.5: that date says that there is none."""
    valid = (datetime(1950, 1, 1, tzinfo=UTC), end)
    issued = pki.issue(None, names=(NAME,), of_key="one", valid=valid)
    tree = OddTree(tmp_path)
    for file in ("cert1.pem", "fullchain1.pem"):
        tree.look(f"{ARCHIVE}/{file}", issued.pem)
    tree.look(f"live/{NAME}/combo.pem", issued.key_pem + issued.pem)


@pytest.mark.timeout(amount(300, 1800))
def test_a_sample_of_mutations_is_told_in_danebots_own_words() -> None:
    """The whole is a command: see `prove.odd_files`."""
    assert search(amount(1000, 30_000), first=2_000_000_000, tree_each=50) == {}


def test_the_time_limit_of_a_test_is_no_fault_of_danebot() -> None:
    with pytest.raises(pytest.fail.Exception):
        list(guarded("chain", lambda: pytest.fail("Timeout")))
