"""A forked certbot is what the plain program is, but for its parent and its session."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Lab
from lab.net import until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fresh_tree")]

WAYS: tuple[Callable[[Lab], None], ...] = (lambda _: None, Lab.plain_certbot)
NAME = "mail.example.test"


# in a hook, which certbot runs by a shell: certbot's pid, and whether it is a fork
CERTBOT = "certbot=$(sed -n 's/^PPid:.//p' /proc/$PPID/status)"
FORKED = "tr '\\0' '\\n' </proc/$certbot/cmdline | grep -c certbot_server.py"


def hook(lab: Lab, *lines: str) -> Path:
    path = lab.root / "hook"
    path.write_text("\n".join(["#!/bin/sh", CERTBOT, *lines, ""]))
    path.chmod(0o755)
    return path


def test_what_a_hook_finds_is_the_same(lab: Lab) -> None:
    """Under a caller with a directory, limits, words, variables and namespaces of its own."""
    lab.issue(NAME)
    found = lab.root / "found"
    program = hook(
        lab,
        f"exec >{found} 2>&1",
        FORKED,
        "env | grep -v ^_= | sort; pwd; umask; ulimit -a; cat /etc/resolv.conf; ls /proc/self/fd",
        "ls /etc/letsencrypt; grep -E 'Sig[BIC]|Cap|Uid|Groups|Umask|Seccomp' /proc/self/status",
        "nice; readlink /proc/self/ns/mnt /proc/self/ns/net | wc -l",
    )
    caller = (
        "umask 027; ulimit -Sn 333; ulimit -c 0; cd /usr; export TZ=Asia/Tokyo ODD='a\n b=c'; "
        f"exec nice -n 3 {lab.certbot_wrapper()} renew --force-renewal --pre-hook '{program} \"ä\"'"
    )
    texts, outputs = [], []
    for way in WAYS:
        way(lab)
        done = lab.run(["sh", "-c", f"echo said | ({caller})"], check=True)
        first, _, text = found.read_text().partition("\n")
        texts.append(text)
        outputs.append((first, done.stdout, done.stderr))

    assert [first for first, _, _ in outputs] == ["1", "0"]
    assert texts[0] == texts[1]
    assert {"ODD=a", " b=c"} <= set(texts[0].splitlines())  # two lines of one value, sorted
    assert "\n0027\n" in texts[0]
    assert outputs[0][1:] == outputs[1][1:]


def test_a_hook_is_in_the_callers_root(lab: Lab, tmp_path: Path) -> None:
    """A mount namespace has a root of its own, which need not be that of who is in it."""
    lab.issue(NAME)
    found = lab.root / "found"
    program = hook(lab, f"ls /mnt >{found}")
    script = 'mount --rbind / "$0"; mount -t tmpfs tmpfs "$0/mnt"; touch "$0/mnt/here"\n'
    words = ("renew", "--force-renewal", "--pre-hook", str(program))
    for way in WAYS:
        way(lab)
        apart = ("unshare", "-m", "sh", "-ec", f'{script}exec chroot "$0" "$@"', str(tmp_path))
        lab.run([*apart, str(lab.certbot_wrapper()), *words], check=True)
        assert found.read_text() == "here\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--help", "all"],
        ["--version"],
        ["plugins"],
        ["certificates"],
        ["renew", "--cert-name", "nosuch.example.test"],
        ["--nonsense"],
        ["certonly", "--server", "https://127.0.0.1:1/dir", "-d", NAME],
    ],
    ids=" ".join,
)
def test_it_says_and_ends_the_same(lab: Lab, words: list[str]) -> None:
    ends = []
    for way in WAYS:
        way(lab)
        done = lab.certbot(*words, check=False)
        text = re.sub(r"0x[0-9a-f]+|certbot-log-\w+", "", done.stdout + done.stderr)
        ends.append((done.returncode, text))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("way", WAYS, ids=["forked", "plain"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_it_and_its_end_is_told(
    lab: Lab, way: Callable[[Lab], None], number: signal.Signals
) -> None:
    """SIGTERM for certbot alone, SIGKILL for its group: danebot does both."""
    way(lab)
    lab.issue(NAME)
    pid = lab.root / "pid"
    program = hook(
        lab, f"echo $$ $certbot $({FORKED}) >{pid}.new", f"mv {pid}.new {pid}", "exec sleep 100"
    )
    pid.unlink(missing_ok=True)
    client = subprocess.Popen(
        [lab.certbot_wrapper(), "renew", "--force-renewal", "--pre-hook", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=lab.env,
        start_new_session=True,
    )
    until("the hook to run", pid.exists)
    sleeping, certbot, forks = map(int, pid.read_text().split())
    assert forks == (way is WAYS[0])

    if number is signal.SIGTERM:
        client.send_signal(number)
    else:
        os.killpg(client.pid, number)

    assert client.wait(timeout=120) == -number
    until("certbot to end", lambda: not Path(f"/proc/{certbot}").exists())
    if number is signal.SIGTERM:
        os.kill(sleeping, signal.SIGKILL)
    until("the hook to end", lambda: not Path(f"/proc/{sleeping}").exists())


@pytest.mark.parametrize(
    "caller",
    [
        "LC_ALL=C exec",
        "LD_PRELOAD=/lib/x86_64-linux-gnu/libm.so.6 exec",
        "trap '' USR2; exec",
        "exec 7</dev/null; exec",
        "exec setpriv --no-new-privs",
        "exec setpriv --bounding-set -sys_time",
    ],
)
def test_a_caller_with_more_to_hand_on_gets_the_plain_program(lab: Lab, caller: str) -> None:
    lab.issue(NAME)
    found = lab.root / "found"
    program = hook(lab, f"{FORKED} >{found}")
    words = f"{lab.certbot_wrapper()} renew --force-renewal --pre-hook {program}"
    lab.run(["sh", "-c", f"{caller} {words}"], check=True)
    assert found.read_text() == "0\n"
