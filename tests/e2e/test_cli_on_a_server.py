"""The commands as people run them: a process of its own, a kubeconfig, a real API server, and kubectl finding its plugin."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import LabError
from backstay_testing.agreement import Server
from backstay_testing.builders import session

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[2]
IMPORT_ROOTS = os.pathsep.join(str(ROOT / name) for name in ("crds", "operator", "cli"))


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane, server: Server) -> ControlPlane:
    """With our CRDs and the agents' namespace in it."""
    names = control_plane.kubectl("get", "namespace", "-o", "name")
    if "namespace/backstay-hosts" not in names:
        control_plane.kubectl("create", "namespace", "backstay-hosts")
    return control_plane


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `kubectl-backstay`, as an installation puts it into the PATH."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "kubectl-backstay"
    script.write_text(f"#!{sys.executable}\nfrom backstay_cli.main import main\nmain()\n")
    script.chmod(0o755)
    return folder


def backstay(plane: ControlPlane, plugin: Path, *words: str, code: int = 0) -> str:
    env = {
        "PATH": f"{plugin}:/usr/bin:/bin",
        "HOME": str(plugin),
        "PYTHONPATH": IMPORT_ROOTS,
        "KUBECONFIG": str(plane.admin_kubeconfig),
    }
    command = [str(plane.assets.kubectl), "backstay", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_an_added_host_has_the_rights_of_its_agent_and_no_others(plane: ControlPlane, plugin: Path) -> None:
    told = json.loads(backstay(plane, plugin, "host", "add", "cli-1", "-o", "json").partition("]")[0] + "]")
    assert {one["result"] for one in told} == {"created"}
    again = backstay(plane, plugin, "host", "add", "cli-1")
    assert again.count("unchanged") == 8 and "created\n" not in again

    def may(verb: str, what: str, *more: str) -> bool:
        user = "--as=system:serviceaccount:backstay-hosts:backstay-host-cli-1"
        try:
            return plane.kubectl("auth", "can-i", verb, what, user, *more).strip() == "yes"
        except LabError:
            return False

    hosts = ("-n", "backstay-hosts")
    allowed = [
        may("get", "hostassignments.backstay.dev/cli-1"),
        may("watch", "hostassignments.backstay.dev/cli-1"),
        may("update", "hostassignments.backstay.dev/cli-1", "--subresource=status"),
        may("update", "leases.coordination.k8s.io/cli-1", *hosts),
        may("get", "secrets/backstay-files-cli-1", *hosts),
        may("create", "serviceaccounts/backstay-host-cli-1", "--subresource=token", *hosts),
    ]
    assert all(allowed), allowed
    refused = [
        may("create", "events.events.k8s.io", "-n", "shop"),
        may("get", "hostassignments.backstay.dev/cli-2"),
        may("list", "hostassignments.backstay.dev"),
        may("update", "hostassignments.backstay.dev/cli-1"),
        may("update", "leases.coordination.k8s.io/cli-2", *hosts),
        may("create", "leases.coordination.k8s.io", *hosts),
        may("list", "leases.coordination.k8s.io", *hosts),
        may("get", "secrets", *hosts),
        may("get", "secrets/backstay-files-cli-2", *hosts),
        may("update", "secrets/backstay-files-cli-1", *hosts),
        may("get", "hosts.backstay.dev/cli-1"),
        may("create", "serviceaccounts/backstay-host-cli-2", "--subresource=token", *hosts),
    ]
    assert not any(refused), refused


def test_a_lost_host_is_confirmed_by_whoever_is_logged_in(plane: ControlPlane, plugin: Path) -> None:
    backstay(plane, plugin, "host", "add", "cli-3")
    assert "nothing to confirm" in backstay(plane, plugin, "fence", "cli-3", "--confirm", "--yes", code=4)
    spec = {"host": "cli-3", "session": session("cli-3").wire(), "want": "Observe", "why": "cli-3 is silent"}
    body = {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "FenceRequest",
        "metadata": {"name": "cli-3-a"},
        "spec": spec,
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    assert "add --yes" in backstay(plane, plugin, "fence", "cli-3", "--confirm", code=4)
    assert "lab-admin" in backstay(plane, plugin, "fence", "cli-3", "--confirm", "--yes", "--reason", "plugs pulled")
    stored = json.loads(plane.kubectl("get", "fence", "cli-3-a", "-o", "json"))["spec"]["confirm"]
    assert (stored["by"], stored["reason"]) == ("lab-admin", "plugs pulled")


def test_status_drain_and_move_on_a_real_server(plane: ControlPlane, plugin: Path) -> None:
    plane.kubectl("create", "namespace", "cli")
    backstay(plane, plugin, "host", "add", "cli-4", "--labels", "pool=cli")
    service = {
        "apiVersion": "backstay.dev/v1alpha1",
        "kind": "HAService",
        "metadata": {"name": "web", "namespace": "cli"},
        "spec": {
            "resources": [{"name": "web", "systemd": {"unit": "web.service"}}],
            "placement": {"hosts": {"matchLabels": {"pool": "cli"}}},
        },
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    assert "service cli/web" in backstay(plane, plugin, "status", "-n", "cli")
    assert "cli-4" in backstay(plane, plugin, "explain", "web", "-n", "cli")
    assert "has never reported: is its agent running?" in backstay(
        plane, plugin, "move", "cli/web", "--to", "cli-4", code=4
    )
    backstay(plane, plugin, "drain", "cli-4", "--wait")
    assert json.loads(plane.kubectl("get", "host", "cli-4", "-o", "json"))["spec"]["maintenance"]["mode"] == "Drain"
    backstay(plane, plugin, "undrain", "cli-4")
    assert "maintenance" not in json.loads(plane.kubectl("get", "host", "cli-4", "-o", "json"))["spec"]
    backstay(plane, plugin, "host", "remove", "cli-4")
    plane.kubectl("delete", "haservice", "web", "-n", "cli")
