"""What is remembered of an object goes with it."""

from __future__ import annotations

from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.know import holdings
from backstay_testing import worlds
from backstay_testing.builders import a_service, an_instance, unit
from backstay_testing.worlds import a_world, put, report, say_ready

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


def test_since_when_some_host_is_ready_is_known_by_the_newest_manifest_and_while_it_is_there() -> None:
    world = a_world("n1", "n2")
    instance, edited = put(world, WEB), a_service("web", unit("web"), generation=2)
    say_ready(world, WEB, "n1", ready=False)
    assert not world.ready_s
    asked = []
    for at_s, service, host in ((1.0, WEB, "n1"), (2.0, WEB, "n2"), (3.0, edited, "n2"), (4.0, WEB, "n1")):
        world.now_s = at_s
        say_ready(world, service, host)
        asked.append(world.ready_s[instance.uid])
    assert asked == [(1, 1.0), (1, 1.0), (2, 3.0), (2, 3.0)]
    world.drop_assignment("n1")
    assert world.ready_s == {instance.uid: (2, 3.0)}, "n2 is still asked"
    world.drop_assignment("n2")
    world.put_instance(instance)
    assert world.ready_s == {instance.uid: (2, 3.0)}, "a report that is put anew begins no wait anew"
    world.drop_instance(instance.key)
    assert not world.ready_s


def test_since_when_nobody_holds_it_is_known_of_each_epoch_and_begins_anew_only_with_another() -> None:
    world = a_world("n1")
    instance, seen = an_instance(WEB, epoch=1, host="n1"), list[dict[str, tuple[int, float]]]()
    free = instance.model_copy(update={"spec": instance.spec.model_copy(update={"grant": None})})
    later = free.model_copy(update={"spec": free.spec.model_copy(update={"epoch": free.spec.epoch + 1})})
    for at_s, one in ((1.0, instance), (2.0, free), (3.0, free), (4.0, instance), (5.0, free), (6.0, later)):
        world.now_s = at_s
        world.put_instance(one)
        seen.append(dict(world.free_s))
    uid, epoch = instance.uid, instance.spec.epoch
    assert seen == [{}, {uid: (epoch, 2.0)}, {uid: (epoch, 2.0)}, {}, {uid: (epoch, 5.0)}, {uid: (epoch + 1, 6.0)}]
    world.drop_instance(instance.key)
    assert not world.free_s
