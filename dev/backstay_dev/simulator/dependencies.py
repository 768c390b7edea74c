"""Services that depend on each other, in a profile of their own; and their judge: nothing is granted before what it requires was Ready."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS

from .shapes import ServiceShape, Shape


def shape_with(shape: Shape, rng: random.Random) -> Shape:
    """A chain or a fork of services, beside those that there are."""
    on_change: Mapping[str, str] = {"onChange": rng.choice(["Restart", "Restart", "None"])}
    db = ServiceShape("db", start_takes_s=rng.choice([0.05, 0.5, 2.0]), stop_takes_s=rng.choice([0.05, 1.0]))
    if rng.random() < 0.3:
        db = replace(db, mode="Replicated", replicas=2)
    app = ServiceShape("app", depends_on=({"service": "db", **on_change},), stop_takes_s=rng.choice([0.05, 1.0]))
    first = rng.choice(["app", "db"])
    end = ServiceShape("end", is_exclusive=rng.random() < 0.7, depends_on=({"service": first},))
    after = ServiceShape("after", depends_on=({"service": rng.choice(["db", "end"]), "type": "After"},))
    return replace(shape, services=(*shape.services, db, app, *rng.choice([(), (end,), (end, after), (after, end)])))


@dataclass
class DependencyWatch:
    """Knows which epochs have worked, as their hosts said, and what each service requires."""

    accuse: Callable[[str], None]
    worked: set[tuple[str, int]] = field(default_factory=set)
    """UID of an HAInstance, and epoch."""
    requires: dict[str, set[str]] = field(default_factory=dict)
    """By name of a service: those that it has required in every manifest so far."""

    depends_on: dict[str, set[str]] = field(default_factory=dict)
    """By name of a service: all that its manifest depends on now."""

    def observe(self, change: Change) -> None:
        """One committed write."""
        if change.type is EventType.DELETED:
            return
        if change.resource == HOST_ASSIGNMENTS.resource:
            said = (change.body.get("status") or {}).get("instances") or {}
            runs = {uid: one for uid, one in said.items() if one["phase"] == "Running" and one.get("healthy", True)}
            self.worked |= {(uid, one["epoch"]) for uid, one in runs.items()}
        elif change.resource == HA_SERVICES.resource:
            now = {one["service"] for one in change.body["spec"].get("dependsOn") or () if one.get("type") != "After"}
            name = change.key[1]
            self.requires[name] = self.requires.get(name, now) & now
            self.depends_on[name] = {one["service"] for one in change.body["spec"].get("dependsOn") or ()}
        elif change.resource == HA_INSTANCES.resource:
            before = ((change.before or {}).get("spec") or {}).get("epoch", 0)
            if change.body["spec"].get("epoch", 0) > before:
                self._granted(change.body)

    def _is_in_a_cycle(self, service: str) -> bool:
        """Then it is refused, and what runs goes on as if it required nothing."""
        seen, left = set[str](), set(self.depends_on.get(service, ()))
        while left:
            seen |= left
            left = {after for one in left for after in self.depends_on.get(one, ())} - seen
        return service in seen

    def _granted(self, body: Mapping[str, Any]) -> None:
        name, noted, service = (
            body["metadata"]["name"],
            body["spec"].get("required") or [],
            body["spec"]["service"]["name"],
        )
        missing = self.requires.get(service, set()) - {one["service"] for one in noted}
        if missing and not self._is_in_a_cycle(service):
            self.accuse(f"{name} is granted, and {', '.join(sorted(missing))}, which it requires, was not Ready")
        for one in noted:
            if (one["uid"], one["epoch"]) not in self.worked:
                self.accuse(f"{name} is granted before epoch {one['epoch']} of {one['service']} has worked")
