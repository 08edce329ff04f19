"""The accident that danebot prevents, on loopback, judged by postfix's own DANE client."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from lab import Lab, missing

LINEAGE = "mail.example.test"
OWNER = f"_25._tcp.{LINEAGE}."


def say(text: str) -> None:
    """Print one step of the story."""
    print(f"\n== {text}", flush=True)


def verdict(lab: Lab) -> None:
    """Print whether a sender that insists on DANE would deliver, and what it saw."""
    print(f"   served key: {lab.served_spki()}")
    for server in (lab.ns1, lab.ns2):
        print(f"   TLSA at {server}: {', '.join(sorted(lab.tlsa_at(server, OWNER))) or 'none'}")
    print("   sender:     " + ("delivers" if lab.dane_verified() else "DEFERS THE MAIL"))


def main() -> None:
    """Tell the story."""
    reason = missing()
    if reason:
        sys.exit(reason)
    say("Starting name servers, a validating resolver, an ACME server and postfix")
    with Lab() as lab:
        print(f"   on {lab.net}.0/24, all below {lab.root}")
        say(f"certbot issues {LINEAGE}, its record is published")
        lab.issue(LINEAGE)
        lab.tlsa_set(OWNER, f"3 1 1 {lab.served_spki()}")
        verdict(lab)
        say("certbot renews with a new key, as it does by default; nobody told the DNS")
        lab.certbot("renew", "--force-renewal", "--new-key")
        lab.write_combo(LINEAGE)
        verdict(lab)
        say("The record is replaced in a hurry")
        lab.tlsa_set(OWNER, f"3 1 1 {lab.served_spki()}")
        verdict(lab)


if __name__ == "__main__":
    main()
