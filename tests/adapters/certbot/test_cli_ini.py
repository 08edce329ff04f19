"""``cli.ini`` is read as certbot's parser reads it; that is the judge."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from danebot.adapters.certbot.cli_ini import settings

_CERTBOT_PYTHON = Path(__file__).parents[3] / "build/certbot-venv/bin/python"
TEXT = """\
# key-type = dsa
; key-type = dsa
---
[section]
key-type = rsa   # those of all
rsa-key-size: 4096
--elliptic-curve secp384r1
deploy-hook = "cp -L x y; echo 'a # b'"
post-hook='reload'
non-interactive
agree-tos=True
server =
email = a=b
"""
_PARSE = """\
import configargparse, io, json, sys
print(json.dumps(configargparse.DefaultConfigFileParser().parse(io.StringIO(sys.stdin.read()))))
"""


def _settings(root: Path) -> dict[str, str]:
    return dict(settings(root, {"XDG_CONFIG_HOME": str(root / "xdg")}, root))


def test_each_way_to_write_a_setting(tmp_path: Path) -> None:
    (tmp_path / "cli.ini").write_text(TEXT)
    assert _settings(tmp_path)["key-type"] == "rsa"
    if not _CERTBOT_PYTHON.exists():
        pytest.skip("needs build/certbot-venv (make deps)")
    done = subprocess.run(
        [_CERTBOT_PYTHON, "-c", _PARSE], input=TEXT, capture_output=True, text=True, check=True
    )
    judged = {name.removeprefix("--"): value for name, value in json.loads(done.stdout).items()}
    assert _settings(tmp_path) == judged


def test_the_users_file_is_read_as_well_and_an_alias_known(tmp_path: Path) -> None:
    (tmp_path / "xdg/letsencrypt").mkdir(parents=True)
    (tmp_path / "xdg/letsencrypt/cli.ini").write_text("renew-hook = x\n")
    assert _settings(tmp_path) == {"deploy-hook": "x"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"\n\n = 1\n"])
def test_what_is_no_use_says_nothing(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "cli.ini").write_bytes(content)
    assert _settings(tmp_path) == {}
