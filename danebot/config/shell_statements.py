"""Which variables a shell file plainly assigns, and which of its lines would have to be run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from danebot.config.shell_words import Operator, Token, UnfinishedError, Word, tokens

_OPENING = {"if": "fi", "for": "done", "while": "done", "until": "done", "select": "done"}
_OPENING |= {"case": "esac", "{": "}", "(": ")"}
_LEADING = ("then", "do", "else", "elif", "if", "while", "until", "{", "!", "time")
_DECLARING = ("export", "declare", "typeset", "readonly")
_JOINING = ("&&", "||", "|")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A variable's new value: ``values`` None if it is unset, or can't be told.

    ``exported`` is about this statement alone.
    """

    name: str
    values: tuple[str, ...] | None
    line: int
    append: bool = False
    exported: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """A variable that is exported without a new value."""

    name: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A statement that would have to be run; ``rest``: so would all that follows it."""

    line: int
    rest: bool = False


Statement = Assignment | Export | Unread


def statements(text: str) -> Iterator[Statement]:
    """The statements of a shell file in order.  Never raises, whatever the text is."""
    stream = tokens(text.replace("\r\n", "\n"))
    fixed: set[str] = set()
    while True:
        command: list[Token] = []
        try:
            ended = _command(stream, command)
        except (UnfinishedError, RecursionError) as exc:
            at = exc.line if isinstance(exc, UnfinishedError) else 1
            yield Unread(command[0].line if command else at, rest=True)
            return
        if any(isinstance(token, Operator) and token.text == "<<" for token in command):
            yield Unread(command[0].line, rest=True)
            return
        words = [token for token in command if isinstance(token, Word)]
        if len(words) < len(command):
            yield Unread(command[0].line)
        elif words:
            read = list(_simple(words, fixed))
            yield from read
            if any(isinstance(statement, Unread) and statement.rest for statement in read):
                return
        if ended:
            return


def _command(stream: Iterator[Token], command: list[Token]) -> bool:
    """Collect one command, a compound one as a whole; True at the end of the file.

    The ``;`` or line end behind a simple command is not collected.
    """
    nesting: list[str] = []
    first = True  # whether a word here would be a command's name or a reserved word
    for token in stream:
        if isinstance(token, Operator):
            joined = bool(command) and _is_joining(command[-1])
            if token.text in ("\n", ";") and not nesting and not (joined and token.text == "\n"):
                return False
            if token.text == "\n" and joined:
                continue
            if token.text == "(" and first:
                nesting.append(")")
            elif token.text == ")" and nesting and nesting[-1] == ")":
                nesting.pop()
            first = token.text not in ("<", ">", "<<<", ">>")
        elif (first or _names_function(command)) and not token.name:
            first = _reserved(token.text, nesting)
        command.append(token)
    if nesting:
        raise UnfinishedError(command[0].line)
    return True


def _reserved(word: str, nesting: list[str]) -> bool:
    """Keep track of a word in a command's place; whether another command may follow at once."""
    if word in _OPENING:
        nesting.append(_OPENING[word])
    elif nesting and word == nesting[-1]:
        nesting.pop()
    return word in _LEADING


def _names_function(command: list[Token]) -> bool:
    """Whether a body follows: ``function NAME`` needs no parentheses before it."""
    return len(command) > 1 and isinstance(command[0], Word) and command[0].text == "function"


def _is_joining(token: Token) -> bool:
    return isinstance(token, Operator) and token.text in _JOINING


def _simple(words: list[Word], fixed: set[str]) -> Iterator[Statement]:
    """A command without operators: assignments, or something that would have to be run.

    ``fixed`` are the names that are read-only so far: what the shell does about another value
    depends on the command.
    """
    head = words[0]
    if any((word.name or word.text) in fixed for word in words):
        yield Unread(head.line, rest=True)
    elif all(word.name for word in words):
        for word in words:
            yield Assignment(word.name, word.values, word.line, word.append)
    elif head.name:  # assignments for one command only
        yield Unread(head.line)
    elif head.text in _DECLARING:
        yield from _declaration(head, words[1:], fixed)
    elif head.text == "unset":
        for word in words[1:]:
            if not word.text.startswith("-"):
                yield Assignment(word.text, None, word.line)
    elif head.text in ("return", "exit"):
        yield Unread(head.line, rest=True)
    else:
        yield Unread(head.line)


def _declaration(head: Word, words: list[Word], fixed: set[str]) -> Iterator[Statement]:
    flags = "".join(word.text for word in words if not word.name and word.text.startswith("-"))
    exported = head.text == "export" or "x" in flags
    if head.text == "readonly" or "r" in flags:
        names = [word.name or word.text for word in words if word.name or word.text[:1] != "-"]
        if len(set(names)) < len(names):
            yield Unread(head.line, rest=True)
            return
        fixed.update(names)
    for word in words:
        if word.name:
            read = Assignment(word.name, word.values, word.line, word.append)
            yield replace(read, exported=exported)
        elif exported and not word.text.startswith("-"):
            yield Export(word.text)
