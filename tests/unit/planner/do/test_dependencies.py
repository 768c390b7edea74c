"""What `dependsOn` says in one round, as a table: for whom a start waits, for whom a stop waits, and what stops with another."""

from __future__ import annotations

from typing import Any

import pytest

from backstay_api.objects.models import HAService
from backstay_operator.planner import offline
from backstay_operator.planner.do.decisions import decide
from backstay_operator.planner.do.dependencies import start_waits, stop_waits, stops_with
from backstay_operator.planner.do.rounds import Round, Stop, begin, in_turn
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_service, an_instance, unit
from backstay_testing.worlds import Befall, a_world, nothing, put, report, running, silence

DB = a_service("db", unit("db"))
APP = a_service("app", unit("app"), dependsOn=[{"service": "db"}])
RUNS_ON = a_service("app", unit("app"), dependsOn=[{"service": "db", "onChange": "None"}])
AFTER = a_service("app", unit("app"), dependsOn=[{"service": "db", "type": "After"}])
REQUIRES, NOT_READY = "it requires shop/db (dependsOn)", "it requires shop/db (dependsOn), which is not Ready"
STARTING, NONE = "it starts after shop/db, which is starting (dependsOn)", "and there is no such HAService"
WITH, OVER = "shop/db, which it requires,", "has gone on to n3 since it was started (onChange: Restart)"
STOP, MOVE = Stop("spec.state is Stopped", False), Stop("n1 is being drained", True)
WAITS = "it waits until shop/app has stopped, which depends on it"


def phase(name: str, **more: Any) -> Befall:
    return lambda world: report(world, DB, "n1", name, epoch=2, **more)


def app_says(name: str, **more: Any) -> Befall:
    return lambda world: report(world, APP, "n2", name, epoch=2, **more)


def silent(host: str) -> Befall:
    return lambda world: silence(world, host)


def gone_over(world: World) -> None:
    """db was granted anew since app was started with its epoch 2."""
    known = world.instances["shop/app-0"]
    noted = [{"service": "db", "uid": "uid-db-0", "epoch": 2}]
    spec = type(known.spec).model_validate({**known.spec.wire(), "required": noted})
    world.put_instance(known.model_copy(update={"spec": spec}))
    world.put_instance(an_instance(DB, epoch=3, host="n3"))


def elsewhere(world: World) -> None:
    world.drop_service("shop/db")
    other = a_service("db")
    world.put_service(other.model_copy(update={"metadata": other.metadata.model_copy(update={"namespace": "other"})}))


def both(app: HAService, befall: Befall) -> Round:
    world = a_world("n1", "n2", "n3")
    running(world, DB, "n1")
    running(world, app, "n2")
    befall(world)
    return begin(world)


@pytest.mark.parametrize(
    ("app", "befall", "said"),
    [
        pytest.param(APP, nothing, "", id="db is Ready"),
        pytest.param(APP, phase("Running", healthy=False), NOT_READY, id="it runs and does not work"),
        pytest.param(APP, phase("Starting"), NOT_READY, id="it starts"),
        pytest.param(APP, silent("n1"), NOT_READY, id="its host is lost"),
        pytest.param(APP, lambda world: world.drop_service("shop/db"), f"{REQUIRES}, {NONE}", id="there is none"),
        pytest.param(APP, elsewhere, f"{REQUIRES}, {NONE}; other/db lies in another namespace", id="it lies in another namespace"),
        pytest.param(RUNS_ON, phase("Starting"), NOT_READY, id="onChange says nothing of starts"),
        pytest.param(AFTER, phase("Starting"), STARTING, id="order only: it starts"),
        pytest.param(AFTER, phase("Failed"), STARTING, id="order only: it has failed, and is tried elsewhere"),
        pytest.param(AFTER, phase("Stopped", by_admin="systemctl stop"), "", id="order only: an admin has stopped it"),
        pytest.param(AFTER, silent("n1"), "", id="order only: its host is lost"),
        pytest.param(AFTER, lambda world: world.drop_service("shop/db"), "", id="order only: there is none"),
    ],
)  # fmt: skip
def test_for_whom_a_start_waits(app: HAService, befall: Befall, said: str) -> None:
    round_ = both(app, befall)
    if "shop/db" in round_.world.services:
        decide(round_, DB)
    wait = start_waits(round_, app)
    assert (wait.why if wait else "") == said


@pytest.mark.parametrize(
    ("app", "stop", "befall", "said"),
    [
        pytest.param(APP, STOP, nothing, f"spec.state is Stopped; {WAITS}", id="what requires it stops first"),
        pytest.param(APP, MOVE, nothing, f"n1 is being drained; {WAITS}", id="for a move as well"),
        pytest.param(RUNS_ON, STOP, nothing, f"spec.state is Stopped; {WAITS}", id="onChange None: for a stop"),
        pytest.param(RUNS_ON, MOVE, nothing, "", id="onChange None: not for a move"),
        pytest.param(AFTER, STOP, nothing, "", id="order only"),
        pytest.param(APP, STOP, phase("Failed"), "", id="it does not run"),
        pytest.param(APP, STOP, app_says("Stuck"), "", id="the other does not stop"),
        pytest.param(APP, STOP, app_says("Stopped", released=True), "", id="the other has stopped"),
        pytest.param(APP, STOP, silent("n2"), "", id="the host of the other is lost"),
    ],
)
def test_for_whom_a_stop_waits(app: HAService, stop: Stop, befall: Befall, said: str) -> None:
    round_ = both(app, befall)
    assert stop_waits(round_, DB, round_.world.instances["shop/db-0"], stop) == said


@pytest.mark.parametrize(
    ("app", "stop", "befall", "said"),
    [
        pytest.param(APP, None, nothing, "", id="nothing stops"),
        pytest.param(APP, STOP, nothing, f"{WITH} stops: spec.state is Stopped", id="it stops"),
        pytest.param(APP, MOVE, nothing, f"{WITH} moves: n1 is being drained", id="it moves"),
        pytest.param(RUNS_ON, MOVE, nothing, "", id="it moves, and onChange is None"),
        pytest.param(RUNS_ON, STOP, nothing, f"{WITH} stops: spec.state is Stopped", id="it stops, and onChange is None"),
        pytest.param(AFTER, STOP, nothing, "", id="order only"),
        pytest.param(APP, None, gone_over, f"{WITH} {OVER}", id="it has failed over"),
        pytest.param(RUNS_ON, None, gone_over, "", id="it has failed over, and onChange is None"),
        pytest.param(APP, STOP, silent("n2"), "", id="its own host is lost"),
    ],
)  # fmt: skip
def test_what_stops_with_another(app: HAService, stop: Stop | None, befall: Befall, said: str) -> None:
    round_ = both(app, befall)
    if stop is not None:
        round_.stopping["shop/db", False] = stop
    found = stops_with(round_, app, round_.world.instances["shop/app-0"])
    assert (found.why if found else "") == said


def test_what_is_depended_on_is_decided_first_whatever_is_more_important() -> None:
    world = a_world("n1")
    for name, on, priority in (("a", "c", 5), ("b", "", 9), ("c", "d", 0), ("d", "", 1)):
        depends_on = [{"service": on}] if on else []
        world.put_service(a_service(name, unit(name), dependsOn=depends_on, placement={"priority": priority}))
    assert [key.removeprefix("shop/") for key in in_turn(world)] == ["b", "d", "c", "a"]


def test_the_last_of_several_copies_waits_and_the_others_do_not() -> None:
    world = a_world("n1", "n2", "n3")
    pair = a_service("db", unit("db"), mode="Replicated", replicas=2)
    running(world, APP, "n3")
    for slot, host in enumerate(("n1", "n2")):
        put(world, pair) if slot == 0 else None
        world.put_instance(an_instance(pair, epoch=2, host=host, slot=slot))
        report(world, pair, host, "Running", epoch=2, slot=slot)
    round_ = begin(world)
    whys = [stop_waits(round_, pair, world.instances[f"shop/db-{slot}"], STOP) for slot in (0, 1)]
    assert whys == ["", f"spec.state is Stopped; {WAITS}"]


# --- on the promoted copy --------------------------------------------------------------------------------------------

PAIR = a_service("db", unit("db"), {**unit("writer"), "role": "Promoted"}, mode="Promotable", replicas=2)
PROMOTED_STOPS, NOBODY_WAITS = f"n1 is being drained; {WAITS}", ""


@pytest.mark.parametrize(
    ("role", "slot", "others", "expected"),
    [
        pytest.param("Promoted", 2, True, PROMOTED_STOPS, id="who requires the promoted copy stops before it is demoted"),
        pytest.param("Any", 2, True, NOBODY_WAITS, id="who requires any runs on"),
        pytest.param("Promoted", 1, True, NOBODY_WAITS, id="another copy stops, and nobody minds"),
        pytest.param("Any", 2, False, PROMOTED_STOPS, id="until it is the last"),
        pytest.param("Promoted", 2, False, PROMOTED_STOPS, id="the last of all"),
    ],
)  # fmt: skip
def test_who_stops_before_a_copy_does(role: str, slot: int, others: bool, expected: str) -> None:
    app = a_service("app", unit("app"), dependsOn=[{"service": "db", "role": role}])
    hosts = ["n1", "n2", "n1"] if others else ["", "", "n1"]
    there = [an_instance(PAIR, epoch=1, host=host, slot=at) for at, host in enumerate(hosts) if host]
    world = offline.as_if_running(
        [a_host(name) for name in ("n1", "n2", "n3")], [PAIR, app], [*there, an_instance(app, epoch=1, host="n3")]
    )
    round_ = begin(world)
    stops = world.instances[f"shop/{PAIR.slots[slot]}"]
    assert stop_waits(round_, world.services["shop/db"], stops, MOVE) == expected
    if expected:
        found = stops_with(round_, world.services["shop/app"], world.instances["shop/app-0"])
        assert (
            found is not None
            and found.is_move
            and "shop/db, which it requires, moves: n1 is being drained" in found.why
        )
