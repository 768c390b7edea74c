"""The in-memory cluster refuses what the API server would, in the same words."""

import pytest

from backstay_api.client.errors import Invalid
from backstay_api.memory.admission import admit_as_ours
from backstay_api.memory.server import MemoryCluster
from backstay_api.objects.kinds import LEASES, Raw
from backstay_api.objects.object_kinds import HA_INSTANCES, HOST_ASSIGNMENTS
from backstay_testing.instances import GRANT_1, GRANT_2, instance


@pytest.fixture
def cluster() -> MemoryCluster:
    cluster = MemoryCluster()
    admit_as_ours(cluster)
    return cluster


def stored_instance(cluster: MemoryCluster, spec: Raw) -> Raw:
    body = {"apiVersion": "backstay.dev/v1alpha1", "kind": "HAInstance", "metadata": {"name": "web-0"}, "spec": spec}
    return cluster.create(HA_INSTANCES, "shop", body)


def test_a_grant_without_evidence_is_refused_with_a_sentence(cluster: MemoryCluster) -> None:
    old = stored_instance(cluster, instance(1, GRANT_1, None))
    with pytest.raises(Invalid, match="second on a grant carries the evidence"):
        cluster.replace(HA_INSTANCES, "shop", {**old, "spec": instance(2, GRANT_2, None)})
    cluster.replace(HA_INSTANCES, "shop", {**old, "spec": instance(2, GRANT_2, 1)})


def test_a_holder_cannot_be_exchanged_within_an_epoch(cluster: MemoryCluster) -> None:
    old = stored_instance(cluster, instance(1, GRANT_1, None))
    with pytest.raises(Invalid, match="spec: a grant never changes within its epoch"):
        cluster.replace(HA_INSTANCES, "shop", {**old, "spec": instance(1, GRANT_2, None)})


def test_what_is_no_object_at_all_is_refused_with_its_place(cluster: MemoryCluster) -> None:
    with pytest.raises(Invalid, match=r"spec\.epoch: Input should be a valid integer"):
        stored_instance(cluster, {**instance(1, GRANT_1, None), "epoch": "1"})


def test_a_delayed_status_of_an_earlier_session_is_refused(cluster: MemoryCluster) -> None:
    def status(seq: int) -> Raw:
        return {"session": {"bootID": "b", "nonce": f"n{seq}", "seq": seq, "machineUUID": "m"}}

    body = {"apiVersion": "backstay.dev/v1alpha1", "kind": "HostAssignment", "metadata": {"name": "n1"}, "spec": {}}
    old = cluster.create(HOST_ASSIGNMENTS, "", body)
    new = cluster.replace(HOST_ASSIGNMENTS, "", {**old, "status": status(2)}, subresource="status")
    with pytest.raises(Invalid, match="seq only grows"):
        cluster.replace(HOST_ASSIGNMENTS, "", {**new, "status": status(1)}, subresource="status")


def test_kinds_that_are_not_ours_pass(cluster: MemoryCluster) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "n1"}, "spec": {}}
    cluster.create(LEASES, "backstay-hosts", lease)
