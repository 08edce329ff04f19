"""Who may change what root is to run, and which addresses are this host's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from danebot.adapters.inspection import changeable
from danebot.errors import UnreadableError

ROOT_ALONE = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
STRANGER = 65534


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that this user alone may change."""
    file = tmp_path / "own" / "danebot"
    file.parent.mkdir(mode=0o755)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def changed_at(file: Path) -> Path | None:
    found = changeable([file], os.geteuid())
    return Path(found.path) if found is not None else None


def test_what_its_user_alone_may_change_is_nobody_else_s(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(program)
    assert (changed_at(program), changed_at(link)) == (None, None)


@pytest.mark.parametrize("leads_to", ["danebot", ""])
def test_a_link_is_replaced_where_its_directory_is_written(
    program: Path, tmp_path: Path, leads_to: str
) -> None:
    """Whatever the link leads to: the program, or the directory that has it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    link = shared / "link"
    link.symlink_to(program.parent / leads_to)
    by = link if leads_to else link / program.name
    assert changed_at(by) == shared
    beyond = tmp_path / "beyond"
    beyond.symlink_to(by)
    assert changed_at(beyond) == shared


@ROOT_ALONE
def test_who_owns_a_sticky_directory_or_a_link_there_replaces_it(
    program: Path, tmp_path: Path
) -> None:
    """Any other user can't: see the directory of all users' temporary files."""
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    link = sticky / "danebot"
    link.symlink_to(program)
    assert changed_at(link) is None
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    assert changed_at(link) == link
    os.chown(link, 0, 0, follow_symlinks=False)
    os.chown(sticky, STRANGER, STRANGER)
    assert changed_at(link) == sticky


def test_a_script_is_what_its_interpreter_makes_of_it(program: Path, tmp_path: Path) -> None:
    """A copy of a virtual environment's program runs that environment's Python."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    python.parent.chmod(0o777)
    program.write_text(f"#! {python} -I\nimport danebot\n")
    assert changed_at(program) == python.parent
    python.parent.chmod(0o755)
    assert changed_at(program) is None


def test_a_link_in_a_circle_can_not_be_looked_at(tmp_path: Path) -> None:
    for name, target in (("one", "dot/one"), ("dot", ".")):
        (tmp_path / name).symlink_to(target)
    with pytest.raises(UnreadableError, match="symbolic links"):
        changed_at(tmp_path / "one")


def test_a_file_is_written_whatever_its_sticky_bit_says(program: Path) -> None:
    program.chmod(0o1777)
    assert changed_at(program) == program


@pytest.mark.parametrize("bound", ["0", "1"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a network of its own")
def test_addresses_of_others_are_not_this_host_s_whatever_the_kernel_binds(bound: str) -> None:
    """Where addresses move between hosts it is told to bind any."""
    script = (
        "from danebot.adapters.inspection import has_address as has\n"
        "strange = ('192.0.2.77', '2001:db8::1', '0.0.0.0', '::', '224.0.0.1')\n"
        "print(has('127.0.0.9'), [one for one in strange if has(one)])"
    )
    switch = "/proc/sys/net/ipv{}/ip_nonlocal_bind"
    setting = "ip link set lo up && " + " && ".join(
        f"echo {bound} >{switch.format(one)}" for one in (4, 6)
    )
    run = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'{setting} && exec "$0" -c "$1"', sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert run.stdout == f"{bound == '0'} []\n"
