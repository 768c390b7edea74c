"""Hands of the agent: one module a kind of resource; drivers do not know each other.

Nothing heavy is imported before `real_drivers` is called: the agent's heartbeat beats before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backstay_api.plain import RenderedResource

    from .base import Driver

KINDS: Final = ("systemd", "command", "virtual_ip")


def kind_of(resource: RenderedResource) -> str:
    """Which kind of resource this is: the name of the one field that is set."""
    return next(kind for kind in KINDS if getattr(resource, kind) is not None)


def driver_of(drivers: Mapping[str, Driver], resource: RenderedResource) -> Driver:
    """Who drives this resource."""
    return drivers[kind_of(resource)]


def real_drivers() -> Mapping[str, Driver]:
    """The drivers for this very host, by kind. One connection to systemd, opened when first needed, serves them all."""
    from .command import CommandDriver
    from .manager import Manager
    from .systemd import SystemdDriver
    from .vip import VirtualIPDriver

    manager = Manager()
    return {"systemd": SystemdDriver(manager), "command": CommandDriver(manager), "virtual_ip": VirtualIPDriver()}
