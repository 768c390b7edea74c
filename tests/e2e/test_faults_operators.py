"""Two operators, frozen ones, blind ones: each safety step is a write that only one picture of the world can win."""

import pytest

from backstay_dev.lab.relay.relay import Fault, Kind
from backstay_dev.show.fault_lab import NAMESPACE, OPERATOR, FaultLab

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_one_of_two_operators_is_frozen_through_a_failover_and_does_no_harm_when_it_thaws(fault_lab: FaultLab) -> None:
    """It is frozen as long as the other needs to move the service and the lost host to return: all that it knows is old then.
    A whole minute would add nothing, for it judges by what was answered lately, and nothing was."""
    with fault_lab.playing("twice-led", on="n1") as moved, fault_lab.playing("untouched", on="n2") as untouched:
        before = fault_lab.fences_asked()
        fault_lab.product.start_operator("operator-b", *OPERATOR)
        fault_lab.until(lambda: fault_lab.operator_is_ready("operator-b"), "the second operator to be ready")
        fault_lab.product.operators["operator"].pause()
        fault_lab.lab["n1"].freeze()
        moved.until_running(other_than="n1")
        fault_lab.lab["n1"].thaw()
        fault_lab.until(lambda: fault_lab.host_says("n1", "Ready").startswith("True"), "n1 to return", timeout_s=90)
        fault_lab.product.operators["operator"].resume()
        fault_lab.until(lambda: fault_lab.operator_is_ready("operator"), "the thawed operator to be ready")
        with fault_lab.playing("after-thaw"):  # and both have planned again
            # The one that acts is no leader yet and waits 1.5 s: the host may have been switched on again and speak for itself.
            assert (moved.epoch, len(moved.lives)) == (2, 2) and moved.evidence in ("Device", "Boot")
            assert untouched.saw_nothing()
            # A busy machine's late renewal may have somebody look at another host's power: that does no harm.
            asked = set(fault_lab.fences_asked()) - set(before)
            assert len([name for name in asked if name.startswith("n1-")]) == 1
            assert not any(fault_lab.lab.bmcs[name].presses for name in ("n2", "n3"))


def test_two_operators_at_once_grant_each_epoch_once(fault_lab: FaultLab) -> None:
    with fault_lab.playing("shared", on="n1") as shared, fault_lab.playing("calm-beside", on="n2") as beside:
        fault_lab.product.start_operator("operator-b", *OPERATOR)
        fault_lab.until(lambda: fault_lab.operator_is_ready("operator-b"), "the second operator to be ready")
        _move(fault_lab, "shared", to="n3")
        shared.until_running(on="n3")
        fault_lab.product.operators["operator"].kill()
        fault_lab.lab["n3"].power_off()
        shared.until_running(other_than="n3")
        # The follower acts 1.5 s later: by then the host may have been switched on again and have reported for itself.
        assert (shared.epoch, len(shared.lives)) == (3, 3) and shared.evidence in ("Device", "Boot")
        assert beside.saw_nothing()


def test_stale_reads_make_an_operator_doubt_itself_and_nobody_is_fenced(fault_lab: FaultLab) -> None:
    """Everything it asks is answered, quickly, and as it was before; its watches are silent; its writes would pass."""
    with fault_lab.playing("steady", on="n1") as steady, fault_lab.playing("steady-too", on="n2") as steady_too:
        before = fault_lab.fences_asked()
        with fault_lab.lab.relay.fault(Fault(Kind.STALE, source="operator")) as stale:
            steady.let_live(1500)
            assert fault_lab.lab.relay.hits(stale) > 0
        _move(fault_lab, "steady", to="n3")  # and then it sees again
        steady.until_running(on="n3")
        assert steady.evidence == "Released"
        assert steady_too.saw_nothing()
        # One of an earlier test may wait for half a minute yet: so long after its `on` a board may still say "off".
        requests = fault_lab.fence_requests()
        fenced = [name for name, one in requests.items() if one["spec"]["want"] == "Off" and name not in before]
        assert not fenced and not any(bmc.presses for bmc in fault_lab.lab.bmcs.values())
        assert len(fault_lab.fences_asked()) - len(before) <= 3, (
            "to look at their power does no harm, a storm of looks would"
        )


def test_stale_reads_while_another_operator_moves_a_service_undo_nothing(fault_lab: FaultLab) -> None:
    with fault_lab.playing("carried", on="n1") as carried, fault_lab.playing("left-alone", on="n2") as left_alone:
        fault_lab.product.start_operator("operator-b", *OPERATOR)
        fault_lab.until(lambda: fault_lab.operator_is_ready("operator-b"), "the second operator to be ready")
        with fault_lab.lab.relay.fault(Fault(Kind.STALE, source="operator")) as stale:
            _move(fault_lab, "carried", to="n3")
            carried.until_running(on="n3")
            carried.let_live(600)
            assert fault_lab.lab.relay.hits(stale) > 0
        with fault_lab.playing("seen-again"):
            assert (carried.epoch, carried.evidence, len(carried.lives)) == (2, "Released", 2)
            assert left_alone.saw_nothing()


def _move(fault_lab: FaultLab, service: str, *, to: str) -> None:
    """As a person who tries again: an operator that is blind may say for a moment that the host is silent."""
    fault_lab.until(
        lambda: bool(fault_lab.backstay("move", f"{NAMESPACE}/{service}", "--to", to)),
        f"the move of {service} to begin",
    )
