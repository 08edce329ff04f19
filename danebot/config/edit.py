"""Edits danebot.toml as an operator would: one line more, or longer, and all others as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_HOOKS = re.compile(r"^hooks[ \t]*=[ \t]*\[[^\[\]#]*\]", re.MULTILINE)
_MARK = "\ufeff"  # a byte-order mark, which settings may have
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)


def with_hooks(text: str, hooks: Iterable[str]) -> str | None:
    """The settings in ``text`` with deploy hooks for all lineages added.

    None where it is written so that only a person can edit it.
    """
    import tomllib

    if text.startswith(_MARK):
        new = with_hooks(text.removeprefix(_MARK), hooks)
        return None if new is None else f"{_MARK}{new}"
    try:
        content = tomllib.loads(text)
        wanted = list(dict.fromkeys((*content.get("hooks", ()), *hooks)))
        line = f"hooks = {json.dumps(wanted, ensure_ascii=False)}"
        if "hooks" in content:
            new = _HOOKS.sub(lambda _: line, text, count=1)
        else:
            table = _TABLE.search(text)
            at = table.start() if table is not None else len(text)
            before = text[:at] if not at or text[at - 1] == "\n" else f"{text[:at]}\n"
            new = f"{before}{line}\n{text[at:]}"
        return new if tomllib.loads(new) == {**content, "hooks": wanted} else None
    except (ValueError, TypeError, RecursionError):
        return None
