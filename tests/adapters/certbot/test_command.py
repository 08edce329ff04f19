"""How certbot is found, called and judged.

A shell script stands for certbot where certbot itself can't be made to hang, to be too old, or to
be refused by a CA at will; its words there are certbot's own, copied from its output.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters.certbot.command import Certbot, CertbotRun, find_certbot
from danebot.adapters.certbot.failures import OTHER_KEY, FailureCause, cause_of, reason_of
from danebot.adapters.process import Ended, Ending
from danebot.config import Settings
from danebot.domain.lineage.key_types import KeyType
from danebot.errors import CertbotError
from lab.acme import Flavour
from lab.lab import Lab

LINEAGE = "mail.example.test"
SHORT = timedelta(seconds=3)  # in which a shell has begun, also on a busy machine


def fake(directory: Path, body: str, name: str = "certbot") -> Path:
    """A script in place of certbot; it counts how often it is started."""
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho >> {directory}/starts\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def starts(directory: Path) -> int:
    return (directory / "starts").read_text().count("\n")


def settings(tmp_path: Path, certbot: Path | None) -> Settings:
    (tmp_path / "state").mkdir(exist_ok=True)
    return Settings(
        tree=tmp_path / "tree", certbot=certbot, snapshot=tmp_path / "state/status.json"
    )


# ---- finding it -----------------------------------------------------------------------------


def test_the_configured_certbot_is_asked_for_its_version_once(tmp_path: Path) -> None:
    path = fake(tmp_path, "echo certbot 5.8.0")

    for _ in range(3):
        found = find_certbot(settings(tmp_path, path))
        assert (found.path, found.version, found.tree) == (path, (5, 8), tmp_path / "tree")

    assert starts(tmp_path) == 1


def test_another_certbot_in_the_same_place_is_asked_again(tmp_path: Path) -> None:
    path = fake(tmp_path, "echo certbot 5.8.0")
    find_certbot(settings(tmp_path, path))

    new = fake(tmp_path, "echo certbot 2.0.0", "new")
    new.rename(path)

    with pytest.raises(CertbotError, match=r"is certbot 2\.0, but danebot needs 2\.1 or later"):
        find_certbot(settings(tmp_path, path))


def test_a_link_that_leads_elsewhere_now_is_noticed(tmp_path: Path) -> None:
    old = fake(tmp_path, "echo certbot 5.8.0", "old/certbot")
    fake(tmp_path, "echo certbot 5.9.0", "new/certbot")
    (tmp_path / "link").symlink_to("old")
    assert find_certbot(settings(tmp_path, tmp_path / "link/certbot")).version == (5, 8)

    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("new")

    assert find_certbot(settings(tmp_path, tmp_path / "link/certbot")).version == (5, 9)
    assert old.exists()


@pytest.mark.parametrize(
    "record", [b"", b"{}", b"[1]", b"\xff", b'{"certbot": [], "version": [9, 9]}', b"[" * 100_000]
)
def test_a_record_that_is_no_use_is_replaced(tmp_path: Path, record: bytes) -> None:
    path = fake(tmp_path, "echo certbot 2.1.0")
    cache = tmp_path / "state/certbot.json"
    chosen = settings(tmp_path, path)
    cache.write_bytes(record)

    assert find_certbot(chosen).version == (2, 1)
    assert json.loads(cache.read_text())["version"] == [2, 1]


def test_without_a_place_for_the_record_it_still_works(tmp_path: Path) -> None:
    path = fake(tmp_path, "echo certbot 2.1.0 >&2")
    chosen = Settings(certbot=path, snapshot=tmp_path / "no/such/status.json")

    assert find_certbot(chosen).version == (2, 1)


@pytest.mark.parametrize("mode", [0o644, 0o755, None])
def test_a_configured_path_that_is_no_program_is_told(tmp_path: Path, mode: int | None) -> None:
    path = tmp_path / "certbot"
    if mode == 0o644:
        path.touch(mode)
    elif mode is not None:
        path.mkdir(mode)

    with pytest.raises(CertbotError, match=r"correct certbot in danebot\.toml"):
        find_certbot(settings(tmp_path, path))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo hello", "--version ended and said: hello; see that certbot works"),
        ("exit 1", "--version ended; see that certbot works"),
        ("echo 'ModuleNotFoundError: certbot' >&2; exit 1", "said: ModuleNotFoundError: certbot"),
    ],
)
def test_what_does_not_say_its_version_is_no_certbot(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(CertbotError, match=re.escape(words)):
        find_certbot(settings(tmp_path, fake(tmp_path, body)))


def test_certbot_is_looked_for_on_path_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake(tmp_path, "echo certbot 3.0.0", "bin/certbot")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin")

    assert find_certbot(settings(tmp_path, None)).path == path


# ---- calling it -----------------------------------------------------------------------------

SHOW = 'echo "event=$DANEBOT_EVENT ca=$SSL_CERT_FILE"; for word; do echo "<$word>"; done; exit 1'


def stub(tmp_path: Path, body: str, **options: object) -> Certbot:
    """A `Certbot` whose program is a script."""
    path = fake(tmp_path, body)
    return Certbot(path, (5, 8), tmp_path / "tree", **options)  # type: ignore[arg-type]


def words_of(run: CertbotRun) -> list[str]:
    return [line[1:-1] for line in run.output if line.startswith("<")]


def test_a_renewal_of_everything(tmp_path: Path) -> None:
    certbot = stub(tmp_path, SHOW, environment={"SSL_CERT_FILE": "/ca.pem"})

    run = certbot.renew()

    assert words_of(run) == [
        *("renew", "--non-interactive", "--no-random-sleep-on-renew"),
        *("--config-dir", f"{tmp_path}/tree"),
    ]
    assert run.output[0] == "event=issued ca=/ca.pem"
    assert list(run.arguments) == words_of(run)


def test_a_renewal_of_one_lineage(tmp_path: Path) -> None:
    run = stub(tmp_path, SHOW).renew(LINEAGE)

    assert words_of(run)[-2:] == ["--cert-name", LINEAGE]


@pytest.mark.parametrize(
    ("key_type", "options"),
    [
        (KeyType.RSA_3072, ["--key-type", "rsa", "--rsa-key-size", "3072"]),
        (KeyType.P384, ["--key-type", "ecdsa", "--elliptic-curve", "secp384r1"]),
        (None, []),
    ],
)
def test_a_promotion_names_the_key_type(
    tmp_path: Path, key_type: KeyType | None, options: list[str]
) -> None:
    run = stub(tmp_path, SHOW).promote(LINEAGE, key_type)

    forced = ["--cert-name", LINEAGE, "--force-renewal", "--reuse-key"]
    assert words_of(run)[5:] == [*forced, *options]


def test_a_renewal_of_one_names_the_key_to_keep(tmp_path: Path) -> None:
    run = stub(tmp_path, SHOW).renew(LINEAGE, KeyType.P384)

    assert words_of(run)[-4:] == ["--key-type", "ecdsa", "--elliptic-curve", "secp384r1"]


def test_a_deploy_hook_for_all_is_left_out_for_what_is_danebots(tmp_path: Path) -> None:
    certbot = stub(tmp_path, SHOW)
    (tmp_path / "tree/staging").mkdir(parents=True)
    (tmp_path / "tree/cli.ini").write_text("deploy-hook = x\n")
    needed = [certbot.one_by_one]
    (tmp_path / "tree/staging" / LINEAGE).mkdir()

    assert [*needed, certbot.one_by_one] == [False, True]
    assert words_of(certbot.renew(LINEAGE))[-1] == "--deploy-hook="
    assert words_of(certbot.promote(LINEAGE, None))[-3] == "--deploy-hook="
    assert words_of(certbot.renew("other"))[-1] == "other"


@pytest.mark.parametrize("verb", ["renew", "promote"])
def test_no_call_of_certbot_finds_a_hook_that_isnt_held_back(tmp_path: Path, verb: str) -> None:
    (tmp_path / "tree/staging" / LINEAGE).mkdir(parents=True)
    hook = tmp_path / "tree/renewal-hooks/deploy/hook"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho ran\n")
    hook.chmod(0o755)
    certbot = stub(tmp_path, f"RENEWED_LINEAGE={tmp_path}/tree/staging/x {hook}")

    run = certbot.renew() if verb == "renew" else certbot.promote(LINEAGE, None)

    assert (run.exit_status, run.output) == (0, ())


def test_hooks_that_cannot_be_held_are_left_out_for_what_is_danebots(tmp_path: Path) -> None:
    """Nothing stops the others' renewals, nor their hooks."""
    (tmp_path / "tree/staging" / LINEAGE).mkdir(parents=True)
    (tmp_path / "tree/renewal-hooks").mkdir()
    (tmp_path / "tree/renewal-hooks/deploy").write_text("")
    certbot = stub(tmp_path, SHOW)

    assert certbot.one_by_one
    assert words_of(certbot.renew(LINEAGE))[-1] == "--no-directory-hooks"
    assert "--no-directory-hooks" in words_of(certbot.promote(LINEAGE, None))
    assert words_of(certbot.renew("other"))[-1] == "other"
    assert words_of(certbot.renew())[-1] == "--no-directory-hooks"


def test_success_has_no_cause_and_no_reason(tmp_path: Path) -> None:
    run = stub(tmp_path, "echo some warning").renew()

    assert (run.exit_status, run.cause, run.reason) == (0, None, "")


def test_out_of_time_certbot_may_clean_up_and_that_is_no_success(tmp_path: Path) -> None:
    body = "trap 'echo cleaned up; exit 0' TERM; echo waiting; while :; do sleep 0.05; done"

    run = stub(tmp_path, body, timeout=SHORT).renew()

    assert run.ending is Ending.TIMED_OUT
    assert run.cause is FailureCause.TIMEOUT
    assert run.reason == "it did not end within 3 s; it had said: cleaned up"


def test_a_certbot_that_hangs_for_good_is_killed_with_its_hooks(tmp_path: Path) -> None:
    body = f"trap '' TERM; sleep 60 & echo $! > {tmp_path}/pid; while :; do sleep 0.05; done"

    run = stub(tmp_path, body, timeout=SHORT, clean_up=SHORT).renew()

    assert (run.ending, run.exit_status) == (Ending.TIMED_OUT, -signal.SIGKILL)
    assert _ends(int((tmp_path / "pid").read_text()))


def _ends(pid: int) -> bool:
    """Whether a process ends soon; whoever adopts orphans may take a moment to reap it."""
    for _ in range(1000):
        try:
            if ") Z " in Path(f"/proc/{pid}/stat").read_text(encoding="ascii"):
                return True
        except (FileNotFoundError, ProcessLookupError):  # before, or while it is read
            return True
        time.sleep(0.02)
    return False


def test_a_certbot_that_has_gone_is_an_outcome(tmp_path: Path) -> None:
    certbot = stub(tmp_path, "")
    certbot.path.unlink()

    run = certbot.renew()

    assert run.exit_status is None
    assert run.reason == "it could not be started: No such file or directory"


# ---- its words ------------------------------------------------------------------------------

RATE_LIMIT = """\
Failed to renew certificate mail.example.org with error: urn:ietf:params:acme:error:rateLimited :: \
There were too many requests of a given type :: too many certificates (5) already issued for this \
exact set of identifiers in the last 168h0m0s, retry after 2026-01-02 03:04:05 UTC
All renewals failed. The following certificates could not be renewed:
  /etc/letsencrypt/staging/mail.example.org/fullchain.pem (failure)
1 renew failure(s), 0 parse failure(s)
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile \
/var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details.
"""
CHALLENGE = """\
Certbot failed to authenticate some domains (authenticator: standalone). The Certificate Authority \
reported these problems:
  Domain: mail.example.org
  Type:   connection
  Detail: 192.0.2.1: Fetching http://mail.example.org/.well-known/acme-challenge/x: Timeout

Hint: The Certificate Authority failed to download the challenge files from the temporary \
standalone webserver started by Certbot on port 80.

Failed to renew certificate mail.example.org with error: Some challenges have failed.
All renewals failed. The following certificates could not be renewed:
  /etc/letsencrypt/live/mail.example.org/fullchain.pem (failure)
1 renew failure(s), 0 parse failure(s)
"""


@pytest.mark.parametrize(
    ("output", "cause", "reason"),
    [
        (
            RATE_LIMIT,
            FailureCause.RATE_LIMITED,
            "rate limited by the CA: urn:ietf:params:acme:error:rate",
        ),
        (
            CHALLENGE,
            FailureCause.REFUSED,
            "refused by the CA: mail.example.org: 192.0.2.1: Fetching http",
        ),
        (
            "Failed to renew certificate x with error: Requesting y: Network is unreachable\n",
            FailureCause.UNREACHABLE,
            "the CA can't be reached: Requesting y: Network is unreachable",
        ),
        (
            "certbot: error: unrecognized arguments: --x\n",
            FailureCause.OTHER,
            "certbot: error: unrec",
        ),
        ("", FailureCause.OTHER, "exit status 1, without a word"),
        ("- - - - -\nAsk for help\n", FailureCause.OTHER, "exit status 1, without a word"),
        ("\033[31mred\033[0m\n", FailureCause.OTHER, "\\x1b[31mred\\x1b[0m"),
    ],
)
def test_one_line_tells_why(output: str, cause: FailureCause, reason: str) -> None:
    ended = Ended(Ending.EXITED, 1, output, timedelta(0))

    assert cause_of(ended) is cause
    line = reason_of(ended, timedelta(minutes=10))
    assert line.startswith(reason)
    assert line.isprintable()


# ---- certbot itself -------------------------------------------------------------------------


@pytest.fixture
def real(lab: Lab, fresh_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Certbot:
    """The newest certbot on the lab's tree."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return Certbot(lab.certbot_wrapper(), (5, 8), fresh_tree)


@pytest.mark.lab
@pytest.mark.parametrize("flavour", list(Flavour))
def test_the_real_versions_are_read(lab: Lab, tmp_path: Path, flavour: Flavour) -> None:
    found = find_certbot(settings(tmp_path, lab.certbot_wrapper(flavour)))

    said = subprocess.run(
        [flavour.program, "--version"], capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith(f"certbot {'.'.join(map(str, found.version))}.")


@pytest.mark.lab
def test_a_real_promotion_takes_the_staged_key_and_its_type(lab: Lab, real: Certbot) -> None:
    live = lab.issued_tree(LINEAGE)
    assert b"BEGIN" in (live / "privkey.pem").read_bytes()

    run = real.promote(LINEAGE, KeyType.P256)

    assert (run.exit_status, run.cause, run.reason) == (0, None, "")
    archive = real.tree / "archive" / LINEAGE
    assert (archive / "privkey2.pem").read_bytes() == (archive / "privkey1.pem").read_bytes()
    assert (archive / "cert2.pem").read_bytes() != (archive / "cert1.pem").read_bytes()


@pytest.mark.lab
def test_real_refusals_are_told_in_their_own_words(lab: Lab, real: Certbot) -> None:
    lab.issued_tree(LINEAGE)
    conf = real.tree / f"renewal/{LINEAGE}.conf"
    working = conf.read_text()

    refused = real.promote(LINEAGE, KeyType.RSA_2048)  # the staged key is no RSA key
    conf.write_text(re.sub(r"server = .*", "server = https://127.0.0.1:1/dir", working))
    (account,) = (real.tree / "accounts").iterdir()
    shutil.copytree(account, account.with_name("127.0.0.1:1"))
    ini = real.tree / "cli.ini"
    ini.write_text(ini.read_text().replace("server", "#server"))
    unreachable = real.promote(LINEAGE, KeyType.P256)
    conf.write_text(working)
    locked = real.tree / ".certbot.lock"
    held = os.open(locked, os.O_CREAT | os.O_WRONLY)
    os.lockf(held, os.F_TLOCK, 0)
    busy = real.renew()
    os.close(held)

    assert (refused.exit_status, refused.cause) == (1, FailureCause.OTHER_KEY)
    assert refused.other_key == {LINEAGE}
    assert refused.failures[LINEAGE] == refused.reason == OTHER_KEY
    assert "reuse" not in refused.reason
    assert (unreachable.exit_status, unreachable.cause) == (1, FailureCause.UNREACHABLE)
    assert (busy.exit_status, busy.cause) == (1, FailureCause.LOCKED)
    assert busy.reason.startswith("another certbot is at work: Another instance of Certbot")


@pytest.mark.lab
@pytest.mark.usefixtures("fresh_tree")
def test_a_challenge_that_fails_is_a_refusal(lab: Lab) -> None:
    """Issuing says it in the words of a renewal, and the CA has no older answer for the name."""
    name = "nobody.example.test"
    failed = lab.certbot("certonly", "-d", name, check=False)
    ended = Ended(Ending.EXITED, failed.returncode, failed.stdout + failed.stderr, timedelta(0))

    assert cause_of(ended) is FailureCause.REFUSED
    reason = reason_of(ended, timedelta(minutes=10))
    assert reason.startswith(f"refused by the CA: {name}: ")
    assert reason.isprintable()
