"""What is in files, in memory where its reader takes a text; and second readers of it."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from danebot.adapters.certbot import cli_ini
from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.codec import decode
from danebot.adapters.dns.resolvconf import parse_resolv_conf
from danebot.adapters.status_file import walk
from danebot.config import load
from danebot.config.positions import key_lines
from danebot.domain.dns.tlsa import parse_dane_ee, parse_dnsnames
from danebot.domain.status.document import LineageStatus
from danebot.errors import TreeError
from danebot_exporter.webconfig import load_web_config
from prove.difference import Difference, same
from prove.mutations import documents, lines
from prove.odd_files import Case, cases
from prove.wire import Wire

try:
    from configobj import ConfigObj, ConfigObjError
except ImportError:  # then certbot's own reader isn't asked here, but in tests/adapters/certbot
    ConfigObj = None


@functools.cache
def _directory() -> Path:
    """For all files of this process; whoever starts it says where and removes it (TMPDIR)."""
    return Path(tempfile.mkdtemp(prefix="danebot-wires."))


@functools.cache
def _cases() -> Mapping[str, Case]:
    return {case.name: case for case in cases()}


def _in_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    def read_octets(data: bytes) -> object:
        directory = _directory() / name
        directory.mkdir(exist_ok=True)
        file = directory / "odd"
        file.write_bytes(data)
        file.chmod(0o600)
        return read(file)

    return read_octets


def _of_case(name: str) -> Wire:
    case = _cases()[name]
    return Wire(case.seeds, _in_file(case.read, name), case.mutate)


# ---- the status document, and json ---------------------------------------------------------------


def _status() -> Wire:
    def read(data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return
        found: list[LineageStatus] = []
        try:
            rest = walk(io.StringIO(text), found.append, LineageStatus)
        except (ValueError, RecursionError):
            return
        document = json.loads(text)
        if not _repeats(text):
            same("lineages", found, [decode(LineageStatus, one) for one in document["lineages"]])
            same("schema", rest.schema, document["schema"])

    case = _cases()["status"]
    return Wire((*case.seeds, b'{"schema": 1, "lineages": []}'), read, documents)


def _repeats(text: str) -> bool:
    """Whether an object has a name twice, which every reader takes as it likes (RFC 8259, 4)."""
    twice: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in found}) < len(found):
            twice.append("")
        return dict(found)

    json.loads(text, object_pairs_hook=pairs)
    return bool(twice)


# ---- settings, and tomllib ----------------------------------------------------------------------


_TOML = b"""\
resolver = ["127.0.0.1", "[::1]:5353"] # x
min_wait = "2d"
combo_mode = "0640"
hooks = ['systemctl reload postfix', ]
[endpoints]
"mail.example.test:25" = { connect = "192.0.2.1", protocol = "smtp" }
[publish]
method = "exec"
command = \"\"\"
x\\
 y\"\"\"
[lineage."mail.example.test"]
key_type = "rsa3072"
publish.ttl = "1h"
"""


def _settings() -> Wire:
    in_file = _in_file(lambda path: load(path, root=path.parent / "nowhere"), "toml")

    def read(data: bytes) -> None:
        try:
            text = data.decode()
            content = tomllib.loads(text)
        except (ValueError, RecursionError):
            content = {}
        else:
            found = key_lines(text)
            for path in _keys_in(content):
                if path not in found:
                    raise Difference(f"no line of {path}")
        in_file(data)

    return Wire((_TOML, *_cases()["danebot.toml"].seeds), read, lines)


_DEEP = 100  # tables within tables; settings have three


def _keys_in(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in table.items():
        yield (*above, key)
        if isinstance(value, dict) and len(above) < _DEEP:
            yield from _keys_in(value, (*above, key))


# ---- renewal configurations, and configobj -------------------------------------------------------


def _conf() -> Wire:
    def read(data: bytes) -> None:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return
        try:
            conf = RenewalConf.parse(Path("x.conf"), text)
        except TreeError:
            if ConfigObj is not None and "\0" not in text and _theirs(text) is not None:
                raise Difference("refused, and configobj reads it") from None
            return
        ours = sorted(
            (
                ([*e.section, e.name], list(e.value) if isinstance(e.value, tuple) else e.value)
                for e in conf.entries
            ),
            key=repr,
        )
        if ConfigObj is not None:
            same("settings", ours, _theirs(text))
        edited = conf.edited(top={"cert": "/x"}, parameters={"reuse_key": "True"})
        same("an edited setting", edited.top("cert"), "/x")
        same("an edited parameter", edited.parameter("reuse_key"), "True")
        edited.with_parameters_of(conf)

    return Wire(_cases()["conf"].seeds, read, lines)


def _theirs(text: str) -> list[tuple[list[str], object]] | None:
    """What certbot's own reader makes of it; None where that refuses."""
    raw = io.BytesIO(text.encode("utf-8-sig")).readlines()  # it takes one mark off, as ours did
    try:
        found = ConfigObj(raw, encoding="utf-8", interpolation=False)
    except ConfigObjError:
        return None
    return sorted(_flat(found), key=repr)


def _flat(section: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[list[str], object]]:  # noqa: ANN401
    for name in section.scalars:
        yield [*above, name], dict.__getitem__(section, name)
    for name in section.sections:
        yield from _flat(section[name], (*above, name))


# ---- texts alone -------------------------------------------------------------------------------


def _text(read: Callable[[str], object], *seeds: bytes) -> Wire:
    return Wire(seeds, lambda data: read(data.decode("utf-8", "replace")), lines)


def _cli_ini() -> Wire:
    def read(path: Path) -> None:
        path.replace(path.with_name("cli.ini"))
        cli_ini.settings(path.parent, {"XDG_CONFIG_HOME": "/nowhere"}, Path("/nowhere"))

    seed = b"key-type = rsa\n# x\nrsa-key-size: 3072 ; y\n--deploy-hook 'a b'\nquiet\n[x]\n"
    return Wire((seed,), _in_file(read, "cli"), lines)


_WEB = b"""\
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: NoClientCert
  min_version: TLS13
http_server_config:
  http2: false
  headers: {X-Frame-Options: deny}
"""


def _web_config() -> Wire:
    seeds = (_WEB, b"basic_auth_users: {a: x}\n")
    # PyYAML takes a second for brackets within brackets until it gives up at Python's own limit
    return Wire(seeds, _in_file(load_web_config, "web"), lines, bound=5.0)


FILES: Mapping[str, Callable[[], Wire]] = {
    "status document": _status,
    "danebot.toml": _settings,
    "renewal configurations": _conf,
    "dane-ee": lambda: _text(parse_dane_ee, *_cases()["dane-ee"].seeds),
    "dnsnames": lambda: _text(parse_dnsnames, *_cases()["dnsnames"].seeds),
    "resolv.conf": lambda: _text(parse_resolv_conf, *_cases()["resolv.conf"].seeds),
    "cli.ini": _cli_ini,
    "web configuration": _web_config,
    "rollover.json": partial(_of_case, "memory"),
    **{
        name: partial(_of_case, name)
        for name in ("combo", "defaults", "tsig", "unmanaged.json", "parsed.json")
    },
}
"""By name, made when wanted."""
