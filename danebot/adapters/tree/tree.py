"""The certbot tree, read: links, versions, keys and danebot's own files become values.

Nothing here changes anything; see `recovery` for what heals and `changes` for what writes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS, RenewalConf
from danebot.adapters.files import read_bytes
from danebot.adapters.presence import ABSENT, is_directory, is_empty, is_same, is_there, unreadable
from danebot.adapters.replacing import TEMP_PREFIX
from danebot.adapters.tree.parsed_cache import ParsedStore, Version, version_of
from danebot.adapters.tree.paths import (
    CANCELLED_PREFIX,
    COMBO,
    DANE_EE,
    DNSNAMES,
    KINDS,
    NEXT,
    READY,
    UNKNOWN_PREFIX,
    LineagePaths,
    has_strays,
    link_target,
    link_version,
    sound_links,
)
from danebot.adapters.tree.reader import TreeReader
from danebot.domain.dns.tlsa import DaneEe, parse_dane_ee, parse_dnsnames
from danebot.domain.lineage.renewal import Autorenew, RenewalRule, beyond_reckoning, interval
from danebot.domain.lineage.state import (
    STAGING_GONE,
    UNLINKED,
    Held,
    LineageState,
    Management,
    UnknownKey,
)
from danebot.domain.text import printable, quoted
from danebot.errors import (
    CertificateError,
    RecordSyntaxError,
    TreeError,
    UnknownLineageError,
    UnreadableError,
)
from danebot.regular import open_regular
from danebot.tuples import NamedTuple

ParsedT = TypeVar("ParsedT")


class Sound(NamedTuple):
    """What was found to be sound of a lineage: what its links lead to, and ``combo.pem``.

    ``names`` are those of the files in staging.
    """

    live: Held
    combo: Held
    staged: Held
    names: Sequence[str]


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
        self.reader = TreeReader(store)
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
        # certbot's pattern is *.conf: what an editor keeps there (.x.conf, x.conf~) is no lineage
        confs = (file for file in found if file.endswith(".conf") and not file.startswith("."))
        return tuple(sorted(file.removesuffix(".conf") for file in confs))

    def select(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Return ``wanted``, or all names if it is empty.

        Raises `UnknownLineageError` for a name that nothing has, `TreeError` for one of which some
        is left.
        """
        names = self.names()
        for name in wanted:
            if name not in names:
                if self._is_orphan(name):
                    raise TreeError(
                        f"{self.root}/renewal/{name}.conf is gone, so certbot doesn't know "
                        f"{name!r} any more; the way back is told by: danebot status {quoted(name)}"
                    )
                if not names:
                    raise UnknownLineageError(
                        f"there is no lineage {name!r}, nor any other yet; get one with the "
                        "command that is told by: danebot setup"
                    )
                known = ", ".join(names)
                raise UnknownLineageError(f"there is no lineage {name!r}; known are: {known}")
        return tuple(dict.fromkeys(wanted)) or names

    def select_managed(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """``wanted``, or all under danebot's care if it is empty; raises as `select` does."""
        names = self.select(wanted)
        return names if wanted else tuple(name for name in names if self.paths(name).staged)

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
        return self._paths_by(name, self._conf_or_fault(name)[0])

    def _paths_by(self, name: str, conf: RenewalConf | None) -> LineagePaths:
        known = self._paths.get(name)
        if known is not None and known[0] is conf:
            return known[1]
        configured = conf.top("archive_dir") if conf is not None else ""
        usual = f"{self.root}/archive/{name}"
        archive = Path(configured or usual)
        if configured not in ("", usual) and _same_place(archive, self.root / "staging" / name):
            archive = Path(usual)
        paths = LineagePaths.of(name, self.root, archive)
        self._paths[name] = conf, paths
        return paths

    def read(self, name: str, sound: Sound | None = None) -> LineageState:
        """Everything about one lineage; what can't be read is a fault in the value.

        ``sound`` is of a staged lineage that was just looked at, and isn't looked at again.
        """
        conf, fault = self._conf_or_fault(name)
        paths = self._paths_by(name, conf)
        own = paths.own
        faults = [fault] if fault else []
        dane_ee = _parsed(f"{own}/{DANE_EE}", parse_dane_ee, faults)
        problems = dane_ee.problems if dane_ee is not None else ()
        faults += [f"{own}/{DANE_EE}:{problem}" for problem in problems]
        names = _parsed(f"{own}/{DNSNAMES}", parse_dnsnames, faults)
        if conf is not None:
            faults += _rule_faults(conf)
        said = dane_ee or DaneEe()
        readable = dane_ee is not None and not problems
        live = sound.live if sound is not None else self.linked(paths, paths.live)
        combo = sound.combo if sound is not None else self.reader.combo(f"{paths.live}/{COMBO}")
        if live is None:
            faults.append(self._unlinked(paths, paths.live))
        if own != paths.staging and conf is not None and self._leads_to_staging(conf, name):
            faults.append(f"{paths.staging}: {STAGING_GONE}")
        state = LineageState(
            name,
            Management.PASS_THROUGH,
            live,
            combo,
            required=said.lines if readable else None,
            remembered=() if readable else said.lines,
            names=names,
            faults=tuple(faults),
            let_go=said.let_go,
            declared=said.declared,
            doubts=said.doubts,
            rule=self._rule(conf),
        )
        return self._with_staging(state, paths, sound) if own == paths.staging else state

    def _with_staging(
        self, state: LineageState, paths: LineagePaths, sound: Sound | None
    ) -> LineageState:
        """The state of a managed lineage, by its ``live``, ``combo`` and the files of all."""
        faults = [*state.faults]
        if state.combo is None and is_there(paths.live / COMBO):
            faults.append(f"{paths.live / COMBO}: not a usable key and chain")
        held = sound.staged if sound is not None else self.linked(paths, paths.staging, state.live)
        if held is None:
            faults.append(self._unlinked(paths, paths.staging))
        names = sound.names if sound is not None else _names(paths.staging)
        files = {
            n: self.reader.key_file(f"{paths.staging}/{n}") if n in names else None
            for n in (NEXT, READY)
        }
        for file_name, file in files.items():
            if file is not None and file.key is None:
                faults.append(
                    f"{paths.staging / file_name}: not a usable private key; put the right one "
                    f"there, or cancel with: danebot newkey --cancel {quoted(state.name)}"
                )
        return state._replace(
            management=Management.STAGED,
            staged=held,
            next=files[NEXT],
            ready=files[READY],
            unknown=self._set_aside(paths, names, UNKNOWN_PREFIX),
            cancelled=self._set_aside(paths, names, CANCELLED_PREFIX),
            faults=tuple(faults),
        )

    def _conf_or_fault(self, name: str) -> tuple[RenewalConf | None, str]:
        """The renewal configuration, or why it can't be read."""
        try:
            return self.conf(name), ""
        except TreeError as exc:
            return None, printable(str(exc), 400)

    def _rule(self, conf: RenewalConf | None) -> RenewalRule:
        """When certbot renews a lineage by itself; its default where the file can't be read."""
        if conf is None:
            return RenewalRule(self.default_before)
        before = interval(conf.top("renew_before_expiry"))
        return RenewalRule(
            before if before is not None else self.default_before,
            Autorenew.OFF if conf.disabled("autorenew") else Autorenew.ON,
        )

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
            return False  # a user who may not look isn't told

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
            os.close(open_regular(self.root / "live" / name / "privkey.pem", sys.maxsize))
        except OSError as exc:
            return isinstance(exc, PermissionError)
        return False

    def linked(
        self, paths: LineagePaths, directory: Path, known: Held | None = None
    ) -> Held | None:
        """What the four links of ``directory`` hold; None unless they lead to one version's files.

        ``known`` is a version that was read just before.
        """
        version = sound_links(paths, directory)
        if version is None:  # seldom: they may lead there all the same
            version = _led_to(paths, str(directory))
        if version is None:
            return None
        if known is not None and known.version == version:
            return known
        return self.reader.version(paths, version)

    def _unlinked(self, paths: LineagePaths, directory: Path) -> str:
        """The fault of links that lead to no complete version, with the file that is to blame."""
        version = link_version(directory / "fullchain.pem")
        if version is not None:
            try:
                self.reader.chain(paths.archived("fullchain", version))
                self.reader.chain(paths.archived("cert", version))
                self.reader.key(paths.archived("privkey", version))
            except (CertificateError, TreeError) as exc:
                return f"{directory}: {printable(str(exc), 300)}; so {UNLINKED}"
        return f"{directory}: {UNLINKED}"

    def littered(self, directory: str) -> bool:
        """Whether strays lie in a directory that all lineages share; read anew once it changed."""
        version = version_of(os.stat(directory))
        known = self._litter.get(directory)
        if known is None or known[0] != version:
            known = self._litter[directory] = (version, has_strays(os.listdir(directory)))
        return known[1]

    def refused(self, name: str) -> bool:
        """Whether certbot can't read a lineage's configuration, so that nobody may go by it."""
        return self._conf_or_fault(name)[0] is None

    def points_at_staging(self, name: str) -> bool:
        """Whether certbot's configuration leads to staging."""
        return self._leads_to_staging(self.conf(name), name)

    def _leads_to_staging(self, conf: RenewalConf, name: str) -> bool:
        staging = self.root / "staging" / name
        places = {Path(conf.top(setting)).parent for setting in PATH_SETTINGS}
        return all(_same_place(place, staging) for place in places)

    def _set_aside(
        self, paths: LineagePaths, names: Iterable[str], prefix: str
    ) -> tuple[UnknownKey, ...]:
        found = []
        for name in sorted(n for n in names if n.startswith(prefix) and n[-4:] == ".pem"):
            file = self.reader.key_file(paths.staging / name)
            if file is not None and (file.key is not None or not is_empty(paths.staging / name)):
                found.append(UnknownKey(file.key, name))
        return tuple(found)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except ABSENT:
        return []
    except OSError as exc:
        raise unreadable(directory, exc) from exc


def _led_to(paths: LineagePaths, own: str) -> int | None:
    """The version to whose files the four links lead, whatever their targets are."""
    versions = {link_version(f"{own}/{kind}.pem") for kind in KINDS}
    version = versions.pop()
    if versions or version is None:
        return None
    same = all(is_same(f"{own}/{k}.pem", f"{paths.archive}/{k}{version}.pem") for k in KINDS)
    return version if same else None


def _same_place(one: Path, other: Path) -> bool:
    """Whether two paths are one, by whatever links."""
    return one == other or os.path.realpath(one) == os.path.realpath(other)


def _rule_faults(conf: RenewalConf) -> list[str]:
    """What of a lineage's own rule can't be reckoned with."""
    before = conf.top("renew_before_expiry")
    if not beyond_reckoning(before):
        return []
    said = f"renew_before_expiry = {printable(before, 60)}"
    return [f"{conf.path}: {said} is no length of time; write it like this: 30 days"]


def refuse_link(path: Path | str) -> None:
    """Raise `TreeError` if somebody made a link of a small file that root reads and copies.

    Where another user may write in a lineage's directory, it might lead to what only root may read.
    """
    if link_target(path):
        raise TreeError(f"{path} is a symbolic link; put the file itself there")


def _parsed(path: str, parse: Callable[[str], ParsedT], faults: list[str]) -> ParsedT | None:
    """What a small file says; the same as an empty one if absent, None and a fault if unusable."""
    try:
        return parse(_unlinked(path).decode("utf-8"))
    except UnicodeDecodeError:
        faults.append(f"{path}: not UTF-8 text")
    except RecordSyntaxError as exc:
        faults += [f"{path}:{problem}" for problem in str(exc).splitlines()]
    except TreeError as exc:
        faults.append(str(exc))
    return None


def _unlinked(path: str) -> bytes:
    """A small file's content, none if it is absent; raises as `refuse_link` and `read_bytes`."""
    try:
        return read_bytes(path, follow=False)
    except TreeError as exc:
        if isinstance(exc.__cause__, ABSENT):
            return b""
        refuse_link(path)
        raise
