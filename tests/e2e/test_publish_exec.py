"""TLSA records published by a program, and what programs and providers may do to them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from e2e.publishing import later, published, renewed_until, seen_everywhere, table
from e2e.site import MAIL, OWNER, Site
from e2e.steps import memory

pytestmark = pytest.mark.lab
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "publish-nsupdate"


def by_program(site: Site, change: str = "", *lines: str) -> None:
    """Have danebot publish by the example; ``change`` is Python that meddles with the document."""
    meddler = site.tree.parent / "provider"
    example = f"{sys.executable} {EXAMPLE} {site.lab.ns1} knsupdate -y"
    meddler.write_text(
        f"#!{sys.executable}\nimport json, subprocess, sys\nchange = json.load(sys.stdin)\n"
        f"{change}\n"
        f"key = open({str(site.lab.tsig_file)!r}).read().strip()\n"
        f"argv = {example.split()!r} + [key]\n"
        "sys.exit(subprocess.run(argv, input=json.dumps(change), text=True).returncode)\n"
    )
    meddler.chmod(0o755)
    site.extra = table("exec", f'command = "{meddler}"', *lines)


def text_becomes(expression: str) -> str:
    return f"for one in change['add']:\n    one['text'] = {expression}"


@pytest.mark.parametrize(
    ("dressing", "words"),
    [
        ("", ""),
        (text_becomes("one['text'].upper()"), ""),
        (text_becomes("one['text'][:30] + ' ' + one['text'][30:]"), ""),
        ("change['ttl'] = 2", "(with a TTL of 2 s, where 5 s was asked for)"),
    ],
    ids=["as told", "upper case", "in pieces", "TTL clamped"],
)
def test_what_a_provider_may_do_to_a_record(site: Site, dressing: str, words: str) -> None:
    old = site.staged()
    new = site.next_record()
    by_program(site, dressing)
    said = site.ok("renew")
    assert f"added: {OWNER} IN TLSA {new}{' ' if words else ''}{words}" in said
    assert published(site) == {old, new}
    list(renewed_until(site, lambda: seen_everywhere(site)))
    if words:
        document = memory(site)["owners"][OWNER.rstrip(".")]["sightings"]
        assert {s["ttl"] for s in document if s["until"] is None} == {2.0}  # the real one counts


def test_what_a_provider_must_not_do_to_a_record(site: Site) -> None:
    old = site.staged()
    new = site.next_record()
    by_program(site, text_becomes("one['text'][:40]"))  # cut short
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "what is published is not what was asked for" in run.stderr
    assert f"shows {new[:40]} in place of {new}" in run.stderr
    assert "remove the wrong record there" in run.stderr
    assert "publish-altered" in {f["code"] for f in site.status()["findings"]}
    assert (site.staging / "nextkey.pem").exists()
    site.lab.tlsa_del(OWNER, new[:40])
    by_program(site)
    later(site)
    assert f"added: {OWNER} IN TLSA {new}" in site.ok("renew")
    assert published(site) == {old, new}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("sys.exit('no credit left')", "(exit status 1): no credit left"),
        ("print('busy'); sys.exit(75)", "the program asks to try again later: busy"),
        ("import time; time.sleep(600)", "ran out of time"),
        ("import os; os.kill(os.getpid(), 9)", "the program failed (exit status 137"),
    ],
)
def test_a_program_that_fails(site: Site, change: str, words: str) -> None:
    site.staged()
    site.next_record()
    by_program(site, change, 'timeout = "10s"')
    run = site.danebot("renew")
    assert run.returncode == 1
    assert words in run.stderr
    assert (site.staging / "nextkey.pem").exists()
    assert memory(site)["publishing"]["failure"]["count"] == 1


def test_a_program_that_says_done_is_not_believed(site: Site) -> None:
    site.staged()
    site.next_record()
    by_program(site, "sys.exit(0)", 'wait = "1s"')
    run = site.danebot("publish")
    assert run.returncode == 1
    assert "is not to be seen yet at ns1.example.test" in run.stderr
    assert site.status()["phase"] == "staged"


def test_the_program_gets_one_document(site: Site) -> None:
    old = site.staged()
    new = site.next_record()
    copy = site.tree.parent / "document.json"
    by_program(site, f"open({str(copy)!r}, 'w').write(json.dumps(change)); sys.exit(75)")
    site.danebot("publish")
    usage, selector, mtype, data = new.split()
    record = {
        "usage": int(usage),
        "selector": int(selector),
        "matching_type": int(mtype),
        "data": data,
        "text": new,
    }
    document = json.loads(copy.read_text())
    assert document["add"] == [record]
    assert {r["text"] for r in document.pop("rrset")} == {old, new}
    assert [r["text"] for r in document.pop("seen")] == [old]
    assert document == {
        "version": 1,
        "lineage": MAIL,
        "owners": ["_25._tcp.mail.example.test"],
        "name": "_25._tcp.mail.example.test",
        "zone": "example.test",
        "relative_name": "_25._tcp.mail",
        "type": "TLSA",
        "ttl": 5,
        "add": [record],
        "remove": [],
    }


def test_two_lineages_at_one_name_and_a_provider_that_replaces_all(site: Site) -> None:
    """The second change of a run is made on top of the first."""
    old = site.staged()
    site.lab.issue("mx2.example.test", key_type="rsa", extra=("--rsa-key-size", "2048"))
    assert site.danebot("init", "mx2.example.test").returncode == 1  # no record is watched yet
    for name in (MAIL, "mx2.example.test"):
        (site.tree / "staging" / name / "dane-ee").write_text(f"1 {OWNER}\n")
    replaces_all = (
        'lines = [f"server {sys.argv[1]}", f"zone {change[\'zone\']}.",'
        " f\"update delete {change['name']}. TLSA\"]\n"
        "lines += [f\"update add {change['name']}. {change['ttl']} TLSA {one['text']}\""
        " for one in change['rrset']]\n"
        f"key = open({str(site.lab.tsig_file)!r}).read().strip()\n"
        "text = '\\n'.join([*lines, 'send', ''])\n"
        "sys.exit(subprocess.run(['knsupdate', '-y', key], input=text, text=True).returncode)\n"
    ).replace("{sys.argv[1]}", site.lab.ns1)
    by_program(site, replaces_all)
    site.extra = f"probe = false\n{site.extra}"  # one service can't have both keys here
    new = site.next_record()

    said = site.danebot("renew").stdout  # the resolver still has the RRset without the other key

    (other,) = published(site) - {old, new}
    assert published(site) == {old, new, other}
    assert said.count("added: ") == 2
    site.lab.flush()
    site.quiet("renew")
