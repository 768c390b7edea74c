"""Would anybody gain if a host were cut off: what could move, and what it requires."""

from __future__ import annotations

from typing import Any

from backstay_operator.planner.judge.takeover import why_left_alone
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import SILENT_S, a_world, add_host, put, say_ready


def test_nobody_gains_where_all_require_directly_or_not_what_can_only_run_here() -> None:
    world = a_world("n2")
    add_host(world, "n1", silent_s=SILENT_S, has_device=True)
    for number in range(12):
        more: dict[str, Any] = {"dependsOn": [{"service": f"s{number + 1:03}"}]} if number < 11 else {}
        if number == 11:
            more = {"placement": {"hosts": {"matchLabels": {"disk": "local"}}}}
        service = a_service(f"s{number:03}", unit(f"s{number:03}"), **more)
        put(world, service, epoch=1, host="n1")
        say_ready(world, service, "n2")
    holder = world.leases["n1"].lease.holder
    assert "it requires shop/s011: n2 is not selected" in why_left_alone(world, "n1", holder)
