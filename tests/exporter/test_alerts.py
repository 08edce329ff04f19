"""What alerts do over hours and weeks, on promtool: gaps, restarts, clocks, and every finding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain, repeat
from pathlib import Path

import pytest

from amounts import amount
from danebot.domain.delivery.judgements import GRADES
from danebot.domain.finding import DELIVERY_SEVERITIES, Code, Severity
from exporter.test_prometheus import RULES, tool

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

GROUPS = re.findall(r"^  - name: (\S+)$", RULES.read_text(encoding="utf-8"), re.MULTILINE)
STEP = 4  # minutes between samples, and between evaluations
HOUR = 60 // STEP
DAY = 24 * HOUR
GONE = "stale"  # what Prometheus writes when a scrape fails, or lacks a series
NONE = "_"

MX = 'instance="mx", job="danebot"'
UP = f"up{{{MX}}}"
READABLE = f"danebot_snapshot_readable{{{MX}}}"
WATCHED = f"danebot_endpoint_watched{{{MX}}}"
ROUND = f"danebot_endpoint_round_timestamp_seconds{{{MX}}}"
RENEWED = f"danebot_renew_end_timestamp_seconds{{{MX}}}"
OF_M = f'{MX}, lineage="m"'
ENDPOINT = f'{OF_M}, endpoint="m:25"'
LOOKED = f"danebot_endpoint_probe_timestamp_seconds{{{ENDPOINT}}}"
MISMATCH = f'danebot_endpoint_addresses{{{ENDPOINT}, result="mismatch"}}'
PROBE = 'instance="example.com", job="danebot-probe"'

Values = Iterable[int | str]


def finding(code: str, severity: str, lineage: str = "m") -> str:
    """The series of a finding about a lineage."""
    labels = f'{MX}, lineage="{lineage}", code="{code}", severity="{severity}"'
    return f"danebot_lineage_finding{{{labels}}}"


def grade(word: str) -> str:
    """The series of an endpoint's grade."""
    return f'danebot_endpoint_grade{{{ENDPOINT}, grade="{word}"}}'


def live(not_before: Values, not_after: Values, lineage: str = "m") -> dict[str, Values]:
    """The series of a live certificate."""
    labels = f'{{{MX}, lineage="{lineage}", place="live"}}'
    return {
        f"danebot_certificate_not_before_timestamp_seconds{labels}": not_before,
        f"danebot_certificate_not_after_timestamp_seconds{labels}": not_after,
    }


def cycle(count: int, *values: int | str) -> list[int | str]:
    return list(chain.from_iterable(repeat(values, count)))


def now(steps: int, offset: int = 0) -> list[int]:
    """Timestamps that are always of now, plus ``offset`` seconds."""
    return [step * STEP * 60 + offset for step in range(steps)]


class Promtool:
    """Series, and what is true of them when."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "cases.json"

    def says(self, series: dict[str, Values], *told: tuple[float, set[str]], by: str = "") -> None:
        """Which alerts fire after so many hours: ``NAME``, or ``NAME LABEL`` ``by`` a label."""
        checks: list[dict[str, object]] = []
        for hours, names in told:
            labels = [name.split(" ") for name in sorted(names)]
            samples = [
                {
                    "labels": f'{{alertname="{one[0]}"' + (f', {by}="{one[1]}"}}' if by else "}"),
                    "value": 1,
                }
                for one in labels
            ]
            wanted = f"group by (alertname{', ' + by if by else ''})"
            checks.append(
                {
                    "expr": f'{wanted} (ALERTS{{alertstate="firing"}})',
                    "eval_time": f"{round(hours * 60)}m",
                    "exp_samples": samples,
                }
            )
        self.answers(series, checks)

    def answers(self, series: dict[str, Values], checks: list[dict[str, object]]) -> None:
        """Put questions about ``series``."""
        case = {
            "interval": f"{STEP}m",
            "input_series": [
                {"series": name, "values": " ".join(map(str, values))}
                for name, values in series.items()
            ],
            "promql_expr_test": checks,
        }
        document = {
            "rule_files": [str(RULES)],
            "evaluation_interval": f"{STEP}m",
            "group_eval_order": GROUPS,  # promtool's own changes
            "tests": [case],
        }
        self._file.write_text(json.dumps(document), encoding="utf-8")
        tool("promtool", "test", "rules", self._file)


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    return Promtool(tmp_path)


# ---- gaps and flapping ------------------------------------------------------------------------


def test_a_failed_scrape_in_20_hours_silences_nothing(promtool: Promtool) -> None:
    length, times = 20 * HOUR, amount(2, 5)

    def gaps(value: int, gap: int | str = GONE) -> list[int | str]:
        return cycle(times, *[value] * (length - 1), gap)

    promtool.says(
        {
            UP: gaps(1, 0),
            READABLE: gaps(1),
            f"danebot_renew_exit_status{{{MX}}}": gaps(1),
            finding("renewal-failed", "warning"): gaps(1),
            finding("unprotected", "warning", "n"): gaps(1),
        },
        (25, set()),
        (27, {"DanebotFinding", "DanebotRenewalFailed", "DanebotRenewFailing"}),
        (20 * times - 3, {"DanebotFinding", "DanebotRenewalFailed", "DanebotRenewFailing"}),
    )


def test_a_mismatch_in_every_other_round_is_told(promtool: Promtool) -> None:
    promtool.says(
        {
            UP: [1] * 60,
            MISMATCH: [*cycle(20, 0, 1), *[0] * 20],
            f'danebot_probe_findings{{{PROBE}, code="mismatch"}}': cycle(10, 1, 0),
        },
        (1, {"DanebotEndpointMismatch", "DanebotProbeMismatch"}),
        (1.1, {"DanebotEndpointMismatch", "DanebotProbeMismatch"}),
        (3.5, set()),
    )


@pytest.mark.parametrize("word", ["warning", "critical"])
def test_what_flaps_from_round_to_round_is_told_by_its_grade(promtool: Promtool, word: str) -> None:
    promtool.says(
        {
            UP: [1] * 60,
            grade(word): cycle(20, 0, 1),
            f'danebot_probe_grade{{{PROBE}, grade="{word}"}}': cycle(20, 0, 1),
        },
        (2, {f"DanebotEndpointUnauthenticated {word}", f"DanebotProbeFinding {word}"}),
        by="severity",
    )


def test_one_bad_round_is_no_alarm(promtool: Promtool) -> None:
    """As after a boot, when the exporter is up before the services are."""
    once = [1, 1, *[0] * 40]
    promtool.says(
        {UP: [1] * 42, grade("critical"): once, grade("unjudged"): once},
        *((step / 10, set()) for step in range(1, 28)),
    )


# ---- what is critical stays so while nobody sees it ----------------------------------------------


def outage(gone: int) -> dict[str, Values]:
    """All that is critical, seen up to ``gone``."""

    def seen(value: int) -> list[int | str]:
        return [value] * gone + [GONE]

    return {
        finding("tlsa-mismatch", "critical"): seen(1),
        finding("tlsa-bogus", "critical", "n"): seen(1),
        finding("files-broken", "critical", "o"): seen(1),
        finding("expired", "critical", "p"): seen(1),
        f'danebot_run_findings{{{MX}, lineage="q", code="not-renewed", severity="critical"}}': seen(
            1
        ),
        **live([0] * gone + [GONE], [60] * gone + [GONE]),
        MISMATCH: seen(2),
        f'danebot_endpoint_grade{{{MX}, lineage="d", endpoint="d:25", grade="critical"}}': seen(1),
    }


CRITICAL = {
    "DanebotTlsaMismatch",
    "DanebotTlsaBogus",
    "DanebotLineageBroken",
    "DanebotNotRenewed",
    "DanebotCertificateExpires",
    "DanebotEndpointMismatch",
    "DanebotEndpointUnauthenticated",
    "DanebotFindingCritical",
}


def test_the_exporter_going_down_resolves_nothing_critical(promtool: Promtool) -> None:
    promtool.says(
        {
            **outage(15),
            UP: [*[1] * 15, *[0] * 75, *[1] * 60],
            READABLE: [*[1] * 15, GONE, *[NONE] * 74, *[1] * 60],
        },
        (0.9, CRITICAL),
        (5.9, CRITICAL | {"DanebotExporterDown", "DanebotCertificateExpiresSoon"}),
        (7, set()),  # seen again, and mended
    )


def test_a_document_that_can_t_be_read_resolves_nothing_critical(promtool: Promtool) -> None:
    series = outage(15)
    gone = {"DanebotEndpointMismatch", "DanebotEndpointUnauthenticated"}
    promtool.says(
        {**series, UP: [1] * 100, READABLE: [*[1] * 15, *[0] * 50, *[1] * 35]},
        (4, CRITICAL - gone | {"DanebotSnapshotUnreadable", "DanebotCertificateExpiresSoon"}),
        (5.5, set()),
    )


def test_a_lineage_or_host_that_is_taken_out_takes_its_alerts_along(promtool: Promtool) -> None:
    promtool.says(
        {**outage(15), UP: [1] * 60, READABLE: [1] * 60, f"danebot_lineages{{{MX}}}": [1] * 60},
        (0.9, CRITICAL),
        (2.2, set()),
    )
    promtool.says(
        {**outage(15), UP: [1] * 15 + [GONE], READABLE: [1] * 15 + [GONE]},
        (0.9, CRITICAL),
        (2.2, set()),
    )


def test_a_mended_finding_does_not_come_back_when_the_exporter_goes_down(
    promtool: Promtool,
) -> None:
    promtool.says(
        {
            finding("tlsa-mismatch", "critical"): [*[1] * 15, GONE],
            UP: [*[1] * 30, *[0] * 30],
            READABLE: [*[1] * 30, GONE],
        },
        (0.5, {"DanebotTlsaMismatch"}),
        (1.9, set()),
        (3, {"DanebotExporterDown"}),
    )


# ---- what nobody warned of ---------------------------------------------------------------------


def test_a_served_certificate_that_ends_is_told(promtool: Promtool) -> None:
    """The service reads an old copy: the live one was renewed, with the same key."""
    day = 86400
    steps = 3 * HOUR
    served = f"danebot_endpoint_certificate_not_after_timestamp_seconds{{{ENDPOINT}}}"
    of_n = served.replace('lineage="m"', 'lineage="n"').replace("m:25", "n:25")
    fine = served.replace('lineage="m"', 'lineage="o"').replace("m:25", "o:25")
    promtool.says(
        {
            UP: [1] * steps,
            READABLE: [1] * steps,
            **live([0] * steps, [90 * day] * steps),
            **live([0] * steps, [90 * day] * steps, "n"),
            **live([0] * steps, [6 * day] * steps, "o"),
            served: [15 * day] * steps,
            of_n: [5 * day] * steps,
            fine: [5 * day] * steps,
        },
        (
            2,
            {
                "DanebotCertificateExpiresSoon m",
                "DanebotCertificateExpiresSoon n",
                "DanebotCertificateExpires n",
            },
        ),
        by="lineage",
    )


def test_signatures_near_their_end_at_a_lineage_s_own_endpoint_are_told(promtool: Promtool) -> None:
    name = f"danebot_endpoint_signature_not_after_timestamp_seconds{{{ENDPOINT}}}"
    promtool.says(
        {UP: [1] * 30, name: [7200] * 30, name.replace("m:25", "n:25"): [86400] * 30},
        (1, {"DanebotSignatureExpires m:25"}),
        by="endpoint",
    )


def test_every_grade_of_an_endpoint_and_of_a_probe_has_its_alert(promtool: Promtool) -> None:
    assert {one.severity for one in GRADES.values()} <= set(DELIVERY_SEVERITIES)
    told = {
        Severity.NOTICE: set(),
        Severity.UNJUDGED: {"DanebotEndpointUnseen warning", "DanebotProbeFailing warning"},
        Severity.WARNING: {"DanebotEndpointUnauthenticated warning", "DanebotProbeFinding warning"},
        Severity.CRITICAL: {
            "DanebotEndpointUnauthenticated critical",
            "DanebotProbeFinding critical",
        },
    }
    for severity in DELIVERY_SEVERITIES:
        promtool.says(
            {
                UP: [1] * 30,
                grade(severity.word): [1] * 30,
                f'danebot_probe_grade{{{PROBE}, grade="{severity.word}"}}': [1] * 30,
            },
            (1.8, told[severity]),
            by="severity",
        )


def told_apart() -> list[Code]:
    """The codes that the rules name, and some of those that they know by their severity alone."""
    rules = RULES.read_text(encoding="utf-8")
    others = [code for code in Code if code.value not in rules]
    tried = others[:: len(others) // amount(6, len(others))]
    return sorted({*Code} - {*others} | {*tried}, key=lambda code: f"{code.value}-")


@pytest.mark.parametrize("metric", ["danebot_lineage_finding", "danebot_run_findings"])
def test_every_code_has_its_alert_in_each_severity(promtool: Promtool, metric: str) -> None:
    """What is critical within the hour, what is a warning when two runs found it."""
    steps = 30 * HOUR
    series: dict[str, Values] = {UP: [1] * steps, READABLE: [1] * steps}
    codes = told_apart()
    for code in codes:
        for word in ("info", "notice", "warning", "critical"):
            where = f"{code.value}-{word}"
            labels = f'{MX}, lineage="{where}", code="{code.value}", severity="{word}"'
            ends = 2 * HOUR if word == "critical" else steps
            series[f"{metric}{{{labels}}}"] = [*[1] * ends, GONE]

    def lineages(word: str) -> list[dict[str, object]]:
        return [{"labels": f'{{lineage="{code.value}-{word}"}}', "value": 1} for code in codes]

    def check(word: str, hours: int) -> dict[str, object]:
        expr = f'group by (lineage) (ALERTS{{alertstate="firing", severity="{word}"}})'
        if word == "warning":  # those of a critical one may have warnings, too
            expr = f'group by (lineage) (ALERTS{{alertstate="firing", lineage=~".+-{word}"}})'
        return {"expr": expr, "eval_time": f"{hours}h", "exp_samples": lineages(word)}

    quiet: dict[str, object] = {
        "expr": 'ALERTS{alertstate="firing", lineage=~".+-(info|notice)"}',
        "eval_time": "28h",
        "exp_samples": [],
    }
    promtool.answers(series, [check("critical", 1), check("warning", 28), quiet])


def test_what_a_run_finds_beside_lineages_is_told(promtool: Promtool) -> None:
    name = f"danebot_run_findings{{{MX}, code="
    promtool.says(
        {
            UP: [1] * 30 * HOUR,
            READABLE: [1] * 30 * HOUR,
            name + '"not-run", severity="critical"}': [1] * HOUR + [GONE],
            name + '"competing-run", severity="warning"}': [1] * 30 * HOUR,
        },
        (0.9, {"DanebotFindingCritical"}),
        (28, {"DanebotFinding"}),
    )


# ---- silent blindness --------------------------------------------------------------------------


def test_no_round_after_a_start_is_told_and_a_restart_resolves_nothing(promtool: Promtool) -> None:
    steps = 8 * HOUR
    promtool.says(
        {
            UP: [*[1] * 60, 0, *[1] * 59],
            READABLE: [1] * steps,
            WATCHED: [*[3] * 60, GONE, *[3] * 59],
            'up{instance="idle", job="danebot"}': [1] * steps,
            'danebot_endpoint_watched{instance="idle", job="danebot"}': [0] * steps,
        },
        (1, set()),
        (3, {"DanebotProbesStopped"}),
        (5, {"DanebotProbesStopped"}),
        (7, {"DanebotProbesStopped"}),
    )


@pytest.mark.parametrize("ahead", [-3 * 86400, 0, 3 * 86400])
def test_rounds_that_end_or_stop_are_told_apart_whatever_the_clock(
    promtool: Promtool, ahead: int
) -> None:
    fresh = now(3 * HOUR, ahead + 3 * 86400)
    promtool.says(
        {
            UP: [1] * 6 * HOUR,
            READABLE: [1] * 6 * HOUR,
            WATCHED: [1] * 6 * HOUR,
            ROUND: [*fresh, *[fresh[-1]] * 3 * HOUR],
        },
        (3, set()),
        (5, {"DanebotProbesStopped"}),
    )


def test_lineages_that_vanish_from_a_readable_document_are_told(promtool: Promtool) -> None:
    steps = 3 * HOUR
    lineages = f'danebot_lineages{{{MX}, phase="idle"}}'
    promtool.says(
        {
            UP: [1] * steps,
            READABLE: [1] * steps,
            lineages: [*[2] * HOUR, *[0] * (2 * HOUR)],
            f'danebot_lineage_info{{{OF_M}, version="1"}}': [1] * HOUR + [GONE],
            f'danebot_lineage_info{{{MX}, lineage="n", version="1"}}': [1] * HOUR + [GONE],
            lineages.replace('"mx"', '"fresh"'): [0] * steps,
        },
        (0.9, set()),
        (2, {"DanebotLineagesGone"}),
    )


def test_a_host_that_never_had_a_lineage_is_told(promtool: Promtool) -> None:
    """What its runs find tells it: who runs danebot there means something to be renewed."""
    steps = 30 * HOUR
    code = Code.NOTHING_TO_RENEW.value
    found = f'danebot_run_findings{{{MX}, code="{code}", severity="warning"}}'
    promtool.says(
        {
            UP: [1] * steps,
            READABLE: [1] * steps,
            f'danebot_lineages{{{MX}, phase="idle"}}': [0] * steps,
            found: [1] * steps,
        },
        (25, set()),
        (27, {"DanebotFinding"}),
    )


def test_a_host_where_all_is_left_to_certbot_is_told(promtool: Promtool) -> None:
    """Also where scrapes fail now and then; not where one is under danebot's care, or none is."""
    steps = 6 * HOUR
    phases = {"mx": (2, 0), "mixed": (1, 1), "none": (0, 0)}
    series: dict[str, Values] = {}
    for host, (left, kept) in phases.items():
        of = f'instance="{host}", job="danebot"'
        gaps = [left if step % 7 else "_" for step in range(steps)]
        series[f'danebot_lineages{{{of}, phase="pass-through"}}'] = gaps
        series[f'danebot_lineages{{{of}, phase="stable"}}'] = [kept] * steps
    promtool.says(series, (1, set()), (5, {"DanebotNothingWatched mx"}), by="instance")


def test_a_textfile_s_host_that_is_down_is_told_and_other_hosts_are_not(promtool: Promtool) -> None:
    down = [*[1] * HOUR, *[0] * HOUR]
    readable = 'danebot_snapshot_readable{instance="mx", job="node"}'
    promtool.says(
        {
            'up{instance="mx", job="node"}': down,
            readable: [1] * HOUR + [GONE],
            'up{instance="other", job="node"}': down,
        },
        (0.9, set()),
        (1.5, {"DanebotExporterDown mx"}),
        by="instance",
    )


def test_a_run_of_the_future_hides_no_missing_one(promtool: Promtool) -> None:
    steps = 4 * DAY
    last = amount(44, 90)  # hours
    promtool.says(
        {
            UP: [1] * steps,
            READABLE: [1] * steps,
            RENEWED: [*[0] * HOUR, *[30 * 86400] * (steps - HOUR)],
            f"danebot_snapshot_timestamp_seconds{{{MX}}}": now(steps),
        },
        (30, {"DanebotClockWrong"}),
        (40, {"DanebotClockWrong", "DanebotNotRunning"}),
        (last, {"DanebotClockWrong", "DanebotNotRunning"}),
    )


def test_daily_runs_under_a_clock_that_is_behind_do_run(promtool: Promtool) -> None:
    steps = 4 * DAY
    daily = chain.from_iterable([day * 86400] * DAY for day in range(4))
    promtool.says(
        {UP: [1] * steps, READABLE: [1] * steps, RENEWED: [one - 5 * 86400 for one in daily]},
        *((hours, set()) for hours in range(60, amount(61, 91), 30)),
    )


def test_an_endpoint_that_nobody_looked_at_for_an_hour_is_told(promtool: Promtool) -> None:
    steps = 4 * HOUR
    promtool.says(
        {
            UP: [1] * steps,
            READABLE: [1] * steps,
            WATCHED: [2] * steps,
            ROUND: now(steps),
            LOOKED: [*now(HOUR), *[3600] * (3 * HOUR)],
            LOOKED.replace("m:25", "n:25"): now(steps),
        },
        (1.9, set()),
        (3, {"DanebotEndpointUnseen m:25"}),
        by="endpoint",
    )


def test_a_new_label_of_a_target_makes_no_metrics_gone(promtool: Promtool) -> None:
    steps = 2 * HOUR
    labelled = READABLE.replace("}", ', site="a"}')
    up = UP.replace("}", ', site="a"}')
    promtool.says(
        {
            UP: [1] * HOUR + [GONE],
            READABLE: [1] * HOUR + [GONE],
            up: [NONE] * HOUR + [1] * HOUR,
            labelled: [NONE] * HOUR + [1] * HOUR,
        },
        *((steps / HOUR * part, set()) for part in (0.4, 0.8, 0.95)),
    )


# ---- weeks ---------------------------------------------------------------------------------------


def test_two_exporters_of_one_lineage_each_have_their_say(promtool: Promtool) -> None:
    one = finding("tlsa-mismatch", "critical")
    other = one.replace('instance="mx"', 'instance="mx2"')
    textfile = one.replace('job="danebot"', 'job="node"')
    steps = 2 * HOUR
    series: dict[str, Values] = {one: [1] * steps, other: [1] * steps, textfile: [1] * steps}
    for job, instance in (("danebot", "mx"), ("danebot", "mx2"), ("node", "mx")):
        where = f'{{instance="{instance}", job="{job}"'
        series[f"up{where}}}"] = [1] * steps
        series[f"danebot_snapshot_readable{where}}}"] = [1] * steps
        of_m = f'{where}, lineage="m"'
        series[f'danebot_certificate_not_before_timestamp_seconds{of_m}, place="live"}}'] = [
            0
        ] * steps
        series[f'danebot_certificate_not_after_timestamp_seconds{of_m}, place="live"}}'] = [
            9**9
        ] * steps
        if job == "danebot":
            served = "danebot_endpoint_certificate_not_after_timestamp_seconds"
            series[f'{served}{of_m}, endpoint="m:25"}}'] = [9**9] * steps
        series[f'danebot_lineage_phase{of_m}, phase="staged"}}'] = [1] * steps
        series[f"danebot_rollover_start_timestamp_seconds{of_m}}}"] = [0] * steps
        series[f"danebot_deployment_timestamp_seconds{of_m}}}"] = [1] * steps
        series[f"danebot_deployment_confirmed_timestamp_seconds{of_m}}}"] = [2] * steps
    promtool.says(
        series, (1.8, {"DanebotTlsaMismatch mx", "DanebotTlsaMismatch mx2"}), by="instance"
    )


def test_weeks_of_legitimate_waiting_make_no_noise(promtool: Promtool) -> None:
    """A key cools, certificates of 6 days are renewed; now and then a reboot, or a bad round."""
    days, weeks = amount(4, 8), -21 * 86400
    steps = days * DAY

    def daily(at: int) -> list[int | str]:
        return [max(0, (step - at) // DAY) * 86400 for step in range(steps)]

    def often(value: int, hole: int | str, every: int = DAY + 7) -> list[int | str]:
        return [hole if step % every == every - 1 else value for step in range(steps)]

    def stamps(values: Iterable[int | str]) -> list[int | str]:
        """As ``values``, absent when the host boots."""
        seen = zip(values, often(1, GONE), strict=True)
        return [GONE if there == GONE else one for one, there in seen]

    third = [(step // (2 * DAY)) * 2 * 86400 for step in range(steps)]
    promtool.answers(
        {
            UP: often(1, 0),
            READABLE: often(1, GONE),
            WATCHED: often(1, GONE),
            ROUND: stamps(now(steps)),
            LOOKED: stamps(now(steps)),
            RENEWED: stamps(daily(0)),
            f"danebot_snapshot_timestamp_seconds{{{MX}}}": stamps(daily(0)),
            f"danebot_renew_success_timestamp_seconds{{{MX}}}": stamps(daily(0)),
            f"danebot_renew_exit_status{{{MX}}}": stamps(
                [int(step // DAY in (2, 6)) for step in range(steps)]
            ),
            finding("cooling", "info"): often(1, GONE),
            finding("next-key-waits", "info", "n"): often(1, GONE),
            f'danebot_run_findings{{{OF_M}, code="hook-failed", severity="warning"}}': [
                1 if step // DAY in (2, 6) else GONE for step in range(steps)
            ],
            **live(stamps(third), stamps([one + 6 * 86400 for one in third])),
            f"danebot_endpoint_certificate_not_after_timestamp_seconds{{{ENDPOINT}}}": stamps(
                [one + 6 * 86400 for one in third]
            ),
            f'danebot_lineage_phase{{{OF_M}, phase="cooling"}}': often(1, GONE),
            f'danebot_lineage_phase{{{OF_M}, phase="staged"}}': often(0, GONE),
            f"danebot_rollover_start_timestamp_seconds{{{OF_M}}}": often(weeks, GONE),
            f'danebot_lineages{{{MX}, phase="cooling"}}': often(1, GONE),
            f'danebot_lineage_info{{{OF_M}, version="1"}}': often(1, GONE),
            MISMATCH: often(0, GONE),
            grade("critical"): often(0, 1, HOUR * 5),
            grade("warning"): often(0, 1, HOUR * 7),
            grade("unjudged"): often(0, 1, HOUR * 9),
            f"danebot_endpoint_serves_current_key{{{ENDPOINT}}}": often(1, 0, HOUR * 5),
            f'danebot_probe_grade{{{PROBE}, grade="critical"}}': often(0, 1, HOUR * 5),
            f'danebot_probe_grade{{{PROBE}, grade="notice"}}': often(1, 0, HOUR * 5),
        },
        [
            {
                "expr": f'count_over_time(ALERTS{{alertstate="firing"}}[{days}d])',
                "eval_time": f"{days * 24 - 1}h",
                "exp_samples": [],
            }
        ],
    )


# ---- the feed -------------------------------------------------------------------------------


def feed(name: str) -> str:
    return f"danebot_exporter_feed_{name}{{{MX}}}"


def test_a_feed_whose_results_nobody_takes(promtool: Promtool) -> None:
    series: dict[str, Values] = {
        feed("services"): [5] * 3 * HOUR,
        feed("waiting"): [0] * HOUR + [5] * HOUR + [0] * HOUR,
        feed("submitted_timestamp_seconds"): now(HOUR)
        + [HOUR * STEP * 60] * HOUR
        + now(HOUR, 7200),
        feed("list_timestamp_seconds"): now(3 * HOUR),
    }
    promtool.says(series, (1, set()), (1.7, {"DanebotFeedStuck"}), (2.9, set()))


def test_a_feed_that_never_handed_on_anything(promtool: Promtool) -> None:
    series: dict[str, Values] = {
        feed("services"): [5] * 2 * HOUR,
        feed("waiting"): [5] * 2 * HOUR,
        feed("list_timestamp_seconds"): now(2 * HOUR),
    }
    promtool.says(series, (1, {"DanebotFeedStuck"}))


def test_a_list_that_cannot_be_read(promtool: Promtool) -> None:
    never: dict[str, Values] = {feed("waiting"): [0] * 2 * HOUR}
    promtool.says(never, (0.1, set()), (1, {"DanebotFeedListOld"}))
    old: dict[str, Values] = {
        feed("waiting"): [0] * 3 * HOUR,
        feed("list_timestamp_seconds"): now(HOUR) + [3600] * 2 * HOUR,
    }
    promtool.says(old, (1, set()), (2, {"DanebotFeedListOld"}))


def test_a_feed_that_falls_behind(promtool: Promtool) -> None:
    series: dict[str, Values] = {
        feed("behind_seconds"): [0] * HOUR + [90] * HOUR,
        feed("list_timestamp_seconds"): now(2 * HOUR),
    }
    promtool.says(series, (1, set()), (1.9, {"DanebotFeedBehind"}))


def test_a_service_of_a_feed_that_is_not_looked_at(promtool: Promtool) -> None:
    series: dict[str, Values] = {
        feed("overdue_seconds"): [0] * HOUR + [300] * HOUR,
        feed("list_timestamp_seconds"): now(2 * HOUR),
    }
    promtool.says(series, (1, set()), (1.9, {"DanebotFeedOverdue"}))


def test_a_feed_that_fails(promtool: Promtool) -> None:
    dead: dict[str, Values] = {feed("threads"): [3] * HOUR + [2] * HOUR}
    promtool.says(dead, (1, set()), (1.9, {"DanebotFeedFailed"}))
    failing: dict[str, Values] = {
        feed("threads"): [3] * 3 * HOUR,
        feed("failures_total"): [0] * HOUR + list(range(HOUR)) + [HOUR] * HOUR,
    }
    promtool.says(failing, (1, set()), (1.9, {"DanebotFeedFailed"}), (2.9, set()))
