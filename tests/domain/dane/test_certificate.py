"""Foreign certificates, odd ones included."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from danebot.domain.dane import certificate as presented
from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome
from danebot.domain.dane.verify import verify_chain
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord, Unusable, association
from danebot.domain.names import Hostname
from domain import oracle, pki
from domain.dane_world import MX, world
from domain.pki import NOW

if TYPE_CHECKING:
    from pathlib import Path

REFERENCES = References(Hostname.parse(MX))


def made_by_openssl(folder: Path, key_steps: list[str]) -> tuple[bytes, bytes]:
    """A self-signed certificate and its public key, both DER, from the openssl command."""
    steps = (
        *key_steps,
        f"openssl req -x509 -new -key key.pem -subj /CN={MX} -days 9 -outform DER -out leaf.der",
        "openssl x509 -inform DER -in leaf.der -noout -pubkey -out key.pub",
        "openssl asn1parse -in key.pub -noout -out key.der",
    )
    for step in steps:
        subprocess.run(step.split(), cwd=folder, check=True, capture_output=True)
    return (folder / "leaf.der").read_bytes(), (folder / "key.der").read_bytes()


def key_record(spki: bytes) -> TlsaRecord:
    return TlsaRecord(3, 1, 1, association(spki, MatchingType.SHA2_256))


def test_the_key_is_taken_as_it_stands() -> None:
    for one in world().values():
        certificate = presented.read(one.der)
        assert certificate is not None
        assert certificate.spki == one.spki


@pytest.mark.parametrize(
    "key_steps",
    [
        pytest.param(
            ["openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out key.pem"],
            id="RSASSA-PSS key",
        ),
        pytest.param(
            [
                "openssl ecparam -name prime256v1 -genkey -noout -out plain.pem",
                "openssl ec -in plain.pem -conv_form compressed -out key.pem",
            ],
            id="compressed point",
        ),
    ],
)
def test_keys_that_may_change_when_encoded_again_match_as_with_openssl(
    key_steps: list[str], tmp_path: Path
) -> None:
    leaf, spki = made_by_openssl(tmp_path, key_steps)
    certificate = presented.read(leaf)
    assert certificate is not None
    assert certificate.spki == spki
    record = key_record(spki)
    assert oracle.decide([record], [leaf], [MX], NOW).authenticated
    assert verify_chain([record], [leaf], REFERENCES, NOW).outcome is Outcome.AUTHENTICATED


def bent(old: str, new: str) -> bytes:
    """A leaf with some octets replaced; its serial number was 1."""
    der = pki.issue(MX, names=[MX], serial=1).der
    assert der.count(bytes.fromhex(old)) == 1
    return der.replace(bytes.fromhex(old), bytes.fromhex(new))


def test_a_serial_number_of_zero_is_no_matter() -> None:
    leaf = bent("a003020102020101", "a003020102020100")
    certificate = presented.read(leaf)
    assert certificate is not None
    assert certificate.facts is not None
    assert certificate.facts.serial == 0


def test_dane_ee_matches_what_only_openssl_can_read() -> None:
    leaf = bent("a003020102020101", "a003020155020101")  # version 86
    certificate = presented.read(leaf)
    assert certificate is not None
    assert certificate.parsed is None
    record = key_record(certificate.spki)
    assert oracle.decide([record], [leaf], [MX], NOW).authenticated
    verdict = verify_chain([record], [leaf], REFERENCES, NOW)
    assert verdict.outcome is Outcome.AUTHENTICATED
    assert [one.code for one in verdict.cautions] == [CautionCode.UNREADABLE_CERTIFICATE]


def element(tag: int, *contents: bytes) -> bytes:
    inside = b"".join(contents)
    return bytes([tag, len(inside)]) + inside


def skeleton(*fields: bytes, tag: int = 0x30, signature: bytes = b"\x03\x00") -> bytes:
    """A certificate of little more than tags and lengths."""
    return element(tag, element(0x30, *fields), element(0x30), signature)


VERSION = element(0xA0, b"\x02\x01\x02")
FIELDS = (b"\x02\x01\x07", *(element(0x30, bytes([one])) for one in range(4)))
SPKI = element(0x30, b"key")


@pytest.mark.parametrize(
    ("der", "readable"),
    [
        pytest.param(skeleton(VERSION, *FIELDS, SPKI, element(0xA3)), True, id="version 3"),
        pytest.param(skeleton(*FIELDS, SPKI), True, id="version 1: the key is the last field"),
        pytest.param(skeleton(*FIELDS, SPKI, tag=0x31), False, id="a SET"),
        pytest.param(skeleton(*FIELDS, b"\x31" + SPKI[1:]), False, id="the key in a SET"),
        pytest.param(skeleton(VERSION, *FIELDS), False, id="no key before the signature"),
        pytest.param(skeleton(*FIELDS), False, id="no key in version 1"),
        pytest.param(b"\x30\x80" + skeleton(*FIELDS, SPKI)[2:], False, id="indefinite length"),
    ],
)
def test_the_key_is_found_by_the_place_of_its_field(der: bytes, *, readable: bool) -> None:
    """RFC 5280 section 4.1, and DER alone."""
    found = presented.read(der)
    assert (found.spki if found is not None else None) == (SPKI if readable else None)


def test_a_full_record_of_a_certificate_without_a_readable_key_is_unusable() -> None:
    record = TlsaRecord(3, 0, 0, skeleton(VERSION, *FIELDS, SPKI))
    verdict = verify_chain([record], [world()["leaf"].der], REFERENCES, NOW)
    assert [one.reason for one in verdict.records] == [Unusable.MALFORMED_DATA]


def test_certificates_are_equal_by_their_octets() -> None:
    one, other = presented.read(world()["leaf"].der), presented.read(world()["root"].der)
    assert one is not None
    same = replace(one, facts=None)
    assert one == same != other
    assert {one, same, other} == {one, other}
    assert one != world()["leaf"]  # what has the same ``der``, but is no certificate as read


@pytest.mark.parametrize("extra", [b"", b"\x00", b"\x05\x00"])
def test_only_one_whole_certificate_is_read(extra: bytes) -> None:
    leaf = world()["leaf"].der
    assert (presented.read(leaf + extra) is not None) == (extra == b"")


def test_a_bare_pkcs1_key_is_no_subject_public_key_info() -> None:
    spki = world()["leaf-rsa"].spki
    pkcs1 = spki[24:]
    assert presented.read_public_key(spki) is not None
    assert pkcs1.startswith(b"\x30\x82")
    assert presented.read_public_key(pkcs1) is None


def test_a_megabyte_of_certificate_is_read() -> None:
    names = [f"host{number}.example.com" for number in range(40_000)]
    large = pki.issue(MX, names=[MX, *names], of_key="large")
    assert len(large.der) > 900_000
    record = key_record(large.spki)
    verdict = verify_chain([record], [large.der], REFERENCES, NOW)
    assert verdict.outcome is Outcome.AUTHENTICATED
    assert verdict.names == (REFERENCES.base,)
