"""Stories of the one loop, on the in-memory API and virtual time, with a planner of a few lines."""

import asyncio
from functools import partial

import pytest

from backstay_api.client.errors import Conflict
from backstay_api.memory.server import Fate, Request
from backstay_api.objects import lease as leases
from backstay_api.objects.kinds import EVENTS
from backstay_api.objects.models.service import HAServiceStatus
from backstay_api.objects.object_kinds import HA_INSTANCES, HA_SERVICES, HOST_ASSIGNMENTS, HOST_LEASES
from backstay_dev.simulator.virtualtime import in_virtual_time, run
from backstay_operator.control.reconciler import FOLLOWER_GATHER_S, WRITERS
from backstay_operator.planner.actions import Assign, WriteServiceStatus
from backstay_operator.planner.know.world import World
from backstay_operator.planner.plan import Plan, plan
from backstay_testing.control_scene import Scene, tiny_plan, until


def has_orders(scene: Scene, host: str = "n1") -> bool:
    bodies = scene.cluster.bodies(HOST_ASSIGNMENTS)
    return any(body["metadata"]["name"] == host and body["spec"]["instances"] for body in bodies)


@in_virtual_time
async def test_a_service_is_granted_and_its_host_told_within_a_few_milliseconds() -> None:
    scene = Scene()
    scene.add_host("n1")
    async with scene.operator():
        await asyncio.sleep(1)
        scene.add_service()
        took_s = await until(lambda: has_orders(scene))
    assert took_s < 0.05, "20 ms of gathering, three writes one after the other, and nothing else"
    assert [request.verb for request in scene.written_by("op")] == ["create", "update", "create"]


@in_virtual_time
async def test_nothing_is_planned_before_every_kind_has_been_listed_once() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.add_service()
    hidden = Fate(request_lost=True)
    scene.weather_of("op").fates = [(lambda request: request.resource.startswith("resourceclaims"), hidden)]
    async with scene.operator() as operator:
        await asyncio.sleep(5)
        assert operator.cache.missing == ["ResourceClaim"]
        assert not scene.written_by("op")
        await until(lambda: has_orders(scene))


@in_virtual_time
async def test_a_conflict_means_look_again_and_the_next_round_decides() -> None:
    scene = Scene()
    scene.add_host("n1")
    lost_race = Fate(error=Conflict("somebody else was quicker"))
    scene.weather_of("op").fates = [(lambda request: request.verb == "update", lost_race)]
    async with scene.operator() as operator:
        scene.add_service()
        await until(lambda: has_orders(scene))
        assert operator.counters.writes["WriteInstance", "look_again"] == 1
    assert scene.instance().spec.epoch == 1


@in_virtual_time
async def test_an_outcome_that_nobody_knows_is_looked_up_and_never_done_twice() -> None:
    scene = Scene()
    scene.add_host("n1")
    carried_out = Fate(answer_lost=True, cut_after_s=0.2)
    scene.weather_of("op").fates = [(lambda request: request.verb == "update", carried_out)]
    async with scene.operator() as operator:
        scene.add_service()
        await until(lambda: has_orders(scene))
        await asyncio.sleep(1)
        assert operator.counters.writes["WriteInstance", "look_again"] == 1
    assert scene.instance().spec.epoch == 1


@in_virtual_time
async def test_what_is_refused_is_repeated_ever_more_slowly_and_said_to_people() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.cluster.admit(HA_INSTANCES, lambda kind, old, new: "not today" if old else None)
    async with scene.operator() as operator:
        scene.add_service()
        await asyncio.sleep(60)
        attempts = operator.counters.writes["WriteInstance", "refused"]
    assert 12 < attempts < 60
    events = [body for body in scene.cluster.bodies(EVENTS) if body["reason"] == "Refused"]
    assert len(events) == 1 and "not today" in events[0]["note"] and events[0]["series"]["count"] > 2


@in_virtual_time
async def test_why_something_was_refused_is_known_to_the_next_plan_until_it_is_taken() -> None:
    """So it stands in the status, where people look; a log is read by nobody."""
    scene = Scene()
    scene.add_host("n1")
    answers = ["not today"]
    scene.cluster.admit(HA_INSTANCES, lambda kind, old, new: answers[0] if old and answers else None)
    known: list[str] = []

    def looks(world: World) -> Plan:
        known.append(" ".join(world.refused.values()))
        return tiny_plan(world)

    async with scene.operator(plan=looks):
        scene.add_service()
        await until(lambda: bool(known) and "not today" in known[-1], limit_s=10)
        answers.clear()
        await until(lambda: has_orders(scene))
        await until(lambda: not known[-1])


@in_virtual_time
async def test_a_write_that_hangs_delays_its_own_object_and_no_other() -> None:
    scene = Scene()
    scene.add_host("n1")
    hangs = Fate(request_lost=True)
    scene.weather_of("op").fates = [(lambda request: request.verb == "create" and request.name == "web-0", hangs)]
    async with scene.operator():
        scene.add_service("web")
        scene.add_service("db")
        await until(lambda: has_orders(scene), limit_s=1)
        assert [body["metadata"]["name"] for body in scene.cluster.bodies(HA_INSTANCES)] == ["db-0"]
        await until(lambda: len(scene.cluster.bodies(HA_INSTANCES)) == 2)


@pytest.mark.parametrize(
    ("think_s", "for_s", "most", "times"),
    [
        pytest.param(
            0.05, 2, 9, 1, id="300 services: it planned for two thirds of the time, 30 times, and wrote in the rest"
        ),
        pytest.param(
            3.0, 6, 2, 4, id="2,000 on 200 hosts: a plan took seconds, and half a second was left to writing: 6 times"
        ),
    ],
)
def test_while_more_is_to_be_written_than_can_be_begun_it_is_not_decided_all_over_again(
    think_s: float, for_s: float, most: int, times: int
) -> None:
    scene = Scene()
    weather = scene.weather_of("op")
    for number in range(90):
        slow = Fate(request_delay_s=times * for_s * (0.05 + 0.005 * number))
        weather.fates.append((partial(_writes, f"web{number}-0"), slow))
    planned = []

    def counted(world: World) -> Plan:
        planned.append(len(world.instances))
        return tiny_plan(world)

    async def story() -> None:
        async with scene.operator(plan=counted, think_s=think_s):
            for number in range(90):
                scene.add_service(f"web{number}")
            await until(lambda: bool(planned) and planned[-1] > 0)
            planned.clear()
            await asyncio.sleep(for_s)

    run(story())
    assert len(planned) <= most


def test_after_a_plan_that_took_long_what_is_only_told_has_its_time_too() -> None:
    """The statuses of 2,000 services that ran were told four a plan, and a plan took seconds."""
    scene = Scene()
    for number in range(60):
        scene.add_service(f"web{number}")
    slow = Fate(request_delay_s=0.5)
    scene.weather_of("op").fates = [(lambda one: one.is_write and one.subresource == "status", slow)] * 60
    told: list[str] = []
    scene.cluster.admit(HA_SERVICES, lambda kind, old, new: told.append("a status") if old else None)
    plans: list[int] = []

    def tells(world: World) -> Plan:
        plans.append(len(told))
        untold = [one for one in world.services.values() if not one.status.host]
        return Plan(tuple(WriteServiceStatus(one, one.status.model_copy(update={"host": "n1"})) for one in untold))

    async def story() -> None:
        async with scene.operator(plan=tells, think_s=2.0):
            await until(lambda: len(told) == 60)

    run(story())
    assert len(plans) <= 8, "it was 15"


def _writes(name: str, request: Request) -> bool:
    return request.is_write and request.name == name


@pytest.mark.parametrize(("order_takes_s", "before_it"), [(0.08, ["orders", "words"]), (0.5, ["words", "orders"])])
def test_what_only_tells_waits_for_an_order_that_is_under_way_but_not_for_long(
    order_takes_s: float, before_it: list[str]
) -> None:
    """A client waits for the order, and the API server carries out both."""
    scene = Scene()
    scene.add_host("n1")
    slow = Fate(request_delay_s=order_takes_s)
    scene.weather_of("op").fates = [(lambda one: one.is_write and one.resource.startswith("hostassignments"), slow)]
    done: list[str] = []
    scene.cluster.admit(HOST_ASSIGNMENTS, lambda kind, old, new: done.append("orders"))
    scene.cluster.admit(HA_SERVICES, lambda kind, old, new: done.append("words") if old else None)

    def tells_too(world: World) -> Plan:
        planned = tiny_plan(world).actions
        silent = (one for one in world.services.values() if any(isinstance(each, Assign) for each in planned))
        said = [WriteServiceStatus(one, HAServiceStatus(host="n1")) for one in silent if not one.status.host]
        return Plan((*planned, *said))

    async def story() -> None:
        async with scene.operator(plan=tells_too):
            scene.add_service()
            await until(lambda: len(done) == 2)

    run(story())
    assert done == before_it


@in_virtual_time
async def test_of_two_replicas_the_leader_acts_and_the_other_stays_quiet() -> None:
    scene = Scene()
    scene.add_host("n1")
    async with scene.operator("a", standalone=False) as a:
        await asyncio.sleep(1)
        async with scene.operator("b", standalone=False) as b:
            await asyncio.sleep(1)
            assert a.leader.leads() and not b.leader.leads()
            scene.add_service()
            await until(lambda: has_orders(scene))
            await asyncio.sleep(10)
            assert len(scene.written_by("a")) == 3 and not scene.written_by("b")


@in_virtual_time
async def test_what_waits_for_a_writer_when_the_lead_is_lost_is_not_written() -> None:
    """Another leads by then, and has its own plans."""
    scene = Scene()
    scene.add_host("n1")
    weather = scene.weather_of("a")
    async with scene.operator("a", standalone=False) as a:
        await until(a.leader.leads)
        slow = Fate(request_delay_s=1.0)
        weather.fates = [(lambda one: one.verb == "create" and one.resource.startswith("hainstances"), slow)] * WRITERS
        for number in range(WRITERS + 10):
            scene.add_service(f"web{number}")
        await until(lambda: not weather.fates)
        weather.fates = [(lambda one: one.resource.startswith("leases"), Fate(request_lost=True))] * 99
        a.leader._leads_until_s = float("-inf")
        await until(lambda: len(scene.cluster.bodies(HA_INSTANCES)) == WRITERS)
        await asyncio.sleep(0.2)
        assert len(scene.cluster.bodies(HA_INSTANCES)) == WRITERS


@in_virtual_time
async def test_a_follower_acts_on_what_has_stood_for_a_second_and_a_half() -> None:
    scene = Scene()
    scene.add_host("n1")
    async with scene.operator("a", standalone=False):
        await asyncio.sleep(1)
        async with scene.operator("b", standalone=False) as b:
            await asyncio.sleep(1)
            scene.weather["a"].hang = True  # the leader can do nothing any more, but does not know it yet
            scene.add_service()
            took_s = await until(lambda: bool(scene.written_by("b")), limit_s=3)
            assert not b.leader.leads() and 1.5 <= took_s < 1.5 + 2 * FOLLOWER_GATHER_S
            await until(lambda: has_orders(scene), limit_s=6)
    assert scene.instance().spec.epoch == 1


@in_virtual_time
async def test_a_leader_that_dies_is_followed_within_its_duration_and_one_that_leaves_at_once() -> None:
    scene = Scene()
    async with scene.operator("b", standalone=False) as b:
        await asyncio.sleep(1)
        scene.weather["b"].hang = True
        async with scene.operator("c", standalone=False) as c:
            took_s = await until(c.leader.leads)
            assert 5 < took_s < 9 and not b.leader.leads()
        scene.weather["b"].hang = False
        assert await until(b.leader.leads) < 3


@in_virtual_time
async def test_an_outage_of_a_minute_is_survived_and_forgotten_at_once() -> None:
    scene = Scene()
    scene.add_host("n1")
    async with scene.operator() as operator:
        await asyncio.sleep(1)
        scene.weather["op"].outage = True
        scene.cut_streams()
        await asyncio.sleep(5)
        scene.add_service()
        await asyncio.sleep(60)
        assert operator.path.trouble and not operator.cache.world.own_path.healthy
        scene.weather["op"].outage = False
        assert await until(lambda: has_orders(scene)) < 2


@in_virtual_time
async def test_a_lost_event_is_repaired_by_the_next_list_and_a_stale_entry_dropped() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.add_service("old")
    async with scene.operator() as operator:
        await until(lambda: has_orders(scene))
        scene.weather["op"].blind = True
        scene.add_service("new")
        scene.cluster.delete(HA_SERVICES, ("shop", "old"))
        scene.cluster.delete(HOST_LEASES, (leases.NAMESPACE, "n1"))
        assert await until(lambda: "shop/new" in operator.cache.world.services, limit_s=61) > 1
        assert "shop/old" not in operator.cache.world.services
        await until(lambda: not operator.cache.world.leases, limit_s=1)
        assert operator.cache.counts["stale_dropped"] == 2


@in_virtual_time
async def test_what_cannot_be_read_is_told_once_and_again_when_it_is_edited() -> None:
    scene = Scene()
    scene.add_service("broken", resources="not a list")
    async with scene.operator(plan=plan) as operator:
        await asyncio.sleep(60)
        assert operator.counters.writes["ReportUnreadable", "done"] == 1
        scene.cluster.patch(HA_SERVICES, ("shop", "broken"), {"spec": {"resources": 7}})
        await asyncio.sleep(60)
        assert operator.counters.writes["ReportUnreadable", "done"] == 2
    status = scene.cluster.get(HA_SERVICES, "shop", "broken")["status"]
    assert status["observedGeneration"] == 2 and status["conditions"][0]["reason"] == "Unreadable"


@in_virtual_time
async def test_one_unreadable_service_stops_no_other() -> None:
    scene = Scene()
    scene.add_host("n1")
    scene.add_service("broken", resources="not a list")
    async with scene.operator() as operator:
        scene.add_service("web")
        await until(lambda: has_orders(scene))
        assert "resources" in operator.cache.world.unreadable["HAService", "shop/broken"].why


@pytest.mark.parametrize("seed", range(5))
def test_what_failed_during_an_outage_is_tried_again_at_once_after_it(seed: int) -> None:
    run(_outage_in_the_middle_of_work(Scene(seed)), seed=seed)


async def _outage_in_the_middle_of_work(scene: Scene) -> None:
    scene.add_host("n1")
    async with scene.operator() as operator:
        await asyncio.sleep(1)
        scene.add_service()
        await asyncio.sleep(0.01)  # seen, but not yet decided
        scene.weather_of("op").outage = True
        await asyncio.sleep(60)
        assert operator.counters.writes["CreateInstance", "trouble"] > 10
        scene.weather_of("op").outage = False
        assert await until(lambda: has_orders(scene)) < 1


@in_virtual_time
async def test_after_an_outage_streams_that_died_without_a_word_are_opened_anew() -> None:
    scene = Scene()
    for name in ("n1", "n2", "n3"):
        scene.add_host(name)
    async with scene.operator() as operator, asyncio.TaskGroup() as hosts:
        living = [hosts.create_task(scene.keep_renewing(name)) for name in ("n1", "n2", "n3")]
        await asyncio.sleep(2)
        weather = scene.weather_of("op")
        weather.hang = weather.blind = True
        await asyncio.sleep(10)
        weather.hang = weather.blind = False
        await until(lambda: operator.cache.world.own_path.healthy)
        scene.add_service()
        assert await until(lambda: has_orders(scene)) < 1
        await asyncio.sleep(5)
        now_s = operator.clock()
        assert all(now_s - seen.first_seen_s < 0.6 for seen in operator.cache.world.leases.values())
        for task in living:
            task.cancel()


@in_virtual_time
async def test_after_an_outage_everything_is_listed_even_where_watches_stay_silent() -> None:
    scene = Scene()
    scene.add_host("n1")
    async with scene.operator() as operator:
        await asyncio.sleep(2)
        weather = scene.weather_of("op")
        weather.outage = weather.blind = True
        scene.add_service()
        await asyncio.sleep(3)
        weather.outage = False
        assert await until(lambda: "shop/web" in operator.cache.world.services) < 1.5
