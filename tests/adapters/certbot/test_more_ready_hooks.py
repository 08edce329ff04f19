"""Ready-made hooks of Apache, Prosody, ejabberd, Cyrus and OpenSMTPD, tried on the services."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.certbot.reloading import BUILD, SBIN, daemon, leaf, run
from adapters.probing import Certificates, Served
from danebot.domain.names import Protocol
from lab.net import accepts, free_ports, until

pytestmark = pytest.mark.lab
CYRUS, OPENSMTPD = BUILD / "cyrus", BUILD / "opensmtpd"
FIRST_ID = 9990  # of the users that unpacked packages would have made, and of their groups


def _program(name: str) -> str:
    """The path of an installed program; the test is skipped where there is none, or no root."""
    found = shutil.which(name, path=SBIN)
    if found is None or os.geteuid() != 0:
        pytest.skip(f"needs root and {name}")
    return found


def _unpacked(program: Path) -> Path:
    if not program.exists() or os.geteuid() != 0:
        pytest.skip(f"needs root and {program}, which make deps unpacks")
    return program


def _apart(root: Path, program: Path, users: str, setup: str) -> Path:
    """A program started among mounts of its own, with the users that its package would make."""
    lines = {"passwd": "", "group": ""}
    for number, user in enumerate(users.split(), FIRST_ID):
        lines["passwd"] += f"{user}:x:{number}:{number}::/nonexistent:/bin/false\n"
        lines["group"] += f"{user}:x:{number}:\n"
    binds = ""
    for name, more in lines.items():
        known = Path("/etc", name).read_text(encoding="utf-8")
        (root / name).write_text(known + more, encoding="utf-8")
        binds += f"mount --bind {root / name} /etc/{name}\n"
    script = root / "bin" / program.name
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        "#!/bin/sh\nset -e\n"
        'if [ "${1:-}" != --apart ]; then exec unshare -m "$0" --apart "$@"; fi\nshift\n'
        f'{binds}{setup}\nexec {program} "$@"\n'
    )
    script.chmod(0o755)
    return script


def _put(served: Served, chain: Path, group: str | int = "root") -> None:
    shutil.copy(served.file, chain)
    shutil.chown(chain, "root", group)
    chain.chmod(0o640 if group != "root" else 0o600)


def _tried(
    hook: Callable[[], str], served: Callable[[], bytes | None], broken: Path, new: Served
) -> None:
    """The hook has the service serve the new chain; a mistake in a file isn't made live."""
    assert hook() == ""
    until("the new chain", lambda: served() == new.ders[0])
    text = broken.read_text(encoding="ascii")
    broken.write_text(f"{text}\nnonsense {{\n", encoding="ascii")
    error = hook()
    assert "not reloaded" in error
    assert any(words in error for words in ("nonsense", str(broken), "YAML")), error
    assert served() == new.ders[0]
    broken.write_text(text, encoding="ascii")


# ---- Apache httpd ---------------------------------------------------------------------------

APACHE = """\
ServerRoot {root}
ServerName mail.example
PidFile {root}/pid
ErrorLog {root}/log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
Listen 127.0.0.1:{port}
SSLEngine on
SSLCertificateFile {root}/combo.pem
"""


def test_apache(root: Path, certificates: Certificates) -> None:
    """A stopped one stays stopped: "graceful" would start it."""
    program = _program("apache2")
    (port,) = free_ports(1)
    conf = root / "apache.conf"
    conf.write_text(APACHE.format(root=root, port=port), encoding="ascii")
    _put(certificates.ecdsa, root / "combo.pem")

    def served() -> bytes | None:
        return leaf(port, Protocol.TLS)

    def hook() -> str:
        return run(f"@apache {conf}").error

    with daemon([program, "-f", conf, "-DFOREGROUND"], served, certificates.ecdsa):
        _put(certificates.rsa, root / "combo.pem")
        assert served() == certificates.ecdsa.ders[0]
        _tried(hook, served, conf, certificates.rsa)
    assert "apache: not reloaded: there is no pid file" in hook()
    assert not accepts("127.0.0.1", port)


# ---- Prosody --------------------------------------------------------------------------------

PROSODY = """\
pidfile = "{root}/pid"
data_path = "{root}/data"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {client} }}
c2s_direct_tls_ports = {{ {direct} }}
s2s_ports = {{ {server} }}
modules_enabled = {{ "tls"; "saslauth"; "disco" }}
run_as_root = true
log = {{ info = "{root}/log" }}
ssl = {{ certificate = "{root}/combo.pem"; key = "{root}/combo.pem" }}
VirtualHost "mail.example"
"""


def test_prosody(root: Path, certificates: Certificates) -> None:
    program = _program("prosody")
    client, direct, server = free_ports(3)
    conf = root / "prosody.cfg.lua"
    ports = {"client": client, "direct": direct, "server": server}
    conf.write_text(PROSODY.format(root=root, **ports), encoding="ascii")
    (root / "data").mkdir()
    _put(certificates.ecdsa, root / "combo.pem")

    def served() -> bytes | None:
        found = {
            leaf(client, Protocol.XMPP_CLIENT),
            leaf(direct, Protocol.TLS),
            leaf(server, Protocol.XMPP_SERVER),
        }
        return found.pop() if len(found) == 1 else None

    def hook() -> str:
        return run(f"@prosody {conf}").error

    with daemon([program, "--config", conf, "-F"], served, certificates.ecdsa):
        _put(certificates.rsa, root / "combo.pem")
        assert served() == certificates.ecdsa.ders[0]
        _tried(hook, served, conf, certificates.rsa)
        pid = (root / "pid").read_text(encoding="ascii")
    (root / "pid").write_text(pid)  # a stale one: nobody holds its lock
    assert hook() == "exit status 1: prosody: not reloaded: it is not running"


# ---- ejabberd -------------------------------------------------------------------------------

EJABBERD = """\
hosts: [mail.example]
certfiles: ["{root}/combo.pem"]
auth_method: [anonymous]
listen:
  - {{port: {client}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true}}
  - {{port: {server}, ip: "127.0.0.1", module: ejabberd_s2s_in}}
s2s_use_starttls: optional
"""
EJABBERDCTL = """\
ERLANG_NODE=danebot-{node}@localhost
ERL_DIST_PORT={node}
INET_DIST_INTERFACE=127.0.0.1
LOGS_DIR={root}/conf
SPOOL_DIR={root}/conf
"""


def test_ejabberd(root: Path, certificates: Certificates) -> None:
    """It looks at its configuration itself, and keeps what it has if that is wrong."""
    program = _program("ejabberdctl")
    client, server, node = free_ports(3)
    conf = root / "conf"
    conf.mkdir()
    ports = {"client": client, "server": server}
    (conf / "ejabberd.yml").write_text(EJABBERD.format(root=root, **ports), encoding="ascii")
    settings = EJABBERDCTL.format(root=root, node=node)
    (conf / "ejabberdctl.cfg").write_text(settings, encoding="ascii")
    shutil.copy("/etc/ejabberd/inetrc", conf)
    shutil.chown(conf, "ejabberd", "ejabberd")
    _put(certificates.ecdsa, root / "combo.pem", "ejabberd")

    def served() -> bytes | None:
        found = {leaf(client, Protocol.XMPP_CLIENT), leaf(server, Protocol.XMPP_SERVER)}
        return found.pop() if len(found) == 1 else None

    def hook() -> str:
        return run(f"@ejabberd {conf}").error

    argv: list[str | Path] = [program, "--config-dir", conf]
    with daemon([*argv, "foreground"], served, certificates.ecdsa):
        _put(certificates.rsa, root / "combo.pem", "ejabberd")
        assert served() == certificates.ecdsa.ders[0]
        _tried(hook, served, conf / "ejabberd.yml", certificates.rsa)
        subprocess.run([*argv, "stop"], check=True, capture_output=True)
        until("its end", lambda: not accepts("127.0.0.1", client))
        assert "ejabberd: not reloaded: " in hook()  # in the words of the control program


# ---- Cyrus ----------------------------------------------------------------------------------

IMAPD = """\
configdirectory: {root}/state
proc_path: {root}/state/proc
mboxname_lockpath: {root}/state
defaultpartition: default
partition-default: {root}/state
tls_server_cert: {root}/combo.pem
tls_server_key: {root}/combo.pem
servername: mail.example
allowstarttls: on
"""
CYRUS_CONF = """\
START {{
}}
SERVICES {{
  imap cmd="{program} -C {conf}" listen="127.0.0.1:{imap}" prefork=1
  imaps cmd="{program} -C {conf} -s" listen="127.0.0.1:{imaps}" prefork=1
}}
EVENTS {{
}}
"""


def _children(pid: Path) -> set[str]:
    number = pid.read_text(encoding="ascii").strip()
    return set(Path(f"/proc/{number}/task/{number}/children").read_text().split())


def test_cyrus(root: Path, certificates: Certificates) -> None:
    """Debian's Cyrus, unpacked beside Dovecot: each process goes on with the chain it began with.

    Which of them answers is chance, so it is looked at whether all are gone that were there before.
    """
    _unpacked(CYRUS / "usr/sbin/cyrmaster")
    imap, imaps = free_ports(2)
    conf, services, pid = root / "imapd.conf", root / "cyrus.conf", root / "pid"
    conf.write_text(IMAPD.format(root=root), encoding="ascii")
    programs = CYRUS / "usr/lib/cyrus/bin"
    text = CYRUS_CONF.format(program=programs / "imapd", conf=conf, imap=imap, imaps=imaps)
    services.write_text(text, encoding="ascii")
    for name in ("state", "state/proc", "state/socket"):
        (root / name).mkdir()
        os.chown(root / name, FIRST_ID, FIRST_ID)
    (libraries,) = (CYRUS / "usr/lib").glob("*-linux-gnu*")
    setup = f"export LD_LIBRARY_PATH={libraries}"
    master = _apart(root, CYRUS / "usr/sbin/cyrmaster", "cyrus", setup)
    _apart(root, programs / "cyr_info", "cyrus", setup)
    _put(certificates.ecdsa, root / "combo.pem", FIRST_ID)

    def served() -> bytes | None:
        found = {leaf(imap, Protocol.IMAP), leaf(imaps, Protocol.TLS)}
        return found.pop() if len(found) == 1 else None

    def hook() -> str:
        return run(f"@cyrus {conf} {pid}", PATH=f"{master.parent}:{SBIN}").error

    argv: list[str | Path] = [master, "-D", "-C", conf, "-M", services, "-p", pid]
    with daemon(argv, served, certificates.ecdsa):
        before = _children(pid)
        assert before
        _put(certificates.rsa, root / "combo.pem", FIRST_ID)
        _tried(hook, served, conf, certificates.rsa)
        assert not before & _children(pid)
    assert "cyrus: not reloaded: " in hook()


# ---- OpenSMTPD ------------------------------------------------------------------------------

SMTPD = """\
pki mail.example cert "{root}/combo.pem"
pki mail.example key "{root}/combo.pem"
listen on lo hostname mail.example port {port} tls pki mail.example
action "relay" relay
match for local action "relay"
"""
SUPERVISOR = """\
#!/bin/sh
# Stands for the host's service manager, together with what it starts.
trap 'kill "$(cat {root}/pid)"; wait; exit' TERM
while :; do {smtpd} -d -f {conf} & echo $! >{root}/pid; wait; done
"""
MANAGER = """\
#!/bin/sh
# Stands for the host's service and systemctl.
case "$*" in
"restart opensmtpd" | "opensmtpd restart") kill "$(cat {root}/pid)" ;;
"is-active --quiet opensmtpd" | "opensmtpd status") kill -0 "$(cat {root}/pid)" ;;
*) exit 2 ;;
esac
"""


def test_opensmtpd(root: Path, certificates: Certificates) -> None:
    """Debian's OpenSMTPD, unpacked beside Postfix; it can only be restarted.

    That of Debian 12 presents its chain, and can't finish the handshake with OpenSSL 3.
    """
    program = _unpacked(OPENSMTPD / "usr/sbin/smtpd")
    (port,) = free_ports(1)
    conf = root / "smtpd.conf"
    conf.write_text(SMTPD.format(root=root, port=port), encoding="ascii")
    setup = (
        "for one in /run /var/spool /var/lib; do mount -t tmpfs -o mode=755 none $one; done\n"
        "mkdir -p -m 711 /var/spool/smtpd; mkdir -p /var/lib/opensmtpd/empty"
    )
    smtpd = _apart(root, program, "opensmtpd opensmtpq", setup)
    texts = dict.fromkeys(("service", "systemctl"), MANAGER) | {"supervisor": SUPERVISOR}
    for name, text in texts.items():
        script = smtpd.parent / name
        script.write_text(text.format(root=root, smtpd=smtpd, conf=conf), encoding="ascii")
        script.chmod(0o755)
    first, second = certificates.ecdsa, certificates.rsa
    _put(first, root / "combo.pem")

    def served() -> bytes | None:
        argv = ["openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}"]
        shown = subprocess.run(argv, input=b"", capture_output=True, check=False).stdout
        pem = re.search(
            r"-----BEGIN CERTIFICATE-.*?-END CERTIFICATE-----", shown.decode(), re.DOTALL
        )
        return ssl.PEM_cert_to_DER_cert(pem[0]) if pem else None

    def hook() -> str:
        return run(f"@opensmtpd {conf}", PATH=f"{smtpd.parent}:{SBIN}").error

    with daemon([smtpd.parent / "supervisor"], served, first):
        _put(second, root / "combo.pem")
        assert served() == first.ders[0]
        _tried(hook, served, conf, second)
    assert hook().endswith("opensmtpd is not running")
