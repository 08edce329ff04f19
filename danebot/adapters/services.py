"""Which services read a file: configurations below /etc that name it.

Postfix and Dovecot are asked, too, since they put names together; what others put together (Exim's
``$tls_sni``) isn't seen: what isn't found is no proof that nobody reads it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path

from danebot.adapters.presence import is_set_aside, is_there
from danebot.adapters.process import Ended, Ending, run_program, search_path
from danebot.domain.names import Hostname
from danebot.errors import NameSyntaxError, UnreadableError
from danebot.regular import read_regular
from danebot.tuples import NamedTuple

_PLACES = ("etc", "usr/local/etc", "usr/pkg/etc", "opt/local/etc")
_SKIPPED = re.compile(r"(letsencrypt|danebot|.+-available|ca-certificates|alternatives)\Z")
_LOG = re.compile(r".+\.log([.-].*)?\Z", re.IGNORECASE)
_LINKS_ALONE = "ssl"  # a directory of certificates
_COMMENT = re.compile(rb"\s*(#|;|//|--)")
_PROGRAMS = (
    *(("postfix", "postconf", "-nx"), ("postfix", "postconf", "-Px")),
    ("dovecot", "doveconf", "-n"),
)
_DOMAINS = ("postconf", "-hx", "mydestination", "virtual_mailbox_domains", "virtual_alias_domains")
_NAME = ("postconf", "-hx", "myhostname")
_MAIN_CFS = tuple(Path("/", place, "postfix/main.cf") for place in _PLACES)
_CALLED = {
    "dovecot": ("doveconf",),
    "exim": ("exim4", "exim"),
    "opensmtpd": ("smtpd",),
    "apache": ("apache2ctl", "httpd", "apachectl"),
    "cyrus": ("cyr_info",),
    **{name: (f"{name}ctl",) for name in ("prosody", "ejabberd")},
}  # by what `hooks/reload.sh` calls it; any other goes by its own name
_ELSEWHERE = ("/usr/lib/cyrus/bin", "/usr/lib/cyrus-imapd", "/usr/libexec/cyrus-imapd")
_PATIENCE = timedelta(seconds=10)
_PATH = re.compile(r"/[^\s,;<>\"']+")
_LARGEST = 1024 * 1024  # octets; no configuration is larger
_MOST = 20_000  # files


class Reader(NamedTuple):
    """Who names the file, and where: ``FILE:LINE``, a link to it, or a program that says so.

    ``service`` is the directory or file right below /etc, mostly the service's own name.
    """

    service: str
    place: str

    def __str__(self) -> str:
        return f"{self.service} ({self.place})"


def readers_of_each(
    paths: Iterable[Path], root: Path = Path("/"), most: int = _MOST
) -> tuple[dict[Path, tuple[Reader, ...]], bool]:
    """Look for ``paths``, by name, real one and links to it, in one look; raises nothing.

    A file counts once, by the first line that isn't a comment; a service's program only where no
    file of the service names it.  The second is False where there was more than is looked at.
    """
    real: dict[str, Path] = {os.path.realpath(path): path for path in paths}
    if not real:
        return {}, True
    files = list(islice(_everywhere(root), most + 1))
    names = {str(path): path for path in real.values()} | real
    for _, file in files[:most]:
        if file.is_symlink():
            names |= _aliases(file, real)
    words = b"|".join(sorted((re.escape(os.fsencode(name)) for name in names), reverse=True))
    named = re.compile(rb"(?<![\w./-])(" + words + rb")(?![\w./-])")
    found: dict[Path, dict[str, Reader]] = {path: {} for path in real.values()}
    for place, file in files[:most]:
        service = file.relative_to(place).parts[0]
        for path, at in _named_in(file, names, named).items():
            found[path][at] = Reader(service, at)
    for path, asked in _asked(names):
        if not any(one.service == asked.service for one in found[path].values()):
            found[path][asked.place] = asked
    return {path: tuple(readers.values()) for path, readers in found.items()}, len(files) <= most


def is_installed(service: str) -> bool:
    """Whether the program is here by which a ready-made hook tells a service."""
    path = search_path(_ELSEWHERE)
    return any(shutil.which(name, path=path) for name in _CALLED.get(service, (service,)))


def mail_domains() -> tuple[Hostname, ...]:
    """The domains that Postfix's settings list; what is in tables and databases isn't read.

    () where there is no Postfix; raises `UnreadableError` where it doesn't say them.
    """
    ended = _ask(_DOMAINS)
    if ended.ending is not Ending.NOT_STARTED and not ended.succeeded:
        raise UnreadableError("Postfix's settings can't be read")
    found: dict[Hostname, None] = {}
    for word in re.split(r"[\s,]+", ended.output) if ended.succeeded else ():
        try:
            found[Hostname.parse(word)] = None
        except NameSyntaxError:
            continue
    return tuple(found)


def mail_host() -> Hostname | None:
    """The name by which Postfix goes; None where there is none, or it says none."""
    ended = _ask(_NAME)
    try:
        return Hostname.parse(ended.output.strip()) if ended.succeeded else None
    except NameSyntaxError:
        return None


def _ask(argv: tuple[str, ...]) -> Ended:
    """What a service's program says of its settings; it isn't started where it has none.

    Postfix's would wait a second before it says so, and serves nobody here.
    """
    if argv[0] == "postconf" and "MAIL_CONFIG" not in os.environ and not _may_have_postfix():
        return Ended(Ending.NOT_STARTED, None, "it has no main.cf", timedelta(0))
    return run_program(argv, timeout=_PATIENCE, grace=_PATIENCE, environment={})


def _may_have_postfix() -> bool:
    """Whether there is a ``main.cf``, or nobody can tell."""
    with suppress(UnreadableError):
        return any(map(is_there, _MAIN_CFS))
    return True


def _aliases(link: Path, real: Mapping[str, Path]) -> dict[str, Path]:
    """What files are called by a link to one of them, or to a directory above it."""
    leads = os.path.realpath(link)
    return {
        f"{link}{one.removeprefix(leads)}": path
        for one, path in real.items()
        if f"{one}/".startswith(f"{leads}/")
    }


def _asked(names: Mapping[str, Path]) -> Iterator[tuple[Path, Reader]]:
    """Those whose own program says what is in force."""
    for service, program, option in _PROGRAMS:
        ended = _ask((program, option))
        words = {os.path.realpath(word) for word in _PATH.findall(ended.output)}
        for path in dict.fromkeys(path for name, path in names.items() if name in words):
            if ended.succeeded:
                yield path, Reader(service, f"by {program} {option}")


def _everywhere(root: Path) -> Iterator[tuple[Path, Path]]:
    """Each file or link with the place below which it is, in a fixed order.

    Directories behind links are passed over, and in those of certificates all but links.
    """
    for place in _PLACES:
        for current, directories, files in os.walk(root / place):
            links = [name for name in directories if Path(current, name).is_symlink()]
            directories[:] = sorted(n for n in directories if not _is_skipped(n))
            alone = _LINKS_ALONE in Path(current).relative_to(root / place).parts
            for name in sorted((*links, *files)):
                file = Path(current, name)
                if not (is_set_aside(name) or _LOG.match(name)) and (
                    not alone or file.is_symlink()
                ):
                    yield root / place, file


def _is_skipped(name: str) -> bool:
    return is_set_aside(name) or _SKIPPED.match(name) is not None


def _named_in(file: Path, names: Mapping[str, Path], named: re.Pattern[bytes]) -> dict[Path, str]:
    """Where in ``file`` each is named first, or that file itself for a link to it."""
    found: dict[Path, str] = {}
    try:
        if file.is_symlink() and (real := os.path.realpath(file)) in names:
            return {names[real]: str(file)}
        data = read_regular(file, _LARGEST)
    except (OSError, ValueError):
        return found
    if b"\0" in data or named.search(data) is None:  # a database, a program
        return found
    for number, line in enumerate(data.splitlines(), 1):
        if not _COMMENT.match(line):
            for match in named.finditer(line):
                found.setdefault(names[os.fsdecode(match[1])], f"{file}:{number}")
    return found
