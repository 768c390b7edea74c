"""What a program costs, read where the kernel and the API server write it down, and what was used between two looks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backstay_dev.show.bench_cases import cpu_s, pss_mib

_REQUESTS: Final = re.compile(r"^apiserver_request_total\{([^}]*)\} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_SUM: Final = "backstay_plan_duration_seconds_sum"
_COUNT: Final = "backstay_plan_duration_seconds_count"


def requests(metrics: str) -> Counter[str]:
    """How often the API server was asked, by `verb resource/subresource`, as its own metrics say. Long watches count when they end."""
    found: Counter[str] = Counter()
    for labels, value in _REQUESTS.findall(metrics):
        said = dict(_LABEL.findall(labels))
        if said.get("resource"):
            what = "/".join(filter(None, (said["resource"], said.get("subresource"))))
            found[f"{said['verb']} {what}"] += int(float(value))
    return found


def plans(metrics: str) -> tuple[float, float]:
    """How many plans an operator has made, and seconds for all of them."""
    said = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line.startswith((_SUM, _COUNT)))
    return float(said.get(_COUNT, 0)), float(said.get(_SUM, 0))


@dataclass(frozen=True)
class Costs:
    """Of everything that runs, at one moment."""

    at_s: float
    cpu_s: Mapping[str, float]
    requests: Counter[str]
    plans: tuple[float, float] = (0.0, 0.0)

    def cores(self, before: Costs) -> dict[str, float]:
        """By program: how much of a core it has used since."""
        return {name: (at - before.cpu_s[name]) / (self.at_s - before.at_s) for name, at in self.cpu_s.items()}

    def requests_a_second(self, before: Costs) -> dict[str, float]:
        """By what was asked, the most frequent first; what was not asked is left out."""
        asked = (self.requests - before.requests).most_common()
        return {what: count / (self.at_s - before.at_s) for what, count in asked}

    def a_plan_s(self, before: Costs) -> float:
        """What a plan took on average."""
        made = self.plans[0] - before.plans[0]
        return (self.plans[1] - before.plans[1]) / made if made else 0.0


def memory_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """PSS of each."""
    return {name: pss_mib(pid) for name, pid in pids.items()}


def used_s(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds of each since it began."""
    return {name: cpu_s(pid) for name, pid in pids.items()}
