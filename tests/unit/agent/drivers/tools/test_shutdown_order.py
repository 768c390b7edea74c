"""At a shutdown: which stops wait for the agent's own end, and for nothing that will be over before it."""

import asyncio

import pytest

from backstay_agent.drivers.tools.shutdown_order import Queued, only_behind

US = "backstay-agent.service"
RUNNING = {US, "slow.service"}


def behind(ahead: dict[str, list[str]]) -> bool:
    async def asked(job: str) -> list[Queued]:
        return [Queued(unit, "running" if unit in RUNNING else "waiting", unit) for unit in ahead.get(job, [])]

    return asyncio.run(only_behind(US, "db.socket", asked))


@pytest.mark.parametrize(
    ("ahead", "is_behind"),
    [
        pytest.param({"db.socket": [US]}, True, id="it says Before=backstay-agent.service"),
        pytest.param(
            {"db.socket": ["sockets.target"], "sockets.target": ["basic.target"], "basic.target": [US, "slow.service"]},
            True,
            id="what comes before a target is not for everybody who comes after it",
        ),
        pytest.param({"db.socket": ["sockets.target", "slow.service"]}, False, id="somebody who named it is stopping"),
        pytest.param(
            {"db.socket": ["slow.service"], "slow.service": ["network.target"], "network.target": [US]},
            False,
            id="somebody who named it is stopping, whatever has been queued since",
        ),
        pytest.param(
            {"db.socket": ["client.service"], "client.service": ["slow.service"]},
            False,
            id="somebody who named it comes after one who is stopping",
        ),
        pytest.param({"db.socket": ["client.service"]}, False, id="somebody who named it is next"),
        pytest.param(
            {"db.socket": ["client.service"], "client.service": ["network.target"], "network.target": [US]},
            True,
            id="somebody who named it waits for us as well",
        ),
        pytest.param(
            {"db.socket": ["a.service"], "a.service": ["b.service"], "b.service": ["a.service", US]},
            True,
            id="in a circle",
        ),
        pytest.param({}, False, id="it is its turn"),
    ],
)
def test_which_stop_waits_for_nothing_but_us(ahead: dict[str, list[str]], is_behind: bool) -> None:
    assert behind(ahead) is is_behind
