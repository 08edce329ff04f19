"""Which configurations name a file: read with care, and what couldn't be read is said."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from danebot.adapters import services
from danebot.adapters.services import Reader, readers_of_each
from danebot.domain.names import Hostname

COMBO = Path("/etc/letsencrypt/live/mail.example.test/combo.pem")


def readers_of(path: Path, root: Path) -> tuple[Reader, ...]:
    return readers_of_each((path,), root)[0][path]


def write(root: Path, file: str, text: str) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("file", "line", "service"),
    [
        ("etc/postfix/main.cf", f"smtpd_tls_chain_files = {COMBO}", "postfix"),
        ("etc/dovecot/conf.d/10-ssl.conf", f"ssl_key = <{COMBO}", "dovecot"),
        ("etc/nginx/conf.d/a.conf", f"  ssl_certificate {COMBO};", "nginx"),
        ("etc/exim4/conf.d/main/1", f'tls_privatekey = "{COMBO}"', "exim4"),
        ("etc/haproxy/haproxy.cfg", f"bind :443 ssl crt {COMBO}", "haproxy"),
        ("etc/apache2/sites-enabled/a.conf", f"SSLCertificateFile {COMBO}", "apache2"),
        ("usr/local/etc/stunnel.conf", f"cert={COMBO}", "stunnel.conf"),
    ],
)
def test_a_configuration_that_names_it_is_found(
    tmp_path: Path, file: str, line: str, service: str
) -> None:
    path = write(tmp_path, file, f"# {COMBO}\n\n{line}\n")
    (found,) = readers_of(COMBO, tmp_path)
    assert str(found) == f"{service} ({path}:3)"


def test_what_only_looks_like_it_is_not_found(tmp_path: Path) -> None:
    write(tmp_path, "etc/a.conf", f"# {COMBO}\n; {COMBO}\n//{COMBO}\n  # cert {COMBO}\n")
    write(tmp_path, "etc/b.conf", f"x {COMBO}.old\nx /srv{COMBO}\n")
    write(tmp_path, "etc/letsencrypt/renewal/x.conf", f"x = {COMBO}\n")
    write(tmp_path, "etc/nginx/sites-available/a", f"ssl_certificate {COMBO};\n")
    write(tmp_path, "etc/postfix/main.cf~", f"x {COMBO}\n")
    for name in ("a.dpkg-old", "a.disabled", "a.off", ".a", ".#a", "a.rpmorig", "old.d.bak/a"):
        write(tmp_path, f"etc/nginx/{name}", f"x {COMBO}\n")
    assert readers_of(COMBO, tmp_path) == ()


@pytest.mark.parametrize("name", ["a.log", "a.log.1", "error.log-20260101", "a.LOG"])
def test_a_log_is_no_configuration(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"etc/opt/{name}", f"opened {COMBO}\n")
    write(tmp_path, "etc/opt/a.logger", f"cert = {COMBO}\n")
    assert [str(one) for one in readers_of(COMBO, tmp_path)] == [
        f"opt ({tmp_path}/etc/opt/a.logger:1)"
    ]


def test_a_file_with_binary_content_is_no_configuration(tmp_path: Path) -> None:
    write(tmp_path, "etc/postfix/aliases.db", f"\0\0{COMBO}\n")
    assert readers_of(COMBO, tmp_path) == ()


def test_enabled_sites_and_links_to_it_are_found(tmp_path: Path) -> None:
    real = write(tmp_path, "etc/nginx/sites-available/a", f"ssl_certificate {COMBO};\n")
    enabled = tmp_path / "etc/nginx/sites-enabled/a"
    enabled.parent.mkdir()
    enabled.symlink_to(real)
    certs = tmp_path / "etc/haproxy/certs/mail.pem"
    certs.parent.mkdir(parents=True)
    certs.symlink_to(COMBO)
    assert readers_of(COMBO, tmp_path) == (
        ("haproxy", str(certs)),
        ("nginx", f"{enabled}:1"),
    )


@pytest.mark.parametrize(
    ("link", "target", "named"),
    [
        ("etc/ssl/private/mail.pem", "combo.pem", "etc/ssl/private/mail.pem"),
        ("etc/postfix/cert.d", "", "etc/postfix/cert.d/combo.pem"),
    ],
)
def test_who_names_a_link_to_it_is_found(
    tmp_path: Path, link: str, target: str, named: str
) -> None:
    combo = write(tmp_path, "etc/letsencrypt/live/m/combo.pem", "")
    (tmp_path / link).parent.mkdir(parents=True)
    (tmp_path / link).symlink_to(combo.parent / target)
    write(tmp_path, "etc/zmail.cf", f"smtpd_tls_chain_files = {tmp_path / named}\n")
    found = dict(readers_of(combo, tmp_path))
    assert found["zmail.cf"] == f"{tmp_path}/etc/zmail.cf:1"


def test_a_tree_behind_a_link_has_two_names(tmp_path: Path) -> None:
    real = tmp_path / "mnt/letsencrypt/live/mail/combo.pem"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"")
    (tmp_path / "le").symlink_to(tmp_path / "mnt/letsencrypt")
    write(tmp_path, "etc/postfix/main.cf", f"x = {real}\n")
    assert len(readers_of(tmp_path / "le/live/mail/combo.pem", tmp_path)) == 1


def test_pipes_and_large_files_do_not_stop_it_and_too_many_are_said(tmp_path: Path) -> None:
    os.mkfifo(write(tmp_path, "etc/x/a", "").with_name("pipe"))
    write(tmp_path, "etc/x/large", f"{COMBO}\n" + "x" * 2_000_000)
    write(tmp_path, "etc/x/z", f"{COMBO}\n")
    assert [str(one) for one in readers_of(COMBO, tmp_path)] == [f"x ({tmp_path}/etc/x/z:1)"]
    assert readers_of_each((COMBO,), tmp_path, most=1) == ({COMBO: ()}, False)


@pytest.mark.skipif(shutil.which("postconf") is None, reason="Postfix isn't installed")
def test_postfix_itself_is_asked_what_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It puts names together, and its configuration may be elsewhere."""
    parts = "smtpd_tls_chain_files = ${config_directory}/../combo.pem\n"
    write(tmp_path, "own/main.cf", f"compatibility_level = 3.6\n{parts}")
    write(tmp_path, "own/master.cf", "")
    # postconf 3.10 forgets the directory of a main.cf that was written just now
    os.utime(tmp_path / "own/main.cf", (1_700_000_000, 1_700_000_000))
    monkeypatch.setenv("MAIL_CONFIG", str(tmp_path / "own"))
    (found,) = readers_of(tmp_path / "combo.pem", tmp_path)
    assert str(found) == "postfix (by postconf -nx)"


@pytest.mark.parametrize(
    ("program", "option", "service"),
    [
        ("postconf", "-nx", "postfix"),
        ("postconf", "-Px", "postfix"),
        ("doveconf", "-n", "dovecot"),
    ],
)
def test_what_a_program_says_counts_once_and_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, option: str, service: str
) -> None:
    """Doubles: neither program need be installed, and only their words matter here."""
    combo = write(tmp_path, "tree/combo.pem", "")
    (tmp_path / "elsewhere").symlink_to(combo.parent)
    for name in ("postconf", "doveconf"):
        said = f"[ $1 != {option} ] || echo x = {tmp_path}/elsewhere/combo.pem"
        text = f"#!/bin/sh\n{said}\n" if name == program else "#!/bin/sh\n"
        write(tmp_path, f"bin/{name}", text).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(services, "_MAIN_CFS", (combo,))
    assert readers_of(combo, tmp_path) == ((service, f"by {program} {option}"),)
    file = write(tmp_path, f"etc/{service}/x.conf", f"x {combo}\n")
    assert readers_of(combo, tmp_path) == ((service, f"{file}:1"),)


@pytest.mark.parametrize("end", ["exit 1", "sleep 100"])
def test_a_program_that_fails_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    for name in ("postconf", "doveconf"):
        write(tmp_path, f"bin/{name}", f"#!/bin/sh\necho {COMBO}\n{end}\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(services, "_PATIENCE", timedelta(milliseconds=200))
    monkeypatch.setattr(services, "_MAIN_CFS", (tmp_path,))
    assert readers_of(COMBO, tmp_path) == ()


def test_a_postfix_without_settings_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a second before it says that it has none. A double tells who starts it."""
    write(tmp_path, "bin/postconf", f"#!/bin/sh\necho mx.example.test >>{tmp_path}/asked\n").chmod(
        0o755
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.delenv("MAIL_CONFIG", raising=False)
    main = tmp_path / "main.cf"
    monkeypatch.setattr(services, "_MAIN_CFS", (main,))
    for ask in (services.mail_domains, services.mail_host, lambda: readers_of(COMBO, tmp_path)):
        main.unlink(missing_ok=True)
        assert not ask()
        assert not (tmp_path / "asked").exists()
        main.touch()
        ask()
        assert (tmp_path / "asked").exists()
        (tmp_path / "asked").unlink()


def test_a_postfix_of_which_nobody_can_tell_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "bin/postconf", "#!/bin/sh\necho mx.example.test\n").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.delenv("MAIL_CONFIG", raising=False)
    (tmp_path / "loop").symlink_to("loop")  # any error but that there is none
    monkeypatch.setattr(services, "_MAIN_CFS", (tmp_path / "loop/main.cf",))
    assert services.mail_host() == Hostname("mx.example.test")
