"""Debian's packages agree with the wheel; `make test-packages` tries them for real."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from danebot import __version__
from danebot.verbs.files import BROUGHT, DEBIAN

PROJECT = Path(__file__).parents[1]
FILES = PROJECT / "debian"
WHEEL = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
CONTROL = (FILES / "control").read_text()
PACKAGES = re.findall(r"^Package: (.+)$", CONTROL, re.MULTILINE)


def packed() -> dict[str, list[str]]:
    """The patterns of files that each package takes."""
    return {package: (FILES / f"{package}.install").read_text().split() for package in PACKAGES}


def built() -> set[str]:
    """What the wheel brings and its programs, where Debian has them (debian/rules)."""
    found = {f"usr/{path}" for one in BROUGHT for path in one.paths}
    for elsewhere, here in DEBIAN.items():
        found = {path.replace(f"usr/{elsewhere}", f"usr/{here}") for path in found}
    return {path.removeprefix("usr/../") for path in found} | {
        f"usr/lib/nagios/plugins/{name}" if name.startswith("check_") else f"usr/bin/{name}"
        for name in WHEEL["scripts"]
    }


def takes(pattern: str, path: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or path.startswith(f"{pattern}/")


@pytest.mark.parametrize("path", sorted(built()))
def test_every_file_is_in_one_package(path: str) -> None:
    takers = [
        package
        for package, patterns in packed().items()
        if any(takes(pattern, path) for pattern in patterns)
    ]
    assert len(takers) == 1, takers


def test_no_package_takes_what_is_not_there() -> None:
    patterns = {pattern for taken in packed().values() for pattern in taken}
    unknown = {one for one in patterns if not any(takes(one, path) for path in built())}
    assert unknown == {"usr/lib/python3*"}  # the modules themselves


def test_its_version_is_the_projects() -> None:
    newest = (FILES / "changelog").read_text().partition("\n")[0]
    assert newest.startswith(f"danebot ({__version__.replace('.dev', '~dev')}) ")
    spec = (PROJECT / "packaging/danebot.spec").read_text()
    assert f"\nVersion:        {__version__.replace('.dev', '~dev')}\n" in spec
    heading = "Unreleased" if "dev" in __version__ else __version__
    first = re.search(r"^## \[(.+?)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == heading


@pytest.mark.parametrize("wanted", [*WHEEL["dependencies"], *WHEEL["optional-dependencies"]["web"]])
def test_each_dependency_of_the_wheel_is_one_of_a_package(wanted: str) -> None:
    name, floor = wanted.split(">=")
    debian = f"python3-{name.lower().removeprefix('py')}"
    assert re.search(rf"^ {debian} \(>= {re.escape(floor)}\),$", CONTROL, re.MULTILINE)


@pytest.mark.parametrize(
    "script", sorted(path.name for path in FILES.glob("*.p*") if path.suffix != ".py")
)
def test_its_scripts_are_shell(script: str) -> None:
    checker = shutil.which("dash") or "sh"
    done = subprocess.run([checker, "-n", FILES / script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


# ---- RPM ------------------------------------------------------------------------------------

STANDING_IN = {  # for macros of Fedora's, which Debian doesn't have
    "_unitdir": "%{{_prefix}}/lib/systemd/system",
    "python3_sitelib": "%{{_prefix}}/lib/python3/site-packages",
    "pyproject_buildrequires": "true",
    "pyproject_wheel": "{python} -m hatchling build -t wheel -d dist",
    "pyproject_install": (
        "{python} -m pip install -q --ignore-installed --no-deps --no-index --root %{{buildroot}} "
        "--prefix /usr dist/*.whl && "
        "mv %{{buildroot}}/usr/lib/python3* %{{buildroot}}/usr/lib/python3"
    ),
    "systemd_post": "true",
    "systemd_preun": "true",
    "systemd_postun_with_restart": "true",
}


@pytest.mark.once
def test_the_rpms_have_each_file_once_and_name_programs_where_they_are(tmp_path: Path) -> None:
    """Of Fedora's own macros, and of what the packages require, nothing is tried."""
    if shutil.which("rpmbuild") is None:
        pytest.skip("rpmbuild isn't here: Debian's package rpm has it")
    run(PROJECT, sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path)
    macros = {"_topdir": tmp_path, "_sourcedir": tmp_path} | {
        name: text.format(python=sys.executable) for name, text in STANDING_IN.items()
    }
    defined = [part for name, text in macros.items() for part in ("--define", f"{name} {text}")]
    run(tmp_path, "rpmbuild", "-bb", "--nodeps", *defined, PROJECT / "packaging/danebot.spec")
    packages = sorted((tmp_path / "RPMS/noarch").iterdir())
    assert len(packages) == len(PACKAGES)
    lists = [run(tmp_path, "rpm", "-qpl", "--nosignature", one).split() for one in packages]
    taken = [path.removeprefix("/") for one in lists for path in one]
    there = {path for path in taken if taken.count(path) == 1}
    assert not {f"usr/share/{one}" for one in ("danebot", "doc/danebot")} - there
    shown = {path.replace("vendor-completions", "site-functions") for path in built()}
    assert not {path for path in shown if not any(one.startswith(path) for one in there)}
    for one in packages:
        run(tmp_path, "sh", "-c", f"rpm2cpio {one} | cpio -idm --quiet")
    for place in ("usr/lib/systemd/system", "usr/share/danebot", "usr/share/doc/danebot/examples"):
        for file in filter(Path.is_file, (tmp_path / place).rglob("*")):
            assert not re.search(rb"/usr/local/(s?bin|lib/danebot)/", file.read_bytes()), file


def run(where: Path, *command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=where)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
