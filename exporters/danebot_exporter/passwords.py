"""Passwords of basic authentication (RFC 7617): one check at a time, and a bound for guesses."""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import hmac
import secrets
import threading
import time
from collections.abc import Iterator, Mapping

_MOST_REMEMBERED = 100  # who got in
_MOST_WAITING = 8  # different passwords
_MOST_PEERS = 1000
_FREE, _EACH = 10, 10.0  # wrong ones of a peer at once; then one in so many seconds


class Admission(enum.Enum):
    """What becomes of a request."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    LATER = "later"  # nothing was looked at


class Passwords:
    """Who may read: bcrypt hashes by name; none at all means everybody.  Thread-safe.

    Who was let in is remembered and waits for nobody.  Every other check costs the same, whether
    or not there is such a user, and runs alone, so that guesses take one core and no more.
    """

    def __init__(self, users: Mapping[str, bytes]) -> None:
        """Nobody asked yet."""
        self._users = users
        self._secret = secrets.token_bytes(32)
        self._checking = threading.Lock()
        self._lock = threading.Lock()  # of all that follows
        self._known: dict[bytes, None] = {}
        self._waiting: dict[bytes, int] = {}
        self._free_at: dict[str, float] = {}  # by peer: when all its wrong ones are forgotten

    def admits(self, authorization: str | None, peer: str) -> Admission:
        """Judge an ``Authorization`` header; ``peer`` is who sent it."""
        if not self._users:
            return Admission.ADMITTED
        credentials = _credentials(authorization)
        if credentials is None:
            return Admission.REFUSED
        name, password = credentials
        token = hmac.digest(self._secret, name.encode() + b"\0" + password, "sha256")
        if self._is_known(token):
            return Admission.ADMITTED
        with self._place(token) as free:
            if not free:
                return Admission.LATER
            with self._checking:
                if self._is_known(token):  # its sibling was before it
                    return Admission.ADMITTED
                if not self._may_guess(peer):
                    return Admission.LATER
                fine = self._fits(name, password)
                self._note(token, peer, fine=fine)
        return Admission.ADMITTED if fine else Admission.REFUSED

    def _is_known(self, token: bytes) -> bool:
        with self._lock:
            return token in self._known

    @contextlib.contextmanager
    def _place(self, token: bytes) -> Iterator[bool]:
        """Whether there is room to wait; those that wait with one password take one place."""
        with self._lock:
            free = token in self._waiting or len(self._waiting) < _MOST_WAITING
            if free:
                self._waiting[token] = self._waiting.get(token, 0) + 1
        try:
            yield free
        finally:
            with self._lock:
                if free:
                    self._waiting[token] -= 1
                    if not self._waiting[token]:
                        del self._waiting[token]

    def _may_guess(self, peer: str) -> bool:
        with self._lock:
            return self._free_at.get(peer, 0.0) - time.monotonic() <= (_FREE - 1) * _EACH

    def _note(self, token: bytes, peer: str, *, fine: bool) -> None:
        now = time.monotonic()
        with self._lock:
            if fine:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.pop(next(iter(self._known)))
                self._known[token] = None
                return
            free_at = max(self._free_at.pop(peer, now), now) + _EACH
            if len(self._free_at) >= _MOST_PEERS:
                self._free_at.pop(next(iter(self._free_at)))
            self._free_at[peer] = free_at  # the last to guess is the last to be forgotten

    def _fits(self, name: str, password: bytes) -> bool:
        """Whether that is the user's password; takes as long as the dearest hash for everybody."""
        import bcrypt

        dearest = max(map(_cost, self._users.values()))
        hashed = self._users.get(name)
        if hashed is None:
            bcrypt.hashpw(password[:72], bcrypt.gensalt(dearest))
            return False
        fine = bcrypt.checkpw(password[:72], hashed)
        for cost in range(_cost(hashed), dearest):  # 2^c + 2^c + 2^(c+1) ... make 2^dearest
            bcrypt.hashpw(password[:72], bcrypt.gensalt(cost))
        return fine


def _cost(hashed: bytes) -> int:
    """The binary logarithm of bcrypt's rounds."""
    return int(hashed.split(b"$")[2])


def _credentials(authorization: str | None) -> tuple[str, bytes] | None:
    """Name and password, None if there are none."""
    scheme, _, rest = (authorization or "").partition(" ")
    try:
        user, colon, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        name = user.decode()
    except (binascii.Error, ValueError):
        return None
    if scheme.lower() != "basic" or not colon or b"\0" in user + password:
        return None
    return name, password
