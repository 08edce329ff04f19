"""DNS and certificate situations of mail domains: a row each, for check_dane and for postfix.

Every row has names of its own, so that all of them are published at once.  In the records,
``{n}`` is the row's name, ``{a}`` and ``{b}`` are the addresses of two postfixes: ``a`` serves a
certificate issued by pebble, ``b`` the chain that the row names.  ``{old}`` is a server that sends
certificates alone, the plain chain's.  ``{ee}`` is the SHA2-256 digest
of the key that ``b`` serves, and so on: `associations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from danebot.domain.dns.tlsa import MatchingType, association
from domain.pki import Issued, issue

DAY = timedelta(days=1)
OTHER = "5a" * 32
SECURE, INSECURE, BOGUS = "example.test.", "insecure.test.", "bogus.test."
_OWN = "{n} MX 10 {n}-mx", "{n}-mx A {b}"


@dataclass(frozen=True)
class Row:
    """``state`` is what check_dane must say; ``optional`` what with --optional, if another.

    ``raw`` is what a postfix must make of it that is given the raw public key (RFC 7250), if
    another: whether it is depends on both postfixes and on the records.
    ``records`` go to the zone ``example.test`` unless ``zone`` says otherwise; ``more`` are for
    other zones.  ``ask`` are the endpoints that postfix is asked about, () for the domain.
    """

    name: str
    state: str
    tlsa: tuple[str, ...] = ()
    records: tuple[str, ...] = _OWN
    chain: str = "plain"
    optional: str = ""
    raw: str = ""
    zone: str = SECURE
    more: tuple[tuple[str, str], ...] = ()
    ask: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The mail domain."""
        return f"{self.name}.{self.zone.rstrip('.')}"

    def lines(self, values: dict[str, str]) -> list[tuple[str, str]]:
        """Pairs of zone and update command."""
        own = [*self.records, *(f"_25._tcp.{{n}}-mx TLSA {record}" for record in self.tlsa)]
        pairs = [(self.zone, text) for text in own] + list(self.more)
        return [(zone, _update(text.format(n=self.name, **values), zone)) for zone, text in pairs]


def _update(text: str, zone: str) -> str:
    owner, kind, data = text.split(" ", 2)
    if kind == "MX" and not data.endswith("."):
        data = f"{data}.{zone}"
    if kind == "CNAME" and not data.endswith("."):
        data = f"{data}.{zone}"
    return f"update add {owner}.{zone} 300 {kind} {data}"


def chains(directory: Path) -> dict[str, tuple[Path, tuple[Issued, ...]]]:
    """Key and chain files by name, with what is in them."""
    now = datetime.now(UTC).replace(microsecond=0)
    valid = (now - DAY, now + 60 * DAY)
    past = (now - 60 * DAY, now - DAY)
    root = issue("Lab Root", ca=True, valid=(now - 400 * DAY, now + 4000 * DAY))
    middle = issue("Lab Intermediate", root, ca=True, valid=valid)
    old_middle = issue("Lab Intermediate", root, ca=True, valid=past, of_key="Lab Intermediate")
    names = ["*.example.test", "*.insecure.test"]
    leaf = issue("mail", middle, names=names, valid=valid)
    expired = issue("mail", middle, names=names, valid=past, of_key="mail")
    stranger = issue("stranger", middle, names=["mail.invalid"], valid=valid, of_key="mail")
    made = {
        "plain": (leaf, middle, root),
        "rootless": (leaf, middle),
        "expired": (expired, middle, root),
        "old-ca": (leaf, old_middle, root),
        "stranger": (stranger, middle, root),
    }
    found = {}
    for name, chain in made.items():
        path = directory / f"{name}.pem"
        path.write_bytes(chain[0].key_pem + b"".join(one.pem for one in chain))
        found[name] = (path, chain)
    return found


def associations(chain: tuple[Issued, ...], root: Issued) -> dict[str, str]:
    """Hex data for the records of a row."""
    leaf, middle = chain[0], chain[1]
    sha256, sha512 = MatchingType.SHA2_256, MatchingType.SHA2_512
    return {
        "ee": association(leaf.spki, sha256).hex(),
        "ee512": association(leaf.spki, sha512).hex(),
        "ee0": leaf.spki.hex(),
        "cert": association(leaf.der, sha256).hex(),
        "ca": association(middle.spki, sha256).hex(),
        "root": association(root.spki, sha256).hex(),
        "rootcert": association(root.der, sha256).hex(),
        "rootfull": root.der.hex(),
        "other": OTHER,
        "other512": "5b" * 64,
    }


_ALIAS = ("{n} MX 10 {n}-mx", "{n}-mx CNAME {n}-to", "{n}-to A {b}")
_TWO_MX = ("{n} MX 10 {n}-mx", "{n}-mx A {b}", "{n} MX 20 {n}-mx2", "{n}-mx2 A {a}")
_BOTH_MX = ("[{n}-mx.example.test]", "[{n}-mx2.example.test]")

ROWS = (
    # what the records say
    Row("spki256", "OK", ("3 1 1 {ee}",)),
    Row("spki512", "OK", ("3 1 2 {ee512}",)),
    Row("spkifull", "OK", ("3 1 0 {ee0}",)),
    Row("cert256", "WARNING", ("3 0 1 {cert}",)),
    Row("rollover", "OK", ("3 1 1 {ee}", "3 1 1 {other}")),
    Row("mismatch", "CRITICAL", ("3 1 1 {other}",)),
    Row("certmismatch", "CRITICAL", ("3 0 1 {ee}",)),
    Row("agility", "CRITICAL", ("3 1 1 {ee}", "3 1 2 {other512}"), raw="OK"),
    Row("agilitynone", "CRITICAL", ("3 1 1 {other}", "3 1 2 {other512}")),
    Row("agilitycert", "CRITICAL", ("3 1 1 {ee}", "3 1 2 {other512}", "2 1 1 {other}")),
    Row("agilityunusable", "CRITICAL",
        ("3 1 1 {ee}", "3 1 2 {other512}", "1 1 1 {other}", "3 0 9 {other}"), raw="OK"),
    Row("agilityold", "CRITICAL", ("3 1 1 {ee}", "3 1 2 {other512}"),
        ("{n} MX 10 {n}-mx", "{n}-mx A {old}")),
    Row("oldfine", "OK", ("3 1 1 {ee}",), ("{n} MX 10 {n}-mx", "{n}-mx A {old}")),
    Row("agilityok", "OK", ("3 1 1 {other}", "3 1 2 {ee512}")),
    Row("pkixee", "CRITICAL", ("1 1 1 {ee}",), optional="WARNING"),
    Row("pkixta", "CRITICAL", ("0 1 1 {ca}",), optional="WARNING"),
    Row("pkixboth", "OK", ("1 1 1 {ee}", "3 1 1 {ee}")),
    Row("unknowntype", "CRITICAL", ("3 1 9 {ee}",), optional="WARNING"),
    Row("unknownusage", "CRITICAL", ("7 1 1 {ee}",), optional="WARNING"),
    Row("short", "CRITICAL", ("3 1 1 abcd",), optional="WARNING"),
    Row("shortboth", "OK", ("3 1 1 abcd", "3 1 1 {ee}")),
    Row("unusablemismatch", "CRITICAL", ("3 1 9 {ee}", "3 1 1 {other}")),
    Row("thirteen", "WARNING", ("3 1 1 {ee}", *(f"3 1 1 {n:02x}{OTHER[2:]}" for n in range(12)))),
    # anchors
    Row("ta", "OK", ("2 1 1 {ca}",)),
    Row("taroot", "OK", ("2 0 1 {rootcert}",)),
    Row("tarootkey", "OK", ("2 1 1 {root}",)),
    Row("taabsent", "CRITICAL", ("2 1 1 {root}",), chain="rootless"),
    Row("tafull", "OK", ("2 0 0 {rootfull}",), chain="rootless"),
    Row("taleaf", "CRITICAL", ("2 1 1 {ee}",)),
    Row("tamismatch", "CRITICAL", ("2 1 1 {other}",)),
    Row("taname", "CRITICAL", ("2 1 1 {ca}",), chain="stranger"),
    Row("eename", "OK", ("3 1 1 {ee}",), chain="stranger"),
    Row("taexpired", "CRITICAL", ("2 1 1 {ca}",), chain="expired"),
    Row("eeexpired", "WARNING", ("3 1 1 {ee}",), chain="expired"),
    Row("taoldca", "WARNING", ("2 1 1 {ca}",), chain="old-ca"),
    Row("rootoldca", "CRITICAL", ("2 1 1 {root}",), chain="old-ca"),
    Row("taandee", "OK", ("2 1 1 {other}", "3 1 1 {ee}")),
    # where the records are
    Row("absent", "CRITICAL", optional="OK"),
    Row("elsewhere", "CRITICAL", (), (*_OWN, "_26._tcp.{n}-mx TLSA 3 1 1 {ee}"), optional="OK"),
    Row(
        "tlsaalias",
        "OK",
        (),
        (*_OWN, "_25._tcp.{n}-mx CNAME {n}-tlsa", "{n}-tlsa TLSA 3 1 1 {ee}"),
    ),
    Row("dangling", "CRITICAL", (), (*_OWN, "_25._tcp.{n}-mx CNAME {n}-no"), optional="OK"),
    Row("wildcard", "OK", (), (*_OWN, "*.{n}-mx TLSA 3 1 1 {ee}")),
    Row(
        "hostalias",
        "OK",
        (),
        (*_ALIAS, "_25._tcp.{n}-to TLSA 3 1 1 {ee}"),
    ),
    Row("hostaliasfirst", "OK", ("3 1 1 {ee}",), _ALIAS),
    Row(
        "hostaliasboth",
        "CRITICAL",
        ("3 1 1 {ee}",),
        (*_ALIAS, "_25._tcp.{n}-to TLSA 3 1 1 {other}"),
    ),
    Row("insecuretlsa", "CRITICAL", (), (*_OWN, "_25._tcp.{n}-mx CNAME {n}-tlsa.insecure.test."),
        optional="OK", more=((INSECURE, "{n}-tlsa TLSA 3 1 1 {ee}"),)),
    Row("bogustlsa", "CRITICAL", (), (*_OWN, "_25._tcp.{n}-mx CNAME {n}-tlsa.bogus.test."),
        more=((BOGUS, "{n}-tlsa TLSA 3 1 1 {ee}"),)),
    # the way to the host
    Row("nomx", "OK", (), ("{n} A {b}", "_25._tcp.{n} TLSA 3 1 1 {ee}")),
    Row("nomxmismatch", "CRITICAL", (), ("{n} A {b}", "_25._tcp.{n} TLSA 3 1 1 {other}")),
    Row("nullmx", "CRITICAL", (), ("{n} MX 0 .",), optional="OK"),
    Row("nullbeside", "CRITICAL", ("3 1 1 {ee}",), (*_OWN, "{n} MX 0 .")),
    Row("addressbeside", "WARNING", ("3 1 1 {ee}",), (*_OWN, "{n} MX 5 192.0.2.1.")),
    Row("slashbeside", "WARNING", ("3 1 1 {ee}",), (*_OWN, "{n} MX 5 a/b.example.test.")),
    Row("nodomain", "CRITICAL", (), ()),
    Row("noaddress", "CRITICAL", ("3 1 1 {ee}",), ("{n} MX 10 {n}-mx",)),
    Row("insecure", "CRITICAL", ("3 1 1 {ee}",), zone=INSECURE, optional="OK"),
    Row("bogus", "CRITICAL", ("3 1 1 {ee}",), zone=BOGUS),
    Row("insecurehost", "CRITICAL", (), ("{n} MX 10 {n}-mx.insecure.test.",), optional="OK",
        more=((INSECURE, "{n}-mx A {b}"), (INSECURE, "_25._tcp.{n}-mx TLSA 3 1 1 {ee}"))),
    Row("bogushost", "CRITICAL", (), ("{n} MX 10 {n}-mx.bogus.test.",),
        more=((BOGUS, "{n}-mx A {b}"), (BOGUS, "_25._tcp.{n}-mx TLSA 3 1 1 {ee}"))),
    Row("insecuremx", "CRITICAL", (), ("{n} MX 10 {n}-mx.example.test.",), zone=INSECURE,
        optional="OK",
        more=((SECURE, "{n}-mx A {b}"), (SECURE, "_25._tcp.{n}-mx TLSA 3 1 1 {ee}"))),
    Row("insecuremxbad", "CRITICAL", (), ("{n} MX 10 {n}-mx.example.test.",), zone=INSECURE,
        more=((SECURE, "{n}-mx A {b}"), (SECURE, "_25._tcp.{n}-mx TLSA 3 1 1 {other}"))),
    # several hosts, several addresses
    Row("twomx", "OK", ("3 1 1 {ee}",),
        (*_TWO_MX, "_25._tcp.{n}-mx2 TLSA 3 1 1 {pebble}"), ask=_BOTH_MX),
    Row("onemxbad", "CRITICAL", ("3 1 1 {ee}",),
        (*_TWO_MX, "_25._tcp.{n}-mx2 TLSA 3 1 1 {other}"), ask=_BOTH_MX),
    Row("onemxwithout", "WARNING", ("3 1 1 {ee}",), _TWO_MX, ask=_BOTH_MX),
    Row("onemxdown", "WARNING", ("3 1 1 {ee}",),
        ("{n} MX 10 {n}-mx", "{n}-mx A {b}", "{n} MX 5 {n}-mx2", "{n}-mx2 A {dead}",
         "_25._tcp.{n}-mx2 TLSA 3 1 1 {ee}")),
    Row("onemxnowhere", "WARNING", ("3 1 1 {ee}",),
        ("{n} MX 10 {n}-mx", "{n}-mx A {b}", "{n} MX 20 {n}-mx2")),
    Row("downbesidewithout", "CRITICAL", (),
        ("{n} MX 10 {n}-mx", "{n}-mx A {b}", "{n} MX 5 {n}-mx2", "{n}-mx2 A {dead}",
         "_25._tcp.{n}-mx2 TLSA 3 1 1 {ee}"), optional="WARNING", ask=("[{n}-mx.example.test]",)),
    Row("alldown", "CRITICAL", ("3 1 1 {ee}",), ("{n} MX 10 {n}-mx", "{n}-mx A {dead}")),
    Row("twoaddresses", "OK", ("3 1 1 {ee}", "3 1 1 {pebble}"), (*_OWN, "{n}-mx A {a}")),
    Row("otheraddress", "CRITICAL", ("3 1 1 {pebble}",),
        (*_OWN, "{n}-mx A {a}", "{n}-b A {b}", "_25._tcp.{n}-b CNAME _25._tcp.{n}-mx"),
        ask=("[{n}-b.example.test]",)),
    # the service
    Row("nochain", "CRITICAL", ("3 1 1 {ee}",), chain=""),
    Row("nostarttls", "CRITICAL", ("3 1 1 {ee}",), ("{n} MX 10 {n}-mx", "{n}-mx A {plain}")),
)  # fmt: skip
