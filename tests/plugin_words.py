"""Option sets of ``check_dane``, and what in its words changes from one moment to the next."""

from __future__ import annotations

import re

FINE_WORDS: tuple[tuple[str, ...], ...] = (
    (),
    ("-v",),
    ("-vv",),
    ("-v", "--verbose"),
    ("-w", "80:"),
    ("-w", "95", "-c", "@0:20"),
    ("-c", "95:"),
    ("--rrsig-warning", "5:", "--rrsig-critical", "1:"),
    ("--optional",),
    ("--require", "3 1 1", "-v"),
    ("--require", "2 1 1"),
    ("--pkix", "-v"),
    ("--warn-unmatched", "-vv"),
    ("--aka", "other.example"),
    ("-4",),
    ("-6",),
    ("-4", "-6", "-vv"),
    ("--both-algorithms", "-vv"),
    ("--address", "mail.example=127.0.0.1"),
    ("--address", "stranger.example=127.0.0.1", "-v"),
    ("--timeout", "9.5"),
    ("-t", "20"),
    ("-v", "--trace"),
)
"""What may be added to a host, a port and a resolver."""

WRONG_WORDS: tuple[tuple[str, ...], ...] = (
    (),
    ("-d", "a.example", "-H", "b.example"),
    ("-H", "a.example", "-w", ""),
    ("-H", "a.example", "-w="),
    ("-H", "a.example", "--ca-file="),
    ("-H=",),
    ("-H", "a.example", "--via="),
    ("-H", "a.example", "--via-ca="),
    ("-H", "a.example", "-w", "5:1"),
    ("-H", "a.example", "-w", "1_0"),
    ("-H", "a.example", "-p", "0"),
    ("-H", "a.example", "-p", "x"),
    ("-H", "a.example", "--timeout", "0"),
    ("-H", "a.example", "--timeout", "nan"),
    ("-H", "a.example", "--starttls", "gopher"),
    ("-H", "a.example", "--resolver", "name.example"),
    ("-H", "a.example", "--ca-file", "/nonexistent"),
    ("-H", "a.example", "--address", "x"),
    ("-H", "a.example", "--require", "9 9"),
    ("-H", "a.example", "--optional", "--require", "311"),
    ("-H", "a.example", "--unknown|\n\\n"),
    ("-H", "a\0b"),
    ("-H", "b\udcfcro.example"),
    ("-H", "b\u00fcro.example", "-d"),
    ("-H", "a" * 5000),
    ("--down", "x.example", "-H", "a.example"),
    ("stray",),
    ("--help",),
    ("-h",),
    ("-V",),
    ("-vh",),
    ("-H", "a.example", "-w", "x", "--help"),
)
"""What ends before anything is looked at."""


def steady(text: str) -> str:
    """The words without what another moment makes different."""
    text = re.sub(r" time=[0-9.]+s", " time=0s", text)
    text = re.sub(r"(certificate_days|rrsig_hours)=(-?[0-9]+)\.?[0-9]*", r"\1=\2", text)
    text = re.sub(r"seconds since [^\n]+ UTC", "seconds since then UTC", text)
    text = re.sub(r"within [0-9.]+ s for", "within 0 s for", text)  # less what the start took
    said, title, trace = re.sub(r"^ *[0-9.]+  ", "", text, flags=re.MULTILINE).partition(
        "trace, in"
    )
    return said + title + "\n".join(sorted(trace.splitlines()))  # answers come in any order
