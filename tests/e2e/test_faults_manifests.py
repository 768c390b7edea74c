"""Manifests that cannot be carried out: a sentence for whoever wrote them, and nothing at all for everybody else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from backstay_api.objects.kinds import Raw
from backstay_dev.lab.product import CHART
from backstay_dev.lab.shell import LabError
from backstay_dev.show.fault_lab import NAMESPACE, FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]

UNIT = {"name": "a", "systemd": {"unit": "spare.service"}}
NEVER_ACTIVE = "[Service]\nType=notify\nExecStart=/usr/bin/sleep infinity\n"
CRD = "haservices.backstay.dev"


def with_address(address: str) -> dict[str, Any]:
    return {"resources": [UNIT, {"name": "b", "virtualIP": {"address": address}}]}


REFUSED_BY_THE_SERVER: dict[str, tuple[Raw, str]] = {
    "unknown-field": ({"resources": [UNIT], "colour": "blue"}, 'unknown field "spec.colour"'),
    "two-kinds": ({"resources": [{**UNIT, "virtualIP": {"address": "192.0.2.250/24"}}]}, "exactly one of"),
    "no-kind": ({"resources": [{"name": "a"}]}, "exactly one of"),
    "bad-address": (with_address("192.0.2.300/24"), "like 192.0.2.10/24"),
    "no-prefix": (with_address("192.0.2.250"), "address"),
    "500-resources": ({"resources": [{**UNIT, "name": f"r{n}"} for n in range(500)]}, "at most 64 items"),
}


def test_what_the_schema_forbids_is_refused_with_a_sentence_at_once(fault_lab: FaultLab) -> None:
    for name, (spec, sentence) in REFUSED_BY_THE_SERVER.items():
        with pytest.raises(LabError) as refusal:
            fault_lab.apply(name, spec)
        assert sentence in str(refusal.value), name


def test_what_only_hosts_and_others_can_refuse_is_told_in_the_status_and_nobody_else_notices(
    fault_lab: FaultLab,
) -> None:
    for host in fault_lab.lab.hosts.values():
        host.install_unit("never-active.service", NEVER_ACTIVE)
        host.run("systemctl", "mask", "masked.service")
    late = {"name": "a", "systemd": {"unit": "never-active.service"}, "timeouts": {"start": "300ms", "stop": "1s"}}
    with fault_lab.playing("model", on="n2") as model:
        taken = model.address
        hopeless: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
            "missing-unit": (unit("no-such.service"), "Ready", ("False Waiting", "no-such.service is not installed")),
            "masked-unit": (unit("masked.service"), "Ready", ("False Waiting", "masked.service", "masked")),
            "never-active": ({"resources": [late]}, "Ready", ("False", "Could not be kept running", "never-active")),
            "no-host": (
                {**unit("spare.service"), "placement": {"hosts": {"matchLabels": {"moon": "far-side"}}}},
                "Ready",
                ("False Waiting", "0/3 hosts can run it"),
            ),
            "everywhere": (
                {**unit("spare.service"), "mode": "Promotable"},
                "Accepted",
                ("False NothingPromoted", "spec.mode (Promotable)"),
            ),
            "subnet": (with_address("192.0.2.0/24"), "Accepted", ("False InvalidAddress", "subnet itself")),
            "second-owner": (
                with_address(f"{taken}/24"),
                "Accepted",
                ("False AlreadyClaimed", taken, f"{NAMESPACE}/model"),
            ),
            "second-user": (
                unit("tick-model.service"),
                "Accepted",
                ("False AlreadyClaimed", "tick-model.service", f"{NAMESPACE}/model"),
            ),
        }
        with all_applied(fault_lab, {name: spec for name, (spec, _, _) in hopeless.items()}):
            for name, (_, condition, words) in hopeless.items():
                fault_lab.until(
                    partial(says, fault_lab, name, condition, words),
                    f"{name}: {condition} to say {words}",
                    also=partial(fault_lab.product.get, "haservices", name, NAMESPACE),
                )
            tried = fault_lab.product.get("hainstances", "never-active-0", NAMESPACE)["spec"]["epoch"]
            assert tried <= 2 * len(fault_lab.lab.hosts), "it does not bounce for ever"
        assert model.saw_nothing()


def test_what_an_older_schema_allowed_is_shown_as_unreadable_and_goes_on_as_it_was(fault_lab: FaultLab) -> None:
    with fault_lab.playing("old-fashioned", on="n1") as old, fault_lab.playing("modern", on="n2") as modern:
        with older_schema(fault_lab):
            patch_unit(fault_lab, "old-fashioned", "a unit of the old days")
        old.until_says("Accepted", "False Unreadable", "unit")
        with fault_lab.playing("newest"):
            assert old.saw_nothing()
            assert modern.saw_nothing()
        patch_unit(fault_lab, "old-fashioned", "tick-old-fashioned.service")
        old.until_says("Accepted", "True")
        old.until_running(on="n1")
        assert old.saw_nothing()


def test_deleted_while_it_moves_and_made_again_with_the_same_name(fault_lab: FaultLab) -> None:
    with fault_lab.playing("beside-it") as beside:
        doomed = fault_lab.put_on("doomed", on="n1")
        fault_lab.backstay("move", f"{NAMESPACE}/doomed", "--to", "n3")
        fault_lab.take_off("doomed")
        assert running_on(fault_lab, "tick-doomed.service") == [] == holding(fault_lab, doomed.address)
        again = fault_lab.put_on("doomed", on="n2")
        assert (again.epoch, again.first_host) == (1, "n2")
        fault_lab.take_off("doomed")
        assert running_on(fault_lab, "tick-doomed.service") == [] == holding(fault_lab, again.address)
        assert "doomed" not in fault_lab.lab.plane.kubectl("get", "hasvc,hai,resourceclaims", "-A", "-o", "wide")
        assert beside.saw_nothing()


def test_edited_while_it_fails_over_it_starts_as_edited(fault_lab: FaultLab) -> None:
    with fault_lab.playing("edited", on="n1") as edited:
        spec = edited.object["spec"]
        fault_lab.lab["n1"].power_off()
        extra = {"name": "extra", "virtualIP": {"address": "192.0.2.249/24"}}
        fault_lab.apply("edited", {**spec, "resources": [*spec["resources"], extra]})
        host = edited.until_running(other_than="n1")
        fault_lab.until(lambda: holding(fault_lab, "192.0.2.249") == [host], "the new address where the service is")
        assert edited.evidence == "Device"
        without = {**spec, "resources": [one for one in spec["resources"] if one["name"] != "address"]}
        fault_lab.apply("edited", without)
        fault_lab.until(lambda: not holding(fault_lab, edited.address), "the address that was taken out to go")
        fault_lab.until(lambda: not holding(fault_lab, "192.0.2.249"), "the other one, too")
        edited.until_running(on=host)


def test_a_host_object_that_is_deleted_stays_until_its_service_has_left(fault_lab: FaultLab) -> None:
    with fault_lab.playing("guest", on="n1") as guest, fault_lab.playing("neighbour", on="n2") as neighbour:
        fault_lab.lab.plane.kubectl("delete", "host", "n1", "--timeout=60s", timeout_s=70)
        assert guest.host != "n1" and guest.evidence == "Released"
        guest.until_running(other_than="n1")
        assert neighbour.saw_nothing()
    fault_lab.product.enrol(["n1"])


# --- helpers ---------------------------------------------------------------------------------------------------------


def unit(name: str) -> dict[str, Any]:
    return {"resources": [{"name": "a", "systemd": {"unit": name}}]}


def says(fault_lab: FaultLab, name: str, condition: str, words: tuple[str, ...]) -> bool:
    product = fault_lab.product
    said = product.condition("haservices", name, condition, NAMESPACE)
    said += f" {product.condition_words('haservices', name, condition, NAMESPACE)}"
    return all(word in said for word in words)


@contextmanager
def all_applied(fault_lab: FaultLab, specs: dict[str, dict[str, Any]]) -> Iterator[None]:
    for name, spec in specs.items():
        fault_lab.apply(name, spec)
    try:
        yield
    finally:
        fault_lab.lab.plane.kubectl("delete", "hasvc", *specs, "-n", NAMESPACE, "--timeout=60s", timeout_s=70)


@contextmanager
def older_schema(fault_lab: FaultLab) -> Iterator[None]:
    """The CRD without what it says of unit names, as if an earlier release had said less."""
    plane = fault_lab.lab.plane
    crd = json.loads(plane.kubectl("get", "crd", CRD, "-o", "json"))
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    name = spec["resources"]["items"]["properties"]["systemd"]["properties"]["unit"]
    name.pop("pattern")
    path = "/spec/versions/0/schema/openAPIV3Schema"
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    plane.kubectl(
        "patch", "crd", CRD, "--type=json", "-p", json.dumps([{"op": "replace", "path": path, "value": schema}])
    )
    try:
        yield
    finally:
        plane.kubectl("replace", "-f", CHART / "files" / "crds" / "haservices.yaml")


def patch_unit(fault_lab: FaultLab, service: str, name: str) -> None:
    """Again and again: a CRD is accepted some time before it is obeyed."""
    path = "/spec/resources/0/systemd/unit"
    patch = json.dumps([{"op": "replace", "path": path, "value": name}])

    def patched() -> bool:
        fault_lab.lab.plane.kubectl("patch", "hasvc", service, "-n", NAMESPACE, "--type=json", "-p", patch)
        return True

    fault_lab.until(patched, f"unit of {service} to be changed")


def running_on(fault_lab: FaultLab, name: str) -> list[str]:
    return [
        host.name
        for host in fault_lab.lab.hosts.values()
        if host.is_on and host.run("systemctl", "is-active", name, check=False).strip() == "active"
    ]


def holding(fault_lab: FaultLab, address: str) -> list[str]:
    return [
        host.name
        for host in fault_lab.lab.hosts.values()
        if host.is_on and f" {address}/" in host.run("ip", "-o", "address")
    ]
