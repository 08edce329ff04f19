"""A CA's directory (RFC 8555 section 7.1.1): whether it can be reached, and what its clock shows.

Nothing is believed of it but the time, and nothing is asked for; whether its certificate is good is
certbot's to judge.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from danebot.domain.names import printable

DEFAULT = "https://acme-v02.api.letsencrypt.org/directory"
"""Certbot's own default."""
_PATIENCE = timedelta(seconds=10)


def ask_directory(url: str) -> tuple[str, datetime | None]:
    """Return why it can't be reached, "" if it was, and the time (UTC) that it gave, if any.

    As certbot does, by the proxy that the environment names.  The whole answer has to come in time:
    nobody knows yet who gives it.
    """
    from queue import Empty, SimpleQueue
    from threading import Thread

    found: SimpleQueue[tuple[str, datetime | None]] = SimpleQueue()
    Thread(target=lambda: found.put(_ask(url)), daemon=True).start()
    seconds = _PATIENCE.total_seconds()
    try:
        return found.get(timeout=seconds)
    except Empty:
        return f"no answer within {seconds:.0f} s", None


def _ask(url: str) -> tuple[str, datetime | None]:
    import ssl
    from email.utils import parsedate_to_datetime
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    if not url.startswith("https://"):
        return "no https URL", None
    try:
        with urlopen(url, timeout=_PATIENCE.total_seconds(), context=unverified) as answer:  # noqa: S310 - https
            said = answer.headers.get("Date")
    except HTTPError as exc:
        return f"it answers {exc.code} {printable(str(exc.reason))}", None
    except (OSError, HTTPException, ValueError) as exc:
        return printable(str(getattr(exc, "reason", exc)) or type(exc).__name__), None
    try:
        return "", parsedate_to_datetime(said or "").astimezone(UTC)
    except (ValueError, OverflowError):  # far off, with its zone
        return "", None
