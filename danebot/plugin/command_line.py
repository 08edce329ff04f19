"""The command lines of plugins: what is wrong with one is a value, help is another; none ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from danebot.errors import DanebotError

if TYPE_CHECKING:
    from danebot.domain.addresses import SocketAddress


class HelpShown(Exception):  # noqa: N818 - no error
    """Help or the version was asked for: ``text`` is all there is to print."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class UsageError(DanebotError):
    """Options that can't be meant."""


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` for what is wrong with the options, `HelpShown` for help and version."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - theirs
        """Refuse empty words first: they come of a scheduler's macro that isn't set."""
        words = sys.argv[1:] if args is None else list(args)
        for number, word in enumerate(words):
            if word and not (word.endswith("=") and word[:-1] in self._option_string_actions):
                continue
            before = word[:-1] or (words[number - 1] if number else "the first argument")
            self.error(f"{before}: the value is empty, as of a macro that isn't set")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Report a usage error."""
        raise UsageError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> NoReturn:
        """Hand over help or the version, which argparse would print before it ends the process."""
        del file
        raise HelpShown(message)


def add_resolver_options(group: argparse._ArgumentGroup) -> None:
    """Add ``--resolver`` and ``--trust-resolver``; `named_resolvers` reads the former."""
    words = "validating resolver; default: /etc/resolv.conf"
    group.add_argument("--resolver", action="append", metavar="ADDR[:PORT]", help=words)
    words = "believe its AD bit though it is elsewhere"
    group.add_argument("--trust-resolver", action="store_true", help=words)


def named_resolvers(words: Sequence[str] | None) -> tuple[SocketAddress, ...] | None:
    """The resolvers that options name, None without any; `UsageError` for what is no address."""
    from danebot.domain.addresses import parse_socket_address

    found = []
    for word in words or ():
        address = parse_socket_address(word)
        if address is None:
            raise UsageError(f"--resolver {word!r}: want an IP address, and perhaps a port")
        found.append(address)
    return tuple(found) or None
