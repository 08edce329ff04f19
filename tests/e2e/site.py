"""A mail server's operator on the lab: danebot with its settings, run as a process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from danebot import cli
from lab.acme import Flavour
from lab.lab import Lab

MAIL = "mail.example.test"
OWNER = "_25._tcp.mail.example.test."
QUICK = {
    "min_wait": "0s",
    "margin": "0s",
    "unseen_ttl": "0s",  # or each key would wait for as long after the first look
    "retire_after": "0s",
    "backoff_first": "1h",
}
PROGRAM = (sys.executable, "-m", "danebot")
INSTALLED = (str(Path(sys.executable).with_name("danebot")),)  # the command, as cron starts it


@dataclass
class Site:
    """One tree on a running lab; `danebot` runs the command, as cron would."""

    lab: Lab
    settings: dict[str, str] = field(default_factory=lambda: dict(QUICK))
    flavour: Flavour = Flavour.PYPI
    extra: str = ""
    python: tuple[str, ...] = PROGRAM
    certbot: Path | None = None

    @property
    def tree(self) -> Path:
        """certbot's configuration directory."""
        return self.lab.tree

    @property
    def staging(self) -> Path:
        """The mail lineage's staging directory."""
        return self.tree / "staging" / MAIL

    @property
    def live(self) -> Path:
        """The mail lineage's live directory."""
        return self.tree / "live" / MAIL

    @property
    def archive(self) -> Path:
        """The mail lineage's archive."""
        return self.tree / "archive" / MAIL

    @property
    def snapshot(self) -> Path:
        """The public status document."""
        return self.tree.parent / "state" / "status.json"

    def configure(self) -> Path:
        """Write danebot.toml for the lab."""
        path = self.tree.parent / "danebot.toml"
        lines = [
            f'config_dir = "{self.tree}"',
            f'certbot = "{self.certbot or self.lab.certbot_wrapper(self.flavour)}"',
            f'resolver = ["{self.lab.resolver}"]',
            f'ca_file = "{self.lab.issuer_root}"',
            f'snapshot = "{self.snapshot}"',
            *(f'{name} = "{value}"' for name, value in self.settings.items()),
            "certificates_per_week = 0",  # the lab's CA doesn't count
            self.extra,
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def command(self, *args: str) -> list[str]:
        """The argument vector of one danebot run."""
        return [*self.python, "--config", str(self.configure()), *args]

    def env(self) -> dict[str, str]:
        """The environment of a cron job, with the project importable."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "SSL_", "HTTP"))}
        return {**kept, "NO_COLOR": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}

    def danebot(
        self, *args: str, timeout: float = 280, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run danebot to its end; what it exits with and prints.

        Without an environment, a tracer or `INSTALLED` as its program it runs in this process,
        through the same entry point: a start costs more than most runs.
        """
        if not env and self.python == PROGRAM:
            return self.inside(*args)
        return subprocess.run(
            self.command(*args),
            env={**self.env(), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def inside(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The same in this process."""
        command = self.command(*args)
        out, err = io.StringIO(), io.StringIO()
        handler = signal.getsignal(signal.SIGTERM)
        with (
            mock.patch.dict(os.environ, self.env(), clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main(command[len(self.python) :])
            except SystemExit as exc:
                status = exc.code if isinstance(exc.code, int) else 1
            finally:
                signal.signal(signal.SIGTERM, handler)
        return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def still(self, ahead: timedelta = timedelta(0)) -> Iterator[None]:
        """Let danebot's clock stand still: what takes its time here isn't time that it waited.

        It stands ``ahead`` of the system's.

        For runs in this process, in which certbot issues nothing: its clock goes on.
        """
        now = datetime.now(UTC) + ahead
        with mock.patch("danebot.jobs.context.datetime") as clock:
            clock.now.return_value = now
            yield

    def quiet(self, *args: str) -> None:
        """A run that must say nothing and find nothing: the healthy cron job."""
        run = self.danebot(*args)
        assert (run.returncode, run.stdout, run.stderr) == (0, "", ""), run

    def ok(self, *args: str) -> str:
        """A run that must succeed; its standard output."""
        run = self.danebot(*args)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def attention(self, *args: str) -> str:
        """Run it; it must end with 1 and warnings, no error. Return what it told on stderr."""
        run = self.danebot(*args)
        assert run.returncode == 1, run.stdout + run.stderr
        assert "danebot: WARNING: " in run.stderr
        return run.stderr

    def status(self, name: str = MAIL) -> dict[str, Any]:
        """One lineage of ``status --json``, whatever the exit status."""
        run = self.danebot("status", "--json", name)
        assert run.returncode in {0, 1}, run.stderr
        document: dict[str, Any] = json.loads(run.stdout)["lineages"][0]
        return document

    # ---- usual situations -------------------------------------------------------------------

    def issued(self, key_type: str = "ecdsa", *extra: str) -> str:
        """A fresh certbot lineage whose record is published; the record."""
        self.lab.issued_tree(MAIL, key_type=key_type, extra=extra)
        record = f"3 1 1 {self.lab.served_spki()}"
        self.lab.tlsa_set(OWNER, record)
        return record

    def staged(self, key_type: str = "ecdsa", *extra: str) -> str:
        """The same under danebot's care."""
        record = self.issued(key_type, *extra)
        self.ok("init", MAIL)
        return record

    def next_record(self, *args: str) -> str:
        """Run ``newkey``; the record that it says to add."""
        out = self.ok("newkey", MAIL, *args)
        (line,) = [line for line in out.splitlines() if not line.startswith(";")]
        return line.split(" TLSA ", 1)[1].split(" ;")[0]  # an alias is told behind it

    def sound(self, name: str = MAIL) -> None:
        """The tree's four links agree, combo is live's content, and no stray file is left."""
        sound_tree(self.tree, name)


def sound_tree(tree: Path, name: str = MAIL) -> None:
    """Assert what every finished danebot run leaves: see `Site.sound`."""
    from danebot.adapters.tree.paths import KINDS, archive_versions, link_version
    from danebot.adapters.tree.tree import Tree

    reader = Tree(tree)
    paths = reader.paths(name)
    state = reader.read(name)
    assert state.faults == ()
    assert state.live is not None
    directories = [paths.live] + ([paths.staging] if paths.staging.is_dir() else [])
    for directory in directories:
        versions = set()
        for kind in KINDS:
            link = directory / f"{kind}.pem"
            assert link.is_symlink(), link
            assert os.readlink(link).startswith("../../archive/"), os.readlink(link)
            assert link.exists(), link
            versions.add(link_version(link))
        assert len(versions) == 1, (directory, versions)
    if paths.staging.is_dir():
        assert state.combo is not None
        assert state.live.same_content(state.combo)
        assert reader.points_at_staging(name)
    strays = [
        path
        for directory in (paths.staging, paths.live, paths.archive, paths.conf.parent)
        if directory.is_dir()
        for path in directory.iterdir()
        if path.name.startswith((".danebot-tmp-", "previous_", "combo.pem."))
    ]
    assert strays == []
    partial = {v: kinds for v, kinds in archive_versions(paths).items() if len(kinds) < len(KINDS)}
    assert partial == {}
