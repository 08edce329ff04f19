"""Senders that are given the raw public key (RFC 7250), judged here and by OpenSSL from 3.2 on.

Postfix from 3.9 asks for it where every record that it can use is ``3 1 x`` (`tls_dane_enable` in
its src/tls/tls_dane.c; RELEASE_NOTES-3.9, "RFC7250"), and gets it from a Postfix like itself.
OpenSSL then compares each of these records with the key, whatever their digests
(`dane_match_rpk` in its crypto/x509/x509_vfy.c): digest agility is for certificates alone.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.certificate_types import CertificateType
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.names import Hostname
from domain import oracle
from domain.dane_cases import CASES, FAIL, OK, UNAUTH
from domain.dane_world import MX, der, record
from domain.pki import NOW

NOT_ASKED = ""
CERTIFICATE, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY


class Row(NamedTuple):
    """The outcomes for who is given a certificate, and for who asks for the key; "" if nobody."""

    title: str
    records: tuple[str, ...]
    certificate: str
    raw: str
    chain: str = "leaf inter root"


# fmt: off
# ruff: noqa: E501 - a table is read by rows
ROWS = [
    Row("one record", ("3 1 1 leaf",), OK, OK),
    Row("another key", ("3 1 1 next",), FAIL, FAIL),
    Row("the weaker digest right, the stronger wrong", ("3 1 1 leaf", "3 1 2 next"), FAIL, OK),
    Row("the stronger digest right, the weaker wrong", ("3 1 1 next", "3 1 2 leaf"), OK, OK),
    Row("both wrong", ("3 1 1 next", "3 1 2 next"), FAIL, FAIL),
    Row("both right", ("3 1 1 leaf", "3 1 2 leaf"), OK, OK),
    Row("Full right, a digest wrong", ("3 1 0 leaf", "3 1 2 next"), OK, OK),
    Row("Full wrong, the weaker digest right", ("3 1 0 next", "3 1 1 leaf", "3 1 2 next"), FAIL, OK),
    Row("rollover", ("3 1 1 leaf", "3 1 1 next"), OK, OK),
    # keys of two types at one owner: each is what a handshake may bring
    Row("RSA hidden behind ECDSA", ("3 1 1 leaf-rsa", "3 1 2 leaf"), FAIL, OK, "leaf-rsa inter root"),
    Row("ECDSA hides RSA", ("3 1 1 leaf-rsa", "3 1 2 leaf"), OK, OK),
    # one record that needs a certificate, and nobody asks for the key
    Row("beside 3 0 1", ("3 1 1 leaf", "3 1 2 next", "3 0 1 next"), FAIL, NOT_ASKED),
    Row("beside 2 1 1", ("3 1 1 leaf", "3 1 2 next", "2 1 1 stranger"), FAIL, NOT_ASKED),
    Row("beside an anchor that matches", ("3 1 1 next", "2 1 1 inter"), OK, NOT_ASKED),
    Row("3 0 1 alone", ("3 0 1 leaf",), OK, NOT_ASKED),
    # records that can't be used don't count
    Row("beside a broken 3 0 1", ("3 1 1 leaf", "3 1 2 next", "3 0 1 leaf -1"), FAIL, OK),
    Row("beside an unknown usage", ("3 1 1 leaf", "3 1 2 next", "7 1 1 leaf"), FAIL, OK),
    Row("beside PKIX-EE, which Postfix drops", ("3 1 1 leaf", "3 1 2 next", "1 1 1 leaf"), FAIL, OK),
    Row("a broken 3 1 2 hides nothing", ("3 1 1 leaf", "3 1 2 next -1"), OK, OK),
    Row("none can be used", ("3 1 1 leaf -1",), UNAUTH, NOT_ASKED),
    # names and dates are nobody's business with DANE-EE
    Row("expired", ("3 1 1 leaf-expired", "3 1 2 next"), FAIL, OK, "leaf-expired inter root"),
    Row("another name", ("3 1 1 leaf-other-name", "3 1 2 next"), FAIL, OK, "leaf-other-name"),
]
# fmt: on
ALL = [pytest.param(row, id=row.title) for row in ROWS]
NO_RAW_KEYS = oracle.without_raw_keys()


def judged(row: Row, profile: Profile = Profile.SMTP) -> Verdict:
    chain = [der(label) for label in row.chain.split()]
    return verify_chain(
        list(map(record, row.records)), chain, References(Hostname(MX)), NOW, profile
    )


@pytest.mark.parametrize("row", ALL)
def test_senders_of_both_kinds_are_judged(row: Row) -> None:
    verdict = judged(row)
    assert verdict.outcome is Outcome[row.certificate]
    assert (verdict.raw_key.name if verdict.raw_key is not None else NOT_ASKED) == row.raw
    refusing = {CERTIFICATE} if row.certificate == FAIL else set()
    refusing |= {RAW} if FAIL in (row.raw, row.raw or row.certificate) else set()
    assert verdict.refusing == refusing


@pytest.mark.parametrize("row", ALL)
def test_who_refuses_is_said_where_they_differ(row: Row) -> None:
    verdict = judged(row)
    codes = {caution.code for caution in verdict.cautions}
    differ = row.raw not in ("", row.certificate)
    assert (CautionCode.ONLY_AS_RAW_KEY in codes) == differ
    if differ:
        assert "given a certificate" in verdict.words
        assert "Postfix" in CautionCode.ONLY_AS_RAW_KEY.value
    else:
        assert verdict.words == verdict.outcome.value


def test_outside_mail_nobody_is_known_to_ask_for_the_key() -> None:
    verdict = judged(ROWS[2], Profile.GENERIC)
    assert (verdict.outcome, verdict.raw_key) == (Outcome.FAILED, None)


@pytest.mark.parametrize("row", ALL)
def test_who_relays_through_submission_asks_for_the_key_too(row: Row) -> None:
    """But where PKIX records count, nobody knows which of them a client goes by."""
    if not any(text.startswith(("0", "1")) for text in row.records):
        assert judged(row, Profile.SUBMISSION).raw_key is judged(row).raw_key
    with_pkix = row._replace(records=(*row.records, "1 1 1 leaf"))
    assert judged(with_pkix, Profile.SUBMISSION).raw_key is None


def test_without_a_certificate_there_is_no_key_to_judge() -> None:
    verdict = judged(ROWS[0]._replace(chain=""))
    assert verdict.raw_key is Outcome.FAILED


@pytest.mark.skipif(bool(NO_RAW_KEYS), reason=NO_RAW_KEYS)
@pytest.mark.parametrize("row", [pytest.param(row, id=row.title) for row in ROWS if row.raw])
def test_openssl_decides_the_same_of_raw_keys(row: Row) -> None:
    records = [one for one in map(record, row.records) if one.usage not in {0, 1}]
    decision = oracle.decide_raw_key(records, der(row.chain.split()[0]), MX, NOW)
    assert decision.authenticated is (row.raw == OK)


@pytest.mark.skipif(bool(NO_RAW_KEYS), reason=NO_RAW_KEYS)
def test_openssl_decides_the_same_of_every_case_with_keys_alone() -> None:
    """The whole DANE case table once more."""
    compared = 0
    for case in CASES:
        records = list(map(record, case.records))
        chain = [der(label) for label in case.chain.split()]
        names = [Hostname.parse(name) for name in case.names]
        references = References(names[0], tuple(names[1:]))
        verdict = verify_chain(records, chain, references, case.now, case.profile)
        if verdict.raw_key is None or case.apart:
            continue
        decision = oracle.decide_raw_key(records, chain[0], case.names[0], case.now)
        assert decision.authenticated is (verdict.raw_key is Outcome.AUTHENTICATED), case
        compared += 1
    assert compared >= 30
