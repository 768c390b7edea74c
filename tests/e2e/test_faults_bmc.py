"""BMCs that are away, locked, mistaken or lying: no proof, no failover; and every place that people look at says what is missing."""

from itertools import pairwise

import pytest

from backstay_dev.show.fault_lab import Play, Theatre

pytestmark = [pytest.mark.api, pytest.mark.hosts]

WAY_OUT = "backstay fence n1 --confirm"


def test_without_proof_nothing_moves_until_a_person_confirms(theatre: Theatre) -> None:
    """One lost host, one BMC that is broken in four ways, one after the other; the host itself goes on running."""
    bmc, password = theatre.lab.bmcs["n1"], theatre.lab.bmcs["n1"].password
    as_it_was = theatre.product.get("hosts", "n1")["spec"]["fencing"]
    [level] = as_it_was["levels"]
    theatre.patch_host(
        "n1", {"fencing": {"levels": [{**level, "devices": [{**level["devices"][0], "timeout": "2s"}]}]}}
    )
    try:
        with theatre.playing("held", on="n1") as held, theatre.playing("aside", on="n2") as aside:
            # Presses do nothing, so the host lives on: whoever believed this BMC would run the service twice.
            bmc.knobs.deaf = True
            bmc.knobs.unreachable = True
            theatre.lab["n1"].cut_all()
            _told_everywhere(theatre, held, "says unknown", "no answer before our deadline")

            bmc.password = "changed by somebody"
            bmc.knobs.unreachable = False
            _told_everywhere(theatre, held, "says unknown", "Unable to get PowerState")

            bmc.password = password
            bmc.knobs.always_on = True
            _told_everywhere(theatre, held, "says on")

            bmc.knobs.always_on = False
            bmc.knobs.off_then_on = True
            _lied_to(theatre, "n1", times=3)
            assert held.epoch == 1

            bmc.knobs.unreachable = True
            theatre.lab["n1"].power_off()
            assert "Confirmed" in theatre.backstay("fence", "n1", "--confirm", "--yes", "--reason", "I pulled the plug")
            held.until_running(other_than="n1")
            assert (held.epoch, held.evidence) == (2, "Manual")
            assert "I pulled the plug" in held.condition("Ready")
            assert aside.saw_nothing()
    finally:
        bmc.password = password
        theatre.patch_host("n1", {"fencing": as_it_was})


def test_a_broken_first_level_is_passed_over_and_ipmi_proves_it_on_the_second(theatre: Theatre) -> None:
    bmc = theatre.lab.bmcs["n1"]
    secret = {"secretRef": {"name": "n1-bmc"}, "readGap": "0s"}
    nobody_there = {**bmc.redfish(), "ipport": "1"}
    redfish = {"name": "redfish", "agent": "fence_redfish", "parameters": nobody_there, "timeout": "1s", **secret}
    ipmi = {"name": "ipmi", "agent": "fence_ipmilan", "parameters": bmc.ipmi(), "drilled": True, **secret}
    levels = [{"name": "first", "devices": [redfish]}, {"name": "second", "devices": [ipmi]}]
    as_it_was = theatre.product.get("hosts", "n1")["spec"]["fencing"]
    theatre.patch_host("n1", {"fencing": {"levels": levels}})
    try:
        with theatre.playing("deep", on="n1") as deep:
            theatre.until(lambda: "ipmi" in theatre.host_says("n1", "FencingReady"), "the second level to be tested")
            theatre.lab["n1"].cut_all()
            deep.until_running(other_than="n1")
            assert deep.evidence == "Device"
            proofs = [one["status"].get("evidence", {}) for one in theatre.fence_requests("n1").values()]
            assert [proof["level"] for proof in proofs if proof] == ["second"]
            assert [button for _, button in bmc.presses][:1] == ["off"]
    finally:
        theatre.patch_host("n1", {"fencing": as_it_was})


def _told_everywhere(theatre: Theatre, held: Play, *words: str) -> None:
    """In the conditions of service and host and in Events: what is missing, and the way out. And nothing has moved."""
    wanted = (*words, WAY_OUT)
    held.until_says("Degraded", *wanted)
    held.until_says("Ready", *wanted)
    theatre.until(
        lambda: all(word in theatre.host_says("n1", "Ready") for word in wanted),
        f"the host to say {wanted}",
        also=lambda: theatre.host_says("n1", "Ready"),
    )
    for kind, name in (("HAService", held.name), ("Host", "n1")):
        theatre.until(
            lambda kind=kind, name=name: _is_told(theatre, kind, name, wanted),  # type: ignore[misc]
            f"an Event about {kind} {name} that says {wanted}",
            also=lambda kind=kind, name=name: theatre.events(kind, name),  # type: ignore[misc]
        )
    assert held.epoch == 1


def _is_told(theatre: Theatre, kind: str, name: str, words: tuple[str, ...]) -> bool:
    return any(
        event.startswith("Warning") and all(word in event for word in words) for event in theatre.events(kind, name)
    )


def _lied_to(theatre: Theatre, host: str, *, times: int) -> None:
    """Until the BMC has said off, and on after it, so many times."""
    bmc = theatre.lab.bmcs[host]
    said = len(bmc.reads)

    def lies() -> int:
        answers = [answer for _, answer in bmc.reads[said:]]
        return sum(pair == ("off", "on") for pair in pairwise(answers))

    theatre.until(lambda: lies() >= times, f"{times} times off, and then on", also=lambda: bmc.reads[said:])
