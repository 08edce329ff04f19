"""check_dane --via: the words of a danebot-exporter, unchanged; and what is said without them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asking import PLAIN, VIA, check_dane, odd_server
from checking import NAME, World
from danebot.adapters.trace import MAX_TRACE, Trace
from danebot.plugin.output import MAX_LINE, MAX_OUTPUT, PluginResult, State, render
from danebot_checks.via import last_value
from danebot_checks.via_answer import MOST, NoAnswer, read_answer
from danebot_exporter.check_frames import framed
from danebot_exporter.checker import Answer
from exporter import sample
from exporter.running import Exporter, exporter
from plugin_words import FINE_WORDS, WRONG_WORDS, steady

OTHER = "3 1 1 " + "5a" * 32
SILENT = ["-H", "a.example", "-t", "2"]


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Exporter, str]]:
    """An exporter, and the path of its socket."""
    folder = tmp_path_factory.mktemp("via")
    status = sample.write(folder / "status.json")
    place = folder / "check.sock"
    options = ("--snapshot", status, "--check.socket", place, "--probe.targets", "any")
    with exporter(*options) as found:
        yield found, str(place)


def same(via: str, words: list[str]) -> int:
    """Ask both ways; return the status, which is one, as the words are."""
    told, plain = check_dane(["--via", via, *words]), check_dane(words, PLAIN)
    assert (told.status, steady(told.text)) == (plain.status, steady(plain.text))
    return told.status


@pytest.mark.parametrize("words", FINE_WORDS, ids=" ".join)
def test_same_words(world: World, answering: tuple[Exporter, str], words: tuple[str, ...]) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}", OTHER)
        same(answering[1], world.words(peer.port, *words))
        world.publish(peer.port, OTHER)
        assert same(answering[1], world.words(peer.port, *words)) in (2, 3)


@pytest.mark.parametrize("words", WRONG_WORDS, ids=repr)
def test_same_refusals(answering: tuple[Exporter, str], words: tuple[str, ...]) -> None:
    if any("\0" in word for word in words):
        return  # no program can be given it
    assert same(answering[1], list(words)) == 3


def test_help_is_as_wide_as_the_terminal(answering: tuple[Exporter, str]) -> None:
    wide = {"COLUMNS": "140"}
    told = check_dane(["--via", answering[1], "-h"], env=wide)
    assert told == check_dane(["-h"], PLAIN, env=wide)
    assert told != check_dane(["-h"], PLAIN, env={"COLUMNS": "80"})


def test_arguments_that_are_no_text(answering: tuple[Exporter, str]) -> None:
    words = [b"-H", b"b\xfcro.example", b"-v"]
    told = check_dane([b"--via", os.fsencode(answering[1]), *words])
    assert told == check_dane(words, PLAIN)
    told.sound()


def test_it_has_the_time_that_was_given(world: World, answering: tuple[Exporter, str]) -> None:
    """A service that accepts and says nothing: told in its time, and not later."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        world.publish(port, OTHER)
        words = world.words(port, "-t", "8")  # on a busy machine a program begins after seconds
        begin = time.monotonic()
        told = check_dane(["--via", answering[1], *words])
        assert time.monotonic() - begin < 8 + 10
    told.sound()
    assert told.status == 3
    assert "no greeting within" in told.text


# ---- without an answer ----------------------------------------------------------------------


def _drips(client: socket.socket) -> None:
    client.sendall(b"danebot-check/1 0 1000\n")
    for _ in range(600):
        client.sendall(b"x")
        time.sleep(0.1)


def _floods(client: socket.socket) -> None:
    while True:
        client.sendall(b"x" * 65536)


def _hangs_up(client: socket.socket) -> None:
    client.recv(100)


ODD: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "hangs up": (_hangs_up, "hung up without an answer"),
    "half a head": (lambda client: client.sendall(b"danebot-che"), "no answer of a danebot-exp"),
    "half": (
        lambda client: client.sendall(b"danebot-check/1 0 50\nDANE OK - all"),
        "broke off in the middle",
    ),
    "more": (lambda client: client.sendall(b"danebot-check/1 0 2\nDANE"), "no answer of a dane"),
    "no status": (lambda client: client.sendall(b"danebot-check/1 7 2\nDA"), "no answer of a"),
    "minus": (lambda client: client.sendall(b"danebot-check/1 -1 2\nDA"), "no answer of a"),
    "beyond number": (
        lambda client: client.sendall(b"danebot-check/1 0 " + 5000 * b"9" + b"\nDA"),
        "no answer of a danebot-exp",
    ),
    "without a line": (lambda client: client.sendall(b"danebot-check/1 0 0\n"), "no answer of a"),
    "another state": (
        lambda client: client.sendall(b"danebot-check/1 0 20\nDANE CRITICAL - bad\n"),
        "no answer of a danebot-exp",
    ),
    "another": (lambda client: client.sendall(b"220 ESMTP\r\n"), "no answer of a danebot-exp"),
    "endless": (_floods, "has no end"),
    "drips": (_drips, "no answer in time; allow more (--timeout)"),
    "silent": (lambda _: time.sleep(60), "no answer in time; allow more (--timeout)"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_answer_that_is_none_is_unknown(name: str, tmp_path: Path) -> None:
    act, says = ODD[name]
    with odd_server(tmp_path / "s", act) as path:
        begin = time.monotonic()
        told = check_dane(["--via", path, *SILENT])
        assert time.monotonic() - begin < 2 + 30  # a busy machine's leave
    told.sound()
    assert told.status == 3
    assert told.lines[0].startswith(f"DANE UNKNOWN - {path}: ")
    assert says in told.text


@pytest.mark.parametrize(
    ("via", "says"),
    [
        ("/nonexistent/s", "nobody answers there; start danebot-exporter with --check.socket"),
        ("/etc/passwd", "nobody answers there"),
        ("127.0.0.1:9698", "no such socket; a URL begins with http:// or https://"),
        ("exporter.example.test", "no such socket; a URL begins with http:// or https://"),
        ("/" + "a" * 200, "correct --via"),
        ("http://127.0.0.1:1", "connection refused; start danebot-exporter there"),
        ("http://", "want http(s)://HOST:PORT"),
        ("ftp://127.0.0.1", "want http(s)://HOST:PORT"),
        ("http://me:secret@127.0.0.1/", "--via-login"),
        ("http://127.0.0.1:99999", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:65536", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:100000", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:0", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:1/\r\nX-Other:1", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:1/\u00fc", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:1/a b", "want http(s)://HOST:PORT"),
        ("http://[::1]:1/", "connection refused"),
        ("http://a b\n|", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:\u00b2", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:" + "9" * 5000, "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:http/", "want http(s)://HOST:PORT"),
        ("http://127.0.0.1:/", "connection refused"),  # empty is the usual one (RFC 3986)
    ],
)
def test_nobody_there(via: str, says: str) -> None:
    told = check_dane(["--via", via, *SILENT])
    told.sound()
    assert told.status == 3
    assert says in told.text


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@127.0.0.1/",
        "ftp://m:sec/secret@h",
        "http://m:a@secret@h",
        "http://127.0.0.1:1/secret@h",
    ],
)
def test_a_password_in_a_url_is_not_told(url: str) -> None:
    """Nor is what comes before a slash in it taken for a host, to be asked."""
    told = check_dane(["--via", url, *SILENT])
    assert told.status == 3
    assert "secret" not in told.text
    assert "a name and password go into --via-login" in told.text


@pytest.mark.parametrize("status", [b"9" * 5000, b"20", b"2000", b"+20", b"2x0"])
def test_a_status_that_is_none(status: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def answer() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.0 " + status + b" OK\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        told = check_dane(["--via", url, *SILENT])
        thread.join()
    told.sound()
    assert (told.status, "that is no answer of a danebot-exporter" in told.text) == (3, True)


def test_or_local_looks_itself_in_what_time_is_left(world: World, tmp_path: Path) -> None:
    with world.peer() as peer:
        world.publish(peer.port, f"3 1 1 {world.digest}")
        words = world.words(peer.port, "-t", "12")
        gone = check_dane(["--via", "/nonexistent/s", "--or-local", *words])
        with odd_server(tmp_path / "s", ODD["silent"][0]) as path:
            begin = time.monotonic()
            late = check_dane(["--via", path, "--or-local", *words])
            assert 12 / 3 < time.monotonic() - begin < 12
    assert (gone.status, late.status) == (0, 0)
    assert 12 / 3 < float(late.data["time"].partition("s")[0]) < 12


def test_who_may_not_ask(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, which may ask everybody, to become nobody")
    become = "import os, _socket, danebot_checks.via; os.setgid(65534); os.setuid(65534)"
    with odd_server(tmp_path / "s", ODD["silent"][0]) as path:
        told = check_dane(["--via", path, *SILENT], f"{become}; {VIA}")
    assert told.status == 3
    assert "this user may not ask" in told.text


def test_nobody_reads(answering: tuple[Exporter, str]) -> None:
    command = [sys.executable, "-c", VIA, "--via", answering[1], "stray"]
    done = subprocess.run(["/bin/sh", "-c", '"$@" >&-', "sh", *command], check=False, timeout=60)
    assert done.returncode == 3
    with Path("/dev/full").open("w", encoding="ascii") as full:
        assert subprocess.run(command, stdout=full, check=False, timeout=60).returncode == 3


@pytest.mark.no_cover
def test_it_imports_next_to_nothing() -> None:
    """Unmeasured: coverage loads some of it itself."""
    code = (
        "import sys; before = set(sys.modules); import danebot_checks.via, _socket; "
        "print(*sorted(set(sys.modules) - before))"
    )
    words = check_dane([], code).text.split()
    assert words == [
        "__future__",
        "_socket",
        "danebot_checks",
        "danebot_checks.via",
        "danebot_checks.via_answer",
    ]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--via", "a"], "a"),
        (["--via=a", "--via", "b"], "b"),
        (["--via"], None),
        (["--viable", "x"], None),
    ],
)
def test_the_last_value_counts(words: list[str], value: str | None) -> None:
    assert last_value(words, "--via") == value


def longest() -> str:
    """What the exporter says at most: each character of a trace takes five octets (`clean`)."""
    trace = Trace()
    for _ in range(MAX_TRACE):
        trace.say("|", "|" * MAX_LINE)
    lines = ["|" * MAX_LINE] * MAX_OUTPUT
    found = PluginResult(State.CRITICAL, lines[0], lines, trace=tuple(trace.lines()))
    return render("DANE", found)


def test_the_longest_answer_that_an_exporter_gives_is_taken() -> None:
    """Its length has six digits; behind it the head of HTTP has room as well."""
    text = longest()
    octets = framed(Answer(2, text))
    assert MAX_TRACE * 3 < len(octets) < 10**6 < MOST
    assert read_answer(octets) == (2, text)


@pytest.mark.parametrize("length", [999_999, 1_000_000, 2 * MOST])
def test_a_length_has_six_digits(length: int) -> None:
    """No exporter says more; so what has no end is told by its first line."""
    head = f"danebot-check/1 0 {length}\n".encode()
    with pytest.raises(NoAnswer) as told:
        read_answer(head + b"DANE OK - ")
    assert ("broke off" in str(told.value)) is (length < 10**6)


def test_a_whole_answer() -> None:
    assert read_answer(answer("2", "DANE CRITICAL - ü\nmore\n")) == (2, "DANE CRITICAL - ü\nmore\n")
    with pytest.raises(NoAnswer):
        read_answer(b"danebot-check/1 2 1" + b"0" * 30 + b"\n")


def answer(status: str, text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    return f"danebot-check/1 {status} {len(octets)}\n".encode() + octets


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("0", ""),
        ("0", "DANE CRITICAL - no host\n"),
        ("2", "DANE OK - all\n"),
        ("0", "DANE OK - all"),
        ("00", "DANE OK - all\n"),
        ("4", "DANE OK - all\n"),
        ("0", "DANE OK - \x1b[2J\n"),
        ("0", "DANE OK - all\rDANE\n"),
        ("0", "DANE OK - \x9b2J\n"),
        ("0", "DANE OK - \udcff\n"),
        ("0", "\n"),
        ("00", "\nDANE CRITICAL - bad\n"),
        ("9", "\nDANE OK - all\n"),
        ("256", "\nDANE CRITICAL - bad\n"),  # 0, for whoever waits for the process
    ],
)
def test_what_check_dane_would_not_say_is_no_answer(status: str, text: str) -> None:
    with pytest.raises(NoAnswer):
        read_answer(answer(status, text))


@pytest.mark.parametrize("length", ["13", "+14", "1_4", "14.", "", "x"])
def test_an_answer_has_the_length_that_it_says(length: str) -> None:
    octets = b"DANE OK - all\n"
    assert read_answer(b"danebot-check/1 0 14\n" + octets)[0] == 0
    with pytest.raises(NoAnswer, match="no answer of a danebot-exporter"):
        read_answer(f"danebot-check/1 0 {length}\n".encode() + octets)
    with pytest.raises(NoAnswer, match="no answer of a danebot-exporter"):
        read_answer(b"danebot-check/1 0 14\n" + octets * 2)


@pytest.mark.parametrize("name", ["--via", "--via-login", "--via-ca"])
def test_an_empty_value_is_refused_and_nobody_looks(
    answering: tuple[Exporter, str], name: str
) -> None:
    told = check_dane(["--via", answering[1], "-H", "a.invalid", f"{name}="])
    assert told.status == 3
    assert f"{name}: the value is empty, as of a macro that isn't set" in told.text


def test_or_local_has_the_time_to_tell_what_is_wrong(world: World, tmp_path: Path) -> None:
    """A silent exporter, and an address that says nothing: the other's fault is told still."""
    with (
        world.peer() as peer,
        socket.create_server(("127.0.0.66", peer.port)),
        odd_server(tmp_path / "s", ODD["silent"][0]) as path,
    ):
        world.publish(peer.port, OTHER, addresses=("127.0.0.1", "127.0.0.66"))
        told = check_dane(["--via", path, "--or-local", *world.words(peer.port, "-t", "12")])
    assert told.status == 2, told.text


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o602, 0o666])
def test_a_password_that_others_may_read_is_not_sent(tmp_path: Path, mode: int) -> None:
    login = tmp_path / "login"
    login.write_text("nagios:secret\n", encoding="ascii")
    login.chmod(mode)
    told = check_dane(["--via", "http://127.0.0.1:1", "--via-login", str(login), *SILENT])
    assert told.status == 3
    assert "others may read it; chmod 0600" in told.text
    login.chmod(0o600)
    fine = check_dane(["--via", "http://127.0.0.1:1", "--via-login", str(login), *SILENT])
    assert "connection refused" in fine.text
    for host in ("localhost", "[::1]", "127.9.9.9"):
        fine = check_dane(["--via", f"http://{host}:1", "--via-login", str(login), *SILENT])
        assert "connection refused" in fine.text, host
    away = ("192.0.2.1", "127.0.0.1.example", "127.0.0.1.1", "127.0.0.256", "a.example")
    for host in (*away, "localhost.example", "[2001:db8::1]"):
        told = check_dane(["--via", f"http://{host}:1", "--via-login", str(login), *SILENT])
        assert told.status == 3
        assert "goes to https:// alone" in told.text


def test_a_login_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = check_dane(
        ["--via", "http://127.0.0.1:1", "--via-login", str(tmp_path / "pipe"), *SILENT]
    )
    assert "not a regular file" in told.text


def test_a_host_may_be_called_as_an_option(answering: tuple[Exporter, str]) -> None:
    """What --via hides from the other side must not move other words together."""
    assert same(answering[1], ["-H", "--or-local", NAME]) == 3
