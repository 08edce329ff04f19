"""The certbot tree, read: links, versions, keys and danebot's own files become values.

Nothing here changes anything; see `recovery` for what heals and `changes` for what writes.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS, RenewalConf
from danebot.adapters.files import TEMP_PREFIX
from danebot.adapters.presence import ABSENT, is_directory, is_there, unreadable
from danebot.adapters.tree.parsed_cache import Parsed, ParsedStore, Version, version_of
from danebot.domain.dns.tlsa import DaneEe, parse_dane_ee, parse_dnsnames
from danebot.domain.lineage.keys import Chain, PublicKey
from danebot.domain.lineage.renewal import Autorenew, RenewalRule, interval
from danebot.domain.lineage.state import (
    STAGING_GONE,
    UNLINKED,
    Held,
    KeyFile,
    LineageState,
    Management,
    UnknownKey,
)
from danebot.errors import (
    CertificateError,
    RecordSyntaxError,
    TreeError,
    UnknownLineageError,
    UnreadableError,
)

KINDS = ("privkey", "cert", "chain", "fullchain")
NEXT, READY, COMBO = "nextkey.pem", "ready.pem", "combo.pem"
DANE_EE, DNSNAMES, MEMORY = "dane-ee", "dnsnames", "rollover.json"
UNKNOWN_PREFIX, CANCELLED_PREFIX, GIVEN_UP_PREFIX = "unknown-", "cancelled-", "given-up-"
_VERSIONED = re.compile(r"(privkey|cert|chain|fullchain)(\d+)\.pem\Z")
_STRAY = re.compile(rf"{re.escape(TEMP_PREFIX)}|previous_|(combo|nextkey)\.pem\.")
_NO_WAIT = os.O_CLOEXEC | os.O_NONBLOCK
_PIECE, _MAX_FILE = 32 * 1024, 4 * 1024 * 1024
_NO_NAMES = ("", ".", "..")  # they would lead to the directories that all lineages share
ParsedT = TypeVar("ParsedT")
KindT = TypeVar("KindT", Chain, PublicKey)


def read_bytes(path: Path) -> bytes:
    """A file's content, or `TreeError`; bounded, and only of regular files."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TreeError(f"{path} is not a regular file")
            data = b""
            while len(data) <= _MAX_FILE and (more := os.read(descriptor, _PIECE)):
                data += more
        finally:
            os.close(descriptor)
    except ABSENT as exc:
        raise TreeError(f"cannot read {path}: {exc.strerror}") from exc
    except OSError as exc:
        raise unreadable(path, exc) from exc
    if len(data) > _MAX_FILE:
        raise TreeError(f"{path} is too large to be what its name says")
    return data


@dataclass(frozen=True, slots=True)
class LineagePaths:
    """Where the parts of one lineage lie.  ``archive`` follows the renewal configuration.

    ``staging`` is what certbot takes for live, ``live`` what services read, ``conf`` the renewal
    configuration that certbot reads.
    """

    name: str
    root: Path
    archive: Path
    staging: Path = field(init=False)
    live: Path = field(init=False)
    conf: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "staging", self.root / "staging" / self.name)
        object.__setattr__(self, "live", self.root / "live" / self.name)
        object.__setattr__(self, "conf", self.root / "renewal" / f"{self.name}.conf")

    @property
    def own(self) -> Path:
        """Where ``dane-ee`` and ``dnsnames`` are: staging, or live for a passed-through one."""
        return self.staging if self.staged else self.live

    @property
    def staged(self) -> bool:
        """Whether danebot decides what this lineage's live serves; raises `UnreadableError`."""
        return is_directory(self.staging)

    def archived(self, kind: str, version: int) -> Path:
        """One file of one version."""
        return self.archive / f"{kind}{version}.pem"

    def link_target(self, directory: Path, kind: str, version: int) -> str:
        """The relative target that a link in ``directory`` ought to have."""
        return os.path.relpath(self.archived(kind, version), directory)


class Reader:
    """Reads keys and chains of one tree; a file that didn't change is parsed once.

    With a ``store``, once until it changes, over many runs.
    """

    def __init__(self, store: ParsedStore | None = None) -> None:
        """Nothing is read yet."""
        self._store = store
        self._parsed: dict[tuple[type[Parsed], str], tuple[Version, Parsed]] = {}
        self._news = False

    def chain(self, path: Path) -> Chain:
        """Parse a file of certificates, or `CertificateError`, or `TreeError`."""
        return self._once(Chain, str(path))

    def key(self, path: Path) -> PublicKey:
        """Parse a private key's public half, or `CertificateError`, or `TreeError`."""
        return self._once(PublicKey, str(path))

    def _once(self, kind: type[KindT], file: str) -> KindT:
        try:
            version = version_of(os.stat(file))
        except ABSENT as exc:
            raise TreeError(f"cannot read {file}: {exc.strerror}") from exc
        except OSError as exc:
            raise unreadable(file, exc) from exc
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

    def key_file(self, path: Path) -> KeyFile | None:
        """``nextkey.pem`` or ``ready.pem``; None if there is no such file."""
        try:
            modified = datetime.fromtimestamp(path.lstat().st_mtime_ns / 1e9, UTC)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise TreeError(f"cannot read {path}: {exc.strerror}") from exc
        try:
            return KeyFile(self.key(path), modified)
        except (CertificateError, TreeError):
            return KeyFile(None, modified)

    def combo(self, path: Path) -> Held | None:
        """What ``combo.pem`` holds; None if it is absent or not a matching key and chain."""
        try:
            held = Held(None, self.key(path), self.chain(path))
        except UnreadableError:
            raise
        except (CertificateError, TreeError):
            return None
        return held if held.matches else None

    def version(self, paths: LineagePaths, version: int) -> Held | None:
        """One version of the archive; None unless all four files are there and agree."""
        try:
            chain = self._once(Chain, f"{paths.archive}/fullchain{version}.pem")
            if self._once(Chain, f"{paths.archive}/cert{version}.pem").ders != chain.ders[:1]:
                return None
            rest = f"{paths.archive}/chain{version}.pem"
            others = self._once(Chain, rest).ders if os.stat(rest).st_size else ()
            key = self._once(PublicKey, f"{paths.archive}/privkey{version}.pem")
            held = Held(version, key, chain)
        except UnreadableError:
            raise
        except (CertificateError, TreeError, OSError):
            return None
        return held if others == chain.ders[1:] and held.matches else None


def _parsed_file(kind: type[Parsed], path: Path) -> Parsed:
    from danebot.domain.lineage.pem import read_chain, read_private_key

    data = read_bytes(path)
    return read_chain(data) if kind is Chain else read_private_key(data)


class Tree:
    """A certbot configuration directory."""

    def __init__(
        self,
        root: Path,
        store: ParsedStore | None = None,
        default_before: timedelta | None = None,
    ) -> None:
        """Open ``root``, or raise `TreeError`; nothing is written.

        ``store`` has what earlier runs parsed.  ``default_before`` is how long before a certificate
        ends certbot renews it where the lineage's configuration doesn't say, None for a fraction.
        """
        if not is_directory(root / "renewal"):
            raise TreeError(
                f"{root} is no certbot tree (it has no renewal directory); "
                "issue a certificate with certbot first, or name the tree with --config-dir"
            )
        self.root = root.absolute()
        self.default_before = default_before
        self.reader = Reader(store)
        self._litter: dict[str, tuple[Version, bool]] = {}
        self._confs: dict[str, tuple[object, RenewalConf]] = {}
        self._paths: dict[str, tuple[RenewalConf | None, LineagePaths]] = {}

    def names(self) -> tuple[str, ...]:
        """The names of all lineages, sorted."""
        try:
            found = os.listdir(self.root / "renewal")
        except OSError as exc:
            raise TreeError(
                f"cannot list {self.root / 'renewal'}: {exc.strerror}; run danebot as root"
            ) from exc
        names = (file.removesuffix(".conf") for file in found if file.endswith(".conf"))
        return tuple(sorted(name for name in names if name not in _NO_NAMES))

    def select(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """``wanted``, or all names if it is empty; `UnknownLineageError` for any other name."""
        names = self.names()
        for name in wanted:
            if name not in names:
                known = ", ".join(names) or "none"
                if self._is_orphan(name):
                    raise UnknownLineageError(
                        f"{self.root}/renewal/{name}.conf is gone, so certbot doesn't know "
                        f"{name!r} any more; the way back is told by: danebot status {name}"
                    )
                raise UnknownLineageError(f"there is no lineage {name!r}; known are: {known}")
        return tuple(dict.fromkeys(wanted)) or names

    def conf(self, name: str) -> RenewalConf:
        """The renewal configuration of a lineage, as it is now."""
        file = f"{self.root}/renewal/{name}.conf"
        try:
            version = version_of(os.stat(file))
        except OSError:
            return RenewalConf.read(Path(file))  # says what is wrong
        known = self._confs.get(name)
        if known is None or known[0] != version:
            known = self._confs[name] = (version, RenewalConf.read(Path(file)))
        return known[1]

    def paths(self, name: str) -> LineagePaths:
        """Where the parts of a lineage lie; an ``archive_dir`` below staging is certbot's slip."""
        conf: RenewalConf | None
        try:
            conf = self.conf(name)
        except TreeError:
            conf = None
        known = self._paths.get(name)
        if known is not None and known[0] is conf:
            return known[1]
        configured = conf.top("archive_dir") if conf is not None else ""
        archive = Path(configured) if configured else self.root / "archive" / name
        if archive == self.root / "staging" / name:
            archive = self.root / "archive" / name
        paths = LineagePaths(name, self.root, archive)
        self._paths[name] = conf, paths
        return paths

    def read(self, name: str) -> LineageState:
        """Everything about one lineage; what can't be read is a fault in the value."""
        paths = self.paths(name)
        faults: list[str] = []
        own = paths.own
        dane_ee = _parsed(own / DANE_EE, parse_dane_ee, faults)
        names = _parsed(own / DNSNAMES, parse_dnsnames, faults)
        said = dane_ee or DaneEe()
        required = said.lines if dane_ee is not None else None
        live = self.linked(paths, paths.live)
        combo = self.reader.combo(paths.live / COMBO)
        if live is None:
            faults.append(f"{paths.live}: {UNLINKED}")
        if own != paths.staging:
            if self._led_to_staging(name):
                faults.append(f"{paths.staging}: {STAGING_GONE}")
            return LineageState(
                name,
                Management.PASS_THROUGH,
                live,
                combo,
                required=required,
                names=names,
                faults=tuple(faults),
                let_go=said.let_go,
                declared=said.declared,
                rule=self.rule(name),
            )
        if combo is None and is_there(paths.live / COMBO):
            faults.append(f"{paths.live / COMBO}: not a usable key and chain")
        held = self.linked(paths, paths.staging, live)
        if held is None:
            faults.append(f"{paths.staging}: {UNLINKED}")
        files = {n: self.reader.key_file(paths.staging / n) for n in (NEXT, READY)}
        for file_name, file in files.items():
            if file is not None and file.key is None:
                faults.append(
                    f"{paths.staging / file_name}: not a usable private key; "
                    f"put the right one there, or cancel with: danebot newkey --cancel {name}"
                )
        return LineageState(
            name,
            Management.STAGED,
            live,
            combo,
            staged=held,
            next=files[NEXT],
            ready=files[READY],
            unknown=self._set_aside(paths, UNKNOWN_PREFIX),
            cancelled=self._set_aside(paths, CANCELLED_PREFIX),
            required=required,
            names=names,
            faults=tuple(faults),
            let_go=said.let_go,
            declared=said.declared,
            rule=self.rule(name),
        )

    def rule(self, name: str) -> RenewalRule:
        """When certbot renews a lineage by itself; its default where the file can't be read."""
        try:
            conf = self.conf(name)
        except TreeError:
            return RenewalRule(self.default_before)
        before = interval(conf.top("renew_before_expiry"))
        return RenewalRule(
            before if before is not None else self.default_before,
            Autorenew.OFF if conf.disabled("autorenew") else Autorenew.ON,
        )

    def _led_to_staging(self, name: str) -> bool:
        try:
            return self.points_at_staging(name)
        except TreeError:
            return False  # certbot says what is wrong with it

    def orphans(self) -> tuple[str, ...]:
        """Names of what lies in staging or live without a renewal configuration, sorted."""
        known = set(self.names())
        found = {name for name in self._listed("staging") if not name.startswith(TEMP_PREFIX)}
        files = (*(f"{kind}.pem" for kind in KINDS), COMBO)
        found |= {
            name
            for name in self._listed("live")
            if name not in known and any(is_there(self.root / "live" / name / f) for f in files)
        }
        return tuple(sorted(found - known))

    def _is_orphan(self, name: str) -> bool:
        try:
            return name in self.orphans()
        except UnreadableError:
            return False  # whoever may not look isn't told

    def _listed(self, place: str) -> list[str]:
        """The directories in staging, or live."""
        try:
            with os.scandir(self.root / place) as entries:
                return [entry.name for entry in entries if entry.is_dir()]
        except ABSENT:
            return []
        except OSError as exc:
            raise unreadable(self.root / place, exc) from exc

    def forbidden(self, name: str) -> bool:
        """Whether this user may not read the lineage's key: then nothing can be said of it."""
        try:
            descriptor = os.open(self.root / "live" / name / "privkey.pem", os.O_RDONLY | _NO_WAIT)
        except PermissionError:
            return True
        except OSError:
            return False
        os.close(descriptor)
        return False

    def linked(
        self, paths: LineagePaths, directory: Path, known: Held | None = None
    ) -> Held | None:
        """What the four links of ``directory`` hold; None unless they agree on one version.

        ``known`` is a version that was read just before.
        """
        own = str(directory)
        versions = {link_version(f"{own}/{kind}.pem") for kind in KINDS}
        version = versions.pop()
        if versions or version is None:
            return None
        if known is not None and known.version == version:
            return known
        return self.reader.version(paths, version)

    def littered(self, directory: str) -> bool:
        """Whether strays lie in a directory that all lineages share; read anew once it changed."""
        version = version_of(os.stat(directory))
        known = self._litter.get(directory)
        if known is None or known[0] != version:
            known = self._litter[directory] = (version, has_strays(os.listdir(directory)))
        return known[1]

    def points_at_staging(self, name: str) -> bool:
        """Whether certbot's configuration leads to staging."""
        conf = self.conf(name)
        staging = str(self.root / "staging" / name)
        return all(str(Path(conf.top(setting)).parent) == staging for setting in PATH_SETTINGS)

    def _set_aside(self, paths: LineagePaths, prefix: str) -> tuple[UnknownKey, ...]:
        try:
            names = os.listdir(paths.staging)
        except ABSENT:
            return ()
        except OSError as exc:
            raise unreadable(paths.staging, exc) from exc
        found = []
        for name in sorted(n for n in names if n.startswith(prefix) and n[-4:] == ".pem"):
            file = self.reader.key_file(paths.staging / name)
            if file is not None and file.key is not None:
                found.append(UnknownKey(file.key, name))
        return tuple(found)


def has_strays(names: Iterable[str]) -> bool:
    """Whether an interrupted run of danebot, certbot or the shell program left any of these."""
    return any(map(_STRAY.match, names))


def link_target(link: Path | str) -> str:
    """Where a symbolic link leads; "" if it is none; raises `UnreadableError`."""
    try:
        return os.readlink(link)
    except ABSENT:
        return ""
    except OSError as exc:
        if exc.errno == errno.EINVAL:  # something else lies there
            return ""
        raise unreadable(link, exc) from exc


def link_version(link: Path | str) -> int | None:
    """The archive version that a link's target names; None if it isn't such a link."""
    match = _VERSIONED.match(link_target(link).rpartition("/")[2])
    kind = str(link).rpartition("/")[2].removeprefix("previous_").removesuffix(".pem")
    return int(match[2]) if match is not None and match[1] == kind else None


def sound_links(paths: LineagePaths, directory: Path) -> int | None:
    """The version that all four links lead to by their proper relative targets, if they do."""
    own = str(directory)
    version = link_version(f"{own}/privkey.pem")
    base = os.path.relpath(paths.archive, own)
    try:
        sound = all(
            os.readlink(f"{own}/{kind}.pem") == f"{base}/{kind}{version}.pem" for kind in KINDS
        )
    except OSError:
        return None
    return version if sound else None


def archive_versions(paths: LineagePaths) -> dict[int, frozenset[str]]:
    """The versions that have any file in the archive, with the kinds that are there."""
    try:
        names = os.listdir(paths.archive)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise UnreadableError(
            f"cannot list {paths.archive}: {exc.strerror}; run danebot as root"
        ) from exc
    return versions_of(names)


def versions_of(names: Iterable[str]) -> dict[int, frozenset[str]]:
    """The same of the names in an archive."""
    found: dict[int, set[str]] = {}
    for name in names:
        match = _VERSIONED.match(name)
        if match is not None:
            found.setdefault(int(match[2]), set()).add(match[1])
    return {version: frozenset(kinds) for version, kinds in found.items()}


def _parsed(path: Path, parse: Callable[[str], ParsedT], faults: list[str]) -> ParsedT | None:
    """What a small file says; the same as an empty one if absent, None and a fault if unusable."""
    try:
        return parse(read_bytes(path).decode("utf-8") if is_there(path) else "")
    except UnicodeDecodeError:
        faults.append(f"{path}: not UTF-8 text")
    except (RecordSyntaxError, TreeError) as exc:
        faults.append(str(exc) if isinstance(exc, TreeError) else f"{path}: {exc}")
    return None
