"""What is remembered of an object goes with it."""

from __future__ import annotations

from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.know import holdings
from backstay_testing import worlds
from backstay_testing.builders import a_service, unit
from backstay_testing.worlds import a_world, put, report

WEB = a_service("web", unit("web"))


def test_what_was_worked_out_for_an_object_goes_with_it() -> None:
    world = a_world("n1")
    put(world, WEB, epoch=1, host="n1")
    worlds.make_ours(world)
    claims = list(world.claims)
    holdings.keys(world, WEB)
    facts_of(world, "n1")
    for claim in claims:
        holdings.on_hosts(world, world.claims[claim])
    assert world.kept.keys() == {WEB.key, "n1", *claims}
    world.drop_service(WEB.key)
    world.drop_host("n1")
    for claim in claims:
        world.drop_claim(claim)
    assert not world.kept


def test_that_a_reboot_ended_an_epoch_is_remembered_of_what_is_there_and_of_what_a_host_still_speaks_of() -> None:
    world = a_world("n1")
    instance = put(world, WEB, epoch=1, host="n1")
    worlds.shut_down(world, "n1")
    report(world, WEB, "n1", "Stopped", epoch=1, released=True)
    silent = world.assignments["n1"].model_copy(
        update={"status": world.assignments["n1"].status.model_copy(update={"instances": {}})}
    )
    said = world.assignments["n1"]
    world.put_assignment(silent)
    assert world.rebooting.keys() == {instance.uid}, "it is there: its host may come back"
    world.drop_instance(instance.key)
    assert not world.rebooting
    world.put_assignment(said)
    assert world.rebooting.keys() == {instance.uid}, "the HAInstance may not have been read yet"
    world.put_assignment(silent)
    assert not world.rebooting
    world.put_assignment(said)
    world.drop_assignment("n1")
    assert not world.rebooting
