from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import make_man

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(make_man.pages()))
def test_a_manual_page_is_what_the_command_line_says(name: str) -> None:
    written = (make_man.PAGES / name).read_text(encoding="utf-8")
    assert written == make_man.pages()[name](), "run: python tools/make_man.py"
    assert "`" not in written


def test_the_reference_is_what_the_command_line_says() -> None:
    written = make_man.REFERENCE.read_text(encoding="utf-8")
    assert written == make_man.reference(), "run: python tools/make_man.py"


def test_markup_of_one_becomes_that_of_the_other() -> None:
    page = (
        '.TH X 8 "" "x 1" "y"\n.SH NAME\nx \\- does\n'
        ".SH OPTIONS\n.TP\n\\fB\\-\\-to DIR\\fR\nWhere.\n"
        f".SS \\fBgo\\fR [OPTIONS]\nOne.\n.PP\n{make_man.escaped('Two `-x y`.')}\n"
    )
    assert make_man.markdown(page) == (
        "\nx - does\n\n**Options**\n\n- `--to DIR`: Where.\n\n"
        "### go [OPTIONS]\n\nOne.\n\nTwo `-x y`.\n"
    )


def test_every_command_has_a_manual_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-scripts"]
    commands = {*project["project"]["scripts"], *own.values()}
    assert {name.rpartition(".")[0] for name in make_man.pages()} == commands
    assert {path.name for path in make_man.PAGES.iterdir()} == set(make_man.pages())


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff isn't installed here")
@pytest.mark.parametrize("name", sorted(make_man.pages()))
def test_groff_has_nothing_to_complain_about(name: str) -> None:
    # break: lines that are too short to be adjusted
    command = ["groff", "-man", "-Tutf8", "-wall", "-Wbreak", str(make_man.PAGES / name)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
