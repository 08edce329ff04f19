"""Writes what a wheel is and needs, as CycloneDX 1.5 in JSON.

make_sbom.py WHEEL >FILE

From the wheel's own metadata alone, so that the same wheel gives the same octets.  Which versions
satisfy it is for whoever installs it: each requirement stands as it was written.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*(?P<versions>[^;]*?)\s*(?:;.*)?")


def sbom(wheel: Path) -> dict[str, Any]:
    """The document for one wheel; extras are left out."""
    metadata, digest = _metadata(wheel), hashlib.sha256(wheel.read_bytes()).hexdigest()
    needed = [one for one in metadata.get_all("Requires-Dist", []) if "extra ==" not in one]
    needs = sorted((_component(one) for one in needed), key=lambda found: str(found["name"]))
    licence = metadata["License-Expression"] or metadata["License"]  # hatchling before 1.26
    reference = f"pkg:pypi/{metadata['Name']}@{metadata['Version']}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'sha256:{digest}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": reference,
                "name": metadata["Name"],
                "version": metadata["Version"],
                "purl": reference,
                "licenses": [{"license": {"id": licence}}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
        },
        "components": needs,
        "dependencies": [{"ref": reference, "dependsOn": [one["bom-ref"] for one in needs]}],
    }


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def _component(requirement: str) -> dict[str, Any]:
    found = _REQUIREMENT.fullmatch(requirement)
    if found is None:
        raise SystemExit(f"make_sbom.py: what is {requirement!r}?")
    name = re.sub(r"[-_.]+", "-", found["name"]).lower()
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}",
        "name": name,
        "purl": f"pkg:pypi/{name}",
        "scope": "required",
        "properties": [{"name": "python:requirement", "value": found["versions"]}],
    }


if __name__ == "__main__":
    print(json.dumps(sbom(Path(sys.argv[1])), indent=2))
