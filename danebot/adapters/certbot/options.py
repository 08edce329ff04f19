"""What certbot saved of a lineage, as options of its command line.

``certbot renew`` reads ``[renewalparams]``; ``certonly``, which alone can change the names, does
not.  certbot saves an option ``--some-thing`` as ``some_thing``, plugins' own included.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from danebot.adapters.certbot.renewal_conf import PARAMETERS, RenewalConf, joined

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
_MAP = (PARAMETERS, "webroot_map")


def saved_options(conf: RenewalConf, names: Collection[str]) -> tuple[str, ...]:
    """The options that lead ``certonly`` to the same CA, account and challenge as ``renew``.

    ``names`` are those of the new certificate.
    """
    found: list[str] = []
    for entry in conf.entries:
        name, value = entry.name, joined(entry)
        if entry.section != (PARAMETERS,) or name in _OTHERWISE_SAID or name in _LEFT_OUT:
            continue
        option = f"--{_RENAMED.get(name, name.replace('_', '-'))}"
        match value:
            case "" | "None" | "False":
                continue
            case "True":
                found.append(option)
            case _:  # with "=", so that a value may begin with a dash
                found.append(f"{option}={value}")
    return (*found, *_webroot(conf, names))


def _webroot(conf: RenewalConf, names: Collection[str]) -> Iterator[str]:
    """The directory of each name, and for new names the one that was given last.

    certbot takes every name of the map into the certificate.
    """
    directories = {
        entry.name: joined(entry)
        for entry in conf.entries
        if entry.section == _MAP and entry.name in names
    }
    if directories:
        yield f"--webroot-map={json.dumps(directories)}"
    for path in [path for path in conf.parameter("webroot_path").split(",") if path][-1:]:
        yield f"--webroot-path={path}"
