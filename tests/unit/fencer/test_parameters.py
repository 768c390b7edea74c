"""Whoever may edit Hosts runs nothing beside the BMC passwords, and sees none of them: the schema, and Debian's real agents."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from backstay_api.objects.models.host import FenceDevice, forbidden_parameter
from backstay_fencer import parameters
from backstay_fencer.agents import DIRECTORIES, REFUSED, RealAgents
from backstay_fencer.parameters import IPMITOOL, KEEPS_PASSWORD, SHOWS_PASSWORD, Metadata, read_metadata, refusal
from backstay_testing.debians_agents import power_agents

REDFISH = {"ip": "127.0.0.1", "ipport": "1", "systems_uri": "/redfish/v1/Systems/1"}
needs_agents = pytest.mark.skipif(not Path("/usr/sbin/fence_redfish").exists(), reason="needs Debian's fence-agents")


@pytest.mark.parametrize(
    "key",
    [
        *("action", "option", "password", "passwd", "password_script", "passwd_script", "snmp_priv_passwd_script"),
        *("sudo", "use_sudo", "sudo_path", "ipmitool_path", "ssh_path", "telnet_path", "gnutlscli_path", "vgs_path"),
        *("ssh_options", "identity_file", "debug", "debug_file", "status_file", "token_file", "cookie_file", "logfile"),
        *(
            "cmd_prompt",
            "command_prompt",
            "kubeconfig",
            "openrc",
            "exec",
            "runonfail",
            "tlskey",
            "cacert",
            "secret_key",
        ),
        *("missing_as_off", "network-fencing", "network_fencing", "verbose", "verbose_level", "port_as_ip"),
    ],
)
def test_what_runs_reads_writes_shows_or_lies_is_refused_by_the_schema_however_it_is_spelt(key: str) -> None:
    for spelt in {key, key.replace("_", "-")}:
        assert forbidden_parameter(spelt)
        with pytest.raises(ValidationError):
            FenceDevice(name="bmc", agent="fence_redfish", parameters={spelt: "x"})


@pytest.mark.parametrize("agent", ["fence_scsi", "fence_mpath", "fence_sbd", "fence_brocade", "fence_heuristics_ping"])
def test_an_agent_that_tells_of_something_else_than_power_is_refused_by_name(agent: str) -> None:
    with pytest.raises(ValidationError, match=f"prove nothing of what runs there.*{agent}"):
        FenceDevice(name="disk", agent=agent)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("192.0.2.1 -f /etc/shadow", id="another option"),
        pytest.param("-oProxyCommand=/bin/sh", id="an option in place of a value"),
        *(f"a{odd}b" for odd in "\"'`$;&|<>\\()\t"),
    ],
)
def test_a_value_is_one_word_for_every_program_it_may_be_pasted_into(value: str) -> None:
    with pytest.raises(ValidationError):
        FenceDevice(name="bmc", agent="fence_apc", parameters={"ip": value})


@pytest.mark.parametrize(
    "value", ["", "fe80::1%eth0", "[2001:db8::1]", "/redfish/v1/Systems/4c4c4544-0042", "3,4", "1.3.6.1.2", "user@pam"]
)
def test_plain_values_are_taken(value: str) -> None:
    assert FenceDevice(name="bmc", agent="fence_redfish", parameters={"ip": value}).parameters == {"ip": value}


METADATA = Metadata(
    {
        "ip": "string",
        "plug": "string",
        "lanplus": "boolean",
        "api_path": "string",
        "password": "string",
        "devices": "string",
    }
)


@pytest.mark.parametrize(
    ("device", "secret", "words"),
    [
        pytest.param({"parameters": {"ip": "a", "lanplus": "1"}}, {"username": "u"}, "", id="all is well"),
        pytest.param(
            {"parameters": {"adress": "a"}}, {}, "fence_redfish has no parameter adress; it takes ip", id="misspelt"
        ),
        pytest.param(
            {"parameters": {"ip": "a"}}, {"ipmitool_path": "/x"}, "may not carry ipmitool_path", id="in a Secret"
        ),
        pytest.param(
            {"parameters": {"ip": "a"}}, {"password-script": "/x"}, "may not carry", id="a script in a Secret"
        ),
        pytest.param(
            {"agent": "fence_apc_snmp"}, {"password": "p"}, "shows its password", id="an SNMP tool's argument"
        ),
        pytest.param(
            {"parameters": {"devices": "/dev/sda"}}, {}, "may not be given devices", id="a disk of the fencer's machine"
        ),
        pytest.param({"agent": "fence_apc_snmp"}, {}, "", id="no password, nothing to show"),
        pytest.param(
            {"agent": "fence_apc_snmp", "allowPasswordInArgv": True}, {"password": "p"}, "", id="somebody takes that"
        ),
        pytest.param({"agent": "fence_x"}, {"password": "p"}, "nobody has looked", id="an agent that nobody knows"),
        pytest.param(
            {"agent": "fence_ipmilan"}, {"hexadecimal_kg": "p"}, "shows hexadecimal_kg", id="the key of IPMI 2"
        ),
    ],
)
def test_what_is_refused_before_anything_runs(device: dict[str, object], secret: dict[str, str], words: str) -> None:
    described = FenceDevice.model_validate({"name": "bmc", "agent": "fence_redfish", **device})
    said = refusal(described, secret, METADATA)
    assert words in said if words else said == ""


@pytest.mark.parametrize(
    "output", ["", "Traceback: no module named suds\n", "<resource-agent", "<resource-agent><x></resource-agent>"]
)
def test_an_agent_that_does_not_say_what_it_takes_is_told_nothing(output: str) -> None:
    assert "could not tell which parameters it takes" in str(read_metadata("fence_x", output))


# --- Debian's own agents ---------------------------------------------------------------------------------------------


@needs_agents
def test_every_agent_of_debian_was_looked_at_and_those_that_start_programs_with_a_password_are_known() -> None:
    installed = set(power_agents())
    assert installed <= KEEPS_PASSWORD | SHOWS_PASSWORD | IPMITOOL
    for name in sorted(installed):
        text = (Path("/usr/sbin") / name).read_bytes()
        if b"fencing_snmp" in text or (b"run_command(" in text and b'quote(options["--password"])' in text):
            assert name in SHOWS_PASSWORD | IPMITOOL


def installed_as(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("backstay_fencer.agents.DIRECTORIES", (folder, *DIRECTORIES))


@needs_agents
@pytest.mark.parametrize("key", ["password-script", "password_script", "ipmitool-path"])
def test_a_script_that_reached_an_object_all_the_same_is_not_run_by_the_fencer(key: str, tmp_path: Path) -> None:
    """The object may be older than the rule, or the rule may be gone from the cluster."""
    token = tmp_path / "was-here"
    parameters_ = {**REDFISH, key: f"/usr/bin/touch {token}"}
    device = FenceDevice.model_construct(name="bmc", agent="fence_redfish", parameters=parameters_, timeout="20s")
    run = asyncio.run(RealAgents().run(device, "status", {"username": "x"}))
    assert run.exit_code == REFUSED and key in run.output
    assert not token.exists()


@needs_agents
def test_a_misspelt_parameter_is_named_with_those_that_the_agent_takes() -> None:
    device = FenceDevice(name="bmc", agent="fence_redfish", parameters={"ip": "127.0.0.1", "system_uri": "/x"})
    run = asyncio.run(RealAgents().run(device, "status", {}))
    assert (
        run.output.startswith("fence_redfish has no parameter system_uri; it takes delay")
        and "systems_uri" in run.output
    )


IPMITOOL_STAND_IN = """#!/usr/bin/python3
import os, re, sys
path = sys.argv[sys.argv.index("-f") + 1]
line = " ".join(sys.argv[1:])
ok = open(path).read().strip() == "s3cret-of-the-bmc" and "-P " in line
print("Chassis Power is on" if ok else "wrong password")
open({log!r}, "a").write(line + "\\n" + open("/proc/self/environ").read() + "\\n")
"""


@needs_agents
def test_ipmitool_reads_the_password_from_memory_and_no_command_line_or_environment_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's real fence_ipmilan, with a program in ipmitool's place that writes down how it was called."""
    log, tool = tmp_path / "log", tmp_path / "ipmitool"
    tool.write_text(IPMITOOL_STAND_IN.replace("{log!r}", repr(str(log))))
    tool.chmod(0o755)
    agent = tmp_path / "fence_ipmilan"
    agent.write_text(Path("/usr/sbin/fence_ipmilan").read_text().replace("/usr/bin/ipmitool", str(tool)))
    agent.chmod(0o755)
    installed_as(monkeypatch, tmp_path)
    device = FenceDevice(name="bmc", agent="fence_ipmilan", parameters={"ip": "127.0.0.1", "lanplus": "1"})
    with children_seen() as seen:
        run = asyncio.run(RealAgents().run(device, "status", {"username": "u", "password": "s3cret-of-the-bmc"}))
    assert (run.exit_code, "Status: ON" in run.output) == (0, True), run.output
    assert "s3cret" not in log.read_text() and not [text for text in seen() if "s3cret" in text]
    assert any("fence_ipmilan" in text for text in seen()), "the test has looked at something"


@contextmanager
def children_seen() -> Iterator[Callable[[], set[str]]]:
    """Command lines and environments of all processes of this machine, as anybody with our user could see them."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for file in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: seen
    finally:
        done.set()
        thread.join()


def test_options_of_other_agents_are_what_host_and_secret_say() -> None:
    device = FenceDevice(name="bmc", agent="fence_redfish", parameters={"systems-uri": "/x"})
    told = parameters.options(device, {"password": "p"}, password_file="/proc/1/fd/3")
    assert told == {"systems_uri": "/x", "password": "p"}
