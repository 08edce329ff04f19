"""The plugins and the exporter as programs that nobody can run, wherever this Python lies."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--no-new-privs")
MODULES = {
    "check_dane": "danebot_checks.dane",
    "check_danebot": "danebot_checks.lineages",
    "danebot-exporter": "danebot_exporter.cli",
}
_ROOT = Path(__file__).parents[2]
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PROGRAM = """\
#!{python} -I
import sys
sys.path[:0] = {paths!r}
from {module} import main
sys.argv[0] = {name!r}
main()
"""


def write(directory: Path) -> str:
    """Write a script for each; "" or why nobody can run them.

    The Python of the tests may lie in root's home, where nobody may go; then the system's own
    takes its place if it is of the same version, with the very same packages.
    """
    directory.mkdir(parents=True)
    error = ""
    for python in (sys.executable, f"/usr/bin/{_VERSION}"):
        for name, module in MODULES.items():
            path = directory / name
            paths = [str(_ROOT), str(_ROOT / "checks"), str(_ROOT / "exporters")]
            paths.append(sysconfig.get_path("purelib"))
            path.write_text(_PROGRAM.format(python=python, paths=paths, module=module, name=name))
            path.chmod(0o755)
        error = _refused(directory)
        if not error:
            return ""
    return error


def _refused(directory: Path) -> str:
    """A shell in between: setpriv itself still has root's rights when it executes a program."""
    for name in MODULES:
        command = [*AS_NOBODY, "/bin/sh", "-c", f"{directory / name} --version; true"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if not done.stdout.startswith(name):
            return f"nobody can't run {name}: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""
