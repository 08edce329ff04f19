"""What a judgement rests on beside its outcome: the path, and which records lead the way."""

from __future__ import annotations

import pytest

from danebot.domain.dane.cautions import CautionCode
from danebot.domain.dane.certificate import read
from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome, Reason, RecordVerdict, Verdict
from danebot.domain.dane.verify import verify_chain
from danebot.domain.names import Hostname
from domain.dane_world import MX, der, record
from domain.pki import NOW

OK, FAILED, OPEN = Outcome.AUTHENTICATED, Outcome.FAILED, Outcome.NOT_JUDGED


def judged(
    *records: str,
    chain: str = "leaf inter root",
    profile: Profile = Profile.SMTP,
    store: str | None = None,
) -> Verdict:
    anchors = None if store is None else [der(label) for label in store.split()]
    return verify_chain(
        [record(text) for text in records],
        [der(label) for label in chain.split()],
        References(Hostname(MX)),
        NOW,
        profile,
        trust_anchors=anchors,
    )


def path(labels: str) -> tuple[object, ...]:
    return tuple(read(der(label)) for label in labels.split())


@pytest.mark.parametrize(
    ("records", "way"),
    [
        (("2 1 1 inter",), "leaf inter"),
        (("2 1 1 root", "2 0 1 inter"), "leaf inter"),
        # Senders climb by what counts alone, whatever else would name a certificate on the way.
        (("2 1 2 root", "2 1 1 inter"), "leaf inter root"),
        (("2 1 1 root", "2 1 9 inter", "2 2 1 inter"), "leaf inter root"),
        # A record that holds a certificate brings it along: it comes before what is presented.
        (("2 1 1 inter", "2 0 0 inter-x"), "leaf inter-x"),
        (("3 1 1 leaf", "2 0 0 inter-x"), "leaf"),
    ],
)
def test_the_way_of_the_record_that_counts_is_that_of_all_anchors(
    records: tuple[str, ...], way: str
) -> None:
    verdict = judged(*records)
    assert verdict.outcome is OK
    assert verdict.path == path(way)


def test_who_is_led_astray_has_the_leaf_s_own_record_still() -> None:
    astray = ("2 0 0 inter-no-ca", "2 1 1 root")
    assert judged(*astray).outcome is FAILED
    verdict = judged(*astray, "3 1 1 leaf")
    assert verdict.outcome is OK
    reasons = [one.reason for one in verdict.records]
    assert reasons == [Reason.INVALID_PATH, Reason.SHADOWED, Reason.MATCHED]


# ---- PKIX usages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "store", "reason", "way"),
    [
        ("1 1 1 leaf", "root", Reason.MATCHED, "leaf inter root"),
        ("0 1 1 inter", "root", Reason.MATCHED, "leaf inter root"),
        ("1 1 1 inter", "root", Reason.NO_MATCH, ""),  # it isn't the leaf
        ("0 1 1 leaf", "root", Reason.NO_MATCH, ""),  # nor is that an authority
        ("1 1 1 leaf", "other", Reason.NO_PKIX_PATH, "leaf inter root"),
        ("0 1 1 inter", "other", Reason.NO_PKIX_PATH, "leaf inter root"),
        ("1 1 1 leaf", None, Reason.NO_TRUST_STORE, ""),
        ("1 1 1 inter", None, Reason.NO_MATCH, ""),
        ("0 1 1 stranger", None, Reason.NO_TRUST_STORE, ""),  # the sender may have it
    ],
)
def test_a_record_that_constrains_is_told_with_the_path_to_the_store(
    text: str, store: str | None, reason: Reason, way: str
) -> None:
    (found,) = judged(text, profile=Profile.GENERIC, store=store).records
    assert (found.reason, found.path) == (reason, path(way))


def test_one_record_that_depends_on_the_store_leaves_the_outcome_open() -> None:
    generic = Profile.GENERIC
    assert judged("3 1 1 stranger", "1 1 1 leaf", profile=generic).outcome is OPEN
    assert judged("3 1 1 stranger", "1 1 1 inter", profile=generic).outcome is FAILED


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (("1 1 1 leaf", "3 1 1 stranger"), True),
        (("1 1 1 leaf", "0 1 1 inter", "3 1 1 stranger"), True),
        (("1 1 1 leaf",), False),
        (("1 1 1 leaf", "3 1 1 leaf"), False),
        (("1 1 1 leaf", "3 1 1 leaf -1"), False),  # which nobody can use, relays included
        (("1 1 1 stranger", "3 1 1 stranger"), False),  # nobody else delivers either
    ],
)
def test_relays_refuse_where_only_what_they_pass_over_matches(
    records: tuple[str, ...], *, told: bool
) -> None:
    verdict = judged(*records, profile=Profile.SUBMISSION, store="root")
    assert (CautionCode.RELAYS_REFUSE in {one.code for one in verdict.cautions}) is told


# ---- verdicts as values ------------------------------------------------------------------------


def test_the_certificate_that_matches_is_the_one_at_its_depth_on_the_path() -> None:
    leaf, inter = read(der("leaf")), read(der("inter"))
    assert leaf is not None
    assert inter is not None
    for text, depth, way, certificate in (
        ("3 1 1 leaf", 0, (leaf,), leaf),
        ("2 1 1 inter", 1, (leaf, inter), inter),
        ("2 1 1 inter", None, (leaf, inter), None),
        ("2 1 0 inter", 1, (leaf, inter), inter),
        ("2 1 0 root", 1, (leaf, inter), None),  # the bare key that has signed it
        ("2 1 1 inter", 1, (leaf,), None),
        ("3 1 1 leaf", 0, (), None),
    ):
        found = RecordVerdict(record(text), Reason.MATCHED, depth, path=way)
        assert found.certificate == certificate
