"""What people write about a device, and what the device answers, never ends the fencer: everybody else needs it."""

import asyncio

import pytest

from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import RealAgents
from backstay_fencer.identity import ask_ipmi, compare
from backstay_fencer.processes import AgentRun


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


def test_a_device_is_asked_who_it_is_where_its_secret_says_and_nowhere_else() -> None:
    """A server that listens on every address of this host stands for the one to which the password was led."""
    asked: list[str] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("sockname")[0])
        writer.close()

    async def ask() -> None:
        async with await asyncio.start_server(listen, "0.0.0.0", 0) as server:
            port = str(server.sockets[0].getsockname()[1])
            parameters = {"systems_uri": "/x", "ssl_insecure": "1"}
            for ways, secret in (
                ({"ip": "127.0.0.2", "ipport": port}, {"ip": "127.0.0.1"}),
                ({}, {"ip": "127.0.0.1", "ipport": port}),
            ):
                device = FenceDevice(name="bmc", agent="fence_redfish", parameters=parameters | ways, timeout="2s")
                assert await RealAgents().machine_uuid(device, secret | {"password": "p"}) is None

    asyncio.run(ask())
    assert asked == ["127.0.0.1"]


def test_no_argument_of_ipmitool_shows_the_password() -> None:
    seen: list[list[str]] = []

    async def run(argv: list[str], stdin: str, *, timeout_s: float) -> AgentRun:
        seen.append(argv)
        return AgentRun(0, "System GUID  : 4c4c4544-0042-3010-8054-b7c04f4d3133")

    secret = {"username": "admin", "password": "geheim"}
    assert asyncio.run(ask_ipmi({"ip": "192.0.2.1"}, secret, run, "/proc/1/fd/3"))
    assert asyncio.run(ask_ipmi({"ipaddr": "192.0.2.1"}, secret, run, "/proc/1/fd/3")), "its older name"
    assert seen[0] == seen[1] and "geheim" not in " ".join(seen[0]) and "/proc/1/fd/3" in seen[0]


@pytest.mark.parametrize(
    ("said", "machine", "expected"),
    [
        pytest.param("4C4C4544-0042-3010-8054-B7C04F4D3133", "4c4c4544-0042-3010-8054-b7c04f4d3133", "Match", id="same"),
        pytest.param("44454c4c-4200-1030-8054-b7c04f4d3133", "4c4c4544-0042-3010-8054-b7c04f4d3133", "Match", id="turned"),
        pytest.param("4c4c4544-0042-3010-8054-b7c04f4d3134", "4c4c4544-0042-3010-8054-b7c04f4d3133", "Mismatch", id="other"),
        pytest.param(None, "4c4c4544-0042-3010-8054-b7c04f4d3133", "Unverified", id="it said nothing"),
        pytest.param("4c4c4544-0042-3010-8054-b7c04f4d3133", "", "Unverified", id="nobody knows the machine's"),
        pytest.param("ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff", "Unverified", id="blank"),
        pytest.param("00020003-0004-0005-0006-000700080009", "00020003-0004-0005-0006-000700080009", "Unverified", id="a series"),
    ],
)  # fmt: skip
def test_whether_a_device_has_named_this_machine(said: str | None, machine: str, expected: str) -> None:
    assert compare(said, machine) == expected
