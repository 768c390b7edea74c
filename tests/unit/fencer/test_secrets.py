"""A password goes where its Secret says, whatever a Host says: whoever may edit Hosts may name any Secret, and read none."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from backstay_api.memory.server import MemoryApi
from backstay_api.memory.store import MemoryCluster
from backstay_api.objects.kinds import SECRETS
from backstay_api.objects.models.host import FenceDevice
from backstay_fencer import parameters, secrets
from backstay_fencer.agents import REFUSED, RealAgents
from backstay_fencer.counters import Counters
from backstay_fencer.devices import Devices
from backstay_fencer.processes import run_process
from backstay_testing.debians_agents import power_agents
from backstay_testing.fake_bmc import FakeAgents, FakeBmc

SECRET = {"ip": "192.0.2.1", "username": "u", "password": "p"}
WAYS = {"ip", "auth_url", "session_url"}
NO_ADDRESS = "does not say where its password goes: add the device's address as {}:"


def a_device(agent: str = "fence_redfish", **said: str) -> FenceDevice:
    body = {"name": "bmc", "agent": agent, "parameters": said, "secretRef": {"name": "n1-bmc"}}
    return FenceDevice.model_validate(body)


async def a_server(secret: Mapping[str, str]) -> MemoryApi:
    api = MemoryApi(MemoryCluster())
    data = {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()}
    body = {"metadata": {"name": "n1-bmc", "namespace": "backstay-fencing"}, "data": data}
    await api.create(SECRETS, body, "backstay-fencing")
    return api


def refusal(device: FenceDevice, secret: Mapping[str, str]) -> str:
    """Why the fencer reads no password out of this Secret for this device; empty if it does."""

    async def read() -> str:
        try:
            assert await secrets.read(await a_server(secret), device) == {
                parameters.plain(key): value for key, value in secret.items()
            }
        except secrets.NoSecret as error:
            return str(error)
        return ""

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("agent", "secret", "missing"),
    [
        pytest.param("fence_redfish", {"password": "p"}, "ip", id="none"),
        pytest.param("fence_redfish", {"username": "u"}, "ip", id="whatever it holds"),
        pytest.param("fence_redfish", {**SECRET, "ip": ""}, "ip", id="empty"),
        pytest.param("fence_redfish", {"auth_url": "https://192.0.2.1", "password": "p"}, "ip", id="another agent's"),
        pytest.param("fence_openstack", SECRET, "auth_url", id="OpenStack's identity service"),
        pytest.param("fence_xenapi", SECRET, "session_url", id="Xen's"),
        pytest.param("fence_of_somebody", {"password": "p"}, "ip", id="an agent that nobody has looked at"),
    ],
)
def test_a_secret_without_its_own_address_is_refused_in_words_that_say_how_to_add_it(
    agent: str, secret: dict[str, str], missing: str
) -> None:
    said = refusal(a_device(agent, ip="203.0.113.9"), secret)
    assert said.startswith(f"Secret backstay-fencing/n1-bmc {NO_ADDRESS.format(missing)}")
    assert f"kubectl create secret generic n1-bmc --from-literal={missing}=" in said
    assert len(said) < 300, "the Host's status shows all of it"


@pytest.mark.parametrize(
    ("agent", "secret"),
    [
        pytest.param("fence_redfish", SECRET, id="its address"),
        pytest.param("fence_redfish", {"IP-addr": "x", **SECRET}, id="and something else"),
        pytest.param("fence_ipmilan", {"ipaddr": "192.0.2.1", "password": "p"}, id="by its older name"),
        pytest.param("fence_openstack", {"auth-url": "https://192.0.2.1", "password": "p"}, id="by its own name"),
        pytest.param("fence_aws", {"secret_key": "p"}, id="an agent that goes to its vendor's cloud"),
        pytest.param("fence_redfish", {}, id="nothing in it, nothing to send"),
    ],
)
def test_a_secret_with_its_address_is_read(agent: str, secret: dict[str, str]) -> None:
    assert refusal(a_device(agent, plug="3"), secret) == ""


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        *(("fence_redfish", {way: "203.0.113.9"}) for way in ("ip", "ipaddr", "proxy", "proxyhost", "auth-url")),
        ("fence_redfish", {"ipport": "8443"}),
        # Behind the address and its port, it makes those a user's name at another server.
        ("fence_redfish", {"systems_uri": "@203.0.113.9/x"}),
        ("fence_redfish", {"redfish-uri": ".example.org/x"}),
        # Before the cloud's name, it makes that a path at another server.
        ("fence_ibm_powervs", {"region": "203.0.113.9/x"}),
        ("fence_redfish", {"ip": "192.0.2.1", "ipaddr": "203.0.113.9"}),
        ("fence_redfish", {"ipaddr": "203.0.113.9", "ip": "192.0.2.1"}),
        ("fence_gce", {"proxyhost": "203.0.113.9", "proxyport": "1"}),
    ],
)
def test_a_host_never_changes_where_a_password_goes(agent: str, said: dict[str, str]) -> None:
    words = refusal(a_device(agent, **said), SECRET)
    assert words.startswith("Secret backstay-fencing/n1-bmc says where its password goes: leave ")
    changed = [key for key, value in said.items() if value != SECRET["ip"]]
    assert f"leave {', '.join(changed)} out of bmc's parameters" in words
    assert "192.0.2.1" not in words, "what the Secret holds is told to nobody"


def test_a_host_may_repeat_what_the_secret_says_and_add_what_leads_nowhere() -> None:
    said = {"ip": "192.0.2.1", "ipport": "8443", "systems-uri": "/redfish/v1/Systems/1", "region": "eu-de", "plug": "3"}
    assert refusal(a_device(**said), {**SECRET, "ipport": "8443"}) == ""
    assert refusal(a_device(ipaddr="192.0.2.1"), SECRET) == "", "by its older name"


@pytest.mark.parametrize("secret", [{"password": "p"}, SECRET])
def test_neither_the_agent_nor_the_question_who_it_is_reaches_a_server_that_only_the_host_names(
    secret: dict[str, str],
) -> None:
    """Whatever the fencer runs with a password reads it in one place."""
    theirs = FakeBmc(lambda: True, lambda on: None, uuid="theirs", takes_s=0.0)

    async def ask() -> FakeAgents:
        agents = FakeAgents({"203.0.113.9": theirs, "192.0.2.1": theirs})
        devices = Devices(await a_server(secret), agents, Counters())
        run, _ = await devices.run(a_device(ip="203.0.113.9"), "status")
        assert run.exit_code == 125
        await devices.ask_identity(a_device(ip="203.0.113.9"))
        assert devices.identity(a_device(ip="203.0.113.9"), "theirs") == "Unasked"
        return agents

    assert asyncio.run(ask()).calls == []


@pytest.mark.skipif(not Path("/usr/sbin/fence_redfish").exists(), reason="needs Debian's fence-agents")
def test_of_every_agent_of_debian_it_is_known_which_parameter_is_its_address() -> None:
    for name, agent in power_agents().items():
        told = asyncio.run(run_process([str(agent)], "action=metadata\n", timeout_s=60))
        metadata = parameters.read_metadata(name, told.output)
        assert isinstance(metadata, parameters.Metadata)
        demanded = {key for key in WAYS if NO_ADDRESS.format(key) in refusal(a_device(name), {"password": "p"})}
        assert demanded == WAYS & metadata.parameters.keys(), name


TALKATIVE = """#!/bin/sh
options=$(cat)
case $options in *action=metadata*) exec echo '<resource-agent><parameters/></resource-agent>';; esac
echo "Failed: cannot log in with $options" >&2
exit 1
"""


@pytest.mark.parametrize("password", ["s3cret-of-the-bmc", "calvin", "XYZ"])
def test_what_an_agent_prints_shows_no_password(password: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes into the status of Host and FenceRequest, and into the log."""
    install_a_talkative_one(tmp_path, monkeypatch)
    run = asyncio.run(RealAgents().run(a_device(), "status", {**SECRET, "password": password}))
    assert run.exit_code == 1 and "password=***" in run.output and password not in run.output


@pytest.mark.parametrize("said", [pytest.param("u\naction=off", id="a line"), pytest.param("u\0x", id="a NUL")])
def test_what_would_be_another_line_to_an_agent_is_not_told_to_it(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Agents read lines, and some cut a line at a NUL: what is checked would not be what is done."""
    install_a_talkative_one(tmp_path, monkeypatch)
    run = asyncio.run(RealAgents().run(a_device(), "status", {**SECRET, "username": said}))
    assert run.exit_code == REFUSED and run.output.startswith("the value of username has a line break in it")


def install_a_talkative_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = folder / "fence_redfish"
    agent.write_text(TALKATIVE)
    agent.chmod(0o755)
    monkeypatch.setattr("backstay_fencer.agents.DIRECTORIES", (folder,))
