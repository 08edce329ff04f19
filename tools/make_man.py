"""Writes docs/man and docs/commands.md from the commands' own help; a test holds them together."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "checks"), str(ROOT / "exporters")]

from danebot import __version__  # noqa: E402 - the checkout's own
from danebot.commands.group import danebot  # noqa: E402
from danebot.plugin.dane_options import dane_parser  # noqa: E402
from danebot_checks.lineages_options import lineages_parser  # noqa: E402
from danebot_exporter.cli import exporter  # noqa: E402

PAGES = ROOT / "docs" / "man"
REFERENCE = ROOT / "docs" / "commands.md"
ADMINISTRATION = "System administration"
TAIL = """\
.SH EXIT STATUS
.TP
0
fine; waiting is fine
.TP
1
something needs attention, or can't be told: the lines say what, and what to do.
A missing tree and settings that can't be read, too
.TP
2
wrong usage: an unknown verb, option, lineage or key type; nothing was done
.TP
130
interrupted; danebot renew goes on
.PP
With \\-\\-dry\\-run it ends as the run itself would.
tlsa, and publish by hand, end with 1 unless DNS holds what it ought to.
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
.BR check_dane (1),
.BR check_danebot (1),
.BR danebot\\-exporter (8),
.BR certbot (1),
.BR posttls-finger (1),
RFC 6698, RFC 7671, RFC 7672
"""
PLUGIN_TAIL = """\
.SH EXIT STATUS
.TP
0
OK
.TP
1
WARNING
.TP
2
CRITICAL
.TP
3
UNKNOWN; also for usage errors, \\-\\-help and \\-\\-version
.PP
CRITICAL is told before WARNING, and WARNING before UNKNOWN.
"""
DANE_SEE = """\
.SH SEE ALSO
.BR check_danebot (1),
.BR danebot (8),
.BR posttls-finger (1),
RFC 6698, RFC 7671, RFC 7672
"""
LINEAGES_SEE = """\
.SH FILES
.TP
/var/lib/danebot/status.json
the status document; anybody may read it, and nothing else is read
.SH SEE ALSO
.BR check_dane (1),
.BR danebot\\-exporter (8),
.BR danebot (8)
"""
EXPORTER_TAIL = """\
.SH EXIT STATUS
.TP
0
fine
.TP
1
trouble: the line says what
.TP
2
wrong usage
.SH FILES
.TP
/var/lib/danebot/status.json
the status document that danebot writes
.TP
/etc/danebot/danebot.toml
danebot's settings, if they can be read
.SH SEE ALSO
.BR danebot (8),
.BR check_danebot (1),
.BR prometheus (1)
"""


def escaped(text: str) -> str:
    """Text for roff; what stands between backticks is bold."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    plain = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", plain)
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


def heading(name: str, section: int, title: str, purpose: str) -> str:
    """Title and name."""
    top = f'.TH {escaped(name.upper())} {section} "" "danebot {__version__}" "{title}"\n'
    return f"{top}.SH NAME\n{escaped(name)} \\- {escaped(purpose)}\n"


def danebot_page() -> str:
    """Everything about danebot and its verbs."""
    top = click.Context(danebot, info_name="danebot")
    parts = [
        heading(
            "danebot", 8, ADMINISTRATION, "keeps DANE TLSA records and served keys in agreement"
        ),
        ".SH SYNOPSIS\n\\fBdanebot\\fR [\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]\n",
        f".SH DESCRIPTION\n{paragraphs(danebot)}",
        ".SH OPTIONS\n",
        *options(danebot, top),
        ".SH VERBS\n",
    ]
    for name in danebot.list_commands(top):
        command = danebot.get_command(top, name) or danebot
        context = click.Context(command, info_name=name, parent=top)
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f".SS \\fB{escaped(name)}\\fR {escaped(usage)}\n")
        parts.append(paragraphs(command))
        parts += options(command, context)
    return "".join([*parts, TAIL])


def exporter_page() -> str:
    """Everything about the exporter."""
    context = click.Context(exporter, info_name="danebot-exporter")
    parts = [
        heading(
            "danebot-exporter", 8, ADMINISTRATION, "shows danebot's status to Prometheus and people"
        ),
        ".SH SYNOPSIS\n\\fBdanebot\\-exporter\\fR [\\fIOPTIONS\\fR]\n",
        f".SH DESCRIPTION\n{paragraphs(exporter)}",
        ".SH OPTIONS\n",
        *options(exporter, context),
    ]
    return "".join([*parts, EXPORTER_TAIL])


def plugin_page(parser: argparse.ArgumentParser, purpose: str, see: str) -> str:
    """Everything about a plugin, from the parser of its options."""
    parts = [
        heading(parser.prog, 1, "User commands", purpose),
        f".SH SYNOPSIS\n{escaped(' '.join(parser.format_usage().split()[1:]))}\n",
        f".SH DESCRIPTION\n{escaped(parser.description or '')}\n",
        f".PP\n{escaped(' '.join((parser.epilog or '').split()))}\n",
        *arguments(parser),
        PLUGIN_TAIL,
        see,
    ]
    return "".join(parts)


def arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Each group with its options."""
    formatter = parser._get_formatter()  # noqa: SLF001 - expands (%(default)s) as --help does
    for group in parser._action_groups:  # noqa: SLF001 - there is no other way to list them
        actions = group._group_actions  # noqa: SLF001
        if actions:
            yield f".SH {escaped((group.title or '').upper())}\n"
        for action in actions:
            names = ", ".join(action.option_strings)
            value = action.metavar if action.nargs != 0 else ""
            words = " ".join(part for part in (names, str(value or "")) if part)
            text = formatter._expand_help(action) if action.help else ""  # noqa: SLF001
            yield f".TP\n\\fB{escaped(words)}\\fR\n{escaped(text)}\n"


def pages() -> dict[str, Callable[[], str]]:
    """What writes each of the pages."""
    dane = "whether DANE works for a mail domain or a service"
    lineages = "whether danebot keeps its lineages well"
    return {
        "danebot.8": danebot_page,
        "danebot-exporter.8": exporter_page,
        "check_dane.1": lambda: plugin_page(dane_parser(), dane, DANE_SEE),
        "check_danebot.1": lambda: plugin_page(lineages_parser(), lineages, LINEAGES_SEE),
    }


def reference() -> str:
    """All pages as one of Markdown, for those who read no roff."""
    parts = ["# Commands\n\nWritten from what `--help` says, as the manual pages are.\n"]
    parts += [f"\n## {name[:-2]}\n{markdown(page())}" for name, page in pages().items()]
    return "".join(parts)


def markdown(page: str) -> str:
    """A page without its title: `.SH` and `.SS` are headings, `.TP` an item of a list."""
    page = re.sub(r"^\.TH .*\n\.SH NAME\n", "\n", page)
    page = re.sub(r"(?m)^\.BR (\S+) \((\d)\),?\n", r"`\1`(\2), ", page)
    page = re.sub(r"\n\.TP\n(.*)\n", lambda item: f"\n\n- `{plain(item[1])}`: ", page)
    page = re.sub(r"(?m)^\.SH (.*)$", lambda title: f"\n**{plain(title[1]).capitalize()}**\n", page)
    page = re.sub(r"(?m)^\.SS (.*)$", lambda title: f"\n### {plain(title[1])}\n", page)
    page = re.sub(r"\\fB(.*?)\\fR", r"`\1`", page)
    return re.sub(r"\n{3,}", "\n\n", plain(page.replace("\n.PP\n", "\n\n")))


def plain(text: str) -> str:
    """Text as it was before it was `escaped`, without fonts."""
    return re.sub(r"\\f[BIR]|\\&", "", text).replace("\\-", "-").replace("\\e", "\\")


if __name__ == "__main__":
    PAGES.mkdir(parents=True, exist_ok=True)
    for file, write in pages().items():
        (PAGES / file).write_text(write(), encoding="utf-8")
    REFERENCE.write_text(reference(), encoding="utf-8")
