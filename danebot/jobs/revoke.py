"""Revokes the certificates of a compromised key, once the wire shows that it is out of use.

Not before, and not while any lineage uses it: a CA that knows a key as compromised issues nothing
more with it, and an ordinary renewal may still need it until then.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.adapters.certbot.renewal_conf import RenewalConf
from danebot.adapters.files import read_bytes
from danebot.adapters.tree.paths import archive_versions
from danebot.domain.finding import Code, Finding, Severity
from danebot.domain.rollover.evidence.memory import Call, CallResult, Memory, PendingRevocation
from danebot.domain.rollover.steps.patience import begun
from danebot.jobs.authority import CaAccess, ca_wait, remember_call
from danebot.jobs.observing import keys_of_tree
from danebot.jobs.progress import Done

if TYPE_CHECKING:
    from danebot.adapters.certbot.command import CertbotRun
    from danebot.domain.lineage.state import Held
    from danebot.domain.rollover.records.in_use import KeysInUse
    from danebot.jobs.context import Context

_IN_USE = "a lineage of this tree still uses the key; replace it there first"
_ALREADY = re.compile(r"already\s*(been\s*)?revoked", re.IGNORECASE)  # RFC 8555 section 6.7


def revoke_pending(
    context: Context, authority: CaAccess, name: str, memory: Memory
) -> Iterator[Done]:
    """Revoke what is to be revoked; what fails stays pending and is reported by `assess`."""
    deployment = memory.deployment
    if not memory.revocations or deployment is None:
        return
    if deployment.confirmed_at is None and deployment.insisted_at is None:
        return
    if ca_wait(context, name, memory, Call.REVOCATION, authority.asking) is not None:
        return
    in_use = keys_of_tree(context, {})
    left = []
    for pending in memory.revocations:
        error = _why_not(in_use, pending)
        if not error:
            memory, error = yield from _revoke_all(context, authority, name, memory, pending)
        if error:
            left.append(pending._replace(attempts=pending.attempts + 1, error=error))
    yield Done(memory._replace(revocations=tuple(left)))


def _why_not(in_use: KeysInUse, pending: PendingRevocation) -> str:
    if pending.spki in in_use.keys:
        return _IN_USE
    if in_use.unread:
        return f"the keys of {', '.join(in_use.unread)} can't be read, so they may use it"
    return ""


def _revoke_all(
    context: Context, authority: CaAccess, name: str, memory: Memory, pending: PendingRevocation
) -> Generator[Done, None, tuple[Memory, str]]:
    """Revoke each valid certificate of the key that is left in the archive, until one fails.

    Returns the memory afterwards, and why that failed, "" if it didn't.
    """
    paths = context.tree.paths(name)
    server = RenewalConf.read(paths.conf).parameter("server")
    revoked = []
    for version in sorted(archive_versions(paths)):
        held = context.tree.reader.version(paths, version)
        if held is None or held.key.spki != pending.spki or held.chain.not_after <= context.clock():
            continue
        context.progress(f"{name}: revoking version {version}")
        key = paths.archived("privkey", version)
        read_bytes(key)  # says what is wrong with it, where certbot wouldn't
        memory = begun(memory, Call.REVOCATION, context.clock())
        yield Done(memory)
        done = _revoke(authority, held, key, server)
        lost = any(map(_ALREADY.search, done.output))  # by an attempt whose answer was lost
        error = "" if lost else done.reason
        result = CallResult.FAILED if error else CallResult.DONE
        memory = remember_call(memory, Call.REVOCATION, done, result, context.clock())
        yield Done(memory)
        if error:
            return memory, error
        revoked.append(str(version))
    which = f"version {', '.join(revoked)}" if revoked else "nothing was left of it"
    text = f"the compromised key's certificates are revoked: {which}"
    yield Done(events=(Finding(Code.REVOKED, Severity.NOTICE, name, text, ""),))
    return memory, ""


def _revoke(authority: CaAccess, held: Held, key: Path, server: str) -> CertbotRun:
    """Have certbot revoke a certificate, by its key in a file."""
    from danebot.domain.lineage.pem import to_pem

    with tempfile.TemporaryDirectory(prefix="danebot-") as scratch:
        copy = Path(scratch) / "cert.pem"
        copy.write_bytes(to_pem(held.chain.ders[:1]))
        with authority.lock.certbot_may_run():
            return authority.certbot.revoke(copy, key, server)
