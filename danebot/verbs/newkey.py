"""`danebot newkey`: a next key is staged, adopted or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from danebot.errors import RolloverError
from danebot.verbs.common import FINE, click_echo, record_run

if TYPE_CHECKING:
    from pathlib import Path

    from danebot.console import Console
    from danebot.domain.keytype import KeyType


def newkey(
    console: Console,
    name: str,
    *,
    key_type: str | None,
    form: str,
    adopt: Path | None,
    cancel: bool,
    unprotected: bool,
) -> int:
    """Stage, adopt or cancel a next key."""
    from danebot.domain.memory import Protection
    from danebot.jobs.newkey import Source, stage
    from danebot.jobs.newkey import cancel as drop

    tree = console.tree()
    context = console.context(tree)
    wanted = _key_type(key_type) if key_type else None
    started = context.clock()
    with console.locked():
        if cancel:
            digest = drop(context, name)
            console.say(f"{name}: the next key is dropped: {digest}")
            return record_run(console, context, "newkey", started, FINE)
        protection = Protection.WAIVED if unprotected else Protection.REQUIRED
        current = tree.read(name).current_key
        staged = stage(context, name, wanted, adopt, protection)
        status = record_run(console, context, "newkey", started, FINE)
    from danebot.render.lineage import nsupdate_lines, zone_lines

    if wanted is None and adopt is None and current is not None:
        notice = console.settings.key_type_notice(name, current.key_type)
        if notice:
            console.warn(notice)
    digest = staged.key.digest.hex()
    if staged.source is Source.STANDING:
        console.say(f"{name}: the key {digest}, which stands by, is used by the next danebot renew")
        return status
    if not staged.records:
        console.say(f"{name}: the next key is staged; its record data: 3 1 1 {digest}")
        return status
    if form == "zone":
        if console.settings.publish(name).in_renew:
            console.say(
                f"; {name}: danebot renew adds these records, and keeps those that are there"
            )
        else:
            console.say(f"; {name}: ADD these records, and keep those that are there")
        lines = zone_lines(staged.records)
    else:
        lines = nsupdate_lines(staged.records)
    for line in lines:
        click_echo(line)
    return status


def _key_type(text: str) -> KeyType:
    from danebot.domain.keytype import KeyType

    try:
        return KeyType(text.lower().replace("-", ""))
    except ValueError:
        known = ", ".join(kind.value for kind in KeyType)
        raise RolloverError(f"there is no key type {text!r}; known are: {known}") from None
