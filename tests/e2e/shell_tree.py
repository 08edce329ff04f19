"""Trees as the shell program, certbot and their crashes leave them, built by hand.

Nothing of danebot is used here, so that what it takes over is not what it wrote itself.  All
lineages are clones of one: version 1 and 2 hold the old key, version 4 the new one, as after a
promotion of the shell program, whose serial numbers have a gap where it put the key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.lab import Lab

KINDS = ("cert", "privkey", "chain", "fullchain")  # in certbot's order
SEEN = "_25._tcp.mail.example.test"  # has the records of both keys
UNSEEN = "_465._tcp.mail.example.test"  # has the old key's record only
BEFORE, STRAY, AFTER = 2, 3, 4


def new_key() -> bytes:
    """A P-256 key as ``openssl genpkey`` writes it."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_digest(pem: bytes) -> str | None:
    """SPKI SHA2-256 in hex of the first private key in a file; None without one."""
    if b"PRIVATE KEY-----" not in pem:
        return None
    try:
        key = serialization.load_pem_private_key(pem, None)
    except ValueError:
        return None
    return _digest(key.public_key())


def leaf_digest(pem: bytes) -> str:
    """SPKI SHA2-256 in hex of the first certificate in a file."""
    return _digest(
        x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :]).public_key()
    )


def _digest(public: object) -> str:
    der = public.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def keys_in(*directories: Path) -> set[str]:
    """Digests of all private keys in the directories' files."""
    files = [f for d in directories if d.is_dir() for f in d.iterdir() if f.is_file()]
    return {digest for f in files if (digest := key_digest(f.read_bytes())) is not None}


@dataclass
class ShellLineage:
    """One lineage; each method does what the shell program or certbot does to it."""

    tree: Path
    name: str

    @property
    def live(self) -> Path:
        """What services read."""
        return self.tree / "live" / self.name

    @property
    def staging(self) -> Path:
        """What certbot takes for live."""
        return self.tree / "staging" / self.name

    @property
    def archive(self) -> Path:
        """All versions."""
        return self.tree / "archive" / self.name

    @property
    def conf(self) -> Path:
        """certbot's configuration."""
        return self.tree / "renewal" / f"{self.name}.conf"

    def forget(self) -> None:
        """Take the lineage out of the tree altogether."""
        self.conf.unlink()
        for directory in (self.live, self.staging, self.archive):
            shutil.rmtree(directory, ignore_errors=True)

    def keys(self) -> set[str]:
        """Digests of all private keys that the lineage holds anywhere."""
        return keys_in(self.live, self.staging, self.archive)

    def served(self) -> str:
        """Digest of the key in live's ``combo.pem``."""
        pem = (self.live / "combo.pem").read_bytes()
        digest = key_digest(pem)
        assert digest == leaf_digest(pem)
        return digest

    def link(self, directory: Path, version: int, *kinds: str, absolute: bool = False) -> None:
        """Point links (default: all four) at a version, by unlink and symlink as certbot does."""
        for kind in kinds or KINDS:
            link = directory / f"{kind}.pem"
            link.unlink(missing_ok=True)
            target = self.archive / f"{kind}{version}.pem"
            link.symlink_to(target if absolute else os.path.relpath(target, directory))

    def init(self, owner: str = SEEN) -> None:
        """`init`: staging is a copy of live, the configuration leads there, the key is kept."""
        shutil.copytree(self.live, self.staging, symlinks=True)
        former = self.conf.read_text()
        self.conf.with_name(self.conf.name + ".orig").write_text(former)
        text = "\n".join(
            line.replace(f"/live/{self.name}/", f"/staging/{self.name}/")
            if line.split(" ")[0] in KINDS
            else line
            for line in former.splitlines()
        )
        kept = text.replace("[renewalparams]", "[renewalparams]\nreuse_key = True") + "\n"
        self.conf.write_text(kept)
        (self.staging / "dane-ee").write_text(f"1 {owner}")  # no newline: common, and lost there
        (self.staging / "dnsnames").write_text("mail.example.test\r\n")

    def combo(self, version: int, directory: Path) -> None:
        """Build ``combo.pem`` with the text lines that openssl writes between certificates."""
        parts = [(self.archive / f"privkey{version}.pem").read_bytes()]
        for cert in x509.load_pem_x509_certificates(
            (self.archive / f"fullchain{version}.pem").read_bytes()
        ):
            words = f"subject={cert.subject.rfc4514_string()}\nissuer=somebody\n"
            parts.append(words.encode() + cert.public_bytes(serialization.Encoding.PEM))
        path = directory / "combo.pem"
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_bytes(b"".join(parts))

    def key_file(self, name: str, pem: bytes, *, age: dt.timedelta = dt.timedelta(0)) -> None:
        """Write ``nextkey.pem`` or ``ready.pem``."""
        path = self.staging / name
        path.touch(0o600)
        path.write_bytes(pem)
        stamp = (dt.datetime.now(dt.UTC) - age).timestamp()
        os.utime(path, (stamp, stamp))


@dataclass(frozen=True)
class Parts:
    """A directory with the pieces that all states are made of; ``old`` and ``new`` are digests."""

    directory: Path
    old: str
    new: str

    @property
    def new_key(self) -> bytes:
        """The key of version 4, as it came from ``newkey``."""
        return (self.directory / "newkey.pem").read_bytes()

    @classmethod
    def make(cls, lab: Lab, name: str, directory: Path) -> Parts:
        """Issue twice with the old key and once with the new one, as the shell program does."""
        lab.issued_tree(name)
        lineage = ShellLineage(lab.tree, name)
        (lineage.live / "combo.pem").unlink()
        shutil.copytree(lineage.live, directory / "live", symlinks=True)
        shutil.copytree(lineage.conf.parent, directory / "renewal")
        lineage.init()
        force = ("renew", "--force-renewal", "--reuse-key", "--cert-name", name)
        lab.certbot(*force)
        pem = new_key()
        (lineage.archive / f"privkey{STRAY}.pem").write_bytes(pem)
        lineage.link(lineage.staging, STRAY, "privkey")
        lab.certbot(*force)
        shutil.copytree(lineage.archive, directory / "archive")
        (directory / "newkey.pem").write_bytes(pem)
        old = leaf_digest((lineage.archive / f"cert{BEFORE}.pem").read_bytes())
        new = leaf_digest((lineage.archive / f"cert{AFTER}.pem").read_bytes())
        assert key_digest(pem) == new != old
        (directory / f"archive/privkey{STRAY}.pem").unlink()
        return cls(directory, old, new)

    def clone(self, tree: Path, name: str, original: str) -> ShellLineage:
        """Put a fresh lineage into a tree, as certbot left it after two issuances."""
        lineage = ShellLineage(tree, name)
        for above in ("live", "archive", "renewal"):
            (tree / above).mkdir(exist_ok=True)
        lineage.live.mkdir()
        shutil.copy(self.directory / "live/README", lineage.live)
        lineage.archive.mkdir()
        self.put(lineage, 1, 1)
        self.put(lineage, BEFORE, BEFORE)
        lineage.link(lineage.live, BEFORE)
        text = (self.directory / f"renewal/{original}.conf").read_text()
        for above in ("live", "archive"):
            text = text.replace(f"/{above}/{original}", f"/{above}/{name}")
        lineage.conf.write_text(text)
        return lineage

    def put(self, lineage: ShellLineage, version: int, number: int, *kinds: str) -> None:
        """Write a version into a lineage's archive, under a number of choice."""
        for kind in kinds or KINDS:
            target = lineage.archive / f"{kind}{number}.pem"
            shutil.copy(self.directory / f"archive/{kind}{version}.pem", target)
            if kind == "privkey":
                target.chmod(0o600)


@dataclass(frozen=True)
class State:
    """One state to take over.

    What one run must make of it: ``serves`` is the key that live has ("old" or "new"), ``offers``
    whether the new one is on its way ("new"), kept aside ("aside") or neither (""), ``warns``
    whether the operator hears of it.  ``owner`` is where the records are looked for.
    """

    make: Callable[[ShellLineage, Parts], None]
    serves: str = "old"
    offers: str = ""
    warns: bool = False
    owner: str = SEEN
    staged: bool = True


DAYS = dt.timedelta(days=3)


def _stable(it: ShellLineage, parts: Parts) -> None:
    del parts
    it.combo(BEFORE, it.live)


def _next(it: ShellLineage, parts: Parts) -> None:
    it.combo(BEFORE, it.live)
    it.key_file("nextkey.pem", parts.new_key)


def _ready(it: ShellLineage, parts: Parts) -> None:
    it.combo(BEFORE, it.live)
    it.key_file("ready.pem", parts.new_key, age=DAYS)


def _key_copied(it: ShellLineage, parts: Parts) -> None:
    _ready(it, parts)
    (it.archive / f"privkey{STRAY}.pem").write_bytes(parts.new_key)


def _key_linked(it: ShellLineage, parts: Parts) -> None:
    _key_copied(it, parts)
    it.link(it.staging, STRAY, "privkey")


def _issued_links_half(it: ShellLineage, parts: Parts) -> None:
    """certbot was killed between two links: one is new, one is missing, all have a second."""
    _key_linked(it, parts)
    parts.put(it, AFTER, AFTER)
    for kind in KINDS:
        former = it.archive / f"{kind}{STRAY if kind == 'privkey' else BEFORE}.pem"
        (it.staging / f"previous_{kind}.pem").symlink_to(former)
    it.link(it.staging, AFTER, "cert", absolute=True)
    (it.staging / "privkey.pem").unlink()


def _issued_links_old(it: ShellLineage, parts: Parts) -> None:
    _key_linked(it, parts)
    parts.put(it, AFTER, AFTER)


def _archive_half(it: ShellLineage, parts: Parts) -> None:
    _key_linked(it, parts)
    parts.put(it, AFTER, AFTER, "cert", "privkey")


def _issued(it: ShellLineage, parts: Parts) -> None:
    _issued_links_old(it, parts)
    it.link(it.staging, AFTER)


def _ready_removed(it: ShellLineage, parts: Parts) -> None:
    _issued(it, parts)
    (it.staging / "ready.pem").unlink()


def _combo_in_staging(it: ShellLineage, parts: Parts) -> None:
    _ready_removed(it, parts)
    it.combo(AFTER, it.staging)


def _combo_live(it: ShellLineage, parts: Parts) -> None:
    _ready_removed(it, parts)
    it.combo(AFTER, it.live)


def _some_live_links(it: ShellLineage, parts: Parts) -> None:
    _combo_live(it, parts)
    it.link(it.live, AFTER, "cert", "chain")
    (it.live / "fullchain.pem").unlink()


def _promoted(it: ShellLineage, parts: Parts) -> None:
    _combo_live(it, parts)
    it.link(it.live, AFTER)


def _combo_old(it: ShellLineage, parts: Parts) -> None:
    _issued(it, parts)
    it.link(it.live, AFTER)


def _renewed_combo_old(it: ShellLineage, parts: Parts) -> None:
    """An ordinary renewal that got as far as the links: same key."""
    del parts
    it.combo(1, it.live)


def _absolute(it: ShellLineage, parts: Parts) -> None:
    _stable(it, parts)
    it.link(it.staging, BEFORE, absolute=True)


def _absolute_live(it: ShellLineage, parts: Parts) -> None:
    del parts
    it.link(it.live, BEFORE, absolute=True)


def _truncated(it: ShellLineage, parts: Parts) -> None:
    """Held back by ``dnsnames`` for seven renewals: live's version is gone from the archive."""
    it.combo(1, it.live)
    it.link(it.live, 1)
    for number in range(BEFORE, BEFORE + 7):
        parts.put(it, BEFORE, number)
    it.link(it.staging, BEFORE + 6)
    for number in (1, BEFORE):
        for kind in KINDS:
            (it.archive / f"{kind}{number}.pem").unlink()
    with (it.staging / "dnsnames").open("a") as file:
        file.write("absent.example.test")


def _accident(it: ShellLineage, parts: Parts) -> None:
    """`certbot renew --new-key` on a staged lineage, whose record nobody published."""
    _stable(it, parts)
    parts.put(it, AFTER, BEFORE + 1)
    it.link(it.staging, BEFORE + 1)


def _empty_ready(it: ShellLineage, parts: Parts) -> None:
    _stable(it, parts)
    it.key_file("ready.pem", b"", age=DAYS)


def _combo_broken(it: ShellLineage, parts: Parts) -> None:
    """The shell program after a failure of certbot: a combo without a key."""
    del parts
    shutil.copy(it.archive / f"fullchain{BEFORE}.pem", it.live / "combo.pem")


def _combo_mismatch(it: ShellLineage, parts: Parts) -> None:
    """The new key before the old chain, and no other copy of that key."""
    chain = (it.archive / f"fullchain{BEFORE}.pem").read_bytes()
    (it.live / "combo.pem").write_bytes(parts.new_key + chain)


def _deinited(it: ShellLineage, parts: Parts) -> None:
    """`deinit`: the way back; the small files and combo stay in live, the key is kept."""
    _stable(it, parts)
    for name in ("dane-ee", "dnsnames"):
        (it.staging / name).rename(it.live / name)
    it.conf.write_text(it.conf.read_text().replace("/staging/", "/live/"))
    shutil.rmtree(it.staging)


def _fresh(it: ShellLineage, parts: Parts) -> None:
    del parts
    shutil.rmtree(it.staging)
    it.conf.with_name(it.conf.name + ".orig").rename(it.conf)


STATES: dict[str, State] = {
    "fresh": State(_fresh, staged=False, warns=True),  # its next renewal would stop mail
    "deinited": State(_deinited, staged=False),
    "just-staged": State(lambda *_: None),
    "stable": State(_stable),
    "next": State(_next, offers="new"),
    "next-unseen": State(_next, offers="new", owner=UNSEEN),
    "ready": State(_ready, offers="new"),
    "ready-withdrawn": State(_ready, offers="new", warns=True, owner=UNSEEN),
    "key-copied": State(_key_copied, offers="new"),
    "key-linked": State(_key_linked, offers="new"),
    "archive-half": State(_archive_half, offers="new"),
    "issued-links-old": State(_issued_links_old, offers="new"),
    "issued-links-half": State(_issued_links_half, offers="new"),
    "issued": State(_issued, offers="new"),
    "issued-withdrawn": State(_issued, offers="new", owner=UNSEEN),
    "ready-removed": State(_ready_removed, offers="new"),
    "ready-removed-unseen": State(_ready_removed, offers="aside", owner=UNSEEN),
    "combo-in-staging": State(_combo_in_staging, offers="new"),
    "combo-live": State(_combo_live, serves="new"),
    "some-live-links": State(_some_live_links, serves="new"),
    "promoted": State(_promoted, serves="new"),
    "combo-old": State(_combo_old, offers="new"),
    "renewed-combo-old": State(_renewed_combo_old),
    "absolute-links": State(_absolute),
    "absolute-links-live": State(_absolute_live),
    "truncated": State(_truncated, warns=True),
    "accident": State(_accident, offers="aside", owner=UNSEEN),
    "combo-broken": State(_combo_broken),
    "combo-mismatch": State(_combo_mismatch, offers="aside", owner=UNSEEN),
    "empty-ready": State(_empty_ready, warns=True),
}


def build(tree: Path, parts: Parts, original: str) -> dict[str, ShellLineage]:
    """Fill a tree with a lineage in each state, named as the state."""
    made = {}
    for name, state in STATES.items():
        made[name] = lineage = parts.clone(tree, name, original)
        lineage.init(state.owner)
        state.make(lineage, parts)
    return made
