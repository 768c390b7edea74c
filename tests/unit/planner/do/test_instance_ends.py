"""What becomes of an instance that shall not be any more, and how one begins."""

from __future__ import annotations

import pytest

from backstay_operator.planner.do.instances import create, leave
from backstay_operator.planner.do.rounds import begin
from backstay_testing.builders import a_service, an_instance
from backstay_testing.courses import HANDS_OFF, WEB, down, mode, released, told, unordered
from backstay_testing.worlds import Befall, a_world, all_of, nothing, put, running


@pytest.mark.parametrize(
    ("host", "befall", "expected", "missing"),
    [
        pytest.param(None, nothing, "delete", "", id="nobody holds it"),
        pytest.param("n1", released, "close 2 by Released", "", id="its holder has stopped it"),
        pytest.param("n1", nothing, "Down 1", "it is deleted; n1 has not said yet that epoch 2 is over", id="it runs"),
        pytest.param("n1", unordered, "Down 0", "it is deleted; n1 has not said yet", id="it was never ordered"),
        pytest.param("n1", down(), "Down 1", "it is deleted; n1 has not said yet", id="it is being stopped"),
        pytest.param("n1", mode("HandsOff"), "Up 1", f"it is deleted, but {HANDS_OFF}", id="hands off"),
        pytest.param(
            "n1", all_of(mode("HandsOff"), unordered), "", f"it is deleted, but {HANDS_OFF}", id="hands off, and never ordered"
        ),
        pytest.param(
            "n1", all_of(mode("HandsOff"), down()), "Down 1", "it is deleted; n1 has not said yet", id="hands off, and being stopped"
        ),
    ],
)  # fmt: skip
def test_what_shall_not_be_any_more(host: str | None, befall: Befall, expected: str, missing: str) -> None:
    world = a_world("n1", "n2")
    if host is not None:
        running(world, WEB, host)
    else:
        put(world, WEB, epoch=2)
    befall(world)
    found = leave(begin(world), None, world.instances["shop/web-0"], "it is deleted")
    assert told(found) == expected
    assert found.missing.startswith(missing) and bool(found.missing) == bool(missing)


@pytest.mark.parametrize("exclusive", [True, False])
def test_an_instance_begins_at_epoch_0_and_is_exclusive_as_its_service_is(exclusive: bool) -> None:
    made = create(a_service(exclusive=exclusive), "web-0")
    assert (made.namespace, made.name, made.spec.epoch, made.spec.exclusive) == ("shop", "web-0", 0, exclusive)
    assert made.spec.service == an_instance(WEB).spec.service
