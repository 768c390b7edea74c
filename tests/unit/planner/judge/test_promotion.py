"""What an earlier manifest gave to the one part of a service is not run by the other before it is stopped there; and for how long, and for
which end, a last word is waited for: tables."""

from __future__ import annotations

import pytest

from backstay_api.objects.kinds import Raw
from backstay_api.objects.models import HAService
from backstay_api.objects.resource_kinds import claims_of
from backstay_operator.planner.judge.host_facts import facts_of
from backstay_operator.planner.judge.promotion import (
    ANSWER_S,
    LONGEST_WAIT_S,
    START_S,
    is_not_passed_over,
    last_over,
    older_words,
    other_part_has,
    stops_for_its_copies,
)
from backstay_operator.planner.judge.questions import Question, held_by_nobody
from backstay_operator.planner.know.claims import claim_for
from backstay_operator.planner.know.parts import parts
from backstay_operator.planner.know.world import World
from backstay_testing.builders import a_service, an_instance, an_order, unit
from backstay_testing.promotions import (
    BOTH,
    ROLE_ALONE,
    ROLE_SLOT,
    SCORED,
    SCORED_ROLE,
    WRITER,
    answered,
    free_for,
    held_by,
)
from backstay_testing.worlds import Befall, a_world, add_host, all_of, nothing, report, silence, tell

JOB = unit("job")
BEFORE = a_service("web", unit(), JOB, WRITER, mode="Promotable", replicas=2)
NOW = a_service("web", unit(), {**JOB, "role": "Promoted"}, WRITER, mode="Promotable", replicas=2, generation=2)
COPIES, ROLE = parts(NOW)
LEFT = (
    "unit job.service was given to a copy on n2 that is gone, and may still run there: it has to be stopped there first"
)
WAITS = "unit job.service was given to web-1 by an earlier manifest, and has to be stopped there first"


def recorded(world: World) -> None:
    """The claim of the job says that the copy on n2 was to run it."""
    (key,) = claims_of(BEFORE.spec.resources[1:2])
    claim = claim_for(key, BEFORE, ["n2"], world.instances["shop/web-1"])
    world.claims[claim.key] = claim


def gone(world: World) -> None:
    """Its host was lost, and its HAInstance is deleted: a copy may run twice."""
    world.drop_instance("shop/web-1")


def told(revision: int, *resources: Raw) -> Befall:
    def befall(world: World) -> None:
        copy = world.instances["shop/web-1"]
        tell(world, "n2", copy, an_order(copy, revision=revision, resources=resources))

    return befall


def runs(revision: int, phase: str = "Running") -> Befall:
    return lambda world: report(world, NOW, "n2", phase, epoch=1, slot=1, revision=revision)


@pytest.mark.parametrize(
    ("befall", "said"),
    [
        pytest.param(nothing, "", id="nothing was recorded for another"),
        pytest.param(all_of(recorded, told(1, unit(), JOB), runs(1)), WAITS, id="it runs there"),
        pytest.param(all_of(recorded, told(2, unit()), runs(1)), WAITS, id="it is told to stop it and has not yet"),
        pytest.param(all_of(recorded, told(2, unit()), runs(2)), "", id="it has"),
        pytest.param(recorded, WAITS, id="it was never told, and may be in a moment"),
        pytest.param(all_of(recorded, told(1, unit(), JOB), runs(1), gone), LEFT, id="a copy that is gone may run it"),
    ],
)
def test_what_the_other_part_may_still_run_waits(befall: Befall, said: str) -> None:
    world = a_world("n1", "n2")
    BOTH(world)
    befall(world)
    assert other_part_has(world, ROLE, world.instances["shop/web-promoted"]) == said
    assert other_part_has(world, COPIES, world.instances["shop/web-0"]) == "", "of its own part the claims judge"


# --- an edit by which each part would wait for the other -----------------------------------------------------------------

SWAPPED = a_service(
    "web", unit(), {**WRITER, "role": None}, {**JOB, "role": "Promoted"}, mode="Promotable", generation=2
)
ONE_WAY = a_service("web", unit(), {**JOB, "role": "Promoted"}, WRITER, mode="Promotable", generation=2)
STOPS = "an edit gives its copies unit writer.service, which it has, and it unit job.service, which they have: it stops first"


def swapped(world: World) -> None:
    """All runs by the manifest before: the job on n2, and what is promoted, the writer, on n1."""
    BOTH(world)
    recorded(world)
    told(1, unit(), JOB)(world)
    runs(1)(world)
    key = claims_of(BEFORE.spec.resources[2:])[0]
    role = an_instance(ROLE_ALONE, epoch=1, host="n1", slot=ROLE_SLOT)
    world.put_instance(role)
    claim = claim_for(key, BEFORE, ["n1"], role)
    world.claims[claim.key] = claim
    tell(world, "n1", role, an_order(role, revision=1, resources=[unit("writer")]))
    report(world, BEFORE, "n1", "Running", epoch=1, slot=ROLE_SLOT, revision=1)


def unmanaged(service: HAService) -> HAService:
    return service.model_copy(update={"spec": service.spec.model_copy(update={"state": "Unmanaged"})})


def later(service: HAService) -> HAService:
    return service.model_copy(update={"metadata": service.metadata.model_copy(update={"generation": 3})})


def edited(service: HAService) -> Befall:
    return lambda world: world.put_service(service)


@pytest.mark.parametrize(
    ("befall", "said"),
    [
        pytest.param(edited(SWAPPED), STOPS, id="each has what the other wants"),
        pytest.param(edited(ONE_WAY), "", id="the copies want nothing of it"),
        pytest.param(all_of(edited(SWAPPED), told(2, unit()), runs(1)), STOPS, id="they are stopping it"),
        pytest.param(all_of(edited(SWAPPED), told(2, unit()), runs(2)), "", id="they have: it may have the edit"),
        pytest.param(all_of(edited(SWAPPED), lambda w: silence(w, "n2")), "", id="a copy that has it is lost"),
        pytest.param(all_of(edited(SWAPPED), lambda w: add_host(w, "n2", mode="HandsOff")), "", id="or untouched"),
        pytest.param(all_of(edited(SWAPPED), gone), "", id="or gone, and nobody is left to be told"),
        pytest.param(edited(unmanaged(SWAPPED)), "", id="nothing of it is touched"),
        pytest.param(edited(later(SWAPPED)), "", id="what is carried out is not the manifest as it stands"),
    ],
)
def test_it_stops_first_where_each_part_would_wait_for_the_other(befall: Befall, said: str) -> None:
    world = a_world("n1", "n2")
    swapped(world)
    befall(world)
    role = parts(world.services["shop/web"])[1]
    if role.metadata.generation != 2:
        role = parts(SWAPPED)[1]
    assert stops_for_its_copies(world, role, world.instances["shop/web-promoted"]) == said
    copies = parts(world.services["shop/web"])[0]
    assert stops_for_its_copies(world, copies, world.instances["shop/web-0"]) == "", "a copy stops for nobody"


# --- the last word after an end -------------------------------------------------------------------------------------------

ONE_OWES = all_of(BOTH, answered("n1", 7, 1), answered("n2", 5, 0))


def released(world: World) -> None:
    role = world.instances["shop/web-promoted"]
    report(world, SCORED, "n1", "Stopped", epoch=1, slot=ROLE_SLOT, released=True)
    tell(world, "n1", role, an_order(role, "Down"))


def asked(world: World, *, role: HAService = SCORED_ROLE) -> Question:
    return Question(world, role, held_by_nobody(world.instances["shop/web-promoted"]))


@pytest.mark.parametrize(
    ("befall", "over"),
    [
        pytest.param(nothing, 1, id="nobody holds it"),
        pytest.param(held_by("n1"), 0, id="it is held"),
        pytest.param(
            all_of(held_by("n1"), lambda w: silence(w, "n1")), 0, id="its host is silent, and nothing is proven"
        ),
        pytest.param(all_of(held_by("n1"), released), 1, id="it is released, and nobody has written that yet"),
        pytest.param(lambda w: w.put_instance(an_instance(ROLE_ALONE, slot=ROLE_SLOT)), 0, id="nobody ever had it"),
    ],
)
def test_the_last_epoch_that_is_over(befall: Befall, over: int) -> None:
    world = a_world("n1", "n2")
    all_of(BOTH, befall)(world)
    assert last_over(world, world.instances["shop/web-promoted"]) == over


def test_before_the_end_is_proven_nobody_is_waited_for() -> None:
    """It is asked where it could go when its host is lost: where the answer is nowhere, no host is fenced."""
    world = a_world("n1", "n2")
    all_of(BOTH, answered("n1", 7, 0), answered("n2", 7, 0), held_by("n1"))(world)
    assert is_not_passed_over(asked(world), facts_of(world, "n2")) is None
    released(world)
    assert is_not_passed_over(asked(world), facts_of(world, "n2"))


LONG = a_service(
    "web",
    unit(),
    {**WRITER, "timeouts": {"start": "45s"}},
    {"name": "quick", "role": "Promoted", "systemd": {"unit": "quick.service"}, "timeouts": {"start": "1s"}},
    mode="Promotable",
    replicas=2,
    promotion={"scoreCommand": ["/position"]},
)
QUICK, SLOW = (
    a_service(
        "web",
        unit(),
        {**WRITER, "timeouts": {"start": start}},
        mode="Promotable",
        replicas=2,
        promotion={"scoreCommand": ["/position"]},
    )
    for start in ("1s", "1h")
)


@pytest.mark.parametrize(
    ("service", "wait_s"),
    [
        pytest.param(SCORED, START_S, id="the manifest does not say how long a start may take"),
        pytest.param(LONG, 46.0, id="it does"),
        pytest.param(QUICK, ANSWER_S, id="no shorter than a host that lives may need"),
        pytest.param(SLOW, LONGEST_WAIT_S, id="who has not answered by then will not"),
    ],
)
def test_a_last_word_is_waited_for_no_longer_than_the_start_of_what_is_promoted_may_take(
    service: HAService, wait_s: float
) -> None:
    world = a_world("n1", "n2")
    all_of(ONE_OWES, free_for(5.0))(world)
    ask = asked(world, role=parts(service)[1])
    waits = is_not_passed_over(ask, facts_of(world, "n1"))
    assert waits is not None and waits.look_again_s == world.now_s - 5.0 + wait_s and waits.is_passing
    assert older_words(ask) == ""


def test_where_it_was_waited_for_in_vain_the_reason_says_that_an_older_number_counts() -> None:
    world = a_world("n1", "n2")
    all_of(ONE_OWES, free_for(START_S))(world)
    assert (
        older_words(asked(world)) == "n2 has not said how far its data goes after epoch 1 ended: an older number counts"
    )
    answered("n1", 7, 0)(world)
    assert older_words(asked(world)).startswith("n1, n2 have not said how far")
    answered("n1", 7, 1)(world)
    answered("n2", 5, 1)(world)
    assert older_words(asked(world)) == ""
