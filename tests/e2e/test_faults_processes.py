"""Our own processes and the control plane die, again and again: no service stops, and nothing happens in a mass afterwards."""

import random
import time

import pytest

from backstay_dev.show.fault_lab import FaultLab, Play

pytestmark = [pytest.mark.api, pytest.mark.hosts]

KILLS_EACH = 6
OUTAGE_S = 60.0


def test_killed_again_and_again_they_still_bring_one_service_over_and_leave_the_other_alone(
    fault_lab: FaultLab,
) -> None:
    dice = random.Random(3)
    victims = ["operator", "fencer", "agent"] * KILLS_EACH
    dice.shuffle(victims)
    with fault_lab.playing("hunted", on="n1") as hunted, fault_lab.playing("spared", on="n2") as spared:
        for number, victim in enumerate(victims):
            if number == len(victims) // 2:
                assert len(hunted.lives) == 1, "adopted by every agent that came after one that was killed"
                fault_lab.lab["n1"].power_off()
            _kill(fault_lab, victim, dice)
            spared.let_live(dice.randrange(1, 120))
        hunted.until_running(other_than="n1")
        assert (hunted.epoch, hunted.evidence, len(hunted.lives)) == (2, "Device", 2)
        assert spared.saw_nothing()
        # An agent that is killed twice in a row may be looked at; nobody is sealed or powered off for that.
        assert not fault_lab.lab.bmcs["n2"].presses and not fault_lab.lab.bmcs["n3"].presses


def test_a_minute_without_etcd_and_api_server_stops_nothing_and_leads_to_nothing(fault_lab: FaultLab) -> None:
    plane = fault_lab.lab.plane
    with fault_lab.playing("calm", on="n1") as calm, fault_lab.playing("hurt", on="n2") as hurt:
        sealed = _seals(fault_lab)
        plane.kill_etcd()
        plane.start_etcd()
        plane.wait_ready()
        plane.kill_apiserver()
        plane.kill_etcd()
        gone_s = time.monotonic()
        fault_lab.kill_operator()
        fault_lab.kill_fencer()
        fault_lab.kill_agent("n1")
        fault_lab.kill_agent("n2")
        _kill_main_process(hurt)
        fault_lab.until(lambda: len(hurt.lives) == 2, "the killed one to be started again in place, with no API server")
        fault_lab.until(lambda: time.monotonic() - gone_s > OUTAGE_S, "the end of the outage", timeout_s=2 * OUTAGE_S)
        plane.start()
        with fault_lab.playing("newcomer"):  # so the operator sees, decides and is obeyed again
            assert calm.saw_nothing()
            assert (hurt.epoch, len(hurt.lives)) == (1, 2)
            # Who is late when the server hangs may be looked at; that is all, and it is taken back.
            fault_lab.until(lambda: _wants(fault_lab) <= {"Withdrawn"}, "every look to be taken back")
            assert not any(bmc.presses for bmc in fault_lab.lab.bmcs.values())
            assert _seals(fault_lab) == sealed


def _kill(fault_lab: FaultLab, victim: str, dice: random.Random) -> None:
    match victim:
        case "operator":
            fault_lab.kill_operator()
        case "fencer":
            fault_lab.kill_fencer()
        case _:
            fault_lab.kill_agent(dice.choice([name for name, host in fault_lab.lab.hosts.items() if host.is_on]))


def _kill_main_process(play: Play) -> None:
    host = play.fault_lab.lab[play.first_host]
    host.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", f"tick-{play.name}.service")


def _wants(fault_lab: FaultLab) -> set[str]:
    return {one["spec"]["want"] for one in fault_lab.fence_requests().values()}


def _seals(fault_lab: FaultLab) -> list[str]:
    return [event for host in fault_lab.lab.hosts for event in fault_lab.events("Host", host) if " Sealed: " in event]
