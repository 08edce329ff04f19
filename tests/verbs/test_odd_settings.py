"""Whatever lies where a setting names a file: no verb hangs, and one line says what is wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from verbs.desk import HERE, Desk, of_key

PUBLISH = ("[publish]", 'method = "rfc2136"', 'server = "127.0.0.1:1"')


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    """What hangs ends with a `TimeoutError`."""

    def tell(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, tell)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("make", [pipe, device])
@pytest.mark.parametrize(
    ("setting", "verb", "says"),
    [
        ("config_dir", "renew", "is no certbot tree"),
        ("config_dir", "doctor", "is no certbot tree"),
        ("certbot", "renew", "is not a program that can be run"),
        ("certbot", "doctor", "is not a program that can be run"),
        ("snapshot", "doctor", "not a status document"),
        ("ca_file", "renew", "the trust store {} can't be read: not a regular file"),
        ("ca_file", "doctor", "the trust store {} can't be read: not a regular file"),
        ("ca_file", "verify", "the trust store {} can't be read: not a regular file"),
        ("key_file", "doctor", "cannot be read: not a regular file"),
    ],
)
def test_a_pipe_or_a_device(
    desk: Desk, setting: str, verb: str, says: str, make: Callable[[Path], None]
) -> None:
    grown = desk.staged(f"1 {HERE}")
    grown.version(2)
    grown.link(grown.paths.staging, 2)  # issued, and to be judged
    desk.dns.publish(of_key("one"))
    path = desk.root / "odd"
    make(path)
    if setting == "key_file":
        desk.more += [*PUBLISH, f'key_file = "{path}"']
    else:
        desk.settings[setting] = str(path)
    said = desk.danebot(verb, *(["null.test"] if verb == "verify" else []))
    assert said.status == 1
    told = [line for line in (said.out + said.err).splitlines() if str(path) in line]
    assert any(says.format(path) in line for line in told), told
