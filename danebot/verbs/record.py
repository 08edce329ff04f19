"""`danebot record`: TLSA records of any PEM file or live service, for whoever needs no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from danebot.domain.dane.profiles import profile_of
from danebot.domain.dns.forms import RecordForm
from danebot.domain.dns.tlsa import Usage
from danebot.domain.names import DnsName, Protocol, TlsaOwner, default_protocol
from danebot.domain.text import printable
from danebot.errors import (
    CertificateError,
    ConfigError,
    NameSyntaxError,
    RecordSyntaxError,
    UnansweredError,
)
from danebot.tuples import NamedTuple
from danebot.verbs.common import ATTENTION, FINE, click_echo, print_json, read_stdin, record_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from danebot.console import Console
    from danebot.domain.dane.material import Made, Material
    from danebot.domain.names import Endpoint

_USUAL = "3 1 1"
_LIMIT = 1024 * 1024


class _Source(NamedTuple):
    """What was read or presented, where its records belong, and what couldn't be asked."""

    materials: tuple[Material, ...]
    owners: tuple[DnsName, ...]
    missed: tuple[str, ...] = ()


def record(
    console: Console,
    source: str,
    *,
    kinds: Sequence[str],
    owners: Sequence[str],
    starttls: str | None,
    as_json: bool,
) -> int:
    """Print them; 1 where not all addresses could be asked, or a record is of no use there."""
    try:
        forms = tuple(map(RecordForm.parse, kinds or (_USUAL,)))
        named = tuple(map(DnsName.parse, owners))
    except (RecordSyntaxError, NameSyntaxError) as exc:
        raise click.UsageError(str(exc)) from exc
    found = _read(console, source, starttls)
    made = tuple(dict.fromkeys(_made(found.materials, forms)))
    where = named or found.owners
    if as_json:
        records = [
            row for one in made for row in record_objects(one.record, where, source=one.source)
        ]
        print_json("record", records=records)
    else:
        for line in _lines(made, where):
            click_echo(line)
    doubts = (*found.missed, *_useless(forms, where))
    for line in doubts:
        console.warn(line)
    return ATTENTION if doubts else FINE


def _useless(forms: Sequence[RecordForm], owners: Sequence[DnsName]) -> Iterator[str]:
    """Where records of these kinds count for nothing."""
    for name in owners:
        if not name.text.startswith("_"):  # else an alias may end there
            yield f"at {name.text} no sender looks for it: want _25._tcp.{name.text}"
    pkix = [form for form in forms if form.usage in (Usage.PKIX_TA, Usage.PKIX_EE)]
    for owner in map(TlsaOwner.from_name, owners) if pkix else ():
        if owner and not profile_of(owner.port, default_protocol(owner.port)).pkix_counts:
            yield (
                f"at {owner} mail servers pass {' and '.join(map(str, pkix))} over "
                "(RFC 7672 section 3.1.3)"
            )


def _read(console: Console, source: str, starttls: str | None) -> _Source:
    from danebot.domain.dane.material import read_material

    if source == "-":
        return _Source((read_material(read_stdin(_LIMIT)),), ())
    if os.sep not in source and not Path(source).exists():
        return _ask(console, _endpoint(source, starttls))
    from danebot.regular import read_regular

    try:
        return _Source((read_material(read_regular(source, _LIMIT)),), ())
    except OSError as exc:
        raise ConfigError(f"cannot read {printable(source)}: {exc.strerror}") from exc
    except CertificateError as exc:
        raise CertificateError(f"{printable(source)}: {exc}") from exc


def _endpoint(source: str, starttls: str | None) -> Endpoint:
    from danebot.domain.delivery.report import ServiceSubject, parse_subject

    try:
        subject = parse_subject(source, Protocol(starttls) if starttls else None)
    except NameSyntaxError as exc:
        raise click.UsageError(str(exc)) from exc
    if not isinstance(subject, ServiceSubject):
        raise click.UsageError(f"there is no file {printable(source)!r}; a service is HOST:PORT")
    return subject.endpoint


def _ask(console: Console, endpoint: Endpoint) -> _Source:
    """The chains of all addresses, for RSA and for ECDSA: each key needs its record."""
    from danebot.adapters.wiring import prober
    from danebot.domain.dane.material import of_chain
    from danebot.domain.delivery.probes import ProbeOutcome
    from danebot.domain.lineage.keys import Algorithm

    ask = prober(console.settings)
    results = [one for kind in Algorithm for one in ask.probe("", [endpoint], kind)]
    served = [one for one in results if one.outcome is ProbeOutcome.SERVED]
    reached = {one.address for one in served}
    missed = {
        one.address: f"{endpoint}{f' [{one.address}]' if one.address else ''}: "
        f"{one.outcome.value}{f' ({one.detail})' if one.detail else ''}"
        for one in results
        if one.address not in reached
    }
    if not served:
        raise UnansweredError("; ".join(missed.values()))
    chains = dict.fromkeys(one.chain for one in served)
    owner = TlsaOwner(endpoint.host, endpoint.port).name
    return _Source(tuple(map(of_chain, chains)), (owner,), tuple(missed.values()))


def _made(materials: Iterable[Material], forms: Iterable[RecordForm]) -> Iterator[Made]:
    from danebot.domain.dane.material import records_of

    for form in forms:
        for material in materials:
            yield from records_of(material, form)


def _lines(made: Iterable[Made], owners: Sequence[DnsName]) -> Iterator[str]:
    for one in made:
        if owners:
            yield from (f"{owner.text}. IN TLSA {one.record}  ; {one.source}" for owner in owners)
        else:
            yield f"{one.record}  ; {one.source}"
