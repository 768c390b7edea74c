"""Two operators, frozen ones, blind ones: each safety step is a write that only one picture of the world can win."""

import pytest

from backstay_dev.lab.relay.relay import Fault, Kind
from backstay_dev.show.fault_lab import NAMESPACE, OPERATOR, Theatre

pytestmark = [pytest.mark.api, pytest.mark.hosts]


def test_one_of_two_operators_is_frozen_through_a_failover_and_does_no_harm_when_it_thaws(theatre: Theatre) -> None:
    """It is frozen as long as the other needs to move the service and the lost host to return: all that it knows is old then.
    A whole minute would add nothing, for it judges by what was answered lately, and nothing was."""
    with theatre.playing("twice-led", on="n1") as moved, theatre.playing("untouched", on="n2") as untouched:
        before = theatre.fences_asked()
        theatre.product.start_operator("operator-b", *OPERATOR)
        theatre.until(lambda: theatre.operator_is_ready("operator-b"), "the second operator to be ready")
        theatre.product.operators["operator"].pause()
        theatre.lab["n1"].freeze()
        moved.until_running(other_than="n1")
        theatre.lab["n1"].thaw()
        theatre.until(lambda: theatre.host_says("n1", "Ready").startswith("True"), "n1 to return", timeout_s=90)
        theatre.product.operators["operator"].resume()
        theatre.until(lambda: theatre.operator_is_ready("operator"), "the thawed operator to be ready")
        with theatre.playing("after-thaw"):  # and both have planned again
            # The one that acts is no leader yet and waits 1.5 s: the host may have been switched on again and speak for itself.
            assert (moved.epoch, len(moved.lives)) == (2, 2) and moved.evidence in ("Device", "Boot")
            assert untouched.saw_nothing()
            assert len(theatre.fences_asked()) == len(before) + 1


def test_two_operators_at_once_grant_each_epoch_once(theatre: Theatre) -> None:
    with theatre.playing("shared", on="n1") as shared, theatre.playing("calm-beside", on="n2") as beside:
        theatre.product.start_operator("operator-b", *OPERATOR)
        theatre.until(lambda: theatre.operator_is_ready("operator-b"), "the second operator to be ready")
        _move(theatre, "shared", to="n3")
        shared.until_running(on="n3")
        theatre.product.operators["operator"].kill()
        theatre.lab["n3"].power_off()
        shared.until_running(other_than="n3")
        # The follower acts 1.5 s later: by then the host may have been switched on again and have spoken for itself.
        assert (shared.epoch, len(shared.lives)) == (3, 3) and shared.evidence in ("Device", "Boot")
        assert beside.saw_nothing()


def test_stale_reads_make_an_operator_doubt_itself_and_nobody_is_fenced(theatre: Theatre) -> None:
    """Everything it asks is answered, quickly, and as it was before; its watches are silent; its writes would pass."""
    with theatre.playing("steady", on="n1") as steady, theatre.playing("steady-too", on="n2") as steady_too:
        before = theatre.fences_asked()
        with theatre.lab.relay.fault(Fault(Kind.STALE, source="operator")) as stale:
            steady.let_live(1500)
            assert theatre.lab.relay.hits(stale) > 0
        _move(theatre, "steady", to="n3")  # and then it sees again
        steady.until_running(on="n3")
        assert steady.evidence == "Released"
        assert steady_too.saw_nothing()
        fenced = [one for one in theatre.fence_requests().values() if one["spec"]["want"] == "Off"]
        assert not fenced and not any(bmc.presses for bmc in theatre.lab.bmcs.values())
        assert len(theatre.fences_asked()) - len(before) <= 3, (
            "to look at their power does no harm, a storm of looks would"
        )


def test_stale_reads_while_another_operator_moves_a_service_undo_nothing(theatre: Theatre) -> None:
    with theatre.playing("carried", on="n1") as carried, theatre.playing("left-alone", on="n2") as left_alone:
        theatre.product.start_operator("operator-b", *OPERATOR)
        theatre.until(lambda: theatre.operator_is_ready("operator-b"), "the second operator to be ready")
        with theatre.lab.relay.fault(Fault(Kind.STALE, source="operator")) as stale:
            _move(theatre, "carried", to="n3")
            carried.until_running(on="n3")
            carried.let_live(600)
            assert theatre.lab.relay.hits(stale) > 0
        with theatre.playing("seen-again"):
            assert (carried.epoch, carried.evidence, len(carried.lives)) == (2, "Released", 2)
            assert left_alone.saw_nothing()


def _move(theatre: Theatre, service: str, *, to: str) -> None:
    """As a person who tries again: an operator that is blind may say for a moment that the host is silent."""
    theatre.until(
        lambda: bool(theatre.backstay("move", f"{NAMESPACE}/{service}", "--to", to)), f"the move of {service} to begin"
    )
