"""Revokes the certificates of a compromised key, once the wire shows that it is out of use.

Not before, and not while any lineage uses it: a CA that knows a key as compromised issues nothing
more with it, and an ordinary renewal may still need it until then.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.tree.tree import archive_versions, read_bytes
from danebot.domain.finding import Code, Severity
from danebot.domain.rollover.memory import Call, Result
from danebot.jobs.survey import keys_of_tree

if TYPE_CHECKING:
    from danebot.domain.lineage.state import Held
    from danebot.domain.rollover.in_use import KeysInUse
    from danebot.domain.rollover.memory import PendingRevocation
    from danebot.jobs.context import Context
    from danebot.jobs.lineage_run import LineageRun

_IN_USE = "a lineage of this tree still uses the key; replace it there first"
_ALREADY = re.compile(r"already\s*(been\s*)?revoked", re.IGNORECASE)  # RFC 8555 section 6.7


def revoke_pending(run: LineageRun, context: Context) -> None:
    """Revoke what is to be revoked; what fails stays pending and is reported by `assess`."""
    memory, deployment = run.memory, run.memory.deployment
    if not memory.revocations or deployment is None:
        return
    if deployment.confirmed_at is None and deployment.insisted_at is None:
        return
    if run.ca_wait(Call.REVOCATION, run.asking) is not None:
        return
    in_use = keys_of_tree(context, {})
    left = []
    for pending in memory.revocations:
        error = _why_not(in_use, pending) or _revoke_all(run, context, pending)
        if error:
            left.append(pending._replace(attempts=pending.attempts + 1, error=error))
    run.memory = replace(run.memory, revocations=tuple(left))
    run.save()


def _why_not(in_use: KeysInUse, pending: PendingRevocation) -> str:
    if pending.spki in in_use.keys:
        return _IN_USE
    if in_use.unread:
        return f"the keys of {', '.join(in_use.unread)} can't be read, so they may use it"
    return ""


def _revoke_all(run: LineageRun, context: Context, pending: PendingRevocation) -> str:
    """Revoke each valid certificate of the key that is left in the archive; why that failed."""
    server = RenewalConf.read(run.paths.conf).parameter("server")
    revoked = []
    for version in sorted(archive_versions(run.paths)):
        held = context.tree.reader.version(run.paths, version)
        if held is None or held.key.spki != pending.spki or held.chain.not_after <= context.clock():
            continue
        context.progress(f"{run.name}: revoking version {version}")
        error = _revoke(run, held, version, server)
        if error:
            return error
        revoked.append(str(version))
    which = f"version {', '.join(revoked)}" if revoked else "nothing was left of it"
    run.say(
        Code.REVOKED, Severity.NOTICE, f"the compromised key's certificates are revoked: {which}"
    )
    return ""


def _revoke(run: LineageRun, held: Held, version: int, server: str) -> str:
    from danebot.domain.lineage.pem import to_pem

    key = run.paths.archived("privkey", version)
    read_bytes(key)  # says what is wrong with it, where certbot wouldn't
    with tempfile.TemporaryDirectory(prefix="danebot-") as scratch:
        copy = Path(scratch) / "cert.pem"
        copy.write_bytes(to_pem(held.chain.ders[:1]))
        run.ca_asked(Call.REVOCATION)
        with run.lock.certbot_may_run():
            done = run.certbot.revoke(copy, key, server)
    lost = any(map(_ALREADY.search, done.output))  # by an attempt whose answer was lost
    error = "" if lost else done.reason
    run.ca_answered(Call.REVOCATION, done, Result.FAILED if error else Result.DONE)
    return error
