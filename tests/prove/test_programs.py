"""What runs tests or mutants for `make prove` tells what didn't run, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import __main__ as mutants
from mutants.edits import enums
from mutants.edits import mutants as edits
from prove.part import Row

pytestmark = [pytest.mark.once, pytest.mark.no_cover]

_ROOT = Path(__file__).parents[2]
_RUN = """
import json, sys
from prove.part import Budget
from prove.programs import _tests
print(json.dumps(list(_tests("tests", sys.argv[1:], Budget.of(60)))))
"""
_GOOD = "def test_good() -> None:\n    pass\n"


def ran(directory: Path, **files: str) -> Row:
    """The row of tests in files of their own, run as the part runs its own."""
    paths = [directory / f"test_{name}.py" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *map(str, paths)],
        env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    ((what, amount, broken),) = json.loads(done.stdout)
    return Row(what, amount, tuple(broken))


def test_tests_that_pass_are_counted(tmp_path: Path) -> None:
    assert ran(tmp_path, good=_GOOD) == Row("tests", "1 of 1 shown again")


@pytest.mark.parametrize(
    ("text", "amount", "words"),
    [
        ("import nothing_of_that_name\n", "1 of 1", "nothing_of_that_name"),
        ("def test_bad() -> None:\n    raise OSError\n", "1 of 2", "OSError"),
        (
            (
                "import pytest\n\n@pytest.fixture\ndef bad():\n    raise OSError\n\n"
                "def test_bad(bad) -> None:\n    pass\n"
            ),
            "1 of 2",
            "OSError",
        ),
    ],
    ids=["a file that can't be imported", "a test that fails", "a fixture that fails"],
)
def test_what_fails_is_told_beside_what_passes(
    tmp_path: Path, text: str, amount: str, words: str
) -> None:
    row = ran(tmp_path, good=_GOOD, other=text)
    assert row.amount == f"{amount} shown again"
    (told,) = row.broken
    assert words in told


def test_what_is_passed_over_is_not_shown(tmp_path: Path) -> None:
    skips = "import pytest\n\ndef test_skips() -> None:\n    pytest.skip('not here')\n"
    assert ran(tmp_path, good=_GOOD, other=skips) == Row("tests", "1 of 2 shown again")


def test_where_no_test_is_found_that_is_told(tmp_path: Path) -> None:
    assert ran(tmp_path, none="").broken


def test_what_is_said_of_mutants_is_said_of_those_that_there_are() -> None:
    """Else one that was explained comes back as one that survives, by its new name."""
    every = sorted(mutants.DOMAIN.rglob("*.py"))
    members = enums(every)
    names = {one.name for path in every for one in edits(path, members)}
    assert mutants._listed(mutants.EQUIVALENT) - names == set()


_MUTANTS = """
import sys
from mutants import __main__ as mutants
mutants.TESTS = (sys.argv.pop(),)
sys.exit(mutants.main())
"""


def test_mutants_of_which_no_test_can_run_are_not_all_well(tmp_path: Path) -> None:
    """As where a file of tests has another name now."""
    words = ["--room", "names", "--seconds", "5", str(tmp_path / "test_former_name.py")]
    done = subprocess.run(
        [sys.executable, "-c", _MUTANTS, *words],
        env={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'tools'}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1].startswith("0 of ")
    assert done.returncode == 1
