"""The plugins and the exporter as programs that nobody can run, wherever this Python lies."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs")
MODULES = {
    "check_dane": "danebot_checks.dane",
    "check_danebot": "danebot_checks.lineages",
    "danebot-exporter": "danebot_exporter.cli",
}
_ROOT = Path(__file__).parents[2]
_PURELIB = Path(sysconfig.get_path("purelib"))
_LEFT_OUT = shutil.ignore_patterns(  # large, and for other things
    *("site-packages", "test", "config-*", "*mypy*", "ruff*", "pip*", "hypothesis*", "playwright*"),
    *("material*", "atheris*", "babel*", "*fuzzer*", "setuptools*", "mkdocs*", "pygments*"),
)
_PROGRAM = """\
#!/usr/bin/env -S LD_LIBRARY_PATH={libraries} {python} -I
import sys
sys.path[:0] = {paths!r}
from {module} import main
sys.argv[0] = {name!r}
main()
"""


def write(directory: Path) -> str:
    """Write a script for each; "" or why nobody can run them.

    Where they may not go to this Python, its packages or the project, as in somebody's home, they
    get a copy of all three.
    """
    directory.mkdir(parents=True)
    paths = [_ROOT, _ROOT / "checks", _ROOT / "exporters", _PURELIB]
    error = _written(directory, Path(sys.executable), paths)
    return error and _written(directory, *_copied())


def _written(directory: Path, python: Path, paths: list[Path]) -> str:
    for name, module in MODULES.items():
        path = directory / name
        text = _PROGRAM.format(
            libraries=python.parents[1] / "lib",
            python=python,
            paths=[str(one) for one in paths],
            module=module,
            name=name,
        )
        path.write_text(text)
        path.chmod(0o755)
    return _refused(directory)


@functools.cache
def _copied() -> tuple[Path, list[Path]]:
    """This Python, its packages and the project where anybody may go, until this process ends."""
    home = tempfile.TemporaryDirectory(prefix="danebot-python.")
    atexit.register(home.cleanup)
    root = Path(home.name)
    root.chmod(0o755)
    standard = Path(sysconfig.get_path("stdlib"))
    libraries, packages = root / "lib", root / "packages"
    shutil.copytree(standard, libraries / standard.name, symlinks=True, ignore=_LEFT_OUT)
    for shared in Path(sysconfig.get_config_var("LIBDIR")).glob(f"lib{standard.name}*.so*"):
        shutil.copy(shared, libraries)
    python = root / "bin/python3"
    python.parent.mkdir()
    shutil.copy(Path(sys.executable).resolve(), python)
    shutil.copytree(_PURELIB, packages, symlinks=True, ignore=_LEFT_OUT)
    for package in ("danebot", "checks/danebot_checks", "exporters/danebot_exporter"):
        shutil.copytree(_ROOT / package, packages / Path(package).name, ignore=_LEFT_OUT)
    return python, [packages]


def _refused(directory: Path) -> str:
    """A shell in between: setpriv itself still has root's rights when it executes a program."""
    for name in MODULES:
        command = [*AS_NOBODY, "/bin/sh", "-c", f"{directory / name} --version; true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if not done.stdout.startswith(name):
            return f"nobody can't run {name}: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""
