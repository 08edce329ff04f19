"""The TSIG key that updates are signed with: a file as BIND writes and reads it.

The secret stays in the value that signs; it is in no message and no log.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from danebot.domain.text import quoted
from danebot.errors import ConfigError
from danebot.regular import read_regular

if TYPE_CHECKING:
    import dns.tsig

ALGORITHMS = ("hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
"""RFC 8945 section 6, without what is too weak or cut short."""

_BY_OTHERS, _BY_GROUP = 0o006, 0o060
_MOST = 64 * 1024
_COMMENT = re.compile(r'"[^"\n]*"|/\*.*?\*/|(?://|#)[^\n]*', re.DOTALL)
_KEY = re.compile(r'\bkey\s+("[^"\n]*"|[^\s{";]+)\s*\{([^}]*)\}\s*;')
_CLAUSE = re.compile(r'\s*(\w+)\s+("[^"\n]*"|[^\s";]+)\s*;')


def load_tsig_key(path: Path) -> dns.tsig.Key:
    """Read the one ``key "NAME" { algorithm ...; secret "..."; };`` in a file.

    Raises `ConfigError` for a file that isn't one, or that others than its owner (root or this
    user) and the group root may read or write: the key is a licence to change the zone.
    """
    import dns.exception
    import dns.name
    import dns.tsig

    text = _COMMENT.sub(lambda m: m[0] if m[0].startswith('"') else " ", _read(path))
    keys = _KEY.findall(text)
    if len(keys) != 1:
        raise ConfigError(
            f'{path}: has {len(keys) or "no"} keys in the form key "NAME" '
            '{ algorithm hmac-sha256; secret "..."; }; it must have one (tsig-keygen makes it)'
        )
    name, body = keys[0]
    clauses = {word.lower(): value.strip('"') for word, value in _CLAUSE.findall(body)}
    algorithm = clauses.get("algorithm", "").lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"{path}: the key's algorithm must be one of {', '.join(ALGORITHMS)}")
    try:
        return dns.tsig.Key(name.strip('"'), _secret(clauses.get("secret", "")), algorithm)
    except dns.exception.DNSException as exc:
        raise ConfigError(f"{path}: the key's name is not a DNS name") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: the key's secret is not base64; copy it once more") from exc


def _secret(text: str) -> bytes:
    import base64

    secret = base64.b64decode(text, validate=True)
    if not secret:
        raise ValueError("empty")
    return secret


def _read(path: Path) -> str:
    def allow(found: os.stat_result) -> None:
        if found.st_mode & _BY_OTHERS or (found.st_gid and found.st_mode & _BY_GROUP):
            raise ConfigError(
                f"{path}: others may read or write this key; chmod 600 {quoted(path)}"
            )
        if found.st_uid not in {0, os.geteuid()}:
            raise ConfigError(f"{path}: belongs to another user; chown root {quoted(path)}")

    try:
        return read_regular(path, _MOST, allow).decode("utf-8", "replace")
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
