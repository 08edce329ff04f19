"""Settings: ``danebot.toml``, and the shell program's defaults file, read as data.

Both are read once, at the edge; everything behind sees frozen `Settings`.  Nothing here runs what
a file says.
"""

from __future__ import annotations

from danebot.config.load import load, told_snapshot
from danebot.config.settings import (
    ComboAccess,
    Effective,
    EndpointSetting,
    LineageSettings,
    Method,
    PublishSettings,
    ServerAddress,
    Settings,
)
from danebot.domain.addresses import SocketAddress

__all__ = [
    "ComboAccess",
    "Effective",
    "EndpointSetting",
    "LineageSettings",
    "Method",
    "PublishSettings",
    "ServerAddress",
    "Settings",
    "SocketAddress",
    "load",
    "told_snapshot",
]
