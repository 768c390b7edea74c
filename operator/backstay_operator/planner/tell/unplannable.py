"""One object that cannot be read, or cannot be planned, stops no other: its status tells why.

Texts are clipped, and numbers bounded, where they are read, so this is a net below the net. What was ordered for it stays as it
was: absence is no information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from backstay_api.objects.models import HAService, Host
from backstay_api.objects.models.base import Condition
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS, faults
from backstay_api.objects.texts import clip
from backstay_operator.planner.actions import Action, ReportUnreadable, WriteHostStatus, WriteServiceStatus
from backstay_operator.planner.know.world import World

from .conditions import Finding, settled

_CONDITIONS: Final[Mapping[str, tuple[Finding, ...]]] = {
    HA_SERVICES.kind: (Finding("Accepted", False, "Unreadable", ""), Finding("Ready", None, "Unreadable", "")),
    HOSTS.kind: (Finding("Ready", None, "Unreadable", ""),),
}
"""Of what cannot be read, by kind: only these have a status that people read."""


def of_unreadable(world: World) -> list[Action]:
    """What is told in the status of what cannot be read."""
    actions: list[Action] = []
    for (kind, key), one in sorted(world.unreadable.items()):
        if found := _CONDITIONS.get(kind):
            findings = [replace(finding, message=one.why) for finding in found]
            conditions = settled((), findings, one.generation, world.wall)
            actions.append(
                ReportUnreadable(kind, key, one.generation, tuple(conditions), f"{kind} {key} cannot be read")
            )
    return actions


def about_service(world: World, service: HAService, error: Exception) -> list[Action]:
    """What is told of a service that cannot be planned."""
    status = service.status.model_copy(update={"conditions": _conditions(world, service, error)})
    return [] if status == service.status else [WriteServiceStatus(service, status, "it cannot be planned")]


def about_host(world: World, host: Host | None, error: Exception) -> list[Action]:
    """What is told of a host that cannot be planned."""
    conditions = _conditions(world, host, error) if host else []
    if host is None or conditions == host.status.conditions:
        return []
    return [WriteHostStatus(host, {"conditions": [one.wire() for one in conditions]}, why="it cannot be planned")]


def _conditions(world: World, obj: HAService | Host, error: Exception) -> list[Condition]:
    finding = Finding("Ready", None, "CannotBePlanned", _sentence(error))
    others = [one for one in obj.status.conditions if one.type != "Ready"]
    return [*settled(obj.status.conditions, [finding], obj.metadata.generation, world.wall), *others]


def _sentence(error: Exception) -> str:
    why = f"it cannot be worked out ({type(error).__name__}: {error})"
    if isinstance(error, ValidationError):
        why = f"what would be written is no {error.title} ({'; '.join(faults(error))})"
    return clip(f"Nothing is done about it now, for {why}: report this as a bug", 2000)
