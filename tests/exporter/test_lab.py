"""From the real danebot to the exporter, on the lab's servers."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from e2e.conftest import site
from e2e.site import MAIL, OWNER, Site
from exporter.running import Exporter, exporter
from schemas import faults

__all__ = ["site"]

pytestmark = pytest.mark.lab


def secrets_of(tree: Path) -> list[bytes]:
    """What only the private keys in the tree hold."""
    found = set()
    for path in tree.rglob("*.pem"):
        data = path.read_bytes()
        if b"PRIVATE KEY" not in data:
            continue
        private = load_pem_private_key(data, None)
        if isinstance(private, ec.EllipticCurvePrivateKey):
            number = private.private_numbers().private_value
        else:
            assert isinstance(private, rsa.RSAPrivateKey)
            number = private.private_numbers().d
        found.add(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        lines = data[data.index(b"PRIVATE KEY") :].splitlines()
        found.add(base64.b64decode(b"".join(lines[1:3])))
    return sorted(found)


def until(found: Exporter, line: str) -> str:
    """The metrics, once they have ``line``."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        body = found.get("/metrics")[1]
        if f"{line}\n" in body:
            return body
        time.sleep(0.3)
    pytest.fail(f"never saw {line}; the last was:\n{body}")


def test_a_rollover_as_the_exporter_shows_it(site: Site, tmp_path: Path) -> None:
    prom = tmp_path / "danebot.prom"
    site.extra = f'textfile = "{prom}"'
    record = site.staged()
    site.ok("newkey", MAIL)
    site.quiet("renew")
    text = site.snapshot.read_text()
    document = json.loads(text)
    assert faults("status", document) == []
    assert site.snapshot.stat().st_mode & 0o777 == 0o644
    (lineage,) = document["lineages"]
    assert lineage["phase"] == "staged"
    assert lineage["phase_since"] is not None
    assert lineage["last_success"] == document["run"]["ended"]
    assert {one["role"] for one in lineage["records"]} == {"current", "awaited"}
    assert lineage["records"][0]["ttl"] > 0
    assert f'danebot_lineage_phase{{lineage="{MAIL}",phase="staged"}} 1\n' in prom.read_text()

    with exporter("--config", site.configure(), "--probe.targets", "any", interval="1s") as found:
        endpoint = f'lineage="{MAIL}",endpoint="{MAIL}:25"'
        body = until(found, f"danebot_endpoint_probe_success{{{endpoint}}} 1")
        assert f"danebot_endpoint_serves_current_key{{{endpoint}}} 1\n" in body
        assert f'danebot_endpoint_addresses{{{endpoint},result="mismatch"}} 0\n' in body
        page = found.get("/")[1]
        assert "authenticated" in page
        shown = b"\n".join(part.encode() for part in (text, body, page, prom.read_text()))
        keys = secrets_of(site.tree)
        assert len(keys) >= 4  # the current key's and the next key's
        for secret in keys:
            for form in (secret, secret.hex().encode(), base64.b64encode(secret)[:40]):
                assert form not in shown
        assert b"PRIVATE KEY" not in shown

        probed = found.get("/probe?target=example.test&module=smtp")[1]
        assert "probe_success 1\n" in probed
        assert 'danebot_probe_addresses{result="authenticated"} ' in probed

        site.lab.tlsa_set(OWNER, "3 1 1 " + "00" * 32)
        site.lab.flush()
        until(found, f'danebot_endpoint_addresses{{{endpoint},result="mismatch"}} 1')
        probed = found.get("/probe?target=example.test")[1]
        assert "probe_success 0\n" in probed
        assert 'danebot_probe_findings{code="mismatch"} 1\n' in probed
        assert 'danebot_probe_grade{grade="critical"} 1\n' in probed
    site.lab.tlsa_set(OWNER, record)
    site.lab.flush()


def test_a_wide_open_umask_and_a_narrow_one(site: Site) -> None:
    """The document is 0644 whatever the umask of the run."""
    site.staged()
    for mask in (0o000, 0o077):
        old = os.umask(mask)
        try:
            site.quiet("renew")
        finally:
            os.umask(old)
        assert site.snapshot.stat().st_mode & 0o777 == 0o644
