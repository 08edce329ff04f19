"""`danebot files` and what the wheel brings are one list."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

from danebot.errors import UnreadableError
from danebot.verbs.files import BROUGHT, DEBIAN, _linked
from danebot.verbs.files import files as verb
from schemas import faults

ROOT = Path(__file__).parents[2]
LISTED = {path for one in BROUGHT for path in one.paths}


def brought() -> dict[str, Path]:
    """What a wheel brings beside its packages, and the file of this tree that it is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared: dict[str, str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    found: dict[str, Path] = {}
    for source, target in shared.items():
        place = ROOT / source
        inside = (
            [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
        )
        found |= {str(Path(target) / path.relative_to(place)): path for path in inside}
    return found


def test_what_the_wheel_brings_is_listed_and_nothing_else() -> None:
    assert set(brought()) == LISTED


def test_every_manual_page_unit_and_example_of_the_project_is_brought() -> None:
    wanted = {
        path
        for place in ("systemd", "docs/man", "docs/examples", "checks/nagios", "checks/icinga2")
        for path in (ROOT / place).iterdir()
    }
    assert wanted <= set(brought().values())


def installed(at: Path) -> None:
    for target, source in brought().items():
        (at / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, at / target)


def test_each_file_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path)
    program = tmp_path / "bin" / "danebot"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([tmp_path]))
    monkeypatch.setattr("danebot.verbs.files._PROGRAMS", tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert verb(as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert faults("files", document) == []
    groups = document["files"]
    named = {path for group in groups for path in group["files"]}
    assert named == {str(tmp_path / path) for path in LISTED}
    timer = groups[0]
    assert timer["commands"] == [
        f"ln -s {program} {tmp_path}/elsewhere/",
        f"systemctl link {' '.join(timer['files'])}",
        "systemctl enable --now danebot.timer",
    ]
    assert verb(as_json=False) == 0
    out = capsys.readouterr().out
    assert f"    # install -m 644 {tmp_path}/share/danebot/cron/danebot /etc/cron.d/\n" in out


def test_units_that_systemd_finds_need_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path)
    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([tmp_path]))
    monkeypatch.setattr("danebot.verbs.files._UNIT_PATHS", (str(tmp_path / "lib/systemd/system"),))
    assert verb(as_json=True) == 0
    timer = json.loads(capsys.readouterr().out)["files"][0]
    assert not any("systemctl link" in command for command in timer["commands"])


def test_paths_are_words_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "my venv"
    installed(here)
    program = here / "bin" / "danebot"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([here]))
    monkeypatch.setattr("danebot.verbs.files._PROGRAMS", tmp_path / "else where")
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert verb(as_json=True) == 0
    groups = json.loads(capsys.readouterr().out)["files"]
    lines = [line for group in groups for line in group["commands"]]
    assert not any("my venv" in line.replace(f"'{here}", "") for line in lines)
    assert shlex.split(groups[0]["commands"][0]) == [
        *("ln", "-s", str(program), f"{tmp_path}/else where/")
    ]
    assert shlex.split(groups[0]["commands"][1]) == ["systemctl", "link", *groups[0]["files"]]


def test_what_somebody_else_may_change_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root would run it: the program, or what units lead to."""
    here = tmp_path / "venv"
    installed(here)
    program = here / "bin" / "danebot"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([here]))
    monkeypatch.setattr("danebot.verbs.files._PROGRAMS", tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(program)])
    unit = here / "lib/systemd/system/danebot.service"
    for as_json in (True, False):
        assert verb(as_json=as_json) == 0
        assert capsys.readouterr().err == ""
    for place in (program, unit, here):
        os.chown(place, 65534, 65534)
        for as_json in (True, False):
            assert verb(as_json=as_json) == 0
            said = capsys.readouterr().err
            assert said == (
                f"danebot: WARNING: {place} (what root runs daily) belongs to user 65534, who may "
                "change it; install danebot where root alone may write\n"
            )
        os.chown(place, 0, 0)


def test_what_may_not_be_looked_at_takes_nothing_from_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who isn't root reads it, too, and the interpreter may be root's alone: a double says so."""

    def shut(path: object, role: object) -> NoReturn:
        del role
        raise UnreadableError(f"cannot read {path}: Permission denied")

    monkeypatch.setattr("danebot.adapters.inspection.file_stat", shut)
    assert verb(as_json=False) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("record", [b"\xff\xfe", b"a,b,c,d\n"])
def test_a_damaged_note_of_the_installer_is_told(
    record: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from danebot.cli import main

    place = tmp_path / "danebot-1.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Name: danebot\n")
    (place / "RECORD").write_bytes(record)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main(["files"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said == f"danebot: danebot's RECORD in {tmp_path} is damaged; install danebot again\n"


def test_programs_alone_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from danebot.cli import main

    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([tmp_path]))
    with pytest.raises(SystemExit) as ended:
        main(["files"])
    assert ended.value.code == 1
    assert "brought programs alone" in capsys.readouterr().err


def test_debians_package_has_some_elsewhere_and_units_that_name_its_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path / "usr")
    for upstream, debian in DEBIAN.items():
        place = tmp_path / "usr" / debian
        place.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr" / upstream).rename(place)
    page = tmp_path / "usr/share/man/man8/danebot.8"
    page.rename(f"{page}.gz")
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/danebot").touch()
    monkeypatch.setattr("danebot.verbs.files._places", lambda: iter([tmp_path / "usr"]))
    monkeypatch.setattr("danebot.verbs.files._SYSTEMS_PROGRAMS", tmp_path / "usr/bin")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "usr/bin/danebot")])
    assert verb(as_json=True) == 0
    groups = json.loads(capsys.readouterr().out)["files"]
    named = [path for group in groups for path in group["files"]]
    assert len(named) == len(LISTED)
    assert {f"{page}.gz", f"{tmp_path}/etc/danebot/danebot.toml"} < set(named)
    assert not any("ln -s" in command for group in groups for command in group["commands"])


def test_a_program_that_python_was_told_to_run_is_found_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m danebot``, which may have modules elsewhere."""
    program = tmp_path / "bin/danebot"
    program.parent.mkdir()
    program.touch()
    monkeypatch.setattr("danebot.verbs.files._PROGRAMS", tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "lib/danebot/__main__.py")])
    monkeypatch.setattr(sys, "executable", str(program.with_name("python3")))
    assert list(_linked("danebot")) == [f"ln -s {program} {tmp_path}/elsewhere/"]
