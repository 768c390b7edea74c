"""The bill of materials (CycloneDX 1.5, JSON): what of other projects is in which package, by version and hash."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from .versions import Release
from .wheels import Wheel


def bill(release: Release, carried: Mapping[str, Sequence[Wheel]]) -> str:
    """`carried`: by package. No time and no random number is in it: the same commit, the same bill."""
    wheels = {wheel.path.name: wheel for one in carried.values() for wheel in one}
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'backstay@{release.version}')}",
        "version": 1,
        "metadata": {"component": _ours("backstay", release)},
        "components": [*(_ours(name, release) for name in carried), *map(_component, wheels.values())],
        "dependencies": [
            {"ref": name, "dependsOn": sorted({wheel.path.name for wheel in carried[name]})} for name in carried
        ],
    }
    return json.dumps(body, indent=2) + "\n"


def _ours(name: str, release: Release) -> dict[str, Any]:
    return {"type": "application", "bom-ref": name, "name": name, "version": release.version}


def _component(wheel: Wheel) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": wheel.path.name,
        "name": wheel.name,
        "version": wheel.version,
        "purl": f"pkg:pypi/{wheel.name}@{wheel.version}?file_name={wheel.path.name}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.path.read_bytes()).hexdigest()}],
    }
