"""What a sentence tells a person to do can be done: a word that a machine is off is taken only where its power is asked about."""

from __future__ import annotations

import pytest

from backstay_api.objects.texts import confirm_by_hand
from backstay_operator.planner.do.fence_guard import fence_guard
from backstay_operator.planner.do.fences import fence_actions
from backstay_operator.planner.judge import first_epoch
from backstay_operator.planner.judge.evidence import Missing, closed
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_host, a_service
from backstay_testing.worlds import a_world, put, report, say_ready, silence

WEB = a_service("web")
ALL = ("n1", "n2", "n3")


def hands_off(world: World, host: str) -> None:
    world.hosts[host] = a_host(host, mode="HandsOff")


def says_so(world: World, host: str, sentence: str) -> bool:
    """Whether it offers the command; then there is something that the command could answer."""
    is_offered = confirm_by_hand(host) in sentence
    is_asked = any(one.spec.host == host for one in world.requests.values()) or bool(
        [one for one in fence_actions(world, fence_guard(world), host) if type(one).__name__ == "RequestFence"]
    )
    assert not is_offered or is_asked, (
        f"`backstay fence {host} --confirm` says that there is nothing to confirm: {sentence}"
    )
    return is_offered


@pytest.mark.parametrize("in_maintenance", [False, True])
def test_who_holds_it_and_is_silent(in_maintenance: bool) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB, epoch=2, host="n1")
    if in_maintenance:
        hands_off(world, "n1")
    silence(world, "n1")
    found = closed(world, instance)
    assert isinstance(found, Missing)
    assert says_so(world, "n1", found.why) is not in_maintenance


@pytest.mark.parametrize("in_maintenance", [False, True])
def test_who_said_last_that_it_runs_there_and_is_silent(in_maintenance: bool) -> None:
    world = a_world(*ALL)
    instance = put(world, WEB)
    for host in ALL:
        say_ready(world, WEB, host, active=host == "n3")
    if in_maintenance:
        hands_off(world, "n3")
    silence(world, "n3")
    why = first_epoch.blocked(world, WEB, instance)
    assert why and says_so(world, "n3", why) is not in_maintenance


@pytest.mark.parametrize("exclusive", [True, False])
def test_who_runs_a_later_epoch_than_a_backup_knows_and_is_silent(exclusive: bool) -> None:
    world, service = a_world(*ALL), a_service("web", exclusive=exclusive)
    instance = put(world, service, epoch=2)
    report(world, service, "n3", "Running", epoch=3)
    silence(world, "n3")
    why = first_epoch.ahead(world, instance)
    assert why and says_so(world, "n3", why)
