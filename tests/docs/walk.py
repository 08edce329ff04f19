"""A guide walked through: its commands as written, on the lab's servers, in a copy of this machine.

python walk.py GUIDE.md        (root; with ``tests`` on PYTHONPATH)

The copy is an overlay over all files, in a mount namespace that ends with the walk: what a guide
installs, writes and enables is nowhere else.  Its network is a loopback of its own, so that what
others have at port 80 is not this host's.  In the copy /etc/resolv.conf, /etc/postfix and
/etc/letsencrypt are the lab's.  Blocks of a guide:

- ``console``: each line after ``# `` is a command, the lines below are what it prints, standard
  error included.  ``…`` stands for anything in a line, alone in a line for any lines; digits of
  dates and times may be others.  Status 0 is expected, or what a comment before the block says:
  ``<!-- exit status 1 -->``.
- ``sh``: commands alone; what they print doesn't matter.
- ``dovecot-2.3``, ``dovecot-2.4``: for a Dovecot of that version, whose `doveconf` must take it.
- one with a path as its title (``toml title="/etc/danebot/danebot.toml"``) is written to that file.
- ``<!-- not run: REASON -->`` before either: passed over.
- ``<!-- lab: … -->`` lets something happen that takes somebody else, or time: see `happen`.

Doubles: ``example.org`` is the lab's ``example.test``, and 127.0.0.1 its resolver; danebot's waits
are seconds, by settings in front of those that a guide writes; systemd is said to run, and
``systemctl`` enables and disables, but starts nothing; this machine's clock is said to be kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from e2e.shell_tree import ShellLineage
from e2e.steps import age
from lab.lab import Lab
from lab.net import until

PROJECT = Path(__file__).parents[2]
UNITS = Path("/usr/local/lib/systemd/system")
SETTINGS = Path("/etc/danebot/danebot.toml")
QUICK = """\
min_wait = "1d"
margin = "1s"
retire_after = "0s"
unseen_ttl = "0s"
certificates_per_week = 0
"""
SYSTEMCTL = """\
#!/bin/bash
[ -x /usr/bin/systemctl ] || exit 0
exec env SYSTEMD_OFFLINE=1 /usr/bin/systemctl "${@/#--now/--no-reload}"
"""
KEPT_CLOCK = """\
from contextlib import suppress

with suppress(ImportError):  # certbot's Python hasn't danebot
    from danebot.adapters import ntp

    ntp.synchronised = lambda: True
"""
COPY = """
base=$1
shift
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
for each in proc dev sys; do mount --rbind "/$each" "$base/root/$each"; done
exec chroot "$base/root" "$@"
"""
_BLOCK = re.compile(
    r'^```([\w.-]+)(?: title="(\S+)")?\n(.*?)^```$|^<!-- (.*?) -->$', re.MULTILINE | re.DOTALL
)
_RECORD = re.compile(r"^(_\S+)\.? (?:\d+ )?(?:IN )?TLSA (\d \d \d [0-9a-f]+)", re.MULTILINE)
_PATIENCE = 60


class Block(NamedTuple):
    """A fenced block, or a comment (``note``)."""

    line: int
    language: str
    path: str
    text: str
    note: str


class Step(NamedTuple):
    """Commands, and the lines that they are said to print; None: whatever they print."""

    command: str
    prints: str | None


def blocks(guide: str) -> Iterator[Block]:
    """The blocks and comments of a guide, in order."""
    for found in _BLOCK.finditer(guide):
        language, path, text, note = (part or "" for part in found.groups())
        yield Block(guide.count("\n", 0, found.start()) + 1, language, path, text, note)


def steps(block: Block) -> list[Step]:
    """The commands of a block."""
    if block.path or block.language not in {"sh", "console"}:
        return []
    if block.language == "sh":
        return [Step(block.text, None)]
    before, *commands = re.split(r"^# ", block.text, flags=re.MULTILINE)
    if before:
        raise ValueError(f"a block begins with no command: {before}")
    parts = [command.partition("\n") for command in commands]
    return [Step(command, prints) for command, _, prints in parts]


def pattern(prints: str) -> re.Pattern[str]:
    """What the output must match as a whole."""
    lines = []
    for line in prints.splitlines():
        if line == "…":
            lines.append(r"(?:.*\n)*?")
            continue
        text = re.escape(line).replace("…", ".*?")
        text = re.sub(r"\d{4}\\-\d\d\\-\d\d", r"\\d{4}-\\d\\d-\\d\\d", text)
        lines.append(re.sub(r"\d\d:\d\d", r"\\d\\d:\\d\\d", text) + r" *\n")
    return re.compile("".join(lines))


class Walk:
    """One guide on one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.printed = ""
        self.environment = {
            **os.environ,
            "PATH": f"{lab.certbot_wrapper().parent}:{Path(sys.executable).parent}"
            f":{os.environ['PATH']}:/usr/sbin:/sbin",
            "SSL_CERT_FILE": str(lab.issuer_root),
            "NO_COLOR": "1",
        }
        self.environment.pop("MAIL_CONFIG", None)
        postfix = lab.root / "postfix/etc"
        for name in ("postfix-files", "postfix-script", "post-install"):
            if (file := Path("/etc/postfix", name)).exists():
                shutil.copy(file, postfix)
        for ours, theirs in (
            (lab.resolv_conf, "/etc/resolv.conf"),
            (postfix, "/etc/postfix"),
            (lab.tree, "/etc/letsencrypt"),
        ):
            subprocess.run(["mount", "--bind", ours, theirs], check=True)
        for directory in (SETTINGS.parent, Path("/var/lib/danebot"), UNITS):
            shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(PROJECT / "systemd", UNITS)  # as the installation brings it
        systemctl = lab.certbot_wrapper().with_name("systemctl")
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        Path("/run/systemd/system").mkdir(
            parents=True, exist_ok=True
        )  # it runs, as far as cron goes
        self.write(str(SETTINGS), "")

    def here(self, text: str) -> str:
        """The text with the names of the lab."""
        return text.replace("example.org", "example.test").replace("127.0.0.1", self.lab.resolver)

    def walk(self, guide: str) -> None:
        """Do all that the guide says."""
        passed_over, status = False, 0
        for block in blocks(guide):
            if block.note:
                passed_over = block.note.startswith("not run: ")
                if expected := re.fullmatch(r"exit status (\d+)", block.note):
                    status = int(expected[1])
                if block.note.startswith("lab: "):
                    self.happen(block.note.removeprefix("lab: "))
                continue
            if not passed_over:
                sys.stdout.write(f"-- line {block.line}\n")
                if block.path:
                    self.write(block.path, block.text)
                if block.language.startswith("dovecot-"):
                    self.dovecot(block)
                for step in steps(block):
                    self.run(step, status)
            passed_over, status = False, 0

    def write(self, path: str, text: str) -> None:
        """Write a file of the guide."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((QUICK if file == SETTINGS else "") + self.here(text), encoding="utf-8")

    def dovecot(self, block: Block) -> None:
        """Have Dovecot read a configuration that was written for its version."""
        version = block.language.removeprefix("dovecot-")
        versions = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
        head = "" if version == "2.3" else versions
        file = Path("/etc/walk.conf")
        file.write_text(head + self.here(block.text), encoding="utf-8")
        mine = f"dovecot --version | grep -q '^{version}[.]' || exit 0"
        self.run(Step(f"{mine}; doveconf -n -c {file}", None), 0)

    def run(self, step: Step, status: int) -> None:
        """Run a command; it must print and exit as the guide says."""
        done = subprocess.run(
            ["bash", "-euc", self.here(step.command)],
            env=self.environment,
            cwd="/root",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if _RECORD.search(done.stdout):
            self.printed = done.stdout
        sys.stdout.write(f"# {step.command.rstrip()}\n{done.stdout}")
        as_told = step.prints is None or pattern(self.here(step.prints)).fullmatch(done.stdout)
        if done.returncode != status or not as_told:
            sys.exit(f"not as told: status {done.returncode}, not {status}, or not\n{step.prints}")

    def happen(self, what: str) -> None:
        """Let happen what the guide leaves to others, or to time."""
        match what.split():
            case ["protected" | "issued" | "wildcard" | "shell" | "danectl" as situation]:
                self.begin(situation)
            case ["publish"]:
                for owner, record in _RECORD.findall(self.printed):
                    self.lab.tlsa_add(f"{owner.rstrip('.')}.", record)
            case ["remove"]:
                for owner, record in _RECORD.findall(self.printed.partition("; remove")[2]):
                    self.lab.tlsa_del(f"{owner.rstrip('.')}.", record)
            case ["lose", "the", "tree"]:
                for directory in ("renewal", "archive", "live", "staging", "accounts"):
                    shutil.rmtree(self.lab.tree / directory)
            case ["secondary", "stop" | "resume" as verb]:
                getattr(self.lab, f"{verb}_secondary")()
            case ["phase", wanted]:  # a wait that a slow walk doesn't outlast
                age(self.lab.tree / "staging" / self.lab.lineage, timedelta(days=1))
                until(f"phase {wanted}", lambda: wanted in self.phases(), _PATIENCE)
            case _:
                raise ValueError(f"lab: {what}")

    def begin(self, situation: str) -> None:
        """Begin where `start.md` ends, or with bare certbot, the shell program or danectl."""
        name = self.lab.lineage
        if situation == "wildcard":
            challenge = self.lab.dns_challenge(self.lab.root / "challenge")
            self.lab.issue(name, "*.example.test", extra=challenge)
        else:
            self.lab.issue(name, combo=situation != "protected")
        if situation == "protected":
            self.write(str(SETTINGS), 'hooks = ["@postfix"]\n')
            self.run(Step("systemctl disable certbot.timer", None), 0)
            self.run(Step(f"danebot init {name}", None), 1)
            self.run(Step(f"danebot tlsa {name}", None), 1)
            self.happen("publish")
            self.run(Step(f"danebot init {name}; danebot renew", None), 0)
            return
        self.lab.tlsa_add(f"_25._tcp.{name}.", f"3 1 1 {self.lab.served_spki()}")
        if situation == "danectl":
            self.pair()
        if situation == "shell":
            ShellLineage(Path("/etc/letsencrypt"), name).init()

    def pair(self) -> None:
        """Add a next lineage, whose record is published, as danectl does."""
        name, tree = self.lab.lineage, Path("/etc/letsencrypt")
        self.lab.issue(f"{name}-duplicate", name, extra=("--duplicate", "--reuse-key"), combo=False)
        for role, lineage in (("current", name), ("next", f"{name}-duplicate")):
            (tree / role).mkdir()
            (tree / role / name).symlink_to(tree / "live" / lineage)
        self.run(
            Step(f"danebot record {tree}/next/{name}/cert.pem --owner _25._tcp.{name}", None), 0
        )
        self.happen("publish")

    def phases(self) -> list[str]:
        """Where the lineages stand."""
        done = subprocess.run(
            ["danebot", "status", "--json"], env=self.environment, capture_output=True, check=False
        )
        return [lineage["phase"] for lineage in json.loads(done.stdout)["lineages"]]


def copied(base: Path, guide: Path) -> list[str]:
    """The command that walks through a guide, with the copy below an empty directory."""
    inside = [sys.executable, __file__, str(guide)]
    return ["unshare", "--mount", "--net", "sh", "-euc", COPY, "sh", str(base), *inside]


def main() -> None:
    """Walk through the guide that is named."""
    guide = Path(sys.argv[1]).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as doubles:
        Path(doubles, "sitecustomize.py").write_text(KEPT_CLOCK)
        # also where certbot is forked: only one that has the same environment stands for another
        os.environ["PYTHONPATH"] = f"{doubles}:{os.environ.get('PYTHONPATH', '')}"
        with Lab(ttl=3) as lab:
            Walk(lab).walk(guide)


if __name__ == "__main__":
    main()
