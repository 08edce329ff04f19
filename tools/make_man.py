"""Writes docs/man/danebot.8 from the command line's own help; a test holds the two together."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from danebot import __version__  # noqa: E402 - the checkout's own
from danebot.cli import danebot  # noqa: E402

PAGE = ROOT / "docs" / "man" / "danebot.8"
TAIL = """\
.SH EXIT STATUS
.TP
0
fine; waiting is fine
.TP
1
something needs attention: the lines say what, and what to do
.TP
2
wrong usage
.SH FILES
.TP
/etc/danebot/danebot.toml
settings, all optional
.TP
/etc/default/danebot
settings of the shell program of the same name, read as data
.TP
/var/lib/danebot/status.json
the public status document
.TP
/etc/letsencrypt/staging/LINEAGE/dane-ee
the TLSA owners that are watched, a line each: MATCHING-TYPE OWNER.
A 3 1 x record of the key is expected there, unless the owner relies on DANE-TA (2 x x) records
.TP
/etc/letsencrypt/staging/LINEAGE/dnsnames
names that a certificate must have to be deployed
.TP
/etc/letsencrypt/live/LINEAGE/combo.pem
key and chain, for services to read
.SH ENVIRONMENT
.TP
DANEBOT_EVENT
set for hooks: \\fIissued\\fR when certbot runs them, with RENEWED_LINEAGE the staging
directory and nothing live yet; \\fIdeployed\\fR when danebot does, with the live directory
.TP
NO_COLOR
no colours
.TP
SSL_CERT_FILE
the trust store that issued chains are verified to, unless ca_file is set
.SH SEE ALSO
.BR certbot (1),
.BR posttls-finger (1),
RFC 6698, RFC 7671, RFC 7672
"""


def escaped(text: str) -> str:
    """Text for roff."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """One entry an option."""
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            yield f".TP\n\\fB{escaped(record[0])}\\fR\n{escaped(record[1])}\n"


def paragraphs(command: click.Command) -> str:
    """A command's help as running text."""
    parts = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n.PP\n".join(escaped(" ".join(part.split())) for part in parts) + "\n"


def page() -> str:
    """The whole manual page."""
    top = click.Context(danebot, info_name="danebot")
    parts = [
        f'.TH DANEBOT 8 "" "danebot {__version__}" "System administration"\n',
        ".SH NAME\ndanebot \\- keeps DANE TLSA records and served keys in agreement\n",
        ".SH SYNOPSIS\n\\fBdanebot\\fR [\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]\n",
        f".SH DESCRIPTION\n{paragraphs(danebot)}",
        ".SH OPTIONS\n",
        *options(danebot, top),
        ".SH VERBS\n",
    ]
    for name in danebot.list_commands(top):
        command = danebot.commands[name]
        context = click.Context(command, info_name=name, parent=top)
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f".SS \\fB{escaped(name)}\\fR {escaped(usage)}\n")
        parts.append(paragraphs(command))
        parts += options(command, context)
    return "".join([*parts, TAIL])


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
