"""danebot publishes TLSA records itself: DNS UPDATE to the real primary, and what may fail."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e.site import MAIL, OWNER, Site
from e2e.steps import combo, memory

pytestmark = pytest.mark.lab
FOREIGN = "3 1 1 " + "f0" * 32


def key_file(site: Site, name: str = "", secret: str = "") -> Path:
    """A TSIG key as BIND writes it; the lab's own unless told otherwise."""
    path = site.tree.parent / "tsig.key"
    path.touch(0o600)
    path.write_text(
        f'key "{name or site.lab.tsig_name}" {{\n\talgorithm {site.lab.tsig_algorithm};\n'
        f'\tsecret "{secret or site.lab.tsig_secret}";\n}};\n'
    )
    return path


def by_update(site: Site, *lines: str, **key: str) -> None:
    """Have danebot publish by DNS UPDATE."""
    site.extra = table("rfc2136", f'key_file = "{key_file(site, **key)}"', *lines)


def table(method: str, *lines: str) -> str:
    """The settings of publication; later lines go over earlier ones."""
    usual = (f'method = "{method}"', 'wait = "10s"', 'timeout = "5s"')
    settings = dict(line.split(" = ", 1) for line in (*usual, *lines))
    return "\n".join(["[publish]", *(f"{name} = {value}" for name, value in settings.items())])


def published(site: Site, owner: str = OWNER) -> set[str]:
    """The RRset at the primary."""
    return site.lab.tlsa_at(site.lab.ns1, owner)


def renewed_until(site: Site, condition: Callable[[], bool]) -> Iterator[str]:
    """Daily runs, a second apart, each of which must succeed; what they say."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(1)
        yield site.ok("renew")


def test_a_whole_rollover_without_hands(site: Site) -> None:
    old = site.issued()
    site.lab.tlsa_set(OWNER, old, FOREIGN, ttl=1)
    by_update(site)
    site.ok("init", MAIL)
    new = site.next_record()

    planned = site.ok("renew", "--dry-run")
    assert f"{MAIL}: would add (rfc2136): {OWNER} 1 IN TLSA {new}" in planned
    assert new not in published(site)

    said = site.ok("renew")

    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert published(site) == {old, new, FOREIGN}
    assert site.lab.tlsa_at(site.lab.ns2, OWNER) == {old, new, FOREIGN}
    said = "".join(renewed_until(site, lambda: f"3 1 1 {combo(site)}" == new))
    said += "".join(renewed_until(site, lambda: old not in published(site)))
    assert f"removed at ns1.example.test: {OWNER} IN TLSA {old}" in said
    assert "remove:" not in said  # that is for those who do it by hand
    assert published(site) == {new, FOREIGN}
    assert site.status()["publication"]["remove"] == []


# ---- what may go wrong ------------------------------------------------------------------------


def failing(site: Site, fault: str) -> Callable[[], None]:
    """Configure one fault; what mends it."""
    match fault:
        case "key name":
            by_update(site, name="nobody.")
        case "key secret":
            by_update(site, secret="d3Jvbmcgd3Jvbmcgd3Jvbmc=")  # noqa: S106 - no secret
        case "key mode":
            by_update(site)
            key_file(site).chmod(0o644)
            return lambda: key_file(site).chmod(0o600)
        case "zone":
            by_update(site, 'zone = "nosuch.test"')
        case "not authoritative":
            by_update(site, 'zone = "nosuch.test"', f'server = "{site.lab.ns1}"')
        case "down":
            by_update(site)
            site.lab.stop("primary")
            return lambda: site.lab.start("primary")
    return lambda: by_update(site)


def later(site: Site) -> None:
    """Let the time come at which it is tried again, as if hours had passed."""
    document = memory(site)
    shift(document["publishing"]["failure"], "first", "last", "retry_at")
    (site.staging / "rollover.json").write_text(json.dumps(document))


def shift(part: dict[str, Any], *fields: str) -> None:
    for name in fields:
        moment = datetime.fromisoformat(part[name]) - timedelta(days=2)
        part[name] = moment.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("fault", "words", "remedy"),
    [
        ("key name", "the server doesn't accept the TSIG key", "compare name, algorithm"),
        ("key secret", "the server doesn't accept the TSIG key", "compare name, algorithm"),
        ("key mode", "others may read or write this key", "mend key_file"),
        ("zone", "nosuch.test has no SOA record", "name it with zone"),
        ("not authoritative", "(NOTAUTH)", "name server and zone under [publish]"),
        ("down", "the primary server can't be reached (", "see that it runs"),
    ],
)
def test_a_failure_is_told_the_state_kept_and_it_is_tried_again(
    site: Site, fault: str, words: str, remedy: str
) -> None:
    old = site.staged()
    new = site.next_record()
    mend = failing(site, fault)

    run = site.danebot("renew")

    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "publishing failed" in line]
    assert "publishing failed 1 times since" in line
    assert words in line
    assert remedy in line
    assert site.lab.tsig_secret not in run.stdout + run.stderr
    assert (site.staging / "nextkey.pem").exists()
    status = site.status()
    assert status["phase"] == "staged"
    assert [f["code"] for f in status["findings"] if f["severity"] == "warning"] == [
        "publish-failed"
    ]
    assert f"3 1 1 {combo(site)}" == old
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "publishing failed 1 times" in run.stderr  # not tried before its time
    run = site.danebot("publish")
    assert run.returncode == 1
    assert "publishing failed 2 times" in run.stderr  # asked for: tried at once
    mend()
    later(site)
    said = site.ok("renew")
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert published(site) == {old, new}
    assert memory(site)["publishing"]["failure"] is None


def test_a_secondary_that_does_not_catch_up(site: Site) -> None:
    site.staged()
    new = site.next_record()
    by_update(site, 'wait = "1s"')
    with site.lab.lag_secondary():
        said = site.ok("renew")  # may take a while: no news yet
        assert "added at ns1.example.test" in said
        assert new in published(site)
        run = site.danebot("publish")
        assert run.returncode == 1
        assert "is not to be seen yet at ns2.example.test" in run.stderr
        assert site.status()["phase"] == "staged"
        document = memory(site)
        shift(document["publishing"], "changed_at")
        (site.staging / "rollover.json").write_text(json.dumps(document))
        run = site.danebot("renew")
        assert run.returncode == 1
        assert "is not to be seen yet at ns2.example.test" in run.stderr
        assert "see that they transfer the zone" in run.stderr
    list(renewed_until(site, (site.staging / "ready.pem").exists))
    assert memory(site)["publishing"]["changed_at"] is None


# ---- by a program -----------------------------------------------------------------------------

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
    list(renewed_until(site, (site.staging / "ready.pem").exists))
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
        ("sys.exit('no credit left')", "exit status 1: no credit left"),
        ("print('busy'); sys.exit(75)", "the program asks to try again later (busy)"),
        ("import time; time.sleep(60)", "ran out of time"),
        ("import os; os.kill(os.getpid(), 9)", "the program failed (exit status 137"),
    ],
)
def test_a_program_that_fails(site: Site, change: str, words: str) -> None:
    site.staged()
    site.next_record()
    by_program(site, change, 'timeout = "2s"')
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


# ---- by hand, and by half ---------------------------------------------------------------------


def test_by_hand_it_prints_and_waits(site: Site) -> None:
    site.staged()
    new = site.next_record()
    run = site.danebot("publish", MAIL)
    assert run.returncode == 1
    assert f"{MAIL}: add: {OWNER} 5 IN TLSA {new}" in run.stdout
    site.lab.tlsa_add(OWNER, new)
    site.quiet("publish", MAIL)


def test_nothing_is_published_by_itself_unless_wanted(site: Site) -> None:
    site.staged()
    new = site.next_record()
    by_update(site, "automatic = false")
    site.quiet("renew")
    assert new not in published(site)
    said = site.ok("publish", "--dry-run")
    assert f"would add (rfc2136): {OWNER} 5 IN TLSA {new}" in said
    assert new not in published(site)
    site.ok("publish")
    assert new in published(site)


def test_an_alias_is_followed(site: Site) -> None:
    site.staged()
    (site.staging / "dane-ee").write_text("1 _25._tcp.alias.example.test\n")
    new = site.next_record()
    by_update(site)
    said = site.ok("renew")
    assert f"added at ns1.example.test: {OWNER} IN TLSA {new}" in said
    assert new in published(site)
