"""All files put together: ``danebot.toml``, the shell program's defaults file, the defaults."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

from danebot.config import values
from danebot.config.files import read_text
from danebot.config.positions import key_lines, line_of
from danebot.config.settings import (
    ComboAccess,
    Effective,
    EndpointSetting,
    LineageSettings,
    Method,
    PublishSettings,
    Settings,
)
from danebot.config.shell_defaults import ShellDefaults, read_shell_defaults
from danebot.config.table import Document, Table, show
from danebot.domain.addresses import SocketAddress
from danebot.domain.names import Hostname, Protocol, printable
from danebot.domain.rollover.evidence.policy import Policy
from danebot.errors import ConfigError

CONFIG_FILE = Path("etc/danebot/danebot.toml")
TREES = ("usr/local/etc/letsencrypt", "etc/letsencrypt")
_WORLD_READABLE = 0o004
_NO_HOOKS: tuple[str, ...] = ()
_ALL: tuple[SocketAddress, ...] = ()  # addresses that the name has
_SNAPSHOT = r"""\s*snapshot\s*=\s*(["'])([^"'\\]+)\1\s*(#.*)?\Z"""
_LONG_NUMBER = r"\d[\d_]{4000}"
_ERROR_LINE = r" \(at line (\d+), column \d+\)\Z"


def load(
    config_file: Path | None = None, config_dir: Path | None = None, *, root: Path = Path("/")
) -> Settings:
    """Read all settings, or raise `ConfigError` with a line ``FILE:LINE: ...`` for each problem.

    ``config_file`` is the one named on the command line, which must be there; None takes the
    usual one if it is there.  ``config_dir`` is certbot's tree as named on the command line.
    ``root`` is where the usual places are looked for.
    """
    shell = read_shell_defaults(root)
    path = config_file or root / CONFIG_FILE
    text = read_text(path)
    if text is None and config_file is not None:
        raise ConfigError(f"{path}: no such file; name another with --config")
    document, content = parse_document(path, text or "")
    settings = _read(Table(document, (), content), shell, _tree(root))
    document.check()
    if config_dir is not None:
        settings = settings._replace(tree=config_dir.absolute())
        document.effective = [e for e in document.effective if e.name != "config_dir"]
        shown = Effective("config_dir", show(settings.tree), "--config-dir")
        document.effective.insert(0, shown)
    return settings._replace(
        file=path if text is not None else None,
        places={
            name: f"{printable(str(path))}:{line_of(document.lines, ('lineage', name))}"
            for name in settings.lineages
        },
        effective=tuple(document.effective),
        notices=(*shell.notices, *_notices(settings, document)),
    )


def told_snapshot(config_file: Path | None, *, root: Path = Path("/")) -> Path | None:
    """Where settings with a mistake in them say that the status document is; None if nowhere.

    By its own line alone, so that a mistake in another one doesn't matter.
    """
    try:
        text = read_text(config_file or root / CONFIG_FILE) or ""
    except ConfigError:
        return None
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            return None
        match = re.match(_SNAPSHOT, line)
        if match is not None and Path(match[2]).is_absolute():
            return Path(match[2])
    return None


def _tree(root: Path) -> Path:
    """Where the shell program looks for certbot's tree."""
    for place in TREES:
        if (root / place).is_dir():
            return root / place
    return root / TREES[-1]


def parse_document(path: Path, text: str) -> tuple[Document, dict[str, object]]:
    """The document and its content, or `ConfigError` where it isn't TOML."""
    if not text:
        return Document(str(path)), {}
    import tomllib

    try:
        content = tomllib.loads(text)
        return Document(str(path), key_lines(text)), content
    except tomllib.TOMLDecodeError as exc:
        message = str(exc)
        match = re.search(_ERROR_LINE, message)
        line = int(match[1]) if match is not None else text.count("\n") + 1
        words = printable(re.sub(_ERROR_LINE, "", message))
        raise ConfigError(f"{path}:{line}: not TOML: {words}") from exc
    except RecursionError as exc:
        raise ConfigError(f"{path}:1: not read, since it is nested too deeply") from exc
    except ValueError as exc:  # Python's limit, which saves from numbers that take hours
        found = re.search(_LONG_NUMBER, text)
        line = text.count("\n", 0, found.start()) + 1 if found is not None else 1
        raise ConfigError(f"{path}:{line}: not read, since a number has too many digits") from exc


def _read(top: Table, shell: ShellDefaults, tree: Path) -> Settings:
    usual = Settings()
    common = _lineage(top, LineageSettings(), shell)
    mode = top.take("combo_mode", values.mode, f"{usual.combo_access.mode:04o}", shell.combo_mode)
    settings = Settings(
        tree=top.take("config_dir", values.path, tree),
        certbot=top.take("certbot", values.path, usual.certbot),
        certbot_timeout=top.take("certbot_timeout", values.time_limit, usual.certbot_timeout),
        lock_wait=top.take("lock_wait", values.duration_setting, usual.lock_wait),
        snapshot=top.take("snapshot", values.path, usual.snapshot),
        textfile=top.take("textfile", values.path, usual.textfile),
        resolvers=top.take("resolver", _resolvers, usual.resolvers, shell.resolvers),
        trust_resolver=top.take("trust_resolver", values.switch, usual.trust_resolver),
        witnesses=top.take("witnesses", values.list_of(values.socket_address), usual.witnesses),
        ca_file=top.take("ca_file", values.path, usual.ca_file, shell.ca_file),
        combo_access=ComboAccess(int(mode, 8), top.take("combo_group", values.group, None)),
        run_certbot_hooks=top.take("run_certbot_hooks", values.switch, usual.run_certbot_hooks),
        run_post_hooks=top.take("run_post_hooks", values.switch, usual.run_post_hooks),
        hook_timeout=top.take("hook_timeout", values.time_limit, usual.hook_timeout),
        common=common,
        lineages=_lineages(top, common),
        environment=_environment(shell),
    )
    top.finish()
    return settings


def _environment(shell: ShellDefaults) -> MappingProxyType[str, str]:
    """What the defaults file exports, it exported to certbot and its hooks, too."""
    exported = {} if shell.ca_file is None else {"SSL_CERT_FILE": str(shell.ca_file.value)}
    return MappingProxyType(exported)


def _lineages(top: Table, common: LineageSettings) -> MappingProxyType[str, LineageSettings]:
    found = {}
    for name, table in top.tables("lineage").items():
        found[name] = _lineage(table, common, ShellDefaults())
        table.finish()
    return MappingProxyType(found)


def _lineage(table: Table, base: LineageSettings, shell: ShellDefaults) -> LineageSettings:
    """What can be set for all lineages, and for each."""
    hooks: tuple[str, ...] = table.take("hooks", values.list_of(values.hook), _NO_HOOKS)
    return LineageSettings(
        policy=_policy(table, base.policy, shell),
        hooks=tuple(dict.fromkeys((*base.hooks, *hooks))),
        probe=table.take("probe", values.switch, base.probe),
        endpoints=_endpoints(table, base.endpoints),
        publish=_publish(table, base.publish),
    )


def _policy(table: Table, base: Policy, shell: ShellDefaults) -> Policy:
    policy = Policy(
        min_wait=table.take("min_wait", values.wait, base.min_wait, shell.min_wait),
        margin=table.take("margin", values.wait, base.margin),
        unseen_ttl=table.take("unseen_ttl", values.duration_setting, base.unseen_ttl),
        key_type=table.take("key_type", values.key_type, base.key_type, shell.key_type),
        backoff_first=table.take("backoff_first", values.time_limit, base.backoff_first),
        backoff_max=table.take("backoff_max", values.time_limit, base.backoff_max),
        staged_warning=table.take("staged_warning", values.duration_setting, base.staged_warning),
        retire_after=table.take("retire_after", values.duration_setting, base.retire_after),
        expiry_warning=table.take("expiry_warning", values.fraction, base.expiry_warning),
        expiry_critical=table.take("expiry_critical", values.fraction, base.expiry_critical),
        prepublish=table.take("prepublish", values.switch, base.prepublish),
        rollover_every=table.take("rollover_every", values.occasion, base.rollover_every),
        certificates_per_week=table.take(
            "certificates_per_week", values.count, base.certificates_per_week
        ),
    )
    if policy.backoff_max < policy.backoff_first:
        table.problem("backoff_max", "must not be shorter than backoff_first")
    if policy.expiry_critical > policy.expiry_warning:
        table.problem("expiry_critical", "must not be more than expiry_warning")
    return policy


def _publish(outer: Table, base: PublishSettings) -> PublishSettings:
    """The table ``publish`` of all lineages, or of one."""
    table = outer.inner("publish")
    if table is None:
        return base
    found = PublishSettings(
        method=table.take("method", values.one_of(Method), base.method),
        automatic=table.take("automatic", values.switch, base.automatic),
        server=table.take("server", values.server_address, base.server),
        zone=table.take("zone", values.dns_name, base.zone),
        key_file=table.take("key_file", values.path, base.key_file),
        command=table.take("command", values.text, base.command),
        ttl=table.take("ttl", values.ttl, base.ttl),
        timeout=table.take("timeout", values.time_limit, base.timeout),
        wait=table.take("wait", values.duration_setting, base.wait),
    )
    table.finish()
    if (
        found.method is Method.RFC2136
        and found.key_file is None
        and "key_file" not in table.content
    ):
        table.problem("method", 'is "rfc2136", which needs key_file, the TSIG key to sign with')
    if found.method is Method.EXEC and found.command is None and "command" not in table.content:
        table.problem("method", 'is "exec", which needs command, the program to run')
    return found


def _resolvers(value: object) -> tuple[SocketAddress, ...]:
    """One address, or a list of them."""
    if isinstance(value, str):
        return (values.socket_address(value),)
    found = values.list_of(values.socket_address)(value)
    if not found:
        raise ConfigError("must have an address; leave it out to use resolv.conf")
    return found


def _endpoints(table: Table, base: tuple[EndpointSetting, ...]) -> tuple[EndpointSetting, ...]:
    """A table's endpoints, then those of ``base`` that it says nothing of."""
    inner = table.inner("endpoints")
    if inner is None:
        return base
    found: dict[tuple[Hostname, int], EndpointSetting] = {}
    for key, value in inner.content.items():
        try:
            host, port = values.host_and_port(key)
        except ConfigError as exc:
            inner.problem(key, str(exc))
            continue
        setting = _endpoint(inner, key, value, EndpointSetting(host, port))
        if (host, port) in found:
            inner.problem(key, "is there twice")
        found[host, port] = setting
    known = {(setting.host, setting.port): setting for setting in base}
    return tuple((known | found).values())


def _endpoint(inner: Table, key: str, value: object, base: EndpointSetting) -> EndpointSetting:
    """Addresses, or a table with ``connect`` and ``protocol``."""
    if not isinstance(value, dict):
        return base._replace(connect=inner.take(key, _connect, _ALL))
    table = inner.inner(key)
    if table is None:
        return base
    setting = base._replace(
        connect=table.take("connect", _connect, _ALL),
        protocol=table.take("protocol", values.one_of(Protocol), None),
    )
    table.finish()
    return setting


def _connect(value: object) -> tuple[SocketAddress, ...]:
    try:
        found = _resolvers(value)
    except ConfigError as exc:
        if value == []:
            raise ConfigError("must have an address; to ask nobody, set probe = false") from exc
        raise
    return found


def _notices(settings: Settings, document: Document) -> list[str]:
    """What is allowed, but deserves a look."""
    notices = []
    if settings.combo_access.mode & _WORLD_READABLE:
        source = next(e.source for e in document.effective if e.name == "combo_mode")
        notices.append(f"{source}: every user of this host may read the private keys in combo.pem")
    return notices
