"""A real Nagios 4 on loopback, without its web pages: the shipped definitions, as nobody."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from monitoring.plugins import AS_NOBODY

DEFINITIONS = Path(__file__).parents[2] / "checks/nagios/danebot.cfg"
PROGRAM = "/usr/sbin/nagios4"
_BLOCK = re.compile(r"^servicestatus \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)

_CONFIGURATION = """\
log_file={directory}/nagios.log
cfg_file={directory}/site.cfg
cfg_file={directory}/danebot.cfg
object_cache_file={directory}/objects.cache
status_file={directory}/status.dat
state_retention_file={directory}/retention.dat
check_result_path={directory}/results
temp_file={directory}/nagios.tmp
temp_path={directory}
lock_file={directory}/nagios.pid
command_file={directory}/nagios.cmd
query_socket={directory}/nagios.qh
log_archive_path={directory}
nagios_user=nobody
nagios_group=nogroup
check_external_commands=0
retain_state_information=0
check_for_updates=0
use_syslog=0
enable_notifications=0
interval_length=1
status_update_interval=1
check_result_reaper_frequency=1
service_inter_check_delay_method=n
service_interleave_factor=1
max_service_check_spread=1
"""

_SITE = """\
define timeperiod {
    timeperiod_name  24x7
    alias            always
    sunday           00:00-24:00
    monday           00:00-24:00
    tuesday          00:00-24:00
    wednesday        00:00-24:00
    thursday         00:00-24:00
    friday           00:00-24:00
    saturday         00:00-24:00
}
define command {
    command_name  nothing
    command_line  /bin/true
}
define contact {
    contact_name                   operator
    host_notification_period       24x7
    service_notification_period    24x7
    host_notification_options      n
    service_notification_options   n
    host_notification_commands     nothing
    service_notification_commands  nothing
}
define contactgroup {
    contactgroup_name  admins
    alias              operators
    members            operator
}
define host {
    host_name           mail.example.org
    alias               a mail server
    address             127.0.0.1
    max_check_attempts  1
    check_period        24x7
    contact_groups      admins
}
"""


@dataclass(frozen=True)
class Site:
    """What the operator would change in the shipped files; ``interval`` in seconds."""

    directory: Path
    programs: Path
    snapshot: Path
    resolver: str
    interval: int = 4


def shipped(site: Site) -> str:
    """The shipped file with this site's paths and names, checking faster than anybody would."""
    text = DEFINITIONS.read_text(encoding="utf-8")
    changes = [
        (r"/usr/local/bin/check_", f"{site.programs}/check_"),
        (r"(check_danebot!\w+)!?", rf"\1!--snapshot {site.snapshot} "),
        (r"--recheck", f"--recheck --resolver {site.resolver}"),
        (r"DANE example\.org", "DANE example.test"),
        (
            r"check_dane_domain!example\.org",
            f"check_dane_domain!example.test!--resolver {site.resolver} --timeout 30",
        ),
        (r"(check_interval +)5", rf"\g<1>{site.interval}"),
        (r"(retry_interval +)1", rf"\g<1>{site.interval}"),
        (r"(max_check_attempts +)3", r"\g<1>1"),
    ]
    for pattern, words in changes:
        text, count = re.subn(pattern, words, text)
        assert count, pattern
    return text


def configure(site: Site) -> list[str]:
    """Write all that Nagios reads; the argument vector that runs it in the foreground."""
    for directory in (site.directory, site.directory / "results"):
        directory.mkdir(parents=True)
        shutil.chown(directory, "nobody", "nogroup")
    (site.directory / "nagios.cfg").write_text(_CONFIGURATION.format(directory=site.directory))
    (site.directory / "site.cfg").write_text(_SITE)
    (site.directory / "danebot.cfg").write_text(shipped(site))
    return [*AS_NOBODY, PROGRAM, str(site.directory / "nagios.cfg")]


def states(site: Site) -> dict[str, tuple[int, str, float]]:
    """Each service's state, output and when it was looked at; those not checked yet left out."""
    try:
        text = (site.directory / "status.dat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    found = {}
    for block in _BLOCK.findall(text):
        fields = dict(line.strip().split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("has_been_checked") == "1":
            name = fields["service_description"]
            looked = float(fields["last_check"])
            found[name] = (int(fields["current_state"]), fields["plugin_output"], looked)
    return found
