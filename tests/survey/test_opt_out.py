"""Who asked to be left out is, by whatever name or address they are reached, and from then on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.adapters.dns.resolvconf import ResolverConfig
from danebot.console import Console
from danebot.domain.addresses import Reach
from danebot.domain.delivery.routes import Dane, HostRoute
from danebot.domain.dns.answers import Alias, Answer, Presence, Security
from danebot.domain.names import DnsName, Hostname
from danebot.errors import ConfigError
from danebot.survey import exchange, rows, stages
from danebot.survey.dataset import DataSet, Folder, SurveyState
from danebot.survey.plan import OptOut, SurveyPlan, parse_opt_out
from danebot.verbs import survey as verb

WHEN = datetime(2026, 11, 30, tzinfo=UTC)


def plan_of(directory: Path, opt_out: str = "") -> SurveyPlan:
    return SurveyPlan(
        directory,
        Hostname("probe.test"),
        ResolverConfig(),
        Reach.ANY,
        opt_out=parse_opt_out(opt_out),
        interval=timedelta(0),
    )


def looked(data: DataSet, plan: SurveyPlan) -> list[str]:
    """Hosts that were asked in a partition of three; nobody listens there."""
    found: list[dict[str, Any]] = [
        {"place": address, "address": address, "host": host, "sni": host, "names": [host, alias]}
        for address, host, alias in (
            ("127.0.99.1", "a.test", "x.elsewhere.test"),
            ("127.0.99.2", "b.test", "b.test"),
            ("127.0.99.3", "c.test", "c.test"),
        )
    ]
    everything = {
        "place": "string",
        "address": "string",
        "host": "string",
        "sni": "string",
    }
    import pyarrow as pa

    columns = [(name, pa.string()) for name in everything]
    schema = pa.schema([*columns, ("names", pa.list_(pa.string()))])
    data.write(Folder.WANTED_LOOKS, 0, found, schema)
    stages.look_at_services(plan, 0)
    return sorted(row["host"] for row in data.read(Folder.LOOKS, 0))


def test_a_list_that_grew_before_a_resume_counts(tmp_path: Path) -> None:
    assert looked(DataSet(tmp_path), plan_of(tmp_path)) == ["a.test", "b.test", "c.test"]
    plan = plan_of(tmp_path, "elsewhere.test\n127.0.99.2\n")
    assert looked(DataSet(tmp_path), plan) == ["c.test"]


@pytest.mark.parametrize("source", [Folder.INPUT, Folder.SORTED])
def test_a_domain_that_opted_out_later_has_no_row(
    tmp_path: Path, source: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "require_sound", lambda _: None)  # there is no resolver
    monkeypatch.setattr(stages, "require_sound_now", lambda _: None)
    data, plan = DataSet(tmp_path), plan_of(tmp_path, "out.test\n")
    row = {"domain": "a.out.test", "answer": "{}", "hosts": [], "looked": WHEN}
    if source is Folder.INPUT:
        data.write(source, 0, [{"domain": "a.out.test"}], rows.input_schema())
        assert stages.look_up_mx(plan, 0) == 0
    else:
        data.write(source, 0, [row], rows.mx_schema())
        assert stages.judge_domains(plan, 0) == 0


def test_a_list_that_is_forgotten_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, console = DataSet(tmp_path), Console(None, None, 0, quiet=False)
    before = plan_of(tmp_path, "out.test\n")
    state = SurveyState(("a",), input_complete=True, settings=before.settings)
    with pytest.raises(ConfigError, match="was begun with --opt-out"):
        verb._same_settings(console, data, plan_of(tmp_path), state)
    more = plan_of(tmp_path, "out.test\nb.test\n")._replace(looks=7)
    state = verb._same_settings(console, data, more, state)
    assert "another --looks, --opt-out than before" in capsys.readouterr().err
    assert data.state() == state
    assert state.settings == more.settings


def test_every_alias_is_a_name_of_the_host() -> None:
    def answer(*aliases: tuple[str, str]) -> Answer[Any]:
        found = (Alias(DnsName(a), DnsName(b), timedelta(1)) for a, b in aliases)
        name = DnsName("mx.test")
        return Answer(name, Security.SECURE, Presence.PRESENT, name, aliases=tuple(found))

    four, six = answer(("mx.test", "a.out.test"), ("a.out.test", "b.test")), answer()
    route = HostRoute(Hostname("mx.test"), 25, Dane.APPLIES, four, six)
    assert stages._names(route) == ["a.out.test", "b.test", "mx.test"]


@pytest.mark.parametrize("way", ["192.0.2.7", "::ffff:192.0.2.7", "64:ff9b::c000:207"])
def test_an_address_is_itself_in_ipv6_too(way: str) -> None:
    assert parse_opt_out("192.0.2.0/24\n").has_address(way)
    assert parse_opt_out(f"{way}\n").has_address("192.0.2.7")
    assert parse_opt_out(f"{way}\n").has_address(way)
    assert not OptOut(networks=("192.0.3.0/24",)).has_address(way)


def test_one_place_has_one_pace(tmp_path: Path) -> None:
    data = DataSet(tmp_path)
    ways = ["192.0.2.7", "::ffff:192.0.2.7", "64:ff9b::c000:207"]
    found = [
        {
            "host": f"h{number}.test",
            "route": "",
            "sni": "",
            "names": [],
            "addresses": [way],
            "places": ["192.0.2.7"],
            "looked": WHEN,
        }
        for number, way in enumerate(ways)
    ]
    data.write(Folder.ROUTES, 0, found, rows.route_schema())
    exchange.exchange(data, Folder.WANTED_LOOKS, 1, 2)
    assert data.parts(Folder.WANTED_LOOKS) == [0]
    assert [row["address"] for row in data.read(Folder.WANTED_LOOKS, 0)] == ways[:2]


@pytest.mark.parametrize("line", ["192.0.2.1-192.0.2.9", "AS64500", "test", "192.0.2.*"])
def test_a_line_that_says_nothing_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="line 2: "):
        parse_opt_out(f"a.test\n{line}\n")
