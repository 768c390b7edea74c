"""What agents of a release know: each kind of resource and of probe, by its word in manifests. Each agent tells its own with its facts.

Standard library only. An agent of before has told none, and answers for itself when it is asked for what it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from .probe_kinds import PROBE_KINDS, kind_of
from .resource_kinds import IMPLEMENTED, kinds_in

MOST_FEATURES: Final = 128
_PROBE: Final = "probe"
FEATURES: Final = tuple(sorted({kind.wire for kind in IMPLEMENTED} | {f"{_PROBE}.{kind.wire}" for kind in PROBE_KINDS}))
"""Of this release."""


def asked_by(resources: Iterable[Any]) -> frozenset[str]:
    """What an agent must know to run these."""
    found: set[str] = set()
    for resource in resources:
        found.update(kind.wire for kind, _ in kinds_in([resource]))
        found.update(f"{_PROBE}.{kind_of(probe)[0].wire}" for probe in resource.probes or ())
    return frozenset(found)
