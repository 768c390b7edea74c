"""SAFETY 6, the injections that apply today: each is refused with a sentence, by the schema, the operator or the agent.

That a real API server refuses what the models refuse is `tests/contract/test_models_and_server_agree.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from backstay_agent.drivers.tools.transient import argv_refusal
from backstay_agent.drivers.tools.units import refusal
from backstay_api.objects.models import HAService, Host
from backstay_api.objects.resource_kinds import IMPLEMENTED, ResourceKind
from backstay_operator.planner.judge import acceptance
from backstay_operator.planner.judge.acceptance import Refused
from backstay_testing.builders import a_service
from backstay_testing.wire_objects import ODD_DEVICES
from backstay_testing.worlds import a_world

HOMOGLYPH = "nginх.service"


def parsed(**resource: Any) -> HAService:
    wire = {"metadata": {"name": "s", "namespace": "default"}, "spec": {"resources": [{"name": "r", **resource}]}}
    return HAService.model_validate(wire)


ODD_PATHS = ("etc/a", "", "/", "/etc/../root/a", "/etc/./a", "/etc//a", "/a\nb", "/a\0", "/" + "x" * 1024)
SMUGGLED_OCF: list[dict[str, Any]] = [
    {"agent": "heartbeat:../../../tmp/x"},
    {"agent": "../heartbeat:Dummy"},
    {"agent": "heartbeat/x:Dummy"},
    {"agent": "heartbeat:."},
    {"agent": "heartbeat"},
    {"agent": "lsb:heartbeat:Dummy"},
    {"agent": "heartbeat:Dummy\n"},
    {"agent": "heartbeat:IPaddr2", "parameters": {"ip=1\nx": "y"}},
    {"agent": "heartbeat:IPaddr2", "parameters": {"ip": "1.2.3.4\0"}},
    {"agent": "heartbeat:IPaddr2", "parameters": {"ip": "\x1b[2J"}},
    {"agent": "heartbeat:Dummy", "instance": "../x"},
]
ARGVS = {"start": ["/bin/true"], "stop": ["/bin/true"]}
ODD_VARIABLES: list[dict[str, str]] = [
    {"A=B": "x"},
    {"A B": "x"},
    {"1A": "x"},
    {"": "x"},
    {"A\n": "x"},
    {"A": "x\ny"},
    {"A": "\0"},
    {"A": "x" * 4097},
]
ODD_BOXES: list[dict[str, Any]] = [
    *({"protectSystem": "yes"}, {"protectHome": True}, {"readWritePaths": []}),
    *({"readWritePaths": [odd]} for odd in ("-/srv", "+/srv", "/srv/../etc", "srv", "/")),
]
SMUGGLED: list[dict[str, Any]] = [
    # 25: words of a shell, line breaks, look-alikes
    *({"systemd": {"unit": f"a{odd}.service"}} for odd in (";", "$(id)", "`id`", "\n", "\0", "%s", " ", "/")),
    {"systemd": {"unit": HOMOGLYPH}},
    *({"virtualIP": {"address": "192.0.2.9/24", "interface": odd}} for odd in ("a\n", "a b", "../x", "", "a" * 16)),
    {"systemd": {"unit": "a.service"}, "probes": [{"name": "p", "httpGet": {"port": 80, "path": "/\r\nHost: x"}}]},
    *(
        {"systemd": {"unit": "a.service"}, "probes": [{"name": "p", "httpGet": {"port": 80, **odd}}]}
        for odd in (
            {"expectedStatus": ["2xx"]},
            {"expectedStatus": ["200\n"]},
            {"expectedBody": {"matches": "a\n-f/etc/shadow"}},
            {"expectedBody": {"matches": "x" * 257}},
            {"tls": {"caFile": "-rf"}},
            {"tls": {"serverName": "a b"}},
        )
    ),
    {"systemd": {"unit": "a.service"}, "probes": [{"name": "p", "grpc": {"port": 80, "service": "a\r\nb"}}]},
    # 26: names that climb, and kinds of unit that no service consists of
    *({"systemd": {"unit": unit}} for unit in ("../../x.service", "-.mount", "x.swap", "a.device", "a.scope")),
    # what looks like an option, or like many
    *(
        {"systemd": {"unit": unit}}
        for unit in ("-rf.service", "--now.socket", "a*.service", "a?.service", "a[bc].service")
    ),
    # 29, 33: what is not an absolute path
    {"command": {"start": ["-rf"], "stop": ["/bin/true"]}},
    {"command": {"start": [], "stop": ["/bin/true"]}},
    # 32: sizes and numbers
    {"command": {"start": ["/bin/true", "x" * 65536], "stop": ["/bin/true"]}},
    {"command": {"start": ["/bin/true"] * 65, "stop": ["/bin/true"]}},
    *({"systemd": {"unit": "a.service"}, "probes": [{"name": "p", "tcpSocket": {"port": n}}]} for n in (0, 10**30)),
    {"systemd": {"unit": "a.service"}, "timeouts": {"start": "NaNs"}},
    # 42: one address with two names
    {"virtualIP": {"address": "::ffff:192.0.2.9/120"}},
    *(
        {"virtualIP": {"address": "192.0.2.9/24", "routes": odd}}
        for odd in ([], [{"to": "default"}], [{"to": "203.0.113.0/24", "via": "eth0"}], [{"via": "192.0.2.1"}])
    ),
    # 33, 38, 39: places and options of a mount
    *(
        {"mount": {"device": "/dev/sdb", "path": path}}
        for path in ("/srv/../etc", "/srv/", "", "/", "srv", "/a//b", "/s/./x")
    ),
    *(
        {"mount": {"device": "/dev/sdb", "path": "/srv/db", "options": [odd]}}
        for odd in ("ro,suid", "-x", "", "a b", "x;y", "x\n")
    ),
    *({"mount": {"device": odd, "path": "/srv/db"}} for odd in ODD_DEVICES),
    *(
        {"mount": {"device": "/dev/sdb", "path": "/srv/db", "fsType": odd}}
        for odd in ("ext4,xfs", "noext4", "-t", "", "nfs")
    ),
    {"mount": {"device": "nas:/x", "path": "/srv/db", "fsType": "ext4"}},
    {"mount": {"device": "nas:/x", "path": "/srv/db", "options": ["bind"]}},
    # what would defeat the gate, or a stop, by another door
    *(
        {"systemd": {"unit": "a.service", "overrides": {odd: "1"}}}
        for odd in ("Restart", "Nice\n[Unit]", "ExecStart", "Limit")
    ),
    *(
        {"systemd": {"unit": "a.service", "overrides": {"Nice": odd}}}
        for odd in ("1\nRestart=always", "", "a b", "$(id)")
    ),
    {"systemd": {"unit": "a.service", "environment": {"A": "x\0"}}},
    {"systemd": {"unit": "a.service", "environment": {"A=B\nC": "x"}}},
    {"systemd": {"unit": "a.service", "environment": {"1A": "x"}}},
    {"systemd": {"unit": "a.service", "environment": {"A B": "x"}}},
    {"systemd": {"unit": "a.service", "environment": {"A" * 65: "x"}}},
    {"command": {"convention": "lsb", "program": ["init.d/x"]}},
    {"command": {"convention": "lsb", "program": ["/etc/init.d/x"], "stop": ["/bin/true"]}},
    # 29: as whom, where and with what a command runs
    *(
        {"command": {**ARGVS, who: odd}}
        for who in ("user", "group")
        for odd in (
            "root;rm",
            "-x",
            "x" * 300,
            "",
            "a b",
            "a:b",
            "../x",
            "a\n",
            "%u",
            "$USER",
            "00",
            "-1",
            "1a",
            "\0",
            HOMOGLYPH,
        )
    ),
    *({"command": {**ARGVS, "environment": odd}} for odd in ODD_VARIABLES),
    *(
        {"command": {**ARGVS, "workingDirectory": odd}}
        for odd in ("srv", "", "~", "-/srv", "/srv/../etc", "/srv/", "/a\nb", "/a\\", '/a"', "/" + "x" * 1024)
    ),
    *({"command": {**ARGVS, "sandbox": odd}} for odd in ODD_BOXES),
    *(
        {"command": {**ARGVS, "overrides": {odd: "1"}}}
        for odd in ("User", "ExecStop", "Nice\n[Unit]", "MemoryMaxScale")
    ),
    # 27, 28
    *({"ocf": odd} for odd in SMUGGLED_OCF),
    *({"file": {"path": odd}} for odd in ODD_PATHS),
    *({"file": {"path": "/etc/a", field: "x y"}} for field in ("sha256", "owner", "group", "mode")),
    {"file": {"path": "/etc/a", "sha256": "0" * 63}},
    {"file": {"path": "/etc/a", "mode": "u+s"}},
    *({"path": {"path": odd}} for odd in ODD_PATHS),
    *(
        {"path": {"path": "/a", which: [odd]}}
        for which in ("include", "exclude")
        for odd in ("", "/a", "a//b", "../a", "a\n", "a/")
    ),
    *({"path": {"path": "/a", "maxFiles": odd}} for odd in (0, 10_001)),
    {"path": {"path": "/a", "maxBytes": 1 << 40}},
    {"path": {"path": "/a", "maxDepth": 33}},
    *({"package": {"name": odd}} for odd in ("", "-y", "nginx; reboot", "a\nStatus: install", "../a")),
    {"package": {"name": "nginx", "version": "1 2"}},
    *({"certificate": {"path": odd}} for odd in ODD_PATHS),
    *({"certificate": {"path": "/a", "key": odd}} for odd in ODD_PATHS),
    {"certificate": {"path": "/a", "names": ["a b"]}},
    *({"endpoint": {"tcp": odd}} for odd in ("db", "db:", ":1", "db:123456", "-x:1", "a b:1", "db:1\n", "http://db:1")),
    *({"endpoint": {"unix": odd}} for odd in ODD_PATHS),
    *(
        {"setting": {"sysctl": odd}}
        for odd in ("vm", "vm..a", "../a", "net.//.//.etc.a", "a.b;c", "a.b\n", "/etc/a", "a.")
    ),
    *({"setting": {"module": odd}} for odd in ("", "-r", "../a", "a.ko", "a b")),
    *({"setting": {who: odd}} for who in ("user", "group") for odd in ("", "-x", "a b", "a:0", "../x")),
    *({"setting": {"units": odd}} for odd in ([], ["../x.service"], ["-x.service"], ["a.conf"], ["a b.service"])),
    {"setting": {"sysctl": "vm.a", "value": "1\n2"}},
]
TWO_IN_ONE = {"systemd": {"unit": "a.service"}, "virtualIP": {"address": "192.0.2.9/24"}}


@pytest.mark.parametrize("kind", IMPLEMENTED, ids=lambda kind: kind.wire)
def test_something_is_smuggled_by_every_kind(kind: ResourceKind) -> None:
    """A row that was forgotten with a new kind is missed here."""
    assert any(kind.wire in resource for resource in SMUGGLED)


@pytest.mark.parametrize("resource", [*SMUGGLED, TWO_IN_ONE], ids=str)
def test_refused_by_the_schema(resource: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parsed(**resource)


def test_ten_thousand_resources_are_refused_by_the_schema() -> None:
    resources = [{"name": f"r{number}", "systemd": {"unit": f"u{number}.service"}} for number in range(10_000)]
    with pytest.raises(ValidationError):
        HAService.model_validate({"metadata": {"name": "s"}, "spec": {"resources": resources}})


@pytest.mark.parametrize(
    "device",
    [
        {"agent": "/bin/sh"},
        {"agent": "fence_../sh"},
        {"agent": "redfish"},
        {"agent": "fence_redfish", "parameters": {"ip": "1.2.3.4\naction=on"}},
        {"agent": "fence_redfish", "parameters": {"ip\naction": "on"}},
        {"agent": "fence_redfish", "parameters": {"action": "on"}},
        {"agent": "fence_redfish", "parameters": {"password": "x"}},
    ],
    ids=str,
)
def test_fence_devices_that_smuggle_are_refused_by_the_schema(device: dict[str, Any]) -> None:
    """28, 30, 31. A line break in the password itself: `backstay_fencer.secrets` refuses the Secret."""
    levels = [{"name": "first", "devices": [{"name": "bmc", **device}]}]
    with pytest.raises(ValidationError):
        Host.model_validate({"metadata": {"name": "n1"}, "spec": {"fencing": {"levels": levels}}})


@pytest.mark.parametrize(
    "resource",
    [
        # 33-39: what is not written cannot go wrong: it is refused as a whole
        {"file": {"path": "/etc/a", "template": True, "secretKeyRef": {"name": "c", "key": "k"}}},
        {"file": {"path": "/etc/a", "content": "a", "configMapKeyRef": {"name": "c", "key": "k"}}},
        {"file": {"path": "/etc/shadow"}},
        {"file": {"path": "/root/.ssh/id_rsa"}},
        {"certificate": {"path": "/etc/ssl/a.pem", "key": "/etc/ssh/ssh_host_rsa_key"}},
        {"setting": {}},
        {"setting": {"user": "www-data", "group": "www-data"}},
        {"setting": {"user": "www-data", "value": "1"}},
        {"setting": {"group": "www-data", "groups": ["root"]}},
        {"setting": {"sysctl": "net.ipv4.tcp_fastopen_key"}},
        {"setting": {"sysctl": "net/ipv6/conf/eth0/stable_secret"}},
        {"setting": {"sysctl": "kernel.random.uuid"}},
        # 41
        *(
            {"virtualIP": {"address": a}}
            for a in ("192.0.2.0/24", "192.0.2.255/24", "127.0.0.1/8", "224.0.0.1/4", "::/64")
        ),
        # What an address would take along: all of the host, another family, no network, no gateway
        *(
            {"virtualIP": {"address": "192.0.2.9/24", "routes": [{"to": "203.0.113.0/24"}, route]}}
            for route in (
                {"to": "0.0.0.0/0", "via": "192.0.2.1"},
                {"to": "2001:db8::/64"},
                {"to": "203.0.113.0/24", "via": "fe80::1"},
                {"to": "203.0.113.5/24"},
                {"to": "203.0.113.0/24", "via": "224.0.0.1"},
                {"to": "203.0.113.0/24", "via": "1.2.3"},
            )
        ),
        {"virtualIP": {"address": "192.0.2.9/24", "preferredLifetime": "Forever"}},
        {"command": {**ARGVS, "environment": {"BACKSTAY_RESOURCE": "{}"}}},
        {"command": {**ARGVS, "environment": {f"A{number}": "x" * 4096 for number in range(9)}}},
        # What could not be made to wait, or not be stopped verifiably
        *({"systemd": {"unit": unit}} for unit in ("system-web.slice", "srv-db.automount")),
        *(
            {"mount": {"device": "/dev/sdb", "path": "/srv/db", "options": ["noatime", odd]}}
            for odd in ("suid", "dev", "loop", "loop=/dev/loop0", "remount", "helper=x", "rshared", "nofail")
        ),
        {"mount": {"device": "/dev/sdb", "path": "/srv/db", "fsType": "fuse.sshfs"}},
    ],
    ids=str,
)
def test_refused_by_the_operator_with_a_sentence(resource: dict[str, Any]) -> None:
    service = a_service(resources=[{"name": "r", **resource}])
    world = a_world("n1")
    world.put_service(service)
    verdict = acceptance.accept(world, service)
    assert isinstance(verdict, Refused) and "spec.resources[r]" in verdict.message, verdict


@pytest.mark.parametrize(
    "unit",
    ["backstay-guard.service", "backstay-agent.service", "ssh.service", "dbus.socket", "systemd-journald.service",
     "init.scope", "../../x.service", "-.mount", "a@.service", "", "x" * 300 + ".service"],
)  # fmt: skip
def test_units_of_the_host_itself_are_refused_by_the_agent(unit: str) -> None:
    assert refusal(unit)


@pytest.mark.parametrize("argv", [(), ("-x",), ("sh", "-c", "id"), ("/opt/../bin/sh",), ("/bin/echo", "a\0b")])
def test_commands_that_are_refused_by_the_agent(argv: tuple[str, ...]) -> None:
    assert argv_refusal(argv)
