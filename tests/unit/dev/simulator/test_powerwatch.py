"""The simulator's judge of power: whom an `on` may be sent to."""

import asyncio

import pytest

from backstay_api.client.api import EventType
from backstay_api.memory.server import Change
from backstay_dev.simulator.boards import Bmc
from backstay_dev.simulator.machines import Machine
from backstay_dev.simulator.powerwatch import BACK_S, SURE_S, PowerWatch
from backstay_dev.simulator.virtualtime import in_virtual_time


class Bench:
    """One machine with one device, and the judge."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.watch = PowerWatch(self.said.append, budget=3)
        self.watch.wanting["n1-x"] = "n1"
        self.machine = Machine("n1", lambda actor, what: None, on_power=self.watch.note_power)
        self.bmc = Bmc("n1-first-bmc", "n1", self.machine)


@pytest.mark.parametrize("who", ["a person", "another fencer, or another outlet"])
@in_virtual_time
async def test_an_on_to_a_machine_that_is_on_again_already_is_no_fault(who: str) -> None:
    bench = Bench()
    bench.watch.note_switch("fencer", bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    bench.machine.gain_power(who)
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert bench.said == []


@in_virtual_time
async def test_an_off_that_comes_through_after_the_machine_was_switched_on_is_ours() -> None:
    bench = Bench()
    bench.watch.note_switch("fencer", bench.bmc, "off")
    bench.machine.lose_power("a plug")
    bench.machine.gain_power("a person")
    bench.machine.lose_power("told to", by_device=True)
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert bench.said == []


@pytest.mark.parametrize("was_off", [False, True], ids=["never off through us", "off through us, and on again since"])
@in_virtual_time
async def test_an_on_to_a_machine_whose_plug_somebody_has_pulled_is_a_fault(was_off: bool) -> None:
    bench = Bench()
    if was_off:
        bench.watch.note_switch("fencer", bench.bmc, "off")
        bench.machine.lose_power("told to", by_device=True)
        bench.watch.note_switch("fencer", bench.bmc, "on")
        bench.machine.gain_power("our on")
        await asyncio.sleep(SURE_S + 1)
        bench.watch.note_read("fencer", bench.bmc)
    bench.machine.lose_power("a plug")
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert bench.said == ["`on` is sent to n1-first-bmc, which we have not switched off"]


@in_virtual_time
async def test_a_read_that_comes_early_does_not_show_that_our_off_is_over() -> None:
    """Seed 16088334917: it was on, but a slow board might still have carried out our `off`."""
    bench = Bench()
    bench.watch.note_switch("fencer", bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    bench.watch.note_switch("fencer", bench.bmc, "on")
    bench.machine.gain_power("our on")
    bench.watch.note_read("fencer", bench.bmc)
    bench.machine.lose_power("a plug")
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert bench.said == []


@pytest.mark.parametrize("ours", [True, False])
@in_virtual_time
async def test_what_a_request_has_recorded_as_ours_counts_as_sent(ours: bool) -> None:
    """Seed 57291221339: proven before it was sent, and another fencer read of it before that was told."""
    bench = Bench()
    attempt = {"level": "first", "device": "bmc", "action": "off", "at": "2026-01-01T00:00:00Z", "ours": ours}
    spec = {"host": "n1", "want": "Off", "session": {"bootID": "b", "nonce": "x", "seq": 1}}
    body = {"metadata": {"name": "n1-x"}, "spec": spec, "status": {"attempts": [attempt]}}
    bench.watch.note_request(
        Change(5, EventType.MODIFIED, "fencerequests.backstay.dev", ("", "n1-x"), body, None, "fencer")
    )
    bench.machine.lose_power("a plug")
    bench.watch.note_switch("fencer-2", bench.bmc, "on")
    assert (bench.said == []) is ours


@in_virtual_time
async def test_an_on_is_owed_until_the_fencer_that_sent_the_off_has_read_the_device_on() -> None:
    """Seed 57291221339: another fencer had switched it on, its plug was pulled at once, and ours had read nothing between the two."""
    bench = Bench()
    for fencer in ("fencer", "fencer-2"):
        bench.watch.note_switch(fencer, bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    bench.watch.note_switch("fencer-2", bench.bmc, "on")
    bench.machine.gain_power("fencer-2")
    bench.watch.note_read("fencer-2", bench.bmc)
    bench.machine.lose_power("a plug")
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert bench.said == []


@pytest.mark.parametrize("waits_s", [SURE_S - 15, SURE_S + 1])
@in_virtual_time
async def test_a_fencer_that_starts_anew_counts_from_its_own_start(waits_s: float) -> None:
    """Seed 28641568240: how long ago the `off` of its life before was sent, it cannot know."""
    bench = Bench()
    bench.watch.note_begin("fencer")
    bench.watch.note_switch("fencer", bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    bench.machine.gain_power("a person")
    await asyncio.sleep(20)
    bench.watch.note_begin("fencer")
    await asyncio.sleep(waits_s)
    bench.watch.note_read("fencer", bench.bmc)
    bench.machine.lose_power("a plug")
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert (bench.said == []) is (waits_s < SURE_S)


@pytest.mark.parametrize(
    ("cut_s", "waits_s", "is_excused"),
    [
        pytest.param(5, SURE_S - 5, True, id="it learned of it when the network was whole again (seed 3900001732)"),
        pytest.param(5, SURE_S + BACK_S + 1, False, id="long enough after that it knows as well"),
        pytest.param(None, SURE_S + 1, False, id="it was told at once"),
    ],
)
@in_virtual_time
async def test_a_fencer_that_was_cut_off_counts_from_when_it_learned_of_anothers_off(
    cut_s: float | None, waits_s: float, is_excused: bool
) -> None:
    bench, begun_s = Bench(), asyncio.get_running_loop().time()
    bench.watch.note_switch("fencer-2", bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    bench.machine.gain_power("fencer-2")
    if cut_s is not None:
        await asyncio.sleep(cut_s)
        bench.watch.note_away("fencer", begun_s - 20, begun_s + cut_s)
    await asyncio.sleep(waits_s)
    bench.watch.note_read("fencer", bench.bmc)
    bench.machine.lose_power("in order")
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert (bench.said == []) is is_excused


@in_virtual_time
async def test_an_on_to_a_running_machine_that_we_have_never_touched_is_a_fault() -> None:
    bench = Bench()
    bench.watch.note_switch("fencer", bench.bmc, "on")
    assert len(bench.said) == 1


@pytest.mark.parametrize(
    ("later_s", "lies", "owes"),
    [
        pytest.param(SURE_S + 1, True, False, id="its board has said on since: nobody can know (seed 3800004959)"),
        pytest.param(SURE_S - 1, True, True, id="it said so while the `off` could still come through"),
        pytest.param(SURE_S + 1, False, True, id="nobody was told that it is on"),
    ],
)
@in_virtual_time
async def test_a_host_that_we_have_switched_off_is_to_be_switched_on(later_s: float, lies: bool, owes: bool) -> None:
    bench = Bench()
    bench.watch.note_switch("fencer", bench.bmc, "off")
    bench.machine.lose_power("told to", by_device=True)
    await asyncio.sleep(later_s)
    if lies:
        bench.watch.note_read("fencer", bench.bmc)
    assert bench.watch.owes_on("n1") is owes


@pytest.mark.parametrize("both", [True, False], ids=["both outlets", "one of two"])
@in_virtual_time
async def test_nobody_can_know_of_an_off_only_where_every_device_has_denied_it(both: bool) -> None:
    bench = Bench()
    other = Bmc("n1-first-pdu", "n1", bench.machine)
    for device in (bench.bmc, other):
        bench.watch.note_switch("fencer", device, "off")
    bench.machine.lose_power("told to", by_device=True)
    await asyncio.sleep(SURE_S + 1)
    for device in (bench.bmc, other) if both else (bench.bmc,):
        bench.watch.note_read("fencer", device)
    assert bench.watch.owes_on("n1") is not both
