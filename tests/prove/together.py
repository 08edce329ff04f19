"""Everything at the same time: two hosts with records in one RRset, and people and jobs at work.

In each round danebot's runs overlap with others of their own, with certbot started by hand, a
neighbour's deletion, an editor that saves ``dane-ee``, a backup that reads; some runs are killed.
Somebody looks on all the while.  Waits are seconds, so that a rollover takes few.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from danebot.adapters.tree.reader import TreeReader
from e2e.faults import assert_combo_usable, private_keys
from e2e.publishing import FOREIGN, by_update, published
from e2e.site import MAIL, OWNER, Site, sound_tree
from lab.lab import Lab, missing
from prove.part import Budget, Part, Row, counted, keep

_NEIGHBOUR = "www.example.test"
_ROUND = 3.0  # seconds within which all runs of a round begin
_LONGEST = 120  # of one run
_END = 90  # of the runs after the last round, until everything is as it would be undisturbed
_LOOK = 0.1
_STATUS = ("status", "--json", MAIL)
_WAY_BACK = re.compile(r"to go on: (cp -p .*?); then: (danebot init \S+)")


class BrokenError(AssertionError):
    """What wasn't as promised."""


@dataclass
class Host(Site):
    """A host with a tree of its own; the second one's postfix gets its chain by copy."""

    base: Path = field(default_factory=Path)
    name: str = ""
    words: list[str] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        """certbot's configuration directory."""
        return self.base / "etc"

    def argv(self, *args: str) -> list[str]:
        """The command line, without writing the settings again as `command` does."""
        return [*self.words, *args]


class Ran(NamedTuple):
    """One run of some program."""

    what: str
    status: int
    said: str
    told: str  # on standard output


class Look(NamedTuple):
    """What the servers had at some time since ``began``: the data of all records of both."""

    began: float
    common: frozenset[str]


@dataclass
class World:
    """Two hosts, what happens to them, and a timeline of that."""

    lab: Lab
    dice: random.Random
    hosts: tuple[Host, ...]
    began: float = field(default_factory=time.monotonic)
    timeline: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    looks: list[Look] = field(default_factory=list)
    serving: dict[str, str] = field(default_factory=dict)

    def note(self, words: str) -> None:
        """A line of the timeline."""
        self.timeline.append(f"{time.monotonic() - self.began:8.2f} {words}")

    def breaks(self, words: str) -> None:
        """Something wasn't as promised."""
        self.note(f"BROKEN: {words}")
        if words not in self.broken:
            self.broken.append(words)

    # ---- somebody looks on ---------------------------------------------------------------------

    def watch(self, done: threading.Event) -> None:
        """Look at everything that must hold at every instant."""
        while not done.wait(_LOOK):
            try:
                self.look()
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is told
                self.breaks(f"{type(exc).__name__}: {exc}"[:2000])

    def look(self) -> None:
        """Once."""
        self.tally["looks"] += 1
        before = {host.name: _served(host) for host in self.hosts}
        began = time.monotonic()
        seen = [self.lab.tlsa_at(server, OWNER) for server in (self.lab.ns1, self.lab.ns2)]
        self.looks.append(Look(began, frozenset(seen[0] & seen[1])))
        for host in self.hosts:
            assert_combo_usable(host.live / "combo.pem")
            _assert_private(host.tree)
            after = _served(host)
            if before[host.name] == after and any(f"3 1 1 {after}" not in one for one in seen):
                self.breaks(f"P1: {host.name} serves {after[:8]}, and its record is gone")
            if self.serving.get(host.name, after) != after:
                self.note(f"{host.name} serves {after[:8]}")
                self.tally["rollovers"] += 1
                self._judge(host, after)
            self.serving[host.name] = after
        if FOREIGN not in seen[0]:
            self.breaks("a foreign record is gone")

    def _judge(self, host: Host, key: str) -> None:
        """No cache may hold an answer without the key that just went live."""
        oldest = time.monotonic() - self.lab.ttl
        for look in self.looks:
            if look.began > oldest and f"3 1 1 {key}" not in look.common:
                self.breaks(f"P1: {host.name} serves {key[:8]}, and a cache lacks its record")
                return

    def assert_kept(self) -> None:
        """Between rounds: each key whose record is there is on its host."""
        keys = {key for host in self.hosts for key in private_keys(host.tree)}
        lost = {record.split()[-1] for record in published(self.hosts[0]) - {FOREIGN}} - keys
        if lost:
            self.breaks(f"P2: lost keys, whose records are there: {sorted(lost)}")

    # ---- what happens --------------------------------------------------------------------------

    def round(self) -> None:
        """Several at once, each at some time within the first seconds."""
        self._restore_neighbour()
        jobs = [job for job, chance in self._jobs() if self.dice.random() < chance]
        after = [self.dice.uniform(0, _ROUND) for _ in jobs]
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(_later, jobs, after))
        self.assert_kept()

    def _jobs(self) -> Iterator[tuple[Callable[[], object], float]]:
        """All that may happen, each with its probability."""
        one, two = self.hosts
        for host, chances in ((one, (1, 1, 0.7)), (two, (1, 0.5))):
            for chance in chances:
                yield self._danebot(host, "renew"), chance
            yield self._danebot(host, "newkey", MAIL), 0.5
            yield self._danebot(host, "newkey", "--cancel", MAIL), 0.08
            yield self._danebot(host, "publish", MAIL), 0.3
            yield self._danebot(host, "deploy", MAIL), 0.1
            yield self._certbot(host, "renew"), 0.3
            yield self._certbot(host, "renew", "--force-renewal", "--cert-name", MAIL), 0.15
            yield self._editor(host), 0.4
            yield self._backup(host), 0.4
        yield self._certbot(one, "delete", "--cert-name", _NEIGHBOUR), 0.3
        yield from (
            (self._danebot(host, *_STATUS), chance) for host in self.hosts for chance in (1, 0.7)
        )

    def _danebot(self, host: Host, *args: str) -> Callable[[], None]:
        killed = self.dice.uniform(0.2, 3) if self.dice.random() < 0.15 else None
        return lambda: self.judged(self.run(host, host.argv(*args), host.env(), killed))

    def _certbot(self, host: Host, *args: str) -> Callable[[], Ran]:
        command = [str(self.lab.certbot_wrapper()), *args]
        command += ["--non-interactive", "--config-dir", str(host.tree)]
        return lambda: self.run(host, command, self.lab.env)

    def run(
        self, host: Host, command: list[str], env: dict[str, str], killed: float | None = None
    ) -> Ran:
        """A program to its end, or until it is killed after so many seconds."""
        own = command[: len(host.words)] == host.words
        program = "danebot" if own else "certbot"
        words = command[len(host.words) :] if own else command[1:3]
        what = f"{host.name}: {program} {' '.join(words)}"
        self.note(f"{what} begins")
        self.tally[program] += 1
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as told:
            process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=told, stderr=said
            )
            try:
                status = process.wait(_LONGEST if killed is None else killed)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
                self.tally["killed"] += 1
                if killed is None:
                    self.breaks(f"{what}: it doesn't end")
            said.seek(0)
            told.seek(0)
            ran = Ran(what, status, said.read(), told.read())
        self.note("\n         ".join([f"{what} ends with {status}", *ran.said.splitlines()]))
        return ran

    def judged(self, ran: Ran) -> None:
        """danebot's own words, one line for each thing, and a status that fits."""
        lines = ran.said.splitlines()
        if ran.status == -signal.SIGKILL:
            return
        odd = [line for line in lines if not line.startswith("danebot: ")]
        if odd or "internal error" in ran.said or ran.status not in {0, 1}:
            self.breaks(f"P4: {ran.what} ends with {ran.status}: {ran.said[-1500:]}")
        if ran.status and not (lines or ran.told):
            self.breaks(f"P4: {ran.what} ends with {ran.status}, and says nothing")
        if "--json" in ran.what and ran.told:
            findings = json.loads(ran.told)["lineages"][0]["findings"]
            if worst := [one for one in findings if one["severity"] == "critical"]:
                self.breaks(f"{ran.what} sees what isn't so: {worst}")

    def _editor(self, host: Host) -> Callable[[], None]:
        in_place = self.dice.random() < 0.5

        def save() -> None:
            """Save it in place, slowly; or beside it, and rename."""
            path, text = host.staging / "dane-ee", f"1 {OWNER.rstrip('.')}\n"
            self.note(f"{host.name}: an editor saves dane-ee{' in place' if in_place else ''}")
            self.tally["edits"] += 1
            if in_place:
                with path.open("w") as file:
                    for part in (text[:7], text[7:]):
                        file.write(part)
                        file.flush()
                        time.sleep(0.2)
            else:
                (path.parent / "dane-ee~new").write_text(text)
                (path.parent / "dane-ee~new").rename(path)

        return save

    def _backup(self, host: Host) -> Callable[[], None]:
        def read() -> None:
            """Read every file, slowly."""
            self.tally["backups"] += 1
            for path in _files(host.tree):
                with suppress(FileNotFoundError), path.open("rb") as file:
                    while file.read(512):
                        time.sleep(0.001)

        return read

    def _restore_neighbour(self) -> None:
        if not (self.hosts[0].tree / "renewal" / f"{_NEIGHBOUR}.conf").exists():
            self.lab.issue(_NEIGHBOUR, combo=False)

    # ---- the end -------------------------------------------------------------------------------

    def settled(self, budget: Budget) -> bool:
        """Let daily runs go on until all is as it would be undisturbed; False if time is over."""
        for count in itertools.count():
            runs = [self.run(host, host.argv("renew"), host.env()) for host in self.hosts]
            phases = [self._phase(host) for host in self.hosts]
            if phases == ["stable"] * 2 and all(ran.status == 0 and not ran.said for ran in runs):
                break
            if budget.over():
                if count > _END // 3:
                    said = "; ".join(ran.said for ran in runs)
                    self.breaks(f"it doesn't come to rest: {', '.join(phases)}: {said}")
                return False
            time.sleep(1)
        for host in self.hosts:
            sound_tree(host.tree)
            if strays := list(host.base.rglob(".danebot-tmp-*")):
                self.breaks(f"left behind: {strays}")
        wanted = {FOREIGN, *(f"3 1 1 {_served(host)}" for host in self.hosts)}
        if published(self.hosts[0]) != wanted:
            self.breaks(f"at the end there is {published(self.hosts[0])}, not {wanted}")
        return True

    def deleted(self) -> None:
        """`certbot delete` of a lineage under care, in the midst of everything; and the way back.

        The jobs may have something to tell, and end with 1; `look` sees that mail goes on.
        """
        host = self.hosts[1]
        delete = self._certbot(host, "delete", "--cert-name", MAIL)
        self.note(f"{host.name}: its lineage is to be deleted")
        words = (("renew",), ("newkey", MAIL), ("deploy", MAIL), ("renew",))
        jobs = [delete, self._editor(host), self._backup(host)]
        jobs += [self._danebot(host, *args) for args in words]
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(_later, jobs, [self.dice.uniform(0, _ROUND) for _ in jobs]))
        if (host.tree / "renewal" / f"{MAIL}.conf").exists():  # certbot found its lock taken
            delete()
        said = self.run(host, host.argv("status", MAIL), host.env())
        way = _WAY_BACK.search(said.told)
        if way is None or said.status != 1 or f"{MAIL}.conf is gone" not in said.said:
            self.breaks(f"P4: after certbot delete, status has no way back: {said}")
            return
        subprocess.run(shlex.split(way[1]), check=True)
        self.judged(self.run(host, host.argv(*shlex.split(way[2])[1:]), host.env()))
        self.assert_kept()

    def _phase(self, host: Host) -> str:
        words = host.argv("status", "--json", MAIL)
        ran = subprocess.run(words, env=host.env(), capture_output=True, text=True, check=False)
        return str(json.loads(ran.stdout)["lineages"][0]["phase"])

    def row(self, what: str) -> Row:
        """What there was so far."""
        count = self.tally
        amount = (
            f"{what}; {counted(count['danebot'])} runs of danebot, {count['killed']} killed, "
            f"{count['certbot']} of certbot, {count['edits']} edits, {count['backups']} backups, "
            f"{count['rollovers']} rollovers, {counted(count['looks'])} looks"
        )
        broken = tuple(self.broken)
        if broken:
            file = keep("together", self.timeline)
            broken = (f"{broken[0]}\nthe timeline is in {file}", *broken[1:])
        return Row("together, two hosts", amount, broken)


def _later(job: Callable[[], object], seconds: float) -> None:
    time.sleep(seconds)
    job()


def _served(host: Host) -> str:
    combo = TreeReader().combo(host.live / "combo.pem")
    if combo is None:
        raise BrokenError(f"{host.name}: combo.pem can't be read")
    return combo.key.digest.hex()


def _files(tree: Path) -> Iterator[Path]:
    """All regular files; whatever goes away meanwhile isn't among them."""
    for directory, _, names in os.walk(tree):
        yield from (path for name in names if not (path := Path(directory, name)).is_symlink())


def _assert_private(tree: Path) -> None:
    """No file with a private key is open to others, however short its life."""
    for path in _files(tree):
        with suppress(FileNotFoundError):
            mode = path.stat().st_mode
            if (
                mode & 0o077
                and "accounts" not in path.parts
                and b"PRIVATE KEY" in path.read_bytes()
            ):
                raise BrokenError(f"{path} has mode {mode & 0o777:o}")


def _prepared(lab: Lab, seed: int) -> World:
    """Two hosts, each with a lineage of the same name and a key of its own, at one owner."""
    first, second = lab.tree.parent, lab.root / "second"
    lab.issue(MAIL)
    first.rename(second)
    for conf in (second / "etc/renewal").glob("*.conf"):
        conf.write_text(conf.read_text().replace(str(first), str(second)))
    lab.new_tree()
    lab.issue(MAIL)
    lab.issue(_NEIGHBOUR, combo=False)
    hosts = Host(lab, base=first, name="one"), Host(lab, base=second, name="two")
    for host in hosts:
        host.settings["backoff_first"] = "1s"
        by_update(host)
    copy = second / "copy"
    copy.write_text(
        f"#!/bin/sh\numask 077\ncat {second}/etc/live/{MAIL}/combo.pem >{second}/c.pem\n"
        f"mv {second}/c.pem {lab.second_chain}\n"
    )
    copy.chmod(0o755)
    subprocess.run([copy], check=True)
    there = f'[endpoints."{MAIL}:25"]\nconnect = "{lab.mail2}"'
    hosts[1].extra = f'hooks = ["{copy}"]\n{there}\n{hosts[1].extra}'
    lab.tlsa_set(OWNER, FOREIGN, *(f"3 1 1 {_served(host)}" for host in hosts))
    for host in hosts:
        host.words = host.command()
        host.ok("init", MAIL)
    return World(lab, random.Random(seed), hosts)


def _run(budget: Budget) -> Iterator[Row]:
    if reason := missing():
        yield Row("together, two hosts", f"not tried: {reason}")
        return
    with Lab() as lab:
        world, done, rounds = _prepared(lab, budget.seed), threading.Event(), 0
        working = Budget.of(max(budget.left() - _END, budget.left() / 2))
        watcher = threading.Thread(target=world.watch, args=(done,))
        watcher.start()
        try:
            while not rounds or not working.over():
                world.round()
                rounds += 1
                yield world.row(f"{rounds} rounds")
            world.deleted()
            end = (
                "came to rest" if world.settled(budget) else "time was over before it came to rest"
            )
        finally:
            done.set()
            watcher.join()
        yield world.row(f"{rounds} rounds, {end}")


PART = Part("together", 3, _run)
