"""What records can be made of: certificates, a bare key, a certificate request; and the records.

Imports cryptography (about 90 ms).
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from danebot.domain.dane.certificate import Certificate, IssuingRight, read
from danebot.domain.dane.path import issued
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import MatchingType, Selector, TlsaRecord, Usage, association
from danebot.domain.lineage.pem import read_chain, read_private_key, spki_der
from danebot.domain.text import printable
from danebot.errors import CertificateError, foreign
from danebot.tuples import NamedTuple

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
_ANCHORS = (Usage.PKIX_TA, Usage.DANE_TA)


class Material(NamedTuple):
    """The octets that TLSA records may match: a key's, and those of certificates, leaf first.

    ``authorities`` are the certificates that anchors may be made of.
    """

    spki: bytes
    ders: tuple[bytes, ...] = ()
    authorities: tuple[Certificate, ...] = ()


class Made(NamedTuple):
    """A record that was made, and of what, for people."""

    record: TlsaRecord
    source: str


def read_material(pem: bytes) -> Material:
    """Take what a PEM text holds: certificates before keys, a key before a request.

    Raises `CertificateError`.  A DER certificate is taken as well.
    """
    labels = {found.decode() for found in _LABEL.findall(pem)}
    if not labels and read(pem) is not None:
        return _of_file((pem,))
    if not labels:
        raise CertificateError("no certificate, key or request is in it")
    if labels & {"CERTIFICATE", "X509 CERTIFICATE"}:
        return _of_file(read_chain(pem).ders)
    if any(label.endswith("PRIVATE KEY") for label in labels):
        return Material(read_private_key(pem).spki)
    with foreign(CertificateError, "no certificate, key or request that can be read"):
        if "PUBLIC KEY" in labels:
            key = serialization.load_pem_public_key(pem)
            return Material(spki_der(key))  # type: ignore[arg-type]  # DH keys encode as well
        return Material(spki_der(x509.load_pem_x509_csr(pem).public_key()))


def of_chain(ders: tuple[bytes, ...]) -> Material:
    """The same of a chain that was presented, leaf first; raises `CertificateError`.

    What stands in it that the leaf doesn't chain up to is nobody's anchor, nor is the leaf its own.
    """
    leaf = read(ders[0]) if ders else None
    if leaf is None:
        raise CertificateError("no certificate that can be read")
    others = _authorities(ders[1:])
    above = [leaf]
    for one in above:  # grows as it goes
        above += [other for other in others if other not in above and issued(one, other)]
    return Material(leaf.spki, ders, tuple(one for one in others if one in above[1:]))


def _of_file(ders: tuple[bytes, ...]) -> Material:
    """The same, but a file of CAs is one: it has no leaf."""
    found = of_chain(ders)
    every = _authorities(ders)
    no_leaf = bool(_authorities(ders[:1]))
    return found._replace(authorities=every) if no_leaf else found


def _authorities(ders: tuple[bytes, ...]) -> tuple[Certificate, ...]:
    return tuple(
        one
        for one in map(read, ders)
        if one is not None and one.facts and one.facts.authority is not IssuingRight.NONE
    )


def records_of(material: Material, form: RecordForm) -> tuple[Made, ...]:
    """The records of one kind; several of usages 0 and 2 where there are several CAs.

    Raises `CertificateError` where the material has nothing for that kind.
    """
    if form.usage in _ANCHORS:
        return _of_authorities(material, form)
    if form.selector == Selector.CERT and not material.ders:
        raise CertificateError(f"a {form} record is made of a certificate, and there is none")
    der = material.spki if form.selector == Selector.SPKI else material.ders[0]
    what = "the key" if form.selector == Selector.SPKI else "the certificate"
    return (Made(_record(form, der), what),)


def _of_authorities(material: Material, form: RecordForm) -> tuple[Made, ...]:
    made = tuple(
        Made(
            _record(form, one.spki if form.selector == Selector.SPKI else one.der),
            printable(", ".join(one.facts.common_names if one.facts else ()))
            or "a CA without a name",
        )
        for one in material.authorities
    )
    if not made:
        raise CertificateError(
            f"a {form} record is made of a CA's certificate, and there is none: "
            "take the file with the chain"
        )
    return made


def _record(form: RecordForm, der: bytes) -> TlsaRecord:
    return TlsaRecord(*form, association(der, MatchingType(form.mtype)))
