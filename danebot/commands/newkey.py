"""The command line of ``danebot newkey``."""

from __future__ import annotations

from typing import Any

import click

from danebot.commands.shared import FORM, LINEAGE, any_file, console_of, path_as_typed
from danebot.domain.lineage.key_types import KeyType


def _key_types(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    return [kind.value for kind in KeyType if kind.value.startswith(begun)]


def _key_type(_ctx: click.Context, _param: click.Parameter, value: str | None) -> KeyType | None:
    """A key type as people write it: case and hyphens don't matter."""
    try:
        return None if value is None else KeyType(value.lower().replace("-", ""))
    except ValueError:
        known = ", ".join(kind.value for kind in KeyType)
        raise click.BadParameter(f"there is no key type {value!r}; known are: {known}") from None


@click.command()
@LINEAGE
@click.option(
    "--key-type",
    callback=_key_type,
    shell_complete=_key_types,
    help="rsa2048, rsa3072, rsa4096, p256 or p384; as the current key.",
)
@click.option(
    "--format",
    "form",
    type=FORM,
    default="zone",
    show_default=True,
    help="How to print the records to add.",
)
@click.option(
    "--adopt",
    callback=path_as_typed,
    shell_complete=any_file,
    metavar="KEYFILE",
    help="Stage this key; make none.",
)
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
    ctx.exit(verb(console_of(ctx), lineage, **options))


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
    return emergency(console_of(ctx), lineage, accepted=words is not None, **wanted)
