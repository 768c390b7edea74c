"""The agent's plain classes read and write the same JSON as the models."""

import subprocess
import sys

import pytest

from backstay_api.objects import models, plain

ASSIGNMENT = {
    "apiVersion": "backstay.dev/v1alpha1",
    "kind": "HostAssignment",
    "metadata": {"name": "n1", "uid": "u1", "resourceVersion": "7"},
    "spec": {
        "instances": {
            "uid-db": {
                "namespace": "shop",
                "name": "db-0",
                "epoch": 3,
                "session": {"bootID": "b", "nonce": "n", "seq": 2},
                "want": "Up",
                "exclusive": True,
                "resources": [
                    {"name": "server", "systemd": {"unit": "db.service"}, "timeouts": {"stop": "1m"}},
                    {"name": "address", "virtualIP": {"address": "192.0.2.10/24"}},
                ],
            }
        }
    },
    "status": {
        "session": {"bootID": "b", "nonce": "n", "seq": 2, "machineUUID": "m", "supersedes": ["old"]},
        "facts": {"agentVersion": "1"},
    },
}


def test_an_assignment_reads_as_values_with_python_names() -> None:
    assignment = plain.HostAssignment.from_wire(ASSIGNMENT)
    order = assignment.spec.instances["uid-db"]
    server, address = order.resources
    assert server.systemd == plain.Systemd(unit="db.service")
    assert server.timeouts.stop == "1m"
    assert address.virtual_ip == plain.VirtualIP(address="192.0.2.10/24")
    assert assignment.status.session is not None
    assert assignment.status.session.ref == order.session
    assert assignment.metadata.resource_version == "7"


def test_what_is_left_out_has_the_default_of_the_model() -> None:
    bare = {"metadata": {"name": "n1"}}
    assert plain.HostAssignment.from_wire(bare).to_wire() == models.HostAssignment.from_wire(bare).wire()


def test_it_is_written_as_the_model_writes_it() -> None:
    written = plain.HostAssignment.from_wire(ASSIGNMENT).to_wire()
    assert written == models.HostAssignment.from_wire(ASSIGNMENT).wire()


def test_a_plain_object_cannot_be_changed() -> None:
    name = "unit"
    with pytest.raises(AttributeError):
        setattr(plain.Systemd(unit="db.service"), name, "other.service")


def test_the_agent_loads_no_pydantic_with_it() -> None:
    program = "import sys, backstay_api.objects.plain; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
