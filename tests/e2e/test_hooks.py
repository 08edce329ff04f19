"""Deploy hooks that fail, hang, are killed, or say that they reloaded what they didn't."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from danebot.domain.text import times
from e2e.site import MAIL, OWNER, Site
from e2e.steps import memory, start, wait_for
from lab.lab import Lab, missing

pytestmark = pytest.mark.lab


def _hooks(*commands: str) -> str:
    return f"hooks = {json.dumps(commands)}"


def _renewed(site: Site, *commands: str, timeout: str = "5m") -> None:
    """A renewal that is due, with deploy hooks."""
    site.staged()
    site.extra = _hooks(*commands)
    site.settings["hook_timeout"] = timeout
    site.lab.make_due(MAIL)


def _not_due(site: Site) -> None:
    """certbot has renewed: from now on there is nothing to issue."""
    conf = site.tree / "renewal" / f"{MAIL}.conf"
    conf.write_text(conf.read_text().replace("renew_before_expiry = 3650 days\n", ""))


def _pending(site: Site) -> list[tuple[str, int]]:
    return [(p["hook"], p["attempts"]) for p in memory(site)["deployment"]["pending"]]


def test_a_hook_that_fails_five_times_is_run_until_it_succeeds(site: Site) -> None:
    """Each run says so and is a failure; the other hook runs once; then all is quiet."""
    count, other = site.tree.parent / "count", site.tree.parent / "other"
    count.write_text("")
    fails = f"printf x >>{count}; test $(wc -c <{count}) -gt 5 || {{ echo no luck; exit 3; }}"
    _renewed(site, fails, f"printf x >>{other}")
    for attempt in range(1, 6):
        run = site.danebot("renew")
        assert run.returncode == 1
        assert f"failed {times(attempt)}: exit status 3: no luck" in run.stderr
        assert _pending(site) == [(fails, attempt)]
        assert memory(site)["deployment"]["confirmed_at"] is None
        _not_due(site)
    site.quiet("renew")
    assert _pending(site) == []
    assert memory(site)["deployment"]["confirmed_at"] is not None
    site.quiet("renew")
    assert (count.read_text(), other.read_text()) == ("x" * 6, "x")
    site.sound()


def test_a_hook_that_hangs_is_ended_in_time_and_stays_pending(site: Site) -> None:
    """Its children too; the hooks after it run all the same."""
    pid, after = site.tree.parent / "pid", site.tree.parent / "after"
    hangs = f"sleep 600 & echo $! >{pid}; wait"
    _renewed(site, hangs, f"touch {after}", timeout="5s")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "failed once: " in run.stderr
    assert after.stat().st_mtime - pid.stat().st_mtime < 60
    assert _pending(site) == [(hangs, 1)]
    wait_for(lambda: _ended(int(pid.read_text())))


def _ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nothing but to be counted."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):  # before, or while it is read
        return True


def test_a_hook_that_is_killed_stays_pending(site: Site) -> None:
    _renewed(site, "kill -9 $$")
    run = site.danebot("renew")
    assert run.returncode == 1
    assert "deploy hook kill ... failed once" in run.stderr
    assert _pending(site) == [("kill -9 $$", 1)]


def test_danebot_killed_during_a_hook_runs_it_again(site: Site) -> None:
    """And those after it; what had succeeded before isn't run twice."""
    first, second, third = (site.tree.parent / name for name in ("first", "second", "third"))
    slow = f"echo $$ >>{second}; test -e {third} || exec sleep 600"
    _renewed(site, f"printf x >>{first}", slow, f"printf x >>{third}")
    process = start(site, "renew")
    wait_for(lambda: second.exists() and bool(second.read_text()))
    process.kill()
    process.communicate()
    os.kill(int(second.read_text()), signal.SIGKILL)
    assert _pending(site) == [(slow, 0), (f"printf x >>{third}", 0)]
    _not_due(site)
    third.write_text("")
    site.ok("renew")
    assert (first.read_text(), third.read_text()) == ("x", "x")
    assert len(second.read_text().split()) == 2
    assert _pending(site) == []


# ---- a reload that wasn't -------------------------------------------------------------------


@pytest.fixture(scope="module")
def caching_lab() -> Iterator[Lab]:
    """A lab whose postfix keeps its chain until it is told to read it again."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Lab(mail_caches=True) as lab:
        yield lab


def test_a_reload_that_kept_the_old_chain_is_noticed_and_tried_again(caching_lab: Lab) -> None:
    """The hook says that all is well, but the wire doesn't: the hook is pending again."""
    site = Site(caching_lab)
    record = f"3 1 1 {_served_first(site)}"
    caching_lab.tlsa_set(OWNER, record)
    site.ok("init", MAIL)
    works, count = site.tree.parent / "works", site.tree.parent / "count"
    master = caching_lab.root / "postfix/queue/pid/master.pid"
    hook = f"printf x >>{count}; test ! -e {works} || kill -HUP $(tr -d ' ' <{master})"
    site.extra = _hooks(hook)
    caching_lab.make_due(MAIL)
    for runs in (1, 2):
        run = site.danebot("renew")
        assert run.returncode == 1
        assert "still serves another certificate than the one deployed" in run.stderr
        assert "failed" not in run.stderr
        assert count.read_text() == "x" * runs
        assert _pending(site) == [(hook, 0)]
        assert site.status()["confirmed_at"] is None
        _not_due(site)
    works.touch()
    site.quiet("renew")
    assert _pending(site) == []
    site.quiet("renew")
    assert count.read_text() == "x" * 3
    assert caching_lab.dane_verified()


def _served_first(site: Site) -> str:
    """Issue, have postfix read it, and return the digest of the key that it serves."""
    lab = site.lab
    lab.issue(MAIL)
    lab.postfix_reload()
    found: list[str] = []

    def served() -> bool:
        try:
            found.append(lab.served_spki())
        except OSError:
            return False
        return True

    wait_for(served)
    return found[0]
