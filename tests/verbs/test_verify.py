"""The verb ``verify``: words, files, terminals; over a told name server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.nameserver import RECURSIVE, Nameserver, nameservers
from danebot.render.report import WORDS
from schemas import faults

SOA = "test 60 SOA ns.test. h.test. 1 2 3 4 5"


@dataclass
class Verb:
    """The command, with a name server of its own."""

    dns: Nameserver
    config: Path

    def run(
        self,
        *words: str,
        given: str = "",
        quiet: tuple[str, ...] = (),
        **more: Any,  # noqa: ANN401 - passed on
    ) -> subprocess.CompletedProcess[str]:
        start = [sys.executable, "-m", "danebot", "--config", str(self.config), *quiet, "verify"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        return subprocess.run(
            [*start, *words], input=given, text=True, check=False, timeout=60, **pipes
        )


@pytest.fixture
def verb(tmp_path: Path) -> Iterator[Verb]:
    config = tmp_path / "danebot.toml"
    with nameservers("127.0.0.1") as (told,):
        config.write_text(f'resolver = ["127.0.0.1:{told.port}"]\n')
        told.say("null.test", "MX", "null.test 60 MX 0 .")
        told.say("gone.test", "MX", rcode="NXDOMAIN", authority=(SOA,))
        told.say("plain.test", "MX", "plain.test 60 MX 10 mx.test.", flags=RECURSIVE)
        told.say("mx.test", "A", "mx.test 60 A 127.0.0.1", flags=RECURSIVE)
        told.say("mx.test", "AAAA", authority=(SOA,), flags=RECURSIVE)
        yield Verb(told, config)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing to verify"),
        (("a.test", "--aka", "b|c"), "not a DNS name"),
        (("a.test", "--helo", "192.0.2.1"), "is an address"),
        (("a.test", "--address", "b.test=c.test"), "want NAME=ADDRESS"),
        (("a.test", "--starttls", "telnet"), "'telnet' is not one of"),
        (("a.test", "--jobs", "0"), "0 is not in the range"),
        (("a.test", "--require", "3 1"), "want '3 1 1' or 311"),
        (("a.test", "--optional", "--require", "311"), "contradict each other"),
        (("a.test", "--only", "b..c"), "is not a DNS name"),
        (("a.test", "--trace", "--json"), "--trace is for people"),
        (("a.test", "--down", "b|c"), "is not a DNS name"),
    ],
)
def test_usage(verb: Verb, words: tuple[str, ...], says: str) -> None:
    done = verb.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--address", "--down"])
def test_a_name_that_is_no_host_of_what_is_judged(verb: Verb, option: str) -> None:
    word = "mx1.test=192.0.2.1" if option == "--address" else "mx1.test"
    done = verb.run("plain.test", "null.test", option, word)
    assert done.returncode == 2
    assert f"{option} mx1.test: no host of what is judged, which are mx.test" in done.stderr
    assert done.stdout.startswith("plain.test: ")
    right = word.replace("mx1", "mx")
    assert verb.run("plain.test", "null.test", option, right).returncode == 1
    assert verb.run("lost.test", option, word).returncode == 1  # whose hosts nobody knows


def test_files(verb: Verb, tmp_path: Path) -> None:
    """Several, standard input among them; what is no target is said, and the rest looked at."""
    listed = tmp_path / "listed"
    listed.write_text("# mine\nnull.test  # none\n\n\x1b[2Jevil.test\nmx.test:0\n")
    done = verb.run("-f", str(listed), "-f", "-", "gone.test", given="plain.test\r\nnull.test\n")
    assert done.returncode == 1
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(":")[0] for line in heads] == ["gone.test", "null.test", "plain.test"]
    assert [line[:9] for line in done.stderr.splitlines()] == ["danebot: "] * 2
    assert "\x1b" not in done.stderr
    none = verb.run("-f", str(tmp_path / "absent"))
    assert (none.returncode, none.stdout) == (1, "")
    assert none.stderr.endswith("No such file or directory; nothing was verified\n")


def test_optional_and_quiet(verb: Verb) -> None:
    fine = verb.run("null.test", "plain.test", "--optional")
    assert (fine.returncode, fine.stderr) == (0, "")
    assert fine.stdout.splitlines()[0] == "null.test: OK (MX: service not offered, secure)"
    assert "note: plain.test: MX records are not secured by DNSSEC" in fine.stdout
    quiet = verb.run("null.test", "--optional", quiet=("-q",))
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    bad = verb.run("null.test", "gone.test", quiet=("-q",))
    assert bad.returncode == 1
    assert "gone.test: CRITICAL" in bad.stdout


def test_what_pkix_demands_is_not_passed_over(verb: Verb) -> None:
    done = verb.run("plain.test", "--optional", "--pkix")
    assert done.returncode == 1
    assert "whether those without DANE accept its certificate was not asked" in done.stdout


def test_a_trace_follows_the_reports(verb: Verb) -> None:
    done = verb.run("null.test", "gone.test", "--trace")
    _, mark, trace = done.stdout.partition("\ntrace, in seconds since ")
    assert (done.returncode, done.stderr, mark) == (1, "", "\ntrace, in seconds since ")
    assert "  < null.test MX: NOERROR, AD\n" in trace
    assert "    null.test 60 MX 0 .\n" in trace
    assert "  < gone.test MX: NXDOMAIN, AD\n" in trace


def test_json_of_every_grade(verb: Verb) -> None:
    done = verb.run("--json", "null.test", "gone.test", "--optional", "lost.test")
    found = {one["target"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert {one["status"] for one in found.values()} <= set(WORDS.values())
    assert found["null.test"]["status"] == "ok"
    assert found["null.test"]["findings"][0]["severity"] == "notice"
    assert found["gone.test"]["findings"][0]["code"] == "no-service"
    assert found["lost.test"]["status"] == "unknown"  # the resolver refuses
    assert found["lost.test"]["way"] == {"hosts": "failed", "security": "unreachable"}
    assert [faults("verify", one) for one in found.values()] == [[]] * 3


def test_families(verb: Verb) -> None:
    for words in (("-4",), ("-6",), ("-4", "-6"), ("--both-algorithms",)):
        assert verb.run("null.test", "--optional", *words).returncode == 0


def test_progress_on_a_terminal(verb: Verb) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb") as terminal, os.fdopen(theirs, "wb") as standard_error:
        done = verb.run("null.test", "gone.test", stderr=standard_error)
        standard_error.close()
        shown = terminal.read1(4096)
    assert done.returncode == 1
    assert b"\r1 of 2" in shown
    assert shown.endswith(b"\r")
    assert "of 2" not in done.stdout


def test_a_list_without_end_is_refused(verb: Verb) -> None:
    done = verb.run("-f", "/dev/zero")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "danebot: /dev/zero: larger than 16777216 octets\n"
