"""What certbot saved of a lineage, as options of its command line.

``certbot renew`` reads ``[renewalparams]``; ``certonly``, which alone can change the names, does
not.  certbot saves an option ``--some-thing`` as ``some_thing``, plugins' own included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from danebot.adapters.renewal_conf import PARAMETERS, RenewalConf

_OTHERWISE_SAID = {
    *("config_dir", "key_type", "rsa_key_size", "elliptic_curve", "reuse_key"),
    *("webroot_path", "webroot_map"),
}
_LEFT_OUT = {
    "allow_subset_of_names",  # all of the names are wanted, or nothing is to change
    "autorenew",
    "manual_public_ip_logging_ok",  # certbot has dropped it
}
_RENAMED = {
    "http01_address": "http-01-address",
    "http01_port": "http-01-port",
    "pref_challs": "preferred-challenges",
    "renew_hook": "deploy-hook",
}
_MAP = f"{PARAMETERS}/webroot_map"
_DIRECTORY = re.compile(r"\s*([^=\[#]+?)\s*=\s*(.*?)\s*$")  # a name has dots


def saved_options(conf: RenewalConf) -> tuple[str, ...]:
    """The options that lead ``certonly`` to the same CA, account and challenge as ``renew``."""
    found: list[str] = []
    for (section, name), value in conf.settings.items():
        if section != PARAMETERS or name in _OTHERWISE_SAID or name in _LEFT_OUT:
            continue
        option = f"--{_RENAMED.get(name, name.replace('_', '-'))}"
        match value:
            case "" | "None" | "False":
                continue
            case "True":
                found.append(option)
            case _:  # with "=", so that a value may begin with a dash
                found.append(f"{option}={value.removesuffix(',')}")
    return (*found, *_webroot(conf))


def _webroot(conf: RenewalConf) -> Iterator[str]:
    """The directory of each name, and for new names the one that was given last."""
    directories = {
        match[1].strip("\"'"): match[2].strip("\"'")
        for section, line in conf.sectioned()
        if section == _MAP and (match := _DIRECTORY.match(line)) is not None
    }
    if directories:
        yield f"--webroot-map={json.dumps(directories)}"
    paths = [path.strip(" \"'") for path in conf.parameter("webroot_path").split(",")]
    for path in [path for path in paths if path][-1:]:
        yield f"--webroot-path={path}"
