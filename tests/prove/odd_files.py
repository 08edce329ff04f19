"""Odd files by the hundred thousand: whatever is in a file, danebot says so in words of its own.

python -m prove.odd_files [--mutations N] [--first SEED] [--tree N]     (``tests`` on PYTHONPATH)

Each mutation is written to a file and read as danebot reads it: what comes must be a value or a
`DanebotError`.  Every N-th (``--tree``) of a lineage's files also lies in a tree, beside a sound
lineage that must be seen, and renewed, as if nothing were odd.  Ends with 1 if anything else came,
and tells each kind once, with how to see it again.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import click
import pytest

from adapters import trees
from adapters.trees import NAME
from danebot.adapters.certbot.command import Certbot, CertbotRun
from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.dns.resolvconf import load_resolv_conf
from danebot.adapters.ports import Prober
from danebot.adapters.process import Ending
from danebot.adapters.publish.tsig import load_tsig_key
from danebot.adapters.status_file import load_status
from danebot.adapters.tree.locks import TreeLock
from danebot.adapters.tree.memory_file import recall
from danebot.adapters.tree.parsed_cache import ParsedStore, version_of
from danebot.adapters.tree.paths import LineagePaths
from danebot.adapters.tree.reader import TreeReader
from danebot.adapters.tree.tree import Tree
from danebot.config import Settings, load
from danebot.config.settings import LineageSettings
from danebot.domain.dane import certificate
from danebot.domain.delivery.routes import MailRoute
from danebot.domain.dns.answers import OwnerObservation, Presence, TlsaAnswer
from danebot.domain.finding import Code, Finding
from danebot.domain.lineage import pem
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.evidence.policy import Policy
from danebot.domain.rollover.records.adoption import Leads
from danebot.errors import DanebotError
from danebot.jobs.context import Context
from danebot.jobs.overview import look_over
from danebot.jobs.renew import renew_lineages
from danebot.jobs.snapshot import Scope, lineage_statuses
from danebot.jobs.unmanaged import FILE, Unmanaged
from danebot.jobs.view import LineageView
from domain import builders, pki
from exporter import sample
from jobs.world import OWNER, World, record
from prove.hunting import memory_directory
from prove.mutations import Mutate, armoured, documents, lines, octets

_SLOW = 5.0  # seconds of CPU: no small file takes that long
_SOUND = "sound.example.test"
_TREE = Path("tree")
_ROOT = b"/TREE"  # stands for the tree in a renewal configuration


class Case(NamedTuple):
    """One kind of file: sound ones, how they are made odd, and who reads them.

    ``places`` are where it may lie in a tree; none for what is no part of one.
    """

    name: str
    seeds: tuple[bytes, ...]
    mutate: Mutate
    read: Callable[[Path], object]
    places: tuple[str, ...] = ()


class Fault(NamedTuple):
    """What came instead of a value or one of danebot's own errors, and from where."""

    case: str
    kind: str
    where: str


# ---- who reads what -------------------------------------------------------------------------


def _chain(path: Path) -> None:
    TreeReader().chain(path)


def _key(path: Path) -> None:
    data = path.read_bytes()
    list(pem.private_key_blocks(data))
    TreeReader().key_file(path)
    TreeReader().key(path)
    pem.canonical_private_key(data)


def _combo(path: Path) -> None:
    TreeReader().combo(path)
    pem.to_pem(TreeReader().chain(path).ders)


def _presented(path: Path) -> None:
    der = path.read_bytes()
    pem.leaf_spki(der)
    certificate.read_public_key(der)
    found = certificate.read(der)
    if found is not None:
        certificate.check_signature(found, found.public_key)
        certificate.may_have_signed(found.public_key, found)
        pem.other_names(der)


def _conf(path: Path) -> None:
    conf = RenewalConf.read(path)
    conf.edited(top={"cert": "/x"}, parameters={"reuse_key": "True"})
    conf.with_parameters_of(conf)


def _memory(path: Path) -> None:
    staging = path.parents[1] / "staging" / path.parent.name
    staging.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, staging / "rollover.json")
    recall(LineagePaths.of(path.parent.name, path.parents[1], path.parent))


def _unmanaged(path: Path) -> None:
    shutil.copyfile(path, path.parent / FILE)
    Unmanaged(path.parent)


def _parsed(path: Path) -> None:
    store = ParsedStore(path)
    version = version_of(path.stat())
    for kind in (Chain, PublicKey):
        store.get(kind, "/tree/file.pem", version)
        store.get(kind, "/tree/file.pem", (1, 2, 3, 4))
    store.put([])


def _defaults(path: Path) -> None:
    place = path.parent / "root" / "etc" / "default"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place / "danebot")
    load(root=path.parent / "root")


def _settings(path: Path) -> None:
    load(path, root=path.parent / "nowhere")


def _small(path: Path) -> None:
    """`dane-ee` and `dnsnames` are read with their lineage alone."""
    root = path.parent / _TREE
    if not root.exists():
        trees.staged(root)
    for file in ("dane-ee", "dnsnames"):
        shutil.copyfile(path, root / "staging" / NAME / file)
    Tree(root).read(NAME)


def _memory_seeds() -> tuple[bytes, ...]:
    """What is remembered in the middle of things, as it is written."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        world.grown.staging_file("nextkey.pem", trees.key_pem("two"))
        world.zone.keys = ["one", "two"]
        found = []
        for wait in (timedelta(0), builders.DAY, 3 * builders.DAY, builders.DAY):
            world.pass_time(wait)
            found.append((world.paths.staging / "rollover.json").read_bytes())
    return tuple(dict.fromkeys(found))


def _status_seed() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        return sample.write(Path(directory) / "status.json").read_bytes()


def _conf_seed() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        conf = trees.staged(Path(directory)).paths.conf.read_bytes()
    return conf.replace(directory.encode(), _ROOT)


def _toml_seed() -> bytes:
    example = Path(__file__).parents[2] / "docs" / "danebot.toml.example"
    rows = example.read_text().splitlines()
    return "\n".join(row.removeprefix("#") if "=" in row else row for row in rows).encode()


def cases() -> tuple[Case, ...]:
    """Every kind of file that danebot reads and a foreign parser takes apart."""
    usage = pki.key_usage("digital_signature")
    rich = pki.issue(None, names=("a.test", "*.b.test"), usage=usage, extended=(pki.SERVER_AUTH,))
    rsa = pki.issue("rsa.test", names=("rsa.test",), of_key="rsa2048 odd")
    issued, ca = trees.leaf("one", 1), trees.authority()[1]
    keys = (issued.key_pem, rsa.key_pem, pki.issue("e", of_key="ed25519 odd").key_pem)
    archive, live, staging = f"archive/{NAME}", f"live/{NAME}", f"staging/{NAME}"
    chains = (issued.pem + ca.pem, rich.pem, rsa.pem)
    tsig = b'key "update.test" {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0c2VjcmV0";\n};\n'
    known = (
        b'{"schema": 1, "lineages": [{"lineage": "a", "looked_at": "2026-06-01T12:00:00+00:00", '
    )
    known += b'"names": ["a.test"], "published": [{"owner": "_25._tcp.a.test", "records": []}]}]}'
    spki = issued.spki.hex().encode()
    stored = (
        b'{"schema": 1, "certificates": ["3000"], "files": {"Chain /tree/file.pem": [[1, 2, 3, 4], '
    )
    stored += b'[[0], ["%b", "p256"], 1, 2, ["a.test"], 5]], ' % spki
    stored += b'"PublicKey /tree/file.pem": [[1, 2, 3, 4], ["%b", null]]}}' % spki
    shell = b"KEYALG=EC\nKEYOPTS=(-pkeyopt ec_paramgen_curve:P-256)\nTTL=2\n"
    shell += b'NS="127.0.0.1"\nKEYMODE=0640\n'
    return (
        Case(
            "chain", chains, armoured, _chain, (f"{archive}/cert1.pem", f"{archive}/fullchain1.pem")
        ),
        Case(
            "key",
            keys,
            armoured,
            _key,
            (f"{archive}/privkey1.pem", f"{staging}/nextkey.pem", f"{staging}/ready.pem"),
        ),
        Case(
            "combo",
            (issued.key_pem + issued.pem + ca.pem,),
            armoured,
            _combo,
            (f"{live}/combo.pem",),
        ),
        Case("presented", (issued.der, rich.der, rsa.der, ca.der), octets, _presented),
        Case("conf", (_conf_seed(),), lines, _conf, (f"renewal/{NAME}.conf",)),
        Case("memory", _memory_seeds(), documents, _memory, (f"{staging}/rollover.json",)),
        Case("status", (_status_seed(),), documents, load_status),
        Case(
            "dane-ee",
            (
                b"1 _25._tcp.mail.example.test\n# x\nSHA2-512 _25._tcp.b.test\n- _1._tcp.c.test\n",
                b"- *\n",
            ),
            lines,
            _small,
            (f"{staging}/dane-ee",),
        ),
        Case(
            "dnsnames",
            (b"mail.example.test\n*.b.test # x\nb\xc3\xbccher.test\n",),
            lines,
            _small,
            (f"{staging}/dnsnames",),
        ),
        Case("danebot.toml", (_toml_seed(),), lines, _settings),
        Case("defaults", (shell,), lines, _defaults),
        Case("tsig", (tsig,), lines, load_tsig_key),
        Case("unmanaged.json", (known,), documents, _unmanaged),
        Case("parsed.json", (stored,), documents, _parsed),
        Case(
            "resolv.conf",
            (b"nameserver 127.0.0.1\noptions trust-ad timeout:3\n",),
            lines,
            load_resolv_conf,
        ),
    )


# ---- a tree with one odd lineage ------------------------------------------------------------


class _Zone:
    """Every server has the live key's record at every owner; a double, for nobody is asked."""

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        return {owner: self._seen(owner) for owner in owners}

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        return {owner: self._seen(owner).answer for owner in owners}

    def lookup_leads(self, domains: Sequence[Hostname]) -> Leads:
        del domains
        return Leads()

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        raise AssertionError(domains)

    def _seen(self, owner: DnsName) -> OwnerObservation:
        empty = builders.look(owner=owner)
        there = (record("one"),)
        servers = tuple(one._replace(records=there, ttl=builders.HOUR) for one in empty.servers)
        answer = empty.answer._replace(presence=Presence.PRESENT, records=there, ttl=builders.HOUR)
        return empty._replace(servers=servers, answer=answer)


class _IdleCertbot:
    """A certbot that finds nothing due; a double, since certbot's own reading isn't tried here."""

    one_by_one = False

    def renew(self, lineage: str | None = None, key_type: object = None) -> CertbotRun:
        del lineage, key_type
        return CertbotRun((), 0, Ending.EXITED, None, "", (), timedelta(0), {})

    def promote(self, lineage: str, key_type: object) -> CertbotRun:
        del key_type
        return self.renew(lineage)


class OddTree:
    """A tree with a lineage that is made odd, and a sound one."""

    def __init__(self, root: Path) -> None:
        """Grow both, the odd one with a key on its way."""
        self._root = root
        grown = trees.staged(root / _TREE)
        (grown.paths.staging / "dane-ee").write_text(f"1 {OWNER}\n")
        self._add_sibling()
        grown.staging_file("ready.pem", trees.key_pem("two"))
        self._settings = Settings(
            snapshot=root / "status.json",
            common=LineageSettings(Policy(unseen_ttl=builders.HOUR), probe=False),
        )

    def _add_sibling(self) -> None:
        tree = self._root / _TREE
        for place in ("archive", "live", "staging"):
            shutil.copytree(tree / place / NAME, tree / place / _SOUND, symlinks=True)
            for link in (tree / place / _SOUND).iterdir():
                if link.is_symlink():
                    target = str(link.readlink()).replace(NAME, _SOUND)
                    link.unlink()
                    link.symlink_to(target)
        conf = (tree / "renewal" / f"{NAME}.conf").read_text().replace(NAME, _SOUND)
        (tree / "renewal" / f"{_SOUND}.conf").write_text(conf)

    def look(self, place: str, data: bytes, modified: int | None = None) -> list[Finding]:
        """See and renew a copy with odd content in one place: what is told, and raised.

        ``modified`` is when the file says that it was changed, in seconds of Unix time.
        """
        copy = self._root / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._root / _TREE, copy, symlinks=True)
        for conf in (copy / "renewal").iterdir():
            conf.write_text(conf.read_text().replace(str(self._root / _TREE), str(copy)))
        (copy / place).write_bytes(data.replace(_ROOT, str(copy).encode()))
        if modified is not None:
            os.utime(copy / place, (modified, modified))
        context = Context(Tree(copy), self._settings, _Zone(), cast("Prober", None))
        names = context.tree.names()
        found = look_over(context, names)
        lineage_statuses(found.views)
        _check(found.views, found.unreadable)
        with TreeLock(copy) as lock:
            certbot = cast("Certbot", _IdleCertbot())
            done = renew_lineages(context, certbot, lock, names, scope=Scope.EVERYTHING)
        lineage_statuses(done.views)
        _check(done.views, done.findings)
        seen = [one for view in found.views for one in view.findings]
        return [*seen, *found.unreadable, *done.findings]


class NotGuardedError(Exception):
    """Something odd in one lineage had an effect on another, or was danebot's own failure."""


def _check(views: Sequence[LineageView], findings: Sequence[Finding]) -> None:
    if _SOUND not in {view.state.name for view in views}:
        raise NotGuardedError("the sound lineage isn't seen")
    for finding in findings:
        if finding.code is Code.INTERNAL:
            raise NotGuardedError(str(finding))
        if finding.where == _SOUND and finding.code is Code.FILES_BROKEN:
            raise NotGuardedError(str(finding))


# ---- the search -----------------------------------------------------------------------------


def search(
    count: int, first: int = 0, tree_each: int = 100, told: Callable[[str], None] = lambda _: None
) -> dict[Fault, str]:
    """Try ``count`` mutations, and return what isn't as it should be, each with how it came.

    The same numbers give the same mutations.
    """
    faults: dict[Fault, str] = {}
    kinds = cases()
    tried: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        root = Path(directory)
        tree = OddTree(root / "whole")
        for number in range(first, first + count):
            case = kinds[number % len(kinds)]
            dice = random.Random(number)
            data = case.mutate(dice, dice.choice(case.seeds))
            tried[case.name] += 1
            for fault in _tried(case, data, root / case.name):
                faults.setdefault(fault, f"--first {number} --mutations 1")
            if case.places and number // len(kinds) % tree_each == 0:
                place = dice.choice(case.places)
                tried["whole trees"] += 1
                look = partial(tree.look, place, data)
                for fault in guarded(f"{case.name} in {place}", look):
                    faults.setdefault(fault, f"--first {number} --mutations 1 --tree 1")
    for name, many in sorted(tried.items()):
        told(f"{many:>9} {name}")
    return faults


def _tried(case: Case, data: bytes, place: Path) -> Iterator[Fault]:
    place.mkdir(exist_ok=True)
    file = place / "odd"
    file.write_bytes(data)
    file.chmod(0o600)
    yield from guarded(case.name, lambda: case.read(file))


def guarded(name: str, action: Callable[[], object]) -> Iterator[Fault]:
    """Do what is to end with a value or one of danebot's own errors; anything else is a fault."""
    began = time.process_time()
    try:
        action()
    except DanebotError:
        pass
    except (KeyboardInterrupt, SystemExit, pytest.fail.Exception):
        raise
    except BaseException as exc:  # noqa: BLE001 - a panic of a library in Rust is no Exception
        frames = [f for f in traceback.extract_tb(exc.__traceback__) if "/danebot/" in f.filename]
        last = frames[-1] if frames else traceback.extract_tb(exc.__traceback__)[-1]
        words = str(exc)[:200] if isinstance(exc, NotGuardedError) else ""
        yield Fault(
            name,
            f"{type(exc).__name__}{words and ': '}{words}",
            f"{Path(last.filename).name}:{last.lineno}",
        )
    if time.process_time() - began > _SLOW:
        yield Fault(name, "takes too long", "")


def main() -> int:
    """Exit status 1 if anything wasn't as it should be."""
    parser = argparse.ArgumentParser(prog="python -m prove.odd_files", description=__doc__)
    parser.add_argument("--mutations", type=int, default=200_000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--tree", type=int, default=100, metavar="N")
    options = parser.parse_args()
    faults = search(options.mutations, options.first, options.tree, click.echo)
    for fault, how in sorted(faults.items()):
        click.echo(f"{fault.case}: {fault.kind} at {fault.where}: python -m prove.odd_files {how}")
    last = options.first + options.mutations - 1
    click.echo(
        f"{options.mutations} mutations, seeds {options.first} to {last}: {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
