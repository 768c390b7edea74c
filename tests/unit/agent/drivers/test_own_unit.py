"""What systemd calls a unit is what a policy is asked about; where it does not say, nothing is allowed."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from backstay_agent.drivers import own_unit
from backstay_agent.drivers.base import NotNamed, StartFailed
from backstay_agent.drivers.tools.bus import BusError
from backstay_agent.policy.asking import NotTold
from backstay_agent.real import RealHostSystem
from backstay_api.objects.plain import RenderedResource
from backstay_dev.simulator.virtualtime import run
from backstay_testing.agent_world import unit


async def _refuses() -> str:
    raise BusError("GetUnit", "no answer")


async def _may_not_be() -> str:
    raise StartFailed("ssh.service is the host's own")


async def _hangs() -> str:
    return await asyncio.Future[str]()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(_refuses, "systemd does not say what it calls the unit of server: no answer", id="it refuses"),
        pytest.param(_hangs, "systemd has not said within 3 s what it calls the unit of server, so it", id="it hangs"),
    ],
)
def test_what_systemd_does_not_name_is_said(answer: Callable[[], Awaitable[str]], said: str) -> None:
    class Silent:
        async def own_unit(self, resource: RenderedResource) -> str:
            return await answer()

    drivers: Any = dict.fromkeys(("systemd", "virtual_ip"), Silent())
    with pytest.raises(NotNamed, match=said):
        run(own_unit(drivers, unit()))


@pytest.mark.parametrize("answer", [_refuses, _hangs, _may_not_be])
def test_only_what_systemd_may_say_later_is_asked_again(
    answer: Callable[[], Awaitable[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name that no unit of a service may have is refused by its start: an edit would wait for it without end, and be watched by nobody."""
    system = RealHostSystem(rng=random.Random(1), policy=tmp_path)

    class Systemd:
        async def own_unit(self, resource: RenderedResource) -> str:
            return await answer()

    monkeypatch.setattr(system, "_drivers", dict.fromkeys(("systemd",), Systemd()))
    if answer is _may_not_be:
        assert run(system._own_unit(unit())) == ""
    else:
        with pytest.raises(NotTold):
            run(system._own_unit(unit()))
