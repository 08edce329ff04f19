"""The ``danebot-exporter`` command: thin; the only place that prints and exits.

Exit status: 0 fine, 1 trouble, 2 usage.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from danebot import __version__
from danebot.domain.addresses import Reach
from danebot.domain.text import internal_error
from danebot.errors import ConfigError, DanebotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from danebot.config import Settings
    from danebot_exporter.feed.feeder import Feeder
    from danebot_exporter.own import OwnMetrics
    from danebot_exporter.server import ExporterServer
    from danebot_exporter.targets import TargetFile

LISTEN = "127.0.0.1:9698"
FINE, TROUBLE, USAGE, INTERRUPTED = 0, 1, 2, 130
_PATH = click.Path(path_type=Path)
_PORTS = range(65536)
_PARTING = timedelta(seconds=30)  # for checks under way, once told to end


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine, 1 trouble, 2 usage.",
)
@click.option("--snapshot", type=_PATH, metavar="FILE", help="The status document to show.")
@click.option(
    "--config",
    type=_PATH,
    metavar="FILE",
    help="danebot's settings; /etc/danebot/danebot.toml if that can be read. They name the "
    "snapshot, the resolver, and where endpoints are.",
)
@click.option(
    "--textfile",
    type=_PATH,
    metavar="FILE",
    help="Write the snapshot's metrics to FILE (*.prom, for node_exporter) and exit.",
)
@click.option(
    "--web.listen-address",
    "listen",
    default=LISTEN,
    show_default=True,
    metavar="[HOST]:PORT",
    help="Where to listen; :PORT is all addresses.",
)
@click.option(
    "--web.config.file",
    "web_config",
    type=_PATH,
    metavar="FILE",
    help="TLS, client certificates and passwords, in the exporter toolkit's YAML.",
)
@click.option(
    "--probe.interval",
    "interval",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How often to probe the lineages' endpoints; 0 for never.",
)
@click.option(
    "--probe.targets",
    "reach",
    type=click.Choice([reach.value for reach in Reach]),
    default=Reach.PUBLIC.value,
    show_default=True,
    help="Which addresses /probe may connect to: public ones, private ones too, any (loopback and "
    "link-local ones, too), or none: that turns /probe off.",
)
@click.option(
    "--targets",
    type=_PATH,
    metavar="FILE",
    help="What /sd lists for Prometheus (http_sd): lines of DOMAIN, or HOST:PORT MODULE.",
)
@click.option(
    "--feed",
    type=_PATH,
    metavar="FILE",
    help="Keep the services that FILE lists fresh, as check_dane would, and hand what was found to "
    "Icinga 2 or Nagios, as FILE says.",
)
@click.option(
    "--check.socket",
    "check_socket",
    type=_PATH,
    metavar="PATH",
    help="Answer check_dane --via PATH on this host, too. Nobody but root and this user may be "
    "able to change the folder.",
)
@click.option(
    "--check.socket-mode",
    "socket_mode",
    default="0666",
    show_default=True,
    metavar="MODE",
    help="Who may ask there: by default, every user of this host.",
)
@click.version_option(__version__, "-V", "--version", message="danebot-exporter %(version)s")
def exporter(
    *,
    snapshot: Path | None,
    config: Path | None,
    textfile: Path | None,
    listen: str,
    web_config: Path | None,
    interval: str,
    reach: str,
    targets: Path | None,
    check_socket: Path | None,
    socket_mode: str,
    feed: Path | None,
) -> int:
    """Show danebot's status to Prometheus and to people.

    Serves /metrics, a page for people at /, /probe?target=DOMAIN&module=smtp for any domain,
    /check for check_dane --via, and /-/healthy. Reads the status document and the network, nothing
    else: run it as nobody. After a change of danebot.toml, or of the file of
    --feed, send it SIGHUP.
    """
    settings = _settings(config, snapshot)
    if textfile is not None:
        from danebot_exporter.textfile import write_textfile

        fault = write_textfile(settings.snapshot, textfile)
        if fault is not None:
            click.echo(f"danebot-exporter: {fault}", err=True)
        return TROUBLE if fault is not None else FINE
    again = partial(_read, config, snapshot)
    return _serve(
        settings,
        listen=listen,
        web_config=web_config,
        interval=interval,
        reach=Reach(reach),
        check=None if check_socket is None else (check_socket, _mode(socket_mode)),
        again=again,
        targets=targets,
        feed=feed,
    )


def _settings(config: Path | None, snapshot: Path | None) -> Settings:
    """Danebot's settings; those in the usual place may be unreadable for nobody."""
    from danebot.config import Settings

    try:
        return _read(config, snapshot)
    except ConfigError as exc:
        if config is not None:
            raise
        click.echo(f"danebot-exporter: going on without settings: {exc}", err=True)
        return Settings() if snapshot is None else Settings(snapshot=snapshot)


def _read(config: Path | None, snapshot: Path | None) -> Settings:
    from danebot.config import load

    settings = load(config)
    return settings if snapshot is None else settings._replace(snapshot=snapshot)


def _serve(
    settings: Settings,
    *,
    listen: str,
    web_config: Path | None,
    interval: str,
    reach: Reach,
    check: tuple[Path, int] | None,
    again: Callable[[], Settings],
    targets: Path | None,
    feed: Path | None,
) -> int:
    from danebot.config.values import parse_duration
    from danebot_exporter.own import OwnMetrics
    from danebot_exporter.server import ExporterServer, complain
    from danebot_exporter.store import Store
    from danebot_exporter.watch import ProbeRounds
    from danebot_exporter.webconfig import Gate

    span = parse_duration("0s" if interval == "0" else interval)
    if span is None:
        raise click.BadParameter(f"{interval!r} is no duration such as 5m", param_hint="interval")
    own = OwnMetrics()
    store = Store(settings, own.read_failed)
    where = _address(listen)
    feeder = _feeder(feed, own) if feed is not None else None
    listed = _targets(targets) if targets is not None else None

    def reload() -> None:
        try:
            store.configure(again())
            if feeder is not None:
                feeder.reload()
        except ConfigError as exc:
            complain(f"{exc}; what was read before stays in force")
        except Exception as exc:  # noqa: BLE001 - the thread has to live on
            complain(f"{internal_error(exc)}; what was read before stays in force")
        else:
            complain("settings read again")

    actions: dict[int, Callable[[], None]] = {signal.SIGHUP: reload}
    _at_each(actions)
    try:
        server = ExporterServer(where, store, Gate(web_config), own, reach, targets=listed)
    except OSError as exc:
        raise ConfigError(f"cannot listen on {listen}: {exc.strerror}") from exc
    with server, _answering(server, check) as stop:
        actions[signal.SIGTERM] = stop
        if span:
            ProbeRounds(store, span, complain, own).start()
        if feeder is not None:
            feeder.start()
        host = f"[{where[0]}]" if ":" in where[0] else where[0]
        scheme = "https" if server.gate.context is not None else "http"
        complain(f"listening on {scheme}://{host}:{server.server_address[1]}/")
        server.serve_forever()
    return FINE


def _targets(path: Path) -> TargetFile:
    """The file of targets, which can be read now; `TargetsError` if it can't."""
    from danebot_exporter.targets import TargetFile

    found = TargetFile(path)
    found.groups()
    return found


def _feeder(path: Path, own: OwnMetrics) -> Feeder:
    from danebot_exporter.feed.counts import FeedCounts
    from danebot_exporter.feed.feeder import Feeder
    from danebot_exporter.server import complain

    counts = FeedCounts()
    own.add(counts)
    return Feeder(path, counts, complain)


@contextmanager
def _answering(
    server: ExporterServer, check: tuple[Path, int] | None
) -> Iterator[Callable[[], None]]:
    """Answer checks at a socket, if there is to be one; gives what ends all well."""
    from danebot_exporter.check_place import CheckPlace
    from danebot_exporter.check_server import CheckServer
    from danebot_exporter.server import complain

    answering = None
    if check is not None:
        path, mode = check
        place = CheckPlace(path, mode)
        answering = CheckServer(place, server.checker, complain, clients=server.check_width)
        answering.start()
        complain(f"answering checks at {place.path}")

    def stop() -> None:
        server.stopping = True
        if answering is not None:
            answering.stop()
        server.checker.ended(_PARTING)
        _die()

    try:
        yield stop
    finally:
        if answering is not None:
            answering.stop()


def _at_each(actions: Mapping[int, Callable[[], None]]) -> None:
    """Have a thread act on SIGHUP and SIGTERM; a handler might interrupt who has a lock, or a line.

    SIGTERM ends the process as ever where there is no action for it yet.
    """
    heard = {signal.SIGHUP, signal.SIGTERM}

    def wait() -> None:
        while True:
            number = signal.sigwait(heard)
            actions.get(number, _die)()

    signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's would never arrive
    threading.Thread(target=wait, daemon=True).start()


def _die() -> None:
    """End as SIGTERM ends a process that does nothing about it."""
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _mode(text: str) -> int:
    """Permissions in octal digits."""
    if not re.fullmatch("0?[0-7]{3}", text):
        raise click.BadParameter(f"{text!r} is no mode such as 0660", param_hint="socket-mode")
    return int(text, 8)


def _address(text: str) -> tuple[str, int]:
    """``HOST:PORT``, ``[IPv6]:PORT`` or ``:PORT``."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port[:6]) not in _PORTS:
        raise click.BadParameter(f"{text!r} is not [HOST]:PORT", param_hint="--web.listen-address")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise click.BadParameter("put an IPv6 address in []", param_hint="--web.listen-address")
    return host or _every_address(), int(port)


def _every_address() -> str:
    """Both families, or IPv4 where the kernel has no other."""
    import socket

    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - as asked


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command and exit; whatever happens, the user sees a line, never a traceback."""
    sys.exit(_guarded(None if arguments is None else list(arguments)))


def _guarded(arguments: list[str] | None) -> int:
    try:
        outcome = exporter.main(arguments, prog_name="danebot-exporter", standalone_mode=False)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        with suppress(OSError):
            exc.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except DanebotError as exc:
        _complain(str(exc))
        return TROUBLE
    except OSError as exc:
        _complain(f"{exc.filename or 'input/output'}: {exc.strerror}")
        return TROUBLE
    except Exception as exc:  # noqa: BLE001 - the last line of defence against a traceback
        _complain(f"{internal_error(exc)}; please report this")
        return TROUBLE
    return outcome if isinstance(outcome, int) else FINE


def _complain(words: str) -> None:
    with suppress(OSError):  # nobody may read it: the exit status has to tell
        click.echo(f"danebot-exporter: {words}", err=True)
