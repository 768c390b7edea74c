"""The chart on a real API server of its own, since its admission policies would judge other tests too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backstay_api.generate.files import CHART, REPOSITORY
from backstay_api.objects import lease
from backstay_api.objects.models import ALL_OBJECTS
from backstay_api.objects.names import LEADER_LEASE, OPERATOR_ACCOUNT, SYSTEM_NAMESPACE
from backstay_api.objects.rbac import FENCING_NAMESPACE, agent_account
from backstay_dev.lab.controlplane import ControlPlane, free_port
from backstay_dev.lab.shell import LabError, wait_until
from backstay_operator.control.watch.contents import no_access
from backstay_testing.chart_scenarios import OURS, SCENARIOS, Json, pods, with_values
from backstay_testing.instances import instance
from contract.chart_scene import FENCER, OPERATOR, REGISTRY, As, can, installed_in, of_kind, rendered

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with installed_in(tmp_path_factory.mktemp("chart")) as plane:
        yield plane


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem if path else "defaults")
def test_the_server_takes_all_of_it(installed: ControlPlane, scenario: Path | None) -> None:
    for document in rendered(*with_values(scenario)):
        # Other scenarios have other selectors, which a Deployment may not change: so under a name of its own.
        document["metadata"]["name"] = document["metadata"]["name"].replace("ha-", "other-")
        if document["kind"] == "Pod":
            document["spec"]["serviceAccountName"] = "backstay-operator"
        options = ["--dry-run=server", "--server-side", "--force-conflicts", "--validate=strict"]
        if not document["apiVersion"].startswith("monitoring.coreos.com/"):
            installed.kubectl("apply", *options, "-f", "-", stdin=json.dumps(document))


def test_policies_are_read_without_a_warning(installed: ControlPlane) -> None:
    for name in of_kind(rendered(), "ValidatingAdmissionPolicy"):
        stored = json.loads(installed.kubectl("get", "validatingadmissionpolicy", name, "-o", "json"))
        assert "expressionWarnings" not in json.dumps(stored.get("status", {}))


def test_pods_pass_the_restricted_standard(installed: ControlPlane) -> None:
    """PodSecurity refuses what is not restricted, in a namespace that enforces it: backstay-hosts does."""
    for name, pod in pods(rendered()).items():
        spec = {**pod, "serviceAccountName": name}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": lease.NAMESPACE},
            "spec": spec,
        }
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": lease.NAMESPACE},
        }
        installed.kubectl("apply", "-f", "-", stdin=json.dumps(account))
        installed.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(body))


@pytest.mark.parametrize(
    ("who", "verb", "what", "namespace", "may"),
    [
        (FENCER, "get", "secret/n1-bmc", FENCING_NAMESPACE, True),
        (FENCER, "list", "secrets", FENCING_NAMESPACE, False),
        (FENCER, "get", "secret/any", SYSTEM_NAMESPACE, False),
        (FENCER, "update", "lease/n1", lease.NAMESPACE, False),
        (FENCER, "patch", "fencerequests.backstay.dev", "", False),
        (OPERATOR, "get", "secret/n1-bmc", FENCING_NAMESPACE, False),
        (OPERATOR, "update", "lease/n1", lease.NAMESPACE, True),
        (OPERATOR, "update", f"lease/{LEADER_LEASE}", SYSTEM_NAMESPACE, True),
        (OPERATOR, "update", "lease/other", SYSTEM_NAMESPACE, False),
        # By its name alone: with these two it would have all that there are.
        (OPERATOR, "get", "configmap/web-conf", "shop", True),
        (OPERATOR, "list", "configmaps", "shop", False),
        (OPERATOR, "watch", "configmaps", "shop", False),
        (OPERATOR, "update", "configmap/web-conf", "shop", False),
        (FENCER, "get", "configmap/web-conf", "shop", False),
        # Of a tenant's Secrets nothing, before an admin of his namespace binds a role.
        (OPERATOR, "get", "secret/web", "shop", False),
        (OPERATOR, "list", "secrets", "shop", False),
        (OPERATOR, "patch", "secret/backstay-files-n1", lease.NAMESPACE, True),
        (OPERATOR, "create", "secrets", lease.NAMESPACE, False),
        (OPERATOR, "list", "secrets", lease.NAMESPACE, False),
        (OPERATOR, "patch", "secret/backstay-contents", SYSTEM_NAMESPACE, True),
        (OPERATOR, "get", "secret/other", SYSTEM_NAMESPACE, False),
        (OPERATOR, "create", "secrets", SYSTEM_NAMESPACE, False),
        (FENCER, "get", "secret/backstay-contents", SYSTEM_NAMESPACE, False),
        (FENCER, "get", "secret/backstay-files-n1", lease.NAMESPACE, False),
        (OPERATOR, "confirm", "fencerequests.backstay.dev", "", False),
        (OPERATOR, "create", "hosts.backstay.dev", "", False),
        (OPERATOR, "delete", "haservices.backstay.dev", "shop", False),
    ],
)
def test_rights(installed: ControlPlane, who: str, verb: str, what: str, namespace: str, may: bool) -> None:
    arguments = ["auth", "can-i", verb, what, "--as", who, *(["--namespace", namespace] if namespace else [])]
    assert can(installed, *arguments) is may


def test_the_command_that_services_are_told_lets_the_operator_read_secrets_of_that_namespace_alone(
    installed: ControlPlane,
) -> None:
    told = no_access("open", f"{SYSTEM_NAMESPACE}:{OPERATOR_ACCOUNT}").partition("kubectl ")[2].split()
    installed.kubectl("create", "namespace", "open")
    installed.kubectl(*told, "--dry-run=server")
    asked = ("auth", "can-i", "get", "secret/web", "--as", OPERATOR, "--namespace")
    assert not can(installed, *asked, "open"), "--dry-run has changed nothing"
    installed.kubectl(*told)
    assert can(installed, *asked, "open") and not can(installed, *asked, "shop")
    assert not can(installed, "auth", "can-i", "list", "secrets", "--as", OPERATOR, "--namespace", "open")
    installed.kubectl("delete", "namespace", "open", "--wait=false")


FENCES = "/apis/backstay.dev/v1alpha1/fencerequests"
OWED = "backstay.dev/fence"
OWNER: Json = {"apiVersion": "v1", "kind": "Namespace", "name": "gone", "uid": "0"}
REQUEST: Json = {"host": "n1", "session": {"bootID": "b", "nonce": "n", "seq": 1}, "want": "Off"}


def body(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "backstay.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def word_of(name: str) -> Json:
    return {"spec": {"confirm": {"by": name, "at": "2026-01-01T00:00:00Z"}}}


def test_only_the_operator_writes_the_lock(installed: ControlPlane) -> None:
    path = "/apis/backstay.dev/v1alpha1/namespaces/default/hainstances"
    code, why = As(installed, "ann").send("POST", path, body("HAInstance", "web-0", instance(0, None, None)))
    assert (code, "only Backstay's operator" in why) == (403, True), why
    code, why = As(installed, OPERATOR).send("POST", path, body("HAInstance", "web-0", instance(0, None, None)))
    assert code == 201, why


def test_who_may_confirm_that_a_machine_is_off(installed: ControlPlane) -> None:
    name = "n1-abc"
    assert As(installed, "ann").send("POST", FENCES, body("FenceRequest", name, REQUEST))[0] == 403
    marked = body("FenceRequest", name, REQUEST)
    marked["metadata"]["finalizers"] = [OWED]
    assert As(installed, OPERATOR).send("POST", FENCES, marked)[0] == 201

    def patch(user: As, change: Json) -> tuple[int, str]:
        return user.send("PATCH", f"{FENCES}/{name}?dryRun=All", change)

    somebody, confirmer = As(installed, "bob", "developers"), As(installed, "ann", "backstay:fence-confirmers")
    assert patch(somebody, word_of("bob"))[0] == 403, "no role"
    assert patch(confirmer, word_of("ann"))[0] == 200
    assert patch(confirmer, word_of("bob"))[0] == 403, "only in one's own name"
    assert patch(confirmer, {"spec": {"want": "Withdrawn"}})[0] == 403, "and nothing else"
    for marks in ({"finalizers": None}, {"finalizers": [OWED, "backstay.dev/more"]}, {"ownerReferences": [OWNER]}):
        code, why = patch(confirmer, {**word_of("ann"), "metadata": marks})
        assert code == 403 and "says Backstay's operator alone" in why, why
    collector = As(installed, "system:serviceaccount:kube-system:generic-garbage-collector", "system:masters")
    assert patch(collector, {"metadata": {"finalizers": [OWED, "example.org/other"]}})[0] == 200, "that of others"
    operator = As(installed, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    assert patch(operator, {"spec": {"want": "Withdrawn"}})[0] == 200
    assert patch(operator, word_of(OPERATOR))[0] == 403, "no program is a person"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"want": "Withdrawn"}, id="the machine is not to be off any more"),
        pytest.param({"after": "StayOff"}, id="it is to stay off"),
        pytest.param({"why": "somebody says so"}, id="another reason"),
        pytest.param({"machineUUID": "4c4c4544-0042-3010-8054-b7c04f4d3134"}, id="another machine"),
        pytest.param({"machineUUID": None}, id="no matter which machine"),
    ],
)
def test_who_confirms_changes_nothing_else_of_the_request(installed: ControlPlane, change: Json) -> None:
    name, operator = "n1-asked", As(installed, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}")
    asked = {**REQUEST, "after": "On", "why": "n1 is silent", "machineUUID": "4c4c4544-0042-3010-8054-b7c04f4d3133"}
    assert operator.send("POST", FENCES, body("FenceRequest", name, asked))[0] in (201, 409)
    confirmer = As(installed, "ann", "backstay:fence-confirmers")
    assert confirmer.send("PATCH", f"{FENCES}/{name}?dryRun=All", word_of("ann"))[0] == 200
    for spec in (change, {**word_of("ann")["spec"], **change}):
        code, why = confirmer.send("PATCH", f"{FENCES}/{name}?dryRun=All", {"spec": spec})
        assert (code, "people may only confirm" in why) == (403, True), why


def test_an_agent_writes_only_its_own_hosts_objects_whatever_its_role_says(installed: ControlPlane) -> None:
    # As if somebody had bound far too much to the agents' group.
    everything = ["--clusterrole=cluster-admin", "--group=system:serviceaccounts:backstay-hosts"]
    installed.kubectl("create", "clusterrolebinding", "far-too-much", *everything)
    path = "/apis/backstay.dev/v1alpha1/hostassignments/n1/status?dryRun=All"
    status = {"status": {"facts": {"agentVersion": "9"}}}

    def agent(host: str) -> As:
        user = f"system:serviceaccount:{lease.NAMESPACE}:{agent_account(host)}"
        return As(installed, user, f"system:serviceaccounts:{lease.NAMESPACE}")

    assert agent("n1").send("PATCH", path, status)[0] == 200
    code, why = agent("n2").send("PATCH", path, status)
    assert (code, "only the objects of its own host" in why) == (403, True), why
    sealed = replace(lease.new("n1"), holder="boot-1/nonce-1", seq=1, sealed=True)
    installed.kubectl("apply", "-f", "-", stdin=json.dumps(lease.write(sealed)))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{lease.NAMESPACE}/leases/n1?dryRun=All"
    code, why = agent("n1").send("PATCH", path, {"metadata": {"annotations": {"backstay.dev/sealed": "false"}}})
    assert (code, "reopened by Backstay's operator only" in why) == (403, True), why
    assert (
        As(installed, OPERATOR, f"system:serviceaccounts:{SYSTEM_NAMESPACE}").send(
            "DELETE", path, {"preconditions": {"uid": "another"}}
        )[0]
        == 409
    ), "the operator may delete it, by UID"
    installed.kubectl("delete", "clusterrolebinding", "far-too-much")


def test_an_upgrade_with_only_a_tag_keeps_the_rest_or_is_refused(installed: ControlPlane) -> None:
    def images() -> set[str]:
        found = json.loads(installed.kubectl("-n", SYSTEM_NAMESPACE, "get", "deployments", "-o", "json"))["items"]
        return {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found}

    upgrade = ("upgrade", "backstay", REPOSITORY / CHART, "--namespace", SYSTEM_NAMESPACE, "--set")
    with pytest.raises(LabError, match="--reset-then-reuse-values"):
        installed.helm(*upgrade, "operator.image.tag=1.2")
    assert images() == {f"{OURS}/operator:0.1.0", f"{OURS}/fencer:0.1.0"}
    for keep in ("--reset-then-reuse-values", "--reuse-values"):
        installed.helm(*upgrade, "operator.image.tag=1.2", keep)
        assert images() == {f"{OURS}/operator:1.2", f"{OURS}/fencer:1.2"}
    notes = installed.helm("get", "notes", "backstay", "--namespace", SYSTEM_NAMESPACE)
    assert " runs" not in notes and "rollout status" in notes
    assert notes.index("create secret") < notes.index("host add")


def test_helm_test_asks_the_programs_themselves(installed: ControlPlane) -> None:
    (pod,) = [one for one in rendered() if one["kind"] == "Pod"]
    (container,) = pod["spec"]["containers"]
    services = of_kind(rendered(), "Service")
    assert container["command"][2:] == [
        "backstay_operator.selftest",
        *(f"{name}.{SYSTEM_NAMESPACE}.svc:8080" for name in ("backstay-operator", "backstay-fencer")),
    ]
    for name, pod_spec in of_kind(rendered(), "Deployment").items():
        assert services[name]["spec"]["publishNotReadyAddresses"]
        labels = pod_spec["spec"]["template"]["metadata"]["labels"]
        assert services[name]["spec"]["selector"].items() <= labels.items()
    env = {**os.environ, "KUBECONFIG": str(installed.kubeconfig_for(SYSTEM_NAMESPACE, "backstay-operator"))}
    command = [sys.executable, "-m", *container["command"][2:3]]

    def tested(*places: str) -> tuple[int, str]:
        done = subprocess.run([*command, *places], env=env, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    assert tested() == (0, ""), "the kinds are served"
    code, why = tested("backstay-operator.nowhere.invalid:8080")
    assert code == 1 and "no Pod of it runs" in why
    ports = {name: str(free_port()) for name in ("operator", "fencer")}
    code, why = tested(f"127.0.0.1:{ports['operator']}")
    assert code == 1 and "does not answer" in why
    health = ("--health-host", "127.0.0.1", "--health-port")
    programs = [
        subprocess.Popen([sys.executable, "-m", f"backstay_{name}.main", *health, port], env=env)
        for name, port in ports.items()
    ]
    try:
        wait_until(lambda: tested(f"127.0.0.1:{ports['operator']}") == (0, ""), timeout_s=30, what="a ready operator")
        # The fencer has the operator's identity here; both may see what it must watch, so it is ready too.
        wait_until(lambda: tested(f"127.0.0.1:{ports['fencer']}") == (0, ""), timeout_s=30, what="a ready fencer")
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_an_upgrade_changes_definitions_and_an_uninstall_keeps_them(installed: ControlPlane, tmp_path: Path) -> None:
    def columns() -> list[str]:
        definition = json.loads(installed.kubectl("get", "crd", "hosts.backstay.dev", "-o", "json"))
        return [column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]]

    older = tmp_path / "backstay"
    shutil.copytree(REPOSITORY / CHART, older)
    file = older / "files/crds/hosts.yaml"
    file.write_text(file.read_text().replace("name: Fencing", "name: Power"))
    for chart, column in ((older, "Power"), (REPOSITORY / CHART, "Fencing")):
        installed.helm("upgrade", "backstay", chart, "--namespace", SYSTEM_NAMESPACE, *REGISTRY)
        assert column in columns()
    answer = installed.helm("uninstall", "backstay", "--namespace", SYSTEM_NAMESPACE, "--cascade", "background")
    assert "hosts.backstay.dev" in answer, "it says what it keeps"
    kept = installed.kubectl("get", "crd,namespaces", "-o", "name").split()
    assert f"namespace/{FENCING_NAMESPACE}" in kept
    for kind in ALL_OBJECTS:
        assert f"customresourcedefinition.apiextensions.k8s.io/{kind.plural}.backstay.dev" in kept
