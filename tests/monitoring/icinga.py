"""A real Icinga 2 on loopback: the shipped definitions, checked as nobody, read over its API."""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

DEFINITIONS = Path(__file__).parents[2] / "checks/icinga2"
PROGRAM = "/usr/sbin/icinga2"
PORT = 5665

_CONFIGURATION = """\
const NodeName = "lab"
const DanebotBinDir = "{programs}"
include <itl>
include "{directory}/danebot-commands.conf"
include "{directory}/danebot-services.conf"
object CheckerComponent "checker" {{ }}
object ApiListener "api" {{
  bind_host = "{address}"
  bind_port = {port}
}}
object Endpoint NodeName {{ }}
object Zone "all" {{
  endpoints = [ NodeName ]
}}
object ApiUser "tests" {{
  password = "{password}"
  permissions = [ "objects/query/*" ]
}}
object Host "mail.example.org" {{
  check_command = "dummy"
  vars.danebot = true
  vars.danebot_snapshot = "{snapshot}"
  vars.danebot_resolver = "{resolver}"
  vars.dane_domains = [ "example.test" ]
  vars.dane_resolver = "{resolver}"
  vars.dane_timeout = 30
}}
"""


@dataclass(frozen=True)
class Site:
    """What the operator would configure."""

    directory: Path
    programs: Path
    address: str
    snapshot: Path
    resolver: str
    interval: int = 4
    password: str = field(default_factory=secrets.token_hex)


def shipped(site: Site) -> None:
    """Copy the shipped files, checking faster than anybody would."""
    commands = (DEFINITIONS / "danebot-commands.conf").read_text()
    services = (DEFINITIONS / "danebot-services.conf").read_text()
    for pattern, words in (
        (r"check_interval = 5m", f"check_interval = {site.interval}s"),
        (r"retry_interval = 1m", f"retry_interval = {site.interval}s"),
        (r"max_check_attempts = 3", "max_check_attempts = 1"),
    ):
        services, count = re.subn(pattern, words, services)
        assert count, pattern
    (site.directory / "danebot-commands.conf").write_text(commands)
    (site.directory / "danebot-services.conf").write_text(services)


def configure(site: Site) -> list[str]:
    """Write all that Icinga reads; the argument vector that runs it in the foreground."""
    directory = site.directory
    certificates = directory / "data/certs"
    certificates.mkdir(parents=True)
    for name in ("log", "cache", "run", "spool"):
        (directory / name).mkdir()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab"),
            *("-keyout", str(certificates / "lab.key"), "-out", str(certificates / "lab.crt")),
        ],
        check=True,
        capture_output=True,
    )
    (certificates / "ca.crt").write_bytes((certificates / "lab.crt").read_bytes())
    (directory / "icinga2.conf").write_text(
        _CONFIGURATION.format(
            programs=site.programs,
            directory=directory,
            address=site.address,
            port=PORT,
            password=site.password,
            snapshot=site.snapshot,
            resolver=site.resolver,
        )
    )
    shipped(site)
    for path in (directory, *directory.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    paths = {
        "ConfigDir": directory,
        "DataDir": directory / "data",
        "LogDir": directory / "log",
        "CacheDir": directory / "cache",
        "InitRunDir": directory / "run",
        "SpoolDir": directory / "spool",
        "RunAsUser": "nobody",
        "RunAsGroup": "nogroup",
    }
    words = [f"-D{name}={value}" for name, value in paths.items()]
    return [PROGRAM, "daemon", "-c", str(directory / "icinga2.conf"), *words]


def states(site: Site) -> dict[str, tuple[int, str, float]]:
    """Each service's state, output and when it was looked at; those not checked yet left out."""
    context = ssl.create_default_context(cafile=str(site.directory / "data/certs/ca.crt"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection(site.address, PORT, timeout=120, context=context)
    login = base64.b64encode(f"tests:{site.password}".encode()).decode()
    query = "/v1/objects/services?attrs=name&attrs=state&attrs=last_check_result"
    try:
        connection.request("GET", query, headers={"Authorization": f"Basic {login}"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return {
        one["attrs"]["name"]: (
            int(one["attrs"]["state"]),
            str(one["attrs"]["last_check_result"]["output"]),
            float(one["attrs"]["last_check_result"]["execution_start"]),
        )
        for one in answer["results"]
        if one["attrs"]["last_check_result"] is not None
    }
