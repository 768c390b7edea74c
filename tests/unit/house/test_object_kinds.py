"""The kinds of objects are named in one place: `object_kinds.py`, from their models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from backstay_api.objects.kinds import Kind
from backstay_api.objects.object_kinds import OWN_KINDS

ROOT = Path(__file__).resolve().parents[3]


def words_of(kind: Kind[Any]) -> set[str]:
    """`hosts` alone is also the name of fields."""
    return {kind.kind, kind.resource, *({kind.plural} - {"hosts"})}


WORDS = sorted(word for kind in OWN_KINDS for word in words_of(kind))
LITERAL = re.compile(rf"""(["'])({"|".join(map(re.escape, WORDS))})\1""")
PACKAGES = ("crds", "operator", "node-agent", "cli", "dev/backstay_dev/simulator")
OTHERS = {
    "crds/backstay_api/objects/plain.py": "generated from the models",
    "node-agent/backstay_agent/cluster/link.py": "the agent knows no models, and this one kind",
    "node-agent/backstay_agent/policy/main.py": "the same, and it reads a manifest",
    "node-agent/backstay_agent/run/asking/web.py": "a header of HTTP",
}


def test_a_kind_or_its_plural_is_written_where_its_model_is_and_nowhere_else() -> None:
    """Others take it from the row: `HA_SERVICES.kind`, `.plural`, `.resource`."""
    found = {
        str(path.relative_to(ROOT)): sorted({word for _, word in LITERAL.findall(path.read_text())})
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "models" not in path.parts
    }
    assert {name for name, words in found.items() if words} == set(OTHERS)
