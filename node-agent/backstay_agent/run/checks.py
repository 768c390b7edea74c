"""Weighs what drivers see by asking a program: a check without an answer may be slow and not dead (`core/health.py`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from backstay_agent.core.health import CALM, Health, Look, Thresholds, Verdict, hanging, joined, judge, patient
from backstay_agent.drivers.base import Check, Seen, State
from backstay_agent.host_system import HostSystem
from backstay_api.objects.plain import RenderedResource


class Checks:
    """What is known of the checks of one instance's resources."""

    def __init__(self, system: HostSystem) -> None:
        self._system = system
        self._healths: dict[str, Health] = {}
        self.suspect: dict[str, str] = {}
        """Resources whose check gets no answer in time, and why nothing is done about that yet."""

    async def weighed(self, resource: RenderedResource, seen: Seen) -> Seen:
        """What is to be made of it: what may only be slow runs, and is suspected."""
        name, check = resource.name, seen.check
        self.suspect.pop(name, None)
        if check is None or seen.state not in (State.RUNNING, State.FAILED):
            return seen
        look = Look(seen.state is State.RUNNING, check.took_s, check.in_time)
        signs = CALM if check.in_time else await self._system.signs(resource)
        health = self._healths[name] = judge(self._healths.get(name, Health()), look, _thresholds(check), signs)
        if health.verdict is Verdict.SUSPECT:
            self.suspect[name] = why = f"its check {health.why}"
            # What has never answered is not known to run either.
            return Seen(State.RUNNING) if health.took_s else Seen(State.UNKNOWN, why)
        return replace(seen, why=joined(seen.why, hanging(signs), health.why))

    def forget_but(self, names: Collection[str]) -> None:
        """Of the others another life begins."""
        for known in (self._healths, self.suspect):
            for name in known.keys() - names:
                del known[name]


def _thresholds(check: Check) -> Thresholds:
    return patient(Thresholds(failures=1, successes=1, limit_s=check.limit_s, every_s=check.every_s))
