"""Hooks are added to settings as an operator would, or not at all."""

from __future__ import annotations

import tomllib

import pytest

from danebot.config.edit import with_hooks

NEW = 'hooks = ["@postfix"]\n'


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("", NEW),
        ("# mine\n", f"# mine\n{NEW}"),
        ('min_wait = "3d"', f'min_wait = "3d"\n{NEW}'),
        ("[publish]\nwait = '1s'\n", f"{NEW}[publish]\nwait = '1s'\n"),
        ('# hooks = ["x"]\n', f'# hooks = ["x"]\n{NEW}'),
        ("hooks = []\n", NEW),
        ("hooks = ['a b'] # why\nx = 1\n", 'hooks = ["a b", "@postfix"] # why\nx = 1\n'),
        ('hooks = [\n  "a",\n]\n', 'hooks = ["a", "@postfix"]\n'),
        (NEW, NEW),
        ("\ufeffx = 1\r\n", f"\ufeffx = 1\r\n{NEW}"),
        ('[lineage.x]\nhooks = ["a"]\n', f'{NEW}[lineage.x]\nhooks = ["a"]\n'),
    ],
)
def test_one_line_changes(text: str, edited: str) -> None:
    assert with_hooks(text, ["@postfix"]) == edited


@pytest.mark.parametrize(
    "text",
    [
        "hooks = [\n  'a', # why\n]\n",
        '"hooks" = ["a"]\n',
        'hooks = ["a]b"]\n',
        "hooks = 'a'\n",
        "hooks = [[1]]\n",
        "x = [\n[1],\n]\n",
        "no settings",
        "\ufeffno settings",
        "x = '''\nhooks = []\n'''\nhooks = ['b']\n",
    ],
)
def test_what_a_person_has_to_edit_is_left(text: str) -> None:
    assert with_hooks(text, ["@postfix"]) is None


def test_any_command_stays_what_it_is() -> None:
    command = 'sh -c "echo \\"é\t$x\\" >> \'/tmp/x\'"'
    new = with_hooks("", [command])
    assert new is not None
    assert tomllib.loads(new) == {"hooks": [command]}
