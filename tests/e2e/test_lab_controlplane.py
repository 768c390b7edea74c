"""The control plane is a real one: identities, roles, audit, and it survives the death of its parts."""

import json
from pathlib import Path

import pytest

from backstay_dev.lab.controlplane import ControlPlane
from backstay_dev.lab.shell import LabError, call
from backstay_dev.rights.rights import refusals, unused

pytestmark = pytest.mark.api


def test_a_service_account_has_its_own_rights_and_no_others(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "rights")
    control_plane.kubectl("create", "serviceaccount", "reader", "-n", "rights")
    control_plane.kubectl("create", "role", "reader", "-n", "rights", "--verb=get", "--resource=configmaps")
    control_plane.kubectl(
        "create", "rolebinding", "reader", "-n", "rights", "--role=reader", "--serviceaccount=rights:reader"
    )
    control_plane.kubectl("create", "configmap", "c", "-n", "rights", "--from-literal=a=b")
    kubeconfig = control_plane.kubeconfig_for("rights", "reader")
    assert "configmap/c" in _as(control_plane, kubeconfig, "get", "configmap", "c", "-o", "name")
    with pytest.raises(LabError, match="Forbidden"):
        _as(control_plane, kubeconfig, "delete", "configmap", "c")
    asked = [
        (record["verb"], record["responseStatus"]["code"])
        for record in control_plane.audit()
        if record["user"]["username"] == "system:serviceaccount:rights:reader"
        and record.get("objectRef", {}).get("resource") == "configmaps"
    ]
    assert asked == [("get", 200), ("delete", 403)]


def test_rights_that_were_refused_or_never_used_are_found(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "excess")
    control_plane.kubectl("create", "serviceaccount", "worker", "-n", "excess")
    control_plane.kubectl(
        *("create", "role", "worker", "-n", "excess", "--verb=get,delete", "--resource=configmaps,secrets")
    )
    control_plane.kubectl(
        "create", "rolebinding", "worker", "-n", "excess", "--role=worker", "--serviceaccount=excess:worker"
    )
    kubeconfig = control_plane.kubeconfig_for("excess", "worker")
    for kind in ("configmap", "secret", "pod"):
        with pytest.raises(LabError):
            _as(control_plane, kubeconfig, "get", kind, "some")
    me = "system:serviceaccount:excess:worker"
    assert f"{me} may not get /api/v1/namespaces/excess/pods/some" in refusals(control_plane.audit())
    assert [str(right) for right in unused(control_plane, ["excess"])] == [
        f"{me}: delete configmaps.core in excess",
        f"{me}: delete secrets.core in excess",
    ]


def test_what_was_written_outlives_the_sudden_death_of_server_and_store(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "survivor")
    control_plane.kill_apiserver()
    control_plane.kill_etcd()
    control_plane.start()
    assert json.loads(control_plane.kubectl("get", "namespace", "survivor", "-o", "json"))["metadata"]["uid"]


def _as(plane: ControlPlane, kubeconfig: Path, *arguments: str) -> str:
    return call(plane.assets.kubectl, "--kubeconfig", kubeconfig, *arguments)
