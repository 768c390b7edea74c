"""What people write about a device, and what the device answers, never ends the fencer: everybody else needs it."""

import asyncio

import pytest

from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import RealAgents


@pytest.mark.parametrize("agent", ["fence_redfish", "fence_ipmilan"])
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="no address"),
        pytest.param({"ip": "127.0.0.1", "ipport": "1"}, id="no systems_uri, and nobody listens"),
        pytest.param({"ip": "a b", "systems_uri": "/redfish/v1"}, id="an address with a blank"),
        pytest.param({"ip": "127.0.0.1", "ipport": "x", "systems_uri": "/redfish/v1"}, id="a port that is no number"),
        pytest.param({"ip": "[", "systems_uri": "/redfish/v1"}, id="half an IPv6 address"),
    ],
)
def test_a_device_that_cannot_be_asked_did_not_name_its_machine(agent: str, parameters: dict[str, str]) -> None:
    # Not validated: the object may be older than the rules of the schema.
    device = FenceDevice.model_construct(name="bmc", agent=agent, parameters=parameters, timeout="2s")
    assert asyncio.run(RealAgents().machine_uuid(device, {})) is None
