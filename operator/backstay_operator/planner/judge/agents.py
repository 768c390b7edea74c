"""Whether the agent of a host knows all that a service is made of. One that lists nothing answers when it is asked."""

from __future__ import annotations

from backstay_api.objects.features import asked_by
from backstay_operator.planner.know.world import World
from backstay_operator.planner.words import listed

from .host_facts import HostFacts, Rejected
from .questions import Question


def asked_of_agents(ask: Question) -> frozenset[str]:
    """What an agent must know to run the service."""
    service = ask.service
    return ask.world.keep("asked of agents", service.key, (service.spec,), lambda: asked_by(service.spec.resources))


def is_understood(ask: Question, facts: HostFacts) -> Rejected | None:
    """The host's agent knows all kinds of resources and probes that the service has. What runs there was understood."""
    known = frozenset(facts.report.facts.features)
    unknown = sorted(asked_of_agents(ask) - known) if known and facts.name != ask.holder else []
    if not unknown:
        return None
    what = listed([f"`{name}`" for name in unknown])
    version = facts.report.facts.agent_version
    return Rejected(
        "Agent",
        f"has agent {version}, which does not know {what}: upgrade that agent",
        f"have agents that do not know {what}: upgrade those",
    )


def may_be_unknown(ask: Question) -> bool:
    """Whether there is anything about the service that not all agents know."""
    asked = asked_of_agents(ask)
    return not all(asked <= known for known in ask.world.once("features", (), lambda: _each_known(ask.world)))


def _each_known(world: World) -> frozenset[frozenset[str]]:
    """What agents know that say it: hosts of one release all say the same."""
    return frozenset(
        frozenset(one.status.facts.features) for one in world.assignments.values() if one.status.facts.features
    )
