"""A master and two satellites: real Icinga 2 on loopback, with the shipped zones and services."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lab import net
from monitoring.feeding import Domains
from monitoring.icinga import DEFINITIONS, PORT, PROGRAM

NODES = {"master": 1, "satellite1": 2, "satellite2": 3}  # the last octets of their addresses
SHIPPED = {"master": "192.0.2.1", "satellite1": "192.0.2.2", "satellite2": "192.0.2.3"}
_NODE = """\
const NodeName = "{name}"
const ZoneName = "{zone}"
const DanebotBinDir = "{programs}"
include <itl>
include "{directory}/zones.conf"
object CheckerComponent "checker" {{ }}
object ApiListener "api" {{
  bind_host = "{address}"
  accept_config = true
  accept_commands = true
}}
object ApiUser "tests" {{
  password = "tests"
  permissions = [ "objects/query/*" ]
}}
"""
_PATHS = {
    "ConfigDir": "",
    "ZonesDir": "zones.d",
    "DataDir": "data",
    "LogDir": "log",
    "CacheDir": "cache",
    "InitRunDir": "run",
    "SpoolDir": "spool",
}


_LINES = 60  # of a node's log, of a test that fails
SERVICES = 7
SATELLITES = {"satellite1", "satellite2"}
PINNED = "pinned.example"


class Checked(NamedTuple):
    """What the master knows of a service: its state, where it was looked at, and when."""

    state: int
    output: str
    source: str
    at: float


@dataclass
class Cluster:
    """Three nodes below ``root``."""

    root: Path
    programs: Path
    net: net.Net
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def prepare(self, hosts: str) -> None:
        """Write what each node reads; ``hosts`` are those of the zone ``dane``."""
        _pki("new-ca", self.root)
        for name in NODES:
            self._node(name)
        zones = self.root / "master/zones.d"
        (zones / "danebot-global").mkdir(parents=True)
        (zones / "dane").mkdir()
        for name in ("danebot-commands.conf", "danebot-services.conf"):
            text = (DEFINITIONS / name).read_text()
            text = text.replace("check_interval = 5m", "check_interval = 8s")
            text = text.replace("retry_interval = 1m", "retry_interval = 4s")
            (zones / "danebot-global" / name).write_text(text)
        (zones / "dane/hosts.conf").write_text(hosts)
        for path in (self.root, *self.root.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")

    def start(self, name: str) -> None:
        """Start a node."""
        command = [PROGRAM, "daemon", "-c", str(self.root / name / "icinga2.conf")]
        log = (self.root / name / "log/out").open("ab")
        with log:
            self.running[name] = subprocess.Popen(
                [*command, *_defines(self.root / name)], stdout=log, stderr=subprocess.STDOUT
            )

    def kill(self, name: str) -> None:
        """End a node without a farewell; its workers go with it."""
        process = self.running.pop(name)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (process.pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                subprocess.run(["kill", "-KILL", str(pid)], check=False)
        process.wait(60)

    def checked(self) -> dict[str, Checked]:
        """What the master has been told of each service."""
        context = ssl.create_default_context(cafile=self.root / "data/ca/ca.crt")
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # its own CA lacks a key usage
        address = self.net.host(NODES["master"])
        connection = http.client.HTTPSConnection(address, PORT, timeout=60, context=context)
        login = base64.b64encode(b"tests:tests").decode()
        query = "/v1/objects/services?attrs=name&attrs=state&attrs=last_check_result"
        try:
            connection.request("GET", query, headers={"Authorization": f"Basic {login}"})
            found = json.loads(connection.getresponse().read()).get("results", [])
        except (OSError, http.client.HTTPException):
            return {}
        finally:
            connection.close()
        return {
            one["name"]: Checked(
                int(one["attrs"]["state"]),
                last["output"],
                last["check_source"],
                last["execution_end"],
            )
            for one in found
            if (last := one["attrs"]["last_check_result"]) is not None
        }

    def _node(self, name: str) -> None:
        directory = self.root / name
        for part in ("data/certs", "log", "cache", "run", "spool"):
            (directory / part).mkdir(parents=True)
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, "nobody", "nogroup")
        certificates = directory / "data/certs"
        key, request = certificates / f"{name}.key", certificates / f"{name}.csr"
        certificate = certificates / f"{name}.crt"
        _pki("new-cert", self.root, "--cn", name, "--key", key, "--csr", request)
        _pki("sign-csr", self.root, "--csr", request, "--cert", certificate)
        shutil.copy(self.root / "data/ca/ca.crt", certificates / "ca.crt")
        text = (DEFINITIONS / "danebot-zones.conf").read_text()
        for node, address in SHIPPED.items():
            assert address in text
            text = text.replace(address, self.net.host(NODES[node]))
        (directory / "zones.conf").write_text(text)
        zone = "master" if name == "master" else "dane"
        (directory / "icinga2.conf").write_text(
            _NODE.format(
                name=name,
                zone=zone,
                programs=self.programs,
                directory=directory,
                address=self.net.host(NODES[name]),
            )
        )


def _defines(directory: Path) -> list[str]:
    users = ("-DRunAsUser=nobody", "-DRunAsGroup=nogroup")
    return [*(f"-D{name}={directory / path}" for name, path in _PATHS.items()), *users]


def _pki(verb: str, root: Path, *words: str | Path) -> None:
    (root / "data").mkdir(exist_ok=True)
    shutil.chown(root / "data", "nobody", "nogroup")
    done = subprocess.run(
        [PROGRAM, "pki", verb, *map(str, words), f"-DDataDir={root / 'data'}", *_USERS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


_USERS = ("-DRunAsUser=nobody", "-DRunAsGroup=nogroup")


@contextlib.contextmanager
def cluster(root: Path, programs: Path, hosts: str) -> Iterator[Cluster]:
    """All three nodes, running."""
    root.mkdir()
    root.chmod(0o755)
    shutil.chown(root, "nobody", "nogroup")
    reserved = net.reserve()
    found = Cluster(root, programs, reserved)
    try:
        found.prepare(hosts)
        for name in NODES:
            found.start(name)
        yield found
    except BaseException:
        for name in NODES:  # for whoever reads why
            lines = (root / name / "log/out").read_text(errors="replace").splitlines()
            sys.stdout.write("\n".join([f"-- {name}", *lines[-_LINES:], ""]))
        raise
    finally:
        for name in list(found.running):
            found.running[name].terminate()
        for process in found.running.values():
            process.wait(60)
        reserved.release()


def hosts(world: Domains) -> str:
    """Hosts of the zone ``dane``; the last one's service belongs to ``satellite1`` alone."""
    text = ""
    for name in (*(f"mx{number}.example" for number in range(SERVICES)), PINNED):
        world.right(name)
        endpoint = '  command_endpoint = "satellite1"\n' if name == PINNED else ""
        text += (
            f'object Host "{name}" {{\n  check_command = "dummy"\n'
            f'  vars.dane_resolver = "127.0.0.1:{world.world.dns.port}"\n}}\n'
            f'object Service "dane" {{\n  import "danebot-service"\n  host_name = "{name}"\n'
            f'  check_command = "dane"\n  vars.dane_host = "{name}"\n  vars.dane_starttls = "tls"\n'
            f"  vars.dane_port = {world.world.port}\n  vars.dane_timeout = 20\n{endpoint}}}\n"
        )
    return text


def lately(found: Cluster, since: float) -> dict[str, tuple[int, str]]:
    """State and satellite of what was looked at since then, by host."""
    return {
        name.partition("!")[0]: (one.state, one.source)
        for name, one in found.checked().items()
        if one.at > since
    }


def shared(found: Cluster, since: float) -> bool:
    """Whether all are fine, and each satellite has some."""
    seen = lately(found, since)
    seen.pop(PINNED, None)
    fine = len(seen) == SERVICES and {state for state, _ in seen.values()} == {0}
    return fine and {source for _, source in seen.values()} == SATELLITES


def moved(found: Cluster, since: float, to: str) -> bool:
    """Whether all are fine, and that satellite has them."""
    seen = lately(found, since)
    seen.pop(PINNED, None)
    return len(seen) == SERVICES and set(seen.values()) == {(0, to)}
