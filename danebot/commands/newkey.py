"""The command line of ``danebot newkey``."""

from __future__ import annotations

from pathlib import Path

import click

from danebot.commands.shared import LINEAGE, any_file, console_of, form_option, path_as_typed
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
@form_option("How to print the records to add.")
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
def newkey(
    ctx: click.Context,
    /,
    *,
    lineage: str,
    key_type: KeyType | None,
    form: str,
    adopt: Path | None,
    cancel: bool,
    unprotected: bool,
    emergency: bool,
    revoke: bool,
    wait: bool,
    accept_mismatch: str | None,
    dry_run: bool,
) -> None:
    """Make the next key of LINEAGE and print the TLSA records to ADD for it.

    Keep the records that are there: the current key needs them until the new one is live. A next
    key that stands by is used instead of a new one.
    """
    ordinary = {"adopt": adopt, "cancel": cancel, "key-type": key_type, "unprotected": unprotected}
    urgent = {
        "revoke": revoke,
        "wait": wait,
        "accept-mismatch": accept_mismatch,
        "dry-run": dry_run,
    }
    misplaced = [name for name, given in (ordinary if emergency else urgent).items() if given]
    if misplaced:
        goes = "doesn't go" if emergency else "goes"
        raise click.UsageError(f"--{misplaced[0]} {goes} with --emergency")
    if cancel and (adopt or key_type or unprotected):
        raise click.UsageError("--cancel goes with no other option")
    if adopt and key_type:
        raise click.UsageError("--adopt takes the key as it is: leave out --key-type")
    console = console_of(ctx)
    if emergency:
        from danebot.verbs.emergency import emergency as hurried

        accepted = _accepts(accept_mismatch)
        ways = {"revoke": revoke, "wait": wait, "accepted": accepted, "dry_run": dry_run}
        ctx.exit(hurried(console, lineage, form=form, **ways))
    from danebot.verbs.newkey import newkey as verb

    more = {"cancel": cancel, "unprotected": unprotected}
    ctx.exit(verb(console, lineage, key_type=key_type, form=form, adopt=adopt, **more))


def _accepts(words: str | None) -> bool:
    """Whether the operator has a mismatch accepted, by the words that say what it does."""
    from danebot.domain.rollover.records.compromise import ACCEPTED

    if words not in (None, ACCEPTED):
        raise click.UsageError(
            "DANE senders would defer or bounce mail until the new records are in every cache; "
            f'if that is better than the compromised key, say --accept-mismatch "{ACCEPTED}"'
        )
    return words is not None
