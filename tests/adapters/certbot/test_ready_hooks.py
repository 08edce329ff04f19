"""The ready-made hooks: each service serves the new chain afterwards, or one line says why not."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.certbot.reloading import BUILD, SBIN, daemon, leaf, run
from adapters.probing import Certificates, Served
from danebot.adapters.certbot.hooks import Hook, HookKind, run_hook
from danebot.config import load
from danebot.domain.names import Protocol
from danebot.errors import ConfigError
from lab.net import accepts, free_ports, until

EXIM = BUILD / "exim/usr/sbin/exim4"


# ---- HAProxy --------------------------------------------------------------------------------

HAPROXY = """\
global
    log 127.0.0.1 local0
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port} ssl crt {chain}
    http-request return status 204
"""


@pytest.mark.lab
def test_haproxy_serves_the_new_chain_after_it(root: Path, certificates: Certificates) -> None:
    if shutil.which("haproxy", path=SBIN) is None:
        pytest.skip("needs haproxy")
    (port,) = free_ports(1)
    chain, conf, pid = root / "combo.pem", root / "haproxy.cfg", root / "pid"
    shutil.copy(certificates.ecdsa.file, chain)
    conf.write_text(HAPROXY.format(port=port, chain=chain), encoding="ascii")

    def served() -> bytes | None:
        return leaf(port, Protocol.TLS)

    argv: list[str | Path] = ["/usr/sbin/haproxy", "-W", "-f", conf, "-p", pid]
    with daemon(argv, served, certificates.ecdsa):
        shutil.copy(certificates.rsa.file, chain)
        assert served() == certificates.ecdsa.ders[0]
        assert run(f"@haproxy {conf} {pid}").error == ""
        until("the new chain", lambda: served() == certificates.rsa.ders[0])
        conf.write_text(conf.read_text() + "    nonsense\n")
        error = run(f"@haproxy {conf} {pid}").error
        assert "haproxy: not reloaded, its configuration is wrong: " in error
        assert "nonsense" in error
        assert served() == certificates.rsa.ders[0]
    conf.write_text(conf.read_text().replace("    nonsense\n", ""))
    assert "haproxy: not reloaded: " in run(f"@haproxy {conf} {pid}").error


# ---- Exim -----------------------------------------------------------------------------------

EXIM_CONF = """\
exim_path = {root}/exim4
exim_user = mail
exim_group = mail
log_file_path = {root}/log/%slog
spool_directory = {root}/spool
pid_file_path = {root}/spool/exim.pid
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
primary_hostname = mail.example
tls_advertise_hosts = *
tls_certificate = {chain}
tls_privatekey = {chain}
acl_smtp_rcpt = deny
begin acl
deny:
  deny
"""


@pytest.mark.lab
def test_exim_serves_the_new_chain_after_it(root: Path, certificates: Certificates) -> None:
    """Debian's Exim, unpacked beside Postfix, with its user in a passwd file of its own."""
    if not EXIM.exists() or os.geteuid() != 0:
        pytest.skip("needs root and the Exim that make deps unpacks")
    (port,) = free_ports(1)
    chain, conf = root / "combo.pem", root / "exim.conf"
    for name in ("log", "spool"):
        (root / name).mkdir()
        shutil.chown(root / name, "mail", "mail")
    program = _exim_program(root)

    def put(served: Served) -> None:
        shutil.copy(served.file, chain)
        shutil.chown(chain, "root", "mail")
        chain.chmod(0o640)

    def served() -> bytes | None:
        return leaf(port, Protocol.SMTP)

    put(certificates.ecdsa)
    text = EXIM_CONF.format(root=root, port=port, chain=chain)
    conf.write_text(text, encoding="ascii")
    path = f"{program.parent}:{SBIN}"
    with daemon([program, "-C", conf, "-bdf"], served, certificates.ecdsa):
        put(certificates.rsa)
        assert run(f"@exim {conf}", PATH=path).error == ""
        until("the new chain", lambda: served() == certificates.rsa.ders[0])
        assert accepts("127.0.0.1", port)
        conf.write_text("nonsense = 1\n" + text)
        error = run(f"@exim {conf}", PATH=path).error
        assert "exim: not reloaded, its configuration is wrong: " in error
        assert "nonsense" in error
        assert served() == certificates.rsa.ders[0]
    conf.write_text(text)
    assert "exim: not reloaded: " in run(f"@exim {conf}", PATH=path).error


def _exim_program(root: Path) -> Path:
    """Exim where the user exists that Debian has compiled into it.

    A copy, where that user may go: the daemon has given up root when it executes itself again.
    """
    shutil.copy(EXIM, root / "exim4")
    for name, line in {"passwd": "x:8:8::/nonexistent:/bin/false", "group": "x:8:"}.items():
        known = Path("/etc", name).read_text(encoding="utf-8")
        (root / name).write_text(f"{known}Debian-exim:{line}\n", encoding="utf-8")
    program = root / "bin/exim4"
    program.parent.mkdir()
    binds = [f"mount --bind {root / name} /etc/{name} &&" for name in ("passwd", "group")]
    words = f'{" ".join(binds)} exec {root / "exim4"} "$@"'
    program.write_text(f"#!/bin/sh\nexec unshare -m sh -c '{words}' exim4 \"$@\"\n")
    program.chmod(0o755)
    return program


# ---- mistakes -------------------------------------------------------------------------------


def test_a_service_that_is_not_installed_is_named(tmp_path: Path) -> None:
    for service, program in {"nginx": "nginx", "dovecot": "doveconf", "postfix": "postfix"}.items():
        bare = tmp_path / "bin"
        bare.mkdir(exist_ok=True)
        script = Path("danebot/hooks/reload.sh").read_text().replace(":/usr/sbin:/sbin", "")
        copy = tmp_path / "reload.sh"
        copy.write_text(script.replace(":/usr/local/sbin", ""))
        done = subprocess.run(
            ["/bin/sh", copy, service],
            env={"PATH": str(bare)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (
            1,
            f"{service}: there is no program {program} on PATH\n",
        )


def test_the_settings_know_them(tmp_path: Path) -> None:
    path = tmp_path / "danebot.toml"
    path.write_text('hooks = ["@postfix /etc/postfix-out", "@nginx"]\n')
    assert load(path).hooks("any") == ("@postfix /etc/postfix-out", "@nginx")
    path.write_text('hooks = ["@sendmail"]\n')
    with pytest.raises(ConfigError, match='one of "@postfix", "@dovecot", "@exim", "@nginx"'):
        load(path)


@pytest.mark.parametrize("command", ["@", "@ postfix", "@Postfix"])
def test_what_is_almost_one_is_an_error(tmp_path: Path, command: str) -> None:
    path = tmp_path / "danebot.toml"
    path.write_text(f'hooks = ["{command}"]\n')
    with pytest.raises(ConfigError, match="must be a command line, or one of"):
        load(path)


def test_the_name_of_no_service() -> None:
    hook = Hook(HookKind.READY_MADE, "@sendmail")
    ended = run_hook(hook, Path("/live"), [], timedelta(seconds=30))
    assert ended.error == (
        "exit status 1: reload.sh: name one of postfix, dovecot, exim, nginx, haproxy, apache, "
        "opensmtpd, cyrus, prosody, ejabberd"
    )
