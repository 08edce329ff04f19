"""Where certbot keeps the account that a lineage is renewed with."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from danebot.adapters.presence import is_file

_FILES = ("regr.json", "private_key.json", "meta.json")


def account_directory(tree: Path, server: str, account: str) -> Path:
    """The directory of one account at ``server``, the URL of its directory."""
    parts = urlsplit(server)
    return tree / "accounts" / parts.netloc / parts.path.lstrip("/") / account


def is_account(directory: Path) -> bool:
    """Whether all files of an account are there; raises `UnreadableError`."""
    return all(is_file(directory / name) for name in _FILES)
