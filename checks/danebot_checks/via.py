"""How ``check_dane`` begins: with ``--via`` it has a danebot-exporter look, and prints its words.

That is over before the plugin itself would have been imported, so nothing is imported here but
what the interpreter has loaded or compiled in: ``socket`` alone would take half as long again as
all the rest, and ``_socket`` has all that is needed.

A request is ``danebot-check/1 LENGTH`` on a line, then the arguments, separated by NUL; an answer
is ``danebot-check/1 STATUS LENGTH`` on a line, then what to print.  At a URL the arguments are the
body of a POST, the answer that of a response.  One that is not whole is none.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from time import monotonic, sleep

from danebot_checks.via_answer import MAGIC, NoAnswer, left, read_answer, received

TYPE_CHECKING = False  # typing costs a millisecond
if TYPE_CHECKING:
    from typing import NoReturn

_BEGIN = monotonic()
_UNKNOWN = 3
_SHOWN = 300  # characters of what was named: there has to be room for the reason
_PATIENCE, _LEAST, _LONGEST = 30.0, 1.0, 3600.0  # seconds, as the plugin has them
_VALUES = ("--via", "--via-login", "--via-ca")


def main() -> NoReturn:
    """Ask, or run the plugin; end the process."""
    words = sys.argv[1:]
    via = last_value(words, "--via")
    if not via or _has_empty(words) or _asks_for_help(words):
        _plugin(0.0)
    local = "--or-local" in words
    patience = _patience(words)
    try:
        status, text = answer_of(via, words, _BEGIN + (patience / 3 if local else patience))
    except NoAnswer as why:
        if local:
            _plugin(monotonic() - _BEGIN)
        _end(_UNKNOWN, _line(f"{_shown(via)}: {why}"))
    except KeyboardInterrupt:
        _end(_UNKNOWN, _line("interrupted"))
    except BaseException as exc:  # noqa: BLE001 - nothing is above this
        _end(_UNKNOWN, _line(f"{_shown(via)}: {type(exc).__name__}: {exc}; please report this"))
    _end(status, text)


def answer_of(via: str, words: list[str], until: float) -> tuple[int, str]:
    """Return the status and the text that came by ``until`` (monotonic), or raise `NoAnswer`."""
    body = b"\0".join(_octets(word) for word in _without_secrets(words))
    try:
        if "://" in via:
            from danebot_checks.via_url import post

            login, ca_file = last_value(words, "--via-login"), last_value(words, "--via-ca")
            answer = post(via, body, login, ca_file, until)
        else:
            answer = _over_socket(via, MAGIC + b"%d\n" % len(body) + body, until)
    except TimeoutError:
        raise NoAnswer("no answer in time; allow more (--timeout), or see its log") from None
    return read_answer(answer)


def _over_socket(path: str, request: bytes, until: float) -> bytes:
    import _socket

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        while True:
            sock.settimeout(left(until))
            try:
                sock.connect(_octets(path))
                break
            except BlockingIOError:  # so many wait there that there is no room
                sleep(min(0.02, left(until)))
        try:  # contextlib is not imported here
            sock.sendall(request)
        except (BrokenPipeError, ConnectionResetError):  # it has said why it reads no more
            return received(sock, until)
        return received(sock, until)
    except TimeoutError:
        raise
    except (FileNotFoundError, ConnectionRefusedError):
        words = "nobody answers there; start danebot-exporter with --check.socket"
        if "/" not in path:
            words = "no such socket; a URL begins with http:// or https://"
        raise NoAnswer(words) from None
    except PermissionError:
        raise NoAnswer("this user may not ask; see --check.socket-mode, and the folder") from None
    except (OSError, ValueError) as exc:
        raise NoAnswer(f"{getattr(exc, 'strerror', None) or exc}; correct --via") from None
    finally:
        sock.close()


def last_value(words: list[str], name: str) -> str | None:
    """The last value of a long option, as argparse finds it; None without any."""
    found = None
    for number, word in enumerate(words):
        if word == name:
            found = words[number + 1] if words[number + 1 :] else None
        elif word.startswith(f"{name}="):
            found = word[len(name) + 1 :]
    return found


def _patience(words: list[str]) -> float:
    """What ``--timeout`` or ``-t`` allow; the usual where the other side will refuse them."""
    found = None
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == "--timeout":
            found = value if equals else "".join(words[number + 1 : number + 2])
        elif word.startswith("-") and word[1:].lstrip("46v").startswith("t"):
            rest = word[1:].lstrip("46v")[1:].removeprefix("=")
            found = rest or "".join(words[number + 1 : number + 2])
    try:
        seconds = _PATIENCE if found is None else float(found)
    except ValueError:
        return _PATIENCE
    return seconds if _LEAST <= seconds <= _LONGEST else _PATIENCE


def _has_empty(words: list[str]) -> bool:
    """Whether a value is empty, of what isn't handed on, too: the plugin refuses that."""
    return "" in words or any(f"{name}=" in words for name in _VALUES)


def _asks_for_help(words: list[str]) -> bool:
    return any(
        word in {"--help", "--version"}
        or (word[:1] == "-" and word[1:].lstrip("46v")[:1] in {"h", "V"})
        for word in words
    )


def _without_secrets(words: list[str]) -> list[str]:
    """The arguments in their places, without what is the client's own business."""
    found = list(words)
    for number, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in _VALUES and equals:
            found[number] = f"{name}=."
        elif word in _VALUES and words[number + 1 :] and not words[number + 1].startswith("-"):
            found[number + 1] = "."
    return found


def _octets(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")


def _shown(via: str) -> str:
    """What was named, without the password that somebody put into a URL."""
    scheme, mark, rest = via.partition("://")
    _, at, place = rest.rpartition("@")
    return (f"{scheme}{mark}...{at}{place}" if at else via)[:_SHOWN]


def _line(text: str) -> str:
    """Our own words as a plugin's line: none that are foreign may forge another."""
    shown = "".join(one if one.isprintable() and one not in "|\\" else "?" for one in text)
    return f"DANE UNKNOWN - {shown[:1000]}\n"


def _plugin(spent: float) -> NoReturn:
    from danebot_checks.dane import main as look

    look(spent)


def _end(status: int, text: str) -> NoReturn:
    """Print, in any locale, also if nobody reads; and be gone, without tidying up."""
    try:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:
        pass
    os._exit(status)
