"""Whether a staged lineage is as it has to be: what every run looks at, without what mends it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from danebot.adapters.access import Access, grant
from danebot.adapters.certbot.renewal_conf import PATH_SETTINGS
from danebot.adapters.replacing import advice
from danebot.adapters.tree.kept_conf import cut_off
from danebot.adapters.tree.paths import COMBO, KINDS, has_strays, sound_links, versions_of
from danebot.adapters.tree.tree import Sound
from danebot.errors import TreeError

if TYPE_CHECKING:
    from danebot.adapters.certbot.renewal_conf import RenewalConf
    from danebot.adapters.tree.paths import LineagePaths
    from danebot.adapters.tree.tree import Tree
    from danebot.config.settings import ComboAccess
    from danebot.domain.lineage.keys import PublicKey


def is_sound(tree: Tree, paths: LineagePaths) -> bool:
    """Whether there is nothing to heal."""
    return found_sound(tree, paths) is not None


def found_sound(tree: Tree, paths: LineagePaths) -> Sound | None:
    """What there is where there is nothing to heal, found out with as few looks as possible."""
    try:
        staging, live = os.listdir(paths.staging), os.listdir(paths.live)
        archived = os.listdir(paths.archive)
        littered = any(map(tree.littered, (f"{tree.root}/renewal", f"{tree.root}/staging")))
    except OSError:
        return None
    if littered or has_strays((*staging, *live, *archived)) or os.path.lexists(paths.unfinished):
        return None
    archive = versions_of(archived)
    whole = all(len(kinds) == len(KINDS) for kinds in archive.values())
    newest = sound_links(paths, paths.staging)
    current = sound_links(paths, paths.live)
    if COMBO in staging or not whole or not archive or newest != max(archive) or current is None:
        return None
    combo = tree.reader.combo(f"{paths.live}/{COMBO}")
    held = tree.reader.version(paths, current)
    latest = held if newest == current else tree.reader.version(paths, newest)
    if combo is None or held is None or latest is None or held.key != combo.key:
        return None
    conf = tree.conf(paths.name)
    as_it_is = staged_conf(conf, paths, latest.key) is conf and (
        conf.text[-1:] == "\n" or not cut_off(paths)
    )
    return Sound(held, combo, latest, staging) if as_it_is else None


def staged_conf(conf: RenewalConf, paths: LineagePaths, key: PublicKey | None) -> RenewalConf:
    """The configuration that a staged lineage needs: staging's paths, the key kept and named.

    A deploy hook is held back until a chain is live.

    A key type is only named where the configuration names another one: certbot refuses to renew
    then.
    """
    wanted_paths = {setting: f"{paths.staging}/{setting}.pem" for setting in PATH_SETTINGS}
    top = {setting: path for setting, path in wanted_paths.items() if conf.top(setting) != path}
    if conf.top("archive_dir") not in ("", str(paths.archive)):
        top["archive_dir"] = str(paths.archive)
    parameters = {} if conf.enabled("reuse_key") else {"reuse_key": "True"}
    if key is not None and key.key_type is not None:
        wanted = key.key_type.conf_settings
        for setting, value in wanted.items():
            named = conf.parameter(setting)
            if (named and named != value) or (not named and "key_type" in parameters):
                parameters[setting] = value
    if top or parameters:
        conf = conf.edited(top=top, parameters=parameters)
    return conf.with_hook_held()


def grant_combo(paths: LineagePaths, access: ComboAccess) -> bool:
    """Give ``combo.pem`` its group and mode, if it is there; whether it had others."""
    try:
        return grant(paths.live / COMBO, combo_access(access))
    except OSError as exc:
        raise TreeError(
            f"cannot give {paths.live / COMBO} its mode and group: {exc.strerror}; {advice(exc)}"
        ) from exc


def combo_access(access: ComboAccess) -> Access:
    """The mode and group of ``combo.pem``; without a configured group the process's own: root's."""
    return Access(access.mode, access.group if access.group is not None else os.getegid())
