"""An operator's desk without a network: danebot's verbs on a real tree, and a DNS told what to say.

The lab has real servers; here it is about words, in situations that a real resolver or server
would not come to on demand, and in many of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from adapters import trees
from adapters.trees import NAME, Grown
from danebot import cli
from danebot.console import Console
from danebot.domain.delivery.routes import Dane, Discovery, HostRoute, MailRoute
from danebot.domain.dns.answers import Answer, OwnerObservation, Presence, Security, TlsaAnswer
from danebot.domain.dns.records import MxRecord
from danebot.domain.dns.tlsa import MatchingType, Required, TlsaRecord
from danebot.domain.names import DnsName, Hostname
from danebot.domain.rollover.records.adoption import Leads
from danebot_checks import lineages
from domain.builders import look

HERE = f"_25._tcp.{NAME}"
OWNER = DnsName.parse(HERE)
EVERY = ("ns1", "ns2")


class Dns:
    """What every server and the resolver have at each owner; nothing where nothing was said."""

    def __init__(self) -> None:
        self.looks: dict[DnsName, OwnerObservation] = {}
        self.dead = False
        self.mx: dict[str, tuple[str, ...] | None] = {  # None for no answer
            NAME.partition(".")[2]: (NAME,)
        }
        self.signed = Security.SECURE  # MX records

    def publish(self, *records: TlsaRecord, owner: DnsName = OWNER) -> None:
        """Have these records, and no others, at every server."""
        bare = look(owner=owner)
        answer = bare.answer._replace(
            records=records,
            presence=_PRESENT.answer.presence if records else bare.answer.presence,
            ttl=_PRESENT.answer.ttl if records else None,
        )
        servers = tuple(
            one._replace(records=records, ttl=_PRESENT.servers[0].ttl if records else None)
            for one in bare.servers
        )
        self.looks[owner] = bare._replace(answer=answer, servers=servers)

    def _look(self, owner: DnsName) -> OwnerObservation:
        if self.dead:
            dead = look(owner=owner, security=Security.INDETERMINATE, at={})
            return dead._replace(answer=dead.answer._replace(detail="no answer in time"))
        return self.looks.get(owner) or look(owner=owner)

    def observe_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, OwnerObservation]:
        return {owner: self._look(owner) for owner in owners}

    def lookup_owners(self, owners: Sequence[DnsName]) -> Mapping[DnsName, TlsaAnswer]:
        return {owner: self._look(owner).answer for owner in owners}

    def lookup_leads(self, domains: object) -> Leads:
        del domains
        return Leads()

    def lookup_mail(self, domains: Sequence[Hostname]) -> Mapping[Hostname, MailRoute]:
        return {domain: self._route(domain) for domain in domains}

    def _route(self, domain: Hostname) -> MailRoute:
        """By `mx` alone; a host has a secure address, and the TLSA records of its owner."""
        hosts = self.mx.get(domain.text, ())
        if self.dead or hosts is None:
            unknown = Answer[MxRecord](
                domain.dns_name,
                Security.INDETERMINATE,
                Presence.UNKNOWN,
                domain.dns_name,
                detail="no answer in time",
            )
            return MailRoute(domain, Discovery.FAILED, unknown)
        presence = Presence.PRESENT if hosts else Presence.NODATA
        records = tuple(MxRecord(10, Hostname(host)) for host in hosts)
        said = Answer(domain.dns_name, self.signed, presence, domain.dns_name, records=records)
        way = Discovery.LISTED if hosts else Discovery.IMPLICIT
        return MailRoute(domain, way, said, tuple(map(self._host, hosts)))

    def _host(self, host: str) -> HostRoute:
        owner = DnsName(f"_25._tcp.{host}")
        published = self._look(owner).answer.presence is Presence.PRESENT
        dane = Dane.APPLIES if published else Dane.ABSENT
        address = Answer[str](
            DnsName(host), Security.SECURE, Presence.PRESENT, DnsName(host), records=("192.0.2.25",)
        )
        return HostRoute(Hostname(host), 25, dane, address, address._replace(records=()))

    def probe(self, *_: object) -> tuple[()]:
        return ()


_PRESENT = look("old")


class Said(NamedTuple):
    """What a command exits with and prints."""

    status: int
    out: str
    err: str


class Desk:
    """One lineage, in danebot's care or not, and the commands."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capsys = capsys
        self.dns = Dns()
        certbot = root / "certbot"
        certbot.write_text("#!/bin/sh\necho certbot 5.8.0\n")
        certbot.chmod(0o755)
        self.settings = {"min_wait": "2d", "snapshot": str(root / "state" / "status.json")}
        self.more: list[str] = []
        (root / "state").mkdir()

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    def issued(self) -> Grown:
        """A lineage of certbot's own."""
        return trees.issued(self.tree)

    def staged(self, *lines: str) -> Grown:
        """One under care, with these lines in its ``dane-ee``."""
        grown = trees.staged(self.tree)
        if lines:
            grown.staging_file("dane-ee", "".join(f"{line}\n" for line in lines).encode())
        return grown

    def danebot(self, *words: str) -> Said:
        """Run a verb in this process, through the same entry point."""
        config = self.root / "danebot.toml"
        lines = {"config_dir": str(self.tree), "certbot": str(self.root / "certbot")}
        told = [f'{name} = "{value}"' for name, value in (lines | self.settings).items()]
        config.write_text("\n".join([*told, *self.more, ""]))
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["--config", str(config), *words])
        assert isinstance(ended.value.code, int)
        out, err = self.capsys.readouterr()
        return Said(ended.value.code, out, err)

    def check(self, *words: str) -> Said:
        """Run ``check_danebot`` on the status document."""
        self.capsys.readouterr()
        code = lineages.outcome([*words, "--snapshot", self.settings["snapshot"]])
        out, err = self.capsys.readouterr()
        return Said(code, out, err)

    def document(self) -> dict[str, Any]:
        """The status document."""
        found: dict[str, Any] = json.loads(Path(self.settings["snapshot"]).read_text())
        return found


def of_key(name: str, mtype: int = 1, owner: DnsName = OWNER) -> TlsaRecord:
    """The ``3 1 x`` record of a key of the tree."""
    return Required(MatchingType(mtype), owner).record(trees.public(name).spki)


def at_desk(root: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Desk:
    """The desk, with its own DNS in place of the network."""
    desk = Desk(root, capsys)
    real = Console.context

    def context(self: Console, tree: Any) -> Any:  # noqa: ANN401 - as it is
        return real(self, tree)._replace(observer=desk.dns, prober=desk.dns)

    patch.setattr(Console, "context", context)
    return desk
