"""What people write about a device, and what the device answers, never ends the fencer: everybody else needs it."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from backstay_api.objects.models.host import FenceDevice
from backstay_fencer.agents import RealAgents
from backstay_fencer.identity import ask_ipmi, compare, is_placeholder
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


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """Of a server on this machine, which nobody has signed."""
    files = tmp_path / "key", tmp_path / "certificate"
    words = (
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bmc -keyout {files[0]} -out {files[1]}"
    )
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    return context


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redfish_server_that_answers_with_another_address_is_not_followed_there(
    scheme: str, certificate: ssl.SSLContext
) -> None:
    """Not even to itself, be it by TLS or in clear: the password has gone where the Secret said, and goes no further."""
    asked: list[str] = []

    async def ask() -> None:
        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            there = f"{scheme}://127.0.0.1:{clear if scheme == 'http' else port}/elsewhere"
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()

        async with (
            await asyncio.start_server(redirect, "127.0.0.1", 0, ssl=certificate) as by_tls,
            await asyncio.start_server(redirect, "127.0.0.1", 0) as in_clear,
        ):
            port, clear = (server.sockets[0].getsockname()[1] for server in (by_tls, in_clear))
            secret = {"ip": "127.0.0.1", "ipport": str(port), "username": "u", "password": "p"}
            parameters = {"systems_uri": "/x", "ssl_insecure": "1"}
            device = FenceDevice(name="bmc", agent="fence_redfish", parameters=parameters, timeout="5s")
            assert await RealAgents().machine_uuid(device, secret) is None

    asyncio.run(ask())
    [line] = [text.splitlines()[0] for text in asked]
    assert line == "GET /x HTTP/1.1" and "Authorization: Basic dTpw" in asked[0]


def test_a_redfish_server_is_believed_about_its_machine(certificate: ssl.SSLContext) -> None:
    async def ask() -> str | None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = '{"UUID": "4c4c4544-0042-3010-8054-b7c04f4d3133"}'
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificate) as server:
            secret = {"ip": "127.0.0.1", "ipport": str(server.sockets[0].getsockname()[1])}
            parameters = {"systems_uri": "/x", "ssl_insecure": "1"}
            return await RealAgents().machine_uuid(
                FenceDevice(name="bmc", agent="fence_redfish", parameters=parameters, timeout="5s"), secret
            )

    assert asyncio.run(ask()) == "4c4c4544-0042-3010-8054-b7c04f4d3133"


def test_no_argument_of_ipmitool_shows_the_password() -> None:
    seen: list[list[str]] = []

    async def run(argv: list[str], stdin: str, *, timeout_s: float) -> AgentRun:
        seen.append(argv)
        return AgentRun(0, "System GUID  : 4c4c4544-0042-3010-8054-b7c04f4d3133")

    secret = {"username": "admin", "password": "geheim"}
    assert asyncio.run(ask_ipmi({"ip": "192.0.2.1", **secret}, run, "/proc/1/fd/3"))
    assert asyncio.run(ask_ipmi({"ipaddr": "192.0.2.1", **secret}, run, "/proc/1/fd/3")), "its older name"
    assert asyncio.run(ask_ipmi({"ip": "192.0.2.1", **secret, "target": "0x82"}, run, "/proc/1/fd/3"))
    assert " ".join(seen[2]).endswith("-t 0x82 mc guid") and "-t" not in seen[0], (
        "the BMC behind it is switched, and asked"
    )
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


@pytest.mark.parametrize(
    "uuid",
    [
        pytest.param("03000200-0400-0500-0006-000700080009", id="as a maker of chipsets delivers it"),
        pytest.param("00020003-0004-0005-0006-000700080009", id="the same, turned"),
        pytest.param("12345678-1234-5678-90ab-cddeefaabbcc", id="counted and spelt"),
        pytest.param("78563412-3412-7856-90ab-cddeefaabbcc", id="the same, turned"),
        pytest.param("12345678-1234-1234-1234-123456789012", id="counted again and again"),
        pytest.param("00112233-4455-6677-8899-aabbccddeeff", id="every digit twice"),
        pytest.param("33221100-5544-7766-8899-aabbccddeeff", id="the same, turned"),
        pytest.param("00000000-0000-0000-0000-000000000000", id="nought"),
        pytest.param("00000000-0000-0000-0000-000000000001", id="all but nought"),
        pytest.param("0F0F0F0F-F0F0-0F0F-F0F0-0F0F0F0F0F0F", id="a pattern of two digits"),
    ],
)
def test_what_a_whole_series_of_boards_says_names_no_machine(uuid: str) -> None:
    assert is_placeholder(uuid) and compare(uuid, uuid) == "Unverified"


def test_what_one_board_says_names_its_machine_be_its_digits_few() -> None:
    assert not is_placeholder("00000000-0000-0000-0000-000000000012")
