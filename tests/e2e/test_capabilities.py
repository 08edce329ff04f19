"""What of root's power danebot and certbot themselves need: capabilities(7)."""

from __future__ import annotations

import grp
import subprocess

import pytest

from e2e import situations
from e2e.site import MAIL, OWNER, Site

pytestmark = pytest.mark.lab
_GROUP = grp.getgrgid(65534).gr_name


def _ran(site: Site, words: tuple[str, ...], *kept: str) -> subprocess.CompletedProcess[str]:
    """Run danebot as root, with these capabilities alone."""
    bounds = ",".join(["-all", *(f"+{one}" for one in kept)])
    return subprocess.run(
        ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all", *site.command(*words)],
        env=site.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_whole_rollover_needs_none(site: Site) -> None:
    """Issued, deployed, the old record taken away by DNS UPDATE; authorisations are still valid."""
    words = situations.whole(site)
    ran = _ran(site, words)
    assert (ran.returncode, ran.stderr) == (0, "")
    site.sound()
    assert site.lab.tlsa_at(site.lab.ns1, OWNER) == {f"3 1 1 {site.lab.served_spki()}"}


def test_a_group_of_combo_pem_needs_one(site: Site) -> None:
    words = situations.renewal(site)
    site.settings |= {"combo_group": _GROUP, "combo_mode": "0640"}
    ran = _ran(site, words)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    combo = site.live / "combo.pem"
    told = f"cannot give {combo} its mode and group: Operation not permitted; "
    assert line.startswith(f"danebot: CRITICAL: {MAIL}: {told}")
    assert _ran(site, words, "chown").returncode == 0
    made = combo.stat()
    assert (made.st_gid, made.st_mode & 0o777) == (65534, 0o640)
