"""The certificates of the DANE case table, by label, made once per session."""

from __future__ import annotations

import functools
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, association
from domain import pki
from domain.pki import CLIENT_AUTH, DAY, NOW, SERVER_AUTH, Issued, issue, key_usage

MX = "mx.example.com"
# Digests that cryptography's builder refuses, with the last octet of their PKCS #1 algorithm.
RSA_DIGESTS: dict[str, tuple[hashes.HashAlgorithm, int]] = {
    "sha1": (hashes.SHA1(), 5),  # noqa: S303
    "sha512-224": (hashes.SHA512_224(), 15),
}
SAN = x509.ObjectIdentifier("2.5.29.17")
PAST = (NOW - 30 * DAY, NOW - DAY)
FUTURE = (NOW + DAY, NOW + 30 * DAY)


def directory(common_name: str) -> x509.NameConstraints:
    return x509.NameConstraints([x509.DirectoryName(pki.name(common_name))], None)


def network(permitted: str) -> x509.NameConstraints:
    return x509.NameConstraints([x509.IPAddress(ipaddress.ip_network(permitted))], None)


def constraint(permitted: str | None = None, excluded: str | None = None) -> x509.NameConstraints:
    return x509.NameConstraints(
        [x509.DNSName(permitted)] if permitted is not None else None,
        [x509.DNSName(excluded)] if excluded is not None else None,
    )


@functools.cache
def world() -> dict[str, Issued]:
    """Label to certificate.  A leaf's label is ``leaf`` and what is special about it."""
    root = issue("Root", ca=True)
    other = issue("Other Root", ca=True)
    inter = issue("Inter", root, ca=True, usage=key_usage("key_cert_sign", "crl_sign"))
    made = {
        "root": root,
        "other": other,
        "inter": inter,
        "stranger": issue("Stranger", ca=True),
        # The same intermediate, certified by another root; and again, by itself.
        "inter-x": issue("Inter", other, ca=True),
        "inter-expired": issue("Inter", root, ca=True, valid=PAST),
        "inter-no-ca": issue("Inter", other, ca=False),
        "inter-future": issue("Inter", root, ca=True, valid=FUTURE),
        "root-x": issue("Root", other, ca=True),
        "deep": issue("Deep", inter, ca=True),
        "next": issue(MX, inter, names=[MX], of_key="next"),
        "renewed": issue(MX, inter, names=[MX], of_key=MX),
    }
    made |= _leaves(made)
    made |= _bent_authorities(made)
    return made


def _leaves(made: dict[str, Issued]) -> dict[str, Issued]:
    root, inter, deep = made["root"], made["inter"], made["deep"]
    leaf = functools.partial(issue, MX, inter)
    return {
        "leaf": leaf(names=[MX]),
        "leaf-root": issue(MX, root, names=[MX]),
        "leaf-deep": issue(MX, deep, names=[MX]),
        "leaf-expired": leaf(names=[MX], valid=PAST),
        "leaf-future": leaf(names=[MX], valid=FUTURE),
        "leaf-other-name": issue("else.example.net", inter, names=["else.example.net"]),
        "leaf-domain": issue("example.com", inter, names=["example.com"]),
        "leaf-upper": issue("upper", inter, names=["MX.Example.COM"]),
        "leaf-many": issue("many", inter, names=["a.example.net", "b.example.net", MX]),
        "leaf-wild": issue("wild", inter, names=["*.example.com"]),
        "leaf-wild-deep": issue("wild2", inter, names=["*.mx.example.com"]),
        "leaf-wild-tld": issue("wild3", inter, names=["*.com"]),
        "leaf-wild-part": issue("wild4", inter, names=["m*.example.com"]),
        "leaf-wild-middle": issue("wild5", inter, names=["mx.*.com"]),
        "leaf-wild-all": issue("wild6", inter, names=["*"]),
        "leaf-cn": leaf(),
        "leaf-cn-wild": issue("*.example.com", inter, of_key="cn-wild"),
        "leaf-cn-beside": leaf(names=["else.example.net"]),
        "leaf-cn-two": issue(
            x509.Name([*pki.name("else.example.net"), *pki.name(MX)]), inter, of_key="cn-two"
        ),
        "leaf-ip-only": leaf(
            extra=[(x509.SubjectAlternativeName([x509.RFC822Name("a@example.com")]), False)]
        ),
        "leaf-nameless": issue("nobody", inter),
        "leaf-no-aki": leaf(names=[MX], authority_key=False),
        "leaf-wrong-aki": leaf(names=[MX], authority_key=b"\x01" * 20),
        "leaf-forged": leaf(names=[MX], signed_with=pki.key("stranger key")),
        "leaf-client": leaf(names=[MX], extended=[CLIENT_AUTH]),
        "leaf-server": leaf(names=[MX], extended=[CLIENT_AUTH, SERVER_AUTH]),
        "leaf-ku": leaf(names=[MX], usage=key_usage("digital_signature")),
        "leaf-ku-wrong": leaf(names=[MX], usage=key_usage("crl_sign")),
        "leaf-critical": leaf(
            names=[MX],
            extra=[
                (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
            ],
        ),
        "leaf-bad-san": leaf(
            extra=[(x509.UnrecognizedExtension(SAN, b"\x30\x03\x82\x05a"), False)],
        ),
        "leaf-self": issue(MX, names=[MX], of_key="self"),
        "leaf-self-ca": issue(MX, ca=True, names=[MX], of_key="self-ca"),
        "leaf-rsa": leaf(names=[MX], of_key="rsa2048 leaf"),
        "leaf-weak": leaf(names=[MX], of_key="rsa1024 leaf"),
        "leaf-p192": leaf(names=[MX], of_key="p192 leaf"),
        "leaf-ed25519": leaf(names=[MX], of_key="ed25519 leaf"),
        "leaf-folded": leaf(names=[MX], issuer=pki.name("  INTER ")),
    }


def _bent_authorities(made: dict[str, Issued]) -> dict[str, Issued]:
    """Intermediates with one thing wrong, each ``bad-NAME`` with its ``leaf-of-NAME``."""
    root = made["root"]
    certify = ("key_cert_sign", "crl_sign")
    bent = {
        "not-ca": issue("B1", root, ca=False),
        "no-bc": issue("B2", root),
        "ku": issue("B3", root, ca=True, usage=key_usage("digital_signature")),
        "ku-only": issue("B4", root, usage=key_usage(*certify)),
        "client": issue("B5", root, ca=True, extended=[CLIENT_AUTH]),
        "expired": issue("B6", root, ca=True, valid=PAST),
        "future": issue("B7", root, ca=True, valid=FUTURE),
        "forged": issue("B8", root, ca=True, signed_with=pki.key("stranger key")),
        "permits": issue("B9", root, ca=True, constraints=constraint(permitted="example.com")),
        "forbids": issue("B10", root, ca=True, constraints=constraint(excluded="example.com")),
        "elsewhere": issue("B11", root, ca=True, constraints=constraint(permitted="example.net")),
        "directory": issue("B19", root, ca=True, constraints=directory(MX)),
        "directory-else": issue("B20", root, ca=True, constraints=directory("else")),
        "network": issue("B21", root, ca=True, constraints=network("192.0.2.0/24")),
        "network-else": issue("B22", root, ca=True, constraints=network("198.51.100.0/24")),
        "no-aki": issue("B12", root, ca=True, authority_key=False),
        "no-ski": issue("B13", root, ca=True, subject_key=False),
        "ed25519": issue("B14", root, ca=True, of_key="ed25519 ca"),
        "rsa": issue("B15", root, ca=True, of_key="rsa2048 ca"),
        "weak": issue("B16", root, ca=True, of_key="rsa1024 ca"),
        "root-expired": issue("B17", ca=True, valid=PAST),
        "root-v1": issue("B18", usage=None),
    }
    made = {f"bad-{label}": one for label, one in bent.items()}
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    named = x509.SubjectAlternativeName([x509.DNSName(MX), address])
    made |= {
        f"leaf-of-{label}": issue(MX, one, extra=[(named, False)], of_key=f"leaf {label}")
        for label, one in bent.items()
    }
    narrow = issue("Narrow", root, ca=True, path_length=0)
    below = issue("Below", narrow, ca=True)
    rekeyed = issue("Narrow", narrow, ca=True, path_length=0, of_key="rekeyed")
    return made | {
        "narrow": narrow,
        "below": below,
        "rekeyed": rekeyed,
        "leaf-narrow": issue(MX, narrow, names=[MX]),
        "leaf-below": issue(MX, below, names=[MX]),
        "leaf-rekeyed": issue(MX, rekeyed, names=[MX]),
        "leaf-cn-forbidden": issue(MX, bent["elsewhere"]),
    }


@functools.cache
def odd_signature_leaf() -> bytes:
    """A leaf (DER) whose signature algorithm nobody knows."""
    leaf = issue(MX, world()["inter"], names=[MX], of_key="leaf odd").der
    ecdsa_sha256 = bytes.fromhex("2a8648ce3d040302")
    return leaf.replace(ecdsa_sha256, ecdsa_sha256[:-1] + b"\x09")


@functools.cache
def rsa_leaf(label: str) -> bytes:
    """A leaf (DER) that ``bad-rsa`` signed with one of RSA_DIGESTS."""
    digest, number = RSA_DIGESTS[label]
    authority = world()["bad-rsa"]
    plain = issue(MX, authority, names=[MX], of_key="leaf sha1")
    assert isinstance(authority.key, rsa.RSAPrivateKey)
    pkcs1 = bytes.fromhex("2a864886f70d0101")
    wanted = pkcs1 + bytes([number])
    tbs = plain.certificate.tbs_certificate_bytes.replace(pkcs1 + b"\x0b", wanted)
    signature = authority.key.sign(tbs, padding.PKCS1v15(), digest)
    algorithm = bytes.fromhex("300d0609") + wanted + bytes.fromhex("0500")
    content = tbs + algorithm + bytes.fromhex("03820101") + b"\x00" + signature
    return b"\x30\x82" + len(content).to_bytes(2) + content


def der(label: str) -> bytes:
    """The DER of a label; ``junk`` is no certificate, ``cut-LABEL`` lacks its last octet."""
    if label == "junk":
        return b"\x30\x03\x02\x01\x00"
    if label == "odd-signature":
        return odd_signature_leaf()
    if label in RSA_DIGESTS:
        return rsa_leaf(label)
    if label.startswith("cut-"):
        return der(label.removeprefix("cut-"))[:-1]
    return world()[label].der


def record(text: str) -> TlsaRecord:
    """Read ``3 1 1 LABEL``, or ``3 1 1 LABEL ±N`` with the data N octets longer or shorter.

    ``=HEX`` in place of a label is the data itself; an unknown matching type digests as SHA2-256.
    """
    usage, selector, mtype, label, *change = text.split()
    if label.startswith("="):
        data = bytes.fromhex(label[1:])
    else:
        source = world()[label].spki if int(selector) == Selector.SPKI else der(label)
        known = int(mtype) in {int(one) for one in MatchingType}
        data = association(source, MatchingType(int(mtype)) if known else MatchingType.SHA2_256)
    if change:
        octets = int(change[0])
        data = data + b"\x00" * octets if octets > 0 else data[:octets]
    return TlsaRecord(int(usage), int(selector), int(mtype), data)
