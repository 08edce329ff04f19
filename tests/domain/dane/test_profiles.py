"""Which rules a service is judged by: one table for verdicts, the gate and the docs."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from danebot.domain.dane.profiles import Profile, profile_of
from danebot.domain.dane.references import References
from danebot.domain.dane.verdicts import Outcome
from danebot.domain.dane.verify import verify_chain
from danebot.domain.delivery.routes import SERVICE_PROTOCOLS
from danebot.domain.names import Hostname, Protocol, default_protocol
from danebot.domain.rollover.records.adoption import TLSA_PORTS
from domain.dane_world import MX, der, record
from domain.pki import NOW

TEXT = (Path(__file__).parents[3] / "docs" / "dane-standards.md").read_text(encoding="utf-8")
SCHEMA = json.loads(files("danebot").joinpath("schema/verify.schema.json").read_text("utf-8"))
WANTED = {25: Profile.SMTP, 24: Profile.SMTP, 587: Profile.SUBMISSION, 465: Profile.SUBMISSION}
CHAIN = [der("leaf"), der("inter")]


@pytest.mark.parametrize("port", sorted({*TLSA_PORTS, *WANTED, 389, 636, 2525, 8443}))
def test_every_port_has_its_profile(port: int) -> None:
    usual = Profile.SMTP if port == 2525 else Profile.GENERIC
    assert profile_of(port, default_protocol(port)) is WANTED.get(port, usual)


@pytest.mark.parametrize("service", sorted(SERVICE_PROTOCOLS))
def test_what_srv_records_lead_to_is_judged_by_their_own(service: str) -> None:
    for port in (25, 587, 993):
        assert profile_of(port, SERVICE_PROTOCOLS[service], service) is Profile.SRV


@pytest.mark.parametrize("protocol", Protocol)
def test_elsewhere_the_dialogue_tells(protocol: Protocol) -> None:
    mail = protocol in (Protocol.SMTP, Protocol.LMTP)
    assert profile_of(10025, protocol) is (Profile.SMTP if mail else Profile.GENERIC)
    assert profile_of(25, Protocol.TLS) is Profile.GENERIC


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("text", ["0 1 1 inter", "1 1 1 leaf"])
def test_pkix_usages_count_everywhere_but_between_mail_servers(profile: Profile, text: str) -> None:
    def judged(*store: bytes) -> Outcome:
        references = References(Hostname(MX))
        anchors = store or None
        return verify_chain(
            [record(text)], CHAIN, references, NOW, profile, trust_anchors=anchors
        ).outcome

    if profile is Profile.SMTP:
        assert judged() is judged(der("root")) is Outcome.UNAUTHENTICATED_TLS
    else:
        assert judged() is Outcome.NOT_JUDGED
        assert judged(der("root")) is Outcome.AUTHENTICATED
        assert judged(der("other")) is Outcome.FAILED


def test_the_table_of_the_docs_is_the_one_that_decides() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| (RFC \d+)[^|]*\| ([^|]+) \|$", TEXT, re.MULTILINE)
    assert {word for _, word, _, _ in rows} == {profile.value for profile in Profile}
    for services, word, rfc, pkix in rows:
        profile = Profile(word)
        assert profile.words.startswith(rfc)
        assert pkix.startswith("unusable") is (profile is Profile.SMTP)
        assert word in SCHEMA["$defs"]["Host"]["properties"]["profile"]["enum"]
        for port in map(int, re.findall(r"\b\d+\b", services)):
            assert profile_of(port, default_protocol(port)) is profile, port
