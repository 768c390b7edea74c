"""`backstay report`: everything of Backstay in one file, and no secret anywhere in it."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from backstay_api.objects.kinds import EVENTS, SECRETS
from backstay_api.objects.models import HAService, Host
from backstay_cli.report import _DEPLOYMENTS, _PODS
from backstay_cli.session import NOT_NOW, WELL
from backstay_testing.builders import a_service
from backstay_testing.cli_scene import Cluster, a_cluster, kind_of

SYSTEM = "backstay-system"
POD = "backstay-operator-1"
AT = f"/api/v1/namespaces/{SYSTEM}/pods/{POD}"
IN_A_SECRET, OF_A_DEVICE, OF_AN_AGENT, IN_AN_ENVIRONMENT, OF_A_PROBE, IN_A_COMMAND = SENTINELS = (
    "k8s-s3cret-of-a-bmc",
    "community-0f-a-device",
    "passw0rd-of-an-agent",
    "t0ken-of-a-pod",
    "bearer-0f-a-probe",
    "--password=on-a-c0mmand-line",
)


@pytest.fixture
def cluster() -> Cluster:
    cluster = a_cluster()
    cluster.create(
        SECRETS, {"metadata": {"name": "n1-bmc"}, "stringData": {"password": IN_A_SECRET}}, "backstay-fencing"
    )
    device = {"name": "bmc", "agent": "fence_apc_snmp", "parameters": {"community": OF_A_DEVICE, "port": "7"}}
    spec = {"fencing": {"levels": [{"name": "bmc", "devices": [device]}]}}
    last = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"community": "{OF_A_DEVICE}"}}'}
    cluster.store.patch(kind_of(Host), ("", "n1"), {"spec": spec, "metadata": {"annotations": last}})
    cluster.tell_host("n1", fencing={"ready": False, "message": f"it says: no community {OF_A_DEVICE}"})
    probe = {"name": "p", "httpGet": {"port": 80, "httpHeaders": [{"name": "Authorization", "value": OF_A_PROBE}]}}
    agent = {"agent": "ocf:heartbeat:pgsql", "parameters": {"rep_password": OF_AN_AGENT}}
    db = a_service("db", {"name": "db", "ocf": agent, "probes": [probe]})
    cluster.put(db)
    command = {"start": ["/usr/bin/web", IN_A_COMMAND], "stop": ["/usr/bin/web", "stop"]}
    cluster.store.patch(
        kind_of(HAService), ("shop", "web"), {"spec": {"resources": [{"name": "web", "command": command}]}}
    )
    container = {"name": "operator", "env": [{"name": "HTTPS_PROXY", "value": IN_AN_ENVIRONMENT}]}
    cluster.create(_PODS, {"metadata": {"name": POD}, "spec": {"containers": [container]}}, SYSTEM)
    cluster.create(_DEPLOYMENTS, {"metadata": {"name": "operator"}, "spec": {}}, SYSTEM)
    regarding = {"apiVersion": "backstay.dev/v1alpha1", "kind": "Host", "name": "n1"}
    for name, about in (("ours", regarding), ("theirs", {"apiVersion": "v1", "kind": "Pod"})):
        event = {"metadata": {"name": name}, "regarding": about, "note": f"{name}: community {OF_A_DEVICE}"}
        cluster.create(EVENTS, event, "default")
    cluster.texts = {
        f"{AT}:8080/proxy/metrics": "backstay_leader 1.0\n",
        f"{AT}/log?tailLines=2000&timestamps=true": f"proxy is {IN_AN_ENVIRONMENT}\n",
    }
    return cluster


def files(path: Path) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        return {
            one.name.removeprefix("backstay-report/"): archive.extractfile(one).read().decode()  # type: ignore[union-attr]
            for one in archive.getmembers()
        }


def test_no_secret_is_in_it_wherever_it_stands(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "out.tar.gz"
    answer = cluster.run("report", "-f", str(path))
    assert answer.exit_code == WELL, answer.output
    with tarfile.open(path) as archive:
        whole = b"".join(archive.extractfile(one).read() for one in archive.getmembers())  # type: ignore[union-attr]
    found = [secret for secret in SENTINELS if secret.encode() in whole or secret.encode() in path.read_bytes()]
    assert found == []
    assert b"community: (masked)" in whole and b"Secret" not in whole.replace(b"No Secret was read", b"")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_everything_else_is_in_it(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "out.tar.gz"
    cluster.run("report", "-f", str(path))
    found = files(path)
    assert sorted(found) == [
        "README.txt",
        *(
            f"cluster/{name}.yaml"
            for name in ("deployments", "events", "leases-backstay-hosts", "leases-backstay-system")
        ),
        "cluster/pods.yaml",
        "errors.txt",
        f"logs/{POD}.txt",
        f"metrics/{POD}.txt",
        *(f"objects/{kind}.yaml" for kind in ("fencerequests", "hainstances", "haservices", "hostassignments")),
        "objects/hosts.yaml",
        "objects/resourceclaims.yaml",
        "objects/serviceclasses.yaml",
    ]
    assert found["metrics/backstay-operator-1.txt"] == "backstay_leader 1.0\n"
    assert "name: web" in found["objects/haservices.yaml"] and "/usr/bin/web" in found["objects/haservices.yaml"]
    assert "ours: community (masked)" in found["cluster/events.yaml"] and "theirs" not in found["cluster/events.yaml"]


def test_what_cannot_be_read_is_named_and_nothing_is_written_over(cluster: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "out.tar.gz"
    cluster.texts = {}
    answer = cluster.run("report", "-f", str(path), "--no-logs")
    assert answer.exit_code == WELL and f"without metrics/{POD}.txt" in answer.stdout
    before = path.read_bytes()
    answer = cluster.run("report", "-f", str(path))
    assert answer.exit_code == NOT_NOW and "cannot be written" in answer.stderr
    assert path.read_bytes() == before
