"""The file of ``--feed``: what it may say, and what is wrong with it, by line."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.errors import ConfigError
from danebot_exporter.feed.services import Fed, Pace
from danebot_exporter.feed.settings import CommandFile, Icinga, load_feed
from exporter.running import command, environment

SERVICE = '[[service]]\nhost = "h"\nname = "s"\noptions = ["--domain", "example.org"]\n'
NAGIOS = '[nagios]\ncommand_file = "/x"\n'
ICINGA = '[icinga]\nurl = "https://i.example:5665"\nuser = "u"\npassword_file = "{}"\n'


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("secret\n")
    path.chmod(0o600)
    return path


def loaded(tmp_path: Path, text: str) -> list[str]:
    """The problems of a file, without its name."""
    path = tmp_path / "feed.toml"
    path.write_text(text)
    try:
        load_feed(path)
    except ConfigError as exc:
        return [line.removeprefix(f"{path}:") for line in str(exc).splitlines()]
    return []


def test_a_file_with_all_of_it(tmp_path: Path, password: Path) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(
        'interval = "2m"\n' + ICINGA.format(password) + '[http_sd]\nurl = "http://l/x?y=1"\n'
        'host = "${rack}"\n' + SERVICE + 'interval = "30s"\n'
    )
    found = load_feed(path)
    assert isinstance(found.receiver, Icinga)
    assert (found.receiver.server.host, found.receiver.server.port) == ("i.example", 5665)
    assert found.receiver.command == "dane-passive"
    assert found.http_sd is not None
    assert (found.http_sd.server.port, found.http_sd.server.path) == (80, "/x?y=1")
    pace = Pace(timedelta(seconds=30), timedelta(seconds=30))
    assert found.services == (Fed("h", "s", ("--domain", "example.org"), pace),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\n" + NAGIOS + SERVICE, "1: x is not a setting of danebot"),
        ("interval = 5\n" + NAGIOS + SERVICE, "1: interval must say its unit"),
        ('interval = "0s"\n' + NAGIOS + SERVICE, "1: interval must be a second or longer"),
        ('max_age = "2m"\n' + NAGIOS + SERVICE, "1: max_age must be shorter than interval"),
        (SERVICE, "1: icinga must say where results go"),
        (NAGIOS + 'spool = "/y"\n' + SERVICE, "1: icinga must say where results go"),
        (NAGIOS, "1: there is no list"),
        (NAGIOS + SERVICE + SERVICE, "9: service.1.name is there twice"),
        (NAGIOS + SERVICE.replace("--domain", "--help"), "6: service.0.options can't have --help"),
        (NAGIOS + SERVICE.replace('"s"', '"a;b"'), "5: service.0.name has a character"),
        (NAGIOS + '[[service]]\nhost = "h"\n', "3: service.0.name is missing"),
        (NAGIOS + '[http_sd]\nurl = "file:///etc/passwd"\nhost = "h"\n', "4: http_sd.url must be"),
        (NAGIOS + '[http_sd]\nurl = "http://u:p@l/"\nhost = "h"\n', "4: http_sd.url must not have"),
        (NAGIOS + '[http_sd]\nurl = "http://l/"\nhost = "a$"\n', "5: http_sd.host has a $"),
        (ICINGA.format("/nowhere/p"), "4: icinga.password_file /nowhere/p: No such file"),
        ("[icinga\n", "1: not TOML"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert [one for one in loaded(tmp_path, text) if one.startswith(problem)]


def test_a_password_goes_over_tls_alone(tmp_path: Path, password: Path) -> None:
    text = ICINGA.format(password).replace("https:", "http:")
    assert loaded(tmp_path, text) == [
        "2: icinga.url must begin with https://, or anybody could read the password"
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://u:hush@l:99999/",
        "u:hush@l:5665",
        "ftp://u:hush@l/",
        "//u:hush@l/",
        "http://u:hush@[l",
    ],
)
def test_a_password_in_a_url_is_not_repeated(tmp_path: Path, url: str) -> None:
    """The journal has what is told, and others may read that."""
    (problem,) = loaded(tmp_path, NAGIOS + f'[http_sd]\nurl = "{url}"\nhost = "h"\n')
    assert problem.startswith("4: http_sd.url ")
    assert "hush" not in problem


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o666])
def test_a_password_that_others_may_read_is_refused(
    tmp_path: Path, password: Path, mode: int
) -> None:
    password.chmod(mode)
    (problem,) = loaded(tmp_path, ICINGA.format(password))
    assert problem.startswith("4: icinga.password_file ")
    assert problem.endswith(f"chmod 0600 {password}")
    assert "secret" not in problem


def test_the_program_ends_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    path.write_text("x = 1\n" + NAGIOS + SERVICE)
    done = subprocess.run(
        command("--feed", path), capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"danebot-exporter: {path}:1: x is not a setting")


def test_nagios_needs_no_password(tmp_path: Path) -> None:
    path = tmp_path / "feed.toml"
    path.write_text(NAGIOS + SERVICE)
    assert load_feed(path).receiver == CommandFile(Path("/x"))
