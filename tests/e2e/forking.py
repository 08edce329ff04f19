"""danebot, imported once and forked for each run under a fault: a start costs more than most runs.

    PYTHON -P forking.py DESCRIPTOR

A double of danebot's start, and of nothing else: what runs is `danebot.cli.command` in a process of
its own, with the words, environment, directory and streams that it is given, and with `faults.c`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import danebot
from danebot import cli

_STATUS = struct.Struct("i")
_MOST = 1 << 17  # octets of a request
_LATER = ("dns.asyncbackend", "dns.dnssec", "dns.query", "dns.resolver", "dns.update", "dns.tsig")
_EXIT_STATUS = 70


class Forking:
    """One that has imported it all, with a library preloaded; `run` has it fork."""

    def __init__(self, library: Path, env: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                env={**env, "LD_PRELOAD": str(library)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as the streams of its forks, which nobody can seek in
                stderr=subprocess.PIPE,
            )

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._server.wait(60)

    def run(
        self, words: Sequence[str], env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """danebot with such words, as `subprocess.run` would; `TimeoutError`."""
        request = json.dumps([list(words), dict(env), str(Path.cwd())]).encode()
        self._channel.settimeout(timeout)
        with contextlib.ExitStack() as opened, ThreadPoolExecutor(2) as readers:
            out, err = os.pipe(), os.pipe()
            nothing = os.open(os.devnull, os.O_RDONLY)
            socket.send_fds(self._channel, [request], [nothing, out[1], err[1]])
            for one in (nothing, out[1], err[1]):
                os.close(one)
            texts = [
                readers.submit(opened.enter_context(open(fd, encoding="utf-8")).read)  # noqa: PTH123
                for fd in (out[0], err[0])
            ]
            (pid,) = _STATUS.unpack(self._channel.recv(_STATUS.size))
            try:
                (status,) = _STATUS.unpack(self._channel.recv(_STATUS.size))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
            # not before all that it started have ended, as with a pipe of subprocess.run
            said, told = (text.result() for text in texts)
        return subprocess.CompletedProcess([*words], status, said, told)


def _import_all() -> None:
    names = [one.name for one in pkgutil.walk_packages(danebot.__path__, "danebot.")]
    for name in (*names, *_LATER):
        if not name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # of an extra
                importlib.import_module(name)


def _become(request: bytes, streams: Sequence[int]) -> None:
    words, variables, directory = json.loads(request)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(directory)
    sys.argv = ["danebot", *words]
    ctypes.CDLL(None).faults_begin()


def main() -> None:
    """Fork for each request, one after the other, until there is nobody any more."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    _import_all()
    gc.freeze()
    while True:
        request, streams, _, _ = socket.recv_fds(channel, _MOST, 3)
        if not request:
            return
        child = os.fork()
        if child == 0:
            try:
                channel.close()
                _become(request, streams)
                cli.command()
            except BaseException:  # noqa: BLE001 - whatever it is, it is no start of danebot's
                traceback.print_exc()
            finally:
                os._exit(_EXIT_STATUS)
        for stream in streams:
            os.close(stream)
        channel.send(_STATUS.pack(child))
        _, status = os.waitpid(child, 0)
        channel.send(_STATUS.pack(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main()
