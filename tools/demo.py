"""A key rollover on real servers, told step by step and judged by Postfix's own DANE client.

Everything runs on loopback: certbot and an ACME server, signed zones on a primary and a secondary,
a validating resolver, Postfix.  Time is shortened by TTLs of a few seconds and by settings; no
check is left out.  The demo fails loudly if anything is not as told.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from lab import Lab, missing  # noqa: E402 - tests/ is no package

LINEAGE = "mail.example.test"
OWNER = f"_25._tcp.{LINEAGE}."


class Story:
    """The operator, the name servers and the sender."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.began = time.monotonic()
        self.steps = 0
        self.config = lab.danebot_toml()

    def tell(self, text: str) -> None:
        """Begin the next step."""
        self.steps += 1
        print(f"\n[{time.monotonic() - self.began:5.1f} s] {self.steps}. {text}", flush=True)

    def danebot(self, *arguments: str, status: int = 0) -> str:
        """Run danebot, show what it prints, and insist on its exit status."""
        print(f"    # danebot {' '.join(arguments)}", flush=True)
        run = subprocess.run(
            [sys.executable, "-m", "danebot", "--config", str(self.config), *arguments],
            env={
                **os.environ,
                "NO_COLOR": "1",
                "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        for line in (run.stdout + run.stderr).splitlines():
            print(f"    {line}")
        print(f"    (exit status {run.returncode})")
        self.insist(run.returncode == status, f"exit status {status} was expected")
        return run.stdout

    def status(self) -> dict[str, Any]:
        """What ``danebot status --json`` says of the lineage, not printed."""
        run = subprocess.run(
            [sys.executable, "-m", "danebot", "--config", str(self.config), "status", "--json"],
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(run.stdout)["lineages"][0]
        return found

    def phase(self, *wanted: str) -> None:
        """Insist on the phase of the rollover: one of those, where a slow machine is further on."""
        found = self.status()["phase"]
        print(f"    phase: {found}")
        self.insist(found in wanted, f"phase {' or '.join(wanted)} was expected")

    def served(self, wanted: str) -> None:
        """Insist that Postfix serves the key of ``wanted`` and that a DANE sender verifies it."""
        serves = f"3 1 1 {self.lab.served_spki()}"
        verified = self.lab.dane_verified()
        print(f"    Postfix serves {serves}")
        print(f"    posttls-finger -l dane-only: {'Verified' if verified else 'NOT VERIFIED'}")
        self.insist(serves == wanted, f"{wanted} was expected")
        self.insist(verified, "a DANE sender must be able to deliver at every step")

    @staticmethod
    def insist(holds: bool, text: str) -> None:  # noqa: FBT001 - an assertion's shape
        """End the demo with a message unless ``holds``."""
        if not holds:
            sys.exit(f"demo: not as told: {text}")

    def until_due(self) -> None:
        """Let the safe time come."""
        while True:
            status = self.status()
            if status["phase"] == "due":
                print(f"    phase: due (the safe time was {status['safe_at']})")
                return
            self.insist(status["phase"] == "cooling", "the key should be cooling")
            time.sleep(0.5)


def rollover(story: Story) -> tuple[str, str]:
    """From a fresh certificate to a promoted key; the old and the new record."""
    lab = story.lab
    story.tell("certbot issues a certificate; the operator publishes its record")
    lab.issue(LINEAGE)
    old = f"3 1 1 {lab.served_spki()}"
    lab.tlsa_set(OWNER, old)
    story.served(old)

    story.tell("danebot takes the lineage over and finds the published record by itself")
    story.danebot("init", LINEAGE)
    story.danebot("renew")
    story.served(old)

    story.tell("A next key is made; danebot says which record to add, and waits for it")
    out = story.danebot("newkey", LINEAGE)
    new = next(line.split(" TLSA ", 1)[1] for line in out.splitlines() if " TLSA " in line)
    story.danebot("renew")
    story.phase("staged")
    story.served(old)

    story.tell("The record reaches the primary only; the secondary lags: that must not count")
    with lab.lag_secondary():
        lab.tlsa_add(OWNER, new, wait=False)
        lab.flush()
        story.danebot("renew")
        story.phase("staged")
        story.danebot("status", LINEAGE)
        story.served(old)

    story.tell("Published everywhere: the key cools until every cache has dropped the old answer")
    lab.tlsa_set(OWNER, old, new)
    story.danebot("renew")
    story.phase("cooling", "due")
    story.danebot("status", LINEAGE)
    story.served(old)

    story.tell("The safe time is reached: promotion, deployment, confirmation on the wire")
    story.until_due()
    story.danebot("renew")
    story.phase("stable")
    story.served(new)

    story.tell("The old record may go now")
    story.danebot("tlsa", LINEAGE)
    lab.tlsa_del(OWNER, old)
    story.danebot("renew")
    story.served(new)
    return old, new


def withdrawn(story: Story, live: str) -> None:
    """A record that is withdrawn while its key cools."""
    lab = story.lab
    story.tell("Again a next key; somebody withdraws its record while it cools")
    out = story.danebot("newkey", LINEAGE)
    third = next(line.split(" TLSA ", 1)[1] for line in out.splitlines() if " TLSA " in line)
    lab.tlsa_add(OWNER, third)
    story.danebot("renew")
    story.phase("cooling", "due")
    lab.tlsa_del(OWNER, third)
    story.danebot("renew", status=1)
    story.phase("staged")
    story.served(live)
    story.danebot("newkey", "--cancel", LINEAGE)


def accident(story: Story, live: str) -> None:
    """``certbot --new-key`` by accident, and the next ordinary renewal."""
    lab = story.lab
    story.tell("Somebody runs certbot renew --force-renewal --new-key: live must not change")
    lab.certbot("renew", "--force-renewal", "--new-key", "--cert-name", LINEAGE)
    story.danebot("renew", status=1)
    story.served(live)

    story.tell("The next ordinary renewal succeeds, with the live key")
    before = story.status()["live"]["fingerprint"]
    lab.make_due(LINEAGE)
    story.danebot("renew")
    story.insist(story.status()["live"]["fingerprint"] != before, "a renewed chain was expected")
    story.served(live)
    story.danebot("status", LINEAGE)


def main() -> None:
    """Tell the whole story."""
    reason = missing()
    if reason:
        sys.exit(f"demo: {reason}")
    print(
        "Starting name servers, a validating resolver, an ACME server and Postfix on loopback ..."
    )
    with Lab(ttl=3) as lab:
        story = Story(lab)
        _, live = rollover(story)
        withdrawn(story, live)
        accident(story, live)
        print(
            f"\nAll as told, in {time.monotonic() - story.began:.0f} s: "
            "at every step a DANE sender could deliver."
        )


if __name__ == "__main__":
    main()
