"""check_dane by the Monitoring Plugins guidelines: exit status, summary, performance data."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.nameserver import RECURSIVE
from adapters.services import HELO
from checking import DAY, NAME, Plugin, World
from danebot.domain.delivery.report import MailSubject, Report
from danebot.domain.delivery.routes import Discovery, MailRoute
from danebot.domain.dns.answers import Answer, Presence, Security
from danebot.domain.dns.records import MxRecord
from danebot.domain.dns.tlsa import TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.jobs.verify import Place
from danebot.plugin.command_line import UsageError
from danebot.plugin.dane_options import parse_options
from danebot.plugin.dane_result import report_result
from danebot.plugin.numbers import parse_range, performance
from danebot.plugin.output import PluginResult, State, clean, render
from domain import delivery_world as delivery
from domain.pki import NOW, issue

OTHER = "3 1 1 " + "5a" * 32


def test_fine(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        told = plugin(*world.words(peer.port))
    told.sound()
    assert told.status == 0
    assert len(told.lines) == 1
    assert f"{NAME}:{peer.port}: 1 address authenticated by TLSA records" in told.text
    assert set(told.data) == {"certificate_days", "addresses", "authenticated", "time"}
    assert told.data["authenticated"] == "1;;;0"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ((), 0),
        (("-w", "80:"), 0),
        (("-w", "95:"), 1),
        (("-w", "95:", "-c", "10:"), 1),
        (("-c", "95:"), 2),
        (("-w", "@0:200"), 1),
        (("-w", "20", "-c", "10"), 0),  # what every check_ssl_cert user types
        (("-w", "95"), 1),
        (("-w", "0:10"), 1),
        (("--warn-unmatched",), 1),
    ],
)
def test_thresholds(world: World, plugin: Plugin, words: tuple[str, ...], status: int) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}", OTHER)
        told = plugin(*world.words(peer.port, *words))
    told.sound()
    assert told.status == status
    warning = words[words.index("-w") + 1] if "-w" in words else ""
    datum = told.data["certificate_days"].split(";")
    shown = {"@0:200": "@200", "0:10": "10", "20": "20:", "95": "95:"}.get(warning, warning)
    assert (datum[1] if len(datum) > 1 else "") == shown


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("--require", "3 1 1"), 0, "1 address authenticated"),
        (("--require", "311", "--require", "2 1 1"), 0, "1 address authenticated"),
        (("--require", "2 1 1"), 2, "a 2 1 1 record is required, and none is published"),
        (("--pkix", "--ca-file", "{ca}"), 0, "1 address authenticated"),
        (("--pkix", "--ca-file", "{other}"), 2, "the chain does not end in the trust store"),
        (("--pkix",), 2, "the chain does not end in the trust store"),
        (("--pkix", "--ca-file", "{empty}"), 3, "no trust store here"),
    ],
)
def test_more_is_demanded(
    world: World, plugin: Plugin, words: tuple[str, ...], status: int, says: str
) -> None:
    files = {one: world.directory / f"{one}.pem" for one in ("ca", "other", "empty")}
    now = datetime.now(UTC)
    stranger = issue("Other CA", ca=True, valid=(now - DAY, now + 900 * DAY))
    files["ca"].write_bytes(world.ca.pem)
    files["other"].write_bytes(stranger.pem)
    files["empty"].touch()
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        told = plugin(*world.words(peer.port, *(word.format(**files) for word in words)))
    told.sound()
    assert told.status == status
    assert says in told.lines[0]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((), 2, "mx2.example:25 [127.0.0.1]: no usable TLSA record matches"),
        (("--only", "mx1.example"), 2, "no address gives an answer: 127.0.0.1 cannot connect"),
        (("--only", "mx2.example"), 2, "mx2.example:25 [127.0.0.1]: no usable TLSA record"),
        (
            ("--only", "mx3.example"),
            3,
            "example: mx3.example is none of its hosts: mx1.example, mx2.example",
        ),
        (("--down", "mx1.example"), 2, "; known to be down: mx1.example"),
        (
            ("--only", "mx1.example", "--down", "MX1.example."),
            3,
            "no address was authenticated; known to be down: mx1.example",
        ),
        (("--down", "mx3.example"), 2, "known to be down: mx3.example (none of its hosts)"),
    ],
)
def test_one_of_several_hosts(  # noqa: PLR0917 - what it takes, and three fixtures
    world: World,
    plugin: Plugin,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
    says: str,
) -> None:
    """The first is down, the second serves another key; both on ports that anybody may have."""
    with world.peer() as peer, socket.create_server(("127.0.0.1", 0)) as unused:
        ports = {"mx1.example": unused.getsockname()[1], "mx2.example": peer.port}
        unused.close()
        places = {Hostname(name): (Place("127.0.0.1", port),) for name, port in ports.items()}
        monkeypatch.setattr("danebot.plugin.dane_options.parse_places", lambda _: places)
        world.publish(25, f"3 1 1 {world.digest}", name="mx1.example")
        world.publish(25, OTHER, name="mx2.example")
        mx = ("example 300 MX 10 mx1.example.", "example 300 MX 20 mx2.example.")
        world.dns.say("example", "MX", *mx)
        told = plugin("-d", "example", "--helo", HELO.text, *world.resolver, *words)
    told.sound()
    assert told.status == status
    assert says in told.lines[0]


@pytest.mark.parametrize(("left", "status"), [(20, 0), (10, 1), (-1, 1)])
def test_without_thresholds_a_fifth_of_the_lifetime_is_enough(
    world: World, plugin: Plugin, left: int, status: int
) -> None:
    now = datetime.now(UTC)
    valid = (now + (left - 60) * DAY, now + left * DAY)
    leaf = issue(NAME, world.ca, names=[NAME], valid=valid)
    with world.peer(world.service(leaf)) as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        told = plugin(*world.words(peer.port))
    assert told.status == status


@pytest.mark.parametrize(("seconds", "status"), [(100, 2), (8, 1), (30, 0)])
def test_signatures(world: World, plugin: Plugin, seconds: int, status: int) -> None:
    """Hours, here: of the TLSA RRset's signature."""
    until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds * 3600, UTC)
    if seconds == 100:
        until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3600, UTC)
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        owner = f"_{peer.port}._tcp.{NAME}"
        signature = f"TLSA 13 4 300 {until:%Y%m%d%H%M%S} 20260101000000 1 example. AAAA"
        records = (f"{owner} 300 TLSA 3 1 1 {world.digest}", f"{owner} 300 RRSIG {signature}")
        world.dns.say(owner, "TLSA", *records)
        told = plugin(*world.words(peer.port))
    told.sound()
    assert told.status == status
    assert told.data["rrsig_hours"].endswith(";12:;2:")


def test_absence_is_critical_unless_optional(world: World, plugin: Plugin) -> None:
    world.publish(25)
    assert plugin("-H", NAME, *world.resolver).state == "CRITICAL"
    told = plugin("-H", NAME, "--optional", *world.resolver)
    told.sound()
    assert told.state == "OK"
    assert "no DANE" in told.text


def test_what_is_not_validated_is_absent(world: World, plugin: Plugin) -> None:
    world.publish(25, OTHER, flags=RECURSIVE)
    told = plugin("-H", NAME, *world.resolver)
    assert told.state == "CRITICAL"
    assert "not secured by DNSSEC" in told.text


def test_unknown_does_not_hide_critical(world: World, plugin: Plugin) -> None:
    """One host serves another key, the other can't be looked up since the resolver is silent."""
    with world.peer() as peer:
        world.publish(25, OTHER, name="mx1.example")
        mx = ("example 300 MX 10 mx1.example.", "example 300 MX 20 mx2.example.")
        world.dns.say("example", "MX", *mx)
        for kind in ("A", "AAAA"):
            world.dns.keep_silent("mx2.example", kind)
        words = ["-d", "example", "-t", "7", "-v", *world.resolver]
        unknown = plugin(*words, "--address", "mx1.example=127.0.0.1")
        world.publish(peer.port, OTHER)
        world.dns.keep_silent(NAME, "AAAA")
        bad = plugin(*world.words(peer.port, "-t", "7", "-v"))
    unknown.sound()
    bad.sound()
    assert unknown.state == "CRITICAL"
    assert "[UNKNOWN] mx2.example" in unknown.text
    assert bad.state == "CRITICAL"
    assert "[UNKNOWN]" in bad.text
    assert "matches no presented certificate" in bad.lines[0]


def test_a_stand_in_for_a_host_that_is_not_there(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        told = plugin(*world.words(peer.port, "--address", "mx9.example=127.0.0.1"))
        assert plugin(*world.words(peer.port, "--address", f"{NAME}=127.0.0.1")).status == 0
    told.sound()
    assert told.status == 3
    assert f"mx9.example is none of its hosts: {NAME}" in told.lines[0]


def test_a_silent_resolver_is_unknown(world: World, plugin: Plugin) -> None:
    world.dns.keep_silent("example", "MX")
    told = plugin("-d", "example", "-t", "4", *world.resolver)
    told.sound()
    assert told.state == "UNKNOWN"
    assert "could not be asked for" in told.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give either --domain or --host"),
        (("-d", "a.example", "-H", "b.example"), "give either --domain or --host"),
        (("-d", "a.example", "-p", "25"), "--port and --starttls go with --host"),
        (("-d", "a..example"), "is not a DNS name"),
        (("-d", "192.0.2.1"), "is an address"),
        (("-H", "a.example", "-p", "0"), "port of 1 to 65535"),
        (("-H", "a.example", "-p", "x"), "invalid int value"),
        (("-H", "a.example", "-t", "0"), "--timeout goes from"),
        (("-H", "a.example", "-t", "nan"), "--timeout goes from"),
        (("-H", "a.example", "-w", "5:1"), "is no range"),
        (("-H", "a.example", "-c", "x"), "is no range"),
        (("-H", "a.example", "-w", ""), "-w: the value is empty, as of a macro that isn't set"),
        (("-H", "", "-p", "25"), "-H: the value is empty"),
        (("", "-H", "a.example"), "the first argument: the value is empty"),
        (("-H", "a.example", "--rrsig-critical", " "), "' ' is no range"),
        (("-H", "a.example", "-w", "1_0:"), "is no range"),
        (("-H", "a.example", "-w", "1e1:"), "is no range"),
        (("-H", "a.example", "-w", "\u0661:"), "is no range"),
        (("-H", "a.example", "-w", "nan:"), "is no range"),
        (("-H", "a.example", "-w", "@"), "is no range"),
        (("-H", "a.example", "-w", "@:"), "is no range"),
        (("-H", "a.example", "-w", ":"), "is no range"),
        (("-H", "a.example", "--resolver", "ns.example"), "want an IP address"),
        (("-H", "a.example", "--address", "b.example"), "want NAME=ADDRESS"),
        (("-H", "a.example", "--aka", "b|c"), "is not a DNS name"),
        (("-H", "a.example", "--require", "3 1"), "'3 1' is no kind of TLSA record: want"),
        (("-H", "a.example", "--require", "311,211"), "no kind of TLSA record"),
        (("-H", "a.example", "--require", ""), "--require: the value is empty"),
        (("-d", "a.example", "--optional", "--require", "311"), "contradict each other"),
        (("-H", "a.example", "--only", "b.example"), "--only and --down go with --domain"),
        (("-H", "a.example", "--down", "b.example"), "--only and --down go with --domain"),
        (("-d", "a.example", "--only", "b..c"), "is not a DNS name"),
        (("-d", "a.example", "--down", "b|c"), "is not a DNS name"),
        (("-d", "a.example", "--ca-file", "/none/x|y"), "--ca-file /none/x"),
        (("-d", "a.example", "--ca-file", "/"), "--ca-file /: no file that can be read"),
        (("-d", "a.example", "--ca-file", "/dev/zero"), "--ca-file /dev/zero: no file"),
        (("--nonsense|x=1",), "unrecognized arguments"),
    ],
)
def test_usage_errors_are_unknown(plugin: Plugin, words: tuple[str, ...], says: str) -> None:
    told = plugin(*words)
    told.sound()
    assert told.status == 3
    assert says in told.text


@pytest.mark.parametrize("word", ["--help", "-h", "--version", "-V"])
def test_help_and_version_are_unknown(plugin: Plugin, word: str) -> None:
    told = plugin(word)
    assert told.status == 3
    assert "check_dane" in told.text


def test_every_option_stands_in_the_docs(plugin: Plugin) -> None:
    text = (Path(__file__).parents[2] / "docs" / "check_dane.md").read_text(encoding="utf-8")
    options = set(re.findall(r"(?<!\S)\[?(--[a-z0-9-]+)", plugin("--help").text))
    assert len(options) > 15
    assert {one for one in options if not re.search(rf"{one}\b", text)} == set()


def test_verbosity(world: World, plugin: Plugin) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}", OTHER)
        one, two, three = (plugin(*world.words(peer.port, *("-v",) * n)) for n in range(3))
    assert len(one.lines) == 1
    assert [line[:6] for line in two.lines[1:]] == ["[NOTE]"]
    assert any("matches no presented certificate" in line for line in three.lines[2:])
    three.sound()


def test_options_reach_the_inquiry(world: World) -> None:
    words = world.words(25, "-6", "--both-algorithms", "--aka", "b.example", "--helo", "me.example")
    options = parse_options(words)
    inquiry = options.inquiry
    assert inquiry.family.value == "IPv6"
    assert len(inquiry.algorithms) == 3
    assert [name.text for name in inquiry.criteria.aka] == ["b.example"]
    assert inquiry.helo.text == "me.example"
    with pytest.raises(UsageError):
        parse_options(["--help-me"])


# ---- manners ----------------------------------------------------------------------------------


def test_a_long_report_ends_in_time() -> None:
    result = PluginResult(State.OK, "x" * 5000, ["y" * 900] * 50, ["a=1"])
    text = render("DANE", result)
    assert len(text.encode()) < 8192
    assert text.splitlines()[-1] == "... and 44 more lines"
    assert text.splitlines()[0].endswith(" | a=1")


def test_clean() -> None:
    assert clean("a|b\nc\\nd\x1b[2J\u202e") == "a\\\\x7cb\\\\nc\\\\nd\\\\x1b[2J\\\\u202e"


def test_performance_data() -> None:
    fine, bad = parse_range("10:"), parse_range("~:5")
    assert performance("days", 1.5, "d", warning=fine, critical=bad) == "days=1.5d;10:;~:5"
    assert performance("n", 3, least=0, most=7) == "n=3;;;0;7"


def test_an_internal_error_is_one_line(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom | a=1\nOK")

    monkeypatch.setattr("danebot_checks.dane.check_dane", broken)
    told = plugin("-d", "example")
    told.sound()
    assert told.state == "UNKNOWN"
    assert len(told.lines) == 1
    assert "internal error: RuntimeError at tests/checks/" in told.text
    assert "boom" not in told.text


def test_nobody_reads(world: World) -> None:
    """A scheduler that has gone away makes neither a traceback nor another status."""

    world.publish(25)
    code = "from danebot_checks.dane import main; main()"
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", code, "-H", NAME, *world.resolver],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.parametrize("module", ["dane", "lineages"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_output_changes_no_status(tmp_path: Path, module: str, closed: str) -> None:
    """Some schedulers start plugins without any descriptor: OK is never said that way."""
    code = f"from danebot_checks.{module} import main; main()"
    words = ["expiry", "--snapshot", str(tmp_path / "missing")]
    if module == "dane":
        words = ["-H", "a..example"]
    line = " ".join(map(shlex.quote, [sys.executable, "-c", code, *words]))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} {closed}"], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")


@pytest.mark.parametrize("state", ["OK", "CRITICAL"])
def test_a_closed_output_loses_no_result_either(state: str) -> None:
    code = (
        "from danebot_checks.start import run; from danebot_checks import plugin as p; "
        f"run('x', lambda: p.run_check('x', lambda: p.PluginResult(p.State.{state}, 'y')))"
    )
    line = " ".join(map(shlex.quote, [sys.executable, "-c", code]))
    done = subprocess.run(["/bin/sh", "-c", f"{line} >&-"], check=False, timeout=60)
    assert done.returncode == {"OK": 0, "CRITICAL": 2}[state]


def test_a_broken_installation_is_unknown(tmp_path: Path) -> None:
    """Python's own status for a traceback would be a WARNING."""
    (tmp_path / "nagiosplugin.py").write_text("raise ImportError('no such module')\n")
    for module in ("dane", "lineages"):
        code = f"from danebot_checks.{module} import main; main()"
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", code, "-H", "a.example"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (3, "")
        assert "UNKNOWN - can't start: ImportError: no such module;" in done.stdout


def test_the_renderer_asks_for_evidence_too() -> None:
    """Whatever a report came from, without an authenticated address it is not OK."""
    subject = MailSubject(Hostname("example.org"))
    route = MailRoute(subject.domain, Discovery.IMPLICIT, never_asked())
    report = Report(subject, route, (), ())
    for words, state in ((), State.UNKNOWN), (("--optional",), State.OK):
        options = parse_options(["-d", "example.org", "--resolver", "127.0.0.1", *words])
        assert report_result(report, datetime.now(UTC), 1.0, options).state is state


@pytest.mark.parametrize(
    ("usage", "words"),
    [(3, "certificate expires in 60 days"), (2, "DANE-TA anchor expires in 50 days")],
)
def test_what_ends_first_is_named(usage: int, words: str) -> None:
    anchor = issue("Anchor", delivery.CA, ca=True, valid=(NOW - DAY, NOW + 50 * DAY))
    leaf = issue("mx.example.org", anchor, names=["mx.example.org"])
    named = leaf if usage == 3 else anchor
    route = delivery.host(TlsaRecord(usage, 1, 1, delivery.spki(named)))
    served = delivery.served(route, leaf=leaf, rest=(delivery.CA, anchor))
    report = delivery.report(delivery.visit(route, served))
    options = parse_options(["-d", "example.org", "--resolver", "127.0.0.1"])
    assert report_result(report, NOW, 1.0, options).summary.endswith(words)


def never_asked() -> Answer[MxRecord]:
    name = DnsName("example.org")
    return Answer(name, Security.SECURE, Presence.NODATA, name)


def test_no_time_left_is_said(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where beginning took all of it, on a busy machine."""
    monkeypatch.setattr("danebot_checks.dane.timedelta", lambda **_: DAY)
    told = plugin("-H", NAME, "-t", "1", *world.resolver)
    told.sound()
    assert told.state == "UNKNOWN"
    assert "no time left to look; allow more (--timeout)" in told.text
