"""What can go wrong: how to bring it about, how to mend it, and who has to say so."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from e2e.site import MAIL, OWNER, Site
from exporter.running import environment
from lab.client import spki
from monitoring.stack import CRITICAL, UNKNOWN, WARNING

NEIGHBOUR = "www.example.test"
_JUMP = Path(__file__).with_name("jump.py")


@dataclass
class World:
    """A site, and what a fault has to remember until it is mended."""

    site: Site
    record: str
    kept: dict[str, Any] = field(default_factory=dict)
    textfile: Path = Path()

    def cron(self, extra: str = "") -> None:
        """The daily job, whatever it finds, with settings beside the usual ones."""
        self.configure(extra)
        self.site.danebot("renew")

    def configure(self, extra: str = "") -> None:
        """What this site has in danebot.toml: a textfile, and two addresses to ask."""
        both = f'["{self.site.lab.mail}", "{self.site.lab.mail2}"]'
        lines = (f'textfile = "{self.textfile}"', f'endpoints."{MAIL}:25" = {both}', extra)
        self.site.extra = "\n".join(lines)


@dataclass(frozen=True)
class Fault:
    """``states`` are those of the services that must not be OK; all others must be.

    ``alerts`` are those that must fire: a name for what Prometheus has from the exporter's
    document and from node_exporter's textfile alike, ``NAME@JOB`` for one of them, ``NAME@`` where
    the alert stands for both.  What the services of ``either`` say depends on luck.
    """

    name: str
    bring: Callable[[World], None]
    mend: Callable[[World], None]
    states: dict[str, int]
    alerts: tuple[str, ...]
    either: frozenset[str] = frozenset()

    def wanted(self, well: Mapping[str, int]) -> dict[str, int]:
        """The state of every service that has to be in one; ``well`` is that of all when fine."""
        return {
            name: state
            for name, state in {**well, **self.states}.items()
            if name not in self.either
        }

    def firing(self) -> frozenset[str]:
        """``NAME@JOB`` for each of them."""
        return frozenset(
            one if "@" in one else f"{one}@{job}"
            for one in self.alerts
            for job in ("danebot", "node")
        )


# ---- DNS ------------------------------------------------------------------------------------


def lacking_secondary(world: World) -> None:
    lab = world.site.lab
    lab.tlsa_del(OWNER, world.record)
    lab.stop_secondary()
    lab.tlsa_add(OWNER, world.record)
    world.cron()


def mended_secondary(world: World) -> None:
    world.site.lab.resume_secondary()
    world.cron()


def removed(world: World) -> None:
    world.site.lab.tlsa_set(OWNER, f"3 1 1 {'ab' * 32}")
    world.cron()


def published(world: World) -> None:
    world.site.lab.tlsa_set(OWNER, world.record)
    world.cron()


def withdrawn(world: World) -> None:
    world.kept["next"] = world.site.next_record()
    world.site.lab.tlsa_add(OWNER, world.kept["next"])
    world.cron()
    assert (world.site.staging / "ready.pem").exists()
    world.site.lab.tlsa_del(OWNER, world.kept["next"])
    world.cron()


def published_again(world: World) -> None:
    world.site.lab.tlsa_add(OWNER, world.kept["next"])
    world.cron()


def bogus(world: World) -> None:
    """For the resolver it is 2038: every signature has expired."""
    world.site.lab.control("resolver", "set_option", "val-override-date:", "20380101000000")
    world.site.lab.flush()
    world.cron()


def valid(world: World) -> None:
    world.site.lab.control("resolver", "set_option", "val-override-date:", "0")
    world.site.lab.flush()
    world.cron()


def fading(world: World) -> None:
    """The primary signs for four hours only."""
    conf = world.site.lab.root / "primary/knot.conf"
    world.kept["knot"] = conf.read_text()
    times = ("lifetime: 4h", "refresh: 30m", "pre-refresh: 10m")
    words = "  - id: lab\n    propagation-delay: 10\n" + "".join(f"    rrsig-{t}\n" for t in times)
    conf.write_text(
        world.kept["knot"].replace(
            "  - id: lab\n    algorithm: ecdsa", f"{words}    algorithm: ecdsa"
        )
    )
    _sign(world)


def signed(world: World) -> None:
    (world.site.lab.root / "primary/knot.conf").write_text(world.kept["knot"])
    _sign(world)


def _sign(world: World) -> None:
    lab = world.site.lab
    lab.control("primary", "reload")
    lab.control("primary", "zone-sign", "example.test.")
    lab.update(f"update add touched.example.test. 5 TXT x{len(world.kept)}")


# ---- renewals, deployments ------------------------------------------------------------------


def ca_down(world: World) -> None:
    conf = world.site.tree / "renewal" / f"{MAIL}.conf"
    world.kept["conf"] = conf.read_text()
    world.site.lab.make_due(MAIL)
    world.site.lab.stop("acme")
    world.cron()


def ca_up(world: World) -> None:
    world.site.lab.start("acme")
    (world.site.tree / "renewal" / f"{MAIL}.conf").write_text(world.kept["conf"])
    world.cron()


def hook_fails(world: World) -> None:
    _renewed(world, 'hooks = ["exit 3"]')


def hook_works(world: World) -> None:
    world.cron('hooks = ["true"]')


def _renewed(world: World, extra: str = "") -> None:
    conf = world.site.tree / "renewal" / f"{MAIL}.conf"
    world.site.lab.make_due(MAIL)
    world.cron(extra)
    conf.write_text(conf.read_text().replace("renew_before_expiry = 3650 days\n", ""))


def serves_old(world: World) -> None:
    """The rollover is done, but the second address goes on with the old key."""
    site = world.site
    site.lab.second_chain.unlink()
    shutil.copy(site.live / "combo.pem", site.lab.second_chain)
    safe = datetime.fromisoformat(site.status()["safe_at"])
    time.sleep(max((safe - datetime.now(UTC)).total_seconds() + 0.5, 0))
    world.cron()
    assert not (site.staging / "ready.pem").exists()
    world.record = world.kept["next"]


def stolen(world: World) -> None:
    """The key is replaced in an emergency, and the second address goes on with the stolen one."""
    site = world.site
    site.danebot("newkey", MAIL, "--emergency")
    world.kept["next"] = f"3 1 1 {site.status()['next']['digest']}"
    site.lab.tlsa_add(OWNER, world.kept["next"])
    site.lab.flush()  # newkey has just looked
    world.cron()
    serves_old(world)


def serves_new(world: World) -> None:
    follow(world)
    world.site.lab.tlsa_set(OWNER, world.record)
    world.cron()


def follow(world: World) -> None:
    """The second address serves what is live, as a host with the same disk would."""
    world.site.lab.second_chain.unlink(missing_ok=True)
    world.site.lab.second_chain.symlink_to(world.site.live / "combo.pem")


def combo_broken(world: World) -> None:
    """Also the last good copy of the key is lost to services, until danebot heals it."""
    (world.site.live / "combo.pem").write_text("no key, no chain\n")


def accident(world: World) -> None:
    """Somebody runs certbot with a new key, behind danebot's back."""
    world.site.lab.certbot("renew", "--cert-name", MAIL, "--force-renewal", "--new-key")
    world.cron()


# ---- what is watched, and who renews --------------------------------------------------------


def emptied(world: World) -> None:
    """The file that says what is watched is torn; what it said protects on."""
    (world.site.staging / "dane-ee").write_text("")
    world.cron()


def watched_again(world: World) -> None:
    (world.site.staging / "dane-ee").write_text(f"1 {OWNER}\n")
    world.cron()


def unwatched(world: World) -> None:
    """The operator let go of the only owner, though its record is published."""
    (world.site.staging / "dane-ee").write_text(f"- {OWNER}\n")
    world.cron()


def forgotten(world: World) -> None:
    """The renewal configuration is gone, as after certbot delete."""
    conf = world.site.tree / "renewal" / f"{MAIL}.conf"
    world.kept["forgotten"] = conf.rename(world.site.lab.root / "forgotten.conf")
    world.cron()


def remembered(world: World) -> None:
    conf: Path = world.kept["forgotten"]
    conf.rename(world.site.tree / "renewal" / f"{MAIL}.conf")
    world.cron()


def neighbour(world: World) -> None:
    """A lineage that danebot doesn't manage, with a record of a key that certbot won't keep."""
    lab = world.site.lab
    lab.issue(NEIGHBOUR, combo=False)
    text = (world.site.tree / "live" / NEIGHBOUR / "cert.pem").read_bytes()
    digest = spki(x509.load_pem_x509_certificate(text))
    lab.tlsa_set(f"_25._tcp.{NEIGHBOUR}.", f"3 1 1 {digest}")
    world.cron()


def neighbour_gone(world: World) -> None:
    world.site.lab.tlsa_set(f"_25._tcp.{NEIGHBOUR}.")
    world.site.lab.certbot("delete", "--non-interactive", "--cert-name", NEIGHBOUR)
    world.cron()


# ---- the job and its document ---------------------------------------------------------------


def _document(world: World) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(world.site.snapshot.read_text())
    return document


def _earlier(moment: str) -> str:
    return (datetime.fromisoformat(moment) - timedelta(days=8)).isoformat()


def cron_stopped(world: World) -> None:
    """Eight days ago for the last time; other commands wrote the document since."""
    document = _document(world)
    for name in ("started", "ended"):
        document["last_renew"][name] = _earlier(document["last_renew"][name])
    document["last_success"] = _earlier(document["last_success"])
    _write(world, json.dumps(document))
    _textfile(world)


def stale(world: World) -> None:
    """Nothing has written the document for eight days."""
    cron_stopped(world)
    document = _document(world)
    document["run"] = document["last_renew"]
    _write(world, json.dumps(document))


def corrupt(world: World) -> None:
    _write(world, world.site.snapshot.read_text()[:-40])


def foreign(world: World) -> None:
    _write(world, json.dumps({**_document(world), "schema": 99}))


def gone(world: World) -> None:
    world.site.snapshot.unlink()


def jumped(world: World) -> None:
    """The job ran while the host's clock was thirty days ahead."""
    plain = world.site.python
    world.site.python = (sys.executable, str(_JUMP), "30")
    world.cron()
    world.site.python = plain


def _textfile(world: World) -> None:
    """As the job would have left it."""
    command = [sys.executable, "-m", "danebot_exporter", "--config", str(world.site.configure())]
    command += ["--textfile", str(world.textfile)]
    subprocess.run(command, env=environment(), check=True)


def _write(world: World, text: str) -> None:
    new = world.site.snapshot.with_name("new")
    new.write_text(text)
    new.rename(world.site.snapshot)


_UNKNOWN = {"tlsa": UNKNOWN, "expiry": UNKNOWN, "rollover": UNKNOWN}
_UNREADABLE = {"renewal": CRITICAL, **_UNKNOWN}

_BLIND = ("DanebotSnapshotUnreadable@danebot",)

FAULTS = (
    Fault(
        "record removed at one secondary",
        lacking_secondary,
        mended_secondary,
        {"tlsa": WARNING},
        ("DanebotTlsaMissing",),
        frozenset({"dane"}),  # as the resolver asks the one server or the other
    ),
    Fault(
        "record replaced by another",
        removed,
        published,
        {"tlsa": CRITICAL, "dane": CRITICAL},
        ("DanebotTlsaMismatch", "DanebotEndpointMismatch@danebot"),
    ),
    Fault(
        "record withdrawn while cooling",
        withdrawn,
        published_again,
        {"rollover": WARNING},
        ("DanebotRecordWithdrawn",),
    ),
    Fault(
        "service serving the old key",
        serves_old,
        serves_new,
        {"rollover": WARNING},
        ("DanebotDeploymentUnfinished", "DanebotEndpointNotTheCurrentKey@danebot"),
    ),
    Fault(
        "DNSSEC bogus",
        bogus,
        valid,
        {"tlsa": CRITICAL, "dane": CRITICAL},
        (
            "DanebotTlsaBogus",
            "DanebotEndpointUnauthenticated@danebot",
            "DanebotProbeFinding@danebot-probe",
        ),
    ),
    Fault(
        "zone signature near expiry",
        fading,
        signed,
        {"dane": WARNING},
        ("DanebotSignatureExpires@danebot-probe",),
    ),
    Fault("CA down", ca_down, ca_up, {"renewal": WARNING}, ("DanebotRenewalFailed",)),
    Fault(
        "hook failing",
        hook_fails,
        hook_works,
        {"rollover": WARNING},
        ("DanebotDeploymentUnfinished",),
    ),
    Fault(
        "combo unreadable",
        combo_broken,
        World.cron,
        {"dane": CRITICAL},
        ("DanebotEndpointUnauthenticated@danebot", "DanebotProbeFinding@danebot-probe"),
    ),
    Fault(
        "accidental new key",
        accident,
        World.cron,
        {"tlsa": WARNING},
        ("DanebotKeyUnknown",),
    ),
    Fault(
        "stolen key still in use",
        stolen,
        serves_new,
        {"rollover": WARNING},
        ("DanebotDeploymentUnfinished", "DanebotFinding@"),
    ),
    Fault("dane-ee emptied", emptied, watched_again, {"tlsa": WARNING}, ("DanebotFinding@",)),
    Fault("nothing watched", unwatched, watched_again, {"tlsa": WARNING}, ("DanebotFinding@",)),
    Fault(
        "breaks at its next renewal",
        neighbour,
        neighbour_gone,
        {"tlsa": WARNING},
        ("DanebotBreaksAtRenewal@",),
    ),
    Fault(
        "renewal configuration gone",
        forgotten,
        remembered,
        {"renewal": WARNING, "tlsa": UNKNOWN, "rollover": UNKNOWN},
        ("DanebotNotRenewed@",),
    ),
    Fault(
        "renewal cron stopped",
        cron_stopped,
        World.cron,
        {"renewal": CRITICAL},
        ("DanebotNotRunning",),
    ),
    Fault("snapshot stale", stale, World.cron, _UNREADABLE, ("DanebotNotRunning",)),
    Fault("snapshot corrupt", corrupt, World.cron, _UNREADABLE, _BLIND),
    Fault(
        "snapshot of another schema",
        foreign,
        World.cron,
        {"renewal": UNKNOWN, **_UNKNOWN},
        _BLIND,
    ),
    Fault("snapshot missing", gone, World.cron, _UNREADABLE, _BLIND),
    Fault(
        "clock jump",
        jumped,
        World.cron,
        {"renewal": UNKNOWN, **_UNKNOWN},
        ("DanebotClockWrong",),
    ),
)
