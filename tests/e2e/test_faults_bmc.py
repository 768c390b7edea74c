"""BMCs that are away, locked, mistaken or lying: no proof, no failover; and every place that people look at says what is missing."""

from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from backstay_dev.lab.bmc import Bmc
from backstay_dev.show.fault_lab import FaultLab, Play

pytestmark = [pytest.mark.api, pytest.mark.hosts]

WAY_OUT = "backstay fence n1 --confirm"


def test_without_proof_nothing_moves_until_a_person_confirms(fault_lab: FaultLab) -> None:
    """One lost host, one BMC that is broken in four ways, one after the other; the host itself goes on running."""
    bmc, password = fault_lab.lab.bmcs["n1"], fault_lab.lab.bmcs["n1"].password
    as_it_was = fault_lab.product.get("hosts", "n1")["spec"]["fencing"]
    [level] = as_it_was["levels"]
    fault_lab.patch_host(
        "n1", {"fencing": {"levels": [{**level, "devices": [{**level["devices"][0], "timeout": "2s"}]}]}}
    )
    try:
        with fault_lab.playing("held", on="n1") as held, fault_lab.playing("aside", on="n2") as aside:
            # Presses do nothing, so the host lives on: whoever believed this BMC would run the service twice.
            bmc.knobs.ignores_presses = True
            bmc.knobs.unreachable = True
            fault_lab.lab["n1"].cut_all()
            _told_everywhere(fault_lab, held, "says unknown", "no answer before our deadline")

            bmc.password = "changed by somebody"
            bmc.knobs.unreachable = False
            _told_everywhere(fault_lab, held, "says unknown", "Unable to get PowerState")

            bmc.password = password
            bmc.knobs.always_on = True
            _told_everywhere(fault_lab, held, "says on")

            bmc.knobs.always_on = False
            bmc.knobs.off_then_on = True
            _lied_to(fault_lab, "n1", times=3)
            assert held.epoch == 1

            bmc.knobs.unreachable = True
            fault_lab.lab["n1"].power_off()
            assert "Confirmed" in fault_lab.backstay(
                "fence", "n1", "--confirm", "--yes", "--reason", "I pulled the plug"
            )
            held.until_running(other_than="n1")
            assert (held.epoch, held.evidence) == (2, "Manual")
            assert "I pulled the plug" in held.condition("Ready")
            assert aside.saw_nothing()
    finally:
        bmc.password = password
        fault_lab.patch_host("n1", {"fencing": as_it_was})


def test_a_broken_first_level_is_passed_over_and_ipmi_proves_it_on_the_second(fault_lab: FaultLab) -> None:
    bmc = fault_lab.lab.bmcs["n1"]
    give = fault_lab.product.give_secret
    nobody_there = give("nobody-there", {**bmc.secret("fence_redfish"), "ipport": "1"})
    redfish = device(bmc, "fence_redfish", nobody_there, timeout="1s")
    ipmi = device(bmc, "fence_ipmilan", give("n1-ipmi", bmc.secret("fence_ipmilan")), drilled=True)
    levels = [{"name": "first", "devices": [redfish]}, {"name": "second", "devices": [ipmi]}]
    as_it_was = fault_lab.product.get("hosts", "n1")["spec"]["fencing"]
    fault_lab.patch_host("n1", {"fencing": {"levels": levels}})
    try:
        with fault_lab.playing("deep", on="n1") as deep:
            fault_lab.until(
                lambda: "works: fence-ipmilan" in fault_lab.host_says("n1", "FencingReady"),
                "the second level to be tested",
            )
            fault_lab.lab["n1"].cut_all()
            deep.until_running(other_than="n1")
            assert deep.evidence == "Device"
            proofs = [one["status"].get("evidence", {}) for one in fault_lab.fence_requests("n1").values()]
            assert [proof["level"] for proof in proofs if proof] == ["second"]
            assert [button for _, button in bmc.presses][:1] == ["off"]
    finally:
        fault_lab.patch_host("n1", {"fencing": as_it_was})


def device(bmc: Bmc, agent: str, secret: str, **more: Any) -> dict[str, Any]:
    body = {"name": agent.replace("_", "-"), "agent": agent, "parameters": bmc.parameters(agent), **more}
    return {**body, "secretRef": {"name": secret}, "readGap": "0s"}


def _told_everywhere(fault_lab: FaultLab, held: Play, *words: str) -> None:
    """In the conditions of service and host and in Events: what is missing, and the way out. And nothing has moved."""
    wanted = (*words, WAY_OUT)
    held.until_says("Degraded", *wanted)
    held.until_says("Ready", *wanted)
    fault_lab.until(
        lambda: all(word in fault_lab.host_says("n1", "Ready") for word in wanted),
        f"the host to say {wanted}",
        also=lambda: fault_lab.host_says("n1", "Ready"),
    )
    for kind, name in (("HAService", held.name), ("Host", "n1")):
        fault_lab.until(
            partial(_is_told, fault_lab, kind, name, wanted),
            f"an Event about {kind} {name} that says {wanted}",
            also=partial(fault_lab.events, kind, name),
        )
    assert held.epoch == 1


def _is_told(fault_lab: FaultLab, kind: str, name: str, words: tuple[str, ...]) -> bool:
    return any(
        event.startswith("Warning") and all(word in event for word in words) for event in fault_lab.events(kind, name)
    )


def _lied_to(fault_lab: FaultLab, host: str, *, times: int) -> None:
    """Until the BMC has said off, and on after it, so many times."""
    bmc = fault_lab.lab.bmcs[host]
    said = len(bmc.reads)

    def lies() -> int:
        answers = [answer for _, answer in bmc.reads[said:]]
        return sum(pair == ("off", "on") for pair in pairwise(answers))

    fault_lab.until(lambda: lies() >= times, f"{times} times off, and then on", also=lambda: bmc.reads[said:])
