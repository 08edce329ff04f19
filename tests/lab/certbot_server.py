"""certbot, imported once and forked for each call: half of a call's CPU time goes into importing.

    PYTHON -P certbot_server.py SOCKET CERTBOT

PYTHON is that of certbot's own environment.  A double of certbot's start, and of the seconds that
it waits before it asks whether Pebble is done (it is at once): what runs is certbot's own code and
its plugins, in a process of its own, with the caller's words, environment, directory, streams,
umask, limits, and mount and network namespaces.  It is no child of its caller, and doesn't share
its session: `certbot_client.c` stands there, passes signals on and
ends as certbot ends; when the client is killed, so is certbot with its group.  Where a caller has
more to hand on (a preloaded library, another locale, a tracer, fewer privileges), the client
becomes the plain program.  Tests of what certbot is as a process use that: `Lab.plain_certbot()`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

from acme import client as acme_client  # type: ignore[import-not-found]
from certbot import main, util  # type: ignore[import-not-found]
from certbot._internal.plugins import disco  # type: ignore[import-not-found]

# what of /proc/PID/status has to be the server's own
_SAME = ("TracerPid", "Uid", "Gid", "Groups", "SigBlk", "NoNewPrivs", "Seccomp")
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_PYTHONS_OWN = (1 << signal.SIGPIPE - 1) | (1 << signal.SIGXFSZ - 1)  # Python ignores them
# what Python, certbot's modules and the dynamic linker read when they start
_AT_START = (b"PYTHON", b"LD_", b"LC_", b"LANG", b"XDG_", b"HOME", b"OPENSSL_", b"MALLOC")
_OTHER_NAMESPACES = ("cgroup", "ipc", "pid", "user", "uts")
_PDEATHSIG = 1
_NAP = 0.05  # seconds
_libc = ctypes.CDLL(None, use_errno=True)


class Server:
    """Forks for each caller, and tells each how its certbot ended."""

    def __init__(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)  # of a server that was stopped
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(16)
        self._running: dict[int, tuple[int, socket.socket]] = {}  # by pidfd
        self._clients: dict[int, int] = {}  # the pidfd, by the connection's descriptor
        self._poll = select.poll()
        self._poll.register(self._listener, select.POLLIN)

    def serve(self) -> int:
        """Serve for ever; return, in each fork, its caller's pid."""
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._listener.fileno():
                    if caller := self._accept():
                        return caller
                elif fd in self._running:
                    self._ended(fd)
                elif fd in self._clients:  # the client was killed
                    self._poll.unregister(fd)
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._running[self._clients.pop(fd)][0], signal.SIGKILL)

    def _accept(self) -> int:
        """Fork for a caller, and return its pid in the fork; 0 in the server."""
        client, _ = self._listener.accept()
        octets = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        caller, _, _ = struct.unpack("3i", octets)  # pid, uid, gid
        streams = socket.recv_fds(client, 1, 3)[1]
        child = os.fork() if len(streams) == 3 and stands_for(caller, streams) else None
        if child == 0:
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        if child == 0:
            self._forget(client)
            return int(caller)
        with contextlib.suppress(BrokenPipeError):
            client.sendall(struct.pack("i", child or 0))
        if child is None:
            client.close()
        else:
            pidfd = os.pidfd_open(child)
            self._running[pidfd], self._clients[client.fileno()] = (child, client), pidfd
            for one in (pidfd, client.fileno()):
                self._poll.register(one, select.POLLIN)
        return 0

    def _forget(self, client: socket.socket) -> None:
        """Close, in a fork, what is the server's."""
        for pidfd, (_, other) in self._running.items():
            os.close(pidfd)
            other.close()
        client.close()
        self._listener.close()

    def _ended(self, pidfd: int) -> None:
        child, client = self._running.pop(pidfd)
        status = os.waitpid(child, 0)[1]
        with contextlib.suppress(BrokenPipeError):
            client.sendall(struct.pack("i", status))
        if self._clients.pop(client.fileno(), None):
            self._poll.unregister(client)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        client.close()


def stands_for(caller: int, streams: list[int]) -> bool:
    """Whether a fork of this process is what the caller would get from the plain program."""
    proc, own = Path(f"/proc/{caller}"), status(os.getpid())
    try:
        theirs = status(caller)
        ignored = int(theirs["SigIgn"], 16) | _PYTHONS_OWN
        return (
            all(theirs[name] == own[name] for name in (*_SAME, *_CAPABILITIES))
            and ignored == int(own["SigIgn"], 16) | _PYTHONS_OWN
            and at_start(environment(caller)) == at_start(os.environb)
            and len(os.listdir(proc / "fd")) == 4  # the three, and the connection
            and not any(map(os.isatty, streams))
            and all(namespace(caller, n) == namespace(os.getpid(), n) for n in _OTHER_NAMESPACES)
            and (proc / "cgroup").read_bytes() == Path("/proc/self/cgroup").read_bytes()
        )
    except (OSError, KeyError):  # it is gone
        return False


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def environment(pid: int) -> dict[bytes, bytes]:
    words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return {name: value for name, _, value in (word.partition(b"=") for word in words if word)}


def at_start(variables: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: value for name, value in variables.items() if name.startswith(_AT_START)}


def namespace(pid: int, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def become(caller: int) -> None:
    """Take over what the plain program would have from its caller; its words go to sys.argv."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL)  # of the server, which ends with the lab
    proc = f"/proc/{caller}"
    words = Path(f"{proc}/cmdline").read_bytes().split(b"\0")[2:-1]
    sys.argv = [os.fsdecode(word) for word in words]
    variables = environment(caller)
    os.environb.clear()
    os.environb.update(variables)
    time.tzset()
    os.umask(int(status(caller)["Umask"], 8))
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, caller))
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            kind = getattr(resource, name)
            resource.setrlimit(kind, resource.prlimit(caller, kind))
    directory, root = (os.open(f"{proc}/{name}", os.O_PATH) for name in ("cwd", "root"))
    for kind in ("net", "mnt"):
        if namespace(caller, kind) != namespace(os.getpid(), kind):
            entered = os.open(f"{proc}/ns/{kind}", os.O_RDONLY)
            if _libc.setns(entered, 0):
                raise OSError(ctypes.get_errno(), f"setns: {kind}")
            os.close(entered)
    os.fchdir(root)  # a mount namespace is entered at its own root, which a chroot isn't
    os.chroot(".")
    os.fchdir(directory)
    for opened in (root, directory):
        os.close(opened)
    util._INITIAL_PID = os.getpid()  # its locks and logs are this process's to close
    if "FAULTS" in os.environ:  # e2e/faults.c, which found no plan when the server started
        ctypes.CDLL(None).faults_begin()


def nap(seconds: float) -> None:
    """What `acme` waits between questions, shorter."""
    time.sleep(min(seconds, _NAP))


if __name__ == "__main__":
    acme_client.time = SimpleNamespace(**{**vars(time), "sleep": nap})
    disco.PluginsRegistry.find_all()
    gc.freeze()
    become(Server(sys.argv[1]).serve())
    sys.exit(main.main())
