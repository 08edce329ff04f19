from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danebot.config.positions import KeyPath, key_lines, line_of

DOCUMENT = '''\
# comment with [brackets] = "x"
plain = 1
dotted.inner . "quoted key" = """
[not.a.table]
text \\""" still = 1
"""""
'lit.eral' = \'\'\'
x = 1
\'\'\'
array = [ # comment ]
  "one, ]", \'two #\',
  [3, 4],
  { a = 1, b = [ "}" ] },
]
inline = { x.y = 1, z = "}" } # {
date = 1979-05-27 07:32:00

["table".'with' . dots]
key = true
[[many]]
a = 1
[[many]]
a = 2
[many.sub]
b = 3
[[many.inner]]
c = 4
"esc\\u0061ped" = 5
'''

EXPECTED: dict[KeyPath, int] = {
    ("plain",): 2,
    ("dotted",): 3,
    ("dotted", "inner", "quoted key"): 3,
    ("lit.eral",): 7,
    ("array",): 10,
    ("array", 0): 11,
    ("array", 1): 11,
    ("array", 2): 12,
    ("array", 2, 1): 12,
    ("array", 3): 13,
    ("array", 3, "b", 0): 13,
    ("inline", "x", "y"): 15,
    ("inline", "z"): 15,
    ("date",): 16,
    ("table",): 18,
    ("table", "with", "dots"): 18,
    ("table", "with", "dots", "key"): 19,
    ("many", 0, "a"): 21,
    ("many", 1): 22,
    ("many", 1, "a"): 23,
    ("many", 1, "sub", "b"): 25,
    ("many", 1, "inner", 0, "c"): 27,
    ("many", 1, "inner", 0, "escaped"): 28,
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_way_to_write_a_key_is_found_on_its_line(ends: str) -> None:
    text = DOCUMENT.replace("\n", ends)
    tomllib.loads(text)

    lines = key_lines(text)

    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED


def test_the_line_of_an_unknown_path_is_that_of_its_nearest_parent() -> None:
    lines = key_lines("\n[a]\nb = [1]\n")

    assert line_of(lines, ("a", "b", 7)) == 3
    assert line_of(lines, ("a", "c")) == 2
    assert line_of(lines, ("z",)) == 1


def paths(value: object, at: KeyPath = ()) -> Iterator[KeyPath]:
    if at:
        yield at
    match value:
        case dict():
            for key, inner in value.items():
                yield from paths(inner, (*at, key))
        case list():
            for index, inner in enumerate(value):
                yield from paths(inner, (*at, index))


PIECES = st.sampled_from(
    ["a", "b", "'c.d'", '"e\\n"', ".", " = ", "=1", "[", "]", "[[", "]]", "{", "}", ",", "\n",
    "# x\n", '"', "'", '"""', "'''", "\\", " ", "1", "true", "'s'", '"t"', "\t", "[a]\n",
    "b = 1\n", "[[l]]\n", "k = [1,\n2]\n", "i = {x = 1, y.z = [{}]}\n", 'm = """\n"""\n']
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_document_that_tomllib_takes_has_all_its_keys_found(text: str) -> None:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        content = {}

    lines = key_lines(text)

    assert all(path in lines for path in paths(content))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
