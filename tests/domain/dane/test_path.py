"""Faults of paths, one at a time: what a path to an anchor is judged by."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec

from danebot.domain.dane.certificate import (
    Certificate,
    IssuingRight,
    KeyIdentifiers,
    SignatureCheck,
    canonical,
    check_signature,
    may_have_signed,
    read,
    read_public_key,
)
from danebot.domain.dane.path import (
    Anchor,
    CertificationPath,
    Fault,
    Flaw,
    build,
    build_trusted,
    climbed,
    issued,
    judge_path,
    keeps_issuers,
    shortest_path,
)
from danebot.domain.dane.references import References
from danebot.domain.names import Hostname
from domain import pki
from domain.dane_world import MX, constraint, odd_signature_leaf
from domain.pki import CLIENT_AUTH, DAY, NOW, SERVER_AUTH, Issued, issue, key_usage

REFERENCES = References(Hostname(MX))
ROOT = issue("Path Root", ca=True)
INTER = issue("Path Inter", ROOT, ca=True)
LEAF = issue(MX, INTER, names=[MX])


def certificate(one: Issued) -> Certificate:
    found = read(one.der)
    assert found is not None
    assert found.facts is not None
    return found


def changed(one: Issued, **facts: Any) -> Certificate:  # noqa: ANN401 - any fact
    """A certificate of which something else is said."""
    found = certificate(one)
    assert found.facts is not None
    return replace(found, der=b"changed" + found.der, facts=replace(found.facts, **facts))


def judged(*path: Certificate | Issued, anchor: Anchor = Anchor.CERTIFICATE) -> list[str]:
    certificates = tuple(certificate(one) if isinstance(one, Issued) else one for one in path)
    flaws = judge_path(CertificationPath(certificates, anchor), REFERENCES, NOW)
    return [f"{flaw.depth} {flaw.fault.name}" for flaw in flaws]


def test_a_sound_path() -> None:
    assert judged(LEAF, INTER, ROOT) == judged(LEAF, INTER) == []
    assert judged(LEAF, anchor=Anchor.BARE_KEY) == []
    assert str(Flaw(Fault.EXPIRED, 0)) == "leaf: expired"
    assert str(Flaw(Fault.EXPIRED, 2)) == "certificate at depth 2: expired"


@pytest.mark.parametrize(
    ("facts", "of_leaf", "of_inter", "of_top"),
    [
        ({"not_before": NOW + DAY}, "NOT_YET_VALID", "NOT_YET_VALID", ""),
        ({"not_after": NOW}, "EXPIRED", "EXPIRED", ""),
        ({"not_before": NOW}, "", "", ""),
        ({"server_auth": False}, "PURPOSE", "PURPOSE", "PURPOSE"),
        ({"server_auth": True}, "", "", ""),
        ({"signs_tls": False}, "KEY_USAGE", "", ""),
        ({"signs_certificates": False}, "", "KEY_USAGE", "KEY_USAGE"),
        ({"unhandled_critical": True}, *("CRITICAL_EXTENSION",) * 3),
        ({"authority": IssuingRight.NONE}, "", "NOT_A_CA", "NOT_A_CA"),
        ({"authority": IssuingRight.LEGACY}, "", "NOT_A_CA", ""),
        (
            {"authority": IssuingRight.NONE, "signs_certificates": False},
            "",
            "KEY_USAGE",
            "KEY_USAGE",
        ),
        ({"path_length": 0}, "", "", "PATH_LENGTH"),
        ({"path_length": 1}, "", "", ""),
        ({"dns_names": ("other.example",)}, "NAME_MISMATCH", "", ""),
    ],
)
def test_one_fault_at_each_depth(
    facts: dict[str, Any], of_leaf: str, of_inter: str, of_top: str
) -> None:
    """At the leaf, between, and at an anchor that isn't self-signed: its times don't count."""
    between = issue("Path Between", INTER, ca=True)
    leaf = issue(MX, between, names=[MX])
    for depth, fault in ((0, of_leaf), (1, of_inter), (2, of_top)):
        path = [certificate(leaf), certificate(between), certificate(INTER)]
        path[depth] = changed((leaf, between, INTER)[depth], **facts)
        assert judged(*path) == ([f"{depth} {fault}"] if fault else [])


def test_the_times_of_a_self_signed_anchor_count() -> None:
    assert judged(LEAF, INTER, changed(ROOT, not_after=NOW)) == ["2 EXPIRED"]
    assert judged(LEAF, changed(INTER, not_after=NOW), anchor=Anchor.BARE_KEY) == ["1 EXPIRED"]


def test_self_issued_certificates_take_no_room_in_a_path() -> None:
    subject = certificate(INTER).facts
    assert subject is not None
    again = changed(INTER, issuer=subject.subject)
    top = changed(ROOT, path_length=0)
    assert [one for one in judged(LEAF, again, top) if "PATH_LENGTH" in one] == []
    assert "2 PATH_LENGTH" in judged(LEAF, INTER, top)


def test_every_fault_is_told_the_leafs_first() -> None:
    bad = changed(LEAF, not_after=NOW, server_auth=False, dns_names=("x.example",))
    other = changed(INTER, unhandled_critical=True, signs_certificates=False)
    assert judged(bad, other, ROOT) == [
        "0 EXPIRED",
        "0 PURPOSE",
        "0 NAME_MISMATCH",
        "1 KEY_USAGE",
        "1 CRITICAL_EXTENSION",
    ]
    unread = replace(certificate(INTER), facts=None)
    assert judged(LEAF, unread, ROOT) == ["1 UNREADABLE"]


def test_signatures_below_the_anchor_are_checked() -> None:
    forged = issue(MX, INTER, names=[MX], signed_with=pki.key("forger"))
    assert judged(forged, INTER) == ["0 BAD_SIGNATURE"]
    keyless = replace(certificate(INTER), parsed=None)
    assert judged(LEAF, keyless) == ["0 UNSUPPORTED_SIGNATURE"]


# ---- name constraints ----------------------------------------------------------------------------

ADDRESS = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
IN, OUT = ipaddress.ip_network("192.0.2.0/24"), ipaddress.ip_network("198.51.100.0/24")


def directory(organisation: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name(pki.name(None, organisation)))


@pytest.mark.parametrize(
    ("bounds", "facts", "violated"),
    [
        (constraint("example.com"), {}, False),
        (constraint("EXAMPLE.com"), {}, False),
        (constraint(MX), {}, False),
        (constraint(""), {}, False),
        (constraint(".example.com"), {}, False),
        (constraint("ample.com"), {}, True),
        (constraint("example.org"), {}, True),
        (constraint(None, "example.com"), {}, True),
        (constraint(None, "example.org"), {}, False),
        (constraint("example.com", MX), {}, True),
        (constraint("example.org"), {"dns_names": ("b\u00fccher.example.com", MX)}, True),
        (constraint("example.com"), {"dns_names": (MX, "x.example.org")}, True),
        (x509.NameConstraints([x509.IPAddress(IN)], None), {}, False),
        (x509.NameConstraints([x509.IPAddress(IN)], None), {"other_names": (ADDRESS,)}, False),
        (x509.NameConstraints([x509.IPAddress(OUT)], None), {"other_names": (ADDRESS,)}, True),
        (x509.NameConstraints(None, [x509.IPAddress(IN)]), {"other_names": (ADDRESS,)}, True),
        (x509.NameConstraints([x509.RFC822Name("a@b.example")], None), {}, False),
        (
            x509.NameConstraints([x509.DNSName("example.org"), x509.DNSName("example.com")], None),
            {},
            False,
        ),
    ],
)
def test_name_constraints_bind_the_leaf(
    bounds: x509.NameConstraints, facts: dict[str, Any], *, violated: bool
) -> None:
    expected = ["0 NAME_CONSTRAINTS"] if violated else []
    assert judged(changed(LEAF, **facts), changed(INTER, constraints=bounds)) == expected
    assert judged(changed(LEAF, **facts), INTER, changed(ROOT, constraints=bounds)) == expected
    assert judged(changed(LEAF, **facts, constraints=bounds), INTER) == []
    wide = changed(ROOT, constraints=constraint(""))
    assert judged(changed(LEAF, **facts), changed(INTER, constraints=bounds), wide) == expected


@pytest.mark.parametrize(
    ("common_name", "violated"),
    [(MX, True), ("mx example.com", False), ("mx", False), ("b\u00fccher.example", False)],
)
def test_a_common_name_is_bound_like_a_host_where_it_is_taken_for_one(
    common_name: str, *, violated: bool
) -> None:
    bounds = changed(INTER, constraints=constraint("example.org"))
    found = judged(changed(LEAF, dns_names=(), common_names=(common_name,)), bounds)
    assert ("0 NAME_CONSTRAINTS" in found) is violated
    named = changed(LEAF, dns_names=(MX,), common_names=("x.example.org",))
    assert judged(named, changed(INTER, constraints=constraint("example.com"))) == []


def test_constraints_on_the_subject() -> None:
    house = x509.NameConstraints([directory("House")], None)
    bound = changed(INTER, constraints=house)
    for organisation, violated in (("Other", True), ("HOUSE", False), (None, True)):
        named = issue(pki.name("host", organisation), INTER, names=[MX])
        assert judged(named, bound) == ["0 NAME_CONSTRAINTS"] * violated
    assert judged(changed(LEAF, subject=()), bound) == []
    for organisation, violated in (("Other", True), ("HOUSE", False)):
        leaf = changed(LEAF, subject=(), other_names=(directory(organisation),))
        assert judged(leaf, bound) == ["0 NAME_CONSTRAINTS"] * violated


def test_constraints_bind_intermediates_but_not_self_issued_ones() -> None:
    bounds = changed(ROOT, constraints=constraint("example.com"))
    named = changed(INTER, dns_names=("x.example.org",))
    assert judged(LEAF, named, bounds) == ["1 NAME_CONSTRAINTS"]
    subject = certificate(INTER).facts
    assert subject is not None
    own = changed(INTER, dns_names=("x.example.org",), issuer=subject.subject)
    assert "1 NAME_CONSTRAINTS" not in judged(LEAF, own, bounds)
    common = changed(INTER, common_names=("x.example.org",))
    assert judged(LEAF, common, bounds) == []


def test_constraints_bind_a_leaf_that_has_its_issuer_s_name() -> None:
    """RFC 5280 section 6.1.3: a self-issued certificate is spared unless it is the last one."""
    bounds = changed(ROOT, constraints=constraint("example.org"))
    subject = certificate(LEAF).facts
    assert subject is not None
    own = changed(LEAF, issuer=subject.subject)
    assert judged(own, bounds) == ["0 NAME_CONSTRAINTS", "0 BAD_SIGNATURE"]


# ---- building ------------------------------------------------------------------------------------


def test_an_issuer_must_fit_by_name_identifiers_and_algorithm() -> None:
    leaf, inter = certificate(LEAF), certificate(INTER)
    assert issued(leaf, inter)
    assert not issued(inter, leaf)
    assert not issued(replace(leaf, facts=None), inter)
    assert not issued(leaf, replace(inter, facts=None))
    assert leaf.facts is not None
    for changes, fits in (
        ({"authority": b"other"}, False),
        ({"authority": None}, True),
        ({"authority_serial": 5}, False),
        ({"authority_serial": INTER.certificate.serial_number}, True),
        ({"authority_issuer": ()}, False),
        ({"authority_issuer": certificate(INTER).facts.issuer}, True),  # type: ignore[union-attr]
    ):
        identifiers = leaf.facts.identifiers._replace(**changes)
        assert issued(changed(LEAF, identifiers=identifiers), inter) is fits
    bare = inter.facts.identifiers._replace(subject=None)  # type: ignore[union-attr]
    assert issued(leaf, changed(INTER, identifiers=bare))
    rsa = issue("Path Inter", ROOT, ca=True, of_key="rsa2048 inter", subject_key=False)
    assert not issued(leaf, certificate(rsa))


def test_the_first_issuer_that_is_valid_now_is_taken_else_the_one_that_lasts_longest() -> None:
    def inter(begins: int, ends: int) -> Certificate:
        valid = (NOW + begins * DAY, NOW + ends * DAY)
        return certificate(issue("Path Inter", ROOT, ca=True, valid=valid))

    old, older, good, later = inter(-9, -1), inter(-9, -2), inter(-9, 1), inter(-9, 9)
    leaf, twin = certificate(LEAF), inter(-9, -1)
    assert twin != old
    for pool, taken in (
        ([old, twin], old),
        ([old, good, later], good),
        ([older, old], old),
        ([old, older], old),
    ):
        assert build(leaf, pool, lambda _: True, NOW).certificates == (leaf, taken)
        assert build(leaf, pool, lambda _: True, NOW).depth == 1
    assert build(leaf, [good], lambda _: False, NOW).anchor is Anchor.NONE
    assert not build(leaf, [], lambda _: True, NOW).anchored


def test_a_self_signed_certificate_ends_a_path() -> None:
    """Another that its key has as well, certified by somebody else, is not climbed on to."""
    other = issue("Path Other", ca=True)
    across = certificate(issue("Path Root", other, ca=True))
    leaf, inter, root = map(certificate, (LEAF, INTER, ROOT))
    found = build(leaf, [inter, root, across, certificate(other)], lambda _: False, NOW)
    assert found.certificates == (leaf, inter, root)


def test_a_circle_is_gone_round_once() -> None:
    other = issue("Circle B", ca=True)
    one = issue("Circle A", other, ca=True)
    a, b = certificate(one), certificate(issue("Circle B", one, ca=True))
    assert build(a, [a, b], lambda _: False, NOW).certificates == (a, b)
    assert shortest_path(a, [a, b], lambda _: False) is None


def test_a_trusted_path_ends_in_the_store_and_stays_there() -> None:
    leaf, inter, root = map(certificate, (LEAF, INTER, ROOT))
    again = certificate(issue("Path Inter", ROOT, ca=True))
    whole = (leaf, inter, root)
    for pool, store, path, anchored in (
        ([inter, root], [root], whole, True),
        ([inter], [root], whole, True),
        ([], [inter, root], whole, True),
        ([again], [inter, root], whole, True),  # the store's own first
        ([inter, root], [], whole, False),
        ([root], [inter], (leaf, inter), False),  # from the store back to the pool goes no way
        ([root], [root], (leaf,), False),
    ):
        found = build_trusted(leaf, pool, store, NOW)
        assert (found.certificates, found.anchored) == (path, anchored)
        assert found.anchor is (Anchor.CERTIFICATE if anchored else Anchor.NONE)


def test_the_shortest_path_is_found_if_there_is_any() -> None:
    leaf, inter, root = map(certificate, (LEAF, INTER, ROOT))
    found = shortest_path(leaf, [root, inter], lambda one: one == root)
    assert found is not None
    assert (found.certificates, found.anchor) == ((leaf, inter, root), Anchor.CERTIFICATE)
    assert shortest_path(leaf, [root, inter], lambda one: one == leaf) is None


# ---- certificates and keys -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extended", "usage", "server_auth", "signs_tls", "signs_certificates"),
    [
        ((), None, None, None, None),
        ((SERVER_AUTH,), None, True, None, None),
        ((CLIENT_AUTH,), None, False, None, None),
        ((CLIENT_AUTH, SERVER_AUTH), None, True, None, None),
        ((), ("digital_signature",), None, True, False),
        ((), ("key_encipherment",), None, True, False),
        ((), ("key_agreement",), None, True, False),
        ((), ("key_cert_sign",), None, False, True),
    ],
)
def test_what_a_key_may_be_used_for(
    extended: tuple[x509.ObjectIdentifier, ...],
    usage: tuple[str, ...] | None,
    *,
    server_auth: bool | None,
    signs_tls: bool | None,
    signs_certificates: bool | None,
) -> None:
    made = issue(MX, extended=extended, usage=key_usage(*usage) if usage else None)
    facts = certificate(made).facts
    assert facts is not None
    assert (facts.server_auth, facts.signs_tls) == (server_auth, signs_tls)
    assert facts.signs_certificates is signs_certificates


@pytest.mark.parametrize(
    ("ca", "usage", "right"),
    [
        (True, None, IssuingRight.FULL),
        (True, ("key_cert_sign",), IssuingRight.FULL),
        (True, ("crl_sign",), IssuingRight.NONE),
        (False, ("key_cert_sign",), IssuingRight.NONE),
        (None, ("key_cert_sign",), IssuingRight.LEGACY),
        (None, None, IssuingRight.NONE),
    ],
)
def test_who_may_issue(ca: bool | None, usage: tuple[str, ...] | None, right: IssuingRight) -> None:  # noqa: FBT001
    facts = certificate(issue("CA", ca=ca, usage=key_usage(*usage) if usage else None)).facts
    assert facts is not None
    assert facts.authority is right
    assert facts.path_length is None


def sequence(inside: bytes) -> bytes:
    size = len(inside)
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return b"\x30" + (octets if size < 128 else bytes([0x80 | len(octets)]) + octets) + inside


def version_1(made: Issued, by: Issued) -> bytes:
    """The same certificate without version and extensions, signed again."""
    fields, version = made.certificate.tbs_certificate_bytes, b"\xa0\x03\x02\x01\x02"
    end = fields.index(made.spki) + len(made.spki)
    tbs = sequence(fields[fields.index(version) + len(version) : end])
    assert isinstance(by.key, ec.EllipticCurvePrivateKey)
    signature = b"\x00" + by.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return sequence(tbs + algorithm + b"\x03" + bytes([len(signature)]) + signature)


def test_a_self_signed_certificate_of_version_1_may_issue_by_custom() -> None:
    root = issue("Version 1 Root", ca=True)
    leaf = issue(MX, root)
    for made, by, right in ((root, root, IssuingRight.LEGACY), (leaf, root, IssuingRight.NONE)):
        found = read(version_1(made, by))
        assert found is not None
        assert found.facts is not None
        assert found.facts.authority is right
        assert check_signature(found, certificate(by).public_key) is SignatureCheck.VALID


@pytest.mark.parametrize(
    ("issuers", "serial", "expected"),
    [
        (None, None, None),
        ([x509.DNSName("ca.example"), x509.DirectoryName(pki.name(" Path  ROOT"))], 7, "root"),
        ([x509.DNSName("ca.example")], 8, None),
    ],
)
def test_a_certificate_may_name_its_issuers_issuer_and_serial_number(
    issuers: list[x509.GeneralName] | None, serial: int | None, expected: str | None
) -> None:
    extension = x509.AuthorityKeyIdentifier(b"key", issuers, serial)
    made = certificate(issue(MX, INTER, authority_key=False, extra=[(extension, False)]))
    assert made.facts is not None
    own = x509.SubjectKeyIdentifier.from_public_key(pki.key(MX).public_key()).digest
    name = canonical(pki.name("Path Root")) if expected else None
    assert made.facts.identifiers == KeyIdentifiers(own, b"key", serial, name, has_authority=True)


def test_what_else_a_certificate_says() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(MX), ADDRESS, x509.DNSName("b.example")])
    bounds = constraint("example.com")
    made = issue(
        "CA", ca=True, path_length=2, constraints=bounds, extra=[(names, False)], serial=77
    )
    facts = certificate(made).facts
    assert facts is not None
    assert (facts.path_length, facts.serial, facts.constraints) == (2, 77, bounds)
    assert (facts.dns_names, facts.other_names) == ((MX, "b.example"), (ADDRESS,))
    assert (facts.common_names, facts.unhandled_critical) == (("CA",), False)


@pytest.mark.parametrize(
    ("oid", "critical", "unhandled"),
    [("1.2.3.4", True, True), ("1.2.3.4", False, False), ("1.3.6.1.5.5.7.1.8", True, False)],
)
def test_only_a_critical_extension_that_openssl_doesnt_handle_counts(
    oid: str, *, critical: bool, unhandled: bool
) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x05\x00")
    facts = certificate(issue(MX, extra=[(extension, critical)])).facts
    assert facts is not None
    assert facts.unhandled_critical is unhandled


def test_a_certificate_may_lack_identifiers() -> None:
    made = certificate(issue(MX, INTER, authority_key=False, subject_key=False))
    assert made.facts is not None
    assert made.facts.identifiers == KeyIdentifiers(None, None, None, None, has_authority=False)


def read_odd() -> Certificate:
    """A leaf with a signature of an algorithm that nobody knows."""
    found = read(odd_signature_leaf())
    assert found is not None
    return found


def test_a_dsa_key_checks_what_was_signed_with_a_digest() -> None:
    own = dsa.generate_private_key(1024)  # noqa: S505 - made in no time
    other = own.parameters().generate_private_key()
    builder = x509.CertificateBuilder(pki.name("DSA"), pki.name("DSA"), own.public_key(), 1)
    signed = builder.not_valid_before(NOW).not_valid_after(NOW).sign(own, hashes.SHA256())
    made = certificate(Issued(signed, own))
    for one, key, expected in (
        (made, own, SignatureCheck.VALID),
        (made, other, SignatureCheck.INVALID),
        (certificate(issue(MX, of_key="ed25519 own")), own, SignatureCheck.UNSUPPORTED),
    ):
        assert check_signature(one, key.public_key()) is expected
        assert may_have_signed(key.public_key(), one)


KEYS = {"ec": "", "rsa": "rsa2048", "ed25519": "ed25519"}


@pytest.mark.parametrize("kind", KEYS)
def test_a_signature_is_of_one_type_of_key(kind: str) -> None:
    made = certificate(issue(MX, of_key=KEYS[kind] + " own"))
    for other, seed in KEYS.items():
        key = certificate(issue(MX, of_key=seed + " own")).public_key
        assert may_have_signed(key, made) is (kind == other)
        foreign = SignatureCheck.INVALID if other == "ed25519" else SignatureCheck.UNSUPPORTED
        expected = SignatureCheck.VALID if kind == other else foreign
        assert check_signature(made, key) is expected
        assert may_have_signed(key, read_odd())
    stranger = certificate(issue(MX, of_key=KEYS[kind] + " stranger")).public_key
    assert check_signature(made, stranger) is SignatureCheck.INVALID
    assert may_have_signed(None, made)
    assert check_signature(made, None) is SignatureCheck.UNSUPPORTED
    assert may_have_signed(stranger, replace(made, parsed=None))
    assert check_signature(replace(made, parsed=None), stranger) is SignatureCheck.UNSUPPORTED


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 30, -1])
def test_a_cut_certificate_or_key_is_none(cut: int) -> None:
    assert read(LEAF.der[:cut]) is None
    assert read_public_key(LEAF.spki[:cut]) is None
    assert read_public_key(LEAF.spki + b"\0") is None
    assert read_public_key(LEAF.der) is None


def test_a_presented_chain_is_climbed_as_far_as_it_leads() -> None:
    chain = [one.der for one in (LEAF, issue("Stranger", ca=True), ROOT, INTER)]
    path = [one.der for one in (LEAF, INTER, ROOT)]
    assert [one.der for one in climbed(chain, NOW)] == path
    assert climbed((), NOW) == climbed((b"junk", INTER.der), NOW) == ()


STRANGER = issue("Stranger", ca=True).der
BY_STRANGER = issue("Leaf", issue("Stranger", ca=True)).der


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ((LEAF.der, INTER.der), (LEAF.der, INTER.der), True),
        ((LEAF.der, INTER.der), (LEAF.der, ROOT.der, INTER.der), True),
        ((LEAF.der, INTER.der, ROOT.der), (LEAF.der, INTER.der), False),
        ((LEAF.der, INTER.der), (BY_STRANGER, STRANGER), False),
        ((LEAF.der, INTER.der), (BY_STRANGER, STRANGER, INTER.der), False),
        ((LEAF.der, INTER.der, STRANGER), (BY_STRANGER, INTER.der, STRANGER), False),
        ((b"junk", INTER.der), (b"other junk", INTER.der), True),
        ((b"junk", INTER.der), (b"other junk", ROOT.der), False),
    ],
)
def test_an_issuer_is_kept_where_the_chain_leads_to_it(
    before: tuple[bytes, ...], after: tuple[bytes, ...], *, kept: bool
) -> None:
    assert keeps_issuers(before, after, NOW) is kept
