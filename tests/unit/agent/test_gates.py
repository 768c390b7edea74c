"""Gates of units: open only between our start and our stop, whatever has become of the agent's memory."""

from __future__ import annotations

import pytest

from backstay_dev.simulator.virtualtime import in_virtual_time
from backstay_testing.agent_world import enrolled, unit


@pytest.mark.parametrize("files", [{}, {"run/journal": "cut"}], ids=["no journal", "a broken one"])
@in_virtual_time
async def test_a_unit_that_was_stopped_while_no_agent_ran_is_not_left_open_to_anybody(files: dict[str, str]) -> None:
    """Seed 120000000366: the session was superseded, the service went elsewhere, and a person started the unit here again."""
    world = await enrolled()
    await world.order(resources=(unit(),))
    await world.phase_is("Running")
    await world.kill_agent()
    (name,) = world.machine.gates
    world.machine.down(name)
    world.disk.files = dict(files)
    world.start_agent()

    async def is_next() -> bool:
        return (await world.session()).seq == 2

    await world.until(is_next)
    assert world.machine.gates == set()
