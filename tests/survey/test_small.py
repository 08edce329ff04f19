"""A survey of a small internet, one domain to each of its mail hosts, and what is told of it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="danebot[survey] isn't installed")
pytest.importorskip("distributed", reason="danebot[survey] isn't installed")

from danebot.adapters.dns.resolvconf import Nameserver, ResolverConfig
from danebot.domain.addresses import Reach
from danebot.domain.names import DnsName, Hostname
from danebot.survey import engine, exchange, rows
from danebot.survey.dataset import DataSet, Folder, SurveyError
from danebot.survey.plan import KnownNames, SurveyPlan
from danebot.survey.soundness import require_sound, require_sound_now
from lab.namespace import Namespace
from survey import job
from survey.internet import DNS, KINDS, RESOLVER, TEST_NAMES, Internet, domains, expected, groups

pytestmark = [pytest.mark.lab, pytest.mark.once, pytest.mark.usefixtures("internet")]
COUNT = len(groups())
SOUND = KnownNames(*map(DnsName, TEST_NAMES.split(",")))


@pytest.fixture(scope="module")
def surveyed(running_internet: Internet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a survey, whose input stands beside it as ``domains.txt``."""
    at = tmp_path_factory.mktemp("small")
    words = job.run_words(job.listed(at, COUNT), at / "out", "--rows", "200", "--workers", "1")
    with running_internet.inside():
        status, out, err = job.done(at, *words)
    assert (status, err) == (0, "")
    (at / "said").write_text(out)
    return at / "out"


def test_every_kind_of_domain_has_its_verdict(surveyed: Path) -> None:
    assert {kind for _, kind in domains(COUNT)} == set(KINDS)
    assert job.verdicts(surveyed) == expected(COUNT)
    assert len(list((surveyed / "domains").iterdir())) > 2


def test_each_stage_makes_what_the_next_one_needs(tmp_path: Path) -> None:
    """Without a cluster: the same functions one after the other, and twice is as good as once."""
    kinds = {kind: name for name, kind in domains(COUNT)}
    data, plan = DataSet(tmp_path), planned(tmp_path)._replace(interval=timedelta(0))
    inputs = [{"domain": name} for name in kinds.values()]
    data.write(Folder.INPUT, 0, inputs[:9], rows.input_schema())
    data.write(Folder.INPUT, 1, inputs[9:], rows.input_schema())
    for step in engine.STEPS:
        if step.before is not None:
            exchange.exchange(data, step.before, 9, 10)
        made = [step.make(plan, number) for number in data.parts(step.source)]
        assert made == [data_rows(data, step.stage, number) for number in data.parts(step.stage)]
    assert job.verdicts(tmp_path) == Counter(KINDS[kind] for kind in kinds)
    before = list(data.read(Folder.DOMAINS, 0))
    engine.STEPS[-1].make(plan, 0)
    assert list(data.read(Folder.DOMAINS, 0)) == before


def data_rows(data: DataSet, stage: Folder, number: int) -> int:
    return len(list(data.read(stage, number)))


def test_it_tells_what_it_did(surveyed: Path) -> None:
    said = (surveyed.parent / "said").read_text().splitlines()
    assert said[0].startswith("1 workers, watched at http://127.0.0.1:")
    assert said[1:] == [
        "services see us as probe.test: postmaster@probe.test should reach you",
        f"{COUNT} domains surveyed: {surveyed}",
        f"next: danebot survey report {surveyed}",
    ]


def test_what_a_host_presented_is_in_its_row(surveyed: Path) -> None:
    query = """
        SELECT split_part(host, '.', 2) AS kind, list_sort(list(DISTINCT concat_ws(' ', dane,
            look.outcome, look.verdict, length(look.key), length(look.chain), look.issuer)))
        FROM (SELECT host, dane, unnest(looks) AS look FROM hosts)
        WHERE host NOT LIKE '%insecure%' GROUP BY kind
    """
    issuer = "The Authority <b>&co"
    assert dict(job.select(surveyed, query)) == {
        "ok": [f"applies served authenticated 64 2 {issuer}"],
        "anchor": [f"applies served authenticated 64 2 {issuer}"],
        "mismatch": [f"applies served failed 64 2 {issuer}"],
        "named": [f"applies served failed 64 2 {issuer}"],  # it names the domains, not itself
        "expired": [f"applies served failed 64 2 {issuer}"],
        "unusable": [f"applies served unauthenticated_tls 64 2 {issuer}"],
        "silent": ["applies unreachable 0"],
        "nostarttls": ["applies no_starttls 0"],
    }


def test_a_survey_that_reached_nobody_needs_attention(tmp_path: Path) -> None:
    """As from a network that lets nothing out to port 25; a look at its results says so again."""
    source = tmp_path / "domains.txt"
    source.write_text("x0.d0.silent.test\nx0.d1.silent.test\n")
    words = job.run_words(source, tmp_path / "out", "--workers", "1")
    for _ in range(2):
        status, _, err = job.done(tmp_path, *words)
        assert status == 1
        assert err.startswith("danebot: none of 2 IPv4 addresses that were asked presented")


def test_what_is_complete_is_not_done_again(surveyed: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in surveyed.rglob("*.parquet")}
    words = job.run_words(surveyed.parent / "domains.txt", surveyed)
    status, out, err = job.done(tmp_path, *words, "--json-lines", tmp_path / "lines")
    assert (status, err) == (0, "")
    assert "nothing was looked at" in out
    assert {path: path.stat().st_mtime_ns for path in surveyed.rglob("*.parquet")} == before
    lines = (tmp_path / "lines").read_text().splitlines()
    assert sorted(json.loads(one)["domain"] for one in lines) == sorted(
        name for name, _ in domains(COUNT)
    )


def test_what_lost_a_partition_is_not_complete(surveyed: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    shutil.copytree(surveyed, lost)
    next((lost / "hosts").glob("*.parquet")).unlink()
    words = job.run_words(surveyed.parent / "domains.txt", lost)
    status, _, err = job.done(tmp_path, *words)
    assert (status, "lacks some" in err) == (1, True)


def test_another_input_is_refused(surveyed: Path, tmp_path: Path) -> None:
    status, _, err = job.done(tmp_path, *job.run_words("-", surveyed))
    assert (status, "holds a survey of" in err) == (1, True)


def test_its_page_and_what_changed_are_made_of_it(surveyed: Path, tmp_path: Path) -> None:
    status, out, err = job.done(tmp_path, "report", surveyed)
    failing = sum(one.status != "ok" for one in expected(COUNT).elements())
    assert (status, err) == (0, "")
    page, table = out.splitlines()
    assert "<h1>DANE survey" in Path(page).read_text()
    assert table.endswith(f": {failing} domains")
    status, out, err = job.done(tmp_path, "diff", surveyed, surveyed)
    assert (status, err) == (0, "")
    assert out.startswith(f"{COUNT} domains before, {COUNT} now: 0 are new, 0 are gone\nbroke: 0\n")


def test_who_opted_out_is_left_alone(tmp_path: Path) -> None:
    listed = tmp_path / "opt-out"
    listed.write_text("ok.test # asked us to\n127.21.0.0/16\n")
    words = job.run_words("-", tmp_path / "out", "--opt-out", str(listed), "--workers", "1")
    names = "x.d0.ok.test\nx.d0.mismatch.test\nx.d0.anchor.test\nx.d0.anchor.test.\nno name\n"
    status, _, err = job.done(tmp_path, *words, stdin=names)
    assert status == 1  # for the one that is no name
    assert "1 of the input's names are on the opt-out list" in err
    assert "1 of the input's names came more than once" in err
    found = job.select(tmp_path / "out", "SELECT domain, status FROM domains ORDER BY domain")
    assert found == [("x.d0.anchor.test", "ok"), ("x.d0.mismatch.test", "unknown")]


# ---- what it rests on -----------------------------------------------------------------------


def planned(at: Path, tests: KnownNames = SOUND, resolver: str = RESOLVER) -> SurveyPlan:
    config = ResolverConfig((Nameserver(resolver),), timeout=timedelta(seconds=1), attempts=1)
    return SurveyPlan(at, Hostname("probe.test"), config, Reach.ANY, tests)


def named(secure: str, insecure: str, bogus: str) -> KnownNames:
    return KnownNames(DnsName(secure), DnsName(insecure), DnsName(bogus))


def test_a_resolver_that_validates_is_sound_for_a_while(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    require_sound(plan)
    with Namespace([], []).inside():  # where nobody answers
        require_sound(plan)
        with pytest.raises(SurveyError, match="can't be relied on"):
            require_sound_now(plan)


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        (
            named("h0.ok.test", "h1.ok.test", "www.bogus.test"),
            "h1.ok.test ought to be insecure, and is secure",
        ),
        (
            named("h0.ok.test", "h0.insecure.test", "h0.ok.test"),
            "h0.ok.test ought to be bogus, and is secure",
        ),
        (
            named("no.ok.test", "h0.insecure.test", "www.bogus.test"),
            "no.ok.test ought to be secure, and is secure, no such name",
        ),
    ],
)
def test_a_resolver_that_tells_them_not_apart_is_not(
    tmp_path: Path, tests: KnownNames, words: str
) -> None:
    with pytest.raises(SurveyError, match=words):
        require_sound_now(planned(tmp_path, tests))


def test_a_server_of_zones_is_no_resolver_that_validates(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"insecure\.test ought to be insecure, and is secure"):
        require_sound_now(planned(tmp_path, resolver=DNS))


def test_nothing_is_looked_at_where_it_is_not_sound(tmp_path: Path) -> None:
    words = job.run_words(job.listed(tmp_path, 10), tmp_path / "out", "--workers", "1")
    words[words.index(RESOLVER)] = "127.0.0.99"
    status, _, err = job.done(tmp_path, *words)
    assert (status, err.count("\n")) == (1, 1)
    assert "can't be relied on: h0.ok.test ought to be secure" in err
    assert not tmp_path.joinpath("out", "work", "mx").exists()
