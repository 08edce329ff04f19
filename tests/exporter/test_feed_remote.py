"""Icinga's API and lists of others, where they don't do as they should.

A double of the servers: the real Icinga (tests/monitoring/test_feed.py) refuses nothing on demand.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

import pytest

from danebot.errors import DanebotError
from danebot_exporter.feed.counts import FeedCounts
from danebot_exporter.feed.feeder import Feeder
from danebot_exporter.feed.http_sd import HttpSdList
from danebot_exporter.feed.icinga import SWITCHES, WORDS, IcingaApi, check_result
from danebot_exporter.feed.lists import Lists
from danebot_exporter.feed.nagios import command_line
from danebot_exporter.feed.receivers import Receipt
from danebot_exporter.feed.servers import HttpServer
from danebot_exporter.feed.services import Fed, FedResult, Pace
from danebot_exporter.feed.settings import FeedSettings, HttpSd, Icinga, Spool
from domain.pki import issue
from exporter import sample
from exporter.running import exporter
from monitoring.feeding import certificate, until
from monitoring.test_definitions import COMMANDS

NOW = datetime(2026, 11, 30, tzinfo=UTC)
OUTPUT = "DANE OK - fine | certificate_days=9 time=0.1s;;;0;30\n[NOTE] one\n[NOTE] two\n"
FINE = '{"results":[{"code":200.0,"status":"Successfully processed check result."}]}'
FOUND = FedResult(Fed("h", "s"), 0, OUTPUT, NOW, NOW, timedelta(minutes=11))


@dataclass
class Double:
    """Answers in turn, the last one again and again; keeps what it was asked."""

    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, '{"results": []}')])
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    port: int = 0
    hangs_up: bool = False  # after each answer, without a word


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    double: Double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        double = self.double
        double.asked.append((self.command, self.path, dict(self.headers), body))
        status, text = double.answers.pop(0) if double.answers[1:] else double.answers[0]
        self.send_response(status)
        for name, value in double.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        self.close_connection = double.hangs_up

    do_GET = do_POST  # noqa: N815 - theirs

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))[0]


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[Double]:
    """A double behind TLS; the file has key and chain."""
    found = Double()
    handler = type("Its", (Handler,), {"double": found})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()


@pytest.fixture
def double(served: Path) -> Iterator[Double]:
    with serving(served) as found:
        yield found


@pytest.fixture
def server(double: Double, served: Path, tmp_path: Path) -> HttpServer:
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    password.chmod(0o600)
    return HttpServer(
        "https", "127.0.0.1", double.port, "/", "feed", password, served, server_name="mail"
    )


@pytest.fixture
def api(server: HttpServer) -> Iterator[IcingaApi]:
    found = IcingaApi(Icinga(server))
    yield found
    found.close()


def submitted(server: HttpServer) -> list[Receipt]:
    """What becomes of one result there."""
    with contextlib.closing(IcingaApi(Icinga(server))) as api:
        return list(api.submit([FOUND]))


def test_a_result_is_as_icinga_takes_it() -> None:
    found = check_result(FOUND, "x")
    assert found["plugin_output"] == "DANE OK - fine\n[NOTE] one\n[NOTE] two"
    assert found["performance_data"] == ["certificate_days=9", "time=0.1s;;;0;30"]
    assert (found["service"], found["exit_status"], found["ttl"]) == ("h!s", 0, 660)


def test_one_that_is_refused_does_not_stop_the_others(double: Double, api: IcingaApi) -> None:
    double.answers = [
        (404, '{"error":404,"status":"No objects found."}'),
        (200, FINE),
        (200, '{"results":[{"code":409.0,"status":"Newer check result already present."}]}'),
    ]
    outcomes = [one.refused for one in api.submit([FOUND] * 3)]
    assert outcomes[0].endswith("404 No objects found.")
    assert outcomes[1] == ""
    assert outcomes[2].endswith("Newer check result already present.")
    assert len({headers["Host"] for _, _, headers, _ in double.asked}) == 1


@pytest.mark.parametrize("status", [401, 403, 408, 429, 500, 503, 599])
def test_the_rest_comes_again_while_nothing_is_taken(
    double: Double, api: IcingaApi, status: int
) -> None:
    double.answers = [(200, FINE), (status, "{}")]
    outcomes = api.submit([FOUND] * 3)
    assert next(outcomes).refused == ""
    with pytest.raises(DanebotError, match=str(status)) as raised:
        next(outcomes)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["<html>log in</html>", "{}", '{"results":[]}', '{"results":[{"code":503}]}', "[]"]
)
def test_success_is_what_icinga_says_and_nobody_else(
    double: Double, api: IcingaApi, text: str
) -> None:
    double.answers = [(200, text)]
    with pytest.raises(DanebotError, match=r"not Icinga's JSON|200"):
        list(api.submit([FOUND]))


def test_icinga_s_own_authority_will_do(
    server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`icinga2 pki` makes one without key usage, which Python 3.13 refuses unless told."""
    usual = ssl.create_default_context

    def strict(*, cafile: Path | None) -> ssl.SSLContext:  # as 3.13's is
        context = usual(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    valid = (sample.NOW - 3000 * sample.DAY, sample.NOW + 3000 * sample.DAY)
    ca = issue("Icinga CA", ca=True, valid=valid)
    own = issue("mail", ca, names=["mail"], valid=valid)
    for name, octets in (("own.pem", own.key_pem + own.pem), ("ca.pem", ca.pem)):
        (tmp_path / name).write_bytes(octets)
    with serving(tmp_path / "own.pem") as double:
        there = server._replace(port=double.port, ca_file=tmp_path / "ca.pem")
        double.answers = [(200, FINE)]
        assert len(submitted(there)) == 1
        assert double.asked


def test_a_password_is_for_the_right_server_alone(
    double: Double, server: HttpServer, tmp_path: Path
) -> None:
    stranger = certificate(tmp_path)[0]
    for wrong in (server._replace(ca_file=stranger), server._replace(server_name="other")):
        with pytest.raises(DanebotError, match=r"certificate|match|[Hh]ostname"):
            submitted(wrong)
    double.answers = [(302, "")]
    double.headers = {"Location": f"https://127.0.0.1:{double.port}/elsewhere"}
    (outcome,) = submitted(server)
    assert "302" in outcome.refused
    assert [path for _, path, _, _ in double.asked] == ["/v1/actions/process-check-result"]


def test_a_server_that_is_not_there_is_said_in_a_line(server: HttpServer) -> None:
    with pytest.raises(DanebotError, match=r"^https://127.0.0.1:1: Connection refused$"):
        submitted(server._replace(port=1))


def test_a_kept_connection_that_ended_meanwhile_is_made_anew(
    double: Double, api: IcingaApi
) -> None:
    double.answers, double.hangs_up = [(200, FINE)], True
    assert [one.refused for one in api.submit([FOUND] * 3)] == ["", "", ""]
    assert len(double.asked) == 3


def test_an_authority_that_is_none_is_named(server: HttpServer, tmp_path: Path) -> None:
    none = tmp_path / "ca.pem"
    none.write_text("no certificate\n")
    with pytest.raises(DanebotError, match=f"^{none}: ."):
        submitted(server._replace(ca_file=none))


def test_an_endless_answer_is_not_read(double: Double, api: IcingaApi) -> None:
    double.answers = [(200, "x" * (1 << 20) + "y")]
    with pytest.raises(DanebotError, match="larger than"):
        list(api.submit([FOUND]))


# ---- lists ----------------------------------------------------------------------------------


def listed(api: IcingaApi, double: Double, variables: object, host: object = None) -> Fed:
    attrs = {"name": "s", "host_name": "h", "vars": variables, "check_interval": 120.0}
    attrs |= {"retry_interval": 30.0, "max_check_attempts": 4.0}
    results = [{"attrs": attrs, "joins": {"host": {"vars": host}}}]
    double.answers = [(200, json.dumps({"results": results}))]
    (found,) = api.services()
    return found


def test_variables_become_options_as_the_check_command_has_them(
    double: Double, api: IcingaApi
) -> None:
    found = listed(
        api,
        double,
        {"dane_host": "mx", "dane_port": 25.0, "dane_require": ["3 1 1", "2 1 1"]},
        {"dane_host": "other", "dane_pkix": True, "dane_verbose": False, "os": "Linux"},
    )
    assert found.options == (
        *("--host", "mx", "--port", "25", "--require", "3 1 1", "--require", "2 1 1", "--pkix"),
    )
    assert found.pace == Pace(timedelta(minutes=2), timedelta(seconds=30), 4)
    assert listed(api, double, None).options == ("--verbose",)
    assert "dane-passive" in double.asked[0][3]
    assert double.asked[0][2]["X-HTTP-Method-Override"] == "GET"


@pytest.mark.parametrize(
    ("value", "is_set"),
    [(True, True), ("true", True), ("false", False), (2.0, True), (0.0, False), ("0", False)],
)
def test_a_switch_is_set_as_icinga_s_set_if(
    double: Double, api: IcingaApi, value: object, *, is_set: bool
) -> None:
    assert ("--pkix" in listed(api, double, {"dane_pkix": value}).options) is is_set


def test_options_are_those_of_the_check_command() -> None:
    body = COMMANDS.partition('object CheckCommand "dane" {')[2].partition("\nobject ")[0]
    for name, option in {**WORDS, **SWITCHES}.items():
        kind = "value" if name in WORDS else "set_if"
        assert f'"{option}" = {{\n      {kind} = "${name}$"' in body
    named = set(re.findall(r'= "\$(dane_\w+)\$"', body))
    of_the_plugin = {"dane_trace", "dane_or_local", "dane_max_age"}
    fed = {one for one in named - of_the_plugin if not one.startswith("dane_via")}
    assert fed == {*WORDS, *SWITCHES}


@pytest.mark.parametrize("value", ["$address$", {"type": "Function"}, [True], None])
def test_what_only_icinga_can_resolve_is_unknown(
    double: Double, api: IcingaApi, value: object
) -> None:
    found = listed(api, double, {"dane_host": value})
    assert bool(found.fault) == (value is not None)


@pytest.mark.parametrize("value", ["1e300", "Infinity", "NaN", "null", '"x"', "-1", "1e400"])
@pytest.mark.parametrize("key", ["check_interval", "retry_interval", "max_check_attempts"])
def test_a_pace_that_makes_no_sense_is_of_one_service(
    double: Double, api: IcingaApi, key: str, value: str
) -> None:
    pace = {"check_interval": "60", "retry_interval": "60", "max_check_attempts": "3", key: value}
    words = ", ".join(f'"{name}": {one}' for name, one in pace.items())
    bad = f'{{"attrs": {{"name": "bad", "host_name": "h", "vars": null, {words}}}}}'
    good = bad.replace(f'"{key}": {value}', f'"{key}": 5').replace('"bad"', '"good"')
    double.answers = [(200, f'{{"results": [{bad}, {good}]}}')]
    found = api.services()
    assert [one.name for one in found] == ["bad", "good"]
    assert found[1].fault == ""
    if value in ("NaN", "null", '"x"'):
        assert key in found[0].fault
    assert found[0].pace.interval <= timedelta(days=366)


@pytest.mark.parametrize("text", ["", "[]", '{"results": [1]}', '{"results": 1}', "[" * 9999])
def test_a_list_that_is_none_says_so(double: Double, api: IcingaApi, text: str) -> None:
    double.answers = [(200, text)]
    with pytest.raises(DanebotError, match="not Icinga's JSON"):
        api.services()


def targets(double: Double, server: HttpServer, text: str, name: str = "DANE $target") -> list[Fed]:
    double.answers = [(200, text)]
    settings = HttpSd(server, Template("${rack}"), Template(name), ("--warning", "9"))
    with contextlib.closing(HttpSdList(settings, Pace())) as listed:
        return listed.services()


def test_targets_become_services(double: Double, server: HttpServer) -> None:
    groups = [
        {"targets": ["example.org", "mx.example.org:26"], "labels": {"rack": "r1"}},
        {"targets": ["a.example:993"], "labels": {"module": "imap", "rack": "r;2\n"}},
        {"targets": ["a.example:1"], "labels": {"module": "smb", "rack": "r3"}},
    ]
    found = targets(double, server, json.dumps(groups))
    assert [one.host for one in found] == ["r1", "r1", "r 2\\n", "r3"]
    assert [one.options[:-2] for one in found] == [
        ("--domain", "example.org"),
        ("--host", "mx.example.org", "--port", "26", "--starttls", "smtp"),
        ("--host", "a.example", "--port", "993", "--starttls", "imap"),
        (),
    ]
    assert found[3].fault == "unknown module smb"


@pytest.mark.parametrize("text", ["", "{}", "{}x", "[1]", '[{"targets": 1}]', '[{"labels": {}}]'])
def test_targets_that_are_none_are_said(double: Double, server: HttpServer, text: str) -> None:
    with pytest.raises(DanebotError, match="not a list of target groups"):
        targets(double, server, text)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_is_no_empty_list(double: Double, server: HttpServer, status: int) -> None:
    double.answers = [(status, "[]")]
    settings = HttpSd(server, Template("h"), Template("n"))
    with (
        contextlib.closing(HttpSdList(settings, Pace())) as listed,
        pytest.raises(DanebotError, match=f"{double.port}: HTTP status {status}$"),
    ):
        listed.services()


def test_that_a_list_can_be_read_again_is_said_once(double: Double, server: HttpServer) -> None:
    lines: list[str] = []
    sd = HttpSd(server, Template("h"), Template("$target"))
    settings = FeedSettings(
        Spool(Path("/nonexistent")), (), sd, Pace(), timedelta(minutes=1), timedelta(0)
    )
    with contextlib.closing(Lists(settings, lines.append)) as lists:
        for status in (200, 200, 503, 503, 200, 200):
            double.answers = [(status, '[{"targets": ["a.example"]}]')]
            assert [one.name for one in lists.read()] == ["a.example"]
            assert lists.failing == (status != 200)
    first, again = lines
    assert first.startswith("the list of services can't be read: https://127.0.0.1:")
    assert again == "the list of services can be read again"


def test_names_fit_into_a_line_of_nagios(double: Double, server: HttpServer) -> None:
    groups = [{"targets": ["\u202e" * 5000], "labels": {"rack": "\u0001" * 5000, "module": 5}}]
    (found,) = targets(double, server, json.dumps(groups))
    assert max(len(found.host), len(found.name)) <= 200
    line = command_line(FOUND._replace(service=found))
    assert f";{found.host};{found.name};0;DANE".encode() in line


@pytest.mark.parametrize(
    ("name", "faults"),
    [("DANE", [True]), ("DANE $target", [False, False])],
    ids=["one-name-for-two", "a-name-for-each"],
)
def test_a_name_of_several_checks_is_unknown_rather_than_one_of_them(
    double: Double, server: HttpServer, name: str, faults: list[bool]
) -> None:
    double.answers = [(200, '[{"targets": ["a.test", "b.test", "a.test"]}]')]
    listed = HttpSd(server, Template("h"), Template(name))
    settings = FeedSettings(Spool(Path("/none")), (), listed, Pace(), timedelta(1), timedelta())
    with contextlib.closing(Lists(settings, print)) as lists:
        assert ["several checks" in one.fault for one in lists.read()] == faults


def test_a_name_of_several_faults_is_told_as_such(double: Double, server: HttpServer) -> None:
    """Who corrects the one that is named would find the other, and never learn of both."""
    groups = [{"targets": ["a.test"], "labels": {"module": one}} for one in ("uucp", "x400")]
    double.answers = [(200, json.dumps(groups))]
    listed = HttpSd(server, Template("h"), Template("DANE"))
    settings = FeedSettings(Spool(Path("/none")), (), listed, Pace(), timedelta(1), timedelta())
    with contextlib.closing(Lists(settings, print)) as lists:
        (found,) = lists.read()
    assert found.fault.startswith("several checks have this host and name")


def test_a_list_stands_while_it_cannot_be_read_over_settings_read_again(
    double: Double, server: HttpServer, tmp_path: Path
) -> None:
    file = tmp_path / "feed.toml"
    text = (
        f'refresh = "1s"\n[nagios]\nspool = "{tmp_path}"\n[http_sd]\nhost = "h"\n'
        f'url = "https://127.0.0.1:{double.port}/"\nserver_name = "mail"\n'
        f'ca_file = "{server.ca_file}"\noptions = ["--resolver", "none"]\n'
    )
    file.write_text(text)
    double.answers = [(503, "")]
    counts = FeedCounts()
    lines: list[str] = []
    feeder = Feeder(file, counts, lines.append)
    feeder.start()
    until(lambda: len(double.asked) > 1, "a list that can't be read")
    assert counts.services is None
    double.answers = [(200, '[{"targets": ["a.example", "b.example"]}]')]
    until(lambda: counts.services == 2, "the list")
    double.answers = [(503, "")]
    file.write_text(text + '[[service]]\nhost = "h"\nname = "own"\noptions = []\n')
    feeder.reload()
    seen: list[int | None] = []

    def all_there() -> bool:
        seen.append(counts.services)
        return seen[-1] == 3

    until(all_there, "one's own as well")
    feeder.stop()
    assert set(seen) <= {2, 3}


# ---- all together ---------------------------------------------------------------------------


def test_results_are_kept_while_nobody_takes_them_and_that_is_said_once(
    double: Double, server: HttpServer, tmp_path: Path
) -> None:
    file = tmp_path / "feed.toml"
    file.write_text(
        'interval = "1s"\nretry = "1s"\nmax_age = "0s"\n[icinga]\n'
        f'url = "https://127.0.0.1:{double.port}"\nserver_name = "mail"\ncheck_command = ""\n'
        f'user = "u"\npassword_file = "{server.password_file}"\nca_file = "{server.ca_file}"\n'
        '[[service]]\nhost = "h"\nname = "s"\noptions = ["--domain", "a", "--resolver", "none"]\n'
    )
    double.answers = [(503, '{"status": "away"}'), (503, "{}"), (503, "{}"), (200, FINE)]
    lines: list[str] = []
    counts = FeedCounts()
    feeder = Feeder(file, counts, lines.append)
    feeder.start()
    until(lambda: "results are taken again" in lines, "it goes on")
    feeder.stop()
    assert len(lines) == 2
    assert lines[0].startswith("results are not taken: https://127.0.0.1")
    assert lines[0].endswith("503 away; the newest of each service is kept")
    samples = {
        (one.name, *one.labels.values()): one.value
        for family in counts.collect()
        for one in family.samples
    }
    assert samples["danebot_exporter_feed_looks_total", "unknown"] > 2
    assert samples["danebot_exporter_feed_results_total", "replaced"] > 0
    assert samples["danebot_exporter_feed_results_total", "submitted"] > 0
    sent = json.loads(double.asked[-1][3])
    assert sent["exit_status"] == 3
    assert "want an IP address" in sent["plugin_output"]


def test_the_file_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file, line = tmp_path / "feed.toml", 'options = ["--domain", "a", "--resolver", "none"]\n'
    head = f'[nagios]\nspool = "{tmp_path}"\n'

    def services(*names: str) -> str:
        return head + "".join(f'[[service]]\nhost = "h"\nname = "{n}"\n{line}' for n in names)

    file.write_text(services("a"))
    with exporter("--feed", file) as running:
        assert running.process.stderr is not None

        def fed(count: int) -> bool:
            return f"danebot_exporter_feed_services {count}.0" in running.get("/metrics")[1]

        until(lambda: fed(1), "the first list")
        file.write_text(services("a", "b"))
        running.process.send_signal(signal.SIGHUP)
        until(lambda: fed(2), "a longer list")
        assert "settings read again" in running.process.stderr.readline()
        file.write_text(services("c", "c"))
        running.process.send_signal(signal.SIGHUP)
        said = running.process.stderr.readline()
        assert f"{file}:9: service.1.name is there twice" in said
        assert "what was read before stays in force" in said
        assert fed(2)
