"""When two struck runs left the same: trees compared up to what is made afresh in each run.

What the further runs come to depends on what is left, and on the records.  `Alike.mark` is equal
for two sites only if they are equal but for

- which random keys, certificates and serial numbers were made since the operation began: each is
  numbered where it is first met, so that which fits which, and where its digest stands, remains;
- the moments of the run itself: their order within a file remains; a later moment is told by how
  far it is from when the operation began, to two seconds, and to ten minutes beyond an hour;
- the random part of temporary names, numbers of inodes, and certbot's logs.

Names, links, modes, all other octets and times, and which files have the same time, remain.  What
can't be read (a key that is half written) is its octets: rather one state too many.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from danebot.domain.lineage.pem import read_chain
from danebot.errors import CertificateError

Public = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_Known = (ec.EllipticCurvePublicKey, rsa.RSAPublicKey, ed25519.Ed25519PublicKey)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\n]+-----END \1-----\n?")
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{32,}(?![0-9a-f])")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?P<part>\.\d+)?)?(?:\+00:00|Z| UTC)?")
_UPTIME = re.compile(r'(?<="uptime": )[\d.]+')
_NUMBER = re.compile(r"(?<![\d.])\d{5,}(?![\d.])")
_TEMPORARY = re.compile(r"\.danebot-tmp-\w+")
_BEFORE = timedelta(minutes=1)  # a certificate is dated back, and some moments lack the seconds
_STEP, _FAR_STEP = 2, 600  # seconds
_HOUR = 3600
_DAY = 24 * 3600 * 10**9  # ns
_AFRESH = (x509.SubjectKeyIdentifier, x509.PrecertificateSignedCertificateTimestamps)


class Alike:
    """Compares what is left of one operation, which begins at ``base`` as it is now."""

    def __init__(self, base: Path) -> None:
        self._base = base
        texts = [text for _, text in _texts(base)]
        self._ages = {path.lstat().st_mtime_ns for path, _ in _texts(base)}
        self._blocks = {block[0] for text in texts for block in _PEM.finditer(text)}
        self._moments = {moment[0] for text in texts for moment in _MOMENT.finditer(text)}
        self._numbers = {number[0] for text in texts for number in _NUMBER.finditer(text)}
        self._uptimes = {uptime[0] for text in texts for uptime in _UPTIME.finditer(text)}

    def mark(self, records: Mapping[str, object], began: datetime) -> str:
        """What is left now of a run that began then; ``records`` are those of each server."""
        told = "\n".join([*self.lines(began), *self._records(records)])
        return hashlib.sha256(told.encode()).hexdigest()

    def lines(self, began: datetime) -> list[str]:
        """A line for each path."""
        self._tokens: dict[str, str] = {}
        paths = sorted(
            p for p in self._base.rglob("*") if p.relative_to(self._base).parts[0] != "logs"
        )
        texts = dict(_texts(self._base))
        for path in paths:
            if path in texts:
                for block in _PEM.finditer(texts[path]):
                    self._name(block[0])
                self._chain(texts[path])
        inodes = {}
        for path in paths:
            found = path.lstat()
            for number in (found.st_ctime_ns, found.st_ctime_ns - _DAY):  # as faults.c tells it
                inodes[str(number)] = f"ctime of {self._plain(path)}"
            inodes[str(found.st_mtime_ns)] = f"mtime of {self._plain(path)}"
            inodes[str(found.st_ino)] = f"inode of {self._plain(path)}"
        inodes = {n: name for n, name in inodes.items() if n not in self._numbers}
        found_ages = [(p.lstat().st_mtime_ns, p.lstat().st_size) for p in paths if p in texts]
        shared = sorted(age for age, number in Counter(found_ages).items() if number > 1 and age[1])
        ages = {age: number for number, age in enumerate(shared)}
        return sorted(
            f"{self._plain(path)} {self._node(path, texts.get(path, ''), began, ages, inodes)}"
            for path in paths
        )

    def _records(self, records: Mapping[str, object]) -> Iterator[str]:
        for server, found in sorted(records.items()):
            yield f"{server}: {_HEX.sub(self._token, str(found))}"

    def _plain(self, path: Path) -> str:
        return _TEMPORARY.sub(".danebot-tmp-*", str(path.relative_to(self._base)))

    def _node(
        self,
        path: Path,
        text: str,
        began: datetime,
        ages: dict[tuple[int, int], int],
        inodes: dict[str, str],
    ) -> str:
        found = path.lstat()
        mode = oct(found.st_mode)
        if stat.S_ISLNK(found.st_mode):
            return f"{mode} {path.readlink()}"
        if stat.S_ISDIR(found.st_mode):
            return mode
        age = str(found.st_mtime_ns)
        if found.st_mtime_ns not in self._ages:
            age = f"new {ages.get((found.st_mtime_ns, found.st_size), '')}"  # whose time it shares
        return f"{mode} {age} {self._content(path, text, began, inodes)!r}"

    def _content(self, path: Path, text: str, began: datetime, inodes: dict[str, str]) -> str:
        text = _PEM.sub(lambda block: self._tokens.get(block[0], block[0]), text)
        text = _HEX.sub(self._token, text)
        within = sorted(
            {m[0] for m in _MOMENT.finditer(text) if m["part"] and m[0] not in self._moments}
        )
        ranks = {moment: number for number, moment in enumerate(within)}
        text = _MOMENT.sub(partial(self._moment, began, ranks), text)
        text = _UPTIME.sub(lambda one: one[0] if one[0] in self._uptimes else "later", text)
        if "state" in path.parts:
            numbers = {**self._tokens, **inodes}
            text = _NUMBER.sub(lambda one: numbers.get(one[0], one[0]), text)
        return text

    def _moment(self, began: datetime, ranks: Mapping[str, int], found: re.Match[str]) -> str:
        if found[0] in self._moments:
            return found[0]
        words = found[0].removesuffix(" UTC").removesuffix("Z")
        try:
            moment = datetime.fromisoformat(words)
        except ValueError:
            return found[0]
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if moment < began - _BEFORE:
            return found[0]
        if moment <= datetime.now(UTC):
            return f"now {ranks.get(found[0], '')}"
        seconds = (moment - began).total_seconds()
        step = _STEP if seconds < _HOUR else _FAR_STEP
        return f"in {round(seconds / step) * step} seconds"

    def _token(self, found: re.Match[str]) -> str:
        return self._tokens.get(found[0], found[0])

    # ---- what is made afresh ----------------------------------------------------------------

    def _name(self, block: str) -> None:
        if block in self._blocks or block in self._tokens:
            return
        with suppress(ValueError, TypeError):
            if block.startswith("-----BEGIN CERTIFICATE-----"):
                self._certificate(block)
            elif "PRIVATE KEY" in block[:40]:
                key = serialization.load_pem_private_key(block.encode(), None).public_key()
                if isinstance(key, _Known):
                    self._tokens[block] = f"{block.splitlines()[0]} {self._key(key)}"

    def _chain(self, text: str) -> None:
        blocks = [block[0] for block in _PEM.finditer(text) if " CERTIFICATE" in block[0]]
        if any(block in self._tokens for block in blocks):
            with suppress(CertificateError):
                digest = read_chain(text.encode("latin-1")).fingerprint.hex()
                names = [self._tokens.get(block, block) for block in blocks]
                self._tokens.setdefault(digest, f"digest of all of {names}")

    def _key(self, key: Public) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        spki = key.public_bytes(serialization.Encoding.DER, form)
        kind = f"{key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else ""
        size = key.key_size if isinstance(key, rsa.RSAPublicKey) else ""
        name = f"key-{len(self._tokens)} {type(key).__name__} {kind}{size}"
        digest = hashlib.sha256(spki).hexdigest()
        name = self._tokens.setdefault(digest, name)
        self._tokens.setdefault(spki.hex(), f"all of {name}")
        return name

    def _certificate(self, block: str) -> None:
        leaf = x509.load_pem_x509_certificate(block.encode())
        key = leaf.public_key()
        if not isinstance(key, _Known):
            return
        der = leaf.public_bytes(serialization.Encoding.DER)
        kept = [str(e) for e in leaf.extensions if not isinstance(e.value, _AFRESH)]
        words = (
            f"certificate-{len(self._tokens)} {leaf.subject.rfc4514_string()}",
            f"by {leaf.issuer.rfc4514_string()} {leaf.signature_algorithm_oid.dotted_string}",
            f"for {leaf.not_valid_after_utc - leaf.not_valid_before_utc}",
            f"with {self._key(key)} {kept}",
        )
        self._tokens[block] = " ".join(words)
        self._tokens[hashlib.sha256(der).hexdigest()] = f"digest of {words[0]}"
        self._tokens[str(leaf.serial_number)] = f"serial of {words[0]}"
        for moment, name in (
            (leaf.not_valid_before_utc, "start"),
            (leaf.not_valid_after_utc, "end"),
        ):
            self._tokens[str(int(moment.timestamp()))] = f"{name} of {words[0]}"
        self._tokens[der.hex()] = f"all of {words[0]}"


def _texts(base: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(base.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.relative_to(base).parts[0] != "logs":
            yield path, path.read_bytes().decode("latin-1")
