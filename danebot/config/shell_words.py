"""Shell text taken apart into words and operators, without expanding anything.

Follows the POSIX shell's token recognition (POSIX.1-2017, XCU 2.2 and 2.3) and bash's arrays, as
far as it takes to tell what is a plain assignment from what would have to be run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_OPERATOR = re.compile(r"\n|&&|\|\||;;|<<<|<<|>>|[;&|<>()]")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]\n]*\])?(\+?)=")
_PARAMETER = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_PLAIN = re.compile(r"[^\\'\"$`\s;&|<>()]+")
_IN_DOUBLE = re.compile(r"[^\\\"$`]+")
_LIVELY = re.compile(r"[*?\[{~]")  # unquoted, in a list of words: patterns, braces, home


class UnfinishedError(Exception):
    """A quote, expansion or list that never ends; ``line`` is where it began."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


@dataclass(frozen=True, slots=True)
class Operator:
    """A line's end or a control or redirection operator."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word after quote removal.

    ``name`` is that of the variable it assigns to, "" for any other word.  ``values`` is the text,
    or the words of a list; None if that can't be told without running something.
    """

    line: int
    values: tuple[str, ...] | None
    name: str = ""
    append: bool = False

    @property
    def text(self) -> str:
        """The word as a whole; "" if it can't be told."""
        return " ".join(self.values or ())


Token = Operator | Word


def tokens(text: str) -> Iterator[Token]:
    """The tokens of ``text`` (no carriage returns); `UnfinishedError` where one never ends."""
    return _Lexer(text).tokens()


class _Lexer:
    """Walks through a text once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def tokens(self) -> Iterator[Token]:
        while True:
            self.take(_BLANK)
            self.take(_COMMENT)
            if self.at >= len(self.text):
                return
            line = self.line
            operator = self.take(_OPERATOR)
            if operator is not None:
                yield Operator(operator[0], line)
            else:
                yield self.word()

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def word(self) -> Word:
        line = self.line
        assignment = self.take(_ASSIGNMENT)
        if assignment is None:
            text = self.value()
            return Word(line, None if text is None else (text,))
        append = bool(assignment[3])
        if self.text.startswith("(", self.at):
            values = self.words()
        else:
            start = self.at
            text = self.value()
            home = self.text.startswith("~", start)
            values = None if text is None or home or append else (text,)
        if assignment[2]:  # one element of an array
            values = None
        return Word(line, values, assignment[1], append)

    def words(self) -> tuple[str, ...] | None:
        """The words of a bash array, from its opening to behind its closing parenthesis."""
        line = self.line
        self.at += 1
        found: list[str | None] = []
        while True:
            self.take(_BLANK)
            self.take(_COMMENT)
            if self.at >= len(self.text):
                raise UnfinishedError(line)
            operator = self.take(_OPERATOR)
            if operator is None:
                start = self.at
                text = self.value()
                lively = text is not None and _LIVELY.search(self.text, start, self.at)
                found.append(None if lively else text)
            elif operator[0] == ")":
                values = [text for text in found if text is not None]
                return tuple(values) if len(values) == len(found) else None
            elif operator[0] != "\n":
                found.append(None)

    def value(self) -> str | None:
        """The text up to the end of a word; None if it has an expansion in it."""
        parts: list[str | None] = []
        while self.at < len(self.text):
            plain = self.take(_PLAIN)
            if plain is not None:
                parts.append(plain[0])
                continue
            match self.text[self.at]:
                case "\\":
                    parts.append(self.escape())
                case "'":
                    parts.append(self.single())
                case '"':
                    parts += self.double()
                case "$" if self.text.startswith('$"', self.at):
                    self.at += 1
                    parts.append(None)  # what is quoted so is translated
                case "$" | "`":
                    parts.append(self.expansion())
                case char if char in " \t\n;&|<>()":
                    break
                case char:  # other white space is part of the word
                    self.at += 1
                    parts.append(char)
        whole = [part for part in parts if part is not None]
        return "".join(whole) if len(whole) == len(parts) else None

    def escape(self, special: str = "") -> str:
        """A backslash and what follows; ``special`` limits what it has an effect on."""
        following = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if following == "\n":
            return ""
        if not following:  # at the file's end it is itself
            return "\\"
        return "\\" + following if special and following not in special else following

    def single(self) -> str:
        line, start = self.line, self.at + 1
        end = self.text.find("'", start)
        if end < 0:
            raise UnfinishedError(line)
        self.at = end + 1
        return self.text[start:end]

    def double(self) -> list[str | None]:
        line = self.line
        self.at += 1
        parts: list[str | None] = [""]
        while self.at < len(self.text):
            plain = self.take(_IN_DOUBLE)
            if plain is not None:
                parts.append(plain[0])
                continue
            match self.text[self.at]:
                case '"':
                    self.at += 1
                    return parts
                case "\\":
                    parts.append(self.escape('$`"\\'))
                case _:
                    parts.append(self.expansion())
        raise UnfinishedError(line)

    def expansion(self) -> str | None:
        """Pass over an expansion: None; or a dollar sign that is just that."""
        if self.take(_PARAMETER):
            return None
        line, opening = self.line, self.text[self.at : self.at + 2]
        if opening in ("$(", "${"):
            self.at += 2
            self.until(")" if opening == "$(" else "}", line)
            return None
        if opening[0] == "`":
            end = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL).match(self.text, self.at)
            if end is None:
                raise UnfinishedError(line)
            self.at = end.end()
            return None
        self.at += 1
        return None if self.text.startswith("'", self.at) else "$"  # $'...' has its own escapes

    def until(self, closing: str, line: int) -> None:
        """Pass over everything up to ``closing``, nested expansions and quotes included."""
        opening = {")": "(", "}": "{"}[closing]
        depth = 1
        while self.at < len(self.text):
            char = self.text[self.at]
            match char:
                case "'":
                    self.single()
                case '"':
                    self.double()
                case "\\":
                    self.escape()
                case _:
                    self.at += 1
                    depth += (char == opening) - (char == closing)
                    if not depth:
                        return
        raise UnfinishedError(line)
