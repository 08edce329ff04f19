"""``tools/install-deps`` on hosts that are in use.

apt, dpkg and systemd are shell scripts that stand for the real ones and note what they were asked;
the host's /proc, /run and /etc are directories of the test's own.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools/install-deps"
NONE_INSTALLED = {
    "apt-get": 'echo "$@" >>"$NOTES"; case "$*" in -s*) printf "$SIMULATED" ;; esac',
    "dpkg-query": 'case "$*" in *Package*) cat "$INSTALLED" ;; *) exit 1 ;; esac',
    "dpkg": "echo /usr/lib/systemd/system/$2.service; echo /etc/init.d/$2",
    "update-rc.d": 'echo "rc $@" >>"$NOTES"',
    "systemctl": '[ "$1" = disable ] && echo "systemctl $@" >>"$NOTES" || [ "$3" = exim4.service ]',
    "debconf-set-selections": "exit 0",
    "id": "echo 0",
}
LISTENS = "  0: {address}:{port} 00000000:0000 0A 00000000:00000000\n"


class Host:
    """A machine on which nothing that danebot's lab needs is installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.notes, self.installed = root / "notes", root / "installed"
        self.notes.touch()
        self.installed.touch()
        for name in ("bin", "proc/net", "usr/sbin", "etc"):
            (root / name).mkdir(parents=True)
        for name, body in NONE_INSTALLED.items():
            self.script(f"bin/{name}", body)

    def script(self, path: str, body: str) -> None:
        file = self.root / path
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def install(self, kind: str = "lab", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOOL, kind],
            env={
                "PATH": f"{self.root}/bin:/usr/bin:/bin",
                "HOST": str(self.root),
                "NOTES": str(self.notes),
                "INSTALLED": str(self.installed),
                "SIMULATED": "Inst knot\\n",
                **env,
            },
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self, word: str) -> list[str]:
        return [line for line in self.notes.read_text().splitlines() if word in line]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def listens(host: Host, address: str, port: str) -> None:
    table = "tcp6" if len(address) > len("00000000") else "tcp"
    (host.root / "proc/net" / table).write_text(LISTENS.format(address=address, port=port))


def occupy(host: Host, what: str) -> None:
    match what:
        case "mail":
            listens(host, "00000000", "0019")
        case "local mail":
            listens(host, "0100007F", "0019")
        case "resolver":
            listens(host, "3500007F", "0035")
        case "IPv6":
            listens(host, "0" * 32, "0035")
        case "at boot":
            (host.root / "run/systemd/system").mkdir(parents=True)
        case "sendmail":
            host.script("usr/sbin/sendmail", "exit 0")
        case "certbot":
            (host.root / "etc/letsencrypt/renewal").mkdir(parents=True)
            (host.root / "etc/letsencrypt/renewal/mail.example.org.conf").touch()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("mail", "a program of this host listens on port 25 (ss -lntp shows which)"),
        ("local mail", "a program of this host listens on port 25 (ss -lntp shows which)"),
        ("resolver", "a program of this host listens on port 53 (ss -lntp shows which)"),
        ("IPv6", "a program of this host listens on port 53 (ss -lntp shows which)"),
        ("at boot", "exim4 starts at boot"),
        ("sendmail", "/usr/sbin/sendmail is of no package, and postfix would overwrite it"),
        ("certbot", "certbot manages certificates here, and isn't Debian's"),
    ],
)
def test_a_host_that_is_in_use_is_left_alone(host: Host, what: str, said: str) -> None:
    occupy(host, what)
    done = host.install()
    assert (done.returncode, done.stdout, host.asked("")) == (1, "", [])
    lines = done.stderr.splitlines()
    assert lines[0] == "install-deps: nothing was installed, as this host may be in use:"
    assert lines[1] == f"    {said}"
    assert (
        "    postfix netbase: serves the certificate, and judges it as a DANE sender does" in lines
    )
    assert "    tools/in-debian trixie demo" in lines
    assert lines[-1] == "here all the same: make demo HERE=yes"


def test_where_no_package_is_missing_nobody_is_asked(host: Host) -> None:
    """What is unpacked into build/ alone gets in nobody's way."""
    occupy(host, "mail")
    host.script("bin/dpkg-query", "echo installed")
    assert "this host may be in use" not in host.install("all").stderr


def test_the_tests_ask_for_their_own_root(host: Host) -> None:
    occupy(host, "mail")
    lines = host.install("all").stderr.splitlines()
    assert "    tools/in-debian trixie test" in lines
    assert any(line.startswith("    dovecot-core") for line in lines)


def test_the_operators_word_is_enough(host: Host) -> None:
    occupy(host, "mail")
    assert host.install(HERE="yes").returncode == 0
    assert host.asked(" install pebble knot")


@pytest.mark.parametrize("word", ["", "yes"])
@pytest.mark.parametrize("kind", ["lab", "roots"])
def test_nothing_is_ever_removed(host: Host, word: str, kind: str) -> None:
    removes = "Remv exim4-daemon-light [4.96]\\nRemv exim4-base [4.96]\\nInst postfix\\n"
    done = host.install(kind, SIMULATED=removes, HERE=word)
    assert done.returncode == 1
    assert (
        "    exim4-daemon-light would be removed\n    exim4-base would be removed\n" in done.stderr
    )
    assert "HERE=yes" not in done.stderr
    assert not [line for line in host.asked(" install ") if not line.startswith("-s")]


def test_nothing_is_installed_where_services_would_start(host: Host) -> None:
    host.script("usr/sbin/policy-rc.d", "exit 0")
    done = host.install(HERE="yes")
    assert done.returncode == 1
    assert "policy-rc.d lets services start" in done.stderr


@pytest.mark.parametrize("policies", [("usr/sbin/policy-rc.d",), ()])
def test_a_quiet_host_is_not_asked_and_nothing_starts(
    host: Host, policies: tuple[str, ...]
) -> None:
    policy = host.root / "usr/sbin/policy-rc.d"
    for path in policies:
        host.script(path, "exit 101")
    listens(host, "01BA7F7F", "0035")  # another lab
    host.installed.write_text("installed mawk\n")
    host.script(
        "bin/apt-get",
        'echo "$@" >>"$NOTES"; case "$*" in -s*) ;; *" install "*)'
        ' [ "$("$HOST/usr/sbin/policy-rc.d" unbound start; echo $?)" = 101 ]'
        ' && echo "installed unbound" >>"$INSTALLED" ;; esac',
    )
    done = host.install()
    assert (done.returncode, done.stderr) == (0, "")
    assert policy.exists() is bool(policies)
    assert all("--no-remove" in line for line in host.asked(" install ") if line[:2] != "-s")
    assert host.asked("systemctl") == ["systemctl disable unbound.service"]
    assert host.asked("rc ") == ["rc unbound disable"]


def test_what_came_before_a_failure_is_disabled_too(host: Host) -> None:
    host.script(
        "bin/apt-get",
        'case "$*" in -s*) ;; *" install "*)'
        ' echo "installed knot" >>"$INSTALLED"; exit 100 ;; esac',
    )
    done = host.install()
    assert done.returncode == 1
    assert "apt-get failed; run it by hand: apt-get --no-remove install pebble" in done.stderr
    assert host.asked("systemctl") == ["systemctl disable knot.service"]
