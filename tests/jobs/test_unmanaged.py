"""Lookups for lineages that danebot doesn't manage: few, and silence is no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot.config import Settings
from danebot.domain.dns.answers import Presence, Security, TlsaAnswer
from danebot.domain.dns.tlsa import MatchingType, Required
from danebot.domain.finding import Code, Severity
from danebot.domain.kinds import FindingKind
from danebot.domain.names import DnsName
from danebot.jobs.context import Context
from danebot.jobs.overview import look_over
from danebot.jobs.unmanaged import FILE, Unmanaged, with_next_renewals
from danebot.jobs.view import LineageView
from domain.builders import DAY, HOUR

ABOVE = DnsName.parse(f"_tcp.{NAME}")
OWNER = DnsName.parse(f"_25._tcp.{NAME}")


class Resolver:
    """Says what it is told, and counts: the lab's resolver can't be silent for one name alone."""

    def __init__(self) -> None:
        self.asked: list[DnsName] = []
        self.records: dict[DnsName, TlsaAnswer] = {}
        self.usual = (Security.SECURE, Presence.NXDOMAIN)

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        self.asked += owners
        return {owner: self.records.get(owner) or self.said(owner) for owner in owners}

    def said(self, owner: DnsName) -> TlsaAnswer:
        security, presence = self.usual
        return TlsaAnswer(owner, security, presence, owner)

    def publish(self, digest_of: bytes) -> None:
        record = Required(MatchingType.SHA2_256, OWNER).record(digest_of)
        self.records[ABOVE] = TlsaAnswer(ABOVE, Security.SECURE, Presence.NODATA, ABOVE)
        self.records[OWNER] = TlsaAnswer(
            OWNER, Security.SECURE, Presence.PRESENT, OWNER, records=(record,), ttl=HOUR
        )


class World:
    def __init__(self, root: Path) -> None:
        self.grown: Grown = trees.issued(root / "tree")
        self.resolver = Resolver()
        self.now = trees.now()
        self.settings = Settings(snapshot=root / "state" / "status.json")
        self.known = Unmanaged(self.settings.state_directory)

    def clock(self) -> datetime:
        return self.now

    @property
    def context(self) -> Context:
        return Context(
            self.grown.tree,
            self.settings,
            self.resolver,  # type: ignore[arg-type] # nothing else is asked
            self.resolver,  # type: ignore[arg-type]
            clock=self.clock,
        )

    def look(self) -> LineageView:
        """As a run of `renew` does."""
        context = self.context
        bare = [v._replace(findings=()) for v in look_over(context, [NAME]).views]
        self.resolver.asked.clear()
        self.known = Unmanaged(self.settings.state_directory)
        (view,) = with_next_renewals(context, bare, self.known)
        self.known.keep([NAME])
        return view


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def codes(view: LineageView) -> list[FindingKind]:
    return [finding.code for finding in view.findings]


def test_one_look_a_day_is_enough_where_nothing_is_published(world: World) -> None:
    assert codes(world.look()) == []
    assert world.resolver.asked == [ABOVE]
    world.now += HOUR
    world.look()
    assert world.resolver.asked == []
    world.now += DAY
    world.look()
    assert world.resolver.asked == [ABOVE]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        *[(line, True) for line in ("reuse-key", "reuse-key: true", "reuse-key true")],
        *[(line, True) for line in ("reuse-key = on", "reuse-key = True  # keep", "reuse-key=1")],
        *[(line, False) for line in ("reuse_key = true", "reuse-key = no", "# reuse-key", "")],
    ],
)
def test_certbots_own_settings_keep_a_key_however_written(
    world: World, line: str, *, kept: bool
) -> None:
    (world.grown.root / "cli.ini").write_text(f"{line}\n")
    world.resolver.publish(trees.public("one").spki)
    assert codes(world.look()) == ([] if kept else [Code.BREAKS_AT_RENEWAL])


@pytest.mark.parametrize("presence", [Presence.NODATA, Presence.NXDOMAIN])
def test_where_nothing_is_secure_no_sender_looks(world: World, presence: Presence) -> None:
    world.resolver.usual = (Security.INSECURE, presence)
    assert codes(world.look()) == []
    assert world.resolver.asked == [ABOVE]


def test_records_are_found_and_watched(world: World) -> None:
    world.resolver.publish(trees.public("one").spki)
    assert codes(world.look()) == [Code.BREAKS_AT_RENEWAL]
    assert len(world.resolver.asked) == 17
    world.now += HOUR
    assert codes(world.look()) == [Code.BREAKS_AT_RENEWAL]
    assert world.resolver.asked == [OWNER]


def test_reuse_key_keeps_them_good(world: World) -> None:
    world.grown.conf("live", "reuse_key = True")
    world.resolver.publish(trees.public("one").spki)
    assert codes(world.look()) == []


def test_a_configuration_that_certbot_refuses_stops_no_other_lineage(world: World) -> None:
    world.resolver.publish(trees.public("one").spki)
    conf = world.grown.paths.conf
    text = conf.read_text()
    conf.with_name("other.example.test.conf").write_text(text)
    with conf.open("a") as file:
        file.write("key_type = rsa\n")
    found = look_over(world.context, world.context.tree.names())
    assert [view.state.name for view in found.views] == [NAME, "other.example.test"]
    (told,) = [f for f in found.views[0].findings if f.severity >= Severity.WARNING]
    assert told.code is Code.FILES_BROKEN
    assert f"{conf}: line " in told.text
    assert "gives key_type once more; certbot can't read it either" in told.text
    assert all(str(conf) not in f.text for f in found.views[1].findings)


def test_silence_is_no_absence(world: World) -> None:
    """What was found stays known, and what wasn't is looked for again at the next run."""
    world.resolver.publish(trees.public("one").spki)
    world.look()
    world.resolver.records.clear()
    world.resolver.usual = (Security.INDETERMINATE, Presence.UNKNOWN)
    world.now += 2 * DAY
    assert codes(world.look()) == [Code.BREAKS_AT_RENEWAL]
    world.now += timedelta(minutes=1)
    world.look()
    assert ABOVE in world.resolver.asked


def test_a_renewal_with_a_new_key_is_critical(world: World) -> None:
    world.resolver.publish(trees.public("one").spki)
    world.look()
    world.grown.version(2, "two")
    world.grown.link(world.grown.paths.live, 2)
    world.now += HOUR
    assert codes(world.look()) == [Code.TLSA_MISMATCH]


@pytest.mark.parametrize("later", [HOUR, 2 * DAY])
def test_an_insecure_look_is_no_proof_that_nothing_is_relied_on(
    world: World, later: timedelta
) -> None:
    """The resolver stops validating for a while, in which certbot renews with another key."""
    world.resolver.publish(trees.public("one").spki)
    world.look()
    secure = dict(world.resolver.records)
    for owner, answer in secure.items():
        world.resolver.records[owner] = answer._replace(security=Security.INSECURE)
    world.resolver.usual = (Security.INSECURE, Presence.NXDOMAIN)
    world.grown.version(2, "two")
    world.grown.link(world.grown.paths.live, 2)
    world.now += later
    assert codes(world.look()) == []  # no sender uses what isn't secure
    world.resolver.records = secure
    world.resolver.usual = (Security.SECURE, Presence.NXDOMAIN)
    world.now += HOUR
    assert codes(world.look()) == [Code.TLSA_MISMATCH]


def test_a_secure_denial_is_one(world: World) -> None:
    world.resolver.publish(trees.public("one").spki)
    world.look()
    published = dict(world.resolver.records)
    world.resolver.records.clear()
    world.now += 2 * DAY
    world.look()
    world.grown.version(2, "two")
    world.grown.link(world.grown.paths.live, 2)
    world.resolver.records = published
    world.now += 2 * DAY
    assert codes(world.look()) == []  # it may be somebody else's


def test_a_damaged_file_costs_lookups_alone(world: World) -> None:
    world.look()
    (world.settings.state_directory / FILE).write_text("{")
    assert codes(world.look()) == []
    assert world.resolver.asked == [ABOVE]
