"""Secrets from which hosts' agents have what is in files, on a real API server with the chart's policies: who writes into them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from backstay_api.objects import lease
from backstay_api.objects.names import SYSTEM_NAMESPACE, agent_account
from backstay_api.objects.rbac import FILES_TYPE
from backstay_cli.enrol import wanted_for
from backstay_dev.lab.controlplane import ControlPlane
from contract.chart_scene import OPERATOR, As, installed_in

pytestmark = pytest.mark.api

SECRETS = f"/api/v1/namespaces/{lease.NAMESPACE}/secrets"
OPERATORS = f"system:serviceaccounts:{SYSTEM_NAMESPACE}"
HOST_ADMINS = "backstay:host-admins"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With a host n1."""
    with installed_in(tmp_path_factory.mktemp("files")) as plane:
        for one in wanted_for("n1"):
            plane.kubectl("create", "-f", "-", stdin=json.dumps(one.kind.to_wire(one.body)))
        yield plane


def test_what_is_in_files_of_hosts_is_written_by_the_operator_alone_and_it_writes_no_other_secret(
    installed: ControlPlane,
) -> None:
    empty = {"apiVersion": "v1", "kind": "Secret", "type": FILES_TYPE, "metadata": {"name": "backstay-files-n9"}}
    full, data = {**empty, "data": {"a": "YQ=="}}, {"data": {"b": "Yg=="}}
    ann, operator = As(installed, "ann", HOST_ADMINS), As(installed, OPERATOR, OPERATORS)
    assert ann.send("POST", f"{SECRETS}?dryRun=All", full)[0] == 403
    assert ann.send("POST", SECRETS, empty)[0] == 201
    path = f"{SECRETS}/backstay-files-n9"
    assert operator.send("PATCH", path, data)[0] == 200
    for who in (ann, As(installed, "bob"), As(installed, "root")):
        code, said = who.send("PATCH", path, {"data": {"b": "Yw=="}})
        assert code == 403, said
    assert ann.send("PATCH", path, {"metadata": {"labels": {"a": "b"}}})[0] == 200
    code, said = operator.send("PATCH", f"{SECRETS}/{agent_account('n1')}", {"metadata": {"labels": {"a": "b"}}})
    assert (code, "it writes no other Secret" in said) == (403, True), said
    assert operator.send("POST", f"{SECRETS}?dryRun=All", {**empty, "metadata": {"name": "x"}})[0] == 403
    assert ann.send("DELETE", path, {})[0] == 200
