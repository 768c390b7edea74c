"""What one world is made of: hosts and what feeds them, services, and how many processes of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from backstay_api.objects.kinds import Raw
from backstay_api.objects.names import promoted_name
from backstay_api.objects.object_kinds import HA_SERVICES

from .positions import COMMAND

NAMESPACE: Final = "shop"

Devices = Literal["none", "board", "outlets", "levels"]
Names = Literal["itself", "nothing", "drilled", "neighbour", "twin"]

DEVICES: Final[Mapping[Devices, Sequence[tuple[str, str]]]] = {
    "none": (),
    "board": (("first", "bmc"),),
    "outlets": (("first", "left"), ("first", "right")),
    "levels": (("first", "bmc"), ("second", "bmc")),
}
"""Levels and devices."""


@dataclass(frozen=True)
class Shape:
    """What this seed's world is made of."""

    hosts: tuple[HostShape, ...]
    operators: int
    services: tuple[ServiceShape, ...]
    fencers: int = 1
    has_fencer_lease: bool = False
    """One of them works and the others wait, as the chart has it. Else all do: what two may do that both believe to lead."""
    budget: int = 20
    read_gap: str = "1s"
    is_packaged: bool = False
    """Units are enabled, as their packages leave them: they start by themselves at a boot, unless they carry our mark."""
    stays_dark: bool = False
    """When all is healed nobody goes and switches on what a fence device has switched off, or all that has lost its power."""
    think_s: float = 0.0
    """How long an operator's plan takes."""


@dataclass(frozen=True)
class HostShape:
    """One host, and what feeds it."""

    profile: str = "lab"
    devices: Devices = "board"
    """`outlets`: two in one level, both must be off. `levels`: a second board, asked when the first does not do."""
    names: Names = "itself"
    """Which machine its devices name when asked: none at all (trusted only when drilled), or the neighbour's that they really
    feed, by wrong wires. A twin's board says the same name as the neighbour's, which it feeds."""
    after: Literal["On", "StayOff"] = "On"


@dataclass(frozen=True)
class ServiceShape:
    name: str
    is_exclusive: bool = True
    addresses: tuple[str, ...] = ()
    failback: str = "Never"
    is_part: bool = False
    """Its unit is pulled in by an umbrella, which does nothing itself: `web@main.service` by `web.service`."""
    selects: bool = False
    """It asks for hosts of pool a, which all are at first."""
    recovery: Mapping[str, Any] | None = None
    """What its manifest says about recovery; none: nothing."""
    addresses_after: tuple[str, ...] | None = None
    """What its addresses come `after`; none: all above them."""
    mode: Literal["Single", "Replicated", "EveryHost", "Promotable"] = "Single"
    replicas: int = 1
    is_scored: bool = False
    """The copy whose data goes furthest is promoted."""
    depends_on: tuple[Mapping[str, str], ...] = ()
    """As its manifest says it."""
    needs: tuple[Mapping[str, Any], ...] = ()
    """What of its resources is only looked at, as its manifest says it."""
    stop_takes_s: float = 0.1
    start_takes_s: float = 0.2

    @property
    def most_copies(self) -> int:
        """So many may be there at once, whatever people do."""
        return 1 if self.mode == "Single" else 100

    @property
    def unit(self) -> str:
        """What it names."""
        return f"{self.name}@main.service" if self.is_part else f"{self.name}.service"

    @property
    def role(self) -> str:
        """Under which name the monitor keeps what only its promoted copy has."""
        return promoted_name(self.name)

    @property
    def promoted_units(self) -> tuple[str, ...]:
        return (f"{self.name}-writer.service",) if self.mode == "Promotable" else ()

    @property
    def address_resources(self) -> list[Raw]:
        """Its addresses, as resources."""
        after: Raw = {} if self.addresses_after is None else {"after": list(self.addresses_after)}
        return [
            {"name": f"address-{index}", "virtualIP": {"address": f"{address}/24"}, **after}
            for index, address in enumerate(self.addresses)
        ]

    @property
    def manifest(self) -> Raw:
        """Its HAService, as people write it."""
        server: Raw = {"name": "server", "systemd": {"unit": self.unit}}
        spec: Raw = {
            "resources": [*map(dict, self.needs), server, *self.address_resources],
            "placement": {"failback": self.failback},
        }
        if self.recovery is not None:
            spec["recovery"] = dict(self.recovery)
        if self.depends_on:
            spec["dependsOn"] = [dict(one) for one in self.depends_on]
        if self.selects:
            spec["placement"]["hosts"] = {"matchLabels": {"pool": "a"}}
        if not self.is_exclusive:
            spec["exclusive"] = False
        if self.mode != "Single":
            spec |= {"mode": self.mode, "exclusive": self.is_exclusive}
        if self.mode in ("Replicated", "Promotable"):
            spec["replicas"] = self.replicas
        if self.is_scored:
            spec["promotion"] = {"scoreCommand": [COMMAND]}
        for unit in self.promoted_units:
            spec["resources"] = [*spec["resources"], {"name": "writer", "role": "Promoted", "systemd": {"unit": unit}}]
        return {"kind": HA_SERVICES.kind, "metadata": {"name": self.name, "namespace": NAMESPACE}, "spec": spec}
