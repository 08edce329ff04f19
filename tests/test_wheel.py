"""The wheel, as a packager gets it."""

from __future__ import annotations

import configparser
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from amounts import amount
from danebot import __version__
from danebot.verbs.files import BROUGHT
from schemas import NAMES

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PACKAGES = {"danebot", "danebot_checks", "danebot_exporter"}


def run(*command: str | Path, ends: frozenset[int] = frozenset({0})) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in ends, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build.util", reason="the wheel is built where the dev tools are installed")
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT)
    (found,) = out.glob("*.whl")
    return found


def scripts(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        parser = configparser.ConfigParser()
        parser.read_string(archive.read(name).decode())
        own = [Path(n).name for n in archive.namelist() if ".data/scripts/" in n]
    return sorted([*parser["console_scripts"], *own])


def test_it_holds_exactly_the_three_import_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert "danebot/hooks/reload.sh" in names
    assert "danebot/data/letsencrypt-cas.tsv" in names
    assert "danebot_exporter/runbook.md" in names
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == PACKAGES
    assert {f"danebot/schema/{name}.schema.json" for name in NAMES} <= set(names)


# ---- as the README installs it --------------------------------------------------------------

# not in the README, and what people do
OTHERS = {
    "target": "pip install --target {root}/target danebot",
    "user": "pip --python {python} install --user --ignore-installed danebot",
    "prefix": "pip --python {python} install --prefix {root}/prefix --ignore-installed danebot",
}
WAYS = {
    "environment": re.search(r"\n((?:    .*/opt/danebot.*\n)+)", README)[1],  # type: ignore[index]
    **{line.split()[0]: line for line in re.findall(r"`((?:pipx|uv) [^`]* danebot)`", README)},
    **{name: OTHERS[name] for name in list(OTHERS)[: amount(1, 3)]},
}


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def index(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a package index that has this wheel, its dependencies and pip, no more."""
    top = tmp_path_factory.mktemp("index")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "download", "--only-binary", ":all:", "--dest", top, wheel, "pip"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "NameResolutionError" in done.stderr or "Temporary failure in name" in done.stderr:
        pytest.skip("the dependencies come from a package index, and none can be reached here")
    assert done.returncode == 0, done.stderr
    for path in top.glob("*.whl"):
        name = path.name.partition("-")[0].lower().replace("_", "-")
        (top / "simple" / name).mkdir(parents=True, exist_ok=True)
        path.rename(top / "simple" / name / path.name)
    handler = functools.partial(Silent, directory=str(top))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


@pytest.mark.parametrize("way", WAYS)
def test_what_was_installed_is_found_and_runs(
    way: str, wheel: Path, index: str, tmp_path: Path
) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    tool = WAYS[way].split()[0]
    beside = path.partition(os.pathsep)[0] if tool in {"pipx", "uv"} else path
    if not shutil.which(tool, path=beside):  # a release's own pipx has no --global
        pytest.skip(f"{tool} is not here: the dev tools have it")
    local = tmp_path / "usr/local/bin"
    local.mkdir(parents=True)
    lines = WAYS[way].replace("/opt/", f"{tmp_path}/opt/").replace("/usr/local/bin", str(local))
    python = Path(sys.base_prefix, "bin", Path(sys.executable).name).resolve()
    environment = {
        "HOME": str(tmp_path),
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index,
        "PIP_NO_COMPILE": "1",
        "PIP_BREAK_SYSTEM_PACKAGES": "1",  # a user's own, and a prefix
        "PIPX_GLOBAL_HOME": f"{tmp_path}/pipx",
        "PIPX_GLOBAL_BIN_DIR": str(local),
        "PIPX_GLOBAL_MAN_DIR": f"{tmp_path}/man",
        "PIPX_GLOBAL_COMPLETION_DIR": f"{tmp_path}/share",
        "PIPX_DEFAULT_PYTHON": str(python),
        "UV_DEFAULT_INDEX": index,
        "UV_NO_CONFIG": "1",
        "UV_TOOL_BIN_DIR": str(local),
        "UV_PYTHON": str(python),
        "UV_PYTHON_DOWNLOADS": "never",
    }

    def shell(line: str, ends: frozenset[int] = frozenset({0})) -> str:
        done = subprocess.run(
            ["sh", "-euc", line],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in ends, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    shell(lines.format(python=python, root=tmp_path))
    (program, *_) = [path for path in sorted(tmp_path.rglob("bin/danebot")) if path.is_file()]
    bin_ = local if (local / "danebot").exists() else program.parent
    environment["PATH"] = os.pathsep.join((str(bin_), os.defpath))
    if way in {"prefix", "target"}:
        (modules,) = (path.parent for path in tmp_path.rglob("danebot_checks"))
        names = {path.stem for path in modules.iterdir()}
        assert not names & {"checks", "exporters", "tests", "tools", "systemd", "docs"}
        environment["PYTHONPATH"] = str(modules)
    for script in scripts(wheel):
        assert shell(f"command -v {script}").startswith(str(tmp_path))
        # a plugin that was asked for help has checked nothing: UNKNOWN, by the guidelines
        ends = frozenset({0, 3} if script.startswith("check_") else {0})
        assert "usage" in shell(f"{script} --help", ends).lower()
        assert __version__ in shell(f"{script} --version", ends)
    groups = json.loads(shell("danebot files --json"))["files"]
    listed = [Path(path) for group in groups for path in group["files"]]
    assert all(path.is_file() and path.is_relative_to(tmp_path) for path in listed)
    brought = {path for one in BROUGHT for path in one.paths}
    if way == "target":  # pip leaves out what is below lib
        brought = {path for path in brought if not path.startswith("lib/")}
    assert len(listed) == len(brought)
    commands = {group["purpose"].partition(",")[0]: group["commands"] for group in groups}
    if shutil.which("man"):
        assert "check_dane" in shell(f"MANPAGER=cat {commands['Manual pages'][0]}")
    (sourced,) = commands["Completion for bash"]
    assert "_danebot_completion danebot" in shell(f"bash -c '{sourced}; complete -p danebot'")


def stingily(source: str, target: str) -> None:
    """Copy a file as of today, for its owner alone."""
    shutil.copyfile(source, target)
    Path(target).chmod(Path(source).stat().st_mode & 0o700)


def test_sdist_and_wheel_are_the_same_whoever_builds_them_when_and_where(
    wheel: Path, tmp_path: Path
) -> None:
    """The wheel comes out of the source distribution, too: nothing is missing in that."""
    build = [sys.executable, "-m", "build", "--no-isolation"]
    run(*build, "--sdist", "--outdir", wheel.parent, ROOT)
    copy = tmp_path / "elsewhere"
    aside = shutil.ignore_patterns("build", "dist", ".git", ".venv", ".*_cache", "__pycache__")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=aside, copy_function=stingily)
    again = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PATH": os.defpath, "HOME": str(tmp_path)}
    subprocess.run(
        [*build, "--outdir", tmp_path / "dist", copy],
        env=again,
        umask=0o077,
        capture_output=True,
        check=True,
    )
    made = {path.name: path.read_bytes() for path in (tmp_path / "dist").iterdir()}
    assert len(made) == 2
    assert made == {path.name: path.read_bytes() for path in wheel.parent.iterdir()}


# ---- a release -------------------------------------------------------------------------------


PINS = ROOT / "packaging/release.txt"


def released(*words: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [ROOT / "tools/release", *words], capture_output=True, text=True, check=False
    )
    if "NameResolutionError" in done.stderr or "Temporary failure in name" in done.stderr:
        pytest.skip("the tools come from a package index, and none can be reached here")
    return done


def test_a_release_is_made_by_pinned_tools(tmp_path: Path) -> None:
    done = released(tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    made = {path.name for path in (tmp_path / "dist").iterdir()}
    name = f"danebot-{__version__}"
    all_three = {f"{name}-py3-none-any.whl", f"{name}.tar.gz", "danebot.cdx.json"}
    assert made == {*all_three, "SHA256SUMS"}
    sums = (tmp_path / "dist/SHA256SUMS").read_text().splitlines()
    assert {line.split()[1] for line in sums} == all_three
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / "dist", check=True
    )
    again = released(tmp_path / "dist")
    assert again.returncode == 1
    assert "isn't empty" in again.stderr


def test_a_release_is_what_was_committed(tmp_path: Path) -> None:
    """Neither what lies about, which may be secret, nor what nobody can look up any more."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no checkout, or git isn't installed")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, clone], check=True)
    shutil.copy2(ROOT / "tools/release", clone / "tools/release")
    (clone / "secret.key").write_text("precious\n")
    with (clone / "README.md").open("a") as file:
        file.write("not yet\n")
    done = subprocess.run(
        [clone / "tools/release", "made"],
        cwd=tmp_path,
        env={**os.environ, "CDPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "NameResolutionError" in done.stderr or "Temporary failure in name" in done.stderr:
        pytest.skip("the tools come from a package index, and none can be reached here")
    assert done.returncode == 0, done.stderr
    assert "release: left out, since it isn't committed:\n" in done.stderr
    assert "secret.key" in done.stderr
    with tarfile.open(tmp_path / f"made/danebot-{__version__}.tar.gz") as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        readme = archive.extractfile(f"danebot-{__version__}/README.md")
        assert readme is not None
        assert not readme.read().endswith(b"not yet\n")
    assert "secret.key" not in names
    assert {"pyproject.toml", "tools/release"} <= names


def test_a_tool_with_another_hash_makes_no_release(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", PINS.read_text()))
    done = released(tmp_path / "dist", pins)
    assert done.returncode != 0
    assert "HASH" in done.stderr or "hash" in done.stderr
    assert not (tmp_path / "dist").exists()


def test_every_pin_has_a_version_and_hashes() -> None:
    pins = re.split(r"(?m)^(?=\w)", PINS.read_text())[1:]
    assert {"build", "hatchling"} <= {pin.partition("==")[0] for pin in pins}
    assert [
        pin
        for pin in pins
        if not re.match(r"[\w-]+==[\w.]+.* --hash=sha256:\w{64}", pin, re.DOTALL)
    ] == []


def test_its_bill_of_materials_is_made_of_nothing_but_itself(wheel: Path, tmp_path: Path) -> None:
    """CycloneDX, with the five packages that it needs; the same octets from a copy elsewhere."""
    maker = ROOT / "tools" / "make_sbom.py"
    made = run(sys.executable, maker, wheel)
    copy = shutil.copy(wheel, tmp_path)
    assert run(sys.executable, maker, copy) == made
    document = json.loads(made)
    assert document["metadata"]["component"]["version"] == __version__
    assert document["metadata"]["component"]["licenses"] == [{"license": {"id": "BSD-2-Clause"}}]
    needed = {one["name"]: one["properties"][0]["value"] for one in document["components"]}
    assert set(needed) == {
        *("click", "cryptography", "dnspython", "nagiosplugin", "prometheus-client"),
    }
    assert needed["click"] == ">=8.1.3"
