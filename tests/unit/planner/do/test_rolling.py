"""To which copy an edit goes, as a table: one restarts at a time, and what does not work goes first."""

from __future__ import annotations

from typing import Literal

import pytest

from backstay_operator.planner.do.rolling import waits
from backstay_operator.planner.do.rounds import begin
from backstay_operator.planner.judge.remains import stored_order
from backstay_testing.builders import a_service, an_instance, an_order, unit
from backstay_testing.worlds import a_world, report, silence, tell

BEFORE = a_service(mode="Replicated", replicas=2)
EDITED = a_service("web", unit("log"), mode="Replicated", replicas=2, generation=2)
SCALED = a_service(mode="Replicated", replicas=3, generation=2)
FIRST = "the edit waits for {}, which has to work first: one copy is changed at a time"
Case = Literal["works", "fails", "silent", "new, and does not work yet", "new", "nowhere"]


@pytest.mark.parametrize(
    ("service", "one", "other", "expected"),
    [
        pytest.param(EDITED, "works", "works", ["", FIRST.format("web-0")], id="the first, and then the other"),
        pytest.param(EDITED, "works", "fails", [FIRST.format("web-1"), ""], id="what does not work before what works"),
        pytest.param(EDITED, "fails", "fails", ["", ""], id="nothing works: nothing to wait for"),
        pytest.param(EDITED, "new, and does not work yet", "works", ["", FIRST.format("web-0")], id="until it works"),
        pytest.param(EDITED, "new", "works", ["", ""], id="and then the other"),
        pytest.param(EDITED, "silent", "works", ["", ""], id="a lost one holds up nobody"),
        pytest.param(EDITED, "nowhere", "works", ["", ""], id="nor one that runs nowhere"),
        pytest.param(SCALED, "works", "works", ["", ""], id="what touches nothing that runs goes to all at once"),
    ],
)
def test_an_edit_goes_from_one_copy_to_the_next(service: object, one: Case, other: Case, expected: list[str]) -> None:
    world, edited = a_world("n1", "n2"), EDITED if service is EDITED else SCALED
    world.put_service(edited)
    for slot, case in enumerate((one, other)):
        host = f"n{slot + 1}"
        known = an_instance(BEFORE, epoch=1, host=None if case == "nowhere" else host, slot=slot)
        world.put_instance(known)
        by = edited if case.startswith("new") else BEFORE
        if case != "nowhere":
            order = an_order(known).model_copy(
                update={"revision": by.metadata.generation, "resources": [each.rendered for each in by.spec.resources]}
            )
            tell(world, host, known, order)
            is_well = case in ("works", "silent", "new")
            phase = "Running" if is_well else "Failed" if case == "fails" else "Starting"
            report(world, by, host, phase, epoch=1, slot=slot, healthy=is_well)
        if case == "silent":
            silence(world, host)
    round_ = begin(world)
    instances = [world.instances[f"shop/web-{slot}"] for slot in (0, 1)]
    stored = [stored_order(world, known.holder, known) for known in instances]
    assert [waits(round_, edited, *each) for each in zip(instances, stored, strict=True)] == expected
