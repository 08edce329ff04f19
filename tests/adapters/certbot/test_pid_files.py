"""What the ready-made hooks make of a pid file: one line, one process, of the service's own name.

Only the handling of the file is looked at, so the services' programs are doubles that find nothing
wrong; what they are real for is in test_ready_hooks.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.net import until

SCRIPT = Path("danebot/hooks/reload.sh").resolve()
SHELLS = [shell for shell in ("/bin/dash", "/bin/bash", "/bin/busybox") if Path(shell).exists()]
Start = Callable[[str], int]


def _hook(shell: str, tmp_path: Path, *before: str) -> str:
    """Run ``@haproxy`` with the pid file; what it said."""
    checks = tmp_path / "bin/haproxy"
    checks.parent.mkdir(exist_ok=True)
    shutil.copy("/bin/true", checks)
    done = subprocess.run(
        [*before, *_argv(shell), SCRIPT, "haproxy", tmp_path / "conf", tmp_path / "pid"],
        env={"PATH": f"{checks.parent}:{os.defpath}"},
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        check=False,
    )
    assert not done.stderr
    assert done.returncode == (1 if done.stdout else 0)
    return done.stdout


def _argv(shell: str) -> list[str]:
    return [shell, "sh"] if shell.endswith("busybox") else [shell]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that goes by a name and has a signal of its own end it."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> int:
        program = tmp_path / "named" / name
        program.parent.mkdir(exist_ok=True)
        shutil.copy("/bin/sleep", program)
        started.append(subprocess.Popen([program, "600"]))
        comm = Path(f"/proc/{started[-1].pid}/comm")
        until("it to be named", lambda: comm.read_text() == f"{name}\n")
        return started[-1].pid

    yield begin
    for one in started:
        one.kill()
        one.wait()


def _alive(pid: int) -> bool:
    """Whether it runs: it was given no signal, which would have ended it."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_process_of_that_name_gets_the_signal(shell: str, tmp_path: Path, start: Start) -> None:
    pid = start("haproxy")
    (tmp_path / "pid").write_text(f"  {pid}\n")  # Postfix writes blanks before it
    assert _hook(shell, tmp_path) == ""
    until("the signal", lambda: not _alive(pid))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["-1", "0", "1", "00", "+1", "-1\n-1\n", "4294967295"])
def test_numbers_that_mean_many_processes(shell: str, text: str, tmp_path: Path) -> None:
    """In a world of its own: were the number used, all processes there would be signalled."""
    if os.geteuid() != 0:
        pytest.skip("needs root: such a number must not reach this user's own processes")
    (tmp_path / "pid").write_text(text)
    beside = ("/bin/sh", "-c", 'sleep 600 & "$@"', "sh")  # somebody to hit
    apart = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *beside)
    said = _hook(shell, tmp_path, *apart)
    assert said.startswith(f"haproxy: not reloaded: {tmp_path}/pid "), said


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["", "\n", "x", "{} 2", "{}x", "{0}\n{0}\n", "0x{}", "${{HOME}}"])
def test_what_is_no_number(shell: str, text: str, tmp_path: Path, start: Start) -> None:
    pid = start("haproxy")
    (tmp_path / "pid").write_text(text.format(pid))
    assert _hook(shell, tmp_path).endswith("/pid holds no process id; is it running?\n")
    assert _alive(pid)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_number_in_two_lines_is_not_one(shell: str, tmp_path: Path, start: Start) -> None:
    pid = str(start("haproxy"))
    (tmp_path / "pid").write_text(f"{pid[:1]}\n{pid[1:]}\n")
    assert _hook(shell, tmp_path).endswith("/pid holds no process id; is it running?\n")
    assert _alive(int(pid))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_number_of_another_program(shell: str, tmp_path: Path, start: Start) -> None:
    """The service is gone, and its number was given to another."""
    pid = start("bystander")
    (tmp_path / "pid").write_text(f"{pid}\n")
    assert _hook(shell, tmp_path) == (
        f"haproxy: not reloaded: {tmp_path}/pid names process {pid}, which is bystander, "
        "not haproxy; is it running?\n"
    )
    assert _alive(pid)


@pytest.mark.parametrize("shell", SHELLS)
def test_files_that_are_none(shell: str, tmp_path: Path) -> None:
    """Neither is waited for, nor shown."""
    pid = tmp_path / "pid"
    assert _hook(shell, tmp_path).endswith(f"there is no pid file {pid}; is it running?\n")
    os.mkfifo(pid)
    assert _hook(shell, tmp_path).endswith(f"there is no pid file {pid}; is it running?\n")
    pid.unlink()
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n" * 100_000)
    pid.symlink_to(secret)
    said = _hook(shell, tmp_path)
    assert said.endswith("/pid holds no process id; is it running?\n")
    assert "hunter2" not in said


NGINX = "pid {pid};\nerror_log stderr;\nevents {{}}\n"
DOVECOT = "{version}protocols =\nbase_dir = {directory}\nssl = no\nlog_path = /dev/stderr\n"
DOVECOT_2_4 = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"


@pytest.mark.lab
@pytest.mark.parametrize(
    ("service", "conf", "file"),
    [("nginx", NGINX, "nginx.pid"), ("dovecot", DOVECOT, "master.pid")],
)
def test_real_programs_do_not_signal_bystanders_either(
    service: str, conf: str, file: str, tmp_path: Path, start: Start
) -> None:
    """nginx -s and doveadm reload would: they take the number for their own."""
    if shutil.which(service, path="/usr/sbin:/usr/bin") is None:
        pytest.skip(f"needs {service}")
    pid, written = start("bystander"), tmp_path / file
    written.write_text(f"{pid}\n")
    said = subprocess.run([service, "--version"], capture_output=True, text=True, check=False)
    version = "" if said.stdout.startswith("2.3") else DOVECOT_2_4
    text = conf.format(pid=written, directory=tmp_path, version=version)
    (tmp_path / "conf").write_text(text)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, service, tmp_path / "conf"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert f"names process {pid}, which is bystander, not {service}" in done.stdout
    assert _alive(pid)


def test_an_ornament_is_not_what_is_wrong(tmp_path: Path) -> None:
    """As Prosody says it."""
    program = tmp_path / "haproxy"
    program.write_text(
        "#!/bin/sh\nprintf '***\\nIt was unable to find x\\nSee there\\n***\\n'\nexit 1\n"
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, "haproxy", "conf"],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("its configuration is wrong: It was unable to find x\n")


def test_words_of_a_program_are_passed_on_as_they_are(tmp_path: Path) -> None:
    """A backslash in them is one: echo might make something of it."""
    program = tmp_path / "haproxy"
    program.write_text("#!/bin/sh\nprintf '%s\\n' 'error: no \\c and no \\n'\nexit 1\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, "haproxy", "conf"],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stdout == (
        "haproxy: not reloaded, its configuration is wrong: error: no \\c and no \\n\n"
    )


def _doubled(tmp_path: Path, service: str, *words: str, body: str) -> str:
    """What a hook said of a double of its service's program."""
    program = tmp_path / ("prosodyctl" if service == "prosody" else service)
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, service, *words],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if done.stdout else 0)
    return done.stdout


@pytest.mark.parametrize("setting", ["pid logs/nginx.pid;", ""], ids=["set", "by default"])
def test_a_relative_pid_file_of_nginx_lies_below_its_prefix(
    setting: str, tmp_path: Path, start: Start
) -> None:
    pid = start("bystander")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/nginx.pid").write_text(f"{pid}\n")
    body = (
        f"case $* in *-T*) echo '{setting}' ;; *-V*) echo ' --prefix={tmp_path} --x' >&2 ;;\n"
        f"*reload*) kill -HUP {pid} ;; esac"
    )
    said = _doubled(tmp_path, "nginx", body=body)
    assert f"names process {pid}, which is bystander, not nginx" in said
    assert _alive(pid)


def test_where_a_program_says_nothing_that_is_told_with_what_to_run(tmp_path: Path) -> None:
    """postfix says it to the log alone; prosodyctl ends with an ornament."""
    said = _doubled(tmp_path, "postfix", "/etc/x", body="exit 1")
    assert said == (
        "postfix: not reloaded, its configuration is wrong: "
        "it does not say how; see its log, and run: postfix -c /etc/x check\n"
    )
    said = _doubled(tmp_path, "prosody", body="echo no such file; echo '******'; echo; exit 1")
    assert said.endswith(" is wrong: no such file\n")
