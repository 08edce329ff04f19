"""What is read from a shell file is what bash would make of it; bash itself is the judge."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amounts import amount
from danebot.config.shell_statements import Assignment, Export, Statement, Unread, statements

NAMES = ("KEYALG", "KEYOPTS", "TTL")
SHOW = """
/bin/bash -n ./file 2>/dev/null || exit
source ./file >/dev/null 2>&1
for name in KEYALG KEYOPTS TTL; do
  declare -n value=$name
  printf '%s\\0%s\\0' "$name" "${#value[@]}"
  for word in "${value[@]}"; do printf '%s\\0' "$word"; done
done
"""


def by_bash(text: str) -> dict[str, tuple[str, ...]] | None:
    """What each variable holds after bash has sourced ``text``; None if bash refuses it.

    The directory is an empty one, and no command can be found.
    """
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "file").write_text(text, encoding="utf-8")
        shown = subprocess.run(
            ["/bin/bash", "--norc", "--noprofile", "-c", SHOW],
            cwd=directory,
            env={"PATH": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        ).stdout.decode()
    if not shown:
        return None
    words = iter(shown.split("\0"))
    return {name: tuple(next(words) for _ in range(int(next(words)))) for name in words if name}


def by_danebot(text: str) -> dict[str, tuple[str, ...]] | None:
    """The same as read here; None if that says that something would have to be run."""
    values: dict[str, tuple[str, ...]] = {}
    for statement in statements(text):
        match statement:
            case Unread() | Assignment(values=None):
                return None
            case Assignment(name=name, values=(*words,), append=append):
                former = values.get(name, ())
                values[name] = (*former, *words) if append else tuple(words)
    return {name: values.get(name, ()) for name in NAMES}


@pytest.mark.parametrize(
    "text",
    [
        "KEYALG=ec\nTTL=2\n",
        "KEYALG=ec",
        "KEYALG='e'\"c\"\\ x # comment\n",
        'KEYALG="a\\$b \\"c\\" \\x \'d\'"\n',
        "KEYOPTS=(ec_paramgen_curve:P-256 ec_param_enc:named_curve)\n",
        "KEYOPTS=( # comment )\n  'a b'\n  \"c\"d # e\n\n)\n",
        "KEYOPTS=(a)\nKEYOPTS+=(b c)\n",
        "KEYOPTS=()\n",
        "export TTL=3; KEYALG=rsa\n",
        "declare -x TTL=3 KEYALG=x\n",
        "KEYALG=a\\\nb\n",
        "TTL=a#b\n",
        "TTL=\nKEYALG=x\n",
        "TTL=1\nTTL=2\n",
        'KEYALG="two\nlines"\n',
        "KEYALG=$\n",
        "\n  \t KEYALG=x \t \n",
    ],
)
def test_plain_assignments_are_read_as_bash_reads_them(text: str) -> None:
    assert by_danebot(text) == by_bash(text)


@pytest.mark.parametrize(
    "text",
    [
        "KEYALG=$(echo ec)\n",
        "KEYALG=`echo ec`\n",
        "KEYALG=${OTHER:-ec}\n",
        "KEYALG=$OTHER\n",
        "KEYALG=~/x\n",
        "KEYALG=$'e\\x63'\n",
        "KEYOPTS=(*)\n",
        "KEYOPTS=(a{b,c})\n",
        "KEYOPTS[1]=x\n",
        "unset KEYALG\n",
    ],
)
def test_a_value_that_would_have_to_be_worked_out_is_not_made_up(text: str) -> None:
    (read,) = statements(text)

    assert isinstance(read, Assignment)
    assert read.values is None


@pytest.mark.parametrize(
    "text",
    [
        "if true; then\n  KEYALG=x\nfi\nTTL=1\n",
        "if a; then if b; then KEYALG=x; fi; KEYALG=y; fi\nTTL=1\n",
        "[ -f x ] && KEYALG=x; TTL=1\n",
        "false &&\nKEYALG=x\nTTL=1\n",
        "case a in\n  b) KEYALG=x ;;\n  (c) KEYALG=y ;;\nesac\nTTL=1\n",
        "for a in b; do KEYALG=x; done\nTTL=1\n",
        "{\nKEYALG=x\n}\nTTL=1\n",
        "( KEYALG=x; )\nTTL=1\n",
        "f() {\n  KEYALG=x\n}\nTTL=1\n",
        "f()\n{\n  KEYALG=x\n}\nTTL=1\n",
        "function f {\n  KEYALG=x\n}\nTTL=1\n",
        "function f\n{\n  KEYALG=x\n}\nTTL=1\n",
        "KEYALG=x command\nTTL=1\n",
        "while read a; do\nKEYALG=x\ndone < file\nTTL=1\n",
        "echo 'a\nKEYALG=x\n'\nTTL=1\n",
        'echo "$(\nKEYALG=x\n)"\nTTL=1\n',
        "KEYALG=x > file\nTTL=1\n",
        "echo a \\\nKEYALG=x\nTTL=1\n",
    ],
)
def test_what_would_have_to_be_run_is_passed_over_as_a_whole(text: str) -> None:
    read = list(statements(text))

    assigned = [s for s in read if isinstance(s, Assignment)]
    assert [(s.name, s.values) for s in assigned] == [("TTL", ("1",))]
    assert any(isinstance(s, Unread) for s in read)


@pytest.mark.parametrize(
    "text",
    [
        "cat <<END\nKEYALG=x\nEND\n",
        "return 0\nKEYALG=x\n",
        "exit\nKEYALG=x\n",
        "echo 'a\nKEYALG=x\n",
        "if true; then\nKEYALG=x\n",
        "TTL=(a\nKEYALG=x\n",
        "echo ${a\nKEYALG=x\n",
        "echo `a\nKEYALG=x\n",
        "echo $(a\nKEYALG=x\n",
    ],
)
def test_nothing_is_read_beyond_what_has_no_clear_end(text: str) -> None:
    assert list(statements("\n" + text)) == [Unread(2, rest=True)]


def test_a_name_that_is_read_only_ends_what_is_read_once_it_gets_another_value() -> None:
    assert list(statements("declare -r A=1\ndeclare -r B=2\nA=3\nB=4\n")) == [
        Assignment("A", ("1",), 1),
        Assignment("B", ("2",), 2),
        Unread(3, rest=True),
    ]


def test_export_without_a_value_is_told_from_an_assignment() -> None:
    read: list[Statement] = list(statements("A=1\nexport A\nexport B=2\n"))

    assert read == [
        Assignment("A", ("1",), 1),
        Export("A"),
        Assignment("B", ("2",), 3, exported=True),
    ]


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    assert all(s.line >= 1 for s in statements(text) if not isinstance(s, Export))


PIECES = st.sampled_from(
    ["KEYALG=", "KEYOPTS=", "TTL=", "KEYOPTS+=", "KEYOPTS=(", "export ", "declare -a ", "unset ",
    "a", "b", " ", "\n", "\t", ";", "&&", "||", "|", "&", "(", ")", "{", "}", "'", '"', "\\",
    "$", "$(", "${", "`", "#", "if ", "then ", "fi", "case ", " in ", "esac", ";;", "for ",
    "do ", "done", "<", ">", "<<", "=", "+=", "[", "]", "*", "?", "~", "!", "function ", "f()",
    "$'", "readonly ", "TTL", "return", "\\\n", "1", "local ", "time ", "-x", "\x0b", "\r"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=10).map("".join))
@settings(max_examples=amount(150, 10_000))
@example("KEYALG=a;\nTTL=b")
@example("KEYALG=\\")
@example('KEYALG=$"a"')
@example('KEYALG="a$"')
@example("readonly KEYALG=-r")
@example("readonly KEYALG=a KEYALG=")
@example("declare -r KEYALG=a\nKEYALG=b")
@example("readonly KEYALG=a\nunset KEYALG")
@example("readonly KEYALG\nKEYALG=b\nTTL=1")
def test_whatever_is_read_without_reserve_is_what_bash_makes_of_it(text: str) -> None:
    read = by_danebot(text)

    assert read is None or by_bash(text) in (None, read)
