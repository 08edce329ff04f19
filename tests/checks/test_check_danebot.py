"""check_danebot: what each concern makes of each situation, and of documents that don't fit."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checking import Told
from danebot.domain.finding import Code
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.evidence.propagation import Seen
from danebot.domain.status.document import EVERYWHERE, MISSING, LineageStatus, Snapshot
from danebot.domain.status.overdue import EXPIRY_CRITICAL, EXPIRY_WARNING
from danebot_checks.lineages import outcome
from danebot_checks.lineages_options import CONCERNS
from exporter import sample
from exporter.running import ROOT
from exporter.sample import DAY, HOUR

NAME = "mail.example.test"
Plugin = Callable[..., Told]
OTHERS: tuple[object, ...] = ({}, ["x\n|y=1"], 3, None)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples are of now: the plugin's clock is the machine's."""
    monkeypatch.setattr(sample, "NOW", datetime.now(UTC))


@pytest.fixture
def status(tmp_path: Path) -> Path:
    return tmp_path / "status.json"


@pytest.fixture
def plugin(capsys: pytest.CaptureFixture[str], status: Path) -> Plugin:
    """The plugin, run in this process on the test's document."""

    def run(*words: str) -> Told:
        try:
            code = outcome([*words, "--snapshot", str(status)])
        except SystemExit as ended:  # after --help and --version
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert err == ""
        told = Told(code, out)
        told.sound("DANEBOT")
        return told

    return run


def document(*lineages: LineageStatus, **changes: Any) -> Snapshot:  # noqa: ANN401 - any field
    """Written an hour ago by a run that found nothing."""
    base = sample.snapshot(lineages)
    run = base.run._replace(exit_status=0)
    fine = base._replace(run=run, last_renew=run, last_success=run.ended)
    return fine._replace(**changes)


def states(plugin: Plugin, *words: str) -> dict[str, str]:
    """Each concern's state."""
    return {concern: plugin(concern, *words).state for concern in CONCERNS}


def fine(**others: str) -> dict[str, str]:
    """Every concern is OK but these."""
    return dict.fromkeys(CONCERNS, "OK") | others


# ---- situations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maker", "wanted"),
    [
        (sample.lineage, fine()),
        (sample.cooling, fine()),
        (sample.staged, fine(rollover="WARNING")),
        (sample.mismatch, fine(tlsa="CRITICAL")),
        (sample.deployed, fine(rollover="WARNING")),
        (sample.expiring, fine(expiry="WARNING")),
        (sample.passed, fine(tlsa="UNKNOWN")),
        (sample.broken, {**fine(), "renewal": "CRITICAL", "tlsa": "CRITICAL", "expiry": "UNKNOWN"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_situation_is_told_by_its_concern(
    maker: Callable[[str], LineageStatus], wanted: dict[str, str], status: Path, plugin: Plugin
) -> None:
    sample.write(status, document(maker(NAME)))
    assert states(plugin) == wanted


def test_the_worst_is_told_first_and_the_rest_counted(status: Path, plugin: Plugin) -> None:
    lineages = (
        sample.deployed("b.example"),
        sample.mismatch("a.example"),
        sample.staged("c.example"),
    )
    sample.write(status, document(*lineages))
    told = plugin("tlsa", "-v")
    assert "CRITICAL - tlsa: a.example: no TLSA record at" in told.lines[0]
    assert any("add now: _25._tcp.a.example" in line for line in told.lines[1:])
    assert "(and 1 more problem)" in plugin("rollover").lines[0]


def test_one_lineage_of_several(status: Path, plugin: Plugin) -> None:
    sample.write(status, document(sample.mismatch("a.example"), sample.lineage("b.example")))
    assert plugin("tlsa", "-l", "b.example").state == "OK"
    assert plugin("tlsa", "-l", "a.example").state == "CRITICAL"
    assert plugin("tlsa", "-l", "a.example", "-l", "b.example").state == "CRITICAL"
    told = plugin("tlsa", "-l", "b.example", "-l", "c.example")
    assert told.state == "UNKNOWN"
    assert "c.example: no such lineage" in told.text


def test_what_is_unknown_does_not_hide_what_is_wrong(status: Path, plugin: Plugin) -> None:
    sample.write(status, document(sample.mismatch("a.example")))
    assert plugin("tlsa", "-l", "a.example", "-l", "elsewhere").state == "CRITICAL"


def test_nothing_to_look_at_is_not_fine(status: Path, plugin: Plugin) -> None:
    sample.write(status, document())
    assert states(plugin) == dict.fromkeys(CONCERNS, "UNKNOWN")


def test_a_key_in_the_files_that_nobody_awaits(status: Path, plugin: Plugin) -> None:
    stranger = sample.certificate(NAME, seed="somebody else's")
    sample.write(status, document(sample.lineage(NAME)._replace(staged=stranger)))
    told = plugin("tlsa")
    assert told.state == "WARNING"
    assert "the waiting certificate holds the key" in told.text


def test_a_record_that_was_not_seen_is_no_evidence(status: Path, plugin: Plugin) -> None:
    base = sample.lineage(NAME)
    unseen = base.records[0]._replace(seen="unknown")
    sample.write(status, document(base._replace(records=(unseen,))))
    assert plugin("tlsa").state == "UNKNOWN"


def test_a_finding_of_the_run_that_names_no_lineage(status: Path, plugin: Plugin) -> None:
    found = sample.finding("", "renewal-failed", "warning", "certbot renew failed: no route")
    sample.write(status, document(sample.lineage(NAME), findings=(found,)))
    assert states(plugin) == fine(renewal="WARNING")
    assert plugin("renewal", "-l", NAME).state == "WARNING"


def test_a_code_or_a_severity_of_a_later_version_is_not_lost(status: Path, plugin: Plugin) -> None:
    found = sample.finding(NAME, "later-code", "dire", "something new")
    sample.write(status, document(sample.lineage(NAME), findings=(found,)))
    told = plugin("renewal")
    assert (told.state, "something new" in told.text) == ("CRITICAL", True)


# ---- time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "renewal", "others"),
    [
        (timedelta(hours=50), "OK", "OK"),
        (3 * DAY, "CRITICAL", "UNKNOWN"),
        (-timedelta(minutes=4), "OK", "OK"),  # two hosts' clocks
        (-timedelta(minutes=6), "UNKNOWN", "UNKNOWN"),
        (-30 * DAY, "UNKNOWN", "UNKNOWN"),
    ],
)
def test_the_age_of_the_document(
    age: timedelta, renewal: str, others: str, status: Path, plugin: Plugin
) -> None:
    at = datetime.now(UTC) - age
    base = document(sample.lineage(NAME))
    run = base.run._replace(started=at - HOUR, ended=at)
    sample.write(status, base._replace(run=run, last_renew=run, last_success=at))
    assert states(plugin) == dict.fromkeys(CONCERNS, others) | {"renewal": renewal}


def test_an_age_of_ones_own_choice(status: Path, plugin: Plugin) -> None:
    sample.write(status, document(sample.lineage(NAME)))
    assert plugin("tlsa", "--max-age", "0.01").state == "UNKNOWN"


@pytest.mark.parametrize(
    ("days", "words", "state"),
    [
        (2, (), "OK"),
        (3, (), "WARNING"),
        (8, (), "CRITICAL"),
        (8, ("-w", "~:9", "-c", "~:10"), "OK"),
        (3, ("-c", "~:2"), "CRITICAL"),
    ],
)
def test_days_without_a_success(
    days: int, words: tuple[str, ...], state: str, status: Path, plugin: Plugin
) -> None:
    """danebot runs, and finds trouble each time."""
    base = document(sample.lineage(NAME), last_success=datetime.now(UTC) - days * DAY)
    renew = base.run._replace(exit_status=1)
    sample.write(status, base._replace(run=renew, last_renew=renew))
    told = plugin("renewal", *words)
    assert told.state == state
    assert told.data["success_days"].startswith(f"{days}")


def test_other_verbs_write_the_document_but_renew_does_not_run(
    status: Path, plugin: Plugin
) -> None:
    base = document(sample.lineage(NAME))
    old = base.run._replace(ended=base.run.ended - 4 * DAY)
    sample.write(status, base._replace(last_renew=old, last_success=old.ended))
    told = plugin("renewal")
    assert told.state == "CRITICAL"
    assert "danebot renew ran 4 d" in told.text


def test_renew_has_not_run_yet(status: Path, plugin: Plugin) -> None:
    sample.write(status, document(sample.lineage(NAME), last_renew=None, last_success=None))
    assert states(plugin) == fine(renewal="WARNING")


@pytest.mark.parametrize(
    ("left", "words", "state"),
    [
        (30, (), "OK"),
        (17, (), "WARNING"),
        (8, (), "CRITICAL"),
        (-1, (), "CRITICAL"),
        (30, ("-w", "31:"), "WARNING"),
        (17, ("-w", "10:", "-c", "5:"), "OK"),
        (4, ("-c", "5:"), "CRITICAL"),
    ],
)
def test_days_until_a_certificate_of_ninety_ends(
    left: int, words: tuple[str, ...], state: str, status: Path, plugin: Plugin
) -> None:
    """Judged by the clock of now: the document says nothing of it."""
    live = sample.certificate(NAME, age=(90 - left) * DAY)
    sample.write(status, document(sample.lineage(NAME)._replace(live=live, staged=live)))
    assert plugin("expiry", *words).state == state


@pytest.mark.parametrize(
    ("words", "state"),
    [(("--staged", "~:8"), "WARNING"), (("--staged", "~:10"), "OK"), ((), "WARNING")],
)
def test_days_that_a_key_may_wait(
    words: tuple[str, ...], state: str, status: Path, plugin: Plugin
) -> None:
    """Nine; danebot itself found that too long, unless a range says otherwise."""
    sample.write(status, document(sample.staged(NAME)))
    assert plugin("rollover", *words).state == state


def test_an_old_key_as_a_policy(status: Path, plugin: Plugin) -> None:
    old = sample.lineage(NAME)._replace(key_since=datetime.now(UTC) - 400 * DAY)
    sample.write(status, document(old))
    assert plugin("rollover").state == "OK"
    told = plugin("rollover", "--key-age", "~:365")
    assert (told.state, "the current key is 400 d" in told.text) == ("WARNING", True)


# ---- documents that are none ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "renewal"),
    [
        ("", "CRITICAL"),
        ('{"schema": 1', "CRITICAL"),
        ("[" * 100_000, "CRITICAL"),
        ('{"schema": 1}', "CRITICAL"),
        ('{"schema": 1, "run": {"ended": "yesterday"}, "lineages": []}', "CRITICAL"),
        ('{"schema": 1, "run": {"ended": "2026-01-01T00:00:00"}}', "CRITICAL"),
        ('{"schema": 2}', "UNKNOWN"),
        ('{"schema": "1"}', "UNKNOWN"),
        ('{"schema": true}', "UNKNOWN"),
        ("[]", "CRITICAL"),
        ("null", "CRITICAL"),
        ('{"other": "program"}', "UNKNOWN"),
    ],
)
def test_what_is_no_document(text: str, renewal: str, status: Path, plugin: Plugin) -> None:
    status.write_text(text)
    assert states(plugin) == dict.fromkeys(CONCERNS, "UNKNOWN") | {"renewal": renewal}


def test_no_file(plugin: Plugin) -> None:
    assert states(plugin) == dict.fromkeys(CONCERNS, "UNKNOWN") | {"renewal": "CRITICAL"}


def test_a_directory_a_pipe_and_a_device(status: Path, plugin: Plugin) -> None:
    status.mkdir()
    assert plugin("renewal").state == "UNKNOWN"
    status.rmdir()
    os.mkfifo(status)
    assert plugin("renewal").state == "UNKNOWN"
    status.unlink()
    status.symlink_to("/dev/zero")
    assert plugin("renewal").state == "UNKNOWN"


def test_any_member_that_does_not_fit(status: Path, plugin: Plugin) -> None:
    """Every value of a document, replaced by what it can't be: one sound result all the same."""
    sample.write(status, document(sample.cooling(NAME), sample.deployed("b.example")))
    whole = json.loads(status.read_text())
    for path in places(whole):
        for other in OTHERS:
            changed = json.loads(json.dumps(whole))
            at = changed
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = other
            status.write_text(json.dumps(changed))
            for concern in CONCERNS:
                assert "internal error" not in plugin(concern, "-vv").text, (path, other)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value stands."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value[:1]):
            yield from places(member, (*path, index))


@pytest.mark.parametrize("words", [(), ("-v",), ("-vv",)])
def test_hostile_words_forge_nothing(words: tuple[str, ...], status: Path, plugin: Plugin) -> None:
    hostile = [*sample.HOSTILE, "x | forged=1\\nDANEBOT OK - fine"]
    lineages = [sample.deployed(NAME)._replace(name=name) for name in hostile]
    found = [sample.finding(name, "tlsa-mismatch", "critical", name, name) for name in hostile]
    sample.write(status, document(*lineages, findings=tuple(found)))
    for concern in CONCERNS:
        told = plugin(concern, *words)  # which looks whether it is sound
        assert "forged" not in told.data
    assert plugin("tlsa").state == "CRITICAL"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("tlsa", "-w", "5"),
        ("renewal", "--recheck"),
        ("expiry", "-w", "x"),
        ("expiry", "-w", ""),
        ("renewal", "-c", ""),
        ("rollover", "--due", ""),
        ("rollover", "--staged", "1_0:"),
        ("tlsa", "--timeout", "0"),
        ("tlsa", "--max-age", "nan"),
        ("tlsa", "--max-age", "inf"),
        ("tlsa", "--recheck", "--resolver", "nowhere"),
    ],
)
def test_usage_errors_are_unknown_in_one_line(
    words: tuple[str, ...], status: Path, plugin: Plugin
) -> None:
    sample.write(status, document(sample.lineage(NAME)))
    told = plugin(*words)
    assert (told.state, len(told.lines)) == ("UNKNOWN", 1)
    assert "internal error" not in told.text


@pytest.mark.parametrize(
    ("left", "soon", "state"),
    [
        (14, (None, None), "WARNING"),
        (14, (9 * DAY, 4 * DAY), "OK"),
        (8, (9 * DAY, 4 * DAY), "WARNING"),
        (3, (9 * DAY, 4 * DAY), "CRITICAL"),
        (40, (45 * DAY, 20 * DAY), "WARNING"),
        (14, (45 * DAY, 20 * DAY), "CRITICAL"),
    ],
)
def test_the_settings_say_what_soon_is(
    left: int,
    soon: tuple[timedelta | None, timedelta | None],
    state: str,
    status: Path,
    plugin: Plugin,
) -> None:
    """``expiry_warning`` and ``expiry_critical`` of danebot.toml, for a live certificate."""
    live = sample.certificate(NAME, age=(90 - left) * DAY)
    lineage = sample.lineage(NAME)._replace(
        live=live, staged=live, expiry_warning=soon[0], expiry_critical=soon[1]
    )
    sample.write(status, document(lineage))
    assert plugin("expiry").state == state
    assert plugin("expiry", "-w", "1:").state == "OK"


def test_a_success_in_the_future_is_none(status: Path, plugin: Plugin) -> None:
    """The clock jumped ahead during a run, and renewals may fail unseen ever since."""
    base = document(sample.lineage(NAME))
    sample.write(status, base._replace(last_success=sample.NOW + 300 * DAY))
    told = plugin("renewal")
    assert told.state == "WARNING"
    assert "in the future" in told.lines[0]


def moments(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document, as JSON, has a time."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from moments(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from moments(inner, (*path, number))
    elif isinstance(value, str) and _MOMENT.match(value):
        yield path


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
_FAR = ("9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00")


@pytest.mark.parametrize("far", _FAR)
def test_times_out_of_this_world(far: str, status: Path, plugin: Plugin) -> None:
    """A clock that was never set, or a document that somebody wrote."""
    sample.write(status, document(sample.staged(NAME), sample.cooling("b.example")))
    before = json.loads(status.read_text())
    everywhere = [*moments(before)]
    assert len(everywhere) > 15
    for *way, last in everywhere:
        found = copy.deepcopy(before)
        inner = found
        for step in way:
            inner = inner[step]
        inner[last] = far
        status.write_text(json.dumps(found))
        for concern in CONCERNS:
            told = plugin(concern)
            told.sound("DANEBOT")
            assert "internal error" not in told.text, (way, last)


@pytest.mark.parametrize(("words", "state"), [(("-w", "20"), "WARNING"), (("-w", "10"), "OK")])
def test_a_plain_number_of_days_means_fewer(
    words: tuple[str, ...], state: str, status: Path, plugin: Plugin
) -> None:
    live = sample.certificate(NAME, age=73 * DAY)
    sample.write(status, document(sample.lineage(NAME)._replace(live=live, staged=live)))
    told = plugin("expiry", *words, "-c", "5")
    assert told.state == state
    assert f";{words[1]}:;5:" in told.data["certificate_days"]


# ---- what must agree with danebot ------------------------------------------------------------


def test_every_code_has_a_concern() -> None:
    assert {code.concern.value for code in Code} == set(CONCERNS)


def test_what_is_seen_is_said_in_the_same_words() -> None:
    assert (Seen.EVERYWHERE.value, Seen.MISSING.value) == (EVERYWHERE, MISSING)


def test_certificates_expire_soon_when_danebot_says_so() -> None:
    usual = Policy()
    assert (usual.expiry_warning, usual.expiry_critical) == (EXPIRY_WARNING, EXPIRY_CRITICAL)


def test_nothing_heavy_is_imported(status: Path) -> None:
    """Every minute, for every concern: see the benchmark."""
    sample.write(status, document(sample.lineage(NAME)))
    heavy = {
        "dataclasses",
        "inspect",
        "cryptography",
        "asyncio",
        "ssl",
        "click",
        "danebot.domain.names",
    }
    code = (
        "import sys; from danebot_checks.lineages import outcome; status = outcome(); "
        f"print(*sorted({heavy!r} & set(sys.modules)), sep='\\n'); sys.exit(status)"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}  # it imports, too
    for concern in CONCERNS:
        command = [sys.executable, "-c", code, concern, "-s", str(status)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=ROOT / "checks", env=env
        )
        assert done.stdout.splitlines()[1:] == [""], done.stdout


# ---- what nobody watches is not fine ---------------------------------------------------------

LEFT: dict[str, Any] = {"management": "pass-through", "phase": "pass-through", "records": ()}


def test_what_is_left_to_certbot_is_nothing_that_was_seen(plugin: Plugin, status: Path) -> None:
    free = sample.lineage("www.example.test")._replace(**LEFT)
    sample.write(status, document(free, free._replace(name="web.example.test")))
    assert states(plugin) == fine(tlsa="UNKNOWN")
    told = plugin("tlsa", "-v").text
    assert "all 2 lineages are left to certbot, so no TLSA record is watched" in told
    assert "danebot init LINEAGE; or say that there is none: danebot init --no-dane" in told


def test_what_is_left_to_certbot_beside_others_is_said(plugin: Plugin, status: Path) -> None:
    free = sample.lineage("www.example.test")._replace(**LEFT)
    sample.write(status, document(sample.lineage(NAME), free))
    told = plugin("tlsa")
    assert told.state == "OK"
    assert "of 1 lineage seen everywhere; 1 is left to certbot" in told.text
    told = plugin("tlsa", "-l", NAME, "-l", "www.example.test")
    assert told.state == "UNKNOWN"
    assert "www.example.test: left to certbot, so no TLSA record is watched" in told.text


def test_a_lineage_that_has_no_records_by_the_operator_s_word_is_fine(
    plugin: Plugin, status: Path
) -> None:
    sample.write(status, document(sample.lineage(NAME)._replace(records=())))
    assert plugin("tlsa").state == "OK"
