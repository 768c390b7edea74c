"""What the models refuse, a real API server refuses, and the other way round: for random objects, good and bad.

So the in-memory cluster, which asks the models, is an honest stand-in, and nobody gets past the server with what our
own readers cannot read.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay_api.objects.models import ALL_OBJECTS, HAInstance, HAService, Host, ResourceClaim
from backstay_api.objects.models.host import NOT_POWER
from backstay_api.objects.object_kinds import HA_SERVICES, HOSTS
from backstay_testing.agreement import KINDS, MINIMAL, SCHEMAS, Json, Server, assert_both_were_tried, bounded
from backstay_testing.instances import SANE_CLAIMS, SANE_INSTANCES
from backstay_testing.wire_objects import (
    GOOD_ADDRESSES,
    GOOD_DEVICES,
    ODD_ADDRESSES,
    ODD_DEVICES,
    ODD_TEXT,
    bent,
    good,
    perhaps_bent,
    tidy,
)

pytestmark = pytest.mark.api


def specs_of(model: type[Any]) -> st.SearchStrategy[Any]:
    """Random specs; the fields of some hang together so closely that chance hardly ever makes a sane one."""
    strategy = good(SCHEMAS[model]["spec"])
    if model is HAService:
        return st.one_of(strategy, strategy.map(tidy))
    sane = {HAInstance: SANE_INSTANCES, ResourceClaim: SANE_CLAIMS}.get(model)
    return st.one_of(strategy, st.sampled_from(sane)) if sane else strategy


@pytest.mark.parametrize("model", ALL_OBJECTS)
def test_a_new_object(server: Server, model: type[Any]) -> None:
    accepted = []

    @bounded
    @given(perhaps_bent(specs_of(model)))
    def holds(spec: Any) -> None:
        accepted.append(server.agrees_on_new(KINDS[model], spec))

    holds()
    assert_both_were_tried(accepted)


@pytest.mark.parametrize("model", [model for model in ALL_OBJECTS if model.has_status])
def test_a_status(server: Server, model: type[Any]) -> None:
    accepted = []
    stored = server.created(KINDS[model], MINIMAL[model])

    # A status takes nearly everything: without many that are bent hardly any would be wrong.
    @bounded
    @given(perhaps_bent(good(SCHEMAS[model]["status"]).flatmap(bent)))
    def holds(status: Any) -> None:
        accepted.append(server.agrees_on_change(KINDS[model], stored, {**stored, "status": status}, "status"))

    holds()
    assert_both_were_tried(accepted)


@pytest.mark.parametrize("address", [*GOOD_ADDRESSES, *ODD_ADDRESSES])
def test_an_address(server: Server, address: str) -> None:
    """Python, Go and CEL each have their own idea of an address."""
    server.agrees_on_new(HA_SERVICES, {"resources": [{"name": "address", "virtualIP": {"address": address}}]})


@pytest.mark.parametrize("who", [{}, {"from": "Holder"}, {"from": "Standby"}, {"from": "Client"}])
def test_who_asks(server: Server, who: Json) -> None:
    """Other hosts ask through the network, and degrade only."""
    there, here = {"port": 80, "host": "192.0.2.10"}, {"port": 80}
    asked: list[dict[str, Json]] = [
        *({kind: spec} for kind in ("tcpSocket", "httpGet", "grpc") for spec in (there, here)),
        {"exec": {"command": ["/bin/ask"]}},
        {"ocf": {"depth": 0}},
    ]
    taken = {
        (name, "host" in spec, failure.get("onFailure"))
        for probe in asked
        for name, spec in probe.items()
        for failure in ({}, {"onFailure": "Degrade"}, {"onFailure": "Restart"})
        if server.agrees_on_new(
            HA_SERVICES,
            {
                "resources": [
                    {"name": "x", "ocf": {"agent": "a:b"}, "probes": [{"name": "p", **who, **failure, **probe}]}
                ]
            },
        )
    }
    kinds = {("tcpSocket", True), ("httpGet", True), ("grpc", True), ("exec", False)}
    only = {(*kind, failure) for kind in kinds for failure in (None, "Degrade")}
    assert len(taken) == {"Holder": 24, "Standby": 8, "Client": 0}[who.get("from", "Holder")]
    assert who.get("from") != "Standby" or taken == only


@pytest.mark.parametrize("device", [*GOOD_DEVICES, *ODD_DEVICES])
def test_what_is_mounted(server: Server, device: str) -> None:
    for more in ({}, {"fsType": "nfs4"}, {"options": ["bind"]}, {"options": ["noatime", "suid"]}):
        server.agrees_on_new(
            HA_SERVICES, {"resources": [{"name": "x", "mount": {"device": device, "path": "/srv", **more}}]}
        )


@pytest.mark.parametrize(
    "device",
    [
        *({"agent": agent} for agent in ("fence_redfish", *NOT_POWER, "fence_scsi2", "fence_of_somebody")),
        *({"agent": "fence_apc", "parameters": {key: "1"}} for key in ("port_as_ip", "port-as-ip", "port", "use_sudo")),
    ],
)
def test_a_fence_device(server: Server, device: Json) -> None:
    is_taken = server.agrees_on_new(
        HOSTS, {"fencing": {"levels": [{"name": "l", "devices": [{"name": "d", **device}]}]}}
    )
    is_power = device["agent"] not in NOT_POWER
    assert is_taken == (is_power and not {"port_as_ip", "port-as-ip", "use_sudo"} & device.get("parameters", {}).keys())


@pytest.mark.parametrize("operator", ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "in"])
def test_a_label_expression(server: Server, operator: str) -> None:
    taken = [
        server.agrees_on_new(
            HA_SERVICES,
            {
                "resources": [{"name": "x", "systemd": {"unit": "x.service"}}],
                "placement": {"hosts": {"matchExpressions": [{"key": key, "operator": operator, **values}]}},
            },
        )
        for key in ("tier", "example.com/tier", "-tier", "")
        for values in ({}, *({"values": said} for said in ([], ["4"], ["-4"], ["+4"], ["4\n"], ["a"], ["1", "2"])))
    ]
    assert any(taken) == (operator != "in") and not all(taken)


@pytest.mark.parametrize("text", ODD_TEXT)
@pytest.mark.parametrize(
    ("model", "spec"),
    [
        pytest.param(HAService, {"virtualIP": {"address": "192.0.2.10/24", "interface": "%"}}, id="interface"),
        pytest.param(HAService, {"systemd": {"unit": "%.service"}}, id="unit"),
        pytest.param(HAService, {"path": {"path": "/%"}}, id="path"),
        pytest.param(HAService, {"mount": {"device": "/dev/sdb", "path": "/%"}}, id="mount point"),
        pytest.param(HAService, {"mount": {"device": "LABEL=%", "path": "/srv"}}, id="label"),
        pytest.param(HAService, {"mount": {"device": "/dev/sdb", "path": "/srv", "options": ["%"]}}, id="mount option"),
        pytest.param(
            HAService,
            {"systemd": {"unit": "a.service"}, "probes": [{"name": "p", "httpGet": {"port": 80, "path": "/%"}}]},
            id="path of a probe",
        ),
        pytest.param(Host, {"name": "bmc", "agent": "fence_redfish", "parameters": {"ip": "%"}}, id="parameter"),
        pytest.param(Host, {"name": "bmc", "agent": "fence_redfish", "parameters": {"%": "x"}}, id="parameter's name"),
    ],
)
def test_odd_text(server: Server, model: type[Any], spec: Json, text: str) -> None:
    inner = json.loads(json.dumps(spec).replace("%", json.dumps(text)[1:-1]))
    levels = {"levels": [{"name": "first", "devices": [inner]}]}
    whole = {"resources": [{"name": "x", **inner}]} if model is HAService else {"fencing": levels}
    server.agrees_on_new(KINDS[model], whole)


@pytest.mark.parametrize(
    "said",
    [
        *(0, 2, -1, 10**15, 10**16, True, 1.5, None),
        *("2", "-1", "500m", "4Gi", "1e3", "1E2", "4gi", "", "1.", ".5", "2\n", "\u0662"),
    ],
)
def test_an_amount(server: Server, said: Any) -> None:
    server.agrees_on_new(HOSTS, {"capacity": {"example.com/licences": said}})
    server.agrees_on_new(HOSTS, {"capacity": {"no name": 1}})
