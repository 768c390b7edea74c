"""Whatever depends on whom: what can be Ready becomes Ready, in order, and what is deleted goes away. Never a deadlock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from backstay_api.objects.models import HAService
from backstay_api.objects.models.service import Dependency
from backstay_api.objects.names import key_of
from backstay_operator.planner.actions import Action, Assign, WriteInstance
from backstay_operator.planner.judge.dependencies import one_works, runs
from backstay_operator.planner.know.dependencies import cycles, dependencies, other_key
from backstay_operator.planner.know.world import World
from backstay_operator.planner.offline import apply, as_if_running, drain
from backstay_operator.planner.plan import plan
from backstay_operator.planner.whatif import Told, carry_out
from backstay_testing.builders import a_host, a_service

NAMES: Final = ("a", "b", "c", "d", "e")
MOST_ROUNDS: Final = 150


@dataclass(frozen=True)
class Drawn:
    """What one service says."""

    depends_on: tuple[tuple[str, str], ...]
    """On whom, and how: Requires, None (Requires that runs on) or After."""
    has_host: bool
    state: str
    mode: str


drawn_services = st.builds(
    Drawn,
    depends_on=st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["Requires", "Requires", "None", "After"])),
        max_size=3,
        unique_by=lambda one: one[0],
    ).map(tuple),
    has_host=st.sampled_from([True, True, True, True, False]),
    state=st.sampled_from(["Running", "Running", "Running", "Stopped"]),
    mode=st.sampled_from(["Single", "Single", "Replicated", "EveryHost"]),
)
worlds = st.fixed_dictionaries(dict.fromkeys(NAMES, drawn_services))


def manifest(name: str, drawn: Drawn, generation: int = 1) -> HAService:
    depends_on = [
        {"service": other, "type": "After"} if how == "After" else {"service": other, "onChange": "None" if how == "None" else "Restart"}
        for other, how in drawn.depends_on
    ]  # fmt: skip
    more: dict[str, Any] = {"replicas": 2} if drawn.mode == "Replicated" else {}
    pool: dict[str, Any] = {} if drawn.has_host else {"placement": {"hosts": {"matchLabels": {"pool": "none"}}}}
    return a_service(
        name,
        {"name": "main", "systemd": {"unit": f"{name}.service"}},
        generation=generation,
        dependsOn=depends_on,
        state=drawn.state,
        mode=drawn.mode,
        **more,
        **pool,
    )


def live(world: World) -> None:
    """Round after round until nothing is left to be done; each is held against the order."""
    for _ in range(MOST_ROUNDS):
        actions = plan(world).actions
        in_order(world, actions)
        done = [carry_out(world, action, Told()) for action in actions]
        if not any(done):
            return
    raise AssertionError("it never comes to rest")


def in_order(world: World, actions: Sequence[Action]) -> None:
    """What is granted had what it requires, Ready; what is ordered to stop has nothing left that requires it and runs."""
    for action in actions:
        match action:
            case WriteInstance() if action.spec.epoch > action.before.spec.epoch:
                service = world.services[action.before.service_key]
                assert not [
                    one.service for one in _required(world, service) if not _is_ready(world, service, one.service)
                ]
            case Assign():
                stopped = {uid for uid, one in action.spec.instances.items() if one.want == "Down" and not one.to}
                _nothing_depends_on(world, action.host, stopped)


def _required(world: World, service: HAService) -> list[Dependency]:
    return [one for one in dependencies(world, service) if one.type != "After"]


def _is_ready(world: World, service: HAService, name: str) -> bool:
    other = world.services.get(key_of(service.metadata.namespace, name))
    return other is not None and one_works(world, other, Dependency(service=name))


def _nothing_depends_on(world: World, host: str, stopped: set[str]) -> None:
    for instance in [
        one for one in world.instances.values() if one.uid in stopped and one.holder == host and runs(world, one)
    ]:
        there = [
            one for one in world.instances.values() if one.service_key == instance.service_key and one is not instance
        ]
        for service in world.services.values() if not any(runs(world, one) for one in there) else ():
            if any(other_key(service, one) == instance.service_key for one in _required(world, service)):
                left = [
                    one for one in world.instances.values() if one.spec.service.uid == service.uid and runs(world, one)
                ]
                assert not left, f"{instance.key} is stopped while {service.key} runs"


def expected(drawn: Mapping[str, Drawn], in_cycles: set[str]) -> set[str]:
    """Names of those that can be Ready: they have a host, and all that they require can be."""
    able = {name for name, one in drawn.items() if one.has_host and one.state == "Running" and name not in in_cycles}
    while fallen := {
        name for name in able if any(how != "After" and other not in able for other, how in drawn[name].depends_on)
    }:
        able -= fallen
    return able


def ready(world: World) -> set[str]:
    return {
        one.metadata.name
        for one in world.services.values()
        if one_works(world, one, Dependency(service=one.metadata.name))
    }


@settings(max_examples=60, deadline=None)
@given(worlds, st.sets(st.sampled_from(NAMES)), st.booleans())
def test_what_can_be_ready_becomes_ready_and_what_is_deleted_goes(
    drawn: Mapping[str, Drawn], deleted: set[str], is_drained: bool
) -> None:
    world = as_if_running([a_host(name) for name in ("n1", "n2", "n3")], [manifest(*one) for one in drawn.items()], [])
    live(world)
    assert ready(world) == expected(drawn, _in_cycles(world))
    if is_drained:
        drain(world, "n1")
        live(world)
        assert ready(world) == expected(drawn, _in_cycles(world))
        assert not world.held_by.get("n1")
    for name in sorted(deleted):
        known = world.services[f"shop/{name}"]
        meta = known.metadata.model_copy(update={"deletion_timestamp": "2026-01-01T00:00:00Z"})
        world.put_service(known.model_copy(update={"metadata": meta}))
    live(world)
    left = {name: one for name, one in drawn.items() if name not in deleted}
    assert {one.metadata.name for one in world.services.values()} == left.keys()
    assert ready(world) == expected(left, _in_cycles(world))


@settings(max_examples=60, deadline=None)
@given(worlds, st.data())
def test_states_change_in_any_order(drawn: Mapping[str, Drawn], data: st.DataObject) -> None:
    world = as_if_running([a_host(name) for name in ("n1", "n2", "n3")], [manifest(*one) for one in drawn.items()], [])
    live(world)
    now = dict(drawn)
    for _ in range(3):
        name = data.draw(st.sampled_from(NAMES))
        other = "Stopped" if now[name].state == "Running" else "Running"
        now[name] = Drawn(now[name].depends_on, now[name].has_host, other, now[name].mode)
        apply(world, manifest(name, now[name]))
        live(world)
        assert ready(world) == expected(now, _in_cycles(world))


def _in_cycles(world: World) -> set[str]:
    return {key.partition("/")[2] for key in cycles(world)}
