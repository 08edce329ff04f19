"""The ``danebot`` command: thin; the only place that prints and exits.

Exit status: 0 fine, 1 something needs attention, 2 usage, 130 interrupted (docs/exit-statuses.md).
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from danebot import __version__
from danebot.domain.lineage.key_types import KeyType
from danebot.domain.names import Protocol
from danebot.errors import DanebotError, UnknownLineageError

if TYPE_CHECKING:
    from danebot.console import Console

_GARBAGE = 50_000  # objects; importing makes thousands that stay, which are no garbage
FINE, ATTENTION, USAGE, INTERRUPTED = 0, 1, 2, 130


def _known_lineages(ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """What a shell may complete a lineage's name to; [] where this user can't see any."""
    from danebot.console import Console

    top = ctx.find_root().params
    with suppress(DanebotError):
        names = Console(top["config"], top["config_dir"], 0, quiet=True).tree().names()
        return [name for name in names if name.startswith(begun)]
    return []


def _key_types(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    from danebot.domain.lineage.key_types import KeyType

    return [kind.value for kind in KeyType if kind.value.startswith(begun)]


_LINEAGES = click.argument(
    "lineages", metavar="[LINEAGE]...", nargs=-1, shell_complete=_known_lineages
)
_LINEAGE = click.argument("lineage", shell_complete=_known_lineages)
_UNANSWERED = click.option(
    "--although-unanswered",
    is_flag=True,
    help="Go on without owners of which the resolver gives no answer.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
_STARTTLS = click.Choice([protocol.value for protocol in Protocol])
_FORM = click.Choice(["zone", "nsupdate"])
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
_PATH = click.Path(path_type=Path)


def _file(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    """A path as it was typed: ``./NAME`` is in the working directory, whatever a bare one means."""
    if value is None:
        return None
    return Path(value).absolute() if os.sep in value else Path(value)


def _key_type(_ctx: click.Context, _param: click.Parameter, value: str | None) -> KeyType | None:
    """A key type as people write it: case and hyphens don't matter."""
    try:
        return None if value is None else KeyType(value.lower().replace("-", ""))
    except ValueError:
        known = ", ".join(kind.value for kind in KeyType)
        raise click.BadParameter(f"there is no key type {value!r}; known are: {known}") from None


class Commands(click.Group):
    """Lists the verbs in the order of an operator's work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs as they were defined."""
        del ctx
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the verb; one of danebot's own options behind it is told where it belongs."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as exc:
            name = exc.option_name
            if exc.ctx is None or not any(name in param.opts for param in self.params):
                raise
            words = f"{name}: it goes before the verb: danebot {name} {exc.ctx.info_name} ..."
            raise click.UsageError(words, exc.ctx) from exc


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 fine, waiting is fine; 1 something needs attention, or can't be told; 2 "
    "wrong usage, an unknown lineage too; 130 interrupted. With --dry-run as the run would. "
    "Run `danebot renew` daily from a timer or cron, in place of `certbot renew`.",
)
@click.option(
    "--config",
    type=_PATH,
    metavar="FILE",
    help="Settings; /etc/danebot/danebot.toml if it exists.",
)
@click.option(
    "--config-dir",
    type=_PATH,
    metavar="DIR",
    help="certbot's tree; /usr/local/etc/letsencrypt, else /etc/letsencrypt.",
)
@click.option("-v", "--verbose", count=True, help="Say what is being done.")
@click.option("-q", "--quiet", is_flag=True, help="Print problems only.")
@click.version_option(__version__, "-V", "--version", message="danebot %(version)s")
@click.pass_context
def danebot(
    ctx: click.Context, config: Path | None, config_dir: Path | None, verbose: int, quiet: bool
) -> None:
    """Keep DANE TLSA records and the keys that a mail server serves in agreement.

    danebot takes the place of `certbot renew`. It renews with the same key, rolls to a new key
    only when that key's TLSA records are in every cache, deploys atomically, and confirms on the
    wire.
    """
    from danebot.console import Console

    ctx.obj = Console(config, config_dir, verbose, quiet=quiet)


def _command(console: click.Context) -> Console:
    from danebot.console import Console

    found: Console = console.find_object(Console)  # type: ignore[assignment] # the group made it
    return found


@danebot.command()
@_LINEAGES
@click.option("--no-dane", is_flag=True, help="LINEAGE has no TLSA records, and is to have none.")
@_UNANSWERED
@_DRY_RUN
@click.pass_context
def init(ctx: click.Context, /, lineages: tuple[str, ...], **options: bool) -> None:
    """Put lineages under danebot's care (all of them if none is named).

    certbot's renewals go to staging/LINEAGE from then on, and the key is kept. TLSA records that
    are published already are looked for at the usual ports and written to dane-ee; run it again
    when others have been published.
    """
    from danebot.verbs.init import Told
    from danebot.verbs.init import init as verb

    if options["no_dane"] and not lineages:
        raise click.UsageError("--no-dane needs a LINEAGE")
    told = Told.UNANSWERED if options["although_unanswered"] else Told.NOTHING
    told = Told.NO_DANE if options["no_dane"] else told
    ctx.exit(verb(_command(ctx), lineages, told=told, dry_run=options["dry_run"]))


@danebot.command()
@_LINEAGES
@click.option("--drop-keys", is_flag=True, help="Give up keys on their way and revocations.")
@_DRY_RUN
@click.pass_context
def deinit(ctx: click.Context, /, lineages: tuple[str, ...], **options: bool) -> None:
    """Give lineages back to certbot (all under its care if none is named).

    Services whose configuration names combo.pem, which nobody keeps up to date then, are told; on a
    terminal it asks first.
    """
    from danebot.verbs.init import deinit as verb

    ctx.exit(verb(_command(ctx), lineages, **options))


@danebot.command()
@_LINEAGES
@_DRY_RUN
@click.option(
    "--although-unconfirmed",
    metavar="WORDS",
    help="Have a compromised key's records and certificates go though a service wasn't reached.",
)
@_JSON
@click.pass_context
def renew(
    ctx: click.Context,
    lineages: tuple[str, ...],
    dry_run: bool,
    although_unconfirmed: str | None,
    as_json: bool,
) -> None:
    """Renew, roll over, deploy and confirm, as far as that is safe now: the daily job.

    Prints nothing when all is well, or while a rollover waits for its records and their TTLs.
    """
    from danebot.verbs.renew import renew as verb

    insists = although_unconfirmed is not None
    if insists:
        _check_insistence(lineages, although_unconfirmed, dry_run=dry_run)
    ctx.exit(verb(_command(ctx), lineages, dry_run=dry_run, as_json=as_json, insists=insists))


def _check_insistence(lineages: tuple[str, ...], words: str | None, *, dry_run: bool) -> None:
    from danebot.domain.rollover.records.compromise import ACCEPTED

    if words != ACCEPTED:
        raise click.UsageError(
            "a service that still has the compromised key would be refused by DANE senders; if "
            f'that is better than its record, say --although-unconfirmed "{ACCEPTED}"'
        )
    if not lineages or dry_run:
        raise click.UsageError("--although-unconfirmed needs a LINEAGE, and no --dry-run")


@danebot.command()
@_LINEAGE
@click.option(
    "--key-type",
    callback=_key_type,
    shell_complete=_key_types,
    help="rsa2048, rsa3072, rsa4096, p256 or p384; as the current key.",
)
@click.option(
    "--format",
    "form",
    type=_FORM,
    default="zone",
    show_default=True,
    help="How to print the records to add.",
)
@click.option("--adopt", callback=_file, metavar="KEYFILE", help="Stage this key; make none.")
@click.option("--cancel", is_flag=True, help="End the rollover: its key is kept, its records go.")
@click.option("--unprotected", is_flag=True, help="Even though LINEAGE watches no TLSA owner.")
@click.option(
    "--emergency",
    is_flag=True,
    help="The current key is compromised: replace it as soon as the TTLs in force allow.",
)
@click.option("--revoke", is_flag=True, help="Then revoke its certificates (--emergency).")
@click.option("--wait", is_flag=True, help="Stay until the new key is served (--emergency).")
@click.option(
    "--accept-mismatch",
    metavar="WORDS",
    help="Replace it at once, whatever that does to mail (--emergency).",
)
@click.option("--dry-run", is_flag=True, help="Say what --emergency would do; change nothing.")
@click.pass_context
def newkey(ctx: click.Context, /, lineage: str, **options: Any) -> None:  # noqa: ANN401 - click's
    """Make the next key of LINEAGE and print the TLSA records to ADD for it.

    Keep the records that are there: the current key needs them until the new one is live. A next
    key that stands by is used instead of a new one.
    """
    from danebot.verbs.newkey import newkey as verb

    if options.pop("emergency"):
        ctx.exit(_emergency(ctx, lineage, options))
    for name in ("revoke", "wait", "accept_mismatch", "dry_run"):
        if options.pop(name):
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --emergency")
    if options["cancel"] and (options["adopt"] or options["key_type"] or options["unprotected"]):
        raise click.UsageError("--cancel goes with no other option")
    if options["adopt"] and options["key_type"]:
        raise click.UsageError("--adopt takes the key as it is: leave out --key-type")
    ctx.exit(verb(_command(ctx), lineage, **options))


def _emergency(ctx: click.Context, lineage: str, options: dict[str, Any]) -> int:
    from danebot.domain.rollover.records.compromise import ACCEPTED
    from danebot.verbs.emergency import emergency

    for name in ("adopt", "cancel", "key_type", "unprotected"):
        if options[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} doesn't go with --emergency")
    words = options["accept_mismatch"]
    if words is not None and words != ACCEPTED:
        raise click.UsageError(
            "DANE senders would defer or bounce mail until the new records are in every cache; "
            f'if that is better than the compromised key, say --accept-mismatch "{ACCEPTED}"'
        )
    wanted = {name: options[name] for name in ("form", "revoke", "wait", "dry_run")}
    return emergency(_command(ctx), lineage, accepted=words is not None, **wanted)


@danebot.command()
@_LINEAGE
@click.option("--add", multiple=True, metavar="NAME", help="One more name.")
@click.option("--remove", multiple=True, metavar="NAME", help="A name that is to go.")
@click.option("--set", "exactly", multiple=True, metavar="NAME", help="A name of all to have.")
@_UNANSWERED
@_DRY_RUN
@click.pass_context
def names(ctx: click.Context, /, lineage: str, **options: Any) -> None:  # noqa: ANN401 - click's
    """Change the names in the certificate of LINEAGE, with the same key; list them without option.

    Options may be repeated, or name several with commas between. dane-ee and dnsnames follow, and
    the new certificate is deployed as in a renewal.
    """
    from danebot.verbs.names import names as verb

    ctx.exit(verb(_command(ctx), lineage, **options))


@danebot.command()
@_LINEAGE
@click.argument("owners", metavar="OWNER...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Let them go: dane-ee gets a line `- OWNER` for each.")
@_UNANSWERED
@_DRY_RUN
@click.pass_context
def watch(ctx: click.Context, /, lineage: str, owners: tuple[str, ...], **options: bool) -> None:
    """Watch TLSA owners such as _25._tcp.HOST for LINEAGE: no key is used without its record there.

    They are looked at first, and what is seen is said. One that is let go, being another host's or
    no service any more, is not taken up again by `danebot init`.
    """
    from danebot.verbs.watch import unwatch, watch

    unanswered, dry_run = options["although_unanswered"], options["dry_run"]
    if options["remove"]:
        if unanswered:
            raise click.UsageError("--although-unanswered doesn't go with --remove")
        ctx.exit(unwatch(_command(ctx), lineage, owners, dry_run=dry_run))
    ctx.exit(watch(_command(ctx), lineage, owners, unanswered=unanswered, dry_run=dry_run))


@danebot.command()
@_LINEAGES
@_JSON
@click.pass_context
def status(ctx: click.Context, lineages: tuple[str, ...], as_json: bool) -> None:
    """Show where each lineage stands: phase, keys, records, safe time, certificate, hooks.

    Looks at the tree and at DNS now; without the right to read the tree, at the last run's report.
    Of several lineages a line each, the worst first (-: left to certbot); all of those that are
    named. With -v (danebot -v status) all of each, and the last changes that were made; with -q
    problems only.
    """
    from danebot.verbs.status import status as verb

    ctx.exit(verb(_command(ctx), lineages, as_json=as_json))


@danebot.command()
@click.argument("lineage", required=False)
@click.option(
    "--format",
    "form",
    type=_FORM,
    default="zone",
    show_default=True,
    help="nsupdate prints only what to change.",
)
@click.option(
    "--anchors",
    is_flag=True,
    help="Print the 2 1 1 records of all from whom Let's Encrypt may issue next.",
)
@_JSON
@click.pass_context
def tlsa(ctx: click.Context, lineage: str | None, form: str, anchors: bool, as_json: bool) -> None:
    """Print the TLSA records that ought to be published now, what to add, what to remove.

    With --anchors those of the CA, for who has no 3 1 1 record of its own key: of LINEAGE's type of
    key, at its owners; without LINEAGE of every type.
    """
    if anchors:
        from danebot.verbs.anchors import anchors as anchors_verb

        ctx.exit(anchors_verb(_command(ctx), lineage, form, as_json=as_json))
    if lineage is None:
        raise click.UsageError("name one: danebot tlsa LINEAGE; danebot status has all names")
    from danebot.verbs.status import tlsa as verb

    ctx.exit(verb(_command(ctx), lineage, form, as_json=as_json))


@danebot.command()
@_LINEAGES
@_DRY_RUN
@click.pass_context
def deploy(ctx: click.Context, /, lineages: tuple[str, ...], dry_run: bool) -> None:
    """Run the deploy hooks again, and see that the services serve what is live.

    For all lineages under danebot's care if none is named, at any time: after a service was mended
    or moved, or hooks were changed. Nothing is issued or rolled over; what fails is tried again by
    the next run.
    """
    from danebot.verbs.deploy import deploy as verb

    ctx.exit(verb(_command(ctx), lineages, dry_run=dry_run))


@danebot.command()
@click.argument("source", metavar="FILE|HOST:PORT")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="'3 1 1' (the default), 211, 310, ..."
)
@click.option(
    "--owner", "owners", multiple=True, metavar="NAME", help="Where it goes: _25._tcp.HOST."
)
@click.option("--starttls", type=_STARTTLS, help="How TLS begins; by default what is usual there.")
@_JSON
@click.pass_context
def record(ctx: click.Context, /, source: str, **options: Any) -> None:  # noqa: ANN401
    """Print the TLSA records of any certificate, key, request or live service, for any use.

    FILE is PEM (- is standard input); a chain gives records of its CAs too (--kind '2 1 1'). It
    needs no lineage, and changes nothing. `danebot tlsa` says what a lineage ought to have.
    """
    from danebot.verbs.record import record as verb

    ctx.exit(verb(_command(ctx), source, **options))


@danebot.command()
@_LINEAGES
@_DRY_RUN
@click.pass_context
def publish(ctx: click.Context, lineages: tuple[str, ...], dry_run: bool) -> None:
    """Add the TLSA records that DNS lacks, and remove those that have served their time.

    As configured under [publish]: by DNS UPDATE, by a program, or by hand (then it prints them).
    Looks at every authoritative server afterwards. `renew` does the same by itself.
    """
    from danebot.verbs.publish import publish as verb

    ctx.exit(verb(_command(ctx), lineages, dry_run=dry_run))


@danebot.command()
@click.argument("targets", metavar="[DOMAIN|HOST:PORT]...", nargs=-1)
@click.option(
    "-f", "--file", "files", multiple=True, metavar="FILE", help="One target a line; - is stdin."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="Targets looked at side by side.",
)
@click.option("-4", "ipv4", is_flag=True, help="Ask IPv4 addresses only.")
@click.option("-6", "ipv6", is_flag=True, help="Ask IPv6 addresses only.")
@click.option("--srv", is_flag=True, help="Services found by SRV records, in place of mail.")
@click.option(
    "--starttls",
    type=_STARTTLS,
    help="How TLS begins at HOST:PORT; by default what is usual at the port.",
)
@click.option("--aka", multiple=True, metavar="NAME", help="Accept this name in certificates, too.")
@click.option("--helo", metavar="NAME", help="Our own name in EHLO; default: this host's.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="NAME=ADDR",
    help="Connect there instead of to the host's own addresses.",
)
@click.option("--both-algorithms", is_flag=True, help="Ask for RSA and ECDSA certificates, too.")
@click.option("--only", metavar="HOST", help="Of a domain's hosts, judge this one alone.")
@click.option(
    "--down",
    multiple=True,
    metavar="HOST",
    help="One that is known to be down: its silence is no problem, a mismatch is.",
)
@click.option("--trace", is_flag=True, help="At the end, what was said with DNS and the peers.")
@click.option("--optional", is_flag=True, help="Having no DANE is fine.")
@click.option(
    "--require",
    multiple=True,
    metavar="KIND",
    help="A TLSA record of that kind ('3 1 1', or 311) must match; of several options, any.",
)
@click.option(
    "--pkix", is_flag=True, help="Those without DANE must accept the certificate, too (ca_file)."
)
@_JSON
@click.pass_context
def verify(ctx: click.Context, /, targets: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """See domains and services as DANE senders do: DNS, then every address, with advice.

    A domain stands for all its mail exchangers. Changes nothing and needs no rights. With --json
    there is one object a line for each target.
    """
    from danebot.verbs.verify import verify as verb

    ctx.exit(verb(_command(ctx), targets, options))


@danebot.command()
@_JSON
@click.pass_context
def doctor(ctx: click.Context, /, *, as_json: bool) -> None:
    """Look whether this host has all that danebot rests on; say what to do where it hasn't.

    Resolver, clock, certbot and its timers, the daily run, hooks, files, disks, services, records
    and publishers. Changes nothing; as root it sees all. Exit status 1 if anything needs attention
    or can't be told.
    """
    from danebot.verbs.doctor import doctor as verb

    ctx.exit(verb(_command(ctx), as_json=as_json))


@danebot.command()
@_LINEAGE
@click.option("--hooks", is_flag=True, help="Run the deploy hooks, with DANEBOT_EVENT=rehearsal.")
@click.option("--no-certbot", is_flag=True, help="Leave out certbot's dry run, and so the CA.")
@click.pass_context
def rehearse(ctx: click.Context, /, lineage: str, **options: bool) -> None:
    """Do all of a renewal of LINEAGE but the change, and say how long an emergency would take.

    certbot's dry run with the key that a renewal keeps (at Let's Encrypt's server for tests;
    certbot runs its pre and post hooks), the publisher with an update that changes nothing, and
    each service asked for what it serves. No file changes but logs.
    """
    from danebot.verbs.rehearse import rehearse as verb

    ctx.exit(verb(_command(ctx), lineage, **options))


@danebot.command()
@_JSON
@click.pass_context
def files(ctx: click.Context, /, *, as_json: bool) -> None:
    """List what was installed beside the programs: units, manual pages, snippets, rules, examples.

    With what to do with each.
    """
    from danebot.verbs.files import files as verb

    ctx.exit(verb(as_json=as_json))


@danebot.command(name="help")
@click.argument("verb", required=False)
@click.pass_context
def help_(ctx: click.Context, verb: str | None) -> None:
    """Show help, of a verb if one is named."""
    parent = ctx.parent or ctx
    if verb is None:
        click.echo(danebot.get_help(parent))
        return
    command = danebot.get_command(parent, verb)
    if command is None:
        raise click.UsageError(f"there is no verb {verb!r}; see: danebot help")
    click.echo(command.get_help(click.Context(command, info_name=verb, parent=parent)))


def command() -> NoReturn:
    """`main` for a process of its own: ends here, to tidy up modules would take 30 ms more."""
    status = _run(None)
    with suppress(OSError):  # that nobody reads was told
        _flush()
    os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before we began
            stream.flush()


class _Nowhere(io.TextIOBase):
    """Where words go whose stream was closed before we began: older click fails there."""

    def write(self, text: str) -> int:
        return len(text)


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command line and exit; whatever happens, the user sees a line, never a traceback."""
    sys.exit(_run(arguments))


def _run(arguments: Iterable[str] | None) -> int:
    gc.set_threshold(_GARBAGE)
    if isinstance(sys.stdout, TextIOWrapper):  # names may be foreign, and a locale may lack them
        sys.stdout.reconfigure(errors="backslashreplace")
    words = None if arguments is None else list(arguments)
    return guarded(lambda: danebot.main(words, prog_name="danebot", standalone_mode=False))


def guarded(action: Callable[[], object]) -> int:
    """The exit status of ``action``, with every error turned into one line."""
    sys.stdout, sys.stderr = sys.stdout or _Nowhere(), sys.stderr or _Nowhere()
    # Some that start jobs leave it ignored: then nobody learns how certbot or a hook ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGHUP):  # certbot is ended politely, too
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, signal.default_int_handler)
    try:
        outcome = action()
        _flush()
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("danebot: interrupted; run danebot renew to go on", err=True)
        return INTERRUPTED
    except DanebotError as exc:
        click.echo(f"danebot: {exc}", err=True)
        return USAGE if isinstance(exc, UnknownLineageError) else ATTENTION
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ATTENTION
    except OSError as exc:
        click.echo(f"danebot: {exc.filename or 'input/output'}: {exc.strerror}", err=True)
        return ATTENTION
    except Exception as exc:  # noqa: BLE001 - the last line of defence against a traceback
        click.echo(f"danebot: internal error: {exc!r}; please report this", err=True)
        return ATTENTION
    return outcome if isinstance(outcome, int) else FINE
