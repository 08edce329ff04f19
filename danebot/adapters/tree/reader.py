"""Keys and chains of a certbot tree, parsed once until their files change."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, cast

from danebot.adapters.files import read_bytes
from danebot.adapters.presence import ABSENT, unreadable
from danebot.adapters.tree.parsed_cache import Parsed, ParsedStore, Version, version_of
from danebot.adapters.tree.paths import LineagePaths
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.lineage.state import Held, KeyFile
from danebot.domain.rollover.evidence.dates import RECKONABLE
from danebot.errors import CertificateError, TreeError, UnreadableError
from danebot.tuples import NamedTuple

KindT = TypeVar("KindT", Chain, PublicKey)


class _Seen(NamedTuple):
    """A file, and the version of it that is there."""

    file: str
    version: Version


class TreeReader:
    """Reads keys and chains of one tree; a file that didn't change is parsed once.

    With a ``store``, once until it changes, over many runs.
    """

    def __init__(self, store: ParsedStore | None = None) -> None:
        self._store = store
        self._parsed: dict[tuple[type[Parsed], str], tuple[Version, Parsed]] = {}
        self._news = False

    def chain(self, path: Path) -> Chain:
        """Parse a file of certificates, or `CertificateError`, or `TreeError`."""
        return self._once(Chain, _looked_at(str(path)))

    def key(self, path: Path) -> PublicKey:
        """Parse a private key's public half, or `CertificateError`, or `TreeError`."""
        return self._once(PublicKey, _looked_at(str(path)))

    def _once(self, kind: type[KindT], seen: _Seen) -> KindT:
        file, version = seen
        known = self._parsed.get((kind, file))
        if known is None or known[0] != version:
            found = self._store.get(kind, file, version) if self._store is not None else None
            self._news = self._news or found is None
            known = self._parsed[kind, file] = (version, found or _parsed_file(kind, Path(file)))
        return cast("KindT", known[1])

    def keep(self) -> None:
        """Put what was parsed on record for later runs, unless all of it came from there."""
        if self._store is not None and (self._news or len(self._parsed) != len(self._store)):
            self._store.put((file, *known) for (_, file), known in self._parsed.items())

    def key_file(self, path: Path | str) -> KeyFile | None:
        """``nextkey.pem`` or ``ready.pem``; None if there is no such file."""
        try:
            modified = _moment(os.lstat(path).st_mtime_ns / 1e9)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise TreeError(f"cannot read {path}: {exc.strerror}") from exc
        try:
            return KeyFile(self.key(Path(path)), modified)
        except (CertificateError, TreeError):
            return KeyFile(None, modified)

    def combo(self, path: Path | str) -> Held | None:
        """What ``combo.pem`` holds; None if it is absent or not a matching key and chain."""
        before = None
        while True:
            try:
                seen = _looked_at(str(path))
                if seen == before:
                    return None
                held = Held(None, self._once(PublicKey, seen), self._once(Chain, seen))
                if held.matches:
                    return held
            except UnreadableError:
                raise
            except CertificateError:
                pass
            except TreeError:
                return None
            before = seen  # another may have come there between the two: who reads holds no lock

    def version(self, paths: LineagePaths, version: int) -> Held | None:
        """One version of the archive; None unless all four files are there and agree."""
        try:
            chain = self._once(Chain, _looked_at(f"{paths.archive}/fullchain{version}.pem"))
            cert = self._once(Chain, _looked_at(f"{paths.archive}/cert{version}.pem"))
            if cert.ders != chain.ders[:1]:
                return None
            rest = _looked_at(f"{paths.archive}/chain{version}.pem")
            _, size, *_ = rest.version
            others = self._once(Chain, rest).ders if size else ()
            key = self._once(PublicKey, _looked_at(f"{paths.archive}/privkey{version}.pem"))
            held = Held(version, key, chain)
        except UnreadableError:
            raise
        except (CertificateError, TreeError):
            return None
        return held if others == chain.ders[1:] and held.matches else None


def _looked_at(file: str) -> _Seen:
    try:
        return _Seen(file, version_of(os.stat(file)))
    except ABSENT as exc:
        raise TreeError(f"cannot read {file}: {exc.strerror}") from exc
    except OSError as exc:
        raise unreadable(file, exc) from exc


def _parsed_file(kind: type[Parsed], path: Path) -> Parsed:
    from danebot.domain.lineage.pem import read_chain, read_private_key

    data = read_bytes(path)
    try:
        return read_chain(data) if kind is Chain else read_private_key(data)
    except CertificateError as exc:
        raise CertificateError(f"{path}: {exc}") from exc


def _moment(seconds: float) -> datetime:
    """The time that a file system tells; the nearest that can be reckoned with, if it is odd."""
    earliest, latest = RECKONABLE
    seconds = min(max(seconds, earliest.timestamp()), latest.timestamp())
    return datetime.fromtimestamp(seconds, UTC)
