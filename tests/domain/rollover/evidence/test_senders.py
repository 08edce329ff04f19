"""Who comes to a TLSA owner, and by which names they know the server."""

from __future__ import annotations

import pytest

from danebot.domain.dane.profiles import Profile
from danebot.domain.dane.references import References
from danebot.domain.dns.tlsa import MatchingType, TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.senders import senders_to
from domain.builders import OTHER, T0
from domain.gate_world import HOST, authority, chain, tlsa

BASE = Hostname(HOST)
ELSEWHERE = chain(names=("*.example.net", "b.example.net", "a.example.net"))
OWN_NAMES = (Hostname("a.example.net"), Hostname("b.example.net"))


@pytest.mark.parametrize(
    ("port", "profile"),
    [
        (24, Profile.SMTP),
        (25, Profile.SMTP),
        (587, Profile.SUBMISSION),
        (465, Profile.SUBMISSION),
        (443, Profile.GENERIC),
        (143, Profile.GENERIC),
    ],
)
def test_mail_is_told_from_other_services_by_the_port(port: int, profile: Profile) -> None:
    senders = senders_to(DnsName(f"_{port}._tcp.{HOST}"), chain(), T0)
    assert (senders.profile, senders.references) == (profile, References(BASE, ()))


def test_a_chain_that_does_not_name_the_base_domain_is_known_by_its_own_names() -> None:
    """A wildcard among them stands for no name in particular."""
    found = senders_to(DnsName(f"_25._tcp.{HOST}"), ELSEWHERE, T0)
    assert found.references == References(BASE, OWN_NAMES)


def test_at_the_end_of_an_alias_anybody_may_come_by_any_of_its_names() -> None:
    found = senders_to(OTHER, ELSEWHERE, T0)
    assert found.profile is Profile.SMTP
    assert found.references == References(Hostname(OTHER.text), OWN_NAMES)


def test_they_accept_refuse_or_do_neither() -> None:
    """Where no record can be used, nobody is authenticated and nobody refused."""
    found = senders_to(DnsName(f"_25._tcp.{HOST}"), chain(), T0)
    for record, accepted, refused in (
        (tlsa("3 1 1"), True, False),
        (tlsa("3 1 1", key="somebody"), False, True),
        (tlsa("3 1 1")._replace(usage=9), False, False),
    ):
        assert found.accept((record,), chain()) is accepted
        assert found.refuse((record,), chain()) is refused


@pytest.mark.parametrize(
    ("record", "depth"),
    [
        (tlsa("3 1 1"), 0),
        (tlsa("2 0 1"), 1),
        # Only Full holds a key itself: one of whom nothing is presented is above all that is.
        (TlsaRecord(2, 1, MatchingType.FULL, authority("root").spki), 2),
        (tlsa("3 1 1", key="somebody"), None),
    ],
)
def test_what_they_know_a_chain_by_and_how_far_above_the_leaf(
    record: TlsaRecord, depth: int | None
) -> None:
    found = senders_to(DnsName(f"_25._tcp.{HOST}"), chain(), T0).known_by((record,), chain())
    assert found == (None if depth is None else (record, depth))
